"""Who had, earned, lost and holds what: every actor's wealth, and the entries that explain it.

All amounts are base units of the work token, in which everybody in the demo keeps score.
"""

from dataclasses import dataclass, field
from typing import Any

from oracle.adapters.chain.client import Chain

# base units by which shares of a pool may round, over the whole demo
DUST = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """One reason why an actor became richer or poorer, and the transaction behind it."""

    actor: str
    amount: int
    reason: str
    transaction: str


@dataclass(frozen=True, slots=True)
class Line:
    """An actor's line of the final table."""

    actor: str
    had: int
    earned: int
    lost: int
    holds: int
    entries: tuple[Entry, ...]


@dataclass(slots=True)
class Accounts:
    """The score of all actors. `holders` maps a name to its address, `providers` a name to the
    id of the provider it owns, `delegations` a name to the provider it delegates to."""

    chain: Chain
    holders: dict[str, str]
    providers: dict[str, int]
    delegations: dict[str, int]
    entries: list[Entry] = field(default_factory=list)
    _had: dict[str, int] = field(default_factory=dict)

    def open(self) -> None:
        """Remember what everybody has now."""
        self._had = {name: self._wealth(name) for name in self.holders}

    def book(self, actor: str, amount: int, reason: str, receipt: Any) -> None:
        """Enter a gain (or, below zero, a loss) of `actor`, with the receipt of its transaction."""
        transaction = receipt if isinstance(receipt, str) else receipt.transactionHash.to_0x_hex()
        self.entries.append(Entry(actor, amount, reason, transaction))

    def close(self) -> list[Line]:
        """Everybody's line now."""
        lines = []
        for name in self.holders:
            entries = tuple(entry for entry in self.entries if entry.actor == name)
            lines.append(
                Line(
                    actor=name,
                    had=self._had[name],
                    earned=sum(entry.amount for entry in entries if entry.amount > 0),
                    lost=-sum(entry.amount for entry in entries if entry.amount < 0),
                    holds=self._wealth(name),
                    entries=entries,
                )
            )
        return lines

    def _wealth(self, name: str) -> int:
        """Wallet, self-bond, delegation, reward that has not been paid out yet, oracle bond."""
        block = self.chain.head()

        def read(contract: str, function: str, *arguments: Any) -> Any:
            return self.chain.read(contract, function, *arguments, block=block)

        address = self.holders[name]
        wealth: int = read("WorkToken", "balanceOf", address)
        wealth += read("OracleCommittee", "bond_of", address)
        if name in self.providers:
            provider = self.providers[name]
            bond = read("ProviderStaking", "self_bond", provider)
            wealth += bond.active + bond.unbonding
            wealth += read("RewardDistributor", "unvested", provider)
            wealth += read("RewardDistributor", "releasable", provider)
        if name in self.delegations:
            _, tokens = read("ProviderStaking", "delegation", self.delegations[name], address)
            wealth += tokens
        return wealth


def balanced(lines: list[Line]) -> bool:
    """Whether every line's entries explain it, up to the dust of rounding shares."""
    return all(abs(line.had + line.earned - line.lost - line.holds) <= DUST for line in lines)
