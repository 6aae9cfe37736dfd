# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Device registry
@license Apache-2.0
@author Clearwork
@notice Which GPUs have proved what they can do, whose they are and until when. Anyone
        enters a `Result` that the committee signed; a provider's capacity is the number
        of its entered devices per class, and its required stake the sum over them.
@dev A physical card has one identity; its device id is keccak256(identity, provider). An
     identity is entered for one provider at a time; the same provider renews it.
     An entry ends `ATTESTATION_PERIOD` after it was made. Nobody has to be there: capacity
     is lowered by whoever calls `expire`, also by the next provider of that card.
     A result is recorded once, and only if its epoch is newer than the device's last one
     and at most `MAX_EPOCH_LAG` behind the newest epoch recorded for any device, so
     results can't be hoarded for later.
     Trust: the committee decides which results exist; the COURT role strikes a device that
     was convicted; the owner adds classes and can neither change nor remove one.
@custom:security security@clearwork.example
@custom:kill With a committee that signs nothing, nothing is entered, and what is entered
             has ended `ATTESTATION_PERIOD` later. No money is here.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.utils import eip712_domain_separator as eip712

from .interfaces import IDeviceRegistry
from .interfaces import IOracleCommittee
from .interfaces import IProviderStaking
from .modules import delayed_roles
from .modules import device_words

implements: IDeviceRegistry

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: delayed_roles[ownable := ownable]
initializes: eip712

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
    # EIP-5267
    eip712.eip712Domain,
)

# role that may strike a device
COURT: public(constant(bytes32)) = keccak256("COURT")
# epochs a result may be behind the newest one recorded
MAX_EPOCH_LAG: public(constant(uint64)) = 3
MAX_SIGNATURES: constant(uint256) = 31 * 65
MAX_ATTESTATION_PERIOD: constant(uint256) = 30 * 86_400
MAX_CLASS_DELAY: constant(uint256) = 365 * 86_400

COMMIT_TYPEHASH: constant(bytes32) = keccak256(
    "Commit(uint24 provider,bytes32 device,uint64 epoch,bytes32 seed,uint32 m,uint32 n,uint32 k,uint16 rounds,bytes32 finalSeed)"
)
RESULT_TYPEHASH: constant(bytes32) = keccak256(
    "Result(uint24 provider,bytes32 device,bytes32 identity,uint16 deviceClass,uint64 opsPerSecond,uint32 memoryMb,uint32 elapsedMs,bytes32 commit,bytes32 openings,bytes32 evidence)"
)

# who signs results
COMMITTEE: public(immutable(IOracleCommittee))
# where providers hold the stake behind their devices
STAKING: public(immutable(IProviderStaking))
# seconds an attestation is good for
ATTESTATION_PERIOD: public(immutable(uint256))
# seconds between adding a class and its first use
CLASS_DELAY: public(immutable(uint256))

# device => its hot state, see device_words.vy; 0 = never entered
_device_words: HashMap[bytes32, uint256]
# device => identity it is bound to
_identity_of: HashMap[bytes32, bytes32]
# device => struct hash of its newest result
_result_of: HashMap[bytes32, bytes32]
# device => hash of its newest identity evidence, 0 for none
_evidence_of: HashMap[bytes32, bytes32]
# identity => the device it was last entered as
device_of_identity: public(HashMap[bytes32, bytes32])
# class => its terms, see device_words.vy; 0 = no such class
_class_words: HashMap[uint16, uint256]
# newest class; classes count from 1
class_count: public(uint16)
# provider => class => entered devices
capacity: public(HashMap[uint24, HashMap[uint16, uint256]])
# provider => base units its entered devices need together
required_stake: public(HashMap[uint24, uint256])
# first epoch after the newest one recorded; 0 before the first record
next_epoch: public(uint64)


@deploy
def __init__(
    committee: IOracleCommittee,
    staking: IProviderStaking,
    attestation_period: uint256,
    class_delay: uint256,
    role_change_delay: uint256,
):
    """
    @param committee who signs results
    @param staking where providers hold their stake
    @param attestation_period seconds an attestation is good for, 1 to 30 days
    @param class_delay seconds between adding a class and its first use, at most a year
    @param role_change_delay seconds a change of a held role must wait
    """
    assert committee.address != empty(address), "device_registry: no committee"
    assert staking.address != empty(address), "device_registry: no staking"
    assert (
        attestation_period != 0 and attestation_period <= MAX_ATTESTATION_PERIOD
    ), "device_registry: attestation period out of bounds"
    assert class_delay <= MAX_CLASS_DELAY, "device_registry: class delay out of bounds"
    COMMITTEE = committee
    STAKING = staking
    ATTESTATION_PERIOD = attestation_period
    CLASS_DELAY = class_delay
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    eip712.__init__("Clearwork", "1")


