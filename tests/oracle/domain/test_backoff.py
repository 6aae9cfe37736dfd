"""How long a failing device is left alone."""

import pytest

from oracle.domain.backoff import MAX_FAILURES, MAX_REST, Backoff, rest_after


@pytest.mark.parametrize(("failures", "epochs"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (99, 8)])
def test_rests_double_up_to_a_bound(failures: int, epochs: int) -> None:
    assert rest_after(failures) == epochs


def test_more_failures_than_are_counted_change_nothing() -> None:
    assert rest_after(MAX_FAILURES) == MAX_REST == rest_after(MAX_FAILURES + 1)


def test_a_failing_prover_tries_ever_less_often() -> None:
    backoff, tried = Backoff(), []
    for epoch in range(40):
        if backoff.is_ready(epoch):
            tried.append(epoch)
            backoff.failed(epoch)
    assert tried == [0, 1, 3, 7, 15, 23, 31, 39]


def test_jitter_is_added() -> None:
    backoff = Backoff()
    backoff.failed(5, jitter=3)
    assert not backoff.is_ready(8)
    assert backoff.is_ready(9)


def test_an_epoch_fails_once_and_is_answered_to_its_end() -> None:
    backoff = Backoff()
    for _ in range(4):  # four oracles refuse
        backoff.failed(5)
        assert backoff.is_ready(5)
    assert (backoff.failures, backoff.resumes) == (1, 6)


def test_success_resets_and_outweighs_a_refusal_of_the_same_epoch() -> None:
    backoff = Backoff()
    for epoch in (1, 2):
        backoff.failed(epoch)
    assert not backoff.is_ready(3)
    backoff.failed(4)
    backoff.succeeded(4)
    backoff.failed(4)
    assert (backoff.failures, backoff.is_ready(5)) == (0, True)
