# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Job escrow
@license Apache-2.0
@author Clearwork
@notice Holds the deposits of compute jobs and pays providers for the GPU-seconds that were
        used. A customer funds a job, the named provider accepts it and locks collateral,
        usage is settled as it grows, and what nobody earned goes back to the customer.

        Usage is always cumulative per job, so a report may be repeated, reordered or lost
        without anything being paid twice. It is reported on two paths:
        - a voucher that the customer signed pays at once;
        - receipts that the committee signed, hundreds in one transaction, pay into an
          account that waits for a dispute window before it can be withdrawn.

        Where the provider failed, the customer also gets a share of the collateral.
@dev For every asset the contract's balance is at least the sum of unspent deposits, pending
     and withdrawable income, uncollected fees and owed refunds.

     Trust: the customer's signature, or M of N committee members, for usage. A customer alone
     can't end a job that runs, nor blame its provider: a voucher that ends a job is submitted
     by the provider, so both have agreed. The staking contract holds the collateral, the
     device registry says how many devices a provider may promise. The holder of the COURT
     role ends jobs of convicted providers. The owner lists assets that passed a probe, adds
     service levels, and changes the fee after a delay, never above `MAX_FEE_BPS`. The
     guardian can refuse new deposits, never hold back a payment. A change of the fee or of
     a role waits `FEE_CHANGE_DELAY`, so that everybody can take out what is theirs first.
@custom:security security@clearwork.example
@custom:kill The guardian pauses the inflows of every asset. Jobs that run are settled, closed
             or reclaimed; income, refunds and fees stay payable for ever.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.utils import eip712_domain_separator

from .interfaces import IClusterRegistry
from .interfaces import IComputeCredits
from .interfaces import IEpochLedger
from .interfaces import IJobEscrow
from .interfaces import IJobRegistry
from .interfaces import IOfferBook
from .interfaces import IOracleCommittee
from .interfaces import IProviderRegistry
from .interfaces import IWorkToken
from .modules import credit_word
from .modules import job_word
from .modules import payees
from .modules import signatures as signature_check

implements: IJobEscrow

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: eip712_domain_separator

exports: (
    # EIP-5267
    eip712_domain_separator.eip712Domain,
    # owner
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
)


# An EIP-2612 permit of the escrow, all zero for none: the caller has approved it already
struct Permit:
    # base units allowed
    value: uint256
    # chain time in seconds until which it can be used
    deadline: uint256
    v: uint8
    r: bytes32
    s: bytes32


struct Voucher:
    job: uint64
    cumulative_gpu_seconds: uint40
    status: uint8
    # the customer's
    signature: Bytes[signature_check.MAX_SIGNATURE]


struct FeeChange:
    fee_bps: uint256
    burn_bps: uint256
    # chain time in seconds from which it can be applied; 0 means none is scheduled
    ready_at: uint256


VOUCHER_TYPE_HASH: constant(bytes32) = keccak256(
    "Voucher(uint64 job,uint40 cumulativeGpuSeconds,uint8 status)"
)

BPS: constant(uint256) = 10_000
# highest fee there can ever be
MAX_FEE_BPS: constant(uint256) = 1_000
# base units the probe of a new asset moves: enough for a transfer fee of 1 bps to show
PROBE: constant(uint256) = 10_000
# asset numbers are bytes, and 0 is none
MAX_ASSETS: constant(uint256) = 256
# one receipt: uint64 job | uint56 cumulative GPU-seconds | uint8 status, big endian
RECEIPT_BYTES: constant(uint256) = 16
MAX_RECEIPTS: constant(uint256) = 512
MAX_RECEIPT_BYTES: constant(uint256) = RECEIPT_BYTES * MAX_RECEIPTS
EMPTY_RECEIPT: constant(bytes16) = empty(bytes16)
# where the fields lie when a receipt is the high half of a word
JOB_SHIFT: constant(uint256) = 192
CUMULATIVE_SHIFT: constant(uint256) = 136
STATUS_SHIFT: constant(uint256) = 128
MAX_CUMULATIVE: constant(uint256) = 2**56 - 1
# kinds of usage leaves that settle jobs: one job's receipt, and those of all jobs of a payee
LEAF_JOB: constant(uint8) = 5
LEAF_PAYEE: constant(uint8) = 6
# a proof of this many siblings reaches 2^32 leaves
MAX_PROOF: constant(uint256) = 32
MAX_VOUCHERS: constant(uint256) = 64
RECEIPT_STATUS: constant(uint256) = job_word.MAX_STATUS << STATUS_SHIFT
RECEIPT_RUNNING: constant(uint256) = job_word.STATUS_RUNNING << STATUS_SHIFT

# a committee has 31 members at most, a signature 65 bytes
MAX_SIGNATURES: constant(uint256) = 31 * 65

# seconds; the lower bound keeps window numbers inside 32 bits for 600 years
MIN_DISPUTE_WINDOW: constant(uint256) = 5
MAX_DISPUTE_WINDOW: constant(uint256) = 30 * 86_400

# token whose fees are partly burnt
WORK_TOKEN: public(immutable(IWorkToken))
# says who the providers are and where they are paid
PROVIDERS: public(immutable(IProviderRegistry))
# the same for clusters of providers, which it also pays
CLUSTERS: public(immutable(IClusterRegistry))
# who agreed on what; starts and ends jobs
JOBS: public(immutable(IJobRegistry))
# who signs usage for customers that are silent
COMMITTEE: public(immutable(IOracleCommittee))
# the epoch reports of that committee, whose usage roots pay too
LEDGER: public(immutable(IEpochLedger))
# credits that are destroyed, not paid out, when they were earned; the zero address for none
CREDITS: public(immutable(IComputeCredits))
# seconds that income from the committee waits at least; it waits twice as long at most
DISPUTE_WINDOW: public(immutable(uint256))
# seconds before a scheduled fee applies
FEE_CHANGE_DELAY: public(immutable(uint256))

