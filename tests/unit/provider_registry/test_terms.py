"""What a provider's owner may change: keys, payout, description, commissions, reporter cut."""

import boa
import pytest

ZERO = "0x" + "00" * 20
EMISSION, JOB, BOTH = 1, 2, 3
NOT_OWNER = "provider_registry: caller is not the provider's owner"


def elapse_notice(providers):
    boa.env.time_travel(seconds=providers.NOTICE_PERIOD())


# --- commission_of ------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "bps"), [(EMISSION, 1_000), (JOB, 500)])
def test_commission_is_told_with_its_receiver(providers, registered, payout, kind, bps):
    assert providers.commission_of(registered, kind) == (bps, payout)


def test_nobody_has_no_commission(providers, registered):
    for unknown in (0, registered + 1):
        with boa.reverts("provider_registry: unknown provider"):
            providers.commission_of(unknown, EMISSION)


# --- keys ---------------------------------------------------------------------------------


def test_operator_changes_at_once_and_the_old_key_still_convicts(
    providers, registered, owner, operator, alice
):
    providers.set_operator(registered, alice, sender=owner)
    (entry,) = providers.get_logs()
    assert (entry.previous, entry.current) == (operator.address, alice)
    assert providers.provider_info(registered).operator == alice
    assert providers.provider_of_operator(alice) == registered
    assert providers.provider_of_operator(operator.address) == registered


def test_operator_is_revoked_by_zero(providers, registered, owner):
    providers.set_operator(registered, ZERO, sender=owner)
    providers.set_operator(registered, ZERO, sender=owner)
    assert providers.provider_info(registered).operator == ZERO
    assert providers.provider_of_operator(ZERO) == 0


def test_retired_key_cannot_come_back(providers, registered, owner, operator, refused):
    providers.set_operator(registered, ZERO, sender=owner)
    with refused("provider_registry: operator key was used"):
        providers.set_operator(registered, operator.address, sender=owner)


def test_payout_changes(providers, registered, owner, payout, alice):
    providers.set_payout(registered, alice, sender=owner)
    (entry,) = providers.get_logs()
    assert (entry.previous, entry.current) == (payout, alice)
    assert providers.provider_info(registered).payout == alice


def test_payout_to_nobody_reverts(providers, registered, owner, refused):
    with refused("provider_registry: payout is the zero address"):
        providers.set_payout(registered, ZERO, sender=owner)


def test_uri_is_logged(providers, registered, owner):
    providers.set_uri(registered, "ipfs://new", sender=owner)
    (entry,) = providers.get_logs()
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
    providers, registered, operator, payout, stranger, call, refused
):
    for caller in (operator.address, payout, stranger):
        with refused(NOT_OWNER):
            call(providers, registered, caller)
    with refused(NOT_OWNER):
        call(providers, registered + 1, stranger)


# --- commission ---------------------------------------------------------------------------


def commissions(providers, provider):
    info = providers.provider_info(provider)
    return info.emission_commission_bps, info.job_commission_bps


@pytest.mark.parametrize("bps", [0, 1, 499])
def test_commission_falls_at_once(providers, registered, owner, bps):
    providers.set_commission(registered, JOB, bps, sender=owner)
    (entry,) = providers.get_logs()
    assert (entry.kind, entry.previous_bps, entry.current_bps) == (JOB, 500, bps)
    assert commissions(providers, registered) == (1_000, bps)


def test_commission_rises_by_a_step_per_notice_period(providers, registered, owner, refused):
    with refused("provider_registry: commission rises too soon"):
        providers.set_commission(registered, EMISSION, 1_001, sender=owner)
    elapse_notice(providers)
    with refused("provider_registry: commission rises too far"):
        providers.set_commission(registered, EMISSION, 1_501, sender=owner)
    providers.set_commission(registered, EMISSION, 1_500, sender=owner)
    assert commissions(providers, registered) == (1_500, 500)
    with refused("provider_registry: commission rises too soon"):
        providers.set_commission(registered, EMISSION, 1_501, sender=owner)


def test_one_rise_counts_for_both_kinds(providers, registered, owner, refused):
    elapse_notice(providers)
    providers.set_commission(registered, EMISSION, 1_001, sender=owner)
    with refused("provider_registry: commission rises too soon"):
        providers.set_commission(registered, JOB, 501, sender=owner)


def test_fall_and_rise_back_is_still_a_rise(providers, registered, owner, refused):
    providers.set_commission(registered, JOB, 100, sender=owner)
    with refused("provider_registry: commission rises too soon"):
        providers.set_commission(registered, JOB, 500, sender=owner)


def test_unchanged_commission_is_no_rise(providers, registered, owner):
    providers.set_commission(registered, JOB, 500, sender=owner)
    assert commissions(providers, registered) == (1_000, 500)


def test_commission_over_the_whole_reverts(providers, registered, owner, refused):
    with refused("provider_registry: share over 10_000 bps"):
        providers.set_commission(registered, JOB, 10_001, sender=owner)


@pytest.mark.parametrize("kind", [0, BOTH])
def test_commission_is_set_for_one_kind_only(providers, registered, owner, kind, refused):
    with refused("provider_registry: not one kind of payment"):
        providers.set_commission(registered, kind, 0, sender=owner)


# --- reporter cut -------------------------------------------------------------------------


def test_reporter_cut_is_lowered_after_the_notice_period(
    providers, registered, owner, stranger, refused
):
    providers.schedule_reporter_cut(registered, 4_999, sender=owner)
    (entry,) = providers.get_logs()
    assert (entry.current_bps, entry.proposed_bps) == (5_000, 4_999)
    boa.env.time_travel(seconds=providers.NOTICE_PERIOD() - 1)
    with refused("provider_registry: lower cut not ready"):
        providers.lower_reporter_cut(registered, sender=stranger)
    boa.env.time_travel(seconds=1)
    providers.lower_reporter_cut(registered, sender=stranger)
    assert providers.provider_info(registered).max_reporter_bps == 4_999
    with refused("provider_registry: no lower cut scheduled"):
        providers.lower_reporter_cut(registered, sender=stranger)


@pytest.mark.parametrize("bps", [5_000, 5_001, 10_000])
def test_reporter_cut_never_rises(providers, registered, owner, bps, refused):
    with refused("provider_registry: reporter cut can only be lowered"):
        providers.schedule_reporter_cut(registered, bps, sender=owner)


def test_new_schedule_replaces_the_old_and_its_timer(providers, registered, owner, refused):
    providers.schedule_reporter_cut(registered, 4_000, sender=owner)
    boa.env.time_travel(seconds=providers.NOTICE_PERIOD() - 1)
    providers.schedule_reporter_cut(registered, 0, sender=owner)
    boa.env.time_travel(seconds=1)
    with refused("provider_registry: lower cut not ready"):
        providers.lower_reporter_cut(registered)
    elapse_notice(providers)
    providers.lower_reporter_cut(registered)
    assert providers.provider_info(registered).max_reporter_bps == 0
