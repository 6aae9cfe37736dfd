"""`clearwork attest`: the proof of compute as a file, without chain or oracle."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.gpu import load_backend
from oracle.api.schemas import Hash, LeafView, OpeningBody
from oracle.cli import attest_dispute, attest_plan, attest_walk, evidence
from oracle.cli.attest_dispute import COMMIT_SOURCE, LEAF_SOURCE, CommitFile
from oracle.cli.options import (
    AsJson,
    ComputeBackend,
    parse_document,
    read_document,
    read_text,
)
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
from oracle.services.dispute import check_roots, dims_of, find_false_entry
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

_PROOF_SOURCE = f"Name a file that `prove` wrote, or a signed commit. {COMMIT_SOURCE}"
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
    file: Annotated[
        Path,
        typer.Argument(help="Proof file or signed commit (of /v1/commits); - for standard input."),
    ],
    leaf: Annotated[
        list[Path] | None, typer.Argument(help="Leaves of the commit that its agent shows.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(help="Your own secret, 0x hex: refuse openings drawn by another one."),
    ] = None,
    deployment: Annotated[
        Path,
        typer.Option(
            envvar="CLEARWORK_DEPLOYMENT", help="deployments/<chain id>.json a commit is signed for"
        ),
    ] = Path("deployments/31337.json"),
    backend: ComputeBackend = "auto",
    as_json: AsJson = False,
) -> None:
    """Check a proof file; exit code 2 and the place of the fault if it is false.

    With openings: checks that exactly the entries drawn by the secret are opened, and that
    each one is under its root and is the product. That convinces only whoever chose the
    secret after the roots were fixed: pass yours with --secret. Without openings:
    recomputes the whole chain.

    A signed commit: checks that its roots lead to the end that was signed, and every entry of
    the leaves; without leaves it recomputes the whole chain. It names the signer: compare with
    the provider's operator key.

    Example: curl -s ORACLE/v1/commits | jq '.[0]' > commit.json;
    curl -s 'AGENT/v1/commits/0x.../openings?round=0&index=7' > leaf.json;
    clearwork attest verify commit.json leaf.json --deployment deployments/31337.json
    """
    text = read_text(file, _PROOF_SOURCE)
    if _is_commit(text):
        commit = parse_document(text, file, CommitFile, COMMIT_SOURCE)
        found = {"valid": True, "how": _check_commit(commit, leaf or [], backend)}
        found |= {"provider": commit.provider, "device": "0x" + commit.device.hex()}
        found |= {"epoch": commit.epoch, "signer": commit.signer(Deployment.load(deployment))}
        if as_json:
            print(json.dumps(found))
            return
        print(f"valid: {found.pop('how')}")
        for name, value in list(found.items())[1:]:
            print(f"{name + ':':12}{value}")
        return
    if leaf:
        raise BadInput(f"{file} is no signed commit, so it has no leaves", COMMIT_SOURCE)
    proof = parse_document(text, file, ProofFile, _PROOF_SOURCE)
    if secret is not None and proof.secret != _bytes32("--secret", secret):
        raise BadInput("the openings are drawn by another secret", "ask for a proof with yours")
    if len(proof.roots) != proof.rounds:
        raise BadInput(
            f"{len(proof.roots)} roots for {proof.rounds} rounds", "ask for the complete proof"
        )
    if proof.secret is None and not proof.queries and not proof.openings:
        _recompute(proof, proof.dims, backend)
        how = f"all {proof.rounds} roots recomputed"
    else:
        _spot_check(proof, backend)
        caught = detection_probability(0.1, proof.queries)
        how = (
            f"{proof.queries} entries checked; skipping a tenth of the work would have been "
            f"noticed with probability {caught:.4f}"
        )
    print(json.dumps({"valid": True, "how": how}) if as_json else f"valid: {how}")


def _is_commit(text: str) -> bool:
    """Whether a document is signed, alone or as an oracle lists it, so that it is no proof file."""
    try:
        # whose depth is bounded
        document = from_json(text)
    except ValueError:
        return False
    return isinstance(document, dict) and bool({"commit", "signature"} & document.keys())


def _check_commit(commit: CommitFile, leaves: list[Path], backend: str) -> str:
    """What of a signed commit was found right; `BadInput` for what is false."""
    shown = commit.shown()
    check_roots(shown.commit, commit.roots)
    if not leaves:
        _recompute(commit, dims_of(shown.commit), backend)
        return f"all {commit.rounds} roots recomputed"
    for path in leaves:
        view = read_document(path, LeafView, LEAF_SOURCE)
        place = (view.round, view.index)
        found = find_false_entry(
            load_backend(backend), shown, commit.roots, *place, view.leaf, view.path
        )
        if found is not None:
            raise BadInput(
                f"entry ({found.i}, {found.j}) of round {found.round_index} is false",
                "It convicts the provider: pass the same files to `clearwork attest dispute`.",
            )
    return f"{len(leaves)} leaves of 128 entries checked, and that the signature binds them"


def _recompute(proof: ProofFile | CommitFile, dims: Dims, backend: str) -> None:
    again = run_chain(load_backend(backend), proof.seed, dims)
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
