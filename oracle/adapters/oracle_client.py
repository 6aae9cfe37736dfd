"""An oracle's HTTP interface as a provider's agent uses it."""

from typing import TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from oracle.adapters.bounded_http import whole_answer
from oracle.adapters.problem import error_of
from oracle.api.schemas import (
    AckView,
    ChallengeView,
    CommitBody,
    DeviceView,
    LanesBody,
    OpeningsBody,
    Receipt,
    RegistrationBody,
    VerdictView,
    WalkBody,
)
from oracle.domain.web_address import web_address
from oracle.errors import Transient

# for a whole answer; an oracle checks openings in tens of milliseconds
ANSWER_SECONDS, MAX_ANSWER_BYTES = 15.0, 2**22

Answer = TypeVar("Answer")

_RECEIPTS = TypeAdapter(list[Receipt])


class OracleClient:
    """One oracle. Every failure is an error of `oracle.errors`: `Transient` where it is down,
    busy or talks nonsense, else what its problem+json says."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = web_address(url)
        self._http = httpx.AsyncClient(
            base_url=self.url, timeout=ANSWER_SECONDS, transport=transport
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def register(self, body: RegistrationBody) -> DeviceView:
        """Present a device."""
        return await self._post("/v1/devices", _dump(body), TypeAdapter(DeviceView))

    async def challenge(self, device: bytes) -> ChallengeView:
        """What a device has to compute now. Raises `NotFound` for a device to be registered."""
        path = f"/v1/devices/0x{device.hex()}/challenge"
        return await self._ask("GET", path, None, TypeAdapter(ChallengeView))

    async def commit(self, body: CommitBody | WalkBody) -> AckView:
        """Hand in a commit; the answer draws the entries or lanes to open."""
        path = "/v1/walks" if isinstance(body, WalkBody) else "/v1/commits"
        return await self._post(path, _dump(body), TypeAdapter(AckView))

    async def open(self, body: OpeningsBody | LanesBody) -> VerdictView:
        """Answer the draw."""
        path = "/v1/walks/openings" if isinstance(body, LanesBody) else "/v1/openings"
        return await self._post(path, _dump(body), TypeAdapter(VerdictView))

    async def post_batch(self, path: str, bodies: list[str]) -> list[Receipt]:
        """Post signed messages (JSON text) as one list; one receipt per message."""
        receipts = await self._post(path, f"[{','.join(bodies)}]", _RECEIPTS)
        if len(receipts) != len(bodies):
            raise self._nonsense(f"{len(receipts)} receipts for {len(bodies)} messages")
        return receipts

    async def _post(self, path: str, body: str, answer: TypeAdapter[Answer]) -> Answer:
        return await self._ask("POST", path, body, answer)

    async def _ask(
        self, method: str, path: str, body: str | None, answer: TypeAdapter[Answer]
    ) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            response = await whole_answer(
                self._http,
                method,
                path,
                seconds=ANSWER_SECONDS,
                limit=MAX_ANSWER_BYTES,
                content=body,
                headers=headers,
            )
        except httpx.HTTPError as error:
            raise Transient(
                f"{self.url} does not answer: {error or type(error).__name__}",
                "the agent tries again; check the oracle's URL if it stays so",
            ) from error
        if response.is_error:
            raise error_of(response, self.url)
        try:
            return answer.validate_json(response.content)
        except ValidationError as error:
            raise self._nonsense(f"{path}: {error.error_count()} invalid fields") from error

    def _nonsense(self, what: str) -> Transient:
        return Transient(
            f"{self.url} answers outside the protocol: {what}",
            "check that agent and oracle run the same version",
        )


def _dump(body: BaseModel) -> str:
    return body.model_dump_json()
