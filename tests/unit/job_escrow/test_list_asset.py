"""JobEscrow.list_asset."""

import boa
import pytest

from tests.unit.market import load_odd, logs

PROBE = 10_000


@pytest.fixture
def odd(escrow):
    """A token of the owner that is not listed yet."""
    odd = load_odd("odd_token", 10**9)
    odd.approve(escrow, PROBE)
    return odd


def test_lists_a_token_and_returns_the_probe(escrow, asset, odd, deployer):
    before = odd.balanceOf(deployer)
    number = escrow.market_count() + 1
    assert escrow.list_asset(odd) == number
    assert logs(escrow, "AssetListed") == [(number, odd.address, 0)]
    assert odd.balanceOf(deployer) == before
    assert odd.balanceOf(escrow) == 0
    assert (escrow.market_count(), escrow.market_of(odd, 0)) == (number, number)
    assert escrow.asset_of(number) == escrow.inflow_asset(number) == odd.address


def test_the_work_token_is_listed_like_any_other(escrow, asset):
    assert escrow.asset_of(escrow.market_of(asset, 0)) == asset.address


def test_other_balances_do_not_disturb_the_probe(escrow, odd):
    odd.grow(escrow, 77)
    escrow.list_asset(odd)
    assert odd.balanceOf(escrow) == 77


@pytest.mark.parametrize("fee", [1, PROBE])
def test_a_fee_on_transfer_reverts(escrow, odd, refused, fee):
    odd.set_fee(fee)
    with refused("job_escrow: fee on transfer"):
        escrow.list_asset(odd)


def test_a_fee_on_top_reverts(escrow, odd, refused):
    """The sender loses more than it sends: at first the owner, then the escrow."""
    odd.set_surcharge(1)
    odd.grow(escrow, 1)
    with refused("job_escrow: probe not returned"):
        escrow.list_asset(odd)


def test_a_fee_on_the_way_out_reverts(escrow, refused):
    """The escrow pays as much as it should, and less arrives."""
    plain = load_odd("plain_token", 10**9, 18)
    plain.approve(escrow, PROBE)
    plain.set_fee(1)
    with refused("job_escrow: probe not returned"):
        escrow.list_asset(plain)


def test_more_of_a_token_than_income_can_count_reverts(escrow, odd, stranger, refused):
    """Else a gift could fill the escrow, and nobody could pay in."""
    odd.grow(stranger, 2**112 - 1 - odd.totalSupply())
    escrow.list_asset(odd)
    more = load_odd("odd_token", 2**112)
    more.approve(escrow, PROBE)
    with refused("job_escrow: supply too large"):
        escrow.list_asset(more)


def test_a_token_that_refuses_the_escrow_reverts(escrow, odd, refused):
    odd.set_blocked(escrow, True)
    with refused("odd_token: blocked"):
        escrow.list_asset(odd)


def test_a_token_that_says_no_reverts(escrow, asset, refused):
    refusing = load_odd("refusing_token", 10**9)
    refusing.set_refuses(True)
    with refused("job_escrow: transfer in failed"):
        escrow.list_asset(refusing)


def test_without_approval_it_reverts(escrow, odd, state):
    odd.approve(escrow, PROBE - 1)
    before = state()
    with boa.reverts():
        escrow.list_asset(odd)
    assert state() == before


def test_what_is_no_token_reverts(escrow, state):
    before = state()
    with boa.reverts():
        escrow.list_asset(boa.env.generate_address())
    assert state() == before


def test_a_token_only_once(escrow, asset, refused):
    with refused("job_escrow: already listed"):
        escrow.list_asset(asset)


def test_only_the_owner(escrow, odd, stranger, guardian, refused):
    for caller in (stranger, guardian):
        with refused("ownable: caller is not the owner"):
            escrow.list_asset(odd, sender=caller)
