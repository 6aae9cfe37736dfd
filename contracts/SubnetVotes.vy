# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Subnet votes
@license Apache-2.0
@author Clearwork
@notice Stake votes on the subnets' shares of the emission: a provider's owner with its self-bond, a
        delegator with its delegation. A vote counts in the epoch in which it is cast and in the
        next ones, `VOTE_EPOCHS` in all, and can be changed at any time.

        Stake that has voted can't stand anywhere else before its vote is over, because it has to
        thaw for at least as long; and where a self-bond changes hands with its provider, the vote
        of its new owner ends the vote of the one before. So no stake votes twice, and a vote
        weighs what was there when it was cast.
@dev Votes are kept as what begins and what ends in an epoch, so that casting one costs the same
     however long it counts, and taking them one addition a subnet and epoch.
     Rounding: each choice's part of the stake is rounded down; what a vote loses votes for
     nobody. Two exceptions to one vote a token: what a slash burns goes on voting until its vote
     is over, and what it pays a victim can vote there too.

     Trust: who holds CONTROLLER takes the votes, an epoch each in turn. No money is here.
@custom:security security@clearwork.example
@custom:kill The owner empties CONTROLLER: nobody takes votes any more.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IProviderRegistry
from .interfaces import IProviderStaking
from .interfaces import ISubnetRegistry
from .interfaces import ISubnetVotes
from .modules import delayed_roles
from .modules import epoch_clock

implements: ISubnetVotes

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: delayed_roles[ownable := ownable]
initializes: epoch_clock

exports: (
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
    # roles
    delayed_roles.ROLE_CHANGE_DELAY,
    delayed_roles.role_holder,
    delayed_roles.pending_role,
    delayed_roles.set_role,
    delayed_roles.apply_role,
    # clock
    epoch_clock.GENESIS,
    epoch_clock.EPOCH_LENGTH,
    epoch_clock.current_epoch,
)


# modules/epoch_clock.vy, on the subnet registry
interface Clock:
    def GENESIS() -> uint256: view
    def EPOCH_LENGTH() -> uint256: view


interface Staking:
    def UNBONDING_PERIOD() -> uint256: view
    def PROVIDERS() -> address: view


interface Controller:
    def next_epoch() -> uint64: view


# the vote of a holder with its stake behind a provider
struct Vote:
    # base units
    stake: uint128
    # first epoch in which it counts no longer, 0 for no vote
    to_epoch: uint64


# role that takes the votes
CONTROLLER: public(constant(bytes32)) = keccak256("CONTROLLER")

MAX_CHOICES: constant(uint256) = 8
# subnets, and the market at large
MAX_GAUGES: constant(uint256) = 65
# epochs one call of `skip` passes over at most
MAX_SKIP: public(constant(uint256)) = 64
BPS: constant(uint256) = 10_000
MASK_16: constant(uint256) = 2**16 - 1

STAKING: public(immutable(IProviderStaking))
# knows the providers' owners
PROVIDERS: public(immutable(IProviderRegistry))
SUBNETS: public(immutable(ISubnetRegistry))
# epochs for which a vote counts
VOTE_EPOCHS: public(immutable(uint64))

# provider => holder => its vote
vote_of: public(HashMap[uint24, HashMap[address, Vote]])
# provider => holder => subnet 16 | bps 16, eight times
_choices: HashMap[uint24, HashMap[address, uint256]]
# provider => owner that voted last, in whose vote the self-bond is
bond_voter: public(HashMap[uint24, address])
# subnet => epoch => stake that begins to count, and stake that counts no longer
_begins: HashMap[uint16, HashMap[uint64, uint256]]
_ends: HashMap[uint16, HashMap[uint64, uint256]]
# subnet => stake that counted in the epoch taken last
_counted: HashMap[uint16, uint256]
# first epoch whose votes were not taken
next_epoch: public(uint64)


