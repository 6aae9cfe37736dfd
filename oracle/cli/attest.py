"""`clearwork attest`: the proof of compute as a file, without chain or oracle."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict, Field

from oracle.adapters.gpu import load_backend
from oracle.api.schemas import Hash, OpeningBody
from oracle.cli import attest_dispute, attest_plan, attest_walk, evidence
from oracle.cli.options import AsJson, ComputeBackend, read_document
from oracle.domain.attestation import (
    Dims,
    Opening,
    Query,
    chain_seeds,
    detection_probability,
    draw_queries,
)
from oracle.domain.attestation.rate import MAX_QUERIES
from oracle.errors import BadInput
from oracle.services.prove import prove as run_chain
from oracle.services.verify import check_openings, in_tree

app = typer.Typer(
    help="Prove, verify and dispute matrix work on files; no node is needed.",
    no_args_is_help=True,
)
app.add_typer(attest_walk.app, name="walk")
app.command()(attest_plan.plan)
app.command()(attest_dispute.dispute)
app.command("evidence")(evidence.check)

_DISTRUST = "do not trust this file; ask its prover for another"


class ProofFile(BaseModel):
    """A chain's shape, seed and roots; with a secret, the openings that it draws."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Hash
    m: int
    n: int
    k: int
    rounds: int
    roots: list[Hash] = Field(max_length=64)
    final_seed: Hash
    secret: Hash | None = None
    queries: int = Field(default=0, ge=0, le=MAX_QUERIES)
    openings: list[OpeningBody] = Field(default_factory=list, max_length=MAX_QUERIES)

    @property
    def dims(self) -> Dims:
        """The chain's shape; raises `BadInput` for one that no chain has."""
        return Dims(self.m, self.n, self.k, self.rounds)


@app.command()
def prove(
    seed: Annotated[str, typer.Option(help="First seed: 32 bytes as 0x hex.")],
    m: Annotated[int, typer.Option(help="Rows of A.")] = 1_024,
    n: Annotated[int, typer.Option(help="Columns of B.")] = 1_024,
    k: Annotated[int, typer.Option(help="Columns of A: a multiple of 32.")] = 1_024,
    rounds: Annotated[int, typer.Option(help="Products, each seeded by the last root.")] = 4,
    queries: Annotated[
        int, typer.Option(min=0, max=MAX_QUERIES, help="Entries to open; needs --secret.")
    ] = 0,
    secret: Annotated[
        str | None, typer.Option(help="The verifier's secret that draws the entries, 0x hex.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the proof to this file.")] = None,
    backend: ComputeBackend = "auto",
    as_json: AsJson = False,
) -> None:
    """Compute a chain of integer matrix products and print its roots.

    m * n / 128 must be a power of two. Example: clearwork attest prove
    --seed 0x1111111111111111111111111111111111111111111111111111111111111111
    --m 64 --n 64 --k 256 --rounds 2 --json
    """
    if bool(queries) != (secret is not None):
        raise BadInput("openings need both --queries and --secret", "pass both or neither")
    dims = Dims(m, n, k, rounds)
    first_seed, drawn_by = _bytes32("--seed", seed), secret and _bytes32("--secret", secret)
    proof = run_chain(load_backend(backend), first_seed, dims)
    file = ProofFile(
        seed=proof.seed,
        m=m,
        n=n,
        k=k,
        rounds=rounds,
        roots=proof.roots,
        final_seed=proof.final_seed,
        secret=drawn_by or None,
        queries=queries,
        openings=[
            OpeningBody.of(opening)
            for opening in proof.answer(
                draw_queries(proof.final_seed, drawn_by, queries, dims) if drawn_by else []
            )
        ],
    )
    text = json.dumps(file.model_dump(mode="json", exclude_defaults=True), indent=2)
    if out is not None:
        out.write_text(text + "\n")
    if as_json:
        print(text)
    else:
        for index, root in enumerate(proof.roots):
            print(f"root {index}:     0x{root.hex()}")
        print(f"final seed: 0x{proof.final_seed.hex()}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="Proof file, or - for standard input.")],
    secret: Annotated[
        str | None,
        typer.Option(help="Your own secret, 0x hex: refuse openings drawn by another one."),
    ] = None,
    backend: ComputeBackend = "auto",
    as_json: AsJson = False,
) -> None:
    """Check a proof file; exit code 2 and the place of the fault if it is false.

    With openings: checks that exactly the entries drawn by the secret are opened, and that
    each one is under its root and is the product. That convinces only whoever chose the
    secret after the roots were fixed: pass yours with --secret. Without openings:
    recomputes the whole chain.
    """
    proof = read_document(file, ProofFile)
    if secret is not None and proof.secret != _bytes32("--secret", secret):
        raise BadInput("the openings are drawn by another secret", "ask for a proof with yours")
    if len(proof.roots) != proof.rounds:
        raise BadInput(
            f"{len(proof.roots)} roots for {proof.rounds} rounds", "ask for the complete proof"
        )
    if proof.secret is None and not proof.queries and not proof.openings:
        _recompute(proof, backend)
        how = f"all {proof.rounds} roots recomputed"
    else:
        _spot_check(proof, backend)
        caught = detection_probability(0.1, proof.queries)
        how = (
            f"{proof.queries} entries checked; skipping a tenth of the work would have been "
            f"noticed with probability {caught:.4f}"
        )
    print(json.dumps({"valid": True, "how": how}) if as_json else f"valid: {how}")


def _recompute(proof: ProofFile, backend: str) -> None:
    again = run_chain(load_backend(backend), proof.seed, proof.dims)
    for index, (claimed, right) in enumerate(zip(proof.roots, again.roots, strict=True)):
        if claimed != right:
            raise BadInput(f"root {index} is false, right is 0x{right.hex()}", _DISTRUST)
    if proof.final_seed != again.final_seed:
        raise BadInput("final_seed does not follow from the roots", _DISTRUST)


def _spot_check(proof: ProofFile, backend: str) -> None:
    openings = [
        Opening(Query(one.round, one.i, one.j), one.leaf, tuple(one.path)) for one in proof.openings
    ]
    if proof.secret is None:
        raise BadInput("openings without the secret that draws them", "ask for the complete proof")
    if chain_seeds(proof.seed, proof.roots)[-1] != proof.final_seed:
        torn = {one.query.round for one in openings if not in_tree(proof.dims, proof.roots, one)}
        suspects = ", ".join(f"root {index}" for index in sorted(torn)) or "the seed or a root"
        raise BadInput(f"the roots do not lead to final_seed: {suspects} was changed", _DISTRUST)
    verdict = check_openings(
        load_backend(backend),
        proof.dims,
        proof.seed,
        proof.roots,
        proof.secret,
        proof.queries,
        openings,
    )
    if not verdict.accepted:
        raise BadInput(f"false proof: {verdict.reason}", _DISTRUST)


def _bytes32(option: str, text: str) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != 32:
        raise BadInput(f"{option} is not 32 bytes of hex", "pass 0x and 64 hex digits")
    return value
