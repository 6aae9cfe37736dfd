# pragma version 0.4.3
"""
@title Staking words
@license Apache-2.0
@author Clearwork
@notice The layout of every packed storage word of ProviderStaking. No other file shifts
        bits. Amounts of tokens are checked to fit; for every other field its packer
        says why it can't spill into its neighbour.
"""

# widths, in bits
TOKENS: constant(uint256) = 96
SHARES: constant(uint256) = 128
NONCE: constant(uint256) = 32
TIME: constant(uint256) = 40
ADDRESS: constant(uint256) = 160
BPS: constant(uint256) = 16

MAX_TOKENS: constant(uint256) = 2**TOKENS - 1
MAX_SHARES: constant(uint256) = 2**SHARES - 1
MAX_NONCE: constant(uint256) = 2**NONCE - 1
MAX_TIME: constant(uint256) = 2**TIME - 1
MAX_ADDRESS: constant(uint256) = 2**ADDRESS - 1
MAX_BPS: constant(uint256) = 2**BPS - 1


# tokens 96 | shares 128 | nonce 32
struct Pool:
    # base units that all shares own together
    tokens: uint256
    shares: uint256
    # how often the pool was wiped out; shares of an older nonce are worth nothing
    nonce: uint256


# active 96 | held 96 | jailed_until 40 | max_reporter_bps 16 | open_requests 8
struct Bond:
    # base units of self-bond that are not unbonding
    active: uint256
    # base units of `active` behind accepted jobs
    held: uint256
    # chain time in seconds; MAX_TIME means for ever
    jailed_until: uint256
    # bps of a slash that a reporter may get at most
    max_reporter_bps: uint256
    # requests to unbond that were not paid yet
    open_requests: uint256


# shares 128 | nonce 32 | thawing_nonce 32 | open_requests 8
struct Position:
    # shares of the delegation pool, counted while `nonce` is the pool's
    shares: uint256
    nonce: uint256
    # requests are counted while this is the nonce of the thawing pool
    thawing_nonce: uint256
    open_requests: uint256


# shares 128 | ready_at 128
struct Request:
    # shares of a thawing pool
    shares: uint256
    # chain time in seconds from which it is paid
    ready_at: uint256


# current 96 | previous 96 | window 64
struct Cooling:
    # base units released from a lock in `window`
    current: uint256
    # base units released in the window before it
    previous: uint256
    # chain time divided by the lock period
    window: uint256


# tokens 96 | exit_at 160
struct Held:
    # base units that open cases against the provider keep from being paid out
    tokens: uint256
    # chain time in seconds at which self-bond last began to leave while a case was open
    exit_at: uint256


# owner 160 | emission_commission_bps 16 | job_commission_bps 16 | raised_at 64
struct Terms:
    owner: address
    emission_commission_bps: uint256
    job_commission_bps: uint256
    # chain time in seconds of the last rise of a commission
    raised_at: uint256


@internal
@pure
def _pool(word: uint256) -> Pool:
    return Pool(
        tokens=word & MAX_TOKENS,
        shares=(word >> TOKENS) & MAX_SHARES,
        nonce=word >> (TOKENS + SHARES),
    )


@internal
@pure
def _tokens(pool: uint256) -> uint256:
    """
    @notice Tokens of a pool's word, in base units.
    """
    return pool & MAX_TOKENS


@internal
@pure
def _shares(pool: uint256) -> uint256:
    """
    @notice Shares of a pool's word.
    """
    return (pool >> TOKENS) & MAX_SHARES


@internal
@pure
def _nonce(pool: uint256) -> uint256:
    """
    @notice Nonce of a pool's word.
    """
    return pool >> (TOKENS + SHARES)


@internal
@pure
def _pack_pool(pool: Pool) -> uint256:
    """
    @dev `share_pool` never lets a pool have more than 10**9 shares per token, so the shares
         fit when the tokens do: 2**96 * 10**9 < 2**128. A nonce rises by one slash, and
         nobody sends 2**32 of them.
    """
    assert pool.tokens <= MAX_TOKENS, "staking_words: too many tokens"
    return pool.tokens | (pool.shares << TOKENS) | (pool.nonce << (TOKENS + SHARES))


