"""The provider and the commits of the court's tests, and people who ask for leaves of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from oracle.domain.messages import Domain
from tests.unit.conftest import HOUR, LEAF_BOND
from tests.unit.slashing_court.conftest import *  # noqa: F403 - fixtures
from tests.unit.slashing_court.conftest import Chain, N, Proof, only_log, values
from tests.unit.slashing_court.conftest import holders as court_holders  # noqa: F401 - a fixture
from tests.unit.slashing_court.conftest import state as court_state  # noqa: F401 - a fixture

OPEN, SHOWN, EXECUTED = range(1, 4)
WITHHELD_OPENING = 6
NO_REQUEST = ("0x" + "00" * 20, 0, 0, 0, 0, 0)
PURSE = 3_000 * LEAF_BOND


def leaf_index(proof: Proof) -> int:
    """Number of the leaf that holds a proof's entry."""
    return (proof.i * N + proof.j) // 128


@dataclass
class Desk:
    """Asks for leaves, shows them, executes; remembers the requests, so that bonds add up."""

    contract: Any
    token: Any
    domain: Domain
    requester: str
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    # the event of the last step
    log: Any = None

    def digest(self, proof: Proof) -> bytes:
        return proof.commit.digest(self.domain)

    def place(self, proof: Proof) -> tuple[Any, ...]:
        """How a request for the leaf of a proof is named."""
        root = proof.roots[proof.round_index]
        return self.digest(proof), proof.round_index, leaf_index(proof), root

    def terms(self, proof: Proof, max_bond: int = PURSE) -> tuple[Any, ...]:
        """Arguments of `request_open`."""
        leaf = proof.round_index, leaf_index(proof)
        return values(proof.commit), proof.signature, proof.roots, *leaf, max_bond

    def ask(self, proof: Proof, sender: str | None = None, **changes: Any) -> bytes:
        id_ = self.contract.request_open(
            *self.terms(proof, **changes), sender=sender or self.requester
        )
        self.log = only_log(self.contract, "LeafRequested")
        self.asked.append(self.place(proof))
        self.check_bonds()
        return bytes(id_)

    def answer(self, proof: Proof, sender: str | None = None) -> None:
        self.contract.answer(
            *self.place(proof), proof.leaf, proof.path, sender=sender or self.requester
        )
        self.log = only_log(self.contract, "LeafShown")
        self.check_bonds()

    def execute(self, proof: Proof, sender: str | None = None, job: int = 0) -> None:
        self.contract.execute(*self.sentence(proof, job), sender=sender or self.requester)
        self.log = only_log(self.contract, "RequestExecuted")
        self.check_bonds()

    def sentence(self, proof: Proof, job: int = 0) -> tuple[Any, ...]:
        """Arguments of `execute`."""
        _, *leaf = self.place(proof)
        return values(proof.commit), proof.signature, *leaf, job

    def take_back(self, proof: Proof, sender: str | None = None) -> None:
        self.contract.take_back(*self.place(proof), sender=sender or self.requester)
        self.log = only_log(self.contract, "BondTakenBack")
        self.check_bonds()

    def request(self, proof: Proof) -> Any:
        return self.contract.requests(*self.place(proof))

    def wait(self, proof: Proof, beyond: int = 0) -> None:
        """Let time pass until a request's deadline, and `beyond`."""
        left = self.request(proof).deadline + beyond - boa.env.evm.patch.timestamp
        boa.env.time_travel(seconds=left)

    def check_bonds(self) -> None:
        """The contract holds the bonds of open requests, and nothing else."""
        held = [self.contract.requests(*place).bonds for place in self.asked]
        assert self.token.balanceOf(self.contract) == sum(held) * LEAF_BOND


@pytest.fixture(autouse=True)
def _first_epoch_over(market: None) -> None:
    """The commits of these tests are of the epoch that runs."""
    boa.env.time_travel(seconds=HOUR)


@pytest.fixture
def purse(token: Any, leaf_requests: Any) -> Callable[[str], str]:
    """Give somebody tokens that it lets the contract pull."""

    def _purse(account: str) -> str:
        token.transfer(account, PURSE)
        token.approve(leaf_requests, PURSE, sender=account)
        return account

    return _purse


@pytest.fixture
def holders(court_holders: list[Any], leaf_requests: Any) -> list[Any]:  # noqa: F811
    """Every account that has tokens."""
    return [*court_holders, leaf_requests]


@pytest.fixture
def desk(
    leaf_requests: Any,
    token: Any,
    registry_domain: Domain,
    reporter: str,
    purse: Callable[[str], str],
) -> Desk:
    return Desk(leaf_requests, token, registry_domain, purse(reporter))


@pytest.fixture
def honest(prove: Callable[..., Proof], true_chain: Chain) -> Proof:
    """A leaf of a commit that is true throughout."""
    return prove(true_chain)


@pytest.fixture
def leaves(prove: Callable[..., Proof], true_chain: Chain) -> Callable[..., list[Proof]]:
    """All twelve leaves of a true commit."""

    def _leaves(**changes: Any) -> list[Proof]:
        rows = 128 // N
        return [
            prove(true_chain, round_index, rows * leaf, 0, **changes)
            for round_index in range(3)
            for leaf in range(4)
        ]

    return _leaves


@pytest.fixture
def rival(purse: Callable[[str], str], delegator: LocalAccount) -> str:
    """Another requester."""
    return purse(str(delegator.address))


@pytest.fixture
def state(
    court_state: Callable[[], tuple[Any, ...]],  # noqa: F811
    leaf_requests: Any,
    token: Any,
    provider: int,
    desk: Desk,
    honest: Proof,
    proof: Proof,
    court: Any,
) -> Callable[[], tuple[Any, ...]]:
    """Everything that a call could change, as one comparable value."""

    def _state() -> tuple[Any, ...]:
        return (
            court_state(),
            token.balanceOf(leaf_requests),
            leaf_requests.open_requests(provider),
            [desk.request(each) for each in (honest, proof)],
            [leaf_requests.requests(*place) for place in desk.asked],
            [court.cases(place[0]) for place in desk.asked],
        )

    return _state
