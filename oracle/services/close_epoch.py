"""Close epochs: rebuild the same leaves from the same block, sign one root, serve the proofs."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import structlog

from oracle.adapters.chain.client import Block
from oracle.adapters.chain.history import History, Posted
from oracle.adapters.chain.market import Market
from oracle.adapters.chain.subnets import REGISTRY
from oracle.adapters.peers import Peer
from oracle.adapters.store.leaf_files import LeafFiles
from oracle.adapters.store.store import Store
from oracle.domain.epochs import RULES, close
from oracle.domain.hashing import keccak
from oracle.domain.leaves import (
    RECEIPT_KINDS,
    REWARD_KINDS,
    EpochLeaves,
    Leaf,
    LeafKind,
    decode,
    subnet_key,
)
from oracle.domain.messages import EpochReport, Report
from oracle.domain.proposals import MAX_BATCHES, EpochProposal, SignedBatch
from oracle.domain.receipts import Receipt
from oracle.domain.records import ClosedEpoch, Statement
from oracle.domain.settlement import carried, receipts_in
from oracle.domain.summary import EpochSummary, summarise
from oracle.errors import BadInput, ClearworkError, NotFound, Transient
from oracle.faults import reach
from oracle.services.membership import Member
from oracle.services.quorum import Quorum
from oracle.services.snapshot import DISTRIBUTOR, LEDGER, Last, Snapshots
from oracle.services.submit import Goal, Outbox

log = structlog.get_logger()

CONTROLLER = "EmissionsController"
ESCROW = "JobEscrow"
NO_REPORT = bytes(32)
# epochs pressed in one transaction, which has at most 2^24 gas (EIP-7825): with as many subnets as
# there can be, each takes some 430 000
MAX_PRESSED = 32
# reports whose leaves stay in memory
KEPT_REPORTS = 2


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction that anyone may send; no calldata where no contract reads the leaf."""

    to: str
    calldata: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """What a claim needs: a leaf of the active report and its path.

    `receipts`: what a leaf that settles jobs stands for, packed; empty for others.
    """

    leaf: Leaf
    receipts: bytes
    path: list[bytes]
    root: bytes
    call: Call
    # to be sent first, once for all leaves of a report
    before: tuple[Call, ...] = ()


