"""Reports over HTTP: proofs, summaries and leaf files, as any oracle serves them."""

from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from oracle.adapters.problem import error_of
from oracle.api.schemas import EpochSummaryView, ProofView
from oracle.domain.leaves import LeafKind
from oracle.errors import Transient

# seconds without a byte; the first proof of a report builds its trees
TIMEOUT = 30.0

View = TypeVar("View", bound=BaseModel)


class ReportClient:
    """The oracle at `url`. Every failure is a `ClearworkError`: `Transient` where it is down or
    talks nonsense, else what its problem+json says. The contracts check proofs."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, transport=transport)

    def proof(self, kind: LeafKind, key: bytes) -> ProofView:
        """The proof of a leaf; raises `NotFound` where the active report has none."""
        return self._view(f"/v1/proofs/{int(kind)}/0x{key.hex()}", ProofView)

    def summary(self, epoch: int, top: int) -> EpochSummaryView:
        """Who got what of an epoch; raises `NotFound` where no report covers it."""
        return self._view(f"/v1/epochs/{epoch}/summary?top={top}", EpochSummaryView)

    def leaf_file(self, report_hash: bytes) -> bytes:
        """The leaf file of a report, to be compared with the posted hash; `NotFound` for none."""
        return self._get(f"/v1/epochs/0x{report_hash.hex()}/leaves")

    def _view(self, path: str, view: type[View]) -> View:
        try:
            return view.model_validate_json(self._get(path))
        except ValidationError as error:
            raise Transient(
                f"{self.url} answers outside the protocol: {error.error_count()} invalid fields",
                "Check that it runs the same version.",
            ) from error

    def _get(self, path: str) -> bytes:
        try:
            answer = self._http.get(path)
        except httpx.HTTPError as error:
            raise Transient(
                f"{self.url} does not answer: {error or type(error).__name__}",
                "Check the URL, or ask another oracle.",
            ) from error
        if answer.is_error:
            raise error_of(answer, self.url)
        return answer.content
