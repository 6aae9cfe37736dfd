"""EpochLedger.post_epoch: which reports go on top, and when they become active."""

from dataclasses import astuple, replace

import boa
import pytest

from oracle.domain.messages import Domain, Report

from .conftest import ACTIVATION_DELAY, HOUR, ZERO_HASH, digest_of

NOTHING = (ZERO_HASH, 0)


# --- posting ------------------------------------------------------------------------------


def test_empty_ledger(ledger):
    assert ledger.head() == ZERO_HASH
    assert ledger.last_epoch() == (0, False)
    assert ledger.active_rewards() == NOTHING
    assert ledger.active_epoch() == (0, False)
    assert (ledger.pending_count(), ledger.disabled_count()) == (0, 0)


def test_first_report(ledger, pass_epochs, report, post, stranger):
    pass_epochs(1)
    made = post(report(0), sender=stranger)
    (event,) = [e for e in ledger.get_logs() if type(e).__name__ == "EpochPosted"]
    assert event.to_epoch == 0
    assert event.report_hash == made.struct_hash()
    assert event.reward_root == made.reward_root
    assert (event.cumulative_rewards, event.data_hash) == (made.cumulative_rewards, made.data_hash)
    assert event.signers == 0b0011111
    assert ledger.head() == made.struct_hash()
    assert ledger.last_epoch() == (0, True)


def test_struct_hash_is_the_one_of_the_python_message(ledger, pass_epochs, report):
    pass_epochs(3)
    for made in (
        report(2),
        report(2, cumulative_rewards=2**256 - 1, rules_version=2**32 - 1, data_hash=ZERO_HASH),
        report(2**64 - 1, from_epoch=2**64 - 1, cumulative_rewards=0),
    ):
        assert ledger.report_hash(astuple(made)) == made.struct_hash()


def test_active_after_the_delay_without_anybody_calling(ledger, pass_epochs, report, post):
    pass_epochs(1)
    made = post(report(0, keep=5))
    assert ledger.active_rewards() == NOTHING
    assert ledger.pending_count() == 1
    boa.env.time_travel(seconds=ACTIVATION_DELAY - 1)
    assert ledger.active_rewards() == NOTHING
    assert ledger.active_epoch() == (0, False)
    boa.env.time_travel(seconds=1)
    assert ledger.active_rewards() == (made.reward_root, made.cumulative_rewards)
    assert ledger.active_epoch() == (0, True)
    assert ledger.pending_count() == 0


def test_active_report_stays_while_the_next_one_waits(ledger, pass_epochs, report, post):
    pass_epochs(1)
    first = post(report(0))
    pass_epochs(1)
    second = post(report(1))
    assert ledger.active_rewards() == (first.reward_root, first.cumulative_rewards)
    assert ledger.active_epoch() == (0, True)
    assert ledger.last_epoch() == (1, True)
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    assert ledger.active_rewards() == (second.reward_root, second.cumulative_rewards)
    assert ledger.active_epoch() == (1, True)


def test_missed_epochs_roll_up(ledger, pass_epochs, report, post):
    pass_epochs(40)
    made = post(report(39))
    assert (made.from_epoch, made.to_epoch) == (0, 39)
    pass_epochs(25)
    later = post(report(64))
    assert (later.from_epoch, ledger.last_epoch()) == (40, (64, True))


def test_long_life_goes_round_the_ring(ledger, pass_epochs, report, post):
    """Every root and total is the right one, many times past the ring's length."""
    posted = []
    for epoch in range(30):
        pass_epochs(1)
        posted.append(post(report(epoch, keep=epoch)))
        if epoch:
            before = posted[-2]
            assert ledger.active_rewards() == (before.reward_root, before.cumulative_rewards)
            assert ledger.active_epoch() == (epoch - 1, True)


def test_reports_posted_together_become_active_together(ledger, pass_epochs, report, post):
    pass_epochs(5)
    posted = [post(report(epoch)) for epoch in range(4)]
    assert ledger.pending_count() == 4
    assert ledger.active_rewards() == NOTHING
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    assert ledger.active_rewards() == (posted[3].reward_root, posted[3].cumulative_rewards)
    assert ledger.active_epoch() == (3, True)


