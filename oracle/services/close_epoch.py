"""Close epochs: rebuild the same leaves from the same block, sign one root, serve the proofs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from oracle.adapters.chain.client import Block
from oracle.adapters.chain.history import History, Posted
from oracle.adapters.chain.market import Market
from oracle.adapters.peers import Peer
from oracle.adapters.store.leaf_files import LeafFiles
from oracle.adapters.store.store import Store
from oracle.domain.epochs import (
    EpochInput,
    EpochLeaves,
    EpochRules,
    Leaf,
    LeafKind,
    close,
    decode,
    encode,
)
from oracle.domain.hashing import keccak
from oracle.domain.messages import EpochReport, Report
from oracle.domain.proposals import EpochProposal
from oracle.domain.records import ClosedEpoch, Statement
from oracle.errors import BadInput, ClearworkError, Misconfigured, NotFound, Transient
from oracle.faults import reach
from oracle.services.membership import Member
from oracle.services.quorum import Quorum
from oracle.services.submit import Goal, Outbox

log = structlog.get_logger()

LEDGER = "EpochLedger"
DISTRIBUTOR = "RewardDistributor"
CONTROLLER = "EmissionsController"
NO_REPORT = bytes(32)
# epochs pressed in one transaction
MAX_PRESSED = 64

# how each version of the committee's rules splits a budget: 10 % to the oracles, of it a
# hundredth of a token to whoever submitted the report before
RULES: Mapping[int, EpochRules] = {
    1: EpochRules(oracle_share_bps=1_000, submission_bounty=10**16),
}


@dataclass(frozen=True, slots=True)
class Proof:
    """What a claim needs: a leaf of the active report and its path."""

    leaf: Leaf
    path: list[bytes]
    root: bytes
    # contract that the calldata is for, absent for trees that nothing is claimed from
    to: str
    calldata: bytes


class CloseEpoch:
    """One oracle's side of the epoch report."""

    def __init__(
        self,
        store: Store,
        market: Market,
        history: History,
        member: Member,
        peers: Sequence[Peer],
        quorum: Quorum,
        outbox: Outbox,
        files: LeafFiles,
    ) -> None:
        self._store = store
        self._market = market
        self._history = history
        self._member = member
        self._peers = peers
        self._quorum = quorum
        self._outbox = outbox
        self._files = files
        self._built: dict[tuple[int, int, bytes], EpochReport] = {}

    # --- rounds -------------------------------------------------------------------------------

    def due(self) -> int | None:
        """The last epoch that a report could cover now, None if all ended ones are covered."""
        try:
            final = self._market.chain.finalized()
        except NotFound:
            return None
        to_epoch = self._market.epoch_at(final.timestamp) - 1
        return to_epoch if to_epoch >= self._next_epoch() else None

    def lead(self, to_epoch: int) -> bool:
        """Have the epochs up to `to_epoch` pressed, then reported; whether a report was queued."""
        if self._next_epoch() > to_epoch or self._outbox.is_busy("press/"):
            return False
        if self._outbox.is_busy("epoch/"):
            return False
        pressed = int(self._market.chain.read(CONTROLLER, "next_epoch"))
        if pressed <= to_epoch:
            last = min(to_epoch, pressed + MAX_PRESSED - 1)
            arguments = [last - pressed + 1]
            self._outbox.want(f"press/{last}", CONTROLLER, "press", arguments, Goal.pressed(last))
            return False
        report = self._rebuild(to_epoch)
        proposal = EpochProposal(report.from_epoch, report.to_epoch, report.struct_hash())
        signatures = self._quorum.collect(self._committee_report(report), proposal)
        reach("after-quorum")
        self._outbox.want(
            f"epoch/{to_epoch}",
            LEDGER,
            "post_epoch",
            [tuple(getattr(report, field) for field in EpochReport.__slots__), signatures],
            Goal.epoch(to_epoch),
        )
        log.info("epoch signed", from_epoch=report.from_epoch, to_epoch=to_epoch)
        return True

    def left_over(self) -> int | None:
        """The last active epoch, if the distributor still holds what nobody earned up to it."""
        epoch, is_active = self._market.chain.read(LEDGER, "active_epoch")
        if not is_active or not self._market.reclaimable(None):
            return None
        return int(epoch)

    def reclaim(self, epoch: int) -> None:
        """Have the controller take back what no leaf took."""
        self._outbox.want(f"reclaim/{epoch}", CONTROLLER, "reclaim", [], Goal.reclaimed(epoch))

    def endorse(self, proposal: EpochProposal) -> Statement:
        """Rebuild a leader's report and sign it if it is the same.

        Raises `BadInput` for another result or epochs that don't follow the last report,
        `Transient` while this oracle can't see the end of the epoch as final.
        """
        self._market.follow()
        if proposal.from_epoch != self._next_epoch() or proposal.to_epoch < proposal.from_epoch:
            raise BadInput(
                f"stale epochs {proposal.from_epoch} to {proposal.to_epoch}: "
                f"the next report starts with {self._next_epoch()}",
                "Read the ledger again.",
            )
        report = self._rebuild(proposal.to_epoch)
        if report.struct_hash() != proposal.report_hash:
            raise BadInput(
                f"this oracle rebuilds {report.struct_hash().hex()}, "
                f"not {proposal.report_hash.hex()}",
                "Compare leaf files: GET /v1/epochs/{report_hash}/leaves.",
            )
        return self._member.endorse(self._committee_report(report))

    # --- rebuilding ---------------------------------------------------------------------------

    def _rebuild(self, to_epoch: int) -> EpochReport:
        """The report on all epochs since the last one, its leaf file stored before it returns."""
        # at one block: a report posted between two reads would leave us on top of neither
        block = self._market.chain.head()
        from_epoch = self._next_epoch(block)
        previous = bytes(self._market.chain.read(LEDGER, "head", block=block))
        if to_epoch < from_epoch:
            raise BadInput(f"stale epoch {to_epoch}: it is reported", "Read the ledger again.")
        key = (from_epoch, to_epoch, previous)
        if key not in self._built:
            self._built[key] = self._build(from_epoch, to_epoch, previous)
        return self._built[key]

    def _build(self, from_epoch: int, to_epoch: int, previous: bytes) -> EpochReport:
        version = self._market.rules_version()
        if version not in RULES:
            raise Misconfigured(
                f"the committee works by rules version {version}",
                "Update this oracle: it does not know that version.",
            )
        end = self._market.start_of(to_epoch + 1)
        reference = self._history.last_block_before(end)
        start = self._history.last_block_before(self._market.start_of(from_epoch))
        posted = self._history.posted(previous) if previous != NO_REPORT else None
        deployment = self._market.chain.deployment
        leaves = close(
            EpochInput(
                chain_id=deployment.chain_id,
                distributor=deployment.address(DISTRIBUTOR),
                ledger=deployment.address(LEDGER),
                from_epoch=from_epoch,
                to_epoch=to_epoch,
                budget=self._granted(to_epoch) - self._granted(from_epoch - 1),
                rules=RULES[version],
                previous=self.leaves(posted).rewards if posted else (),
                devices=self._history.live_devices(reference, end),
                usage=self._history.settled_usage(reference),
                signatures=self._history.signatures(start, reference),
                submitter=self._history.sender_of(posted.transaction) if posted else None,
            )
        )
        report = leaves.report(previous, version)
        name = self._files.write(report.struct_hash(), encode(leaves))
        reach("leaf-file-written")
        self._store.save_epoch(ClosedEpoch(report, reference.number, reference.hash, name))
        log.info(
            "epoch rebuilt",
            from_epoch=from_epoch,
            to_epoch=to_epoch,
            block=reference.number,
            report=report.struct_hash().hex(),
        )
        return report

    def _granted(self, epoch: int) -> int:
        if epoch < 0:
            return 0
        return int(self._market.chain.read(CONTROLLER, "cumulative_budget", epoch))

    def _next_epoch(self, block: Block | None = None) -> int:
        last, exists = self._market.chain.read(LEDGER, "last_epoch", block=block)
        return int(last) + 1 if exists else 0

    def _committee_report(self, report: EpochReport) -> Report:
        disabled = int(self._market.chain.read(LEDGER, "disabled_count"))
        return Report(
            config=self._market.committee().config,
            consumer=self._market.domain(LEDGER).verifying_contract,
            subject=disabled.to_bytes(32, "big"),
            round=report.to_epoch,
            payload=report.struct_hash(),
        )

    # --- serving ------------------------------------------------------------------------------

    def leaf_file(self, report_hash: bytes) -> bytes:
        """The leaf file of a report as this oracle has it; raises `NotFound` otherwise."""
        content = self._files.read(report_hash)
        if content is None:
            raise NotFound(
                f"this oracle has no leaves of report {report_hash.hex()}",
                "Ask another oracle; any copy with the posted data hash is right.",
            )
        return content

    def leaves(self, posted: Posted) -> EpochLeaves:
        """The leaves of a posted report: our own, or a peer's with the posted hash."""
        content = self._files.read(posted.report_hash)
        if content is not None:
            return decode(content)
        for peer in self._peers:
            try:
                content = peer.leaf_file(posted.report_hash)
            except ClearworkError as error:
                log.warning("no leaf file", peer=peer.url, reason=str(error))
                continue
            if keccak(content) == posted.data_hash:
                self._files.write(posted.report_hash, content)
                return decode(content)
        raise Transient(
            f"no oracle has the leaves of report {posted.report_hash.hex()}",
            "Bring an oracle up that has, or copy the file from its leaf directory.",
        )

    def proof(self, kind: LeafKind, key: bytes) -> Proof:
        """Leaf and path under the active report. Raises `NotFound` for a key with no leaf."""
        posted = self._history.active()
        if posted is None:
            raise NotFound(
                "no epoch report is active yet", "Wait until a report's activation delay is over."
            )
        leaves = self.leaves(posted)
        trees = {
            LeafKind.PROVIDER: (leaves.rewards, leaves.reward_tree),
            LeafKind.ACCOUNT: (leaves.rewards, leaves.reward_tree),
            LeafKind.USAGE: (leaves.usage, leaves.usage_tree),
            LeafKind.ATTESTATION: (leaves.attestations, leaves.attestation_tree),
        }
        entries, tree = trees[kind]
        for position, leaf in enumerate(entries):
            if (leaf.kind, leaf.key) == (kind, key):
                path = tree.proof(position)
                return Proof(leaf, path, tree.root, *self._claim(leaf, path))
        raise NotFound(
            f"no {kind.name.lower()} leaf for {key.hex()} up to epoch {posted.to_epoch}",
            "Check the key: a provider id or address, left-padded to 32 bytes.",
        )

    def _claim(self, leaf: Leaf, path: list[bytes]) -> tuple[str, bytes]:
        chain = self._market.chain
        if leaf.kind not in (LeafKind.PROVIDER, LeafKind.ACCOUNT):
            return chain.deployment.address(LEDGER), b""
        arguments = [int(leaf.kind), leaf.key, leaf.value, path]
        return chain.deployment.address(DISTRIBUTOR), chain.calldata(
            DISTRIBUTOR, "claim", arguments
        )
