# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Epoch ledger
@license Apache-2.0
@author Clearwork
@notice One report per epoch, signed by the committee: the reward root that claims are
        proved against, and the roots of usage and attestations. Also keeps one beacon per
        epoch, the randomness that attestation seeds are made of.
@dev Reports form a stack. Each starts with the epoch after the one below it ends (missed
     epochs roll up into the next report), names the struct hash of the one below and
     becomes active `ACTIVATION_DELAY` after it was posted. Until then the guardian can take
     it off, with everything above it; an active one stays. Activation needs no transaction:
     it is worked out from the chain's clock whenever somebody asks.
     A report may raise the sum of all leaves by no more than the schedule has granted to
     its own epochs. That is the same as: what was granted and taken by no leaf never
     shrinks, which is how it is checked.
     The subject of a report is the number of reports ever disabled, so signing the
     corrected report of a disabled one is no equivocation.
     Trust: the committee for what reports say, within the budget; the guardian can hold
     reports up but neither change nor post one; the owner names the guardian.
@custom:security security@clearwork.example
@custom:kill The guardian disables each report before it becomes active: what is active
             stays claimable, nothing is added to it.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IEmissionsController
from .interfaces import IEpochLedger
from .interfaces import IOracleCommittee
from .modules import epoch_clock
from .modules import ledger_words
from .modules import merkle

implements: IEpochLedger

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: epoch_clock

exports: (
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
    # clock
    epoch_clock.GENESIS,
    epoch_clock.EPOCH_LENGTH,
    epoch_clock.current_epoch,
)


interface EpochClock:
    def GENESIS() -> uint256: view
    def EPOCH_LENGTH() -> uint256: view


# reports that can wait for their activation at a time
MAX_PENDING: public(constant(uint256)) = 7
# those and the active one
RING: constant(uint256) = MAX_PENDING + 1
# fills the ring's slots until they are used; never read
UNUSED: constant(uint256) = max_value(uint256)
MAX_SIGNATURES: constant(uint256) = 31 * 65
MAX_REASON: constant(uint256) = 200
MAX_ACTIVATION_DELAY: constant(uint256) = 30 * 86_400

EPOCH_REPORT_TYPEHASH: constant(bytes32) = keccak256(
    "EpochReport(uint64 fromEpoch,uint64 toEpoch,bytes32 previous,bytes32 rewardRoot,bytes32 usageRoot,bytes32 attestationRoot,uint256 cumulativeRewards,bytes32 dataHash,uint32 rulesVersion)"
)

# who signs reports
COMMITTEE: public(immutable(IOracleCommittee))
# grants the budgets that rewards are paid from
CONTROLLER: public(immutable(IEmissionsController))
# seconds between posting a report and its activation
ACTIVATION_DELAY: public(immutable(uint256))

# may disable reports that are not active yet
guardian: public(address)
# epoch => keccak256(prevrandao, epoch) at its first recording transaction
beacon: public(HashMap[uint64, bytes32])
# struct hash of the report on top, zero for none
head: public(bytes32)
# root that usage is proved against, zero before the first was adopted
usage_root: public(bytes32)
# what the next report must continue: mark of the report on top, see ledger_words.vy
_tip: uint256
# which reports are active and how many wait, see ledger_words.vy
_cursor: uint256
# report number modulo `RING` => mark, for pending reports that have another one on top
_marks: uint256[RING]
# report number modulo `RING` => reward root
_reward_roots: bytes32[RING]


