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
     the share the provider signed, a reporter, and keep stake from being paid out while a
     case is open; the LOCKER may keep self-bond from leaving and pay victims out of what it
     locked. Both are contracts; the owner names them, and
     renames them only after a delay longer than the unbonding period, so whoever disagrees
     is out before. Nobody can move a holder's stake, timers or terms but the holder; a third
     party can only add tokens.
@custom:security security@clearwork.example
@custom:kill There is no pause: everyone can always leave, but for what open cases hold until
             they end. The owner empties LOCKER and
             SLASHER, which ends new jobs and all slashing after the role delay; a successor
             is a new deployment that holders move to by themselves.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IProviderRegistry
from .interfaces import IProviderStaking
from .interfaces import IWorkToken
from .modules import delayed_roles
from .modules import epoch_clock
from .modules import share_pool
from .modules import staking_words

implements: IProviderStaking

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
    # clock; EpochLedger tells the current epoch
    epoch_clock.EPOCH_LENGTH,
)


# role that locks, releases and seizes self-bond
LOCKER: public(constant(bytes32)) = keccak256("LOCKER")
# role that slashes and jails
SLASHER: public(constant(bytes32)) = keccak256("SLASHER")

# open requests of one holder with one provider
MAX_REQUESTS: public(constant(uint256)) = 32
MAX_BPS: constant(uint256) = 10_000
# `jailed_until` of a provider that may never come back
FOR_EVER: constant(uint64) = max_value(uint64)

MAX_UNBONDING_PERIOD: constant(uint256) = 365 * 86_400
MAX_LOCK_PERIOD: constant(uint256) = 30 * 86_400
# key of the provider's own requests, which no delegator can have
SELF: constant(address) = empty(address)

# who the providers are, and their terms
PROVIDERS: public(immutable(IProviderRegistry))
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

# provider => word of active self-bond, its lock, jail term, open requests
bonds: HashMap[uint24, uint256]
# provider => word of the thawing pool of its self-bond
bond_thawing: HashMap[uint24, uint256]
# provider => word of self-bond released from locks not long ago
cooling: HashMap[uint24, uint256]
# provider => word of what open cases keep from leaving
disputed: HashMap[uint24, uint256]
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
    providers: IProviderRegistry,
    token: IERC20,
    genesis: uint256,
    epoch_length: uint256,
    unbonding_period: uint256,
    lock_period: uint256,
    min_self_bond: uint256,
    min_delegation: uint256,
    role_change_delay: uint256,
):
    """
    @param providers who the providers are; its notice period is no shorter than
           `unbonding_period`
    @param token the staked token: reverts on failure, takes no fee, can be burnt
    @param genesis chain time in seconds at which epoch 0 starts
    @param epoch_length seconds in one epoch
    @param unbonding_period seconds from a request to its payment, at least an epoch, up to
           365 days
    @param lock_period seconds released self-bond stays locked at least, up to 30 days
    @param min_self_bond base units a self-bond needs to count
    @param min_delegation base units of the smallest delegation
    @param role_change_delay seconds a change of slasher or locker waits, longer than
           the unbonding period
    """
    assert (
        unbonding_period >= epoch_length and unbonding_period <= MAX_UNBONDING_PERIOD
    ), "provider_staking: unbonding period out of bounds"
    assert (
        lock_period != 0 and lock_period <= MAX_LOCK_PERIOD
    ), "provider_staking: lock period out of bounds"
    assert min_self_bond >= share_pool.MIN_SHARES, "provider_staking: least self-bond out of bounds"
    assert (
        min_delegation >= share_pool.MIN_SHARES
    ), "provider_staking: least delegation out of bounds"
    assert role_change_delay > unbonding_period, "provider_staking: role delay too short"
    assert (
        staticcall providers.NOTICE_PERIOD() >= unbonding_period
    ), "provider_staking: notice period too short"
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    epoch_clock.__init__(genesis, epoch_length)
    PROVIDERS = providers
    TOKEN = token
    UNBONDING_PERIOD = unbonding_period
    LOCK_PERIOD = lock_period
    MIN_SELF_BOND = min_self_bond
    MIN_DELEGATION = min_delegation


