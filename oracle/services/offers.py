"""Offers: taken from providers and listed for customers, as long as they can be taken."""

from dataclasses import replace

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.store.store import Store
from oracle.domain.messages import Offer
from oracle.domain.offers import ListedOffer, SignedOffer, Wanted, check
from oracle.errors import BadInput, Conflict, Unauthorized

log = structlog.get_logger()

BOOK = "OfferBook"
# offers of one provider that an oracle keeps, those whose price was replaced included
MAX_OFFERS = 256


class Offers:
    """The market's offers at one oracle.

    The chain decides what can be taken: an oracle that lists too much or too little costs a
    customer a refused transaction, never money.
    """

    def __init__(self, store: Store, market: Market) -> None:
        self._store = store
        self._market = market

    def publish(self, signed: SignedOffer) -> ListedOffer:
        """List an offer; the same one again changes nothing.

        Raises `BadInput` for what the escrow would never take, `NotFound` for an unknown
        provider, `Unauthorized` for a signature that is not the provider's, `Conflict` for an
        offer that can't be taken now.
        """
        offer = signed.offer
        check(offer, self._market.head.timestamp)
        self._check_terms(offer)
        self._check_signature(signed)
        if not self._market.offered_gpus(offer):
            raise Conflict(
                f"nothing is left of nonce {offer.nonce} of provider {offer.provider}",
                "It is revoked or sold: sign the offer with a new nonce.",
            )
        book = self._book()
        if not self._store.has_offer(book, offer):
            self._make_room(offer.provider)
        listed = ListedOffer(signed, self._store.save_offer(book, signed))
        log.info("offer listed", provider=offer.provider, nonce=offer.nonce, offer=listed.id)
        return replace(listed, available=self._available(signed))

    def listed(self, wanted: Wanted, after: int, limit: int) -> list[ListedOffer]:
        """Offers that can be taken now, the cheapest first, those behind position `after`.

        Fewer than `limit` are the last ones. Raises `NotFound` where `after` is gone.
        """
        found: list[ListedOffer] = []
        now = self._market.head.timestamp
        while len(found) < limit:
            page = self._store.offers(self._book(), wanted, now, after, limit)
            asked = [replace(one, available=self._available(one.signed)) for one in page]
            found += [one for one in asked if one.available >= wanted.min_gpus]
            if len(page) < limit:
                break
            after = page[-1].id
        return found[:limit]

    def _book(self) -> str:
        return self._market.domain(BOOK).verifying_contract

    def _available(self, signed: SignedOffer) -> int:
        """GPUs that a customer could take: unsold, and sellable by a provider whose key still
        counts."""
        offer = signed.offer
        provider = self._market.provider(offer.provider)
        if signed.signer not in (provider.owner, provider.operator):
            return 0
        sellable = self._market.sellable_gpus(offer.provider, offer.device_class, offer.sla)
        return min(sellable, self._market.offered_gpus(offer)) if sellable else 0

    def _check_terms(self, offer: Offer) -> None:
        provider = self._market.provider(offer.provider)
        if provider.jailed_until > self._market.head.timestamp:
            raise Conflict(
                f"provider {offer.provider} is jailed until chain time {provider.jailed_until}",
                "Offer again when that is over.",
            )
        if not self._market.attested_gpus(offer.provider, offer.device_class):
            raise Conflict(
                f"provider {offer.provider} has no attested device of class {offer.device_class}",
                "Attest one with `clearwork agent run`, or name another class.",
            )
        if not self._market.is_listed(offer.asset):
            raise BadInput(
                f"the escrow takes no deposits of {offer.asset}",
                "Ask for an asset that JobEscrow.asset_of lists.",
            )
        if offer.sla > self._market.sla_count():
            raise BadInput(
                f"there is no service level {offer.sla}",
                f"Name one up to {self._market.sla_count()}, or 0 for none.",
            )

    def _check_signature(self, signed: SignedOffer) -> None:
        number = signed.offer.provider
        provider = self._market.provider(number)
        if signed.signer not in (provider.owner, provider.operator):
            raise Unauthorized(
                f"{signed.signer} does not speak for provider {number}",
                f"Sign with its owner key {provider.owner} or operator key {provider.operator}.",
            )
        if not self._market.is_signed(signed):
            raise Unauthorized(
                f"the offer is not signed by {signed.signer}",
                f"Sign its EIP-712 digest for chain {self._market.chain.chain_id} and the "
                f"OfferBook {self._book()}.",
            )

    def _make_room(self, provider: int) -> None:
        """Forget what can't be taken any more; raises `Conflict` where that is not enough."""
        self._store.forget_expired_offers(self._market.head.timestamp)
        kept = self._store.offers_of(self._book(), provider)
        if len(kept) < MAX_OFFERS:
            return
        gone = [one.id for one in kept if not self._market.offered_gpus(one.signed.offer)]
        if not gone:
            raise Conflict(
                f"provider {provider} has {MAX_OFFERS} offers here",
                "Revoke some with `clearwork provider revoke`, or wait until they expire.",
            )
        self._store.forget_offers(gone)
