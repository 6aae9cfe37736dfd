"""The watcher: recompute what others signed, convict what is false, collect the bounty.

It trusts nobody. Oracles are asked only for what they published, signed commits and signed
reports; the chain for those that were shown to its contracts. Leaves come from the provider's own
agent. A false entry under a signed commit goes to `SlashingCourt.convict_attestation`, two commits
to different ends of one chain of products to `convict_equivocation`, two signatures of one member
on two truths to `OracleCommittee.prove_equivocation`; each is sent only if it takes less gas than
the cap. A leaf that an agent still withholds after `asks` looks is asked for on chain, within a
budget for bonds: LeafRequests has it shown to everybody, or its provider convicted. A true leaf
shown there counts as one of the audit and no more: who hides the rest is asked for the next. An
agent that says when to come back is left alone until then, for a part of the time in which the
leaf can be asked for on chain.

Nobody holds up the audit of others: agents of different providers are asked side by side, and those
of one have their time in a look (oracle/services/open_leaves.py); what is left over waits for the
next look as if they had asked for that. Nor does it take up all room for commits that wait.

A provider with less stake than a self-bond has to be is not audited: it has nothing to lose, and a
conviction would be paid for by who files it. Its commits are looked at again, in case it stakes
while they can be asked about.

It accuses nobody of what no signature shows: see docs/security.md, "Accusations wait for people".
"""

import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import httpx
import structlog
from pydantic import Field, TypeAdapter, ValidationError
from web3.contract.contract import ContractFunction

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.filings import Filings, SignedCommit, SignedReport
from oracle.adapters.chain.leaf_requests import LeafRequest, LeafShown
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.signer import Signer
from oracle.api.schemas import CommitView, StatementView
from oracle.domain.attestation import Dims, Opening
from oracle.domain.messages import Commit, Domain, Report
from oracle.domain.recovery import checksum, recover
from oracle.errors import BadInput, Transient
from oracle.services.dispute import (
    COURT,
    FalseEntry,
    TwoEnds,
    chain_of,
    check_roots,
    dims_of,
    find_false_entry,
    find_two_ends,
)
from oracle.services.filing import Conviction, Filer, Finding
from oracle.services.open_leaves import Leaf, LeafOpener, Refusal, Wanted
from oracle.services.request_leaves import PROVIDER_SHARE, Asked, LeafRequester

log = structlog.get_logger()

# the longest answer taken: a page of a public list. Each entry costs a question to the chain
MAX_LIST_BYTES = 16 * 2**20
MAX_LIST = 1_000
_COMMITS = TypeAdapter(Annotated[list[CommitView], Field(max_length=MAX_LIST)])
_STATEMENTS = TypeAdapter(Annotated[list[StatementView], Field(max_length=MAX_LIST)])
# commits with withheld leaves that are asked for again, of everybody and of one provider
MAX_WITHHELD = 1_024
MAX_WITHHELD_EACH = MAX_WITHHELD // PROVIDER_SHARE
# an agent that says it is busy has this part of the time for requests on chain, one in so many
PATIENCE = 3
# commits, chains of products and reports that are remembered, the newest of each
MAX_REMEMBERED = 2**18


@dataclass(frozen=True, slots=True)
class TwoTruths:
    """Two signatures of one member over different payloads for the same report."""

    first: SignedReport
    second: SignedReport

    def proof(self) -> tuple[Any, ...]:
        """The arguments of `prove_equivocation`."""
        report = self.first.report
        return (
            report.config,
            # web3 takes no other spelling
            checksum(bytes.fromhex(report.consumer[2:])),
            report.subject,
            report.round,
            report.payload,
            self.first.signature,
            self.second.report.payload,
            self.second.signature,
        )


@dataclass(slots=True)
class _Audit:
    """A commit whose leaves are opened, and where its agent may be."""

    shown: SignedCommit
    roots: tuple[bytes, ...]
    # source => what it says
    agents: dict[str, str]
    wanted: Wanted


