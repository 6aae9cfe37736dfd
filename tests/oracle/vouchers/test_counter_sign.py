"""What `clearwork customer co-sign` does when the job is over: the receipt."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from oracle.api.schemas import SignedReceiptBody
from oracle.cli.customer import RECEIPT_TRIES, _counter_sign
from oracle.domain.execution import SignedReceipt
from oracle.domain.messages import Voucher
from oracle.errors import BadInput, ClearworkError, Transient
from scripts._project import ROOT

EXAMPLE = ROOT / "docs" / "schemas" / "execution-receipt.example.json"
BODY = SignedReceiptBody.model_validate_json(EXAMPLE.read_text())
VOUCHER = Voucher(7, 5_400, 6)


@dataclass
class Agent:
    """Answers with an error a few times, then with the example; keeps what it is handed."""

    failures: list[ClearworkError] = field(default_factory=list)
    asked: int = 0
    taken: list[SignedReceiptBody] = field(default_factory=list)

    def issued(self, job: int) -> list[SignedReceiptBody]:
        assert job == VOUCHER.job
        self.asked += 1
        if self.failures:
            raise self.failures.pop()
        return [BODY]

    def counter_sign(self, job: int, signed: SignedReceiptBody) -> None:
        self.taken.append(signed)


@dataclass
class Customer:
    """Signs, or refuses."""

    refuses: bool = False

    def counter_sign(self, signed: SignedReceipt, voucher: Voucher) -> SignedReceipt:
        assert voucher == VOUCHER
        if self.refuses:
            raise BadInput("another status", "Don't sign.")
        return signed


def run(agent: Agent, customer: Customer, file: Path | None = None) -> None:
    parts: Any = (customer, agent)
    _counter_sign(*parts, VOUCHER, 0.0, file)


def test_the_counter_signed_receipt_is_handed_in_and_kept(tmp_path: Path) -> None:
    agent, file = Agent(), tmp_path / "receipt.json"
    run(agent, Customer(), file)
    assert agent.taken == [BODY]
    assert SignedReceiptBody.model_validate_json(file.read_text()) == BODY


def test_an_agent_that_is_away_is_asked_again() -> None:
    agent = Agent([Transient("down", "wait")] * 2)
    run(agent, Customer())
    assert (agent.asked, agent.taken) == (3, [BODY])


def test_an_agent_that_stays_away_is_given_up() -> None:
    agent = Agent([Transient("down", "wait")] * 99)
    run(agent, Customer())
    assert (agent.asked, agent.taken) == (RECEIPT_TRIES, [])


def test_what_the_customer_refuses_is_not_handed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent, file = Agent(), tmp_path / "receipt.json"
    run(agent, Customer(refuses=True), file)
    assert (agent.asked, agent.taken) == (1, [])
    assert not file.exists()
    assert "another status" in capsys.readouterr().out