def test_waiting_reports_become_active_one_by_one(ledger, pass_epochs, report, post):
    """Posted ten minutes apart, active ten minutes apart; a post in between changes nothing."""
    pass_epochs(6)
    posted = []
    for epoch in range(5):
        posted.append(post(report(epoch)))
        boa.env.time_travel(seconds=600)
    boa.env.time_travel(seconds=ACTIVATION_DELAY - 5 * 600 - 1)
    assert ledger.active_rewards() == NOTHING
    boa.env.time_travel(seconds=1)
    for epoch in range(5):
        made = posted[epoch]
        assert ledger.active_rewards() == (made.reward_root, made.cumulative_rewards)
        assert ledger.active_epoch() == (epoch, True)
        assert ledger.pending_count() == len(posted) - epoch - 1
        if epoch == 1:
            posted.append(post(report(5)))
        boa.env.time_travel(seconds=600)


def test_a_full_ring_becomes_active_one_by_one(ledger, pass_epochs, report, post):
    """The most that can wait, above an active report: no root or total overwrites another."""
    pass_epochs(8)
    posted = [post(report(0, keep=1))]
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    for epoch in range(1, 8):
        posted.append(post(report(epoch, keep=epoch)))
        boa.env.time_travel(seconds=500)
    assert ledger.pending_count() == ledger.MAX_PENDING()
    boa.env.time_travel(seconds=ACTIVATION_DELAY - 7 * 500 - 1)
    for epoch, made in enumerate(posted):
        assert ledger.active_rewards() == (made.reward_root, made.cumulative_rewards)
        assert ledger.active_epoch() == (epoch, True)
        boa.env.time_travel(seconds=1 if epoch == 0 else 500)


def test_at_most_seven_wait(ledger, pass_epochs, report, post, state):
    pass_epochs(10)
    for epoch in range(ledger.MAX_PENDING()):
        post(report(epoch))
    before = state()
    with boa.reverts("epoch_ledger: too many pending reports"):
        post(report(7))
    assert state() == before
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    post(report(7))
    assert ledger.active_epoch() == (6, True)


# --- which epochs -------------------------------------------------------------------------


@pytest.mark.parametrize("from_epoch", [0, 1, 3, 2**64 - 1])
def test_starts_right_after_the_last(pass_epochs, report, post, state, from_epoch):
    pass_epochs(5)
    post(report(1))
    before = state()
    with boa.reverts("epoch_ledger: does not start after the last report"):
        post(report(4, from_epoch=from_epoch))
    assert state() == before
    post(report(4, from_epoch=2))


def test_first_report_starts_with_epoch_0(pass_epochs, report, post, state):
    pass_epochs(5)
    before = state()
    with boa.reverts("epoch_ledger: does not start after the last report"):
        post(report(4, from_epoch=1))
    assert state() == before


def test_same_report_again(ledger, pass_epochs, report, post, state):
    pass_epochs(2)
    made = post(report(0))
    before = state()
    with boa.reverts("epoch_ledger: does not start after the last report"):
        post(made)
    assert state() == before


def test_ends_after_it_starts(pass_epochs, report, post, state):
    pass_epochs(5)
    post(report(3))
    before = state()
    with boa.reverts("epoch_ledger: ends before it starts"):
        post(report(3, from_epoch=4))
    assert state() == before


def test_epoch_must_have_ended(ledger, pass_epochs, report, post, state):
    current = pass_epochs(2)
    before = state()
    for to_epoch in (current, current + 1, 2**64 - 1):
        with boa.reverts("emissions_controller: epoch not pressed"):
            post(report(to_epoch, cumulative_rewards=0))
    assert state() == before
    post(report(current - 1))


def test_epoch_must_have_been_pressed(ledger, controller, pass_epochs, report, post, state):
    pass_epochs(1)
    boa.env.time_travel(seconds=HOUR)
    before = state()
    with boa.reverts("emissions_controller: epoch not pressed"):
        post(report(1, cumulative_rewards=0))
    assert state() == before
    controller.press(1)
    post(report(1))


# --- which past ---------------------------------------------------------------------------


def test_builds_on_the_report_on_top(pass_epochs, report, post, state):
    pass_epochs(3)
    with boa.reverts("epoch_ledger: not on top of the last report"):
        post(report(0, previous=digest_of("made up")))
    first = post(report(0))
    post(report(1))
    before = state()
    for previous in (ZERO_HASH, first.struct_hash(), digest_of("made up")):
        with boa.reverts("epoch_ledger: not on top of the last report"):
            post(report(2, previous=previous))
    assert state() == before


# --- how much -----------------------------------------------------------------------------


def test_all_of_the_budget_and_not_one_more(controller, pass_epochs, report, post, state):
    pass_epochs(3)
    granted = controller.cumulative_budget(0)
    before = state()
    for rewards in (granted + 1, 2**256 - 1):
        with boa.reverts("epoch_ledger: rewards over budget"):
            post(report(0, cumulative_rewards=rewards))
    assert state() == before
    post(report(0, cumulative_rewards=granted))


