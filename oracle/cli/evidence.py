"""`clearwork agent evidence` and `clearwork attest evidence`: who made a GPU."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from oracle.adapters.gpu.device import NoEvidence
from oracle.adapters.gpu.survey import survey_machine
from oracle.cli.options import AsJson, parse_hash
from oracle.domain.evidence import Identity, read_evidence, write_evidence
from oracle.errors import BadInput
from oracle.services.evidence import NOT_FRESH, NOT_PROVED, check_evidence, collect_evidence


def collect(
    nonce: Annotated[str, typer.Option(help="What to sign: 32 bytes of the asker as 0x hex.")],
    out: Annotated[Path | None, typer.Option(help="Write the evidence to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have this machine's GPUs prove who made them.

    Needs cards with confidential computing switched on (Hopper or later). --json prints what
    --out writes: a list with report, certificates and nonce of each card, as NVIDIA's own
    attestation tools read it. `clearwork attest evidence` checks it anywhere.
    """
    devices, problems = survey_machine()
    proven, reasons = collect_evidence(devices, parse_hash(nonce), int(time.time()))
    stderr = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    for problem in (*problems, *(f"{reason} ({reason.remedy})" for reason in reasons)):
        stderr.print(problem)
    if not proven:
        raise NoEvidence("no card here proves who made it", "see above what is in the way")
    text = write_evidence(each.evidence for each in proven)
    if out is not None:
        out.write_text(text)
    if as_json:
        print(text, end="")
        return
    for each in proven:
        _show(each.uuid, each.identity)


def check(
    file: Annotated[Path, typer.Argument(help="File with evidence, or - for standard input.")],
    nonce: Annotated[
        str | None, typer.Option(help="The nonce you asked with, 0x hex: refuse any other.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="Time to check for: ISO 8601 (UTC) or unix seconds; now if absent."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check GPUs' evidence offline: who made them, their keys and firmware.

    Exit code 2 and the fault's name if any card is refused or is there twice. Reads what
    `clearwork agent evidence` and NVIDIA's attestation tools write.
    """
    moment = int(time.time()) if at is None else _parse_time(at)
    asked = None if nonce is None else parse_hash(nonce)
    cards = check_evidence(read_evidence(_read(file)), asked, moment)
    open_questions = [*([NOT_FRESH] if asked is None else []), *NOT_PROVED]
    if as_json:
        documents = [card.document for card in cards]
        verdict = {"valid": True, "at": moment, "cards": documents, "not_proved": open_questions}
        print(json.dumps(verdict, indent=2))
        return
    for number, card in enumerate(cards):
        _show(f"card {number}", card)
    print("not proved:")
    for question in open_questions:
        print(f"  - {question}")


def _show(title: str, card: Identity) -> None:
    document = card.document
    print(f"{title}: {card.chip} ({card.architecture}) by {card.maker}, serial {card.serial}")
    print(f"  driver {card.driver or '?'}, VBIOS {card.vbios or '?'}, board {card.board or '?'}")
    print(f"  {card.measurement_count} measurements, keccak {document['measurements']}")
    for name in ("device_key", "attestation_key", "firmware", "nonce", "evidence_hash"):
        print(f"  {name.replace('_', ' '):17}{document[name] or '?'}")


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error}", "name a file with evidence") from error


def _parse_time(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise BadInput(
            f"{text} is no time", "pass unix seconds, or ISO 8601 such as 2026-01-31T12:00"
        ) from None
