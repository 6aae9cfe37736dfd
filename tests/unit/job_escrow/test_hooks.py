"""What only JobRegistry may tell JobEscrow, whoever else has a role elsewhere."""

import pytest

from oracle.domain.receipts import JobStatus


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