# jobs ever opened; the last one's number
job_count: public(uint64)
# job => packed hot state (modules/job_word.vy), 0 for an unknown job
words: HashMap[uint256, uint256]
# income account => packed income that waits for its dispute window (modules/credit_word.vy)
waiting: HashMap[uint256, uint256]
# income account => base units that can be withdrawn, fee already taken
withdrawable: HashMap[uint256, uint256]
# market => base units of fees over all time; what a subnet has earned is its weight in emissions
earned_fees: public(HashMap[uint256, uint256])
# market => base units of them that were collected
collected_fees: HashMap[uint256, uint256]
# customer => asset => base units of refunds whose transfer failed
owed_refund: public(HashMap[address, HashMap[address, uint256]])

# job => base units of pending income that its customer disputes
disputed: public(HashMap[uint64, uint256])

# markets ever listed; the last one's number. A market is an asset traded in a subnet
market_count: public(uint8)
# market => token
asset_of: public(address[MAX_ASSETS])
# market => subnet whose fees it counts
subnet_of: public(uint16[MAX_ASSETS])
# token => subnet => market, 0 for one that is not listed
market_of: public(HashMap[address, HashMap[uint16, uint8]])
# market => token while new deposits are taken, the zero address while they are refused
inflow_asset: public(address[MAX_ASSETS])

# bps of a provider's income taken as fee, rounded up
fee_bps: public(uint256)
# bps of the fees in the work token that are burnt; all else goes to the treasury
burn_bps: public(uint256)
# the change of both that waits for its delay
pending_fee: public(FeeChange)
# receives the fees that are not burnt
treasury: public(address)
# may refuse new deposits
guardian: public(address)


@deploy
def __init__(
    work_token: IWorkToken,
    providers: IProviderRegistry,
    clusters: IClusterRegistry,
    jobs: IJobRegistry,
    committee: IOracleCommittee,
    ledger: IEpochLedger,
    credits: IComputeCredits,
    dispute_window: uint256,
    fee_bps: uint256,
    burn_bps: uint256,
    treasury: address,
    guardian: address,
    fee_change_delay: uint256,
):
    """
    @param work_token token whose fees are partly burnt
    @param providers contract that knows the providers
    @param clusters contract that knows clusters of providers
    @param jobs contract that knows who agreed on what
    @param committee contract that checks the oracles' signatures
    @param ledger contract that holds the committee's epoch reports
    @param credits contract of the credits that are destroyed when earned, or the zero address
    @param dispute_window seconds that income from the committee waits at least
    @param fee_bps bps of income, at most `MAX_FEE_BPS`
    @param burn_bps bps of the fees in the work token that are burnt
    @param treasury receives the other fees
    @param guardian may refuse new deposits
    @param fee_change_delay seconds before a scheduled fee applies
    """
    ownable.__init__()
    ownable_2step.__init__()
    eip712_domain_separator.__init__("Clearwork", "1")

    assert work_token.address != empty(address), "job_escrow: no work token"
    assert providers.address != empty(address), "job_escrow: no providers"
    assert clusters.address != empty(address), "job_escrow: no clusters"
    assert jobs.address != empty(address), "job_escrow: no jobs"
    assert committee.address != empty(address), "job_escrow: no committee"
    assert ledger.address != empty(address), "job_escrow: no ledger"
    assert (
        dispute_window >= MIN_DISPUTE_WINDOW and dispute_window <= MAX_DISPUTE_WINDOW
    ), "job_escrow: dispute window out of bounds"
    WORK_TOKEN = work_token
    PROVIDERS = providers
    CLUSTERS = clusters
    JOBS = jobs
    COMMITTEE = committee
    LEDGER = ledger
    CREDITS = credits
    DISPUTE_WINDOW = dispute_window
    FEE_CHANGE_DELAY = fee_change_delay
    self._set_fee(fee_bps, burn_bps)
    self._set_treasury(treasury)
    self._set_guardian(guardian)


# --- anyone: opening and funding ------------------------------------------------------------


@external
def open_job(
    payee: uint24,
    asset: IERC20,
    gpus: uint16,
    device_class: uint16,
    price_per_gpu_hour: uint256,
    deposit: uint256,
    sla: uint16,
    terms: bytes32,
    subnet: uint16 = 0,
    permit: Permit = empty(Permit),
) -> uint64:
    """
    @notice Open and fund a job for one payee to accept; the caller is its customer.
    @param payee id of the provider, or of the cluster, that may accept
    @param asset token that pays, listed for the subnet
    @param gpus GPUs that the payee must have free
    @param device_class class those GPUs were attested for
    @param price_per_gpu_hour base units of `asset` for one GPU for one hour
    @param deposit base units of `asset` to pull; what arrives is credited
    @param sla service level whose collateral the payee locks, 0 for none
    @param terms hash of what both sides agreed on outside the chain
    @param subnet subnet whose fees the job counts for
    @param permit the caller's permit of `deposit`, if it has not approved it
    @return job number of the job
    """
    self._use_permit(asset, permit)
    job: uint64 = self._open(
        payee, asset, subnet, price_per_gpu_hour, deposit, job_word.STATUS_OPEN
    )
    extcall JOBS.record(
        job,
        IJobRegistry.Agreement(
            customer=msg.sender, payee=payee, device_class=device_class, gpus=gpus, sla=sla
        ),
        terms,
    )
    return job


