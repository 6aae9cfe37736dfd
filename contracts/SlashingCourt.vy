# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Slashing court
@license Apache-2.0
@author Clearwork
@notice Convicts providers and spends their slashed stake: the harmed customer first, up to
        what it lost and what its service level promised; then the reporter, by the court's
        policy but never more than the provider signed; the rest is burnt. Nothing goes to
        the owner.

        Proofs are executed at once. A false attestation is proved from the provider's own
        word alone: the signed commit binds dimensions, seed and, through the final seed, the
        root of every round; one entry of one round that is not the product of its row and
        column convicts. An equivocation is two signed ends of one chain: the computation is
        deterministic, so one of them is a lie, and its author never comes back. A withheld
        opening is a leaf of such a commit that was asked for on chain and that nobody showed
        in time, see LeafRequests.vy: what can't be checked costs what a false entry does.

        Accusations (missed challenge, downtime, fraud) take a bond and stages: the provider
        answers, the committee rules, whoever lost calls the arbiter, anyone executes. Each
        stage has a deadline, and silence has a meaning: a silent provider has no defence, a
        silent committee makes a draw, a silent arbiter lets the verdict stand.
@dev Amounts: a penalty is a share of the stake behind the provider (rounded up), for an
     accusation of the stake when it was opened, so that a later delegation never raises it.
     `modules/penalties.vy` scales and caps it. What stake can't pay is taken from rewards
     that have not vested: for the victim, then for the fire. The reporter's share is
     rounded down, the dust burnt, and it has no part in what was vesting.

     This contract holds bonds only: one accusation bond for every accusation that is not
     closed, one appeal bond for every appeal that is not decided. They are paid in a token
     without hooks that refuses no receiver, so paying one out can't stop a case.

     Who executes a proof chooses the job, or none. Customers of other jobs that the provider had
     accepted before a proof lose nothing by it: each may end its job with a refund and
     compensation. An accusation is about the job it names.

     Trust: the committee for verdicts, and above it the ARBITER, for the share of stake that
     the policy puts on an accusation; REQUESTS for the word that nobody showed a leaf, under a
     commit whose signature the court checks itself. No policy can change. The owner names the
     arbiter, and renames it after a delay that is longer than a case can last. The court acts through
     roles that others granted it: SLASHER of the staking contract, COURT of registry,
     job registry and distributor.
@custom:security security@clearwork.example
@custom:kill The owner of those contracts takes the roles away, after the role delay of each.
             As soon as a change of SLASHER is announced no accusation is opened, and those
             that are open end before it can be applied.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IDeviceRegistry
from .interfaces import IJobRegistry
from .interfaces import IMatmulVerifier
from .interfaces import IOracleCommittee
from .interfaces import IProviderRegistry
from .interfaces import IProviderStaking
from .interfaces import IRewardDistributor
from .interfaces import ISlashingCourt
from .interfaces import IWorkToken
from .modules import accusation_words
from .modules import case_word
from .modules import delayed_roles
from .modules import job_word
from .modules import penalties
from .modules import signed_commits

implements: ISlashingCourt

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: delayed_roles[ownable := ownable]
initializes: penalties

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
    # what penalties took and are scaled by
    penalties.penalty_day,
    penalties.convicted_stake,
)


# of modules/delayed_roles.vy, on the staking contract
interface Roles:
    def ROLE_CHANGE_DELAY() -> uint256: view
    def pending_role(role: bytes32) -> delayed_roles.PendingRole: view


# what is done about a fault
struct Sentence:
    case_id: bytes32
    kind: uint8
    provider: uint24
    reporter: address
    job: uint64
    victim: address
    # base units of the job's asset that the escrow has returned to the victim
    refunded: uint256
    # base units of the staked token that the victim is owed
    owed: uint256
    # base units behind the provider that the penalty is a share of
    snapshot: uint256
    # base units of the staked token that the fault costs
    penalty: uint256


# role that decides appeals
ARBITER: public(constant(bytes32)) = keccak256("ARBITER")
# role that reports the leaves nobody showed
REQUESTS: public(constant(bytes32)) = keccak256("REQUESTS")
# the role of this court on the staking contract
SLASHER: constant(bytes32) = keccak256("SLASHER")

# kinds of cases by proof: a signed commit holds a false entry, or contradicts another one
FALSE_ATTESTATION: public(constant(uint8)) = 1
EQUIVOCATION: public(constant(uint8)) = 2
# kinds of accusations
MISSED_CHALLENGE: public(constant(uint8)) = 3
DOWNTIME: public(constant(uint8)) = 4
FRAUD: public(constant(uint8)) = 5
# one more kind by proof: nobody showed a leaf of a signed commit
WITHHELD_OPENING: public(constant(uint8)) = 6

