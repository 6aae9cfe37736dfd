"""JobRegistry.dispute and settle_dispute: a customer's case keeps its job's pending income."""

from dataclasses import dataclass
from typing import Any

import boa
import pytest

from oracle.domain.hashing import keccak
from oracle.domain.messages import Domain, Verdict, Voucher
from oracle.domain.receipts import JobStatus
from tests.unit.conftest import DISPUTE_WINDOW, ROLE_DELAY, role, sign
from tests.unit.market import logs

RUNNING = JobStatus.RUNNING
DOWNTIME, FRAUD = 4, 5
EVIDENCE = keccak(b"evidence")
ZERO_ADDRESS = "0x" + "00" * 20


@dataclass
class Court:
    """The court, and how a case gets through it."""

    contract: Any
    token: Any
    policy: Any
    customer: str
    signs: Any

    def accuse(
        self, job: int, provider: int, *, by: str | None = None, kind: int = FRAUD,
        evidence: bytes = EVIDENCE,
    ) -> bytes:  # fmt: skip
        account = by or self.customer
        bond = self.policy.accusation_bond
        self.token.transfer(account, bond)
        # what the escrow may take is another allowance
        self.token.approve(self.contract, bond, sender=account)
        return bytes(self.contract.accuse(provider, kind, job, evidence, sender=account))

    def rule(self, case: bytes, guilty: bool) -> None:
        boa.env.time_travel(seconds=self.policy.answer_period)
        payload = Verdict(case, guilty, 0).struct_hash()
        signatures = self.signs(self.contract, case, 0, payload)
        self.contract.rule(case, guilty, 0, signatures)

    def execute(self, case: bytes, guilty: bool) -> None:
        self.rule(case, guilty)
        boa.env.time_travel(seconds=self.policy.appeal_period)
        self.contract.execute(case)

    def draw(self, case: bytes) -> None:
        boa.env.time_travel(seconds=self.policy.answer_period + self.policy.verdict_period)
        self.contract.draw(case)


@pytest.fixture
def cases(court, token, policy, payer, committee_signs):
    return Court(court, token, policy, payer, committee_signs)


@pytest.fixture
def case(cases, job, provider):
    """The customer's open accusation of fraud that names the job."""
    return cases.accuse(job, provider)


# --- what is kept back ----------------------------------------------------------------------


def test_keeps_the_jobs_pending_income(
    escrow, jobs, asset, job, case, court, provider, settle_batch, payer
):
    settle_batch((job, 1_000, RUNNING))
    before = asset.balanceOf(escrow)
    assert jobs.dispute(job, case, sender=payer) == 2_000
    assert logs(jobs, "JobDisputed") == [(job, case, 2_000)]
    assert (jobs.disputes(job), jobs.dispute_court(job)) == (case, court.address)
    assert escrow.disputed(job) == 2_000
    assert escrow.income(provider, asset) == (0, 0)
    assert asset.balanceOf(escrow) == before
    boa.env.time_travel(seconds=2 * DISPUTE_WINDOW)
    assert escrow.withdraw(provider, asset) == 0


def test_other_jobs_income_matures_untouched(
    escrow, jobs, asset, odd_token, accepted_job, open_job, job, case, provider, other_provider,
    oracles, settle_batch, payer, payout,
):  # fmt: skip
    other, odd = accepted_job(), accepted_job(paid_in=odd_token)
    elsewhere = open_job(of=other_provider)
    jobs.accept(elsewhere, sender=oracles[0].address)
    settle_batch(*[(j, 500 * j, RUNNING) for j in (job, other, odd, elsewhere)])
    assert jobs.dispute(job, case, sender=payer) == 1_000 * job
    assert escrow.income(provider, asset) == (0, 1_000 * other)
    assert escrow.income(provider, odd_token) == (0, 1_000 * odd)
    assert escrow.income(other_provider, asset) == (0, 1_000 * elsewhere)
    boa.env.time_travel(seconds=2 * DISPUTE_WINDOW)
    assert escrow.withdraw(provider, asset) == 970 * other
    assert asset.balanceOf(payout) == 970 * other


def test_usage_of_two_windows_is_kept(
    escrow, jobs, asset, job, case, provider, settle_batch, payer, next_window
):
    next_window()
    settle_batch((job, 1_000, RUNNING))
    next_window()
    settle_batch((job, 1_500, RUNNING))
    assert jobs.dispute(job, case, sender=payer) == 3_000
    assert escrow.income(provider, asset) == (0, 0)


