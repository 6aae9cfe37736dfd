"""Calls that must fail whenever anybody makes them."""

import pytest
from hypothesis.stateful import rule

from oracle.domain.receipts import Receipt, pack
from tests.stateful.escrow.draws import MARKETS, MAX_PRICE, TERMS, markets, numbers, payees, people
from tests.stateful.escrow.state import EscrowState
from tests.stateful.evm import Reverted
from tests.stateful.house import CLASS, CLUSTER


class Attacks(EscrowState):
    """A list of them; each with the reason it must give."""

    @rule(number=numbers, person=people, market=markets, payee=payees)
    def abuse(self, number, person, market, payee):
        """Arguments and callers that the contracts may not fall for."""
        self.begin()
        escrow, jobs, house = self.escrow, self.jobs, self.house
        asset, subnet = self.assets[MARKETS[market][0]], MARKETS[market][1]
        number = self.pick(number) if self.books.jobs else 1
        unknown = len(self.books.jobs) + 1
        customer = self.customers[person]
        one = pack([Receipt(max(number, 2), 1, 3)])
        agreement = (customer, payee, CLASS, 1, 0)
        terms = (CLASS, 7_200, 0, 0, TERMS)
        for call, *arguments, reason in (
            (escrow.set_status, number, 3, "not the job registry"),
            (escrow.end_job, number, 10, customer, "not the job registry"),
            (escrow.lower_deposit, number, 1, 0, customer, "not the job registry"),
            (escrow.hold_pending, number, 0, "not the job registry"),
            (escrow.release_pending, number, customer, "not the job registry"),
            (escrow.schedule_fee, 0, 0, "caller is not the owner"),
            (escrow.set_treasury, customer, "caller is not the owner"),
            (escrow.set_guardian, customer, "caller is not the owner"),
            (escrow.list_asset, asset, 9, "caller is not the owner"),
            (escrow.withdraw, payee, asset, 9, "asset not listed"),
            (escrow.collect_fees, asset, 9, "asset not listed"),
            (escrow.withdraw, payee, house.staking, subnet, "asset not listed"),
            (escrow.open_job, payee, asset, 1, *terms, 9, "asset not listed"),
            (escrow.open_job, payee, asset, 1, CLASS, 0, 0, 0, TERMS, subnet, "price out of"),
            (
                escrow.open_job, payee, asset, 1, CLASS, MAX_PRICE + 1, 0, 0, TERMS, subnet,
                "price out of",
            ),
            (escrow.settle_batch, 0, 0, one, b"", "not signed"),
            (escrow.settle_batch, 0, 0, b"", b"signed", "malformed receipts"),
            (escrow.settle_batch, 0, 0, one[:15], b"signed", "malformed receipts"),
            (escrow.settle_batch, 0, 0, one + one, b"signed", "not sorted"),
            (escrow.settle_batch, 0, 0, one + pack([Receipt(1, 1, 3)]), b"signed", "not sorted"),
            (escrow.settle_batch, 0, 0, bytes(16), b"signed", "not sorted"),
            (escrow.settle_root, 4, TERMS, one, [], "not a usage leaf"),
            (escrow.settle_root, 7, TERMS, one, [], "not a usage leaf"),
            (escrow.settle_root, 5, TERMS, one, [TERMS], "not in the usage root"),
            (jobs.record, number, agreement, TERMS, "caller lacks the role"),
            (jobs.fail_job, number, 1, "caller lacks the role"),
            (jobs.accept, unknown, "not open"),
            (jobs.decline, unknown, "not open"),
            (jobs.cancel, unknown, "not open"),
            (jobs.start, unknown, "not accepted"),
            (jobs.close, unknown, "not final"),
            (jobs.request_reclaim, unknown, "not active"),
            (jobs.reclaim, unknown, "not active"),
            (jobs.checkpoint, unknown, "unknown job"),
            (jobs.lower_deposit, unknown, 1, "not the customer"),
            (jobs.dispute, unknown, TERMS, "not the customer"),
            (jobs.leave_for_lost_capacity, unknown, "not the customer"),
            (jobs.settle_dispute, unknown, "not disputed"),
            (house.bonds.pledge, (payee, CLASS, 1, 0), "caller lacks the role"),
            (house.bonds.release, (payee, CLASS, 1, 0), 0, "caller lacks the role"),
            (
                house.bonds.compensate, (payee, CLASS, 1, 0), number, customer, False,
                "caller lacks the role",
            ),
            (house.clusters.collect, CLUSTER + 1, asset, subnet, "unknown cluster"),
            (house.clusters.draw, CLUSTER + 1, 0, asset, "unknown cluster"),
        ):  # fmt: skip
            with pytest.raises(Reverted) as caught:
                call(*arguments, sender=customer)
            assert reason in str(caught.value)
