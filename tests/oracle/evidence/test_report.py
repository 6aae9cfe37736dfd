"""The report's bytes: read whole and exactly, or refused by name."""

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.domain.evidence import EvidenceError, Fault, read_report
from oracle.domain.evidence.report import MAX_REPORT_BYTES
from tests.oracle.evidence.forge import BLOCKS, NONCE, OPAQUE, forge_report
from tests.oracle.evidence.samples import four_cards, older_card

KEY = ec.generate_private_key(ec.SECP384R1())
REPORT = forge_report(KEY)
# where the parts of REPORT begin
RESPONSE, COUNT, RECORD = 37, 41, 45
OPAQUE_LENGTH = RECORD + len(BLOCKS) * 55 + 32

blocks = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=64)),
    max_size=12,
    unique_by=lambda block: block[0],
)
fields = st.dictionaries(st.integers(0, 2**16 - 1), st.binary(max_size=40), max_size=12)


def refused(data: bytes) -> str:
    """The message with which a report is refused as malformed."""
    with pytest.raises(EvidenceError) as caught:
        read_report(data)
    assert caught.value.fault is Fault.MALFORMED_REPORT
    return str(caught.value)


def test_what_a_real_report_says() -> None:
    report = read_report(older_card().report)

    assert (report.driver, report.vbios, report.board) == (
        "550.90.07",
        "96.00.9F.00.01",
        "1010 0200 882",
    )
    assert [measurement.index for measurement in report.measurements] == list(range(1, 65))
    assert {len(measurement.value) for measurement in report.measurements} == {48}
    assert report.nonce.hex().startswith("931d8dd0")
    assert [read_report(card.report).driver for card in four_cards()] == ["590.12"] * 4


@settings(max_examples=100, deadline=None)
@given(nonce=st.binary(min_size=32, max_size=32), blocks=blocks, opaque=fields)
def test_what_is_written_is_read(
    nonce: bytes, blocks: list[tuple[int, int, bytes]], opaque: dict[int, bytes]
) -> None:
    data = forge_report(KEY, nonce, blocks, opaque)
    report = read_report(data)

    assert report.signed + report.signature == data
    assert report.nonce == nonce
    assert [(m.index, m.kind, m.value) for m in report.measurements] == blocks
    assert dict(report.opaque) == opaque


def test_a_report_that_says_little() -> None:
    report = read_report(forge_report(KEY, opaque={}))
    assert (report.driver, report.vbios, report.board, report.firmware) == ("", "", "", None)


def test_every_truncation_is_refused() -> None:
    for size in range(len(REPORT)):
        assert "it ends within" in refused(REPORT[:size])


@pytest.mark.parametrize("tail", [b"\0", b"\n", bytes(96)])
def test_bytes_behind_the_report_are_refused(tail: bytes) -> None:
    assert "behind the signature" in refused(REPORT + tail)


def test_a_huge_report_is_refused_unread() -> None:
    assert "more than any card sends" in refused(REPORT + bytes(MAX_REPORT_BYTES))


@pytest.mark.parametrize(
    ("place", "values", "words"),
    [
        (0, [0x10], "request begins with 10e001ff"),
        (1, [0xE1], "request begins"),
        (2, [0], "request begins"),  # unsigned
        (3, [1], "request begins"),  # one measurement of many
        (36, [8], "slot 8"),
        (36, [1], "response begins"),  # the answer is of another slot
        (RESPONSE, [0x12], "response begins"),
        (RESPONSE + 1, [0x7F], "response begins"),  # SPDM's ERROR
        (COUNT, [2], "behind the last measurement"),
        (COUNT, [4], "ends within the measurement"),
        (COUNT + 1, [0xFF, 0xFF, 0xFF], "ends within the measurements"),
        (RECORD + 1, [2], "unknown specification 2"),
        (RECORD + 2, [52, 0], "behind measurement 1"),
        (RECORD + 2, [50, 0], "ends within the measurement"),
        (RECORD + 5, [47, 0], "behind measurement 1"),
        (RECORD + 55, [1], "measurement 1 is there twice"),
        (OPAQUE_LENGTH, [1, 4], "more than SPDM allows"),
        (OPAQUE_LENGTH + 4, [250, 0], "ends within the opaque data"),
        (OPAQUE_LENGTH + 2, [6, 0], "opaque field 6 is there twice"),
    ],
)
def test_each_fault_is_named(place: int, values: list[int], words: str) -> None:
    changed = REPORT[:place] + bytes(values) + REPORT[place + len(values) :]
    assert words in refused(changed)


@pytest.mark.parametrize("text", [b"590\x1b[31m", b"590\n", b"\xff", b"5\x0090"])
def test_text_that_is_no_text(text: bytes) -> None:
    report = read_report(forge_report(KEY, opaque={**OPAQUE, 3: text}))
    with pytest.raises(EvidenceError, match="opaque field 3 is no printable text"):
        _ = report.driver


def test_a_version_of_another_length() -> None:
    report = read_report(forge_report(KEY, opaque={6: bytes(7)}))
    with pytest.raises(EvidenceError, match="VBIOS version has 7 bytes"):
        _ = report.vbios


def read_all(data: bytes) -> None:
    """Read everything that can be read; no other error than the named one may leave."""
    with suppress(EvidenceError):
        report = read_report(data)
        assert report.signed + report.signature == data
        _ = report.driver, report.vbios, report.board, report.firmware


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_garbage_is_refused_by_name(data: bytes) -> None:
    read_all(data)
    read_all(REPORT[:RESPONSE] + data)
    read_all(REPORT[:COUNT] + data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_report_with_changed_bytes_is_read_or_refused_by_name(data: st.DataObject) -> None:
    mutant = bytearray(REPORT)
    for _ in range(data.draw(st.integers(1, 6))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    read_all(bytes(mutant))


def test_the_nonce_is_the_request_s() -> None:
    assert read_report(REPORT).nonce == NONCE
