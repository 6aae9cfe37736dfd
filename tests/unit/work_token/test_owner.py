"""WorkToken's owner: what it can do, and how it changes."""

import boa


def test_stranger_cannot_name_a_minter(token, stranger, refused):
    with refused("ownable: caller is not the owner"):
        token.set_role(token.MINTER(), stranger, sender=stranger)


def test_ownership_moves_in_two_steps(token, deployer, stranger, refused):
    token.transfer_ownership(stranger, sender=deployer)
    assert (token.owner(), token.pending_owner()) == (deployer, stranger)
    with refused("ownable_2step: caller is not the new owner"):
        token.accept_ownership(sender=deployer)
    token.accept_ownership(sender=stranger)
    assert token.owner() == stranger


def test_new_owner_does_not_become_a_minter(token, deployer, stranger):
    token.transfer_ownership(stranger, sender=deployer)
    token.accept_ownership(sender=stranger)
    with boa.reverts("roles: caller lacks the role"):
        token.mint(stranger, 1, sender=stranger)


def test_minting_ends_when_the_role_is_emptied(token, minter, deployer, stranger):
    token.set_role(token.MINTER(), "0x" + "00" * 20, sender=deployer)
    boa.env.time_travel(seconds=token.ROLE_CHANGE_DELAY())
    token.apply_role(token.MINTER())
    with boa.reverts("roles: caller lacks the role"):
        token.mint(stranger, 1, sender=minter)