# --- permissionless -----------------------------------------------------------------------


@external
def record(result: IDeviceRegistry.Result, epoch: uint64, signatures: Bytes[MAX_SIGNATURES]):
    """
    @notice Enter a device, or renew it, for `ATTESTATION_PERIOD` from now.
    @param result what the committee measured
    @param epoch attestation epoch of the result
    @param signatures threshold many, see `IOracleCommittee.verify`
    """
    provider: uint24 = result.provider
    device: bytes32 = result.device
    assert device == keccak256(
        abi_encode(result.identity, provider)
    ), "device_registry: device is not the identity's"
    result_hash: bytes32 = self._result_hash(result)
    signers: uint256 = staticcall COMMITTEE.verify(device, epoch, result_hash, signatures)
    self._check_class(result)

    word: uint256 = self._device_words[device]
    assert (
        word == 0 or epoch > device_words._epoch(word)
    ), "device_registry: attestation is not newer"
    next_epoch: uint64 = self.next_epoch
    if epoch >= next_epoch:
        self.next_epoch = epoch + 1
    else:
        assert epoch + MAX_EPOCH_LAG >= next_epoch - 1, "device_registry: attestation is stale"

    holder: bytes32 = self.device_of_identity[result.identity]
    if holder != device:
        self._take_over(holder)
        self.device_of_identity[result.identity] = device
        self._identity_of[device] = result.identity
    self._strike(word)

    attested_until: uint256 = block.timestamp + ATTESTATION_PERIOD
    self._device_words[device] = device_words._pack_device(result, attested_until, epoch)
    self._result_of[device] = result_hash
    self._evidence_of[device] = result.evidence
    self._enter(provider, result.device_class)
    log IDeviceRegistry.DeviceAttested(
        device=device,
        provider=provider,
        device_class=result.device_class,
        ops_per_second=result.ops_per_second,
        memory_mb=result.memory_mb,
        attested_until=convert(attested_until, uint64),
        result=result_hash,
        epoch=epoch,
        signers=signers,
    )


@internal
@view
def _check_class(result: IDeviceRegistry.Result):
    terms: uint256 = self._class_words[result.device_class]
    assert terms != 0, "device_registry: no such class"
    assert (
        block.timestamp >= device_words._usable_from(terms)
    ), "device_registry: class is not usable yet"
    assert (
        result.ops_per_second >= device_words._min_ops_per_second(terms)
    ), "device_registry: too slow for the class"
    assert (
        result.memory_mb >= device_words._min_memory_mb(terms)
    ), "device_registry: too little memory for the class"


@internal
def _take_over(holder: bytes32):
    """
    @dev Ends the entry that an identity has under another provider, once that has run out.
    """
    word: uint256 = self._device_words[holder]
    attested_until: uint256 = device_words._attested_until(word)
    assert (
        block.timestamp >= attested_until
    ), "device_registry: identity is live with another provider"
    if attested_until != 0:
        self._expire(holder, word)


@internal
def _enter(provider: uint24, device_class: uint16):
    """
    @dev Every class asks for stake, so a provider that doesn't exist fails here too.
    """
    assert not staticcall STAKING.is_jailed(provider), "device_registry: provider is jailed"
    self.capacity[provider][device_class] += 1
    required: uint256 = (
        self.required_stake[provider] + device_words._stake(self._class_words[device_class])
    )
    self.required_stake[provider] = required
    assert (
        staticcall STAKING.slashable(provider) >= required
    ), "device_registry: not enough stake behind the devices"


@internal
def _strike(word: uint256):
    """
    @dev Takes an entered device out of its provider's sums. Class terms never change, so
         what is taken out is what was put in.
    """
    if device_words._attested_until(word) != 0:
        provider: uint24 = device_words._provider(word)
        device_class: uint16 = device_words._class(word)
        self.capacity[provider][device_class] -= 1
        self.required_stake[provider] -= device_words._stake(self._class_words[device_class])


@external
def expire(device: bytes32):
    """
    @notice Lower capacity and required stake by a device whose attestation has run out.
    @param device id of the device
    """
    word: uint256 = self._device_words[device]
    attested_until: uint256 = device_words._attested_until(word)
    assert attested_until != 0, "device_registry: device is not entered"
    assert block.timestamp >= attested_until, "device_registry: device is live"
    self._expire(device, word)


@internal
def _expire(device: bytes32, word: uint256):
    self._strike(word)
    self._device_words[device] = device_words._not_entered(word)
    log IDeviceRegistry.DeviceExpired(device=device, provider=device_words._provider(word))


# --- owner --------------------------------------------------------------------------------


