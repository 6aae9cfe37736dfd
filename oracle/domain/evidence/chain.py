"""The certificates that vouch for a card, from its signing key up to its maker's root.

NVIDIA's chain for Hopper has five: the key that signs reports, which the card's boot ROM makes
for the firmware it has measured; the key burnt into the card; its provisioner; its model; the
root. Checks are those of RFC 5280, section 6.1, that such a chain can fail; every key in it is
on P-384 and every signature is ECDSA with SHA-384.
"""

import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from oracle.domain.evidence.faults import EvidenceError, Fault

# SHA-256 of the certificate "NVIDIA Device Identity CA", valid from 2021-11-05:
# the root that NVIDIA's own verifier carries (github.com/NVIDIA/nvtrust, verifier_device_root.pem)
NVIDIA = bytes.fromhex("102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48")

MAX_CHAIN_BYTES = 16_384  # three times what NVML has room for
MIN_CERTIFICATES, MAX_CERTIFICATES = 3, 8

_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\s*"
)
_COMPOSITE_DEVICE = x509.ObjectIdentifier("2.23.133.5.4.1")  # TCG DICE
_SHA384_DIGEST = bytes.fromhex("0609608648016503040202" + "0430")  # its OID, then 48 bytes


@dataclass(frozen=True)
class Certificate:
    """One certificate that was read whole. Times are unix seconds."""

    der: bytes
    parsed: x509.Certificate
    key: ec.EllipticCurvePublicKey
    not_before: int
    not_after: int
    path_length: int | None
    is_authority: bool
    may_sign_certificates: bool
    may_sign_data: bool
    firmware: bytes | None

    @property
    def name(self) -> str:
        """Common name of whom it is for."""
        return _attribute(self.parsed.subject, NameOID.COMMON_NAME)

    @property
    def organisation(self) -> str:
        """Organisation of whom it is for."""
        return _attribute(self.parsed.subject, NameOID.ORGANIZATION_NAME)

    @property
    def serial(self) -> str:
        """Serial number of the device it is for; empty for a certificate authority."""
        return _attribute(self.parsed.subject, NameOID.SERIAL_NUMBER)

    @cached_property
    def public_key(self) -> bytes:
        """Its key as SubjectPublicKeyInfo, DER."""
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def read_chain(pem: bytes) -> tuple[bytes, ...]:
    """The DER of each certificate of a PEM text that holds nothing else, the leaf first."""
    if len(pem) > MAX_CHAIN_BYTES:
        _malformed(f"{len(pem):,} bytes, more than any card sends")
    ders, at = [], 0
    while at < len(pem):
        block = _PEM.match(pem, at)
        if block is None:
            _malformed(f"no certificate in PEM at byte {at:,}")
        try:
            ders.append(b64decode(block[1].replace(b"\r", b"").replace(b"\n", b""), validate=True))
        except ValueError:
            _malformed(f"no base64 at byte {at:,}")
        at = block.end()
    if not MIN_CERTIFICATES <= len(ders) <= MAX_CERTIFICATES:
        _malformed(
            f"{len(ders)} certificates where {MIN_CERTIFICATES} to {MAX_CERTIFICATES} are needed"
        )
    return tuple(ders)


def verify_chain(
    ders: Sequence[bytes], at: int, root: bytes = NVIDIA
) -> tuple[Certificate, Certificate]:
    """The key that signs reports and the key burnt into the card, vouched for by `root`.

    `at` is the time, unix seconds, at which all certificates must be valid; `root` is the SHA-256
    of the last one. Raises `EvidenceError`.
    """
    authorities = _authorities(tuple(ders[2:]), root)
    device = read_certificate(ders[1], 1)
    leaf = read_certificate(ders[0], 0)
    chain = (leaf, device, *authorities)
    _check_issued(device, authorities[0], 1)
    _check_issued(leaf, device, 0)
    if leaf.is_authority or not leaf.may_sign_data:
        _broken(0, "is not for signing reports")
    for place, certificate in enumerate(chain):
        # not itself, not the leaf: the authorities between the two (RFC 5280, 4.2.1.9)
        between = place - 1
        if certificate.path_length is not None and certificate.path_length < between:
            _broken(place, f"allows {certificate.path_length} authorities below it, not {between}")
        if not certificate.not_before <= at <= certificate.not_after:
            raise EvidenceError(
                Fault.EXPIRED,
                f"certificate {place} is valid from {certificate.not_before} to "
                f"{certificate.not_after}, not at {at}",
            )
    return leaf, device


