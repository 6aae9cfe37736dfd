# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Oracle committee
@license Apache-2.0
@author Clearwork
@notice Who may report to the other contracts, how many must agree, and what it costs to
        sign two truths. Holds the members' bonds.
@dev A member is an identity that stays; it signs with a hot key, at first its own
     address, that it rotates itself. Reports name the digest of the whole configuration
     (chain, this contract, number, members, threshold, rules), so a report made for
     another chain, contract or committee never verifies. They bind identities, not keys:
     a rotation leaves the digest alone.
     A member counts while it is listed, its bond reaches `MIN_BOND` and it has not left.
     A key is bound to one member for good. It convicts that member until `BOND_DELAY`
     after it ended, so a retired key has to be destroyed, not published.
     Trust: the owner lists the members and can drop any of them at once; it can't touch a
     bond. Two payloads under one (config, consumer, subject, round) cost the whole bond,
     whoever proves it.
@custom:security security@clearwork.example
@custom:kill The owner configures a committee of keys that sign nothing: no report passes
             any more. Bonds stay withdrawable after `BOND_DELAY`, equivocations provable.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.utils import eip712_domain_separator as eip712

from .interfaces import IOracleCommittee
from .interfaces import IWorkToken
from .modules import roster as rosters
from .modules import signatures as signature_check

implements: IOracleCommittee

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: eip712

exports: (
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
    # EIP-5267
    eip712.eip712Domain,
)

MAX_MEMBERS: constant(uint256) = 31
SIGNATURE_LENGTH: constant(uint256) = 65
MAX_SIGNATURES: constant(uint256) = MAX_MEMBERS * SIGNATURE_LENGTH
BPS: constant(uint256) = 10_000
# most of a bond a reporter can get: whoever convicts itself still loses half
MAX_REPORTER_BPS: constant(uint256) = 5_000
MAX_BOND_DELAY: constant(uint256) = 365 * 86_400
MAX_KEY_OVERLAP: constant(uint256) = 7 * 86_400

# `key_valid_until` of a key until it is rotated away
IN_USE: constant(uint256) = max_value(uint256)
# `bond_locked_until` of a listed member
LISTED: constant(uint256) = max_value(uint256)

REPORT_TYPEHASH: constant(bytes32) = keccak256(
    "Report(bytes32 config,address consumer,bytes32 subject,uint64 round,bytes32 payload)"
)
KEY_CLAIM_TYPEHASH: constant(bytes32) = keccak256("KeyClaim(address member,address key)")

# the token that bonds are made of
TOKEN: public(immutable(IERC20))
# base units a member must bond to count
MIN_BOND: public(immutable(uint256))
# seconds between leaving the committee and taking the bond
BOND_DELAY: public(immutable(uint256))
# seconds for which a rotated key stays valid beside its successor
KEY_OVERLAP: public(immutable(uint256))
# bps of a slashed bond that go to whoever proved the equivocation
EQUIVOCATION_REPORTER_BPS: public(immutable(uint256))

# binds chain, contract, number, members, threshold and rules; part of every report
config_digest: public(bytes32)
# how often the committee has been configured
config_number: public(uint256)
# signatures a report needs
threshold: public(uint256)
# version of the rules by which members compute what they sign
rules_version: public(uint32)
# contract whose code lists the keys that count now, see roster.vy
roster: public(address)
# listed identities, ascending; bit i of a signers' bitmap is entry i
_members: DynArray[address, MAX_MEMBERS]
# signing key => member it is bound to for good
bound_to: public(HashMap[address, address])
# signing key => chain time in seconds at which it ends or ended; max value = in use
key_valid_until: public(HashMap[address, uint256])
# member => the key it signs with now
key_of: public(HashMap[address, address])
# member => the key before that one, valid for `KEY_OVERLAP` after the rotation
previous_key_of: public(HashMap[address, address])
# member => base units bonded
bond_of: public(HashMap[address, uint256])
# member => chain time in seconds from which the bond can be taken; max value = while listed
bond_locked_until: public(HashMap[address, uint256])
# member => whether it left or was convicted; it never counts again
retired: public(HashMap[address, bool])


