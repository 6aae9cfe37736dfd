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
     a role waits `ROLE_CHANGE_DELAY`, so that everybody can take out what is theirs first.
@custom:security security@clearwork.example
@custom:kill The guardian pauses the inflows of every asset. Jobs that run are settled, closed
             or reclaimed; income, refunds and fees stay payable for ever.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.utils import eip712_domain_separator

from .interfaces import IDeviceRegistry
from .interfaces import IJobEscrow
from .interfaces import IOracleCommittee
from .interfaces import IProviderRegistry
from .interfaces import IProviderStaking
from .interfaces import IWorkToken
from .modules import credit_word
from .modules import delayed_roles
from .modules import job_parties
from .modules import job_word
from .modules import signatures as signature_check

implements: IJobEscrow

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: delayed_roles[ownable := ownable]
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
    # roles
    delayed_roles.ROLE_CHANGE_DELAY,
    delayed_roles.role_holder,
    delayed_roles.pending_role,
    delayed_roles.set_role,
    delayed_roles.apply_role,
)


struct FeeChange:
    fee_bps: uint256
    burn_bps: uint256
    # chain time in seconds from which it can be applied; 0 means none is scheduled
    ready_at: uint256


struct ReclaimRequest:
    # cumulative GPU-seconds settled when the request was made
    settled: uint256
    # chain time in seconds from which the job can be ended; 0 means no request
    ready_at: uint256


# role that may end the job of a convicted provider
COURT: public(constant(bytes32)) = keccak256("COURT")

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
RECEIPT_STATUS: constant(uint256) = job_word.MAX_STATUS << STATUS_SHIFT
RECEIPT_RUNNING: constant(uint256) = job_word.STATUS_RUNNING << STATUS_SHIFT

# a committee has 31 members at most, a signature 65 bytes
MAX_SIGNATURES: constant(uint256) = 31 * 65

# seconds; the lower bound keeps window numbers inside 32 bits for 600 years
MIN_DISPUTE_WINDOW: constant(uint256) = 5
MAX_DISPUTE_WINDOW: constant(uint256) = 30 * 86_400
MAX_JOB_TIMEOUT: constant(uint256) = 90 * 86_400

# token whose fees are partly burnt; also what collateral is made of
WORK_TOKEN: public(immutable(IWorkToken))
# providers, their keys and their collateral
STAKING: public(immutable(IProviderStaking))
# says who the providers are and where they are paid
PROVIDERS: public(immutable(IProviderRegistry))
# attested devices per provider and class
REGISTRY: public(immutable(IDeviceRegistry))
# who signs usage for customers that are silent
COMMITTEE: public(immutable(IOracleCommittee))
# seconds that income from the committee waits at least; it waits twice as long at most
DISPUTE_WINDOW: public(immutable(uint256))
# seconds without a settlement after which a requested reclaim ends a job
JOB_TIMEOUT: public(immutable(uint256))

# jobs ever opened; the last one's number
job_count: public(uint64)
# job => packed hot state (modules/job_word.vy), 0 for an unknown job
words: HashMap[uint256, uint256]
# job => packed parties and requirements (modules/job_parties.vy)
parties: HashMap[uint64, uint256]
# job => hash of the terms both sides agreed on outside the chain
terms: HashMap[uint64, bytes32]
# job => the wish of one side to end a job that nobody reports on
reclaim_request: public(HashMap[uint64, ReclaimRequest])

# income account => packed income that waits for its dispute window (modules/credit_word.vy)
waiting: HashMap[uint256, uint256]
# income account => base units that can be withdrawn, fee already taken
withdrawable: HashMap[uint256, uint256]
# asset number => base units of fees that nobody has collected
uncollected: HashMap[uint256, uint256]
# customer => asset => base units of refunds whose transfer failed
owed_refund: public(HashMap[address, HashMap[address, uint256]])

# provider => device class => GPUs promised to accepted jobs
committed_gpus: public(HashMap[uint24, HashMap[uint16, uint256]])

