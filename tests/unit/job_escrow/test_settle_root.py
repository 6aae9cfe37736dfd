"""JobEscrow.settle_root: usage by a leaf of the root that the epoch ledger has adopted."""

from dataclasses import replace

import boa
import pytest

from oracle.domain.hashing import keccak
from oracle.domain.leaves import Leaf, LeafKind, job_key, payee_key
from oracle.domain.receipts import MAX_RECEIPTS, JobStatus
from tests.unit.job_escrow.test_settle_batch import packed
from tests.unit.market import Skip, logs

RUNNING = JobStatus.RUNNING
NOT_IN_ROOT = "job_escrow: not in the usage root"


@pytest.fixture
def adopted(accepted_job, provider, adopt):
    """Jobs 1 to 3 of the provider have used 100 GPU-seconds each; the ledger says so."""
    return adopt({provider: [(accepted_job(), 100, RUNNING) for _ in range(3)]})


# --- what a leaf settles --------------------------------------------------------------------


def test_a_jobs_leaf_settles_that_job(escrow, jobs, asset, adopted, provider, stranger):
    leaf = adopted.of_job(2)
    escrow.settle_root(*leaf, sender=stranger)
    assert logs(escrow, "LeafSettled") == [(5, job_key(2), packed(2, 100))]
    assert [jobs.job_info(job).settled for job in (1, 2, 3)] == [0, 100, 0]
    assert jobs.job_info(2).status == RUNNING
    assert escrow.income(provider, asset) == (0, 200)
    assert escrow.fees(asset) == 0


def test_a_payees_leaf_settles_all_its_jobs(escrow, jobs, asset, adopted, provider, stranger):
    escrow.settle_root(*adopted.of_payee(provider), sender=stranger)
    receipts = b"".join(packed(job, 100) for job in (1, 2, 3))
    assert logs(escrow, "LeafSettled") == [(6, payee_key(provider), receipts)]
    assert [jobs.job_info(job).settled for job in (1, 2, 3)] == [100] * 3
    assert escrow.income(provider, asset) == (0, 600)


def test_the_only_leaf_of_a_tree_needs_no_proof(escrow, jobs, job, usage, adopt):
    """The root of one leaf is that leaf."""
    only = usage({1: [(job, 7, RUNNING)]})
    only = replace(only, packed={(LeafKind.JOB, job_key(job)): packed(job, 7)})
    adopt(only)
    kind, key, receipts, proof = only.of_job(job)
    assert proof == []
    escrow.settle_root(kind, key, receipts, proof)
    assert jobs.job_info(job).settled == 7


def test_each_payee_on_its_own(
    escrow, jobs, asset, accepted_job, open_job, provider, other_provider, oracles, adopt
):
    mine, others = accepted_job(), open_job(of=other_provider)
    jobs.accept(others, sender=oracles[0].address)
    root = adopt({provider: [(mine, 10, RUNNING)], other_provider: [(others, 20, RUNNING)]})
    escrow.settle_root(*root.of_payee(other_provider))
    assert escrow.income(provider, asset) == (0, 0)
    assert escrow.income(other_provider, asset) == (0, 40)


def test_a_payee_of_many_jobs_has_a_leaf_per_part(escrow, jobs, job, provider, adopt):
    unknown = range(job + 1, job + MAX_RECEIPTS + 1)
    root = adopt({provider: [(j, 5, RUNNING) for j in (job, *unknown)]})
    escrow.settle_root(*root.of_payee(provider, 0))
    assert logs(escrow, "ReceiptSkipped") == [(j, Skip.UNKNOWN) for j in unknown[:-1]]
    assert jobs.job_info(job).settled == 5
    escrow.settle_root(*root.of_payee(provider, 1))
    assert logs(escrow, "ReceiptSkipped") == [(unknown[-1], Skip.UNKNOWN)]


def test_the_income_waits_for_the_dispute_window(
    escrow, asset, adopted, provider, next_window, payout
):
    escrow.settle_root(*adopted.of_payee(provider))
    next_window()
    assert escrow.withdraw(provider, asset) == 0
    next_window()
    assert escrow.withdraw(provider, asset) == 582
    assert asset.balanceOf(payout) == 582