@deploy
def __init__(
    token: IERC20,
    members: DynArray[address, MAX_MEMBERS],
    threshold: uint256,
    min_bond: uint256,
    bond_delay: uint256,
    key_overlap: uint256,
    equivocation_reporter_bps: uint256,
    rules_version: uint32,
):
    """
    @param token the token that bonds are made of; must offer `burn`
    @param members identities of the first committee, ascending
    @param threshold signatures a report needs, more than half of the members
    @param min_bond base units of `token` a member must bond to count
    @param bond_delay seconds between leaving and taking the bond, at most a year
    @param key_overlap seconds a rotated key stays valid, at most 7 days
    @param equivocation_reporter_bps bps of a slashed bond for the reporter, at most 5 000
    @param rules_version version of the rules the members report by
    """
    assert token.address != empty(address), "oracle_committee: no token"
    assert min_bond != 0, "oracle_committee: no minimum bond"
    assert bond_delay <= MAX_BOND_DELAY, "oracle_committee: bond delay out of bounds"
    assert key_overlap <= MAX_KEY_OVERLAP, "oracle_committee: key overlap out of bounds"
    assert (
        equivocation_reporter_bps <= MAX_REPORTER_BPS
    ), "oracle_committee: reporter bps out of bounds"
    TOKEN = token
    MIN_BOND = min_bond
    BOND_DELAY = bond_delay
    KEY_OVERLAP = key_overlap
    EQUIVOCATION_REPORTER_BPS = equivocation_reporter_bps
    ownable.__init__()
    ownable_2step.__init__()
    eip712.__init__("Clearwork", "1")
    self._configure(members, threshold, rules_version)


# --- permissionless -----------------------------------------------------------------------


@external
def bond(member: address, amount: uint256):
    """
    @notice Add to a member's bond. It belongs to the member from then on, and the member
            counts once it is listed and the bond reaches `MIN_BOND`.
    @param member identity, listed already or not yet
    @param amount base units, pulled from the caller
    """
    assert amount != 0, "oracle_committee: nothing to bond"
    assert member != empty(address), "oracle_committee: no member"
    assert not self.retired[member], "oracle_committee: member has retired"
    bonded: uint256 = self.bond_of[member]
    self.bond_of[member] = bonded + amount
    if bonded < MIN_BOND and self._counts(member):
        self._write_roster()
    assert extcall TOKEN.transferFrom(
        msg.sender, self, amount
    ), "oracle_committee: token pull failed"
    log IOracleCommittee.Bonded(member=member, payer=msg.sender, tokens=amount)


@external
def prove_equivocation(
    config: bytes32,
    consumer: address,
    subject: bytes32,
    round: uint64,
    payload_a: bytes32,
    signature_a: Bytes[SIGNATURE_LENGTH],
    payload_b: bytes32,
    signature_b: Bytes[SIGNATURE_LENGTH],
):
    """
    @notice Convict a member that signed two payloads for one (config, consumer, subject,
            round). Its whole bond is slashed, the caller gets
            `EQUIVOCATION_REPORTER_BPS` of it, the rest is burnt, and the member stops
            counting at once and for good.
    @dev Any config digest will do, also an old one: no honest member signs twice under
         any. The two signatures may come from two keys of the same member.
    @param config digest of the committee both reports name
    @param consumer contract both reports are for
    @param subject what both reports are about
    @param round epoch both reports are of
    @param payload_a one content
    @param signature_a r, s, v of the member for `payload_a`
    @param payload_b another content
    @param signature_b r, s, v of the member for `payload_b`
    """
    assert payload_a != payload_b, "oracle_committee: payloads are equal"
    member: address = self._convictable(
        self._digest(config, consumer, subject, round, payload_a), signature_a
    )
    assert member == self._convictable(
        self._digest(config, consumer, subject, round, payload_b), signature_b
    ), "oracle_committee: signed by different members"
    slashed: uint256 = self.bond_of[member]
    assert slashed != 0, "oracle_committee: nothing to slash"
    self._retire(member)
    self.bond_of[member] = 0
    # rounded down; the dust is burnt
    reporter_amount: uint256 = slashed * EQUIVOCATION_REPORTER_BPS // BPS
    burnt: uint256 = slashed - reporter_amount
    if reporter_amount != 0:
        assert extcall TOKEN.transfer(
            msg.sender, reporter_amount
        ), "oracle_committee: token push failed"
    extcall IWorkToken(TOKEN.address).burn(burnt)
    log IOracleCommittee.Equivocated(
        member=member,
        reporter=msg.sender,
        slashed=slashed,
        reporter_amount=reporter_amount,
        burnt=burnt,
        subject=subject,
        round=round,
    )