# struct hash of a verdict, the payload of the committee's report about a case
VERDICT_TYPEHASH: constant(bytes32) = keccak256("Verdict(bytes32 caseId,bool guilty,uint96 loss)")
# round of that report: a case has one verdict, a second one is an equivocation
VERDICT_ROUND: constant(uint64) = 0

BPS: constant(uint256) = 10_000
# bps of a penalty for who began to take self-bond out without having answered
EXIT_BPS: public(constant(uint256)) = 10_500
# `until` of a jail term that never ends
FOR_EVER: constant(uint64) = max_value(uint64)

MAX_JAIL: constant(uint256) = 365 * 86_400
MAX_PERIOD: constant(uint256) = 30 * 86_400
MAX_MULTIPLIER: constant(uint256) = 100
# amounts are packed in 96 bits
MAX_BOND: constant(uint256) = 2**96 - 1
SIGNATURE_BYTES: constant(uint256) = signed_commits.SIGNATURE_BYTES
MAX_SIGNATURES: constant(uint256) = 31 * SIGNATURE_BYTES

# the staked token, which bonds are made of too
TOKEN: public(immutable(IERC20))
# holds what is slashed
STAKING: public(immutable(IProviderStaking))
# knows every key that ever spoke for a provider, and what its reporters may get
PROVIDERS: public(immutable(IProviderRegistry))
# defines what a provider signs, and lists the devices
REGISTRY: public(immutable(IDeviceRegistry))
# holds the deposits of harmed customers
JOBS: public(immutable(IJobRegistry))
# holds unvested rewards, which are collateral too
DISTRIBUTOR: public(immutable(IRewardDistributor))
# recomputes matrix entries
VERIFIER: public(immutable(IMatmulVerifier))
# rules on accusations
COMMITTEE: public(immutable(IOracleCommittee))
# shares, bonds and periods
POLICY: public(immutable(ISlashingCourt.Policy))

# case id => packed conviction by proof (modules/case_word.vy), 0 for none
words: HashMap[bytes32, uint256]
# case id => packed parties of an accusation (modules/accusation_words.vy), 0 for none
parties: HashMap[bytes32, uint256]
# case id => packed stage of an accusation (modules/accusation_words.vy)
stages: HashMap[bytes32, uint256]
# case id => packed verdict and appellant of an accusation (modules/accusation_words.vy)
verdicts: HashMap[bytes32, uint256]


@deploy
def __init__(
    token: IERC20,
    staking: IProviderStaking,
    registry: IDeviceRegistry,
    jobs: IJobRegistry,
    distributor: IRewardDistributor,
    verifier: IMatmulVerifier,
    committee: IOracleCommittee,
    policy: ISlashingCourt.Policy,
):
    """
    @param token the staked token: reverts on failure, has no hooks, can be burnt
    @param staking holds the stake; its role delay, which the arbiter's role has too, must be
           as long as the longest case
    @param registry lists the devices
    @param jobs ends jobs and refunds their customers
    @param distributor holds unvested rewards
    @param verifier recomputes matrix entries
    @param committee rules on accusations
    @param policy shares, bonds and periods: a penalty is at least 1 bps and at most
           `max_penalty_bps`, the multiplier at most 100, jail at most 365 days, a bond at
           least one base unit, a period at most 30 days
    """
    assert token.address != empty(address), "slashing_court: no token"
    assert staking.address != empty(address), "slashing_court: no staking"
    assert registry.address != empty(address), "slashing_court: no registry"
    assert jobs.address != empty(address), "slashing_court: no jobs"
    assert distributor.address != empty(address), "slashing_court: no distributor"
    assert verifier.address != empty(address), "slashing_court: no verifier"
    assert committee.address != empty(address), "slashing_court: no committee"
    assert policy.max_penalty_bps <= BPS, "slashing_court: largest penalty out of bounds"
    for bps: uint256 in [
        policy.false_attestation_bps,
        policy.missed_challenge_bps,
        policy.downtime_bps,
        policy.fraud_bps,
    ]:
        assert (bps != 0 and bps <= policy.max_penalty_bps), "slashing_court: penalty out of bounds"
    assert (
        policy.daily_cap_bps != 0 and policy.daily_cap_bps <= BPS
    ), "slashing_court: daily cap out of bounds"
    assert (
        policy.correlation_multiplier <= MAX_MULTIPLIER
    ), "slashing_court: correlation out of bounds"
    assert policy.reporter_bps <= BPS, "slashing_court: reporter share out of bounds"
    assert (
        policy.jail_seconds != 0 and policy.jail_seconds <= MAX_JAIL
    ), "slashing_court: jail out of bounds"
    for bond: uint256 in [policy.accusation_bond, policy.appeal_bond]:
        assert bond != 0 and bond <= MAX_BOND, "slashing_court: bond out of bounds"
    longest: uint256 = 0
    for period: uint256 in [
        policy.answer_period,
        policy.verdict_period,
        policy.appeal_period,
        policy.arbiter_period,
    ]:
        assert period != 0 and period <= MAX_PERIOD, "slashing_court: period out of bounds"
        longest += period
    role_delay: uint256 = staticcall Roles(staking.address).ROLE_CHANGE_DELAY()
    assert role_delay >= longest, "slashing_court: case outlives the role delay"
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_delay)
    TOKEN = token
    STAKING = staking
    PROVIDERS = IProviderRegistry(staticcall staking.PROVIDERS())
    REGISTRY = registry
    JOBS = jobs
    DISTRIBUTOR = distributor
    VERIFIER = verifier
    COMMITTEE = committee
    POLICY = policy


