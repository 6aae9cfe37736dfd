"""EpochLedger.adopt_usage and is_usage_leaf: what was used, proved against the active report."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import boa
import pytest

from oracle.domain.leaves import Leaf, LeafKind, leaf_hashes
from oracle.domain.merkle import MerkleTree
from oracle.domain.messages import EpochReport

from .conftest import ACTIVATION_DELAY, ZERO_HASH, digest_of


def number_of(name: str) -> int:
    return int.from_bytes(digest_of(name), "big")


# more leaves than a power of two, so that some proofs are shorter
LEAVES = [
    *(
        Leaf(LeafKind.JOB, job.to_bytes(32, "big"), number_of(f"receipt {job}"))
        for job in range(1, 6)
    ),
    Leaf(LeafKind.PAYEE, (9).to_bytes(32, "big"), number_of("receipts of 9")),
]


@pytest.fixture
def hashes(ledger: Any) -> list[bytes]:
    return leaf_hashes(LEAVES, boa.env.evm.patch.chain_id, str(ledger.address))


@pytest.fixture
def tree(hashes: list[bytes]) -> MerkleTree:
    return MerkleTree(hashes)


@pytest.fixture
def active(pass_epochs, report, post, tree: MerkleTree) -> EpochReport:
    """The first report, whose usage root is the tree's, and active."""
    pass_epochs(3)
    posted = post(report(0, usage_root=tree.root))
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    return posted


@pytest.fixture
def adopt(ledger: Any) -> Callable[..., bytes]:
    """Adopt with reports given from the head downwards."""

    def _adopt(*reports: EpochReport, **options: Any) -> bytes:
        return bytes(ledger.adopt_usage([astuple(report) for report in reports], **options))

    return _adopt


@pytest.fixture
def proved(ledger: Any, hashes: list[bytes], tree: MerkleTree) -> Callable[[], list[bool]]:
    """Of each leaf, whether it can be proved now."""

    def _proved() -> list[bool]:
        return [
            ledger.is_usage_leaf(*astuple(leaf), tree.proof(hashed))
            for leaf, hashed in zip(LEAVES, hashes, strict=True)
        ]

    return _proved


def test_anyone_adopts_the_active_root(ledger, adopt, active, tree, proved, stranger):
    assert not any(proved())
    assert adopt(active, sender=stranger) == tree.root
    (log,) = ledger.get_logs()
    assert type(log).__name__ == "UsageAdopted"
    assert (log.to_epoch, log.usage_root) == (0, tree.root)
    assert ledger.usage_root() == tree.root
    assert all(proved())


def test_it_can_be_adopted_again(ledger, adopt, active, tree):
    assert adopt(active) == adopt(active) == ledger.usage_root() == tree.root


def test_a_later_report_counts_once_it_is_adopted(
    ledger, adopt, active, report, post, tree, proved
):
    adopt(active)
    later = post(report(1, usage_root=digest_of("other usage")))
    # it waits for its activation
    assert adopt(later, active) == tree.root
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    assert ledger.usage_root() == tree.root
    assert all(proved())
    assert adopt(later) == later.usage_root == ledger.usage_root()
    assert not any(proved())


def test_what_is_pending_is_not_adopted(ledger, adopt, active, report, post):
    later = post(report(1))
    with boa.reverts("epoch_ledger: last report given is still pending"):
        adopt(later)
    assert ledger.usage_root() == ZERO_HASH


def test_a_disabled_report_is_not_adopted(ledger, adopt, active, report, post, disable):
    later = post(report(1))
    disable(later)
    with boa.reverts("epoch_ledger: reports below the newest active one"):
        adopt(later, active)
    assert ledger.usage_root() == ZERO_HASH


def test_another_root_is_not_adopted(ledger, adopt, active):
    with boa.reverts("epoch_ledger: reports do not lead from head"):
        adopt(replace(active, usage_root=digest_of("forged")))
    assert ledger.usage_root() == ZERO_HASH


def test_nothing_is_adopted_before_a_report_is_active(ledger, adopt, pass_epochs, report, post):
    pass_epochs(1)
    waiting = post(report(0))
    with boa.reverts("epoch_ledger: no report is active"):
        adopt(waiting)
    assert ledger.usage_root() == ZERO_HASH


@pytest.mark.parametrize(
    "changes",
    [{"kind": LeafKind.PAYEE}, {"key": LEAVES[1].key}, {"value": LEAVES[0].value ^ 1}],
    ids=["kind", "key", "value"],
)
def test_every_field_of_a_leaf_counts(ledger, adopt, active, hashes, tree, changes):
    adopt(active)
    proof = tree.proof(hashes[0])
    assert ledger.is_usage_leaf(*astuple(LEAVES[0]), proof)
    assert not ledger.is_usage_leaf(*astuple(replace(LEAVES[0], **changes)), proof)


def test_every_sibling_of_a_proof_counts(ledger, adopt, active, hashes, tree):
    adopt(active)
    leaf, proof = astuple(LEAVES[0]), tree.proof(hashes[0])
    for wrong in (
        [],
        proof[:-1],
        [*proof, ZERO_HASH],
        proof[::-1],
        [*proof[:-1], digest_of("no sibling")],
    ):
        assert not ledger.is_usage_leaf(*leaf, wrong)


def test_a_leaf_is_of_one_ledger(ledger, adopt, pass_epochs, report, post):
    """The committee's usage root of another deployment proves nothing here."""
    pass_epochs(1)
    (foreign,) = leaf_hashes(LEAVES[:1], boa.env.evm.patch.chain_id, "0x" + "11" * 20)
    posted = post(report(0, usage_root=foreign))
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    adopt(posted)
    assert not ledger.is_usage_leaf(*astuple(LEAVES[0]), [])


def test_a_root_of_one_leaf_needs_no_proof(ledger, adopt, pass_epochs, report, post, hashes):
    pass_epochs(1)
    only = post(report(0, usage_root=hashes[0]))
    boa.env.time_travel(seconds=ACTIVATION_DELAY)
    adopt(only)
    assert ledger.is_usage_leaf(*astuple(LEAVES[0]), [])
    assert not ledger.is_usage_leaf(*astuple(LEAVES[1]), [])
