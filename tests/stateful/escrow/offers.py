"""Offers that providers sign, and whoever takes part of one."""

from dataclasses import astuple, dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oracle.domain.messages import Offer
from oracle.domain.receipts import JobStatus
from tests.stateful.escrow.backing import Backing
from tests.stateful.escrow.draws import (
    MARKETS,
    PROVIDERS,
    TERMS,
    assets,
    levels,
    numbers,
    people,
    prices,
    providers,
    run_times,
    senders,
)
from tests.stateful.escrow.opening import UNPERMITTED, Permitted
from tests.stateful.house import CHAIN_ID, CLASS, DEVICES, SUBNETS, House, address
from tests.stateful.ledger_of_jobs import Job
from tests.unit.conftest import DAY, HOUR

# what a revoked nonce counts as sold
REVOKED = 2**256 - 1
# how many of the last offers somebody may take
KEPT = 6

subnets = st.sampled_from(SUBNETS)
# GPUs to take, mostly a part
parts = st.sampled_from([1, 1, 1, 2, 3, 0, DEVICES + 1])
# seconds for which an offer is good
lives = st.sampled_from([2**40] * 5 + [0, 1, HOUR, 2 * DAY])
# what may be wrong with an offer: it is the thief's, or shown with another signature than the
# operator's over it for this chain and book
flaws = st.sampled_from(
    ["none"] * 8 + ["by the thief", "not the signer's", "other chain", "other book", "other price"]
)


