"""Meter a job: real elapsed time times GPUs, reported to the local agent as it goes.

with JobMeter(agent_state, job=7, gpus=1, work=Work(command=("train", "--epochs=3"))) as meter:
    meter.output = "sha256:" + hashlib.sha256(train()).hexdigest()
print(meter.gpu_seconds)
"""

import os
import resource
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import structlog

from oracle.adapters.agent_client import AgentClient
from oracle.domain.execution import MAX_REASON, Fault, Layer, Work
from oracle.domain.receipts import JobStatus
from oracle.errors import ClearworkError, Transient

log = structlog.get_logger()

# seconds the last report of a job is retried for
LAST_REPORT_PATIENCE = 30.0


class JobFailure(Exception):
    """Raised by a job that knows at which layer it failed, and in which failure class."""

    def __init__(
        self, layer: Layer, reason: str, status: JobStatus = JobStatus.PROVIDER_FAULT
    ) -> None:
        super().__init__(reason)
        self.layer = layer
        self.status = status


class JobMeter:
    """Context manager around a job's work.

    GPU-seconds are wall-clock seconds on the monotonic clock times `gpus`, rounded down, on top
    of what the job had used before (a job may be resumed). Reports leave every `interval`
    seconds; the last one says completed, or where the work raised what a `JobFailure` says,
    else provider fault at layer execution. A report that fails is made good by the next one,
    because usage is cumulative.

    `work` says what runs, for the execution receipt; `output` (a digest, `sha256:...`) is set
    by the job before it ends; exit code and peak memory are measured here.
    """

    def __init__(
        self,
        agent_state: Path,
        job: int,
        gpus: int,
        interval: float = 5.0,
        work: Work | None = None,
    ) -> None:
        self.job = job
        self.gpus = gpus
        self._work = work or Work()
        self._interval = interval
        self._agent = AgentClient(agent_state)
        self._stop = threading.Event()
        self._reporter = threading.Thread(target=self._report_regularly, daemon=True)
        self._before = 0
        self._started = 0.0
        self._ended: float | None = None

    @property
    def output(self) -> str | None:
        """Digest of what the job delivers; setting another than `sha256:...` raises `BadInput`."""
        return self._work.output

    @output.setter
    def output(self, digest: str) -> None:
        self._work = replace(self._work, output=digest)

    @property
    def gpu_seconds(self) -> int:
        """Cumulative GPU-seconds of the job so far."""
        end = time.monotonic() if self._ended is None else self._ended
        return self._before + int((end - self._started) * self.gpus)

    def telemetry(self) -> dict[str, int | None]:
        """What this process has used: processor time and peak memory."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "job_cpu_user_ms": int(used.ru_utime * 1_000),
            "job_cpu_system_ms": int(used.ru_stime * 1_000),
            "job_resident_peak_kb": used.ru_maxrss,
            "job_pid": os.getpid(),
        }

    def __enter__(self) -> "JobMeter":
        self._before = self._agent.usage(self.job).gpu_seconds
        self._started = time.monotonic()
        self._report(JobStatus.RUNNING)
        self._reporter.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = time.monotonic()
        self._stop.set()
        self._reporter.join()
        self._report_last(*_outcome(error))
        self._agent.close()

    def _report_regularly(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self._report(JobStatus.RUNNING)
            except ClearworkError as error:
                log.warning("usage not reported", job=self.job, problem=str(error))

    def _report_last(self, status: JobStatus, exit_code: int, fault: Fault | None) -> None:
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        work = replace(
            self._work,
            exit_code=exit_code,
            peak_memory_mb=-(-peak_kb * 1_024 // 10**6),
        )
        deadline = time.monotonic() + LAST_REPORT_PATIENCE
        while True:
            try:
                return self._report(status, work, fault)
            except Transient:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _report(
        self, status: JobStatus, work: Work | None = None, fault: Fault | None = None
    ) -> None:
        self._agent.report(self.job, self.gpu_seconds, int(status), self.telemetry(), work, fault)


def _outcome(error: BaseException | None) -> tuple[JobStatus, int, Fault | None]:
    """Status, exit code and fault of work that ended with `error`."""
    status, code, layer = JobStatus.PROVIDER_FAULT, 1, Layer.EXECUTION
    match error:
        case None | SystemExit(code=None | 0):
            return JobStatus.COMPLETED, 0, None
        case SystemExit(code=int(code)):
            reason = f"the job exited with code {code}"
        case JobFailure():
            status, layer, reason = error.status, error.layer, str(error) or "no reason given"
        case _:
            reason = f"{type(error).__name__}: {error}"
    # what Python decodes from file names is not always Unicode
    text = reason.encode(errors="replace").decode()
    return status, code, Fault(layer, text[:MAX_REASON])
