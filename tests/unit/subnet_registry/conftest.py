"""The fixtures of tests/unit/subnets.py, and what must not change when something is refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boa
import pytest
from eth_abi import encode

from oracle.domain.hashing import keccak
from oracle.domain.leaves import Leaf, LeafKind
from oracle.domain.merkle import MerkleTree
from tests.unit.reward_market import RewardMarket
from tests.unit.subnets import *  # noqa: F403 - fixtures


@dataclass
class Outcomes(RewardMarket):
    """Epoch reports whose leaves are what consensus made of subnets."""

    subnets: Any = None
    # hash of the leaf of each outcome, by its arguments
    hashes: dict[tuple[Any, ...], bytes] = field(default_factory=dict)

    def publish(self, *outcomes: tuple[int, int, int, list[int]]) -> None:
        """End an epoch with a report on (subnet, epoch, withheld bps, leaving), and activate it."""
        self.end_epochs()
        self.post(list(outcomes), total=0)  # type: ignore[arg-type]
        self.activate()

    def adopt(self, outcome: tuple[int, int, int, list[int]]) -> None:
        """Have the registry take over a published outcome."""
        self.subnets.adopt_outcome(*outcome, self.tree.proof(self._hash(outcome)))

    def _hash(self, outcome: tuple[int, int, int, list[int]]) -> bytes:
        subnet, epoch, withheld, leaving = outcome
        content = keccak(encode(["uint64", "uint16", "uint16[]"], [epoch, withheld, leaving]))
        leaf = Leaf(LeafKind.SUBNET, subnet.to_bytes(32, "big"), int.from_bytes(content))
        return leaf.hash(boa.env.evm.patch.chain_id, str(self.subnets.address))

    def _tree(self, leaves: Any) -> MerkleTree:
        return MerkleTree([self._hash(outcome) for outcome in leaves])


@pytest.fixture
def outcomes(
    market: None,
    token: Any,
    controller: Any,
    ledger: Any,
    distributor: Any,
    committee_signs: Any,
    subnets: Any,
) -> Outcomes:
    return Outcomes(token, controller, ledger, distributor, committee_signs, subnets=subnets)


@pytest.fixture
def state(subnets: Any, token: Any) -> Callable[[], Any]:
    def _state() -> Any:
        count = subnets.subnet_count()
        return (
            token.totalSupply(),
            count,
            subnets.subnet_price(),
            [
                (
                    subnets.owner_of_subnet(n),
                    subnets.parameters(n),
                    subnets.next_parameters_epoch(n),
                    subnets.uid_count(n),
                    subnets.uid_price(n),
                    subnets.leaving(n),
                    subnets.withheld_bps(n),
                    [subnets.neuron(n, uid) for uid in range(5)],
                    [subnets.commit_of(n, uid) for uid in range(5)],
                    [subnets.weights_hash(n, uid) for uid in range(5)],
                )
                for n in range(1, count + 1)
            ],
        )

    return _state
