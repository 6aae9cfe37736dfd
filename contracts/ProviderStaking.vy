# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Provider staking
@license Apache-2.0
@author Clearwork
@notice Holds the stake behind every GPU provider, in two tiers: the provider's own
        self-bond, which loses first, and a pool of delegations owned through shares. Stake
        that is leaving stays slashable until it is paid. The self-bond carries locks for
        accepted jobs; rewards and slashes enter here and nowhere else.
@dev Unbonding tokens sit in a thawing pool of their own with their own shares. A slash
     scales the tokens of at most four pools and touches no request, so it costs the same
     with one request or a million. Each request keeps its own timer; requests of one
     holder are kept dense, so an emptied entry is always the next to be used and a matured
     request is never stuck behind one that is not.

     Rounding, per actor: a delegator gets shares and tokens rounded down; an unbonding
     holder bears a slash rounded up; the dust stays in the pool for those who remain.

     Trust: the SLASHER may take any stake, but only to burn it or to pay a victim and, up to
     the share the provider signed, a reporter; the LOCKER may keep self-bond from leaving
     and pay victims out of what it locked. Both are contracts; the owner names them, and
     renames them only after a delay longer than the unbonding period, so whoever disagrees
     is out before. Nobody can move a holder's stake, timers or terms but the holder; a third
     party can only add tokens.
@custom:security security@clearwork.example
@custom:kill There is no pause: everyone can always leave. The owner empties LOCKER and
             SLASHER, which ends new jobs and all slashing after the role delay; a successor
             is a new deployment that holders move to by themselves.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IProviderStaking
from .interfaces import IWorkToken
from .modules import delayed_roles
from .modules import share_pool
from .modules import staking_words

implements: IProviderStaking

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: delayed_roles[ownable := ownable]

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
)


struct PendingReporterCut:
    # bps
    proposed: uint256
    # chain time in seconds; 0 means none
    ready_at: uint256


# role that locks, releases and seizes self-bond
LOCKER: public(constant(bytes32)) = keccak256("LOCKER")
# role that slashes and jails
SLASHER: public(constant(bytes32)) = keccak256("SLASHER")

# open requests of one holder with one provider
MAX_REQUESTS: public(constant(uint256)) = 32
# bps a commission may rise at once; it may rise once per unbonding period
MAX_COMMISSION_RISE: public(constant(uint256)) = 500
MAX_BPS: constant(uint256) = 10_000
# `jailed_until` of a provider that may never come back
FOR_EVER: constant(uint64) = max_value(uint64)

MAX_UNBONDING_PERIOD: constant(uint256) = 365 * 86_400
MAX_LOCK_PERIOD: constant(uint256) = 30 * 86_400
# key of the provider's own requests, which no delegator can have
SELF: constant(address) = empty(address)

# the staked token
TOKEN: public(immutable(IERC20))
# seconds from a request to its payment
UNBONDING_PERIOD: public(immutable(uint256))
# seconds; released self-bond stays locked for one to two of them
LOCK_PERIOD: public(immutable(uint256))
# base units a self-bond needs to count: below it nobody can delegate or leave jail
MIN_SELF_BOND: public(immutable(uint256))
# base units of the smallest delegation, also of what remains after undelegating
MIN_DELEGATION: public(immutable(uint256))

# providers ever registered; ids run from 1 to it
provider_count: public(uint24)
# provider => word of its owner and commissions
terms: HashMap[uint24, uint256]
# provider => hot key, the zero address while it has none
operators: HashMap[uint24, address]
# operator key => provider it was ever bound to, also after a rotation
provider_of_operator: public(HashMap[address, uint24])
# provider => where commission and withdrawals of self-bond go
payouts: HashMap[uint24, address]
# provider => lower reporter cut that waits for its delay
pending_reporter_cut: public(HashMap[uint24, PendingReporterCut])

# provider => word of active self-bond, its lock, jail term, reporter cut, open requests
bonds: HashMap[uint24, uint256]
# provider => word of the thawing pool of its self-bond
bond_thawing: HashMap[uint24, uint256]
# provider => word of self-bond released from locks not long ago
cooling: HashMap[uint24, uint256]
# provider => word of what open cases keep from leaving
held: HashMap[uint24, uint256]
# provider => word of its delegation pool
pools: HashMap[uint24, uint256]
# provider => word of the thawing pool of its delegations
pool_thawing: HashMap[uint24, uint256]
# provider => delegator => word of its shares and open requests
positions: HashMap[uint24, HashMap[address, uint256]]
# provider => delegator, or SELF => words of its open requests, dense from index 0
requests: HashMap[uint24, HashMap[address, uint256[MAX_REQUESTS]]]


