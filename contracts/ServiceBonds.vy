# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Service bonds
@license Apache-2.0
@author Clearwork
@notice What providers stand for behind their jobs: attested devices, counted so that none is
        promised twice, and self-bond, locked so that a customer who is let down is paid. A
        service level says how much; it never changes once added.

        A victim is paid at once, first in line, out of the collateral its own job locked. Where
        slashes have left less self-bond than all running jobs have locked, every job's
        collateral shrinks in the same proportion, so no victim is better off for being first;
        what is missing is recorded as a debt that keeps the provider from new jobs until it
        is paid.
@dev Holds no tokens: the staking contract does, and pays. The job registry alone binds and frees (role
     JOBS); it has decided who failed. Which member of a cluster failed is said by the committee
     before the job is closed; what nobody is blamed for costs nobody.
@custom:security security@clearwork.example
@custom:kill Empty JOBS: no job is accepted or ended any more. Better: pause the escrow's
             inflows, and let the jobs run out.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IClusterRegistry
from .interfaces import IDeviceRegistry
from .interfaces import IOracleCommittee
from .interfaces import IProviderStaking
from .interfaces import IServiceBonds
from .modules import delayed_roles
from .modules import payees

implements: IServiceBonds

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


# role that binds and frees what stands behind a job
JOBS: public(constant(bytes32)) = keccak256("JOBS")

BPS: constant(uint256) = 10_000
MAX_CAPACITY_GRACE: constant(uint32) = 30 * 86_400
# a committee has 31 members at most, a signature 65 bytes
MAX_SIGNATURES: constant(uint256) = 31 * 65
MAX_MEMBERS: constant(uint256) = 64

# holds the collateral
STAKING: public(immutable(IProviderStaking))
# what the collateral is made of
TOKEN: public(immutable(IERC20))
# attested devices per provider and class
REGISTRY: public(immutable(IDeviceRegistry))
# who belongs to a cluster
CLUSTERS: public(immutable(IClusterRegistry))
# who says which member of a cluster failed
COMMITTEE: public(immutable(IOracleCommittee))

# service levels ever added; the last one's number. Number 0 promises nothing
sla_count: public(uint16)
sla_terms: public(HashMap[uint16, IServiceBonds.Sla])

# provider => device class => GPUs promised to accepted jobs
committed_gpus: public(HashMap[uint24, HashMap[uint16, uint256]])
# provider => device class => chain time in seconds since which fewer devices are attested than
# promised, as far as anybody has noted it; 0 for enough
short_since: public(HashMap[uint24, HashMap[uint16, uint256]])

# provider => customer => base units of compensation that the stake did not cover
debt_to: public(HashMap[uint24, HashMap[address, uint256]])
# provider => base units that it owes to all customers together
debt_of: public(HashMap[uint24, uint256])
# job of a cluster => members that failed it, bit i for member i
blamed: public(HashMap[uint64, uint64])


