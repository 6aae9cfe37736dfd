"""The provider's agent: registers a device, answers challenges, beats, signs usage.

It serves any number of oracles at once and waits for none: each has its own loops, its own
outbox and its own connection. One chain of products is computed per challenge, whoever asks
first, and every oracle gets the same signed commit.
"""

import asyncio
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_exponential_jitter,
)

from oracle.adapters.chain.client import Chain
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.gpu.device import Device
from oracle.adapters.oracle_client import OracleClient
from oracle.adapters.signer import Signer
from oracle.adapters.store.agent_state import AgentState
from oracle.api.schemas import (
    ChallengeView,
    ContradictionView,
    HeartbeatBody,
    JobUsageBody,
    JobUsageView,
    LeafView,
    Receipt,
    RegistrationBody,
    SignedReceiptBody,
    TelemetryView,
    UsageBody,
)
from oracle.domain.attestation import device_id
from oracle.domain.attestation.plan import MEGABYTE
from oracle.domain.backoff import Backoff, rest_after
from oracle.domain.canonical import canonical_hash
from oracle.domain.execution import (
    FAILED,
    ExecutionReceipt,
    Fault,
    ReceiptSignature,
    Role,
    SignedReceipt,
    usual_layer,
)
from oracle.domain.messages import Domain, Heartbeat, Registration, Usage
from oracle.domain.receipts import JobStatus
from oracle.errors import BadInput, Busy, ClearworkError, Conflict, NotFound, Transient
from oracle.services.prover import Contradiction, Limits, Prover
from oracle.services.signers import check_role

log = structlog.get_logger()

T = TypeVar("T")

HEARTBEATS = "/v1/heartbeats"
USAGE = "/v1/usage"
RECEIPTS = "/v1/receipts"
BATCH = 100
# newest messages kept for an oracle that does not answer: a day of heartbeats at one a minute
KEEP_MESSAGES = 1_440
# seconds between two attempts to reach an oracle that does not answer
FIRST_RETRY, LAST_RETRY = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything an agent needs to know; `clearwork agent run --help` documents each option."""

    provider: int
    keystore: Path
    password_file: Path
    oracles: tuple[str, ...]
    deployment: Path
    rpc: tuple[str, ...]
    # directory of the agent's durable state; one per device
    state: Path
    host: str = "127.0.0.1"
    port: int = 9_000
    # port of the control interface on 127.0.0.1, 0 for any free one
    control_port: int = 0
    # where others reach `port`; by default http://host:port
    public_url: str | None = None
    # index of the GPU (or MIG instance) among those NVML lists
    gpu: int = 0
    # UUID of a machine without NVML
    identity: str | None = None
    # go by the UUID even if the card can prove who made it
    by_uuid: bool = False
    # int8 operations per second to claim; None: measured at the start
    ops_per_second: int | None = None
    # MB to claim instead of what the device reports
    memory_mb: int | None = None
    heartbeat_seconds: float = 60.0
    poll_seconds: float = 1.0
    # seconds between two settlements of running jobs by their customers' vouchers
    settle_seconds: float = 600.0
    # most gas that showing a leaf on chain may take
    answer_gas_cap: int = 500_000
    # chains above this many operations are refused
    max_operations: int = 10**18


@dataclass(slots=True)
class _Oracle:
    """An oracle as the agent's loops see it."""

    client: OracleClient
    # newest epoch that needs nothing more from us
    finished: int = -1
    last_notice: str = ""
    # set once the oracle knows the device: before, it would refuse what the device sends
    registered: asyncio.Event = field(default_factory=asyncio.Event)

    def notice(self, error: ClearworkError) -> None:
        """Log a failure once, not on every repetition."""
        text = str(error)
        if text != self.last_notice:
            log.warning("oracle", url=self.client.url, problem=text, remedy=error.remedy)
        self.last_notice = text


