"""WorkToken.mint: who may, and how much over all time."""

import boa


def test_minter_creates_tokens(token, minter, stranger):
    supply = token.totalSupply()
    token.mint(stranger, 5, sender=minter)
    assert token.balanceOf(stranger) == 5
    assert token.totalSupply() == token.minted() == supply + 5


def test_log_names_receiver_amount_and_total(token, minter, stranger):
    token.mint(stranger, 5, sender=minter)
    logs = {type(entry).__name__: entry for entry in token.get_logs()}
    assert logs["Transfer"].value == 5
    assert logs["Minted"].receiver == stranger
    assert (logs["Minted"].amount, logs["Minted"].minted) == (5, token.minted())


def test_zero_is_no_error(token, minter, stranger):
    minted = token.minted()
    token.mint(stranger, 0, sender=minter)
    assert token.minted() == minted


def test_exactly_the_cap_then_not_one_more(token, minter, stranger, refused):
    token.mint(stranger, token.MAX_SUPPLY() - token.minted(), sender=minter)
    assert token.minted() == token.MAX_SUPPLY()
    with refused("work_token: over max supply"):
        token.mint(stranger, 1, sender=minter)


def test_amount_near_the_word_limit_reverts(token, minter, stranger, refused):
    with refused("work_token: over max supply"):
        token.mint(stranger, 2**256 - 1, sender=minter)


def test_burning_makes_no_room(token, minter, deployer, stranger, refused):
    token.mint(stranger, token.MAX_SUPPLY() - token.minted(), sender=minter)
    token.burn(1, sender=deployer)
    with refused("work_token: over max supply"):
        token.mint(stranger, 1, sender=minter)


def test_zero_receiver_reverts(token, minter, refused):
    with refused("erc20: mint to the zero address"):
        token.mint("0x" + "00" * 20, 1, sender=minter)


def test_owner_without_the_role_reverts(token, minter, deployer, stranger, refused):
    for caller in (deployer, stranger):
        with refused("roles: caller lacks the role"):
            token.mint(stranger, 1, sender=caller)


def test_nobody_mints_before_the_role_is_given(token, stranger, deployer, refused):
    with refused("roles: caller lacks the role"):
        token.mint(stranger, 1, sender=deployer)


def test_minter_is_replaced_only_after_the_delay(token, minter, stranger, deployer):
    token.set_role(token.MINTER(), stranger, sender=deployer)
    token.mint(stranger, 1, sender=minter)
    with boa.reverts("roles: change not ready"):
        token.apply_role(token.MINTER())
    boa.env.time_travel(seconds=token.ROLE_CHANGE_DELAY())
    token.apply_role(token.MINTER())
    token.mint(stranger, 1, sender=stranger)
    with boa.reverts("roles: caller lacks the role"):
        token.mint(stranger, 1, sender=minter)
