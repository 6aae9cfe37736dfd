"""Mistakes that other networks' staking, slashing and committees made, one test for each.

Every test would fail if our contracts made the same one.
"""

from dataclasses import astuple

import boa
import pytest

from oracle.domain.median import lower_median
from oracle.domain.messages import Commit, Domain, Report
from oracle.domain.proposals import JobObservation, UsageObservation, aggregate_usage
from oracle.domain.receipts import JobStatus
from oracle.domain.recovery import recover
from tests.unit.conftest import DAY, MIN_DELEGATION, UNBONDING_PERIOD, UNIT, sign
from tests.unit.oracle_committee.conftest import MIN_BOND, PAYLOAD, ROUND, SUBJECT
from tests.unit.reward_market import RewardMarket, account_leaf

EMISSION = 1
NOBODY = "0x" + "00" * 20


# --- unbonding ----------------------------------------------------------------------------


def test_emptied_entries_neither_merge_later_requests_nor_reset_their_timers(
    staking, provider, owner
):
    """Prime Intellect: emptied entries stay in the bounded queue until it is full; from then on
    a new request is added to the last one, whose timer starts again.
    """
    # more cycles than the queue has entries
    for _ in range(staking.MAX_REQUESTS() + 1):
        staking.unbond(provider, UNIT, sender=owner)
        boa.env.time_travel(seconds=UNBONDING_PERIOD)
        staking.withdraw(provider, 1, sender=owner)
    expected = []
    for tokens in (2 * UNIT, 3 * UNIT):
        expected.append((tokens, boa.env.evm.patch.timestamp + UNBONDING_PERIOD))
        staking.unbond(provider, tokens, sender=owner)
        boa.env.time_travel(seconds=4 * DAY)
    assert staking.unbondings(provider) == expected


def test_a_full_queue_refuses_a_request_instead_of_merging_it(staking, provider, owner, refused):
    """Prime Intellect: the 33rd request delays the 32nd."""
    for _ in range(staking.MAX_REQUESTS()):
        staking.unbond(provider, UNIT, sender=owner)
    boa.env.time_travel(seconds=DAY)
    with refused("provider_staking: too many open requests"):
        staking.unbond(provider, UNIT, sender=owner)


def test_a_slash_reaches_matured_requests_and_strands_none(
    token, staking, provider, owner, payout, alice, slash, solvent
):
    """Prime Intellect: slashing starts behind the matured entries, which lose nothing, and leaves
    indices that no withdrawal reaches any more.
    """
    staking.delegate(provider, 400 * UNIT, 0, sender=alice)
    staking.unbond(provider, 400 * UNIT, sender=owner)
    staking.undelegate(provider, 100 * UNIT, sender=alice)
    boa.env.time_travel(seconds=UNBONDING_PERIOD)
    staking.unbond(provider, 600 * UNIT, sender=owner)
    staking.undelegate(provider, 300 * UNIT, sender=alice)

    # the self-bond and half of the delegation but one tenth of the former
    slash(provider, 900 * UNIT)
    assert [entry.tokens for entry in staking.unbondings(provider)] == [40 * UNIT, 60 * UNIT]
    slash(provider, 300 * UNIT)
    assert [entry.tokens for entry in staking.undelegations(provider, alice)] == [
        50 * UNIT,
        150 * UNIT,
    ]

    assert staking.withdraw_delegation(provider, 32, sender=alice) == 50 * UNIT
    boa.env.time_travel(seconds=UNBONDING_PERIOD)
    assert staking.withdraw_delegation(provider, 32, sender=alice) == 150 * UNIT
    assert staking.slashable(provider) == 0
    assert solvent()