@deploy
def __init__(
    token: IERC20,
    unbonding_period: uint256,
    lock_period: uint256,
    min_self_bond: uint256,
    min_delegation: uint256,
    role_change_delay: uint256,
):
    """
    @param token the staked token: reverts on failure, takes no fee, can be burnt
    @param unbonding_period seconds from a request to its payment, up to 365 days
    @param lock_period seconds released self-bond stays locked at least, up to 30 days
    @param min_self_bond base units a self-bond needs to count
    @param min_delegation base units of the smallest delegation
    @param role_change_delay seconds a change of slasher or locker waits, longer than
           the unbonding period
    """
    assert (
        unbonding_period != 0 and unbonding_period <= MAX_UNBONDING_PERIOD
    ), "provider_staking: unbonding period out of bounds"
    assert (
        lock_period != 0 and lock_period <= MAX_LOCK_PERIOD
    ), "provider_staking: lock period out of bounds"
    assert min_self_bond >= share_pool.MIN_SHARES, "provider_staking: least self-bond out of bounds"
    assert (
        min_delegation >= share_pool.MIN_SHARES
    ), "provider_staking: least delegation out of bounds"
    assert role_change_delay > unbonding_period, "provider_staking: role delay too short"
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    TOKEN = token
    UNBONDING_PERIOD = unbonding_period
    LOCK_PERIOD = lock_period
    MIN_SELF_BOND = min_self_bond
    MIN_DELEGATION = min_delegation


# --- anyone -------------------------------------------------------------------------------


@external
def register(
    operator: address,
    payout: address,
    emission_commission_bps: uint16,
    job_commission_bps: uint16,
    max_reporter_bps: uint16,
    uri: String[200],
) -> uint24:
    """
    @notice Become a provider; the caller is its owner.
    @param operator hot key, never used by any provider before; the zero address for none
    @param payout where commission, job income and withdrawn self-bond go
    @param emission_commission_bps bps of emission the provider keeps for itself
    @param job_commission_bps bps of job income the provider keeps for itself
    @param max_reporter_bps bps of a slash that its reporter may get at most; can only be
           lowered later
    @param uri where the provider describes itself
    @return provider its id
    """
    self._check_share(convert(emission_commission_bps, uint256))
    self._check_share(convert(job_commission_bps, uint256))
    self._check_share(convert(max_reporter_bps, uint256))
    provider: uint24 = self.provider_count + 1
    self.provider_count = provider
    self.terms[provider] = staking_words._pack_terms(
        staking_words.Terms(
            owner=msg.sender,
            emission_commission_bps=convert(emission_commission_bps, uint256),
            job_commission_bps=convert(job_commission_bps, uint256),
            raised_at=block.timestamp,
        )
    )
    bond: staking_words.Bond = empty(staking_words.Bond)
    bond.max_reporter_bps = convert(max_reporter_bps, uint256)
    self.bonds[provider] = staking_words._pack_bond(bond)
    self._set_operator(provider, operator)
    self._set_payout(provider, payout)
    log IProviderStaking.ProviderRegistered(
        provider=provider,
        owner=msg.sender,
        operator=operator,
        payout=payout,
        emission_commission_bps=emission_commission_bps,
        job_commission_bps=job_commission_bps,
        max_reporter_bps=max_reporter_bps,
        uri=uri,
    )
    return provider


@internal
@pure
def _check_share(bps: uint256):
    assert bps <= MAX_BPS, "provider_staking: share over 10_000 bps"


@internal
def _set_operator(provider: uint24, operator: address):
    if operator != empty(address):
        assert self.provider_of_operator[operator] == 0, "provider_staking: operator key was used"
        self.provider_of_operator[operator] = provider
    log IProviderStaking.OperatorChanged(
        provider=provider, previous=self.operators[provider], current=operator
    )
    self.operators[provider] = operator


@internal
def _set_payout(provider: uint24, payout: address):
    assert payout != empty(address), "provider_staking: payout is the zero address"
    log IProviderStaking.PayoutChanged(
        provider=provider, previous=self.payouts[provider], current=payout
    )
    self.payouts[provider] = payout


@external
def stake(provider: uint24, tokens: uint256):
    """
    @notice Add to a provider's self-bond out of the caller's tokens. It becomes the
            provider's: whoever pays gets no claim on it.
    @param provider any registered provider
    @param tokens base units
    """
    assert tokens != 0, "provider_staking: nothing to stake"
    word: uint256 = self.bonds[provider]
    if word == 0:
        assert self.terms[provider] != 0, "provider_staking: unknown provider"
    bond: staking_words.Bond = staking_words._bond(word)
    bond.active += tokens
    assert bond.active >= MIN_SELF_BOND, "provider_staking: self-bond below minimum"
    self.bonds[provider] = staking_words._pack_bond(bond)
    self._pull(self, tokens)
    log IProviderStaking.Staked(provider=provider, payer=msg.sender, tokens=tokens)


@internal
def _pull(receiver: address, tokens: uint256):
    assert extcall TOKEN.transferFrom(
        msg.sender, receiver, tokens, default_return_value=True
    ), "provider_staking: token refused the payment"


