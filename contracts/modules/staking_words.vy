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
GENERATION: constant(uint256) = 32
# low bits of a generation: how often shares were rescaled since the pool last started anew
RESCALES: constant(uint256) = 12
# until the year 4147
TIME: constant(uint256) = 36
LIFE: constant(uint256) = GENERATION - RESCALES

MAX_TOKENS: constant(uint256) = 2**TOKENS - 1
MAX_SHARES: constant(uint256) = 2**SHARES - 1
MAX_GENERATION: constant(uint256) = 2**GENERATION - 1
MAX_TIME: constant(uint256) = 2**TIME - 1
MAX_LIFE: constant(uint256) = 2**LIFE - 1


# tokens 96 | shares 128 | generation 32
struct Pool:
    # base units that all shares own together
    tokens: uint256
    shares: uint256
    # how often the pool started anew 20 | how often its shares were rescaled since 12;
    # tells what shares of an earlier time are worth (`share_pool._current`)
    generation: uint256


# active 96 | held 96 | jailed_until 36 | thawing_life 20 | open_requests 8
struct Bond:
    # base units of self-bond that are not unbonding
    active: uint256
    # base units of `active` behind accepted jobs
    held: uint256
    # chain time in seconds; MAX_TIME means for ever
    jailed_until: uint256
    # requests are counted while this is the life of their thawing pool
    thawing_life: uint256
    # requests to unbond that were not paid yet
    open_requests: uint256


# shares 128 | generation 32 | thawing_generation 32 | open_requests 8
struct Position:
    # shares of the delegation pool as of its `generation`
    shares: uint256
    generation: uint256
    # requests are counted until the thawing pool of this generation starts anew
    thawing_generation: uint256
    open_requests: uint256


# shares 128 | generation 32 | ready_at 96
struct Request:
    # shares of a thawing pool as of its `generation`
    shares: uint256
    generation: uint256
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
struct Disputed:
    # base units that open cases against the provider keep from being paid out
    tokens: uint256
    # chain time in seconds at which self-bond last began to leave while a case was open
    exit_at: uint256


@internal
@pure
def _pool(word: uint256) -> Pool:
    return Pool(
        tokens=word & MAX_TOKENS,
        shares=(word >> TOKENS) & MAX_SHARES,
        generation=self._generation(word),
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
def _generation(pool: uint256) -> uint256:
    """
    @notice Generation of a pool's word.
    """
    return pool >> (TOKENS + SHARES)


@internal
@pure
def _life(generation: uint256) -> uint256:
    """
    @notice How often the pool of a generation had started anew.
    """
    return generation >> RESCALES


@internal
@pure
def _pack_pool(pool: Pool) -> uint256:
    """
    @dev `share_pool` never lets a pool have more than 10**9 shares per token, so the shares
         fit when the tokens do: 2**96 * 10**9 < 2**128. A generation rises with every tenfold
         fall of a price; nobody loses nine tenths of a refilled pool 2**12 times in one life,
         nor nearly everything in 2**20 lives.
    """
    assert pool.tokens <= MAX_TOKENS, "staking_words: too many tokens"
    return pool.tokens | (pool.shares << TOKENS) | (pool.generation << (TOKENS + SHARES))


@internal
@pure
def _bond(word: uint256) -> Bond:
    return Bond(
        active=word & MAX_TOKENS,
        held=(word >> TOKENS) & MAX_TOKENS,
        jailed_until=(word >> (2 * TOKENS)) & MAX_TIME,
        thawing_life=(word >> (2 * TOKENS + TIME)) & MAX_LIFE,
        open_requests=word >> (2 * TOKENS + TIME + LIFE),
    )


@internal
@pure
def _pack_bond(bond: Bond) -> uint256:
    """
    @dev `held` is only ever raised up to `active`, so it fits when `active` did; the
         caller clamps `jailed_until` to MAX_TIME and bounds `open_requests` by 32;
         `thawing_life` is a copy of a pool's.
    """
    assert bond.active <= MAX_TOKENS, "staking_words: too much self-bond"
    return (
        bond.active
        | (bond.held << TOKENS)
        | (bond.jailed_until << (2 * TOKENS))
        | (bond.thawing_life << (2 * TOKENS + TIME))
        | (bond.open_requests << (2 * TOKENS + TIME + LIFE))
    )


@internal
@pure
def _position(word: uint256) -> Position:
    return Position(
        shares=word & MAX_SHARES,
        generation=(word >> SHARES) & MAX_GENERATION,
        thawing_generation=(word >> (SHARES + GENERATION)) & MAX_GENERATION,
        open_requests=word >> (SHARES + 2 * GENERATION),
    )


@internal
@pure
def _pack_position(position: Position) -> uint256:
    """
    @dev A holder's shares are part of a pool's and the generations are copies of a pool's, so
         they fit when the pool did; the caller bounds `open_requests` by 32.
    """
    return (
        position.shares
        | (position.generation << SHARES)
        | (position.thawing_generation << (SHARES + GENERATION))
        | (position.open_requests << (SHARES + 2 * GENERATION))
    )


@internal
@pure
def _request(word: uint256) -> Request:
    return Request(
        shares=word & MAX_SHARES,
        generation=(word >> SHARES) & MAX_GENERATION,
        ready_at=word >> (SHARES + GENERATION),
    )


@internal
@pure
def _pack_request(request: Request) -> uint256:
    """
    @dev Shares and generation are a pool's, so they fit when the pool did.
    """
    return (
        request.shares
        | (request.generation << SHARES)
        | (request.ready_at << (SHARES + GENERATION))
    )


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
def _disputed(word: uint256) -> Disputed:
    return Disputed(tokens=word & MAX_TOKENS, exit_at=word >> TOKENS)


@internal
@pure
def _pack_disputed(disputed: Disputed) -> uint256:
    """
    @dev Chain time fits 160 bits.
    """
    assert disputed.tokens <= MAX_TOKENS, "staking_words: too much held"
    return disputed.tokens | (disputed.exit_at << TOKENS)
