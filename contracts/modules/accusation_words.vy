# pragma version 0.4.3
"""
@title Accusation words
@license Apache-2.0
@author Clearwork
@notice An accusation in three storage words:

          who      accuser 160 | job 64 | provider 24 | kind 8
          stage    snapshot 96 | opened_at 40 | deadline 40 | stage 8 | answered 8 |
                   exited 8 | guilty 8
          verdict  appellant 160 | loss 96

        A stage is left by the event named behind it:

          OPEN      a verdict, or silence of the committee
          RULED     an appeal, or the end of its period
          APPEALED  a decision, or silence of the arbiter
          DECIDED   execution
          CLOSED    never
@dev No other file shifts these bits.
"""

from ..interfaces import ISlashingCourt

OPEN: constant(uint8) = 1
RULED: constant(uint8) = 2
APPEALED: constant(uint8) = 3
DECIDED: constant(uint8) = 4
CLOSED: constant(uint8) = 5

ADDRESS_BITS: constant(uint256) = 160
JOB_BITS: constant(uint256) = 64
PROVIDER_BITS: constant(uint256) = 24
KIND_BITS: constant(uint256) = 8
TOKENS_BITS: constant(uint256) = 96
TIME_BITS: constant(uint256) = 40
FLAG_BITS: constant(uint256) = 8

PROVIDER_SHIFT: constant(uint256) = KIND_BITS
JOB_SHIFT: constant(uint256) = PROVIDER_SHIFT + PROVIDER_BITS
ACCUSER_SHIFT: constant(uint256) = JOB_SHIFT + JOB_BITS

EXITED_SHIFT: constant(uint256) = FLAG_BITS
ANSWERED_SHIFT: constant(uint256) = EXITED_SHIFT + FLAG_BITS
STAGE_SHIFT: constant(uint256) = ANSWERED_SHIFT + FLAG_BITS
DEADLINE_SHIFT: constant(uint256) = STAGE_SHIFT + FLAG_BITS
OPENED_SHIFT: constant(uint256) = DEADLINE_SHIFT + TIME_BITS
SNAPSHOT_SHIFT: constant(uint256) = OPENED_SHIFT + TIME_BITS

APPELLANT_SHIFT: constant(uint256) = TOKENS_BITS

KIND_MASK: constant(uint256) = 2**KIND_BITS - 1
PROVIDER_MASK: constant(uint256) = 2**PROVIDER_BITS - 1
JOB_MASK: constant(uint256) = 2**JOB_BITS - 1
FLAG_MASK: constant(uint256) = 2**FLAG_BITS - 1
TIME_MASK: constant(uint256) = 2**TIME_BITS - 1
TOKENS_MASK: constant(uint256) = 2**TOKENS_BITS - 1


@internal
@pure
def _who(case: ISlashingCourt.Accusation) -> uint256:
    return (
        (convert(case.accuser, uint256) << ACCUSER_SHIFT)
        | (convert(case.job, uint256) << JOB_SHIFT)
        | (convert(case.provider, uint256) << PROVIDER_SHIFT)
        | convert(case.kind, uint256)
    )


@internal
@pure
def _stage(case: ISlashingCourt.Accusation) -> uint256:
    """
    @dev The supply of the staked token fits 96 bits, so no snapshot is cut off; 40 bits of
         seconds last 34 000 years.
    """
    return (
        (convert(convert(case.snapshot, uint96), uint256) << SNAPSHOT_SHIFT)
        | (convert(case.opened_at, uint256) << OPENED_SHIFT)
        | (convert(case.deadline, uint256) << DEADLINE_SHIFT)
        | (convert(case.stage, uint256) << STAGE_SHIFT)
        | (convert(case.answered, uint256) << ANSWERED_SHIFT)
        | (convert(case.exited, uint256) << EXITED_SHIFT)
        | convert(case.guilty, uint256)
    )


@internal
@pure
def _verdict(case: ISlashingCourt.Accusation) -> uint256:
    return (convert(case.appellant, uint256) << APPELLANT_SHIFT) | convert(case.loss, uint256)


@internal
@pure
def _unpack(who: uint256, stage: uint256, verdict: uint256) -> ISlashingCourt.Accusation:
    return ISlashingCourt.Accusation(
        accuser=convert(who >> ACCUSER_SHIFT, address),
        job=convert((who >> JOB_SHIFT) & JOB_MASK, uint64),
        provider=convert((who >> PROVIDER_SHIFT) & PROVIDER_MASK, uint24),
        kind=convert(who & KIND_MASK, uint8),
        snapshot=stage >> SNAPSHOT_SHIFT,
        opened_at=convert((stage >> OPENED_SHIFT) & TIME_MASK, uint64),
        deadline=convert((stage >> DEADLINE_SHIFT) & TIME_MASK, uint64),
        stage=convert((stage >> STAGE_SHIFT) & FLAG_MASK, uint8),
        answered=(stage >> ANSWERED_SHIFT) & FLAG_MASK != 0,
        exited=(stage >> EXITED_SHIFT) & FLAG_MASK != 0,
        guilty=stage & FLAG_MASK != 0,
        loss=convert(verdict & TOKENS_MASK, uint96),
        appellant=convert(verdict >> APPELLANT_SHIFT, address),
    )
