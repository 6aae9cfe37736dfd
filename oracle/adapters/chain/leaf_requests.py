"""Requests for leaves that providers hide, as LeafRequests logs and takes them.

The log of a request is all that anybody needs to answer, execute or convict: nothing here depends
on what this process remembers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from web3.contract.contract import ContractFunction

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.filings import OVERLAP, SignedCommit
from oracle.domain.messages import Commit

CONTRACT = "LeafRequests"
# `Request.stage` while nobody has answered or executed a request
OPEN = 1

# commit digest, round and leaf: each is asked for once
Place = tuple[bytes, int, int]


@dataclass(frozen=True, slots=True)
class LeafRequest:
    """Somebody asked for a leaf. `bond` is in base units of the staked token, `deadline` in
    seconds of chain time."""

    place: Place
    requester: str
    shown: SignedCommit
    roots: tuple[bytes, ...]
    bond: int
    deadline: int

    @property
    def commit(self) -> Commit:
        """What the provider signed; the contract has checked by whom."""
        return self.shown.commit

    @property
    def name(self) -> tuple[bytes, int, int, bytes]:
        """How the contract's functions name the request: its place, and the root of its round."""
        return *self.place, self.roots[self.place[1]]


@dataclass(frozen=True, slots=True)
class LeafShown:
    """Somebody showed the leaf; the requester got `returned` base units back."""

    place: Place
    leaf: bytes
    path: tuple[bytes, ...]
    returned: int


@dataclass(frozen=True, slots=True)
class RequestExecuted:
    """Nobody did. `reporter` is None where the commit had been convicted before."""

    place: Place
    returned: int
    reporter: str | None
    transaction: bytes


@dataclass(frozen=True, slots=True)
class BondTakenBack:
    """A request that still is open has no bond any more."""

    place: Place
    returned: int


Entry = LeafRequest | LeafShown | RequestExecuted | BondTakenBack


class RequestLog:
    """Reads the entries that it has not read before; at first those of `look_back` seconds."""

    def __init__(self, chain: Chain, look_back: int, **topics: Any) -> None:
        self._chain = chain
        self._look_back = look_back
        # indexed arguments that every entry has, to filter by
        self._topics = topics
        self._next: int | None = None

    def look(self) -> Iterator[Entry]:
        """Entries since the last look, requests first; some of them again.

        A look that is not taken to its end counts for nothing. Raises `Transient` where the
        chain does not answer.
        """
        head = self._chain.head()
        if self._next is None:
            first = self._first_block_since(head.timestamp - self._look_back, head.number)
        else:
            first = min(self._next, head.number + 1) - OVERLAP
        first = max(first, self._chain.deployment.first_block)
        for event in self._logs("LeafRequested", first, head.number):
            yield _request(event.args)
        for event in self._logs("LeafShown", first, head.number):
            it = event.args
            yield LeafShown(_place(it), bytes(it.leaf), tuple(map(bytes, it.path)), it.returned)
        for event in self._logs("RequestExecuted", first, head.number):
            it = event.args
            reporter = str(it.reporter) if it.convicted else None
            yield RequestExecuted(_place(it), it.returned, reporter, bytes(event.transactionHash))
        for event in self._logs("BondTakenBack", first, head.number):
            yield BondTakenBack(_place(event.args), event.args.returned)
        self._next = head.number + 1

    def _logs(self, event: str, first: int, last: int) -> Iterator[Any]:
        return self._chain.logs(CONTRACT, event, first, last, **self._topics)

    def _first_block_since(self, timestamp: int, head: int) -> int:
        """The first block that is not older than `timestamp`, found by halving."""
        low, high = self._chain.deployment.first_block, head
        while low < high:
            middle = (low + high) // 2
            if self._chain.block(middle).timestamp < timestamp:
                low = middle + 1
            else:
                high = middle
        return low


def from_receipt(chain: Chain, receipt: Any) -> LeafRequest:
    """The request that a transaction made."""
    return _request(chain.event(receipt, CONTRACT, "LeafRequested"))


def is_open(chain: Chain, request: LeafRequest) -> bool:
    """Whether nobody has answered or executed a request."""
    return bool(chain.read(CONTRACT, "requests", *request.name).stage == OPEN)


def request_open(
    chain: Chain,
    shown: SignedCommit,
    roots: Sequence[bytes],
    round_index: int,
    index: int,
    max_bond: int,
) -> ContractFunction:
    """The call that asks for a leaf, for `max_bond` base units at most."""
    leaf = round_index, index
    ask = chain.contract(CONTRACT).functions.request_open
    return ask(astuple(shown.commit), shown.signature, list(roots), *leaf, max_bond)


def answer(chain: Chain, request: LeafRequest, leaf: bytes, path: list[bytes]) -> ContractFunction:
    """The call that shows a leaf."""
    return chain.contract(CONTRACT).functions.answer(*request.name, leaf, path)


def execute(chain: Chain, request: LeafRequest, job: int) -> ContractFunction:
    """The call that ends a request nobody answered; the customer of `job` is paid first."""
    shown, (_digest, *leaf) = request.shown, request.name
    run = chain.contract(CONTRACT).functions.execute
    return run(astuple(shown.commit), shown.signature, *leaf, job)


def _place(arguments: Any) -> Place:
    return bytes(arguments.commit_digest), arguments.round_index, arguments.index


def _request(arguments: Any) -> LeafRequest:
    return LeafRequest(
        place=_place(arguments),
        requester=str(arguments.requester),
        shown=SignedCommit(Commit(**arguments.commit), bytes(arguments.signature)),
        roots=tuple(map(bytes, arguments.roots)),
        bond=arguments.bond,
        deadline=arguments.deadline,
    )
