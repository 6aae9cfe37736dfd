"""Build a whole market on the connected chain: deploy, wire, list.

`build_market` reads from top to bottom like the map in docs/architecture.md. Everything in it
can be repeated: a contract that is there is picked up, a step whose effect the chain already
shows is left out. That is how a failed run is resumed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ape
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from oracle.adapters.chain.prevrandao import check_prevrandao
from oracle.domain.hashing import keccak
from oracle.errors import Misconfigured
from scripts._deployment import DeployedContract, Progress
from scripts._parameters import (
    ANSWER_UNIT,
    CREDITS,
    OWN_TOKEN,
    UNIT,
    ZERO_ADDRESS,
    Parameters,
)
from scripts._project import abi_hash, abi_of, container

# base units that listing an asset pulls from the deployer and returns (JobEscrow.PROBE)
PROBE = 10_000
# base units of the work token times USD with 18 decimals, per base unit of credits
# (ComputeCredits.PER_CREDIT_UNIT)
PER_CREDIT_UNIT = 10**30
# what is behind the aggregator in IPrices.Feed where credits price themselves: always one USD
CREDIT_FEED = (6, 1, 0, UNIT * 99 // 100, UNIT * 101 // 100, 1, 1)

Say = Callable[[str], None]


class Builder:
    """Deploys contracts and sends calls for one account, leaving out what is done already."""

    def __init__(self, account: AccountAPI, progress: Progress, say: Say) -> None:
        self._account = account
        self._progress = progress
        self._say = say

    def contract(self, name: str, /, **arguments: Any) -> ContractInstance:
        """Deploy a contract, or pick up the one that an earlier run left.

        `arguments` are the constructor's, by name and in its order; an underscore at the end
        of a name only keeps it apart from a getter.
        """
        code = container(name)
        inputs = code.contract_type.constructor.inputs
        expected = [str(parameter.name).rstrip("_") for parameter in inputs]
        if list(arguments) != expected:
            raise TypeError(f"{name} takes {expected}, not {list(arguments)}")
        constructor = {key: _plain(value) for key, value in arguments.items()}
        hash_of_abi = abi_hash(abi_of(name))

        found = self._progress.contracts.get(name)
        if (
            found
            and (found["constructor"], found["abi_hash"]) == (constructor, hash_of_abi)
            and ape.chain.provider.get_code(found["address"])
        ):
            self._say(f"{name:<20} {found['address']}  found")
            return code.at(found["address"])

        instance = self._account.deploy(code, *arguments.values())
        receipt = ape.chain.provider.get_receipt(instance.txn_hash)
        entry: DeployedContract = {
            "address": str(instance.address),
            "abi_hash": hash_of_abi,
            "constructor": constructor,
            "transaction": str(receipt.txn_hash),
            "block": int(receipt.block_number),
            "deployer": str(self._account.address),
        }
        self._progress.record(name, entry)
        self._say(f"{name:<20} {instance.address}  {receipt.gas_used:>9,} gas")
        return instance

    def unless(self, done: bool, what: str, method: Any, *arguments: Any) -> None:
        """Send a call unless its effect is `done`."""
        if done:
            self._say(f"  {what}: done before")
            return
        method(*arguments, sender=self._account)
        self._say(f"  {what}")

    def grant(self, contract: ContractInstance, role: str, holder: ContractInstance) -> None:
        """Give `holder` a role on `contract` that nobody holds."""
        name = contract.contract_type.name
        current = contract.role_holder(role_id(role))
        if current not in (ZERO_ADDRESS, holder.address):
            raise Misconfigured(
                f"{current} already holds {role} on {name} at {contract.address}",
                "Somebody else wired this contract; deploy anew.",
            )
        self.unless(
            current == holder.address,
            f"{name}.{role} = {holder.contract_type.name}",
            contract.set_role,
            role_id(role),
            holder,
        )


def role_id(name: str) -> bytes:
    """The id of a role: keccak256 of its name."""
    return keccak(name.encode())


def check_chain(parameters: Parameters, account: AccountAPI) -> None:
    """Check before the first transaction what only the chain can tell; raises `Misconfigured`."""
    check_prevrandao(ape.chain.provider.web3)
    if account.balance == 0:
        raise Misconfigured(
            f"the deployer {account.address} has no funds on this chain", "Send it some."
        )
    allocated = sum(
        allocation.amount
        for allocation in parameters.token.allocations
        if allocation.account == account.address
    )
    committee = parameters.committee
    needed = len(committee.members) * committee.min_bond if committee.bond_members else 0
    if OWN_TOKEN in parameters.escrow.assets:
        needed = max(needed, PROBE)
    if CREDITS in parameters.escrow.assets:
        needed += work_for_credits(PROBE, parameters.prices.first_answer)
    if allocated < needed:
        raise Misconfigured(
            f"the deployer {account.address} needs {needed} base units of "
            f"{parameters.token.symbol} for bonds and the listing probe, and gets {allocated}",
            "Raise its amount in token.allocations, or set committee.bond_members to false.",
        )
    for asset in parameters.escrow.assets:
        if asset in (OWN_TOKEN, CREDITS):
            continue
        if not ape.chain.provider.get_code(asset):
            raise Misconfigured(
                f"asset {asset} is not a contract on this chain", "Correct escrow.assets."
            )
        if ape.Contract(asset).balanceOf(account) < PROBE:
            raise Misconfigured(
                f"listing {asset} borrows {PROBE} base units from the deployer, who has less",
                f"Send some to {account.address}.",
            )


def work_for_credits(amount: int, price: int) -> int:
    """Base units of the work token that buy an amount of credits, at USD with 18 decimals."""
    return -(-amount * PER_CREDIT_UNIT // price)


def build_market(
    parameters: Parameters, account: AccountAPI, progress: Progress, say: Say
) -> dict[str, ContractInstance]:
    """Deploy, wire and fill the whole market; returns the contracts by name."""
    p = parameters
    builder = Builder(account, progress, say)
    role_delay = p.role_change_delay
    genesis = progress.started if p.emissions.genesis is None else p.emissions.genesis

    # --- contracts, each needing only those above ---
    timelock = builder.contract(
        "Timelock",
        min_delay=p.timelock.min_delay,
        proposers=p.timelock.proposers,
        executors=p.timelock.executors or [ZERO_ADDRESS],
        admin=ZERO_ADDRESS,
    )
    token = builder.contract(
        "WorkToken",
        name=p.token.name,
        symbol=p.token.symbol,
        max_supply=p.token.max_supply,
        genesis=[(each.account, each.amount) for each in p.token.allocations],
        role_change_delay=role_delay,
    )
    committee = builder.contract(
        "OracleCommittee",
        token=token,
        members=sorted(p.committee.members, key=str.lower),
        threshold=p.committee.threshold,
        min_bond=p.committee.min_bond,
        bond_delay=p.committee.bond_delay,
        key_overlap=p.committee.key_overlap,
        equivocation_reporter_bps=p.committee.equivocation_reporter_bps,
        rules_version=p.committee.rules_version,
    )
    providers = builder.contract(
        "ProviderRegistry",
        notice_period=p.staking.unbonding_period,
    )
    staking = builder.contract(
        "ProviderStaking",
        providers=providers,
        token=token,
        genesis=genesis,
        epoch_length=p.emissions.epoch_length,
        unbonding_period=p.staking.unbonding_period,
        lock_period=p.staking.lock_period,
        min_self_bond=p.staking.min_self_bond,
        min_delegation=p.staking.min_delegation,
        role_change_delay=role_delay,
    )
    registry = builder.contract(
        "DeviceRegistry",
        committee=committee,
        staking=staking,
        attestation_period=p.registry.attestation_period,
        class_delay=p.registry.class_delay,
        role_change_delay=role_delay,
    )
    controller = builder.contract(
        "EmissionsController",
        token=token,
        genesis=genesis,
        epoch_length=p.emissions.epoch_length,
        initial_emission=p.emissions.initial_emission,
        block_seconds=p.emissions.block_seconds,
        beta_bps=p.emissions.beta_bps,
        cap_ratio_bps=p.emissions.cap_ratio_bps,
        role_change_delay=role_delay,
    )
    ledger = builder.contract(
        "EpochLedger",
        committee=committee,
        controller=controller,
        activation_delay=p.emissions.activation_delay,
        guardian=p.emissions.guardian,
    )
    distributor = builder.contract(
        "RewardDistributor",
        token=token,
        ledger=ledger,
        controller=controller,
        staking=staking,
        vesting_period=p.emissions.vesting_period,
        immediate_bps=p.emissions.immediate_bps,
        outflow_cap=p.emissions.outflow_cap,
        role_change_delay=role_delay,
    )
    clusters = builder.contract(
        "ClusterRegistry",
        providers=providers,
        role_change_delay=role_delay,
    )
    bonds = builder.contract(
        "ServiceBonds",
        staking=staking,
        registry=registry,
        clusters=clusters,
        committee=committee,
        role_change_delay=role_delay,
    )
    offers = builder.contract(
        "OfferBook",
        providers=providers,
        role_change_delay=role_delay,
    )
    jobs = builder.contract(
        "JobRegistry",
        providers=providers,
        clusters=clusters,
        bonds=bonds,
        offers=offers,
        job_timeout=p.escrow.job_timeout,
        role_change_delay=role_delay,
    )
    prices = builder.contract(
        "Prices",
        work_token=token,
        guardian=p.prices.guardian,
        feed_change_delay=role_delay,
    )
    feed = builder.contract(
        "GovernorFeed",
        governor=p.prices.governor,
        answer=p.prices.first_answer // ANSWER_UNIT,
    )
    policy = _demand_policy(builder, p, controller, committee, prices)
    compute_credits = builder.contract(
        "ComputeCredits",
        token=token,
        prices=prices,
        clock=controller,
        role_change_delay=role_delay,
    )
    escrow = builder.contract(
        "JobEscrow",
        work_token=token,
        providers=providers,
        clusters=clusters,
        jobs=jobs,
        committee=committee,
        ledger=ledger,
        credits=compute_credits,
        dispute_window=p.escrow.dispute_window,
        fee_bps=p.escrow.fee_bps,
        burn_bps=p.escrow.burn_bps,
        treasury=p.escrow.treasury,
        guardian=p.escrow.guardian,
        fee_change_delay=role_delay,
    )
    subnets = builder.contract(
        "SubnetRegistry",
        staking=staking,
        ledger=ledger,
        parameter_epochs=p.subnets.parameter_epochs,
        subnet_price=p.subnets.subnet_price.as_struct,
        uid_price=p.subnets.uid_price.as_struct,
    )
    votes = builder.contract(
        "SubnetVotes",
        staking=staking,
        subnets=subnets,
        vote_epochs=p.subnets.vote_epochs,
        role_change_delay=role_delay,
    )
    meter = builder.contract(
        "FeeMeter",
        escrow=escrow,
        role_change_delay=role_delay,
    )
    verifier = builder.contract("MatmulVerifier")
    court = builder.contract(
        "SlashingCourt",
        token=token,
        staking=staking,
        registry=registry,
        jobs=jobs,
        distributor=distributor,
        verifier=verifier,
        committee=committee,
        policy=(
            p.court.false_attestation_bps,
            p.court.missed_challenge_bps,
            p.court.downtime_bps,
            p.court.fraud_bps,
            p.court.max_penalty_bps,
            p.court.daily_cap_bps,
            p.court.correlation_multiplier,
            p.court.reporter_bps,
            p.court.jail,
            p.court.accusation_bond,
            p.court.appeal_bond,
            p.court.answer_period,
            p.court.verdict_period,
            p.court.appeal_period,
            p.court.arbiter_period,
        ),
    )
    leaf_requests = builder.contract(
        "LeafRequests",
        token=token,
        court=court,
        ledger=ledger,
        bond=p.leaf_requests.bond,
        answer_period=p.leaf_requests.answer_period,
        request_epochs=p.leaf_requests.request_epochs,
    )

    # --- who may act on whom ---
    builder.grant(token, "MINTER", controller)
    builder.grant(staking, "SLASHER", court)
    builder.grant(staking, "LOCKER", bonds)
    builder.grant(clusters, "ESCROW", escrow)
    builder.grant(bonds, "JOBS", jobs)
    builder.grant(offers, "JOBS", jobs)
    builder.grant(jobs, "ESCROW", escrow)
    builder.grant(compute_credits, "ESCROW", escrow)
    builder.grant(jobs, "COURT", court)
    builder.grant(registry, "COURT", court)
    builder.grant(distributor, "COURT", court)
    builder.grant(court, "REQUESTS", leaf_requests)
    if p.court.arbiter is not None:
        builder.unless(
            court.role_holder(role_id("ARBITER")) == p.court.arbiter,
            f"SlashingCourt.ARBITER = {p.court.arbiter}",
            court.set_role,
            role_id("ARBITER"),
            p.court.arbiter,
        )
    builder.grant(controller, "DISTRIBUTOR", distributor)
    builder.grant(controller, "LEDGER", ledger)
    builder.grant(controller, "VOTES", votes)
    builder.grant(controller, "FEES", meter)
    builder.grant(controller, "SUBNETS", subnets)
    if policy is not None:
        builder.grant(controller, "POLICY", policy)
    builder.grant(votes, "CONTROLLER", controller)
    builder.grant(meter, "CONTROLLER", controller)
    builder.grant(meter, "PRICES", prices)

    # --- what things are worth ---
    work_feed = (
        18, p.prices.max_age, p.prices.grace, p.prices.lower, p.prices.upper,
        p.prices.max_deviation_bps, p.prices.interval,
    )  # fmt: skip
    for priced, aggregator, terms in (
        (token, feed, work_feed),
        (compute_credits, compute_credits, CREDIT_FEED),
    ):
        builder.unless(
            prices.feed_of(priced).aggregator == aggregator.address,
            f"price of {priced.symbol()}",
            prices.set_feed,
            priced,
            (aggregator.address, *terms),
        )

    # --- what can be traded ---
    for number, device_class in enumerate(p.registry.classes, start=1):
        builder.unless(
            registry.class_count() >= number,
            f"device class {number}: {device_class.name}",
            registry.add_class,
            device_class.min_ops_per_second,
            device_class.min_memory_mb,
            device_class.stake_per_device,
        )
    if policy is not None and p.emissions.demand is not None:
        numbers = {each.name: n for n, each in enumerate(p.registry.classes, start=1)}
        for target in p.emissions.demand.targets:
            number = numbers[target.device_class]
            owed = (target.usd_per_hour, target.max_devices)
            builder.unless(
                tuple(policy.target_of(number)) == owed,
                f"target of {target.device_class}",
                policy.set_target,
                number,
                owed,
            )
    for number, sla in enumerate(p.escrow.slas, start=1):
        builder.unless(
            bonds.sla_count() >= number,
            f"service level {number}: {sla.name}",
            bonds.add_sla,
            sla.collateral_per_gpu,
            sla.compensation_bps,
            sla.uptime_bps,
            sla.capacity_grace,
        )
    for asset in p.escrow.assets:
        own = {OWN_TOKEN: token, CREDITS: compute_credits}
        erc20 = own.get(asset) or ape.Contract(asset)
        listed = escrow.market_of(erc20, 0) != 0
        if asset == CREDITS:
            # credits come from nobody but their sale
            bought = listed or compute_credits.balanceOf(account) >= PROBE
            cost = work_for_credits(PROBE, p.prices.first_answer)
            builder.unless(
                bought or token.allowance(account, compute_credits) >= cost,
                f"approve {token.symbol()} for credits",
                token.approve,
                compute_credits,
                cost,
            )
            builder.unless(bought, "credits for the probe", compute_credits.buy, cost, PROBE)
        builder.unless(
            listed or erc20.allowance(account, escrow) >= PROBE,
            f"approve the probe of {erc20.symbol()}",
            erc20.approve,
            escrow,
            PROBE,
        )
        builder.unless(listed, f"asset {erc20.symbol()}", escrow.list_asset, erc20)

    # --- who watches ---
    if p.committee.bond_members:
        posted = {member: committee.bond_of(member) for member in p.committee.members}
        missing = {member: p.committee.min_bond - bond for member, bond in posted.items()}
        open_bonds = sum(amount for amount in missing.values() if amount > 0)
        builder.unless(
            token.allowance(account, committee) >= open_bonds,
            "approve the oracles' bonds",
            token.approve,
            committee,
            open_bonds,
        )
        for member, amount in missing.items():
            builder.unless(amount <= 0, f"bond of oracle {member}", committee.bond, member, amount)

    contracts = (
        timelock, token, committee, providers, staking, registry, controller, ledger, distributor,
        clusters, bonds, offers, jobs, prices, feed, compute_credits, escrow, subnets, votes, meter,
        verifier, court,
        leaf_requests, *([policy] if policy is not None else []),
    )  # fmt: skip
    return {contract.contract_type.name: contract for contract in contracts}


def _demand_policy(
    builder: Builder,
    p: Parameters,
    controller: ContractInstance,
    committee: ContractInstance,
    prices: ContractInstance,
) -> ContractInstance | None:
    """The supply policy `demand`; None under halving, where nobody decides what is granted."""
    if p.emissions.demand is None:
        return None
    return builder.contract(
        "DemandPolicy",
        controller=controller,
        committee=committee,
        prices=prices,
        rule=p.emissions.demand.rule,
        wait_epochs=p.emissions.demand.wait_epochs,
        target_epochs=p.emissions.demand.target_epochs,
        first_epoch=0,
    )


def _plain(value: Any) -> Any:
    """A constructor argument as JSON: addresses checksummed, numbers as decimal strings."""
    if isinstance(value, ContractInstance):
        return str(value.address)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return str(value)