@deploy
def __init__(
    staking: IProviderStaking,
    registry: IDeviceRegistry,
    clusters: IClusterRegistry,
    committee: IOracleCommittee,
    role_change_delay: uint256,
):
    """
    @param staking contract that holds the providers' self-bond
    @param registry contract that counts attested devices
    @param clusters contract that knows the members of clusters
    @param committee contract that checks the oracles' signatures
    @param role_change_delay seconds before a changed role applies
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    assert staking.address != empty(address), "service_bonds: no staking"
    assert registry.address != empty(address), "service_bonds: no registry"
    assert clusters.address != empty(address), "service_bonds: no clusters"
    assert committee.address != empty(address), "service_bonds: no committee"
    STAKING = staking
    TOKEN = IERC20(staticcall staking.TOKEN())
    REGISTRY = registry
    CLUSTERS = clusters
    COMMITTEE = committee


# --- JOBS ---------------------------------------------------------------------------------


@external
def pledge(obligation: IServiceBonds.Obligation) -> uint256:
    """
    @notice JOBS: bind what stands behind an accepted job. Every provider in it must not be
            jailed nor owe a customer, have that many live devices of the class free, hold the
            stake its devices need, and have the collateral in free self-bond.
    @param obligation who binds what
    @return collateral base units of the staked token locked, all members together
    """
    delayed_roles._check_role(JOBS)
    assert obligation.sla <= self.sla_count, "service_bonds: unknown sla"
    per_gpu: uint256 = self.sla_terms[obligation.sla].collateral_per_gpu
    if not payees._is_cluster(obligation.payee):
        return self._pledge(obligation.payee, obligation.device_class, obligation.gpus, per_gpu)
    members: DynArray[IClusterRegistry.Member, MAX_MEMBERS] = staticcall CLUSTERS.members_for(
        obligation.payee, obligation.device_class, per_gpu
    )
    collateral: uint256 = 0
    gpus: uint256 = 0
    for member: IClusterRegistry.Member in members:
        collateral += self._pledge(member.provider, obligation.device_class, member.gpus, per_gpu)
        gpus += convert(member.gpus, uint256)
    assert gpus == convert(obligation.gpus, uint256), "service_bonds: not the cluster's gpus"
    return collateral


@internal
def _pledge(provider: uint24, device_class: uint16, gpus: uint16, per_gpu: uint256) -> uint256:
    assert not staticcall STAKING.is_jailed(provider), "service_bonds: provider is jailed"
    assert self.debt_of[provider] == 0, "service_bonds: provider owes a customer"
    committed: uint256 = self.committed_gpus[provider][device_class] + convert(gpus, uint256)
    assert committed <= staticcall REGISTRY.capacity(
        provider, device_class
    ), "service_bonds: not enough devices"
    assert staticcall STAKING.slashable(provider) >= staticcall REGISTRY.required_stake(
        provider
    ), "service_bonds: not enough stake"
    self.committed_gpus[provider][device_class] = committed
    # they are enough, so an older shortage is over whether or not somebody has noted that: it
    # must not cost a new job its grace
    if self.short_since[provider][device_class] != 0:
        self._note_capacity(provider, device_class, 0)
    collateral: uint256 = per_gpu * convert(gpus, uint256)
    if collateral != 0:
        extcall STAKING.lock(provider, collateral)
    log IServiceBonds.Pledged(
        provider=provider, device_class=device_class, gpus=gpus, collateral=collateral
    )
    return collateral


@external
def release(obligation: IServiceBonds.Obligation, convicted: uint24) -> uint256:
    """
    @notice JOBS: free what stood behind a job that is over; nobody is paid here. Where the
            court ended the job, its slash reaches the collateral and pays the compensation.
    @param obligation what was pledged
    @param convicted provider that the court has convicted, 0 for none
    @return promised base units of compensation that the convicted provider had promised
    """
    delayed_roles._check_role(JOBS)
    sla: IServiceBonds.Sla = self.sla_terms[obligation.sla]
    promised: uint256 = 0
    members: DynArray[IClusterRegistry.Member, MAX_MEMBERS] = self._members(obligation)
    for member: IClusterRegistry.Member in members:
        collateral: uint256 = sla.collateral_per_gpu * convert(member.gpus, uint256)
        self._free(member, obligation.device_class, collateral, collateral)
        if member.provider == convicted:
            promised = self._promised(collateral, sla)
    return promised


@internal
@view
def _members(
    obligation: IServiceBonds.Obligation,
) -> DynArray[IClusterRegistry.Member, MAX_MEMBERS]:
    """
    @return members who stands behind a job: the provider alone, or all of its cluster
    """
    if payees._is_cluster(obligation.payee):
        return staticcall CLUSTERS.members_of(obligation.payee)
    return [IClusterRegistry.Member(provider=obligation.payee, gpus=obligation.gpus)]


@internal
def _free(
    member: IClusterRegistry.Member, device_class: uint16, collateral: uint256, locked: uint256
):
    """
    @param collateral base units that the job had locked
    @param locked base units of it that are still locked
    """
    self.committed_gpus[member.provider][device_class] -= convert(member.gpus, uint256)
    if locked != 0:
        extcall STAKING.release(member.provider, locked)
    log IServiceBonds.Released(
        provider=member.provider, device_class=device_class, gpus=member.gpus, collateral=collateral
    )


@internal
@pure
def _promised(collateral: uint256, sla: IServiceBonds.Sla) -> uint256:
    """
    @return tokens compensation for a whole job, rounded down
    """
    return collateral * convert(sla.compensation_bps, uint256) // BPS


@external
def compensate(
    obligation: IServiceBonds.Obligation, job: uint64, customer: address, capacity_lost: bool
) -> uint256:
    """
    @notice JOBS: end a job that its provider failed: the customer gets its share of the
            collateral, the rest is freed. In a cluster only the members that failed pay, each
            out of its own collateral: those that the committee blamed, or that are short of
            devices.
    @param obligation what was pledged
    @param job number of the job
    @param customer who is paid
    @param capacity_lost whether the reason is that devices have been missing for longer than the
           service level allows; refused where they have not
    @return paid base units of the staked token, less than promised where slashes left less
    """
    delayed_roles._check_role(JOBS)
    sla: IServiceBonds.Sla = self.sla_terms[obligation.sla]
    members: DynArray[IClusterRegistry.Member, MAX_MEMBERS] = self._members(obligation)
    failed: uint256 = 1
    if capacity_lost:
        failed = self._short_members(members, obligation.device_class, sla)
        assert failed != 0, "service_bonds: capacity is not lost"
    elif payees._is_cluster(obligation.payee):
        failed = convert(self.blamed[job], uint256)

    total: uint256 = 0
    for member: IClusterRegistry.Member in members:
        collateral: uint256 = sla.collateral_per_gpu * convert(member.gpus, uint256)
        paid: uint256 = 0
        if failed & 1 == 1 and collateral != 0:
            paid = self._compensate(
                member.provider, collateral, self._promised(collateral, sla), job, customer
            )
            total += paid
        self._free(member, obligation.device_class, collateral, collateral - paid)
        failed = failed >> 1
    return total


@internal
@view
def _short_members(
    members: DynArray[IClusterRegistry.Member, MAX_MEMBERS],
    device_class: uint16,
    sla: IServiceBonds.Sla,
) -> uint256:
    """
    @return mask members that have been short of devices for longer than the level allows, and
            still are: bit i for member i
    """
    mask: uint256 = 0
    bit: uint256 = 1
    for member: IClusterRegistry.Member in members:
        since: uint256 = self.short_since[member.provider][device_class]
        if (
            since != 0
            and block.timestamp >= since + convert(sla.capacity_grace, uint256)
            and self._is_short(member.provider, device_class)
        ):
            mask |= bit
        bit = bit << 1
    return mask


@internal
def _compensate(
    provider: uint24, collateral: uint256, promised: uint256, job: uint64, customer: address
) -> uint256:
    """
    @notice Pay a victim out of its job's part of the self-bond, and record what is missing.
    @dev The part is the collateral itself, or what is left of it where slashes have taken
         self-bond that was locked: the same share for every running job of the provider,
         whichever is ended first.
    @return paid base units
    """
    bond: IProviderStaking.SelfBond = staticcall STAKING.self_bond(provider)
    backing: uint256 = collateral
    if bond.active + bond.unbonding < bond.held:
        backing = collateral * (bond.active + bond.unbonding) // bond.held
    paid: uint256 = min(promised, backing)
    if paid != 0:
        assert extcall STAKING.seize(provider, paid, customer) == paid
    owed: uint256 = promised - paid
    if owed != 0:
        self.debt_to[provider][customer] += owed
        self.debt_of[provider] += owed
    log IServiceBonds.Compensated(
        job=job, provider=provider, customer=customer, paid=paid, owed=owed
    )
    return paid


# --- anyone -------------------------------------------------------------------------------


@external
def pay_debt(provider: uint24, customer: address, amount: uint256):
    """
    @notice Pay a customer what a provider owes it, out of the caller's own tokens.
    @param provider who owes
    @param customer who is paid
    @param amount base units of the staked token, at most the debt; approved by the caller
    """
    self._lower_debt(provider, customer, amount)
    assert extcall TOKEN.transferFrom(
        msg.sender, customer, amount, default_return_value=True
    ), "service_bonds: transfer failed"


@internal
def _lower_debt(provider: uint24, customer: address, amount: uint256):
    owed: uint256 = self.debt_to[provider][customer]
    assert amount != 0, "service_bonds: nothing to pay"
    assert amount <= owed, "service_bonds: more than is owed"
    left: uint256 = owed - amount
    self.debt_to[provider][customer] = left
    self.debt_of[provider] -= amount
    log IServiceBonds.DebtPaid(provider=provider, customer=customer, amount=amount, left=left)


@external
def collect_debt(provider: uint24, customer: address) -> uint256:
    """
    @notice Pay a customer out of self-bond that the provider has added since and that no job
            has locked or lately released; anyone may call. A jailed provider's stays with the
            court until its term is over.
    @param provider who owes
    @param customer who is paid
    @return paid base units
    """
    paid: uint256 = min(
        self.debt_to[provider][customer], staticcall STAKING.free_self_bond(provider)
    )
    self._lower_debt(provider, customer, paid)
    extcall STAKING.lock(provider, paid)
    assert extcall STAKING.seize(provider, paid, customer) == paid
    return paid


@external
def note_capacity(provider: uint24, device_class: uint16) -> uint256:
    """
    @notice Note that a provider has promised more devices than are attested, or that it has
            enough again. Anyone may call; a customer does before it leaves for lost capacity, a
            provider once it has caught up.
    @param provider id of the provider
    @param device_class class of the devices
    @return short_since chain time in seconds since which they are short, 0 for enough
    """
    since: uint256 = self.short_since[provider][device_class]
    if not self._is_short(provider, device_class):
        since = 0
    elif since == 0:
        since = block.timestamp
    self._note_capacity(provider, device_class, since)
    return since


@internal
def _note_capacity(provider: uint24, device_class: uint16, since: uint256):
    self.short_since[provider][device_class] = since
    log IServiceBonds.CapacityNoted(provider=provider, device_class=device_class, short_since=since)


@internal
@view
def _is_short(provider: uint24, device_class: uint16) -> bool:
    return self.committed_gpus[provider][device_class] > staticcall REGISTRY.capacity(
        provider, device_class
    )


@external
def blame(job: uint64, epoch: uint64, mask: uint64, signatures: Bytes[MAX_SIGNATURES]):
    """
    @notice Enter the committee's word on which members of a cluster failed a job, before
            the job is closed. The first word stays. The report's subject is the job, its
            payload keccak256(abi_encode(mask)).
    @param job number of the cluster's job
    @param epoch epoch of the committee's report
    @param mask members that failed, bit i for member i of the cluster
    @param signatures the committee's signatures, see OracleCommittee
    """
    assert mask != 0, "service_bonds: nobody to blame"
    assert self.blamed[job] == 0, "service_bonds: already blamed"
    signers: uint256 = staticcall COMMITTEE.verify(
        convert(convert(job, uint256), bytes32), epoch, keccak256(abi_encode(mask)), signatures
    )
    self.blamed[job] = mask
    log IServiceBonds.MembersBlamed(job=job, mask=mask, signers=signers)


# --- owner --------------------------------------------------------------------------------


@external
def add_sla(
    collateral_per_gpu: uint128,
    compensation_bps: uint16,
    uptime_bps: uint16,
    capacity_grace: uint32,
) -> uint16:
    """
    @notice Add a service level that jobs may name. It never changes afterwards.
    @param collateral_per_gpu base units of the staked token that accepting locks per GPU
    @param compensation_bps bps of the locked collateral paid to the customer when the
           provider fails
    @param uptime_bps bps of the GPU-seconds since acceptance that must be delivered
    @param capacity_grace seconds for which devices may be missing, at most 30 days
    @return sla number of the service level
    """
    ownable._check_owner()
    assert convert(compensation_bps, uint256) <= BPS, "service_bonds: compensation > 100 %"
    assert convert(uptime_bps, uint256) <= BPS, "service_bonds: uptime > 100 %"
    assert capacity_grace <= MAX_CAPACITY_GRACE, "service_bonds: grace too long"
    sla: uint16 = self.sla_count + 1
    self.sla_count = sla
    self.sla_terms[sla] = IServiceBonds.Sla(
        collateral_per_gpu=convert(collateral_per_gpu, uint256),
        compensation_bps=compensation_bps,
        uptime_bps=uptime_bps,
        capacity_grace=capacity_grace,
    )
    log IServiceBonds.SlaAdded(
        sla=sla,
        collateral_per_gpu=convert(collateral_per_gpu, uint256),
        compensation_bps=compensation_bps,
        uptime_bps=uptime_bps,
        capacity_grace=capacity_grace,
    )
    return sla


# --- views --------------------------------------------------------------------------------


@external
@view
def collateral(obligation: IServiceBonds.Obligation) -> uint256:
    """
    @notice Base units of the staked token that a job locks, all members together.
    @param obligation who binds what
    """
    return self.sla_terms[obligation.sla].collateral_per_gpu * convert(obligation.gpus, uint256)
