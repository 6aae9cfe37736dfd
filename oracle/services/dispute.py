"""What convicts a provider, made of what it signed: the proofs that SlashingCourt takes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from oracle.adapters.chain.filings import SignedCommit
from oracle.adapters.gpu.backend import Backend
from oracle.domain.attestation import Dims, Opening, Query, chain_seeds
from oracle.domain.messages import Commit
from oracle.errors import BadInput
from oracle.services.verify import audit_leaf, in_tree

COURT = "SlashingCourt"


@dataclass(frozen=True, slots=True)
class FalseEntry:
    """A signed commit with an entry that is not the product: everything the court asks for."""

    kind = "false_attestation"
    function = "convict_attestation"

    shown: SignedCommit
    roots: tuple[bytes, ...]
    round_index: int
    i: int
    j: int
    leaf: bytes
    path: tuple[bytes, ...]

    def proof(self) -> tuple[Any, ...]:
        """The arguments of `convict_attestation` but the victim: an `AttestationProof`."""
        struct = {
            "commit": asdict(self.shown.commit),
            "signature": self.shown.signature,
            "roots": self.roots,
            "round_index": self.round_index,
            "i": self.i,
            "j": self.j,
            "leaf": self.leaf,
            "path": self.path,
        }
        return (struct,)


@dataclass(frozen=True, slots=True)
class TwoEnds:
    """Two signed ends of one chain of products: one of them is a lie, whichever it is."""

    kind = "equivocation"
    function = "convict_equivocation"

    shown: SignedCommit
    other: SignedCommit

    def proof(self) -> tuple[Any, ...]:
        """The arguments of `convict_equivocation` but the victim."""
        first, second = self.shown, self.other
        return asdict(first.commit), first.signature, asdict(second.commit), second.signature


def dims_of(commit: Commit) -> Dims:
    """The shape of a commit; raises `BadInput` for one that no chain has."""
    return Dims(commit.m, commit.n, commit.k, commit.rounds)


def check_roots(commit: Commit, roots: Sequence[bytes]) -> None:
    """Raise `BadInput` for roots that the commit, and so its signature, does not bind."""
    if len(roots) != commit.rounds or chain_seeds(commit.seed, roots)[-1] != commit.final_seed:
        raise BadInput("the roots are not those of the commit", "Ask another oracle for them.")


def find_false_entry(
    backend: Backend[Any, Any],
    shown: SignedCommit,
    roots: Sequence[bytes],
    round_index: int,
    index: int,
    leaf: bytes,
    path: Sequence[bytes],
) -> FalseEntry | None:
    """The first false entry of a leaf, None if all 128 are right.

    `index` counts the leaves of a round. Raises `BadInput` for a leaf that is not under the
    commit's root: it convicts nobody.
    """
    commit = shown.commit
    dims = dims_of(commit)
    place = Query(round_index, *dims.entry_of(index, 0))
    if not in_tree(dims, roots, Opening(place, leaf, tuple(path))):
        raise BadInput(
            f"leaf {index} of round {round_index} is not under the commit's root",
            "It proves nothing: ask the agent for the leaf again.",
        )
    wrong = audit_leaf(backend, dims, commit.seed, roots, round_index, index, leaf)
    if not wrong:
        return None
    return FalseEntry(shown, tuple(roots), round_index, wrong[0].i, wrong[0].j, leaf, tuple(path))


def chain_of(commit: Commit) -> bytes:
    """What a commit is the end of: the hash of all of it but the end, which follows from it."""
    return replace(commit, final_seed=bytes(32)).struct_hash()


def find_two_ends(shown: SignedCommit, other: SignedCommit) -> TwoEnds | None:
    """The contradiction of two commits, None where they are of different chains or the same."""
    if shown.commit == other.commit or chain_of(shown.commit) != chain_of(other.commit):
        return None
    return TwoEnds(shown, other)
