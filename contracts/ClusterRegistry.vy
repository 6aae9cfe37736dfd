# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Cluster registry
@license Apache-2.0
@author Clearwork
@notice Providers that take jobs together, when one job needs more GPUs than any of them has. A
        cluster is a payee of its own. It is formed once and never changes: up to 64 members,
        each with the GPUs it brings. Those are its weight: in the devices and the collateral it
        binds for every job, and in the income. A member that fails loses its own collateral only.

        Every member agrees to the class of devices and to the most collateral it will ever
        lock per GPU, and can leave: then the cluster takes no new job. The lead accepts,
        declines and settles for all.
@dev Holds income between its withdrawal from the escrow and its members' drawing it. For every
     asset the balance is at least the sum of what was shared and not drawn; dust of the division
     stays here. Trust: the holder of ESCROW pays the income; what arrives is counted by balance.
@custom:security security@clearwork.example
@custom:kill Members leave: no new jobs. Income stays drawable for ever.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from .interfaces import IClusterRegistry
from .interfaces import IProviderRegistry
from .modules import cluster_words
from .modules import delayed_roles
from .modules import payees

implements: IClusterRegistry

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


interface Escrow:
    def withdraw(payee: uint24, asset: IERC20, subnet: uint16) -> uint256: nonpayable


# role that holds the clusters' income
ESCROW: public(constant(bytes32)) = keccak256("ESCROW")

MAX_CLUSTERS: constant(uint24) = 2**23 - 1

# who the members are, and where they are paid
PROVIDERS: public(immutable(IProviderRegistry))

# clusters ever formed; cluster n is the payee `FIRST_CLUSTER + n - 1`
cluster_count: public(uint24)
# cluster => packed head (modules/cluster_words.vy), 0 for an unknown cluster
heads: HashMap[uint24, uint256]
# cluster => packed members
members: HashMap[uint24, uint256[cluster_words.WORDS]]
# cluster => GPUs of all members
total_gpus: public(HashMap[uint24, uint256])
# cluster => asset => base units of income over all time
shared: public(HashMap[uint24, HashMap[address, uint256]])
# cluster => asset => member => base units of it that the member drew
drawn: public(HashMap[uint24, HashMap[address, HashMap[uint256, uint256]]])


@deploy
def __init__(providers: IProviderRegistry, role_change_delay: uint256):
    """
    @param providers contract that knows the providers
    @param role_change_delay seconds before a changed role applies
    """
    ownable.__init__()
    ownable_2step.__init__()
    delayed_roles.__init__(role_change_delay)
    assert providers.address != empty(address), "cluster_registry: no providers"
    PROVIDERS = providers


# --- members --------------------------------------------------------------------------------


