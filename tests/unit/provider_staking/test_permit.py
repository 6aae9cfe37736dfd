"""ProviderStaking.stake_with_permit and delegate_with_permit: allowance by signature."""

from typing import Any

import boa
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

UNIT = 10**18
REFUSED = "provider_staking: permit refused"


@pytest.fixture
def holder(token: Any) -> LocalAccount:
    """Somebody with tokens who approved nothing."""
    account = Account.from_key(b"\x07" * 32)
    token.transfer(account.address, 100 * UNIT)
    return account


@pytest.fixture
def permit(token: Any, staking: Any, holder: LocalAccount) -> Any:
    """The holder's signature over a permit for the staking contract: deadline, v, r, s."""

    def _permit(
        value: int, deadline: int = 2**256 - 1, signer: LocalAccount = holder, chain: int = 0
    ) -> tuple[int, int, bytes, bytes]:
        _, name, version, chain_id, contract, _, _ = token.eip712Domain()
        fields = ("owner:address", "spender:address", "value:uint256", "nonce:uint256")
        types = [dict(zip(("name", "type"), f.split(":"), strict=True)) for f in fields]
        signed = signer.sign_typed_data(
            domain_data={
                "name": name,
                "version": version,
                "chainId": chain or chain_id,
                "verifyingContract": str(contract),
            },
            message_types={"Permit": [*types, {"name": "deadline", "type": "uint256"}]},
            message_data={
                "owner": holder.address,
                "spender": str(staking.address),
                "value": value,
                "nonce": token.nonces(holder.address),
                "deadline": deadline,
            },
        )
        return deadline, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")

    return _permit


def test_stakes_in_one_transaction(token, staking, provider, holder, permit, solvent):
    signed = permit(30 * UNIT)
    staking.stake_with_permit(provider, 30 * UNIT, *signed, sender=holder.address)
    assert staking.self_bond(provider).active == 1_030 * UNIT
    assert token.balanceOf(holder.address) == 70 * UNIT
    assert token.allowance(holder.address, staking) == 0
    assert solvent()


def test_delegates_in_one_transaction(staking, provider, holder, permit, solvent):
    signed = permit(30 * UNIT)
    shares = staking.delegate_with_permit(
        provider, 30 * UNIT, 30 * UNIT, *signed, sender=holder.address
    )
    assert shares == 30 * UNIT
    assert staking.delegation(provider, holder.address) == (30 * UNIT, 30 * UNIT)
    assert solvent()


def test_permit_that_somebody_sent_before_is_enough(
    token, staking, provider, holder, permit, stranger
):
    signed = permit(30 * UNIT)
    token.permit(holder.address, staking, 30 * UNIT, *signed, sender=stranger)
    staking.delegate_with_permit(provider, 30 * UNIT, 0, *signed, sender=holder.address)
    assert staking.delegation(provider, holder.address)[1] == 30 * UNIT


def test_used_permit_does_not_pay_again(staking, provider, holder, permit, refused):
    signed = permit(30 * UNIT)
    staking.stake_with_permit(provider, 30 * UNIT, *signed, sender=holder.address)
    with refused(REFUSED):
        staking.stake_with_permit(provider, 30 * UNIT, *signed, sender=holder.address)


def test_permit_holds_for_its_signer_amount_chain_and_time(
    staking, provider, holder, permit, bob, refused
):
    now = boa.env.evm.patch.timestamp
    for signed in (
        permit(30 * UNIT - 1),
        permit(30 * UNIT, deadline=now - 1),
        permit(30 * UNIT, signer=Account.from_key(b"\x08" * 32)),
        permit(30 * UNIT, chain=5),
    ):
        with refused(REFUSED):
            staking.stake_with_permit(provider, 30 * UNIT, *signed, sender=holder.address)
        with refused(REFUSED):
            staking.delegate_with_permit(provider, 30 * UNIT, 0, *signed, sender=holder.address)


def test_nobody_stakes_somebody_elses_tokens(token, staking, provider, holder, permit, stranger):
    signed = permit(30 * UNIT)
    with boa.reverts(REFUSED):
        staking.stake_with_permit(provider, 30 * UNIT, *signed, sender=stranger)
    assert token.balanceOf(holder.address) == 100 * UNIT


def test_the_rules_of_staking_and_delegating_hold(staking, provider, holder, permit, refused):
    with refused("provider_staking: nothing to stake"):
        staking.stake_with_permit(provider, 0, *permit(0), sender=holder.address)
    with refused("provider_staking: unknown provider"):
        staking.stake_with_permit(
            provider + 1, 30 * UNIT, *permit(30 * UNIT), sender=holder.address
        )
    with refused("provider_staking: delegation below minimum"):
        staking.delegate_with_permit(
            provider, UNIT - 1, 0, *permit(UNIT - 1), sender=holder.address
        )
    with refused("provider_staking: fewer shares than expected"):
        staking.delegate_with_permit(
            provider, 2 * UNIT, 2 * UNIT + 1, *permit(2 * UNIT), sender=holder.address
        )
