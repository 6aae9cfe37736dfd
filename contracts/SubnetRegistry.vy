# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Subnet registry
@license Apache-2.0
@author Clearwork
@notice Subnets, the providers that hold a place (uid) in them, what validators among these think
        of the others, and how stake votes on the subnets' shares of the emission.

        A place is bought at a price that every sale raises and that falls back; the tokens are
        burnt. In a full subnet the next of those that the committee's last report says leaves
        makes room: the lowest by (emission, registration, uid) outside immunity.

        Validators show their weights in two steps: the hash in one epoch, the row some epochs
        later. Who copies rows copies old ones.
@dev Consensus itself is computed outside, from the state and the logs of a block
     (oracle/domain/consensus); its results come back as a leaf of the epoch report. A row counts
     as of its commit: who registered later is not judged by it.

     Trust: the committee, through the LEDGER's active report, says who leaves and what an owner
     kept; a subnet's owner sets its parameters, within bounds and `PARAMETER_EPOCHS` in
     advance. Nobody owns this contract, and no money stays here.
@custom:security security@clearwork.example
@custom:kill With a ledger that activates nothing, nobody is replaced. Emission follows no subnet
             once the controller takes no votes for it.
"""

from .interfaces import IEpochLedger
from .interfaces import IProviderRegistry
from .interfaces import IProviderStaking
from .interfaces import ISubnetRegistry
from .modules import epoch_clock
from .modules import merkle
from .modules import rising_price
from .modules import subnet_words

implements: ISubnetRegistry

initializes: epoch_clock

exports: (
    epoch_clock.GENESIS,
    epoch_clock.EPOCH_LENGTH,
    epoch_clock.current_epoch,
)


interface Token:
    def burn_from(owner: address, amount: uint256): nonpayable


# modules/epoch_clock.vy, on the epoch ledger
interface Clock:
    def GENESIS() -> uint256: view
    def EPOCH_LENGTH() -> uint256: view


interface Staking:
    def PROVIDERS() -> address: view
    def TOKEN() -> address: view


# a price, and how it moves
struct Price:
    # base units
    floor: uint256
    # by which a sale raises it, in bps
    factor_bps: uint256
    # seconds in which it falls back to the floor
    period: uint256


MAX_SUBNETS: public(constant(uint16)) = 64
MAX_KIND: constant(uint8) = 4
MAX_UIDS: constant(uint16) = 4_096
MAX_WEIGHTS: constant(uint256) = 256
# uids that a report says leave next
MAX_LEAVING: constant(uint256) = 64
BPS: constant(uint256) = 10_000
MAX_FACTOR_BPS: constant(uint256) = 100_000
MAX_PRICE_PERIOD: constant(uint256) = 365 * 86_400
# leaf of the epoch report about a subnet; the next number after those of oracle/domain/leaves.py
OUTCOME_LEAF: constant(uint8) = 7

TOKEN: public(immutable(Token))
STAKING: public(immutable(IProviderStaking))
PROVIDERS: public(immutable(IProviderRegistry))
LEDGER: public(immutable(IEpochLedger))
# epochs before changed parameters are in force
PARAMETER_EPOCHS: public(immutable(uint256))
SUBNET_FLOOR: public(immutable(uint256))
SUBNET_FACTOR_BPS: public(immutable(uint256))
SUBNET_PERIOD: public(immutable(uint256))
UID_FLOOR: public(immutable(uint256))
UID_FACTOR_BPS: public(immutable(uint256))
UID_PERIOD: public(immutable(uint256))

# newest subnet; they count from 1
subnet_count: public(uint16)
# subnet => who sets its parameters and gets its owner's cut
owner_of_subnet: public(HashMap[uint16, address])
# subnet => who may become that
pending_subnet_owner: public(HashMap[uint16, address])
# subnet => what it is for: 1 inference, 2 training, 3 rendering, 4 anything else
kind_of: public(HashMap[uint16, uint8])
# subnet => parameters in force, and those to come (subnet_words.vy); epoch of these, 0 for none
_rules: HashMap[uint16, uint256]
_consensus: HashMap[uint16, uint256]
_next_rules: HashMap[uint16, uint256]
_next_consensus: HashMap[uint16, uint256]
next_parameters_epoch: public(HashMap[uint16, uint64])

# subnet => places ever taken
uid_count: public(HashMap[uint16, uint16])
# subnet => uid => its holder (subnet_words.vy)
_neurons: HashMap[uint16, HashMap[uint16, uint256]]
# subnet => provider => its uid and 1; 0 for none
_place_of: HashMap[uint16, HashMap[uint24, uint256]]
# last sale (rising_price.vy), of a subnet and, by subnet, of a uid
_subnet_sale: uint256
_uid_sale: HashMap[uint16, uint256]

# subnet => uid => hash that waits for its reveal
commit_of: public(HashMap[uint16, HashMap[uint16, bytes32]])
# subnet => uid => keccak of the row of weights that counts
weights_hash: public(HashMap[uint16, HashMap[uint16, bytes32]])

# subnet => epoch that the newest adopted outcome is of, and 1; 0 for none
_outcome_epoch: HashMap[uint16, uint256]
# subnet => uids that leave next, 16 bits each, the first in the lowest bits
_leaving: HashMap[uint16, uint256[4]]
_leaving_count: HashMap[uint16, uint256]
_left: HashMap[uint16, uint256]
# subnet => share of its miners' emission that its owner kept or burnt, as last adopted
withheld_bps: public(HashMap[uint16, uint16])


@deploy
def __init__(
    staking: Staking,
    ledger: IEpochLedger,
    parameter_epochs: uint256,
    subnet_price: Price,
    uid_price: Price,
):
    """
    @param staking where providers hold their stake
    @param ledger whose active report says who leaves; its clock is also this contract's
    @param parameter_epochs epochs before changed parameters are in force, 1 to 10 000
    @param subnet_price of a subnet
    @param uid_price of a place in one
    """
    assert staking.address != empty(address), "subnet_registry: no staking"
    assert ledger.address != empty(address), "subnet_registry: no ledger"
    clock: Clock = Clock(ledger.address)
    epoch_clock.__init__(staticcall clock.GENESIS(), staticcall clock.EPOCH_LENGTH())
    assert (
        parameter_epochs != 0 and parameter_epochs <= 10_000
    ), "subnet_registry: parameter delay out of bounds"
    self._check_price(subnet_price)
    self._check_price(uid_price)
    TOKEN = Token(staticcall staking.TOKEN())
    STAKING = IProviderStaking(staking.address)
    PROVIDERS = IProviderRegistry(staticcall staking.PROVIDERS())
    LEDGER = ledger
    PARAMETER_EPOCHS = parameter_epochs
    SUBNET_FLOOR = subnet_price.floor
    SUBNET_FACTOR_BPS = subnet_price.factor_bps
    SUBNET_PERIOD = subnet_price.period
    UID_FLOOR = uid_price.floor
    UID_FACTOR_BPS = uid_price.factor_bps
    UID_PERIOD = uid_price.period


@internal
@pure
def _check_price(price: Price):
    assert (
        price.floor != 0 and price.floor <= rising_price.MAX_PRICE
    ), "subnet_registry: price floor out of bounds"
    assert (
        price.factor_bps >= BPS and price.factor_bps <= MAX_FACTOR_BPS
    ), "subnet_registry: price factor out of bounds"
    assert (
        price.period != 0 and price.period <= MAX_PRICE_PERIOD
    ), "subnet_registry: price period out of bounds"


# --- subnets --------------------------------------------------------------------------------


@external
def create(
    kind: uint8,
    rules: ISubnetRegistry.Rules,
    consensus: ISubnetRegistry.Consensus,
    max_price: uint256,
) -> uint16:
    """
    @notice Create a subnet that the caller owns. Burns its price from the caller.
    @param kind what it is for: 1 inference, 2 training, 3 rendering, 4 anything else
    @param rules that this contract applies
    @param consensus numbers that consensus reads
    @param max_price base units that the caller pays at most
    @return subnet its number, counted from 1
    """
    assert kind != 0 and kind <= MAX_KIND, "subnet_registry: no such kind"
    self._check_rules(rules)
    self._check_consensus(consensus)
    subnet: uint16 = self.subnet_count + 1
    assert subnet <= MAX_SUBNETS, "subnet_registry: too many subnets"
    price: uint256 = self._subnet_price()
    assert price <= max_price, "subnet_registry: price above the maximum"
    self.subnet_count = subnet
    self.kind_of[subnet] = kind
    self.owner_of_subnet[subnet] = msg.sender
    self._rules[subnet] = subnet_words._pack_rules(rules)
    self._consensus[subnet] = subnet_words._pack_consensus(consensus)
    self._subnet_sale = rising_price._sold(price, SUBNET_FACTOR_BPS)
    log ISubnetRegistry.SubnetCreated(subnet=subnet, owner=msg.sender, kind=kind, burnt=price)
    log ISubnetRegistry.ParametersChanged(
        subnet=subnet, epoch=epoch_clock._current_epoch(), rules=rules, consensus=consensus
    )
    extcall TOKEN.burn_from(msg.sender, price)
    return subnet


@internal
@pure
def _check_rules(rules: ISubnetRegistry.Rules):
    assert (
        rules.max_uids != 0 and rules.max_uids <= MAX_UIDS
    ), "subnet_registry: places out of bounds"
    assert (
        rules.immunity_epochs != 0 and rules.immunity_epochs <= 10_000
    ), "subnet_registry: immunity out of bounds"
    assert (
        rules.min_weights != 0 and rules.min_weights <= 64
    ), "subnet_registry: least weights out of bounds"
    assert (
        rules.commit_interval != 0 and rules.commit_interval <= 1_000
    ), "subnet_registry: commit interval out of bounds"
    assert (
        rules.reveal_delay != 0 and rules.reveal_delay <= 100
    ), "subnet_registry: reveal delay out of bounds"
    assert (
        rules.reveal_window != 0 and rules.reveal_window <= 100
    ), "subnet_registry: reveal window out of bounds"


@internal
@pure
def _check_consensus(numbers: ISubnetRegistry.Consensus):
    assert (
        numbers.max_validators != 0 and numbers.max_validators <= 256
    ), "subnet_registry: validators out of bounds"
    # the largest number below a half in 1/65 535, which is what a majority needs more than
    assert numbers.kappa >= 32_767, "subnet_registry: kappa below a half"
    assert (
        numbers.bonds_moving_average <= 1_000_000
    ), "subnet_registry: moving average out of bounds"
    assert numbers.yuma == 2 or numbers.yuma == 3, "subnet_registry: no such consensus"
    assert numbers.alpha_low <= numbers.alpha_high, "subnet_registry: alpha not ascending"
    assert (
        numbers.alpha_steepness != 0 and numbers.alpha_steepness <= 10_000
    ), "subnet_registry: steepness out of bounds"
    assert numbers.activity_cutoff != 0, "subnet_registry: no activity cutoff"
    assert numbers.owner_cut_bps <= 1_800, "subnet_registry: owner's cut out of bounds"


@external
def change_parameters(
    subnet: uint16, rules: ISubnetRegistry.Rules, consensus: ISubnetRegistry.Consensus
):
    """
    @notice Owner of a subnet: change its parameters, in force `PARAMETER_EPOCHS` from now. A change
            that is not in force yet is replaced.
    @param subnet number of the subnet
    @param rules that this contract applies; places are never lowered
    @param consensus numbers that consensus reads
    """
    self._check_subnet_owner(subnet)
    self._check_rules(rules)
    self._check_consensus(consensus)
    epoch: uint64 = epoch_clock._current_epoch()
    known: uint256 = self._rules_at(subnet, epoch)
    assert rules.max_uids >= subnet_words._rules(known).max_uids, "subnet_registry: fewer places"
    # what has come into force meanwhile stays until the new ones are
    self._rules[subnet] = known
    self._consensus[subnet] = self._consensus_at(subnet, epoch)
    self._next_rules[subnet] = subnet_words._pack_rules(rules)
    self._next_consensus[subnet] = subnet_words._pack_consensus(consensus)
    epoch += convert(PARAMETER_EPOCHS, uint64)
    self.next_parameters_epoch[subnet] = epoch
    log ISubnetRegistry.ParametersChanged(
        subnet=subnet, epoch=epoch, rules=rules, consensus=consensus
    )


@internal
@view
def _check_subnet_owner(subnet: uint16):
    assert msg.sender == self.owner_of_subnet[subnet], "subnet_registry: caller is not the owner"


@internal
@view
def _rules_at(subnet: uint16, epoch: uint64) -> uint256:
    next_epoch: uint64 = self.next_parameters_epoch[subnet]
    if next_epoch != 0 and epoch >= next_epoch:
        return self._next_rules[subnet]
    return self._rules[subnet]


@internal
@view
def _consensus_at(subnet: uint16, epoch: uint64) -> uint256:
    next_epoch: uint64 = self.next_parameters_epoch[subnet]
    if next_epoch != 0 and epoch >= next_epoch:
        return self._next_consensus[subnet]
    return self._consensus[subnet]


@external
def name_subnet_owner(subnet: uint16, account: address):
    """
    @notice Owner of a subnet: name who may take it over; the zero address takes that back.
    @param subnet number of the subnet
    @param account the next owner
    """
    self._check_subnet_owner(subnet)
    self.pending_subnet_owner[subnet] = account
    log ISubnetRegistry.SubnetOwnerNamed(subnet=subnet, pending=account)


@external
def accept_subnet(subnet: uint16):
    """
    @notice Take over a subnet, as whom its owner has named.
    @param subnet number of the subnet
    """
    assert (
        msg.sender == self.pending_subnet_owner[subnet]
    ), "subnet_registry: caller is not the next owner"
    self.pending_subnet_owner[subnet] = empty(address)
    previous: address = self.owner_of_subnet[subnet]
    self.owner_of_subnet[subnet] = msg.sender
    log ISubnetRegistry.SubnetOwnerChanged(subnet=subnet, previous=previous, current=msg.sender)


# --- places ---------------------------------------------------------------------------------


@external
def register(subnet: uint16, provider: uint24, max_price: uint256) -> uint16:
    """
    @notice Buy a provider a place in a subnet. Burns its price from the caller, who speaks for
            the provider.
    @param subnet number of the subnet
    @param provider who gets the place; one place a subnet
    @param max_price base units that the caller pays at most
    @return uid the place
    """
    assert staticcall PROVIDERS.speaks_for(
        provider, msg.sender
    ), "subnet_registry: not the provider"
    self._check_subnet(subnet)
    assert self._place_of[subnet][provider] == 0, "subnet_registry: has a place"
    assert not staticcall STAKING.is_jailed(provider), "subnet_registry: provider is jailed"
    price: uint256 = self._uid_price(subnet)
    assert price <= max_price, "subnet_registry: price above the maximum"
    epoch: uint64 = epoch_clock._current_epoch()
    rules: ISubnetRegistry.Rules = subnet_words._rules(self._rules_at(subnet, epoch))

    uid: uint16 = self.uid_count[subnet]
    replaced: uint24 = 0
    if uid < rules.max_uids:
        self.uid_count[subnet] = uid + 1
    else:
        uid = self._vacate(subnet, epoch, rules.immunity_epochs)
        replaced = subnet_words._neuron(self._neurons[subnet][uid]).provider
        self._place_of[subnet][replaced] = 0
        self.commit_of[subnet][uid] = empty(bytes32)
        self.weights_hash[subnet][uid] = empty(bytes32)
    self._place_of[subnet][provider] = convert(uid, uint256) + 1
    self._neurons[subnet][uid] = subnet_words._pack_neuron(
        ISubnetRegistry.Neuron(
            provider=provider,
            registered_at=convert(block.timestamp, uint64),
            registered_epoch=epoch,
            weights_at=0,
            committed_at=0,
            committed_epoch=0,
        )
    )
    self._uid_sale[subnet] = rising_price._sold(price, UID_FACTOR_BPS)
    log ISubnetRegistry.Registered(
        subnet=subnet, provider=provider, uid=uid, replaced=replaced, burnt=price
    )
    extcall TOKEN.burn_from(msg.sender, price)
    return uid


@internal
@view
def _check_subnet(subnet: uint16):
    assert subnet != 0 and subnet <= self.subnet_count, "subnet_registry: no such subnet"


@internal
def _vacate(subnet: uint16, epoch: uint64, immunity_epochs: uint16) -> uint16:
    """
    @return uid the next that leaves: those that were replaced since the report are immune again
    """
    count: uint256 = self._leaving_count[subnet]
    for place: uint256 in range(self._left[subnet], count, bound=MAX_LEAVING):
        word: uint256 = self._leaving[subnet][place // 16]
        uid: uint16 = convert((word >> (16 * (place % 16))) & subnet_words.MASK_16, uint16)
        since: uint64 = subnet_words._neuron(self._neurons[subnet][uid]).registered_epoch
        if epoch >= since + convert(immunity_epochs, uint64):
            self._left[subnet] = place + 1
            return uid
    raise "subnet_registry: subnet is full"


@external
def adopt_outcome(
    subnet: uint16,
    epoch: uint64,
    withheld_bps: uint16,
    leaving: DynArray[uint16, MAX_LEAVING],
    proof: DynArray[bytes32, merkle.MAX_PROOF],
):
    """
    @notice Take over what the active epoch report says of a subnet; anyone may call.
    @param subnet number of the subnet
    @param epoch the report's last, newer than the one adopted before
    @param withheld_bps share of its miners' emission that its owner kept or burnt
    @param leaving uids in the order in which they leave
    @param proof siblings from the leaf up to the report's reward root
    """
    self._check_subnet(subnet)
    assert (
        convert(epoch, uint256) >= self._outcome_epoch[subnet]
    ), "subnet_registry: outcome is not newer"
    assert withheld_bps <= convert(BPS, uint16), "subnet_registry: withheld share out of bounds"
    content: bytes32 = keccak256(abi_encode(epoch, withheld_bps, leaving))
    leaf: bytes32 = merkle._leaf(
        self, OUTCOME_LEAF, convert(subnet, bytes32), convert(content, uint256)
    )
    root: bytes32 = empty(bytes32)
    rewards: uint256 = 0
    root, rewards = staticcall LEDGER.active_rewards()
    assert merkle._root(leaf, proof) == root, "subnet_registry: not in the active report"

    words: uint256[4] = empty(uint256[4])
    place: uint256 = 0
    uids: uint16 = self.uid_count[subnet]
    for uid: uint16 in leaving:
        assert uid < uids, "subnet_registry: no such uid"
        words[place // 16] |= convert(uid, uint256) << (16 * (place % 16))
        place += 1
    self._outcome_epoch[subnet] = convert(epoch, uint256) + 1
    self.withheld_bps[subnet] = withheld_bps
    self._leaving[subnet] = words
    self._leaving_count[subnet] = place
    self._left[subnet] = 0
    log ISubnetRegistry.OutcomeAdopted(
        subnet=subnet, epoch=epoch, withheld_bps=withheld_bps, leaving=leaving
    )


# --- weights --------------------------------------------------------------------------------


@external
def commit_weights(subnet: uint16, provider: uint24, commit: bytes32):
    """
    @notice Commit a validator to a row of weights, as who speaks for it. A commit that was not
            revealed in time is replaced.
    @param subnet number of the subnet
    @param provider the validator
    @param commit what `weights_commit` returns for the row
    """
    uid: uint16 = self._validator(subnet, provider)
    epoch: uint64 = epoch_clock._current_epoch()
    rules: ISubnetRegistry.Rules = subnet_words._rules(self._rules_at(subnet, epoch))
    assert staticcall STAKING.slashable(provider) >= convert(
        rules.min_stake, uint256
    ), "subnet_registry: too little stake"
    neuron: ISubnetRegistry.Neuron = subnet_words._neuron(self._neurons[subnet][uid])
    if neuron.committed_at != 0:
        assert epoch >= neuron.committed_epoch + convert(
            rules.commit_interval, uint64
        ), "subnet_registry: committed too recently"
        assert (
            self.commit_of[subnet][uid] == empty(bytes32)
            or epoch >= self._reveal_end(neuron.committed_epoch, rules)
        ), "subnet_registry: a commit waits for its reveal"
    assert commit != empty(bytes32), "subnet_registry: no commit"
    neuron.committed_at = convert(block.timestamp, uint64)
    neuron.committed_epoch = epoch
    self._neurons[subnet][uid] = subnet_words._pack_neuron(neuron)
    self.commit_of[subnet][uid] = commit
    log ISubnetRegistry.WeightsCommitted(
        subnet=subnet, provider=provider, uid=uid, epoch=epoch, commit=commit
    )


@internal
@view
def _validator(subnet: uint16, provider: uint24) -> uint16:
    """
    @return uid of a provider that the caller speaks for
    """
    assert staticcall PROVIDERS.speaks_for(
        provider, msg.sender
    ), "subnet_registry: not the provider"
    place: uint256 = self._place_of[subnet][provider]
    assert place != 0, "subnet_registry: has no place"
    return convert(place - 1, uint16)


@internal
@pure
def _reveal_end(committed_epoch: uint64, rules: ISubnetRegistry.Rules) -> uint64:
    """
    @return epoch the first in which a commit can't be revealed any more
    """
    return (
        committed_epoch + convert(rules.reveal_delay, uint64) + convert(rules.reveal_window, uint64)
    )


@external
def reveal_weights(
    subnet: uint16,
    provider: uint24,
    uids: DynArray[uint16, MAX_WEIGHTS],
    weights: DynArray[uint16, MAX_WEIGHTS],
    salt: bytes32,
):
    """
    @notice Show the row that a validator has committed to, as who speaks for it.
    @param subnet number of the subnet
    @param provider the validator
    @param uids whom it judges, ascending
    @param weights what each is worth to it, not 0; only their proportions count
    @param salt that the commit was made with
    """
    uid: uint16 = self._validator(subnet, provider)
    epoch: uint64 = epoch_clock._current_epoch()
    rules: ISubnetRegistry.Rules = subnet_words._rules(self._rules_at(subnet, epoch))
    neuron: ISubnetRegistry.Neuron = subnet_words._neuron(self._neurons[subnet][uid])
    assert (
        self._commit(subnet, provider, uids, weights, salt) == self.commit_of[subnet][uid]
    ), "subnet_registry: not what was committed"
    assert (
        epoch >= neuron.committed_epoch + convert(rules.reveal_delay, uint64)
    ), "subnet_registry: too early to reveal"
    assert (
        epoch < self._reveal_end(neuron.committed_epoch, rules)
    ), "subnet_registry: too late to reveal"
    self._check_row(subnet, uids, weights, rules.min_weights)
    self.commit_of[subnet][uid] = empty(bytes32)
    neuron.weights_at = neuron.committed_at
    self._neurons[subnet][uid] = subnet_words._pack_neuron(neuron)
    self.weights_hash[subnet][uid] = keccak256(abi_encode(uids, weights))
    log ISubnetRegistry.WeightsRevealed(
        subnet=subnet,
        provider=provider,
        uid=uid,
        committed_at=neuron.committed_at,
        uids=uids,
        weights=weights,
    )


@internal
@view
def _check_row(
    subnet: uint16,
    uids: DynArray[uint16, MAX_WEIGHTS],
    weights: DynArray[uint16, MAX_WEIGHTS],
    min_weights: uint16,
):
    count: uint256 = len(uids)
    assert len(weights) == count, "subnet_registry: uids and weights differ in number"
    # a young subnet has fewer uids than a row needs entries
    least: uint16 = min(min_weights, self.uid_count[subnet] - 1)
    assert count >= convert(max(least, 1), uint256), "subnet_registry: too few weights"
    above: uint256 = 0
    for i: uint256 in range(count, bound=MAX_WEIGHTS):
        place: uint256 = convert(uids[i], uint256)
        assert place >= above, "subnet_registry: uids not ascending"
        assert weights[i] != 0, "subnet_registry: weight of nothing"
        above = place + 1
    assert above <= convert(self.uid_count[subnet], uint256), "subnet_registry: no such uid"


@internal
@view
def _commit(
    subnet: uint16,
    provider: uint24,
    uids: DynArray[uint16, MAX_WEIGHTS],
    weights: DynArray[uint16, MAX_WEIGHTS],
    salt: bytes32,
) -> bytes32:
    return keccak256(abi_encode(chain.id, self, subnet, provider, uids, weights, salt))


# --- views ----------------------------------------------------------------------------------


@external
@view
def parameters(subnet: uint16) -> (ISubnetRegistry.Rules, ISubnetRegistry.Consensus):
    """
    @notice Parameters in force in the current epoch; all zero for no subnet.
    @param subnet number of the subnet
    """
    epoch: uint64 = epoch_clock._current_epoch()
    return (
        subnet_words._rules(self._rules_at(subnet, epoch)),
        subnet_words._consensus(self._consensus_at(subnet, epoch)),
    )


@external
@view
def neuron(subnet: uint16, uid: uint16) -> ISubnetRegistry.Neuron:
    """
    @notice Who holds a place; all zero where nobody does.
    @param subnet number of the subnet
    @param uid the place
    """
    return subnet_words._neuron(self._neurons[subnet][uid])


@external
@view
def uid_of(subnet: uint16, provider: uint24) -> (uint16, bool):
    """
    @notice The place of a provider, and whether it has one.
    @param subnet number of the subnet
    @param provider any provider
    """
    place: uint256 = self._place_of[subnet][provider]
    if place == 0:
        return 0, False
    return convert(place - 1, uint16), True


@external
@view
def outcome_epoch(subnet: uint16) -> (uint64, bool):
    """
    @notice Epoch of the newest outcome that was adopted, and whether there is one.
    @param subnet number of the subnet
    """
    known: uint256 = self._outcome_epoch[subnet]
    if known == 0:
        return 0, False
    return convert(known - 1, uint64), True


@external
@view
def subnet_price() -> uint256:
    """
    @notice What a subnet costs now, base units.
    """
    return self._subnet_price()


@internal
@view
def _subnet_price() -> uint256:
    return rising_price._price(self._subnet_sale, SUBNET_FLOOR, SUBNET_PERIOD)


@external
@view
def uid_price(subnet: uint16) -> uint256:
    """
    @notice What a place in a subnet costs now, base units.
    @param subnet number of the subnet
    """
    return self._uid_price(subnet)


@internal
@view
def _uid_price(subnet: uint16) -> uint256:
    return rising_price._price(self._uid_sale[subnet], UID_FLOOR, UID_PERIOD)


@external
@view
def leaving(subnet: uint16) -> DynArray[uint16, MAX_LEAVING]:
    """
    @notice The uids that make room next, in order, if their immunity is over by then.
    @param subnet number of the subnet
    """
    uids: DynArray[uint16, MAX_LEAVING] = []
    count: uint256 = self._leaving_count[subnet]
    for place: uint256 in range(self._left[subnet], count, bound=MAX_LEAVING):
        word: uint256 = self._leaving[subnet][place // 16]
        uids.append(convert((word >> (16 * (place % 16))) & subnet_words.MASK_16, uint16))
    return uids


@external
@view
def weights_commit(
    subnet: uint16,
    provider: uint24,
    uids: DynArray[uint16, MAX_WEIGHTS],
    weights: DynArray[uint16, MAX_WEIGHTS],
    salt: bytes32,
) -> bytes32:
    """
    @notice What a validator commits to before it shows this row.
    @param subnet number of the subnet
    @param provider the validator
    @param uids whom it judges
    @param weights what each is worth to it
    @param salt 32 random bytes: whoever can guess the row must not be able to check the guess
    """
    return self._commit(subnet, provider, uids, weights, salt)
