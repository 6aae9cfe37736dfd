"""What may be checked on another host: the answer to a query, and a card's identity."""

from oracle.adapters.calls import Call
from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.domain.attestation import LaneOpening, Opening
from oracle.domain.evidence import Evidence
from oracle.domain.records import Challenge
from oracle.services.verify import Verdict, check_answer, check_identity

VERIFICATION = (
    Call.of(
        check_answer,
        tuple[Challenge, tuple[bytes, ...], tuple[Opening | LaneOpening, ...]],
        Verdict,
        local=(NumpyBackend(),),
    ),
    Call.of(check_identity, tuple[bytes, Evidence | None, bytes, int, bytes], Verdict),
)