# --- anyone -------------------------------------------------------------------------------


@external
def stake(provider: uint24, tokens: uint256):
    """
    @notice Add to a provider's self-bond out of the caller's tokens. It becomes the
            provider's: whoever pays gets no claim on it.
    @param provider any registered provider
    @param tokens base units
    """
    self._stake(provider, tokens)


@internal
def _stake(provider: uint24, tokens: uint256):
    assert tokens != 0, "provider_staking: nothing to stake"
    word: uint256 = self.bonds[provider]
    if word == 0:
        assert (
            staticcall PROVIDERS.owner_of(provider) != empty(address)
        ), "provider_staking: unknown provider"
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
def stake_with_permit(
    provider: uint24, tokens: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32
):
    """
    @notice `stake`, with the allowance given by signature (EIP-2612).
    @param provider any registered provider
    @param tokens base units, also the value of the permit
    @param deadline chain time in seconds until which the permit holds
    @param v of the caller's signature
    @param r of the caller's signature
    @param s of the caller's signature
    """
    self._permit(tokens, deadline, v, r, s)
    self._stake(provider, tokens)


@internal
def _permit(tokens: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @dev Anybody may have sent the permit before, so what counts is the allowance.
    """
    if not raw_call(
        TOKEN.address,
        abi_encode(
            msg.sender,
            self,
            tokens,
            deadline,
            v,
            r,
            s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        revert_on_failure=False,
    ):
        assert (
            staticcall TOKEN.allowance(msg.sender, self) >= tokens
        ), "provider_staking: permit refused"


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
    shares: uint256 = self._delegate(provider, tokens, min_shares_out)
    self._pull(self, tokens)
    return shares


@internal
def _delegate(provider: uint24, tokens: uint256, min_shares_out: uint256) -> uint256:
    """
    @notice Put tokens into a pool for the caller, who pays for them elsewhere.
    """
    assert tokens >= MIN_DELEGATION, "provider_staking: delegation below minimum"
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    assert bond.active >= MIN_SELF_BOND, "provider_staking: provider lacks self-bond"
    pool: uint256 = self.pools[provider]
    shares: uint256 = 0
    pool, shares = share_pool._deposit(pool, tokens)
    assert shares >= min_shares_out, "provider_staking: fewer shares than expected"
    self.pools[provider] = pool
    position: staking_words.Position = staking_words._position(self.positions[provider][msg.sender])
    position.shares = share_pool._current(pool, position.shares, position.generation) + shares
    position.generation = staking_words._generation(pool)
    self.positions[provider][msg.sender] = staking_words._pack_position(position)
    log IProviderStaking.Delegated(
        provider=provider, delegator=msg.sender, tokens=tokens, shares=shares
    )
    return shares


@external
def delegate_with_permit(
    provider: uint24,
    tokens: uint256,
    min_shares_out: uint256,
    deadline: uint256,
    v: uint8,
    r: bytes32,
    s: bytes32,
) -> uint256:
    """
    @notice `delegate`, with the allowance given by signature (EIP-2612).
    @param provider whose pool
    @param tokens base units, also the value of the permit
    @param min_shares_out shares the caller expects at least
    @param deadline chain time in seconds until which the permit holds
    @param v of the caller's signature
    @param r of the caller's signature
    @param s of the caller's signature
    @return shares what the caller got, rounded down
    """
    self._permit(tokens, deadline, v, r, s)
    shares: uint256 = self._delegate(provider, tokens, min_shares_out)
    self._pull(self, tokens)
    return shares


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
        provider, msg.sender, position.open_requests, thawing, thawing_shares
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
    position.shares = share_pool._current(pool, position.shares, position.generation)
    position.generation = staking_words._generation(pool)
    return self._counted(position, thawing)


@internal
@pure
def _counted(position: staking_words.Position, thawing: uint256) -> staking_words.Position:
    """
    @notice A position without the requests of a thawing pool that started anew since.
    """
    counted: staking_words.Position = position
    today: uint256 = staking_words._generation(thawing)
    if staking_words._life(position.thawing_generation) != staking_words._life(today):
        counted.open_requests = 0
    counted.thawing_generation = today
    return counted


@internal
def _open_request(
    provider: uint24, holder: address, count: uint256, thawing: uint256, shares: uint256
) -> uint256:
    """
    @param count requests of the holder that are open already
    @param thawing pool that the request owns a part of
    @param shares of the thawing pool
    @return ready_at chain time in seconds from which it can be paid
    """
    assert count < MAX_REQUESTS, "provider_staking: too many open requests"
    ready_at: uint256 = block.timestamp + UNBONDING_PERIOD
    self.requests[provider][holder][count] = staking_words._pack_request(
        staking_words.Request(
            shares=shares, generation=staking_words._generation(thawing), ready_at=ready_at
        )
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
        thawing, self._close_request(provider, msg.sender, position.open_requests, thawing, index)
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
def _close_request(
    provider: uint24, holder: address, count: uint256, thawing: uint256, index: uint256
) -> uint256:
    """
    @notice Remove one request; the last one takes its place, so that none is ever empty.
    @param count requests of the holder that are open
    @param thawing pool that the request owns a part of
    @return shares of the thawing pool that the request held
    """
    assert index < count, "provider_staking: no such request"
    request: staking_words.Request = staking_words._request(self.requests[provider][holder][index])
    last: uint256 = count - 1
    if index != last:
        self.requests[provider][holder][index] = self.requests[provider][holder][last]
    self.requests[provider][holder][last] = 0
    return share_pool._current(thawing, request.shares, request.generation)


@external
def withdraw_delegation(provider: uint24, max_requests: uint256) -> uint256:
    """
    @notice Pay the caller its matured requests to undelegate, in whatever order they stand.
    @param provider whose pool
    @param max_requests how many to pay at most
    @return tokens base units paid, rounded down
    """
    tokens: uint256 = self._take_matured(provider, max_requests)
    self._pay(msg.sender, tokens)
    log IProviderStaking.DelegationWithdrawn(provider=provider, delegator=msg.sender, tokens=tokens)
    return tokens


@internal
def _take_matured(provider: uint24, max_requests: uint256) -> uint256:
    """
    @notice Take the caller's matured requests to undelegate out of the thawing pool.
    @return tokens base units to pay
    """
    thawing: uint256 = self.pool_thawing[provider]
    position: staking_words.Position = self._counted(
        staking_words._position(self.positions[provider][msg.sender]), thawing
    )
    tokens: uint256 = 0
    thawing, position.open_requests, tokens = self._redeem_matured(
        provider, msg.sender, thawing, position.open_requests, max_requests
    )
    self.pool_thawing[provider] = thawing
    self.positions[provider][msg.sender] = staking_words._pack_position(position)
    self._check_disputed(provider)
    return tokens


@external
def move(source: uint24, target: uint24, max_requests: uint256, min_shares_out: uint256) -> uint256:
    """
    @notice Put the caller's matured requests to undelegate behind another provider, without
            taking the tokens out. Nothing moves sooner: until a request matures it answers
            for what its old provider did.
    @param source provider that was left
    @param target provider whose pool takes the tokens, at least MIN_DELEGATION of them
    @param max_requests how many to move at most
    @param min_shares_out shares of the target's pool the caller expects at least
    @return shares what the caller got, rounded down
    """
    tokens: uint256 = self._take_matured(source, max_requests)
    log IProviderStaking.DelegationMoved(
        source=source, target=target, delegator=msg.sender, tokens=tokens
    )
    return self._delegate(target, tokens, min_shares_out)


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
            shares += self._close_request(provider, holder, left, thawing, index)
            left -= 1
    assert left != count, "provider_staking: nothing to withdraw"
    pool: uint256 = 0
    tokens: uint256 = 0
    pool, tokens = share_pool._redeem(thawing, shares)
    return pool, left, tokens


@internal
@view
def _check_disputed(provider: uint24):
    """
    @notice What is left after a payment must cover every open case.
    """
    tokens: uint256 = staking_words._disputed(self.disputed[provider]).tokens
    if tokens != 0:
        assert self._slashable(provider) >= tokens, "provider_staking: stake is held by a case"


@internal
def _pay(receiver: address, tokens: uint256):
    assert extcall TOKEN.transfer(
        receiver, tokens, default_return_value=True
    ), "provider_staking: token refused the transfer"


@external
def add_rewards(provider: uint24, tokens: uint256, kind: IProviderRegistry.PaymentKind):
    """
    @notice Pay rewards in out of the caller's tokens: the commission goes to the payout
            address, the rest raises the price of the delegators' shares. Without delegators
            the provider gets all.
    @param provider who earned them
    @param tokens base units
    @param kind what they were paid for; it chooses the commission
    """
    commission_bps: uint256 = 0
    payout: address = empty(address)
    commission_bps, payout = staticcall PROVIDERS.commission_of(provider, kind)
    pool: uint256 = self.pools[provider]
    shared: uint256 = 0
    if staking_words._shares(pool) != 0:
        shared = tokens - tokens * commission_bps // MAX_BPS
    if shared != 0:
        self.pools[provider] = share_pool._add(pool, shared)
        self._pull(self, shared)
    commission: uint256 = tokens - shared
    if commission != 0:
        self._pull(payout, commission)
    log IProviderStaking.RewardsAdded(
        provider=provider, kind=kind, commission=commission, shared=shared
    )


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
    open_requests: uint256 = self._open_unbondings(bond, thawing)
    ready_at: uint256 = self._open_request(provider, SELF, open_requests, thawing, shares)
    bond.open_requests = open_requests + 1
    bond.thawing_life = staking_words._life(staking_words._generation(thawing))
    self.bonds[provider] = staking_words._pack_bond(bond)
    self.bond_thawing[provider] = thawing
    disputed: staking_words.Disputed = staking_words._disputed(self.disputed[provider])
    if disputed.tokens != 0:
        disputed.exit_at = block.timestamp
        self.disputed[provider] = staking_words._pack_disputed(disputed)
    log IProviderStaking.UnbondingStarted(provider=provider, tokens=tokens, ready_at=ready_at)


@internal
@view
def _check_owner(provider: uint24):
    assert (
        msg.sender == staticcall PROVIDERS.owner_of(provider)
    ), "provider_staking: caller is not the provider's owner"


@internal
@pure
def _open_unbondings(bond: staking_words.Bond, thawing: uint256) -> uint256:
    """
    @notice Open requests of a provider's owner; none of a thawing pool that started anew.
    """
    if bond.thawing_life != staking_words._life(staking_words._generation(thawing)):
        return 0
    return bond.open_requests


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
    open_requests: uint256 = self._open_unbondings(bond, thawing)
    tokens: uint256 = 0
    thawing, tokens = share_pool._redeem(
        thawing, self._close_request(provider, SELF, open_requests, thawing, index)
    )
    bond.active += tokens
    bond.open_requests = open_requests - 1
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
        provider, SELF, thawing, self._open_unbondings(bond, thawing), max_requests
    )
    self.bonds[provider] = staking_words._pack_bond(bond)
    self.bond_thawing[provider] = thawing
    self._check_disputed(provider)
    receiver: address = staticcall PROVIDERS.payout_of(provider)
    self._pay(receiver, tokens)
    log IProviderStaking.Withdrawn(provider=provider, receiver=receiver, tokens=tokens)
    return tokens


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
        self.bond_thawing[provider] = share_pool._scale(thawing, thawing_left)
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
    max_reporter_bps: uint256 = staticcall PROVIDERS.max_reporter_bps(provider)
    assert (
        order.reporter_amount <= order.amount * max_reporter_bps // MAX_BPS
    ), "provider_staking: reporter cut over the signed share"
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
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
        min(taken - victim_amount, taken * max_reporter_bps // MAX_BPS),
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
            cases hold, whether self-bond or delegation, unbonding included. The case and
            its end are logged by the court.
    @param provider who is accused
    @param tokens base units, also more than there are
    """
    delayed_roles._check_role(SLASHER)
    disputed: staking_words.Disputed = staking_words._disputed(self.disputed[provider])
    disputed.tokens += tokens
    self.disputed[provider] = staking_words._pack_disputed(disputed)


@external
def drop(provider: uint24, tokens: uint256):
    """
    @notice SLASHER: close a case and let its stake go.
    @param provider who was accused
    @param tokens base units that its `hold` named
    """
    delayed_roles._check_role(SLASHER)
    disputed: staking_words.Disputed = staking_words._disputed(self.disputed[provider])
    assert tokens <= disputed.tokens, "provider_staking: more than cases hold"
    disputed.tokens -= tokens
    self.disputed[provider] = staking_words._pack_disputed(disputed)


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
def jailed_until(provider: uint24) -> uint64:
    """
    @notice Chain time in seconds at which a provider's jail term ends, 0 for none ever, the
            largest value for never. Past it the provider stays in jail until its self-bond
            is whole again, see `is_jailed`.
    """
    return self._jail_end(staking_words._bond(self.bonds[provider]))


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
    disputed: staking_words.Disputed = staking_words._disputed(self.disputed[provider])
    return disputed.tokens, disputed.exit_at


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
    shares: uint256 = self._position(provider, delegator, pool, 0).shares
    return shares, share_pool._value(pool, shares)


@external
@view
def stake_at(provider: uint24, holder: address, epoch: uint64) -> uint256:
    """
    @notice What a holder's vote weighs in the current epoch: its delegation behind a
            provider, and the self-bond where it is the provider's owner. What is unbonding
            does not count, and it unbonds for an epoch at least before it can stand
            anywhere else; a provider that changed hands in this epoch counts from the next.
            So the same stake never counts twice in an epoch.
    @param provider any provider
    @param holder delegator or owner
    @param epoch the current one; read a past epoch at a block of it
    @return tokens base units
    """
    assert epoch == epoch_clock._current_epoch(), "provider_staking: not the current epoch"
    pool: uint256 = self.pools[provider]
    tokens: uint256 = share_pool._value(pool, self._position(provider, holder, pool, 0).shares)
    if staticcall PROVIDERS.owns_since(provider, holder, epoch_clock._start_of(epoch)):
        tokens += staking_words._bond(self.bonds[provider]).active
    return tokens


@external
@view
def unbondings(provider: uint24) -> DynArray[IProviderStaking.Unbonding, MAX_REQUESTS]:
    """
    @notice Open requests of a provider's owner, in no order.
    """
    thawing: uint256 = self.bond_thawing[provider]
    bond: staking_words.Bond = staking_words._bond(self.bonds[provider])
    return self._unbondings(provider, SELF, thawing, self._open_unbondings(bond, thawing))


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
                tokens=share_pool._value(
                    thawing, share_pool._current(thawing, request.shares, request.generation)
                ),
                ready_at=request.ready_at,
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
    position: staking_words.Position = self._counted(
        staking_words._position(self.positions[provider][delegator]), thawing
    )
    return self._unbondings(provider, delegator, thawing, position.open_requests)