@external
def add_class(
    min_ops_per_second: uint64, min_memory_mb: uint32, stake_per_device: uint256
) -> uint16:
    """
    @notice Owner: add a device class. Until the first attestation is recorded a class is
            usable at once, so that a deployment can set up; afterwards after `CLASS_DELAY`.
    @param min_ops_per_second least int8 operations per second, not 0
    @param min_memory_mb least memory
    @param stake_per_device base units a provider needs behind each device, not 0
    @return device_class number of the new class, counted from 1
    """
    ownable._check_owner()
    assert min_ops_per_second != 0, "device_registry: class without floor"
    assert (
        stake_per_device != 0 and stake_per_device <= device_words.MAX_STAKE
    ), "device_registry: class stake out of bounds"
    usable_from: uint256 = block.timestamp
    if self.next_epoch != 0:
        usable_from += CLASS_DELAY
    device_class: uint16 = self.class_count + 1
    self.class_count = device_class
    self._class_words[device_class] = device_words._pack_class(
        min_ops_per_second, min_memory_mb, stake_per_device, usable_from
    )
    log IDeviceRegistry.DeviceClassAdded(
        device_class=device_class,
        min_ops_per_second=min_ops_per_second,
        min_memory_mb=min_memory_mb,
        stake_per_device=stake_per_device,
        usable_from=usable_from,
    )
    return device_class


# --- court --------------------------------------------------------------------------------


@external
def revoke(device: bytes32, provider: uint24):
    """
    @notice COURT: strike a device whose commit was proved false; nothing happens for one
            that is not entered, or that is another provider's. A newer attestation enters it
            again.
    @param device id of the device
    @param provider who signed the commit
    """
    delayed_roles._check_role(COURT)
    word: uint256 = self._device_words[device]
    if device_words._attested_until(word) != 0 and device_words._provider(word) == provider:
        self._strike(word)
        self._device_words[device] = device_words._not_entered(word)
        log IDeviceRegistry.DeviceRevoked(device=device, provider=provider)


# --- views --------------------------------------------------------------------------------


@external
@view
def device_info(device: bytes32) -> IDeviceRegistry.Device:
    """
    @notice What the newest result says about a device; all zero for one never entered.
            `attested_until` is 0 once it was expired or revoked.
    @param device id of the device
    """
    word: uint256 = self._device_words[device]
    return IDeviceRegistry.Device(
        provider=device_words._provider(word),
        device_class=device_words._class(word),
        ops_per_second=device_words._ops_per_second(word),
        memory_mb=device_words._memory_mb(word),
        attested_until=convert(device_words._attested_until(word), uint64),
        identity=self._identity_of[device],
        result=self._result_of[device],
        evidence=self._evidence_of[device],
    )


@external
@view
def attestation_epoch(device: bytes32) -> uint64:
    """
    @notice Epoch of a device's newest attestation; only a newer one can be recorded.
    @param device id of the device
    """
    return device_words._epoch(self._device_words[device])


@external
@view
def class_info(device_class: uint16) -> IDeviceRegistry.DeviceClass:
    """
    @notice Terms of a class, all zero if there is no such class.
    @param device_class number of the class
    """
    word: uint256 = self._class_words[device_class]
    return IDeviceRegistry.DeviceClass(
        min_ops_per_second=device_words._min_ops_per_second(word),
        min_memory_mb=device_words._min_memory_mb(word),
        stake_per_device=device_words._stake(word),
    )


@external
@view
def class_usable_from(device_class: uint16) -> uint256:
    """
    @notice Chain time in seconds from which devices of a class can be entered, 0 for none.
    @param device_class number of the class
    """
    return device_words._usable_from(self._class_words[device_class])


@external
@view
def commit_digest(commit: IDeviceRegistry.Commit) -> bytes32:
    """
    @notice EIP-712 digest a provider's operator key signs for a commit.
    @param commit the provider's word on one chain of matrix products
    """
    return eip712._hash_typed_data_v4(
        keccak256(
            abi_encode(
                COMMIT_TYPEHASH,
                commit.provider,
                commit.device,
                commit.epoch,
                commit.seed,
                commit.m,
                commit.n,
                commit.k,
                commit.rounds,
                commit.final_seed,
            )
        )
    )


@external
@view
def result_hash(result: IDeviceRegistry.Result) -> bytes32:
    """
    @notice EIP-712 struct hash of a result, the payload of the committee's report.
    @param result what the committee measured
    """
    return self._result_hash(result)


@internal
@pure
def _result_hash(result: IDeviceRegistry.Result) -> bytes32:
    return keccak256(
        abi_encode(
            RESULT_TYPEHASH,
            result.provider,
            result.device,
            result.identity,
            result.device_class,
            result.ops_per_second,
            result.memory_mb,
            result.elapsed_ms,
            result.commit,
            result.openings,
            result.evidence,
        )
    )
