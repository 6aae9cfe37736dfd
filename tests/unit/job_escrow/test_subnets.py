"""One asset in two subnets: its income, its fees and its pause are counted apart."""

import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.market import DEPOSIT, HOUR, PRICE, logs

SUBNET = 7


@pytest.fixture
def second(escrow, asset):
    """The work token, listed for another subnet too."""
    return int(escrow.list_asset(asset, SUBNET))


def test_markets_are_numbered_apart(escrow, asset, second):
    assert logs(escrow, "AssetListed") == [(2, asset.address, SUBNET)]
    assert second == 2
    assert (escrow.market_of(asset, 0), escrow.market_of(asset, SUBNET)) == (1, 2)
    assert (escrow.subnet_of(1), escrow.subnet_of(2)) == (0, SUBNET)
    assert escrow.asset_of(1) == escrow.asset_of(2) == asset.address
    assert asset.balanceOf(escrow) == 0


@pytest.mark.parametrize("subnet", [1, 2**16 - 1])
def test_any_subnet_once(escrow, asset, refused, subnet):
    escrow.list_asset(asset, subnet)
    with refused("job_escrow: already listed"):
        escrow.list_asset(asset, subnet)


def test_a_subnet_without_the_asset_reverts(escrow, asset, open_job, provider, second, refused):
    with refused("job_escrow: asset not listed"):
        open_job(subnet=SUBNET + 1)
    for call, arguments in [
        (escrow.withdraw, [provider, asset, SUBNET + 1]),
        (escrow.income, [provider, asset, SUBNET + 1]),
        (escrow.fees, [asset, SUBNET + 1]),
        (escrow.collect_fees, [asset, SUBNET + 1]),
    ]:
        with refused("job_escrow: asset not listed"):
            call(*arguments)


def test_income_and_fees_are_apart(
    escrow, asset, accepted_job, provider, settle, second, payout, treasury
):
    here, there = accepted_job(), accepted_job(subnet=SUBNET)
    assert logs(escrow, "JobFunded") == [(there, asset.address, SUBNET, PRICE, DEPOSIT)]
    settle(here, 100)
    settle(there, 1_000)
    assert escrow.income(provider, asset) == (194, 0)
    assert escrow.income(provider, asset, SUBNET) == (1_940, 0)
    assert (escrow.fees(asset), escrow.fees(asset, SUBNET)) == (6, 60)
    assert (escrow.earned_fees(1), escrow.earned_fees(2)) == (6, 60)

    assert escrow.withdraw(provider, asset, SUBNET) == 1_940
    assert escrow.income(provider, asset) == (194, 0)
    assert escrow.withdraw(provider, asset) == 194
    assert asset.balanceOf(payout) == 2_134

    escrow.collect_fees(asset, SUBNET)
    assert logs(escrow, "FeesCollected") == [(asset.address, SUBNET, 30, 30)]
    assert (escrow.fees(asset), escrow.fees(asset, SUBNET)) == (6, 0)
    # what a subnet has ever earned stays its weight in emissions
    assert (escrow.earned_fees(1), escrow.earned_fees(2)) == (6, 60)
    settle(there, 1_001)
    assert (escrow.fees(asset, SUBNET), escrow.earned_fees(2)) == (1, 61)
    escrow.collect_fees(asset)
    assert asset.balanceOf(treasury) == 33
    assert asset.balanceOf(escrow) == 20_000 - 2_134 - 66


def test_one_batch_pays_into_both(
    escrow, asset, accepted_job, provider, settle_batch, second, next_window
):
    order = [0, SUBNET, SUBNET, 0, SUBNET]
    several = [accepted_job(subnet=subnet) for subnet in order]
    settle_batch(*[(job, 100 * job, JobStatus.RUNNING) for job in several])
    assert escrow.income(provider, asset) == (0, 200 * (1 + 4))
    assert escrow.income(provider, asset, SUBNET) == (0, 200 * (2 + 3 + 5))
    next_window()
    next_window()
    assert escrow.withdraw(provider, asset, SUBNET) == 1_940
    assert escrow.income(provider, asset) == (970, 0)
    assert (escrow.earned_fees(1), escrow.earned_fees(2)) == (0, 60)
    escrow.withdraw(provider, asset)
    assert escrow.earned_fees(1) == 30


def test_an_offer_is_taken_in_the_subnet_that_its_taker_names(
    escrow, asset, take_offer, settle, provider, second
):
    job = take_offer(1, HOUR, SUBNET)
    assert logs(escrow, "JobFunded") == [(job, asset.address, SUBNET, PRICE, PRICE)]
    settle(job, 100)
    assert escrow.income(provider, asset, SUBNET) == (194, 0)
    assert escrow.income(provider, asset) == (0, 0)


def test_refunds_do_not_care(jobs, asset, open_job, payer, second):
    before = asset.balanceOf(payer)
    job = open_job(subnet=SUBNET)
    jobs.cancel(job, sender=payer)
    assert asset.balanceOf(payer) == before


def test_one_subnet_is_paused_on_its_own(escrow, asset, open_job, guardian, payer, second, refused):
    there = open_job(subnet=SUBNET)
    escrow.set_inflows_paused(asset, True, SUBNET, sender=guardian)
    assert logs(escrow, "InflowsPaused") == [(asset.address, SUBNET, True)]
    here = open_job()
    escrow.top_up(here, 1, sender=payer)
    with refused("job_escrow: inflows paused"):
        open_job(subnet=SUBNET)
    with refused("job_escrow: inflows paused"):
        escrow.top_up(there, 1, sender=payer)