@external
def take_offer(
    offer: IOfferBook.Offer,
    signer: address,
    signature: Bytes[signature_check.MAX_SIGNATURE],
    gpus: uint16,
    run_seconds: uint32,
    subnet: uint16 = 0,
    permit: Permit = empty(Permit),
) -> uint64:
    """
    @notice Take a provider's signed offer, or part of it: the job is opened, funded and accepted
            at once; the caller is its customer.
    @param offer what the provider signed
    @param signer the provider's owner or operator
    @param signature its signature of the offer, see OfferBook
    @param gpus how many of the GPUs
    @param run_seconds how long to pay for now; a top-up prolongs it
    @param subnet subnet whose fees the job counts for
    @param permit the caller's permit of the deposit, if it has not approved it
    @return job number of the job
    """
    asset: IERC20 = IERC20(offer.asset)
    self._use_permit(asset, permit)
    # rounded up, so that the deposit pays for all of the time
    deposit: uint256 = (
        convert(gpus, uint256) * convert(run_seconds, uint256) * offer.price_per_gpu_hour
        + job_word.SECONDS_PER_HOUR
        - 1
    ) // job_word.SECONDS_PER_HOUR
    job: uint64 = self._open(
        offer.provider, asset, subnet, offer.price_per_gpu_hour, deposit, job_word.STATUS_ACCEPTED
    )
    extcall JOBS.record_taken(job, msg.sender, offer, signer, signature, gpus, run_seconds)
    return job


