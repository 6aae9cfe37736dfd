"""`ape run deploy` and `ape run handover`, from the first transaction to the last proof."""

import json
import os
import signal
import subprocess
from pathlib import Path

import yaml
from web3 import Web3

from scripts._anvil import test_key as key_at
from scripts._project import CONTRACTS, OPTIONAL, ROOT, abi_hash, abi_of
from tests.parameters import DEMAND, LOCAL

from .conftest import APE, LOCAL_CHAIN, Forks, Market, Run, deploy, empty_home

DEPLOYER = str(key_at(0).address)


def test_deploy(market: Market) -> None:
    chain, record = market.chain, market.record
    assert record["chain_id"] == 31337
    assert record["network"] == "ethereum:local"
    assert set(record["contracts"]) == set(CONTRACTS)
    # halving: nobody decides what is granted
    controller = market.contract("EmissionsController").functions
    assert int(controller.role_holder(Web3.keccak(text="POLICY")).call(), 16) == 0
    for name, entry in record["contracts"].items():
        receipt = chain.eth.get_transaction_receipt(entry["transaction"])
        assert receipt["contractAddress"] == entry["address"]
        assert receipt["blockNumber"] == entry["block"]
        assert receipt["from"] == entry["deployer"] == DEPLOYER
        assert entry["abi_hash"] == abi_hash(abi_of(name))

    # a second deployment is refused before anything is sent
    before, sent = market.out.read_bytes(), chain.eth.get_transaction_count(DEPLOYER)
    refused = market.ape_run("deploy", "--out", str(market.out))
    assert refused.returncode == 2
    assert "never overwritten" in refused.stderr
    assert market.out.read_bytes() == before
    assert chain.eth.get_transaction_count(DEPLOYER) == sent


def test_hand_over(market: Market) -> None:
    chain = market.chain
    handed = market.ape_run("handover", "--deployment", str(market.out))
    assert handed.returncode == 0, handed.stderr
    assert "has no power over this market any more" in handed.stdout
    timelock = market.record["contracts"]["Timelock"]["address"]
    owned = [
        name for name in CONTRACTS if any(each.get("name") == "owner" for each in abi_of(name))
    ]
    assert "ProviderStaking" in owned
    for name in owned:
        owner = market.contract(name).functions.owner().call()
        assert owner == (str(key_at(15).address) if name == "GovernorFeed" else timelock)

    # once more: nothing is left to do
    sent = chain.eth.get_transaction_count(DEPLOYER)
    again = market.ape_run("handover", "--deployment", str(market.out))
    assert again.returncode == 0, again.stderr
    assert chain.eth.get_transaction_count(DEPLOYER) == sent


def test_handover_fails_where_the_deployer_keeps_a_power(market: Market) -> None:
    escrow = market.contract("JobEscrow").functions
    escrow.set_guardian(DEPLOYER).transact({"from": DEPLOYER})

    handed = market.ape_run("handover", "--deployment", str(market.out))
    assert handed.returncode == 1
    assert "still has 1 powers" in handed.stderr
    assert "guardian" in handed.stdout


def test_a_market_that_pays_by_demand(url: str, forks: Forks, tmp_path: Path) -> None:
    content = yaml.safe_load(LOCAL.read_text())
    content["emissions"] |= {"policy": "demand", "demand": DEMAND}
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump(content))
    market = deploy(url, forks, tmp_path / "31337.json", "--params", str(params))
    record = market.record
    assert set(record["contracts"]) == {*CONTRACTS, "DemandPolicy"}
    policy = market.contract("DemandPolicy").functions
    controller = market.contract("EmissionsController").functions
    holder = controller.role_holder(Web3.keccak(text="POLICY")).call()
    assert holder == record["contracts"]["DemandPolicy"]["address"]
    assert policy.RULE().call() == (720, 5_000, 10, 168, 1)
    assert (policy.WAIT_EPOCHS().call(), policy.TARGET_EPOCHS().call()) == (24, 168)
    assert policy.target_of(2).call() == (15 * 10**16, 1_000)
    assert policy.target_of(1).call() == (0, 0)
    for name in ("CONTROLLER", "COMMITTEE", "PRICES", "TOKEN"):
        known = {
            "CONTROLLER": "EmissionsController",
            "COMMITTEE": "OracleCommittee",
            "PRICES": "Prices",
            "TOKEN": "WorkToken",
        }[name]
        assert policy[name]().call() == record["contracts"][known]["address"]

    handed = market.ape_run("handover", "--deployment", str(market.out))
    assert handed.returncode == 0, handed.stderr
    assert policy.owner().call() == record["contracts"]["Timelock"]["address"]


