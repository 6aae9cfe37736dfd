"""JobEscrow.take_offer: one transaction opens, funds and accepts what a provider has signed."""

from dataclasses import astuple

import boa
import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import DAY, sign
from tests.unit.market import (
    COLLATERAL_PER_GPU,
    DEVICES,
    HOUR,
    PRICE,
    PURSE,
    SELF_BOND,
    TERMS,
    load_odd,
    logs,
)

MAX_PRICE = 2**80 - 1


def test_opens_funds_and_accepts(
    escrow, jobs, bonds, offers, staking, asset, take_offer, offer, provider, payer, device_class,
    sla,
):  # fmt: skip
    assert take_offer(3, 2 * HOUR) == 1
    assert logs(escrow, "JobFunded") == [(1, asset.address, 0, PRICE, 6 * PRICE)]
    assert logs(escrow, "JobOpened") == [(1, payer, provider, 3, device_class, sla, TERMS)]
    assert logs(escrow, "OfferTaken") == [(provider, offer.nonce, payer, 3, 3)]
    assert logs(escrow, "JobAccepted") == [(1, 3 * COLLATERAL_PER_GPU)]
    assert jobs.job_info(1) == (
        payer, provider, asset.address, 3, device_class, sla, JobStatus.ACCEPTED, PRICE, 6 * PRICE,
        0, 3 * COLLATERAL_PER_GPU, boa.env.evm.patch.timestamp,
    )  # fmt: skip
    assert asset.balanceOf(payer) == PURSE - 6 * PRICE
    assert asset.balanceOf(escrow) == 6 * PRICE
    assert bonds.committed_gpus(provider, device_class) == 3
    assert staking.free_self_bond(provider) == SELF_BOND - 3 * COLLATERAL_PER_GPU
    assert offers.taken(provider, offer.nonce) == 3


