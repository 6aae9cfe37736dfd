# pragma version 0.4.3
"""
@title Job word
@license Apache-2.0
@author Clearwork
@notice Everything a settlement needs to know about a job, in one storage word:

          deposit uint96 | price uint80 | settled uint40 | payee uint24 | market uint8 | status uint8

        deposit: base units paid in so far, never lowered by payments;
        price: base units for one GPU for one hour;
        settled: cumulative GPU-seconds that have been paid for;
        payee: id of a provider or cluster; market: number of the asset in its subnet; status: below.
@dev No other file shifts these bits. A job owes `settled * price // 3600` in all, so
     repeated rounding never adds up: each payment is the difference of two totals.

     Bounds behind every unchecked operation here: deposit < 2**96, price < 2**80 and not 0,
     GPU-seconds < 2**40. So a total is below 2**120 before the division, and
     `amount(settled) <= deposit` holds in every word that `_advance` returns, because it
     never settles more GPU-seconds than the deposit covers and a deposit only grows.
"""


# --- status of a job ----------------------------------------------------------------------

# funded, waiting for its provider
STATUS_OPEN: constant(uint256) = 1
# taken by its provider, collateral locked
STATUS_ACCEPTED: constant(uint256) = 2
# usage has been reported
STATUS_RUNNING: constant(uint256) = 3
# ended as agreed; the first of six final statuses
STATUS_COMPLETED: constant(uint256) = 4
# ended by its customer
STATUS_CUSTOMER_CANCELLED: constant(uint256) = 5
# ended because the provider failed: compensated
STATUS_PROVIDER_FAULT: constant(uint256) = 6
# ended because the provider lost the devices: compensated
STATUS_CAPACITY_LOST: constant(uint256) = 7
# ended because the agreed service level was missed: compensated
STATUS_SLA_MISSED: constant(uint256) = 8
# ended by something that is nobody's fault; the last final status
STATUS_INFRASTRUCTURE: constant(uint256) = 9
# paid out, refunded and over
STATUS_CLOSED: constant(uint256) = 10
# refunded before any provider accepted it
STATUS_CANCELLED: constant(uint256) = 11

# --- why a receipt is skipped ---------------------------------------------------------------

# no job has this number
SKIP_UNKNOWN: constant(uint256) = 1
# the provider has not accepted the job
SKIP_NOT_ACCEPTED: constant(uint256) = 2
# the job is closed or cancelled
SKIP_CLOSED: constant(uint256) = 3
# a receipt can't report this status
SKIP_STATUS: constant(uint256) = 4
# neither more usage nor a later status
SKIP_NOT_INCREASING: constant(uint256) = 5
# the deposit is used up; the receipt settles after a top-up
SKIP_EXHAUSTED: constant(uint256) = 6
# more GPU-seconds than a job can count
SKIP_TOO_LARGE: constant(uint256) = 7
# a voucher that the customer did not sign
SKIP_SIGNATURE: constant(uint256) = 8
# a voucher that ends the job and was not sent by its provider
SKIP_SENDER: constant(uint256) = 9

# --- layout ---------------------------------------------------------------------------------

DEPOSIT_SHIFT: constant(uint256) = 160
PRICE_SHIFT: constant(uint256) = 80
SETTLED_SHIFT: constant(uint256) = 40
PAYEE_SHIFT: constant(uint256) = 16
MARKET_SHIFT: constant(uint256) = 8

MAX_DEPOSIT: constant(uint256) = 2**96 - 1
MAX_PRICE: constant(uint256) = 2**80 - 1
MAX_SETTLED: constant(uint256) = 2**40 - 1
MAX_PAYEE: constant(uint256) = 2**24 - 1
MAX_MARKET: constant(uint256) = 2**8 - 1
MAX_STATUS: constant(uint256) = 2**8 - 1
# payee and market side by side, as they lie in the word
MAX_ACCOUNT: constant(uint256) = 2**32 - 1
SECONDS_PER_HOUR: constant(uint256) = 3_600


@internal
@pure
def _open(
    deposit: uint256, price: uint256, payee: uint24, market: uint256, status: uint256
) -> uint256:
    """
    @notice The word of a job that has just been funded.
    @param deposit base units paid in, at most `MAX_DEPOSIT`; the caller has checked it
    @param price base units per GPU-hour, 1 to `MAX_PRICE`; the caller has checked it
    @param payee id of a provider or cluster
    @param market number of the market, at most `MAX_MARKET`
    @param status open, or accepted
    """
    return (
        deposit << DEPOSIT_SHIFT
        | price << PRICE_SHIFT
        | convert(payee, uint256) << PAYEE_SHIFT
        | market << MARKET_SHIFT
        | status
    )


