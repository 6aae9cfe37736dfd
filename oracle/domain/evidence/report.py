"""The attestation report: an SPDM 1.1 GET_MEASUREMENTS request, and the card's signed answer.

Layout of the bytes (DSP0274 1.1.1, tables 42 and 44), integers little-endian:
request: version, code, attributes, operation, nonce[32], slot;
response: version, code, two parameters, block count, record length (3 bytes), blocks,
nonce[32], opaque length (2 bytes), opaque data, signature (r || s, 48 bytes each).
A block is: index, specification, size (2 bytes), and in it value type, value size (2 bytes),
value. Opaque data is NVIDIA's own: fields of type (2 bytes), size (2 bytes), value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

from oracle.domain.evidence.faults import EvidenceError, Fault

NONCE_BYTES = 32
SIGNATURE_BYTES = 96
MAX_REPORT_BYTES = 8_192  # what NVML has room for (NVML_CC_GPU_ATTESTATION_REPORT_SIZE)

_VERSION = 0x11  # SPDM 1.1
_GET_MEASUREMENTS = 0xE0
_MEASUREMENTS = 0x60
_SIGNED = 1  # attribute: the answer is signed
_ALL_BLOCKS = 0xFF
_MAX_SLOT = 7
_DMTF = 1  # measurement specification
_MAX_OPAQUE_BYTES = 1_024  # DSP0274: OpaqueLength

# types of opaque fields, as NVIDIA's verifier names them (github.com/NVIDIA/nvtrust)
_DRIVER_VERSION, _VBIOS_VERSION = 3, 6
_CHIP_SKU, _PROJECT, _PROJECT_SKU = 15, 17, 18
_FIRMWARE_ID = 20


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the card measured under `index`; bit 7 of `kind` marks raw data instead of a digest."""

    index: int
    kind: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """A report that is whole and of the right shape; nothing of it is proved yet.

    `signed` is what `signature` is over; `record` holds the measurements as they were signed;
    `opaque` the vendor's fields by type.
    """

    signed: bytes
    signature: bytes
    nonce: bytes
    record: bytes
    measurements: tuple[Measurement, ...]
    opaque: Mapping[int, bytes]

    @property
    def driver(self) -> str:
        """Version of the driver, such as `550.90.07`; empty where the card does not say."""
        return self._text(_DRIVER_VERSION)

    @property
    def vbios(self) -> str:
        """Version of the VBIOS, such as `96.00.9F.00.01`; empty where the card does not say."""
        stored = self.opaque.get(_VBIOS_VERSION)
        if stored is None:
            return ""
        if len(stored) != 8:
            _malformed(f"its VBIOS version has {len(stored)} bytes instead of 8")
        return ".".join(f"{byte:02X}" for byte in (*reversed(stored[:4]), stored[4]))

    @property
    def board(self) -> str:
        """Project, project SKU and chip SKU of the board, such as `1010 0200 882`."""
        parts = (self._text(field) for field in (_PROJECT, _PROJECT_SKU, _CHIP_SKU))
        return " ".join(part for part in parts if part)

    @property
    def firmware(self) -> bytes | None:
        """SHA-384 of the firmware that holds the signing key; None where the card does not say."""
        return self.opaque.get(_FIRMWARE_ID)

    def _text(self, field: int) -> str:
        stored = self.opaque.get(field, b"").rstrip(b"\0")
        if not all(0x20 <= byte < 0x7F for byte in stored):
            _malformed(f"opaque field {field} is no printable text")
        return stored.decode("ascii")


def read_report(data: bytes) -> Report:
    """The report in `data`, which must hold nothing else. Raises `EvidenceError`."""
    if len(data) > MAX_REPORT_BYTES:
        _malformed(f"{len(data):,} bytes, more than any card sends")
    reader = _Reader(data)
    _expect("request", reader.take(4, "request"), _VERSION, _GET_MEASUREMENTS, _SIGNED, _ALL_BLOCKS)
    nonce = reader.take(NONCE_BYTES, "nonce of the request")
    slot = reader.number(1, "slot")
    if slot > _MAX_SLOT:
        _malformed(f"certificate slot {slot} does not exist")
    _expect("response", reader.take(4, "response"), _VERSION, _MEASUREMENTS, 0, slot)
    count = reader.number(1, "number of measurements")
    record = reader.take(reader.number(3, "length of the measurements"), "measurements")
    reader.take(NONCE_BYTES, "nonce of the response")
    opaque_size = reader.number(2, "length of the opaque data")
    if opaque_size > _MAX_OPAQUE_BYTES:
        _malformed(f"{opaque_size:,} bytes of opaque data, more than SPDM allows")
    opaque = reader.take(opaque_size, "opaque data")
    signature = reader.take(SIGNATURE_BYTES, "signature")
    reader.finish("the signature")
    return Report(
        signed=data[:-SIGNATURE_BYTES],
        signature=signature,
        nonce=nonce,
        record=record,
        measurements=_measurements(record, count),
        opaque=_opaque_fields(opaque),
    )


def _measurements(record: bytes, count: int) -> tuple[Measurement, ...]:
    reader = _Reader(record)
    found: dict[int, Measurement] = {}
    for _ in range(count):
        index, specification = reader.take(2, "measurement")
        block = _Reader(reader.take(reader.number(2, "measurement"), "measurement"))
        kind = block.number(1, "measurement")
        value = block.take(block.number(2, "measurement"), "measurement")
        block.finish(f"measurement {index}")
        if specification != _DMTF:
            _malformed(f"measurement {index} is of unknown specification {specification}")
        if index in found:
            _malformed(f"measurement {index} is there twice")
        found[index] = Measurement(index, kind, value)
    reader.finish("the last measurement")
    return tuple(found.values())


def _opaque_fields(data: bytes) -> Mapping[int, bytes]:
    reader = _Reader(data)
    fields: dict[int, bytes] = {}
    while reader.left:
        kind = reader.number(2, "opaque data")
        value = reader.take(reader.number(2, "opaque data"), "opaque data")
        if kind in fields:
            _malformed(f"opaque field {kind} is there twice")
        fields[kind] = value
    return MappingProxyType(fields)


class _Reader:
    """Takes bytes from the front, and never one that is not there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int, what: str) -> bytes:
        if count > self.left:
            _malformed(f"it ends within the {what}")
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def number(self, size: int, what: str) -> int:
        return int.from_bytes(self.take(size, what), "little")

    def finish(self, what: str) -> None:
        if self.left:
            _malformed(f"{self.left:,} bytes behind {what}")


def _expect(what: str, found: bytes, *wanted: int) -> None:
    if found != bytes(wanted):
        _malformed(f"its {what} begins with {found.hex()}, not with {bytes(wanted).hex()}")


def _malformed(detail: str) -> NoReturn:
    raise EvidenceError(Fault.MALFORMED_REPORT, detail)