def test_a_request_that_waits_blocks_no_matured_one_behind_it(
    staking, provider, owner, alice, refused
):
    """The Graph: requests are paid from the first on, so a long first one blocks the others."""
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    for tokens in (10, 20, 30):
        staking.unbond(provider, tokens * UNIT, sender=owner)
        staking.undelegate(provider, tokens * UNIT, sender=alice)
        boa.env.time_travel(seconds=DAY)
    boa.env.time_travel(seconds=UNBONDING_PERIOD - 3 * DAY)
    # paying the first puts the last, which waits longest, in its place
    staking.withdraw(provider, 32, sender=owner)
    staking.withdraw_delegation(provider, 32, sender=alice)
    waiting, matured = staking.unbondings(provider)
    assert waiting.ready_at > matured.ready_at
    boa.env.time_travel(seconds=DAY)
    assert staking.withdraw(provider, 32, sender=owner) == 20 * UNIT
    assert staking.withdraw_delegation(provider, 32, sender=alice) == 20 * UNIT
    with refused("provider_staking: nothing to withdraw"):
        staking.withdraw(provider, 32, sender=owner)


def test_requests_that_were_wiped_out_are_shown_by_no_view(
    staking, provider, owner, alice, bob, slash
):
    """The Graph: views go on to show thaw requests of an earlier life of the pool."""
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 60 * UNIT, sender=alice)
    staking.unbond(provider, 500 * UNIT, sender=owner)
    slash(provider, staking.slashable(provider))
    # and in the pools' next life, too
    for _ in range(2):
        assert staking.unbondings(provider) == []
        assert staking.undelegations(provider, alice) == []
        assert staking.delegation(provider, alice) == (0, 0)
        assert staking.self_bond(provider).unbonding == 0
        assert staking.delegation_pool(provider).unbonding == 0
        staking.stake(provider, 1_000 * UNIT, sender=owner)
        staking.delegate(provider, 100 * UNIT, 0, sender=bob)


def test_leaving_waits_for_nobody_elses_call(token, staking, provider, alice, payout, owner):
    """Livepeer, Akash: a redemption waits until somebody else's keeper has called."""
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    before = token.balanceOf(alice)
    staking.undelegate(provider, 100 * UNIT, sender=alice)
    staking.unbond(provider, 1_000 * UNIT, sender=owner)
    # a whole year in which nobody calls anything
    boa.env.time_travel(seconds=365 * DAY)
    staking.withdraw_delegation(provider, 32, sender=alice)
    staking.withdraw(provider, 32, sender=owner)
    assert token.balanceOf(alice) == before + 100 * UNIT
    assert token.balanceOf(payout) == 1_000 * UNIT


# --- third parties ------------------------------------------------------------------------


def test_third_party_stake_touches_no_timer_and_no_terms(
    providers, staking, provider, owner, alice, bob
):
    """Livepeer: funding by a third party reset the owner's unlock timer."""
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.undelegate(provider, 50 * UNIT, sender=alice)
    staking.unbond(provider, 100 * UNIT, sender=owner)

    def of_others():
        return (
            staking.unbondings(provider),
            staking.undelegations(provider, alice),
            providers.provider_info(provider),
        )

    before = of_others()
    boa.env.time_travel(seconds=DAY)
    staking.stake(provider, 7 * UNIT, sender=bob)
    staking.delegate(provider, 7 * UNIT, 0, sender=bob)
    staking.add_rewards(provider, 7 * UNIT, EMISSION, sender=bob)
    assert of_others() == before
    boa.env.time_travel(seconds=UNBONDING_PERIOD - DAY)
    assert staking.withdraw(provider, 1, sender=owner) == 100 * UNIT


def test_third_party_stake_leaves_everybody_where_they_delegate(
    providers, staking, provider, owner, alice, bob
):
    """Livepeer: bonding for somebody else set the victim's delegate."""
    rival = providers.register(NOBODY, bob, 0, 0, 0, "", sender=bob)
    staking.stake(rival, 100 * UNIT, sender=bob)
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    staking.delegate(rival, 100 * UNIT, 0, sender=bob)
    staking.stake(provider, UNIT, sender=bob)
    assert staking.delegation(provider, alice) == (100 * UNIT, 100 * UNIT)
    assert staking.delegation(rival, alice) == (0, 0)
    # a delegation is always the caller's: no argument names another holder
    for name in ("delegate", "delegate_with_permit", "move", "undelegate", "cancel_undelegation"):
        (entry,) = [e for e in staking.abi if e.get("name") == name]
        assert "address" not in [argument["type"] for argument in entry["inputs"]]


