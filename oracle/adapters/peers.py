"""The other oracles, over HTTP."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter

from oracle.adapters.asking import read
from oracle.adapters.bounded_http import BoundedClient
from oracle.adapters.problem import error_of, error_type
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
from oracle.domain.web_address import web_address
from oracle.errors import Bound, Transient

Said = TypeVar("Said", bound=BaseModel)

_BATCHES = TypeAdapter(list[schemas.SignedBatch])
# for a whole answer
ANSWER_SECONDS, MAX_ANSWER_BYTES = 5.0, 2**24
# for a leaf file, and for the word on an epoch, which has to be built first
EPOCH_SECONDS, MAX_EPOCH_BYTES = 60.0, 2**28
# times as long as it took not to answer, a peer is asked nothing: it costs a tenth of the time
REST = 10


class Peer:
    """One other oracle. Every failure is a `ClearworkError`; an unreachable one is `Transient`.

    Nothing it says is believed here: observations and signatures are checked by their readers.
    """

    def __init__(self, url: str, client: BoundedClient | httpx.Client | None = None) -> None:
        self.url = web_address(url)
        self._client = client or BoundedClient(self.url, ANSWER_SECONDS, MAX_ANSWER_BYTES)
        self._patient = client or BoundedClient(self.url, EPOCH_SECONDS, MAX_EPOCH_BYTES)
        self._identity: str | None = None
        # on this process's clock
        self._rests_until = 0.0

    def __repr__(self) -> str:
        return f"Peer({self.url})"

    def identity(self) -> str:
        """The committee member it says it is, asked for until it says so."""
        if self._identity is None:
            # a sick oracle answers 503 with the same body
            health = self._request("GET", "/health", expect=(200, 503))
            self._identity = self._read(schemas.HealthView, health).oracle
        if self._identity is None:
            raise Transient(f"{self.url} runs dry", "Give it a key, or remove it from the peers.")
        return self._identity

    def usage(self, epoch: int) -> UsageObservation:
        """Its signed view of all jobs."""
        answer = self._request("GET", f"/v1/peer/usage/{epoch}")
        return self._read(schemas.UsageObservation, answer).observation()

    def device(self, device: bytes, epoch: int) -> DeviceObservation:
        """Its signed word on a device; raises `NotFound` unless it accepted one."""
        answer = self._request("GET", f"/v1/peer/devices/0x{device.hex()}/{epoch}")
        return self._read(schemas.DeviceObservation, answer).observation()

    def bound_device(self, device: bytes, epoch: int) -> DeviceProposal:
        """The proposal it has signed for a device; raises `NotFound` for none."""
        answer = self._request("GET", f"/v1/peer/proposals/device/0x{device.hex()}/{epoch}")
        return self._read(schemas.DeviceProposal, answer).proposal()

    def bound_epoch(self, to_epoch: int) -> EpochProposal:
        """The proposal it has signed for the epochs up to `to_epoch`; raises `NotFound`."""
        answer = self._request("GET", f"/v1/peer/proposals/epoch/{to_epoch}")
        return self._read(schemas.EpochProposal, answer).proposal()

    def device_time(self, epoch: int) -> DeviceTimeObservation:
        """Its signed view of an epoch's device time."""
        answer = self._request("GET", f"/v1/peer/device-time/{epoch}")
        return self._read(schemas.DeviceTimeObservation, answer).observation()

    def bound_device_time(self, epoch: int) -> DeviceTimeProposal:
        """The proposal it has signed for an epoch's device time; raises `NotFound` for none."""
        answer = self._request("GET", f"/v1/peer/proposals/device-time/{epoch}")
        return self._read(schemas.DeviceTimeProposal, answer).proposal()

    def batches(self, until: int) -> list[SignedBatch]:
        """Batches of the epochs up to `until` that it left for the root."""
        answer = self._request("GET", f"/v1/batches?until={until}")
        return [body.batch() for body in read(self.url, _BATCHES, answer)]

    def leaf_file(self, report_hash: bytes) -> bytes:
        """The leaf file of a report."""
        return self._request("GET", f"/v1/epochs/0x{report_hash.hex()}/leaves", is_large=True)

    def endorse(self, proposal: Proposal, vouch: Callable[[bytes], bytes]) -> tuple[str, bytes]:
        """Ask for its signature: its identity and the signature over the committee report.

        `vouch` signs the request, as only members may propose.
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
        answer = self._request(
            "POST",
            f"/v1/peer/proposals/{path}",
            is_large=path == "epoch",
            content=body,
            signature=vouch(body.encode()),
        )
        signed = self._read(schemas.PeerSignature, answer)
        return signed.oracle, signed.signature

    def close(self) -> None:
        """Close its connections."""
        self._client.close()
        self._patient.close()

    def _read(self, kind: type[Said], answer: bytes) -> Said:
        return read(self.url, TypeAdapter(kind), answer)

    def _request(
        self,
        method: str,
        path: str,
        expect: tuple[int, ...] = (200,),
        is_large: bool = False,
        content: str | None = None,
        signature: bytes | None = None,
    ) -> bytes:
        began = time.monotonic()
        if began < self._rests_until:
            raise Transient(f"peer {self.url} did not answer just now", "Check that it runs.")
        client = self._patient if is_large else self._client
        headers = {"Content-Type": "application/json"}
        if signature is not None:
            headers[schemas.SIGNATURE_HEADER] = f"0x{signature.hex()}"
        try:
            answer = client.request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            now = time.monotonic()
            self._rests_until = now + REST * (now - began)
            raise Transient(
                f"peer {self.url} does not answer: {error!r}", "Check that it runs."
            ) from error
        if answer.status_code in expect:
            return answer.content
        refusal = error_of(answer, f"peer {self.url}")
        if error_type(answer) == Bound.__name__:
            raise Bound(str(refusal), refusal.remedy)
        raise refusal