def test_a_leaf_may_end_a_job(escrow, jobs, job, provider, adopt):
    root = adopt({provider: [(job, 10, JobStatus.PROVIDER_FAULT)]})
    escrow.settle_root(*root.of_job(job))
    assert jobs.job_info(job).status == JobStatus.PROVIDER_FAULT
    jobs.close(job)
    assert jobs.job_info(job).status == JobStatus.CLOSED


def test_a_top_up_lets_the_same_leaf_settle_the_rest(
    escrow, jobs, asset, job, provider, adopt, payer
):
    leaf = adopt({provider: [(job, 6_000, RUNNING)]}).of_job(job)
    escrow.settle_root(*leaf)
    assert logs(escrow, "JobExhausted") == [(job, 2_000)]
    escrow.top_up(job, 2_000, sender=payer)
    escrow.settle_root(*leaf)
    assert jobs.job_info(job).settled == 6_000
    assert escrow.income(provider, asset) == (0, 12_000)


# --- sent again, late, on several paths -----------------------------------------------------


def test_a_replay_pays_nothing(escrow, asset, adopted, provider):
    for _ in range(3):
        escrow.settle_root(*adopted.of_job(1))
    assert logs(escrow, "ReceiptSkipped") == [(1, Skip.NOT_INCREASING)]
    assert escrow.income(provider, asset) == (0, 200)


@pytest.mark.parametrize("payee_first", [False, True])
def test_both_leaves_of_one_usage_pay_once(escrow, asset, adopted, provider, payee_first):
    leaves = [adopted.of_payee(provider), *(adopted.of_job(job) for job in (1, 2, 3))]
    for leaf in leaves if payee_first else leaves[::-1]:
        escrow.settle_root(*leaf)
    assert escrow.income(provider, asset) == (0, 600)


def test_what_a_voucher_or_batch_has_paid_is_not_paid_again(
    escrow, asset, adopted, provider, settle, settle_batch
):
    settle(1, 60)
    settle_batch((2, 100, RUNNING), (3, 130, RUNNING))
    escrow.settle_root(*adopted.of_payee(provider))
    assert logs(escrow, "ReceiptSkipped") == [(j, Skip.NOT_INCREASING) for j in (2, 3)]
    withdrawable, pending = escrow.income(provider, asset)
    assert withdrawable + escrow.fees(asset) == 120
    assert pending == 80 + 200 + 260


def test_a_leaf_of_closed_jobs_pays_nothing(escrow, jobs, asset, adopted, provider, settle):
    settle(1, 10, JobStatus.COMPLETED)
    jobs.close(1)
    before = escrow.income(provider, asset)
    escrow.settle_root(*adopted.of_job(1))
    assert logs(escrow, "ReceiptSkipped") == [(1, Skip.CLOSED)]
    assert escrow.income(provider, asset) == before


# --- what is no leaf ------------------------------------------------------------------------


def test_nothing_is_adopted_at_first(escrow, job, provider, usage, refused):
    root = usage({provider: [(job, 10, RUNNING)]})
    for leaf in (root.of_job(job), root.of_payee(provider)):
        with refused(NOT_IN_ROOT):
            escrow.settle_root(*leaf)


def test_an_active_root_counts_once_it_is_adopted(
    escrow, ledger, jobs, adopted, provider, usage, post_usage, refused
):
    """Until then, the one before does."""
    later = usage({provider: [(1, 200, RUNNING)]})
    report = post_usage(later)
    with refused(NOT_IN_ROOT):
        escrow.settle_root(*later.of_job(1))
    escrow.settle_root(*adopted.of_job(1))
    ledger.adopt_usage([tuple(getattr(report, name) for name in report.__slots__)])
    escrow.settle_root(*later.of_job(1))
    assert jobs.job_info(1).settled == 200
    with refused(NOT_IN_ROOT):
        escrow.settle_root(*adopted.of_job(2))


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 7, 255])
def test_other_kinds_settle_nothing(escrow, adopted, refused, kind):
    _, *rest = adopted.of_job(1)
    with refused("job_escrow: not a usage leaf"):
        escrow.settle_root(kind, *rest)


