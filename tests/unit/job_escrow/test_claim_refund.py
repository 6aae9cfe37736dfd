"""JobEscrow.claim_refund: refunds whose transfer failed."""

from tests.unit.market import load_odd, logs


def test_a_refund_that_fails_is_kept(escrow, jobs, odd_token, open_job, payer, operator, stranger):
    """A blocked customer stops nobody else, and can take the refund elsewhere."""
    job, other = (open_job(paid_in=odd_token, deposit=100) for _ in range(2))
    odd_token.set_blocked(payer, True)
    for each in (job, other):
        jobs.decline(each, sender=operator.address)
        assert logs(jobs, "RefundOwed") == [(payer, odd_token.address, 100)]
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
