"""A job that is paid in credits, from their purchase to the last fee, with our own clients."""

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.domain.receipts import JobStatus
from oracle.services.customer import Customer, Order
from oracle.services.provider import Provider
from tests.oracle.conftest import UNIT, Live, Machine, Oracle, enter, step, step_until
from tests.oracle.service.test_settle import report, settled, work

# base units of credits: a GPU for an hour costs 2 USD, of which 300 bps are the fee
PRICE = 2_000_000
DEPOSIT = 5_000_000
WINDOW = 20


def _worth(gpu_seconds: int) -> int:
    return gpu_seconds * PRICE // 3_600


def _fee(amount: int) -> int:
    return -(-amount * 300 // 10_000)


def test_a_whole_job_in_credits(live: Live, oracles: list[Oracle], machine: Machine) -> None:
    credit = live.deployment.address("ComputeCredits")
    customer = Customer(live.chain, KeystoreSigner(live.customer))
    provider = Provider(live.chain, KeystoreSigner(live.operator))

    # the governor answers, and 20 WORK at half a USD are burnt for 10 credits
    live.send(live.deployer, "GovernorFeed", "set_answer", 50_000_000)
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, 20 * UNIT)
    live.send(live.customer, "WorkToken", "approve", credit, 20 * UNIT)
    before, income = _burnt(live), live.read("WorkToken", "balanceOf", live.provider_owner.address)
    live.send(live.customer, "ComputeCredits", "buy", 20 * UNIT, 2 * DEPOSIT)
    assert _burnt(live) == before + 20 * UNIT
    assert live.read("ComputeCredits", "balanceOf", live.customer.address) == 2 * DEPOSIT

    # the customer is silent: the committee's receipts pay, after the dispute window
    live.enter_epoch(1)
    step(oracles)
    enter(machine, oracles)
    job = customer.open_job(Order(machine.provider, credit, 1, 1, PRICE, DEPOSIT, 0, bytes(32)))
    provider.accept(job)
    work(live, oracles, machine, 30)
    report(oracles, machine, job, 25)
    step_until(oracles, lambda: settled(live, job) == 25)
    live.mine(1, 2 * WINDOW)
    provider.withdraw(machine.provider, credit)
    earned = _worth(25) - _fee(_worth(25))
    assert _spent(live, machine.provider) == earned

    # then it signs, and the job ends; what is left of the deposit comes back in credits
    provider.settle(customer.co_sign(job, 40, JobStatus.COMPLETED))
    provider.close(job)
    balance = live.read("ComputeCredits", "balanceOf", live.customer.address)
    assert balance == 2 * DEPOSIT - _worth(40)
    provider.withdraw(machine.provider, credit)
    assert _spent(live, machine.provider) == _worth(40) - _fee(_worth(40))
    live.send(live.deployer, "JobEscrow", "collect_fees", credit)

    # everything that paid is gone, and nobody got a token for it
    escrow = live.deployment.address("JobEscrow")
    assert live.read("ComputeCredits", "balanceOf", escrow) == 0
    assert _burnt(live) == before + 20 * UNIT
    assert live.read("WorkToken", "balanceOf", live.provider_owner.address) == income
    epochs = range(live.read("ComputeCredits", "current_epoch") + 1)
    # the owner had burnt one for the probe
    burnt = sum(live.read("ComputeCredits", "burnt_in", epoch) for epoch in epochs)
    assert burnt == 21 * UNIT

    # the next report pays what they were worth: half a USD for a token
    now = live.read("EpochLedger", "current_epoch")
    live.send(live.deployer, "WorkToken", "approve", credit, UNIT)
    live.send(live.deployer, "ComputeCredits", "buy", UNIT, 0)
    live.enter_epoch(now + 1)
    step_until(oracles, lambda: live.read("EpochLedger", "last_epoch")[0] >= now)
    summary = oracles[0].node.close_epoch.summary(now, 10)[1]
    of_the_report = range(summary.from_epoch, now + 1)
    burnt = sum(live.read("ComputeCredits", "burnt_in", epoch) for epoch in of_the_report)
    assert summary.burnt_for_credits == burnt >= UNIT
    assert summary.net == summary.minted - burnt
    (at_large, *_) = summary.subnets
    worth = live.read("Prices", "in_work", credit, earned)
    assert worth == 2 * earned * UNIT // 10**6
    assert at_large.miners >= worth > 0


def _burnt(live: Live) -> int:
    """Base units of WORK that are gone: minted, emission included, and in nobody's hands."""
    return int(live.read("WorkToken", "minted") - live.read("WorkToken", "totalSupply"))


def _spent(live: Live, provider: int) -> int:
    """Base units of credits over all epochs that counted as a provider's usage."""
    epochs = range(live.read("ComputeCredits", "current_epoch") + 1)
    return sum(live.read("ComputeCredits", "spent_in", epoch, provider) for epoch in epochs)
