"""The loop of `clearwork customer co-sign`: what goes wrong is named, and asked again."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from oracle.adapters.voucher_client import VoucherClient
from oracle.cli.customer import _follow
from oracle.domain.messages import Voucher
from oracle.domain.receipts import JobStatus
from oracle.domain.vouchers import SignedVoucher
from oracle.errors import BadInput, ClearworkError, Conflict, Transient

JOB = 7
AGENT = "http://agent"


def usage(gpu_seconds: Any, status: Any) -> httpx.Response:
    return httpx.Response(
        200,
        json={"job": JOB, "gpu_seconds": gpu_seconds, "status": status, "undelivered": 0},
    )


@dataclass
class Agent:
    """Answers what it is told, one answer after the other, and the last one for ever."""

    answers: list[httpx.Response | Exception]
    refusals: list[httpx.Response | Exception] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)

    def client(self) -> VoucherClient:
        return VoucherClient(AGENT + "/", httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            assert request.url == f"{AGENT}/v1/jobs/{JOB}"
            return self._say(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        assert request.url == f"{AGENT}/v1/jobs/{JOB}/vouchers"
        if self.refusals:
            return self._say(self.refusals.pop(0))
        self.taken.append(json.loads(request.content))
        return httpx.Response(204)

    @staticmethod
    def _say(answer: httpx.Response | Exception) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Customer:
    """Signs, after it has failed a few times."""

    failures: list[ClearworkError] = field(default_factory=list)
    accepts: list[bool] = field(default_factory=list)

    def co_sign(
        self, job: int, gpu_seconds: int, status: JobStatus, accept_end: bool
    ) -> SignedVoucher:
        self.accepts.append(accept_end)
        if self.failures:
            raise self.failures.pop(0)
        return SignedVoucher(Voucher(job, gpu_seconds, status), b"\x01" * 65)


def follow(agent: Agent, customer: Customer, accept_end: bool = False) -> Voucher:
    parts: Any = (customer, agent.client())
    return _follow(*parts, JOB, 0.0, accept_end)


def test_usage_is_signed_once_and_the_end_returned() -> None:
    agent = Agent([usage(5, 3), usage(5, 3), usage(9, 3), usage(9, 4)])
    assert follow(agent, Customer()) == Voucher(JOB, 9, JobStatus.COMPLETED)
    assert [(one["cumulative_gpu_seconds"], one["status"]) for one in agent.taken] == [
        (5, 3),
        (9, 3),
        (9, 4),
    ]
    assert agent.taken[0]["signature"] == "0x" + "01" * 65


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.ConnectError("connection refused"), "does not answer: connection refused"),
        (httpx.Response(200, content=b"<html>"), "answers outside the protocol"),
        (usage("many", 3), "answers outside the protocol"),
        (usage(-1, 3), "answers outside the protocol"),
        (httpx.Response(200, json=[]), "answers outside the protocol"),
        (usage(5, 12), "no job has status 12"),
        (httpx.Response(500), "HTTP 500 without an explanation"),
        (
            httpx.Response(404, json={"title": "no such job", "detail": "Wait."}),
            "no such job",
        ),
    ],
)
def test_a_bad_answer_is_named_and_asked_again(
    answer: httpx.Response | Exception, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = Agent([answer, usage(9, 4)])
    assert follow(agent, Customer()).cumulative_gpu_seconds == 9
    assert reason in capsys.readouterr().out
    assert len(agent.taken) == 1


@pytest.mark.parametrize(
    "failure",
    [
        Transient("no RPC endpoint answers", "Check."),
        Conflict("the chain refuses", "Read again."),
        BadInput("over the deposit", "Top up."),
    ],
)
def test_what_can_not_be_signed_now_is_tried_again(
    failure: ClearworkError, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = Agent([usage(9, 4)])
    assert follow(agent, Customer([failure])).cumulative_gpu_seconds == 9
    out = capsys.readouterr().out
    assert str(failure) in out
    assert failure.remedy in out


def test_a_voucher_that_was_not_taken_is_signed_again() -> None:
    agent = Agent(
        [usage(5, 3), usage(5, 3), usage(5, 4)],
        refusals=[httpx.ReadTimeout("slow"), httpx.Response(503)],
    )
    follow(agent, Customer())
    assert [one["status"] for one in agent.taken] == [4]


@pytest.mark.parametrize("accept_end", [False, True])
def test_the_customers_word_on_the_end_is_passed_on(accept_end: bool) -> None:
    customer = Customer()
    follow(Agent([usage(9, 4)]), customer, accept_end)
    assert customer.accepts == [accept_end]
