"""`clearwork proof`: the calldata of an oracle's answer, ready to be sent."""

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from oracle.adapters.report_client import ReportClient
from oracle.api.schemas import CallView, ProofView
from oracle.cli import proof as command
from oracle.errors import NotFound, Transient

LEDGER, ESCROW = "0x" + "1e" * 20, "0x" + "5c" * 20
VIEW = ProofView(
    kind=5,
    key=(7).to_bytes(32, "big"),
    cumulative=2**255,
    receipts=b"\1" * 16,
    proof=[b"\2" * 32],
    root=b"\3" * 32,
    before=[CallView(to=LEDGER, calldata="0xaa")],
    to=ESCROW,
    calldata="0xbb",
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that an oracle was asked for; it answers with `VIEW`, and knows no account."""
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if request.url.path.startswith("/v1/proofs/2/"):
            problem = {"type": "NotFound", "title": "no leaf", "status": 404, "detail": "wait"}
            return httpx.Response(404, json=problem)
        return httpx.Response(200, content=VIEW.model_dump_json())

    monkeypatch.setattr(
        command, "ReportClient", lambda url: ReportClient(url, httpx.MockTransport(answer))
    )
    return paths


def run(*arguments: str) -> Any:
    return CliRunner().invoke(command.app, [*arguments, "--oracle", "http://oracle"])


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["job", "7"], f"/v1/proofs/5/0x{7:064x}"),
        (["payee", "3"], f"/v1/proofs/6/0x{3:064x}"),
        (["payee", "3", "--part", "2"], f"/v1/proofs/6/0x{(2 << 32) + 3:064x}"),
        (["provider", "3"], f"/v1/proofs/1/0x{3:064x}"),
    ],
)
def test_it_asks_for_the_leaf_and_prints_what_to_send(
    asked: list[str], arguments: list[str], path: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert asked == [path]
    assert result.stdout.splitlines() == [f"1. to {LEDGER}", "0xaa", f"2. to {ESCROW}", "0xbb"]


def test_json_is_the_oracle_s_answer(asked: list[str]) -> None:
    assert json.loads(run("job", "7", "--json").stdout) == json.loads(VIEW.model_dump_json())


def test_what_has_no_leaf_is_not_found(asked: list[str]) -> None:
    error = run("account", "0x" + "aa" * 20).exception
    assert isinstance(error, NotFound)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.Response(200, content=b"{}"),
    ],
)
def test_an_oracle_that_makes_no_sense_is_transient(answer: Any) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = ReportClient("http://oracle/", httpx.MockTransport(respond))
    with pytest.raises(Transient):
        client.proof(command.LeafKind.JOB, bytes(32))