@dataclass(slots=True)
class _Withheld:
    """A commit of which no agent shows a leaf, and in how many looks."""

    shown: SignedCommit
    roots: tuple[bytes, ...]
    # source => where it says that the commit's agent is; its first word counts
    agents: dict[str, str]
    leaf: Leaf
    asks: int = 0
    # on this process's clock: when its agent asked to be asked again
    busy_until: float = 0.0
    # leaves that were shown on chain, each of them checked
    shown_on_chain: int = 0


@dataclass(slots=True)
class Watcher:
    """One watcher over any number of oracles.

    `leaves` is the number of leaves (128 entries each) opened per commit, drawn at random.
    Without a signer it runs dry: it reports what it would file. `gas_cap` is in gas units of one
    transaction, `bond_budget` in base units of the staked token; without one it reports what it
    would ask for. `asks` is how many looks in a row a leaf is withheld before that, at every
    address that a source names for its agent.
    """

    chain: Chain
    sources: Sequence[str]
    backend: Backend[Any, Any]
    signer: Signer | None = None
    leaves: int = 64
    gas_cap: int = 2_000_000
    bond_budget: int | None = None
    asks: int = 12
    requests: LeafRequester = field(init=False)
    opener: LeafOpener = field(default_factory=LeafOpener)
    _filer: Filer = field(init=False)
    _filings: Filings = field(init=False)
    # source => last entry of its list that was read
    _next_commit: dict[str, int] = field(default_factory=dict)
    _next_statement: dict[str, int] = field(default_factory=dict)
    # the same of another reading, for commits that were passed over, and where the next one begins
    _next_again: dict[str, int] = field(default_factory=dict)
    _passed_over: dict[str, int] = field(default_factory=dict)
    # commits that need no audit any more
    _audited: dict[bytes, None] = field(default_factory=dict)
    # chain of products => the commit to an end of it that was seen first
    _ends: dict[bytes, SignedCommit] = field(default_factory=dict)
    # commits whose agent withheld leaves, to be asked again
    _withheld: dict[bytes, _Withheld] = field(default_factory=dict)
    # what a member's report is about => the report of it that was seen first
    _reports: dict[tuple[Any, ...], SignedReport] = field(default_factory=dict)
    # signing key => committee member
    _members: dict[str, str] = field(default_factory=dict)
    # chains of products and members whose contradiction was found
    _contradicted: set[bytes | str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._filings = Filings(self.chain)
        self._filer = Filer(self.chain, self.signer, self.gas_cap)
        self.requests = LeafRequester(self.chain, self._filer, self.bond_budget)

    def close(self) -> None:
        """Close the connections to sources and agents."""
        self.opener.close()

    @property
    def convictions(self) -> list[Conviction]:
        """Every proof of this watcher that was executed."""
        return self._filer.convictions

    @property
    def earned(self) -> int:
        """Base units of the staked token that this watcher was paid."""
        return sum(conviction.reporter_paid for conviction in self.convictions)

    def watch_once(self) -> list[Conviction]:
        """Look at everything published since the last look; returns the new convictions.

        A source that does not answer or talks nonsense is logged and asked again next time, from
        where it stopped; so is the chain.
        """
        before = len(self.convictions)
        self.opener.begin_look()
        self._filer.retry()
        looks: list[tuple[str, Callable[[], None]]] = [
            ("chain", self._look_at_chain),
            ("requests for leaves", self._look_at_requests),
            # before the sources, whose agents are asked for the first time
            ("agents that withheld leaves", self._look_at_withheld),
            *((url, partial(self._look_at, url)) for url in self.sources),
            # after them: one may know where the agent is
            ("leaves to ask for on chain", self._ask_on_chain),
        ]
        for source, look in looks:
            try:
                look()
            except (httpx.HTTPError, ValidationError) as error:
                log.warning("source does not answer properly", source=source, error=str(error))
            except Transient as error:
                log.warning("the chain does not answer", source=source, error=str(error))
        return self.convictions[before:]

    def _look_at(self, source: str) -> None:
        self._read_commits(source, self._next_commit)
        if source in self._next_again and not self._read_commits(source, self._next_again):
            # once more from the first that was passed over since, if any was
            again = self._passed_over.pop(source, None)
            del self._next_again[source]
            if again is not None:
                self._next_again[source] = again
        for statement in self._new_statements(source):
            self._weigh(statement)

    def _look_at_chain(self) -> None:
        for shown in self._filings.look():
            if isinstance(shown, SignedReport):
                self._weigh(shown)
            elif self._is_signed_by_provider(shown):
                self._compare(shown)
                self._tick_off(shown.commit)

    def _look_at_withheld(self) -> None:
        self._forget_withheld()
        audits = {
            commit_hash: self._audit(each.shown, each.roots, each.agents, each.leaf)
            for commit_hash, each in self._withheld.items()
            if time.monotonic() >= each.busy_until
        }
        self.opener.open_all(audit.wanted for audit in audits.values())
        for commit_hash, audit in audits.items():
            if audit.wanted.was_begun:
                # the others of its provider are first next time
                self._withheld[commit_hash] = self._withheld.pop(commit_hash)
            self._conclude(audit)

    def _forget_withheld(self) -> None:
        """Forget commits that are too old to be asked about on chain: they took up room."""
        if not self._withheld:
            return
        oldest = self._oldest()
        for commit_hash, withheld in list(self._withheld.items()):
            if withheld.shown.commit.epoch < oldest:
                log.warning("leaves were never shown", agents=withheld.agents)
                del self._withheld[commit_hash]
                self._tick_off(withheld.shown.commit)

    def _oldest(self) -> int:
        """The first epoch whose commits can be asked about on chain."""
        epochs = self.chain.read("LeafRequests", "REQUEST_EPOCHS")
        return int(self.chain.read("EpochLedger", "current_epoch") - epochs)

    def _ask_on_chain(self) -> None:
        """Have leaves shown on chain that were withheld for long enough, one of a commit at a
        time. Whoever shows all that an audit takes there, at a bond each, has passed it."""
        for commit_hash, withheld in list(self._withheld.items()):
            if withheld.asks < self.asks:
                continue
            answer = self.requests.ask(withheld.shown, withheld.roots, *withheld.leaf)
            if answer is Asked.SHOWN:
                withheld.shown_on_chain += 1
                withheld.leaf, withheld.asks = _draw(dims_of(withheld.shown.commit)), 0
            if answer is Asked.OVER or withheld.shown_on_chain >= self.leaves:
                del self._withheld[commit_hash]
                self._tick_off(withheld.shown.commit)

    def _look_at_requests(self) -> None:
        for found in self.requests.look():
            if isinstance(found, LeafRequest):
                # the contract has checked who signed it
                self._compare(found.shown)
            else:
                self._audit_shown(*found)
        self.requests.execute_due()

    def _audit_shown(self, request: LeafRequest, answer: LeafShown) -> None:
        """Convict the provider if the leaf that was shown on chain is false."""
        _digest, round_index, index = request.place
        try:
            found = find_false_entry(
                self.backend,
                request.shown,
                request.roots,
                round_index,
                index,
                answer.leaf,
                answer.path,
            )
        except BadInput as error:
            log.warning("a leaf of no product", reason=str(error))
            return
        self._convict(found)

    # --- commits of providers ---------------------------------------------------------------

    def _read_commits(self, source: str, read: dict[str, int]) -> bool:
        """Look at the next page of a source's commits; whether there was one."""
        after = read.get(source, 0)
        body = self.opener.fetch(f"{source}/v1/commits", {"after": after}, MAX_LIST_BYTES)
        views = _COMMITS.validate_json(body)
        audits: dict[bytes, _Audit] = {}
        passed_over: list[int] = []
        for view in views:
            commit_hash = view.commit.message().struct_hash()
            if commit_hash in self._audited or commit_hash in audits:
                continue
            shown = self._examine(source, view)
            if shown is None:
                continue
            if self._filer.is_worth(shown.commit.provider):
                roots = tuple(view.commit.roots)
                audits[commit_hash] = self._audit(shown, roots, {source: view.agent_url})
            elif shown.commit.epoch >= self._oldest():
                passed_over.append(view.id)
        self.opener.open_all(audit.wanted for audit in audits.values())
        for view in views:
            audit = audits.pop(view.commit.message().struct_hash(), None)
            if audit is not None and not self._conclude(audit):
                passed_over.append(view.id)
        if passed_over:
            first = min(passed_over) - 1
            first = min(first, self._passed_over.get(source, first))
            self._passed_over[source] = first
            self._next_again.setdefault(source, first)
        if views:
            read[source] = views[-1].id
        return bool(views)

    def _examine(self, source: str, view: CommitView) -> SignedCommit | None:
        """Compare a commit that a source has published with others; it, if it is to be audited."""
        shown = SignedCommit(view.commit.message(), view.commit.signature)
        if not self._is_signed_by_provider(shown):
            return None
        self._compare(shown)
        try:
            dims_of(shown.commit)
            check_roots(shown.commit, view.commit.roots)
        except BadInput as error:
            # its signature does not cover what is wrong: the same commit may be whole elsewhere
            log.warning("not a commit", device=shown.commit.device.hex(), reason=str(error))
            return None
        known = self._withheld.get(shown.commit.struct_hash())
        if known is None:
            return shown
        if source not in known.agents:
            if view.agent_url not in known.agents.values():
                # nobody has looked there yet
                known.asks = 0
            known.agents[source] = view.agent_url
        return None

    def _audit(
        self,
        shown: SignedCommit,
        roots: tuple[bytes, ...],
        agents: dict[str, str],
        first: Leaf | None = None,
    ) -> _Audit:
        """What is to be opened of a commit: the leaf that was withheld before, then random ones."""
        dims = dims_of(shown.commit)
        known = [] if first is None else [first]
        drawn = (_draw(dims) for _ in range(self.leaves - len(known)))
        leaves = itertools.chain(known, drawn)
        urls = list(dict.fromkeys(agents.values()))

        def find(leaf: Leaf, opening: Opening) -> FalseEntry | None:
            return find_false_entry(self.backend, shown, roots, *leaf, opening.leaf, opening.path)

        return _Audit(shown, roots, agents, Wanted(shown.commit, dims, roots, urls, leaves, find))

    def _conclude(self, audit: _Audit) -> bool:
        """Act on what was opened; a commit whose leaves are withheld is audited again.

        False where there is no room to remember that.
        """
        commit_hash = audit.shown.commit.struct_hash()
        refusal = audit.wanted.refusal
        if refusal is not None:
            return self._wait(commit_hash, audit, refusal)
        if audit.wanted.false_entry is None:
            device = audit.shown.commit.device.hex()
            log.info("commit audited", device=device, leaves=audit.wanted.opened)
        self._withheld.pop(commit_hash, None)
        self._convict(audit.wanted.false_entry)
        self._tick_off(audit.shown.commit)
        return True

    def _wait(self, commit_hash: bytes, audit: _Audit, refusal: Refusal) -> bool:
        """Remember that a leaf was not shown; False where there is no room for that."""
        known = self._withheld.get(commit_hash)
        if known is None:
            if not self._has_room(audit.shown.commit.provider):
                log.warning("leaves withheld", agents=audit.agents, reason=str(refusal))
                return False
            known = _Withheld(audit.shown, audit.roots, audit.agents, refusal.leaf)
            self._withheld[commit_hash] = known
        if known.leaf != refusal.leaf and not refusal.is_put_off:
            # the one before was shown
            known.asks = 0
        known.leaf = refusal.leaf
        if refusal.seconds is not None and self._is_patient(audit.shown.commit):
            log.info("agent is busy", agents=audit.agents, reason=str(refusal))
            known.busy_until = time.monotonic() + refusal.seconds
            return True
        log.warning("leaves withheld", agents=audit.agents, reason=str(refusal))
        known.asks += 1
        return True

    def _has_room(self, provider: int) -> bool:
        """Whether one more commit of a provider can wait for its leaves."""
        waiting = [withheld.shown.commit.provider for withheld in self._withheld.values()]
        return len(waiting) < MAX_WITHHELD and waiting.count(provider) < MAX_WITHHELD_EACH

    def _is_patient(self, commit: Commit) -> bool:
        """Whether enough of the time is left in which its leaves can be asked for on chain."""
        epochs = self.chain.read("LeafRequests", "REQUEST_EPOCHS") // PATIENCE
        return bool(self.chain.read("EpochLedger", "current_epoch") <= commit.epoch + epochs)

    def _tick_off(self, commit: Commit) -> None:
        self._audited[commit.struct_hash()] = None
        _forget_oldest(self._audited)

    def _is_signed_by_provider(self, shown: SignedCommit) -> bool:
        """Whether it is signed for this chain, by a key that the provider ever named."""
        commit = shown.commit
        try:
            operator = recover(commit.digest(self._domain("DeviceRegistry")), shown.signature)
        except BadInput as error:
            log.warning("not a commit", device=commit.device.hex(), reason=str(error))
            return False
        provider = self.chain.read("ProviderRegistry", "provider_of_operator", operator)
        if provider == 0 or provider != commit.provider:
            log.warning("commit by a stranger", device=commit.device.hex(), signer=operator)
            return False
        return True

    def _domain(self, contract: str) -> Domain:
        return Domain(self.chain.chain_id, self.chain.deployment.address(contract))

    def _compare(self, shown: SignedCommit) -> None:
        """Convict the provider if it has signed another end of the same chain of products."""
        chain = chain_of(shown.commit)
        known = self._ends.setdefault(chain, shown)
        _forget_oldest(self._ends)
        contradiction = find_two_ends(known, shown)
        if contradiction is None or chain in self._contradicted:
            return
        if self._convict(contradiction):
            self._contradicted.add(chain)

    def _convict(self, found: FalseEntry | TwoEnds | None) -> bool:
        """File what was found, if anything was; False where that is not worth it."""
        if found is None:
            return True
        provider = found.shown.commit.provider
        if not self._filer.is_worth(provider):
            return False
        log.info(found.kind, provider=provider, device=found.shown.commit.device.hex())

        def call() -> ContractFunction:
            convict = self.chain.contract(COURT).functions[found.function]
            return convict(*found.proof(), self._filer.victim_job(provider))

        outcome = COURT, "Convicted"
        self._filer.file(Finding(found.kind, f"provider {provider}", call, outcome))
        return True

    # --- reports of committee members -------------------------------------------------------

    def _new_statements(self, source: str) -> Iterator[SignedReport]:
        after = self._next_statement.get(source, 0)
        body = self.opener.fetch(f"{source}/v1/statements", {"after": after}, MAX_LIST_BYTES)
        for view in _STATEMENTS.validate_json(body):
            report = Report(view.config, view.consumer, view.subject, view.round, view.payload)
            yield SignedReport(report, view.signature)
            self._next_statement[source] = view.id

    def _weigh(self, shown: SignedReport) -> None:
        """Convict the member that signed it if it has signed another truth."""
        report = shown.report
        try:
            signer = recover(report.digest(self._domain("OracleCommittee")), shown.signature)
        except BadInput as error:
            log.warning("not a statement", reason=str(error))
            return
        member = self._member_of(signer)
        if member is None:
            log.warning("statement by a stranger", signer=signer)
            return
        about = (report.config, report.consumer.lower(), report.subject, report.round, member)
        known = self._reports.setdefault(about, shown)
        _forget_oldest(self._reports)
        if known.report.payload == report.payload or member in self._contradicted:
            return
        self._contradicted.add(member)
        log.info("two truths", member=member, consumer=report.consumer, round=report.round)
        proof = TwoTruths(known, shown).proof()
        prove = self.chain.contract("OracleCommittee").functions.prove_equivocation
        call = partial(prove, *proof)
        outcome = "OracleCommittee", "Equivocated"
        self._filer.file(Finding("equivocation", member, call, outcome))

    def _member_of(self, key: str) -> str | None:
        """The member that a signing key is bound to, for ever; None for nobody's key."""
        if key not in self._members:
            member = str(self.chain.read("OracleCommittee", "bound_to", key))
            if int(member, 16) == 0:
                return None
            self._members[key] = member
        return self._members[key]


def _draw(dims: Dims) -> Leaf:
    """A leaf that nobody could foresee: (round, number)."""
    return secrets.randbelow(dims.rounds), secrets.randbelow(dims.leaves)


def _forget_oldest(remembered: dict[Any, Any]) -> None:
    if len(remembered) > MAX_REMEMBERED:
        del remembered[next(iter(remembered))]
