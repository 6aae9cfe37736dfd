"""Device time: the figures that the supply policy `demand` pays by, where a market has it.

Every ended epoch gets a report: live time by class from the registry's events, availability from
the oracles' signed observations. What comes late is paid with a later epoch, so no press waits.
"""

from collections.abc import Sequence
from dataclasses import astuple

import structlog

from oracle.adapters.chain.history import History
from oracle.adapters.chain.market import POLICY, Market
from oracle.adapters.peers import Peer
from oracle.adapters.store.store import Store
from oracle.domain.demand import ClassTime, hash_classes
from oracle.domain.device_time import (
    SUBJECT,
    DeviceTimeObservation,
    DeviceTimeProposal,
    aggregate,
    live_spans,
    measure,
    observation_message,
)
from oracle.domain.messages import DeviceTime, Report
from oracle.domain.records import Statement
from oracle.errors import BadInput, ClearworkError, NotFound
from oracle.faults import reach
from oracle.services.membership import COMMITTEE, Member
from oracle.services.quorum import Quorum
from oracle.services.submit import Goal, Outbox

log = structlog.get_logger()

# epochs whose measurement stays in memory: as many as are asked for at a time
KEPT_EPOCHS = 8


class DeviceTimes:
    """One oracle's side of the reports on device time.

    `grace`: seconds of chain time that one heartbeat vouches for.
    """

    def __init__(
        self,
        store: Store,
        market: Market,
        history: History,
        member: Member,
        peers: Sequence[Peer],
        quorum: Quorum,
        outbox: Outbox,
        grace: int,
    ) -> None:
        self._store = store
        self._market = market
        self._history = history
        self._member = member
        self._peers = peers
        self._quorum = quorum
        self._outbox = outbox
        self._grace = grace
        # (epoch, last block before its end) => what this oracle measured
        self._measured: dict[tuple[int, bytes], tuple[ClassTime, ...]] = {}
        # epochs whose figures are in a final block, so that nobody asks for them at every look
        self._posted: set[int] = set()

    def due(self) -> int | None:
        """The oldest ended epoch that can still be paid and has no figures, None for none.

        Also none where no policy `demand` is in office.
        """
        if not self._market.has_demand_policy():
            return None
        try:
            final = self._market.finalized()
        except NotFound:
            return None
        if final.number < self._market.chain.deployment.blocks[POLICY]:
            return None
        first = self._market.first_payable_epoch()
        self._posted = {epoch for epoch in self._posted if epoch >= first}
        for epoch in range(first, self._market.epoch_at(final.timestamp)):
            if epoch in self._posted:
                continue
            if self._market.has_device_time(epoch, final):
                self._posted.add(epoch)
            elif not (self._market.has_device_time(epoch) or self._outbox.is_busy(_name(epoch))):
                return epoch
        return None

    def lead(self, epoch: int) -> bool:
        """Gather observations, have the figures signed and queue them; whether they were queued.

        Where a member is bound to another leader's proposal, that one is adopted.
        """
        proposal = self._own_bound(epoch)
        if proposal is None:
            proposal = DeviceTimeProposal(epoch, tuple(self._gather(epoch)))
            if len(proposal.observations) < self._market.committee().threshold:
                return False
        proposal, signatures = self._quorum.agree(
            proposal,
            self._report,
            lambda peer: peer.bound_device_time(epoch) if peer else self.bound(epoch),
            encode,
        )
        classes = self._derive(proposal)
        reach("after-quorum")
        arguments = [epoch, [astuple(each) for each in classes], signatures]
        goal = Goal.device_time(epoch)
        self._outbox.want(_name(epoch), POLICY, "post_device_time", arguments, goal)
        log.info("device time signed", epoch=epoch, classes=len(classes))
        return True

    def observation(self, epoch: int) -> DeviceTimeObservation:
        """This oracle's signed view for its peers.

        Raises `NotFound` where no policy asks for it, `BadInput` for an epoch that nobody can be
        paid for any more, `Transient` while its end is not final.
        """
        self._check_open(epoch)
        classes = self._measure(epoch)
        message = observation_message(self._market.committee().config, epoch, classes)
        signature = self._member.sign(message.digest(self._market.domain(COMMITTEE)))
        return DeviceTimeObservation(epoch, classes, self._member.identity(), signature)

    def endorse(self, proposal: DeviceTimeProposal) -> Statement:
        """Repeat a leader's derivation and sign the figures.

        Raises `BadInput` for a proposal that does not hold or an epoch that is not open,
        `Unauthorized` for a forged observation, `Transient` while the epoch's end is not final,
        `Bound` where this oracle has signed other figures of the epoch.
        """
        self._market.follow()
        self._check_open(proposal.epoch)
        return self._member.endorse(self._report(proposal), encode(proposal))

    def bound(self, epoch: int) -> DeviceTimeProposal:
        """The proposal that this oracle has signed for; raises `NotFound` for none."""
        self._check_in_office()
        proposal = self._own_bound(epoch)
        if proposal is None:
            raise NotFound(f"no device time signed for epoch {epoch}", "Propose some.")
        return proposal

    # --- helpers ------------------------------------------------------------------------------

    def _check_in_office(self) -> None:
        if not self._market.has_demand_policy():
            raise NotFound(
                "no policy `demand` is in office here", "Ask oracles of a market that has one."
            )

    def _check_open(self, epoch: int) -> None:
        self._check_in_office()
        if epoch < self._market.first_payable_epoch():
            raise BadInput(
                f"stale epoch {epoch}: it is not paid any more", "Read the policy's next_epoch."
            )

    def _measure(self, epoch: int) -> tuple[ClassTime, ...]:
        """What this oracle has of an epoch, at the last block that it has."""
        start, end = self._market.start_of(epoch), self._market.start_of(epoch + 1)
        block = self._history.last_block_before(end)
        key = (epoch, block.hash)
        if key not in self._measured:
            entries = self._history.entries(start, block)
            jailed = self._history.jailed({entry.provider for entry in entries}, block)
            spans = live_spans(entries, jailed, start, end)
            # a heartbeat just before the start still vouches for what followed; none after the end
            beats = self._store.beats(since=start - self._grace)
            self._measured[key] = measure(spans, beats, self._grace)
            while len(self._measured) > KEPT_EPOCHS:
                self._measured.pop(next(iter(self._measured)), None)
        return self._measured[key]

    def _gather(self, epoch: int) -> list[DeviceTimeObservation]:
        """Signed observations that have the live time that this oracle has, one per member."""
        own = self.observation(epoch)
        found = {own.oracle: own}
        for peer in self._peers:
            try:
                seen = peer.device_time(epoch)
                self._check(seen, epoch)
                aggregate([seen], own.classes)
            except ClearworkError as error:
                log.debug("no observation", peer=peer.url, reason=str(error))
                continue
            found[seen.oracle] = seen
        return list(found.values())

    def _derive(self, proposal: DeviceTimeProposal) -> tuple[ClassTime, ...]:
        """Check every observation, then the arithmetic."""
        for observation in proposal.observations:
            self._check(observation, proposal.epoch)
        oracles = {observation.oracle for observation in proposal.observations}
        threshold = self._market.committee().threshold
        if len(oracles) != len(proposal.observations) or len(oracles) < threshold:
            raise BadInput(
                f"{len(oracles)} oracles observed, {threshold} must",
                "Gather one observation of each of enough members.",
            )
        return aggregate(proposal.observations, self._measure(proposal.epoch))

    def _check(self, observation: DeviceTimeObservation, epoch: int) -> None:
        if observation.epoch != epoch:
            raise BadInput("an observation of another epoch", "Ask for the right one.")
        message = observation.message(self._market.committee().config)
        digest = message.digest(self._market.domain(COMMITTEE))
        self._member.check_signer(digest, observation.oracle, observation.signature)

    def _own_bound(self, epoch: int) -> DeviceTimeProposal | None:
        stored = self._store.bound_proposal(
            self._market.committee().config,
            self._market.domain(POLICY).verifying_contract,
            SUBJECT,
            epoch,
        )
        return decode(stored) if stored is not None else None

    def _report(self, proposal: DeviceTimeProposal) -> Report:
        epoch, classes = proposal.epoch, self._derive(proposal)
        return Report(
            config=self._market.committee().config,
            consumer=self._market.domain(POLICY).verifying_contract,
            subject=SUBJECT,
            round=epoch,
            payload=DeviceTime(epoch, hash_classes(classes)).struct_hash(),
        )


def _name(epoch: int) -> str:
    return f"device-time/{epoch}"


def encode(proposal: DeviceTimeProposal) -> dict[str, object]:
    """A proposal as JSON, kept beside the intent to sign it."""
    return {
        "epoch": proposal.epoch,
        "observations": [
            [seen.oracle, seen.signature.hex(), [list(astuple(each)) for each in seen.classes]]
            for seen in proposal.observations
        ],
    }


def decode(stored: dict[str, object]) -> DeviceTimeProposal:
    """Read what `encode` wrote."""
    epoch = int(str(stored["epoch"]))
    rows = stored["observations"]
    assert isinstance(rows, list)
    return DeviceTimeProposal(
        epoch,
        tuple(
            DeviceTimeObservation(
                epoch, tuple(ClassTime(*each) for each in classes), oracle, bytes.fromhex(signature)
            )
            for oracle, signature, classes in rows
        ),
    )
