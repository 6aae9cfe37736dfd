"""Hand every contract to the Timelock, and prove that the deployer can't do anything any more.

Ownership moves in two steps, and the Timelock takes its step like any other change: announced by a
proposer, carried out after the delay. So this command is run twice on a public network: it does
what can be done now and says when to come back. On a local chain it lets the time pass by itself.
"""

import json
from pathlib import Path
from typing import Any

import ape
import click
from ape.api import AccountAPI, TestProviderAPI
from ape.cli import ConnectedProviderCommand
from ape.contracts import ContractInstance
from rich.console import Console
from rich.table import Table

from oracle.domain.hashing import keccak
from oracle.errors import Misconfigured
from scripts._market import role_id
from scripts._networks import deployer, explained, is_local
from scripts._parameters import ZERO_ADDRESS
from scripts._project import CONTRACTS, OPTIONAL, ROOT, container

SALT = keccak(b"Clearwork: hand-over")
NO_PREDECESSOR = bytes(32)
# wei that a test key without funds gets on a local chain
GAS_MONEY = 10**18
# views of an account that may do something, on whichever contract has them
POWERS = ("owner", "pending_owner", "guardian", "treasury")
TIMELOCK_ROLES = ("DEFAULT_ADMIN_ROLE", "PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE")
# answered by an owner of its own, who can't wait for a Timelock
NOT_HANDED_OVER = ("GovernorFeed",)
ROLES = (
    "MINTER",
    "SLASHER",
    "LOCKER",
    "JOBS",
    "ESCROW",
    "COURT",
    "DISTRIBUTOR",
    "LEDGER",
    "POLICY",
    "ARBITER",
    "REQUESTS",
)


@click.command(cls=ConnectedProviderCommand)
@click.option(
    "--deployment",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The record of the deployment. Default: deployments/<chain id>.json",
)
@click.option("--account", "alias", help="Alias of the deployer's account, where it isn't local.")
@click.option("--proposer", "proposer_alias", help="Alias of an account that may propose.")
def cli(deployment: Path | None, alias: str | None, proposer_alias: str | None) -> None:
    """Hand every contract to the Timelock and prove that the deployer keeps nothing."""
    path = deployment or ROOT / "deployments" / f"{ape.chain.provider.chain_id}.json"
    with explained():
        contracts = load_contracts(path)
        account = deployer(alias)
        timelock = contracts["Timelock"]
        owned = [
            each
            for name, each in contracts.items()
            if "transfer_ownership" in dir(each) and name not in NOT_HANDED_OVER
        ]
        offer(owned, timelock, account)
        done = accept(owned, timelock, proposer_alias)
    if not done:
        return
    powers = remaining_powers(contracts, str(account.address))
    Console().print(powers_table(contracts, powers))
    if powers:
        raise click.ClickException(f"{account.address} still has {len(powers)} powers: see above")
    click.echo(f"{account.address} has no power over this market any more.")


def load_contracts(path: Path) -> dict[str, ContractInstance]:
    """The contracts of a deployment on the connected chain, by name."""
    try:
        record = json.loads(path.read_text())
    except OSError:
        raise Misconfigured(
            f"there is no deployment at {path}", "Deploy first, or name it with --deployment."
        ) from None
    chain_id = ape.chain.provider.chain_id
    if record["chain_id"] != chain_id:
        raise Misconfigured(
            f"{path} is about chain {record['chain_id']}, this is chain {chain_id}",
            "Choose the network with --network, or the record with --deployment.",
        )
    contracts = {}
    for name in (*CONTRACTS, *OPTIONAL):
        if name in OPTIONAL and name not in record["contracts"]:
            continue
        address = record["contracts"][name]["address"]
        if not ape.chain.provider.get_code(address):
            raise Misconfigured(
                f"there is no {name} at {address}, where {path} says",
                "The record is about a chain that is gone: deploy again.",
            )
        contracts[name] = container(name).at(address)
    return contracts


def offer(owned: list[ContractInstance], timelock: ContractInstance, account: AccountAPI) -> None:
    """First step: the deployer names the Timelock as the next owner."""
    for contract in owned:
        if contract.owner() == account.address and contract.pending_owner() != timelock.address:
            contract.transfer_ownership(timelock, sender=account)
            click.echo(f"{_name(contract)} offered to the Timelock")


