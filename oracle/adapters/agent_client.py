"""The control interface of the agent on this machine, as a job uses it."""

import json
from pathlib import Path

import httpx

from oracle.adapters.problem import error_of
from oracle.api.schemas import FaultBody, JobUsageBody, JobUsageView, WorkBody
from oracle.domain.execution import Fault, Work
from oracle.errors import Misconfigured, Transient

CONTROL_FILE = "control.json"
TIMEOUT = 10.0


class AgentClient:
    """The agent that runs on the state directory `state`."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._http = httpx.Client(timeout=TIMEOUT)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def usage(self, job: int) -> JobUsageView:
        """What the agent last signed of a job."""
        return self._ask("GET", job, None)

    def report(
        self,
        job: int,
        gpu_seconds: int,
        status: int,
        telemetry: dict[str, int | None],
        work: Work | None = None,
        fault: Fault | None = None,
    ) -> JobUsageView:
        """Have cumulative usage signed and sent to all oracles.

        With a status that ends the job the agent issues its receipt over `work` and `fault`.
        """
        body = JobUsageBody(
            gpu_seconds=gpu_seconds,
            status=status,
            telemetry=telemetry,
            work=None if work is None else WorkBody.of(work),
            fault=None if fault is None else FaultBody.of(fault),
        )
        return self._ask("POST", job, body.model_dump_json())

    def _ask(self, method: str, job: int, body: str | None) -> JobUsageView:
        url, token = self._control()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            response = self._http.request(
                method, f"{url}/v1/jobs/{job}/usage", content=body, headers=headers
            )
        except httpx.HTTPError as error:
            raise Transient(f"the agent does not answer: {error}", "look at its log") from error
        if response.is_success:
            return JobUsageView.model_validate_json(response.content)
        raise error_of(response, "the agent")

    def _control(self) -> tuple[str, str]:
        """URL and token, read anew each time: a restarted agent has others."""
        path = self._state / CONTROL_FILE
        try:
            content = json.loads(path.read_text())
            return str(content["url"]), str(content["token"])
        except OSError as error:
            raise Transient(
                f"no agent runs on {self._state}", "start `clearwork agent run` on this directory"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise Misconfigured(f"{path} is damaged", "restart the agent: it writes it") from error