# --- anyone: proofs -----------------------------------------------------------------------


@external
def convict_attestation(proof: ISlashingCourt.AttestationProof, job: uint64) -> bytes32:
    """
    @notice Convict a provider of a false attestation and execute the sentence. The caller is
            the reporter and gets its share.
    @param proof the commit, the provider's signature and one entry that is false
    @param job accepted or running job of that provider whose customer is paid first; 0 for
           none
    @return case_id EIP-712 digest of the commit
    """
    case_id: bytes32 = self._unconvicted(proof.commit, proof.signature)
    self._check_false(proof)
    self._convict(case_id, FALSE_ATTESTATION, proof.commit, msg.sender, job)
    return case_id


@internal
@view
def _unconvicted(commit: IDeviceRegistry.Commit, signature: Bytes[SIGNATURE_BYTES]) -> bytes32:
    """
    @return case_id digest of a commit that its provider signed and was not convicted of
    """
    case_id: bytes32 = staticcall REGISTRY.commit_digest(commit)
    assert self.words[case_id] == 0, "slashing_court: commit convicted before"
    self._check_signer(commit.provider, case_id, signature)
    return case_id


@internal
@view
def _check_signer(provider: uint24, digest: bytes32, signature: Bytes[SIGNATURE_BYTES]):
    assert len(signature) == SIGNATURE_BYTES, "slashing_court: signature is not 65 bytes"
    assert signed_commits._is_signed(
        PROVIDERS, provider, digest, signature
    ), "slashing_court: not signed by the provider"


@internal
@view
def _check_false(proof: ISlashingCourt.AttestationProof):
    """
    @notice The entry belongs to the commit and is not the product of its row and column.
    """
    commit: IDeviceRegistry.Commit = proof.commit
    assert len(proof.roots) == convert(
        commit.rounds, uint256
    ), "slashing_court: not one root per round"
    assert proof.round_index < len(proof.roots), "slashing_court: no such round"
    seed_r: bytes32 = empty(bytes32)
    final_seed: bytes32 = empty(bytes32)
    seed_r, final_seed = signed_commits._chain_seeds(commit.seed, proof.roots, proof.round_index)
    assert final_seed == commit.final_seed, "slashing_court: roots of another commit"
    assert not staticcall VERIFIER.is_correct(
        IMatmulVerifier.Opening(
            seed_r=seed_r,
            seed_0=commit.seed,
            m=convert(commit.m, uint256),
            n=convert(commit.n, uint256),
            k=convert(commit.k, uint256),
            i=proof.i,
            j=proof.j,
            leaf=proof.leaf,
            path=proof.path,
            root=proof.roots[proof.round_index],
        )
    ), "slashing_court: entry is correct"


@internal
def _convict(
    case_id: bytes32, kind: uint8, commit: IDeviceRegistry.Commit, reporter: address, job: uint64
):
    """
    @notice Carry out the sentence for what a provider signed, and record the case.
    @dev A provider can sign a commit that names any device, also somebody else's, and pay for
         it: only its own is struck.
    """
    provider: uint24 = commit.provider
    extcall REGISTRY.revoke(commit.device, provider)
    harm: IJobRegistry.Harm = empty(IJobRegistry.Harm)
    if job != 0:
        harm = extcall JOBS.fail_job(job, provider)
    slashable: uint256 = staticcall STAKING.slashable(provider)
    slashed: uint256 = self._punish(
        Sentence(
            case_id=case_id,
            kind=kind,
            provider=provider,
            reporter=reporter,
            job=job,
            victim=harm.customer,
            refunded=harm.refunded,
            owed=harm.compensation,
            snapshot=slashable,
            penalty=self._penalty(kind, slashable),
        ),
        slashable,
    )
    self.words[case_id] = case_word._pack(
        ISlashingCourt.Case(
            kind=kind,
            provider=provider,
            convicted_at=convert(block.timestamp, uint64),
            slashed=slashed,
        )
    )


