"""JobEscrow.withdraw."""

import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.market import load_odd, logs

RUNNING = JobStatus.RUNNING


def test_pays_the_payout_address_whoever_calls(
    escrow, asset, job, provider, settle, payout, stranger
):
    settle(job, 1_000)
    assert escrow.withdraw(provider, asset, sender=stranger) == 1_940
    assert logs(escrow, "IncomeWithdrawn") == [(provider, asset.address, payout, 1_940)]
    assert asset.balanceOf(payout) == 1_940
    assert asset.balanceOf(stranger) == 0
    assert escrow.income(provider, asset) == (0, 0)


def test_nothing_twice(escrow, asset, job, provider, settle, payout):
    settle(job, 1_000)
    escrow.withdraw(provider, asset)
    assert escrow.withdraw(provider, asset) == 0
    assert logs(escrow, "IncomeWithdrawn") == []
    assert asset.balanceOf(payout) == 1_940


def test_nobody_earned_anything(escrow, asset, provider, state):
    before = state()
    assert escrow.withdraw(provider, asset) == 0
    assert escrow.withdraw(999, asset) == 0
    assert state() == before


def test_pending_income_stays(escrow, asset, job, provider, settle, settle_batch, payout):
    settle(job, 1_000)
    settle_batch((job, 2_000, RUNNING))
    assert escrow.withdraw(provider, asset) == 1_940
    assert escrow.income(provider, asset) == (0, 2_000)


def test_income_that_matured_is_paid_and_charged(
    escrow, asset, job, provider, settle_batch, next_window, payout
):
    settle_batch((job, 1_000, RUNNING))
    next_window()
    settle_batch((job, 1_500, RUNNING))
    next_window()
    assert escrow.withdraw(provider, asset) == 1_940
    assert logs(escrow, "CreditMatured") == [(provider, asset.address, 2_000, 60)]
    assert escrow.fees(asset) == 60
    assert escrow.income(provider, asset) == (0, 1_000)
    next_window()
    assert escrow.withdraw(provider, asset) == 970


def test_each_asset_on_its_own(escrow, asset, odd_token, accepted_job, provider, settle, payout):
    settle(accepted_job(), 1_000)
    settle(accepted_job(paid_in=odd_token), 100)
    assert escrow.withdraw(provider, odd_token) == 194
    assert odd_token.balanceOf(payout) == 194
    assert escrow.income(provider, asset) == (1_940, 0)


def test_a_payee_that_can_not_be_paid_names_another(
    providers,
    escrow,
    staking,
    odd_token,
    accepted_job,
    provider,
    settle,
    payout,
    owner,
    stranger,
    refused,
):
    settle(accepted_job(paid_in=odd_token), 100)
    odd_token.set_blocked(payout, True)
    with refused("job_escrow: transfer out failed"):
        escrow.withdraw(provider, odd_token)
    providers.set_payout(provider, stranger, sender=owner)
    assert escrow.withdraw(provider, odd_token) == 194
    assert odd_token.balanceOf(stranger) == 194


def test_an_asset_that_is_not_listed_reverts(escrow, asset, provider, refused):
    with refused("job_escrow: asset not listed"):
        escrow.withdraw(provider, load_odd("odd_token", 1))


@pytest.mark.parametrize("view", ["income", "fees"])
def test_views_refuse_an_asset_that_is_not_listed(escrow, provider, view, refused):
    arguments = [provider] if view == "income" else []
    with refused("job_escrow: asset not listed"):
        getattr(escrow, view)(*arguments, load_odd("odd_token", 1))
