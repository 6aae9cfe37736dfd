"""`clearwork attest dispute`: from two files to a conviction, by anybody."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from typer.testing import CliRunner

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.schemas import CommitBody
from oracle.cli.attest import app
from oracle.domain.attestation import chain_seeds
from oracle.errors import BadInput, Conflict
from oracle.services.prove import Proof
from tests.oracle.conftest import UNIT, Live, Machine, Oracle

HALF = 500 * UNIT


class Bench:
    """A commit to a real oracle, and the files that a third party saves of it."""

    def __init__(self, live: Live, oracle: Oracle, machine: Machine, folder: Path) -> None:
        self.live, self.machine, self.folder = live, machine, folder
        live.enter_epoch(1)
        live.send(live.deployer, "EpochLedger", "record_beacon")
        oracle.look()
        oracle.post("/v1/devices", machine.registration())
        self.challenge = oracle.get(f"/v1/devices/0x{machine.device.hex()}/challenge")
        self.oracle = oracle

    def commit(self, make: Callable[..., tuple[Proof, dict[str, Any]]]) -> Proof:
        proof, body = make(self.challenge)
        self.oracle.post("/v1/commits", body)
        self.save("commit.json", self.oracle.get("/v1/commits")[0])
        return proof

    def save(self, name: str, body: Any) -> str:
        (self.folder / name).write_text(json.dumps(body))
        return str(self.folder / name)

    def leaf(self, proof: Proof, round_index: int, index: int) -> str:
        leaf, path = proof.open_leaf(round_index, index)
        return self.save(
            f"leaf-{round_index}-{index}.json",
            {
                "round": round_index,
                "index": index,
                "leaf": "0x" + leaf.hex(),
                "path": ["0x" + node.hex() for node in path],
            },
        )

    def other_end(self, **changes: Any) -> str:
        """Another signed commit to the same chain, or to one that `changes` make another."""
        commit = self.body().message()
        roots = [bytes([7]) * 32] * commit.rounds
        message = replace(commit, final_seed=chain_seeds(commit.seed, roots)[-1], **changes)
        signature = self.live.sign(self.live.operator, message, "DeviceRegistry")
        return self.save(
            "other.json", CommitBody.of(message, roots, signature).model_dump(mode="json")
        )

    def body(self) -> CommitBody:
        view = json.loads((self.folder / "commit.json").read_text())
        return CommitBody.model_validate(view["commit"])

    def dispute(self, *more: str) -> dict[str, Any]:
        arguments = self._arguments(*more)
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)  # type: ignore[no-any-return]

    def verify(self, *more: str, file: str = "commit.json") -> dict[str, Any]:
        place = str(self.folder / file)
        places = ["--deployment", str(self.live.deployment_file), "--json"]
        result = CliRunner().invoke(app, ["verify", place, *more, *places], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)  # type: ignore[no-any-return]

    def in_its_own_process(self, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "oracle", "attest", *self._arguments(*more)]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    def _arguments(self, *more: str) -> list[str]:
        file, deployment = self.folder / "commit.json", self.live.deployment_file
        return ["dispute", str(file), *more, "--json", "--deployment", str(deployment)]


@pytest.fixture
def bench(live: Live, machine: Machine, make_oracle: Any, tmp_path: Path) -> Bench:
    return Bench(live, make_oracle(live.oracles[0]), machine, tmp_path)


def stake(live: Live, machine: Machine) -> int:
    return int(live.read("ProviderStaking", "slashable", machine.provider))


def test_a_false_leaf_becomes_the_transaction_that_convicts(
    bench: Bench, live: Live, machine: Machine
) -> None:
    proof = bench.commit(machine.skipping)
    found = bench.dispute(bench.leaf(proof, 1, 3))
    assert (found["kind"], found["provider"]) == ("false_attestation", machine.provider)
    assert found["signer"] == live.operator.address
    assert found["round"] == 1

    # whoever sends it, from whatever wallet
    before = stake(live, machine)
    sent = {"from": live.customer.address, "to": found["to"], "data": found["calldata"]}
    live.w3.eth.wait_for_transaction_receipt(live.w3.eth.send_transaction(sent))
    assert before - stake(live, machine) == HALF
    assert live.read("WorkToken", "balanceOf", live.customer.address) > 0


def test_it_is_sent_with_a_key(
    bench: Bench, live: Live, machine: Machine, anvil_url: str, tmp_path: Path
) -> None:
    proof = bench.commit(machine.skipping)
    leaf = bench.leaf(proof, 0, 0)
    key, password = tmp_path / "key.json", tmp_path / "password"
    password.write_text("a password of the tests")
    reporter = Account.create()
    # a key that opens fast
    encrypted = Account.encrypt(reporter.key, password.read_text(), kdf="pbkdf2", iterations=1_024)
    key.write_text(json.dumps(encrypted))
    fund = {"from": live.deployer.address, "to": reporter.address, "value": 10**18}
    live.w3.eth.wait_for_transaction_receipt(live.w3.eth.send_transaction(fund))
    send = ("--rpc", anvil_url, "--keystore", str(key), "--password-file", str(password))

    with pytest.raises(Conflict, match="over the cap of 1000"):
        bench.dispute(leaf, *send, "--gas-cap", "1000")
    ended = bench.in_its_own_process(leaf, *send)
    # nothing but the answer on standard output: what is logged goes elsewhere, a line each
    conviction = json.loads(ended.stdout)["conviction"]
    assert "convicted" in [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert conviction["slashed"] == HALF
    earned = live.read("WorkToken", "balanceOf", reporter.address)
    assert earned == conviction["reporter_paid"] > 0
    with pytest.raises(Conflict, match="convicted"):
        bench.dispute(leaf, *send)


def test_two_ends_of_one_chain_become_the_transaction_that_convicts(
    bench: Bench, live: Live, machine: Machine
) -> None:
    bench.commit(machine.prove)
    found = bench.dispute("--other", bench.other_end())
    assert found["kind"] == "equivocation"
    sent = {"from": live.customer.address, "to": found["to"], "data": found["calldata"]}
    live.w3.eth.wait_for_transaction_receipt(live.w3.eth.send_transaction(sent))
    assert live.read("ProviderStaking", "jailed_until", machine.provider) == 2**64 - 1


def test_nothing_false_is_no_dispute(bench: Bench, machine: Machine) -> None:
    proof = bench.commit(machine.prove)
    with pytest.raises(BadInput, match="nothing is false: 2 leaves"):
        bench.dispute(bench.leaf(proof, 0, 0), bench.leaf(proof, 1, 1))
    same = str(bench.folder / "commit.json")
    for other in (same, bench.other_end(epoch=2), bench.other_end(seed=bytes(32))):
        with pytest.raises(BadInput, match="do not contradict"):
            bench.dispute("--other", other)
    with pytest.raises(BadInput, match="nothing to look at"):
        bench.dispute()


def test_what_the_commit_does_not_bind_convicts_nobody(bench: Bench, machine: Machine) -> None:
    proof = bench.commit(machine.prove)
    leaf = bench.leaf(proof, 0, 0)
    for change in ({"index": 1}, {"round": 1}, {"leaf": "0x" + "01" * 128}, {"index": 2**31}):
        bent = bench.save("bent.json", json.loads(Path(leaf).read_text()) | change)
        with pytest.raises(BadInput, match="is not under the commit's root"):
            bench.dispute(bent)
    view = json.loads((bench.folder / "commit.json").read_text())
    view["commit"]["roots"][0] = "0x" + "07" * 32
    bench.save("commit.json", view)
    with pytest.raises(BadInput, match="the roots are not those of the commit"):
        bench.dispute(leaf)


def test_a_strangers_commit_is_refused_by_the_chain(
    bench: Bench, live: Live, machine: Machine, anvil_url: str, tmp_path: Path
) -> None:
    proof = bench.commit(machine.skipping)
    stranger = Account.create()
    body = bench.body()
    signature = live.sign(stranger, body.message(), "DeviceRegistry")
    bench.save(
        "commit.json", body.model_copy(update={"signature": signature}).model_dump(mode="json")
    )
    leaf = bench.leaf(proof, 0, 0)
    assert bench.dispute(leaf)["signer"] == stranger.address
    key, password = tmp_path / "key.json", tmp_path / "password"
    password.write_text("a password of the tests")
    KeystoreSigner.create(key, password)
    send = ("--rpc", anvil_url, "--keystore", str(key), "--password-file", str(password))
    with pytest.raises(Conflict, match="court"):
        bench.dispute(leaf, *send)
    assert stake(live, machine) == 2 * HALF


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"commit": {}}', "[" * 100_000])
def test_files_that_are_none(bench: Bench, machine: Machine, text: str) -> None:
    proof = bench.commit(machine.skipping)
    bad = bench.folder / "bad.json"
    bad.write_text(text)
    with pytest.raises(BadInput) as refused:
        bench.dispute(str(bad))
    assert "openings" in refused.value.remedy
    with pytest.raises(BadInput) as refused:
        bench.dispute(bench.leaf(proof, 0, 0), "--other", str(bad))
    assert "/v1/commits" in refused.value.remedy


# --- what a third party checks without wanting to convict ----------------------------------------


def test_a_signed_commit_is_verified_by_its_leaves(
    bench: Bench, live: Live, machine: Machine
) -> None:
    proof = bench.commit(machine.prove)
    found = bench.verify(bench.leaf(proof, 0, 0), bench.leaf(proof, 1, 3))
    assert found == {
        "valid": True,
        "how": "2 leaves of 128 entries checked, and that the signature binds them",
        "provider": machine.provider,
        "device": "0x" + machine.device.hex(),
        "epoch": 1,
        "signer": live.operator.address,
    }
    # as a person sees it, and the commit without the list's frame
    bench.save("alone.json", bench.body().model_dump(mode="json"))
    arguments = ["verify", str(bench.folder / "alone.json"), bench.leaf(proof, 0, 0)]
    places = ["--deployment", str(live.deployment_file)]
    printed = CliRunner().invoke(app, [*arguments, *places], catch_exceptions=False).stdout
    assert "valid: 1 leaves of 128 entries checked" in printed
    assert live.operator.address in printed


def test_without_leaves_all_of_a_commit_is_computed_again(bench: Bench, machine: Machine) -> None:
    bench.commit(machine.prove)
    assert bench.verify()["how"] == f"all {bench.body().rounds} roots recomputed"


def test_a_false_commit_is_not_valid(bench: Bench, machine: Machine) -> None:
    proof = bench.commit(machine.skipping)
    with pytest.raises(BadInput, match="root 0 is false, right is 0x"):
        bench.verify()
    with pytest.raises(BadInput, match="of round 1 is false") as refused:
        bench.verify(bench.leaf(proof, 1, 3))
    assert "clearwork attest dispute" in refused.value.remedy


def test_what_a_commit_does_not_bind_is_not_valid(bench: Bench, machine: Machine) -> None:
    proof = bench.commit(machine.prove)
    leaf = bench.leaf(proof, 0, 0)
    elsewhere = json.loads(Path(leaf).read_text()) | {"index": 1}
    with pytest.raises(BadInput, match="leaf 1 of round 0 is not under the commit's root"):
        bench.verify(bench.save("elsewhere.json", elsewhere))
    body = bench.body()
    roots = [bytes(32), *body.roots[1:]]
    bench.save("roots.json", body.model_copy(update={"roots": roots}).model_dump(mode="json"))
    with pytest.raises(BadInput, match="the roots are not those of the commit"):
        bench.verify(leaf, file="roots.json")
    # another signature is another signer's
    signature = body.signature[:31] + bytes([body.signature[31] ^ 1]) + body.signature[32:]
    changed = body.model_copy(update={"signature": signature})
    bench.save("signature.json", changed.model_dump(mode="json"))
    try:
        signer = bench.verify(leaf, file="signature.json")["signer"]
    except BadInput:
        return
    assert signer != bench.live.operator.address


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"commit": {}}', "[" * 100_000])
def test_what_is_neither_proof_nor_commit(bench: Bench, machine: Machine, text: str) -> None:
    (bench.folder / "bad.json").write_text(text)
    with pytest.raises(BadInput) as refused:
        bench.verify(file="bad.json")
    assert "/v1/commits" in refused.value.remedy
    proof = bench.commit(machine.prove)
    with pytest.raises(BadInput) as refused:
        bench.verify(str(bench.folder / "bad.json"))
    assert "openings" in refused.value.remedy
    assert proof.roots