@external
def form(
    members: DynArray[IClusterRegistry.Member, cluster_words.MAX_MEMBERS],
    device_class: uint16,
    max_collateral_per_gpu: uint128,
    lead: uint256,
) -> uint24:
    """
    @notice Form a cluster, as its lead, which agrees by it. The others agree by `join`.
    @param members 1 to 64 providers, ascending, and the GPUs each brings
    @param device_class class of all devices
    @param max_collateral_per_gpu most base units of the staked token that a job may lock per GPU
    @param lead place in `members` of the provider that speaks for the cluster
    @return cluster payee id of the cluster
    """
    count: uint256 = len(members)
    assert lead < count, "cluster_registry: no such member"
    self._check_speaker(members[lead].provider)
    assert self.cluster_count < MAX_CLUSTERS, "cluster_registry: too many clusters"
    cluster: uint24 = payees.FIRST_CLUSTER + self.cluster_count
    self.cluster_count += 1
    self.heads[cluster] = cluster_words._pack_head(
        device_class, max_collateral_per_gpu, lead, count
    )

    words: uint256[cluster_words.WORDS] = empty(uint256[cluster_words.WORDS])
    gpus: uint256 = 0
    last: uint24 = 0
    for i: uint256 in range(count, bound=cluster_words.MAX_MEMBERS):
        member: IClusterRegistry.Member = members[i]
        assert member.provider > last, "cluster_registry: providers not ascending"
        assert member.gpus != 0, "cluster_registry: member without gpus"
        last = member.provider
        gpus += convert(member.gpus, uint256)
        words[i // cluster_words.PER_WORD] |= cluster_words._place(i, member)
    assert gpus <= convert(max_value(uint16), uint256), "cluster_registry: too many gpus"
    self.total_gpus[cluster] = gpus
    for i: uint256 in range(cluster_words.WORDS):
        if words[i] != 0:
            self.members[cluster][i] = words[i]
    log IClusterRegistry.ClusterFormed(
        cluster=cluster,
        lead=members[lead].provider,
        members=members,
        device_class=device_class,
        max_collateral_per_gpu=convert(max_collateral_per_gpu, uint256),
    )
    return cluster


@internal
@view
def _check_speaker(provider: uint24):
    assert staticcall PROVIDERS.speaks_for(
        provider, msg.sender
    ), "cluster_registry: not the provider"


@external
def join(cluster: uint24, index: uint256):
    """
    @notice Agree to take the cluster's jobs, as member `index`.
    @param cluster payee id of the cluster
    @param index place of the provider in the cluster
    """
    provider: uint24 = self._set_joined(cluster, index, True)
    log IClusterRegistry.MemberJoined(cluster=cluster, provider=provider)


@internal
def _set_joined(cluster: uint24, index: uint256, joined: bool) -> uint24:
    head: uint256 = self._head(cluster)
    assert index < cluster_words._count(head), "cluster_registry: no such member"
    provider: uint24 = self._member(cluster, index).provider
    self._check_speaker(provider)
    assert (cluster_words._has_joined(head, index) != joined), "cluster_registry: nothing to change"
    self.heads[cluster] = cluster_words._with_joined(head, index, joined)
    return provider


@internal
@view
def _head(cluster: uint24) -> uint256:
    head: uint256 = self.heads[cluster]
    assert head != 0, "cluster_registry: unknown cluster"
    return head


@internal
@view
def _member(cluster: uint24, index: uint256) -> IClusterRegistry.Member:
    return cluster_words._at(self.members[cluster][index // cluster_words.PER_WORD], index)


@external
def leave(cluster: uint24, index: uint256):
    """
    @notice Agree no more, as member `index`: the cluster takes no new job. Those it has go on.
    @param cluster payee id of the cluster
    @param index place of the provider in the cluster
    """
    provider: uint24 = self._set_joined(cluster, index, False)
    log IClusterRegistry.MemberLeft(cluster=cluster, provider=provider)


# --- anyone ---------------------------------------------------------------------------------


@external
def collect(cluster: uint24, asset: IERC20, subnet: uint16 = 0) -> uint256:
    """
    @notice Fetch a cluster's income from the escrow and share it among the members.
    @param cluster payee id of the cluster
    @param asset token it was earned in
    @param subnet subnet in which it was earned
    @return amount base units that came in
    """
    self._head(cluster)
    before: uint256 = staticcall asset.balanceOf(self)
    extcall Escrow(delayed_roles.role_holder[ESCROW]).withdraw(cluster, asset, subnet)
    amount: uint256 = staticcall asset.balanceOf(self) - before
    if amount != 0:
        self.shared[cluster][asset.address] += amount
        log IClusterRegistry.IncomeShared(cluster=cluster, asset=asset.address, amount=amount)
    return amount


@external
def draw(cluster: uint24, index: uint256, asset: IERC20) -> uint256:
    """
    @notice Pay a member its share of what was collected, to its payout address; anyone may call.
    @param cluster payee id of the cluster
    @param index place of the provider in the cluster
    @param asset token to pay
    @return amount base units paid; 0 where there is nothing new
    """
    head: uint256 = self._head(cluster)
    assert index < cluster_words._count(head), "cluster_registry: no such member"
    member: IClusterRegistry.Member = self._member(cluster, index)
    earned: uint256 = self._share(cluster, asset.address, member)
    amount: uint256 = earned - self.drawn[cluster][asset.address][index]
    if amount == 0:
        return 0
    self.drawn[cluster][asset.address][index] = earned
    receiver: address = staticcall PROVIDERS.payout_of(member.provider)
    log IClusterRegistry.ShareDrawn(
        cluster=cluster,
        provider=member.provider,
        asset=asset.address,
        receiver=receiver,
        amount=amount,
    )
    assert extcall asset.transfer(
        receiver, amount, default_return_value=True
    ), "cluster_registry: transfer failed"
    return amount


@internal
@view
def _share(cluster: uint24, asset: address, member: IClusterRegistry.Member) -> uint256:
    """
    @return earned base units of a member over all time, rounded down
    """
    return (self.shared[cluster][asset] * convert(member.gpus, uint256) // self.total_gpus[cluster])


# --- views ----------------------------------------------------------------------------------


@external
@view
def members_of(
    cluster: uint24,
) -> DynArray[IClusterRegistry.Member, cluster_words.MAX_MEMBERS]:
    """
    @notice All members, in the order of their places.
    @param cluster payee id of the cluster
    """
    return self._members(cluster, self._head(cluster))


@internal
@view
def _members(
    cluster: uint24, head: uint256
) -> DynArray[IClusterRegistry.Member, cluster_words.MAX_MEMBERS]:
    members: DynArray[IClusterRegistry.Member, cluster_words.MAX_MEMBERS] = []
    word: uint256 = 0
    for i: uint256 in range(cluster_words._count(head), bound=cluster_words.MAX_MEMBERS):
        if i % cluster_words.PER_WORD == 0:
            word = self.members[cluster][i // cluster_words.PER_WORD]
        members.append(cluster_words._at(word, i))
    return members


@external
@view
def members_for(
    cluster: uint24, device_class: uint16, collateral_per_gpu: uint256
) -> DynArray[IClusterRegistry.Member, cluster_words.MAX_MEMBERS]:
    """
    @notice The members that take a new job together; reverts unless all of them agree to it.
    @param cluster payee id of the cluster
    @param device_class class of devices that the job asks for
    @param collateral_per_gpu base units of the staked token that it locks per GPU
    """
    head: uint256 = self._head(cluster)
    assert cluster_words._is_complete(head), "cluster_registry: a member has not joined"
    assert cluster_words._device_class(head) == device_class, "cluster_registry: another class"
    assert (
        collateral_per_gpu <= cluster_words._max_collateral(head)
    ), "cluster_registry: more collateral than agreed"
    return self._members(cluster, head)


@external
@view
def speaks_for(cluster: uint24, account: address) -> bool:
    """
    @notice Whether an account is the lead's owner or operator key.
    @param cluster payee id of the cluster
    @param account any account
    """
    head: uint256 = self.heads[cluster]
    return head != 0 and staticcall PROVIDERS.speaks_for(
        self._member(cluster, cluster_words._lead(head)).provider, account
    )


@external
@view
def is_member(cluster: uint24, provider: uint24) -> bool:
    """
    @notice Whether a provider is in a cluster.
    @param cluster payee id of the cluster
    @param provider id of the provider
    """
    members: DynArray[IClusterRegistry.Member, cluster_words.MAX_MEMBERS] = self._members(
        cluster, self.heads[cluster]
    )
    for member: IClusterRegistry.Member in members:
        if member.provider == provider:
            return True
    return False


@external
@view
def cluster_info(cluster: uint24) -> (uint16, uint256, uint24, bool):
    """
    @notice A cluster as people read it.
    @param cluster payee id of the cluster
    @return device_class class of its devices
    @return max_collateral_per_gpu most base units of the staked token that a job may lock per GPU
    @return lead id of the provider that speaks for it
    @return complete whether every member agrees, so that it can take a job
    """
    head: uint256 = self._head(cluster)
    return (
        cluster_words._device_class(head),
        cluster_words._max_collateral(head),
        self._member(cluster, cluster_words._lead(head)).provider,
        cluster_words._is_complete(head),
    )


@external
@view
def drawable(cluster: uint24, index: uint256, asset: IERC20) -> uint256:
    """
    @notice Base units that a member could draw now.
    @param cluster payee id of the cluster
    @param index place of the provider in the cluster
    @param asset token it was earned in
    """
    head: uint256 = self._head(cluster)
    assert index < cluster_words._count(head), "cluster_registry: no such member"
    return (
        self._share(cluster, asset.address, self._member(cluster, index))
        - self.drawn[cluster][asset.address][index]
    )