@dataclass(slots=True)
class Agent:
    """One device of one provider. `run` never returns; the other methods may be called from
    any thread while it runs."""

    config: AgentConfig
    backend: Backend[Any, Any]
    device: Device
    # what the device id is made of: the card's own key where it proves one, see `find_identity`
    identity: bytes
    signer: Signer
    chain: Chain
    state: AgentState
    # where others reach this agent's public interface
    public_url: str
    clients: Sequence[OracleClient]
    # what the device is said to sustain
    ops_per_second: int
    device_id: bytes = field(init=False)
    prover: Prover = field(init=False)
    backoff: Backoff = field(default_factory=Backoff)
    _oracles: list[_Oracle] = field(init=False)
    _registry: Domain = field(init=False)
    _escrow: Domain = field(init=False)
    _clock: "_ChainClock" = field(init=False)
    _reporting: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.device_id = device_id(self.identity, self.config.provider)
        self._oracles = [_Oracle(client) for client in self.clients]
        deployment = self.chain.deployment
        self._registry = Domain(self.chain.chain_id, deployment.address("DeviceRegistry"))
        self._escrow = Domain(self.chain.chain_id, deployment.address("JobEscrow"))
        self._clock = _ChainClock(self.chain)
        memory_mb = self.config.memory_mb or self.device.inventory.memory_mb
        self.prover = Prover(
            self.config.provider,
            self.device_id,
            self.backend,
            self.signer,
            self.chain,
            self.state,
            Limits(self.config.max_operations, memory_mb * MEGABYTE),
            self.device if self.identity != self.device.inventory.identity else None,
        )

    async def run(self) -> None:
        """Serve all oracles until cancelled."""
        log.info(
            "agent",
            device="0x" + self.device_id.hex(),
            provider=self.config.provider,
            backend=self.backend.name,
            hardware=self.device.inventory.name,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beat())
                for oracle in self._oracles:
                    tasks.create_task(self._attest(oracle))
                    tasks.create_task(self._deliver(oracle, HEARTBEATS))
                    tasks.create_task(self._deliver(oracle, USAGE))
                    tasks.create_task(self._deliver(oracle, RECEIPTS))
        finally:
            for oracle in self._oracles:
                await oracle.client.close()

    # --- attestation ------------------------------------------------------------------------

    async def _attest(self, oracle: _Oracle) -> None:
        """Keep one oracle's challenges answered."""
        await self._register(oracle)
        while True:
            pause = self.config.poll_seconds
            try:
                view = await oracle.client.challenge(self.device_id)
                is_due = view.state in ("open", "committed") and view.epoch > oracle.finished
                if is_due and self.backoff.is_ready(view.epoch):
                    await self._answer(oracle, view)
            except NotFound:
                await self._register(oracle)
            except Busy as error:
                oracle.notice(error)
                pause = max(pause, error.retry_after)
            except ClearworkError as error:
                oracle.notice(error)
            await asyncio.sleep(pause)

    async def _register(self, oracle: _Oracle) -> None:
        inventory = self.device.inventory
        memory_mb = self.config.memory_mb or inventory.memory_mb
        message = Registration(
            self.config.provider,
            self.identity,
            self.ops_per_second,
            memory_mb,
            inventory.hash(),
        )
        body = RegistrationBody(
            provider=message.provider,
            identity=message.identity,
            ops_per_second=message.ops_per_second,
            memory_mb=memory_mb,
            inventory=inventory.document,
            agent_url=self.public_url,
            signature=self.signer.sign(message.digest(self._registry)),
        )
        await _until_done(oracle, ClearworkError, lambda: oracle.client.register(body))
        oracle.registered.set()
        log.info("registered", oracle=oracle.client.url)

    async def _answer(self, oracle: _Oracle, view: ChallengeView) -> None:
        """Have a challenge answered, and learn from how it went."""
        try:
            verdict = await self.prover.answer(oracle.client, view)
        except Contradiction:
            oracle.finished = view.epoch
            raise
        except Conflict:
            # too late, or not what this device committed to before
            self._failed(view.epoch)
            raise
        if verdict is None:
            return
        oracle.finished = view.epoch
        oracle.last_notice = ""
        if verdict.accepted:
            self.backoff.succeeded(view.epoch)
        else:
            self._failed(view.epoch)
        log.info(
            "attested" if verdict.accepted else "attestation refused",
            oracle=oracle.client.url,
            epoch=view.epoch,
            ops_per_second=verdict.ops_per_second,
            elapsed_ms=verdict.elapsed_ms,
            reason=verdict.reason,
        )

    def _failed(self, epoch: int) -> None:
        jitter = secrets.randbelow(rest_after(self.backoff.failures + 1))
        self.backoff.failed(epoch, jitter)
        if self.backoff.resumes > epoch + 1:
            log.warning("resting", failures=self.backoff.failures, resumes=self.backoff.resumes)

    def open_leaf(self, commit: bytes, round_index: int, index: int) -> LeafView:
        """One leaf of a signed commit, for anybody; see `Prover.open_leaf`."""
        return self.prover.open_leaf(commit, round_index, index)

    def owed_leaf(self, commit: bytes, round_index: int, index: int) -> LeafView:
        """One leaf for who has asked on chain; see `Prover.owed_leaf`."""
        return self.prover.owed_leaf(commit, round_index, index)

    def evidence(self) -> list[ContradictionView]:
        """What oracles have signed against themselves."""
        return [ContradictionView.model_validate_json(body) for body in self.state.evidence()]

    # --- heartbeats -------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.send_heartbeat)
            except Transient as error:
                log.warning("no heartbeat", problem=str(error), remedy=error.remedy)
            await asyncio.sleep(self.config.heartbeat_seconds)

    def send_heartbeat(self) -> None:
        """Sign a heartbeat with current telemetry and put it into every oracle's outbox."""
        telemetry = self.device.telemetry()
        message = Heartbeat(
            self.device_id,
            self.state.next_sequence("heartbeat"),
            self._clock.now(),
            canonical_hash(telemetry),
        )
        body = HeartbeatBody(
            device=message.device,
            seq=message.seq,
            timestamp=message.timestamp,
            telemetry=telemetry,
            signature=self.signer.sign(message.digest(self._registry)),
        )
        self._post(HEARTBEATS, body.model_dump_json())

    def telemetry(self) -> TelemetryView:
        """The device and its current readings."""
        return TelemetryView(
            device=self.device_id,
            provider=self.config.provider,
            inventory=self.device.inventory.document,
            telemetry=self.device.telemetry(),
        )

    # --- usage ------------------------------------------------------------------------------

    def report_usage(self, job: int, report: JobUsageBody) -> JobUsageView:
        """Sign what a job has used so far and put it into every oracle's outbox.

        `report.gpu_seconds` is cumulative. A report that ends the job issues its execution
        receipt. Raises `BadInput` for a status no usage carries, or a fault that does not go
        with it, and `Conflict` where usage falls, or where the job has ended: nothing is
        signed then.
        """
        if not JobStatus.RUNNING <= report.status <= JobStatus.INFRASTRUCTURE:
            raise BadInput(f"usage can't carry status {report.status}", "use a status in 3..9")
        if report.fault is not None and report.status not in FAILED:
            raise BadInput(
                f"status {report.status} has no fault", "name a layer at fault for failed jobs only"
            )
        with self._reporting:
            seconds, status = self.state.job(job)
            if report.gpu_seconds < seconds:
                raise Conflict(
                    f"job {job} has already used {seconds} GPU-seconds, not {report.gpu_seconds}",
                    "report cumulative GPU-seconds over the job's whole life",
                )
            if status > JobStatus.RUNNING and (report.gpu_seconds, report.status) != (
                seconds,
                status,
            ):
                raise Conflict(f"job {job} has ended with status {status}", "open another job")
            telemetry = self._sign_usage(job, report)
            if report.status != JobStatus.RUNNING:
                self._issue_receipt(job, report, telemetry)
            self.state.save_job(job, report.gpu_seconds, report.status)
        return self.job_usage(job)

    def _sign_usage(self, job: int, report: JobUsageBody) -> bytes:
        """Sign and post a sample; returns the hash of its telemetry."""
        telemetry = dict(report.telemetry)
        with suppress(Transient):  # a lost card does not unmake what it has done
            telemetry |= self.device.telemetry()
        message = Usage(
            job,
            self.state.next_sequence(f"job {job}"),
            self._clock.now(),
            report.gpu_seconds,
            report.status,
            canonical_hash(telemetry),
        )
        body = UsageBody(
            job=job,
            seq=message.seq,
            timestamp=message.timestamp,
            cumulative_gpu_seconds=message.cumulative_gpu_seconds,
            status=message.status,
            telemetry=telemetry,
            signature=self.signer.sign(message.digest(self._escrow)),
        )
        self._post(USAGE, body.model_dump_json())
        return message.telemetry

    def job_usage(self, job: int) -> JobUsageView:
        """What was last reported of a job."""
        seconds, status = self.state.job(job)
        undelivered = self.state.undelivered()
        return JobUsageView(job=job, gpu_seconds=seconds, status=status, undelivered=undelivered)

    # --- execution receipts -----------------------------------------------------------------

    def _issue_receipt(self, job: int, report: JobUsageBody, telemetry: bytes) -> None:
        """Sign the receipt of a job that has ended, keep it, and post it to every oracle.

        One that is kept is posted again: a second document for one job would convict us of
        saying two things.
        """
        kept = self.receipts(job)
        if kept:
            return self._post(RECEIPTS, kept[0].model_dump_json())
        status = JobStatus(report.status)
        fault = report.fault.fault() if report.fault is not None else None
        if fault is None and status in FAILED:
            fault = Fault(usual_layer(status), "the job did not say more than its status")
        receipt = ExecutionReceipt(
            chain_id=self._escrow.chain_id,
            escrow=self._escrow.verifying_contract.lower(),
            job=job,
            # the payee: our cluster, where the job is its
            provider=self.chain.read("JobRegistry", "job_info", job).provider,
            period=1,
            issuer=Role.PROVIDER,
            devices=(self.device_id,),
            work=report.work.work() if report.work is not None else None,
            gpu_seconds=report.gpu_seconds,
            telemetry=telemetry,
            status=status,
            fault=fault,
            ended_at=self._clock.now(),
        )
        signature = self.signer.sign(receipt.digest())
        own = ReceiptSignature(Role.PROVIDER, self.signer.address, signature)
        self._keep_receipt(SignedReceipt(receipt, (own,)))
        log.info("receipt issued", job=job, document="0x" + receipt.hash.hex())
        return None

    def receipts(self, job: int) -> list[SignedReceiptBody]:
        """The receipts of a job; none before it has ended."""
        return [SignedReceiptBody.model_validate_json(body) for body in self.state.receipts(job)]

    def take_counter_signature(self, job: int, body: SignedReceiptBody) -> None:
        """Add the customer's signature to a receipt, and post it to every oracle again.

        Raises `NotFound` for a receipt that is not the one issued here, `Unauthorized` for a
        signer that is not the job's customer.
        """
        signed = body.signed()
        signed.check()
        known = self._own_receipt(job, signed).signatures
        for signature in signed.signatures:
            if signature not in known:
                check_role(self.chain, signed.receipt, signature)
        with self._reporting:
            own = self._own_receipt(job, signed)
            merged = own.merged(signed)
            if merged != own:
                self._keep_receipt(merged)

    def _own_receipt(self, job: int, signed: SignedReceipt) -> SignedReceipt:
        """Our copy of a receipt. Raises `NotFound` for one that was not issued here."""
        for body in self.receipts(job):
            own = body.signed()
            if own.receipt == signed.receipt:
                return own
        raise NotFound(f"no such receipt of job {job}", f"read it with GET /v1/jobs/{job}/receipts")

    def _keep_receipt(self, signed: SignedReceipt) -> None:
        receipt, body = signed.receipt, SignedReceiptBody.of(signed).model_dump_json()
        urls = [one.client.url for one in self._oracles]
        self.state.save_receipt(receipt.job, receipt.period, body, urls, RECEIPTS, KEEP_MESSAGES)

    # --- delivery ---------------------------------------------------------------------------

    def _post(self, path: str, body: str) -> None:
        self.state.post((one.client.url for one in self._oracles), path, body, KEEP_MESSAGES)

    async def _deliver(self, oracle: _Oracle, path: str) -> None:
        """Empty one oracle's outbox, oldest first, for as long as the agent lives."""
        await oracle.registered.wait()
        while True:
            if not await _until_done(oracle, Transient, lambda: self._deliver_once(oracle, path)):
                await asyncio.sleep(self.config.poll_seconds)

    async def _deliver_once(self, oracle: _Oracle, path: str, limit: int = BATCH) -> int:
        """Send one batch; returns how many messages left the outbox.

        What the oracle refuses for good leaves with a log line. A batch it can't take as a
        whole is sent message by message, so that one bad message does not hold the others.
        """
        letters = self.state.waiting(oracle.client.url, path, limit)
        if not letters:
            return 0
        try:
            receipts = await oracle.client.post_batch(path, [one.body for one in letters])
        except NotFound as error:
            # the oracle does not know the device yet; it will once it is registered there
            raise Transient(str(error), error.remedy) from error
        except BadInput as error:
            if len(letters) > 1:
                return await self._deliver_once(oracle, path, limit=1)
            receipts = [Receipt(state="refused", reason=str(error))]
        taken = []
        for letter, receipt in zip(letters, receipts, strict=True):
            if receipt.state in ("stored", "duplicate"):
                taken.append(letter)
            else:
                reason = f"{receipt.state}: {receipt.reason}"
                log.error("message not taken", oracle=oracle.client.url, path=path, reason=reason)
                self.state.refused(letter, reason)
        self.state.delivered(taken)
        oracle.last_notice = ""
        return len(letters)


class _ChainClock:
    """Chain time in seconds; while no node answers, the last one carried on by this machine."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._known: tuple[int, float] | None = None

    def now(self) -> int:
        """Chain time now. Raises `Transient` if it was never known."""
        try:
            timestamp = self._chain.timestamp()
        except Transient:
            if self._known is None:
                raise
            then, at = self._known
            return then + int(time.monotonic() - at)
        self._known = (timestamp, time.monotonic())
        return timestamp


async def _until_done(
    oracle: _Oracle, retried: type[ClearworkError], call: Callable[[], Awaitable[T]]
) -> T:
    """Repeat a call, ever less often, for as long as it fails with an error of kind `retried`."""

    def notice(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ClearworkError):
            oracle.notice(error)

    async def attempt() -> T:
        return await call()  # tenacity does not await what a lambda returns

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(retried),
        wait=wait_exponential_jitter(multiplier=FIRST_RETRY, max=LAST_RETRY),
        before_sleep=notice,
    )
    return await retrying(attempt)
