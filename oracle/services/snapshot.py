"""Everything a report is computed from, read at one finalized block: for closing and replaying."""

from collections.abc import Sequence
from dataclasses import dataclass

from oracle.adapters.chain.client import Block
from oracle.adapters.chain.history import History, Posted
from oracle.adapters.chain.market import Market
from oracle.adapters.chain.subnets import REGISTRY, Subnets
from oracle.domain.credits import by_provider
from oracle.domain.epochs import RULES, EpochInput
from oracle.domain.leaves import EpochLeaves
from oracle.domain.market import FIRST_CLUSTER
from oracle.domain.receipts import Receipt
from oracle.domain.settlement import outstanding, settled_by_provider
from oracle.errors import Misconfigured

LEDGER = "EpochLedger"
DISTRIBUTOR = "RewardDistributor"
CREDITS = "ComputeCredits"
PRICES = "Prices"


@dataclass(frozen=True, slots=True)
class Last:
    """The report that the next one continues, and its leaves."""

    posted: Posted
    leaves: EpochLeaves


class Snapshots:
    """Reads epochs. What it returns depends on the chain, the last report and the receipts only."""

    def __init__(self, market: Market, history: History, subnets: Subnets) -> None:
        self._market = market
        self._history = history
        self._subnets = subnets

    def take(
        self, from_epoch: int, to_epoch: int, last: Last | None, said: Sequence[Receipt], rules: int
    ) -> tuple[EpochInput, Block]:
        """What a report on these epochs is computed from, and the last block that they have.

        `said`: receipts of the batches that the report carries, and of the last report. `rules`:
        version of the rules. Raises `Misconfigured` for a version that this program does not know,
        `Transient` while the epochs' end is not final.
        """
        if rules not in RULES:
            raise Misconfigured(
                f"the committee works by rules version {rules}",
                "Update this oracle: it does not know that version.",
            )
        start = self._history.last_block_before(self._market.start_of(from_epoch))
        end = self._market.start_of(to_epoch + 1)
        block = self._history.last_block_before(end)
        shares = self._history.granted(from_epoch, to_epoch).shares
        jobs = self._market.jobs(block)
        deployment = self._market.chain.deployment
        owed = self._owed_credits(from_epoch, to_epoch, block, last)
        memories = {record.subnet: record.memory for record in last.leaves.subnets} if last else {}
        epoch = EpochInput(
            chain_id=deployment.chain_id,
            distributor=deployment.address(DISTRIBUTOR),
            ledger=deployment.address(LEDGER),
            from_epoch=from_epoch,
            to_epoch=to_epoch,
            budget=sum(shares.values()),
            rules=RULES[rules],
            previous=last.leaves.rewards if last else (),
            devices=self._history.live_devices(block, end),
            usage=settled_by_provider(jobs.values()),
            receipts=outstanding(said, jobs),
            signatures=self._history.signatures(start, block),
            submitter=self._history.sender_of(last.posted.transaction) if last else None,
            subnets=self._subnets.at(block, shares, memories),
            credits=owed,
            credits_worth=self._worth(sum(owed.values()), block),
            registry=deployment.address(REGISTRY),
            start_of_next=end,
            epoch_length=self._market.epoch_length,
        )
        return epoch, block

    def _owed_credits(
        self, from_epoch: int, to_epoch: int, block: Block, last: Last | None
    ) -> dict[int, int]:
        """Credits that providers earned in these epochs, and what they were owed before."""
        earned = self._history.credits_earned(from_epoch, to_epoch, block)
        clusters = {
            payee: {member.provider: member.gpus for member in self._market.cluster(payee)}
            for payee in earned
            if payee >= FIRST_CLUSTER
        }
        owed = dict(last.leaves.owed_credits) if last else {}
        for provider, amount in by_provider(earned, clusters).items():
            owed[provider] = owed.get(provider, 0) + amount
        return owed

    def _worth(self, amount: int, block: Block) -> int:
        """What credits are worth at a block, base units of the work token; 0 without a price."""
        if not amount:
            return 0
        chain = self._market.chain
        credit = chain.deployment.address(CREDITS)
        return int(chain.read(PRICES, "in_work", credit, amount, block=block))