@external
def delegate(provider: uint24, tokens: uint256, min_shares_out: uint256) -> uint256:
    """
    @notice Put tokens behind a provider and share its rewards and slashes. Needs a
            provider with the minimum self-bond, which loses first.
    @param provider whose pool
    @param tokens base units, at least MIN_DELEGATION
    @param min_shares_out shares the caller expects at least; protects against a share
           price that rose meanwhile
    @return shares what the caller got, rounded down
    """
    assert tokens >= MIN_DELEGATION, "provider_staking: delegation below minimum"
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    assert bond.active >= MIN_SELF_BOND, "provider_staking: provider lacks self-bond"
    pool: uint256 = self.pools[provider]
    shares: uint256 = 0
    pool, shares = share_pool._deposit(pool, tokens)
    assert shares >= min_shares_out, "provider_staking: fewer shares than expected"
    self.pools[provider] = pool
    self._add_shares(provider, staking_words._nonce(pool), shares)
    self._pull(self, tokens)
    log IProviderStaking.Delegated(
        provider=provider, delegator=msg.sender, tokens=tokens, shares=shares
    )
    return shares


@internal
def _add_shares(provider: uint24, nonce: uint256, shares: uint256):
    position: staking_words.Position = staking_words._position(self.positions[provider][msg.sender])
    if position.nonce != nonce:
        position.nonce = nonce
        position.shares = 0
    position.shares += shares
    self.positions[provider][msg.sender] = staking_words._pack_position(position)


@external
def undelegate(provider: uint24, shares: uint256) -> uint256:
    """
    @notice Start to leave a pool. The tokens can be withdrawn after the unbonding period;
            until then they earn nothing and stay slashable.
    @param provider whose pool
    @param shares at most the caller's; what remains must be nothing or a whole delegation
    @return tokens base units that are unbonding now, rounded down
    """
    pool: uint256 = self.pools[provider]
    thawing: uint256 = self.pool_thawing[provider]
    position: staking_words.Position = self._position(provider, msg.sender, pool, thawing)
    assert shares <= position.shares, "provider_staking: more shares than held"
    position.shares -= shares
    if position.shares != 0:
        self._check_whole(pool, position.shares)
    tokens: uint256 = 0
    pool, tokens = share_pool._redeem(pool, shares)
    thawing_shares: uint256 = 0
    thawing, thawing_shares = share_pool._deposit(thawing, tokens)
    ready_at: uint256 = self._open_request(
        provider, msg.sender, position.open_requests, thawing_shares
    )
    position.open_requests += 1
    self.pools[provider] = pool
    self.pool_thawing[provider] = thawing
    self.positions[provider][msg.sender] = staking_words._pack_position(position)
    log IProviderStaking.UndelegationStarted(
        provider=provider, delegator=msg.sender, tokens=tokens, shares=shares, ready_at=ready_at
    )
    return tokens


@internal
@view
def _check_whole(pool: uint256, shares: uint256):
    """
    @notice What a delegator is left with must be a whole delegation.
    """
    assert (
        shares >= share_pool.MIN_SHARES and share_pool._value(pool, shares) >= MIN_DELEGATION
    ), "provider_staking: remaining delegation below minimum"


@internal
@view
def _position(
    provider: uint24,
    delegator: address,
    pool: uint256,
    thawing: uint256,
) -> staking_words.Position:
    """
    @notice What a delegator holds, without what was wiped out since.
    """
    position: staking_words.Position = staking_words._position(self.positions[provider][delegator])
    if position.nonce != staking_words._nonce(pool):
        position.nonce = staking_words._nonce(pool)
        position.shares = 0
    if position.thawing_nonce != staking_words._nonce(thawing):
        position.thawing_nonce = staking_words._nonce(thawing)
        position.open_requests = 0
    return position


@internal
def _open_request(provider: uint24, holder: address, count: uint256, shares: uint256) -> uint256:
    """
    @param count requests of the holder that are open already
    @param shares of the thawing pool
    @return ready_at chain time in seconds from which it can be paid
    """
    assert count < MAX_REQUESTS, "provider_staking: too many open requests"
    ready_at: uint256 = block.timestamp + UNBONDING_PERIOD
    self.requests[provider][holder][count] = staking_words._pack_request(
        staking_words.Request(shares=shares, ready_at=ready_at)
    )
    return ready_at


@external
def cancel_undelegation(provider: uint24, index: uint256, min_shares_out: uint256) -> uint256:
    """
    @notice Put one request back into the pool, at today's share price. The caller must
            hold a whole delegation then.
    @param provider whose pool
    @param index position in `undelegations`
    @param min_shares_out shares the caller expects at least
    @return shares what the caller got, rounded down
    """
    pool: uint256 = self.pools[provider]
    thawing: uint256 = self.pool_thawing[provider]
    position: staking_words.Position = self._position(provider, msg.sender, pool, thawing)
    tokens: uint256 = 0
    thawing, tokens = share_pool._redeem(
        thawing, self._close_request(provider, msg.sender, position.open_requests, index)
    )
    shares: uint256 = 0
    pool, shares = share_pool._deposit(pool, tokens)
    assert shares >= min_shares_out, "provider_staking: fewer shares than expected"
    position.open_requests -= 1
    position.shares += shares
    self._check_whole(pool, position.shares)
    self.pools[provider] = pool
    self.pool_thawing[provider] = thawing
    self.positions[provider][msg.sender] = staking_words._pack_position(position)
    log IProviderStaking.UndelegationCancelled(
        provider=provider, delegator=msg.sender, tokens=tokens, shares=shares
    )
    return shares


