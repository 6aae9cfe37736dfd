"""What a watcher finds out about a commit: `oracle.services.watch`, without its HTTP."""

import random
from dataclasses import dataclass
from enum import Enum

from oracle.domain.attestation import Dims, Opening, Query
from oracle.domain.messages import Commit
from oracle.services.prove import Proof
from oracle.services.verify import audit_leaf, in_tree
from scripts._simulation.chains import HONEST, honest


class Found(Enum):
    """The outcome of an audit."""

    NOTHING = "nothing"
    FALSE_ENTRY = "false entry"
    WITHHELD = "withheld leaf"


@dataclass(slots=True)
class Watcher:
    """Opens `leaves` leaves of a commit, drawn at random.

    A chain whose roots are the ones recomputed has no false leaf. Only one in `sample` of these is
    opened like the others, to show that the audit accuses nobody of it.
    """

    dims: Dims
    leaves: int
    sample: int
    dice: random.Random
    # base units that are left for bonds
    budget: int
    audited: int = 0

    def audit(self, commit: Commit, proof: Proof, roots: list[bytes], shows: bool) -> Found:
        """Look at a commit that oracles published; `shows`: whether its agent opens leaves."""
        if not shows:
            return Found.WITHHELD
        sampled = self.dice.randrange(self.sample) == 0
        if not sampled and honest(commit.seed, self.dims).roots == roots:
            return Found.NOTHING
        self.audited += 1
        for _ in range(self.leaves):
            found = self.audit_leaf(commit, proof, roots)
            if found is not Found.NOTHING:
                return found
        return Found.NOTHING

    def audit_leaf(self, commit: Commit, proof: Proof, roots: list[bytes]) -> Found:
        """Look at one leaf that nobody could foresee, as its agent or the chain shows it."""
        round_index = self.dice.randrange(self.dims.rounds)
        index = self.dice.randrange(self.dims.leaves)
        leaf, path = proof.open_leaf(round_index, index)
        query = Query(round_index, *self.dims.entry_of(index, 0))
        if not in_tree(self.dims, roots, Opening(query, leaf, tuple(path))):
            return Found.WITHHELD
        false = audit_leaf(HONEST, self.dims, commit.seed, roots, round_index, index, leaf)
        return Found.FALSE_ENTRY if false else Found.NOTHING
