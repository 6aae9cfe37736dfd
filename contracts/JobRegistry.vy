# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Job registry
@license Apache-2.0
@author Clearwork
@notice Who agreed on what, and how a job starts and ends. A customer opens a job in the escrow,
        which holds its money, and this contract remembers the agreement. The payee accepts it, or
        the customer has taken the payee's signed offer; that binds devices and collateral. It
        ends as both agreed, by the committee's word, by the court's, for devices that are
        missing, or because nobody reports on it any more. What nobody earned goes back to the
        customer each time.
@dev Holds no tokens. It tells the escrow (role ESCROW) what to pay back and the service bonds what
     to free, after it has checked who asks.

     Trust: the escrow for deposits and usage; the holder of COURT ends jobs of convicted
     providers and decides disputes. A customer alone can't end a job that runs, but for missing
     devices or silence, which anybody can check.
@custom:security security@clearwork.example
@custom:kill The escrow's guardian pauses its inflows: no job is opened any more. Those that run
             are settled, closed or reclaimed.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IClusterRegistry
from .interfaces import IJobEscrow
from .interfaces import IJobRegistry
from .interfaces import IOfferBook
from .interfaces import IProviderRegistry
from .interfaces import IServiceBonds
from .interfaces import ISlashingCourt
from .modules import checkpoint_word
from .modules import delayed_roles
from .modules import job_parties
from .modules import job_word
from .modules import payees
from .modules import signatures as signature_check

implements: IJobRegistry

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


struct ReclaimRequest:
    # cumulative GPU-seconds settled when the request was made
    settled: uint256
    # chain time in seconds from which the job can be ended; 0 means no request
    ready_at: uint256


# role that holds the jobs' money
ESCROW: public(constant(bytes32)) = keccak256("ESCROW")
# role that may end the job of a convicted provider, and decides disputes
COURT: public(constant(bytes32)) = keccak256("COURT")

MAX_JOB_TIMEOUT: constant(uint256) = 90 * 86_400
# what the court calls fraud, and a closed case (ISlashingCourt.Accusation)
KIND_FRAUD: constant(uint8) = 5
STAGE_CLOSED: constant(uint8) = 5

# who the providers are
PROVIDERS: public(immutable(IProviderRegistry))
# who the clusters of providers are
CLUSTERS: public(immutable(IClusterRegistry))
# devices and collateral behind every job
BONDS: public(immutable(IServiceBonds))
# capacity that providers sell under a signature
OFFERS: public(immutable(IOfferBook))
# seconds without a settlement after which a requested reclaim ends a job
JOB_TIMEOUT: public(immutable(uint256))

# job => packed parties and requirements (modules/job_parties.vy)
parties: HashMap[uint64, uint256]
# job => the wish of one side to end a job that nobody reports on
reclaim_request: public(HashMap[uint64, ReclaimRequest])
# job => accusation of fraud on which its disputed income waits
disputes: public(HashMap[uint64, bytes32])
# job => court of that accusation, also once another has taken over
dispute_court: public(HashMap[uint64, ISlashingCourt])
# job => usage that has outlived its dispute windows (modules/checkpoint_word.vy)
checkpoints: HashMap[uint64, uint256]