def accept(
    owned: list[ContractInstance], timelock: ContractInstance, proposer_alias: str | None
) -> bool:
    """Second step: the Timelock accepts, as one operation. Returns whether it has happened."""
    targets = [each for each in owned if each.owner() != timelock.address]
    if not targets:
        return True
    calls = (
        targets,
        [0] * len(targets),
        [each.accept_ownership.encode_input() for each in targets],
        NO_PREDECESSOR,
        SALT,
    )
    operation = timelock.hash_operation_batch(*calls)
    delay = timelock.get_minimum_delay()
    if not timelock.is_operation(operation):
        timelock.schedule_batch(*calls, delay, sender=proposer(timelock, proposer_alias))
        click.echo(f"{len(targets)} acceptances announced as operation 0x{operation.hex()}")
    ready_at = timelock.get_timestamp(operation)
    wait = ready_at - ape.chain.blocks.head.timestamp
    if wait > 0:
        if not (is_local() and isinstance(ape.chain.provider, TestProviderAPI)):
            click.echo(f"The notice ends at chain time {ready_at}, in {wait} s: run this again.")
            return False
        click.echo(f"A local chain: letting {wait} s pass")
        ape.chain.mine(deltatime=wait)
    timelock.execute_batch(*calls, sender=executor(timelock, proposer_alias))
    click.echo("accepted")
    return True


def proposer(timelock: ContractInstance, alias: str | None) -> AccountAPI:
    """An account of ours that may propose to the Timelock."""
    return _holder(timelock, timelock.PROPOSER_ROLE(), alias, "propose")


def executor(timelock: ContractInstance, alias: str | None) -> AccountAPI:
    """An account of ours that may execute: anyone, where the Timelock says so."""
    role = timelock.EXECUTOR_ROLE()
    if timelock.hasRole(role, ZERO_ADDRESS):
        return deployer(alias)
    return _holder(timelock, role, alias, "execute")


def _holder(timelock: ContractInstance, role: bytes, alias: str | None, what: str) -> AccountAPI:
    candidates = [deployer(alias)] if alias else list(ape.accounts.test_accounts)
    if not alias and not is_local():
        raise Misconfigured(
            f"no account to {what} with", f"Name one that may {what} with --proposer ALIAS."
        )
    for candidate in candidates:
        if timelock.hasRole(role, candidate):
            if is_local() and candidate.balance == 0:
                deployer(None).transfer(candidate, GAS_MONEY)
            return candidate
    raise Misconfigured(
        f"none of {', '.join(str(each.address) for each in candidates)} may {what}",
        "Name an account that the Timelock lists with --proposer ALIAS.",
    )


def remaining_powers(contracts: dict[str, ContractInstance], account: str) -> list[tuple[str, str]]:
    """Everything `account` may still do: contract and power."""
    timelock = contracts["Timelock"]
    powers = [
        ("Timelock", role)
        for role in TIMELOCK_ROLES
        if timelock.hasRole(getattr(timelock, role)(), account)
    ]
    for name, contract in contracts.items():
        powers += [
            (name, view)
            for view in POWERS
            if view in dir(contract) and getattr(contract, view)() == account
        ]
        if "role_holder" in dir(contract):
            powers += [(name, role) for role in ROLES if account in _holders(contract, role)]
    if account in contracts["OracleCommittee"].members():
        powers.append(("OracleCommittee", "member"))
    return powers


def powers_table(contracts: dict[str, ContractInstance], powers: list[tuple[str, str]]) -> Table:
    """Who owns each contract, and what the deployer keeps of it."""
    table = Table("contract", "owner", "the deployer may still", title="After the hand-over")
    for name, contract in contracts.items():
        owner: Any = contract.owner() if "owner" in dir(contract) else "nobody"
        kept = [power for holder, power in powers if holder == name]
        owner = "Timelock" if owner == contracts["Timelock"].address else owner
        table.add_row(name, str(owner), ", ".join(kept) or "nothing")
    return table


def _holders(contract: ContractInstance, role: str) -> tuple[str, str]:
    """Who holds a role, and who is announced as its next holder."""
    return contract.role_holder(role_id(role)), contract.pending_role(role_id(role))[0]


def _name(contract: ContractInstance) -> str:
    return str(contract.contract_type.name)
