"""ClusterRegistry.collect and draw: income comes in once and goes out by weight."""

from itertools import permutations

import pytest

from oracle.domain.receipts import JobStatus
from tests.unit.cluster_registry.conftest import FIRST_CLUSTER, GPUS, TOTAL
from tests.unit.market import PRICE, load_odd, logs

SUBNET = 7
# bps that the escrow takes
FEE = 300


def income_of(gpu_seconds: int, price: int = PRICE) -> int:
    """Base units that a cluster is paid for so much usage."""
    earned = gpu_seconds * price // 3_600
    return earned - (earned * FEE + 9_999) // 10_000


def share_of(income: int, place: int) -> int:
    return income * GPUS[place] // TOTAL


@pytest.fixture
def plain(escrow, payer):
    """Another token, listed in two subnets; the customer has some."""
    plain = load_odd("plain_token", 10**30, 6)
    plain.approve(escrow, 2**256 - 1)
    for subnet in (0, SUBNET):
        escrow.list_asset(plain, subnet)
    plain.transfer(payer, 10**12)
    plain.approve(escrow, 2**256 - 1, sender=payer)
    return plain


@pytest.fixture
def earn_in_subnet(escrow, jobs, cluster, lead, settle_batch, next_window, payer):
    """The cluster earns in `SUBNET`."""

    def _earn_in_subnet(gpu_seconds, token):
        job = escrow.open_job(
            cluster, token, TOTAL, 1, PRICE, 2 * gpu_seconds, 0, b"\1" * 32, SUBNET, sender=payer
        )
        jobs.accept(job, sender=lead)
        settle_batch((job, gpu_seconds, JobStatus.COMPLETED))
        next_window()
        next_window()

    return _earn_in_subnet


# --- by weight ------------------------------------------------------------------------------


@pytest.mark.parametrize("gpu_seconds", [1, 7, 1_000_003])
@pytest.mark.parametrize("order", list(permutations(range(3)))[::2])
def test_members_draw_their_weight(
    clusters, escrow, asset, cluster, earn, payouts, members, order, gpu_seconds
):
    earn(gpu_seconds)
    income = income_of(gpu_seconds)
    assert clusters.collect(cluster, asset) == income
    if income:
        assert logs(clusters, "IncomeShared") == [(cluster, asset.address, income)]
    assert escrow.income(cluster, asset) == (0, 0)
    assert asset.balanceOf(clusters) == clusters.shared(cluster, asset) == income
    for place in order:
        share = share_of(income, place)
        assert clusters.drawable(cluster, place, asset) == share
        assert clusters.draw(cluster, place, asset) == share
        drawn = [(cluster, members[place], asset.address, payouts[place], share)]
        assert logs(clusters, "ShareDrawn") == (drawn if share else [])
        assert asset.balanceOf(payouts[place]) == share
    # the dust of the division: less than one base unit for each member
    assert 0 <= asset.balanceOf(clusters) < len(GPUS)


def test_dust_is_carried_on(clusters, asset, cluster, earn, payouts):
    """However often income comes in and is drawn, nobody loses more than one base unit."""
    total = 0
    for gpu_seconds in (3, 5, 2, 11):
        earn(gpu_seconds)
        total += clusters.collect(cluster, asset)
        for place in range(len(GPUS)):
            clusters.draw(cluster, place, asset)
            assert asset.balanceOf(payouts[place]) == share_of(total, place)
        assert asset.balanceOf(clusters) == total - sum(
            share_of(total, place) for place in range(len(GPUS))
        )
    assert total % TOTAL != 0


def test_who_waits_loses_nothing(clusters, asset, cluster, earn, payouts):
    total = 0
    for gpu_seconds in (100, 300):
        earn(gpu_seconds)
        total += clusters.collect(cluster, asset)
        clusters.draw(cluster, 0, asset)
    clusters.draw(cluster, 2, asset)
    assert [asset.balanceOf(payout) for payout in payouts] == [
        share_of(total, 0), 0, share_of(total, 2)
    ]  # fmt: skip


