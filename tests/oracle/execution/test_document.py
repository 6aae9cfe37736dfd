"""The document: bounds, canonical form, hash, signatures."""

import json
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from oracle.api.schemas import ExecutionReceiptBody, SignedReceiptBody
from oracle.domain import execution
from oracle.domain.canonical import MAX_INTEGER, canonical_hash, canonical_json
from oracle.domain.execution import (
    FAILED,
    STATUSES,
    Ending,
    ExecutionReceipt,
    Fault,
    Layer,
    Role,
    SignedReceipt,
    Work,
)
from oracle.domain.hashing import keccak
from oracle.domain.receipts import JobStatus
from oracle.errors import BadInput, Unauthorized
from tests.oracle.execution.conftest import BROKEN, PLAIN, sign

PROVIDER, CUSTOMER, ORACLE = (Account.from_key(bytes([n]) * 32) for n in (1, 2, 3))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.integers(-MAX_INTEGER, MAX_INTEGER)
leaves = st.none() | st.booleans() | numbers | texts
trees = st.recursive(leaves, lambda t: st.lists(t) | st.dictionaries(texts, t), max_leaves=12)
documents = st.dictionaries(texts, trees)

hashes = st.binary(min_size=32, max_size=32)
digests = hashes.map(lambda raw: "sha256:" + raw.hex())
works = st.builds(
    Work,
    image=st.none() | digests,
    command=st.lists(texts, max_size=4).map(tuple),
    input=st.none() | digests,
    output=st.none() | digests,
    exit_code=st.none() | st.integers(-execution.MAX_EXIT_CODE, execution.MAX_EXIT_CODE),
    peak_memory_mb=st.none() | st.integers(0, execution.MAX_MEMORY_MB),
)
faults = st.builds(Fault, st.sampled_from(Layer), texts.filter(bool), evidence=st.none() | hashes)


@st.composite
def receipts(draw: st.DrawFn) -> ExecutionReceipt:
    status = draw(st.sampled_from(sorted(STATUSES)))
    return ExecutionReceipt(
        chain_id=draw(st.integers(1, MAX_INTEGER)),
        escrow="0x" + draw(st.binary(min_size=20, max_size=20)).hex(),
        job=draw(st.integers(1, MAX_INTEGER)),
        provider=draw(st.integers(1, execution.MAX_PROVIDER)),
        period=draw(st.integers(1, execution.MAX_PERIOD)),
        issuer=draw(st.sampled_from([Role.PROVIDER, Role.ORACLE])),
        devices=tuple(sorted(draw(st.sets(hashes, max_size=3)))),
        work=draw(st.none() | works),
        gpu_seconds=draw(st.integers(0, execution.MAX_GPU_SECONDS)),
        telemetry=draw(st.none() | hashes),
        status=status,
        fault=draw(faults) if status in FAILED else None,
        ended_at=draw(st.integers(0, MAX_INTEGER)),
    )


# --- canonical JSON -------------------------------------------------------------------------------


def test_keys_are_in_the_order_of_rfc_8785() -> None:
    names = ["€", "\r", "\ufb33", "1", "😀", "\x80", "ö"]
    written = canonical_json(dict.fromkeys(names, 0)).decode()
    assert list(json.loads(written)) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


def test_text_is_escaped_as_rfc_8785_does() -> None:
    text = '€$\x0f\nA\'B"\\\\"/'
    assert canonical_json({"": text}).decode() == '{"":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'


@given(documents)
def test_canonical_form_survives_a_round_trip(document: dict[str, Any]) -> None:
    written = canonical_json(document)
    assert json.loads(written) == document
    assert canonical_json(json.loads(written)) == written


@given(documents, st.randoms())
def test_the_order_of_fields_does_not_matter(document: dict[str, Any], random: Any) -> None:
    def shuffled(tree: Any) -> Any:
        if isinstance(tree, list):
            return [shuffled(one) for one in tree]
        if not isinstance(tree, dict):
            return tree
        names = list(tree)
        random.shuffle(names)
        return {name: shuffled(tree[name]) for name in names}

    assert canonical_hash(shuffled(document)) == canonical_hash(document)


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**30])
@pytest.mark.parametrize("nest", [lambda n: n, lambda n: [n], lambda n: {"a": [{"b": n}]}])
def test_integers_that_others_would_round_are_refused(number: int, nest: Any) -> None:
    with pytest.raises(BadInput, match="beyond 2\\^53") as refusal:
        canonical_json({"n": nest(number)})
    assert "decimal string" in refusal.value.remedy


