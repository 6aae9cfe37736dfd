"""WorkToken moves: transfers, allowances, burning, permits."""

import boa
import pytest
from eth_account.messages import encode_typed_data

DEADLINE = 10_000


def permit_signature(token, key, spender, amount, deadline, changes=None):
    """EIP-2612 permit of `key` for `spender`, with some fields of it or its domain changed."""
    message = {
        "owner": key.address,
        "spender": spender,
        "value": amount,
        "nonce": token.nonces(key.address),
        "deadline": deadline,
    }
    domain = {
        "name": "Clearwork",
        "version": "1",
        "chainId": boa.env.evm.patch.chain_id,
        "verifyingContract": token.address,
    }
    types = {
        "Permit": [
            {"name": "owner", "type": "address"},
            {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ]
    }
    for name, value in (changes or {}).items():
        (domain if name in domain else message)[name] = value
    signed = key.sign_message(encode_typed_data(domain, types, message))
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


@pytest.fixture
def deadline():
    return boa.env.evm.patch.timestamp + DEADLINE


# --- transfer -----------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, 1, "all"])
def test_transfer_moves_exactly_the_amount(token, deployer, stranger, amount):
    had = token.balanceOf(deployer)
    moved = had if amount == "all" else amount
    assert token.transfer(stranger, moved, sender=deployer) is True
    assert (token.balanceOf(deployer), token.balanceOf(stranger)) == (had - moved, moved)


def test_transfer_to_oneself_changes_nothing(token, deployer):
    had = token.balanceOf(deployer)
    token.transfer(deployer, had, sender=deployer)
    assert token.balanceOf(deployer) == had


def test_transfer_of_more_than_one_has_reverts(token, deployer, stranger, refused):
    with refused("erc20: transfer amount exceeds balance"):
        token.transfer(stranger, token.balanceOf(deployer) + 1, sender=deployer)


def test_spender_moves_up_to_the_allowance(token, deployer, stranger, refused):
    token.approve(stranger, 5, sender=deployer)
    assert token.transferFrom(deployer, stranger, 3, sender=stranger) is True
    assert token.allowance(deployer, stranger) == 2
    with refused("erc20: insufficient allowance"):
        token.transferFrom(deployer, stranger, 3, sender=stranger)


# --- burn ---------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, 1, "all"])
def test_burn_destroys_and_minted_stays(token, deployer, amount):
    had, supply, minted = token.balanceOf(deployer), token.totalSupply(), token.minted()
    burnt = had if amount == "all" else amount
    token.burn(burnt, sender=deployer)
    assert token.balanceOf(deployer) == had - burnt
    assert (token.totalSupply(), token.minted()) == (supply - burnt, minted)


def test_burn_of_more_than_one_has_reverts(token, stranger, refused):
    with refused("erc20: burn amount exceeds balance"):
        token.burn(1, sender=stranger)


def test_burn_from_needs_an_allowance(token, deployer, stranger, refused):
    with refused("erc20: insufficient allowance"):
        token.burn_from(deployer, 1, sender=stranger)
    token.approve(stranger, 5, sender=deployer)
    supply = token.totalSupply()
    token.burn_from(deployer, 5, sender=stranger)
    assert token.totalSupply() == supply - 5
    assert token.allowance(deployer, stranger) == 0


# --- permit -------------------------------------------------------------------------------


def test_permit_sets_the_allowance_once(token, customer, stranger, deadline, refused):
    signature = permit_signature(token, customer, stranger, 7, deadline)
    token.permit(customer.address, stranger, 7, deadline, *signature)
    assert token.allowance(customer.address, stranger) == 7
    assert token.nonces(customer.address) == 1
    with refused("erc20: invalid signature"):
        token.permit(customer.address, stranger, 7, deadline, *signature)


def test_permit_works_until_its_deadline(token, customer, stranger, deadline, refused):
    signature = permit_signature(token, customer, stranger, 7, deadline)
    boa.env.time_travel(seconds=DEADLINE + 1)
    with refused("erc20: expired deadline"):
        token.permit(customer.address, stranger, 7, deadline, *signature)


@pytest.mark.parametrize(
    "change",
    [
        {"value": 8},
        {"nonce": 1},
        {"deadline": 1},
        {"spender": "0x" + "11" * 20},
        {"chainId": 999_999},
        {"verifyingContract": "0x" + "22" * 20},
        {"version": "2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_permit_for_anything_else_reverts(token, customer, stranger, deadline, change, refused):
    signature = permit_signature(token, customer, stranger, 7, deadline, change)
    with refused("erc20: invalid signature"):
        token.permit(customer.address, stranger, 7, deadline, *signature)


def test_permit_of_someone_else_reverts(token, customer, watcher, stranger, deadline, refused):
    signature = permit_signature(token, watcher, stranger, 7, deadline)
    with refused("erc20: invalid signature"):
        token.permit(customer.address, stranger, 7, deadline, *signature)
