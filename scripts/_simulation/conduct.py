"""What a cheat does differently from an honest device: one class each, one difference each."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from oracle.domain.attestation import Dims, chain_seeds
from oracle.domain.attestation.plan import RUN_EIGHTHS
from oracle.domain.hashing import keccak
from oracle.domain.messages import Commit
from oracle.services.prove import Proof, prove
from scripts._simulation.chains import LowRankBackend, SkippingBackend
from scripts._simulation.clock import SECOND
from scripts._simulation.terms import Card

Prove = Callable[[bytes, Dims], Proof]

BPS = 10_000
# what `Ladder` leaves of the window for the network
NETWORK_MS = 2_000


@dataclass(slots=True)
class Conduct:
    """An honest device. `turns` is the epoch from which a cheat cheats; before, it is honest.

    `ids` devices of one provider share one card; this is number `rank` of them.
    """

    name: ClassVar[str] = "honest"
    what: ClassVar[str] = "computes, answers, shows its leaves"
    ids: ClassVar[int] = 1
    # whether oracles refuse it; otherwise it is for the epochs' pay to stop it
    stoppable: ClassVar[bool] = True
    # whether it can serve the jobs it takes
    serves: ClassVar[bool] = True
    turns: int
    dice: random.Random
    rank: int = 0

    def poses_as(self, card: Card, better: Card) -> Card:
        """The card it says it is; `better` is the next faster one."""
        return card

    def claims(self, sustained: int, deadline_ms: int) -> int:
        """Int8 operations per second that it says that card sustains."""
        return sustained

    def takes_part(self, epoch: int, is_due: bool) -> bool:
        """Whether it answers a challenge at all; `is_due`: its entry is to be renewed."""
        return True

    def share_bps(self) -> int:
        """Its speed at a challenge, of the card's: more for who leaves work out."""
        return BPS

    def waits(self) -> int:
        """Nanoseconds before it begins."""
        return 0

    def prove(self, seed: bytes, dims: Dims, honest: Prove) -> Proof:
        """The chain it computes; `honest` computes the true one."""
        return honest(seed, dims)

    def keeps(self, proof: Proof) -> None:
        """What it does with a chain that it computed while it was honest."""

    def signs(self, commit: Commit, proof: Proof) -> tuple[Commit, list[bytes]]:
        """The commit and the roots that it sends."""
        return commit, proof.roots

    def shows_leaves(self) -> bool:
        """Whether watchers get the leaves that they ask for."""
        return True

    def answers_requests(self) -> bool:
        """Whether it shows on chain a leaf that was asked for there with a bond."""
        return self.shows_leaves()


class Skips(Conduct):
    """Saves a twentieth of the work."""

    name = "skips entries"
    what = "leaves out 5 % of the entries, all in one stretch"
    share: ClassVar[int] = 500

    def share_bps(self) -> int:
        """See `Conduct.share_bps`."""
        return BPS * BPS // (BPS - self.share)

    def prove(self, seed: bytes, dims: Dims, honest: Prove) -> Proof:
        """See `Conduct.prove`."""
        return prove(SkippingBackend(dims, self.share, self.dice), seed, dims)


class LowRank(Conduct):
    """Saves half of the work."""

    name = "low rank"
    what = "multiplies half of each row: a product of half the rank"

    def share_bps(self) -> int:
        """See `Conduct.share_bps`."""
        return 2 * BPS

    def prove(self, seed: bytes, dims: Dims, honest: Prove) -> Proof:
        """See `Conduct.prove`."""
        return prove(LowRankBackend(), seed, dims)


