"""Who made a GPU: its attestation report, checked down to the key of its maker.

A card in confidential mode signs what firmware it runs (`report`) with a key that a chain of
certificates vouches for (`chain`); together they are one card's `identity`, and `document` is
how they lie in a file. Source: specification "GPU attestation", section 4; DMTF DSP0274 1.1
(SPDM); RFC 5280 (certificates).
"""

from oracle.domain.evidence.chain import (
    MAX_CHAIN_BYTES,
    NVIDIA,
    Certificate,
    read_chain,
    verify_chain,
)
from oracle.domain.evidence.document import read_evidence, write_evidence
from oracle.domain.evidence.faults import EvidenceError, Fault
from oracle.domain.evidence.identity import Evidence, Identity, find_duplicates, identify
from oracle.domain.evidence.report import MAX_REPORT_BYTES, NONCE_BYTES, Report, read_report

__all__ = [
    "MAX_CHAIN_BYTES",
    "MAX_REPORT_BYTES",
    "NONCE_BYTES",
    "NVIDIA",
    "Certificate",
    "Evidence",
    "EvidenceError",
    "Fault",
    "Identity",
    "Report",
    "find_duplicates",
    "identify",
    "read_chain",
    "read_evidence",
    "read_report",
    "verify_chain",
    "write_evidence",
]
