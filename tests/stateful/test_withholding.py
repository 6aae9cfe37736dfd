"""The court's machine with requests for leaves: who asks pays a bond, who shows a leaf earns it,
and a provider that shows none is convicted of withholding it, once.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from oracle.domain.hashing import keccak
from oracle.domain.messages import Commit
from tests.stateful.market import Market, open_market
from tests.stateful.test_court import MAX_CONVICTIONS, CourtMachine, numbers
from tests.stateful.test_staking import people, play, providers
from tests.unit.conftest import EPOCH_LENGTH, LEAF_ANSWER_PERIOD, LEAF_BOND, REQUEST_EPOCHS
from tests.unit.slashing_court.conftest import FALSE_ATTESTATION

WITHHELD_OPENING = 6
OPEN, SHOWN, EXECUTED = 1, 2, 3
# seconds after its deadline from which a request is everybody's to execute
LATER = LEAF_ANSWER_PERIOD
NOT_OPEN = "leaf_requests: no such open request"


@dataclass(eq=False)
class Request:
    """A leaf that somebody asked for, and what was paid for it."""

    commit: Commit
    # commit, signature, roots, round, leaf number, entry, leaf and path of the false entry
    proof: tuple[Any, ...]
    requester: str
    deadline: int
    # how many times the bond is held
    bonds: int
    stage: int = OPEN

    @property
    def place(self) -> tuple[int, int, bytes]:
        """Round, number of the leaf, and root."""
        return 0, 0, self.proof[2][0]


class LeafMachine(CourtMachine):
    """Everything that CourtMachine does, while leaves are asked for."""

    STATE = (*CourtMachine.STATE, "requests")
    # played enough without requests
    forge = abuse = appeal = decide = draw = press_on = wait_for = dispute = settle_dispute = None
    give_to_court = convict_of_two_ends = delegate = undelegate = cancel_undelegation = None

    def __init__(self, world: Market) -> None:
        super().__init__(world)
        self.leaves = world.leaf_requests
        self.genesis = self.leaves.GENESIS()
        # commit digest => the request for its only leaf
        self.requests: dict[bytes, Request] = {}

    def open_requests(self, provider: int) -> int:
        return sum(
            request.stage == OPEN and request.commit.provider == provider
            for request in self.requests.values()
        )

    def a_request(self, number: int) -> tuple[bytes, Request]:
        """One of them, the open ones first; somebody asks where none is open."""
        if all(request.stage != OPEN for request in self.requests.values()):
            commit = self.false_commit(number % 3 + 1, number, own=True)
            self._ask(commit, person=number % 5)
        ordered = sorted(self.requests.items(), key=lambda item: item[1].stage)
        digest, request = ordered[number % min(len(ordered), 3)]
        self.begin(request.commit.provider)
        return digest, request

    def release_bond(self, request: Request, stage: int, receiver: str, bonds: int) -> None:
        """A request is over; who gets so many bonds."""
        if bonds:
            self.wallets[receiver] += bonds * LEAF_BOND
        self.burnt += (request.bonds - bonds) * LEAF_BOND
        request.bonds, request.stage = 0, stage

    # --- asking ---------------------------------------------------------------------------

    @rule(
        provider=providers, person=people, number=numbers, own=st.booleans(),
        age=st.sampled_from([0, 0, 0, 1, REQUEST_EPOCHS, REQUEST_EPOCHS + 1, -1]),
        flaw=st.sampled_from(
            ["none"] * 8
            + ["other leaf", "other round", "other roots", "two roots", "unsigned", "pays less"]
        ),
    )  # fmt: skip
    def ask(self, provider, person, number, own, age, flaw):
        """Somebody asks for the leaf of a commit, which costs more while others are open."""
        self.begin(provider)
        self._ask(self.false_commit(provider, number, own, age), person, flaw)

    @rule(number=numbers, person=people)
    def ask_again(self, number, person):
        """Each leaf is asked for once, and none of a commit that was convicted."""
        _, request = self.a_request(number)
        self._ask((request.commit, request.proof), person)

    def epoch(self) -> int:
        return int((self.now - self.genesis) // EPOCH_LENGTH)

    def false_commit(
        self, provider: int, number: int, own: bool, age: int = 0
    ) -> tuple[Commit, tuple[Any, ...]]:
        """A commit some epochs old, and the proof of its false entry."""
        device = self.device_of(provider, own)
        return self.market.lie(provider, device, number, max(0, self.epoch() - age))

    def _ask(self, signed: tuple[Commit, tuple[Any, ...]], person: int, flaw: str = "none") -> None:
        (commit, proof), now = signed, self.epoch()
        provider, epoch = commit.provider, commit.epoch
        _, foreign = self.market.lie(provider % 3 + 1, commit.device, 0, epoch)
        digest = bytes(self.market.registry.commit_digest(astuple(commit)))
        requester = self.world.delegators[person]
        roots = {"other roots": [digest], "two roots": [*proof[2], digest]}.get(flaw, proof[2])
        bonds = self.open_requests(provider) + 1
        assert self.leaves.bond_of(provider) == bonds * LEAF_BOND
        if self.attempt(
            lambda: self.leaves.request_open(
                astuple(commit),
                foreign[1] if flaw == "unsigned" else proof[1],
                roots,
                int(flaw == "other round"),
                int(flaw == "other leaf"),
                bonds * LEAF_BOND - (flaw == "pays less"),
                sender=requester,
            ),
            (epoch > now, "leaf_requests: commit of an epoch to come"),
            (now - epoch > REQUEST_EPOCHS, "leaf_requests: commit is too old"),
            (digest in self.law.convictions, "leaf_requests: commit convicted before"),
            (flaw == "unsigned", "leaf_requests: not signed by the provider"),
            (flaw == "other leaf", "leaf_requests: no such leaf"),
            (flaw == "two roots", "leaf_requests: not one root per round"),
            (flaw == "other round", "leaf_requests: no such round"),
            (flaw == "other roots", "leaf_requests: roots of another commit"),
            (digest in self.requests, "leaf_requests: requested before"),
            (flaw == "pays less", "leaf_requests: bond is more than the caller pays"),
        ):
            deadline = self.now + LEAF_ANSWER_PERIOD
            self.requests[digest] = Request(commit, proof, requester, deadline, bonds)
            self.wallets[requester] -= bonds * LEAF_BOND
            self.tally("leaf asked for")

    # --- answering ------------------------------------------------------------------------

    @rule(
        number=numbers, person=people, patience=st.sampled_from([None, None, -1, 0, 1]),
        flaw=st.sampled_from(["none"] * 4 + ["short leaf", "long path", "other leaf"]),
    )  # fmt: skip
    def show(self, number, person, patience, flaw):
        """Anyone shows the leaf, at once or about when its time is over."""
        digest, request = self.a_request(number)
        if patience is not None:
            self.wait_until(request.deadline + patience)
        leaf = request.proof[6]
        leaf = {"short leaf": leaf[:-1], "other leaf": leaf[::-1]}.get(flaw, leaf)
        path = [digest] if flaw == "long path" else []
        if self.attempt(
            lambda: self.leaves.answer(
                digest, *request.place, leaf, path, sender=self.world.delegators[person]
            ),
            (request.stage != OPEN, NOT_OPEN),
            (flaw == "short leaf", "leaf_requests: leaf is not 128 bytes"),
            (flaw == "long path", "leaf_requests: path does not fit the matrix"),
            (flaw == "other leaf", "leaf_requests: leaf is not in the root"),
        ):
            late = self.now >= request.deadline
            payout = self.world.payouts[request.commit.provider - 1]
            receiver = request.requester if late else payout
            self.tally("leaf shown late" if late else "leaf shown")
            self.release_bond(request, SHOWN, receiver, min(request.bonds, 1))

    # --- withholding ----------------------------------------------------------------------

    @rule(
        number=numbers, person=people, job=numbers,
        patience=st.sampled_from([None, -1, 0, 0, LATER - 1, LATER, LATER]),
    )  # fmt: skip
    def execute_request(self, number, person, job, patience):
        """Nobody has shown the leaf: the requester reports, and later whoever calls."""
        digest, request = self.a_request(number)
        if patience is not None:
            self.wait_until(request.deadline + patience)
        self._execute_request(digest, request, self.world.delegators[person], job)

    def _execute_request(self, digest: bytes, request: Request, caller: str, job: int) -> None:
        provider = request.commit.provider

        def call(named: int, _: str) -> None:
            words = astuple(request.commit), request.proof[1], *request.place
            self.leaves.execute(*words, named, sender=caller)

        convicts = digest not in self.law.convictions
        if request.stage != OPEN or not convicts or self.now < request.deadline:
            if self.attempt(
                lambda: call(0, caller),
                (request.stage != OPEN, NOT_OPEN),
                (convicts, "leaf_requests: provider may still show the leaf"),
            ):
                self.release_bond(request, EXECUTED, request.requester, request.bonds)
                self.tally("request ended, convicted before")
            return
        if len(self.law.convictions) >= MAX_CONVICTIONS:
            return
        late = self.now >= request.deadline + LEAF_ANSWER_PERIOD
        reporter = caller if late else request.requester
        named = self.job_of(provider, job)
        self._convict(WITHHELD_OPENING, digest, provider, named, reporter, call, NOT_OPEN)
        if digest in self.law.convictions:
            self.release_bond(request, EXECUTED, request.requester, request.bonds)
            self.tally("withheld, the caller reports" if late else "withheld")

    @rule(number=numbers, person=people, job=numbers, ends=st.booleans())
    @precondition(lambda self: len(self.law.convictions) < MAX_CONVICTIONS)
    def convict_what_was_asked_for(self, number, person, job, ends):
        """The entry is false, and somebody has it: the request does not protect the commit."""
        digest, request = self.a_request(number)
        provider, proof = request.commit.provider, request.proof
        reporter = self.world.delegators[person]
        self._convict(
            FALSE_ATTESTATION,
            digest,
            provider,
            self.job_of(provider, job),
            reporter,
            lambda named, sender: self.court.convict_attestation(proof, named, sender=sender),
            "slashing_court: commit convicted before",
        )
        if ends and digest in self.law.convictions:
            self._execute_request(digest, request, reporter, job=0)

    @rule(
        number=numbers, by_requester=st.sampled_from([True, True, False]),
        patience=st.sampled_from([None, LATER - 1, LATER, LATER]),
    )  # fmt: skip
    def take_bond_back(self, number, by_requester, patience):
        """Of a request that nobody executes; it stays open."""
        digest, request = self.a_request(number)
        if patience is not None:
            self.wait_until(request.deadline + patience)
        sender = request.requester if by_requester else self.world.thief
        if self.attempt(
            lambda: self.leaves.take_back(digest, *request.place, sender=sender),
            (request.stage != OPEN, NOT_OPEN),
            (not by_requester, "leaf_requests: caller is not the requester"),
            (
                self.now < request.deadline + LEAF_ANSWER_PERIOD,
                "leaf_requests: too early to take the bond back",
            ),
            (request.bonds == 0, "leaf_requests: bond was taken back"),
        ):
            self.wallets[request.requester] += request.bonds * LEAF_BOND
            request.bonds = 0
            self.tally("bond taken back")

    @rule(number=numbers)
    def convict_without_a_role(self, number):
        """Nobody but the contract of requests may say that a leaf was withheld."""
        provider = number % 3 + 1
        self.begin(provider)
        commit, proof = self.market.lie(provider, keccak(b"no device"), number)
        self.fails(
            "roles: caller lacks the role",
            self.court.convict_withheld,
            astuple(commit),
            proof[1],
            self.world.thief,
            0,
            sender=self.world.thief,
        )

    def attempt(self, call: Callable[[], Any], *refusals: tuple[bool, str]) -> bool:
        """Count what requests were refused for."""
        went_through = super().attempt(call, *refusals)
        reason = next((reason for holds, reason in refusals if holds), "")
        if reason.startswith("leaf_requests"):
            self.tally(reason)
        return went_through

    # --- invariants -----------------------------------------------------------------------

    @invariant()
    def requests_keep_their_bonds(self):
        bonds = sum(request.bonds for request in self.requests.values())
        assert self.token.balanceOf(self.leaves) == bonds * LEAF_BOND
        for provider in self.model:
            assert self.leaves.open_requests(provider) == self.open_requests(provider)

    def check(self, provider, model):
        """The requests to a provider are what the model says."""
        super().check(provider, model)
        for digest, request in self.requests.items():
            if request.commit.provider == provider:
                stored = tuple(self.leaves.requests(digest, *request.place))
                assert stored == (
                    request.requester, provider, request.deadline, 0, request.bonds, request.stage,
                )  # fmt: skip


@pytest.fixture(scope="module")
def market() -> Market:
    return open_market()


def test_short_requests(market, tell):
    tell(play(market, LeafMachine, examples=12, steps=50))


# how a request ends, and why one is refused
OUTCOMES = {
    "leaf asked for", "leaf shown", "leaf shown late", "withheld", "withheld, the caller reports",
    "request ended, convicted before", "bond taken back", NOT_OPEN,
    "leaf_requests: commit of an epoch to come",
    "leaf_requests: commit is too old",
    "leaf_requests: commit convicted before",
    "leaf_requests: not signed by the provider",
    "leaf_requests: no such leaf",
    "leaf_requests: not one root per round",
    "leaf_requests: no such round",
    "leaf_requests: roots of another commit",
    "leaf_requests: requested before",
    "leaf_requests: bond is more than the caller pays",
    "leaf_requests: leaf is not 128 bytes",
    "leaf_requests: path does not fit the matrix",
    "leaf_requests: leaf is not in the root",
    "leaf_requests: provider may still show the leaf",
    "leaf_requests: caller is not the requester",
    "leaf_requests: too early to take the bond back",
    "leaf_requests: bond was taken back",
}  # fmt: skip


@pytest.mark.slow
def test_long_requests(market, tell):
    """At least 50 000 steps, in which requests end in every way there is."""
    while market.steps < 50_000:
        summary = play(market, LeafMachine, examples=500, steps=100)
    tell(summary)
    for outcome in sorted(OUTCOMES):
        tell(f"  {outcome}: {market.outcomes[outcome]:,}")
    assert not OUTCOMES - market.outcomes.keys()