def test_third_party_bond_does_not_restart_a_members_wait(committee, token, oracles, watcher):
    """Livepeer's timer, in the committee: a gift must not lock up who is leaving."""
    dropped = oracles[0].address
    committee.configure([o.address for o in oracles[1:]], 5, 1)
    free_at = committee.bond_locked_until(dropped)
    token.approve(committee, 2**256 - 1, sender=watcher.address)
    boa.env.time_travel(seconds=DAY)
    committee.bond(dropped, 1, sender=watcher.address)
    assert committee.bond_locked_until(dropped) == free_at
    boa.env.time_travel(seconds=free_at - boa.env.evm.patch.timestamp)
    committee.withdraw_bond(sender=dropped)
    assert token.balanceOf(dropped) == MIN_BOND + 1


# --- slashes, rewards, pools --------------------------------------------------------------


def test_slashed_tokens_never_go_to_the_caller_or_the_owner(
    token, staking, provider, slash, slasher, deployer, victim, reporter
):
    """Prime Intellect pays the caller of a slash, Lilypad the owner of the token."""
    assert staking.owner() == token.owner() == deployer
    held = [token.balanceOf(account) for account in (slasher, deployer)]
    supply = token.totalSupply()
    slash(provider, 600 * UNIT, victim, 200 * UNIT, reporter, 100 * UNIT)
    assert [token.balanceOf(account) for account in (slasher, deployer)] == held
    assert token.balanceOf(victim) == 200 * UNIT
    assert token.balanceOf(reporter) == 100 * UNIT
    assert supply - token.totalSupply() == 300 * UNIT


def test_a_tiny_remainder_does_not_inflate_the_share_price(
    staking, provider, alice, bob, deployer, refused
):
    """The Graph: leave one share, donate, and the next delegator's deposit rounds to nothing."""
    staking.delegate(provider, 10 * UNIT, 0, sender=alice)
    for left in (1, 10**9, MIN_DELEGATION - 1):
        with refused("provider_staking: remaining delegation below minimum"):
            staking.undelegate(provider, 10 * UNIT - left, sender=alice)
    staking.undelegate(provider, 10 * UNIT - MIN_DELEGATION, sender=alice)
    # the dearest share that is to be had
    staking.add_rewards(provider, 100_000 * UNIT, EMISSION, sender=deployer)
    staking.delegate(provider, 10 * UNIT, 0, sender=bob)
    lost = 10 * UNIT - staking.delegation(provider, bob)[1]
    assert lost <= 10 * UNIT // 10**9


def test_rewards_without_delegators_are_the_providers(token, staking, provider, payout, deployer):
    """Prime Intellect: what is emitted while there are no units belongs to nobody."""
    staking.add_rewards(provider, 100 * UNIT, EMISSION, sender=deployer)
    assert token.balanceOf(payout) == 100 * UNIT


def test_emission_that_nobody_earned_comes_back(
    market, token, controller, ledger, distributor, committee_signs, watcher
):
    """Prime Intellect again, for whole epochs: the budget returns and pays later ones."""
    rewards = RewardMarket(token, controller, ledger, distributor, committee_signs)
    rewards.close([])
    minted = token.minted()
    assert controller.reclaim() == controller.cumulative_budget(0)
    # the next epoch is paid out of what came back
    controller.press(1)
    assert token.minted() == minted
    budget = controller.cumulative_budget(1) - controller.cumulative_budget(0)
    leaf = account_leaf(watcher, budget)
    rewards.post([leaf])
    rewards.activate()
    assert rewards.claim(leaf) == budget