@internal
def _close_request(provider: uint24, holder: address, count: uint256, index: uint256) -> uint256:
    """
    @notice Remove one request; the last one takes its place, so that none is ever empty.
    @param count requests of the holder that are open
    @return shares of the thawing pool that the request held
    """
    assert index < count, "provider_staking: no such request"
    word: uint256 = self.requests[provider][holder][index]
    last: uint256 = count - 1
    if index != last:
        self.requests[provider][holder][index] = self.requests[provider][holder][last]
    self.requests[provider][holder][last] = 0
    return staking_words._request(word).shares


@external
def withdraw_delegation(provider: uint24, max_requests: uint256) -> uint256:
    """
    @notice Pay the caller its matured requests to undelegate, in whatever order they stand.
    @param provider whose pool
    @param max_requests how many to pay at most
    @return tokens base units paid, rounded down
    """
    thawing: uint256 = self.pool_thawing[provider]
    position: staking_words.Position = staking_words._position(self.positions[provider][msg.sender])
    if position.thawing_nonce != staking_words._nonce(thawing):
        position.open_requests = 0
    tokens: uint256 = 0
    thawing, position.open_requests, tokens = self._redeem_matured(
        provider, msg.sender, thawing, position.open_requests, max_requests
    )
    self.pool_thawing[provider] = thawing
    self.positions[provider][msg.sender] = staking_words._pack_position(position)
    self._check_held(provider)
    self._pay(msg.sender, tokens)
    log IProviderStaking.DelegationWithdrawn(provider=provider, delegator=msg.sender, tokens=tokens)
    return tokens


@internal
def _redeem_matured(
    provider: uint24,
    holder: address,
    thawing: uint256,
    count: uint256,
    max_requests: uint256,
) -> (uint256, uint256, uint256):
    """
    @param thawing pool that the requests own
    @param count requests of the holder that are open
    @return thawing the pool afterwards
    @return count requests that are still open
    @return tokens base units to pay
    """
    shares: uint256 = 0
    left: uint256 = count
    # from the last to the first: what moves into a closed entry was looked at already
    for i: uint256 in range(count, bound=MAX_REQUESTS):
        if count - left == max_requests:
            break
        index: uint256 = count - 1 - i
        request: staking_words.Request = staking_words._request(
            self.requests[provider][holder][index]
        )
        if request.ready_at <= block.timestamp:
            shares += self._close_request(provider, holder, left, index)
            left -= 1
    assert left != count, "provider_staking: nothing to withdraw"
    pool: uint256 = 0
    tokens: uint256 = 0
    pool, tokens = share_pool._redeem(thawing, shares)
    return pool, left, tokens


@internal
@view
def _check_held(provider: uint24):
    """
    @notice What is left after a payment must cover every open case.
    """
    held: uint256 = staking_words._held(self.held[provider]).tokens
    if held != 0:
        assert self._slashable(provider) >= held, "provider_staking: stake is held by a case"


@internal
def _pay(receiver: address, tokens: uint256):
    assert extcall TOKEN.transfer(
        receiver, tokens, default_return_value=True
    ), "provider_staking: token refused the transfer"


@external
def add_rewards(provider: uint24, tokens: uint256, kind: IProviderStaking.PaymentKind):
    """
    @notice Pay rewards in out of the caller's tokens: the commission goes to the payout
            address, the rest raises the price of the delegators' shares. Without delegators
            the provider gets all.
    @param provider who earned them
    @param tokens base units
    @param kind what they were paid for; it chooses the commission
    """
    terms: staking_words.Terms = staking_words._terms(self.terms[provider])
    assert terms.owner != empty(address), "provider_staking: unknown provider"
    pool: uint256 = self.pools[provider]
    shared: uint256 = 0
    if staking_words._shares(pool) != 0:
        shared = tokens - tokens * self._commission(terms, kind) // MAX_BPS
    if shared != 0:
        self.pools[provider] = share_pool._add(pool, shared)
        self._pull(self, shared)
    commission: uint256 = tokens - shared
    if commission != 0:
        self._pull(self.payouts[provider], commission)
    log IProviderStaking.RewardsAdded(
        provider=provider, kind=kind, commission=commission, shared=shared
    )


@internal
@view
def _commission(terms: staking_words.Terms, kind: IProviderStaking.PaymentKind) -> uint256:
    """
    @dev A pure function could not name the members of another file's flag.
    """
    if kind == IProviderStaking.PaymentKind.EMISSION:
        return terms.emission_commission_bps
    assert kind == IProviderStaking.PaymentKind.JOB, "provider_staking: not one kind of payment"
    return terms.job_commission_bps


@external
def lower_reporter_cut(provider: uint24):
    """
    @notice Carry out a scheduled lower reporter cut whose delay is over.
    @param provider whose terms
    """
    pending: PendingReporterCut = self.pending_reporter_cut[provider]
    assert pending.ready_at != 0, "provider_staking: no lower cut scheduled"
    assert block.timestamp >= pending.ready_at, "provider_staking: lower cut not ready"
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    log IProviderStaking.ReporterCutLowered(
        provider=provider, previous_bps=bond.max_reporter_bps, current_bps=pending.proposed
    )
    bond.max_reporter_bps = pending.proposed
    self.bonds[provider] = staking_words._pack_bond(bond)
    self.pending_reporter_cut[provider] = empty(PendingReporterCut)


