"""EpochLedger.active_report: the newest active report, proved from the head downwards."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import boa
import pytest

from oracle.domain.messages import EpochReport

from .conftest import ACTIVATION_DELAY, HOUR

MAX_PENDING = 7

TOO_FEW = "epoch_ledger: last report given is still pending"
TOO_MANY = "epoch_ledger: reports below the newest active one"
NO_CHAIN = "epoch_ledger: reports do not lead from head"


@pytest.fixture
def active_report(ledger: Any) -> Callable[..., EpochReport]:
    """Ask with reports given from the head downwards."""

    def _active_report(*reports: EpochReport) -> EpochReport:
        return EpochReport(*ledger.active_report([astuple(report) for report in reports]))

    return _active_report


@pytest.fixture
def stack(pass_epochs, report, post) -> Callable[[int], list[EpochReport]]:
    """Two active reports with `pending` ones on top; the newest first."""

    def _stack(pending: int) -> list[EpochReport]:
        pass_epochs(2 + pending)
        posted = [post(report(epoch)) for epoch in range(2)]
        boa.env.time_travel(seconds=ACTIVATION_DELAY)
        posted += [post(report(epoch)) for epoch in range(2, 2 + pending)]
        return posted[::-1]

    return _stack


@pytest.mark.parametrize("pending", [0, 1, 2, MAX_PENDING])
def test_chain_from_the_head_proves_it(stack, active_report, ledger, pending):
    chain = stack(pending)
    assert ledger.pending_count() == pending
    assert active_report(*chain[: pending + 1]) == chain[pending]


@pytest.mark.parametrize("pending", [1, 2, MAX_PENDING])
def test_pending_one_does_not_pass_for_active(stack, active_report, pending):
    chain = stack(pending)
    for given in range(pending + 1):
        with boa.reverts(TOO_FEW):
            active_report(*chain[:given])
    # nor does the active one alone: nothing shows that it is below the head
    with boa.reverts(TOO_FEW):
        active_report(chain[pending])


@pytest.mark.parametrize("pending", [0, 1])
def test_older_active_one_does_not_pass_for_the_newest(stack, active_report, pending):
    chain = stack(pending)
    with boa.reverts(TOO_MANY):
        active_report(*chain[: pending + 2])


def test_nothing_given(stack, active_report):
    stack(0)
    with boa.reverts(TOO_FEW):
        active_report()


def test_wrong_order(stack, active_report):
    top, middle, active, _ = stack(2)
    for reports in (
        (active, middle, top),
        (middle, top, active),
        (top, active, middle),
        (top, top, active),
    ):
        with boa.reverts(NO_CHAIN):
            active_report(*reports)


@pytest.mark.parametrize("field", EpochReport.__slots__)
def test_every_field_counts(stack, active_report, field):
    *above, active = stack(1)[:2]
    value = getattr(active, field)
    forged = replace(active, **{field: value + 1 if isinstance(value, int) else b"\x66" * 32})
    with boa.reverts(NO_CHAIN):
        active_report(*above, forged)


def test_time_alone_moves_it(pass_epochs, report, post, active_report):
    """Each report becomes active on its own day, without any transaction."""
    pass_epochs(3)
    first = post(report(0))
    with boa.reverts("epoch_ledger: no report is active"):
        active_report(first)
    boa.env.time_travel(seconds=ACTIVATION_DELAY - 1)
    second = post(report(1))
    with boa.reverts("epoch_ledger: no report is active"):
        active_report(second, first)
    boa.env.time_travel(seconds=1)
    assert active_report(second, first) == first
    with boa.reverts(TOO_FEW):
        active_report(second)
    boa.env.time_travel(seconds=ACTIVATION_DELAY - 1)
    assert active_report(second) == second
    with boa.reverts(TOO_MANY):
        active_report(second, first)


def test_none_before_the_first_report(active_report, report, pass_epochs):
    pass_epochs(1)
    for reports in ((), (report(0),)):
        with boa.reverts("epoch_ledger: no report is active"):
            active_report(*reports)


def test_disabled_reports_drop_out(stack, active_report, disable, report, post):
    top, middle, active, _ = stack(2)
    disable(top, middle)
    assert active_report(active) == active
    with boa.reverts(TOO_MANY):
        active_report(middle, active)
    corrected = post(report(2, usage_root=b"\x07" * 32))
    assert active_report(corrected, active) == active
    with boa.reverts(NO_CHAIN):
        active_report(middle, active)
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    assert active_report(corrected) == corrected


def test_only_report_disabled(pass_epochs, report, post, disable, active_report):
    pass_epochs(1)
    only = post(report(0))
    disable(only)
    boa.env.time_travel(seconds=10 * HOUR)
    with boa.reverts("epoch_ledger: no report is active"):
        active_report(only)
