"""`clearwork proof` at a live oracle: what it prints is sent as it is, and pays."""

import json
from collections.abc import Callable

import pytest

from oracle.adapters.report_client import ReportClient
from oracle.cli import proof as command
from oracle.domain.settlement import Settlement
from tests.oracle.commands import run
from tests.oracle.conftest import (
    ACTIVATION_DELAY,
    PRICE,
    Live,
    Machine,
    Oracle,
    admit,
    step,
)
from tests.oracle.service.test_root import agree, close_epoch, use

# bps that the escrow takes
FEE = 300
WINDOW = 20
# of a reward that does not vest
AT_ONCE_BPS = 2_500
SECONDS = (10, 7)


@pytest.fixture
def oracles(make_oracles: Callable[..., list[Oracle]]) -> list[Oracle]:
    """Four oracles that leave usage for the root."""
    return make_oracles(settlement=Settlement.ROOT)


@pytest.fixture
def jobs(live: Live, oracles: list[Oracle], machine: Machine) -> list[int]:
    """Two jobs whose usage is in the active report, as are the rewards of who worked and signed."""
    live.enter_epoch(1)
    step(oracles)
    numbers = []
    for uuid, seconds in zip(("first", "second"), SECONDS, strict=True):
        machine.uuid = uuid
        admit(machine, oracles)
        numbers.append(live.open_job(machine.provider))
        use(live, oracles, machine, numbers[-1], seconds)
    close_epoch(live, oracles, agree(oracles))
    live.mine(1, ACTIVATION_DELAY)
    step(oracles)
    return numbers


@pytest.fixture
def printed(oracles: list[Oracle], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What the command prints, of an oracle that it reaches."""
    transport = oracles[0].http._transport
    monkeypatch.setattr(command, "ReportClient", lambda url: ReportClient(url, transport))
    return lambda *arguments: run(command.app, *map(str, arguments), "--oracle", "http://oracle")


@pytest.fixture
def prove(live: Live, printed: Callable[..., str]) -> Callable[..., list[str]]:
    """Send what the command prints, as anybody, in order; returns the contracts it went to."""

    def _prove(*arguments: object) -> list[str]:
        lines = printed(*arguments).splitlines()
        receivers = [line.partition(" to ")[2] for line in lines[::2]]
        for to, data in zip(receivers, lines[1::2], strict=True):
            sent = live.w3.eth.send_transaction(
                {"from": live.customer.address, "to": to, "data": data}
            )
            assert live.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
        names = ("EpochLedger", "JobEscrow", "RewardDistributor")
        known = {live.deployment.address(name): name for name in names}
        return [known[to] for to in receivers]

    return _prove


def balance(live: Live, account: str) -> int:
    return int(live.read("WorkToken", "balanceOf", account))


def test_everybody_is_paid_by_what_it_prints(
    live: Live,
    oracles: list[Oracle],
    machine: Machine,
    jobs: list[int],
    printed: Callable[..., str],
    prove: Callable[..., list[str]],
) -> None:
    token, payout = live.deployment.address("WorkToken"), live.provider_owner.address
    first, second = (seconds * PRICE // 3_600 for seconds in SECONDS)
    # who is the first to use a report lets everybody prove usage by it
    assert prove("job", jobs[0]) == ["EpochLedger", "JobEscrow"]
    assert live.read("JobEscrow", "income", machine.provider, token) == [0, first]
    # the other job comes with all of its payee's
    assert prove("payee", machine.provider) == ["JobEscrow"]
    assert live.read("JobEscrow", "income", machine.provider, token) == [0, first + second]
    live.mine(1, 2 * WINDOW)
    before, earned = balance(live, payout), first + second
    live.send(live.customer, "JobEscrow", "withdraw", machine.provider, token)
    assert balance(live, payout) - before == earned - -(-earned * FEE // 10_000)

    before = balance(live, payout)
    reward = json.loads(printed("provider", machine.provider, "--json"))["cumulative"]
    assert prove("provider", machine.provider) == ["RewardDistributor"]
    # nobody has delegated: all that does not vest goes to the provider
    at_once = reward * AT_ONCE_BPS // 10_000
    assert balance(live, payout) - before == at_once > 0
    # a second of 180 days may have passed
    vesting = reward - at_once
    unvested = live.read("RewardDistributor", "unvested", machine.provider)
    assert vesting * 999 // 1_000 < unvested <= vesting

    for oracle in oracles[:3]:
        signer = oracle.node.member.identity()
        reward = json.loads(printed("account", signer, "--json"))["cumulative"]
        before = balance(live, signer)
        assert prove("account", signer) == ["RewardDistributor"]
        assert balance(live, signer) - before == reward > 0