def test_what_has_matured_is_the_providers(
    escrow, jobs, asset, job, case, provider, settle_batch, payer, next_window
):
    settle_batch((job, 1_000, RUNNING))
    next_window()
    settle_batch((job, 1_500, RUNNING))
    next_window()
    assert jobs.dispute(job, case, sender=payer) == 1_000
    assert escrow.income(provider, asset) == (1_940, 0)


def test_later_usage_is_pending_as_ever(
    escrow, jobs, asset, job, case, provider, settle_batch, payer
):
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    settle_batch((job, 1_100, RUNNING))
    assert escrow.income(provider, asset) == (0, 200)
    assert escrow.disputed(job) == 2_000


def test_an_ended_or_closed_job_can_be_disputed_while_its_income_waits(
    escrow, jobs, accepted_job, cases, provider, settle_batch, payer
):
    ended, closed = accepted_job(), accepted_job()
    of_ended, of_closed = (cases.accuse(j, provider) for j in (ended, closed))
    settle_batch(*[(j, 1_000, JobStatus.COMPLETED) for j in (ended, closed)])
    jobs.close(closed)
    assert jobs.dispute(ended, of_ended, sender=payer) == 2_000
    assert jobs.dispute(closed, of_closed, sender=payer) == 2_000


# --- checkpoints ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("windows", "early", "kept"), [(0, 0, 3_000), (1, 0, 3_000), (2, 1, 3_000), (2, 0, 1_000)]
)
def test_a_checkpoint_counts_two_windows_later(
    escrow, jobs, asset, job, accepted_job, case, provider, settle, settle_batch, payer, stranger,
    next_window, windows, early, kept,
):  # fmt: skip
    """Without it, income of other jobs is all that is left to keep."""
    other = accepted_job()
    next_window()
    settle(job, 1_000)
    jobs.checkpoint(job, sender=stranger)
    assert logs(jobs, "Checkpointed") == [(job, 1_000)]
    boa.env.time_travel(seconds=windows * DISPUTE_WINDOW - early)
    assert jobs.undisputed(job) == (0 if kept == 3_000 else 1_000)
    settle_batch((job, 1_500, RUNNING), (other, 5_000, RUNNING))
    assert jobs.dispute(job, case, sender=payer) == kept
    assert escrow.income(provider, asset)[1] == 11_000 - kept


def test_the_older_checkpoint_stays_while_the_newer_waits(jobs, job, settle, next_window):
    next_window()
    for cumulative, undisputed in [(100, 0), (200, 100), (300, 200)]:
        settle(job, cumulative)
        jobs.checkpoint(job)
        assert jobs.undisputed(job) == undisputed
        next_window()
        assert jobs.undisputed(job) == undisputed
        next_window()
        assert jobs.undisputed(job) == cumulative


def test_a_checkpoint_does_not_replace_one_that_waits(jobs, job, settle, next_window, refused):
    """Else whoever sets one all the time would keep any from counting."""
    next_window()
    settle(job, 100)
    jobs.checkpoint(job)
    settle(job, 200)
    for _ in range(2):
        with refused("job_registry: last checkpoint is too young"):
            jobs.checkpoint(job)
        next_window()
    jobs.checkpoint(job)
    assert jobs.undisputed(job) == 100


@pytest.mark.parametrize("unknown", [0, 99])
def test_an_unknown_job_has_no_checkpoint(jobs, job, refused, unknown):
    with refused("job_registry: unknown job"):
        jobs.checkpoint(unknown)


# --- what the customer signed for -----------------------------------------------------------


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_shown_voucher_can_not_be_disputed(
    escrow, jobs, asset, job, accepted_job, case, provider, settle, settle_batch, signed_voucher,
    payer, stranger, is_shown,
):  # fmt: skip
    """Unless it is shown, a job paid by vouchers keeps back what other jobs have earned."""
    other = accepted_job()
    settle(job, 1_000)
    settle_batch((job, 1_100, RUNNING), (other, 5_000, RUNNING))
    if is_shown:
        jobs.checkpoint_voucher(*signed_voucher(job, 1_000), sender=stranger)
        assert logs(jobs, "Checkpointed") == [(job, 1_000)]
    assert jobs.undisputed(job) == (1_000 if is_shown else 0)
    assert jobs.dispute(job, case, sender=payer) == (200 if is_shown else 2_200)
    assert escrow.income(provider, asset)[1] == 10_200 - (200 if is_shown else 2_200)


def test_a_voucher_for_what_the_committee_settled_counts_too(
    escrow, jobs, asset, job, case, provider, settle_batch, signed_voucher, payer, refused
):
    settle_batch((job, 1_000, RUNNING))
    jobs.checkpoint_voucher(*signed_voucher(job, 1_000))
    with refused("job_registry: nothing pending"):
        jobs.dispute(job, case, sender=payer)
    boa.env.time_travel(seconds=2 * DISPUTE_WINDOW)
    assert escrow.withdraw(provider, asset) == 1_940