@internal
@pure
def _bond(word: uint256) -> Bond:
    return Bond(
        active=word & MAX_TOKENS,
        held=(word >> TOKENS) & MAX_TOKENS,
        jailed_until=(word >> (2 * TOKENS)) & MAX_TIME,
        max_reporter_bps=(word >> (2 * TOKENS + TIME)) & MAX_BPS,
        open_requests=word >> (2 * TOKENS + TIME + BPS),
    )


@internal
@pure
def _pack_bond(bond: Bond) -> uint256:
    """
    @dev `held` is only ever raised up to `active`, so it fits when `active` did; the
         caller clamps `jailed_until` to MAX_TIME and bounds `max_reporter_bps` by 10_000
         and `open_requests` by 32.
    """
    assert bond.active <= MAX_TOKENS, "staking_words: too much self-bond"
    return (
        bond.active
        | (bond.held << TOKENS)
        | (bond.jailed_until << (2 * TOKENS))
        | (bond.max_reporter_bps << (2 * TOKENS + TIME))
        | (bond.open_requests << (2 * TOKENS + TIME + BPS))
    )


@internal
@pure
def _position(word: uint256) -> Position:
    return Position(
        shares=word & MAX_SHARES,
        nonce=(word >> SHARES) & MAX_NONCE,
        thawing_nonce=(word >> (SHARES + NONCE)) & MAX_NONCE,
        open_requests=word >> (SHARES + 2 * NONCE),
    )


@internal
@pure
def _pack_position(position: Position) -> uint256:
    """
    @dev A holder's shares are part of a pool's and the nonces are copies of a pool's, so
         they fit when the pool did; the caller bounds `open_requests` by 32.
    """
    return (
        position.shares
        | (position.nonce << SHARES)
        | (position.thawing_nonce << (SHARES + NONCE))
        | (position.open_requests << (SHARES + 2 * NONCE))
    )


@internal
@pure
def _request(word: uint256) -> Request:
    return Request(shares=word & MAX_SHARES, ready_at=word >> SHARES)


@internal
@pure
def _pack_request(request: Request) -> uint256:
    """
    @dev The shares are part of a pool's, so they fit when the pool did.
    """
    return request.shares | (request.ready_at << SHARES)


@internal
@pure
def _cooling(word: uint256) -> Cooling:
    return Cooling(
        current=word & MAX_TOKENS,
        previous=(word >> TOKENS) & MAX_TOKENS,
        window=word >> (2 * TOKENS),
    )


@internal
@pure
def _pack_cooling(cooling: Cooling) -> uint256:
    """
    @dev A lock is refused where it and all that is cooling exceed the active self-bond, so
         what is released fits when the bond did.
    """
    return cooling.current | (cooling.previous << TOKENS) | (cooling.window << (2 * TOKENS))


@internal
@pure
def _held(word: uint256) -> Held:
    return Held(tokens=word & MAX_TOKENS, exit_at=word >> TOKENS)


@internal
@pure
def _pack_held(held: Held) -> uint256:
    """
    @dev Chain time fits 160 bits.
    """
    assert held.tokens <= MAX_TOKENS, "staking_words: too much held"
    return held.tokens | (held.exit_at << TOKENS)


@internal
@pure
def _terms(word: uint256) -> Terms:
    return Terms(
        owner=self._owner(word),
        emission_commission_bps=(word >> ADDRESS) & MAX_BPS,
        job_commission_bps=(word >> (ADDRESS + BPS)) & MAX_BPS,
        raised_at=word >> (ADDRESS + 2 * BPS),
    )


@internal
@pure
def _owner(terms: uint256) -> address:
    """
    @notice Owner in a word of terms.
    """
    return convert(terms & MAX_ADDRESS, address)


@internal
@pure
def _pack_terms(terms: Terms) -> uint256:
    """
    @dev The caller bounds each share by 10_000 bps; chain time fits 64 bits.
    """
    return (
        convert(terms.owner, uint256)
        | (terms.emission_commission_bps << ADDRESS)
        | (terms.job_commission_bps << (ADDRESS + BPS))
        | (terms.raised_at << (ADDRESS + 2 * BPS))
    )
