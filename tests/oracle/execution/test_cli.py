"""`clearwork receipt`: what people see, and how a check fails."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from typer.testing import CliRunner

from oracle.adapters.receipt_client import ReceiptClient
from oracle.cli import receipt as cli
from oracle.domain.execution import Fault, Layer, Role, SignedReceipt
from oracle.domain.receipts import JobStatus
from oracle.errors import BadInput, ClearworkError, NotFound, Transient, Unauthorized
from scripts._project import ROOT
from tests.oracle.conftest import Live, Machine, Oracle, step
from tests.oracle.execution.conftest import BROKEN, PLAIN, body, end, sign

PROVIDER, CUSTOMER, ORACLE, OTHER = (Account.from_key(bytes([n]) * 32) for n in (1, 2, 3, 4))
OWN, WITNESS = (Role.PROVIDER, PROVIDER), (Role.ORACLE, ORACLE)
EXAMPLE = ROOT / "docs" / "schemas" / "execution-receipt.example.json"


def run(*arguments: str, stdin: str | None = None) -> str:
    """Output of the command; raises what `clearwork` would print as an error."""
    result = CliRunner().invoke(cli.app, list(arguments), input=stdin, env={"COLUMNS": "200"})
    if isinstance(result.exception, ClearworkError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Any], str]:
    """Write a document to a file, and name it."""

    def write(content: Any) -> str:
        path = tmp_path / "receipt.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Oracles by URL: what they answer, or None where they are down."""

    def install(**oracles: list[dict[str, Any]] | None) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            views = oracles[request.url.host]
            if views is None:
                raise httpx.ConnectError("connection refused")
            return httpx.Response(200, json=views)

        transport = httpx.MockTransport(answer)
        monkeypatch.setattr(cli, "ReceiptClient", lambda url: ReceiptClient(url, transport))

    return install


def filed(signed: SignedReceipt, state: str = "agreed", reason: str = "") -> dict[str, Any]:
    return body(signed) | {"state": state, "reason": reason}


# --- verify ---------------------------------------------------------------------------------------


def test_the_published_example_is_valid() -> None:
    printed = run("verify", str(EXAMPLE))
    assert "valid: job 7 of provider 2, provider fault at layer output" in printed
    assert "signed by customer, oracle, provider" in printed
    assert "roles are not checked" in printed


def test_one_receipt_a_list_several_files_and_standard_input(file: Any) -> None:
    signed = body(sign(PLAIN, OWN, WITNESS))
    assert "job 7" in run("verify", file(signed))
    assert run("verify", file([signed, signed])).count("valid: job 7") == 2
    assert run("verify", file(signed), str(EXAMPLE)).count("valid: job 7") == 2
    assert "job 7" in run("verify", "-", stdin=json.dumps(signed))


def test_json_names_status_layer_and_signers(file: Any) -> None:
    found = json.loads(run("verify", file(body(sign(BROKEN, OWN))), "--json"))
    assert found == {
        "valid": True,
        "roles_checked": False,
        "receipts": [
            {
                "job": 7,
                "document": "0x" + BROKEN.hash.hex(),
                "issuer": "provider",
                "status": "provider_fault",
                "layer": "output",
                "counter_signed": False,
                "signers": [{"role": "provider", "signer": PROVIDER.address}],
            }
        ],
    }


def test_one_sided_receipts_are_called_so(file: Any) -> None:
    assert "counter-signed by nobody" in run("verify", file(body(sign(PLAIN, OWN))))