def test_whoever_calls(clusters, asset, cluster, earn, payouts, stranger):
    earn(100)
    clusters.collect(cluster, asset, sender=stranger)
    clusters.draw(cluster, 0, asset, sender=stranger)
    assert asset.balanceOf(payouts[0]) == share_of(income_of(100), 0)
    assert asset.balanceOf(stranger) == 0


# --- once -----------------------------------------------------------------------------------


def test_income_is_collected_once(clusters, asset, cluster, earn):
    assert clusters.collect(cluster, asset) == 0
    earn(100)
    assert clusters.collect(cluster, asset) == income_of(100)
    assert clusters.collect(cluster, asset) == 0
    assert logs(clusters, "IncomeShared") == []
    assert clusters.shared(cluster, asset) == income_of(100)


def test_a_share_is_drawn_once(clusters, asset, cluster, earn, refused, payouts):
    earn(100)
    clusters.collect(cluster, asset)
    assert clusters.draw(cluster, 0, asset) != 0
    held = asset.balanceOf(clusters)
    assert clusters.draw(cluster, 0, asset) == clusters.drawable(cluster, 0, asset) == 0
    assert logs(clusters, "ShareDrawn") == []
    assert asset.balanceOf(clusters) == held


def test_what_is_pending_is_not_collected(clusters, asset, cluster, cluster_job, settle_batch):
    settle_batch((cluster_job(), 100, JobStatus.COMPLETED))
    assert clusters.collect(cluster, asset) == 0


def test_gifts_are_not_shared(clusters, token, cluster, earn, asset):
    """What somebody sends by mistake is no cluster's income."""
    asset.transfer(clusters, 1_000)
    earn(100)
    assert clusters.collect(cluster, asset) == income_of(100)
    assert clusters.shared(cluster, asset) == income_of(100)


@pytest.mark.parametrize("unknown", [0, 1, FIRST_CLUSTER - 1, FIRST_CLUSTER + 5])
def test_a_cluster_that_nobody_formed(clusters, asset, cluster, refused, unknown):
    with refused("cluster_registry: unknown cluster"):
        clusters.collect(unknown, asset)
    for call in (clusters.draw, clusters.drawable):
        with refused("cluster_registry: unknown cluster"):
            call(unknown, 0, asset)


@pytest.mark.parametrize("place", [len(GPUS), 64, 2**256 - 1])
def test_a_place_that_nobody_has(clusters, asset, cluster, refused, place):
    for call in (clusters.draw, clusters.drawable):
        with refused("cluster_registry: no such member"):
            call(cluster, place, asset)


def test_only_the_registry_withdraws(escrow, asset, cluster, earn, lead, stranger, refused):
    earn(100)
    for caller in (lead, stranger):
        with refused("job_escrow: not the cluster registry"):
            escrow.withdraw(cluster, asset, sender=caller)


def test_a_token_that_is_not_listed(clusters, cluster, refused):
    with refused("job_escrow: asset not listed"):
        clusters.collect(cluster, load_odd("plain_token", 1, 18))


# --- apart ----------------------------------------------------------------------------------


def test_assets_and_subnets(clusters, asset, plain, cluster, earn, earn_in_subnet, payouts):
    """Assets are counted apart; what one asset earns in two subnets is one sum."""
    earn(100)
    earn(200, paid_in=plain)
    earn_in_subnet(400, plain)
    assert clusters.collect(cluster, asset) == income_of(100)
    assert clusters.collect(cluster, plain) == income_of(200)
    assert clusters.collect(cluster, plain, SUBNET) == income_of(400)
    earned = income_of(200) + income_of(400)
    assert clusters.shared(cluster, asset) == income_of(100)
    assert clusters.shared(cluster, plain) == earned
    for place, payout in enumerate(payouts):
        clusters.draw(cluster, place, plain)
        assert plain.balanceOf(payout) == share_of(earned, place)
        assert asset.balanceOf(payout) == 0
        clusters.draw(cluster, place, asset)
        assert asset.balanceOf(payout) == share_of(income_of(100), place)