@internal
@view
def _penalty(kind: uint8, snapshot: uint256) -> uint256:
    """
    @notice What a fault costs now, in base units: its share of the snapshot, more while
            others are convicted too.
    """
    bps: uint256 = penalties._correlated(
        self._share_of(kind),
        POLICY.correlation_multiplier,
        POLICY.max_penalty_bps,
        staticcall TOKEN.balanceOf(STAKING.address),
    )
    return penalties._share(snapshot, bps)


@internal
@view
def _share_of(kind: uint8) -> uint256:
    """
    @return bps that a fault of this kind costs by itself
    """
    if kind == MISSED_CHALLENGE:
        return POLICY.missed_challenge_bps
    if kind == DOWNTIME:
        return POLICY.downtime_bps
    if kind == FRAUD:
        return POLICY.fraud_bps
    return POLICY.false_attestation_bps


@internal
def _punish(sentence: Sentence, slashable: uint256) -> uint256:
    """
    @notice Take the penalty, pay with it, and jail.
    @param slashable base units behind the provider now
    @return slashed base units of stake taken
    """
    provider: uint24 = sentence.provider
    amount: uint256 = penalties._impose(
        provider,
        max(sentence.snapshot, slashable),
        POLICY.daily_cap_bps,
        sentence.penalty,
        sentence.owed,
    )
    slashed: uint256 = min(amount, slashable)
    from_stake: uint256 = min(sentence.owed, slashed)
    signed_bps: uint256 = staticcall PROVIDERS.max_reporter_bps(provider)
    reporter_amount: uint256 = (
        (slashed - from_stake) * min(POLICY.reporter_bps, signed_bps) // BPS
    )
    assert (
        extcall STAKING.slash(
            provider,
            IProviderStaking.SlashOrder(
                amount=slashed,
                victim=sentence.victim,
                victim_amount=from_stake,
                reporter=sentence.reporter,
                reporter_amount=reporter_amount,
            ),
        )
        == slashed
    ), "slashing_court: slashed less than ordered"
    until: uint64 = convert(block.timestamp + POLICY.jail_seconds, uint64)
    extcall STAKING.jail(provider, FOR_EVER if sentence.kind == EQUIVOCATION else until)

    # who signed a lie has earned nothing that is not its own yet; who failed pays its debts
    proved: bool = sentence.kind <= EQUIVOCATION or sentence.kind == WITHHELD_OPENING
    missing: uint256 = sentence.owed - from_stake
    seized: uint256 = extcall DISTRIBUTOR.seize_vesting(
        provider,
        max_value(uint256) if proved else amount - slashed,
        sentence.victim,
        missing,
    )
    victim_amount: uint256 = from_stake + min(missing, seized)
    log ISlashingCourt.Convicted(
        case_id=sentence.case_id,
        provider=provider,
        reporter=sentence.reporter,
        kind=sentence.kind,
        job=sentence.job,
        slashed=slashed,
        vesting_seized=seized,
        victim=sentence.victim,
        victim_amount=victim_amount,
        reporter_amount=reporter_amount,
        burnt=slashed + seized - victim_amount - reporter_amount,
        refunded=sentence.refunded,
    )
    return slashed


