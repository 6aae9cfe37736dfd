# pragma version 0.4.3
"""
@title Job parties
@license Apache-2.0
@author Clearwork
@notice What a job was agreed on, in one storage word that no settlement by the committee
        reads:

          customer address | accepted_at uint40 | gpus uint16 | device_class uint16 | sla uint16

@dev No other file shifts these bits.
"""

CUSTOMER_SHIFT: constant(uint256) = 96
ACCEPTED_AT_SHIFT: constant(uint256) = 48
GPUS_SHIFT: constant(uint256) = 32
CLASS_SHIFT: constant(uint256) = 16

MAX_UINT16: constant(uint256) = 2**16 - 1
MAX_TIME: constant(uint256) = 2**40 - 1


@internal
@pure
def _pack(customer: address, gpus: uint16, device_class: uint16, sla: uint16) -> uint256:
    return (
        convert(customer, uint256) << CUSTOMER_SHIFT
        | convert(gpus, uint256) << GPUS_SHIFT
        | convert(device_class, uint256) << CLASS_SHIFT
        | convert(sla, uint256)
    )


@internal
@pure
def _with_accepted_at(word: uint256, time: uint256) -> uint256:
    """
    @param word a word without a time of acceptance
    @param time chain time in seconds, below 2**40 for the next 30 000 years
    """
    return word | time << ACCEPTED_AT_SHIFT


@internal
@pure
def _customer(word: uint256) -> address:
    return convert(word >> CUSTOMER_SHIFT, address)


@internal
@pure
def _accepted_at(word: uint256) -> uint64:
    return convert((word >> ACCEPTED_AT_SHIFT) & MAX_TIME, uint64)


@internal
@pure
def _gpus(word: uint256) -> uint16:
    return convert((word >> GPUS_SHIFT) & MAX_UINT16, uint16)


@internal
@pure
def _device_class(word: uint256) -> uint16:
    return convert((word >> CLASS_SHIFT) & MAX_UINT16, uint16)


@internal
@pure
def _sla(word: uint256) -> uint16:
    return convert(word & MAX_UINT16, uint16)
