"""Validate subnets: weigh their places, commit to the row, reveal it on time.

What waits for its reveal is on chain and in a file; so a validator that is restarted, or started
on another machine with its files, goes on where it stopped.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from oracle.adapters.chain.client import Block, Chain
from oracle.adapters.chain.history import History
from oracle.adapters.chain.market import Market
from oracle.adapters.chain.subnets import REGISTRY
from oracle.adapters.signer import Signer
from oracle.adapters.store.row_files import RowFiles
from oracle.domain.scores import CommittedRow, Row, score
from oracle.domain.settlement import settled_by_provider
from oracle.errors import NotFound, Unauthorized
from oracle.faults import reach

log = structlog.get_logger()

NO_COMMIT = bytes(32)
SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Timing:
    """When a validator may act in one subnet, in epochs; 0 commits as long as there was none."""

    epoch: int
    committed_epoch: int
    # chain time in seconds of the last commit, 0 for none
    committed_at: int
    # that of the commit whose row counts, 0 for none
    weights_at: int
    commit_interval: int
    reveal_delay: int
    reveal_window: int

    @property
    def reveals_from(self) -> int:
        """First epoch in which the commit can be revealed."""
        return self.committed_epoch + self.reveal_delay

    @property
    def reveals_until(self) -> int:
        """First epoch in which it can't any more."""
        return self.reveals_from + self.reveal_window

    @property
    def commits_from(self) -> int:
        """First epoch in which the next row can be committed to."""
        return self.committed_epoch + self.commit_interval if self.committed_at else 0


@dataclass(frozen=True, slots=True)
class Step:
    """What was done in a subnet: `committed`, `revealed`, or why it waits."""

    subnet: int
    done: str
    detail: str
    row: Row | None = None