class CloseEpoch:
    """One oracle's side of the epoch report."""

    def __init__(
        self,
        store: Store,
        market: Market,
        history: History,
        snapshots: Snapshots,
        member: Member,
        peers: Sequence[Peer],
        quorum: Quorum,
        outbox: Outbox,
        files: LeafFiles,
    ) -> None:
        self._store = store
        self._market = market
        self._history = history
        self._snapshots = snapshots
        self._member = member
        self._peers = peers
        self._quorum = quorum
        self._outbox = outbox
        self._files = files
        self._built: dict[tuple[int, int, bytes, frozenset[Receipt]], EpochReport] = {}
        # reward root of the report whose outcomes are all with the registry
        self._adopted = NO_REPORT
        # leaves by report, the last used at the end
        self._read: dict[bytes, EpochLeaves] = {}

    # --- rounds -------------------------------------------------------------------------------

    def due(self) -> int | None:
        """The last epoch that a report could cover now, None if all ended ones are covered."""
        try:
            final = self._market.finalized()
        except NotFound:
            return None
        to_epoch = self._market.epoch_at(final.timestamp) - 1
        return to_epoch if to_epoch >= self._next_epoch() else None

    def lead(self, to_epoch: int) -> bool:
        """Have the epochs up to `to_epoch` pressed, then reported; whether a report was queued.

        Where a member is bound to another leader's proposal, which carries other batches, that
        one is adopted: what it leaves out comes with the next report.
        """
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
        batches = self._gather(to_epoch)
        report = self._rebuild(to_epoch, batches)
        proposal = EpochProposal(report.from_epoch, report.to_epoch, report.struct_hash(), batches)
        proposal, signatures = self._quorum.agree(
            proposal,
            lambda made: self._committee_report(self._check(made)),
            lambda peer: peer.bound_epoch(to_epoch) if peer else self.bound(to_epoch),
            stored,
        )
        report = self._check(proposal)
        reach("after-quorum")
        self._outbox.want(
            f"epoch/{to_epoch}",
            LEDGER,
            "post_epoch",
            [astuple(report), signatures],
            Goal.epoch(to_epoch),
        )
        log.info("epoch signed", from_epoch=report.from_epoch, to_epoch=to_epoch)
        return True

    def left_over(self) -> int | None:
        """The last active epoch, if the distributor still holds what nobody earned up to it."""
        epoch = self._market.active_epoch()
        return epoch if epoch is not None and self._market.reclaimable(None) else None

    def reclaim(self, epoch: int) -> None:
        """Have the controller take back what no leaf took."""
        self._outbox.want(f"reclaim/{epoch}", CONTROLLER, "reclaim", [], Goal.reclaimed(epoch))

    def unadopted(self) -> list[int]:
        """Subnets whose registry does not know the outcome in the active report."""
        if self._market.active_root() == self._adopted:
            return []
        posted = self._history.active()
        if posted is None:
            return []
        subnets = [record.subnet for record in self.leaves(posted).subnets]
        left = [one for one in subnets if not self._market.has_outcome(one, posted.to_epoch)]
        if not left:
            self._adopted = posted.reward_root
        return left

    def adopt(self, subnet: int) -> None:
        """Have the registry take over who leaves a subnet, and what its owner kept."""
        proof = self.proof(LeafKind.SUBNET, subnet_key(subnet))
        posted = self._history.active()
        if posted is None or proof.root != posted.reward_root:
            return
        arguments = [*_outcome(proof.leaf, self.leaves(posted)), proof.path]
        self._outbox.want(
            f"outcome/{subnet}/{posted.to_epoch}",
            REGISTRY,
            "adopt_outcome",
            arguments,
            Goal.outcome(subnet, posted.to_epoch),
        )

    def endorse(self, proposal: EpochProposal) -> Statement:
        """Rebuild a leader's report and sign it if it is the same.

        Raises `BadInput` for another result, epochs that don't follow the last report, a batch
        without a quorum or one that is missing; `Transient` while this oracle can't see the end
        of the epoch as final.
        """
        self._market.follow()
        report = self._check(proposal, self._left_out(proposal))
        return self._member.endorse(self._committee_report(report), stored(proposal))

    def bound(self, to_epoch: int) -> EpochProposal:
        """The proposal that this oracle has signed for; raises `NotFound` for none."""
        found = self._store.bound_proposal(
            self._market.committee().config,
            self._market.domain(LEDGER).verifying_contract,
            self._subject(),
            to_epoch,
        )
        if found is None:
            raise NotFound(f"nothing signed for epoch {to_epoch}", "Propose something.")
        return read(found)

    def _check(
        self, proposal: EpochProposal, left_out: tuple[SignedBatch, ...] = ()
    ) -> EpochReport:
        """The report of a proposal, rebuilt from what it carries and what it leaves out.

        So a report is rebuilt once, whatever parts of the same batches are proposed.
        """
        if proposal.from_epoch != self._next_epoch() or proposal.to_epoch < proposal.from_epoch:
            raise BadInput(
                f"stale epochs {proposal.from_epoch} to {proposal.to_epoch}: "
                f"the next report starts with {self._next_epoch()}",
                "Read the ledger again.",
            )
        for batch in proposal.batches:
            if batch.epoch > proposal.to_epoch or not self._market.takes(batch):
                raise BadInput(
                    f"batch {batch.index} of epoch {batch.epoch} is not the committee's word "
                    "in the epochs reported",
                    "Carry what GET /v1/batches lists, signed by the present committee.",
                )
        report = self._rebuild(proposal.to_epoch, proposal.batches + left_out)
        if report.struct_hash() != proposal.report_hash:
            hint = "Compare leaf files: GET /v1/epochs/{report_hash}/leaves."
            missing = ""
            if left_out:
                hint = "Ask all oracles for their batches: GET /v1/batches."
                missing = f": batch {left_out[0].index} of epoch {left_out[0].epoch} is left out"
            raise BadInput(
                f"this oracle rebuilds {report.struct_hash().hex()}, "
                f"not {proposal.report_hash.hex()}{missing}",
                hint,
            )
        return report

    # --- batches left for the root ------------------------------------------------------------

    def batches(self, until: int) -> tuple[SignedBatch, ...]:
        """What this oracle has left for the root in the epochs up to `until`."""
        return carried(self._store.batches(until), (), MAX_BATCHES)

    def _gather(self, to_epoch: int) -> tuple[SignedBatch, ...]:
        """What the oracles have left for the root and the last report doesn't say.

        Our own of an active report are dropped: its leaf file has them, and it stays.
        """
        active, is_active = self._market.chain.read(LEDGER, "active_epoch")
        if is_active:
            self._store.forget_batches(int(active))
        found = list(self.batches(to_epoch))
        for peer in self._peers:
            try:
                found += [b for b in peer.batches(to_epoch) if b.epoch <= to_epoch]
            except ClearworkError as error:
                log.warning("no batches", peer=peer.url, reason=str(error))
        signed = [batch for batch in dict.fromkeys(found) if self._market.takes(batch)]
        return carried(signed, self._said_before(self._head()), MAX_BATCHES)

    def _left_out(self, proposal: EpochProposal) -> tuple[SignedBatch, ...]:
        """Batches kept here that a proposal has room for and does not carry."""
        if len(proposal.batches) == MAX_BATCHES:
            return ()
        own = [batch for batch in self.batches(proposal.to_epoch) if self._market.takes(batch)]
        return carried(own, receipts_in(proposal.batches), MAX_BATCHES)

    def _said_before(self, head: bytes) -> list[Receipt]:
        """The receipts of the last report."""
        if head == NO_REPORT:
            return []
        return [agreed.receipt for agreed in self.leaves(self._history.posted(head)).receipts]

    def _head(self, block: Block | None = None) -> bytes:
        return bytes(self._market.chain.read(LEDGER, "head", block=block))

    # --- rebuilding ---------------------------------------------------------------------------

    def _rebuild(self, to_epoch: int, batches: tuple[SignedBatch, ...]) -> EpochReport:
        """The report on all epochs since the last one, its leaf file stored before it returns."""
        # at one block: a report posted between two reads would leave us on top of neither
        block = self._market.chain.head()
        from_epoch = self._next_epoch(block)
        previous = self._head(block)
        if to_epoch < from_epoch:
            raise BadInput(f"stale epoch {to_epoch}: it is reported", "Read the ledger again.")
        said = receipts_in(batches)
        key = (from_epoch, to_epoch, previous, frozenset(said))
        if key not in self._built:
            self._built[key] = self._build(from_epoch, to_epoch, previous, said)
        return self._built[key]

    def _build(
        self, from_epoch: int, to_epoch: int, previous: bytes, said: list[Receipt]
    ) -> EpochReport:
        version = self._market.rules_version()
        last = None
        if previous != NO_REPORT:
            posted = self._history.posted(previous)
            last = Last(posted, self.leaves(posted))
        receipts = [*said, *self._said_before(previous)]
        epoch, reference = self._snapshots.take(from_epoch, to_epoch, last, receipts, version)
        leaves = close(epoch)
        report = leaves.report(previous, version)
        name = self._files.write(report.struct_hash(), leaves.file)
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

    def _next_epoch(self, block: Block | None = None) -> int:
        last, exists = self._market.chain.read(LEDGER, "last_epoch", block=block)
        return int(last) + 1 if exists else 0

    def _subject(self) -> bytes:
        disabled: int = self._market.chain.read(LEDGER, "disabled_count")
        return disabled.to_bytes(32, "big")

    def _committee_report(self, report: EpochReport) -> Report:
        return Report(
            config=self._market.committee().config,
            consumer=self._market.domain(LEDGER).verifying_contract,
            subject=self._subject(),
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
        # the active report is asked for proofs, the last one for its successor
        found = self._read.pop(posted.report_hash, None) or decode(self._published(posted))
        self._read[posted.report_hash] = found
        while len(self._read) > KEPT_REPORTS:
            self._read.pop(next(iter(self._read)), None)
        return found

    def _published(self, posted: Posted) -> bytes:
        content = self._files.read(posted.report_hash)
        if content is not None:
            return content
        for peer in self._peers:
            try:
                content = peer.leaf_file(posted.report_hash)
            except ClearworkError as error:
                log.warning("no leaf file", peer=peer.url, reason=str(error))
                continue
            if keccak(content) == posted.data_hash:
                self._files.write(posted.report_hash, content)
                return content
        raise Transient(
            f"no oracle has the leaves of report {posted.report_hash.hex()}",
            "Bring an oracle up that has, or copy the file from its leaf directory.",
        )

    def summary(self, epoch: int, top: int) -> tuple[Posted, EpochSummary]:
        """The report that covers an epoch, and who got what by it; `top` earners are named.

        Raises `NotFound` for an epoch that no report covers.
        """
        posted = self._history.covering(epoch)
        report = self._history.report(posted.report_hash)
        previous = None
        if report.previous != NO_REPORT:
            previous = self.leaves(self._history.posted(report.previous))
        granted = self._history.granted(report.from_epoch, report.to_epoch)
        share = RULES[report.rules_version].oracle_share_bps
        return posted, summarise(self.leaves(posted), previous, granted, share, top)

    def proof(self, kind: LeafKind, key: bytes) -> Proof:
        """Leaf and path under the active report. Raises `NotFound` for a key with no leaf."""
        posted = self._history.active()
        if posted is None:
            raise NotFound(
                "no epoch report is active yet", "Wait until a report's activation delay is over."
            )
        leaves = self.leaves(posted)
        first = 0
        if kind in REWARD_KINDS:
            entries, tree = leaves.rewards, leaves.reward_tree
        elif kind is LeafKind.SUBNET:
            entries, tree, first = leaves.outcomes, leaves.reward_tree, len(leaves.rewards)
        elif kind is LeafKind.ATTESTATION:
            entries, tree = leaves.attestations, leaves.attestation_tree
        else:
            entries, tree = leaves.usage_leaves, leaves.usage_tree
        for position, leaf in enumerate(entries):
            if (leaf.kind, leaf.key) == (kind, key):
                path = tree.proof(first + position)
                receipts = leaves.packed.get((kind, key), b"")
                return Proof(
                    leaf=leaf,
                    receipts=receipts,
                    path=path,
                    root=tree.root,
                    call=self._claim(leaf, receipts, path, leaves),
                    before=self._adoption(posted, tree.root) if receipts else (),
                )
        raise NotFound(
            f"no {kind.name.lower()} leaf for {key.hex()} up to epoch {posted.to_epoch}",
            "Check the key: a provider id, job or address, left-padded to 32 bytes.",
        )

    def _claim(self, leaf: Leaf, receipts: bytes, path: list[bytes], leaves: EpochLeaves) -> Call:
        """What a leaf is good for."""
        if leaf.kind is LeafKind.SUBNET:
            return self._call(REGISTRY, "adopt_outcome", *_outcome(leaf, leaves), path)
        if leaf.kind in REWARD_KINDS:
            return self._call(DISTRIBUTOR, "claim", int(leaf.kind), leaf.key, leaf.value, path)
        if leaf.kind in RECEIPT_KINDS:
            return self._call(ESCROW, "settle_root", int(leaf.kind), leaf.key, receipts, path)
        return Call(self._market.chain.deployment.address(LEDGER), b"")

    def _adoption(self, active: Posted, root: bytes) -> tuple[Call, ...]:
        """What lets jobs be settled by the active report, if nobody has sent it yet."""
        if bytes(self._market.chain.read(LEDGER, "usage_root")) == root:
            return ()
        reports = [self._history.report(self._head())]
        while reports[-1].struct_hash() != active.report_hash:
            reports.append(self._history.report(reports[-1].previous))
        return (self._call(LEDGER, "adopt_usage", [astuple(report) for report in reports]),)

    def _call(self, contract: str, function: str, *arguments: object) -> Call:
        chain = self._market.chain
        calldata = chain.calldata(contract, function, arguments)
        return Call(chain.deployment.address(contract), calldata)


def _outcome(leaf: Leaf, leaves: EpochLeaves) -> tuple[int, int, int, tuple[int, ...]]:
    """What an outcome's leaf stands for, as the registry takes it."""
    subnet = int.from_bytes(leaf.key, "big")
    outcome = next(record.outcome for record in leaves.subnets if record.subnet == subnet)
    return subnet, leaves.to_epoch, outcome.withheld_bps, outcome.leaving


def stored(proposal: EpochProposal) -> dict[str, object]:
    """A proposal as JSON, kept beside the intent to sign it."""
    return {
        "from_epoch": proposal.from_epoch,
        "to_epoch": proposal.to_epoch,
        "report_hash": proposal.report_hash.hex(),
        "batches": [
            [batch.epoch, batch.index, batch.receipts.hex(), batch.signatures.hex()]
            for batch in proposal.batches
        ],
    }


def read(proposal: Mapping[str, Any]) -> EpochProposal:
    """Read what `stored` wrote."""
    return EpochProposal(
        proposal["from_epoch"],
        proposal["to_epoch"],
        bytes.fromhex(proposal["report_hash"]),
        tuple(
            SignedBatch(epoch, index, bytes.fromhex(receipts), bytes.fromhex(signatures))
            for epoch, index, receipts, signatures in proposal["batches"]
        ),
    )
