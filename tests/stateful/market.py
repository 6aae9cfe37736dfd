"""The real court in charge of the stake, with everything that it calls; and who speaks to it."""

from collections import Counter
from dataclasses import astuple, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle.domain.attestation.chain import (
    Dims,
    Matrix,
    chain_seeds,
    device_id,
    row_elements,
    row_key,
)
from oracle.domain.attestation.commitment import fold, leaf_hash
from oracle.domain.hashing import keccak
from oracle.domain.messages import Commit, Domain, Message, Report, Result, Verdict
from oracle.domain.receipts import Receipt, pack
from tests.stateful.conftest import (
    DEPLOYER,
    PURSE,
    World,
    deploy,
    deploy_token,
    populate,
)
from tests.stateful.evm import Contract, Evm, address_of
from tests.unit.conftest import (
    DAY,
    DISPUTE_WINDOW,
    EPOCH_LENGTH,
    HOUR,
    JOB_TIMEOUT,
    LEAF_ANSWER_PERIOD,
    LEAF_BOND,
    MIN_ORACLE_BOND,
    REQUEST_EPOCHS,
    ROLE_DELAY,
    RULES_VERSION,
    UNBONDING_PERIOD,
    UNIT,
    Policy,
    role,
    sign,
)

CHAIN_ID = 1
CLASS = 1
# the smallest commitment: one leaf is the whole tree
DIMS = Dims(m=1, n=128, k=32, rounds=1)
# collateral in base units and the customer's part of it in bps; level 0 promises nothing
LEVELS = ((0, 0), (100 * UNIT, 5_000), (400 * UNIT, 10_000), (0, 5_000))
PRICE = UNIT
DEPOSIT = 10 * UNIT
VESTING_PERIOD = 90 * DAY
IMMEDIATE_BPS = 2_500
THRESHOLD = 2


def signer(name: str) -> LocalAccount:
    """A key for somebody who signs."""
    account: LocalAccount = Account.from_key(keccak(name.encode()))
    return account


@dataclass(kw_only=True)
class Market(World):
    """Court and escrow are the real contracts here."""

    committee: Contract
    registry: Contract
    bonds: Contract
    jobs: Contract
    distributor: Contract
    ledger: Contract
    leaf_requests: Contract
    operators: list[LocalAccount]
    oracles: list[LocalAccount]
    policy: Policy
    arbiter: str = address_of("arbiter")
    # pays rewards in
    controller: str = address_of("controller")
    # how cases ended, over all runs
    outcomes: Counter[str] = field(default_factory=Counter)
    # commits made up and signed once for all runs
    lies: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def config(self) -> bytes:
        """What the committee's reports name."""
        return bytes(self.committee.config_digest())

    def key_of(self, provider: int) -> str:
        """The operator key that speaks for a provider."""
        return str(self.operators[provider - 1].address).lower()

    def sign(self, key: LocalAccount, message: Message, contract: Contract) -> bytes:
        return sign(key, message, Domain(CHAIN_ID, contract.address))

    def committee_signs(
        self, consumer: Contract, subject: bytes, round_: int, payload: bytes
    ) -> bytes:
        report = Report(self.config, consumer.address, subject, round_, payload)
        keys = self.oracles[:THRESHOLD]
        return b"".join(self.sign(key, report, self.committee) for key in keys)

    def verdict(self, case_id: bytes, guilty: bool, loss: int) -> bytes:
        """The committee's signatures under a verdict."""
        payload = Verdict(case_id, guilty, loss).struct_hash()
        return self.committee_signs(self.court, case_id, 0, payload)

    def attest(self, provider: int, identity: bytes, epoch: int) -> bytes:
        """Enter a device; returns its id."""
        device = device_id(identity, provider)
        result = Result(
            provider=provider,
            device=device,
            identity=identity,
            device_class=CLASS,
            ops_per_second=10**4,
            memory_mb=10**4,
            elapsed_ms=1,
            commit=identity,
            openings=identity,
            evidence=bytes(32),
        )
        signatures = self.committee_signs(self.registry, device, epoch, result.struct_hash())
        self.registry.record(astuple(result), epoch, signatures)
        return device

    def report(self, job: int, gpu_seconds: int, status: int, index: int) -> None:
        """Settle a job by the committee's word."""
        receipts = pack([Receipt(job, gpu_seconds, status)])
        subject = index.to_bytes(32, "big")
        signatures = self.committee_signs(self.escrow, subject, 0, keccak(receipts))
        self.escrow.settle_batch(0, index, receipts, signatures)

    def lie(
        self, provider: int, device: bytes, number: int, epoch: int = 1
    ) -> tuple[Commit, tuple[Any, ...]]:
        """A signed commit with a false and then a true entry, and the proof of the false one."""
        known = provider, device, number, epoch
        if known not in self.lies:
            seed = keccak(number.to_bytes(32, "big"))
            row = row_elements(row_key(seed, Matrix.A, 0), Matrix.A, DIMS.k)
            columns = [row_elements(row_key(seed, Matrix.B, j), Matrix.B, DIMS.k) for j in (0, 1)]
            false, true = (
                fold(sum(a * b for a, b in zip(row, column, strict=True))) for column in columns
            )
            leaf = bytes([false ^ 1, true]) + bytes(DIMS.n - 2)
            roots = [leaf_hash(leaf)]
            commit = self.commit(provider, device, seed, chain_seeds(seed, roots)[-1], epoch)
            signature = self.sign(self.operators[provider - 1], commit, self.registry)
            self.lies[known] = commit, (astuple(commit), signature, roots, 0, 0, 0, leaf, [])
        commit, proof = self.lies[known]
        return commit, proof

    @staticmethod
    def commit(
        provider: int, device: bytes, seed: bytes, final_seed: bytes, epoch: int = 1
    ) -> Commit:
        return Commit(provider, device, epoch, seed, *astuple(DIMS), final_seed)