@deploy
def __init__(
    committee: IOracleCommittee,
    controller: IEmissionsController,
    activation_delay: uint256,
    guardian: address,
):
    """
    @param committee who signs reports
    @param controller grants the budgets; its clock is also this contract's
    @param activation_delay seconds between posting and activation, 1 to 30 days
    @param guardian may disable reports before they become active
    """
    assert committee.address != empty(address), "epoch_ledger: no committee"
    assert (
        activation_delay != 0 and activation_delay <= MAX_ACTIVATION_DELAY
    ), "epoch_ledger: activation delay out of bounds"
    COMMITTEE = committee
    CONTROLLER = controller
    ACTIVATION_DELAY = activation_delay
    ownable.__init__()
    ownable_2step.__init__()
    clock: EpochClock = EpochClock(controller.address)
    epoch_clock.__init__(staticcall clock.GENESIS(), staticcall clock.EPOCH_LENGTH())
    self._set_guardian(guardian)
    # used once, so that no report ever pays for a fresh slot
    for i: uint256 in range(RING):
        self._marks[i] = UNUSED
        self._reward_roots[i] = convert(UNUSED, bytes32)


# --- permissionless -----------------------------------------------------------------------


@external
def record_beacon() -> bytes32:
    """
    @notice Fix the present epoch's beacon; the first call in an epoch does, later ones revert.
    @dev Whoever proposes the block can keep one value back at the price of its block.
    @return beacon keccak256(prevrandao, epoch)
    """
    epoch: uint64 = epoch_clock._current_epoch()
    assert self.beacon[epoch] == empty(bytes32), "epoch_ledger: beacon already recorded"
    beacon: bytes32 = keccak256(abi_encode(block.prevrandao, epoch))
    self.beacon[epoch] = beacon
    log IEpochLedger.BeaconRecorded(epoch=epoch, beacon=beacon)
    return beacon


@external
@reentrant
def post_epoch(report: IEpochLedger.EpochReport, signatures: Bytes[MAX_SIGNATURES]):
    """
    @notice Put a signed report on top; it becomes active `ACTIVATION_DELAY` from now.
    @dev The epochs it covers must have been pressed, which none is before it has ended. The
         first report starts with epoch 0.
         Outside the reentrancy lock: it calls out by static calls only, and nobody changes
         state inside one.
    @param report what the committee says about its epochs
    @param signatures threshold many, see `IOracleCommittee.verify`
    """
    tip: uint256 = self._tip
    cursor: uint256 = self._advanced(tip)
    reports: uint256 = ledger_words._reports(cursor)
    first_epoch: uint256 = 0
    if reports != 0:
        first_epoch = ledger_words._to_epoch(tip) + 1
    to_epoch: uint256 = convert(report.to_epoch, uint256)
    assert (
        convert(report.from_epoch, uint256) == first_epoch
    ), "epoch_ledger: does not start after the last report"
    assert to_epoch >= first_epoch, "epoch_ledger: ends before it starts"
    assert report.previous == self.head, "epoch_ledger: not on top of the last report"

    rewards: uint256 = report.cumulative_rewards
    assert rewards >= ledger_words._rewards(tip), "epoch_ledger: cumulative rewards fall"
    granted: uint256 = staticcall CONTROLLER.cumulative_budget(report.to_epoch)
    assert (
        rewards <= granted and unsafe_sub(granted, rewards) >= ledger_words._untaken(tip)
    ), "epoch_ledger: rewards over budget"

    report_hash: bytes32 = self._struct_hash(report)
    signers: uint256 = staticcall COMMITTEE.verify(
        convert(ledger_words._disabled(cursor), bytes32), report.to_epoch, report_hash, signatures
    )

    active_at: uint256 = block.timestamp + ACTIVATION_DELAY
    pending: uint256 = ledger_words._pending(cursor)
    if pending != 0:
        assert pending < MAX_PENDING, "epoch_ledger: too many pending reports"
        self._marks[unsafe_sub(reports, 1) % RING] = tip
    self._reward_roots[reports % RING] = report.reward_root
    self.head = report_hash
    self._tip = ledger_words._pack_mark(rewards, unsafe_sub(granted, rewards), to_epoch, active_at)
    self._cursor = ledger_words._posted(cursor, active_at)
    log IEpochLedger.EpochPosted(
        to_epoch=report.to_epoch,
        report_hash=report_hash,
        reward_root=report.reward_root,
        cumulative_rewards=rewards,
        data_hash=report.data_hash,
        signers=signers,
    )


