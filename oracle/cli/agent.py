"""`clearwork agent`: the provider's side of attestation and metering."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from oracle.adapters.gpu import BACKENDS, load_backend
from oracle.adapters.gpu.survey import survey_machine
from oracle.api.agent import run_agent
from oracle.cli.options import AsJson, DeploymentFile, Keystore, PasswordFile, RpcUrls
from oracle.errors import Misconfigured
from oracle.services.agent import AgentConfig

app = typer.Typer(
    help="Run a provider's machine: attest its device, prove it alive, sign usage.",
    no_args_is_help=True,
)


@app.command()
def run(
    provider: Annotated[
        int, typer.Option(envvar="CLEARWORK_PROVIDER", help="Provider id in ProviderStaking.")
    ],
    oracle: Annotated[
        list[str],
        typer.Option(envvar="CLEARWORK_ORACLES", help="URL of an oracle; repeat for each one."),
    ],
    deployment: DeploymentFile,
    rpc: RpcUrls,
    keystore: Keystore,
    password_file: PasswordFile,
    state: Annotated[
        Path,
        typer.Option(
            envvar="CLEARWORK_AGENT_STATE",
            help="Directory of what the agent must not forget; one per device.",
        ),
    ] = Path("agent-state"),
    host: Annotated[
        str, typer.Option(envvar="CLEARWORK_AGENT_HOST", help="Where others may open entries.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="CLEARWORK_AGENT_PORT", help="Its port.")] = 9_000,
    control_port: Annotated[
        int, typer.Option(help="Port for jobs on this machine, on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    public_url: Annotated[
        str | None,
        typer.Option(
            envvar="CLEARWORK_AGENT_URL",
            help="Where others reach the port, if not at http://HOST:PORT.",
        ),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="auto, or one that `clearwork agent backends` lists.")
    ] = "auto",
    gpu: Annotated[
        int, typer.Option(help="Which device that `clearwork agent inventory` lists.")
    ] = 0,
    identity: Annotated[
        str | None,
        typer.Option(help="UUID of a machine without NVIDIA driver; drawn and kept if absent."),
    ] = None,
    memory_mb: Annotated[
        int | None, typer.Option(min=1, help="Memory to claim instead of the device's own, MB.")
    ] = None,
    heartbeat_seconds: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two heartbeats.")
    ] = 60.0,
    poll_seconds: Annotated[
        float, typer.Option(min=0.05, help="Seconds between two looks at an oracle's challenge.")
    ] = 1.0,
    settle_seconds: Annotated[
        float, typer.Option(min=1, help="Seconds between two settlements of customers' vouchers.")
    ] = 600.0,
    max_operations: Annotated[
        int, typer.Option(min=1, help="Refuse challenges of more operations than this.")
    ] = 10**18,
) -> None:
    """Attest a device at every oracle, keep it alive, sign the usage of its jobs.

    The keystore holds the provider's operator key. A job on this machine reports its usage
    with `oracle.services.meter.JobMeter(STATE, job, gpus)`.
    """
    config = AgentConfig(
        provider=provider,
        keystore=keystore,
        password_file=password_file,
        oracles=tuple(oracle),
        deployment=deployment,
        rpc=tuple(rpc),
        state=state,
        host=host,
        port=port,
        control_port=control_port,
        public_url=public_url,
        gpu=gpu,
        identity=identity,
        memory_mb=memory_mb,
        heartbeat_seconds=heartbeat_seconds,
        poll_seconds=poll_seconds,
        settle_seconds=settle_seconds,
        max_operations=max_operations,
    )
    run_agent(config, load_backend(backend))


@app.command()
def inventory(as_json: AsJson = False) -> None:
    """List the devices this machine can offer, and what is wrong with the others."""
    devices, problems = survey_machine()
    if as_json:
        documents = [device.inventory.document for device in devices]
        print(json.dumps({"devices": documents, "problems": problems}, indent=2))
        return
    table = Table()
    for column in ("number", "kind", "name", "memory MB", "virtualization", "uuid"):
        table.add_column(column, overflow="fold")
    for number, device in enumerate(devices):
        it = device.inventory
        memory = f"{it.memory_mb:,}"
        table.add_row(str(number), it.kind, it.name, memory, it.virtualization, it.uuid)
    console = Console()
    console.print(table)
    for problem in problems:
        console.print(problem, highlight=False)


@app.command()
def backends(as_json: AsJson = False) -> None:
    """List the compute backends and whether each one works here."""
    states = {name: _state(name) for name in BACKENDS}
    if as_json:
        print(json.dumps(states))
        return
    for name, state in states.items():
        print(f"{name:12}{state}")


def _state(name: str) -> str:
    try:
        load_backend(name)
    except Misconfigured as error:
        return str(error)
    return "works"
