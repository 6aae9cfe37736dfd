"""Record: turn the oracles' observations of a device into its entry in the registry."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

import structlog

from oracle.adapters.chain.market import Market
from oracle.adapters.peers import Peer
from oracle.adapters.store.store import Store
from oracle.domain import messages
from oracle.domain.admission import Admission, Claim
from oracle.domain.market import DeviceClass
from oracle.domain.proposals import (
    DeviceObservation,
    DeviceProposal,
    aggregate_device,
    best_class,
)
from oracle.domain.records import Device, Statement
from oracle.domain.renewal import RenewalRules, is_due
from oracle.errors import BadInput, ClearworkError, Conflict, NotFound
from oracle.faults import reach
from oracle.services.attest import REGISTRY, Attest
from oracle.services.membership import COMMITTEE, Member
from oracle.services.quorum import Quorum
from oracle.services.submit import Goal, Outbox

log = structlog.get_logger()

# devices that are taken out of the registry in one turn
MAX_LAPSED = 100
# results that said nothing new, remembered
MAX_SETTLED = 10_000


class Record:
    """One oracle's side of recording attested devices."""

    def __init__(
        self,
        store: Store,
        market: Market,
        member: Member,
        peers: Sequence[Peer],
        quorum: Quorum,
        outbox: Outbox,
        attest: Attest,
        rules: RenewalRules,
        admission: Admission,
    ) -> None:
        self._store = store
        self._market = market
        self._member = member
        self._peers = peers
        self._quorum = quorum
        self._outbox = outbox
        self._attest = attest
        self._rules = rules
        self._admission = admission
        self._settled: dict[str, None] = {}

    def is_recorded(self, device: bytes, epoch: int) -> bool:
        """Whether the registry has a result of this epoch or newer, or we have sent it one.

        What the registry refused once (a jailed provider, too little stake, a device struck
        meanwhile) is not sent again: the next epoch brings a new attestation.
        """
        recorded = self._market.attestation_epoch(device)
        if recorded is not None and recorded >= epoch:
            return True
        return self._outbox.has_tried(_name(device, epoch))

    def is_due(self, device: bytes, epoch: int, ops_per_second: int) -> bool:
        """Whether a result with about this bound would tell the registry something.

        A first look, from this oracle's own measurement; the lower median decides in `lead`.
        """
        if _name(device, epoch) in self._settled:
            return False
        try:
            claim = self._attest.claim(device, epoch)
        except NotFound:
            # it has not passed every mode
            return False
        best = best_class(self._classes(claim), ops_per_second, claim.memory_mb)
        return best is not None and self._tells(
            device, best.device_class, ops_per_second, claim.memory_mb
        )

    def lead(self, device: bytes, epoch: int, patient: bool) -> bool:
        """Gather observations, have the result signed and queue it; whether it was queued.

        A `patient` leader waits until every member has observed, an impatient one takes the
        threshold. Where a member is bound to another leader's proposal, that one is adopted.
        """
        committee = self._market.committee()
        proposal = self._bound(device, epoch)
        if proposal is None:
            observations = self._gather(device, epoch)
            enough = len(committee.members) if patient else committee.threshold
            if len(observations) < enough:
                return False
            proposal = DeviceProposal(device, epoch, tuple(observations))
        if not self._says_more(self._derive(proposal)):
            self._settle(_name(device, epoch))
            return False
        proposal, signatures = self._quorum.agree(
            proposal, self._report, partial(self._bound_at, device, epoch), encode
        )
        result = self._derive(proposal)
        reach("after-quorum")
        self._outbox.want(
            _name(device, epoch),
            REGISTRY,
            "record",
            [
                tuple(getattr(result, name) for name in messages.Result.__slots__),
                epoch,
                signatures,
            ],
            Goal.device(device, epoch),
        )
        log.info(
            "device signed",
            device=device.hex(),
            epoch=epoch,
            device_class=result.device_class,
            ops_per_second=result.ops_per_second,
        )
        return True

    def lapsed(self) -> Iterator[tuple[bytes, int]]:
        """Some devices whose attestation has run out but which still count for their provider's
        capacity, and until when it lasted."""
        for device, found in islice(self._market.lapsed().items(), MAX_LAPSED):
            yield device, found.attested_until

    def expire(self, device: bytes, attested_until: int) -> None:
        """Take a device out whose attestation has run out: what it was sold for is missing."""
        name = f"lapsed/{device.hex()}/{attested_until}"
        if not self._outbox.has_tried(name):
            goal = Goal.expired(device, attested_until)
            self._outbox.want(name, REGISTRY, "expire", [device], goal)

    def endorse(self, proposal: DeviceProposal) -> Statement:
        """Repeat a leader's derivation and sign the result.

        Raises `BadInput` for a proposal that does not hold, `Unauthorized` for a forged
        observation, `NotFound` where this oracle has not accepted the device itself,
        `Conflict` where it has signed another result for the device and epoch, or where the
        registry says the same already for long enough.
        """
        own = self._attest.observation(proposal.device, proposal.epoch)
        checked = (own.commit, own.evidence)
        if any((seen.commit, seen.evidence) != checked for seen in proposal.observations):
            raise BadInput(
                "the proposal is about another commit or evidence than this oracle checked",
                "The provider told oracles different things: leave it out of this epoch.",
            )
        if not self._says_more(self._derive(proposal)):
            raise Conflict(
                f"the registry says the same of device {proposal.device.hex()}, and will for long",
                f"Propose it again in the last {self._rules.margin} s of its entry.",
            )
        return self._member.endorse(self._report(proposal), encode(proposal))

    def bound(self, device: bytes, epoch: int) -> DeviceProposal:
        """The proposal that this oracle has signed for; raises `NotFound` for none."""
        proposal = self._own_bound(device, epoch)
        if proposal is None:
            raise NotFound(
                f"nothing signed for device {device.hex()} in epoch {epoch}", "Propose something."
            )
        return proposal

    # --- helpers ------------------------------------------------------------------------------

    def _gather(self, device: bytes, epoch: int) -> list[DeviceObservation]:
        """Signed observations of the commit and evidence that this oracle accepted, one per
        member."""
        own = self._attest.observation(device, epoch)
        found = {own.oracle: own}
        for peer in self._peers:
            try:
                seen = peer.device(device, epoch)
                self._check(seen, device, epoch)
            except ClearworkError as error:
                log.debug("no observation", peer=peer.url, reason=str(error))
                continue
            if (seen.commit, seen.evidence) == (own.commit, own.evidence):
                found[seen.oracle] = seen
        return list(found.values())

    def _bound(self, device: bytes, epoch: int) -> DeviceProposal | None:
        """A proposal that holds and that this oracle or a peer is bound to already."""
        own = self._own_bound(device, epoch)
        if own is not None:
            return own
        for peer in self._peers:
            try:
                found = self._bound_at(device, epoch, peer)
                self._derive(found)
            except ClearworkError as error:
                log.debug("bound to nothing that holds", peer=peer.url, reason=str(error))
                continue
            return found
        return None

    def _bound_at(self, device: bytes, epoch: int, peer: Peer | None) -> DeviceProposal:
        found = self.bound(device, epoch) if peer is None else peer.bound_device(device, epoch)
        if (found.device, found.epoch) != (device, epoch):
            raise BadInput("a proposal of another device or epoch", "Ask for the right one.")
        return found

    def _own_bound(self, device: bytes, epoch: int) -> DeviceProposal | None:
        stored = self._store.bound_proposal(
            self._market.committee().config,
            self._market.domain(REGISTRY).verifying_contract,
            device,
            epoch,
        )
        return decode(stored) if stored is not None else None

    def _derive(self, proposal: DeviceProposal) -> messages.Result:
        """Check every observation, then the arithmetic."""
        oracles = set()
        for observation in proposal.observations:
            self._check(observation, proposal.device, proposal.epoch)
            oracles.add(observation.oracle)
        threshold = self._market.committee().threshold
        if len(oracles) != len(proposal.observations) or len(oracles) < threshold:
            raise BadInput(
                f"{len(oracles)} oracles observed, {threshold} must",
                "Gather one observation of each of enough members.",
            )
        device = self._device(proposal.device)
        claim = self._attest.claim(proposal.device, proposal.epoch)
        return aggregate_device(
            proposal,
            device.provider,
            device.identity,
            claim.memory_mb,
            self._classes(claim),
        )

    def _classes(self, claim: Claim) -> list[DeviceClass]:
        return self._admission.classes(claim, self._market.classes())

    def _says_more(self, result: messages.Result) -> bool:
        return self._tells(
            result.device, result.device_class, result.ops_per_second, result.memory_mb
        )

    def _tells(self, device: bytes, device_class: int, ops_per_second: int, memory_mb: int) -> bool:
        entry, now = self._market.device(device), self._market.head.timestamp
        return is_due(entry, device_class, ops_per_second, memory_mb, now, self._rules)

    def _settle(self, name: str) -> None:
        """Remember a result that said nothing new; the next epoch brings another."""
        self._settled[name] = None
        while len(self._settled) > MAX_SETTLED:
            self._settled.pop(next(iter(self._settled)))

    def _check(self, observation: DeviceObservation, device: bytes, epoch: int) -> None:
        if (observation.device, observation.epoch) != (device, epoch):
            raise BadInput("an observation of another device or epoch", "Ask for the right one.")
        message = observation.message(self._market.committee().config)
        digest = message.digest(self._market.domain(COMMITTEE))
        self._member.check_signer(digest, observation.oracle, observation.signature)

    def _device(self, device: bytes) -> Device:
        known = self._store.device(device)
        if known is None:
            raise NotFound(f"unknown device {device.hex()}", "Register it with this oracle first.")
        return known

    def _report(self, proposal: DeviceProposal) -> messages.Report:
        return messages.Report(
            config=self._market.committee().config,
            consumer=self._market.domain(REGISTRY).verifying_contract,
            subject=proposal.device,
            round=proposal.epoch,
            payload=self._derive(proposal).struct_hash(),
        )