def _changed(path: str, value: Any) -> dict[str, Any]:
    content = body(sign(BROKEN, OWN, WITNESS))
    *parents, last = path.split(".")
    place: Any = content
    for name in parents:
        place = place[int(name) if name.isdigit() else name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("receipt.gpu_seconds", 26, "hashes to"),
        ("receipt.fault.layer", "settlement", "hashes to"),
        ("receipt.work.command", [], "hashes to"),
        ("document", "0x" + "00" * 32, "hashes to"),
        ("receipt.job", "7", "receipt.job"),
        ("receipt.fault.layer", "weather", "receipt.fault.layer"),
        ("receipt.fault", None, "names no layer"),
        ("receipt.status", "completed", "has no fault"),
        ("receipt.gpu_seconds", ..., "receipt.gpu_seconds"),
        ("receipt.work.image", ..., "left out"),
        ("signatures.0.signer", OTHER.address, "the provider's signature is by"),
        ("signatures.1.signature", "0x" + "00" * 65, "27 or 28"),
        ("signatures.0.role", "customer", "has not signed"),
        ("signatures", [], "has not signed"),
        ("more", 1, "more"),
    ],
)
def test_the_exact_fault_is_named(file: Any, path: str, value: Any, fault: str) -> None:
    with pytest.raises(BadInput, match=fault) as refusal:
        run("verify", file(_changed(path, value)))
    assert refusal.value.exit_code == 2
    assert refusal.value.remedy


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no receipt in"),
        ("5", "valid dictionary"),
        ('{"receipt": NaN}', "no JSON"),
        ('{"receipt": "\\ud800"}', "no JSON"),
    ],
)
def test_what_is_no_receipt(file: Any, content: str, fault: str) -> None:
    with pytest.raises(BadInput, match=fault):
        run("verify", file(content))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        run("verify", str(tmp_path / "missing.json"))
    with pytest.raises(BadInput, match="without a deployment"):
        run("verify", str(EXAMPLE), "--rpc", "http://127.0.0.1:9")


def test_the_process_exits_with_2_and_says_what_to_do(file: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "oracle", "receipt", "verify", file(_changed("receipt.job", 8))],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: the receipt hashes to" in done.stderr.replace("\n", " ")
    assert "what to do: It was changed" in done.stderr


# --- verify by the contracts ----------------------------------------------------------------------


def test_roles_are_checked_by_the_contracts(
    live: Live, anvil_url: str, machine: Machine, job: int, receipt_of: Any, file: Any
) -> None:
    receipt = receipt_of(job, machine.provider)
    own, customer = (Role.PROVIDER, live.operator), (Role.CUSTOMER, live.customer)
    member = (Role.ORACLE, live.oracles[0])
    where = ["--deployment", str(live.deployment_file)]
    online = [*where, "--rpc", anvil_url]
    good = file(body(sign(receipt, own, customer, member)))
    assert json.loads(run("verify", good, *online, "--json"))["roles_checked"] is True
    assert "roles are not checked" in run("verify", good, *where)

    for role in Role:
        signers = {Role.PROVIDER: live.operator, role: live.deployer}
        forged = file(body(sign(receipt, *signers.items())))
        run("verify", forged, *where)
        with pytest.raises(Unauthorized, match=f"signed as {role} by {live.deployer.address}"):
            run("verify", forged, *online)
    with pytest.raises(BadInput, match="of escrow 0x2222"):
        run("verify", file(body(sign(replace(PLAIN, job=job), own))), *where)
    with pytest.raises(NotFound, match="no job 99"):
        run("verify", file(body(sign(replace(receipt, job=99), own))), *online)


# --- show -----------------------------------------------------------------------------------------


