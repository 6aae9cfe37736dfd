"""JobEscrow.cancel and claim_refund."""

from oracle.domain.receipts import JobStatus
from tests.unit.job_escrow.conftest import DEPOSIT, load_odd, logs

# --- cancel ---------------------------------------------------------------------------------


def test_gives_the_whole_deposit_back(escrow, jobs, asset, open_job, payer):
    before = asset.balanceOf(payer)
    job = open_job()
    jobs.cancel(job, sender=payer)
    assert logs(escrow, "JobCancelled") == [(job, DEPOSIT)]
    assert asset.balanceOf(payer) == before
    assert asset.balanceOf(escrow) == 0
    assert jobs.job_info(job).status == JobStatus.CANCELLED


def test_a_job_without_deposit(escrow, jobs, open_job, payer):
    job = open_job(deposit=0)
    jobs.cancel(job, sender=payer)
    assert logs(escrow, "JobCancelled") == [(job, 0)]


def test_only_the_customer(escrow, jobs, open_job, operator, stranger, refused):
    job = open_job()
    for caller in (operator.address, stranger):
        with refused("job_escrow: not the customer"):
            jobs.cancel(job, sender=caller)


def test_only_once(escrow, jobs, open_job, payer, refused):
    job = open_job()
    jobs.cancel(job, sender=payer)
    with refused("job_escrow: job is not open"):
        jobs.cancel(job, sender=payer)


def test_not_after_acceptance(escrow, jobs, job, payer, refused):
    with refused("job_escrow: job is not open"):
        jobs.cancel(job, sender=payer)


def test_an_unknown_job_reverts(escrow, jobs, job, payer, refused):
    with refused("job_escrow: job is not open"):
        jobs.cancel(99, sender=payer)


# --- claim_refund ---------------------------------------------------------------------------


def test_a_refund_that_fails_is_kept(escrow, jobs, odd_token, open_job, payer, operator, stranger):
    """A blocked customer stops nobody else, and can take the refund elsewhere."""
    job, other = (open_job(paid_in=odd_token, deposit=100) for _ in range(2))
    odd_token.set_blocked(payer, True)
    for each in (job, other):
        jobs.decline(each, sender=operator.address)
        assert logs(escrow, "RefundOwed") == [(payer, odd_token.address, 100)]
    assert escrow.owed_refund(payer, odd_token) == 200
    assert odd_token.balanceOf(escrow) == 200

    assert escrow.claim_refund(odd_token, stranger, sender=payer) == 200
    assert logs(escrow, "RefundClaimed") == [(payer, odd_token.address, stranger, 200)]
    assert odd_token.balanceOf(stranger) == 200
    assert escrow.owed_refund(payer, odd_token) == 0


def test_a_refund_that_is_answered_no_is_kept(escrow, jobs, open_job, payer, operator, deployer):
    refusing = load_odd("refusing_token", 10**9)
    escrow.list_asset(refusing)
    refusing.transfer(payer, 100, sender=deployer)
    job = open_job(paid_in=refusing, deposit=100)
    refusing.set_refuses(True)
    jobs.decline(job, sender=operator.address)
    assert escrow.owed_refund(payer, refusing) == 100
    refusing.set_refuses(False)
    escrow.claim_refund(refusing, payer, sender=payer)
    assert refusing.balanceOf(payer) == 100


def test_a_claim_that_fails_stays_valid(
    escrow, jobs, odd_token, open_job, payer, operator, refused
):
    job = open_job(paid_in=odd_token, deposit=100)
    odd_token.set_blocked(payer, True)
    jobs.decline(job, sender=operator.address)
    with refused("job_escrow: transfer out failed"):
        escrow.claim_refund(odd_token, payer, sender=payer)
    odd_token.set_blocked(payer, False)
    assert escrow.claim_refund(odd_token, payer, sender=payer) == 100


def test_nothing_owed_reverts(
    escrow, jobs, odd_token, open_job, payer, operator, stranger, refused
):
    with refused("job_escrow: no refund owed"):
        escrow.claim_refund(odd_token, payer, sender=payer)
    job = open_job(paid_in=odd_token, deposit=100)
    odd_token.set_blocked(payer, True)
    jobs.decline(job, sender=operator.address)
    with refused("job_escrow: no refund owed"):
        escrow.claim_refund(odd_token, stranger, sender=stranger)
    escrow.claim_refund(odd_token, stranger, sender=payer)
    with refused("job_escrow: no refund owed"):
        escrow.claim_refund(odd_token, stranger, sender=payer)