def _name(device: bytes, epoch: int) -> str:
    return f"device/{device.hex()}/{epoch}"


def encode(proposal: DeviceProposal) -> dict[str, object]:
    """A proposal as JSON, kept beside the intent to sign it."""
    return {
        "device": proposal.device.hex(),
        "epoch": proposal.epoch,
        "observations": [
            [
                seen.commit.hex(),
                seen.ops_per_second,
                seen.elapsed_ms,
                seen.openings.hex(),
                seen.evidence.hex(),
                seen.oracle,
                seen.signature.hex(),
            ]
            for seen in proposal.observations
        ],
    }


def decode(stored: dict[str, object]) -> DeviceProposal:
    """Read what `encode` wrote."""
    device = bytes.fromhex(str(stored["device"]))
    epoch = int(str(stored["epoch"]))
    rows = stored["observations"]
    assert isinstance(rows, list)
    return DeviceProposal(
        device,
        epoch,
        tuple(
            DeviceObservation(
                device=device,
                epoch=epoch,
                commit=bytes.fromhex(commit),
                ops_per_second=ops,
                elapsed_ms=elapsed,
                openings=bytes.fromhex(openings),
                evidence=bytes.fromhex(evidence),
                oracle=oracle,
                signature=bytes.fromhex(signature),
            )
            for commit, ops, elapsed, openings, evidence, oracle, signature in rows
        ),
    )