@dataclass(frozen=True)
class Shown:
    """An offer as it is shown to customers."""

    offer: Offer
    signer: str
    signature: bytes
    # whether the signer has signed it
    is_signed: bool

    def deposit(self, count: int, run: int) -> int:
        """Base units that pay for all of the time: rounded up."""
        return -(-count * run * self.offer.price_per_gpu_hour // HOUR)


class Offers(Backing):
    """Capacity that is sold under a signature, once."""

    STATE = ("shown", "sold", "lowest_nonce")

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.shown: list[Shown] = []
        # provider, nonce => GPUs sold under it, or `REVOKED`
        self.sold: dict[tuple[int, int], int] = {}
        self.lowest_nonce = dict.fromkeys(PROVIDERS, 0)

    def sold_of(self, offer: Offer) -> int:
        if offer.nonce < self.lowest_nonce[offer.provider]:
            return REVOKED
        return self.sold.get((offer.provider, offer.nonce), 0)

    @rule(
        provider=providers, asset=assets, most=st.sampled_from([1, 3, DEVICES]), level=levels,
        price=prices, life=lives, step=st.integers(-1, 2), flaw=flaws,
    )  # fmt: skip
    def sign_offer(self, provider, asset, most, level, price, life, step, flaw):
        self.begin()
        self._sign_offer(provider, asset, most, level, price, life, step, flaw)

    def _sign_offer(
        self, provider: int, asset: int, most: int, level: int, price: int, life: int = 2**40,
        step: int = 0, flaw: str = "none",
    ) -> None:  # fmt: skip
        """The third provider has no operator: the first one's key signs for it in vain."""
        house, key = self.house, self.house.operators[(provider - 1) % 2]
        nonce = max(0, self.lowest_nonce[provider] + step)
        offer = Offer(
            provider, CLASS, most, level, 1, HOUR, self.now + life, nonce,
            self.assets[asset].address, price, TERMS,
        )  # fmt: skip
        signed = replace(offer, price_per_gpu_hour=price + 1) if flaw == "other price" else offer
        signature = house.sign(
            house.thief if flaw in ("by the thief", "not the signer's") else key,
            signed,
            house.escrow if flaw == "other book" else house.offers,
            CHAIN_ID + (flaw == "other chain"),
        )
        signer = address(house.thief if flaw == "by the thief" else key)
        self.shown.append(Shown(offer, signer, signature, flaw in ("none", "by the thief")))
        del self.shown[:-KEPT]

    @rule(number=numbers, customer=people, subnet=subnets, count=parts, run=run_times)
    @precondition(lambda self: self.shown)
    def take_offer(self, number, customer, subnet, count, run):
        self.begin()
        self._take(self.shown[number % len(self.shown)], customer, subnet, count, run)

    def _take(
        self, shown: Shown, customer: int, subnet: int, count: int, run: int,
        permit: Permitted = UNPERMITTED,
    ) -> int:  # fmt: skip
        """Returns the job's number, 0 where it was refused."""
        offer, signer, sender = shown.offer, shown.signer, self.customers[customer]
        asset = [each.address for each in self.assets].index(offer.asset)
        market = MARKETS.index((asset, subnet))
        deposit = shown.deposit(count, run)
        job = Job(
            customer, offer.provider, market, count, offer.sla, offer.price_per_gpu_hour, deposit,
            JobStatus.ACCEPTED,
        )  # fmt: skip
        sold, good = self.sold_of(offer), self.now < offer.expires_at
        arguments = (astuple(offer), signer, shown.signature, count, run, subnet)
        if deposit > self.wallets[asset, sender]:
            return 0
        if not self.attempt(
            lambda: self.escrow.take_offer(*arguments, *permit.arguments, sender=sender),
            *self.pull_refusals(market, sender, deposit, 0, permit.allowance),
            (count == 0, "offer_book: no gpus"),
            (not 1 <= run <= HOUR, "offer_book: run time out of bounds"),
            (not good, "offer_book: offer expired"),
            (sold == REVOKED, "offer_book: offer revoked"),
            (sold + count > offer.gpus, "offer_book: not so many gpus left"),
            (
                signer not in self.speakers(offer.provider),
                "offer_book: signer does not speak for the provider",
            ),
            (not shown.is_signed, "offer_book: bad signature"),
            *self.pledge_refusals(job),
        ):
            return 0
        self.sold[offer.provider, offer.nonce] = sold + count
        self.check_offer(offer)
        number = len(self.books.jobs) + 1
        self.books.jobs[number] = job
        self.move(asset, sender, -deposit)
        self.pledged(job)
        self.touch(number)
        self.tally("offer taken" if sold + count == offer.gpus else "offer taken in part")
        return number

    def check_offer(self, offer: Offer) -> None:
        left = max(0, offer.gpus - self.sold_of(offer)) if self.now < offer.expires_at else 0
        assert self.house.offers.available(astuple(offer)) == left
        stored = self.house.offers.taken(offer.provider, offer.nonce)
        assert stored == self.sold.get((offer.provider, offer.nonce), 0)

    @rule(number=numbers, steps=st.lists(st.integers(0, 2), max_size=2), who=senders)
    @precondition(lambda self: self.shown)
    def revoke_offers(self, number, steps, who):
        """One that is shown, and others of the same provider."""
        self.begin()
        offer = self.shown[number % len(self.shown)].offer
        nonces = [offer.nonce, *(offer.nonce + step for step in steps)]
        sender = self.payee_key(offer.provider, who, number)
        if self.attempt(
            lambda: self.house.offers.revoke(offer.provider, nonces, sender=sender),
            self.stray(offer.provider, sender),
        ):
            self.sold.update(((offer.provider, nonce), REVOKED) for nonce in nonces)
            self.check_offer(offer)
            self.tally("offer revoked")

    @rule(provider=providers, step=st.integers(-1, 2), who=senders)
    def revoke_offers_below(self, provider, step, who):
        self.begin()
        before = self.lowest_nonce[provider]
        lowest, sender = max(0, before + step), self.payee_key(provider, who, step)
        if self.attempt(
            lambda: self.house.offers.revoke_below(provider, lowest, sender=sender),
            self.stray(provider, sender),
            (lowest <= before, "offer_book: lowest nonce can only rise"),
        ):
            self.lowest_nonce[provider] = lowest
            for shown in self.shown:
                self.check_offer(shown.offer)
            self.tally("all older offers revoked")

    def stray(self, provider: int, sender: str) -> tuple[bool, str]:
        refused = sender not in self.speakers(provider)
        return refused, "offer_book: caller does not speak for the provider"
