"""Epochs on the test market: press their budgets, sign and post their reports, claim."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from typing import Any

import boa

from oracle.domain.leaves import Leaf, LeafKind, account_key, provider_key
from oracle.domain.merkle import EMPTY_ROOT, MerkleTree
from oracle.domain.messages import EpochReport

PROVIDER, ACCOUNT = LeafKind.PROVIDER, LeafKind.ACCOUNT


def provider_leaf(provider: int, cumulative: int) -> Leaf:
    return Leaf(PROVIDER, provider_key(provider), cumulative)


def account_leaf(account: Any, cumulative: int) -> Leaf:
    return Leaf(ACCOUNT, account_key(str(getattr(account, "address", account))), cumulative)


@dataclass
class RewardMarket:
    """The contracts that turn time into rewards, and the committee that says whose they are."""

    token: Any
    controller: Any
    ledger: Any
    distributor: Any
    signs: Callable[..., bytes]
    tree: MerkleTree = field(default_factory=lambda: MerkleTree([]))

    def end_epochs(self, count: int = 1) -> int:
        """Let epochs pass and press them; returns the last one that ended."""
        boa.env.time_travel(seconds=count * self.controller.EPOCH_LENGTH())
        self.controller.press(64)
        return int(self.controller.next_epoch()) - 1

    def post(self, leaves: list[Leaf], total: int | None = None) -> EpochReport:
        """Report these reward leaves for all ended epochs; `total` may lie about their sum."""
        self.tree = self._tree(leaves)
        last, has_any = self.ledger.last_epoch()
        report = EpochReport(
            from_epoch=last + 1 if has_any else 0,
            to_epoch=self.controller.next_epoch() - 1,
            previous=self.ledger.head(),
            reward_root=self.tree.root,
            usage_root=EMPTY_ROOT,
            attestation_root=EMPTY_ROOT,
            cumulative_rewards=sum(leaf.value for leaf in leaves) if total is None else total,
            data_hash=bytes(32),
            rules_version=1,
        )
        subject = int(self.ledger.disabled_count()).to_bytes(32, "big")
        signatures = self.signs(self.ledger, subject, report.to_epoch, report.struct_hash())
        self.ledger.post_epoch(astuple(report), signatures)
        return report

    def activate(self) -> None:
        """Wait until the last report is past its delay."""
        boa.env.time_travel(seconds=self.ledger.ACTIVATION_DELAY())

    def close(self, leaves: list[Leaf], total: int | None = None) -> None:
        """One whole epoch: end it, report it, activate the report."""
        self.end_epochs()
        self.post(leaves, total)
        self.activate()

    def claim(self, leaf: Leaf, proof: list[bytes] | None = None) -> int:
        """Claim a leaf, with its proof from the last report unless another is given."""
        path = self.tree.proof(self.hash(leaf)) if proof is None else proof
        return int(self.distributor.claim(int(leaf.kind), leaf.key, leaf.value, path))

    def hash(self, leaf: Leaf) -> bytes:
        """The leaf's place in the tree."""
        return leaf.hash(boa.env.evm.patch.chain_id, str(self.distributor.address))

    def _tree(self, leaves: list[Leaf]) -> MerkleTree:
        return MerkleTree([self.hash(leaf) for leaf in leaves])


def logged(contract: Any, name: str) -> list[Any]:
    """Events of this name in the contract's last call."""
    return [event for event in contract.get_logs() if type(event).__name__ == name]