@internal
@pure
def _advance(word: uint256, cumulative: uint256, status: uint256) -> (uint256, uint256, uint256):
    """
    @notice What a report of cumulative usage makes of a job. Never reverts: a report that
            can't be applied leaves the word as it is, and `_skip_reason` tells why.
    @dev Settles as many whole GPU-seconds as the deposit covers, so after a top-up the same
         report settles the rest. Usage and status only rise and the first final status
         stays, so reports may come late, twice or in any order.
    @param word the job's word, 0 for an unknown job
    @param cumulative GPU-seconds used since the job began
    @param status what the report says about the job
    @return next_word the job's next word; equal to `word` where nothing was applied
    @return paid base units that the provider earned by it
    @return debt base units that it asked for beyond the deposit
    """
    current: uint256 = word & MAX_STATUS
    # a difference wraps around below its first status, so one comparison finds both sides
    if (
        unsafe_sub(current, STATUS_ACCEPTED) > STATUS_INFRASTRUCTURE - STATUS_ACCEPTED
        or unsafe_sub(status, STATUS_RUNNING) > STATUS_INFRASTRUCTURE - STATUS_RUNNING
        or cumulative > MAX_SETTLED
    ):
        return word, 0, 0
    next_word: uint256 = word
    # what is final stays
    if current < STATUS_COMPLETED and status > current:
        next_word = unsafe_add(word, unsafe_sub(status, current))
    settled: uint256 = (word >> SETTLED_SHIFT) & MAX_SETTLED
    if cumulative <= settled:
        return next_word, 0, 0

    price: uint256 = (word >> PRICE_SHIFT) & MAX_PRICE
    deposit: uint256 = word >> DEPOSIT_SHIFT
    target: uint256 = cumulative
    # every total is below 2**40 * 2**80
    due: uint256 = unsafe_div(unsafe_mul(target, price), SECONDS_PER_HOUR)
    debt: uint256 = 0
    if due > deposit:
        debt = unsafe_sub(due, deposit)
        # the most GPU-seconds c with c * price // 3600 <= deposit; price is not 0. Not below
        # `settled`, which the deposit covers, and below `cumulative`, which it does not
        target = unsafe_div(
            unsafe_sub(unsafe_mul(unsafe_add(deposit, 1), SECONDS_PER_HOUR), 1), price
        )
        due = unsafe_div(unsafe_mul(target, price), SECONDS_PER_HOUR)
    return (
        # the settled GPU-seconds grow inside their field
        unsafe_add(next_word, unsafe_sub(target, settled) << SETTLED_SHIFT),
        unsafe_sub(due, unsafe_div(unsafe_mul(settled, price), SECONDS_PER_HOUR)),
        debt,
    )


@internal
@pure
def _skip_reason(word: uint256, cumulative: uint256, status: uint256) -> uint256:
    """
    @notice Why a report was not applied.
    @param word the job's word, which `_advance` has left as it was
    @param cumulative GPU-seconds of that report
    @param status status of that report
    @return reason one of SKIP_*
    """
    current: uint256 = word & MAX_STATUS
    if word == 0:
        return SKIP_UNKNOWN
    if current == STATUS_OPEN:
        return SKIP_NOT_ACCEPTED
    if current > STATUS_INFRASTRUCTURE:
        return SKIP_CLOSED
    if status < STATUS_RUNNING or status > STATUS_INFRASTRUCTURE:
        return SKIP_STATUS
    if cumulative > MAX_SETTLED:
        return SKIP_TOO_LARGE
    if cumulative > self._settled(word):
        return SKIP_EXHAUSTED
    return SKIP_NOT_INCREASING


@internal
@pure
def _with_status(word: uint256, status: uint256) -> uint256:
    return (word & ~MAX_STATUS) | status


@internal
@pure
def _add_deposit(word: uint256, amount: uint256) -> uint256:
    """
    @param amount base units; the caller has checked that the sum is at most `MAX_DEPOSIT`
    """
    return unsafe_add(word, amount << DEPOSIT_SHIFT)


@internal
@pure
def _lower_deposit(word: uint256, amount: uint256) -> uint256:
    """
    @param amount base units; the caller has checked that what stays covers what is settled
    """
    return unsafe_sub(word, amount << DEPOSIT_SHIFT)


@internal
@pure
def _is_unsettled(word: uint256) -> bool:
    """
    @notice Whether a job exists and is neither closed nor cancelled.
    """
    # wraps around below STATUS_OPEN
    return unsafe_sub(word & MAX_STATUS, STATUS_OPEN) < STATUS_CLOSED - STATUS_OPEN


@internal
@pure
def _status(word: uint256) -> uint256:
    return word & MAX_STATUS


@internal
@pure
def _market(word: uint256) -> uint256:
    return (word >> MARKET_SHIFT) & MAX_MARKET


@internal
@pure
def _payee(word: uint256) -> uint24:
    return convert((word >> PAYEE_SHIFT) & MAX_PAYEE, uint24)


@internal
@pure
def _account(word: uint256) -> uint256:
    """
    @notice The income account a job pays into: payee and market in one key.
    """
    return (word >> MARKET_SHIFT) & MAX_ACCOUNT


@internal
@pure
def _account_of(payee: uint24, market: uint256) -> uint256:
    return convert(payee, uint256) << (PAYEE_SHIFT - MARKET_SHIFT) | market


@internal
@pure
def _account_payee(account: uint256) -> uint24:
    return convert(account >> (PAYEE_SHIFT - MARKET_SHIFT), uint24)


@internal
@pure
def _account_market(account: uint256) -> uint256:
    return account & MAX_MARKET


@internal
@pure
def _settled(word: uint256) -> uint256:
    return (word >> SETTLED_SHIFT) & MAX_SETTLED


@internal
@pure
def _price(word: uint256) -> uint256:
    return (word >> PRICE_SHIFT) & MAX_PRICE


@internal
@pure
def _deposit(word: uint256) -> uint256:
    return word >> DEPOSIT_SHIFT


@internal
@pure
def _unspent(word: uint256) -> uint256:
    """
    @notice Base units of the deposit that no usage has earned.
    """
    # not below 0: amount(settled) <= deposit in every word
    return unsafe_sub(word >> DEPOSIT_SHIFT, self._earned(word))


@internal
@pure
def _earned(word: uint256) -> uint256:
    """
    @notice Base units that the settled usage has earned, the fee not taken yet.
    """
    return self._amount(self._settled(word), self._price(word))


@internal
@pure
def _amount(gpu_seconds: uint256, price: uint256) -> uint256:
    """
    @return amount base units for that much usage, rounded down
    """
    return gpu_seconds * price // SECONDS_PER_HOUR