# assets ever listed; the last one's number
asset_count: public(uint8)
# asset number => token
asset_of: public(address[MAX_ASSETS])
# token => asset number, 0 for one that is not listed
asset_id: public(HashMap[address, uint8])
# asset number => token while new deposits are taken, the zero address while they are refused
inflow_asset: public(address[MAX_ASSETS])

# service levels ever added; the last one's number. Number 0 promises nothing
sla_count: public(uint16)
# service level => what it locks and what it pays
sla_terms: public(HashMap[uint16, IJobEscrow.Sla])

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
    staking: IProviderStaking,
    registry: IDeviceRegistry,
    committee: IOracleCommittee,
    dispute_window: uint256,
    job_timeout: uint256,
    fee_bps: uint256,
    burn_bps: uint256,
    treasury: address,
    guardian: address,
    role_change_delay: uint256,
):
    """
    @param work_token token whose fees are partly burnt
    @param staking contract that holds the providers' collateral
    @param registry contract that counts attested devices
    @param committee contract that checks the oracles' signatures
    @param dispute_window seconds that income from the committee waits at least
    @param job_timeout seconds of silence after which a job can be reclaimed
    @param fee_bps bps of income, at most `MAX_FEE_BPS`
    @param burn_bps bps of the fees in the work token that are burnt
    @param treasury receives the other fees
    @param guardian may refuse new deposits
    @param role_change_delay seconds before a changed role or fee applies
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    eip712_domain_separator.__init__("Clearwork", "1")

    assert work_token.address != empty(address), "job_escrow: no work token"
    assert staking.address != empty(address), "job_escrow: no staking"
    assert registry.address != empty(address), "job_escrow: no registry"
    assert committee.address != empty(address), "job_escrow: no committee"
    assert (
        dispute_window >= MIN_DISPUTE_WINDOW and dispute_window <= MAX_DISPUTE_WINDOW
    ), "job_escrow: dispute window out of bounds"
    assert (
        job_timeout >= dispute_window and job_timeout <= MAX_JOB_TIMEOUT
    ), "job_escrow: job timeout out of bounds"
    WORK_TOKEN = work_token
    STAKING = staking
    PROVIDERS = IProviderRegistry(staticcall staking.PROVIDERS())
    REGISTRY = registry
    COMMITTEE = committee
    DISPUTE_WINDOW = dispute_window
    JOB_TIMEOUT = job_timeout
    self._set_fee(fee_bps, burn_bps)
    self._set_treasury(treasury)
    self._set_guardian(guardian)


# --- anyone: opening and funding ------------------------------------------------------------


@external
def open_job(
    provider: uint24,
    asset: IERC20,
    gpus: uint16,
    device_class: uint16,
    price_per_gpu_hour: uint256,
    deposit: uint256,
    sla: uint16,
    terms: bytes32,
) -> uint64:
    """
    @notice Open and fund a job for one provider to accept; the caller is its customer.
    @param provider id of the provider that may accept
    @param asset listed token that pays; the caller has approved `deposit`
    @param gpus GPUs that the provider must have free
    @param device_class class those GPUs were attested for
    @param price_per_gpu_hour base units of `asset` for one GPU for one hour
    @param deposit base units of `asset` to pull; what arrives is credited
    @param sla service level whose collateral the provider locks, 0 for none
    @param terms hash of what both sides agreed on outside the chain
    @return job number of the job
    """
    assert gpus != 0, "job_escrow: no gpus"
    assert (
        price_per_gpu_hour != 0 and price_per_gpu_hour <= job_word.MAX_PRICE
    ), "job_escrow: price out of bounds"
    assert sla <= self.sla_count, "job_escrow: unknown sla"
    asset_id: uint256 = self._listed(asset)
    received: uint256 = self._pull(asset_id, deposit, 0)
    job: uint64 = self.job_count + 1
    self.job_count = job
    self.words[convert(job, uint256)] = job_word._open(
        received, price_per_gpu_hour, provider, asset_id
    )
    self.parties[job] = job_parties._pack(msg.sender, gpus, device_class, sla)
    self.terms[job] = terms
    log IJobEscrow.JobOpened(
        job=job,
        customer=msg.sender,
        provider=provider,
        asset=asset.address,
        gpus=gpus,
        device_class=device_class,
        price_per_gpu_hour=price_per_gpu_hour,
        deposit=received,
        sla=sla,
        terms=terms,
    )
    return job


@internal
@view
def _listed(asset: IERC20) -> uint256:
    """
    @return asset_id number of a token that must be listed
    """
    asset_id: uint8 = self.asset_id[asset.address]
    assert asset_id != 0, "job_escrow: asset not listed"
    return convert(asset_id, uint256)


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
    received: uint256 = self._pull(job_word._asset(word), amount, job_word._deposit(word))
    self.words[convert(job, uint256)] = job_word._add_deposit(word, received)
    log IJobEscrow.JobToppedUp(job=job, amount=received)


@internal
def _pull(asset_id: uint256, amount: uint256, deposit: uint256) -> uint256:
    """
    @notice Take tokens from the caller to add to a deposit.
    @dev The bound on the balance keeps every sum of income inside its packed field: all
         income comes out of deposits, and this is the only way in.
    @return received base units by which the balance has grown
    """
    asset: IERC20 = IERC20(self.inflow_asset[asset_id])
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
    cumulative: uint256 = convert(cumulative_gpu_seconds, uint256)
    word: uint256 = self.words[convert(job, uint256)]
    next_word: uint256 = 0
    paid: uint256 = 0
    debt: uint256 = 0
    next_word, paid, debt = job_word._advance(word, cumulative, convert(status, uint256))
    if next_word == word:
        reason: uint256 = job_word._skip_reason(word, cumulative, convert(status, uint256))
        assert reason != job_word.SKIP_UNKNOWN, "job_escrow: unknown job"
        assert reason != job_word.SKIP_NOT_ACCEPTED, "job_escrow: not accepted yet"
        assert reason != job_word.SKIP_CLOSED, "job_escrow: job is closed"
        assert reason != job_word.SKIP_STATUS, "job_escrow: bad status"
        assert reason != job_word.SKIP_EXHAUSTED, "job_escrow: deposit exhausted"
        raise "job_escrow: usage not increasing"
    assert signature_check._is_valid(
        job_parties._customer(self.parties[job]),
        self._voucher_digest(job, cumulative_gpu_seconds, status),
        signature,
    ), "job_escrow: bad signature"
    provider: uint24 = job_word._payee(word)
    if convert(status, uint256) != job_word.STATUS_RUNNING:
        self._check_provider(provider)

    self.words[convert(job, uint256)] = next_word
    fee: uint256 = self._earn(job_word._account(word), paid)
    log IJobEscrow.VoucherSettled(
        job=job,
        provider=provider,
        cumulative_gpu_seconds=convert(job_word._settled(next_word), uint40),
        status=status,
        paid=paid,
        fee=fee,
    )
    if debt != 0:
        log IJobEscrow.JobExhausted(job=job, debt=debt)


@internal
@view
def _voucher_digest(job: uint64, cumulative_gpu_seconds: uint40, status: uint8) -> bytes32:
    return eip712_domain_separator._hash_typed_data_v4(
        keccak256(abi_encode(VOUCHER_TYPE_HASH, job, cumulative_gpu_seconds, status))
    )


@internal
def _earn(account: uint256, amount: uint256) -> uint256:
    """
    @notice Make income withdrawable and take the fee from it.
    @return fee base units, rounded up
    """
    fee: uint256 = self._fee_on(amount)
    # the fee is at most the amount
    self.withdrawable[account] += unsafe_sub(amount, fee)
    self.uncollected[job_word._account_asset(account)] += fee
    return fee


@internal
@view
def _fee_on(amount: uint256) -> uint256:
    """
    @param amount base units, at most the contract's balance and so below 2**112
    @return fee base units, rounded up; never more than `amount`
    """
    return unsafe_div(unsafe_add(unsafe_mul(amount, self.fee_bps), BPS - 1), BPS)


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
    size: uint256 = len(receipts)
    assert size != 0 and size % RECEIPT_BYTES == 0, "job_escrow: malformed receipts"
    signers: uint256 = staticcall COMMITTEE.verify(
        convert(index, bytes32), epoch, keccak256(receipts), signatures
    )

    # with one receipt's worth of zeros behind, receipt i is the high half of the 32 bytes
    # that start at 16 * i
    padded: Bytes[MAX_RECEIPT_BYTES + RECEIPT_BYTES] = concat(receipts, EMPTY_RECEIPT)
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
        if (word >> job_word.ASSET_SHIFT) & job_word.MAX_ACCOUNT != account:
            self._await(account, income)
            account = job_word._account(word)
            income = 0
        # at most 512 deposits below 2**96
        income = unsafe_add(income, paid)
    self._await(account, income)
    log IJobEscrow.BatchSettled(epoch=epoch, index=index, signers=signers, receipts=receipts)


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
        fee: uint256 = self._earn(account, matured)
        log IJobEscrow.CreditMatured(
            provider=job_word._account_payee(account),
            asset=self.asset_of[job_word._account_asset(account)],
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
def withdraw(provider: uint24, asset: IERC20) -> uint256:
    """
    @notice Pay a provider's withdrawable income to its payout address, whoever calls.
    @param provider id of the provider
    @param asset token to pay
    @return amount base units paid; 0 where there is nothing yet
    """
    account: uint256 = job_word._account_of(provider, self._listed(asset))
    self.waiting[account] = self._mature(account)
    amount: uint256 = self.withdrawable[account]
    if amount == 0:
        return 0
    self.withdrawable[account] = 0
    receiver: address = staticcall PROVIDERS.payout_of(provider)
    log IJobEscrow.IncomeWithdrawn(
        provider=provider, asset=asset.address, receiver=receiver, amount=amount
    )
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
def collect_fees(asset: IERC20):
    """
    @notice Spend the fees in one asset: of the work token `burn_bps` are burnt, everything
            else goes to the treasury, whoever calls.
    @param asset token to collect
    """
    asset_id: uint256 = self._listed(asset)
    collected: uint256 = self.uncollected[asset_id]
    self.uncollected[asset_id] = 0
    burnt: uint256 = 0
    if asset.address == WORK_TOKEN.address:
        burnt = collected * self.burn_bps // BPS
    log IJobEscrow.FeesCollected(asset=asset.address, treasury=collected - burnt, burnt=burnt)
    if burnt != 0:
        extcall WORK_TOKEN.burn(burnt)
    if collected != burnt:
        self._push(asset.address, self.treasury, collected - burnt)


@external
def close(job: uint64):
    """
    @notice End a job whose status is final: refund the unspent deposit and let the
            collateral go. After a provider fault, lost capacity or a missed service level
            the customer gets its share of the collateral first.
    @param job number of the job
    """
    word: uint256 = self.words[convert(job, uint256)]
    status: uint256 = job_word._status(word)
    assert (
        status >= job_word.STATUS_COMPLETED and status <= job_word.STATUS_INFRASTRUCTURE
    ), "job_escrow: status not final"
    self._end(
        job,
        word,
        status,
        status >= job_word.STATUS_PROVIDER_FAULT and status <= job_word.STATUS_SLA_MISSED,
    )


@internal
def _end(job: uint64, word: uint256, final: uint256, compensate: bool) -> IJobEscrow.Harm:
    """
    @notice Close an accepted job: free its GPUs, settle its collateral, refund its customer.
    @param word the job's word
    @param final status to report
    @param compensate whether the customer is paid out of the collateral now
    @return harm what the customer got back, and the compensation the service level promises
    """
    self._set_status(job, word, job_word.STATUS_CLOSED)
    provider: uint24 = job_word._payee(word)
    parties: uint256 = self.parties[job]
    customer: address = job_parties._customer(parties)
    self.committed_gpus[provider][job_parties._device_class(parties)] -= convert(
        job_parties._gpus(parties), uint256
    )

    refund: uint256 = job_word._unspent(word)
    collateral: uint256 = self._collateral(parties)
    promised: uint256 = (
        collateral
        * convert(self.sla_terms[job_parties._sla(parties)].compensation_bps, uint256) // BPS
    )
    compensated: uint256 = 0
    kept: uint256 = collateral
    if compensate and promised != 0:
        compensated = extcall STAKING.seize(provider, promised, customer)
        kept -= promised
    if kept != 0:
        extcall STAKING.release(provider, kept)
    log IJobEscrow.JobClosed(
        job=job, status=convert(final, uint8), refunded=refund, compensated=compensated
    )
    self._refund(self.asset_of[job_word._asset(word)], customer, refund)
    return IJobEscrow.Harm(customer=customer, refunded=refund, compensation=promised)


@internal
@view
def _collateral(parties: uint256) -> uint256:
    """
    @return tokens base units of the staked token that a job locks
    """
    return self.sla_terms[job_parties._sla(parties)].collateral_per_gpu * convert(
        job_parties._gpus(parties), uint256
    )


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
def reclaim(job: uint64):
    """
    @notice End a job that stayed silent since `request_reclaim`, whoever calls: the unspent
            deposit goes back to the customer, the collateral is let go.
    @param job number of the job
    """
    word: uint256 = self._active(job)
    request: ReclaimRequest = self.reclaim_request[job]
    assert request.ready_at != 0, "job_escrow: no reclaim requested"
    assert block.timestamp >= request.ready_at, "job_escrow: job timeout not over"
    assert job_word._settled(word) == request.settled, "job_escrow: job is not silent"
    self._end(job, word, job_word._status(word), False)


@internal
@view
def _active(job: uint64) -> uint256:
    """
    @return word the word of a job that is accepted or running
    """
    word: uint256 = self.words[convert(job, uint256)]
    status: uint256 = job_word._status(word)
    assert (
        status == job_word.STATUS_ACCEPTED or status == job_word.STATUS_RUNNING
    ), "job_escrow: job is not active"
    return word


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


# --- the job's provider ---------------------------------------------------------------------


@external
def accept(job: uint64):
    """
    @notice Take a job: its GPUs count as promised and its collateral is locked. By the
            provider's owner or operator key, while the provider is not jailed, has that many
            live devices of the class free, and holds the stake its devices need.
    @param job number of an open job
    """
    word: uint256 = self._open_word(job)
    provider: uint24 = job_word._payee(word)
    self._check_provider(provider)
    assert not staticcall STAKING.is_jailed(provider), "job_escrow: provider is jailed"

    parties: uint256 = self.parties[job]
    device_class: uint16 = job_parties._device_class(parties)
    committed: uint256 = self.committed_gpus[provider][device_class] + convert(
        job_parties._gpus(parties), uint256
    )
    assert committed <= staticcall REGISTRY.capacity(
        provider, device_class
    ), "job_escrow: not enough devices"
    assert staticcall STAKING.slashable(provider) >= staticcall REGISTRY.required_stake(
        provider
    ), "job_escrow: not enough stake"

    self.committed_gpus[provider][device_class] = committed
    self._set_status(job, word, job_word.STATUS_ACCEPTED)
    self.parties[job] = job_parties._with_accepted_at(parties, block.timestamp)
    collateral: uint256 = self._collateral(parties)
    if collateral != 0:
        extcall STAKING.lock(provider, collateral)
    log IJobEscrow.JobAccepted(job=job, collateral=collateral)


@internal
@view
def _open_word(job: uint64) -> uint256:
    """
    @return word the word of a job that waits for its provider
    """
    word: uint256 = self.words[convert(job, uint256)]
    assert job_word._status(word) == job_word.STATUS_OPEN, "job_escrow: job is not open"
    return word


@internal
def _set_status(job: uint64, word: uint256, status: uint256):
    self.words[convert(job, uint256)] = job_word._with_status(word, status)


@internal
@view
def _check_provider(provider: uint24):
    assert staticcall PROVIDERS.speaks_for(provider, msg.sender), "job_escrow: not the provider"


@external
def decline(job: uint64):
    """
    @notice Refuse an open job, as its provider; the deposit goes back to the customer.
    @param job number of an open job
    """
    word: uint256 = self._open_word(job)
    self._check_provider(job_word._payee(word))
    self._cancel(job, word, job_parties._customer(self.parties[job]))


@internal
def _cancel(job: uint64, word: uint256, customer: address):
    self._set_status(job, word, job_word.STATUS_CANCELLED)
    refund: uint256 = job_word._deposit(word)
    log IJobEscrow.JobCancelled(job=job, refunded=refund)
    self._refund(self.asset_of[job_word._asset(word)], customer, refund)


# --- the job's customer ---------------------------------------------------------------------


@external
def cancel(job: uint64):
    """
    @notice Take back a job that its provider has not accepted, with the whole deposit.
    @param job number of an open job
    """
    word: uint256 = self._open_word(job)
    customer: address = job_parties._customer(self.parties[job])
    assert msg.sender == customer, "job_escrow: not the customer"
    self._cancel(job, word, customer)


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


@external
def request_reclaim(job: uint64):
    """
    @notice Announce that a job is silent, as its customer or its provider. If no settlement
            raises its usage for `JOB_TIMEOUT`, `reclaim` ends it. A later request replaces
            an earlier one.
    @param job number of an accepted or running job
    """
    word: uint256 = self._active(job)
    if msg.sender != job_parties._customer(self.parties[job]):
        self._check_provider(job_word._payee(word))
    request: ReclaimRequest = ReclaimRequest(
        settled=job_word._settled(word), ready_at=block.timestamp + JOB_TIMEOUT
    )
    self.reclaim_request[job] = request
    log IJobEscrow.ReclaimRequested(job=job, settled=request.settled, ready_at=request.ready_at)


# --- the court ------------------------------------------------------------------------------


@external
def fail_job(job: uint64, provider: uint24) -> IJobEscrow.Harm:
    """
    @notice COURT: end a job of a convicted provider. The customer gets its unspent deposit
            back; the collateral is let go, so that the slash that follows reaches it and
            pays the compensation.
    @param job number of an accepted or running job
    @param provider the convicted provider; must be the job's
    @return harm the customer, what it got back, and the compensation its service level
            promises in base units of the staked token
    """
    delayed_roles._check_role(COURT)
    word: uint256 = self._active(job)
    assert job_word._payee(word) == provider, "job_escrow: wrong provider"
    return self._end(job, word, job_word.STATUS_PROVIDER_FAULT, False)


# --- guardian -------------------------------------------------------------------------------


@external
def set_inflows_paused(asset: IERC20, paused: bool):
    """
    @notice Refuse or allow new deposits of an asset, as guardian or owner. Nothing that is
            settled, refunded or withdrawn is ever held back.
    @param asset listed token
    @param paused whether deposits are refused
    """
    assert (
        msg.sender == self.guardian or msg.sender == ownable.owner
    ), "job_escrow: not the guardian"
    self.inflow_asset[self._listed(asset)] = empty(address) if paused else asset.address
    log IJobEscrow.InflowsPaused(asset=asset.address, paused=paused)


# --- owner ----------------------------------------------------------------------------------


@external
def list_asset(asset: IERC20) -> uint8:
    """
    @notice List a token for deposits. A probe of `PROBE` base units is pulled from the caller
            and sent back: a token that moves another amount than it was told is refused.
    @dev The probe can't see a token that turns on a fee, or changes balances, later: list
         only tokens whose rules are known.
    @param asset token; the caller has approved `PROBE` base units of it
    @return asset_id number of the asset
    """
    ownable._check_owner()
    assert self.asset_id[asset.address] == 0, "job_escrow: already listed"
    asset_id: uint8 = self.asset_count + 1
    self.asset_count = asset_id
    self.asset_id[asset.address] = asset_id
    self.asset_of[convert(asset_id, uint256)] = asset.address
    self.inflow_asset[convert(asset_id, uint256)] = asset.address

    held: uint256 = self._balance(asset, self)
    owned: uint256 = self._balance(asset, msg.sender)
    assert (
        self._pull(convert(asset_id, uint256), PROBE, 0) == PROBE
    ), "job_escrow: fee on transfer"
    self._push(asset.address, msg.sender, PROBE)
    assert (
        self._balance(asset, self) == held and self._balance(asset, msg.sender) == owned
    ), "job_escrow: probe not returned"
    log IJobEscrow.AssetListed(asset_id=asset_id, asset=asset.address)
    return asset_id


@internal
@view
def _balance(asset: IERC20, account: address) -> uint256:
    return staticcall asset.balanceOf(account)


@external
def add_sla(collateral_per_gpu: uint128, compensation_bps: uint16) -> uint16:
    """
    @notice Add a service level that jobs may name. It never changes afterwards.
    @param collateral_per_gpu base units of the staked token that accepting locks per GPU
    @param compensation_bps bps of the locked collateral paid to the customer when the
           provider fails
    @return sla number of the service level
    """
    ownable._check_owner()
    assert convert(compensation_bps, uint256) <= BPS, "job_escrow: compensation > 100 %"
    sla: uint16 = self.sla_count + 1
    self.sla_count = sla
    self.sla_terms[sla] = IJobEscrow.Sla(
        collateral_per_gpu=convert(collateral_per_gpu, uint256),
        compensation_bps=compensation_bps,
    )
    log IJobEscrow.SlaAdded(
        sla=sla,
        collateral_per_gpu=convert(collateral_per_gpu, uint256),
        compensation_bps=compensation_bps,
    )
    return sla


@external
def schedule_fee(fee_bps: uint256, burn_bps: uint256):
    """
    @notice Announce a fee; `apply_fee` puts it into force after `ROLE_CHANGE_DELAY`. It
            replaces an earlier announcement.
    @param fee_bps bps of income, at most `MAX_FEE_BPS`
    @param burn_bps bps of the fees in the work token that are burnt
    """
    ownable._check_owner()
    self._check_fee(fee_bps, burn_bps)
    ready_at: uint256 = block.timestamp + delayed_roles.ROLE_CHANGE_DELAY
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
def job_info(job: uint64) -> IJobEscrow.Job:
    """
    @notice A job as people read it; all zero for an unknown one.
    @param job number of the job
    """
    word: uint256 = self.words[convert(job, uint256)]
    parties: uint256 = self.parties[job]
    accepted_at: uint64 = job_parties._accepted_at(parties)
    return IJobEscrow.Job(
        customer=job_parties._customer(parties),
        provider=job_word._payee(word),
        asset=self.asset_of[job_word._asset(word)],
        gpus=job_parties._gpus(parties),
        device_class=job_parties._device_class(parties),
        sla=job_parties._sla(parties),
        status=convert(job_word._status(word), uint8),
        price_per_gpu_hour=job_word._price(word),
        deposit=job_word._deposit(word),
        settled=job_word._settled(word),
        collateral=self._collateral(parties) if accepted_at != 0 else 0,
        accepted_at=accepted_at,
        terms=self.terms[job],
    )


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
def income(provider: uint24, asset: IERC20) -> (uint256, uint256):
    """
    @notice A provider's income in one asset, as a withdrawal now would find it.
    @param provider id of the provider
    @param asset listed token
    @return withdrawable base units that can be withdrawn, fee already taken
    @return pending base units that still wait for the dispute window, before the fee
    """
    account: uint256 = job_word._account_of(provider, self._listed(asset))
    word: uint256 = 0
    matured: uint256 = 0
    word, matured = credit_word._roll(self.waiting[account], self._window())
    return (
        self.withdrawable[account] + matured - self._fee_on(matured),
        credit_word._pending(word),
    )


@external
@view
def fees(asset: IERC20) -> uint256:
    """
    @notice Base units of fees in one asset that nobody has collected.
    @param asset listed token
    """
    return self.uncollected[self._listed(asset)]
