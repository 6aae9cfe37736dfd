"""Subnets from outside: list them, create one, buy a place, vote with stake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oracle.adapters.chain.allowance import Allowance
from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.subnets import REGISTRY
from oracle.adapters.signer import Signer
from oracle.domain.summary import AT_LARGE
from oracle.errors import BadInput, Conflict, Misconfigured, NotFound

VOTES = "SubnetVotes"
TOKEN = "WorkToken"
KINDS = ("inference", "training", "rendering", "custom")
BPS = 10_000


@dataclass(frozen=True, slots=True)
class SubnetInfo:
    """A subnet as it is now. `price`: base units of a place; `withheld_bps`: part of the miners'
    pay that its owner kept, as adopted last."""

    subnet: int
    kind: str
    owner: str
    uids: int
    max_uids: int
    price: int
    withheld_bps: int


def list_subnets(chain: Chain) -> list[SubnetInfo]:
    """All subnets, by number."""
    return [
        _info(chain, subnet) for subnet in range(1, int(chain.read(REGISTRY, "subnet_count")) + 1)
    ]


def _info(chain: Chain, subnet: int) -> SubnetInfo:
    # in the order of ISubnetRegistry
    (max_uids, *_), _ = chain.read(REGISTRY, "parameters", subnet)
    return SubnetInfo(
        subnet=subnet,
        kind=KINDS[int(chain.read(REGISTRY, "kind_of", subnet)) - 1],
        owner=str(chain.read(REGISTRY, "owner_of_subnet", subnet)),
        uids=int(chain.read(REGISTRY, "uid_count", subnet)),
        max_uids=int(max_uids),
        price=int(chain.read(REGISTRY, "uid_price", subnet)),
        withheld_bps=int(chain.read(REGISTRY, "withheld_bps", subnet)),
    )


class SubnetClient:
    """One key that creates subnets, buys places or votes.

    Every method raises `Conflict` with the contract's reason before it sends anything that would
    revert, `Misconfigured` for a key that can't pay.
    """

    def __init__(self, chain: Chain, signer: Signer) -> None:
        self._chain = chain
        self._signer = signer

    def create(
        self,
        kind: str,
        rules: Mapping[str, Any],
        consensus: Mapping[str, Any],
        max_price: int | None = None,
    ) -> int:
        """Create a subnet owned by this key and burn its price; returns its number.

        `rules`, `consensus`: fields of ISubnetRegistry.Rules and .Consensus by name. `max_price`:
        base units; the present price where it is None.
        """
        if kind not in KINDS:
            raise BadInput(f"no kind {kind!r}", f"Use one of {', '.join(KINDS)}.")
        price = int(self._chain.read(REGISTRY, "subnet_price"))
        most = price if max_price is None else max_price
        call = self._chain.call(
            REGISTRY, "create", KINDS.index(kind) + 1, dict(rules), dict(consensus), most
        )
        self._allow(price, most)
        receipt = self._chain.transact(self._signer, call)
        return int(self._chain.event(receipt, REGISTRY, "SubnetCreated").subnet)

    def register(self, subnet: int, provider: int, max_price: int | None = None) -> int:
        """Buy a provider a place and burn its price; returns the uid. `max_price` as above."""
        self._check_subnet(subnet)
        price = int(self._chain.read(REGISTRY, "uid_price", subnet))
        most = price if max_price is None else max_price
        call = self._chain.call(REGISTRY, "register", subnet, provider, most)
        self._allow(price, most)
        receipt = self._chain.transact(self._signer, call)
        return int(self._chain.event(receipt, REGISTRY, "Registered").uid)

    def vote(self, provider: int, choices: Mapping[int, int]) -> int:
        """Vote with this key's stake behind a provider; returns the stake that votes, base units.

        `choices`: bps by subnet, 0 for the market at large; none end the vote.
        """
        if choices and sum(choices.values()) != BPS:
            raise BadInput(
                f"the choices are {sum(choices.values())} bps", f"Make them {BPS} in all."
            )
        for subnet in choices:
            if subnet != AT_LARGE:
                self._check_subnet(subnet)
        call = self._chain.call(VOTES, "vote", provider, sorted(choices.items()))
        receipt = self._chain.transact(self._signer, call)
        return int(self._chain.event(receipt, VOTES, "Voted").stake)

    def _check_subnet(self, subnet: int) -> None:
        count = int(self._chain.read(REGISTRY, "subnet_count"))
        if not 1 <= subnet <= count:
            raise NotFound(
                f"there is no subnet {subnet}: they count from 1 to {count}",
                "See what there is: clearwork subnet list",
            )

    def _allow(self, price: int, most: int) -> None:
        """Let the registry burn what a purchase costs at most, in base units."""
        if price > most:
            raise Conflict(
                f"the price is {price} base units now, above the maximum of {most}",
                "Wait until it has fallen, or raise the maximum.",
            )
        address = self._signer.address
        held = int(self._chain.read(TOKEN, "balanceOf", address))
        if held < price:
            raise Misconfigured(
                f"{address} holds {held} base units of the work token, the price is {price}",
                f"Send {price - held} base units to it and retry.",
            )
        token, registry = (self._chain.deployment.address(name) for name in (TOKEN, REGISTRY))
        Allowance(self._chain, self._signer, token, registry).approve(most)