@pytest.mark.parametrize("shown", [50, 150, 200])
def test_a_voucher_and_a_checkpoint_that_waits(
    jobs, job, settle, signed_voucher, next_window, refused, shown
):
    """The higher counts, each as soon as it may."""
    next_window()
    settle(job, 150)
    jobs.checkpoint(job)
    settle(job, 200)
    jobs.checkpoint_voucher(*signed_voucher(job, shown))
    assert jobs.undisputed(job) == shown
    next_window()
    if shown < 150:
        with refused("job_registry: last checkpoint is too young"):
            jobs.checkpoint(job)
    next_window()
    assert jobs.undisputed(job) == max(150, shown)
    jobs.checkpoint(job)
    assert jobs.undisputed(job) == max(150, shown)


def test_a_voucher_for_what_a_checkpoint_says_ends_its_wait(jobs, job, settle, signed_voucher):
    settle(job, 150)
    jobs.checkpoint(job)
    settle(job, 200)
    jobs.checkpoint_voucher(*signed_voucher(job, 150))
    assert jobs.undisputed(job) == 150
    # the next one need not wait for it
    jobs.checkpoint(job)


@pytest.mark.parametrize("cumulative", [0, 99, 100])
def test_a_voucher_of_no_more_than_is_undisputed_is_refused(
    jobs, job, settle, signed_voucher, refused, cumulative
):
    settle(job, 200)
    jobs.checkpoint_voucher(*signed_voucher(job, 100))
    with refused("job_registry: already undisputed"):
        jobs.checkpoint_voucher(*signed_voucher(job, cumulative))
    assert jobs.undisputed(job) == 100


def test_of_a_voucher_what_is_settled_counts(jobs, job, settle, signed_voucher):
    """The rest once it is settled and the voucher is shown again."""
    for settled in (100, 150):
        settle(job, settled)
        jobs.checkpoint_voucher(*signed_voucher(job, 200))
        assert logs(jobs, "Checkpointed") == [(job, settled)]
        assert jobs.undisputed(job) == settled


def test_a_voucher_of_another_signer_job_usage_or_status_is_refused(
    jobs, job, accepted_job, settle, signed_voucher, operator, refused
):
    other = accepted_job()
    for each in (job, other):
        settle(each, 100)
    number, cumulative, status, signature = signed_voucher(job, 100)
    *_, of_operator = signed_voucher(job, 100, signer=operator)
    for forged in (
        (number, cumulative, status, of_operator),
        (other, cumulative, status, signature),
        (number, cumulative - 1, status, signature),
        (number, cumulative, status + 1, signature),
        (number, cumulative, status, b""),
    ):
        with refused("job_registry: bad signature"):
            jobs.checkpoint_voucher(*forged)
    assert (jobs.undisputed(job), jobs.undisputed(other)) == (0, 0)


def test_a_voucher_for_another_chain_or_escrow_is_refused(
    escrow, jobs, job, settle, customer, domain_of, refused
):
    settle(job, 100)
    here = domain_of(escrow)
    for domain in (
        Domain(here.chain_id + 1, here.verifying_contract),
        Domain(here.chain_id, jobs.address),
    ):
        signature = sign(customer, Voucher(job, 100, RUNNING), domain)
        with refused("job_registry: bad signature"):
            jobs.checkpoint_voucher(job, 100, RUNNING, signature)


