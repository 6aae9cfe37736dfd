"""Proofs over HTTP: what an oracle's active report says of a job, a provider or an account."""

import httpx
from pydantic import ValidationError

from oracle.adapters.problem import error_of
from oracle.api.schemas import ProofView
from oracle.domain.epochs import LeafKind
from oracle.errors import Transient

# seconds without a byte; the first proof of a report builds its trees
TIMEOUT = 30.0


class ProofClient:
    """The oracle at `url`. Every failure is a `ClearworkError`: `Transient` where it is down or
    talks nonsense, else what its problem+json says. The contracts check the proof."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, transport=transport)

    def proof(self, kind: LeafKind, key: bytes) -> ProofView:
        """The proof of a leaf; raises `NotFound` where the active report has none."""
        try:
            answer = self._http.get(f"/v1/proofs/{int(kind)}/0x{key.hex()}")
        except httpx.HTTPError as error:
            raise Transient(
                f"{self.url} does not answer: {error or type(error).__name__}",
                "Check the URL, or ask another oracle.",
            ) from error
        if answer.is_error:
            raise error_of(answer, self.url)
        try:
            return ProofView.model_validate_json(answer.content)
        except ValidationError as error:
            raise Transient(
                f"{self.url} answers outside the protocol: {error.error_count()} invalid fields",
                "Check that it runs the same version.",
            ) from error