class Validator:
    """One provider that validates, by the key of who speaks for it."""

    def __init__(
        self, chain: Chain, signer: Signer, provider: int, files: RowFiles, usage_bps: int
    ) -> None:
        if not chain.read("ProviderRegistry", "speaks_for", provider, signer.address):
            raise Unauthorized(
                f"{signer.address} does not speak for provider {provider}",
                "Use the keystore of its owner or of its present operator key.",
            )
        self._chain = chain
        self._signer = signer
        self._provider = provider
        self._files = files
        self._usage_bps = usage_bps
        self._market = Market(chain)
        self._history = History(chain, self._market)
        self._registry = chain.contract(REGISTRY)

    def subnets(self) -> list[int]:
        """All subnets in which the provider has a place."""
        count = int(self._chain.read(REGISTRY, "subnet_count"))
        return [subnet for subnet in range(1, count + 1) if self._uid(subnet) is not None]

    def step(self, subnet: int) -> Step:
        """Reveal or commit, whichever is due in a subnet.

        Raises `NotFound` without a place in it, `Conflict` with the contract's reason for what it
        refuses, such as a stake that is too low.
        """
        uid = self._uid(subnet)
        if uid is None:
            raise NotFound(
                f"provider {self._provider} has no place in subnet {subnet}",
                f"Buy one: clearwork subnet register {subnet} {self._provider}",
            )
        self._market.follow()
        timing = self._timing(subnet, uid)
        commit = bytes(self._chain.read(REGISTRY, "commit_of", subnet, uid))
        if commit != NO_COMMIT and timing.epoch < timing.reveals_until:
            return self._reveal(subnet, commit, timing)
        if timing.epoch < timing.commits_from:
            return Step(subnet, "waits", f"the next commit is due in epoch {timing.commits_from}")
        return self._commit(subnet, timing, missed=commit != NO_COMMIT)

    def _uid(self, subnet: int) -> int | None:
        uid, exists = self._chain.read(REGISTRY, "uid_of", subnet, self._provider)
        return int(uid) if exists else None

    def _timing(self, subnet: int, uid: int) -> Timing:
        # in the order of ISubnetRegistry
        rules, _ = self._chain.read(REGISTRY, "parameters", subnet)
        _, _, _, commit_interval, reveal_delay, reveal_window, _ = rules
        neuron = self._chain.read(REGISTRY, "neuron", subnet, uid)
        return Timing(
            epoch=self._market.head.epoch,
            committed_epoch=neuron.committed_epoch,
            committed_at=neuron.committed_at,
            weights_at=neuron.weights_at,
            commit_interval=commit_interval,
            reveal_delay=reveal_delay,
            reveal_window=reveal_window,
        )

    def _reveal(self, subnet: int, commit: bytes, timing: Timing) -> Step:
        if timing.epoch < timing.reveals_from:
            return Step(subnet, "waits", f"the reveal is due in epoch {timing.reveals_from}")
        committed = self._files.read(commit)
        if committed is None:
            log.error("row is lost", subnet=subnet, commit=commit.hex())
            return Step(
                subnet,
                "waits",
                f"the row of commit {commit.hex()} is not in the state directory; "
                f"a new one is due in epoch {timing.reveals_until}",
            )
        row = committed.row
        self._chain.transact(
            self._signer,
            self._registry.functions.reveal_weights(
                subnet, self._provider, row.uids, row.weights, committed.salt
            ),
        )
        reach("row-revealed")
        log.info("weights revealed", subnet=subnet, entries=len(row.uids))
        return Step(subnet, "revealed", f"{len(row.uids)} weights", row)

    def _commit(self, subnet: int, timing: Timing, missed: bool) -> Step:
        block = self._chain.head()
        used = settled_by_provider(self._market.jobs(block).values())
        row = self._score(subnet, block, used, self._used_before(subnet, timing))
        if not row.uids:
            return Step(subnet, "waits", "nobody in the subnet has attested or settled anything")
        committed = CommittedRow(subnet, self._provider, row, secrets.token_bytes(SALT_BYTES), used)
        commit = committed.commit(self._chain.chain_id, self._chain.deployment.address(REGISTRY))
        # a commit whose row is lost can't be revealed: first the file
        self._files.write(commit, committed)
        reach("row-stored")
        self._chain.transact(
            self._signer,
            self._registry.functions.commit_weights(subnet, self._provider, commit),
        )
        reach("row-committed")
        log.info("weights committed", subnet=subnet, entries=len(row.uids))
        note = "; the commit before was never revealed" if missed else ""
        return Step(subnet, "committed", f"{len(row.uids)} weights{note}", row)

    def _used_before(self, subnet: int, timing: Timing) -> Mapping[int, int]:
        """What the row that counts had counted by provider, none where that is lost.

        A row that was never revealed has counted nothing.
        """
        if not timing.weights_at:
            return {}
        head = self._chain.head()
        # the commit is in the block after the last one before it
        first = self._chain.last_block_before(timing.weights_at, head).number + 1
        commits = self._chain.logs(
            REGISTRY, "WeightsCommitted", first, head.number, subnet=subnet, provider=self._provider
        )
        row = self._files.read(bytes(next(iter(commits))["args"]["commit"]))
        return row.used if row else {}

    def _score(
        self, subnet: int, block: Block, used: Mapping[int, int], before: Mapping[int, int]
    ) -> Row:
        speeds: dict[int, int] = {}
        for device in self._history.live_devices(block, block.timestamp):
            if not device.jailed:
                speeds[device.provider] = speeds.get(device.provider, 0) + device.ops_per_second
        since = {provider: total - before.get(provider, 0) for provider, total in used.items()}
        places = self._places(subnet, block)
        rules, _ = self._chain.read(REGISTRY, "parameters", subnet, block=block)
        # a young subnet has fewer places than a row needs entries
        least = min(rules.min_weights, len(places) - 1)
        return score(places, self._provider, speeds, since, self._usage_bps, least)

    def _places(self, subnet: int, block: Block) -> Sequence[int]:
        count = int(self._chain.read(REGISTRY, "uid_count", subnet, block=block))
        neurons = self._chain.read_all(
            [(REGISTRY, "neuron", subnet, uid) for uid in range(count)], block
        )
        return [int(neuron.provider) for neuron in neurons]