def test_the_twin_of_a_signature_is_refused(jobs, job, settle, signed_voucher, refused):
    """With the order of the curve less s it is the same key's, and another one's (EIP-2)."""
    settle(job, 100)
    *report, signature = signed_voucher(job, 100)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high_s = (order - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    for s in (high_s, (order // 2 + 1).to_bytes(32, "big")):
        with refused("job_registry: bad signature"):
            jobs.checkpoint_voucher(*report, signature[:32] + s + bytes([55 - signature[64]]))


def test_a_contract_shows_its_voucher(jobs, escrow, wallet_job, domain_of, settle_batch, refused):
    wallet, job = wallet_job
    settle_batch((job, 100, RUNNING))
    with refused("job_registry: bad signature"):
        jobs.checkpoint_voucher(job, 100, RUNNING, b"whatever it understands")
    wallet.sign(Voucher(job, 100, RUNNING).digest(domain_of(escrow)))
    jobs.checkpoint_voucher(job, 100, RUNNING, b"whatever it understands")
    assert jobs.undisputed(job) == 100


@pytest.mark.parametrize("unknown", [0, 99])
def test_an_unknown_job_has_no_voucher(jobs, job, signed_voucher, refused, unknown):
    with refused("job_registry: already undisputed"):
        jobs.checkpoint_voucher(*signed_voucher(unknown, 1))


# --- how it ends ----------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["acquitted", "drawn"])
def test_without_a_conviction_the_provider_is_paid(
    escrow, jobs, asset, job, case, cases, provider, settle_batch, payer, payout, stranger, end
):
    """By whoever calls: neither the customer nor the court has to do anything."""
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    cases.draw(case) if end == "drawn" else cases.execute(case, guilty=False)
    jobs.settle_dispute(job, sender=stranger)
    assert logs(jobs, "DisputeSettled") == [(job, False, 2_000)]
    assert escrow.disputed(job) == 0
    assert jobs.disputes(job) == bytes(32)
    assert escrow.income(provider, asset) == (1_940, 0)
    assert escrow.fees(asset) == 60
    assert escrow.withdraw(provider, asset) == 1_940
    assert asset.balanceOf(payout) == 1_940


def test_with_a_conviction_the_customer_is_paid(
    escrow, jobs, asset, job, case, cases, provider, settle_batch, payer, stranger
):
    """Without any fee; the unspent deposit came back with the conviction itself."""
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    cases.execute(case, guilty=True)
    assert jobs.job_info(job).status == JobStatus.CLOSED
    before = asset.balanceOf(payer)
    assert asset.balanceOf(escrow) == 2_000
    jobs.settle_dispute(job, sender=stranger)
    assert logs(jobs, "DisputeSettled") == [(job, True, 2_000)]
    assert asset.balanceOf(payer) - before == 2_000
    assert asset.balanceOf(escrow) == 0
    assert escrow.income(provider, asset) == (0, 0)
    assert escrow.fees(asset) == 0


def test_a_conviction_pays_out_of_no_other_income(
    escrow, jobs, asset, job, accepted_job, case, cases, provider, settle, settle_batch, payer
):
    other = accepted_job()
    settle_batch((job, 1_000, RUNNING), (other, 2_000, RUNNING))
    settle(other, 2_100)
    jobs.dispute(job, case, sender=payer)
    cases.execute(case, guilty=True)
    jobs.settle_dispute(job)
    assert escrow.income(provider, asset) == (3_880 + 194, 0)


def test_not_before_the_case_is_closed(
    jobs, job, case, cases, court, policy, settle_batch, payer, provider, refused
):
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    for caller in (payer, court.address):
        with refused("job_registry: accusation is open"):
            jobs.settle_dispute(job, sender=caller)
    cases.rule(case, guilty=True)
    with refused("job_registry: accusation is open"):
        jobs.settle_dispute(job)
    boa.env.time_travel(seconds=policy.appeal_period)
    with refused("job_registry: accusation is open"):
        jobs.settle_dispute(job)
    court.execute(case)
    jobs.settle_dispute(job)


def test_once(jobs, job, case, cases, settle_batch, payer, refused):
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    cases.draw(case)
    jobs.settle_dispute(job)
    for settled in (job, 99, 0):
        with refused("job_registry: not disputed"):
            jobs.settle_dispute(settled)


def test_the_fee_is_that_of_the_day(
    escrow, jobs, asset, job, case, cases, provider, settle_batch, payer
):
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    cases.draw(case)
    escrow.schedule_fee(1_000, 0)
    boa.env.time_travel(seconds=ROLE_DELAY)
    escrow.apply_fee()
    jobs.settle_dispute(job)
    assert escrow.income(provider, asset) == (1_800, 0)


def test_a_customer_that_can_not_be_paid_keeps_its_claim(
    escrow, jobs, odd_token, accepted_job, cases, provider, settle_batch, payer
):
    job = accepted_job(paid_in=odd_token)
    case = cases.accuse(job, provider)
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    cases.execute(case, guilty=True)
    odd_token.set_blocked(payer, True)
    jobs.settle_dispute(job)
    assert escrow.owed_refund(payer, odd_token) == 2_000


def test_the_court_of_a_dispute_decides_it_also_after_it_was_replaced(
    escrow, jobs, asset, job, case, cases, provider, settle_batch, payer, stranger
):
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    cases.draw(case)
    jobs.set_role(role("COURT"), stranger)
    boa.env.time_travel(seconds=ROLE_DELAY)
    jobs.apply_role(role("COURT"))
    jobs.settle_dispute(job)
    assert escrow.income(provider, asset) == (1_940, 0)


# --- a second dispute -----------------------------------------------------------------------


def test_one_at_a_time(jobs, job, case, cases, provider, settle_batch, payer, refused):
    second = cases.accuse(job, provider, evidence=keccak(b"more"))
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    settle_batch((job, 2_000, RUNNING))
    for again in (case, second):
        with refused("job_registry: already disputed"):
            jobs.dispute(job, again, sender=payer)


def test_usage_is_disputed_once(
    escrow, jobs, asset, job, case, cases, accepted_job, provider, settle_batch, payer, refused,
    policy,
):  # fmt: skip
    """A second case is about later usage: it can't take other jobs' income for the same."""
    other = accepted_job()
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    cases.draw(case)
    jobs.settle_dispute(job)
    second = cases.accuse(job, provider, evidence=keccak(b"more"))
    settle_batch((other, 5_000, RUNNING))
    assert jobs.undisputed(job) == 1_000
    with refused("job_registry: nothing pending"):
        jobs.dispute(job, second, sender=payer)
    settle_batch((job, 1_100, RUNNING))
    assert jobs.dispute(job, second, sender=payer) == 200
    assert escrow.income(provider, asset) == (1_940, 10_000)


def test_two_convictions_pay_the_same_usage_back_once(
    escrow, jobs, asset, job, case, cases, accepted_job, provider, settle_batch, payer, refused
):
    other = accepted_job()
    second = cases.accuse(job, provider, evidence=keccak(b"more"))
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    cases.execute(case, guilty=True)
    jobs.settle_dispute(job)
    settle_batch((other, 5_000, RUNNING))
    with refused("job_registry: nothing pending"):
        jobs.dispute(job, second, sender=payer)
    assert escrow.income(provider, asset) == (0, 10_000)


def test_checkpoints_go_on_after_a_dispute(
    jobs, job, case, cases, provider, settle_batch, payer, next_window
):
    settle_batch((job, 1_000, RUNNING))
    jobs.dispute(job, case, sender=payer)
    settle_batch((job, 1_200, RUNNING))
    jobs.checkpoint(job)
    assert jobs.undisputed(job) == 1_000
    next_window()
    next_window()
    assert jobs.undisputed(job) == 1_200


# --- who may, and on what -------------------------------------------------------------------


def test_only_the_customer(
    jobs, job, case, settle_batch, operator, stranger, court, payer, refused
):
    settle_batch((job, 1_000, RUNNING))
    for caller in (operator.address, stranger, court.address):
        with refused("job_registry: not the customer"):
            jobs.dispute(job, case, sender=caller)
    for unknown in (0, 99):
        with refused("job_registry: not the customer"):
            jobs.dispute(unknown, case, sender=payer)


def test_only_on_the_customers_own_accusation_of_fraud_on_that_job(
    jobs, job, accepted_job, cases, provider, settle_batch, payer, watcher, refused
):
    """Its bond is what makes keeping income back cost something."""
    other = accepted_job()
    settle_batch((job, 1_000, RUNNING))
    for case in [
        bytes(32),
        keccak(b"unknown"),
        cases.accuse(other, provider),
        cases.accuse(0, provider),
        cases.accuse(job, provider, by=watcher.address),
        cases.accuse(job, provider, kind=DOWNTIME),
    ]:
        with refused("job_registry: no such accusation"):
            jobs.dispute(job, case, sender=payer)


def test_not_on_a_closed_case(jobs, job, case, cases, settle_batch, payer, refused):
    cases.draw(case)
    settle_batch((job, 1_000, RUNNING))
    with refused("job_registry: accusation is closed"):
        jobs.dispute(job, case, sender=payer)


def test_on_a_case_that_was_ruled_but_not_executed(jobs, job, case, cases, settle_batch, payer):
    cases.rule(case, guilty=True)
    settle_batch((job, 1_000, RUNNING))
    assert jobs.dispute(job, case, sender=payer) == 2_000


@pytest.mark.parametrize("settled", [False, True])
def test_nothing_pending_reverts(
    jobs, job, case, settle_batch, payer, next_window, refused, settled
):
    if settled:
        settle_batch((job, 1_000, RUNNING))
        next_window()
        next_window()
    with refused("job_registry: nothing pending"):
        jobs.dispute(job, case, sender=payer)


def test_without_a_court_there_is_no_case(jobs, job, case, settle_batch, payer, state):
    jobs.set_role(role("COURT"), ZERO_ADDRESS)
    boa.env.time_travel(seconds=ROLE_DELAY)
    jobs.apply_role(role("COURT"))
    settle_batch((job, 1_000, RUNNING))
    before = state()
    with boa.reverts():
        jobs.dispute(job, case, sender=payer)
    assert state() == before
