"""What a provider's owner may change: keys, payout, description, commissions, reporter cut."""

import boa
import pytest

ZERO = "0x" + "00" * 20
EMISSION, JOB, BOTH = 1, 2, 3
NOT_OWNER = "provider_staking: caller is not the provider's owner"


def elapse_unbonding(staking):
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD())


# --- keys ---------------------------------------------------------------------------------


def test_operator_changes_at_once_and_the_old_key_still_convicts(
    staking, registered, owner, operator, alice
):
    staking.set_operator(registered, alice, sender=owner)
    (entry,) = staking.get_logs()
    assert (entry.previous, entry.current) == (operator.address, alice)
    assert staking.provider_info(registered).operator == alice
    assert staking.provider_of_operator(alice) == registered
    assert staking.provider_of_operator(operator.address) == registered


def test_operator_is_revoked_by_zero(staking, registered, owner):
    staking.set_operator(registered, ZERO, sender=owner)
    staking.set_operator(registered, ZERO, sender=owner)
    assert staking.provider_info(registered).operator == ZERO
    assert staking.provider_of_operator(ZERO) == 0


def test_retired_key_cannot_come_back(staking, registered, owner, operator, refused):
    staking.set_operator(registered, ZERO, sender=owner)
    with refused("provider_staking: operator key was used"):
        staking.set_operator(registered, operator.address, sender=owner)


def test_payout_changes(staking, registered, owner, payout, alice):
    staking.set_payout(registered, alice, sender=owner)
    (entry,) = staking.get_logs()
    assert (entry.previous, entry.current) == (payout, alice)
    assert staking.provider_info(registered).payout == alice


def test_payout_to_nobody_reverts(staking, registered, owner, refused):
    with refused("provider_staking: payout is the zero address"):
        staking.set_payout(registered, ZERO, sender=owner)


def test_uri_is_logged(staking, registered, owner):
    staking.set_uri(registered, "ipfs://new", sender=owner)
    (entry,) = staking.get_logs()
    assert (entry.provider, entry.uri) == (registered, "ipfs://new")


@pytest.mark.parametrize(
    "call",
    [
        lambda s, p, who: s.set_operator(p, who, sender=who),
        lambda s, p, who: s.set_payout(p, who, sender=who),
        lambda s, p, who: s.set_uri(p, "", sender=who),
        lambda s, p, who: s.set_commission(p, JOB, 0, sender=who),
        lambda s, p, who: s.schedule_reporter_cut(p, 0, sender=who),
    ],
    ids=["set_operator", "set_payout", "set_uri", "set_commission", "schedule_reporter_cut"],
)
def test_only_the_owner_changes_terms(
    staking, registered, operator, payout, stranger, call, refused
):
    for caller in (operator.address, payout, stranger):
        with refused(NOT_OWNER):
            call(staking, registered, caller)
    with refused(NOT_OWNER):
        call(staking, registered + 1, stranger)


# --- commission ---------------------------------------------------------------------------


def commissions(staking, provider):
    info = staking.provider_info(provider)
    return info.emission_commission_bps, info.job_commission_bps


@pytest.mark.parametrize("bps", [0, 1, 499])
def test_commission_falls_at_once(staking, registered, owner, bps):
    staking.set_commission(registered, JOB, bps, sender=owner)
    (entry,) = staking.get_logs()
    assert (entry.kind, entry.previous_bps, entry.current_bps) == (JOB, 500, bps)
    assert commissions(staking, registered) == (1_000, bps)


def test_commission_rises_by_a_step_per_unbonding_period(staking, registered, owner, refused):
    with refused("provider_staking: commission rises too soon"):
        staking.set_commission(registered, EMISSION, 1_001, sender=owner)
    elapse_unbonding(staking)
    with refused("provider_staking: commission rises too far"):
        staking.set_commission(registered, EMISSION, 1_501, sender=owner)
    staking.set_commission(registered, EMISSION, 1_500, sender=owner)
    assert commissions(staking, registered) == (1_500, 500)
    with refused("provider_staking: commission rises too soon"):
        staking.set_commission(registered, EMISSION, 1_501, sender=owner)


def test_one_rise_counts_for_both_kinds(staking, registered, owner, refused):
    elapse_unbonding(staking)
    staking.set_commission(registered, EMISSION, 1_001, sender=owner)
    with refused("provider_staking: commission rises too soon"):
        staking.set_commission(registered, JOB, 501, sender=owner)


def test_fall_and_rise_back_is_still_a_rise(staking, registered, owner, refused):
    staking.set_commission(registered, JOB, 100, sender=owner)
    with refused("provider_staking: commission rises too soon"):
        staking.set_commission(registered, JOB, 500, sender=owner)


def test_unchanged_commission_is_no_rise(staking, registered, owner):
    staking.set_commission(registered, JOB, 500, sender=owner)
    assert commissions(staking, registered) == (1_000, 500)


def test_commission_over_the_whole_reverts(staking, registered, owner, refused):
    with refused("provider_staking: share over 10_000 bps"):
        staking.set_commission(registered, JOB, 10_001, sender=owner)


@pytest.mark.parametrize("kind", [0, BOTH])
def test_commission_is_set_for_one_kind_only(staking, registered, owner, kind, refused):
    with refused("provider_staking: not one kind of payment"):
        staking.set_commission(registered, kind, 0, sender=owner)


# --- reporter cut -------------------------------------------------------------------------


def test_reporter_cut_is_lowered_after_the_unbonding_period(
    staking, registered, owner, stranger, refused
):
    staking.schedule_reporter_cut(registered, 4_999, sender=owner)
    (entry,) = staking.get_logs()
    assert (entry.current_bps, entry.proposed_bps) == (5_000, 4_999)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD() - 1)
    with refused("provider_staking: lower cut not ready"):
        staking.lower_reporter_cut(registered, sender=stranger)
    boa.env.time_travel(seconds=1)
    staking.lower_reporter_cut(registered, sender=stranger)
    assert staking.provider_info(registered).max_reporter_bps == 4_999
    with refused("provider_staking: no lower cut scheduled"):
        staking.lower_reporter_cut(registered, sender=stranger)


@pytest.mark.parametrize("bps", [5_000, 5_001, 10_000])
def test_reporter_cut_never_rises(staking, registered, owner, bps, refused):
    with refused("provider_staking: reporter cut can only be lowered"):
        staking.schedule_reporter_cut(registered, bps, sender=owner)


def test_new_schedule_replaces_the_old_and_its_timer(staking, registered, owner, refused):
    staking.schedule_reporter_cut(registered, 4_000, sender=owner)
    boa.env.time_travel(seconds=staking.UNBONDING_PERIOD() - 1)
    staking.schedule_reporter_cut(registered, 0, sender=owner)
    boa.env.time_travel(seconds=1)
    with refused("provider_staking: lower cut not ready"):
        staking.lower_reporter_cut(registered)
    elapse_unbonding(staking)
    staking.lower_reporter_cut(registered)
    assert staking.provider_info(registered).max_reporter_bps == 0


def test_scheduled_cut_does_not_count_yet(staking, provider, owner, slash, reporter):
    staking.schedule_reporter_cut(provider, 0, sender=owner)
    assert slash(provider, 100, reporter=reporter, reporter_amount=50) == 100