# --- the provider's owner -----------------------------------------------------------------


@external
def unbond(provider: uint24, tokens: uint256):
    """
    @notice OWNER OF THE PROVIDER: start to take self-bond out. It can be withdrawn after
            the unbonding period and stays slashable until then.
    @param provider the caller's
    @param tokens base units; what remains must be nothing or the minimum, and cover every
           lock
    """
    self._check_owner(provider)
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    assert tokens <= bond.active, "provider_staking: more than the self-bond"
    bond.active -= tokens
    assert bond.active == 0 or bond.active >= MIN_SELF_BOND, (
        "provider_staking: remaining self-bond below minimum"
    )
    locked: uint256 = bond.held + self._cooling(provider)
    assert bond.active >= locked, "provider_staking: self-bond is locked"
    thawing: uint256 = self.bond_thawing[provider]
    shares: uint256 = 0
    thawing, shares = share_pool._deposit(thawing, tokens)
    ready_at: uint256 = self._open_request(provider, SELF, bond.open_requests, shares)
    bond.open_requests += 1
    self.bonds[provider] = staking_words._pack_bond(bond)
    self.bond_thawing[provider] = thawing
    held: staking_words.Held = staking_words._held(self.held[provider])
    if held.tokens != 0:
        held.exit_at = block.timestamp
        self.held[provider] = staking_words._pack_held(held)
    log IProviderStaking.UnbondingStarted(provider=provider, tokens=tokens, ready_at=ready_at)


@internal
@view
def _check_owner(provider: uint24):
    owner: address = staking_words._owner(self.terms[provider])
    assert msg.sender == owner, "provider_staking: caller is not the provider's owner"


@internal
@view
def _cooling(provider: uint24) -> uint256:
    """
    @notice Released self-bond that is still locked, in base units.
    """
    cooling: staking_words.Cooling = self._rolled_cooling(provider)
    return cooling.current + cooling.previous


@internal
@view
def _rolled_cooling(provider: uint24) -> staking_words.Cooling:
    """
    @notice The word of released self-bond as of the current window.
    """
    cooling: staking_words.Cooling = staking_words._cooling(self.cooling[provider])
    passed: uint256 = block.timestamp // LOCK_PERIOD - cooling.window
    if passed != 0:
        cooling.previous = cooling.current if passed == 1 else 0
        cooling.current = 0
        cooling.window += passed
    return cooling


@external
def cancel_unbonding(provider: uint24, index: uint256):
    """
    @notice OWNER OF THE PROVIDER: put one request back into the self-bond.
    @param provider the caller's
    @param index position in `unbondings`
    """
    self._check_owner(provider)
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    thawing: uint256 = self.bond_thawing[provider]
    tokens: uint256 = 0
    thawing, tokens = share_pool._redeem(
        thawing, self._close_request(provider, SELF, bond.open_requests, index)
    )
    bond.active += tokens
    bond.open_requests -= 1
    self.bonds[provider] = staking_words._pack_bond(bond)
    self.bond_thawing[provider] = thawing
    log IProviderStaking.UnbondingCancelled(provider=provider, tokens=tokens)


@external
def withdraw(provider: uint24, max_requests: uint256) -> uint256:
    """
    @notice OWNER OF THE PROVIDER: pay matured requests to unbond, in whatever order they
            stand, to the payout address.
    @param provider the caller's
    @param max_requests how many to pay at most
    @return tokens base units paid, rounded down
    """
    self._check_owner(provider)
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    thawing: uint256 = self.bond_thawing[provider]
    tokens: uint256 = 0
    thawing, bond.open_requests, tokens = self._redeem_matured(
        provider, SELF, thawing, bond.open_requests, max_requests
    )
    self.bonds[provider] = staking_words._pack_bond(bond)
    self.bond_thawing[provider] = thawing
    self._check_held(provider)
    receiver: address = self.payouts[provider]
    self._pay(receiver, tokens)
    log IProviderStaking.Withdrawn(provider=provider, receiver=receiver, tokens=tokens)
    return tokens


@external
def set_operator(provider: uint24, operator: address):
    """
    @notice OWNER OF THE PROVIDER: change the hot key at once. The old key can't be used
            again by anyone, and what it signed still convicts this provider.
    @param provider the caller's
    @param operator a key no provider ever used; the zero address for none
    """
    self._check_owner(provider)
    self._set_operator(provider, operator)


@external
def set_payout(provider: uint24, payout: address):
    """
    @notice OWNER OF THE PROVIDER: change where commission, job income and withdrawn
            self-bond go.
    @param provider the caller's
    @param payout any address but zero
    """
    self._check_owner(provider)
    self._set_payout(provider, payout)


@external
def set_uri(provider: uint24, uri: String[200]):
    """
    @notice OWNER OF THE PROVIDER: change where the provider describes itself. Kept in the
            logs only.
    @param provider the caller's
    @param uri any text
    """
    self._check_owner(provider)
    log IProviderStaking.UriChanged(provider=provider, uri=uri)