@internal
@view
def _advanced(tip: uint256) -> uint256:
    """
    @param tip mark of the report on top
    @return cursor as of now: reports whose delay has passed since the last write count as
            active
    """
    cursor: uint256 = self._cursor
    pending: uint256 = ledger_words._pending(cursor)
    for _: uint256 in range(pending, bound=MAX_PENDING):
        if block.timestamp < ledger_words._next_active_at(cursor):
            break
        cursor = ledger_words._activated(cursor, self._oldest_pending(cursor, tip))
        pending = unsafe_sub(pending, 1)
        if pending != 0:
            cursor = ledger_words._with_next_active_at(
                cursor, ledger_words._active_at(self._oldest_pending(cursor, tip))
            )
    return cursor


@internal
@view
def _oldest_pending(cursor: uint256, tip: uint256) -> uint256:
    """
    @return mark of the pending report that becomes active first
    """
    pending: uint256 = ledger_words._pending(cursor)
    if pending == 1:
        return tip
    # there are never fewer reports than pending ones
    return self._marks[unsafe_sub(ledger_words._reports(cursor), pending) % RING]


@internal
@pure
def _struct_hash(report: IEpochLedger.EpochReport) -> bytes32:
    return keccak256(abi_encode(EPOCH_REPORT_TYPEHASH, report))


@external
def adopt_usage(reports: DynArray[IEpochLedger.EpochReport, MAX_PENDING + 1]) -> bytes32:
    """
    @notice Let usage be proved against the newest active report from now on; anyone may call.
    @dev Once an epoch, for whoever settles by a leaf; so posting a report pays for no slot
         that nobody may ever use.
    @param reports what was posted, from `head` down to the newest active report
    @return usage_root root of that report
    """
    report: IEpochLedger.EpochReport = self._active_report(reports)
    self.usage_root = report.usage_root
    log IEpochLedger.UsageAdopted(to_epoch=report.to_epoch, usage_root=report.usage_root)
    return report.usage_root


# --- guardian -----------------------------------------------------------------------------


@external
def disable(reports: DynArray[IEpochLedger.EpochReport, MAX_PENDING], reason: String[MAX_REASON]):
    """
    @notice Guardian: take reports off the top that are not active yet. A report goes only
            with all that were posted on top of it, because those build on it.
    @param reports what was posted, from the top down to the one to disable
    @param reason why, for everyone to read
    """
    assert msg.sender == self.guardian, "epoch_ledger: caller is not the guardian"
    assert len(reports) != 0, "epoch_ledger: nothing to disable"
    assert len(reason) != 0, "epoch_ledger: no reason given"
    cursor: uint256 = self._advanced(self._tip)
    head: bytes32 = self.head
    for report: IEpochLedger.EpochReport in reports:
        assert self._struct_hash(report) == head, "epoch_ledger: report is not on top"
        assert ledger_words._pending(cursor) != 0, "epoch_ledger: report is active"
        cursor = ledger_words._popped(cursor)
        log IEpochLedger.EpochDisabled(to_epoch=report.to_epoch, report_hash=head, reason=reason)
        head = report.previous
    self.head = head
    self._tip = self._tip_of(cursor)
    self._cursor = cursor


@internal
@view
def _tip_of(cursor: uint256) -> uint256:
    """
    @return mark of the report that is on top once those above it are gone
    """
    reports: uint256 = ledger_words._reports(cursor)
    if reports == 0:
        return 0
    if ledger_words._pending(cursor) != 0:
        return self._marks[(reports - 1) % RING]
    rewards: uint256 = ledger_words._active_rewards(cursor)
    epoch: uint256 = ledger_words._active_epoch(cursor)
    granted: uint256 = staticcall CONTROLLER.cumulative_budget(convert(epoch, uint64))
    return ledger_words._pack_mark(rewards, granted - rewards, epoch, 0)


