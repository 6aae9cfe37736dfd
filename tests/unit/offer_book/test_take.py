"""OfferBook.take: only what was signed is sold, and only as often."""

from dataclasses import astuple, fields, replace

import boa
import pytest
from coincurve import PublicKey

from oracle.domain.messages import Domain, Offer
from oracle.domain.recovery import address_of
from tests.unit.conftest import HOUR, load, role, sign
from tests.unit.market import load_odd
from tests.unit.offer_book.conftest import GPUS, NONCE, logs

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BAD_SIGNATURE = "offer_book: bad signature"
NOT_LEFT = "offer_book: not so many gpus left"
OUT_OF_BOUNDS = "offer_book: run time out of bounds"
NO_SPEAKER = "offer_book: signer does not speak for the provider"
ZERO = "0x" + "00" * 20


# --- how many -------------------------------------------------------------------------------


def test_what_is_taken_is_counted_and_logged(book, offer, provider, take, buyer):
    take(3)
    assert logs(book) == [("OfferTaken", (provider, NONCE, buyer, 3, 3))]
    assert book.taken(provider, NONCE) == 3
    assert book.available(astuple(offer)) == GPUS - 3


def test_one_gpu_and_the_rest_are_taken_by_different_jobs(book, offer, provider, take, buyer):
    take(1)
    take(GPUS - 1)
    assert logs(book) == [("OfferTaken", (provider, NONCE, buyer, GPUS - 1, GPUS))]
    assert book.available(astuple(offer)) == 0


def test_the_same_take_again_counts_again_until_nothing_is_left(take, refused):
    for _ in range(GPUS):
        take(1)
    with refused(NOT_LEFT):
        take(1)


@pytest.mark.parametrize("gpus", [GPUS + 1, 2**16 - 1])
def test_more_than_offered_reverts(take, refused, gpus):
    with refused(NOT_LEFT):
        take(gpus)


def test_no_gpus_revert(take, refused):
    with refused("offer_book: no gpus"):
        take(0)


def test_an_offer_of_no_gpus_sells_none(book, offer, take, refused):
    empty = replace(offer, gpus=0)
    assert book.available(astuple(empty)) == 0
    with refused(NOT_LEFT):
        take(1, of=empty)


def test_the_largest_offer(book, offer, take):
    largest = replace(
        offer,
        device_class=2**16 - 1,
        gpus=2**16 - 1,
        sla=2**16 - 1,
        max_seconds=2**32 - 1,
        expires_at=2**64 - 1,
        nonce=2**64 - 1,
        asset="0x" + "ff" * 20,
        price_per_gpu_hour=2**256 - 1,
        terms=b"\xff" * 32,
    )
    take(2**16 - 1, of=largest, seconds=2**32 - 1)
    assert book.taken(offer.provider, 2**64 - 1) == 2**16 - 1
    assert book.available(astuple(largest)) == 0


# --- one count per nonce ----------------------------------------------------------------------


def test_another_price_under_the_same_nonce_shares_the_count(book, offer, take, refused):
    """Signed anew, an offer sells what is left at the new price and nothing twice."""
    take(5)
    cheaper = replace(offer, price_per_gpu_hour=1, terms=bytes(32))
    assert book.available(astuple(cheaper)) == GPUS - 5
    with refused(NOT_LEFT):
        take(GPUS - 4, of=cheaper)
    take(GPUS - 5, of=cheaper)
    assert book.available(astuple(offer)) == 0


def test_more_or_fewer_gpus_under_the_same_nonce(book, offer, take, refused):
    take(5)
    fewer, more = replace(offer, gpus=4), replace(offer, gpus=6)
    assert book.available(astuple(fewer)) == 0
    with refused(NOT_LEFT):
        take(1, of=fewer)
    assert book.available(astuple(more)) == 1
    take(1, of=more)


def test_nonces_and_providers_count_by_themselves(
    book, offer, take, providers, provider, delegator, payout
):
    take(GPUS)
    take(GPUS, of=replace(offer, nonce=NONCE + 1))
    alice = delegator.address
    other = providers.register(alice, payout, 0, 0, 0, "", sender=alice)
    take(GPUS, of=replace(offer, provider=other), key=delegator)
    assert [book.taken(provider, NONCE), book.taken(other, NONCE)] == [GPUS, GPUS]


