"""Evidence in files: NVIDIA's own format, and nothing that only looks like it."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.domain.evidence import Evidence, EvidenceError, Fault, read_evidence, write_evidence
from oracle.domain.evidence.document import MAX_CARDS, MAX_FILE_BYTES
from tests.oracle.evidence.forge import forge
from tests.oracle.evidence.samples import sample

EVIDENCE, _ = forge()
CARD = json.loads(write_evidence([EVIDENCE]))[0]


@pytest.mark.parametrize("name", ["hopper_evidence.json", "multi_gpu_hopper.json"])
def test_files_of_nvidia_s_tools_come_out_as_they_went_in(name: str) -> None:
    text = sample(name).read_text()
    written = write_evidence(read_evidence(text.encode()))
    assert json.loads(written) == json.loads(text)


def test_what_is_written_is_read() -> None:
    cards = [EVIDENCE, forge()[0]]
    assert read_evidence(write_evidence(cards).encode()) == cards


@pytest.mark.parametrize("claims", [{"nonce": "00", "arch": "AMPERE"}, {"more": [1]}])
def test_claims_beside_the_evidence_are_not_read(claims: dict[str, Any]) -> None:
    assert read_evidence(json.dumps([CARD | claims]).encode()) == [EVIDENCE]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe\xfa", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"1" * 5_000, "it is not JSON"),
        (b'"\\ud800"', "it is not JSON"),
        (b"{}", "no list of 1 to 64 cards"),
        (b"[]", "no list of 1 to 64 cards"),
        (json.dumps([CARD["arch"]] * (MAX_CARDS + 1)).encode(), "no list of 1 to 64 cards"),
        (b"[7]", "card 0 has no text under 'evidence'"),
        (json.dumps([CARD, {"evidence": ""}]).encode(), "card 1 has no text under 'certificate'"),
        (json.dumps([CARD | {"certificate": 5}]).encode(), "no text under 'certificate'"),
        (json.dumps([CARD | {"evidence": "?"}]).encode(), "'evidence' of card 0 is not base64"),
        (json.dumps([CARD | {"evidence": "µ"}]).encode(), "'evidence' of card 0 is not base64"),
        (b" " * (MAX_FILE_BYTES + 1), "more than"),
    ],
    ids=range(14),
)
def test_what_is_no_evidence_file(text: bytes, words: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_evidence(text)
    assert caught.value.fault is Fault.MALFORMED_FILE
    assert words in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    st.binary()
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.lists(
        st.fixed_dictionaries({"evidence": json_values, "certificate": json_values}), max_size=3
    ).map(lambda value: json.dumps(value).encode())
)
def test_garbage_is_refused_by_name(text: bytes) -> None:
    with suppress(EvidenceError):
        assert all(isinstance(card, Evidence) for card in read_evidence(text))
