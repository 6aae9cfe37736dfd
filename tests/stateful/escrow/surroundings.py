"""What happens around the jobs: the owner, the guardian, a token's issuer, gifts and time."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.stateful.conftest import DEPLOYER
from tests.stateful.escrow.draws import MARKETS, STRANGER, assets, markets, numbers
from tests.stateful.escrow.state import EscrowState
from tests.stateful.house import FEE_DELAY, House
from tests.unit.conftest import DAY, DISPUTE_WINDOW, UNIT


class Surroundings(EscrowState):
    """Nobody who trades has a hand in these."""

    STATE = ("pending_fee",)

    def __init__(self, house: House) -> None:
        super().__init__(house)
        # bps of income, bps of it burnt, and when they apply
        self.pending_fee = (0, 0, 0)

    @rule(fee=st.sampled_from([0, 1, 250, 333, 1_000, 1_001]), burn=st.integers(0, 10_001))
    def schedule_fee(self, fee, burn):
        self.begin()
        if self.attempt(
            lambda: self.escrow.schedule_fee(fee, burn, sender=DEPLOYER),
            (fee > 1_000, "job_escrow: fee over the cap"),
            (burn > 10_000, "job_escrow: burn over 100 %"),
        ):
            self.pending_fee = fee, burn, self.now + FEE_DELAY

    @rule(patient=st.booleans())
    def apply_fee(self, patient):
        self.begin()
        fee, burn, ready_at = self.pending_fee
        if patient:
            self.evm.time_travel(max(0, ready_at - self.now))
        if self.attempt(
            lambda: self.escrow.apply_fee(sender=self.customers[STRANGER]),
            (ready_at == 0, "job_escrow: no fee scheduled"),
            (self.now < ready_at, "job_escrow: fee not ready"),
        ):
            self.books.fee_bps, self.books.burn_bps = fee, burn
            self.pending_fee = (0, 0, 0)
            self.incomes_touched |= set(self.books.incomes)
            self.tally("fee changed")

    @rule(market=markets, paused=st.booleans(), who=st.sampled_from(["guardian", "owner", "thief"]))
    def pause(self, market, paused, who):
        self.begin()
        asset, subnet = MARKETS[market]
        sender = {
            "guardian": self.house.guardian,
            "owner": DEPLOYER,
            "thief": self.customers[STRANGER],
        }[who]
        if self.attempt(
            lambda: self.escrow.set_inflows_paused(
                self.assets[asset], paused, subnet, sender=sender
            ),
            (who == "thief", "job_escrow: not the guardian"),
        ):
            (self.paused.add if paused else self.paused.discard)(market)

    @rule(number=numbers, blocked=st.sampled_from([True, False, False]))
    def block(self, number, blocked):
        """The odd token's issuer refuses an account, or no longer does."""
        self.begin()
        accounts = (
            *self.customers, *self.house.payouts, self.house.treasury, self.house.clusters.address
        )  # fmt: skip
        self._block(accounts[number % len(accounts)], blocked)

    def _block(self, account: str, blocked: bool) -> None:
        self.house.odd.set_blocked(account, blocked)
        (self.blocked.add if blocked else self.blocked.discard)(account)

    @rule(asset=assets, tokens=st.integers(0, UNIT))
    def give(self, asset, tokens):
        """What is sent to the escrow past its functions pays for nothing."""
        self.begin()
        thief = self.customers[STRANGER]
        if not self.is_blocked(asset, thief):
            self.assets[asset].transfer(self.escrow, tokens, sender=thief)
            self.move(asset, thief, -tokens)
            self.gifts[asset] += tokens

    @rule(
        seconds=st.one_of(
            st.sampled_from([1, DISPUTE_WINDOW - 1, DISPUTE_WINDOW, 2 * DISPUTE_WINDOW]),
            st.integers(1, 3 * DAY),
        )
    )
    def time_travel(self, seconds):
        self.begin()
        self.evm.time_travel(seconds)
        self.incomes_touched |= set(self.books.incomes)
        self.jobs_touched |= set(list(self.books.jobs)[-5:])