@pytest.mark.parametrize("value", [1.0, float("nan"), b"raw", {1}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(BadInput, match="no canonical form"):
        canonical_json({"n": value})


@pytest.mark.parametrize("document", [{"a": "\ud800"}, {"\udfff": 1}])
def test_half_a_character_is_refused(document: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="surrogate"):
        canonical_json(document)


# --- receipts -------------------------------------------------------------------------------------


@given(receipts())
def test_a_receipt_survives_the_wire(receipt: ExecutionReceipt) -> None:
    written = receipt.canonical()
    again = ExecutionReceiptBody.model_validate_json(written).receipt()
    assert again == receipt
    assert again.canonical() == written
    assert receipt.hash == keccak(written)


@given(receipts(), receipts())
def test_different_receipts_have_different_names(one: Any, other: Any) -> None:
    assert (one == other) == (one.hash == other.hash) == (one.digest() == other.digest())


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("chain_id", 1, MAX_INTEGER),
        ("job", 1, MAX_INTEGER),
        ("provider", 1, 2**24 - 1),
        ("period", 1, 2**16 - 1),
        ("gpu_seconds", 0, 2**40 - 1),
        ("ended_at", 0, MAX_INTEGER),
    ],
)
def test_numbers_have_bounds(field: str, least: int, most: int) -> None:
    for good in (least, most):
        assert ExecutionReceiptBody.of(replace(PLAIN, **{field: good})).receipt().hash
    for bad in (least - 1, most + 1):
        with pytest.raises(BadInput, match="out of bounds"):
            replace(PLAIN, **{field: bad})


@pytest.mark.parametrize(
    "change",
    [
        {"escrow": "0x" + "AA" * 20},
        {"escrow": "0x" + "22" * 20 + "\n"},
        {"issuer": Role.CUSTOMER},
        {"devices": (b"\x02" * 32, b"\x01" * 32)},
        {"devices": (b"\x01" * 32, b"\x01" * 32)},
        {"devices": (b"\x01" * 31,)},
        {"devices": tuple(bytes([0, n]) * 16 for n in range(65))},
        {"telemetry": b"short"},
        {"status": JobStatus.CLOSED},
        {"status": JobStatus.OPEN},
    ],
)
def test_what_no_receipt_says_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="out of bounds"):
        replace(PLAIN, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"image": "sha256:" + "AB" * 32},
        {"output": "md5:" + "ab" * 16},
        {"input": "sha256:" + "ab" * 32 + "\n"},
        {"command": ("x",) * 65},
        {"command": ("x" * 1_025,)},
        {"exit_code": 2**31},
        {"peak_memory_mb": -1},
    ],
)
def test_work_has_bounds(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="out of bounds"):
        replace(Work(), **change)


def test_the_largest_receipt_fits() -> None:
    work = Work(command=("x" * 1_024,) * 64)
    devices = tuple(bytes([n]) * 32 for n in range(64))
    fault = Fault(Layer.START, "x" * 512, b"\x01" * 32)
    largest = replace(BROKEN, work=work, devices=devices, fault=fault)
    assert ExecutionReceiptBody.of(largest).receipt() == largest
    for bad in ("", "x" * 513):
        with pytest.raises(BadInput, match="reason"):
            Fault(Layer.START, bad)


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_failed_jobs_name_a_layer_and_others_do_not(status: JobStatus) -> None:
    fault = Fault(Layer.EXECUTION, "it broke")
    right, wrong = (fault, None) if status in FAILED else (None, fault)
    assert replace(PLAIN, status=status, fault=right).status is status
    with pytest.raises(BadInput, match="fault"):
        replace(PLAIN, status=status, fault=wrong)


# --- signatures -----------------------------------------------------------------------------------


def test_signatures_are_checked_against_their_signers() -> None:
    signed = sign(PLAIN, (Role.PROVIDER, PROVIDER), (Role.CUSTOMER, CUSTOMER))
    signed.check()
    assert SignedReceiptBody.of(signed).signed() == signed


def test_a_changed_document_is_nobodys_word() -> None:
    signed = sign(PLAIN, (Role.PROVIDER, PROVIDER))
    for change in (
        {"gpu_seconds": 26},
        {"period": 2},
        {"chain_id": 1},
        {"escrow": "0x" + "33" * 20},
    ):
        with pytest.raises(Unauthorized, match="the provider's signature is by"):
            SignedReceipt(replace(PLAIN, **change), signed.signatures).check()


@pytest.mark.parametrize("signers", [[], [(Role.CUSTOMER, CUSTOMER)], [(Role.ORACLE, ORACLE)]])
def test_without_its_issuer_a_receipt_is_nothing(signers: Any) -> None:
    with pytest.raises(Unauthorized, match="issuer, its provider, has not signed"):
        sign(PLAIN, *signers).check()