@pytest.mark.parametrize(
    ("price", "gpus", "seconds", "deposit"),
    [
        (1, 1, 1, 1),
        (1, 1, 3_600, 1),
        (1, 1, 3_601, 2),
        (1, 8, 450, 1),
        (1, 8, 451, 2),
        (3_599, 1, 1, 1),
        (3_601, 1, 1, 2),
        (7_201, 7, 11, 155),
        (7_200, 8, DAY, 8 * 24 * 7_200),
    ],
)
def test_the_deposit_is_rounded_up(escrow, jobs, take_offer, settle, price, gpus, seconds, deposit):
    """So that it pays for every second that was taken, and for less than a base unit more."""
    job = take_offer(gpus, seconds, price_per_gpu_hour=price)
    assert jobs.job_info(job).deposit == deposit == -(-gpus * seconds * price // 3_600)
    settle(job, gpus * seconds, JobStatus.COMPLETED)
    assert logs(escrow, "JobExhausted") == []
    jobs.close(job)
    assert logs(jobs, "JobClosed")[0][2] <= 1


def test_the_dearest_offer(escrow, jobs, odd_token, take_offer, payer):
    """All of a deposit's field, to the last second that fits."""
    odd_token.grow(payer, 2**96)
    odd_token.approve(escrow, 2**96, sender=payer)
    dear = {"asset": str(odd_token.address), "price_per_gpu_hour": MAX_PRICE, "max_seconds": 2**30}
    seconds = (2**96 - 1) * 3_600 // (8 * MAX_PRICE)
    deposit = jobs.job_info(take_offer(8, seconds, **dear)).deposit
    assert deposit == -(-8 * seconds * MAX_PRICE // 3_600)
    assert 2**95 < deposit < 2**96


def test_settles_without_being_accepted_again(
    escrow, jobs, asset, take_offer, settle, provider, operator, payer, refused
):
    job = take_offer(2)
    settle(job, 100)
    assert escrow.income(provider, asset) == (194, 0)
    with refused("job_registry: job is not open"):
        jobs.accept(job, sender=operator.address)
    with refused("job_registry: job is not open"):
        jobs.decline(job, sender=operator.address)
    with refused("job_registry: job is not open"):
        jobs.cancel(job, sender=payer)


def test_parts_up_to_all_of_it(jobs, take_offer, refused):
    first, second = take_offer(DEVICES - 1), take_offer(1)
    assert [jobs.job_info(job).gpus for job in (first, second)] == [DEVICES - 1, 1]
    with refused("offer_book: not so many gpus left"):
        take_offer(1)


def test_more_than_the_provider_has_reverts(take_offer, refused):
    with refused("service_bonds: not enough devices"):
        take_offer(DEVICES + 1, gpus=DEVICES + 1)


def test_gpus_promised_elsewhere_are_not_sold_again(take_offer, accepted_job, refused):
    accepted_job(gpus=2)
    with refused("service_bonds: not enough devices"):
        take_offer(DEVICES - 1)
    take_offer(DEVICES - 2)


def test_revoked_or_expired_it_reverts(offers, take_offer, provider, operator, refused):
    offers.revoke(provider, [7], sender=operator.address)
    with refused("offer_book: offer revoked"):
        take_offer(nonce=7)
    offers.revoke_below(provider, 2, sender=operator.address)
    with refused("offer_book: offer revoked"):
        take_offer()
    take_offer(nonce=2)
    boa.env.time_travel(seconds=DAY - 1)
    take_offer(nonce=3)
    boa.env.time_travel(seconds=1)
    with refused("offer_book: offer expired"):
        take_offer(nonce=4)


def test_what_was_not_signed_reverts(take_offer, offer, payer, watcher, refused):
    for changes in (
        {"gpus": DEVICES + 1},
        {"price_per_gpu_hour": PRICE - 1},
        {"sla": 0},
        {"terms": bytes(32)},
        {"nonce": 2},
        {"expires_at": offer.expires_at + 1},
        {"max_seconds": DAY + 1},
    ):
        with refused("offer_book: bad signature"):
            take_offer(signed=offer, **changes)
    with refused("offer_book: signer does not speak for the provider"):
        take_offer(signer=watcher)


@pytest.mark.parametrize(
    ("gpus", "seconds", "changes", "reason"),
    [
        (0, HOUR, {}, "offer_book: no gpus"),
        (1, DAY + 1, {}, "offer_book: run time out of bounds"),
        (1, HOUR - 1, {"min_seconds": HOUR}, "offer_book: run time out of bounds"),
        (1, 0, {}, "offer_book: run time out of bounds"),
        (1, 1, {"price_per_gpu_hour": 0}, "job_escrow: price out of bounds"),
        (0, 1, {"price_per_gpu_hour": MAX_PRICE + 1}, "job_escrow: price out of bounds"),
        (1, 1, {"sla": 2}, "service_bonds: unknown sla"),
        (1, 1, {"sla": 2**16 - 1}, "service_bonds: unknown sla"),
        (1, 1, {"device_class": 2}, "service_bonds: not enough devices"),
        (1, 1, {"provider": 2**23}, "offer_book: signer does not speak for the provider"),
    ],
)
def test_what_can_not_be_taken_reverts(take_offer, refused, gpus, seconds, changes, reason):
    with refused(reason):
        take_offer(gpus, seconds, **changes)


def test_without_a_deposit_it_reverts(escrow, asset, take_offer, payer, refused):
    asset.approve(escrow, PRICE - 1, sender=payer)
    with refused("erc20: insufficient allowance"):
        take_offer()


def test_in_an_asset_that_is_not_listed_it_reverts(take_offer, refused):
    with refused("job_escrow: asset not listed"):
        take_offer(asset=str(load_odd("odd_token", 1).address))


def test_while_inflows_are_paused_it_reverts(escrow, asset, take_offer, guardian, refused):
    escrow.set_inflows_paused(asset, True, sender=guardian)
    with refused("job_escrow: inflows paused"):
        take_offer()


def test_a_jailed_provider_sells_nothing(staking, take_offer, provider, court, refused):
    staking.jail(provider, boa.env.evm.patch.timestamp + DAY, sender=court.address)
    with refused("service_bonds: provider is jailed"):
        take_offer()


def test_a_provider_without_free_collateral_sells_nothing(bonds, take_offer, refused):
    dear = bonds.add_sla(SELF_BOND + 1, 0, 0, 0)
    with refused("provider_staking: not enough free self-bond"):
        take_offer(sla=dear)


def test_the_owner_may_sign_too(jobs, take_offer, provider_owner):
    assert jobs.job_info(take_offer(signer=provider_owner)).status == JobStatus.ACCEPTED


def test_nobody_takes_past_the_escrow(offers, offer, operator, domain_of, payer, stranger, refused):
    """Else GPUs could be counted as sold that nobody has paid for."""
    signature = sign(operator, offer, domain_of(offers))
    for caller in (payer, stranger, operator.address):
        with refused("roles: caller lacks the role"):
            offers.take(payer, astuple(offer), operator.address, signature, 1, 1, sender=caller)