def test_no_pause_stops_a_withdrawal(
    market,
    token,
    staking,
    escrow,
    jobs,
    provider,
    owner,
    alice,
    customer,
    guardian,
    court,
    committee,
):
    """The Graph, Livepeer: the pause that stops an attack also locks everybody in."""
    token.approve(escrow, 2**256 - 1)
    escrow.list_asset(token)
    token.transfer(customer.address, 100 * UNIT)
    token.approve(escrow, 100 * UNIT, sender=customer.address)
    job = escrow.open_job(
        provider, token, 1, 1, UNIT, 100 * UNIT, 0, bytes(32), sender=customer.address
    )
    staking.delegate(provider, 100 * UNIT, 0, sender=alice)
    had = token.balanceOf(alice)

    # everything that can be stopped is
    escrow.set_inflows_paused(token, True, sender=guardian)
    staking.jail(provider, 2**64 - 1, sender=court.address)
    for contract in (staking, escrow, committee):
        contract.renounce_ownership()

    jobs.cancel(job, sender=customer.address)
    assert token.balanceOf(customer.address) == 100 * UNIT
    staking.undelegate(provider, 100 * UNIT, sender=alice)
    staking.unbond(provider, 1_000 * UNIT, sender=owner)
    boa.env.time_travel(seconds=UNBONDING_PERIOD)
    staking.withdraw_delegation(provider, 32, sender=alice)
    staking.withdraw(provider, 32, sender=owner)
    assert token.balanceOf(alice) == had + 100 * UNIT
    assert staking.slashable(provider) == 0


# --- signatures and committees ------------------------------------------------------------


def test_signatures_hold_on_one_chain_and_for_one_contract_only(
    committee, deploy_committee, domain_of, consumer, oracles, check
):
    """Livepeer's ticket hash has neither chain id nor contract, nor has Prime Intellect's invite
    signature: what was signed once is valid everywhere.
    """
    here = domain_of(committee)
    twin = deploy_committee([o.address for o in oracles], 5)
    report = Report(committee.config_digest(), consumer.address, SUBJECT, ROUND, PAYLOAD)
    for elsewhere in (Domain(here.chain_id + 1, here.verifying_contract), domain_of(twin)):
        with pytest.raises(boa.BoaError):
            check(b"".join(sign(o, report, elsewhere) for o in oracles[:5]))
    signatures = b"".join(sign(o, report, here) for o in oracles[:5])
    assert check(signatures) == 0b11111
    with pytest.raises(boa.BoaError):
        check(signatures, at=twin)


def test_a_commit_convicts_on_its_own_chain_only(registry, domain_of, operator):
    """The same for what a provider signs: the court asks for the digest under this domain."""
    commit = Commit(1, SUBJECT, 1, bytes(32), 16, 32, 64, 3, bytes(32))
    here = domain_of(registry)
    digest = registry.commit_digest(astuple(commit))
    assert digest == commit.digest(here)
    elsewhere = sign(operator, commit, Domain(here.chain_id + 1, here.verifying_contract))
    assert recover(digest, elsewhere) != operator.address


def test_a_flood_of_reports_does_not_raise_the_cost_of_honest_ones(
    committee, sign_report, consumer, oracles, check
):
    """Chainlink OCR2, Lido: one member's 200 variants raise every honest report from 78 000 to
    537 000 gas.
    """
    honest = sign_report(oracles[:5], consumer)
    check(honest)
    gas = committee._computation.get_gas_used()
    for number in range(200):
        payload = number.to_bytes(32, "big")
        variant = sign_report([oracles[6]] * 5, consumer, payload=payload)
        with boa.reverts("oracle_committee: signers not ascending"):
            committee.verify(SUBJECT, ROUND, payload, variant, sender=consumer.address)
    check(honest)
    assert committee._computation.get_gas_used() == gas


def test_an_even_number_of_values_has_the_lower_median():
    """Helium: of an even number of values the higher one of the middle two counts."""
    assert lower_median([10, 1_000]) == 10
    assert lower_median([1_000, 10, 20, 2_000]) == 20


def test_one_of_two_oracles_is_not_enough(deploy_committee, oracles):
    """Helium: with two oracles, one decides alone."""

    def observation(oracle, seconds):
        seen = JobObservation(seconds, JobStatus.RUNNING, job=1)
        return UsageObservation(ROUND, (seen,), oracle.address, signature=b"")

    # the threshold of a committee of two is two
    assert aggregate_usage([observation(oracles[0], 1_000)], 2) == {}
    both = aggregate_usage([observation(oracles[0], 1_000), observation(oracles[1], 10)], 2)
    assert both[1].cumulative_gpu_seconds == 10
    with boa.reverts("oracle_committee: threshold is not a majority"):
        deploy_committee([o.address for o in oracles[:2]], 1)
