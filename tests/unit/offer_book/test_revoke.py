"""OfferBook.revoke and revoke_below: a provider takes its word back, for ever."""

from dataclasses import astuple, replace

import boa
import pytest

from tests.unit.offer_book.conftest import GPUS, NONCE, logs

REVOKED = "offer_book: offer revoked"
NO_SPEAKER = "offer_book: caller does not speak for the provider"


def test_a_revoked_offer_can_not_be_taken(book, offer, provider, take, operator, refused):
    take(3)
    book.revoke(provider, [NONCE], sender=operator.address)
    assert logs(book) == [("OfferRevoked", (provider, NONCE))]
    assert book.available(astuple(offer)) == 0
    with refused(REVOKED):
        take()
    # nor whatever else is signed with that nonce
    other = replace(offer, gpus=2**16 - 1, price_per_gpu_hour=1)
    assert book.available(astuple(other)) == 0
    with refused(REVOKED):
        take(of=other)


def test_other_nonces_stay(book, offer, provider, take, operator):
    book.revoke(provider, [NONCE - 1, NONCE + 1], sender=operator.address)
    assert book.available(astuple(offer)) == GPUS
    take(GPUS)


def test_a_nonce_is_revoked_before_anything_is_signed_with_it(book, offer, provider, owner):
    book.revoke(provider, [NONCE], sender=owner)
    assert book.available(astuple(offer)) == 0


def test_many_nonces_in_any_order_and_twice(book, offer, provider, owner):
    nonces = [2**64 - 1, NONCE, 0, NONCE]
    book.revoke(provider, nonces, sender=owner)
    assert logs(book) == [("OfferRevoked", (provider, nonce)) for nonce in nonces]
    for nonce in nonces:
        assert book.available(astuple(replace(offer, nonce=nonce))) == 0
    before = book.taken(provider, NONCE)
    book.revoke(provider, [NONCE], sender=owner)
    assert book.taken(provider, NONCE) == before


def test_no_nonces_change_nothing(book, provider, owner, state):
    before = state()
    book.revoke(provider, [], sender=owner)
    assert logs(book) == []
    assert state() == before


def test_sixty_four_nonces_fit_and_one_more_reverts(book, provider, owner, state):
    before = state()
    with boa.reverts():
        book.revoke(provider, list(range(65)), sender=owner)
    assert state() == before
    book.revoke(provider, list(range(64)), sender=owner)
    assert len(logs(book)) == 64


def test_everything_below_a_nonce_is_revoked(book, offer, provider, take, operator, refused):
    take(3)
    book.revoke_below(provider, NONCE, sender=operator.address)
    assert logs(book) == [("OffersRevoked", (provider, NONCE))]
    below = replace(offer, nonce=NONCE - 1)
    assert book.available(astuple(below)) == 0
    with refused(REVOKED):
        take(of=below)
    # the lowest itself stays, with its count
    assert book.available(astuple(offer)) == GPUS - 3
    take(GPUS - 3)


def test_the_lowest_nonce_rises_to_the_end(book, offer, provider, owner):
    book.revoke_below(provider, 2**64 - 1, sender=owner)
    assert book.lowest_nonce(provider) == 2**64 - 1
    assert book.available(astuple(offer)) == 0
    assert book.available(astuple(replace(offer, nonce=2**64 - 1))) == GPUS


def test_the_lowest_nonce_never_falls(book, provider, owner, refused):
    book.revoke_below(provider, NONCE, sender=owner)
    for lowest in (0, NONCE - 1, NONCE):
        with refused("offer_book: lowest nonce can only rise"):
            book.revoke_below(provider, lowest, sender=owner)
    book.revoke_below(provider, NONCE + 1, sender=owner)


@pytest.mark.parametrize("method", ["revoke", "revoke_below"])
def test_only_who_speaks_for_the_provider_revokes(
    book, providers, provider, owner, operator, delegator, buyer, escrow_account, deployer, payout,
    method, refused,
):  # fmt: skip
    argument = [NONCE] if method == "revoke" else NONCE
    alice = delegator.address
    providers.register(alice, payout, 0, 0, 0, "", sender=alice)
    for caller in (alice, buyer, escrow_account, deployer):
        with refused(NO_SPEAKER):
            getattr(book, method)(provider, argument, sender=caller)
    # a provider that never registered has nobody
    with refused(NO_SPEAKER):
        getattr(book, method)(provider + 9, argument, sender=owner)
    # a retired key is out at once
    providers.set_operator(provider, buyer, sender=owner)
    with refused(NO_SPEAKER):
        getattr(book, method)(provider, argument, sender=operator.address)
    getattr(book, method)(provider, argument, sender=buyer)


def test_another_provider_is_not_touched(book, offer, providers, provider, delegator, payout):
    alice = delegator.address
    other = providers.register(alice, payout, 0, 0, 0, "", sender=alice)
    book.revoke(other, [NONCE], sender=alice)
    book.revoke_below(other, NONCE + 1, sender=alice)
    assert book.available(astuple(offer)) == GPUS