def test_a_rehearsal_changes_nothing(chain: Web3, ape_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "31337.json"
    rehearsed = ape_run("deploy", "--dry-run", "--out", str(out))
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "SlashingCourt" in rehearsed.stdout
    assert "nothing was written" in rehearsed.stdout
    assert not out.exists()
    assert chain.eth.get_transaction_count(DEPLOYER) == 0
    assert chain.eth.block_number == 0


def test_wrong_parameters_are_refused_before_the_first_transaction(
    chain: Web3, ape_run: Run, tmp_path: Path
) -> None:
    content = yaml.safe_load(LOCAL.read_text())
    content["escrow"]["fee_bps"] = 1_001
    params, out = tmp_path / "params.yaml", tmp_path / "31337.json"
    params.write_text(yaml.safe_dump(content))
    refused = ape_run("deploy", "--params", str(params), "--out", str(out))
    assert refused.returncode == 2
    assert "escrow.fee_bps" in refused.stderr
    assert "Nothing was sent." in refused.stderr
    assert not out.exists()
    assert chain.eth.get_transaction_count(DEPLOYER) == 0


def test_a_deployer_that_cannot_pay_the_bonds_is_refused(
    chain: Web3, ape_run: Run, tmp_path: Path
) -> None:
    content = yaml.safe_load(LOCAL.read_text())
    content["token"]["allocations"][0]["amount"] = 3_999
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump(content))
    refused = ape_run("deploy", "--params", str(params), "--out", str(tmp_path / "out.json"))
    assert refused.returncode == 3
    assert "token.allocations" in refused.stderr
    assert chain.eth.get_transaction_count(DEPLOYER) == 0


def test_a_killed_deployment_goes_on_where_it_stopped(
    url: str, forks: Forks, tmp_path: Path
) -> None:
    out = tmp_path / "31337.json"
    first_lines: dict[str, str] = {}
    with subprocess.Popen(
        [APE, "run", "deploy", *LOCAL_CHAIN, "--out", str(out)],
        cwd=ROOT,
        env={**empty_home(tmp_path), "APE_FOUNDRY_HOST": url, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as killed:
        assert killed.stdout
        for line in killed.stdout:
            name, _, rest = line.partition(" ")
            if name in CONTRACTS:
                first_lines[name] = rest.split()[0]
            if name == "JobEscrow":
                os.kill(killed.pid, signal.SIGKILL)
                break
    assert not out.exists()
    assert 0 < len(first_lines) < len(CONTRACTS)

    market = deploy(url, forks, out)
    record = market.record
    for name, address in first_lines.items():
        assert record["contracts"][name]["address"] == address
    assert market.said.count("  found") == len(first_lines)
    token = market.contract("WorkToken")
    minter = token.functions.role_holder(Web3.keccak(text="MINTER")).call()
    assert minter == record["contracts"]["EmissionsController"]["address"]


def test_handover_without_a_deployment_is_explained(ape_run: Run, tmp_path: Path) -> None:
    refused = ape_run("handover", "--deployment", str(tmp_path / "none.json"))
    assert refused.returncode == 3
    assert "there is no deployment at" in refused.stderr


def test_handover_of_a_chain_that_is_gone_is_explained(ape_run: Run, tmp_path: Path) -> None:
    entry = {"address": "0x" + 39 * "0" + "1"}
    stale = tmp_path / "31337.json"
    stale.write_text(json.dumps({"chain_id": 31337, "contracts": dict.fromkeys(CONTRACTS, entry)}))
    refused = ape_run("handover", "--deployment", str(stale))
    assert refused.returncode == 3
    assert "deploy again" in refused.stderr

    stale.write_text(json.dumps({"chain_id": 1, "contracts": {}}))
    refused = ape_run("handover", "--deployment", str(stale))
    assert refused.returncode == 3
    assert "is about chain 1, this is chain 31337" in refused.stderr


def test_export_abi_writes_every_contract(forks: Forks, tmp_path: Path) -> None:
    exported = forks.run("run", "export_abi", "--out", str(tmp_path / "abi"))
    assert exported.returncode == 0, exported.stderr
    assert {path.stem for path in (tmp_path / "abi").iterdir()} == {*CONTRACTS, *OPTIONAL}