@external
def convict_equivocation(
    commit_a: IDeviceRegistry.Commit,
    signature_a: Bytes[SIGNATURE_BYTES],
    commit_b: IDeviceRegistry.Commit,
    signature_b: Bytes[SIGNATURE_BYTES],
    job: uint64,
) -> bytes32:
    """
    @notice Convict a provider that signed two different ends of one chain, and execute the
            sentence: that of a false attestation, and jail for ever. The caller is the
            reporter and gets its share.
    @dev Everything but the final seed is equal, and determines the final seed. A seed has one
         case, whichever of its commits are shown.
    @param commit_a one word of the provider
    @param signature_a an operator signature over it (r, s, v)
    @param commit_b the same with another final seed
    @param signature_b an operator signature over it, by the same key or another one
    @param job accepted or running job of that provider whose customer is paid first; 0 for
           none
    @return case_id hash of kind, provider, device, epoch and seed
    """
    assert commit_a.final_seed != commit_b.final_seed, "slashing_court: commits agree"
    twin: IDeviceRegistry.Commit = commit_b
    twin.final_seed = commit_a.final_seed
    digest: bytes32 = staticcall REGISTRY.commit_digest(commit_a)
    assert (
        staticcall REGISTRY.commit_digest(twin) == digest
    ), "slashing_court: commits of different chains"
    case_id: bytes32 = keccak256(
        abi_encode(EQUIVOCATION, commit_a.provider, commit_a.device, commit_a.epoch, commit_a.seed)
    )
    assert self.words[case_id] == 0, "slashing_court: seed convicted before"
    self._check_signer(commit_a.provider, digest, signature_a)
    self._check_signer(commit_b.provider, staticcall REGISTRY.commit_digest(commit_b), signature_b)
    self._convict(case_id, EQUIVOCATION, commit_a, msg.sender, job)
    return case_id


@external
def compensate(case_id: bytes32, job: uint64) -> uint256:
    """
    @notice Customer: end a job whose provider was convicted by proof after accepting it, with
            a refund of the unspent deposit and the compensation of its service level.
    @dev A debt, no penalty: it is paid whatever the day's penalties took.
    @param case_id conviction of the job's provider
    @param job the caller's, accepted no later than the conviction and not over
    @return paid base units of the staked token; fewer than promised where less is left
    """
    word: uint256 = self.words[case_id]
    assert word != 0, "slashing_court: no such case"
    case: ISlashingCourt.Case = case_word._unpack(word)
    details: IJobRegistry.Job = staticcall JOBS.job_info(job)
    assert details.customer == msg.sender, "slashing_court: caller is not the customer"
    assert details.accepted_at <= case.convicted_at, "slashing_court: job accepted later"
    harm: IJobRegistry.Harm = extcall JOBS.fail_job(job, case.provider)
    slashed: uint256 = extcall STAKING.slash(
        case.provider,
        IProviderStaking.SlashOrder(
            amount=harm.compensation,
            victim=harm.customer,
            victim_amount=harm.compensation,
            reporter=empty(address),
            reporter_amount=0,
        ),
    )
    case.slashed += slashed
    self.words[case_id] = case_word._pack(case)
    missing: uint256 = harm.compensation - slashed
    paid: uint256 = slashed
    if missing != 0:
        paid += extcall DISTRIBUTOR.seize_vesting(case.provider, missing, harm.customer, missing)
    log ISlashingCourt.Compensated(
        case_id=case_id,
        job=job,
        customer=harm.customer,
        victim_amount=paid,
        refunded=harm.refunded,
    )
    return paid


# --- anyone: accusations ------------------------------------------------------------------


@external
def accuse(provider: uint24, kind: uint8, job: uint64, evidence_hash: bytes32) -> bytes32:
    """
    @notice Accuse a provider of what no proof shows. Pulls `accusation_bond` from the caller:
            it comes back with a verdict of guilty or without any, and is burnt with one of
            not guilty. Until the case is closed the provider's stake can't leave below what
            the fault costs, an exit included.
    @dev Opens nothing once a change of this court's role is announced: a case that its court
         can't close any more would hold stake for ever.
    @param provider who is accused
    @param kind MISSED_CHALLENGE, DOWNTIME or FRAUD
    @param job accepted or running job of that provider, or of a cluster that it is in, whose
           customer was harmed; 0 for none
    @param evidence_hash hash of what the accuser shows to the committee
    @return case_id hash of the caller and all arguments: the same can be claimed once
    """
    assert kind >= MISSED_CHALLENGE and kind <= FRAUD, "slashing_court: not a kind of accusation"
    assert staticcall PROVIDERS.owner_of(provider) != empty(
        address
    ), "slashing_court: unknown provider"
    if job != 0:
        assert staticcall JOBS.works_on(job, provider), "slashing_court: job of another provider"
        details: IJobRegistry.Job = staticcall JOBS.job_info(job)
        assert self._is_live(details), "slashing_court: job is not live"
    assert (
        staticcall Roles(STAKING.address).pending_role(SLASHER)
    ).ready_at == 0, "slashing_court: court is being replaced"
    case_id: bytes32 = keccak256(abi_encode(msg.sender, provider, kind, job, evidence_hash))
    assert self.parties[case_id] == 0, "slashing_court: accused before"

    case: ISlashingCourt.Accusation = empty(ISlashingCourt.Accusation)
    case.accuser = msg.sender
    case.job = job
    case.provider = provider
    case.kind = kind
    case.snapshot = staticcall STAKING.slashable(provider)
    case.opened_at = convert(block.timestamp, uint64)
    case.deadline = self._after(POLICY.answer_period)
    case.stage = accusation_words.OPEN
    self.parties[case_id] = accusation_words._who(case)
    self.stages[case_id] = accusation_words._stage(case)
    held: uint256 = self._held(case)
    extcall STAKING.hold(provider, held)
    self._pull(POLICY.accusation_bond)
    log ISlashingCourt.Accused(
        case_id=case_id,
        provider=provider,
        accuser=msg.sender,
        kind=kind,
        job=job,
        evidence_hash=evidence_hash,
        snapshot=case.snapshot,
        held=held,
        answer_until=case.deadline,
    )
    return case_id


