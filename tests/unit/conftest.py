"""A whole market on titanoboa's in-memory chain, one fixture per contract and per actor.

Everything is deployed as the deploy script does it: real contracts, real wiring. Each test
runs inside a chain snapshot, so tests can't see each other.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import boa
import pytest
from boa.contracts.vyper.vyper_contract import StorageModel
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sha3 import keccak_256

from oracle.domain.messages import Domain, Message, Report
from tests.compiled import CONTRACTS, compiled

ROOT = Path(__file__).parents[2]
# On every revert boa prints the contract's storage for its error message. That costs more than
# the call, and fails on a map whose key is itself a hash that boa has seen.
StorageModel.dump = lambda _self: {}

DAY = 86_400
HOUR = 3_600
UNIT = 10**18

GENESIS_SUPPLY = 1_000_000 * UNIT
MAX_SUPPLY = 21_000_000 * UNIT
UNBONDING_PERIOD = 14 * DAY
LOCK_PERIOD = DAY
ROLE_DELAY = 15 * DAY
EPOCH_LENGTH = HOUR
DISPUTE_WINDOW = DAY
JOB_TIMEOUT = 2 * DAY
ATTESTATION_PERIOD = DAY
MIN_SELF_BOND = 100 * UNIT
MIN_DELEGATION = 1 * UNIT
MIN_ORACLE_BOND = 1_000 * UNIT
RULES_VERSION = 1
# of the split over subnets
BETA_BPS = 3_000
CAP_RATIO_BPS = 9_000
PARAMETER_EPOCHS = 24
# few enough to be taken one by one; stake thaws for longer
VOTE_EPOCHS = 8
# floor in base units, factor in bps, seconds back to the floor
SUBNET_PRICE = (100 * UNIT, 20_000, 14 * DAY)
UID_PRICE = (UNIT, 11_000, DAY)
# of requests for leaves
LEAF_BOND = 10 * UNIT
LEAF_ANSWER_PERIOD = 12 * HOUR
REQUEST_EPOCHS = 24


@dataclass(frozen=True)
class Policy:
    """What the court is deployed with: the struct of ISlashingCourt, in its order."""

    false_attestation_bps: int = 5_000
    missed_challenge_bps: int = 100
    downtime_bps: int = 500
    fraud_bps: int = 3_000
    max_penalty_bps: int = 9_000
    daily_cap_bps: int = 7_500
    correlation_multiplier: int = 3
    reporter_bps: int = 1_000
    jail_seconds: int = 30 * DAY
    accusation_bond: int = 100 * UNIT
    appeal_bond: int = 200 * UNIT
    answer_period: int = 2 * DAY
    verdict_period: int = 3 * DAY
    appeal_period: int = 2 * DAY
    arbiter_period: int = 5 * DAY


def role(name: str) -> bytes:
    """The id of a role: keccak256 of its name."""
    return keccak_256(name.encode()).digest()


def check_takeover(contract: Any, name: bytes, successor: str) -> None:
    """A role that is held passes on after the delay and not before, whoever applies it, once."""
    holder = contract.role_holder(name)
    with boa.reverts("roles: nothing scheduled"):
        contract.apply_role(name)
    contract.set_role(name, successor)
    assert contract.pending_role(name) == (successor, boa.env.timestamp + ROLE_DELAY)
    boa.env.time_travel(seconds=ROLE_DELAY - 1)
    with boa.reverts("roles: change not ready"):
        contract.apply_role(name, sender=successor)
    assert contract.role_holder(name) == holder
    boa.env.time_travel(seconds=1)
    contract.apply_role(name, sender=successor)
    assert contract.role_holder(name) == successor
    with boa.reverts("roles: nothing scheduled"):
        contract.apply_role(name)


def load(name: str, *args: Any, **kwargs: Any) -> Any:
    """Deploy contracts/<name>.vy."""
    return compiled(CONTRACTS / f"{name}.vy").deploy(*args, **kwargs)


def sign(key: LocalAccount, message: Message, domain: Domain) -> bytes:
    """Sign a message as its signer's client does: r, s, v."""
    return bytes(key.unsafe_sign_hash(message.digest(domain)).signature)


