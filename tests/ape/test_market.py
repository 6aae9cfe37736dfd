"""The market that `ape run deploy` builds works, on Ape's own test chain and on anvil."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from oracle.domain.hashing import keccak
from oracle.domain.leaves import Leaf, LeafKind, account_key
from oracle.domain.merkle import MerkleTree
from oracle.domain.messages import EpochReport, Report, Result, Voucher
from oracle.domain.receipts import JobStatus, Receipt, pack
from scripts._anvil import test_key as key_at
from scripts._market import role_id
from scripts._parameters import BPS, UNIT, Parameters

Market = dict[str, ContractInstance]
HOLDERS = [
    ("WorkToken", "MINTER", "EmissionsController"),
    ("ProviderStaking", "SLASHER", "SlashingCourt"),
    ("ProviderStaking", "LOCKER", "ServiceBonds"),
    ("OfferBook", "JOBS", "JobRegistry"),
    ("ServiceBonds", "JOBS", "JobRegistry"),
    ("ClusterRegistry", "ESCROW", "JobEscrow"),
    ("JobRegistry", "ESCROW", "JobEscrow"),
    ("DeviceRegistry", "COURT", "SlashingCourt"),
    ("JobRegistry", "COURT", "SlashingCourt"),
    ("RewardDistributor", "COURT", "SlashingCourt"),
    ("SlashingCourt", "REQUESTS", "LeafRequests"),
    ("EmissionsController", "DISTRIBUTOR", "RewardDistributor"),
    ("EmissionsController", "LEDGER", "EpochLedger"),
    ("EmissionsController", "VOTES", "SubnetVotes"),
    ("EmissionsController", "FEES", "FeeMeter"),
    ("EmissionsController", "SUBNETS", "SubnetRegistry"),
    ("SubnetVotes", "CONTROLLER", "EmissionsController"),
    ("FeeMeter", "CONTROLLER", "EmissionsController"),
]


def pass_time(seconds: int) -> None:
    ape.chain.mine(deltatime=seconds)


# --- what the deployment leaves behind ------------------------------------------------------


@pytest.mark.parametrize(("contract", "role", "holder"), HOLDERS)
def test_roles_are_wired(market: Market, contract: str, role: str, holder: str) -> None:
    assert market[contract].role_holder(role_id(role)) == market[holder].address


def test_the_arbiter_is_the_parameters(market: Market, parameters: Parameters) -> None:
    court = market["SlashingCourt"]
    assert court.role_holder(role_id("ARBITER")) == parameters.court.arbiter
    assert court.POLICY().fraud_bps == parameters.court.fraud_bps


def test_leaf_requests_are_the_parameters(market: Market, parameters: Parameters) -> None:
    contract, expected = market["LeafRequests"], parameters.leaf_requests
    assert contract.BOND() == expected.bond
    assert contract.ANSWER_PERIOD() == expected.answer_period
    assert contract.REQUEST_EPOCHS() == expected.request_epochs


def test_classes_and_service_levels_are_the_parameters(
    market: Market, parameters: Parameters
) -> None:
    registry, escrow = market["DeviceRegistry"], market["JobEscrow"]
    assert registry.class_count() == len(parameters.registry.classes)
    for number, expected in enumerate(parameters.registry.classes, start=1):
        found = registry.class_info(number)
        assert found.min_ops_per_second == expected.min_ops_per_second
        assert found.min_memory_mb == expected.min_memory_mb
        assert found.stake_per_device == expected.stake_per_device
    assert market["ServiceBonds"].sla_count() == len(parameters.escrow.slas)
    assert escrow.market_of(market["WorkToken"], 0) == 1


def test_every_oracle_is_bonded(market: Market, parameters: Parameters) -> None:
    committee, token = market["OracleCommittee"], market["WorkToken"]
    members = parameters.committee.members
    assert set(committee.members()) == set(members)
    assert all(committee.bond_of(each) == parameters.committee.min_bond for each in members)
    assert token.balanceOf(committee) == len(members) * parameters.committee.min_bond


# --- stake ----------------------------------------------------------------------------------


def test_unbonding_pays_after_the_period_and_not_before(
    market: Market, parameters: Parameters, provider: int, provider_owner: AccountAPI
) -> None:
    token, staking = market["WorkToken"], market["ProviderStaking"]
    staking.unbond(provider, 400 * UNIT, sender=provider_owner)
    with ape.reverts("provider_staking: nothing to withdraw"):
        staking.withdraw(provider, 32, sender=provider_owner)
    assert token.balanceOf(provider_owner) == 0

    pass_time(parameters.staking.unbonding_period)
    staking.withdraw(provider, 32, sender=provider_owner)
    assert token.balanceOf(provider_owner) == 400 * UNIT


def test_nobody_but_the_court_slashes(market: Market, provider: int, stranger: AccountAPI) -> None:
    staking = market["ProviderStaking"]
    before = staking.slashable(provider)
    order = (UNIT, stranger, UNIT, stranger, 0)
    with ape.reverts("roles: caller lacks the role"):
        staking.slash(provider, order, sender=stranger)
    assert staking.slashable(provider) == before


# --- devices --------------------------------------------------------------------------------


def test_a_signed_result_enters_a_device(market: Market, provider: int, device: bytes) -> None:
    assert market["DeviceRegistry"].capacity(provider, 1) == 1


def test_a_result_with_a_signature_too_few_is_refused(
    market: Market,
    provider: int,
    result: Result,
    committee_signs: Callable[..., bytes],
    stranger: AccountAPI,
) -> None:
    registry = market["DeviceRegistry"]
    signatures = committee_signs("DeviceRegistry", result.device, 1, result.struct_hash(), count=2)
    with ape.reverts("oracle_committee: wrong signature count"):
        registry.record(astuple(result), 1, signatures, sender=stranger)
    assert registry.capacity(provider, 1) == 0


def test_a_changed_result_is_refused(
    market: Market,
    provider: int,
    result: Result,
    committee_signs: Callable[..., bytes],
    stranger: AccountAPI,
) -> None:
    registry = market["DeviceRegistry"]
    signatures = committee_signs("DeviceRegistry", result.device, 1, result.struct_hash())
    faster = replace(result, ops_per_second=result.ops_per_second + 1)
    with ape.reverts("oracle_committee: unknown signer"):
        registry.record(astuple(faster), 1, signatures, sender=stranger)
    assert registry.capacity(provider, 1) == 0


# --- jobs -----------------------------------------------------------------------------------


def test_a_voucher_pays_and_pays_nothing_twice(
    market: Market, parameters: Parameters, provider: int, job: int, sign: Any,
    customer: AccountAPI, provider_owner: AccountAPI, stranger: AccountAPI,
) -> None:  # fmt: skip
    token, escrow = market["WorkToken"], market["JobEscrow"]
    seconds, running = 300, int(JobStatus.RUNNING)
    signature = sign(key_at(7), Voucher(job, seconds, running), "JobEscrow")
    escrow.settle_voucher(job, seconds, running, signature, sender=stranger)
    with ape.reverts("job_escrow: usage not increasing"):
        escrow.settle_voucher(job, seconds, running, signature, sender=stranger)

    # 300 GPU-seconds at 36 tokens per GPU-hour
    paid = 3 * UNIT
    fee = paid * parameters.escrow.fee_bps // BPS
    free, _pending = escrow.income(provider, token)
    before = token.balanceOf(provider_owner) + token.balanceOf(market["ProviderStaking"])
    assert free == paid - fee
    escrow.withdraw(provider, token, sender=provider_owner)
    after = token.balanceOf(provider_owner) + token.balanceOf(market["ProviderStaking"])
    assert after - before == paid - fee


def test_a_receipt_of_the_committee_waits_for_the_dispute_window(
    market: Market, parameters: Parameters, provider: int, job: int,
    committee_signs: Callable[..., bytes], stranger: AccountAPI,
) -> None:  # fmt: skip
    token, escrow = market["WorkToken"], market["JobEscrow"]
    receipts = pack([Receipt(job, 100, JobStatus.RUNNING)])
    signatures = committee_signs("JobEscrow", bytes(32), 1, keccak(receipts))
    escrow.settle_batch(1, 0, receipts, signatures, sender=stranger)
    assert escrow.income(provider, token) == (0, UNIT)

    pass_time(2 * parameters.escrow.dispute_window)
    fee = UNIT * parameters.escrow.fee_bps // BPS
    assert escrow.income(provider, token) == (UNIT - fee, 0)


# --- oracles --------------------------------------------------------------------------------


def test_an_oracle_that_signs_two_truths_loses_its_bond(
    market: Market, parameters: Parameters, sign: Any, stranger: AccountAPI
) -> None:
    token, committee = market["WorkToken"], market["OracleCommittee"]
    liar = key_at(2)
    consumer, subject, epoch = str(market["EpochLedger"].address), bytes(32), 3
    config = bytes(committee.config_digest())
    truths = [keccak(b"one root"), keccak(b"another root")]
    signatures = [
        sign(liar, Report(config, consumer, subject, epoch, truth), "OracleCommittee")
        for truth in truths
    ]
    supply = token.totalSupply()
    committee.prove_equivocation(
        config, consumer, subject, epoch, truths[0], signatures[0], truths[1], signatures[1],
        sender=stranger,
    )  # fmt: skip
    bond = parameters.committee.min_bond
    bounty = bond * parameters.committee.equivocation_reporter_bps // BPS
    assert committee.bond_of(liar.address) == 0
    assert not committee.counts(liar.address)
    assert token.balanceOf(stranger) == bounty
    assert supply - token.totalSupply() == bond - bounty


# --- epochs ---------------------------------------------------------------------------------


def test_an_epoch_is_posted_activated_and_claimed_once(
    market: Market, parameters: Parameters, committee_signs: Callable[..., bytes],
    customer: AccountAPI, stranger: AccountAPI,
) -> None:  # fmt: skip
    token, ledger = market["WorkToken"], market["EpochLedger"]
    distributor, controller = market["RewardDistributor"], market["EmissionsController"]
    pass_time(parameters.emissions.epoch_length)
    controller.press(64, sender=stranger)
    to_epoch = controller.next_epoch() - 1
    budget = controller.cumulative_budget(to_epoch)
    assert 0 < budget == token.balanceOf(distributor)

    chain_id, contract = ape.chain.provider.chain_id, str(distributor.address)
    leaf = Leaf(LeafKind.ACCOUNT, account_key(str(customer.address)), budget)
    other = Leaf(LeafKind.ACCOUNT, account_key(str(stranger.address)), 0)
    tree = MerkleTree([each.hash(chain_id, contract) for each in (leaf, other)])
    report = EpochReport(
        from_epoch=0, to_epoch=to_epoch, previous=bytes(32), reward_root=tree.root,
        usage_root=bytes(32), attestation_root=bytes(32), cumulative_rewards=budget,
        data_hash=bytes(32), rules_version=1,
    )  # fmt: skip
    signatures = committee_signs("EpochLedger", bytes(32), to_epoch, report.struct_hash())
    ledger.post_epoch(astuple(report), signatures, sender=stranger)
    claim = (int(leaf.kind), leaf.key, leaf.value, tree.proof(0))
    with ape.reverts("reward_distributor: not in the active root"):
        distributor.claim(*claim, sender=stranger)

    pass_time(parameters.emissions.activation_delay)
    before = token.balanceOf(customer)
    distributor.claim(*claim, sender=stranger)
    assert token.balanceOf(customer) - before == budget
    with ape.reverts("reward_distributor: nothing to claim"):
        distributor.claim(*claim, sender=stranger)
    assert token.balanceOf(customer) - before == budget
