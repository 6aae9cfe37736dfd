# pragma version 0.4.3
"""
@title Device words
@license Apache-2.0
@author Clearwork
@notice A device's hot state and a device class, one storage slot each. From the low end:

        device   bits   0..23   provider
                 bits  24..39   class
                 bits  40..103  int8 operations per second, lower bound
                 bits 104..135  memory in MB
                 bits 136..183  chain time until which it is attested; 0 = not entered
                 bits 184..247  epoch of its newest attestation, kept after it expired

        class    bits   0..63   least int8 operations per second
                 bits  64..95   least memory in MB
                 bits  96..191  stake behind each device, base units
                 bits 192..239  chain time from which it can be used; 0 = no such class
"""

from ..interfaces import IDeviceRegistry

CLASS_SHIFT: constant(uint256) = 24
OPS_SHIFT: constant(uint256) = 40
MEMORY_SHIFT: constant(uint256) = 104
ATTESTED_UNTIL_SHIFT: constant(uint256) = 136
EPOCH_SHIFT: constant(uint256) = 184

MIN_MEMORY_SHIFT: constant(uint256) = 64
STAKE_SHIFT: constant(uint256) = 96
USABLE_FROM_SHIFT: constant(uint256) = 192

MASK_16: constant(uint256) = 2**16 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_48: constant(uint256) = 2**48 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_96: constant(uint256) = 2**96 - 1

# most stake a class can ask for, base units
MAX_STAKE: constant(uint256) = MASK_96


@internal
@pure
def _pack_device(result: IDeviceRegistry.Result, attested_until: uint256, epoch: uint64) -> uint256:
    """
    @param result what the committee signed about the device
    @param attested_until chain time in seconds, below 2**48
    @param epoch epoch of the attestation
    """
    return (
        convert(result.provider, uint256)
        | (convert(result.device_class, uint256) << CLASS_SHIFT)
        | (convert(result.ops_per_second, uint256) << OPS_SHIFT)
        | (convert(result.memory_mb, uint256) << MEMORY_SHIFT)
        | (attested_until << ATTESTED_UNTIL_SHIFT)
        | (convert(epoch, uint256) << EPOCH_SHIFT)
    )


@internal
@pure
def _not_entered(word: uint256) -> uint256:
    """
    @notice The same device, no longer attested.
    """
    return word & ~(MASK_48 << ATTESTED_UNTIL_SHIFT)


@internal
@pure
def _provider(word: uint256) -> uint24:
    return convert(word & MASK_24, uint24)


@internal
@pure
def _class(word: uint256) -> uint16:
    return convert((word >> CLASS_SHIFT) & MASK_16, uint16)


@internal
@pure
def _ops_per_second(word: uint256) -> uint64:
    return convert((word >> OPS_SHIFT) & MASK_64, uint64)


@internal
@pure
def _memory_mb(word: uint256) -> uint32:
    return convert((word >> MEMORY_SHIFT) & MASK_32, uint32)


@internal
@pure
def _attested_until(word: uint256) -> uint256:
    return (word >> ATTESTED_UNTIL_SHIFT) & MASK_48


@internal
@pure
def _epoch(word: uint256) -> uint64:
    return convert(word >> EPOCH_SHIFT, uint64)


@internal
@pure
def _pack_class(
    min_ops_per_second: uint64, min_memory_mb: uint32, stake: uint256, usable_from: uint256
) -> uint256:
    """
    @param min_ops_per_second least int8 operations per second
    @param min_memory_mb least memory
    @param stake base units behind each device, at most `MAX_STAKE`
    @param usable_from chain time in seconds, below 2**48
    """
    return (
        convert(min_ops_per_second, uint256)
        | (convert(min_memory_mb, uint256) << MIN_MEMORY_SHIFT)
        | (stake << STAKE_SHIFT)
        | (usable_from << USABLE_FROM_SHIFT)
    )


@internal
@pure
def _min_ops_per_second(word: uint256) -> uint64:
    return convert(word & MASK_64, uint64)


@internal
@pure
def _min_memory_mb(word: uint256) -> uint32:
    return convert((word >> MIN_MEMORY_SHIFT) & MASK_32, uint32)


@internal
@pure
def _stake(word: uint256) -> uint256:
    return (word >> STAKE_SHIFT) & MASK_96


@internal
@pure
def _usable_from(word: uint256) -> uint256:
    return word >> USABLE_FROM_SHIFT