def test_a_leaf_of_one_kind_is_none_of_the_other(escrow, adopted, refused, provider):
    _, key, receipts, proof = adopted.of_payee(provider)
    with refused(NOT_IN_ROOT):
        escrow.settle_root(LeafKind.JOB, key, receipts, proof)
    _, key, receipts, proof = adopted.of_job(1)
    with refused(NOT_IN_ROOT):
        escrow.settle_root(LeafKind.PAYEE, key, receipts, proof)


def test_anything_else_than_the_leaf_reverts(escrow, adopted, provider, refused):
    kind, key, receipts, proof = adopted.of_job(1)
    _, other_key, other_receipts, other_proof = adopted.of_job(2)
    for changed in [
        (kind, other_key, receipts, proof),
        (kind, payee_key(provider, 1), receipts, proof),
        (kind, key, other_receipts, proof),
        (kind, key, packed(1, 101), proof),
        (kind, key, packed(1, 100, JobStatus.COMPLETED), proof),
        (kind, key, receipts + packed(2, 100), proof),
        (kind, key, b"", proof),
        (kind, key, receipts, other_proof),
        (kind, key, receipts, []),
        (kind, key, receipts, proof[:-1]),
        (kind, key, receipts, proof[::-1]),
        (kind, key, receipts, [*proof, bytes(32)]),
        (kind, key, receipts, [keccak(proof[0]), *proof[1:]]),
    ]:
        with refused(NOT_IN_ROOT):
            escrow.settle_root(*changed)


def test_leaves_of_another_ledger_or_chain_revert(escrow, ledger, job, provider, usage, adopt):
    here = usage({provider: [(job, 10, RUNNING)]})
    for elsewhere in (
        replace(here, chain_id=here.chain_id + 1),
        replace(here, ledger=str(escrow.address)),
    ):
        adopt(elsewhere)
        assert ledger.usage_root() == elsewhere.tree.root
        with boa.reverts(NOT_IN_ROOT):
            escrow.settle_root(*elsewhere.of_job(job))


def test_an_inner_node_is_no_leaf(escrow, adopted, provider, refused):
    """Leaves are hashed twice, so no pair of nodes can pass for one."""
    kind, key, _, proof = adopted.of_job(1)
    with refused(NOT_IN_ROOT):
        escrow.settle_root(kind, key, adopted.hash(LeafKind.JOB, job_key(1)) + proof[0], proof[1:])


def test_a_longer_proof_than_any_tree_has_reverts(escrow, adopted, state):
    kind, key, receipts, proof = adopted.of_job(1)
    before = state()
    with boa.reverts():
        escrow.settle_root(kind, key, receipts, [*proof, *[bytes(32)] * (33 - len(proof))])
    assert state() == before


@pytest.mark.parametrize(
    ("receipts", "reason"),
    [
        (b"", "malformed receipts"),
        (packed(1, 5)[:-1], "malformed receipts"),
        (packed(1, 5) + packed(1, 6), "receipts not sorted"),
        (packed(0, 5), "receipts not sorted"),
    ],
)
def test_receipts_that_no_oracle_would_sign_revert(
    escrow, job, usage, adopt, refused, receipts, reason
):
    root = usage({1: [(job, 5, RUNNING)]})
    root.packed[LeafKind.JOB, job_key(job)] = receipts
    adopt(root)
    with refused(f"job_escrow: {reason}"):
        escrow.settle_root(*root.of_job(job))


def test_the_committees_leaf_is_the_contracts(ledger, adopted):
    """The same leaf in Python as the ledger proves it."""
    kind, key, receipts, proof = adopted.of_job(1)
    value = int.from_bytes(keccak(receipts), "big")
    assert ledger.is_usage_leaf(kind, key, value, proof)
    assert not ledger.is_usage_leaf(kind, key, value + 1, proof)
    leaf = Leaf(LeafKind.JOB, key, value)
    assert leaf.hash(adopted.chain_id, adopted.ledger) == adopted.hash(LeafKind.JOB, key)