@pytest.fixture(scope="session", autouse=True)
def _contracts_first(
    token: Any,
    committee: Any,
    providers: Any,
    staking: Any,
    registry: Any,
    clusters: Any,
    bonds: Any,
    offers: Any,
    jobs: Any,
    prices: Any,
    compute_credits: Any,
    escrow: Any,
    controller: Any,
    ledger: Any,
    distributor: Any,
    subnets: Any,
    votes: Any,
    meter: Any,
    verifier: Any,
    court: Any,
    leaf_requests: Any,
) -> None:
    """All contracts, before any test: one that a test asks for by name in its middle would be
    gone with that test, and still be handed to the next one."""


@pytest.fixture(scope="module", autouse=True)
def _session_first(request: pytest.FixtureRequest) -> None:
    """What lives for the session and is asked for in this file, before what lives for the file.

    Boa undoes fixtures in the reverse order of their making: what a file's fixture has done would
    stay on the chain for as long as any later fixture lives.
    """
    for item in request.session.items:
        if item.path == request.path:
            for name, fixtures in item._fixtureinfo.name2fixturedefs.items():
                if fixtures[-1].scope == "session":
                    request.getfixturevalue(name)


@pytest.fixture(autouse=True)
def _isolated():
    with boa.env.anchor():
        yield


# --- actors -------------------------------------------------------------------------------


def _actor(name: str) -> LocalAccount:
    account = Account.from_key(keccak_256(name.encode()).digest())
    boa.env.set_balance(account.address, 10**21)
    return account


@pytest.fixture(scope="session")
def deployer() -> str:
    """Owner of every contract until the hand-over."""
    return str(boa.env.eoa)


@pytest.fixture(scope="session")
def provider_owner() -> LocalAccount:
    return _actor("provider owner")


@pytest.fixture(scope="session")
def operator() -> LocalAccount:
    return _actor("provider operator key")


@pytest.fixture(scope="session")
def payout() -> str:
    return str(_actor("provider payout").address)


@pytest.fixture(scope="session")
def delegator() -> LocalAccount:
    return _actor("delegator")


@pytest.fixture(scope="session")
def customer() -> LocalAccount:
    return _actor("customer")


@pytest.fixture(scope="session")
def watcher() -> LocalAccount:
    return _actor("watcher")


@pytest.fixture(scope="session")
def arbiter() -> LocalAccount:
    return _actor("arbiter")


@pytest.fixture(scope="session")
def guardian() -> str:
    return str(_actor("guardian").address)


@pytest.fixture(scope="session")
def treasury() -> str:
    return str(_actor("treasury").address)


@pytest.fixture(scope="session")
def stranger() -> str:
    return str(_actor("stranger").address)


@pytest.fixture(scope="session")
def oracles() -> list[LocalAccount]:
    """Seven committee members in ascending order of address."""
    return sorted((_actor(f"oracle {i}") for i in range(7)), key=lambda a: int(a.address, 16))


# --- contracts ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def token(deployer: str) -> Any:
    return load(
        "WorkToken",
        "Clearwork",
        "WORK",
        MAX_SUPPLY,
        [(deployer, GENESIS_SUPPLY)],
        ROLE_DELAY,
    )


@pytest.fixture(scope="session")
def committee(token: Any, oracles: list[LocalAccount], deployer: str) -> Any:
    committee = load(
        "OracleCommittee",
        token,
        [o.address for o in oracles],
        5,
        MIN_ORACLE_BOND,
        UNBONDING_PERIOD,
        HOUR,
        2_000,
        RULES_VERSION,
    )
    token.approve(committee, 2**256 - 1)
    for oracle in oracles:
        committee.bond(oracle.address, MIN_ORACLE_BOND)
    return committee


@pytest.fixture(scope="session")
def providers() -> Any:
    return load("ProviderRegistry", UNBONDING_PERIOD)