@internal
@view
def _convictable(digest: bytes32, signature: Bytes[SIGNATURE_LENGTH]) -> address:
    """
    @return member whose key signed, provided that the key still convicts
    """
    assert len(signature) == SIGNATURE_LENGTH, "oracle_committee: signature is not 65 bytes"
    key: address = signature_check._recover(digest, signature)
    member: address = self.bound_to[key]
    # the zero address, which stands for no valid signature, is bound to nobody
    assert member != empty(address), "oracle_committee: not a member's signature"
    valid_until: uint256 = self.key_valid_until[key]
    assert (
        valid_until == IN_USE or block.timestamp < valid_until + BOND_DELAY
    ), "oracle_committee: key ended too long ago"
    return member


# --- members ------------------------------------------------------------------------------


@external
def rotate_key(key: address, claim: Bytes[SIGNATURE_LENGTH]):
    """
    @notice Sign with another key from now on. The present key stays valid for
            `KEY_OVERLAP`; one that was still in its overlap ends now.
    @dev The new key signs that it speaks for the caller: without that, a member could
         take the key or the address of another one before it is used.
    @param key a key that was never bound to anybody
    @param claim r, s, v of `key` over `key_claim_digest(caller, key)`
    """
    previous: address = self.key_of[msg.sender]
    assert previous != empty(address), "oracle_committee: caller is not a member"
    assert len(claim) == SIGNATURE_LENGTH, "oracle_committee: claim is not 65 bytes"
    assert (
        key != empty(address)
        and signature_check._recover(self._key_claim_digest(msg.sender, key), claim) == key
    ), "oracle_committee: key did not sign the claim"
    assert self.bound_to[key] == empty(address), "oracle_committee: key in use"
    oldest: address = self.previous_key_of[msg.sender]
    self.key_valid_until[oldest] = min(self.key_valid_until[oldest], block.timestamp)
    valid_until: uint256 = block.timestamp + KEY_OVERLAP
    self.key_valid_until[previous] = valid_until
    self.previous_key_of[msg.sender] = previous
    self._bind_key(msg.sender, key)
    if self._counts(msg.sender):
        self._write_roster()
    log IOracleCommittee.KeyRotated(
        member=msg.sender, previous=previous, current=key, previous_valid_until=valid_until
    )


@internal
def _bind_key(member: address, key: address):
    self.bound_to[key] = member
    self.key_of[member] = key
    self.key_valid_until[key] = IN_USE


@external
def leave():
    """
    @notice Stop counting at once and for good; the bond is free after `BOND_DELAY`.
    @dev The owner need not agree. The list, and with it the config digest, stay as they
         are until the owner configures the committee without the caller.
    """
    assert self.key_of[msg.sender] != empty(address), "oracle_committee: caller was never listed"
    assert not self.retired[msg.sender], "oracle_committee: caller has left"
    self._retire(msg.sender)
    log IOracleCommittee.MemberLeft(
        member=msg.sender, bond_locked_until=self.bond_locked_until[msg.sender]
    )


@internal
def _retire(member: address):
    """
    @dev A bond that already waits for its delay goes on waiting, no longer than before.
    """
    counted: bool = self._counts(member)
    self.retired[member] = True
    if self.bond_locked_until[member] == LISTED:
        self.bond_locked_until[member] = block.timestamp + BOND_DELAY
    if counted:
        self._write_roster()


@external
def withdraw_bond():
    """
    @notice Take the whole bond: at any time before being listed, `BOND_DELAY` after
            having been dropped or having left.
    """
    tokens: uint256 = self.bond_of[msg.sender]
    assert tokens != 0, "oracle_committee: no bond"
    assert (
        block.timestamp >= self.bond_locked_until[msg.sender]
    ), "oracle_committee: bond is locked"
    self.bond_of[msg.sender] = 0
    assert extcall TOKEN.transfer(msg.sender, tokens), "oracle_committee: token push failed"
    log IOracleCommittee.BondWithdrawn(member=msg.sender, tokens=tokens)


