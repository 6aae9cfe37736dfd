"""A provider with stake, devices and jobs; commits of it that are true, and false ones."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from oracle.domain.attestation.chain import (
    Matrix,
    chain_seeds,
    device_id,
    row_elements,
    row_key,
)
from oracle.domain.attestation.commitment import fold, leaf_hash, node_hash
from oracle.domain.hashing import keccak
from oracle.domain.messages import Commit, Domain, EpochReport, Result, Verdict
from tests.unit.conftest import HOUR, RULES_VERSION, UNIT, Policy, sign

SELF_BOND = 1_000 * UNIT
DELEGATED = 500 * UNIT
SLASHABLE = SELF_BOND + DELEGATED
COLLATERAL = 100 * UNIT
COMPENSATION = 50 * UNIT
DEPOSIT = 240 * UNIT
CLASS = 1
EPOCH = 1

M, N, K, ROUNDS = 16, 32, 64, 3
SEED = keccak(b"first seed")
# kinds of cases
FALSE_ATTESTATION, EQUIVOCATION, MISSED_CHALLENGE, DOWNTIME, FRAUD = range(1, 6)
# stages of an accusation
OPEN, RULED, APPEALED, DECIDED, CLOSED = range(1, 6)
EVIDENCE = keccak(b"evidence")
# the entry that every false chain gets wrong
ROUND, ROW, COLUMN = 1, 9, 21


# --- commits ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """What a prover keeps of all rounds: folded entries, row-major."""

    folded: tuple[bytes, ...]

    def tree(self, round_index: int) -> list[list[bytes]]:
        entries = self.folded[round_index]
        level = [leaf_hash(entries[at : at + 128]) for at in range(0, len(entries), 128)]
        levels = [level]
        while len(level) > 1:
            level = [node_hash(*level[at : at + 2]) for at in range(0, len(level), 2)]
            levels.append(level)
        return levels

    @property
    def roots(self) -> list[bytes]:
        return [self.tree(round_index)[-1][0] for round_index in range(len(self.folded))]

    def leaf(self, round_index: int, index: int) -> bytes:
        return self.folded[round_index][128 * index : 128 * (index + 1)]

    def path(self, round_index: int, index: int) -> list[bytes]:
        return [
            level[(index >> depth) ^ 1] for depth, level in enumerate(self.tree(round_index)[:-1])
        ]


@cache
def _columns() -> list[list[int]]:
    return [row_elements(row_key(SEED, Matrix.B, j), Matrix.B, K) for j in range(N)]


def _true_round(seed: bytes) -> bytes:
    rows = [row_elements(row_key(seed, Matrix.A, i), Matrix.A, K) for i in range(M)]
    return bytes(
        fold(sum(a * b for a, b in zip(row, column, strict=True)))
        for row in rows
        for column in _columns()
    )


@cache
def compute_chain(false_round: int | None, row: int, column: int, difference: int) -> Chain:
    """All rounds, computed honestly but for one byte of one round."""
    seed, folded = SEED, ()
    for round_index in range(ROUNDS):
        entries = bytearray(_true_round(seed))
        if round_index == false_round:
            entries[row * N + column] ^= difference
        folded = (*folded, bytes(entries))
        seed = chain_seeds(SEED, Chain(folded).roots)[-1]
    return Chain(folded)


def values(struct: Any) -> tuple[Any, ...]:
    """A dataclass as the ABI tuple of its struct."""
    return tuple(getattr(struct, field.name) for field in fields(struct))


@dataclass(frozen=True)
class Proof:
    """The struct of ISlashingCourt."""

    commit: Commit
    signature: bytes
    roots: Sequence[bytes]
    round_index: int
    i: int
    j: int
    leaf: bytes
    path: Sequence[bytes]

    def but(self, **changes: Any) -> "Proof":
        return replace(self, **changes)

    @property
    def struct(self) -> tuple[Any, ...]:
        _, *rest = values(self)
        return (values(self.commit), *rest)


@pytest.fixture
def true_chain() -> Chain:
    return compute_chain(None, 0, 0, 0)


@pytest.fixture
def false_chain() -> Chain:
    return compute_chain(ROUND, ROW, COLUMN, 1)


@pytest.fixture
def registry_domain(registry: Any, domain_of: Callable[[Any], Domain]) -> Domain:
    return domain_of(registry)


@pytest.fixture
def prove(
    provider: int, device: bytes, operator: LocalAccount, registry_domain: Domain
) -> Callable[..., Proof]:
    """The proof that opens one entry of a chain under a commit signed by `signer`."""

    def _prove(
        chain: Chain,
        round_index: int = ROUND,
        i: int = ROW,
        j: int = COLUMN,
        signer: LocalAccount = operator,
        domain: Domain = registry_domain,
        **changes: Any,
    ) -> Proof:
        final_seed = chain_seeds(SEED, chain.roots)[-1]
        commit = Commit(provider, device, EPOCH, SEED, M, N, K, ROUNDS, final_seed)
        commit = replace(commit, **changes)
        index = (i * N + j) // 128
        return Proof(
            commit,
            sign(signer, commit, domain),
            chain.roots,
            round_index,
            i,
            j,
            chain.leaf(round_index, index),
            chain.path(round_index, index),
        )

    return _prove


@pytest.fixture
def proof(prove: Callable[..., Proof], false_chain: Chain) -> Proof:
    """Convicts the provider."""
    return prove(false_chain)


@pytest.fixture
def case_id(proof: Proof, registry_domain: Domain) -> bytes:
    return proof.commit.digest(registry_domain)


# --- the market ---------------------------------------------------------------------------


@pytest.fixture
def reporter(watcher: LocalAccount) -> str:
    return str(watcher.address)


@pytest.fixture
def victim(customer: LocalAccount) -> str:
    return str(customer.address)


@pytest.fixture
def register(
    providers: Any, market: None, token: Any, staking: Any, payout: str
) -> Callable[[LocalAccount, str, int], int]:
    """Make somebody a provider with self-bond."""

    def _register(owner: LocalAccount, operator: str, max_reporter_bps: int = 5_000) -> int:
        token.transfer(owner.address, SELF_BOND)
        with boa.env.prank(owner.address):
            provider = providers.register(
                operator, payout, 1_000, 500, max_reporter_bps, "https://gpu.example"
            )
            token.approve(staking, 2**256 - 1)
            staking.stake(provider, SELF_BOND)
        return int(provider)

    return _register


@pytest.fixture
def provider(
    register: Callable[..., int],
    token: Any,
    staking: Any,
    provider_owner: LocalAccount,
    operator: LocalAccount,
    delegator: LocalAccount,
) -> int:
    """Signed for reporters: half of a slash."""
    provider = register(provider_owner, operator.address)
    token.transfer(delegator.address, DELEGATED)
    with boa.env.prank(delegator.address):
        token.approve(staking, DELEGATED)
        staking.delegate(provider, DELEGATED, 0)
    return provider


@pytest.fixture
def other_provider(register: Callable[..., int], oracles: list[LocalAccount]) -> int:
    """Somebody else, whose owner and operator is a key that has no other part here."""
    return register(oracles[0], oracles[1].address)


@pytest.fixture
def device_class(registry: Any) -> int:
    return int(registry.add_class(1_000, 1_000, UNIT))


@pytest.fixture
def enter(
    registry: Any, device_class: int, committee_signs: Callable[..., bytes]
) -> Callable[[int, bytes], bytes]:
    """Enter a device of a provider with the committee's word; returns its id."""

    def _enter(provider: int, identity: bytes) -> bytes:
        device = device_id(identity, provider)
        result = Result(
            provider, device, identity, device_class, 2_000, 2_000, 10, b"\1" * 32, b"\2" * 32,
            bytes(32),
        )  # fmt: skip
        signatures = committee_signs(registry, device, EPOCH, result.struct_hash())
        registry.record(values(result), EPOCH, signatures)
        return device

    return _enter


