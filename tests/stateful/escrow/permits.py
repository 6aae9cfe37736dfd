"""Deposits that the escrow pulls by a permit (EIP-2612) in the same transaction."""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oracle.adapters.chain.allowance import PermitMessage
from tests.stateful.escrow.draws import (
    MARKETS,
    ODD,
    STRANGER,
    WALLET,
    WORK,
    deposits,
    levels,
    numbers,
    people,
    prices,
    providers,
)
from tests.stateful.escrow.offers import Offers, parts, subnets
from tests.stateful.escrow.opening import Opening, Permitted
from tests.stateful.escrow.state import UNLIMITED
from tests.stateful.house import House, address
from tests.unit.conftest import DAY, HOUR

# order of secp256k1: a signature's twin has `ORDER - s`
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

# those that the token takes, and those that it does not
GOOD = ("none", "used by another first")
BAD = (
    "used before", "not the customer's", "another customer's", "other spender", "other token",
    "later nonce", "expired", "no deadline", "altered", "malleable", "no signature",
)  # fmt: skip


@dataclass(frozen=True)
class Wish:
    """A permit to be made."""

    flaw: str
    # what it permits, and what the customer has approved before, both seen from the deposit
    value: str
    approved: str
    # seconds for which it is good
    lasts: int


wishes = st.builds(
    Wish,
    st.one_of(st.sampled_from(GOOD), st.sampled_from(BAD)),
    st.sampled_from(["needed", "needed", "one more", "one less", "unlimited"]),
    st.sampled_from(["nothing", "nothing", "nothing", "one less", "needed", "unlimited"]),
    st.sampled_from([0, DAY, 2**200]),
)


@dataclass(frozen=True)
class Paper(Permitted):
    """A permit as it is sent."""

    # base units that the escrow may pull before the call, and whether the call uses the permit up
    before: int = 0
    counts: bool = False


def split(permit: PermitMessage, signature: bytes) -> tuple[int, int, int, bytes, bytes]:
    """The arguments of the escrow: value, deadline, v, r, s."""
    return permit.value, permit.deadline, signature[64], signature[:32], signature[32:64]


def twin(signature: bytes) -> bytes:
    """The other signature that an elliptic curve takes for this one."""
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


def seen_from(deposit: int, name: str) -> int:
    return {
        "nothing": 0,
        "one less": max(0, deposit - 1),
        "needed": deposit,
        "one more": deposit + 1,
        "unlimited": UNLIMITED,
    }[name]


class Permits(Offers, Opening):
    """One transaction opens a job and pays for it; whoever sees the permit may use it first."""

    STATE = ("nonces", "used")

    def __init__(self, house: House) -> None:
        super().__init__(house)
        # customer => permits that the token has taken, and the last of them
        self.nonces = dict.fromkeys(range(len(self.customers)), 0)
        self.used: dict[int, tuple[Any, ...]] = {}

    @rule(
        customer=people, provider=providers, market=st.sampled_from([0, 0, 1, 1, 2, 3]),
        level=levels, price=prices, deposit=deposits, wish=wishes,
    )  # fmt: skip
    def open_with_permit(self, customer, provider, market, level, price, deposit, wish):
        self.begin()
        with self.paper(customer, market, deposit, wish) as (paper, jobs):
            jobs.append(self._open(customer, provider, market, 1, level, price, deposit, paper))

    @rule(
        number=numbers, customer=people, subnet=subnets, count=parts,
        run=st.sampled_from([1, 60, HOUR, HOUR + 1]), wish=wishes,
    )  # fmt: skip
    @precondition(lambda self: self.shown)
    def take_offer_with_permit(self, number, customer, subnet, count, run, wish):
        self.begin()
        shown = self.shown[number % len(self.shown)]
        asset = WORK if shown.offer.asset == self.house.token.address else ODD
        market, deposit = MARKETS.index((asset, subnet)), shown.deposit(count, run)
        with self.paper(customer, market, deposit, wish) as (paper, jobs):
            jobs.append(self._take(shown, customer, subnet, count, run, paper))

    @contextmanager
    def paper(self, customer: int, market: int, deposit: int, wish: Wish):
        """A permit for a call that opens a job; the block appends the job's number, 0 for none."""
        token, account = self.house.token, self.customers[customer]
        before = seen_from(deposit, wish.approved)
        token.approve(self.escrow, before, sender=account)
        arguments = self.arguments(customer, seen_from(deposit, wish.value), wish)
        counts = wish.flaw in GOOD and customer != WALLET
        if wish.flaw == "used by another first":
            before = self.use_first(customer, arguments) if counts else before
            counts = False
        allowance = before
        counts = counts and MARKETS[market][0] == WORK
        if counts:
            allowance = arguments[0]
        paper = Paper((arguments,), allowance, before, counts)
        jobs: list[int] = []
        yield paper, jobs

        left = before
        if jobs[0] and counts:
            self.took(customer, arguments)
        if jobs[0] and MARKETS[market][0] == WORK:
            left = allowance if allowance == UNLIMITED else allowance - deposit
        if deposit > allowance and not jobs[0]:
            self.tally(f"permit {wish.flaw}: too little allowed")
        elif jobs[0] and deposit > seen_from(deposit, wish.approved):
            self.tally(f"permit {wish.flaw}: opened")
        elif jobs[0] and wish.flaw in BAD:
            self.tally("bad permit beside an approval: opened")
        assert token.allowance(account, self.escrow) == left
        assert token.nonces(account) == self.nonces[customer]
        # as everywhere else
        token.approve(self.escrow, UNLIMITED, sender=account)

    def arguments(self, customer: int, value: int, wish: Wish) -> tuple[Any, ...]:
        """What the customer hands to the escrow."""
        house, flaw = self.house, wish.flaw
        # a contract has no key: somebody else signs for it in vain
        keys = (*house.customers, house.thief)
        key, other = keys[customer % len(keys)], keys[(customer + 1) % len(keys)]
        permit = PermitMessage(
            address(other) if flaw == "another customer's" else self.customers[customer],
            house.owners[0] if flaw == "other spender" else self.escrow.address.lower(),
            value,
            self.nonces[customer] + (flaw == "later nonce"),
            self.now - 1 if flaw == "expired" else self.now + wish.lasts,
        )
        signature = house.sign(
            other if flaw in ("not the customer's", "another customer's") else key,
            permit,
            house.odd if flaw == "other token" else house.token,
        )
        value, deadline, v, r, s = split(permit, signature)
        return {
            "used before": self.used.get(customer, (value, 0, v, r, s)),
            "no deadline": (value, 0, v, r, s),
            "altered": (value ^ 1, deadline, v, r, s),
            "malleable": split(permit, twin(signature)),
            "no signature": (value, deadline, 0, bytes(32), bytes(32)),
        }.get(flaw, (value, deadline, v, r, s))

    def use_first(self, customer: int, arguments: tuple[Any, ...]) -> int:
        """Somebody who saw the permit sends it before its owner does; returns the allowance."""
        thief = self.customers[STRANGER]
        account = self.customers[customer]
        self.house.token.permit(account, self.escrow, *arguments, sender=thief)
        self.took(customer, arguments)
        return int(arguments[0])

    def took(self, customer: int, arguments: tuple[Any, ...]) -> None:
        self.nonces[customer] += 1
        self.used[customer] = arguments