def test_offers_are_taken_in_any_order(book, offer, provider, take):
    for nonce in (NONCE + 2, NONCE, NONCE + 1):
        take(1, of=replace(offer, nonce=nonce))
    assert [book.taken(provider, nonce) for nonce in range(NONCE, NONCE + 3)] == [1, 1, 1]


# --- how long -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [HOUR, 24 * HOUR])
def test_bounds_of_the_run_time_are_inclusive(take, seconds):
    take(seconds=seconds)


@pytest.mark.parametrize("seconds", [0, HOUR - 1, 24 * HOUR + 1, 2**32 - 1])
def test_run_time_out_of_bounds_reverts(take, refused, seconds):
    with refused(OUT_OF_BOUNDS):
        take(seconds=seconds)


def test_bounds_that_exclude_each_other_sell_nothing(offer, take, refused):
    for seconds in (HOUR - 1, HOUR):
        with refused(OUT_OF_BOUNDS):
            take(of=replace(offer, max_seconds=HOUR - 1), seconds=seconds)


def test_an_offer_can_be_taken_until_the_second_before_it_expires(book, offer, take, refused):
    boa.env.time_travel(seconds=HOUR - 1)
    assert book.available(astuple(offer)) == GPUS
    take()
    boa.env.time_travel(seconds=1)
    assert book.available(astuple(offer)) == 0
    with refused("offer_book: offer expired"):
        take()


def test_a_later_expiry_under_the_same_nonce_extends_an_offer(book, offer, take):
    take(2)
    boa.env.time_travel(seconds=HOUR)
    later = replace(offer, expires_at=offer.expires_at + 1)
    assert book.available(astuple(later)) == GPUS - 2
    take(GPUS - 2, of=later)


# --- who signed -----------------------------------------------------------------------------------


def test_owner_and_operator_may_sign(take, provider_owner, operator):
    take(key=provider_owner)
    take(key=operator)


def test_signers_who_do_not_speak_for_the_provider_revert(
    take, offer, customer, delegator, providers, payout, refused
):
    with refused(NO_SPEAKER):
        take(key=customer)
    with refused(NO_SPEAKER):
        take(signer=ZERO)
    # speaks for another provider
    alice = delegator.address
    providers.register(alice, payout, 0, 0, 0, "", sender=alice)
    with refused(NO_SPEAKER):
        take(key=delegator)
    # nobody speaks for a provider that never registered
    for unknown in (0, offer.provider + 9):
        with refused(NO_SPEAKER):
            take(of=replace(offer, provider=unknown), signer=ZERO)


def test_a_signature_of_somebody_else_reverts(take, customer, operator, owner, refused):
    with refused(BAD_SIGNATURE):
        take(key=customer, signer=operator.address)
    # both speak for the provider, but this one did not sign
    with refused(BAD_SIGNATURE):
        take(key=operator, signer=owner)


def test_a_rotated_operator_key_sells_nothing_more(
    book, offer, here, take, providers, provider, owner, operator, delegator, refused
):
    take()
    signature = sign(operator, offer, here)
    assert book.is_signed(astuple(offer), operator.address, signature)
    providers.set_operator(provider, delegator.address, sender=owner)
    assert not book.is_signed(astuple(offer), operator.address, signature)
    with refused(NO_SPEAKER):
        take()
    take(key=delegator)


def test_a_new_owner_is_not_bound_by_the_old_one(
    take, providers, provider, owner, delegator, provider_owner, refused
):
    providers.transfer_provider(provider, delegator.address, sender=owner)
    providers.accept_provider(provider, sender=delegator.address)
    with refused(NO_SPEAKER):
        take(key=provider_owner)
    take(key=delegator)


# --- what was signed --------------------------------------------------------------------------


