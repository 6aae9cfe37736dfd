"""Who JobRegistry listens to: ESCROW records jobs, COURT ends them; the owner fills both."""

import boa
import pytest

from tests.unit.conftest import ROLE_DELAY, role


def test_a_new_court_waits_for_the_delay(jobs, job, provider, court, stranger):
    jobs.set_role(role("COURT"), stranger)
    boa.env.time_travel(seconds=ROLE_DELAY - 1)
    with boa.reverts("roles: change not ready"):
        jobs.apply_role(role("COURT"))
    boa.env.time_travel(seconds=1)
    jobs.apply_role(role("COURT"))
    with boa.reverts("roles: caller lacks the role"):
        jobs.fail_job(job, provider, sender=court.address)
    jobs.fail_job(job, provider, sender=stranger)


def test_nothing_is_applied_that_was_not_scheduled(jobs, court):
    with boa.reverts("roles: nothing scheduled"):
        jobs.apply_role(role("COURT"))
    assert jobs.role_holder(role("COURT")) == court.address


def test_only_the_owner_fills_roles(jobs, stranger, refused):
    for name in ("ESCROW", "COURT"):
        with refused("ownable: caller is not the owner"):
            jobs.set_role(role(name), stranger, sender=stranger)


def test_ownership_passes_in_two_steps(jobs, deployer, stranger):
    jobs.transfer_ownership(stranger)
    assert jobs.owner() == deployer
    jobs.accept_ownership(sender=stranger)
    assert jobs.owner() == stranger
    with boa.reverts("ownable: caller is not the owner"):
        jobs.set_role(role("COURT"), stranger, sender=deployer)


@pytest.mark.parametrize("caller", ["deployer", "court", "payer", "stranger", "bonds", "operator"])
def test_only_the_escrow_records_jobs(jobs, job, provider, payer, refused, request, caller):
    """Else anybody could write itself into a job that somebody else has funded."""
    account = request.getfixturevalue(caller)
    account = getattr(account, "address", account)
    with refused("roles: caller lacks the role"):
        jobs.record(job, (account, provider, 1, 1, 0), bytes(32), sender=account)
    offer = (provider, 1, 1, 0, 0, 1, 2**40, 1, account, 1, bytes(32))
    with refused("roles: caller lacks the role"):
        jobs.record_taken(job, account, offer, account, b"", 1, 1, sender=account)