@lru_cache(maxsize=64)
def _authorities(ders: tuple[bytes, ...], root: bytes) -> tuple[Certificate, ...]:
    """What stands above the card, read and its signatures checked up to `root`.

    All cards of a model share them, so they are kept; what fails is not, so that nobody can
    push a good chain out. Whether they are valid at a time is asked anew for each card.
    """
    if sha256(ders[-1]).digest() != root:
        raise EvidenceError(
            Fault.UNKNOWN_ROOT, f"the last certificate is {sha256(ders[-1]).hexdigest()}"
        )
    chain = tuple(read_certificate(der, place) for place, der in enumerate(ders, start=2))
    for place, (subject, issuer) in enumerate(pairwise(chain), start=2):
        _check_issued(subject, issuer, place)
    return chain


def forget_authorities() -> None:
    """Check everything from its bytes again, as the first check does."""
    _authorities.cache_clear()


def _check_issued(subject: Certificate, issuer: Certificate, place: int) -> None:
    if not (issuer.is_authority and issuer.may_sign_certificates):
        _broken(place + 1, "may not sign certificates")
    try:
        subject.parsed.verify_directly_issued_by(issuer.parsed)
    except (InvalidSignature, ValueError, TypeError):
        _broken(place, "is not signed by the next one")


def read_certificate(der: bytes, place: int) -> Certificate:
    """The certificate at `place` of a chain, whoever issued it. Raises `EvidenceError`."""
    try:
        return _parse(der, place)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        _malformed(f"certificate {place} can't be read")


def _parse(der: bytes, place: int) -> Certificate:
    parsed = x509.load_der_x509_certificate(der)
    key = parsed.public_key()
    if (
        not isinstance(key, ec.EllipticCurvePublicKey)
        or not isinstance(key.curve, ec.SECP384R1)
        or parsed.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA384
    ):
        _broken(place, "is not ECDSA on P-384 with SHA-384")
    constraints: x509.BasicConstraints | None = None
    usage: x509.KeyUsage | None = None
    firmware: bytes | None = None
    for extension in parsed.extensions:
        if isinstance(extension.value, x509.BasicConstraints):
            constraints = extension.value
        elif isinstance(extension.value, x509.KeyUsage):
            usage = extension.value
        elif extension.critical:
            _broken(place, f"has a critical extension {extension.oid.dotted_string}")
        elif extension.oid == _COMPOSITE_DEVICE:
            firmware = _firmware_in(extension.value.public_bytes())
    return Certificate(
        der=der,
        parsed=parsed,
        key=key,
        not_before=int(parsed.not_valid_before_utc.timestamp()),
        not_after=int(parsed.not_valid_after_utc.timestamp()),
        path_length=constraints.path_length if constraints else None,
        is_authority=constraints is not None and constraints.ca,
        may_sign_certificates=usage is not None and usage.key_cert_sign,
        may_sign_data=usage is not None and usage.digital_signature,
        firmware=firmware,
    )


def _firmware_in(extension: bytes) -> bytes | None:
    """The SHA-384 at the end of a DICE extension: what firmware the key was made for."""
    digest = extension[-48:]
    return digest if extension[:-48].endswith(_SHA384_DIGEST) else None


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    values = name.get_attributes_for_oid(oid)
    return str(values[0].value) if values else ""


def _malformed(detail: str) -> NoReturn:
    raise EvidenceError(Fault.MALFORMED_CHAIN, detail)


def _broken(place: int, detail: str) -> NoReturn:
    raise EvidenceError(Fault.BROKEN_CHAIN, f"certificate {place} {detail}")