# --- owner --------------------------------------------------------------------------------


@external
def set_guardian(guardian: address):
    """
    @notice Owner: name who may disable reports; the zero address means nobody.
    @param guardian the next guardian
    """
    ownable._check_owner()
    self._set_guardian(guardian)


@internal
def _set_guardian(guardian: address):
    log IEpochLedger.GuardianChanged(previous=self.guardian, current=guardian)
    self.guardian = guardian


# --- views --------------------------------------------------------------------------------


@external
@view
def active_rewards() -> (bytes32, uint256):
    """
    @notice What claims are proved against: reward root and sum of all leaves, in base units
            of the work token, of the newest active report; zeros before the first.
    """
    cursor: uint256 = self._advanced(self._tip)
    active: uint256 = ledger_words._reports(cursor) - ledger_words._pending(cursor)
    if active == 0:
        return empty(bytes32), 0
    return self._reward_roots[(active - 1) % RING], ledger_words._active_rewards(cursor)


@external
@view
def active_epoch() -> (uint64, bool):
    """
    @notice Last epoch of the newest active report, and whether there is one.
    """
    cursor: uint256 = self._advanced(self._tip)
    return (
        convert(ledger_words._active_epoch(cursor), uint64),
        ledger_words._reports(cursor) != ledger_words._pending(cursor),
    )


@external
@view
def active_report(
    reports: DynArray[IEpochLedger.EpochReport, MAX_PENDING + 1],
) -> IEpochLedger.EpochReport:
    """
    @notice The newest active report, proved by its struct hash: the roots and the hash that
            the ledger keeps in no slot of their own, for whoever wants to rely on them.
    @dev Costs posting nothing, because every report names the one below it.
    @param reports what was posted, from `head` down to the newest active report: that one
           alone where nothing is pending
    """
    return self._active_report(reports)


@internal
@view
def _active_report(
    reports: DynArray[IEpochLedger.EpochReport, MAX_PENDING + 1],
) -> IEpochLedger.EpochReport:
    cursor: uint256 = self._advanced(self._tip)
    pending: uint256 = ledger_words._pending(cursor)
    assert ledger_words._reports(cursor) != pending, "epoch_ledger: no report is active"
    assert len(reports) > pending, "epoch_ledger: last report given is still pending"
    assert len(reports) == pending + 1, "epoch_ledger: reports below the newest active one"
    expected: bytes32 = self.head
    for report: IEpochLedger.EpochReport in reports:
        assert self._struct_hash(report) == expected, "epoch_ledger: reports do not lead from head"
        expected = report.previous
    return reports[pending]


@external
@view
def last_epoch() -> (uint64, bool):
    """
    @notice Last epoch of the report on top, and whether there is one.
    """
    return (
        convert(ledger_words._to_epoch(self._tip), uint64),
        ledger_words._reports(self._cursor) != 0,
    )


@external
@view
def pending_count() -> uint256:
    """
    @notice Number of reports on top that are not active yet.
    """
    return ledger_words._pending(self._advanced(self._tip))


@external
@view
def disabled_count() -> uint256:
    """
    @notice Number of reports ever disabled: the subject of the next report.
    """
    return ledger_words._disabled(self._cursor)


@external
@view
def report_hash(report: IEpochLedger.EpochReport) -> bytes32:
    """
    @notice EIP-712 struct hash of a report, the payload the committee signs.
    @param report any report
    """
    return self._struct_hash(report)


@external
@view
def is_usage_leaf(
    kind: uint8, key: bytes32, amount: uint256, proof: DynArray[bytes32, merkle.MAX_PROOF]
) -> bool:
    """
    @notice Whether a leaf is in the adopted usage root.
    @param kind what the leaf is about
    @param key whom it is about
    @param amount what it says
    @param proof siblings from the leaf up to the root
    """
    return merkle._root(merkle._leaf(self, kind, key, amount), proof) == self.usage_root
