"""`clearwork attest dispute`: convict a provider of what it signed, from files."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import model_validator

from oracle.adapters.chain.client import encode_call
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.chain.filings import SignedCommit
from oracle.adapters.gpu import load_backend
from oracle.adapters.gpu.backend import Backend
from oracle.api.schemas import CommitBody, LeafView
from oracle.cli.options import AsJson, ComputeBackend, open_chain, open_signer, read_document
from oracle.domain.messages import Domain
from oracle.domain.recovery import recover
from oracle.errors import BadInput, Misconfigured
from oracle.services.dispute import (
    COURT,
    FalseEntry,
    TwoEnds,
    check_roots,
    find_false_entry,
    find_two_ends,
)
from oracle.services.filing import Conviction, Filer

COMMIT_SOURCE = "Save one element of an oracle's GET /v1/commits."
LEAF_SOURCE = "Save the agent's GET /v1/commits/{commit}/openings?round=R&index=I."


class CommitFile(CommitBody):
    """A signed commit, alone or as an oracle lists it."""

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, value: Any) -> Any:
        is_listed = isinstance(value, dict) and isinstance(value.get("commit"), dict)
        return value["commit"] if is_listed else value

    def shown(self) -> SignedCommit:
        """The commit with its signature."""
        return SignedCommit(self.message(), self.signature)

    def signer(self, places: Deployment) -> str:
        """Whose key signed it for this deployment; anything altered has another signer."""
        domain = Domain(places.chain_id, places.address("DeviceRegistry"))
        return recover(self.message().digest(domain), self.signature)


def dispute(
    commit: Annotated[Path, typer.Argument(help="A signed commit: an element of /v1/commits.")],
    leaf: Annotated[
        list[Path] | None,
        typer.Argument(help="Leaves of it that its agent shows, to look for a false entry."),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option(help="Another commit to the same chain of products: two ends convict."),
    ] = None,
    deployment: Annotated[
        Path, typer.Option(envvar="CLEARWORK_DEPLOYMENT", help="deployments/<chain id>.json")
    ] = Path("deployments/31337.json"),
    rpc: Annotated[
        list[str] | None, typer.Option(help="JSON-RPC endpoint: only to send; repeatable.")
    ] = None,
    keystore: Annotated[
        Path | None, typer.Option(help="Key that sends the proof and earns the bounty.")
    ] = None,
    password_file: Annotated[Path | None, typer.Option(help="Password of the keystore.")] = None,
    victim: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**63 - 1,
            help="Live job of the provider whose customer is paid first. Absent: the one with the "
            "largest collateral when it is sent, none otherwise.",
        ),
    ] = None,
    gas_cap: Annotated[int, typer.Option(help="Most gas the proof may use.")] = 2_000_000,
    backend: ComputeBackend = "auto",
    as_json: AsJson = False,
) -> None:
    """Find what convicts the provider of a commit, and print the transaction that does.

    Recomputes every entry of the leaves; nothing but the files is needed. Anyone may send the
    transaction, and whoever does is the reporter. With --rpc and --keystore it is sent. Exit
    code 2 where nothing is false.

    Example: curl -s ORACLE/v1/commits | jq '.[0]' > commit.json;
    curl -s 'AGENT/v1/commits/0x.../openings?round=0&index=7' > leaf.json;
    clearwork attest dispute commit.json leaf.json --deployment deployments/31337.json
    """
    places = Deployment.load(deployment)
    file = read_document(commit, CommitFile, COMMIT_SOURCE)
    signer = file.signer(places)
    found = _find(file, leaf or [], other, load_backend(backend))
    document = _describe(found, signer) | {
        "to": places.address(COURT),
        "calldata": "0x" + encode_call(COURT, found.function, [*found.proof(), victim or 0]).hex(),
    }
    if keystore is not None:
        conviction = _send(found, rpc or [], deployment, keystore, password_file, victim, gas_cap)
        document["conviction"] = asdict(conviction)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    for name, value in document.items():
        typer.echo(f"{name + ':':12}{value}")


def _find(
    file: CommitFile, leaves: list[Path], other: Path | None, backend: Backend[Any, Any]
) -> FalseEntry | TwoEnds:
    if not leaves and other is None:
        raise BadInput("nothing to look at", f"Name a leaf, or --other. {LEAF_SOURCE}")
    shown = file.shown()
    check_roots(shown.commit, file.roots)
    if other is not None:
        ends = find_two_ends(shown, read_document(other, CommitFile, COMMIT_SOURCE).shown())
        if ends is not None:
            return ends
    for path in leaves:
        view = read_document(path, LeafView, LEAF_SOURCE)
        entry = find_false_entry(
            backend, shown, file.roots, view.round, view.index, view.leaf, view.path
        )
        if entry is not None:
            return entry
    raise BadInput(
        f"nothing is false: {len(leaves)} leaves of 128 entries are what was asked for"
        if leaves
        else "the commits do not contradict each other",
        "Ask for other leaves; `clearwork watch` draws them at random.",
    )


def _describe(found: FalseEntry | TwoEnds, signer: str) -> dict[str, Any]:
    commit = found.shown.commit
    document: dict[str, Any] = {
        "kind": found.kind,
        "provider": commit.provider,
        "device": "0x" + commit.device.hex(),
        "epoch": commit.epoch,
        "signer": signer,
    }
    if isinstance(found, FalseEntry):
        document |= {"round": found.round_index, "i": found.i, "j": found.j}
    return document


def _send(
    found: FalseEntry | TwoEnds,
    rpc: list[str],
    deployment: Path,
    keystore: Path,
    password_file: Path | None,
    victim: int | None,
    gas_cap: int,
) -> Conviction:
    """Have the court execute the proof; raises `Conflict` with its reason where it does not."""
    if password_file is None:
        raise Misconfigured("the keystore needs its password", "Pass --password-file.")
    signer = open_signer(keystore, password_file)
    filer = Filer(open_chain(rpc, deployment), signer, gas_cap)
    provider = found.shown.commit.provider
    job = filer.victim_job(provider) if victim is None else victim
    call = filer.chain.contract(COURT).functions[found.function](*found.proof(), job)
    outcome = (COURT, "Convicted")
    filer.note(found.kind, f"provider {provider}", filer.send(signer, call), outcome)
    return filer.convictions[0]
