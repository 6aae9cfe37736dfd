"""Clusters on chain: form one, agree to it, see it, share its income."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oracle.adapters.chain.client import Chain
from oracle.adapters.signer import Signer
from oracle.domain.market import FIRST_CLUSTER
from oracle.errors import BadInput, NotFound


@dataclass(frozen=True, slots=True)
class Member:
    """One provider of a cluster: the GPUs it brings are its weight in income and collateral."""

    provider: int
    gpus: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as the chain has it. `max_collateral_per_gpu`: base units of the staked token.
    `complete`: whether every member agrees, so that it can take a job."""

    cluster: int
    device_class: int
    max_collateral_per_gpu: int
    lead: int
    complete: bool
    members: tuple[Member, ...]

    def place(self, provider: int) -> int:
        """Where a provider stands among the members. Raises `NotFound` for another one."""
        for place, member in enumerate(self.members):
            if member.provider == provider:
                return place
        raise NotFound(
            f"provider {provider} is not in cluster {self.cluster}",
            f"Its members are {', '.join(str(m.provider) for m in self.members)}.",
        )


def read_cluster(chain: Chain, cluster: int) -> Cluster:
    """A cluster; raises `NotFound` for a number that was never given."""
    formed = chain.read("ClusterRegistry", "cluster_count")
    if not FIRST_CLUSTER <= cluster < FIRST_CLUSTER + formed:
        raise NotFound(f"there is no cluster {cluster}", "Form one with `clearwork cluster form`.")
    device_class, collateral, lead, complete = chain.read(
        "ClusterRegistry", "cluster_info", cluster
    )
    members = chain.read("ClusterRegistry", "members_of", cluster)
    return Cluster(
        cluster,
        device_class,
        collateral,
        lead,
        complete,
        tuple(Member(member.provider, member.gpus) for member in members),
    )


class Clusters:
    """One key of a provider that works in clusters. Every method raises `Conflict` with the
    contract's reason before it sends anything that would revert."""

    def __init__(self, chain: Chain, signer: Signer) -> None:
        self._chain = chain
        self._signer = signer
        self._registry = chain.contract("ClusterRegistry")

    def form(
        self,
        members: Sequence[Member],
        device_class: int,
        max_collateral_per_gpu: int,
        lead: int,
    ) -> int:
        """Form a cluster that `lead` speaks for, with this key, and agree to it as its lead.

        Returns its payee id. Raises `BadInput` where `lead` is no member or one is twice.
        """
        ordered = sorted(members, key=lambda member: member.provider)
        providers = [member.provider for member in ordered]
        if lead not in providers or len(set(providers)) != len(providers):
            raise BadInput(
                f"members {providers} with lead {lead}",
                "Name every provider once, the lead among them.",
            )
        receipt = self._chain.transact(
            self._signer,
            self._registry.functions.form(
                [(member.provider, member.gpus) for member in ordered],
                device_class,
                max_collateral_per_gpu,
                providers.index(lead),
            ),
        )
        cluster: int = self._chain.event(receipt, "ClusterRegistry", "ClusterFormed").cluster
        return cluster

    def join(self, cluster: int, provider: int) -> None:
        """Agree to a cluster's terms for a provider of this key."""
        place = read_cluster(self._chain, cluster).place(provider)
        self._chain.transact(self._signer, self._registry.functions.join(cluster, place))

    def leave(self, cluster: int, provider: int) -> None:
        """Agree no more: the cluster takes no new job, those it has go on."""
        place = read_cluster(self._chain, cluster).place(provider)
        self._chain.transact(self._signer, self._registry.functions.leave(cluster, place))

    def draw(self, cluster: int, provider: int, asset: str) -> Any:
        """Fetch what a cluster earned in `asset` and pay a member its share, to its payout address;
        any key may send it. Returns the receipt of the payment.

        Raises `NotFound` where there is nothing to draw.
        """
        asset = self._chain.w3.to_checksum_address(asset)
        place = read_cluster(self._chain, cluster).place(provider)
        if any(self._chain.read("JobEscrow", "income", cluster, asset)):
            self._chain.transact(self._signer, self._registry.functions.collect(cluster, asset))
        if not self._chain.read("ClusterRegistry", "drawable", cluster, place, asset):
            raise NotFound(
                f"provider {provider} has nothing to draw from cluster {cluster}",
                "Settle a job first, or wait for the dispute window.",
            )
        return self._chain.transact(
            self._signer, self._registry.functions.draw(cluster, place, asset)
        )
