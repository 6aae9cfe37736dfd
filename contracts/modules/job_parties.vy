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

from ..interfaces import IJobRegistry
from ..interfaces import IServiceBonds

CUSTOMER_SHIFT: constant(uint256) = 96
ACCEPTED_AT_SHIFT: constant(uint256) = 48
GPUS_SHIFT: constant(uint256) = 32
CLASS_SHIFT: constant(uint256) = 16

MAX_UINT16: constant(uint256) = 2**16 - 1
MAX_TIME: constant(uint256) = 2**40 - 1


@internal
@pure
def _pack(agreement: IJobRegistry.Agreement, accepted_at: uint256) -> uint256:
    """
    @param accepted_at chain time in seconds, 0 for a job that waits for its payee
    """
    return (
        convert(agreement.customer, uint256) << CUSTOMER_SHIFT
        | accepted_at << ACCEPTED_AT_SHIFT
        | convert(agreement.gpus, uint256) << GPUS_SHIFT
        | convert(agreement.device_class, uint256) << CLASS_SHIFT
        | convert(agreement.sla, uint256)
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


@internal
@pure
def _obligation(payee: uint24, word: uint256) -> IServiceBonds.Obligation:
    """
    @notice What the job binds, as the service bonds count it.
    """
    return IServiceBonds.Obligation(
        payee=payee,
        device_class=self._device_class(word),
        gpus=self._gpus(word),
        sla=self._sla(word),
    )
