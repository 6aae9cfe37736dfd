"""Subnets as consensus reads them, at one block."""

from collections.abc import Mapping, Sequence
from typing import Any

from oracle.adapters.chain.client import Block, Chain
from oracle.domain.subnets import Memory, Place, SubnetInput, Terms

REGISTRY = "SubnetRegistry"

# pairs of uid and u16
Row = tuple[tuple[int, int], ...]


class Subnets:
    """Reads all that a block says of subnets; two oracles that ask for the same block get the same.

    A place costs four calls, a hundred of them a request.
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
        count = int(self._read(block, REGISTRY, "uid_count", subnet))
        neurons = self._chain.read_all(
            [(REGISTRY, "neuron", subnet, uid) for uid in range(count)], block
        )
        new = [n.provider for n in neurons if n.provider not in standings]
        standings.update(self._standings(new, block))
        rows = self._rows(subnet, block, [n.weights_at for n in neurons if n.weights_at])
        places = []
        for uid, neuron in enumerate(neurons):
            owner, stake, jailed = standings[neuron.provider]
            places.append(
                Place(
                    provider=neuron.provider,
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

    def _standings(
        self, providers: Sequence[int], block: Block
    ) -> dict[int, tuple[str, int, bool]]:
        """Each provider's owner, the stake behind it, and whether it is in jail."""
        asked = (
            ("ProviderRegistry", "provider_info"),
            ("ProviderStaking", "slashable"),
            ("ProviderStaking", "is_jailed"),
        )
        answers = self._chain.read_all(
            [(*view, provider) for provider in providers for view in asked], block
        )
        triples = zip(answers[::3], answers[1::3], answers[2::3], strict=True)
        return {
            provider: (str(info.owner).lower(), int(stake), bool(jailed))
            for provider, (info, stake, jailed) in zip(providers, triples, strict=True)
        }

    def _rows(
        self, subnet: int, block: Block, times: Sequence[int]
    ) -> dict[tuple[int, int], tuple[tuple[int, int], ...]]:
        """Rows of weights by uid and the time of their commit; the state keeps their hashes only.

        `times`: of the commits to the rows that count; a row is revealed after its commit.

        Two rows of one uid have two commits, in different epochs. A uid that changed hands has no
        commit of before.
        """
        if not times:
            return {}
        first = self._chain.last_block_before(min(times), block).number
        logs = self._chain.logs(REGISTRY, "WeightsRevealed", first, block.number, subnet=subnet)
        return {
            (log["args"]["uid"], log["args"]["committed_at"]): tuple(
                zip(log["args"]["uids"], log["args"]["weights"], strict=True)
            )
            for log in logs
        }
