"""Subnets as consensus reads them, at one block."""

from collections.abc import Mapping
from typing import Any

from oracle.adapters.chain.client import Block, Chain
from oracle.domain.subnets import Memory, Place, SubnetInput, Terms

REGISTRY = "SubnetRegistry"

# pairs of uid and u16
Row = tuple[tuple[int, int], ...]


class Subnets:
    """Reads all that a block says of subnets; two oracles that ask for the same block get the same.

    A block costs five calls a place: some seconds for a thousand.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def at(
        self, block: Block, shares: Mapping[int, int], memories: Mapping[int, Memory]
    ) -> list[SubnetInput]:
        """Every subnet. `shares`: base units of the budget by subnet; `memories`: of the last
        report, by subnet."""
        count = int(self._read(block, REGISTRY, "subnet_count"))
        standings: dict[int, tuple[str, int, bool]] = {}
        return [
            SubnetInput(
                subnet=subnet,
                share=shares.get(subnet, 0),
                owner=str(self._read(block, REGISTRY, "owner_of_subnet", subnet)).lower(),
                terms=self._terms(subnet, block),
                places=self._places(subnet, block, standings),
                memory=memories.get(subnet),
            )
            for subnet in range(1, count + 1)
        ]

    def _read(self, block: Block, contract: str, function: str, *args: int) -> Any:
        return self._chain.read(contract, function, *args, block=block)

    def _terms(self, subnet: int, block: Block) -> Terms:
        # both in the order of ISubnetRegistry
        rules, consensus = self._read(block, REGISTRY, "parameters", subnet)
        _, immunity_epochs, _, _, _, _, min_stake = rules
        return Terms(immunity_epochs, min_stake, *consensus)

    def _places(
        self, subnet: int, block: Block, standings: dict[int, tuple[str, int, bool]]
    ) -> list[Place]:
        rows = self._rows(subnet, block)
        places = []
        for uid in range(int(self._read(block, REGISTRY, "uid_count", subnet))):
            neuron = self._read(block, REGISTRY, "neuron", subnet, uid)
            provider = neuron.provider
            if provider not in standings:
                standings[provider] = self._standing(provider, block)
            owner, stake, jailed = standings[provider]
            places.append(
                Place(
                    provider=provider,
                    owner=owner,
                    registered_at=neuron.registered_at,
                    registered_epoch=neuron.registered_epoch,
                    stake=stake,
                    weights_at=neuron.weights_at,
                    weights=rows.get((uid, neuron.weights_at), ()),
                    jailed=jailed,
                )
            )
        return places

    def _standing(self, provider: int, block: Block) -> tuple[str, int, bool]:
        """A provider's owner, the stake behind it, and whether it is in jail."""
        info = self._read(block, "ProviderRegistry", "provider_info", provider)
        stake = self._read(block, "ProviderStaking", "slashable", provider)
        jailed = self._read(block, "ProviderStaking", "is_jailed", provider)
        return str(info.owner).lower(), int(stake), bool(jailed)

    def _rows(
        self, subnet: int, block: Block
    ) -> dict[tuple[int, int], tuple[tuple[int, int], ...]]:
        """Rows of weights by uid and the time of their commit; the state keeps their hashes only.

        Two rows of one uid have two commits, in different epochs. A uid that changed hands has no
        commit of before.
        """
        logs = self._chain.logs(REGISTRY, "WeightsRevealed", last=block.number, subnet=subnet)
        return {
            (log["args"]["uid"], log["args"]["committed_at"]): tuple(
                zip(log["args"]["uids"], log["args"]["weights"], strict=True)
            )
            for log in logs
        }
