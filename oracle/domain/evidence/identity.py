"""What evidence proves: which card signed it, with what firmware, for whose nonce."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from oracle.domain.canonical import Value
from oracle.domain.evidence.chain import (
    NVIDIA,
    Certificate,
    read_certificate,
    read_chain,
    verify_chain,
)
from oracle.domain.evidence.faults import EvidenceError, Fault
from oracle.domain.evidence.report import Report, read_report
from oracle.domain.hashing import keccak

# the family of a chip by the first letters of its name, as the card's certificate has it;
# the same root also vouches for switches, which prove no GPU
ARCHITECTURES = {"GH": "hopper", "GB": "blackwell"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a card hands out: its report, and the chain of certificates as PEM, leaf first."""

    report: bytes
    chain: bytes

    def hash(self) -> bytes:
        """keccak(keccak(report) || keccak(DER of all certificates, the leaf first)).

        Raises `EvidenceError` for a chain that can't be read.
        """
        return _hash(self.report, read_chain(self.chain))

    def attestation_key(self) -> bytes:
        """As `Identity.attestation_key`, unverified. Raises `EvidenceError`."""
        return keccak(read_certificate(read_chain(self.chain)[0], 0).public_key)

    def architecture(self) -> str:
        """The family that the card's certificate names, unverified. Raises `EvidenceError`."""
        return _chip(read_certificate(read_chain(self.chain)[1], 1))[1]


@dataclass(frozen=True, slots=True)
class Identity:
    """A card that proved itself.

    `device_key` is keccak of the public key burnt into the card (SubjectPublicKeyInfo): its
    maker signed it, and it is the same whatever firmware runs. `attestation_key` is that of the
    key that signed the report; the card makes another one for other firmware. `serial`, `chip`
    and `maker` are as the maker certified them; `firmware` (SHA-384) is what the card's boot ROM
    measured; versions, board and `measurements` (keccak of the record) are what that firmware
    signed. `evidence_hash` is that of `Evidence.hash`.
    """

    device_key: bytes
    attestation_key: bytes
    maker: str
    chip: str
    architecture: str
    serial: str
    driver: str
    vbios: str
    board: str
    firmware: bytes | None
    measurements: bytes
    measurement_count: int
    nonce: bytes
    evidence_hash: bytes

    @property
    def document(self) -> dict[str, Value]:
        """The identity as it is printed: bytes as 0x hex."""
        return {
            name: f"0x{value.hex()}" if isinstance(value, bytes) else value
            for name, value in asdict(self).items()
        }


def identify(evidence: Evidence, nonce: bytes, at: int, root: bytes = NVIDIA) -> Identity:
    """The card behind `evidence`, which it made for `nonce`; `EvidenceError` for all else.

    `at` is the time (unix seconds) for which its certificates must be valid, `root` the SHA-256
    of the maker's certificate.
    """
    report = read_report(evidence.report)
    if report.nonce != nonce:
        raise EvidenceError(
            Fault.OTHER_NONCE, f"it was made for 0x{report.nonce.hex()}, not for 0x{nonce.hex()}"
        )
    ders = read_chain(evidence.chain)
    leaf, device = verify_chain(ders, at, root)
    _check_signature(report, leaf)
    # reports of early drivers leave it out; the certificate is what the boot ROM measured
    if report.firmware not in (None, leaf.firmware):
        raise EvidenceError(
            Fault.OTHER_FIRMWARE, "the report is of other firmware than its signing key"
        )
    chip, architecture = _chip(device)
    return Identity(
        device_key=keccak(device.public_key),
        attestation_key=keccak(leaf.public_key),
        maker=device.organisation,
        chip=chip,
        architecture=architecture,
        serial=device.serial,
        driver=report.driver,
        vbios=report.vbios,
        board=report.board,
        firmware=leaf.firmware,
        measurements=keccak(report.record),
        measurement_count=len(report.measurements),
        nonce=nonce,
        evidence_hash=_hash(evidence.report, ders),
    )


def find_duplicates(identities: Iterable[Identity]) -> dict[int, int]:
    """For each place whose card was there before, the place where it was first."""
    first: dict[bytes, int] = {}
    repeated: dict[int, int] = {}
    for place, identity in enumerate(identities):
        keys = (identity.device_key, identity.attestation_key)
        earlier = [first[key] for key in keys if key in first]
        if earlier:
            repeated[place] = min(earlier)
        for key in keys:
            first.setdefault(key, place)
    return repeated


def _hash(report: bytes, ders: Sequence[bytes]) -> bytes:
    return keccak(keccak(report) + keccak(b"".join(ders)))


def _check_signature(report: Report, leaf: Certificate) -> None:
    half = len(report.signature) // 2
    r, s = (int.from_bytes(part) for part in (report.signature[:half], report.signature[half:]))
    try:
        leaf.key.verify(encode_dss_signature(r, s), report.signed, ec.ECDSA(SHA384()))
    except InvalidSignature:
        raise EvidenceError(
            Fault.FORGED_REPORT, "its signature is not by the first certificate's key"
        ) from None


def _chip(device: Certificate) -> tuple[str, str]:
    chip = device.name.partition(" ")[0]
    architecture = ARCHITECTURES.get(chip[:2])
    if architecture is None:
        raise EvidenceError(Fault.NO_GPU, f"{device.name!r} is no GPU that is known here")
    return chip, architecture
