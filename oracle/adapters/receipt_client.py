"""Execution receipts over HTTP: asked of oracles, counter-signed at a provider's agent."""

import httpx
from pydantic import TypeAdapter

from oracle.adapters.asking import ask, read
from oracle.api.schemas import FiledReceiptBody, SignedReceiptBody
from oracle.domain.web_address import web_address

# seconds without a byte
TIMEOUT = 10.0

_FILED = TypeAdapter(list[FiledReceiptBody])
_SIGNED = TypeAdapter(list[SignedReceiptBody])


class ReceiptClient:
    """An oracle or an agent at `url`. Every failure is a `ClearworkError`: `Transient` where it
    is down or talks nonsense, else what its problem+json says. Signatures are not checked."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = web_address(url)
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, transport=transport)

    def filed(self, job: int) -> list[FiledReceiptBody]:
        """The receipts of a job at an oracle."""
        return read(self.url, _FILED, self._ask("GET", job))

    def issued(self, job: int) -> list[SignedReceiptBody]:
        """The receipts of a job at its provider's agent."""
        return read(self.url, _SIGNED, self._ask("GET", job))

    def counter_sign(self, job: int, signed: SignedReceiptBody) -> None:
        """Hand a receipt with the customer's signature to the agent."""
        self._ask("POST", job, signed.model_dump_json())

    def _ask(self, method: str, job: int, body: str | None = None) -> bytes:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        path = f"/v1/jobs/{job}/receipts"
        return ask(self._http, self.url, method, path, content=body, headers=headers)