@external
def set_commission(provider: uint24, kind: IProviderStaking.PaymentKind, bps: uint256):
    """
    @notice OWNER OF THE PROVIDER: change the commission on one kind of payment at once.
            It may fall to anything, and rise by MAX_COMMISSION_RISE once per unbonding
            period, so that delegators can leave before the next rise.
    @param provider the caller's
    @param kind which commission
    @param bps share of the payments that the provider keeps, up to 10_000
    """
    self._check_share(bps)
    self._check_owner(provider)
    terms: staking_words.Terms = staking_words._terms(self.terms[provider])
    previous: uint256 = self._commission(terms, kind)
    if bps > previous:
        assert bps - previous <= MAX_COMMISSION_RISE, "provider_staking: commission rises too far"
        assert (
            block.timestamp >= terms.raised_at + UNBONDING_PERIOD
        ), "provider_staking: commission rises too soon"
        terms.raised_at = block.timestamp
    if kind == IProviderStaking.PaymentKind.EMISSION:
        terms.emission_commission_bps = bps
    else:
        terms.job_commission_bps = bps
    self.terms[provider] = staking_words._pack_terms(terms)
    log IProviderStaking.CommissionChanged(
        provider=provider, kind=kind, previous_bps=previous, current_bps=bps
    )


@external
def schedule_reporter_cut(provider: uint24, bps: uint256):
    """
    @notice OWNER OF THE PROVIDER: lower the largest share of a slash that a reporter may
            get, after the unbonding period; `lower_reporter_cut` carries it out. Never rises.
    @param provider the caller's
    @param bps share of a slash, below today's
    """
    self._check_owner(provider)
    current: uint256 = staking_words._bond(self.bonds[provider]).max_reporter_bps
    assert bps < current, "provider_staking: reporter cut can only be lowered"
    ready_at: uint256 = block.timestamp + UNBONDING_PERIOD
    self.pending_reporter_cut[provider] = PendingReporterCut(proposed=bps, ready_at=ready_at)
    log IProviderStaking.ReporterCutScheduled(
        provider=provider,
        current_bps=current,
        proposed_bps=bps,
        ready_at=ready_at,
    )


# --- LOCKER -------------------------------------------------------------------------------


@external
def lock(provider: uint24, tokens: uint256):
    """
    @notice LOCKER: keep self-bond from unbonding until it is released, behind a job that
            the provider accepts. Refused to a jailed provider.
    @param provider who accepts
    @param tokens base units, at most `free_self_bond`
    """
    delayed_roles._check_role(LOCKER)
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    assert not self._jailed(bond), "provider_staking: provider is jailed"
    bond.held += tokens
    locked: uint256 = bond.held + self._cooling(provider)
    assert bond.active >= locked, "provider_staking: not enough free self-bond"
    self.bonds[provider] = staking_words._pack_bond(bond)
    log IProviderStaking.StakeLocked(provider=provider, tokens=tokens)


@internal
@view
def _jailed(bond: staking_words.Bond) -> bool:
    """
    @notice A jail term ends when its time is over and the self-bond is whole again.
    """
    return bond.jailed_until != 0 and (
        block.timestamp < bond.jailed_until or bond.active < MIN_SELF_BOND
    )


@external
def release(provider: uint24, tokens: uint256):
    """
    @notice LOCKER: end a lock. The tokens stay out of unbonding for at least one lock
            period, in which the ended job can still be disputed, and at most two.
    @param provider whose lock
    @param tokens base units
    """
    delayed_roles._check_role(LOCKER)
    self.bonds[provider] = staking_words._pack_bond(self._unlocked(provider, tokens))
    cooling: staking_words.Cooling = self._rolled_cooling(provider)
    cooling.current += tokens
    self.cooling[provider] = staking_words._pack_cooling(cooling)
    log IProviderStaking.StakeReleased(provider=provider, tokens=tokens)


@internal
@view
def _unlocked(provider: uint24, tokens: uint256) -> staking_words.Bond:
    """
    @notice The bond with `tokens` fewer behind accepted jobs.
    """
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    assert tokens <= bond.held, "provider_staking: more than is locked"
    bond.held -= tokens
    return bond


@external
def seize(provider: uint24, tokens: uint256, victim: address) -> uint256:
    """
    @notice LOCKER: pay a victim out of what was locked for it, and end that lock. Takes
            active and unbonding self-bond pro rata and burns nothing.
    @param provider who pays
    @param tokens base units, at most what is locked; all of them count as unlocked after
    @param victim who is paid
    @return paid base units; fewer than `tokens` where slashes left less self-bond
    """
    delayed_roles._check_role(LOCKER)
    bond: staking_words.Bond = self._unlocked(provider, tokens)
    thawing: uint256 = self.bond_thawing[provider]
    paid: uint256 = min(tokens, bond.active + staking_words._tokens(thawing))
    self._take_self_bond(provider, bond, thawing, paid)
    if paid != 0:
        self._pay(victim, paid)
    log IProviderStaking.StakeSeized(provider=provider, victim=victim, tokens=tokens, paid=paid)
    return paid


