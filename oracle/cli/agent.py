"""`clearwork agent`: the provider's side of attestation and metering."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from oracle.adapters.gpu import BACKENDS, load_backend
from oracle.adapters.gpu.classes import DeviceClass, shipped_classes
from oracle.adapters.gpu.placing import backend_of
from oracle.adapters.gpu.survey import UNNAMED, find_device, survey_machine
from oracle.api.agent import run_agent
from oracle.cli import evidence
from oracle.cli.options import (
    AsJson,
    ComputeBackend,
    DeploymentFile,
    Keystore,
    PasswordFile,
    RpcUrls,
    parse_size,
)
from oracle.errors import Misconfigured
from oracle.services.agent import AgentConfig
from oracle.services.calibrate import calibrate as run_calibration
from oracle.services.calibrate import measure_rates

app = typer.Typer(
    help="Run a provider's machine: attest its device, prove it alive, sign usage.",
    no_args_is_help=True,
)
app.command("evidence")(evidence.collect)

# what a processor's bandwidth chain and walk fill unless told otherwise: it hashes slowly
PROCESSOR_MEMORY_MB = 256


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
    backend: ComputeBackend = "auto",
    gpu: Annotated[
        int, typer.Option(help="Which device that `clearwork agent inventory` lists.")
    ] = 0,
    identity: Annotated[
        str | None,
        typer.Option(help="UUID of a machine without NVIDIA driver; drawn and kept if absent."),
    ] = None,
    by_uuid: Annotated[
        bool,
        typer.Option(
            "--by-uuid",
            help="Show no evidence of who made the card, which has its serial number; classes for "
            "certified cards are closed to it then.",
        ),
    ] = False,
    ops_per_second: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Int8 operations per second to claim; challenges are planned for it. "
            "Measured at the start if absent.",
        ),
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
    answer_gas_cap: Annotated[
        int, typer.Option(min=1, help="Most gas that showing a leaf on chain may take.")
    ] = 500_000,
    max_operations: Annotated[
        int, typer.Option(min=1, help="Refuse challenges of more operations than this.")
    ] = 10**18,
) -> None:
    """Attest a device at every oracle, keep it alive, sign the usage of its jobs.

    The keystore holds the provider's operator key. It needs coin for gas: a leaf that somebody
    asks for on chain and nobody shows convicts the provider. A job on this machine reports its
    usage with `oracle.services.meter.JobMeter(STATE, job, gpus)`.
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
        by_uuid=by_uuid,
        ops_per_second=ops_per_second,
        memory_mb=memory_mb,
        heartbeat_seconds=heartbeat_seconds,
        poll_seconds=poll_seconds,
        settle_seconds=settle_seconds,
        answer_gas_cap=answer_gas_cap,
        max_operations=max_operations,
    )
    run_agent(config, backend_of(find_device(gpu, UNNAMED).inventory, gpu, backend))


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
    """List the compute backends: how fast each one is here, or why it does not work."""
    states = {name: _state(name) for name in BACKENDS}
    if as_json:
        print(json.dumps(states, indent=2))
        return
    table = Table()
    for column in ("backend", "generate MB/s", "int8 GOPS", "hash MB/s", "state"):
        table.add_column(column, overflow="fold")
    for name, state in states.items():
        rates = (f"{state.get(key, '-'):,}" if key in state else "-" for key in _RATES)
        table.add_row(name, *rates, str(state.get("reason", "works")))
    Console().print(table)


_RATES = ("generate_mb_s", "int8_gops", "hash_mb_s")


def _state(name: str) -> dict[str, Any]:
    try:
        backend = load_backend(name)
    except Misconfigured as error:
        return {"works": False, "reason": str(error), "remedy": error.remedy}
    return {"works": True, **asdict(measure_rates(backend))}


@app.command()
def calibrate(
    out: Annotated[Path, typer.Option(help="File for the class that was measured (YAML).")],
    backend: ComputeBackend = "auto",
    gpu: Annotated[
        int, typer.Option(help="Which device that `clearwork agent inventory` lists.")
    ] = 0,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Memory to fill: 24GB. If absent, all of a GPU's, and 256MB of a processor's."
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=100, help="Runs of each challenge.")] = 3,
) -> None:
    """Measure what this device sustains, in every kind of challenge, and write a class file.

    Let nothing else run on it. The floors are the slowest run's bounds less a tenth.
    """
    device = find_device(gpu, UNNAMED).inventory
    memory_mb = device.memory_mb if device.kind != "cpu" else PROCESSOR_MEMORY_MB
    if memory is not None:
        memory_mb = parse_size(memory) // 1_000_000
    chosen = backend_of(device, gpu, backend)
    measured = run_calibration(chosen, device.name, memory_mb, runs, print)
    measured.save(out)
    print(f"written: {out}")


@app.command()
def classes(
    measured: Annotated[
        list[Path] | None,
        typer.Argument(help="Class files that `calibrate` wrote, instead of what ships."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the device classes that ship with the service, and where their floors come from.

    With class files, list these, and what the market's owner passes to DeviceRegistry.add_class
    for each: int8 operations per second, MB, and a stake per device that the owner chooses.
    """
    known = [DeviceClass.load(path) for path in measured] if measured else shipped_classes()
    if as_json:
        print(json.dumps([each.model_dump() for each in known], indent=2))
        return
    table = Table()
    for column in ("class", "memory MB", "TOPS", "GB/s", "calibrated", "source"):
        table.add_column(column, overflow="fold")
    for each in known:
        table.add_row(
            each.name, f"{each.memory_mb:,}", f"{each.ops_per_second / 1e12:,.1f}",
            f"{each.bytes_per_second / 1e9:,.0f}", "yes" if each.calibrated else "no", each.source,
        )  # fmt: skip
    Console().print(table)
    for each in known if measured else []:
        print(f"{each.name}: add_class({each.ops_per_second}, {each.memory_mb}, STAKE)")