@pytest.mark.parametrize("field", [each.name for each in fields(Offer)])
def test_every_field_is_signed(
    book, offer, here, take, operator, providers, provider_owner, owner, payout, field, refused
):
    signature = sign(operator, offer, here)
    value = getattr(offer, field)
    changed = {
        "provider": providers.register(ZERO, payout, 0, 0, 0, "", sender=owner),
        "asset": "0x" + "a6" * 20,
        "terms": b"\x08" * 32,
    }.get(field, value + 1 if isinstance(value, int) else None)
    signer = owner if field == "provider" else operator.address
    with refused(BAD_SIGNATURE):
        changed_offer = replace(offer, **{field: changed})
        take(of=changed_offer, signature=signature, signer=signer, seconds=HOUR + 1)
    take(signature=signature)


def test_offers_of_another_chain_or_contract_revert(take, here, providers, domain_of, refused):
    other = load("OfferBook", providers, 0)
    for domain in (Domain(here.chain_id + 1, here.verifying_contract), domain_of(other)):
        with refused(BAD_SIGNATURE):
            take(domain=domain)


def test_malformed_signatures_revert(offer, here, take, operator, refused):
    signature = sign(operator, offer, here)
    high_s = (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    twin = signature[:32] + high_s + bytes([27 + 28 - signature[64]])
    for malformed in (b"", signature[:64], signature + b"\0", twin, bytes(65), bytes(1_024)):
        with refused(BAD_SIGNATURE):
            take(signature=malformed)


def test_a_signature_longer_than_any_wallets_reverts(take, state):
    before = state()
    with boa.reverts(compiler="Bytes[1024] bounds check"):
        take(signature=bytes(1_025))
    assert state() == before


def test_s_counts_up_to_half_the_order(
    offer, here, take, providers, owner, provider, operator, refused
):
    """With s given, the signature is that of whoever it recovers to."""
    half = ORDER // 2
    digest, point = offer.digest(here), sign(operator, offer, here)[:32]
    for s in (half, half + 1):
        signature = point + s.to_bytes(32, "big") + b"\x1b"
        key = PublicKey.from_signature_and_message(signature[:64] + b"\0", digest, hasher=None)
        signer = address_of(key)
        providers.set_operator(provider, signer, sender=owner)
        if s == half:
            take(signature=signature, signer=signer)
        else:
            with refused(BAD_SIGNATURE):
                take(signature=signature, signer=signer)


def test_the_digest_is_that_of_the_service(book, offer, here):
    assert book.offer_digest(astuple(offer)) == offer.digest(here)


# --- providers that are contracts ------------------------------------------------------------


@pytest.fixture
def wallet_offer(providers, offer, payout):
    """A contract that is a provider, and what it offers."""
    wallet = load_odd("wallet")
    provider = providers.register(ZERO, payout, 0, 0, 0, "", sender=wallet.address)
    return wallet, replace(offer, provider=provider)


def test_a_contract_signs_by_erc_1271(book, here, take, wallet_offer):
    wallet, offer = wallet_offer
    wallet.sign(offer.digest(here))
    assert book.is_signed(astuple(offer), wallet.address, b"")
    take(2, of=offer, signer=wallet.address, signature=b"whatever it understands")
    assert book.taken(offer.provider, NONCE) == 2


def test_what_a_contract_did_not_sign_reverts(book, here, take, wallet_offer, refused):
    wallet, offer = wallet_offer
    wallet.sign(replace(offer, gpus=1).digest(here))
    assert not book.is_signed(astuple(offer), wallet.address, b"")
    with refused(BAD_SIGNATURE):
        take(of=offer, signer=wallet.address, signature=b"")


def test_a_contract_that_is_no_wallet_signs_nothing(
    take, book, providers, provider, owner, token, refused
):
    """It has no `isValidSignature`, so the call fails and says no."""
    providers.set_operator(provider, token.address, sender=owner)
    with refused(BAD_SIGNATURE):
        take(signer=token.address)


# --- who may call ---------------------------------------------------------------------------------


def test_only_the_escrow_takes(take, owner, operator, buyer, deployer, refused):
    for caller in (owner, operator.address, buyer, deployer):
        with refused("roles: caller lacks the role"):
            take(by=caller)


def test_a_book_without_escrow_sells_nothing(providers, offer, here, operator, buyer):
    book = load("OfferBook", providers, 0)
    with boa.reverts("roles: caller lacks the role"):
        book.take(buyer, astuple(offer), operator.address, b"", 1, HOUR, sender=buyer)
    assert book.role_holder(role("JOBS")) == ZERO