def test_clusters_of_the_same_members(clusters, asset, cluster, earn, form, speakers):
    other = form()
    earn(100)
    assert clusters.collect(other, asset) == 0
    clusters.collect(cluster, asset)
    assert clusters.draw(other, 0, asset) == clusters.shared(other, asset) == 0
    assert clusters.draw(cluster, 0, asset) == share_of(income_of(100), 0)


def test_who_left_still_draws(clusters, asset, cluster, earn, speakers, payouts):
    earn(100)
    clusters.leave(cluster, 0, sender=speakers[0])
    clusters.collect(cluster, asset)
    clusters.draw(cluster, 0, asset)
    assert asset.balanceOf(payouts[0]) == share_of(income_of(100), 0)


def test_a_blocked_payee_names_another_payout(
    clusters, providers, plain, cluster, earn, members, speakers, payouts, stranger, refused
):
    earn(100, paid_in=plain)
    clusters.collect(cluster, plain)
    plain.set_blocked(payouts[0], True)
    with refused("plain_token: blocked"):
        clusters.draw(cluster, 0, plain)
    # which is no trouble to the others
    clusters.draw(cluster, 2, plain)
    assert plain.balanceOf(payouts[2]) == share_of(income_of(100), 2)
    providers.set_payout(members[0], stranger, sender=speakers[0])
    assert clusters.draw(cluster, 0, plain) == share_of(income_of(100), 0)
    assert plain.balanceOf(stranger) == share_of(income_of(100), 0)


def test_a_token_that_returns_nothing(clusters, odd_token, payer, escrow, cluster, earn, payouts):
    odd_token.approve(escrow, 2**256 - 1, sender=payer)
    earn(100, paid_in=odd_token)
    clusters.collect(cluster, odd_token)
    assert clusters.draw(cluster, 0, odd_token) == share_of(income_of(100), 0)
    assert odd_token.balanceOf(payouts[0]) == share_of(income_of(100), 0)


def test_a_token_that_says_no(clusters, plain, cluster, earn, refused, payouts):
    earn(100, paid_in=plain)
    clusters.collect(cluster, plain)
    plain.set_says_no(True)
    with refused("cluster_registry: transfer failed"):
        clusters.draw(cluster, 0, plain)
    plain.set_says_no(False)
    assert clusters.draw(cluster, 0, plain) == share_of(income_of(100), 0)


def test_what_arrives_is_shared(clusters, plain, cluster, earn):
    """A token that has turned on a fee costs the members, not those of another cluster."""
    earn(1_000, paid_in=plain)
    plain.set_fee(1_000)
    assert clusters.collect(cluster, plain) == income_of(1_000) - income_of(1_000) // 10
    assert clusters.shared(cluster, plain) == plain.balanceOf(clusters)


@pytest.mark.parametrize("entry", ["collect", "draw", "leave"])
@pytest.mark.parametrize("door", ["collect", "draw"])
def test_no_way_in_while_tokens_move(
    clusters, plain, cluster, earn, payouts, door, entry, speakers
):
    earn(100, paid_in=plain)
    if door == "draw":
        clusters.collect(cluster, plain)
    plain.arm(clusters, getattr(clusters, entry).prepare_calldata(
        *{"collect": (cluster, plain), "draw": (cluster, 0, plain), "leave": (cluster, 0)}[entry]
    ))  # fmt: skip
    if door == "collect":
        assert clusters.collect(cluster, plain) == income_of(100)
    for place in range(len(GPUS)):
        clusters.draw(cluster, place, plain)
    assert (plain.attempts() != 0, plain.entries()) == (True, 0)
    assert [plain.balanceOf(payout) for payout in payouts] == [
        share_of(income_of(100), place) for place in range(len(GPUS))
    ]
    assert clusters.shared(cluster, plain) == income_of(100)


def test_no_way_in_from_the_escrow(clusters, escrow, plain, asset, cluster, earn):
    """While the escrow sends a cluster's income, its other doors are shut as well."""
    earn(100, paid_in=plain)
    earn(100)
    plain.arm(escrow, escrow.withdraw.prepare_calldata(cluster, asset))
    clusters.collect(cluster, plain)
    assert (plain.attempts(), plain.entries()) == (1, 0)
    assert clusters.collect(cluster, asset) == income_of(100)