@pytest.fixture
def device(provider: int, enter: Callable[[int, bytes], bytes]) -> bytes:
    """The device of the commits; the provider has two more."""
    enter(provider, keccak(b"second card"))
    enter(provider, keccak(b"third card"))
    return enter(provider, keccak(b"first card"))


@pytest.fixture
def open_job(
    device: bytes,
    provider: int,
    token: Any,
    escrow: Any,
    bonds: Any,
    jobs: Any,
    device_class: int,
    customer: LocalAccount,
    operator: LocalAccount,
) -> Callable[..., int]:
    """A job of the customer that the provider has accepted."""
    token.approve(escrow, 2**256 - 1)
    escrow.list_asset(token)

    def _open_job(
        collateral: int = COLLATERAL, compensation_bps: int = 5_000, accept: bool = True
    ) -> int:
        sla = bonds.add_sla(collateral, compensation_bps, 0, 0)
        token.transfer(customer.address, DEPOSIT)
        with boa.env.prank(customer.address):
            token.approve(escrow, DEPOSIT)
            job = escrow.open_job(
                provider, token, 1, device_class, UNIT, DEPOSIT, sla, keccak(b"terms")
            )
        if accept:
            jobs.accept(job, sender=operator.address)
        return int(job)

    return _open_job


@pytest.fixture
def job(open_job: Callable[..., int]) -> int:
    return open_job()


