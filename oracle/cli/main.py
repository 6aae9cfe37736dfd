"""The `clearwork` command: one group per role.

A role's module is imported when its command is used: the web server of one and the compiler of
another would cost everybody seconds at every start.
"""

import sys
from collections.abc import Callable
from importlib import import_module

import structlog
import typer
from rich.console import Console

from oracle.errors import ClearworkError

# command -> what it is for; the module oracle.cli.<command> holds its Typer `app`
ROLES = {
    "oracle": "Run one oracle of the committee.",
    "agent": "Run a provider's machine: attest, beat, sign usage.",
    "provider": "Offer GPUs: register, stake, sign offers, accept jobs, be paid.",
    "cluster": "Take jobs together that need more GPUs than one provider has.",
    "customer": "Buy GPU time: open jobs, co-sign their usage.",
    "subnet": "Subnets: list them, create one, buy a place, vote with stake.",
    "validator": "Weigh the places of subnets, commit, reveal on time.",
    "offers": "List the GPUs that can be bought now, the cheapest first.",
    "watch": "Recompute what others signed, convict liars, earn.",
    "epoch": "Who got what of an epoch and why; whether a posted report is right.",
    "proof": "Get the calldata that settles a job or claims a reward by the epoch's root.",
    "receipt": "Read and verify execution receipts: what ran, who signed, what failed.",
    "yuma": "Compute a subnet's consensus: who earns what of an epoch, and why.",
    "attest": "Prove and verify chains of matrix products in files.",
    "keys": "Make and show encrypted key files.",
}

app = typer.Typer(
    name="clearwork",
    help="Clearwork: attest GPUs, meter their work, settle it on chain. "
    "Every role explains itself: clearwork ROLE --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _forward(role: str) -> Callable[[typer.Context], None]:
    def command(context: typer.Context) -> None:
        module = import_module(f"oracle.cli.{role}")
        module.app(args=context.args, prog_name=f"clearwork {role}")

    return command


for _role, _purpose in ROLES.items():
    # everything behind the role's name, --help included, is the role's own
    app.command(
        _role,
        help=_purpose,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(_forward(_role))


def run() -> None:
    """Entry point: an expected error becomes two lines on stderr and its exit code."""
    _log_to_stderr()
    try:
        app()
    except ClearworkError as error:
        console = Console(stderr=True)
        console.print(f"[bold red]error:[/] {error}", highlight=False)
        console.print(f"[bold]what to do:[/] {error.remedy}", highlight=False)
        sys.exit(error.exit_code)


def _log_to_stderr() -> None:
    """Standard output is for answers. For people on a terminal, else a JSON object per line."""
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if sys.stderr.isatty()
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
