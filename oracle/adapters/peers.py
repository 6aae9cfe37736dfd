"""The other oracles, over HTTP."""

from typing import Any

import httpx
from pydantic import TypeAdapter

from oracle.adapters.problem import error_of, error_type
from oracle.adapters.web_address import web_address
from oracle.api import schemas
from oracle.domain.device_time import DeviceTimeObservation, DeviceTimeProposal
from oracle.domain.proposals import (
    BlameProposal,
    DeviceObservation,
    DeviceProposal,
    EpochProposal,
    Proposal,
    SignedBatch,
    UsageObservation,
    UsageProposal,
)
from oracle.errors import Bound, Transient

_BATCHES = TypeAdapter(list[schemas.SignedBatch])
# seconds a peer may take to answer
REQUEST_TIMEOUT = 5.0


class Peer:
    """One other oracle. Every failure is a `ClearworkError`; an unreachable one is `Transient`.

    Nothing it says is believed here: observations and signatures are checked by their readers.
    """

    def __init__(self, url: str, client: httpx.Client | None = None) -> None:
        self.url = web_address(url)
        self._client = client or httpx.Client(base_url=self.url, timeout=REQUEST_TIMEOUT)
        self._identity: str | None = None

    def __repr__(self) -> str:
        return f"Peer({self.url})"

    def identity(self) -> str:
        """The committee member it says it is, asked for until it says so."""
        if self._identity is None:
            # a sick oracle answers 503 with the same body
            health = self._request("GET", "/health", expect=(200, 503))
            self._identity = schemas.HealthView.model_validate_json(health).oracle
        if self._identity is None:
            raise Transient(f"{self.url} runs dry", "Give it a key, or remove it from the peers.")
        return self._identity

    def usage(self, epoch: int) -> UsageObservation:
        """Its signed view of all jobs."""
        answer = self._request("GET", f"/v1/peer/usage/{epoch}")
        return schemas.UsageObservation.model_validate_json(answer).observation()

    def device(self, device: bytes, epoch: int) -> DeviceObservation:
        """Its signed word on a device; raises `NotFound` unless it accepted one."""
        answer = self._request("GET", f"/v1/peer/devices/0x{device.hex()}/{epoch}")
        return schemas.DeviceObservation.model_validate_json(answer).observation()

    def bound_device(self, device: bytes, epoch: int) -> DeviceProposal:
        """The proposal it has signed for a device; raises `NotFound` for none."""
        answer = self._request("GET", f"/v1/peer/proposals/device/0x{device.hex()}/{epoch}")
        return schemas.DeviceProposal.model_validate_json(answer).proposal()

    def bound_epoch(self, to_epoch: int) -> EpochProposal:
        """The proposal it has signed for the epochs up to `to_epoch`; raises `NotFound`."""
        answer = self._request("GET", f"/v1/peer/proposals/epoch/{to_epoch}")
        return schemas.EpochProposal.model_validate_json(answer).proposal()

    def device_time(self, epoch: int) -> DeviceTimeObservation:
        """Its signed view of an epoch's device time."""
        answer = self._request("GET", f"/v1/peer/device-time/{epoch}")
        return schemas.DeviceTimeObservation.model_validate_json(answer).observation()

    def bound_device_time(self, epoch: int) -> DeviceTimeProposal:
        """The proposal it has signed for an epoch's device time; raises `NotFound` for none."""
        answer = self._request("GET", f"/v1/peer/proposals/device-time/{epoch}")
        return schemas.DeviceTimeProposal.model_validate_json(answer).proposal()

    def batches(self, until: int) -> list[SignedBatch]:
        """Batches of the epochs up to `until` that it left for the root."""
        answer = self._request("GET", f"/v1/batches?until={until}")
        return [body.batch() for body in _BATCHES.validate_json(answer)]

    def leaf_file(self, report_hash: bytes) -> bytes:
        """The leaf file of a report."""
        return self._request("GET", f"/v1/epochs/0x{report_hash.hex()}/leaves")

    def endorse(self, proposal: Proposal) -> tuple[str, bytes]:
        """Ask for its signature: its identity and the signature over the committee report.

        Raises `Bound` where it is bound to another proposal, `BadInput` where it disagrees.
        """
        match proposal:
            case UsageProposal():
                path, body = "usage", schemas.UsageProposal.of(proposal).model_dump_json()
            case BlameProposal():
                path, body = "blame", schemas.BlameProposal.of(proposal).model_dump_json()
            case DeviceProposal():
                path, body = "device", schemas.DeviceProposal.of(proposal).model_dump_json()
            case DeviceTimeProposal():
                path, body = (
                    "device-time",
                    schemas.DeviceTimeProposal.of(proposal).model_dump_json(),
                )
            case EpochProposal():
                path, body = "epoch", schemas.EpochProposal.of(proposal).model_dump_json()
        answer = self._request("POST", f"/v1/peer/proposals/{path}", content=body)
        signed = schemas.PeerSignature.model_validate_json(answer)
        return signed.oracle, signed.signature

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _request(
        self, method: str, path: str, expect: tuple[int, ...] = (200,), **options: Any
    ) -> bytes:
        try:
            answer = self._client.request(
                method, path, headers={"Content-Type": "application/json"}, **options
            )
        except httpx.HTTPError as error:
            raise Transient(
                f"peer {self.url} does not answer: {error!r}", "Check that it runs."
            ) from error
        if answer.status_code in expect:
            return answer.content
        refusal = error_of(answer, f"peer {self.url}")
        if error_type(answer) == Bound.__name__:
            raise Bound(str(refusal), refusal.remedy)
        raise refusal