def test_nobody_signs_twice_in_one_role() -> None:
    with pytest.raises(BadInput, match="signed twice"):
        sign(PLAIN, (Role.PROVIDER, PROVIDER), (Role.PROVIDER, PROVIDER)).check()


def test_copies_merge_to_the_same_whatever_came_first() -> None:
    own = (Role.PROVIDER, PROVIDER)
    a, b = sign(PLAIN, own, (Role.CUSTOMER, CUSTOMER)), sign(PLAIN, own, (Role.ORACLE, ORACLE))
    assert a.merged(b) == b.merged(a)
    assert [one.role for one in a.merged(b).signatures] == ["customer", "oracle", "provider"]
    a.merged(b).check()


@pytest.mark.parametrize(
    ("issuer", "signers", "counter_signed"),
    [
        (Role.PROVIDER, [(Role.PROVIDER, PROVIDER)], False),
        (Role.PROVIDER, [(Role.PROVIDER, PROVIDER), (Role.PROVIDER, CUSTOMER)], False),
        (Role.PROVIDER, [(Role.PROVIDER, PROVIDER), (Role.CUSTOMER, CUSTOMER)], True),
        (Role.PROVIDER, [(Role.PROVIDER, PROVIDER), (Role.ORACLE, ORACLE)], True),
        (Role.ORACLE, [(Role.ORACLE, ORACLE)], False),
        (Role.ORACLE, [(Role.ORACLE, ORACLE), (Role.ORACLE, CUSTOMER)], True),
    ],
)
def test_a_counter_signature_is_another_sides(
    issuer: Role, signers: Any, counter_signed: bool
) -> None:
    assert sign(replace(PLAIN, issuer=issuer), *signers).is_counter_signed is counter_signed


# --- the layer at fault ---------------------------------------------------------------------------

ENDING = Ending(
    job=7,
    provider=2,
    status=JobStatus.RUNNING,
    gpu_seconds=10,
    ended_at=1_000,
    transaction=b"\x09" * 32,
)


@pytest.mark.parametrize(
    ("status", "layer"),
    [
        (JobStatus.PROVIDER_FAULT, Layer.EXECUTION),
        (JobStatus.CAPACITY_LOST, Layer.CAPACITY),
        (JobStatus.SLA_MISSED, Layer.CAPACITY),
        (JobStatus.INFRASTRUCTURE, Layer.EXECUTION),
        (JobStatus.CANCELLED, Layer.QUOTE),
    ],
)
def test_what_the_chain_says_decides(status: JobStatus, layer: Layer) -> None:
    for seen in (execution.Seen(None, None), execution.Seen(50, 1_000)):
        said, fault = execution.judge(replace(ENDING, status=status), seen, 30)
        assert (said, fault.layer, fault.evidence) == (status, layer, b"\x09" * 32)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (execution.FALSE_ATTESTATION, "false attestation"),
        (execution.WITHHELD_OPENING, "withheld opening"),
        (2, "kind 2"),
    ],
)
def test_a_conviction_is_the_evidence(kind: int, what: str) -> None:
    case = execution.Case(b"\x08" * 32, kind)
    ending = replace(ENDING, status=JobStatus.PROVIDER_FAULT, case=case)
    said, fault = execution.judge(ending, execution.Seen(50, 1_000), 30)
    assert said is JobStatus.PROVIDER_FAULT
    assert (fault.layer, fault.evidence) == (Layer.EXECUTION, b"\x08" * 32)
    assert what in fault.reason


@pytest.mark.parametrize("status", [JobStatus.ACCEPTED, JobStatus.RUNNING])
@pytest.mark.parametrize(
    ("reported", "beat", "said", "layer"),
    [
        (None, None, JobStatus.CAPACITY_LOST, Layer.CAPACITY),
        (50, 969, JobStatus.CAPACITY_LOST, Layer.CAPACITY),
        (None, 970, JobStatus.PROVIDER_FAULT, Layer.START),
        (50, 970, JobStatus.INFRASTRUCTURE, Layer.SETTLEMENT),
        (0, 1_000, JobStatus.INFRASTRUCTURE, Layer.SETTLEMENT),
    ],
)
def test_a_silent_end_is_judged_by_what_was_seen(
    status: JobStatus, reported: int | None, beat: int | None, said: JobStatus, layer: Layer
) -> None:
    ending = replace(ENDING, status=status)
    found, fault = execution.judge(ending, execution.Seen(reported, beat), 30)
    assert (found, fault.layer) == (said, layer)