@deploy
def __init__(
    providers: IProviderRegistry,
    clusters: IClusterRegistry,
    bonds: IServiceBonds,
    offers: IOfferBook,
    job_timeout: uint256,
    role_change_delay: uint256,
):
    """
    @param providers contract that knows the providers
    @param clusters contract that knows clusters of providers
    @param bonds contract that binds devices and collateral
    @param offers contract that counts what was sold under signed offers
    @param job_timeout seconds of silence after which a job can be reclaimed, 1 to 90 days
    @param role_change_delay seconds before a changed role applies
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    assert providers.address != empty(address), "job_registry: no providers"
    assert clusters.address != empty(address), "job_registry: no clusters"
    assert bonds.address != empty(address), "job_registry: no bonds"
    assert offers.address != empty(address), "job_registry: no offers"
    assert (
        job_timeout != 0 and job_timeout <= MAX_JOB_TIMEOUT
    ), "job_registry: job timeout out of bounds"
    PROVIDERS = providers
    CLUSTERS = clusters
    BONDS = bonds
    OFFERS = offers
    JOB_TIMEOUT = job_timeout


# --- the escrow -----------------------------------------------------------------------------


@external
def record(job: uint64, agreement: IJobRegistry.Agreement, terms: bytes32):
    """
    @notice ESCROW: remember what a job that was just funded is about; its payee may accept it.
    @param job number of the job
    @param agreement who agreed on what
    @param terms hash of what both sides agreed on outside the chain
    """
    delayed_roles._check_role(ESCROW)
    self._record(job, agreement, terms, 0)


@internal
def _record(job: uint64, agreement: IJobRegistry.Agreement, terms: bytes32, accepted_at: uint256):
    assert agreement.gpus != 0, "job_registry: no gpus"
    self.parties[job] = job_parties._pack(agreement, accepted_at)
    log IJobRegistry.JobOpened(
        job=job,
        customer=agreement.customer,
        provider=agreement.payee,
        gpus=agreement.gpus,
        device_class=agreement.device_class,
        sla=agreement.sla,
        terms=terms,
    )


@external
def record_taken(
    job: uint64,
    customer: address,
    offer: IOfferBook.Offer,
    signer: address,
    signature: Bytes[signature_check.MAX_SIGNATURE],
    gpus: uint16,
    run_seconds: uint32,
):
    """
    @notice ESCROW: take an offer, or part of it, for a job that was just funded: it is accepted.
    @param job number of the job
    @param customer who takes it
    @param offer what the provider signed
    @param signer the provider's owner or operator
    @param signature its signature of the offer
    @param gpus how many of the GPUs
    @param run_seconds how long the deposit lasts
    """
    delayed_roles._check_role(ESCROW)
    extcall OFFERS.take(customer, offer, signer, signature, gpus, run_seconds)
    self._record(
        job,
        IJobRegistry.Agreement(
            customer=customer,
            payee=offer.provider,
            device_class=offer.device_class,
            gpus=gpus,
            sla=offer.sla,
        ),
        offer.terms,
        block.timestamp,
    )
    self._pledge(job, offer.provider)


@internal
def _pledge(job: uint64, payee: uint24):
    collateral: uint256 = extcall BONDS.pledge(job_parties._obligation(payee, self.parties[job]))
    log IJobRegistry.JobAccepted(job=job, collateral=collateral)


# --- the job's payee ------------------------------------------------------------------------


@external
def accept(job: uint64):
    """
    @notice Take a job: its GPUs count as promised and its collateral is locked, see
            ServiceBonds. By who speaks for the payee: a provider's owner or operator key.
    @param job number of an open job
    """
    payee: uint24 = self._open_payee(job)
    self._check_payee(payee)
    self.parties[job] = job_parties._with_accepted_at(self.parties[job], block.timestamp)
    extcall self._escrow().set_status(job, convert(job_word.STATUS_ACCEPTED, uint8))
    self._pledge(job, payee)


@internal
@view
def _escrow() -> IJobEscrow:
    return IJobEscrow(delayed_roles.role_holder[ESCROW])


@internal
@view
def _open_payee(job: uint64) -> uint24:
    """
    @return payee of a job that waits for it
    """
    state: IJobEscrow.JobState = staticcall self._escrow().job_state(job)
    assert convert(state.status, uint256) == job_word.STATUS_OPEN, "job_registry: job is not open"
    return state.payee


@internal
@view
def _check_payee(payee: uint24):
    assert self._speaks_for(payee, msg.sender), "job_registry: not the provider"


@internal
@view
def _speaks_for(payee: uint24, account: address) -> bool:
    if payees._is_cluster(payee):
        return staticcall CLUSTERS.speaks_for(payee, account)
    return staticcall PROVIDERS.speaks_for(payee, account)


@external
def decline(job: uint64):
    """
    @notice Refuse an open job, as its payee; the deposit goes back to the customer.
    @param job number of an open job
    """
    self._check_payee(self._open_payee(job))
    self._cancel(job)


@internal
def _cancel(job: uint64):
    refunded: uint256 = extcall self._escrow().end_job(
        job,
        convert(job_word.STATUS_CANCELLED, uint8),
        job_parties._customer(self.parties[job]),
    )
    log IJobRegistry.JobCancelled(job=job, refunded=refunded)


@external
def start(job: uint64):
    """
    @notice Say that an accepted job runs now, as its payee. A report of usage says it too.
    @param job number of an accepted job
    """
    state: IJobEscrow.JobState = staticcall self._escrow().job_state(job)
    assert (
        convert(state.status, uint256) == job_word.STATUS_ACCEPTED
    ), "job_registry: job is not accepted"
    self._check_payee(state.payee)
    extcall self._escrow().set_status(job, convert(job_word.STATUS_RUNNING, uint8))
    log IJobRegistry.JobStarted(job=job)


# --- the job's customer ---------------------------------------------------------------------


@external
def cancel(job: uint64):
    """
    @notice Take back a job that its payee has not accepted, with the whole deposit.
    @param job number of an open job
    """
    self._open_payee(job)
    self._check_customer(job)
    self._cancel(job)


@internal
@view
def _check_customer(job: uint64):
    assert (
        msg.sender == job_parties._customer(self.parties[job])
    ), "job_registry: not the customer"


@external
def lower_deposit(job: uint64, amount: uint256):
    """
    @notice Take back part of a deposit, as the job's customer. Of an accepted job, what its
            GPUs can have used since then and can use until `JOB_TIMEOUT` from now stays, so the
            payee is covered while it learns of it.
    @param job number of a job that is not over
    @param amount base units of the job's asset to take back
    """
    self._check_customer(job)
    state: IJobEscrow.JobState = staticcall self._escrow().job_state(job)
    assert convert(state.status, uint256) < job_word.STATUS_CLOSED, "job_registry: job is over"
    assert amount != 0, "job_registry: nothing to take back"
    kept: uint256 = 0
    if convert(state.status, uint256) != job_word.STATUS_OPEN:
        parties: uint256 = self.parties[job]
        since: uint256 = convert(job_parties._accepted_at(parties), uint256)
        kept = (block.timestamp + JOB_TIMEOUT - since) * convert(
            job_parties._gpus(parties), uint256
        )
    extcall self._escrow().lower_deposit(job, amount, kept, msg.sender)
    log IJobRegistry.DepositLowered(job=job, amount=amount)


@external
def leave_for_lost_capacity(job: uint64):
    """
    @notice End a job, as its customer, whose payee has had fewer attested devices than it
            promised for longer than the service level allows: refund and compensation.
            `ServiceBonds.note_capacity` starts that time.
    @param job number of an accepted or running job
    """
    self._check_customer(job)
    self._end_failed(job, self._active(job), job_word.STATUS_CAPACITY_LOST, True)


@external
def dispute(job: uint64, case_id: bytes32) -> uint256:
    """
    @notice Keep a job's part of the payee's pending income back, as its customer, until the
            court has decided the customer's accusation of fraud. What a checkpoint shows to have
            outlived its dispute windows is not touched, nor more than the payee has pending.
            Usage can be disputed once: a later dispute is about later usage.
    @param job number of the job
    @param case_id the customer's accusation that names the job, still open
    @return amount base units of the job's asset kept back
    """
    self._check_customer(job)
    assert self.disputes[job] == empty(bytes32), "job_registry: already disputed"
    court: ISlashingCourt = ISlashingCourt(delayed_roles.role_holder[COURT])
    case: ISlashingCourt.Accusation = staticcall court.accusations(case_id)
    assert (
        case.job == job and case.accuser == msg.sender and case.kind == KIND_FRAUD
    ), "job_registry: no such accusation"
    assert case.stage != STAGE_CLOSED, "job_registry: accusation is closed"
    amount: uint256 = extcall self._escrow().hold_pending(
        job, checkpoint_word._undisputed(self.checkpoints[job], self._window())
    )
    assert amount != 0, "job_registry: nothing pending"
    self.disputes[job] = case_id
    self.dispute_court[job] = court
    # it is held now, or too late to hold: no later dispute takes it from other jobs' income
    self.checkpoints[job] = checkpoint_word._final(
        (staticcall self._escrow().job_state(job)).settled
    )
    log IJobRegistry.JobDisputed(job=job, case_id=case_id, amount=amount)
    return amount


@internal
@view
def _window() -> uint256:
    return block.timestamp // staticcall self._escrow().DISPUTE_WINDOW()


@external
def request_reclaim(job: uint64):
    """
    @notice Announce that a job is silent, as its customer or its payee. If no settlement
            raises its usage for `JOB_TIMEOUT`, `reclaim` ends it. A later request replaces
            an earlier one.
    @param job number of an accepted or running job
    """
    state: IJobEscrow.JobState = self._active(job)
    if msg.sender != job_parties._customer(self.parties[job]):
        self._check_payee(state.payee)
    request: ReclaimRequest = ReclaimRequest(
        settled=state.settled, ready_at=block.timestamp + JOB_TIMEOUT
    )
    self.reclaim_request[job] = request
    log IJobRegistry.ReclaimRequested(job=job, settled=request.settled, ready_at=request.ready_at)


@internal
@view
def _active(job: uint64) -> IJobEscrow.JobState:
    """
    @return state of a job that is accepted or running
    """
    state: IJobEscrow.JobState = staticcall self._escrow().job_state(job)
    status: uint256 = convert(state.status, uint256)
    assert (
        status == job_word.STATUS_ACCEPTED or status == job_word.STATUS_RUNNING
    ), "job_registry: job is not active"
    return state


# --- anyone ---------------------------------------------------------------------------------


@external
def close(job: uint64):
    """
    @notice End a job whose status is final: refund the unspent deposit and let the
            collateral go. After a provider fault, lost capacity or a missed service level
            the customer gets its share of the collateral first.
    @param job number of the job
    """
    state: IJobEscrow.JobState = staticcall self._escrow().job_state(job)
    status: uint256 = convert(state.status, uint256)
    assert (
        status >= job_word.STATUS_COMPLETED and status <= job_word.STATUS_INFRASTRUCTURE
    ), "job_registry: status not final"
    if status >= job_word.STATUS_PROVIDER_FAULT and status <= job_word.STATUS_SLA_MISSED:
        self._end_failed(job, state, status, False)
    else:
        self._end(job, state, status, 0)


@internal
def _end_failed(job: uint64, state: IJobEscrow.JobState, final: uint256, capacity_lost: bool):
    """
    @notice Close a job that its payee failed: the customer is paid out of the collateral.
    @param capacity_lost whether the devices themselves show it
    """
    parties: uint256 = self.parties[job]
    compensated: uint256 = extcall BONDS.compensate(
        job_parties._obligation(state.payee, parties),
        job,
        job_parties._customer(parties),
        capacity_lost,
    )
    self._close(job, final, job_parties._customer(parties), compensated)


@internal
def _end(
    job: uint64, state: IJobEscrow.JobState, final: uint256, convicted: uint24
) -> IJobRegistry.Harm:
    """
    @notice Close a job and let its collateral go.
    @param final status to report
    @param convicted provider that the court's slash is about to reach, 0 for none
    @return harm what the customer got back, and the compensation that provider had promised
    """
    parties: uint256 = self.parties[job]
    customer: address = job_parties._customer(parties)
    promised: uint256 = extcall BONDS.release(
        job_parties._obligation(state.payee, parties), convicted
    )
    refunded: uint256 = self._close(job, final, customer, 0)
    return IJobRegistry.Harm(customer=customer, refunded=refunded, compensation=promised)


@internal
def _close(job: uint64, final: uint256, customer: address, compensated: uint256) -> uint256:
    refunded: uint256 = extcall self._escrow().end_job(
        job, convert(job_word.STATUS_CLOSED, uint8), customer
    )
    log IJobRegistry.JobClosed(
        job=job, status=convert(final, uint8), refunded=refunded, compensated=compensated
    )
    return refunded


@external
def reclaim(job: uint64):
    """
    @notice End a job that stayed silent since `request_reclaim`, whoever calls: the unspent
            deposit goes back to the customer, the collateral is let go.
    @param job number of the job
    """
    state: IJobEscrow.JobState = self._active(job)
    request: ReclaimRequest = self.reclaim_request[job]
    assert request.ready_at != 0, "job_registry: no reclaim requested"
    assert block.timestamp >= request.ready_at, "job_registry: job timeout not over"
    assert state.settled == request.settled, "job_registry: job is not silent"
    self._end(job, state, convert(state.status, uint256), 0)


@external
def checkpoint(job: uint64):
    """
    @notice Remember how much of a job is settled now: two dispute windows later that much can't
            be disputed any more, and the next checkpoint can be set. A provider does it for
            jobs that run for long; anyone may.
    @param job number of the job
    """
    state: IJobEscrow.JobState = staticcall self._escrow().job_state(job)
    assert state.status != 0, "job_registry: unknown job"
    before: uint256 = self.checkpoints[job]
    after: uint256 = checkpoint_word._mark(before, state.settled, self._window())
    assert after != before, "job_registry: last checkpoint is too young"
    self.checkpoints[job] = after
    log IJobRegistry.Checkpointed(job=job, gpu_seconds=state.settled)


@external
def checkpoint_voucher(
    job: uint64,
    cumulative_gpu_seconds: uint40,
    status: uint8,
    signature: Bytes[signature_check.MAX_SIGNATURE],
):
    """
    @notice Show a voucher of a job, whoever calls: what is settled of the usage that its customer
            signed for can't be disputed from now on. A payee that is paid by vouchers keeps the
            income of its other jobs out of a dispute this way.
    @param job number of the job
    @param cumulative_gpu_seconds of the voucher
    @param status of the voucher
    @param signature the customer's EIP-712 signature of `Voucher`, see JobEscrow
    """
    escrow: IJobEscrow = self._escrow()
    seconds: uint256 = min(
        convert(cumulative_gpu_seconds, uint256), (staticcall escrow.job_state(job)).settled
    )
    before: uint256 = self.checkpoints[job]
    assert seconds > checkpoint_word._undisputed(
        before, self._window()
    ), "job_registry: already undisputed"
    assert signature_check._is_valid(
        job_parties._customer(self.parties[job]),
        staticcall escrow.voucher_digest(job, cumulative_gpu_seconds, status),
        signature,
    ), "job_registry: bad signature"
    self.checkpoints[job] = checkpoint_word._agreed(before, seconds)
    log IJobRegistry.Checkpointed(job=job, gpu_seconds=seconds)


@external
def settle_dispute(job: uint64):
    """
    @notice Have what was disputed paid once the court has closed the case, whoever calls: back to
            the customer after a conviction, to the payee otherwise.
    @param job number of the job
    """
    case_id: bytes32 = self.disputes[job]
    assert case_id != empty(bytes32), "job_registry: not disputed"
    case: ISlashingCourt.Accusation = staticcall self.dispute_court[job].accusations(case_id)
    assert case.stage == STAGE_CLOSED, "job_registry: accusation is open"
    self.disputes[job] = empty(bytes32)
    receiver: address = empty(address)
    if case.guilty:
        receiver = job_parties._customer(self.parties[job])
    amount: uint256 = extcall self._escrow().release_pending(job, receiver)
    log IJobRegistry.DisputeSettled(job=job, upheld=case.guilty, amount=amount)


# --- the court ------------------------------------------------------------------------------


@external
def fail_job(job: uint64, provider: uint24) -> IJobRegistry.Harm:
    """
    @notice COURT: end a job of a convicted provider. The customer gets its unspent deposit
            back; the collateral is let go, so that the slash that follows reaches it and
            pays the compensation.
    @param job number of an accepted or running job
    @param provider the convicted provider; must be in the job
    @return harm the customer, what it got back, and the compensation its service level
            promises in base units of the staked token
    """
    delayed_roles._check_role(COURT)
    state: IJobEscrow.JobState = self._active(job)
    assert self._works_for(state.payee, provider), "job_registry: wrong provider"
    return self._end(job, state, job_word.STATUS_PROVIDER_FAULT, provider)


@internal
@view
def _works_for(payee: uint24, provider: uint24) -> bool:
    """
    @notice Whether a provider is a payee, or a member of the cluster that is.
    """
    return payee == provider or (
        payees._is_cluster(payee) and staticcall CLUSTERS.is_member(payee, provider)
    )


# --- views ----------------------------------------------------------------------------------


@external
@view
def job_info(job: uint64) -> IJobRegistry.Job:
    """
    @notice A job as people read it; all zero for an unknown one.
    @param job number of the job
    """
    state: IJobEscrow.JobState = staticcall self._escrow().job_state(job)
    parties: uint256 = self.parties[job]
    accepted_at: uint64 = job_parties._accepted_at(parties)
    return IJobRegistry.Job(
        customer=job_parties._customer(parties),
        provider=state.payee,
        asset=state.asset,
        gpus=job_parties._gpus(parties),
        device_class=job_parties._device_class(parties),
        sla=job_parties._sla(parties),
        status=state.status,
        price_per_gpu_hour=state.price_per_gpu_hour,
        deposit=state.deposit,
        settled=state.settled,
        collateral=(
            staticcall BONDS.collateral(job_parties._obligation(state.payee, parties))
            if accepted_at != 0
            else 0
        ),
        accepted_at=accepted_at,
    )


@external
@view
def customer_of(job: uint64) -> address:
    """
    @notice Who opened a job and signs its vouchers; the zero address for an unknown one.
    @param job number of the job
    """
    return job_parties._customer(self.parties[job])


@external
@view
def works_on(job: uint64, provider: uint24) -> bool:
    """
    @notice Whether a provider is a job's payee, or a member of the cluster that is.
    @param job number of the job
    @param provider id of the provider
    """
    return self._works_for((staticcall self._escrow().job_state(job)).payee, provider)


@external
@view
def speaks_for(payee: uint24, account: address) -> bool:
    """
    @notice Whether an account may act for a provider or cluster: an owner or operator key.
    @param payee id of the provider or cluster
    @param account any account
    """
    return self._speaks_for(payee, account)


@external
@view
def undisputed(job: uint64) -> uint256:
    """
    @notice GPU-seconds of a job that can't be disputed any more, as far as checkpoints show.
    @param job number of the job
    """
    return checkpoint_word._undisputed(self.checkpoints[job], self._window())