@internal
@pure
def _is_live(job: IJobRegistry.Job) -> bool:
    """
    @notice Whether a job can be ended by the court.
    """
    status: uint256 = convert(job.status, uint256)
    return status == job_word.STATUS_ACCEPTED or status == job_word.STATUS_RUNNING


@internal
@view
def _after(period: uint256) -> uint64:
    return convert(block.timestamp + period, uint64)


@internal
@view
def _held(case: ISlashingCourt.Accusation) -> uint256:
    """
    @notice Base units that an open case keeps from leaving: what the fault costs by itself,
            were it escaped.
    """
    return penalties._share(penalties._share(case.snapshot, self._share_of(case.kind)), EXIT_BPS)


@internal
def _pull(bond: uint256):
    assert extcall TOKEN.transferFrom(
        msg.sender, self, bond, default_return_value=True
    ), "slashing_court: token refused the bond"


@external
def rule(case_id: bytes32, guilty: bool, loss: uint96, signatures: Bytes[MAX_SIGNATURES]):
    """
    @notice Enter the committee's verdict: once the provider has answered or its time to do so
            is over, and until `verdict_period` after that time. It is final unless whoever
            lost appeals within `appeal_period`.
    @dev The case id binds accuser, provider, kind, job and evidence, so a verdict signed for
         one case convicts nobody in another, also after a reorganisation of the chain.
    @param case_id the accusation
    @param guilty whether the provider did it
    @param loss base units of the staked token that the job's customer lost beyond what its
           service level promises; counts only with a verdict of guilty
    @param signatures threshold many over `verdict_hash`, see `IOracleCommittee.verify`
    """
    case: ISlashingCourt.Accusation = self._unruled(case_id)
    deadline: uint256 = convert(case.deadline, uint256)
    assert (
        case.answered or block.timestamp >= deadline
    ), "slashing_court: provider may still answer"
    assert (
        block.timestamp < deadline + POLICY.verdict_period
    ), "slashing_court: verdict period is over"
    signers: uint256 = staticcall COMMITTEE.verify(
        case_id, VERDICT_ROUND, self._verdict_hash(case_id, guilty, loss), signatures
    )
    case.stage = accusation_words.RULED
    case.deadline = self._after(POLICY.appeal_period)
    case.guilty = guilty
    case.loss = loss
    self.stages[case_id] = accusation_words._stage(case)
    self.verdicts[case_id] = accusation_words._verdict(case)
    log ISlashingCourt.Ruled(
        case_id=case_id, guilty=guilty, loss=loss, signers=signers, appeal_until=case.deadline
    )


@internal
@view
def _unruled(case_id: bytes32) -> ISlashingCourt.Accusation:
    """
    @return case an accusation that waits for its verdict
    """
    case: ISlashingCourt.Accusation = self._accusation(case_id)
    assert case.stage == accusation_words.OPEN, "slashing_court: case waits for no verdict"
    return case


@internal
@view
def _accusation(case_id: bytes32) -> ISlashingCourt.Accusation:
    return accusation_words._unpack(
        self.parties[case_id], self.stages[case_id], self.verdicts[case_id]
    )


@internal
@pure
def _verdict_hash(case_id: bytes32, guilty: bool, loss: uint96) -> bytes32:
    return keccak256(abi_encode(VERDICT_TYPEHASH, case_id, guilty, loss))


@external
def draw(case_id: bytes32):
    """
    @notice Close a case on which the committee was silent: the accuser's bond goes back, the
            provider's stake is let go.
    @param case_id the accusation
    """
    case: ISlashingCourt.Accusation = self._unruled(case_id)
    assert (
        block.timestamp >= convert(case.deadline, uint256) + POLICY.verdict_period
    ), "slashing_court: committee may still rule"
    self._close(case_id, case)
    self._push(case.accuser, POLICY.accusation_bond)
    log ISlashingCourt.Drawn(case_id=case_id, provider=case.provider)


