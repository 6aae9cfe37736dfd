"""Reports over HTTP: proofs, summaries and leaf files, as any oracle serves them."""

import httpx
from pydantic import TypeAdapter

from oracle.adapters.asking import ask, read
from oracle.api.schemas import EpochSummaryView, ProofView
from oracle.domain.leaves import LeafKind
from oracle.domain.web_address import web_address

# seconds without a byte; the first proof of a report builds its trees
TIMEOUT = 30.0

_PROOF = TypeAdapter(ProofView)
_SUMMARY = TypeAdapter(EpochSummaryView)


class ReportClient:
    """The oracle at `url`. Every failure is a `ClearworkError`: `Transient` where it is down or
    talks nonsense, else what its problem+json says. The contracts check proofs."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = web_address(url)
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, transport=transport)

    def proof(self, kind: LeafKind, key: bytes) -> ProofView:
        """The proof of a leaf; raises `NotFound` where the active report has none."""
        return read(self.url, _PROOF, self._get(f"/v1/proofs/{int(kind)}/0x{key.hex()}"))

    def summary(self, epoch: int, top: int) -> EpochSummaryView:
        """Who got what of an epoch; raises `NotFound` where no report covers it."""
        return read(self.url, _SUMMARY, self._get(f"/v1/epochs/{epoch}/summary?top={top}"))

    def leaf_file(self, report_hash: bytes) -> bytes:
        """The leaf file of a report, to be compared with the posted hash; `NotFound` for none."""
        return self._get(f"/v1/epochs/0x{report_hash.hex()}/leaves")

    def _get(self, path: str) -> bytes:
        return ask(self._http, self.url, "GET", path)
