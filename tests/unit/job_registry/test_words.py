"""The packed words of JobRegistry: what goes in comes out, and nothing spills over."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.market import load_module

ADDRESS = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
UINT16 = st.integers(0, 2**16 - 1)
TIME = st.integers(0, 2**40 - 1)
PAYEE = st.integers(0, 2**24 - 1)

many = settings(max_examples=200, deadline=None)


@pytest.fixture(scope="module")
def job_parties() -> Any:
    return load_module("job_parties")


@pytest.fixture(scope="module")
def checkpoint_word() -> Any:
    return load_module("checkpoint_word")


# --- job_parties ----------------------------------------------------------------------------


@many
@given(
    customer=ADDRESS, payee=PAYEE, gpus=UINT16, device_class=UINT16, sla=UINT16, time=TIME,
    taken_at=TIME,
)  # fmt: skip
def test_parties(job_parties, customer, payee, gpus, device_class, sla, time, taken_at):
    agreement = (customer, payee, device_class, gpus, sla)
    assert job_parties._accepted_at(job_parties._pack(agreement, taken_at)) == taken_at
    word = job_parties._with_accepted_at(job_parties._pack(agreement, 0), time)
    assert job_parties._pack(agreement, time) == word
    assert job_parties._customer(word).lower() == customer
    assert job_parties._accepted_at(word) == time
    assert job_parties._gpus(word) == gpus
    assert job_parties._device_class(word) == device_class
    assert job_parties._sla(word) == sla
    assert job_parties._obligation(payee, word) == (payee, device_class, gpus, sla)


# --- checkpoint_word ------------------------------------------------------------------------

SECONDS = st.integers(0, 2**40 - 1)


@many
@given(
    marks=st.lists(st.tuples(st.integers(0, 5), SECONDS | st.integers(0, 3)), max_size=12),
    start=st.integers(1, 2**31),
    later=st.integers(0, 4),
)
def test_checkpoints(checkpoint_word, marks, start, later):
    """The latest that is two windows old counts, of those that replaced none too early."""
    word, window, kept = 0, start, []
    for step, settled in marks:
        window += step
        word = checkpoint_word._mark(word, settled, window)
        if not kept or window >= kept[-1][0] + 2:
            kept.append((window, settled))
    now = window + later
    ripe = [settled for marked, settled in kept if marked + 2 <= now]
    assert checkpoint_word._undisputed(word, now) == (ripe[-1] if ripe else 0)


@many
@given(settled=SECONDS, later=SECONDS, window=st.integers(2, 2**32 - 3))
def test_a_final_checkpoint_counts_at_once(checkpoint_word, settled, later, window):
    word = checkpoint_word._final(settled)
    assert checkpoint_word._undisputed(word, window) == settled
    marked = checkpoint_word._mark(word, later, window)
    assert checkpoint_word._undisputed(marked, window + 1) == settled
    assert checkpoint_word._undisputed(marked, window + 2) == later


@many
@given(
    marks=st.lists(st.tuples(SECONDS, st.integers(2, 2**32 - 3)), max_size=3),
    agreed=SECONDS,
    window=st.integers(2, 2**32 - 3),
    later=st.integers(0, 4),
)
def test_what_is_agreed_counts_at_once(checkpoint_word, marks, agreed, window, later):
    """And takes nothing from what is a checkpoint already."""
    word = 0
    for (settled, _), (_, since) in zip(
        sorted(marks), sorted(marks, key=lambda mark: mark[1]), strict=True
    ):
        word = checkpoint_word._mark(word, settled, since)
    before = checkpoint_word._undisputed(word, window + later)
    word = checkpoint_word._agreed(word, agreed)
    assert checkpoint_word._undisputed(word, window) >= agreed
    assert checkpoint_word._undisputed(word, window + later) == max(before, agreed)
