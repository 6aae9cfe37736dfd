"""OfferBook's deployment: what it is built on, who owns it, which domain it signs for."""

import boa

from tests.unit.conftest import ROLE_DELAY, load, role

ZERO = "0x" + "00" * 20


def test_parameters_are_kept(providers, deployer):
    book = load("OfferBook", providers, ROLE_DELAY)
    assert book.PROVIDERS() == providers.address
    assert book.ROLE_CHANGE_DELAY() == ROLE_DELAY
    assert book.owner() == deployer
    assert book.JOBS() == role("JOBS")
    assert book.role_holder(role("JOBS")) == ZERO


def test_a_book_without_registry_reverts():
    with boa.reverts("offer_book: no providers"):
        load("OfferBook", ZERO, ROLE_DELAY)


def test_the_domain_is_published(book, here):
    _, name, version, chain_id, contract, _, _ = book.eip712Domain()
    assert (name, version, chain_id, contract) == (
        "Clearwork", "1", here.chain_id, here.verifying_contract,
    )  # fmt: skip


def test_a_held_role_changes_after_its_delay(book, escrow_account, take, stranger, refused):
    book.set_role(role("JOBS"), stranger)
    boa.env.time_travel(seconds=ROLE_DELAY - 1)
    with refused("roles: change not ready"):
        book.apply_role(role("JOBS"))
    boa.env.time_travel(seconds=1)
    book.apply_role(role("JOBS"))
    assert book.role_holder(role("JOBS")) == stranger
    with refused("roles: caller lacks the role"):
        take()
    with refused("roles: nothing scheduled"):
        book.apply_role(role("ESCROW"))


def test_only_the_owner_fills_roles(book, escrow_account, stranger, refused):
    for caller in (stranger, escrow_account):
        with refused("ownable: caller is not the owner"):
            book.set_role(role("JOBS"), stranger, sender=caller)