def open_market() -> Market:
    """Deploy and wire everything as the deploy script does, but for who pays rewards in."""
    evm = Evm()
    token = deploy_token(evm)
    world = populate(evm, token)
    policy = Policy()
    oracles = sorted((signer(f"oracle {i}") for i in range(3)), key=lambda k: int(k.address, 16))
    operators = [signer(f"operator {i}") for i in range(len(world.owners))]
    committee = deploy(
        evm,
        "OracleCommittee",
        token,
        [oracle.address for oracle in oracles],
        THRESHOLD,
        MIN_ORACLE_BOND,
        UNBONDING_PERIOD,
        HOUR,
        2_000,
        RULES_VERSION,
    )
    token.approve(committee, 2**256 - 1, sender=DEPLOYER)
    for oracle in oracles:
        committee.bond(oracle.address, MIN_ORACLE_BOND, sender=DEPLOYER)
    registry = deploy(evm, "DeviceRegistry", committee, world.staking, 30 * DAY, DAY, ROLE_DELAY)
    source = Path(__file__).parent / "contracts" / "reward_ledger.vy"
    ledger = evm.deploy(source, evm.timestamp, EPOCH_LENGTH, sender=DEPLOYER)
    clusters = deploy(evm, "ClusterRegistry", world.providers, ROLE_DELAY)
    bonds = deploy(evm, "ServiceBonds", world.staking, registry, clusters, committee, ROLE_DELAY)
    offers = deploy(evm, "OfferBook", world.providers, ROLE_DELAY)
    jobs = deploy(
        evm,
        "JobRegistry",
        world.providers,
        clusters,
        bonds,
        offers,
        JOB_TIMEOUT,
        ROLE_DELAY,
    )
    escrow = deploy(
        evm,
        "JobEscrow",
        token,
        world.providers,
        clusters,
        jobs,
        committee,
        ledger,
        "0x" + "00" * 20,
        DISPUTE_WINDOW,
        0,
        0,
        DEPLOYER,
        DEPLOYER,
        ROLE_DELAY,
    )
    distributor = deploy(
        evm,
        "RewardDistributor",
        token,
        ledger,
        Market.controller,
        world.staking,
        VESTING_PERIOD,
        IMMEDIATE_BPS,
        0,
        ROLE_DELAY,
    )
    court = deploy(
        evm,
        "SlashingCourt",
        token,
        world.staking,
        registry,
        jobs,
        distributor,
        deploy(evm, "MatmulVerifier"),
        committee,
        astuple(policy),
    )
    leaf_requests = deploy(
        evm,
        "LeafRequests",
        token,
        court,
        ledger,
        LEAF_BOND,
        LEAF_ANSWER_PERIOD,
        REQUEST_EPOCHS,
    )
    market = Market(
        **vars(world) | {"court": court, "escrow": escrow},
        committee=committee,
        registry=registry,
        bonds=bonds,
        jobs=jobs,
        distributor=distributor,
        ledger=ledger,
        leaf_requests=leaf_requests,
        operators=operators,
        oracles=oracles,
        policy=policy,
    )
    for contract, name, holder in (
        (world.staking, "SLASHER", court),
        (world.staking, "LOCKER", bonds),
        (court, "ARBITER", market.arbiter),
        (court, "REQUESTS", leaf_requests),
        (registry, "COURT", court),
        (jobs, "COURT", court),
        (distributor, "COURT", court),
        (bonds, "JOBS", jobs),
        (offers, "JOBS", jobs),
        (jobs, "ESCROW", escrow),
        (clusters, "ESCROW", escrow),
    ):
        contract.set_role(role(name), holder, sender=DEPLOYER)
    registry.add_class(1, 1, UNIT, sender=DEPLOYER)
    token.approve(escrow, 2**256 - 1, sender=DEPLOYER)
    escrow.list_asset(token, sender=DEPLOYER)
    for level in LEVELS[1:]:
        bonds.add_sla(*level, 0, 0, sender=DEPLOYER)
    for number, (owner, operator) in enumerate(zip(world.owners, operators, strict=True), start=1):
        world.providers.set_operator(number, operator.address, sender=owner)
        # an appeal takes a bond from whoever speaks for the provider
        token.transfer(operator.address, PURSE, sender=DEPLOYER)
    keys = [operator.address for operator in operators]
    for account in (*world.owners, *world.delegators, world.thief, *keys):
        for spender in (court, escrow, leaf_requests):
            token.approve(spender, 2**256 - 1, sender=account)
    return market
