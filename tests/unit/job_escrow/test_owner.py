"""What owner and guardian of JobEscrow may do: SLAs, pauses, addresses, roles."""

import boa

from oracle.domain.receipts import JobStatus
from tests.unit.market import load_odd, logs

ZERO = "0x" + "00" * 20

# --- set_inflows_paused ---------------------------------------------------------------------


def test_a_pause_stops_money_from_coming_in(escrow, asset, open_job, job, guardian, payer, refused):
    escrow.set_inflows_paused(asset, True, sender=guardian)
    assert logs(escrow, "InflowsPaused") == [(asset.address, 0, True)]
    with refused("job_escrow: inflows paused"):
        open_job()
    with refused("job_escrow: inflows paused"):
        escrow.top_up(job, 1, sender=payer)

    escrow.set_inflows_paused(asset, False, sender=guardian)
    assert logs(escrow, "InflowsPaused") == [(asset.address, 0, False)]
    escrow.top_up(open_job(), 1, sender=payer)


def test_a_pause_never_stops_money_from_going_out(
    escrow,
    jobs,
    asset,
    open_job,
    accepted_job,
    provider,
    settle,
    settle_batch,
    guardian,
    payer,
    operator,
):
    cancelled, declined, accepted, ran = open_job(), open_job(), open_job(), accepted_job()
    escrow.set_inflows_paused(asset, True, sender=guardian)
    jobs.cancel(cancelled, sender=payer)
    jobs.decline(declined, sender=operator.address)
    jobs.accept(accepted, sender=operator.address)
    settle(ran, 10)
    settle_batch((accepted, 10, JobStatus.PROVIDER_FAULT), (ran, 20, JobStatus.COMPLETED))
    jobs.close(accepted)
    jobs.close(ran)
    assert escrow.withdraw(provider, asset) == 19
    escrow.collect_fees(asset)


def test_one_asset_is_paused_on_its_own(escrow, asset, odd_token, open_job, guardian):
    escrow.set_inflows_paused(odd_token, True, sender=guardian)
    open_job()
    with boa.reverts("job_escrow: inflows paused"):
        open_job(paid_in=odd_token)


def test_the_owner_may_pause_too(escrow, asset, deployer):
    escrow.set_inflows_paused(asset, True, sender=deployer)
    assert escrow.inflow_asset(1) == ZERO
    assert escrow.asset_of(1) == asset.address


def test_nobody_else_may_pause(escrow, asset, payer, stranger, refused):
    for caller in (payer, stranger):
        with refused("job_escrow: not the guardian"):
            escrow.set_inflows_paused(asset, True, sender=caller)


def test_an_asset_that_is_not_listed_can_not_be_paused(escrow, asset, guardian, refused):
    with refused("job_escrow: asset not listed"):
        escrow.set_inflows_paused(load_odd("odd_token", 1), True, sender=guardian)


# --- addresses ------------------------------------------------------------------------------


def test_a_new_treasury_receives_the_fees(escrow, asset, job, settle, treasury, stranger):
    settle(job, 5_000)
    escrow.set_treasury(stranger)
    assert logs(escrow, "TreasuryChanged") == [(treasury, stranger)]
    assert escrow.treasury() == stranger
    escrow.collect_fees(asset)
    assert asset.balanceOf(stranger) == 150


def test_there_is_always_a_treasury(escrow, asset, refused):
    with refused("job_escrow: no treasury"):
        escrow.set_treasury(ZERO)


def test_a_new_guardian_replaces_the_old_one(escrow, asset, guardian, stranger, refused):
    escrow.set_guardian(stranger)
    assert logs(escrow, "GuardianChanged") == [(guardian, stranger)]
    escrow.set_inflows_paused(asset, True, sender=stranger)
    with refused("job_escrow: not the guardian"):
        escrow.set_inflows_paused(asset, False, sender=guardian)


def test_only_the_owner_names_them(escrow, asset, guardian, stranger, refused):
    for setter in (escrow.set_treasury, escrow.set_guardian):
        for caller in (guardian, stranger):
            with refused("ownable: caller is not the owner"):
                setter(stranger, sender=caller)


# --- ownership ------------------------------------------------------------------------------


def test_ownership_passes_in_two_steps(escrow, deployer, stranger, treasury):
    escrow.transfer_ownership(stranger)
    assert escrow.owner() == deployer
    escrow.accept_ownership(sender=stranger)
    assert escrow.owner() == stranger
    with boa.reverts("ownable: caller is not the owner"):
        escrow.set_treasury(treasury, sender=deployer)
