"""Open leaves of signed commits at the agents of their providers, who may be hostile.

Providers are asked side by side, `PROVIDERS_AT_ONCE` of them: a look at a thousand honest agents
takes as long as the networks to them, and slow ones wait beside each other. A provider's own agents
are asked one after the other, however many commits it has signed, for `PROVIDER_SECONDS` and one
more answer in a look; what is left over waits for the next one.

Nothing that comes back is believed: a leaf counts as shown if its path leads to the committed root.
Whether it is true is computed in a thread, one leaf at a time, while others are on their way.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import httpx
from pydantic import ValidationError

from oracle.adapters.bounded_http import whole_answer
from oracle.adapters.problem import retry_after
from oracle.api.schemas import LeafView
from oracle.domain.attestation import Dims, Opening, Query
from oracle.domain.messages import Commit
from oracle.domain.web_address import web_address
from oracle.errors import BadInput
from oracle.services.dispute import FalseEntry
from oracle.services.verify import in_tree

# seconds without a byte, and for a whole answer
HTTP_TIMEOUT = 10.0
FETCH_SECONDS = 30.0
# the longest answer taken: one leaf with its path
MAX_LEAF_BYTES = 2**14
# seconds that agents of one provider may take in a look
PROVIDER_SECONDS = 120.0
# of which leaves are asked for at a time
PROVIDERS_AT_ONCE = 32
# seconds that an agent may ask to be left alone at a time
MAX_RETRY_AFTER = 3_600

# number of the round and of the leaf in it
Leaf = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A leaf that no agent showed."""

    leaf: Leaf
    reason: str
    # seconds after which an agent says that it will; None where none says so
    seconds: int | None = None
    # whether nobody was asked, as the time of its provider was over
    is_put_off: bool = False

    def __str__(self) -> str:
        round_index, index = self.leaf
        return f"leaf {index} of round {round_index}: {self.reason}"


@dataclass(slots=True)
class Wanted:
    """Leaves of a commit that are to be opened, in order, and what became of it.

    `agents` are where its agent may be; one that does not show a committed leaf is asked no more.
    The first leaf that none of them shows ends it, and the first in which `find` finds something.
    """

    commit: Commit
    dims: Dims
    roots: Sequence[bytes]
    agents: list[str]
    # drawn one by one: no agent knows what it will be asked for
    leaves: Iterable[Leaf]
    find: Callable[[Leaf, Opening], FalseEntry | None]
    opened: int = 0
    false_entry: FalseEntry | None = None
    refusal: Refusal | None = None

    @property
    def was_begun(self) -> bool:
        """Whether any agent was asked for any leaf."""
        return self.opened > 0 or not (self.refusal and self.refusal.is_put_off)


@dataclass(slots=True)
class LeafOpener:
    """Reads public lists and leaves over HTTP, and keeps each provider to its time."""

    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=HTTP_TIMEOUT))
    # a loop for whole answers: only there a deadline also holds for headers that drip
    _loop: asyncio.Runner = field(default_factory=asyncio.Runner)
    # provider => seconds that its agents took in this look
    _taken: dict[int, float] = field(default_factory=dict)

    def close(self) -> None:
        """Close the connections."""
        self._loop.run(self.http.aclose())
        self._loop.close()

    def begin_look(self) -> None:
        """Give every provider its time anew."""
        self._taken.clear()

    def fetch(self, url: str, parameters: dict[str, int], limit: int) -> bytes:
        """GET at most `limit` bytes within `FETCH_SECONDS`: the other side may be hostile.

        Raises `httpx.HTTPError` for every way this can fail.
        """
        return self._loop.run(self._get(url, parameters, limit))

    def open_all(self, wanted: Iterable[Wanted]) -> None:
        """Open leaves of many commits; returns when each has all of them or a refusal."""
        providers: dict[int, list[Wanted]] = {}
        for each in wanted:
            providers.setdefault(each.commit.provider, []).append(each)
        self._loop.run(self._side_by_side(providers.values()))

    async def _side_by_side(self, providers: Iterable[Sequence[Wanted]]) -> None:
        places, computing = asyncio.Semaphore(PROVIDERS_AT_ONCE), asyncio.Lock()

        async def ask(commits: Sequence[Wanted]) -> None:
            async with places:
                for wanted in commits:
                    await self._open(wanted, computing)

        async with asyncio.TaskGroup() as group:
            for commits in providers:
                group.create_task(ask(commits))

    async def _open(self, wanted: Wanted, computing: asyncio.Lock) -> None:
        for leaf in wanted.leaves:
            shown = await self._open_leaf(wanted, leaf)
            if isinstance(shown, Refusal):
                wanted.refusal = shown
                return
            wanted.opened += 1
            async with computing:
                wanted.false_entry = await asyncio.to_thread(wanted.find, leaf, shown)
            if wanted.false_entry is not None:
                return

    async def _open_leaf(self, wanted: Wanted, leaf: Leaf) -> Opening | Refusal:
        """A committed leaf from the first agent that shows it; those before it are struck off.

        Where none shows it, one that will later counts most.
        """
        provider = wanted.commit.provider
        busy: Refusal | None = None
        while True:
            taken = self._taken.get(provider, 0.0)
            if taken >= PROVIDER_SECONDS:
                return Refusal(leaf, "its provider has no time left", 0, is_put_off=True)
            began = time.monotonic()
            found = await self._ask(wanted, leaf)
            self._taken[provider] = taken + time.monotonic() - began
            if isinstance(found, Opening):
                return found
            if found.seconds is not None:
                busy = found
            if len(wanted.agents) == 1:
                return busy or found
            del wanted.agents[0]

    async def _ask(self, wanted: Wanted, leaf: Leaf) -> Opening | Refusal:
        """The leaf from the first of the agents."""
        round_index, index = leaf
        commit_hash = wanted.commit.struct_hash().hex()
        try:
            body = await self._get(
                f"{wanted.agents[0]}/v1/commits/0x{commit_hash}/openings",
                {"round": round_index, "index": index},
                MAX_LEAF_BYTES,
            )
            view = LeafView.model_validate_json(body)
        except httpx.HTTPStatusError as error:
            seconds = retry_after(error.response, MAX_RETRY_AFTER)
            return Refusal(leaf, str(error) if seconds is None else f"in {seconds} s", seconds)
        except (httpx.HTTPError, ValidationError) as error:
            return Refusal(leaf, str(error))
        opening = Opening(
            Query(round_index, *wanted.dims.entry_of(index, 0)), view.leaf, tuple(view.path)
        )
        if not in_tree(wanted.dims, wanted.roots, opening):
            return Refusal(leaf, "not committed")
        return opening

    async def _get(self, url: str, parameters: dict[str, int], limit: int) -> bytes:
        try:
            web_address(url)
        except BadInput as error:
            raise httpx.HTTPError(str(error)) from error
        answer = await whole_answer(
            self.http, "GET", url, seconds=FETCH_SECONDS, limit=limit, params=parameters
        )
        return answer.raise_for_status().content