@pytest.fixture(scope="session")
def genesis() -> int:
    """Chain time at which epoch 0 starts."""
    return int(boa.env.evm.patch.timestamp)


@pytest.fixture(scope="session")
def staking(providers: Any, token: Any, genesis: int) -> Any:
    return load(
        "ProviderStaking",
        providers,
        token,
        genesis,
        EPOCH_LENGTH,
        UNBONDING_PERIOD,
        LOCK_PERIOD,
        MIN_SELF_BOND,
        MIN_DELEGATION,
        ROLE_DELAY,
    )


@pytest.fixture(scope="session")
def registry(committee: Any, staking: Any) -> Any:
    return load("DeviceRegistry", committee, staking, ATTESTATION_PERIOD, DAY, ROLE_DELAY)


@pytest.fixture(scope="session")
def controller(token: Any, genesis: int) -> Any:
    return load(
        "EmissionsController",
        token,
        genesis,
        EPOCH_LENGTH,
        UNIT // 2,
        12,
        BETA_BPS,
        CAP_RATIO_BPS,
        ROLE_DELAY,
    )


@pytest.fixture(scope="session")
def ledger(committee: Any, controller: Any, guardian: str) -> Any:
    return load("EpochLedger", committee, controller, EPOCH_LENGTH, guardian)


@pytest.fixture(scope="session")
def clusters(providers: Any) -> Any:
    return load("ClusterRegistry", providers, ROLE_DELAY)


@pytest.fixture(scope="session")
def bonds(staking: Any, registry: Any, clusters: Any, committee: Any) -> Any:
    return load("ServiceBonds", staking, registry, clusters, committee, ROLE_DELAY)


@pytest.fixture(scope="session")
def offers(providers: Any) -> Any:
    return load("OfferBook", providers, ROLE_DELAY)


@pytest.fixture(scope="session")
def jobs(providers: Any, clusters: Any, bonds: Any, offers: Any) -> Any:
    return load("JobRegistry", providers, clusters, bonds, offers, JOB_TIMEOUT, ROLE_DELAY)


@pytest.fixture(scope="session")
def prices(token: Any, guardian: str) -> Any:
    return load("Prices", token, guardian, ROLE_DELAY)


@pytest.fixture(scope="session")
def compute_credits(token: Any, prices: Any, controller: Any) -> Any:
    return load("ComputeCredits", token, prices, controller, ROLE_DELAY)


@pytest.fixture(scope="session")
def escrow(
    token: Any,
    providers: Any,
    clusters: Any,
    jobs: Any,
    committee: Any,
    ledger: Any,
    compute_credits: Any,
    treasury: str,
    guardian: str,
) -> Any:
    return load(
        "JobEscrow",
        token,
        providers,
        clusters,
        jobs,
        committee,
        ledger,
        compute_credits,
        DISPUTE_WINDOW,
        300,  # fee, bps
        5_000,  # of it burnt, bps
        treasury,
        guardian,
        ROLE_DELAY,
    )


@pytest.fixture(scope="session")
def distributor(token: Any, ledger: Any, controller: Any, staking: Any) -> Any:
    return load(
        "RewardDistributor", token, ledger, controller, staking, 180 * DAY, 2_500, 0, ROLE_DELAY
    )


@pytest.fixture(scope="session")
def subnets(staking: Any, ledger: Any) -> Any:
    return load("SubnetRegistry", staking, ledger, PARAMETER_EPOCHS, SUBNET_PRICE, UID_PRICE)


@pytest.fixture(scope="session")
def votes(staking: Any, subnets: Any) -> Any:
    return load("SubnetVotes", staking, subnets, VOTE_EPOCHS, ROLE_DELAY)


@pytest.fixture(scope="session")
def meter(escrow: Any) -> Any:
    return load("FeeMeter", escrow, ROLE_DELAY)


@pytest.fixture(scope="session")
def verifier() -> Any:
    return load("MatmulVerifier")


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy()