# --- owner --------------------------------------------------------------------------------


@external
def configure(members: DynArray[address, MAX_MEMBERS], threshold: uint256, rules_version: uint32):
    """
    @notice Owner: list the members, how many must sign, and by which rules they report.
            Reports made for the committee before are worth nothing from then on.
    @param members identities, ascending; none that left or was convicted
    @param threshold signatures a report needs, more than half of the members
    @param rules_version version of the rules the members report by
    """
    ownable._check_owner()
    self._configure(members, threshold, rules_version)


@internal
def _configure(members: DynArray[address, MAX_MEMBERS], threshold: uint256, rules_version: uint32):
    assert 2 * threshold > len(members), "oracle_committee: threshold is not a majority"
    assert threshold <= len(members), "oracle_committee: threshold above member count"
    for member: address in self._members:
        if self.bond_locked_until[member] == LISTED:
            self.bond_locked_until[member] = block.timestamp + BOND_DELAY
    previous: uint256 = 0
    for member: address in members:
        # ascending from zero: no zero address, nobody twice, one order per set
        assert convert(member, uint256) > previous, "oracle_committee: members not ascending"
        previous = convert(member, uint256)
        assert not self.retired[member], "oracle_committee: listed member has retired"
        self.bond_locked_until[member] = LISTED
        if self.key_of[member] == empty(address):
            assert self.bound_to[member] == empty(
                address
            ), "oracle_committee: address is another member's key"
            self._bind_key(member, member)
            log IOracleCommittee.KeyRotated(
                member=member, previous=empty(address), current=member, previous_valid_until=0
            )
    number: uint256 = self.config_number + 1
    digest: bytes32 = keccak256(
        abi_encode(chain.id, self, number, members, threshold, rules_version)
    )
    self.config_number = number
    self.config_digest = digest
    self.threshold = threshold
    self.rules_version = rules_version
    self._members = members
    self._write_roster()
    log IOracleCommittee.CommitteeConfigured(
        config=digest, number=number, members=members, threshold=threshold
    )


@internal
def _write_roster():
    """
    @dev To be called after every change of what it reads.
    """
    keys: DynArray[uint256, rosters.MAX_KEYS] = []
    seat: uint256 = 1
    for member: address in self._members:
        if self._counts(member):
            for key: address in [self.key_of[member], self.previous_key_of[member]]:
                valid_until: uint256 = min(self.key_valid_until[key], rosters.MASK_64)
                # never true for the zero address
                if block.timestamp < valid_until:
                    keys.append(rosters._word(key, valid_until, seat))
        seat <<= 1
    self.roster = rosters._write(self.config_digest, self.threshold, keys)


# --- views --------------------------------------------------------------------------------


