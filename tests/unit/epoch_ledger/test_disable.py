"""EpochLedger.disable: the guardian takes pending reports off the top."""

from dataclasses import astuple

import boa
import pytest

from .conftest import ACTIVATION_DELAY, HOUR, ZERO_HASH


@pytest.fixture
def three(pass_epochs, report, post):
    """An active report, and two pending ones on top of it."""
    pass_epochs(4)
    posted = [post(report(0, keep=100))]
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    posted += [post(report(1)), post(report(2))]
    return posted


def test_top_report_goes_and_a_corrected_one_follows(ledger, three, report, post, disable):
    _, first, second = three
    disable(second, reason="usage counted twice")
    (event,) = ledger.get_logs()
    assert (event.to_epoch, event.report_hash) == (2, second.struct_hash())
    assert event.reason == "usage counted twice"
    assert ledger.head() == first.struct_hash()
    assert ledger.last_epoch() == (1, True)
    assert (ledger.pending_count(), ledger.disabled_count()) == (1, 1)

    corrected = post(report(2, usage_root=b"\x07" * 32))
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    assert ledger.active_rewards() == (corrected.reward_root, corrected.cumulative_rewards)


def test_descendants_go_with_their_ancestor(ledger, three, disable, report, post):
    active, first, second = three
    disable(second, first)
    events = ledger.get_logs()
    assert [e.to_epoch for e in events] == [2, 1]
    assert ledger.head() == active.struct_hash()
    assert ledger.last_epoch() == (0, True)
    assert (ledger.pending_count(), ledger.disabled_count()) == (0, 2)
    assert ledger.active_rewards() == (active.reward_root, active.cumulative_rewards)

    # nothing of the two is left: neither root ever becomes active
    boa.env.time_travel(seconds=10 * HOUR)
    assert ledger.active_rewards() == (active.reward_root, active.cumulative_rewards)
    replacement = post(report(2))
    assert replacement.from_epoch == 1


def test_report_cannot_go_without_its_descendants(three, disable, state):
    _, first, second = three
    before = state()
    for reports in ((first,), (first, second), (second, second)):
        with boa.reverts("epoch_ledger: report is not on top"):
            disable(*reports)
    assert state() == before


def test_first_report_ever(ledger, pass_epochs, report, post, disable):
    pass_epochs(2)
    disable(post(report(0)))
    assert ledger.head() == ZERO_HASH
    assert ledger.last_epoch() == (0, False)
    assert ledger.active_rewards() == (ZERO_HASH, 0)
    again = post(report(1))
    assert again.from_epoch == 0
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    assert ledger.active_rewards() == (again.reward_root, again.cumulative_rewards)


def test_active_report_stays(ledger, pass_epochs, report, post, disable, state):
    pass_epochs(1)
    made = post(report(0))
    boa.env.time_travel(seconds=ACTIVATION_DELAY - 1)
    with boa.env.anchor():
        disable(made)
        assert ledger.last_epoch() == (0, False)
    boa.env.time_travel(seconds=1)
    before = state()
    with boa.reverts("epoch_ledger: report is active"):
        disable(made)
    assert state() == before


def test_down_to_the_active_one_and_no_further(three, disable, state):
    active, first, second = three
    before = state()
    with boa.reverts("epoch_ledger: report is active"):
        disable(second, first, active)
    assert state() == before


def test_lower_one_active_meanwhile(ledger, pass_epochs, report, post, disable, controller):
    """Two pending, the lower becomes active, the upper is disabled: the totals are right."""
    pass_epochs(3)
    lower = post(report(0, keep=77))
    boa.env.time_travel(seconds=600)
    upper = post(report(1))
    boa.env.time_travel(seconds=ACTIVATION_DELAY - 600)
    disable(upper)
    assert ledger.active_rewards() == (lower.reward_root, lower.cumulative_rewards)
    assert ledger.last_epoch() == (0, True)
    own = controller.cumulative_budget(1) - controller.cumulative_budget(0)
    with boa.reverts("epoch_ledger: rewards over budget"):
        post(report(1, cumulative_rewards=lower.cumulative_rewards + own + 1))
    post(report(1, cumulative_rewards=lower.cumulative_rewards + own))


def test_budget_of_a_disabled_report_is_free_again(ledger, three, report, post, disable):
    _, first, second = three
    disable(second, first)
    post(report(1, cumulative_rewards=first.cumulative_rewards - 100))


def test_signatures_for_a_disabled_report_are_spent(
    ledger, committee_signs, pass_epochs, report, post, disable, state
):
    """Whoever kept them can't put the report back: its subject has moved on."""
    pass_epochs(1)
    made = report(0)
    signatures = committee_signs(ledger, ZERO_HASH, 0, made.struct_hash())
    ledger.post_epoch(astuple(made), signatures)
    disable(made)
    before = state()
    with pytest.raises(boa.BoaError, match="oracle_committee: "):
        ledger.post_epoch(astuple(made), signatures)
    assert state() == before


def test_full_stack_goes_in_one_call(ledger, pass_epochs, report, post, disable):
    pass_epochs(9)
    posted = [post(report(epoch)) for epoch in range(ledger.MAX_PENDING())]
    disable(*reversed(posted))
    assert (ledger.disabled_count(), ledger.last_epoch()) == (7, (0, False))
    post(report(8))


def test_many_rounds_of_posting_and_disabling(ledger, pass_epochs, report, post, disable):
    """The ring stays in step however often its top is taken off."""
    pass_epochs(1)
    kept = post(report(0))
    for epoch in range(1, 12):
        pass_epochs(1)
        bad = post(report(epoch, reward_root=b"\x66" * 32))
        disable(bad)
        good = post(report(epoch))
        assert ledger.active_rewards() == (kept.reward_root, kept.cumulative_rewards)
        kept = good
    assert ledger.disabled_count() == 11


def test_only_the_guardian(three, disable, deployer, stranger, state):
    before = state()
    for caller in (deployer, stranger):
        with boa.reverts("epoch_ledger: caller is not the guardian"):
            disable(three[2], sender=caller)
    assert state() == before


def test_needs_reports_and_a_reason(three, disable, state):
    before = state()
    with boa.reverts("epoch_ledger: nothing to disable"):
        disable()
    with boa.reverts("epoch_ledger: no reason given"):
        disable(three[2], reason="")
    assert state() == before
    disable(three[2], reason="x" * 200)