@internal
def _close(case_id: bytes32, case: ISlashingCourt.Accusation):
    closed: ISlashingCourt.Accusation = case
    closed.stage = accusation_words.CLOSED
    self.stages[case_id] = accusation_words._stage(closed)
    extcall STAKING.drop(case.provider, self._held(case))


@internal
def _push(receiver: address, bond: uint256):
    assert extcall TOKEN.transfer(
        receiver, bond, default_return_value=True
    ), "slashing_court: token refused to return a bond"


@external
def execute(case_id: bytes32):
    """
    @notice Carry out a verdict that can't be changed any more: nobody appealed in time, or
            the arbiter has decided, or was silent, which lets the verdict stand and returns
            the appeal bond.

            Guilty: the accuser's bond goes back; the job is ended with a refund if it still
            runs; the penalty pays the customer up to its loss and compensation, the accuser
            its share, and the rest is burnt; jail. Not guilty: the accuser's bond is burnt.
    @dev A job that has ended meanwhile was settled by its own rules, compensation included;
         what the verdict says was lost is still owed.
    @param case_id the accusation
    """
    case: ISlashingCourt.Accusation = self._accusation(case_id)
    assert (
        case.stage >= accusation_words.RULED and case.stage <= accusation_words.DECIDED
    ), "slashing_court: no verdict to execute"
    assert (
        block.timestamp >= convert(case.deadline, uint256)
    ), "slashing_court: verdict is not final"
    exited: bool = self._exited(case)
    self._close(case_id, case)
    if case.stage == accusation_words.APPEALED:
        self._push(case.appellant, POLICY.appeal_bond)
    if not case.guilty:
        self._burn(POLICY.accusation_bond)
        log ISlashingCourt.Acquitted(
            case_id=case_id, provider=case.provider, burnt=POLICY.accusation_bond
        )
        return
    self._push(case.accuser, POLICY.accusation_bond)

    harm: IJobRegistry.Harm = empty(IJobRegistry.Harm)
    owed: uint256 = 0
    if case.job != 0:
        details: IJobRegistry.Job = staticcall JOBS.job_info(case.job)
        harm.customer = details.customer
        if self._is_live(details):
            harm = extcall JOBS.fail_job(case.job, case.provider)
        owed = convert(case.loss, uint256) + harm.compensation
    penalty: uint256 = self._penalty(case.kind, case.snapshot)
    if exited:
        penalty = penalties._share(penalty, EXIT_BPS)
    self._punish(
        Sentence(
            case_id=case_id,
            kind=case.kind,
            provider=case.provider,
            reporter=case.accuser,
            job=case.job,
            victim=harm.customer,
            refunded=harm.refunded,
            owed=min(owed, penalty),
            snapshot=case.snapshot,
            penalty=penalty,
        ),
        staticcall STAKING.slashable(case.provider),
    )


@internal
@view
def _exited(case: ISlashingCourt.Accusation) -> bool:
    """
    @notice Whether the provider began to take self-bond out of an unanswered accusation.
    """
    if case.answered:
        return case.exited
    return (staticcall STAKING.held_by_cases(case.provider))[1] >= convert(case.opened_at, uint256)


@internal
def _burn(bond: uint256):
    extcall IWorkToken(TOKEN.address).burn(bond)


# --- leaf requests ------------------------------------------------------------------------


@external
def convict_withheld(
    commit: IDeviceRegistry.Commit,
    signature: Bytes[SIGNATURE_BYTES],
    reporter: address,
    job: uint64,
) -> bytes32:
    """
    @notice REQUESTS: convict a provider of a leaf of its commit that was asked for and that
            nobody showed, and execute the sentence: that of a false attestation, or
            withholding would be the cheaper lie.
    @dev The role is believed that nobody showed the leaf, and nothing else: without a commit
         that the provider signed it convicts nobody.
    @param commit the provider's word
    @param signature an operator signature over it (r, s, v)
    @param reporter who gets the reporter's share
    @param job accepted or running job of that provider whose customer is paid first; 0 for
           none
    @return case_id EIP-712 digest of the commit: it is convicted once, whatever the kind
    """
    delayed_roles._check_role(REQUESTS)
    case_id: bytes32 = self._unconvicted(commit, signature)
    self._convict(case_id, WITHHELD_OPENING, commit, reporter, job)
    return case_id


# --- parties of a case --------------------------------------------------------------------