@pytest.fixture
def vesting(
    provider: int,
    controller: Any,
    ledger: Any,
    distributor: Any,
    domain_of: Callable[[Any], Domain],
    committee_signs: Callable[..., bytes],
) -> int:
    """Base units of emission that the provider has claimed and that vest."""
    boa.env.time_travel(seconds=HOUR)
    controller.press(1)
    cumulative = controller.cumulative_budget(0)
    leaf = distributor.leaf(1, provider.to_bytes(32, "big"), cumulative)
    nothing = bytes(32)
    report = EpochReport(0, 0, nothing, leaf, nothing, nothing, cumulative, nothing, RULES_VERSION)
    signatures = committee_signs(ledger, nothing, 0, report.struct_hash())
    ledger.post_epoch(values(report), signatures)
    boa.env.time_travel(seconds=HOUR)
    distributor.claim(1, provider.to_bytes(32, "big"), cumulative, [])
    unvested = int(distributor.unvested(provider))
    assert unvested != 0
    return unvested


# --- accusations --------------------------------------------------------------------------


def only_log(contract: Any, name: str) -> Any:
    """The one event of this name that the last call logged."""
    (event,) = [log for log in contract.get_logs() if type(log).__name__ == name]
    return event


@dataclass
class Docket:
    """Takes cases through the court; remembers them, so that all bonds can be added up."""

    court: Any
    token: Any
    policy: Policy
    provider: int
    accuser: str
    signs: Callable[..., bytes]
    filed: list[bytes] = field(default_factory=list)
    # the event of the last step
    log: Any = None

    def accuse(
        self,
        kind: int = FRAUD,
        job: int = 0,
        evidence: bytes = EVIDENCE,
        accuser: str | None = None,
        provider: int | None = None,
    ) -> bytes:
        sender = accuser or self.accuser
        self.fund(sender, self.policy.accusation_bond)
        whom = self.provider if provider is None else provider
        case = bytes(self.court.accuse(whom, kind, job, evidence, sender=sender))
        self.log = only_log(self.court, "Accused")
        self.filed.append(case)
        self.check_bonds()
        return case

    def fund(self, account: str, bond: int) -> None:
        """Give an account what a bond costs, and let the court pull it."""
        self.token.transfer(account, bond)
        self.token.approve(self.court, bond, sender=account)

    def signatures(self, case: bytes, guilty: bool = True, loss: int = 0, **changes: Any) -> bytes:
        payload = Verdict(case, guilty, loss).struct_hash()
        return self.signs(self.court, case, 0, payload, **changes)

    def rule(self, case: bytes, guilty: bool = True, loss: int = 0) -> None:
        """The verdict of the committee, as soon as the provider can't answer any more."""
        self.wait_until_deadline(case)
        self.court.rule(case, guilty, loss, self.signatures(case, guilty, loss))
        self.log = only_log(self.court, "Ruled")
        self.check_bonds()

    def appeal(self, case: bytes, appellant: str) -> None:
        self.fund(appellant, self.policy.appeal_bond)
        self.court.appeal(case, sender=appellant)
        self.log = only_log(self.court, "Appealed")
        self.check_bonds()

    def wait_until_deadline(self, case: bytes, beyond: int = 0) -> None:
        """Let time pass until a case's present period, and `beyond`, are over."""
        left = self.court.accusations(case).deadline + beyond - boa.env.evm.patch.timestamp
        if left > 0:
            boa.env.time_travel(seconds=left)

    def convicted(self, kind: int = FRAUD, job: int = 0, loss: int = 0, **changes: Any) -> bytes:
        """A case that is ready to be executed against the provider."""
        case = self.accuse(kind, job, **changes)
        self.rule(case, True, loss)
        self.wait_until_deadline(case)
        return case

    def stage(self, case: bytes) -> int:
        return int(self.court.accusations(case).stage)

    def check_bonds(self) -> None:
        """The court holds the bonds of open cases, and nothing else."""
        stages = [self.stage(case) for case in self.filed]
        accusations = sum(stage != CLOSED for stage in stages) * self.policy.accusation_bond
        appeals = stages.count(APPEALED) * self.policy.appeal_bond
        assert self.token.balanceOf(self.court) == accusations + appeals


