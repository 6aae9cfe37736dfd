"""A maker of cards of our own: chains and reports of the real form, whole or broken at will."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256, sha384
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from oracle.domain.evidence import Evidence
from oracle.domain.hashing import keccak

LEAF, DEVICE, PROVISIONER, MODEL, ROOT = range(5)
FIRMWARE = sha384(b"firmware").digest()
NONCE = bytes(range(32))

Block = tuple[int, int, bytes]  # index, kind of value, value

BLOCKS: tuple[Block, ...] = tuple(
    (index, 1, sha384(bytes([index])).digest()) for index in (1, 2, 9)
)
OPAQUE: dict[int, bytes] = {
    3: b"590.12\0",
    6: bytes.fromhex("00a5009601000000"),
    15: b"885\0\0\0",
    17: b"G520\0",
    18: b"0200\0",
    20: FIRMWARE,
}


@dataclass(frozen=True)
class Link:
    """What one certificate of a chain says."""

    name: str
    serial: str | None = None
    authority: bool | None = True
    path_length: int | None = None
    signs_certificates: bool = True
    signs_data: bool = False
    has_usage: bool = True
    start: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    end: datetime = datetime(2040, 1, 1, tzinfo=UTC)
    curve: ec.EllipticCurve = field(default_factory=ec.SECP384R1)
    digest: HashAlgorithm = field(default_factory=SHA384)
    firmware: bytes | None = None
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    issuer: str | None = None

    @property
    def subject(self) -> x509.Name:
        attributes = [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "NVIDIA Corporation"),
            x509.NameAttribute(NameOID.COMMON_NAME, self.name),
        ]
        if self.serial:
            attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, self.serial))
        return x509.Name(attributes)


LINKS = (
    Link(
        "GH100 A01 GSP FMC LF",
        authority=None,
        signs_certificates=False,
        signs_data=True,
        firmware=FIRMWARE,
    ),
    Link("GH100 A01 GSP BROM", serial="4100"),
    Link("NVIDIA GH100 Provisioner ICA 1"),
    Link("NVIDIA GH100 Identity"),
    Link("NVIDIA Device Identity CA"),
)


@dataclass(frozen=True)
class Chain:
    """Certificates as DER, leaf first, and the keys in them."""

    ders: tuple[bytes, ...]
    keys: tuple[ec.EllipticCurvePrivateKey, ...]

    @property
    def root(self) -> bytes:
        return sha256(self.ders[-1]).digest()

    @property
    def pem(self) -> bytes:
        return pem_of(self.ders)


def forge_chain(
    changes: Mapping[int, Mapping[str, Any]] | None = None,
    keys: Mapping[int, ec.EllipticCurvePrivateKey] | None = None,
    links: Sequence[Link] = LINKS,
) -> Chain:
    """A chain of `links` with changed certificates at some places, the leaf at 0."""
    made = [
        replace(link, **dict((changes or {}).get(place, {}))) for place, link in enumerate(links)
    ]
    held = [
        (keys or {}).get(place) or ec.generate_private_key(link.curve)
        for place, link in enumerate(made)
    ]
    above = [*range(1, len(made)), len(made) - 1]
    ders = [
        _certificate(link, key, made[up], held[up], place)
        for place, (link, key, up) in enumerate(zip(made, held, above, strict=True))
    ]
    return Chain(tuple(ders), tuple(held))


def forge_report(
    key: ec.EllipticCurvePrivateKey,
    nonce: bytes = NONCE,
    blocks: Sequence[Block] = BLOCKS,
    opaque: Mapping[int, bytes] = OPAQUE,
) -> bytes:
    """A report that `key` signed."""
    record = b"".join(
        bytes([index, 1])
        + (len(value) + 3).to_bytes(2, "little")
        + bytes([kind])
        + len(value).to_bytes(2, "little")
        + value
        for index, kind, value in blocks
    )
    fields = b"".join(
        kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value
        for kind, value in opaque.items()
    )
    return sign(
        key,
        bytes.fromhex("11e001ff")
        + nonce
        + b"\0"
        + bytes.fromhex("11600000")
        + bytes([len(blocks)])
        + len(record).to_bytes(3, "little")
        + record
        + bytes(32)
        + len(fields).to_bytes(2, "little")
        + fields,
    )


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """The message with its signature behind it, r || s."""
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA384())))
    return message + r.to_bytes(48) + s.to_bytes(48)


def forge(
    changes: Mapping[int, Mapping[str, Any]] | None = None, **report: Any
) -> tuple[Evidence, bytes]:
    """Evidence of a new card, and the root that vouches for it."""
    chain = forge_chain(changes)
    return Evidence(forge_report(chain.keys[LEAF], **report), chain.pem), chain.root


@dataclass(frozen=True)
class Card:
    """A card that answers any nonce, and other cards of its maker."""

    chain: Chain = field(default_factory=lambda: forge_chain())

    @property
    def root(self) -> bytes:
        return self.chain.root

    @property
    def device_key(self) -> bytes:
        public = self.chain.keys[DEVICE].public_key()
        return keccak(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def evidence(self, nonce: bytes) -> Evidence:
        return Evidence(forge_report(self.chain.keys[LEAF], nonce), self.chain.pem)

    def sibling(self, *shared: int) -> "Card":
        """Another card under the same authorities, with the same key at the `shared` places."""
        keys = dict(enumerate(self.chain.keys))
        places = (*shared, PROVISIONER, MODEL, ROOT)
        made = forge_chain(keys={place: keys[place] for place in places})
        return Card(Chain((*made.ders[:PROVISIONER], *self.chain.ders[PROVISIONER:]), made.keys))


def pem_of(ders: Sequence[bytes]) -> bytes:
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)


def _certificate(
    link: Link,
    key: ec.EllipticCurvePrivateKey,
    issuer: Link,
    issuer_key: ec.EllipticCurvePrivateKey,
    place: int,
) -> bytes:
    signer = replace(issuer, name=link.issuer) if link.issuer else issuer
    builder = (
        x509.CertificateBuilder()
        .subject_name(link.subject)
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(1_000 + place)
        .not_valid_before(link.start)
        .not_valid_after(link.end)
    )
    if link.authority is not None:
        builder = builder.add_extension(
            x509.BasicConstraints(link.authority, link.path_length), critical=True
        )
    if link.has_usage:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = builder.add_extension(
            x509.KeyUsage(
                digital_signature=link.signs_data, key_cert_sign=link.signs_certificates, **usage
            ),
            critical=True,
        )
    if link.firmware is not None:
        digest = bytes.fromhex("303d0609608648016503040202" + "0430") + link.firmware
        oid = x509.ObjectIdentifier("2.23.133.5.4.1")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, digest), critical=False)
    for extension, critical in link.more:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, link.digest).public_bytes(Encoding.DER)
