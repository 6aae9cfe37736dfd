"""JobEscrow's fee: schedule_fee, apply_fee, collect_fees."""

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import ROLE_DELAY
from tests.unit.market import load_odd, logs


@pytest.fixture
def set_fee(escrow):
    """Put a fee into force."""

    def _set_fee(fee_bps, burn_bps):
        escrow.schedule_fee(fee_bps, burn_bps)
        boa.env.time_travel(seconds=ROLE_DELAY)
        escrow.apply_fee()

    return _set_fee


# --- schedule_fee and apply_fee -------------------------------------------------------------


def test_a_fee_waits_for_its_delay(escrow, asset, stranger, refused):
    ready_at = boa.env.evm.patch.timestamp + ROLE_DELAY
    escrow.schedule_fee(1_000, 10_000)
    assert logs(escrow, "FeeScheduled") == [(1_000, 10_000, ready_at)]
    assert (escrow.fee_bps(), escrow.burn_bps()) == (300, 5_000)
    boa.env.time_travel(seconds=ROLE_DELAY - 1)
    with refused("job_escrow: fee not ready"):
        escrow.apply_fee(sender=stranger)
    boa.env.time_travel(seconds=1)
    escrow.apply_fee(sender=stranger)
    assert logs(escrow, "FeeChanged") == [(300, 1_000, 5_000, 10_000)]
    assert (escrow.fee_bps(), escrow.burn_bps()) == (1_000, 10_000)
    with refused("job_escrow: no fee scheduled"):
        escrow.apply_fee()


def test_a_later_announcement_replaces_an_earlier_one(escrow, asset, refused):
    escrow.schedule_fee(1_000, 0)
    boa.env.time_travel(seconds=ROLE_DELAY - 1)
    escrow.schedule_fee(10, 0)
    boa.env.time_travel(seconds=1)
    with refused("job_escrow: fee not ready"):
        escrow.apply_fee()
    boa.env.time_travel(seconds=ROLE_DELAY)
    escrow.apply_fee()
    assert escrow.fee_bps() == 10


def test_nothing_scheduled_reverts(escrow, asset, refused):
    with refused("job_escrow: no fee scheduled"):
        escrow.apply_fee()


def test_bounds(escrow, asset, refused):
    with refused("job_escrow: fee over the cap"):
        escrow.schedule_fee(1_001, 0)
    with refused("job_escrow: burn over 100 %"):
        escrow.schedule_fee(0, 10_001)


def test_only_the_owner(escrow, asset, stranger, guardian, refused):
    for caller in (stranger, guardian):
        with refused("ownable: caller is not the owner"):
            escrow.schedule_fee(0, 0, sender=caller)


@pytest.mark.parametrize(
    ("fee_bps", "cumulative", "fee"),
    [
        (0, 5_000, 0),
        (1_000, 5_000, 1_000),
        (1, 1, 1),
        (1, 5_000, 1),
        (300, 1, 1),
        (300, 50, 3),
        (300, 51, 4),
    ],
)
def test_a_fee_is_rounded_up(
    escrow, asset, job, provider, set_fee, settle, fee_bps, cumulative, fee
):
    set_fee(fee_bps, 0)
    settle(job, cumulative)
    assert escrow.fees(asset) == fee
    assert escrow.income(provider, asset) == (2 * cumulative - fee, 0)


def test_a_ten_thousandth_too_much_is_a_unit(escrow, asset, accepted_job, set_fee, settle):
    set_fee(1, 0)
    settle(accepted_job(price=3_600, deposit=10_001), 10_001)
    assert escrow.fees(asset) == 2


def test_a_fee_is_rounded_up_once_however_often_a_job_is_settled(
    escrow, asset, accepted_job, provider, set_fee, settle
):
    """A base unit a second: rounding each by itself would leave the provider nothing."""
    set_fee(300, 0)
    job = accepted_job(price=3_600, deposit=50)
    for second in range(1, 51):
        settle(job, second)
        assert escrow.fees(asset) == -(-second * 300 // 10_000)
    assert escrow.income(provider, asset) == (48, 0)


def test_a_fee_that_fell_is_owed_for_what_comes(
    escrow, asset, accepted_job, provider, set_fee, settle
):
    job = accepted_job(price=3_600, deposit=20_000)
    set_fee(1_000, 0)
    settle(job, 10_000)
    set_fee(1, 0)
    settle(job, 20_000)
    assert escrow.fees(asset) == 1_000 + 1


def test_pending_income_pays_the_fee_of_the_day_it_matures(
    escrow, asset, job, provider, set_fee, settle_batch
):
    settle_batch((job, 1_000, JobStatus.RUNNING))
    set_fee(1_000, 0)
    assert escrow.income(provider, asset) == (1_800, 0)
    escrow.withdraw(provider, asset)
    assert escrow.fees(asset) == 200


# --- collect_fees ---------------------------------------------------------------------------


@pytest.mark.parametrize("burn_bps", [0, 1, 5_000, 9_999, 10_000])
def test_work_token_fees_are_partly_burnt(
    escrow, asset, job, set_fee, settle, treasury, stranger, burn_bps
):
    set_fee(300, burn_bps)
    settle(job, 5_000)
    supply = asset.totalSupply()
    burnt = 300 * burn_bps // 10_000
    escrow.collect_fees(asset, sender=stranger)
    assert logs(escrow, "FeesCollected") == [(asset.address, 0, 300 - burnt, burnt)]
    assert asset.balanceOf(treasury) == 300 - burnt
    assert supply - asset.totalSupply() == burnt
    assert escrow.fees(asset) == 0


def test_other_fees_go_to_the_treasury(escrow, odd_token, accepted_job, settle, treasury):
    settle(accepted_job(paid_in=odd_token), 5_000)
    escrow.collect_fees(odd_token)
    assert logs(escrow, "FeesCollected") == [(odd_token.address, 0, 300, 0)]
    assert odd_token.balanceOf(treasury) == 300


def test_nothing_to_collect(escrow, asset, job, settle, treasury, state):
    settle(job, 5_000)
    escrow.collect_fees(asset)
    before = state()
    escrow.collect_fees(asset)
    assert logs(escrow, "FeesCollected") == [(asset.address, 0, 0, 0)]
    assert state() == before


def test_a_treasury_that_can_not_be_paid_loses_nothing(
    escrow, odd_token, accepted_job, settle, treasury, refused
):
    settle(accepted_job(paid_in=odd_token), 5_000)
    odd_token.set_blocked(treasury, True)
    with refused("job_escrow: transfer out failed"):
        escrow.collect_fees(odd_token)


def test_an_asset_that_is_not_listed_reverts(escrow, asset, refused):
    with refused("job_escrow: asset not listed"):
        escrow.collect_fees(load_odd("odd_token", 1))