@internal
def _use_permit(asset: IERC20, permit: Permit) -> bool:
    """
    @dev Fails in silence: whoever saw the permit may have used it before, and without an
         allowance the transfer that follows says so.
    @return used whether there was one and the token took it
    """
    if permit.deadline == 0:
        return False
    return raw_call(
        asset.address,
        abi_encode(
            msg.sender,
            self,
            permit.value,
            permit.deadline,
            permit.v,
            permit.r,
            permit.s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        revert_on_failure=False,
    )


@internal
def _open(
    payee: uint24,
    asset: IERC20,
    subnet: uint16,
    price_per_gpu_hour: uint256,
    deposit: uint256,
    status: uint256,
) -> uint64:
    assert (
        price_per_gpu_hour != 0 and price_per_gpu_hour <= job_word.MAX_PRICE
    ), "job_escrow: price out of bounds"
    market: uint256 = self._listed(asset, subnet)
    received: uint256 = self._pull(market, deposit, 0)
    job: uint64 = self.job_count + 1
    self.job_count = job
    self.words[convert(job, uint256)] = job_word._open(
        received, price_per_gpu_hour, payee, market, status
    )
    log IJobEscrow.JobFunded(
        job=job,
        asset=asset.address,
        subnet=subnet,
        price_per_gpu_hour=price_per_gpu_hour,
        deposit=received,
    )
    return job


@internal
@view
def _listed(asset: IERC20, subnet: uint16) -> uint256:
    """
    @return market number of the market of a token that must be listed
    """
    market: uint8 = self.market_of[asset.address][subnet]
    assert market != 0, "job_escrow: asset not listed"
    return convert(market, uint256)


@external
def top_up(job: uint64, amount: uint256):
    """
    @notice Add to the deposit of a job that is not over. Whoever pays, a refund goes to the
            job's customer. A report that was beyond the deposit can then be sent again.
    @param job number of the job
    @param amount base units of the job's asset to pull from the caller
    """
    word: uint256 = self.words[convert(job, uint256)]
    assert job_word._is_unsettled(word), "job_escrow: job is over"
    received: uint256 = self._pull(job_word._market(word), amount, job_word._deposit(word))
    self.words[convert(job, uint256)] = job_word._add_deposit(word, received)
    log IJobEscrow.JobToppedUp(job=job, amount=received)


@internal
def _pull(market: uint256, amount: uint256, deposit: uint256) -> uint256:
    """
    @notice Take tokens from the caller to add to a deposit.
    @dev The bound on the balance keeps every sum of income inside its packed field: all
         income comes out of deposits, and this is the only way in.
    @return received base units by which the balance has grown
    """
    asset: IERC20 = IERC20(self.inflow_asset[market])
    assert asset.address != empty(address), "job_escrow: inflows paused"
    # a token without code fails here: there is no balance to decode
    before: uint256 = staticcall asset.balanceOf(self, skip_contract_check=True)
    assert extcall asset.transferFrom(
        msg.sender, self, amount, default_return_value=True, skip_contract_check=True
    ), "job_escrow: transfer in failed"
    balance: uint256 = staticcall asset.balanceOf(self, skip_contract_check=True)
    assert balance <= credit_word.MAX_CREDIT, "job_escrow: balance too large"
    received: uint256 = balance - before
    # both below 2**112
    assert (unsafe_add(deposit, received) <= job_word.MAX_DEPOSIT), "job_escrow: deposit too large"
    return received


# --- anyone: settling -----------------------------------------------------------------------


@external
def settle_voucher(
    job: uint64,
    cumulative_gpu_seconds: uint40,
    status: uint8,
    signature: Bytes[signature_check.MAX_SIGNATURE],
):
    """
    @notice Settle a job by its customer's word; the income can be withdrawn at once. What
            the deposit doesn't cover stays unsettled until a top-up.
    @dev Works until the job is closed, also after the committee has ended it.
    @param job number of the job
    @param cumulative_gpu_seconds GPU-seconds used since the job began
    @param status 3 while the job runs; 4 to 9 end it, and only the provider may submit that
    @param signature the customer's EIP-712 signature of `Voucher`; ERC-1271 for a contract
    """
    reason: uint256 = self._settle_voucher(job, cumulative_gpu_seconds, status, signature)
    if reason != 0:
        assert reason != job_word.SKIP_UNKNOWN, "job_escrow: unknown job"
        assert reason != job_word.SKIP_NOT_ACCEPTED, "job_escrow: not accepted yet"
        assert reason != job_word.SKIP_CLOSED, "job_escrow: job is closed"
        assert reason != job_word.SKIP_STATUS, "job_escrow: bad status"
        assert reason != job_word.SKIP_EXHAUSTED, "job_escrow: deposit exhausted"
        assert reason != job_word.SKIP_SIGNATURE, "job_escrow: bad signature"
        assert reason != job_word.SKIP_SENDER, "job_escrow: not the provider"
        raise "job_escrow: usage not increasing"


@external
def settle_vouchers(vouchers: DynArray[Voucher, MAX_VOUCHERS]) -> uint256:
    """
    @notice Settle many jobs, each by its customer's word. A voucher that can't be applied is
            skipped with its reason in the log and never stops the others.
    @param vouchers up to `MAX_VOUCHERS`, in any order
    @return settled how many were applied
    """
    settled: uint256 = 0
    for voucher: Voucher in vouchers:
        reason: uint256 = self._settle_voucher(
            voucher.job, voucher.cumulative_gpu_seconds, voucher.status, voucher.signature
        )
        if reason == 0:
            settled += 1
        else:
            log IJobEscrow.ReceiptSkipped(job=voucher.job, reason=convert(reason, uint8))
    return settled


@internal
def _settle_voucher(
    job: uint64,
    cumulative_gpu_seconds: uint40,
    status: uint8,
    signature: Bytes[signature_check.MAX_SIGNATURE],
) -> uint256:
    """
    @return reason one of job_word.SKIP_* where nothing was applied, 0 where it was
    """
    cumulative: uint256 = convert(cumulative_gpu_seconds, uint256)
    word: uint256 = self.words[convert(job, uint256)]
    next_word: uint256 = 0
    paid: uint256 = 0
    debt: uint256 = 0
    next_word, paid, debt = job_word._advance(word, cumulative, convert(status, uint256))
    if next_word == word:
        return job_word._skip_reason(word, cumulative, convert(status, uint256))
    if not signature_check._is_valid(
        staticcall JOBS.customer_of(job),
        self._voucher_digest(job, cumulative_gpu_seconds, status),
        signature,
    ):
        return job_word.SKIP_SIGNATURE
    payee: uint24 = job_word._payee(word)
    if convert(status, uint256) != job_word.STATUS_RUNNING and not staticcall JOBS.speaks_for(
        payee, msg.sender
    ):
        return job_word.SKIP_SENDER

    self.words[convert(job, uint256)] = next_word
    fee: uint256 = self._earn(job_word._account(word), job_word._earned(word), paid)
    log IJobEscrow.VoucherSettled(
        job=job,
        provider=payee,
        cumulative_gpu_seconds=convert(job_word._settled(next_word), uint40),
        status=status,
        paid=paid,
        fee=fee,
    )
    if debt != 0:
        log IJobEscrow.JobExhausted(job=job, debt=debt)
    return 0


@internal
@view
def _voucher_digest(job: uint64, cumulative_gpu_seconds: uint40, status: uint8) -> bytes32:
    return eip712_domain_separator._hash_typed_data_v4(
        keccak256(abi_encode(VOUCHER_TYPE_HASH, job, cumulative_gpu_seconds, status))
    )


@internal
def _earn(account: uint256, before: uint256, amount: uint256) -> uint256:
    """
    @notice Make income withdrawable and take the fee from it.
    @param before base units that paid their fee before and belong to the same sum: however
           small the parts are that a job is settled in, its fee is rounded up once
    @param amount base units, with `before` at most the contract's balance: below 2**112
    @return fee base units, at most `amount`
    """
    rate: uint256 = self.fee_bps
    # a fee never falls while its sum grows, and grows by no more than that
    fee: uint256 = unsafe_sub(self._fee(unsafe_add(before, amount), rate), self._fee(before, rate))
    self.withdrawable[account] += unsafe_sub(amount, fee)
    self.earned_fees[job_word._account_market(account)] += fee
    return fee


@internal
@pure
def _fee(amount: uint256, rate: uint256) -> uint256:
    """
    @param amount base units, below 2**112
    @param rate bps
    @return fee base units, rounded up
    """
    return unsafe_div(unsafe_add(unsafe_mul(amount, rate), BPS - 1), BPS)


@external
def settle_batch(
    epoch: uint64,
    index: uint256,
    receipts: Bytes[MAX_RECEIPT_BYTES],
    signatures: Bytes[MAX_SIGNATURES],
):
    """
    @notice Settle many jobs by the committee's word; the income waits for the dispute
            window. A receipt that can't be applied is skipped with its reason in the log and
            never stops the others. The same batch may be sent again, for example after a
            top-up: what was settled is skipped.
    @dev Income is added up in memory while payee and asset stay the same, so a batch costs
         least when jobs of one provider have neighbouring numbers.
    @param epoch epoch of the committee's report
    @param index number of the batch within the epoch, the report's subject
    @param receipts 16 bytes each, big endian: uint64 job, uint56 cumulative GPU-seconds,
           uint8 status; 1 to 512 of them, ascending by job, which is never 0
    @param signatures the committee's signatures, see OracleCommittee
    """
    signers: uint256 = staticcall COMMITTEE.verify(
        convert(index, bytes32), epoch, keccak256(receipts), signatures
    )
    self._settle_receipts(concat(receipts, EMPTY_RECEIPT))
    log IJobEscrow.BatchSettled(epoch=epoch, index=index, signers=signers, receipts=receipts)


@external
def settle_root(
    kind: uint8,
    key: bytes32,
    receipts: Bytes[MAX_RECEIPT_BYTES],
    proof: DynArray[bytes32, MAX_PROOF],
):
    """
    @notice Settle one job, or all jobs of a payee, by a leaf of the usage root that the ledger
            has adopted; anyone may call. The receipts are applied like those of
            `settle_batch`, and the income waits for the dispute window as well.
    @param kind `LEAF_JOB`, or `LEAF_PAYEE`
    @param key the leaf's: job number, or payee id with the leaf's part number above it
    @param receipts what the leaf holds the hash of, packed as in `settle_batch`
    @param proof siblings from the leaf up to the root
    """
    assert kind == LEAF_JOB or kind == LEAF_PAYEE, "job_escrow: not a usage leaf"
    assert staticcall LEDGER.is_usage_leaf(
        kind, key, convert(keccak256(receipts), uint256), proof
    ), "job_escrow: not in the usage root"
    self._settle_receipts(concat(receipts, EMPTY_RECEIPT))
    log IJobEscrow.LeafSettled(kind=kind, key=key, receipts=receipts)


@internal
def _settle_receipts(padded: Bytes[MAX_RECEIPT_BYTES + RECEIPT_BYTES]):
    """
    @notice Settle packed receipts that the committee vouches for.
    @param padded the receipts with one more of zeros behind, so that receipt i is the high half
           of the 32 bytes that start at 16 * i
    """
    size: uint256 = len(padded) - RECEIPT_BYTES
    assert size != 0 and size % RECEIPT_BYTES == 0, "job_escrow: malformed receipts"
    account: uint256 = 0
    income: uint256 = 0
    last_job: uint256 = 0
    for i: uint256 in range(size // RECEIPT_BYTES, bound=MAX_RECEIPTS):
        # i < 512
        receipt: uint256 = convert(extract32(padded, unsafe_mul(i, RECEIPT_BYTES)), uint256)
        job: uint256 = receipt >> JOB_SHIFT
        assert job > last_job, "job_escrow: receipts not sorted"
        last_job = job

        # The ordinary receipt, settled here because a call would cost more than its sums: a
        # running job has used more and its deposit covers it. What `job_word._advance` says
        # for it is the same; everything else goes there.
        word: uint256 = self.words[job]
        settled: uint256 = (word >> job_word.SETTLED_SHIFT) & job_word.MAX_SETTLED
        price: uint256 = (word >> job_word.PRICE_SHIFT) & job_word.MAX_PRICE
        cumulative: uint256 = (receipt >> CUMULATIVE_SHIFT) & MAX_CUMULATIVE
        # below 2**56 * 2**80
        paid: uint256 = unsafe_div(unsafe_mul(cumulative, price), job_word.SECONDS_PER_HOUR)
        if (
            paid <= word >> job_word.DEPOSIT_SHIFT
            and cumulative > settled
            and word & job_word.MAX_STATUS == job_word.STATUS_RUNNING
            and receipt & RECEIPT_STATUS == RECEIPT_RUNNING
            and cumulative <= job_word.MAX_SETTLED
        ):
            # cumulative > settled, so the total and the GPU-seconds grow
            paid = unsafe_sub(
                paid, unsafe_div(unsafe_mul(settled, price), job_word.SECONDS_PER_HOUR)
            )
            self.words[job] = unsafe_add(
                word, unsafe_sub(cumulative, settled) << job_word.SETTLED_SHIFT
            )
        else:
            paid = self._settle_unusual(
                job, word, cumulative, (receipt >> STATUS_SHIFT) & job_word.MAX_STATUS
            )
            if paid == 0:
                continue
        if (word >> job_word.MARKET_SHIFT) & job_word.MAX_ACCOUNT != account:
            self._await(account, income)
            account = job_word._account(word)
            income = 0
        # at most 512 deposits below 2**96
        income = unsafe_add(income, paid)
    self._await(account, income)


@internal
def _settle_unusual(job: uint256, word: uint256, cumulative: uint256, status: uint256) -> uint256:
    """
    @notice Settle any receipt, and log what is wrong with it.
    @return paid base units that the provider earned by it
    """
    next_word: uint256 = 0
    paid: uint256 = 0
    debt: uint256 = 0
    next_word, paid, debt = job_word._advance(word, cumulative, status)
    if next_word == word:
        reason: uint256 = job_word._skip_reason(word, cumulative, status)
        log IJobEscrow.ReceiptSkipped(job=convert(job, uint64), reason=convert(reason, uint8))
        return 0
    self.words[job] = next_word
    if debt != 0:
        log IJobEscrow.JobExhausted(job=convert(job, uint64), debt=debt)
    return paid


@internal
def _await(account: uint256, income: uint256):
    """
    @notice Let income wait for the dispute window; what has waited becomes withdrawable.
    """
    if income == 0:
        return
    word: uint256 = self._mature(account)
    self.waiting[account] = credit_word._add(word, income)


@internal
def _mature(account: uint256) -> uint256:
    """
    @notice Bring an account to the current window; what has waited becomes withdrawable.
    @return word the account's waiting income, rolled but not stored
    """
    word: uint256 = 0
    matured: uint256 = 0
    word, matured = credit_word._roll(self.waiting[account], self._window())
    if matured != 0:
        fee: uint256 = self._earn(account, 0, matured)
        log IJobEscrow.CreditMatured(
            provider=job_word._account_payee(account),
            asset=self.asset_of[job_word._account_market(account)],
            amount=matured,
            fee=fee,
        )
    return word


@internal
@view
def _window() -> uint256:
    # DISPUTE_WINDOW is not 0
    return unsafe_div(block.timestamp, DISPUTE_WINDOW)


# --- anyone: paying out ---------------------------------------------------------------------


@external
def withdraw(payee: uint24, asset: IERC20, subnet: uint16 = 0) -> uint256:
    """
    @notice Pay withdrawable income to its payee: a provider's to its payout address, whoever
            calls; a cluster's to the cluster registry, which calls to share it out. Income in
            credits is destroyed, and counts as what the payee was paid in this epoch.
    @param payee id of the provider or cluster
    @param asset token to pay
    @param subnet subnet in which it was earned
    @return amount base units paid; 0 where there is nothing yet
    """
    account: uint256 = job_word._account_of(payee, self._listed(asset, subnet))
    self.waiting[account] = self._mature(account)
    amount: uint256 = self.withdrawable[account]
    if amount == 0:
        return 0
    self.withdrawable[account] = 0
    receiver: address = CLUSTERS.address
    if payees._is_cluster(payee):
        assert msg.sender == receiver, "job_escrow: not the cluster registry"
    else:
        receiver = staticcall PROVIDERS.payout_of(payee)
    in_credits: bool = asset.address == CREDITS.address
    if in_credits:
        receiver = empty(address)
    log IJobEscrow.IncomeWithdrawn(
        provider=payee, asset=asset.address, receiver=receiver, amount=amount
    )
    if in_credits:
        extcall CREDITS.spend(payee, amount)
    else:
        self._push(asset.address, receiver, amount)
    return amount


@internal
def _push(asset: address, receiver: address, amount: uint256):
    assert self._try_push(asset, receiver, amount), "job_escrow: transfer out failed"


@internal
def _try_push(asset: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Send tokens.
    @return success whether the token accepted, also where it says so by returning nothing
    """
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        asset,
        abi_encode(receiver, amount, method_id=method_id("transfer(address,uint256)")),
        max_outsize=32,
        revert_on_failure=False,
    )
    return success and (len(answer) == 0 or convert(answer, uint256) == 1)


@external
def collect_fees(asset: IERC20, subnet: uint16 = 0):
    """
    @notice Spend the fees of one market: of the work token `burn_bps` are burnt, of credits
            all, everything else goes to the treasury, whoever calls.
    @param asset token to collect
    @param subnet subnet that earned them
    """
    market: uint256 = self._listed(asset, subnet)
    collected: uint256 = self._uncollected(market)
    self.collected_fees[market] += collected
    burnt: uint256 = 0
    if asset.address == WORK_TOKEN.address:
        burnt = collected * self.burn_bps // BPS
    elif asset.address == CREDITS.address:
        burnt = collected
    log IJobEscrow.FeesCollected(
        asset=asset.address, subnet=subnet, treasury=collected - burnt, burnt=burnt
    )
    if burnt != 0:
        # credits burn alike
        extcall IWorkToken(asset.address).burn(burnt)
    if collected != burnt:
        self._push(asset.address, self.treasury, collected - burnt)


@internal
@view
def _uncollected(market: uint256) -> uint256:
    # never more collected than earned
    return unsafe_sub(self.earned_fees[market], self.collected_fees[market])


@internal
def _refund(asset: address, customer: address, amount: uint256):
    """
    @notice Send a refund; one that can't be delivered is kept for the customer to claim, so
            that a blocked account stops neither the provider's release nor a conviction.
    """
    if amount == 0 or self._try_push(asset, customer, amount):
        return
    self.owed_refund[customer][asset] += amount
    log IJobEscrow.RefundOwed(customer=customer, asset=asset, amount=amount)


@external
def apply_fee():
    """
    @notice Put a scheduled fee into force once its delay is over; anyone may call.
    """
    change: FeeChange = self.pending_fee
    assert change.ready_at != 0, "job_escrow: no fee scheduled"
    assert block.timestamp >= change.ready_at, "job_escrow: fee not ready"
    self.pending_fee = empty(FeeChange)
    self._set_fee(change.fee_bps, change.burn_bps)


@internal
def _set_fee(fee_bps: uint256, burn_bps: uint256):
    self._check_fee(fee_bps, burn_bps)
    log IJobEscrow.FeeChanged(
        previous_fee_bps=self.fee_bps,
        fee_bps=fee_bps,
        previous_burn_bps=self.burn_bps,
        burn_bps=burn_bps,
    )
    self.fee_bps = fee_bps
    self.burn_bps = burn_bps


@internal
@pure
def _check_fee(fee_bps: uint256, burn_bps: uint256):
    assert fee_bps <= MAX_FEE_BPS, "job_escrow: fee over the cap"
    assert burn_bps <= BPS, "job_escrow: burn over 100 %"


# --- the job's customer ---------------------------------------------------------------------


@external
def claim_refund(asset: IERC20, receiver: address) -> uint256:
    """
    @notice Collect the caller's refunds that could not be delivered, to any address.
    @param asset token to pay
    @param receiver address that can receive it
    @return amount base units paid
    """
    amount: uint256 = self.owed_refund[msg.sender][asset.address]
    assert amount != 0, "job_escrow: no refund owed"
    self.owed_refund[msg.sender][asset.address] = 0
    log IJobEscrow.RefundClaimed(
        customer=msg.sender, asset=asset.address, receiver=receiver, amount=amount
    )
    self._push(asset.address, receiver, amount)
    return amount


# --- the job registry -----------------------------------------------------------------------


@external
def set_status(job: uint64, status: uint8):
    """
    @notice JOBS: say that a job was accepted, or runs. The registry has checked who says so.
    @param job number of the job
    @param status accepted or running
    """
    self._check_jobs()
    self._set_status(job, self.words[convert(job, uint256)], convert(status, uint256))


@internal
@view
def _check_jobs():
    assert msg.sender == JOBS.address, "job_escrow: not the job registry"


@internal
def _set_status(job: uint64, word: uint256, status: uint256):
    self.words[convert(job, uint256)] = job_word._with_status(word, status)


@external
def end_job(job: uint64, status: uint8, customer: address) -> uint256:
    """
    @notice JOBS: end a job, and send its customer what nobody has earned.
    @param job number of a job that is not over
    @param status closed or cancelled
    @param customer who is refunded
    @return refunded base units of the job's asset
    """
    self._check_jobs()
    word: uint256 = self.words[convert(job, uint256)]
    self._set_status(job, word, convert(status, uint256))
    refunded: uint256 = job_word._unspent(word)
    self._refund(self.asset_of[job_word._market(word)], customer, refunded)
    return refunded


@external
def lower_deposit(job: uint64, amount: uint256, kept_gpu_seconds: uint256, customer: address):
    """
    @notice JOBS: send a customer part of its deposit back.
    @param job number of a job that is not over
    @param amount base units to send back
    @param kept_gpu_seconds usage since the job began that the rest must cover, as well as what
           is settled
    @param customer who gets it
    """
    self._check_jobs()
    word: uint256 = self.words[convert(job, uint256)]
    kept: uint256 = job_word._amount(
        max(kept_gpu_seconds, job_word._settled(word)), job_word._price(word)
    )
    deposit: uint256 = job_word._deposit(word)
    assert (
        deposit >= amount and unsafe_sub(deposit, amount) >= kept
    ), "job_escrow: the provider may have earned that"
    self.words[convert(job, uint256)] = job_word._lower_deposit(word, amount)
    self._refund(self.asset_of[job_word._market(word)], customer, amount)


@external
def hold_pending(job: uint64, undisputed_gpu_seconds: uint256) -> uint256:
    """
    @notice JOBS: keep a job's part of its payee's pending income back until `release_pending`.
    @param job number of the job
    @param undisputed_gpu_seconds usage whose income has matured
    @return amount base units kept back: what was earned beyond that usage, at most what is
            pending
    """
    self._check_jobs()
    word: uint256 = self.words[convert(job, uint256)]
    account: uint256 = job_word._account(word)
    credit: uint256 = self._mature(account)
    amount: uint256 = min(
        job_word._earned(word) - job_word._amount(undisputed_gpu_seconds, job_word._price(word)),
        credit_word._pending(credit),
    )
    self.waiting[account] = credit_word._take(credit, amount)
    self.disputed[job] += amount
    return amount


@external
def release_pending(job: uint64, customer: address) -> uint256:
    """
    @notice JOBS: pay out what `hold_pending` kept back.
    @param job number of the job
    @param customer who gets it back, or the zero address for the payee
    @return amount base units, the fee of a payee not taken yet
    """
    self._check_jobs()
    amount: uint256 = self.disputed[job]
    self.disputed[job] = 0
    word: uint256 = self.words[convert(job, uint256)]
    if customer == empty(address):
        self._earn(job_word._account(word), 0, amount)
    else:
        self._refund(self.asset_of[job_word._market(word)], customer, amount)
    return amount


# --- guardian -------------------------------------------------------------------------------


@external
def set_inflows_paused(asset: IERC20, paused: bool, subnet: uint16 = 0):
    """
    @notice Refuse or allow new deposits of an asset, as guardian or owner. Nothing that is
            settled, refunded or withdrawn is ever held back.
    @param asset listed token
    @param paused whether deposits are refused
    @param subnet subnet it is listed for
    """
    assert (
        msg.sender == self.guardian or msg.sender == ownable.owner
    ), "job_escrow: not the guardian"
    self.inflow_asset[self._listed(asset, subnet)] = empty(address) if paused else asset.address
    log IJobEscrow.InflowsPaused(asset=asset.address, subnet=subnet, paused=paused)


# --- owner ----------------------------------------------------------------------------------


@external
def list_asset(asset: IERC20, subnet: uint16 = 0) -> uint8:
    """
    @notice List a token for the deposits of a subnet's jobs. A probe of `PROBE` base units is
            pulled from the caller and sent back: a token that moves another amount than it was
            told is refused, and one of which there is more than income can count.
    @dev The probe can't see a token that turns on a fee, or changes balances, later: list
         only tokens whose rules are known.
    @param asset token; the caller has approved `PROBE` base units of it
    @param subnet subnet whose fees the market counts
    @return market number of the market
    """
    ownable._check_owner()
    assert self.market_of[asset.address][subnet] == 0, "job_escrow: already listed"
    # or somebody's gift could use up what the escrow may hold of it, and stop all deposits
    assert staticcall asset.totalSupply() <= credit_word.MAX_CREDIT, "job_escrow: supply too large"
    market: uint8 = self.market_count + 1
    self.market_count = market
    self.market_of[asset.address][subnet] = market
    self.asset_of[convert(market, uint256)] = asset.address
    self.subnet_of[convert(market, uint256)] = subnet
    self.inflow_asset[convert(market, uint256)] = asset.address

    held: uint256 = self._balance(asset, self)
    owned: uint256 = self._balance(asset, msg.sender)
    assert (self._pull(convert(market, uint256), PROBE, 0) == PROBE), "job_escrow: fee on transfer"
    self._push(asset.address, msg.sender, PROBE)
    assert (
        self._balance(asset, self) == held and self._balance(asset, msg.sender) == owned
    ), "job_escrow: probe not returned"
    log IJobEscrow.AssetListed(asset_id=market, asset=asset.address, subnet=subnet)
    return market


@internal
@view
def _balance(asset: IERC20, account: address) -> uint256:
    return staticcall asset.balanceOf(account)


@external
def schedule_fee(fee_bps: uint256, burn_bps: uint256):
    """
    @notice Announce a fee; `apply_fee` puts it into force after `FEE_CHANGE_DELAY`. It
            replaces an earlier announcement.
    @param fee_bps bps of income, at most `MAX_FEE_BPS`
    @param burn_bps bps of the fees in the work token that are burnt
    """
    ownable._check_owner()
    self._check_fee(fee_bps, burn_bps)
    ready_at: uint256 = block.timestamp + FEE_CHANGE_DELAY
    self.pending_fee = FeeChange(fee_bps=fee_bps, burn_bps=burn_bps, ready_at=ready_at)
    log IJobEscrow.FeeScheduled(fee_bps=fee_bps, burn_bps=burn_bps, ready_at=ready_at)


@external
def set_treasury(treasury: address):
    """
    @notice Name the receiver of the fees that are not burnt.
    @param treasury any address but zero
    """
    ownable._check_owner()
    self._set_treasury(treasury)


@internal
def _set_treasury(treasury: address):
    assert treasury != empty(address), "job_escrow: no treasury"
    log IJobEscrow.TreasuryChanged(previous=self.treasury, current=treasury)
    self.treasury = treasury


@external
def set_guardian(guardian: address):
    """
    @notice Name the account that may refuse new deposits.
    @param guardian the zero address for none; the owner can always do it too
    """
    ownable._check_owner()
    self._set_guardian(guardian)


@internal
def _set_guardian(guardian: address):
    log IJobEscrow.GuardianChanged(previous=self.guardian, current=guardian)
    self.guardian = guardian


# --- views ----------------------------------------------------------------------------------


@external
@view
def job_state(job: uint64) -> IJobEscrow.JobState:
    """
    @notice The money side of a job; all zero for an unknown one. `JobRegistry.job_info` has
            all of it.
    @param job number of the job
    """
    word: uint256 = self.words[convert(job, uint256)]
    return IJobEscrow.JobState(
        payee=job_word._payee(word),
        asset=self.asset_of[job_word._market(word)],
        status=convert(job_word._status(word), uint8),
        price_per_gpu_hour=job_word._price(word),
        deposit=job_word._deposit(word),
        settled=job_word._settled(word),
    )


@external
@view
def voucher_digest(job: uint64, cumulative_gpu_seconds: uint40, status: uint8) -> bytes32:
    """
    @notice The EIP-712 digest that a job's customer signs for `settle_voucher`.
    @param job number of the job
    @param cumulative_gpu_seconds GPU-seconds used since the job began
    @param status as for `settle_voucher`
    """
    return self._voucher_digest(job, cumulative_gpu_seconds, status)


@external
@view
def amount_due(job: uint64, cumulative_gpu_seconds: uint40) -> (uint256, uint256):
    """
    @notice What a report of this usage would pay a job's provider now, before the fee.
    @param job number of the job
    @param cumulative_gpu_seconds GPU-seconds used since the job began
    @return paid base units of the job's asset that the deposit covers
    @return debt base units beyond the deposit
    """
    next_word: uint256 = 0
    paid: uint256 = 0
    debt: uint256 = 0
    next_word, paid, debt = job_word._advance(
        self.words[convert(job, uint256)],
        convert(cumulative_gpu_seconds, uint256),
        job_word.STATUS_RUNNING,
    )
    return paid, debt


@external
@view
def income(payee: uint24, asset: IERC20, subnet: uint16 = 0) -> (uint256, uint256):
    """
    @notice A payee's income in one market, as a withdrawal now would find it.
    @param payee id of the provider or cluster
    @param asset listed token
    @param subnet subnet in which it was earned
    @return withdrawable base units that can be withdrawn, fee already taken
    @return pending base units that still wait for the dispute window, before the fee
    """
    account: uint256 = job_word._account_of(payee, self._listed(asset, subnet))
    word: uint256 = 0
    matured: uint256 = 0
    word, matured = credit_word._roll(self.waiting[account], self._window())
    return (
        self.withdrawable[account] + matured - self._fee(matured, self.fee_bps),
        credit_word._pending(word),
    )


@external
@view
def fees(asset: IERC20, subnet: uint16 = 0) -> uint256:
    """
    @notice Base units of one market's fees that nobody has collected.
    @param asset listed token
    @param subnet subnet that earned them
    """
    return self._uncollected(self._listed(asset, subnet))
