"""What only JobRegistry may tell JobEscrow, whoever else has a role elsewhere."""

import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.market import DEPOSIT


@pytest.mark.parametrize(
    "caller",
    ["deployer", "guardian", "court", "bonds", "clusters", "payer", "operator", "stranger"],
)
@pytest.mark.parametrize(
    ("hook", "arguments"),
    [
        ("set_status", (JobStatus.RUNNING,)),
        ("end_job", (JobStatus.CLOSED, None)),
        ("lower_deposit", (1, 0, None)),
        ("hold_pending", (0,)),
        ("release_pending", (None,)),
    ],
)
def test_nobody_else(escrow, job, settle_batch, refused, request, caller, hook, arguments):
    settle_batch((job, 1_000, JobStatus.RUNNING))
    account = request.getfixturevalue(caller)
    account = getattr(account, "address", account)
    arguments = [account if each is None else each for each in arguments]
    with refused("job_escrow: not the job registry"):
        getattr(escrow, hook)(job, *arguments, sender=account)


@pytest.mark.parametrize("kept", [0, 1_000, 2_000])
def test_a_deposit_is_lowered_to_what_is_kept(
    escrow, jobs, asset, job, payer, settle_batch, refused, kept
):
    settle_batch((job, 1_000, JobStatus.RUNNING))
    # two base units a second, and what is settled is kept anyway
    most = DEPOSIT - 2 * max(kept, 1_000)
    with refused("job_escrow: the provider may have earned that"):
        escrow.lower_deposit(job, most + 1, kept, payer, sender=jobs.address)
    before = asset.balanceOf(payer)
    escrow.lower_deposit(job, most, kept, payer, sender=jobs.address)
    assert asset.balanceOf(payer) == before + most
    with refused("job_escrow: the provider may have earned that"):
        escrow.lower_deposit(job, 1, kept, payer, sender=jobs.address)