@dataclass(slots=True)
class Replays(Conduct):
    """Has computed once and sends it again."""

    name = "replays"
    what = "sends an earlier epoch's roots under this epoch's seed"
    _kept: Proof | None = field(default=None, init=False)

    def keeps(self, proof: Proof) -> None:
        """See `Conduct.keeps`."""
        self._kept = proof

    def prove(self, seed: bytes, dims: Dims, honest: Prove) -> Proof:
        """See `Conduct.prove`; nothing to replay means that it was never honest."""
        return self._kept or honest(keccak(seed), dims)

    def share_bps(self) -> int:
        """See `Conduct.share_bps`: there is nothing to compute."""
        return 1_000 * BPS

    def signs(self, commit: Commit, proof: Proof) -> tuple[Commit, list[bytes]]:
        """The old end: one that the old roots reach from this seed would be a signed lie."""
        return replace(commit, final_seed=chain_seeds(proof.seed, proof.roots)[-1]), proof.roots


class ClaimsMore(Conduct):
    """Registers as a faster card."""

    name = "claims more"
    what = "registers as the next faster card, with its memory"

    def poses_as(self, card: Card, better: Card) -> Card:
        """See `Conduct.poses_as`."""
        return better


class TwoIds(Conduct):
    """One card, two devices, both in each epoch, one after the other."""

    name = "two ids"
    what = "one card answers for two devices in each epoch"
    ids = 2


class Oversells(Conduct):
    """Lets others use the card while it is to be measured."""

    name = "oversells"
    what = "shares its card among buyers: challenges get 40 % of it"

    def share_bps(self) -> int:
        """See `Conduct.share_bps`."""
        return 4_000


class Withholds(Skips):
    """Skips so little that oracles often miss it, and hides what would show it."""

    name = "withholds leaves"
    what = "leaves out 0.2 % and shows no watcher a leaf"
    share = 20

    def shows_leaves(self) -> bool:
        """See `Conduct.shows_leaves`."""
        return False


class Late(Conduct):
    """Needs a minute and says it took four seconds."""

    name = "own clock"
    what = "works at a twentieth of its claim and says it took 4 s"

    def share_bps(self) -> int:
        """See `Conduct.share_bps`."""
        return 500


class Rents(Conduct):
    """Has no card: rents one for the epoch in which it has to be shown."""

    name = "rents"
    what = "has no card, rents one when its entry has to be renewed"
    stoppable = False
    serves = False

    def takes_part(self, epoch: int, is_due: bool) -> bool:
        """See `Conduct.takes_part`."""
        return is_due


class TakesTurns(Conduct):
    """One card, two devices, an epoch each in turn: nobody asks why one is silent."""

    name = "takes turns"
    what = "one card answers for two devices, in every other epoch for each"
    ids = 2
    stoppable = False

    def takes_part(self, epoch: int, is_due: bool) -> bool:
        """See `Conduct.takes_part`."""
        return epoch % self.ids == self.rank


class Ladder(Conduct):
    """One card, two devices in each epoch: the second claims as much as the first leaves of the
    window on an ordinary day."""

    name = "ladder"
    what = "one card answers for two devices; the second claims what the first leaves of the window"
    ids = 2
    stoppable = False

    def claims(self, sustained: int, deadline_ms: int) -> int:
        """See `Conduct.claims`."""
        if self.rank == 0:
            return sustained
        run = deadline_ms * RUN_EIGHTHS // 8
        return max(1, sustained * (deadline_ms - NETWORK_MS - run) // run)

    def waits(self) -> int:
        """See `Conduct.waits`."""
        return self.rank * 2 * SECOND


class ShowsOnChain(Conduct):
    """Computes all, and shows it only to who pays: a watcher's bond for each leaf."""

    name = "shows only on chain"
    what = "computes all, shows no watcher a leaf, and answers each request on chain for its bond"
    stoppable = False

    def shows_leaves(self) -> bool:
        """See `Conduct.shows_leaves`."""
        return False

    def answers_requests(self) -> bool:
        """See `Conduct.answers_requests`."""
        return True


KINDS: tuple[type[Conduct], ...] = (
    Skips, LowRank, Replays, ClaimsMore, TwoIds, Oversells, Withholds, Late,
)  # fmt: skip
LIMITS: tuple[type[Conduct], ...] = (Rents, TakesTurns, Ladder, ShowsOnChain)