@pytest.fixture
def docket(
    market: None,
    court: Any,
    token: Any,
    policy: Policy,
    provider: int,
    reporter: str,
    committee_signs: Callable[..., bytes],
) -> Docket:
    return Docket(court, token, policy, provider, reporter, committee_signs)


# --- what a call changed ------------------------------------------------------------------


@pytest.fixture
def holders(
    provider_owner: LocalAccount,
    payout: str,
    delegator: LocalAccount,
    victim: str,
    reporter: str,
    operator: LocalAccount,
    treasury: str,
    deployer: str,
    committee: Any,
    staking: Any,
    escrow: Any,
    distributor: Any,
    controller: Any,
    court: Any,
) -> list[Any]:
    """Every account that has tokens."""
    return [
        provider_owner.address, operator.address, payout, delegator.address, victim, reporter,
        treasury, deployer, committee, staking, escrow, distributor, controller, court,
    ]  # fmt: skip


@pytest.fixture
def state(
    providers: Any,
    token: Any,
    staking: Any,
    registry: Any,
    escrow: Any,
    jobs: Any,
    distributor: Any,
    court: Any,
    holders: list[Any],
    provider: int,
    device: bytes,
    case_id: bytes,
    docket: Docket,
) -> Callable[[], tuple[Any, ...]]:
    """Everything a conviction could change, as one comparable value."""

    def _state() -> tuple[Any, ...]:
        return (
            token.totalSupply(),
            [token.balanceOf(holder) for holder in holders],
            [
                (providers.provider_info(p), staking.self_bond(p), staking.delegation_pool(p))
                for p in range(1, providers.provider_count() + 1)
            ],
            [registry.capacity(provider, CLASS), registry.device_info(device)],
            [jobs.job_info(j) for j in range(1, escrow.job_count() + 1)],
            distributor.unvested(provider),
            court.cases(case_id),
            [court.accusations(case) for case in docket.filed],
            [staking.held_by_cases(p) for p in range(1, providers.provider_count() + 1)],
            [court.penalty_day(provider), court.convicted_stake()],
        )

    return _state


@pytest.fixture
def conserved(
    token: Any, holders: list[Any], docket: Docket
) -> Callable[[], AbstractContextManager[None]]:
    """All tokens are somebody's, what is missing after was burnt, and the court keeps bonds."""

    @contextmanager
    def _conserved() -> Iterator[None]:
        assert sum(token.balanceOf(holder) for holder in holders) == token.totalSupply()
        yield
        assert sum(token.balanceOf(holder) for holder in holders) == token.totalSupply()
        docket.check_bonds()

    return _conserved
