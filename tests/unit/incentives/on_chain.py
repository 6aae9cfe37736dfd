"""The arena of the incentive simulation with every step that money depends on also done by the
contracts, in the same chain time: places bought, rows committed and shown, votes and fees taken,
budgets pressed, reports closed, signed and posted, outcomes adopted, rewards claimed.
"""

import random
from dataclasses import astuple, dataclass, field
from itertools import zip_longest
from typing import Any, Protocol

import boa

from oracle.adapters.chain.client import Block
from oracle.adapters.chain.subnets import Subnets
from oracle.domain.epochs import EpochInput, EpochRules, close
from oracle.domain.leaves import EpochLeaves, Leaf, account_key, provider_key
from scripts._incentives.arena import ACTS_AT, Arena, Judge, Row
from scripts._incentives.contracts import BPS
from tests.unit.conftest import EPOCH_LENGTH, RULES_VERSION, UNIT
from tests.unit.reward_market import RewardMarket, logged
from tests.unit.subnets import NOBODY, Rules

SUBNET = 1
SALT = b"\7" * 32
MAX_PRICE = 2**256 - 1
# base units of everybody's who may have to pay for places
PURSE = 1_000 * UNIT
# epochs before the first, in which the price of places falls back to its floor
WARM_UP = 40


@dataclass
class BoaChain:
    """What `Subnets` reads of a chain: views of contracts, and the rows that they logged."""

    contracts: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def read(self, contract: str, function: str, *args: Any, block: Block) -> Any:
        return getattr(self.contracts[contract], function)(*args)

    def read_all(self, calls: list[tuple[Any, ...]], block: Block) -> list[Any]:
        return [self.read(contract, name, *args, block=block) for contract, name, *args in calls]

    def last_block_before(self, timestamp: int, until: Block) -> Block:
        return until

    def logs(self, contract: str, event: str, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return self.rows


class Fees(Protocol):
    """Where protocol fees are paid."""

    def list_market(self, asset: Any, subnet: int) -> None:
        """Open a market of an asset in a subnet; the first one is the market at large."""

    def earn(self, market: int, amount: int) -> None:
        """Pay a fee in a market, base units."""


@dataclass(kw_only=True)
class OnChain(Arena):
    """An arena whose subnet is also on a chain, with the same places under the same names.

    `contracts`: by name. `rewards`: the contracts from the press to the claim. `fees`: how the
    world's fees are paid. `names`: by provider or account, as keys of leaves, who it is in the
    arena.
    """

    contracts: dict[str, Any]
    rewards: RewardMarket
    fees: Fees
    accounts: dict[int, str] = field(default_factory=dict)
    names: dict[bytes, str] = field(default_factory=dict)
    # uids that have committed to a row
    committed: set[int] = field(default_factory=set)
    # of the last report, and what its leaves said before the first epoch
    posted: EpochLeaves | None = None
    before: tuple[Leaf, ...] = ()

    # --- before the first epoch ---------------------------------------------------------------

    def settle(self) -> None:
        """Create the subnet and everybody in it, and let some epochs pass."""
        world, subnets, controller = self.world, self.subnets, self.rewards.controller
        self.chain = BoaChain(self.contracts)
        self.owner_account = self._account()
        self.names[account_key(self.owner_account)] = self.owner
        rules = Rules(
            max_uids=len(self.places),
            immunity_epochs=world.terms.immunity_epochs,
            commit_interval=world.commit_interval,
            reveal_delay=world.reveal_delay,
            reveal_window=world.reveal_window,
            min_stake=world.terms.min_stake,
        )
        _, _, *consensus = astuple(world.terms)
        subnets.create(1, astuple(rules), tuple(consensus), MAX_PRICE, sender=self.owner_account)
        for uid, place in enumerate(self.places):
            provider = self._provider_of(place.owner, place.stake)
            subnets.register(SUBNET, provider, MAX_PRICE, sender=self.accounts[provider])
            assert subnets.uid_of(SUBNET, provider) == (uid, True)
        self.voters = [self._provider_of("voter", stake) for stake in world.votes]
        for gauge in range(len(world.fees)):
            self.fees.list_market(self.rewards.token, gauge)
        first = controller.current_epoch() + WARM_UP
        self.genesis = int(controller.GENESIS()) + first * EPOCH_LENGTH
        self.first = int(first)
        self._go(self.genesis - EPOCH_LENGTH)
        self._vote()
        self._go(self.genesis)
        leaves = self._report()[0]
        self.memory, self.before = leaves.subnets[0].memory, leaves.rewards
        self.issued, self.carry = controller.issuance(), controller.carry()

    def start(self, epoch: int) -> int:
        return self.genesis + epoch * EPOCH_LENGTH

    @property
    def subnets(self) -> Any:
        return self.contracts["SubnetRegistry"]

    def _vote(self) -> None:
        for gauge, provider in enumerate(self.voters):
            votes = self.contracts["SubnetVotes"]
            votes.vote(provider, [(gauge, BPS)], sender=self.accounts[provider])

    def _account(self) -> str:
        account = str(boa.env.generate_address())
        self.rewards.token.transfer(account, PURSE)
        self.rewards.token.approve(self.subnets, PURSE, sender=account)
        return account

    def _provider_of(self, name: str, stake: int) -> int:
        """A new provider that belongs to somebody of the arena."""
        # everybody has an account for each place; the subnet's owner is known by one
        account = self.owner_account if name == self.owner else self._account()
        registry = self.contracts["ProviderRegistry"]
        provider = int(registry.register(NOBODY, account, 0, 0, 0, "", sender=account))
        if stake:
            staking = self.contracts["ProviderStaking"]
            self.rewards.token.approve(staking, stake)
            staking.stake(provider, stake)
        self.accounts[provider] = account
        self.names[provider_key(provider)] = name
        return provider

    # --- an epoch -----------------------------------------------------------------------------

    def register(self, owner: str, at: int, epoch: int, quality: int) -> int | None:
        self._go(at)
        # a report takes an epoch until its outcome is adopted; here the arena waits for it too
        self.leaving = list(self.subnets.leaving(SUBNET))
        provider = self._provider_of(owner, 0)
        account = self.accounts[provider]
        price = self.places_price.price(at)
        uid = super().register(owner, at, epoch, quality)
        if uid is None:
            with boa.reverts("subnet_registry: subnet is full"):
                self.subnets.register(SUBNET, provider, MAX_PRICE, sender=account)
            return None
        assert self.subnets.register(SUBNET, provider, price, sender=account) == uid
        assert self.rewards.token.balanceOf(account) == PURSE - price
        return uid

    def _judge(self, uid: int, judge: Judge, epoch: int) -> None:
        self._go(self.start(epoch) + ACTS_AT)
        provider = int(self.subnets.neuron(SUBNET, uid).provider)
        account = self.accounts[provider]
        before, shown = judge.pending, self.places[uid].weights_at
        super()._judge(uid, judge, epoch)
        if judge.pending is before:
            return
        if before and uid in self.committed:
            row = _columns(before[2])
            if self.places[uid].weights_at == shown:
                with boa.reverts("subnet_registry: too late to reveal"):
                    self.subnets.reveal_weights(SUBNET, provider, *row, SALT, sender=account)
            else:
                self.subnets.reveal_weights(SUBNET, provider, *row, SALT, sender=account)
                (event,) = logged(self.subnets, "WeightsRevealed")
                self.chain.rows.append({"args": event._asdict()})
        if judge.pending:
            commit = self.subnets.weights_commit(
                SUBNET, provider, *_columns(judge.pending[2]), SALT
            )
            slashable = self.contracts["ProviderStaking"].slashable(provider)
            if slashable < self.world.terms.min_stake:
                # in the arena it has no weight, as has stake that is leaving
                self.committed.discard(uid)
                with boa.reverts("subnet_registry: too little stake"):
                    self.subnets.commit_weights(SUBNET, provider, commit, sender=account)
                return
            self.subnets.commit_weights(SUBNET, provider, commit, sender=account)
            self.committed.add(uid)

    def _pay(self, epoch: int) -> None:
        if epoch % int(self.contracts["SubnetVotes"].VOTE_EPOCHS()) == 0:
            self._vote()
        for market, fee in enumerate(self.world.fees, start=1):
            if fee:
                self.fees.earn(market, fee)
        self._go(self.start(epoch + 1))
        self._adopt()
        super()._pay(epoch)
        leaves, shares = self._report()
        (record,) = leaves.subnets
        assert record.paid.share == shares[SUBNET]
        assert record.memory == self.memory
        assert record.outcome.withheld_bps == self.withheld_bps
        assert self.rewards.controller.issuance() == self.issued
        assert self.granted() == {name: paid for name, paid in self.income.items() if paid}

    def granted(self) -> dict[str, int]:
        """Base units that reports granted since the first epoch, by name in the arena."""
        sums: dict[str, int] = {}
        for sign, leaves in ((1, self._leaves()), (-1, self.before)):
            for leaf in leaves:
                name = self.names[leaf.key]
                sums[name] = sums.get(name, 0) + sign * leaf.value
        return {name: amount for name, amount in sums.items() if amount}

    # --- reports ------------------------------------------------------------------------------

    def _leaves(self) -> tuple[Leaf, ...]:
        return self.posted.rewards if self.posted else ()

    def _report(self) -> tuple[EpochLeaves, list[int]]:
        """Press what has ended and report it; the leaves, and the shares by subnet."""
        controller, ledger = self.rewards.controller, self.rewards.ledger
        first = int(controller.next_epoch())
        controller.press(64)
        splits = logged(controller, "BudgetSplit")
        shares = [
            sum(parts) for parts in zip_longest(*(split.shares for split in splits), fillvalue=0)
        ]
        last = first + len(splits) - 1
        assert controller.next_epoch() == last + 1 == controller.current_epoch()
        known = self.posted.subnets if self.posted else ()
        leaves = close(
            EpochInput(
                chain_id=boa.env.evm.patch.chain_id,
                distributor=str(self.rewards.distributor.address),
                ledger=str(ledger.address),
                registry=str(self.subnets.address),
                from_epoch=first,
                to_epoch=last,
                budget=sum(shares),
                # the simulation leaves the oracles' part out
                rules=EpochRules(0),
                previous=self._leaves(),
                subnets=Subnets(self.chain).at(
                    Block(0, b"", boa.env.timestamp),
                    {SUBNET: shares[SUBNET]},
                    {record.subnet: record.memory for record in known},
                ),
                start_of_next=boa.env.timestamp,
                epoch_length=EPOCH_LENGTH,
            )
        )
        report = leaves.report(ledger.head(), RULES_VERSION)
        signatures = self.rewards.signs(ledger, bytes(32), last, report.struct_hash())
        ledger.post_epoch(astuple(report), signatures)
        self.posted = leaves
        return leaves, shares

    def _adopt(self) -> None:
        """Have the registry take over what the report before said, now that it is active."""
        leaves = self.posted
        (record,), (leaf,) = leaves.subnets, leaves.outcomes
        proof = leaves.reward_tree.proof(leaf.hash(leaves.chain_id, leaves.registry))
        outcome = record.outcome
        self.subnets.adopt_outcome(
            SUBNET, leaves.to_epoch, outcome.withheld_bps, list(outcome.leaving), proof
        )

    def claim_all(self, dice: random.Random, sender: str) -> None:
        """Claim all that the last report grants, in an order that is drawn."""
        leaves, distributor = self.posted, self.rewards.distributor
        self.rewards.activate()
        for leaf in dice.sample(leaves.rewards, len(leaves.rewards)):
            proof = leaves.reward_tree.proof(leaf.hash(leaves.chain_id, leaves.distributor))
            distributor.claim(int(leaf.kind), leaf.key, leaf.value, proof, sender=sender)

    @staticmethod
    def _go(time: int) -> None:
        """Let chain time pass until then; several people act at one time."""
        seconds = time - boa.env.timestamp
        assert seconds >= 0
        if seconds:
            boa.env.time_travel(seconds=seconds)


def _columns(row: Row) -> tuple[list[int], list[int]]:
    """Uids and weights, as the registry takes them."""
    return [uid for uid, _ in row], [weight for _, weight in row]
