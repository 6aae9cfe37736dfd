"""The agent's side of leaf requests: show on chain what somebody asked for with a bond.

A leaf of a commit that nobody shows convicts its provider, so this is the one thing an agent sends
by itself at any hour. Requests are read from the logs, and what they ask for is computed again if
it is not kept any more: a restart, or a lost disk, forgets none.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from web3.exceptions import Web3Exception

from oracle.adapters.chain import leaf_requests
from oracle.adapters.chain.client import Chain, explained
from oracle.adapters.chain.leaf_requests import (
    CONTRACT,
    BondTakenBack,
    LeafRequest,
    Place,
    RequestLog,
)
from oracle.adapters.signer import Signer
from oracle.api.schemas import LeafView
from oracle.domain.attestation import Dims
from oracle.domain.messages import Commit
from oracle.errors import ClearworkError, Conflict, Misconfigured, NotFound

log = structlog.get_logger()

# seconds between two looks at the chain
POLL_SECONDS = 10.0
# what is about the gas of an answer: less coin than that pays for none
USUAL_GAS = 120_000


@dataclass(slots=True)
class LeafDesk:
    """Requests for leaves of one device's commits. `gas_cap` is in gas units of one answer."""

    chain: Chain
    signer: Signer
    provider: int
    device: bytes
    # one leaf of a signed commit by struct hash, round and number; `NotFound` for an unknown one
    open_leaf: Callable[[bytes, int, int], LeafView]
    # the same of a commit that is kept no more
    lost_leaf: Callable[[Commit, int, int], LeafView]
    gas_cap: int
    # chains above this many operations are not computed again
    max_operations: int
    _log: RequestLog | None = None
    _waiting: dict[Place, LeafRequest] = field(default_factory=dict)
    # what was said last about a request, or about the key
    _said: dict[Place | str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Show what is asked for, again and again, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except ClearworkError as error:
                self._say("chain", "requests for leaves can't be read", error)
            await asyncio.sleep(POLL_SECONDS)

    def look(self) -> None:
        """Read new requests and answer all that wait.

        Raises `Transient` where the chain does not answer.
        """
        self._check_funds()
        self._read()
        for request in sorted(self._waiting.values(), key=lambda request: request.deadline):
            try:
                if leaf_requests.is_open(self.chain, request):
                    self._answer(request)
                del self._waiting[request.place]
            except (ClearworkError, Web3Exception) as error:
                self._say(request.place, "a leaf that was asked for is not shown yet", error)

    def _read(self) -> None:
        if self._log is None:
            self._log = RequestLog(self.chain, self._horizon(), provider=self.provider)
        for entry in self._log.look():
            if isinstance(entry, LeafRequest):
                if entry.commit.device == self.device:
                    self._waiting[entry.place] = entry
            elif not isinstance(entry, BondTakenBack):
                self._waiting.pop(entry.place, None)

    def _horizon(self) -> int:
        """Seconds for which agents keep what they committed to."""
        epochs = self.chain.read(CONTRACT, "KEEP_EPOCHS")
        return int(epochs * self.chain.read(CONTRACT, "EPOCH_LENGTH"))

    def _answer(self, request: LeafRequest) -> None:
        _digest, round_index, index = request.place
        leaf, path = self._leaf(request, round_index, index)
        call = leaf_requests.answer(self.chain, request, leaf, path)
        with explained(self.signer.address):
            sender = self.chain.w3.to_checksum_address(self.signer.address)
            gas = call.estimate_gas({"from": sender})
        if gas > self.gas_cap:
            raise Conflict(
                f"the answer takes {gas} gas, over the cap of {self.gas_cap}",
                "Raise --answer-gas-cap before the deadline.",
            )
        receipt = self.chain.transact(self.signer, call)
        log.info(
            "leaf shown on chain",
            round=round_index,
            leaf=index,
            transaction=receipt.transactionHash.to_0x_hex(),
        )

    def _leaf(
        self, request: LeafRequest, round_index: int, index: int
    ) -> tuple[bytes, list[bytes]]:
        """The leaf and its path, from what is kept, else from the commit itself."""
        commit = request.commit
        try:
            view = self.open_leaf(commit.struct_hash(), round_index, index)
        except NotFound:
            dims = Dims(commit.m, commit.n, commit.k, commit.rounds)
            if dims.operations > self.max_operations:
                raise
            view = self.lost_leaf(commit, round_index, index)
        return view.leaf, view.path

    def _check_funds(self) -> None:
        """Say once that the key can't pay for an answer, and once more when it can."""
        balance = self.chain.balance(self.signer.address)
        if balance < USUAL_GAS * self.chain.base_fee():
            address = self.signer.address
            poor = Misconfigured(
                f"{address} has {balance} wei, too little to show a leaf on chain",
                f"Send some coin to {address}: a request that nobody answers convicts you.",
            )
            self._say("funds", "no requests for leaves can be answered", poor)
        elif self._said.pop("funds", None):
            log.info("requests for leaves can be answered", balance=balance)

    def _say(self, about: Place | str, event: str, error: Exception) -> None:
        """Log a failure once, not with every look."""
        if self._said.get(about) != str(error):
            log.error(event, problem=str(error), remedy=getattr(error, "remedy", ""))
        self._said[about] = str(error)
