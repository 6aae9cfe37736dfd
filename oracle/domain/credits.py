"""What providers are paid for credits that they earned: burnt when bought, minted when earned.

ComputeCredits destroys what a provider earned in them. The epoch's emission at large makes up for
it, first of all, at the price of the work token; what it does not cover stays owed and is carried
to the next report (specs/emissions.md, section 6).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Redeemed:
    """`paid`: base units of the work token by provider. `owed`: base units of credits that are
    carried on, by provider."""

    paid: dict[int, int]
    owed: dict[int, int]


def redeem(owed: Mapping[int, int], worth: int, available: int) -> Redeemed:
    """Pay what is owed, or all the same part of it.

    `owed`: base units of credits by provider. `worth`: base units of the work token that they
    are worth together, 0 without a usable price: then everything waits. `available`: base units of
    the work token. Payments are rounded down, and so is what a provider is still owed: no credit is
    paid for twice, and a report that pays a part costs a provider less than one base unit of each.
    """
    total = sum(owed.values())
    if not total or not worth:
        return Redeemed({}, {who: amount for who, amount in owed.items() if amount})
    spent = min(worth, available)
    paid = {who: spent * amount // total for who, amount in owed.items()}
    left = worth - spent
    rest = {who: amount * left // worth for who, amount in owed.items()}
    return Redeemed(
        {who: amount for who, amount in paid.items() if amount},
        {who: amount for who, amount in rest.items() if amount},
    )


def by_provider(
    earned: Mapping[int, int], members: Mapping[int, Mapping[int, int]]
) -> dict[int, int]:
    """Credits by payee as credits by provider.

    `members`: GPUs by provider, of each payee that is a cluster; its credits are theirs by GPUs,
    rounded down, and the last base units go to the member that comes first.
    """
    shares: dict[int, int] = {}
    for payee, amount in sorted(earned.items()):
        gpus = members.get(payee, {payee: 1})
        whole = sum(gpus.values())
        parts = {provider: amount * count // whole for provider, count in sorted(gpus.items())}
        first = min(gpus)
        parts[first] += amount - sum(parts.values())
        for provider, part in parts.items():
            shares[provider] = shares.get(provider, 0) + part
    return {provider: share for provider, share in shares.items() if share}