@internal
def _take_self_bond(provider: uint24, bond: staking_words.Bond, thawing: uint256, tokens: uint256):
    """
    @notice Take from active and unbonding self-bond pro rata, and store both.
    @param tokens base units, at most the sum of both
    """
    left: staking_words.Bond = bond
    thawing_left: uint256 = 0
    left.active, thawing_left = share_pool._remaining(
        bond.active, staking_words._tokens(thawing), tokens
    )
    if thawing_left != staking_words._tokens(thawing):
        scaled: uint256 = share_pool._scale(thawing, thawing_left)
        if staking_words._nonce(scaled) != staking_words._nonce(thawing):
            left.open_requests = 0
        self.bond_thawing[provider] = scaled
    self.bonds[provider] = staking_words._pack_bond(left)


# --- SLASHER ------------------------------------------------------------------------------


@external
def slash(provider: uint24, order: IProviderStaking.SlashOrder) -> uint256:
    """
    @notice SLASHER: take stake, the self-bond first and then the delegations, each with
            its unbonding part pro rata; pay the victim, then the reporter, and burn the
            rest.
    @dev Where less than `amount` is slashable everything is taken: the victim is paid up to
         what there is, the reporter up to the rest and to its signed share of what was
         taken.
    @param provider who is slashed
    @param order how much, and how it is spent; the reporter's part is at most the share of
           `amount` that the provider signed
    @return taken base units
    """
    delayed_roles._check_role(SLASHER)
    assert (
        order.victim_amount + order.reporter_amount <= order.amount
    ), "provider_staking: order spends more than it takes"
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    assert (
        order.reporter_amount <= order.amount * bond.max_reporter_bps // MAX_BPS
    ), "provider_staking: reporter cut over the signed share"
    thawing: uint256 = self.bond_thawing[provider]
    from_self_bond: uint256 = min(order.amount, bond.active + staking_words._tokens(thawing))
    if from_self_bond != 0:
        self._take_self_bond(provider, bond, thawing, from_self_bond)
    from_delegation: uint256 = 0
    if from_self_bond < order.amount:
        from_delegation = self._take_delegation(provider, order.amount - from_self_bond)
    taken: uint256 = from_self_bond + from_delegation

    victim_amount: uint256 = min(order.victim_amount, taken)
    reporter_amount: uint256 = min(
        order.reporter_amount,
        min(taken - victim_amount, taken * bond.max_reporter_bps // MAX_BPS),
    )
    burnt: uint256 = taken - victim_amount - reporter_amount
    if victim_amount != 0:
        self._pay(order.victim, victim_amount)
    if reporter_amount != 0:
        self._pay(order.reporter, reporter_amount)
    if burnt != 0:
        extcall IWorkToken(TOKEN.address).burn(burnt)
    log IProviderStaking.Slashed(
        provider=provider,
        from_self_bond=from_self_bond,
        from_delegation=from_delegation,
        victim=order.victim,
        victim_amount=victim_amount,
        reporter=order.reporter,
        reporter_amount=reporter_amount,
        burnt=burnt,
    )
    return taken


@internal
def _take_delegation(provider: uint24, tokens: uint256) -> uint256:
    """
    @notice Take from a delegation pool and its unbonding part pro rata, and store both.
    @param tokens base units wanted
    @return taken base units there were
    """
    pool: uint256 = self.pools[provider]
    thawing: uint256 = self.pool_thawing[provider]
    taken: uint256 = min(tokens, staking_words._tokens(pool) + staking_words._tokens(thawing))
    if taken == 0:
        return 0
    left: uint256 = 0
    thawing_left: uint256 = 0
    left, thawing_left = share_pool._remaining(
        staking_words._tokens(pool), staking_words._tokens(thawing), taken
    )
    self.pools[provider] = share_pool._scale(pool, left)
    if thawing_left != staking_words._tokens(thawing):
        self.pool_thawing[provider] = share_pool._scale(thawing, thawing_left)
    return taken


@external
def hold(provider: uint24, tokens: uint256):
    """
    @notice SLASHER: open a case. Until `drop`, no payment may leave less than all that open
            cases hold, whether self-bond or delegation, unbonding included.
    @param provider who is accused
    @param tokens base units, also more than there are
    """
    delayed_roles._check_role(SLASHER)
    held: staking_words.Held = staking_words._held(self.held[provider])
    held.tokens += tokens
    self.held[provider] = staking_words._pack_held(held)
    log IProviderStaking.CaseHeld(provider=provider, tokens=tokens)


@external
def drop(provider: uint24, tokens: uint256):
    """
    @notice SLASHER: close a case and let its stake go.
    @param provider who was accused
    @param tokens base units that its `hold` named
    """
    delayed_roles._check_role(SLASHER)
    held: staking_words.Held = staking_words._held(self.held[provider])
    assert tokens <= held.tokens, "provider_staking: more than cases hold"
    held.tokens -= tokens
    self.held[provider] = staking_words._pack_held(held)
    log IProviderStaking.CaseDropped(provider=provider, tokens=tokens)


@external
def jail(provider: uint24, until: uint64):
    """
    @notice SLASHER: no new jobs and no emission until a time. A longer term stays.
    @param provider who is jailed
    @param until chain time in seconds; the largest value means for ever
    """
    delayed_roles._check_role(SLASHER)
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    end: uint256 = min(convert(until, uint256), staking_words.MAX_TIME)
    bond.jailed_until = max(bond.jailed_until, end)
    self.bonds[provider] = staking_words._pack_bond(bond)
    log IProviderStaking.Jailed(provider=provider, until=self._jail_end(bond))


@internal
@pure
def _jail_end(bond: staking_words.Bond) -> uint64:
    if bond.jailed_until == staking_words.MAX_TIME:
        return FOR_EVER
    return convert(bond.jailed_until, uint64)


# --- views --------------------------------------------------------------------------------


@external
@view
def provider_info(provider: uint24) -> IProviderStaking.Provider:
    """
    @notice A provider's keys and terms; all empty for an unknown id.
    """
    terms: staking_words.Terms = staking_words._terms(self.terms[provider])
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    return IProviderStaking.Provider(
        owner=terms.owner,
        operator=self.operators[provider],
        payout=self.payouts[provider],
        emission_commission_bps=convert(terms.emission_commission_bps, uint16),
        job_commission_bps=convert(terms.job_commission_bps, uint16),
        max_reporter_bps=convert(bond.max_reporter_bps, uint16),
        jailed_until=self._jail_end(bond),
    )


@external
@view
def is_jailed(provider: uint24) -> bool:
    """
    @notice Whether a provider is in jail: its term runs, or ended without the minimum
            self-bond being restored.
    """
    return self._jailed(staking_words._bond(self.bonds[provider]))


@external
@view
def slashable(provider: uint24) -> uint256:
    """
    @notice Everything a slash can reach now, unbonding included, in base units.
    """
    return self._slashable(provider)


@internal
@view
def _slashable(provider: uint24) -> uint256:
    return (
        staking_words._bond(self.bonds[provider]).active
        + staking_words._tokens(self.bond_thawing[provider])
        + staking_words._tokens(self.pools[provider])
        + staking_words._tokens(self.pool_thawing[provider])
    )


@external
@view
def held_by_cases(provider: uint24) -> (uint256, uint256):
    """
    @notice What open cases keep from being paid out.
    @return tokens base units, also more than there are
    @return exit_at chain time in seconds at which self-bond last began to leave while a case
            was open, 0 for never
    """
    held: staking_words.Held = staking_words._held(self.held[provider])
    return held.tokens, held.exit_at


@external
@view
def free_self_bond(provider: uint24) -> uint256:
    """
    @notice Active self-bond behind no job, neither an accepted nor a lately ended one, in
            base units.
    """
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    locked: uint256 = bond.held + self._cooling(provider)
    return bond.active - min(bond.active, locked)


@external
@view
def self_bond(provider: uint24) -> IProviderStaking.SelfBond:
    """
    @notice A provider's own stake, in base units.
    """
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    return IProviderStaking.SelfBond(
        active=bond.active,
        unbonding=staking_words._tokens(self.bond_thawing[provider]),
        held=bond.held,
        cooling=self._cooling(provider),
    )


@external
@view
def delegation_pool(provider: uint24) -> IProviderStaking.DelegationPool:
    """
    @notice A provider's delegation pool.
    """
    pool: uint256 = self.pools[provider]
    return IProviderStaking.DelegationPool(
        tokens=staking_words._tokens(pool),
        shares=staking_words._shares(pool),
        unbonding=staking_words._tokens(self.pool_thawing[provider]),
    )


@external
@view
def delegation(provider: uint24, delegator: address) -> (uint256, uint256):
    """
    @notice What a delegator holds, without what is unbonding.
    @return shares of the pool; none of a pool that was wiped out
    @return tokens what they are worth now, in base units
    """
    pool: uint256 = self.pools[provider]
    position: staking_words.Position = self._position(provider, delegator, pool, 0)
    return position.shares, share_pool._value(pool, position.shares)


@external
@view
def unbondings(provider: uint24) -> DynArray[IProviderStaking.Unbonding, MAX_REQUESTS]:
    """
    @notice Open requests of a provider's owner, in no order.
    """
    return self._unbondings(
        provider,
        SELF,
        self.bond_thawing[provider],
        staking_words._bond(self.bonds[provider]).open_requests,
    )


@internal
@view
def _unbondings(
    provider: uint24, holder: address, thawing: uint256, count: uint256
) -> DynArray[IProviderStaking.Unbonding, MAX_REQUESTS]:
    unbondings: DynArray[IProviderStaking.Unbonding, MAX_REQUESTS] = []
    for index: uint256 in range(count, bound=MAX_REQUESTS):
        request: staking_words.Request = staking_words._request(
            self.requests[provider][holder][index]
        )
        unbondings.append(
            IProviderStaking.Unbonding(
                tokens=share_pool._value(thawing, request.shares), ready_at=request.ready_at
            )
        )
    return unbondings


@external
@view
def undelegations(
    provider: uint24, delegator: address
) -> DynArray[IProviderStaking.Unbonding, MAX_REQUESTS]:
    """
    @notice Open requests of a delegator, in no order; none that was wiped out.
    """
    thawing: uint256 = self.pool_thawing[provider]
    position: staking_words.Position = self._position(provider, delegator, 0, thawing)
    return self._unbondings(provider, delegator, thawing, position.open_requests)