def test_untaken_budget_is_gone_for_later_reports(controller, pass_epochs, report, post, state):
    """The first report leaves 1 000; the second can't take them."""
    pass_epochs(3)
    first = post(report(0, keep=1_000))
    own = controller.cumulative_budget(1) - controller.cumulative_budget(0)
    before = state()
    with boa.reverts("epoch_ledger: rewards over budget"):
        post(report(1, cumulative_rewards=first.cumulative_rewards + own + 1))
    assert state() == before
    post(report(1, cumulative_rewards=first.cumulative_rewards + own))


def test_rolled_up_report_has_all_its_epochs_to_spend(controller, pass_epochs, report, post):
    pass_epochs(8)
    first = post(report(0, keep=1))
    own = controller.cumulative_budget(6) - controller.cumulative_budget(0)
    with boa.reverts("epoch_ledger: rewards over budget"):
        post(report(6, cumulative_rewards=first.cumulative_rewards + own + 1))
    post(report(6, cumulative_rewards=first.cumulative_rewards + own))


def test_totals_never_fall(pass_epochs, report, post, state):
    pass_epochs(3)
    first = post(report(0))
    before = state()
    for rewards in (first.cumulative_rewards - 1, 0):
        with boa.reverts("epoch_ledger: cumulative rewards fall"):
            post(report(1, cumulative_rewards=rewards))
    assert state() == before
    # an epoch in which nobody earned anything
    post(report(1, cumulative_rewards=first.cumulative_rewards))


# --- who signed ---------------------------------------------------------------------------


def test_every_field_is_signed(ledger, committee_signs, pass_epochs, report, state):
    pass_epochs(2)
    made = report(0, keep=10)
    signatures = committee_signs(ledger, ZERO_HASH, 0, made.struct_hash())
    before = state()
    for change in (
        {"reward_root": digest_of("mine")},
        {"usage_root": digest_of("mine")},
        {"attestation_root": digest_of("mine")},
        {"cumulative_rewards": made.cumulative_rewards + 1},
        {"data_hash": digest_of("mine")},
        {"rules_version": 2},
        {"to_epoch": 1},
    ):
        with pytest.raises(boa.BoaError, match="oracle_committee: "):
            ledger.post_epoch(astuple(replace(made, **change)), signatures)
    assert state() == before
    ledger.post_epoch(astuple(made), signatures)


def test_signatures_of_elsewhere(
    ledger, committee, committee_signs, domain_of, oracles, pass_epochs, report, state
):
    """Another subject, round, consumer, chain or configuration; too few; nobody."""
    pass_epochs(1)
    made = report(0)
    payload = made.struct_hash()
    here = domain_of(committee)
    message = Report(committee.config_digest(), str(ledger.address), ZERO_HASH, 0, payload)

    def signed(report: Report, domain: Domain) -> bytes:
        digest = report.digest(domain)
        return b"".join(bytes(o.unsafe_sign_hash(digest).signature) for o in oracles[:5])

    before = state()
    for signatures in (
        committee_signs(ledger, b"\x01" * 32, 0, payload),
        committee_signs(ledger, ZERO_HASH, 1, payload),
        committee_signs(committee, ZERO_HASH, 0, payload),
        signed(message, Domain(here.chain_id + 1, here.verifying_contract)),
        signed(message, Domain(here.chain_id, str(ledger.address))),
        signed(replace(message, config=b"\x05" * 32), here),
        committee_signs(ledger, ZERO_HASH, 0, payload, oracles[:4]),
        committee_signs(ledger, ZERO_HASH, 0, payload, oracles[:6]),
        b"",
    ):
        with pytest.raises(boa.BoaError, match="oracle_committee: "):
            ledger.post_epoch(astuple(made), signatures)
    assert state() == before
    ledger.post_epoch(astuple(made), signed(message, here))


def test_takes_the_signatures_of_the_largest_committee(
    ledger, committee_signs, pass_epochs, report
):
    """31 of 65 bytes: what they say is the committee's business, not the decoder's."""
    pass_epochs(1)
    made = report(0)
    signatures = committee_signs(ledger, ZERO_HASH, 0, made.struct_hash())
    padded = signatures.ljust(31 * 65, b"\0")
    with boa.reverts("oracle_committee: wrong signature count"):
        ledger.post_epoch(astuple(made), padded)
    with boa.reverts():
        ledger.post_epoch(astuple(made), padded + b"\0")
