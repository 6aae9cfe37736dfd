"""What can be wrong with evidence, each under its own name."""

from enum import StrEnum

from oracle.errors import BadInput


class Fault(StrEnum):
    """Why evidence is refused."""

    MALFORMED_FILE = "malformed file"
    MALFORMED_REPORT = "malformed report"
    MALFORMED_CHAIN = "malformed chain"
    UNKNOWN_ROOT = "unknown root"
    BROKEN_CHAIN = "broken chain"
    EXPIRED = "expired"
    FORGED_REPORT = "forged report"
    OTHER_FIRMWARE = "other firmware"
    OTHER_NONCE = "other nonce"
    NO_GPU = "no GPU"
    DUPLICATE = "duplicate"


_REMEDIES = {
    Fault.MALFORMED_FILE: "pass a file that `clearwork agent evidence --out` wrote",
    Fault.UNKNOWN_ROOT: "accept cards only whose maker's root is pinned here",
    Fault.EXPIRED: "check the time that was asked for, else refuse the card",
    Fault.OTHER_NONCE: "ask for evidence made for your nonce",
    Fault.DUPLICATE: "count this card once",
}


class EvidenceError(BadInput):
    """Evidence that proves nothing; `fault` names why, `detail` where.

    The same bytes will fail again."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}", _REMEDIES.get(fault, "do not trust this evidence"))
        self.fault = fault
        self.detail = detail