@external
def answer(case_id: bytes32, answer_hash: bytes32):
    """
    @notice Provider's owner or operator key: answer an accusation, once, within
            `answer_period`. The committee may rule from then on.
    @param case_id the accusation
    @param answer_hash hash of what the provider shows to the committee
    """
    case: ISlashingCourt.Accusation = self._unruled(case_id)
    self._check_provider(case.provider)
    assert not case.answered, "slashing_court: answered before"
    assert (
        block.timestamp < convert(case.deadline, uint256)
    ), "slashing_court: answer period is over"
    case.exited = self._exited(case)
    case.answered = True
    self.stages[case_id] = accusation_words._stage(case)
    log ISlashingCourt.Answered(case_id=case_id, answer_hash=answer_hash, exited=case.exited)


@internal
@view
def _check_provider(provider: uint24):
    assert staticcall PROVIDERS.speaks_for(
        provider, msg.sender
    ), "slashing_court: caller is not the provider"


@external
def appeal(case_id: bytes32):
    """
    @notice Whoever lost, the provider's owner or operator key or else the accuser: call the
            arbiter within `appeal_period`. Pulls `appeal_bond` from the caller: it comes back
            if the arbiter reverses the verdict or is silent, and is burnt otherwise.
    @param case_id the accusation
    """
    case: ISlashingCourt.Accusation = self._accusation(case_id)
    assert case.stage == accusation_words.RULED, "slashing_court: no verdict to appeal"
    assert (
        block.timestamp < convert(case.deadline, uint256)
    ), "slashing_court: appeal period is over"
    if case.guilty:
        self._check_provider(case.provider)
    else:
        assert msg.sender == case.accuser, "slashing_court: caller is not the accuser"
    case.stage = accusation_words.APPEALED
    case.deadline = self._after(POLICY.arbiter_period)
    case.appellant = msg.sender
    self.stages[case_id] = accusation_words._stage(case)
    self.verdicts[case_id] = accusation_words._verdict(case)
    self._pull(POLICY.appeal_bond)
    log ISlashingCourt.Appealed(case_id=case_id, appellant=msg.sender, decide_until=case.deadline)


# --- arbiter ------------------------------------------------------------------------------


@external
def decide(case_id: bytes32, guilty: bool, loss: uint96):
    """
    @notice ARBITER: decide an appeal within `arbiter_period`; what it says is final. The
            appeal bond goes back if the verdict is reversed, and is burnt if it is not.
    @param case_id the accusation
    @param guilty whether the provider did it
    @param loss base units of the staked token, as in `rule`; also where the verdict's was
           right about the guilt and wrong about the loss
    """
    delayed_roles._check_role(ARBITER)
    case: ISlashingCourt.Accusation = self._accusation(case_id)
    assert case.stage == accusation_words.APPEALED, "slashing_court: no appeal to decide"
    assert (
        block.timestamp < convert(case.deadline, uint256)
    ), "slashing_court: arbiter period is over"
    reversed: bool = guilty != case.guilty
    case.stage = accusation_words.DECIDED
    case.deadline = 0
    case.guilty = guilty
    case.loss = loss
    self.stages[case_id] = accusation_words._stage(case)
    self.verdicts[case_id] = accusation_words._verdict(case)
    if reversed:
        self._push(case.appellant, POLICY.appeal_bond)
    else:
        self._burn(POLICY.appeal_bond)
    log ISlashingCourt.Decided(case_id=case_id, guilty=guilty, loss=loss)


# --- views --------------------------------------------------------------------------------


@external
@view
def cases(case_id: bytes32) -> ISlashingCourt.Case:
    """
    @notice A conviction by proof; all zero where there is none.
    @param case_id EIP-712 digest of the commit that is false or was withheld, or of an
           equivocation the hash that `convict_equivocation` returns
    """
    return case_word._unpack(self.words[case_id])


@external
@view
def accusations(case_id: bytes32) -> ISlashingCourt.Accusation:
    """
    @notice An accusation; all zero where there is none.
    @param case_id what `accuse` returned
    """
    return self._accusation(case_id)


@external
@view
def verdict_hash(case_id: bytes32, guilty: bool, loss: uint96) -> bytes32:
    """
    @notice Payload of the committee's report on a case: EIP-712 struct hash of
            `Verdict(bytes32 caseId,bool guilty,uint96 loss)`. The report's subject is the case
            id, its round 0.
    @param case_id the accusation
    @param guilty whether the provider did it
    @param loss base units of the staked token that the job's customer lost
    """
    return self._verdict_hash(case_id, guilty, loss)
