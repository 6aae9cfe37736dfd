"""`clearwork attest walk`: the proof that memory is there, as a file, without chain or oracle."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict, Field

from oracle.adapters.gpu import load_backend
from oracle.api.schemas import Hash, Leaf
from oracle.cli.options import AsJson, ComputeBackend, parse_hash, read_document
from oracle.domain.attestation import LaneOpening, WalkDims, walk
from oracle.domain.attestation.rate import MAX_QUERIES
from oracle.errors import BadInput
from oracle.services.prove import prove_walk
from oracle.services.verify import check_lanes

app = typer.Typer(
    help="Prove and verify a walk through a table that fills the memory.", no_args_is_help=True
)


class LaneBody(BaseModel):
    """One opened lane: the 128 bytes that hold its end, and their path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lane: int = Field(ge=0)
    leaf: Leaf
    path: list[Hash] = Field(max_length=28)


class WalkFile(BaseModel):
    """A walk's shape, table seed, start and root, and the lanes that a secret draws."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Hash
    start: Hash
    entries: int
    lanes: int
    steps: int
    depth: int
    root: Hash
    secret: Hash
    queries: int = Field(ge=1, le=MAX_QUERIES)
    openings: list[LaneBody] = Field(max_length=MAX_QUERIES)

    @property
    def dims(self) -> WalkDims:
        """The walk's shape; raises `BadInput` for one that no walk has."""
        return WalkDims(self.entries, self.lanes, self.steps, self.depth)


@app.command()
def prove(
    seed: Annotated[str, typer.Option(help="What the table is made of: 32 bytes as 0x hex.")],
    secret: Annotated[str, typer.Option(help="The verifier's secret that draws the lanes.")],
    start: Annotated[
        str | None, typer.Option(help="Where the lanes begin, 0x hex; the seed if absent.")
    ] = None,
    entries: Annotated[int, typer.Option(help="Entries of the table, 32 bytes each.")] = 1 << 20,
    lanes: Annotated[int, typer.Option(help="Lanes: a power of two.")] = 1 << 12,
    steps: Annotated[int, typer.Option(help="Dependent reads of each lane.")] = 512,
    depth: Annotated[int, typer.Option(help="Hashes behind one entry.")] = walk.MIN_DEPTH,
    queries: Annotated[int, typer.Option(min=1, max=MAX_QUERIES, help="Lanes to open.")] = 64,
    out: Annotated[Path | None, typer.Option(help="Write the proof to this file.")] = None,
    backend: ComputeBackend = "auto",
    as_json: AsJson = False,
) -> None:
    """Fill the table, walk through it, and open the lanes that the secret draws."""
    dims = WalkDims(entries, lanes, steps, depth)
    key, drawn_by = parse_hash(seed), parse_hash(secret)
    proof = prove_walk(load_backend(backend), key, parse_hash(start) if start else key, dims)
    asked = walk.draw_lanes(proof.commitment, drawn_by, queries, dims)
    file = WalkFile(
        seed=proof.seed,
        start=proof.start,
        **asdict(dims),
        root=proof.tree.root,
        secret=drawn_by,
        queries=queries,
        openings=[
            LaneBody(lane=each.lane, leaf=each.leaf, path=list(each.path))
            for each in proof.answer(asked)
        ],
    )
    text = json.dumps(file.model_dump(mode="json"), indent=2)
    if out is not None:
        out.write_text(text + "\n")
    if as_json:
        print(text)
    else:
        print(f"root:       0x{proof.tree.root.hex()}")
        print(f"commitment: 0x{proof.commitment.hex()}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="Proof file, or - for standard input.")],
    secret: Annotated[
        str | None,
        typer.Option(help="Your own secret, 0x hex: refuse lanes drawn by another one."),
    ] = None,
    backend: ComputeBackend = "auto",
    as_json: AsJson = False,
) -> None:
    """Walk the opened lanes again; exit code 2 and the lane if one is false."""
    proof = read_document(file, WalkFile)
    if secret is not None and proof.secret != parse_hash(secret):
        raise BadInput("the lanes are drawn by another secret", "ask for a proof with yours")
    openings = [LaneOpening(each.lane, each.leaf, tuple(each.path)) for each in proof.openings]
    verdict = check_lanes(
        load_backend(backend), proof.dims, proof.seed, proof.start, proof.root, proof.secret,
        proof.queries, openings,
    )  # fmt: skip
    if not verdict.accepted:
        raise BadInput(f"false proof: {verdict.reason}", "do not trust this file")
    how = f"{proof.queries} lanes of {proof.steps} steps walked again"
    print(json.dumps({"valid": True, "how": how}) if as_json else f"valid: {how}")