def test_from_live_oracles_to_a_check_by_the_contracts(
    live: Live,
    anvil_url: str,
    machine: Machine,
    job: int,
    oracles: list[Oracle],
    receipt_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a support ticket needs of a failed job, asked of two of four oracles."""
    fault = Fault(Layer.OUTPUT, "no weights were written")
    receipt = receipt_of(job, machine.provider, status=JobStatus.PROVIDER_FAULT, fault=fault)
    for oracle in oracles:
        oracle.look()
        oracle.post("/v1/receipts", [body(sign(receipt, (Role.PROVIDER, live.operator)))])
    end(live, machine, job, receipt.gpu_seconds, receipt.status)
    step(oracles)
    doors = {f"http://{n}": oracle.http._transport for n, oracle in enumerate(oracles[:2])}
    monkeypatch.setattr(cli, "ReceiptClient", lambda url: ReceiptClient(url, doors[url]))

    asked = ["show", str(job), *(part for url in doors for part in ("--oracle", url))]
    shown = run(*asked)
    counter_signers = [key.address for key in live.oracles[:2]]
    for text in (
        "provider fault at layer output", "no weights were written", live.operator.address,
        *counter_signers, "0x" + receipt.hash.hex(),
    ):  # fmt: skip
        assert text in shown
    where = ["--deployment", str(live.deployment_file), "--rpc", anvil_url, "--json"]
    checked = json.loads(run("verify", "-", *where, stdin=run(*asked, "--json")))
    assert checked["roles_checked"] is True
    (summary,) = checked["receipts"]
    assert summary["counter_signed"] is True
    assert {(one["role"], one["signer"]) for one in summary["signers"]} == {
        ("provider", live.operator.address), *(("oracle", each) for each in counter_signers)
    }  # fmt: skip
    with pytest.raises(NotFound):
        run("show", str(job + 1), "--oracle", "http://0")


def test_the_table_says_what_failed_where_and_who_signed(serve: Any) -> None:
    serve(one=[filed(sign(BROKEN, OWN, WITNESS))])
    shown = run("show", "7", "--oracle", "http://one")
    for text in (
        "provider fault at layer output",
        "no weights were written",
        "python train.py --name größe",
        PROVIDER.address,
        ORACLE.address,
        "0x" + BROKEN.hash.hex(),
    ):
        assert text in shown


def test_signatures_of_several_oracles_are_gathered(serve: Any, file: Any) -> None:
    second = (Role.ORACLE, OTHER)
    serve(one=[filed(sign(PLAIN, OWN, WITNESS))], two=[filed(sign(PLAIN, OWN, second))], down=None)
    names = [part for name in ("one", "two", "down") for part in ("--oracle", f"http://{name}")]
    printed = run("show", "7", *names, "--json")
    (summary,) = json.loads(run("verify", "-", "--json", stdin=printed))["receipts"]
    assert {one["signer"] for one in summary["signers"]} == {
        PROVIDER.address,
        ORACLE.address,
        OTHER.address,
    }


def test_a_dispute_is_shown(serve: Any) -> None:
    serve(one=[filed(sign(PLAIN, OWN), "disputed", "3 GPU-seconds observed")])
    assert "3 GPU-seconds observed" in run("show", "7", "--oracle", "http://one")


def test_what_others_wrote_stays_text(serve: Any) -> None:
    fault = Fault(Layer.EXECUTION, "[red]markup[/red] \x1b[2J escape")
    serve(one=[filed(sign(replace(BROKEN, fault=fault), OWN))])
    shown = run("show", "7", "--oracle", "http://one")
    assert "[red]markup[/red]" in shown
    assert "\x1b[2J" not in shown


def test_no_receipt_no_oracle_no_truth(serve: Any) -> None:
    serve(one=[], down=None)
    with pytest.raises(NotFound, match="no receipt of job 7"):
        run("show", "7", "--oracle", "http://one")
    with pytest.raises(Transient, match="does not answer"):
        run("show", "7", "--oracle", "http://down")
    forged = filed(sign(PLAIN, OWN))
    forged["signatures"][0]["signer"] = OTHER.address
    serve(one=[forged])
    with pytest.raises(Unauthorized, match="signature is by"):
        run("show", "7", "--oracle", "http://one")


def test_an_answer_outside_the_protocol_is_named(serve: Any) -> None:
    serve(one=[{"receipt": 5}])
    with pytest.raises(Transient, match="outside the protocol"):
        run("show", "7", "--oracle", "http://one")


def test_help_teaches_the_layers() -> None:
    assert "settlement" in run("--help")
    assert "Example" in run("verify", "--help")
    assert json.loads(run("schema"))["title"]