@external
@view
@reentrant
def verify(
    subject: bytes32, round: uint64, payload: bytes32, signatures: Bytes[MAX_SIGNATURES]
) -> uint256:
    """
    @notice Check a report addressed to the caller; reverts unless exactly `threshold`
            members signed it.
    @dev A report that doesn't pass costs its sender gas and nobody else anything: there
         is no state to fill, and more signatures than needed are refused.
         Outside the reentrancy lock: every change of the roster is made before any call out.
    @param subject what the report is about inside the calling contract
    @param round epoch of the report
    @param payload hash of the content
    @param signatures r, s, v of each signer joined, ascending by the signing key's address
    @return signers bitmap of the members that signed, bit i = `members()[i]`
    """
    # Chunks are read here and not by a function of the module, which would copy them once more.
    # Sums and products below stay under MAX_SIGNATURES and MAX_CODE.
    roster: address = self.roster
    offset: uint256 = rosters.ABI_HEADER_BYTES
    chunk: Bytes[rosters.CHUNK_BYTES] = slice(roster.code, offset, rosters.CHUNK_BYTES)
    digest: bytes32 = self._digest(extract32(chunk, 0), msg.sender, subject, round, payload)
    needed: uint256 = convert(extract32(chunk, 32), uint256)
    assert len(signatures) == needed * SIGNATURE_LENGTH, "oracle_committee: wrong signature count"

    # Signers and roster ascend together, so one walk through the roster finds them all. It
    # starts at a word of no key, which nobody signs with, and ends at the last signer's word or
    # at the first that is beyond the present signer's.
    at: uint256 = 32 * (rosters.HEADER - 1)
    word: uint256 = rosters.NO_KEY
    key: uint256 = 0
    previous: uint256 = 0
    start: uint256 = 0
    signers: uint256 = 0
    for _: uint256 in range(rosters.MAX_WORDS):
        listed: uint256 = word >> rosters.KEY_SHIFT
        if listed == key:
            assert (
                block.timestamp < (word >> rosters.VALID_UNTIL_SHIFT) & rosters.MASK_64
            ), "oracle_committee: key expired"
            seat: uint256 = word & rosters.MASK_32
            assert signers & seat == 0, "oracle_committee: member signed twice"
            signers |= seat
            if start == len(signatures):
                return signers
            s: uint256 = convert(extract32(signatures, unsafe_add(start, 32)), uint256)
            assert s <= signature_check.MAX_S, "oracle_committee: malleable signature"
            previous = key
            key = convert(
                ecrecover(
                    digest,
                    # v is the last byte of the word that ends with the signature
                    convert(extract32(signatures, unsafe_add(start, 33)), uint256) & 255,
                    convert(extract32(signatures, start), uint256),
                    s,
                ),
                uint256,
            )
            start = unsafe_add(start, SIGNATURE_LENGTH)
        elif listed > key:
            # an invalid signature recovers the zero address, which is never greater
            assert key > previous, "oracle_committee: signers not ascending"
            raise "oracle_committee: unknown signer"
        at = unsafe_add(at, 32)
        if at == rosters.CHUNK_BYTES:
            offset = unsafe_add(offset, rosters.CHUNK_BYTES)
            chunk = slice(roster.code, offset, rosters.CHUNK_BYTES)
            at = 0
        word = convert(extract32(chunk, at), uint256)
    # the roster ends with words that are beyond every key
    raise UNREACHABLE


@internal
@view
def _digest(
    config: bytes32, consumer: address, subject: bytes32, round: uint64, payload: bytes32
) -> bytes32:
    return signature_check._digest(
        eip712._domain_separator_v4(),
        keccak256(abi_encode(REPORT_TYPEHASH, config, consumer, subject, round, payload)),
    )


@external
@view
def report_digest(consumer: address, subject: bytes32, round: uint64, payload: bytes32) -> bytes32:
    """
    @notice What a member of the present committee signs.
    @param consumer contract the report is for
    @param subject what it is about inside that contract
    @param round epoch
    @param payload hash of the content
    """
    return self._digest(self.config_digest, consumer, subject, round, payload)


@external
@view
def key_claim_digest(member: address, key: address) -> bytes32:
    """
    @notice What a new key signs to speak for a member.
    @param member identity that will call `rotate_key`
    @param key the new key
    """
    return self._key_claim_digest(member, key)


@internal
@view
def _key_claim_digest(member: address, key: address) -> bytes32:
    return signature_check._digest(
        eip712._domain_separator_v4(), keccak256(abi_encode(KEY_CLAIM_TYPEHASH, member, key))
    )


@external
@view
def members() -> DynArray[address, MAX_MEMBERS]:
    """
    @notice The listed identities, ascending; some may not count, see `counts`.
    """
    return self._members


@external
@view
def counts(member: address) -> bool:
    """
    @notice Whether the member's signature counts now: listed, bonded, not retired.
    @param member any identity
    """
    return self._counts(member)


@internal
@view
def _counts(member: address) -> bool:
    return (
        # a member that retires is no longer listed
        self.bond_locked_until[member] == LISTED
        and self.bond_of[member] >= MIN_BOND
    )


@external
@view
def member_of_key(key: address) -> address:
    """
    @notice The member that a signing key speaks for now, the zero address for none.
    @param key any address
    """
    member: address = self.bound_to[key]
    if self._counts(member) and block.timestamp < self.key_valid_until[key]:
        return member
    return empty(address)