@pytest.fixture(scope="session")
def court(
    token: Any,
    staking: Any,
    registry: Any,
    jobs: Any,
    distributor: Any,
    verifier: Any,
    committee: Any,
    policy: Policy,
    arbiter: LocalAccount,
) -> Any:
    court = load(
        "SlashingCourt",
        token,
        staking,
        registry,
        jobs,
        distributor,
        verifier,
        committee,
        astuple(policy),
    )
    court.set_role(role("ARBITER"), arbiter.address)
    return court


@pytest.fixture(scope="session")
def leaf_requests(token: Any, court: Any, ledger: Any) -> Any:
    leaf_requests = load(
        "LeafRequests", token, court, ledger, LEAF_BOND, LEAF_ANSWER_PERIOD, REQUEST_EPOCHS
    )
    court.set_role(role("REQUESTS"), leaf_requests)
    return leaf_requests


def wire(
    token: Any,
    staking: Any,
    registry: Any,
    clusters: Any,
    bonds: Any,
    offers: Any,
    jobs: Any,
    escrow: Any,
    controller: Any,
    ledger: Any,
    distributor: Any,
    court: Any,
) -> None:
    """Give every contract the roles that the deploy script gives it, but for `wire_split`."""
    token.set_role(role("MINTER"), controller)
    staking.set_role(role("SLASHER"), court)
    staking.set_role(role("LOCKER"), bonds)
    registry.set_role(role("COURT"), court)
    clusters.set_role(role("ESCROW"), escrow)
    bonds.set_role(role("JOBS"), jobs)
    offers.set_role(role("JOBS"), jobs)
    jobs.set_role(role("ESCROW"), escrow)
    jobs.set_role(role("COURT"), court)
    distributor.set_role(role("COURT"), court)
    controller.set_role(role("DISTRIBUTOR"), distributor)
    controller.set_role(role("LEDGER"), ledger)


def wire_split(controller: Any, subnets: Any, votes: Any, meter: Any) -> None:
    """Have budgets split over subnets, as the deploy script does."""
    controller.set_role(role("VOTES"), votes)
    controller.set_role(role("FEES"), meter)
    controller.set_role(role("SUBNETS"), subnets)
    votes.set_role(role("CONTROLLER"), controller)
    meter.set_role(role("CONTROLLER"), controller)


@pytest.fixture
def market(
    token: Any,
    staking: Any,
    registry: Any,
    clusters: Any,
    bonds: Any,
    offers: Any,
    jobs: Any,
    escrow: Any,
    controller: Any,
    ledger: Any,
    distributor: Any,
    court: Any,
) -> None:
    """All contracts, wired to each other for one test: other tests fill the roles themselves."""
    wire(
        token,
        staking,
        registry,
        clusters,
        bonds,
        offers,
        jobs,
        escrow,
        controller,
        ledger,
        distributor,
        court,
    )


# --- helpers as fixtures --------------------------------------------------------------------


@pytest.fixture
def refused(state: Callable[[], Any]) -> Callable[[str], AbstractContextManager[None]]:
    """Expect a revert with this reason that changes nothing of a folder's `state`."""

    @contextmanager
    def _refused(reason: str) -> Iterator[None]:
        before = state()
        with boa.reverts(reason):
            yield
        assert state() == before

    return _refused


@pytest.fixture(scope="session")
def domain_of():
    """The EIP-712 domain of a contract on the test chain."""

    def _domain_of(contract: Any) -> Domain:
        return Domain(boa.env.evm.patch.chain_id, str(contract.address))

    return _domain_of


@pytest.fixture(scope="session")
def committee_signs(committee: Any, oracles: list[LocalAccount], domain_of: Any):
    """Signatures of the first `threshold` oracles over a report, ascending, joined."""

    def _sign(
        consumer: Any,
        subject: bytes,
        epoch: int,
        payload: bytes,
        signers: list[LocalAccount] | None = None,
    ) -> bytes:
        report = Report(committee.config_digest(), str(consumer.address), subject, epoch, payload)
        chosen = oracles[:5] if signers is None else signers
        return b"".join(sign(o, report, domain_of(committee)) for o in chosen)

    return _sign
