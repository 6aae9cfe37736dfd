"""`clearwork oracle`: run one operator's oracle, check it, ask how it is."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
import uvicorn
from rich.console import Console
from rich.table import Table

from oracle.adapters.problem import error_of
from oracle.api.app import create_app
from oracle.api.node import Node, open_signer, work
from oracle.api.schemas import HealthView
from oracle.cli.options import AsJson
from oracle.domain.web_address import web_address
from oracle.errors import Misconfigured, Transient
from oracle.services.check import check as run_checks
from oracle.settings import Settings, WorkerSettings

_SETTINGS = "\n\n".join(
    f"CLEARWORK_{name.upper()}: {field.description}"
    + ("" if field.is_required() else f"  (default: {_show})")
    for name, field in Settings.model_fields.items()
    for _show in [" ".join(field.default) if isinstance(field.default, list) else field.default]
)

app = typer.Typer(
    help="One operator's oracle: HTTP interface, attestation, settlement, epochs.",
    no_args_is_help=True,
)

EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", help="File with CLEARWORK_* lines, read below the environment."),
]
Rpc = Annotated[
    list[str] | None,
    typer.Option("--rpc", help="JSON-RPC endpoint; repeatable. [CLEARWORK_RPC_URLS]"),
]
DeploymentPath = Annotated[
    Path | None,
    typer.Option("--deployment", help="deployments/<chain id>.json. [CLEARWORK_DEPLOYMENT]"),
]
KeystorePath = Annotated[
    Path | None,
    typer.Option("--keystore", help="Encrypted key file; none: run dry. [CLEARWORK_KEYSTORE]"),
]
PasswordPath = Annotated[
    Path | None,
    typer.Option("--password-file", help="File with its password. [CLEARWORK_PASSWORD_FILE]"),
]
DatabasePlace = Annotated[
    str | None,
    typer.Option(
        "--database", help="SQLite file, or the URL of a PostgreSQL database. [CLEARWORK_DATABASE]"
    ),
]


@app.command(epilog=f"Every setting is an environment variable:\n\n{_SETTINGS}")
def run(
    env_file: EnvFile = None,
    rpc: Rpc = None,
    deployment: DeploymentPath = None,
    keystore: KeystorePath = None,
    password_file: PasswordPath = None,
    database: DatabasePlace = None,
    host: Annotated[str | None, typer.Option(help="Listen on. [CLEARWORK_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Listen on. [CLEARWORK_PORT]")] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option("--peer", help="URL of another oracle; repeatable. [CLEARWORK_PEERS]"),
    ] = None,
) -> None:
    """Run the oracle until SIGINT or SIGTERM. Without a keystore it runs dry: signs nothing."""
    settings = Settings.load(
        env_file,
        rpc_urls=rpc,
        deployment=deployment,
        keystore=keystore,
        password_file=password_file,
        database=database,
        host=host,
        port=port,
        peers=peer,
    )
    node = Node.open(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(node),
            host=settings.host,
            port=settings.port,
            log_level="warning",
            timeout_graceful_shutdown=5,
        )
    )
    server.run()
    if not server.started:
        raise Misconfigured(
            f"cannot listen on {settings.host}:{settings.port}",
            "Name another port with --port, or end the process that uses it.",
        )


@app.command()
def worker(
    env_file: EnvFile = None,
    database: DatabasePlace = None,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; one per core by default. [CLEARWORK_VERIFY_WORKERS]"),
    ] = None,
) -> None:
    """Check openings for the oracles of a PostgreSQL database that set CLEARWORK_VERIFY_TASKS.

    Runs on any host, any number of times, until SIGINT or SIGTERM; what has begun is finished.
    """
    settings = WorkerSettings.load(env_file, database=database, verify_workers=concurrency)
    asyncio.run(work(settings))


@app.command()
def check(
    env_file: EnvFile = None,
    rpc: Rpc = None,
    deployment: DeploymentPath = None,
    keystore: KeystorePath = None,
    password_file: PasswordPath = None,
    database: DatabasePlace = None,
    as_json: AsJson = False,
) -> None:
    """Check configuration, key, database, RPC, chain id, clock, membership and balance.

    Changes nothing. Exit code 3 if anything is wrong.
    """
    settings = Settings.load(
        env_file,
        rpc_urls=rpc,
        deployment=deployment,
        keystore=keystore,
        password_file=password_file,
        database=database,
    )
    findings = list(run_checks(settings, open_signer))
    ok = all(finding.ok for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": ok, "checks": [asdict(f) for f in findings]}, indent=2))
    else:
        table = Table("", "check", "finding", "what to do", box=None, header_style="bold")
        for finding in findings:
            mark = "[green]ok[/]" if finding.ok else "[bold red]no[/]"
            table.add_row(mark, finding.name, finding.finding, finding.remedy)
        Console().print(table)
    raise typer.Exit(0 if ok else Misconfigured.exit_code)


@app.command()
def status(
    url: Annotated[
        str, typer.Option(help="URL of the oracle.", envvar="CLEARWORK_ORACLE_URL")
    ] = "http://127.0.0.1:8100",
    as_json: AsJson = False,
) -> None:
    """One line on how a running oracle is, with the causes if it is not well.

    Exit code 0 if healthy, 4 if not or not reachable.
    """
    health = _ask(url)
    if as_json:
        typer.echo(health.model_dump_json(indent=2))
    else:
        who = health.oracle or "dry"
        state = "ok" if health.ok else "; ".join(health.causes)
        typer.echo(
            f"{state} | chain {health.chain_id} block {health.block} epoch {health.epoch} | {who}"
        )
    raise typer.Exit(0 if health.ok else Transient.exit_code)


def _ask(url: str) -> HealthView:
    try:
        answer: Any = httpx.get(f"{web_address(url)}/health", timeout=5)
    except httpx.HTTPError as error:
        raise Transient(
            f"no oracle answers at {url}", "Start it with `clearwork oracle run`, or name its URL."
        ) from error
    try:
        return HealthView.model_validate_json(answer.content)
    except ValueError:
        raise error_of(answer, url) from None
