# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Slashing court
@license Apache-2.0
@author Clearwork
@notice Convicts providers by proof and spends their slashed stake: the harmed customer first,
        up to what its service level promised; then the reporter, by the court's policy but
        never more than the provider signed; the rest is burnt. Nothing goes to the owner.

        A false attestation is proved from the provider's own word alone. The signed commit
        binds dimensions, seed and, through the final seed, the root of every round; one
        entry of one round that is not the product of its row and column convicts. A commit
        convicts once.
@dev Order of a conviction: check everything, record the case, strike the device, end the
     named job (refund from its escrow), slash once for victim, reporter and fire, jail, burn
     what the provider has not vested. Amounts: the penalty is the larger of a share of all
     slashable stake (rounded up) and the victim's compensation, and at most what is
     slashable; the reporter's share is rounded down, the dust burnt.

     The reporter chooses the job, or none. Customers of other jobs that the provider had
     accepted before lose nothing by it: each may end its job with a refund and compensation.

     Trust: nobody. There is no owner and no parameter can change. It acts through roles that
     others granted it: SLASHER of the staking contract, COURT of registry, escrow and
     distributor.
@custom:security security@clearwork.example
@custom:kill The owner of those contracts takes the roles away, after the role delay of each.
             The court itself holds no money and can't be stopped.
