"""Execution receipts over HTTP: asked of oracles, counter-signed at a provider's agent."""

from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from oracle.adapters.problem import error_of
from oracle.api.schemas import FiledReceiptBody, SignedReceiptBody
from oracle.errors import Transient

# seconds without a byte
TIMEOUT = 10.0

Answer = TypeVar("Answer")

_FILED = TypeAdapter(list[FiledReceiptBody])
_SIGNED = TypeAdapter(list[SignedReceiptBody])


class ReceiptClient:
    """An oracle or an agent at `url`. Every failure is a `ClearworkError`: `Transient` where it
    is down or talks nonsense, else what its problem+json says. Signatures are not checked."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, transport=transport)

    def filed(self, job: int) -> list[FiledReceiptBody]:
        """The receipts of a job at an oracle."""
        return self._read(_FILED, self._ask("GET", job))

    def issued(self, job: int) -> list[SignedReceiptBody]:
        """The receipts of a job at its provider's agent."""
        return self._read(_SIGNED, self._ask("GET", job))

    def counter_sign(self, job: int, signed: SignedReceiptBody) -> None:
        """Hand a receipt with the customer's signature to the agent."""
        self._ask("POST", job, signed.model_dump_json())

    def _ask(self, method: str, job: int, body: str | None = None) -> bytes:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._http.request(
                method, f"/v1/jobs/{job}/receipts", content=body, headers=headers
            )
        except httpx.HTTPError as error:
            raise Transient(
                f"{self.url} does not answer: {error or type(error).__name__}",
                "Check the URL, or ask another one.",
            ) from error
        if answer.is_error:
            raise error_of(answer, self.url)
        return answer.content

    def _read(self, kind: TypeAdapter[Answer], content: bytes) -> Answer:
        try:
            return kind.validate_json(content)
        except ValidationError as error:
            raise Transient(
                f"{self.url} answers outside the protocol: {error.error_count()} invalid fields",
                "Check that it runs the same version.",
            ) from error
