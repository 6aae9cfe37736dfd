# pragma version 0.4.3
"""
@title Everybody whose word the market takes: the committee, its ledger, the device registry
       and the court. Whatever it was told is true
@license Apache-2.0
"""

MAX_SIGNATURES: constant(uint256) = 31 * 65


interface Jobs:
    def fail_job(job: uint64, provider: uint24) -> Harm: nonpayable


struct Harm:
    customer: address
    refunded: uint256
    compensation: uint256


# as ISlashingCourt has it
struct Accusation:
    accuser: address
    job: uint64
    provider: uint24
    kind: uint8
    snapshot: uint256
    opened_at: uint64
    deadline: uint64
    stage: uint8
    answered: bool
    exited: bool
    guilty: bool
    loss: uint96
    appellant: address


accusations: public(HashMap[bytes32, Accusation])
# provider => devices, of whatever class
devices: HashMap[uint24, uint256]


@external
@view
def verify(
    subject: bytes32, round: uint64, payload: bytes32, signatures: Bytes[MAX_SIGNATURES]
) -> uint256:
    assert len(signatures) != 0, "referee: not signed"
    return 1


@external
@view
def is_usage_leaf(
    kind: uint8, key: bytes32, amount: uint256, proof: DynArray[bytes32, 32]
) -> bool:
    return len(proof) == 0


@external
def enter(provider: uint24, devices: uint256):
    self.devices[provider] = devices


@external
@view
def capacity(provider: uint24, device_class: uint16) -> uint256:
    return self.devices[provider]


@external
@view
def required_stake(provider: uint24) -> uint256:
    return 0


@external
def file(case_id: bytes32, accuser: address, job: uint64, kind: uint8, stage: uint8, guilty: bool):
    self.accusations[case_id].accuser = accuser
    self.accusations[case_id].job = job
    self.accusations[case_id].kind = kind
    self.accusations[case_id].stage = stage
    self.accusations[case_id].guilty = guilty


@external
def fail_job(jobs: address, job: uint64, provider: uint24) -> Harm:
    return extcall Jobs(jobs).fail_job(job, provider)