"""

from .interfaces import IDeviceRegistry
from .interfaces import IJobEscrow
from .interfaces import IMatmulVerifier
from .interfaces import IProviderRegistry
from .interfaces import IProviderStaking
from .interfaces import IRewardDistributor
from .interfaces import ISlashingCourt
from .modules import case_word
from .modules import signatures

implements: ISlashingCourt

# kind of case: a signed commit holds a false entry
FALSE_ATTESTATION: public(constant(uint8)) = 1

BPS: constant(uint256) = 10_000
MAX_JAIL: constant(uint256) = 365 * 86_400
SIGNATURE_BYTES: constant(uint256) = 65

# holds what is slashed
STAKING: public(immutable(IProviderStaking))
# knows every key that ever spoke for a provider, and what its reporters may get
PROVIDERS: public(immutable(IProviderRegistry))
# defines what a provider signs, and lists the devices
REGISTRY: public(immutable(IDeviceRegistry))
# holds the deposits of harmed customers
ESCROW: public(immutable(IJobEscrow))
# holds unvested rewards, which are collateral too
DISTRIBUTOR: public(immutable(IRewardDistributor))
# recomputes matrix entries
VERIFIER: public(immutable(IMatmulVerifier))
# bps of all slashable stake that a false attestation costs at least
FALSE_ATTESTATION_BPS: public(immutable(uint256))
# bps of what is left after the victim that the reporter is offered
REPORTER_BPS: public(immutable(uint256))
# seconds in jail
JAIL_SECONDS: public(immutable(uint256))

# case id => packed conviction (modules/case_word.vy), 0 for none
words: HashMap[bytes32, uint256]


@deploy
def __init__(
    staking: IProviderStaking,
    registry: IDeviceRegistry,
    escrow: IJobEscrow,
    distributor: IRewardDistributor,
    verifier: IMatmulVerifier,
    false_attestation_bps: uint256,
    reporter_bps: uint256,
    jail_seconds: uint256,
):
    """
    @param staking holds the stake
    @param registry lists the devices
    @param escrow holds the customers' deposits
    @param distributor holds unvested rewards
    @param verifier recomputes matrix entries
    @param false_attestation_bps bps of all slashable stake that a false attestation costs at
           least, 1 to 10_000
    @param reporter_bps bps of what is left after the victim that a reporter is offered, up to
           10_000
    @param jail_seconds seconds in jail, 1 to 365 days
    """
    assert staking.address != empty(address), "slashing_court: no staking"
    assert registry.address != empty(address), "slashing_court: no registry"
    assert escrow.address != empty(address), "slashing_court: no escrow"
    assert distributor.address != empty(address), "slashing_court: no distributor"
    assert verifier.address != empty(address), "slashing_court: no verifier"
    assert (
        false_attestation_bps != 0 and false_attestation_bps <= BPS
    ), "slashing_court: slash out of bounds"
    assert reporter_bps <= BPS, "slashing_court: reporter share out of bounds"
    assert (jail_seconds != 0 and jail_seconds <= MAX_JAIL), "slashing_court: jail out of bounds"
    STAKING = staking
    PROVIDERS = IProviderRegistry(staticcall staking.PROVIDERS())
    REGISTRY = registry
    ESCROW = escrow
    DISTRIBUTOR = distributor
    VERIFIER = verifier
    FALSE_ATTESTATION_BPS = false_attestation_bps
    REPORTER_BPS = reporter_bps
    JAIL_SECONDS = jail_seconds


# --- anyone -------------------------------------------------------------------------------


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
    case_id: bytes32 = staticcall REGISTRY.commit_digest(proof.commit)
    assert self.words[case_id] == 0, "slashing_court: commit convicted before"
    self._check_signer(proof.commit.provider, case_id, proof.signature)
    self._check_false(proof)
    self._execute(case_id, FALSE_ATTESTATION, proof.commit.provider, proof.commit.device, job)
    return case_id


@internal
@view
def _check_signer(provider: uint24, digest: bytes32, signature: Bytes[SIGNATURE_BYTES]):
    """
    @notice Any key the provider ever named as its operator speaks for it, so that dropping a
            key takes nothing back.
    """
    assert len(signature) == SIGNATURE_BYTES, "slashing_court: signature is not 65 bytes"
    signer: address = signatures._recover(digest, signature)
    assert (
        provider != 0 and staticcall PROVIDERS.provider_of_operator(signer) == provider
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
    seed: bytes32 = commit.seed
    seed_r: bytes32 = empty(bytes32)
    round_index: uint256 = 0
    for root: bytes32 in proof.roots:
        if round_index == proof.round_index:
            seed_r = seed
        seed = keccak256(concat(seed, root))
        round_index += 1
    assert seed == commit.final_seed, "slashing_court: roots of another commit"
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
def _execute(case_id: bytes32, kind: uint8, provider: uint24, device: bytes32, job: uint64):
    """
    @notice Carry out a sentence and record the case.
    @dev A provider can sign a commit that names any device, also somebody else's, and pay for
         it: only its own is struck.
    """
    if (staticcall REGISTRY.device_info(device)).provider == provider:
        extcall REGISTRY.revoke(device)
    harm: IJobEscrow.Harm = empty(IJobEscrow.Harm)
    if job != 0:
        harm = extcall ESCROW.fail_job(job, provider)
    order: IProviderStaking.SlashOrder = self._order(provider, harm)
    self.words[case_id] = case_word._pack(
        ISlashingCourt.Case(
            kind=kind,
            provider=provider,
            convicted_at=convert(block.timestamp, uint64),
            slashed=order.amount,
        )
    )
    assert (
        extcall STAKING.slash(provider, order) == order.amount
    ), "slashing_court: slashed less than ordered"
    extcall STAKING.jail(provider, convert(block.timestamp + JAIL_SECONDS, uint64))
    vesting_burnt: uint256 = extcall DISTRIBUTOR.seize_vesting(provider)
    log ISlashingCourt.Convicted(
        case_id=case_id,
        provider=provider,
        reporter=msg.sender,
        kind=kind,
        job=job,
        slashed=order.amount,
        victim=harm.customer,
        victim_amount=order.victim_amount,
        reporter_amount=order.reporter_amount,
        burnt=order.amount - order.victim_amount - order.reporter_amount,
        refunded=harm.refunded,
        vesting_burnt=vesting_burnt,
    )


@internal
@view
def _order(provider: uint24, harm: IJobEscrow.Harm) -> IProviderStaking.SlashOrder:
    """
    @notice How much of the stake is taken, and who gets it.
    """
    slashable: uint256 = staticcall STAKING.slashable(provider)
    share: uint256 = (slashable * FALSE_ATTESTATION_BPS + BPS - 1) // BPS
    penalty: uint256 = min(max(share, harm.compensation), slashable)
    victim_amount: uint256 = min(harm.compensation, penalty)
    signed_bps: uint256 = staticcall PROVIDERS.max_reporter_bps(provider)
    return IProviderStaking.SlashOrder(
        amount=penalty,
        victim=harm.customer,
        victim_amount=victim_amount,
        reporter=msg.sender,
        reporter_amount=(penalty - victim_amount) * min(REPORTER_BPS, signed_bps) // BPS,
    )


@external
def compensate(case_id: bytes32, job: uint64) -> uint256:
    """
    @notice Customer: end a job whose provider was convicted after accepting it, with a refund
            of the unspent deposit and the compensation of its service level.
    @param case_id conviction of the job's provider
    @param job the caller's, accepted no later than the conviction and not over
    @return paid base units of the staked token; fewer than promised where less is left
    """
    word: uint256 = self.words[case_id]
    assert word != 0, "slashing_court: no such case"
    case: ISlashingCourt.Case = case_word._unpack(word)
    details: IJobEscrow.Job = staticcall ESCROW.job_info(job)
    assert details.customer == msg.sender, "slashing_court: caller is not the customer"
    assert details.accepted_at <= case.convicted_at, "slashing_court: job accepted later"
    harm: IJobEscrow.Harm = extcall ESCROW.fail_job(job, case.provider)
    paid: uint256 = extcall STAKING.slash(
        case.provider,
        IProviderStaking.SlashOrder(
            amount=harm.compensation,
            victim=harm.customer,
            victim_amount=harm.compensation,
            reporter=empty(address),
            reporter_amount=0,
        ),
    )
    case.slashed += paid
    self.words[case_id] = case_word._pack(case)
    log ISlashingCourt.Compensated(
        case_id=case_id,
        job=job,
        customer=harm.customer,
        victim_amount=paid,
        refunded=harm.refunded,
    )
    return paid


# --- views --------------------------------------------------------------------------------


@external
@view
def cases(case_id: bytes32) -> ISlashingCourt.Case:
    """
    @notice A conviction; all zero where there is none.
    @param case_id EIP-712 digest of the commit that was convicted
    """
    return case_word._unpack(self.words[case_id])
