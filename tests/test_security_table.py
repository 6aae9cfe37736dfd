"""docs/security.md against the published ABIs: every function that changes state has one row."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "security.md"
ABIS = {path.stem: path for path in sorted((ROOT / "deployments" / "abi").glob("*.json"))}
CHANGING = {"nonpayable", "payable"}
# | `function` | who, who | what it does |
ROW = re.compile(r"\| `(\w+)` \| ([^|]+) \| [^|]+ \|")
ROLE_CHECK = re.compile(r"delayed_roles\._check_role\((\w+)\)")
OWNER_CHECK = "ownable._check_owner()"
# the caller that is named by an immutable of the escrow
JOBS_CHECK = "self._check_jobs()"


def chapter(heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    level = len(heading.split()[0])
    match = re.search(
        rf"^{re.escape(heading)}$\n(.*?)(?=^#{{1,{level}}} |\Z)", DOCS.read_text(), re.M | re.S
    )
    assert match, f"docs/security.md has no chapter {heading!r}"
    return match[1]


def rows(contract: str) -> list[tuple[str, set[str]]]:
    """Function and callers of every row of a contract's table."""
    found = []
    for line in chapter(f"### {contract}").splitlines():
        if not line.startswith("|") or line.startswith(("| function |", "|---")):
            continue
        row = ROW.fullmatch(line)
        assert row, f"{contract}: not a row of the table: {line}"
        found.append((row[1], set(row[2].split(", "))))
    return found


def changing_functions(contract: str) -> set[str]:
    """Every function of a published ABI that can change state, once for all its defaults."""
    return {
        entry["name"]
        for entry in json.loads(ABIS[contract].read_text())
        if entry["type"] == "function" and entry["stateMutability"] in CHANGING
    }


def gates(contract: str) -> dict[str, str]:
    """Functions whose source checks one role or the owner, and which."""
    source = (ROOT / "contracts" / f"{contract}.vy").read_text()
    found = {}
    for body in source.split("\n@external\n")[1:]:
        body = body.split("\n@internal\n")[0]
        name = re.search(r"^def (\w+)", body, re.M)
        assert name
        if role := ROLE_CHECK.search(body):
            found[name[1]] = role[1]
        elif JOBS_CHECK in body:
            found[name[1]] = "JOBS"
        elif OWNER_CHECK in body:
            found[name[1]] = "owner"
    return found


def test_there_are_contracts() -> None:
    assert sum(len(changing_functions(contract)) for contract in ABIS) > len(ABIS) > 0


@pytest.mark.parametrize("contract", ABIS)
def test_every_function_that_changes_state_has_one_row(contract: str) -> None:
    assert sorted(name for name, _ in rows(contract)) == sorted(changing_functions(contract))


@pytest.mark.parametrize("contract", ABIS)
def test_who_may_call_is_what_the_source_checks(contract: str) -> None:
    who = dict(rows(contract))
    assert {name: who[name] for name in gates(contract)} == {
        name: {gate} for name, gate in gates(contract).items()
    }


def test_the_source_checks_are_found() -> None:
    found: dict[str, str] = {}
    for contract in ("ProviderStaking", "JobRegistry", "ServiceBonds", "JobEscrow"):
        found |= {f"{contract}.{name}": gate for name, gate in gates(contract).items()}
    assert found == {
        "ProviderStaking.lock": "LOCKER",
        "ProviderStaking.release": "LOCKER",
        "ProviderStaking.seize": "LOCKER",
        "ProviderStaking.slash": "SLASHER",
        "ProviderStaking.hold": "SLASHER",
        "ProviderStaking.drop": "SLASHER",
        "ProviderStaking.jail": "SLASHER",
        "JobRegistry.record": "ESCROW",
        "JobRegistry.record_taken": "ESCROW",
        "JobRegistry.fail_job": "COURT",
        "ServiceBonds.pledge": "JOBS",
        "ServiceBonds.release": "JOBS",
        "ServiceBonds.compensate": "JOBS",
        "ServiceBonds.add_sla": "owner",
        "JobEscrow.set_status": "JOBS",
        "JobEscrow.end_job": "JOBS",
        "JobEscrow.lower_deposit": "JOBS",
        "JobEscrow.hold_pending": "JOBS",
        "JobEscrow.release_pending": "JOBS",
        "JobEscrow.list_asset": "owner",
        "JobEscrow.schedule_fee": "owner",
        "JobEscrow.set_treasury": "owner",
        "JobEscrow.set_guardian": "owner",
    }


def test_every_contract_of_the_docs_exists() -> None:
    assert sorted(re.findall(r"^### (\w+)$", chapter("## Functions"), re.M)) == sorted(ABIS)


def test_every_caller_has_a_row_of_the_worst_it_can_do() -> None:
    worst = re.findall(r"^\| ([\w ]+) \|", chapter("## The worst each role can do"), re.M)
    callers = set().union(*(who for contract in ABIS for _, who in rows(contract)))
    assert callers <= set(worst)