@deploy
def __init__(
    staking: Staking, subnets: ISubnetRegistry, vote_epochs: uint64, role_change_delay: uint256
):
    """
    @param staking where stake stands
    @param subnets what can be voted for; its clock is also this contract's
    @param vote_epochs epochs for which a vote counts; no longer than stake thaws
    @param role_change_delay seconds between scheduling and applying a change of a role
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    assert staking.address != empty(address), "subnet_votes: no staking"
    assert subnets.address != empty(address), "subnet_votes: no subnets"
    clock: Clock = Clock(subnets.address)
    epoch_clock.__init__(staticcall clock.GENESIS(), staticcall clock.EPOCH_LENGTH())
    assert vote_epochs != 0, "subnet_votes: votes that never count"
    assert (
        convert(vote_epochs, uint256) * epoch_clock.EPOCH_LENGTH
        <= staticcall staking.UNBONDING_PERIOD()
    ), "subnet_votes: votes outlast stake"
    STAKING = IProviderStaking(staking.address)
    PROVIDERS = IProviderRegistry(staticcall staking.PROVIDERS())
    SUBNETS = subnets
    VOTE_EPOCHS = vote_epochs
    self.next_epoch = epoch_clock._current_epoch()


@external
def vote(provider: uint24, choices: DynArray[ISubnetVotes.Choice, MAX_CHOICES]):
    """
    @notice Vote with the caller's stake behind a provider, in place of its vote before. The
            provider's owner ends the vote of the owner before it, whose delegation can vote
            again.
    @param provider where the stake stands
    @param choices subnets, ascending, 0 for the market at large, and their parts, 10 000 bps in
           all; none to end the vote
    """
    epoch: uint64 = epoch_clock._current_epoch()
    self._end(provider, msg.sender, epoch)
    stake: uint256 = 0
    packed: uint256 = 0
    to_epoch: uint64 = 0
    if len(choices) != 0:
        stake = staticcall STAKING.stake_at(provider, msg.sender, epoch)
        assert stake != 0, "subnet_votes: no stake"
        self._take_over_bond(provider, epoch)
        to_epoch = epoch + VOTE_EPOCHS
        packed = self._begin(choices, stake, epoch, to_epoch)
    self.vote_of[provider][msg.sender] = Vote(stake=convert(stake, uint128), to_epoch=to_epoch)
    self._choices[provider][msg.sender] = packed
    log ISubnetVotes.Voted(
        provider=provider,
        holder=msg.sender,
        stake=stake,
        from_epoch=epoch,
        to_epoch=to_epoch,
        choices=choices,
    )


@internal
def _take_over_bond(provider: uint24, epoch: uint64):
    """
    @dev The self-bond is in one vote: that of the owner who voted last, as `stake_at` counts it.
    """
    previous: address = self.bond_voter[provider]
    if previous == msg.sender or not staticcall PROVIDERS.owns_since(
        provider, msg.sender, epoch_clock._start_of(epoch)
    ):
        return
    self.bond_voter[provider] = msg.sender
    if self.vote_of[provider][previous].to_epoch <= epoch:
        return
    self._end(provider, previous, epoch)
    self.vote_of[provider][previous] = empty(Vote)
    self._choices[provider][previous] = 0
    log ISubnetVotes.Voted(
        provider=provider, holder=previous, stake=0, from_epoch=epoch, to_epoch=0, choices=[]
    )


@internal
def _begin(
    choices: DynArray[ISubnetVotes.Choice, MAX_CHOICES],
    stake: uint256,
    epoch: uint64,
    to_epoch: uint64,
) -> uint256:
    """
    @return packed the choices as they are kept
    """
    subnets: uint16 = staticcall SUBNETS.subnet_count()
    packed: uint256 = 0
    total: uint256 = 0
    above: uint256 = 0
    bits: uint256 = 0
    for choice: ISubnetVotes.Choice in choices:
        subnet: uint256 = convert(choice.subnet, uint256)
        bps: uint256 = convert(choice.bps, uint256)
        assert subnet >= above, "subnet_votes: choices not ascending"
        assert choice.subnet <= subnets, "subnet_votes: no such subnet"
        assert bps != 0, "subnet_votes: choice of nothing"
        above = subnet + 1
        total += bps
        packed |= ((subnet << 16) | bps) << bits
        bits += 32
        part: uint256 = stake * bps // BPS
        self._begins[choice.subnet][epoch] += part
        self._ends[choice.subnet][to_epoch] += part
    assert total == BPS, "subnet_votes: choices are not 10 000 bps"
    return packed


@internal
def _end(provider: uint24, holder: address, epoch: uint64):
    """
    @dev Lets a vote end now instead of later; every epoch before keeps what it had.
    """
    known: Vote = self.vote_of[provider][holder]
    if known.to_epoch <= epoch:
        return
    stake: uint256 = convert(known.stake, uint256)
    packed: uint256 = self._choices[provider][holder]
    for _: uint256 in range(MAX_CHOICES):
        if packed == 0:
            break
        subnet: uint16 = convert((packed >> 16) & MASK_16, uint16)
        part: uint256 = stake * (packed & MASK_16) // BPS
        self._ends[subnet][epoch] += part
        self._ends[subnet][known.to_epoch] -= part
        packed >>= 32


@external
def take(epoch: uint64) -> DynArray[uint256, MAX_GAUGES]:
    """
    @notice CONTROLLER: the votes that count in an epoch that has ended; the next one every time.
    @param epoch `next_epoch`
    @return votes base units of stake, of the market at large and then of every subnet
    """
    delayed_roles._check_role(CONTROLLER)
    assert epoch == self.next_epoch, "subnet_votes: not the next epoch"
    assert epoch < epoch_clock._current_epoch(), "subnet_votes: epoch has not ended"
    return self._take(epoch)


@internal
def _take(epoch: uint64) -> DynArray[uint256, MAX_GAUGES]:
    self.next_epoch = epoch + 1
    votes: DynArray[uint256, MAX_GAUGES] = []
    for subnet: uint16 in range(staticcall SUBNETS.subnet_count() + 1, bound=65):
        counted: uint256 = self._counted[subnet]
        begins: uint256 = self._begins[subnet][epoch]
        ends: uint256 = self._ends[subnet][epoch]
        if begins != ends:
            # what ends in an epoch began in it or before
            counted = counted + begins - ends
            self._counted[subnet] = counted
        votes.append(counted)
    return votes


@external
def skip(max_epochs: uint256) -> uint256:
    """
    @notice Pass over epochs that the controller has pressed without their votes, because it did
            not ask for them yet or got no answer. Anyone may call; until then it can't take the
            votes of later epochs.
    @param max_epochs epochs to pass over at most; more than `MAX_SKIP` means that many
    @return skipped number of epochs, at least 1
    """
    controller: Controller = Controller(delayed_roles.role_holder[CONTROLLER])
    assert controller.address != empty(address), "subnet_votes: no controller"
    epoch: uint64 = self.next_epoch
    # what is pressed has ended
    pressed: uint64 = staticcall controller.next_epoch()
    behind: uint256 = convert(pressed - min(pressed, epoch), uint256)
    count: uint256 = min(min(max_epochs, MAX_SKIP), behind)
    assert count != 0, "subnet_votes: nothing to skip"
    for _: uint256 in range(count, bound=MAX_SKIP):
        self._take(epoch)
        epoch += 1
    return count


@external
@view
def choices_of(provider: uint24, holder: address) -> DynArray[ISubnetVotes.Choice, MAX_CHOICES]:
    """
    @notice What a holder has voted for; its vote may be over.
    @param provider where the stake stands
    @param holder who votes with it
    """
    choices: DynArray[ISubnetVotes.Choice, MAX_CHOICES] = []
    packed: uint256 = self._choices[provider][holder]
    for _: uint256 in range(MAX_CHOICES):
        if packed == 0:
            break
        choices.append(
            ISubnetVotes.Choice(
                subnet=convert((packed >> 16) & MASK_16, uint16),
                bps=convert(packed & MASK_16, uint16),
            )
        )
        packed >>= 32
    return choices
