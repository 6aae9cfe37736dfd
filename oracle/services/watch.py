"""The watcher: recompute what others signed, convict what is false, collect the bounty.

It trusts nobody. Oracles are asked only for what they published, signed commits and signed
reports; the chain for those that were shown to its contracts. Leaves come from the provider's own
agent. A false entry under a signed commit goes to `SlashingCourt.convict_attestation`, two commits
to different ends of one chain of products to `convict_equivocation`, two signatures of one member
on two truths to `OracleCommittee.prove_equivocation`; each is sent only if it takes less gas than
the cap.

It accuses nobody of what no signature shows: see docs/security.md, "Accusations wait for people".
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import structlog
from pydantic import TypeAdapter, ValidationError
from web3.contract.contract import ContractFunction
from web3.exceptions import Web3Exception

from oracle.adapters.chain.client import Chain, explained
from oracle.adapters.chain.filings import Filings, SignedCommit, SignedReport
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.signer import Signer
from oracle.api.schemas import CommitView, LeafView, StatementView
from oracle.domain.attestation import Dims, Opening, Query, chain_seeds
from oracle.domain.messages import Commit, Domain, Report
from oracle.domain.receipts import JobStatus
from oracle.domain.recovery import checksum, recover
from oracle.errors import BadInput, ClearworkError, Transient
from oracle.services.verify import audit_leaf, in_tree

log = structlog.get_logger()

_COMMITS = TypeAdapter(list[CommitView])
_STATEMENTS = TypeAdapter(list[StatementView])
# seconds without a byte, and for a whole answer
HTTP_TIMEOUT = 10.0
FETCH_SECONDS = 30.0
# the longest answers taken: a page of a public list, one leaf with its path
MAX_LIST_BYTES = 16 * 2**20
MAX_LEAF_BYTES = 2**14
# jobs looked at when a victim is sought, newest first
MAX_VICTIM_CANDIDATES = 256
# commits with withheld leaves that are asked for again
MAX_WITHHELD = 1_024
# times that a proof is sent to a chain that does not answer
MAX_ATTEMPTS = 10
# commits, chains of products and reports that are remembered, the newest of each
MAX_REMEMBERED = 2**18


@dataclass(frozen=True, slots=True)
class FalseEntry:
    """A signed commit with an entry that is not the product: everything the court asks for."""

    view: CommitView
    round_index: int
    i: int
    j: int
    leaf: bytes
    path: tuple[bytes, ...]

    def proof(self) -> dict[str, Any]:
        """The `AttestationProof` struct of ISlashingCourt, keyed by its ABI names."""
        body = self.view.commit
        commit = body.model_dump(exclude={"roots", "signature"})
        return {
            "commit": commit,
            "signature": body.signature,
            "roots": body.roots,
            "round_index": self.round_index,
            "i": self.i,
            "j": self.j,
            "leaf": self.leaf,
            "path": self.path,
        }


@dataclass(frozen=True, slots=True)
class TwoEnds:
    """Two signed ends of one chain of products: one of them is a lie, whichever it is."""

    first: SignedCommit
    second: SignedCommit

    def proof(self) -> tuple[Any, ...]:
        """The first arguments of `convict_equivocation`."""
        first, second = self.first, self.second
        return asdict(first.commit), first.signature, asdict(second.commit), second.signature


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


@dataclass(frozen=True, slots=True)
class Conviction:
    """A proof that was executed; amounts in base units of the staked token."""

    kind: str
    offender: str
    slashed: int
    victim_paid: int
    reporter_paid: int
    burnt: int
    # base units of the victim job's asset returned from its deposit
    refunded: int
    gas: int
    transaction: str


@dataclass(slots=True)
class _Finding:
    """A proof to file. `call` is made anew for every attempt: the victim's job may have ended."""

    kind: str
    offender: str
    call: Callable[[], ContractFunction]
    # contract and event that say what it cost
    outcome: tuple[str, str]
    attempts: int = 0


class _WithheldError(Exception):
    """The agent did not show a leaf it committed to."""


@dataclass(slots=True)
class Watcher:
    """One watcher over any number of oracles.

    `leaves` is the number of leaves (128 entries each) opened per commit, drawn at random.
    Without a signer it runs dry: it reports what it would file. `gas_cap` is in gas units.
    """

    chain: Chain
    sources: Sequence[str]
    backend: Backend[Any, Any]
    signer: Signer | None = None
    leaves: int = 64
    gas_cap: int = 2_000_000
    convictions: list[Conviction] = field(default_factory=list)
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=HTTP_TIMEOUT))
    _filings: Filings = field(init=False)
    _next_commit: dict[str, int] = field(default_factory=dict)
    _next_statement: dict[str, int] = field(default_factory=dict)
    # commits that need no audit any more
    _audited: dict[bytes, None] = field(default_factory=dict)
    # chain of products => the commit to an end of it that was seen first
    _ends: dict[bytes, SignedCommit] = field(default_factory=dict)
    # commits whose agent withheld leaves, to be asked again
    _withheld: dict[bytes, CommitView] = field(default_factory=dict)
    # what a member's report is about => the report of it that was seen first
    _reports: dict[tuple[Any, ...], SignedReport] = field(default_factory=dict)
    # signing key => committee member
    _members: dict[str, str] = field(default_factory=dict)
    # chains of products and members whose contradiction was found
    _contradicted: set[bytes | str] = field(default_factory=set)
    # what the chain did not take because it did not answer
    _unfiled: list[_Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._filings = Filings(self.chain)

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
        unfiled, self._unfiled = self._unfiled, []
        for finding in unfiled:
            self._file(finding)
        looks: list[tuple[str, Callable[[], None]]] = [
            ("chain", self._look_at_chain),
            *((url, partial(self._look_at, url)) for url in self.sources),
            ("agents that withheld leaves", self._look_at_withheld),
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
        for view in self._new_commits(source):
            self._examine(view)
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
        for view in list(self._withheld.values()):
            self._examine(view)

    # --- commits of providers ---------------------------------------------------------------

    def _new_commits(self, source: str) -> Iterator[CommitView]:
        after = self._next_commit.get(source, 0)
        body = self._fetch(f"{source}/v1/commits", {"after": after}, MAX_LIST_BYTES)
        for view in _COMMITS.validate_json(body):
            if view.commit.message().struct_hash() not in self._audited:
                yield view
            self._next_commit[source] = view.id

    def _examine(self, view: CommitView) -> None:
        """Audit a commit and act on it; one whose leaves are withheld is examined again."""
        shown = SignedCommit(view.commit.message(), view.commit.signature)
        if not self._is_signed_by_provider(shown):
            return
        self._compare(shown)
        commit_hash = shown.commit.struct_hash()
        try:
            false_entry = self._audit(view)
        except _WithheldError as error:
            log.warning("leaves withheld", agent=view.agent_url, reason=str(error))
            if len(self._withheld) < MAX_WITHHELD:
                self._withheld[commit_hash] = view
        except BadInput as error:
            # its signature does not cover what is wrong: the same commit may be whole elsewhere
            log.warning("not a commit", device=shown.commit.device.hex(), reason=str(error))
            return
        else:
            self._withheld.pop(commit_hash, None)
            if false_entry is not None:
                self._convict_false(false_entry)
        self._tick_off(shown.commit)

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
        provider = shown.commit.provider
        # everything but the end, which follows from the rest
        chain = replace(shown.commit, final_seed=bytes(32)).struct_hash()
        known = self._ends.setdefault(chain, shown)
        _forget_oldest(self._ends)
        if known.commit == shown.commit or chain in self._contradicted:
            return
        log.info("two ends of one chain", provider=provider, device=shown.commit.device.hex())
        proof = TwoEnds(known, shown).proof()
        self._convict("convict_equivocation", "equivocation", provider, *proof)
        self._contradicted.add(chain)

    def _audit(self, view: CommitView) -> FalseEntry | None:
        """Open random leaves of a commit until one is false; None if all were true.

        Raises `BadInput` where dimensions or roots are none that the commit could have, and
        `_WithheldError` where the agent does not show a committed leaf.
        """
        commit, roots = view.commit.message(), view.commit.roots
        dims = Dims(commit.m, commit.n, commit.k, commit.rounds)
        if len(roots) != dims.rounds or chain_seeds(commit.seed, roots)[-1] != commit.final_seed:
            raise BadInput("roots of somebody else", "Ask another oracle.")

        for _ in range(self.leaves):
            round_index = secrets.randbelow(dims.rounds)
            index = secrets.randbelow(dims.leaves)
            opening = self._open(view.agent_url, commit.struct_hash(), dims, round_index, index)
            if not in_tree(dims, roots, opening):
                raise _WithheldError(f"leaf {index} of round {round_index} is not committed")
            wrong = audit_leaf(
                self.backend, dims, commit.seed, roots, round_index, index, opening.leaf
            )
            if wrong:
                log.info("false entry", device=commit.device.hex(), query=wrong[0])
                return FalseEntry(
                    view, round_index, wrong[0].i, wrong[0].j, opening.leaf, opening.path
                )
        log.info("commit audited", device=commit.device.hex(), leaves=self.leaves)
        return None

    def _open(
        self, agent_url: str, commit_hash: bytes, dims: Dims, round_index: int, index: int
    ) -> Opening:
        try:
            body = self._fetch(
                f"{agent_url}/v1/commits/0x{commit_hash.hex()}/openings",
                {"round": round_index, "index": index},
                MAX_LEAF_BYTES,
            )
            view = LeafView.model_validate_json(body)
        except (httpx.HTTPError, httpx.InvalidURL, ValidationError) as error:
            raise _WithheldError(f"leaf {index} of round {round_index}: {error}") from error
        query = Query(round_index, *dims.entry_of(index, 0))
        return Opening(query, view.leaf, tuple(view.path))

    def _fetch(self, url: str, parameters: dict[str, int], limit: int) -> bytes:
        """GET at most `limit` bytes within `FETCH_SECONDS`: the other side may be hostile.

        Raises `httpx.HTTPError` for every way this can fail.
        """
        deadline = time.monotonic() + FETCH_SECONDS
        body = bytearray()
        with self._http.stream("GET", url, params=parameters) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > limit or time.monotonic() > deadline:
                    raise httpx.HTTPError(f"{url} sends too much or too slowly")
        return bytes(body)

    def _convict_false(self, found: FalseEntry) -> None:
        provider = found.view.commit.provider
        self._convict("convict_attestation", "false_attestation", provider, found.proof())

    def _convict(self, function: str, kind: str, provider: int, *proof: Any) -> None:
        def call() -> ContractFunction:
            court = self.chain.contract("SlashingCourt").functions[function]
            return court(*proof, self._victim_job(provider))

        outcome = "SlashingCourt", "Convicted"
        self._file(_Finding(kind, f"provider {provider}", call, outcome))

    def _victim_job(self, provider: int) -> int:
        """The live job of a provider with the largest collateral; 0 if it has none.

        Its customer is the one paid first.
        """
        opened = list(self.chain.logs("JobRegistry", "JobOpened", provider=provider))
        best, most = 0, -1
        for event in opened[-MAX_VICTIM_CANDIDATES:]:
            job = self.chain.read("JobRegistry", "job_info", event.args.job)
            live = job.status in (JobStatus.ACCEPTED, JobStatus.RUNNING)
            if live and job.collateral > most:
                best, most = event.args.job, job.collateral
        return best

    # --- reports of committee members -------------------------------------------------------

    def _new_statements(self, source: str) -> Iterator[SignedReport]:
        after = self._next_statement.get(source, 0)
        body = self._fetch(f"{source}/v1/statements", {"after": after}, MAX_LIST_BYTES)
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
        self._file(_Finding("equivocation", member, call, ("OracleCommittee", "Equivocated")))

    def _member_of(self, key: str) -> str | None:
        """The member that a signing key is bound to, for ever; None for nobody's key."""
        if key not in self._members:
            member = str(self.chain.read("OracleCommittee", "bound_to", key))
            if int(member, 16) == 0:
                return None
            self._members[key] = member
        return self._members[key]

    # --- filing -----------------------------------------------------------------------------

    def _file(self, finding: _Finding) -> None:
        """Send a proof, unless there is no key, it is too dear or the chain refuses it."""
        kind, offender = finding.kind, finding.offender
        if self.signer is None:
            log.warning("found, not filed: no key", kind=kind, offender=offender)
            return
        try:
            call = finding.call()
            with explained(self.signer.address):
                sender = self.chain.w3.to_checksum_address(self.signer.address)
                gas = call.estimate_gas({"from": sender})
            if gas > self.gas_cap:
                log.warning("found, not filed: over the gas cap", kind=kind, gas=gas)
                return
            receipt = self.chain.transact(self.signer, call)
        except Transient as error:
            finding.attempts += 1
            log.warning("found, not filed yet", kind=kind, reason=str(error))
            if finding.attempts < MAX_ATTEMPTS:
                self._unfiled.append(finding)
            return
        except (ClearworkError, Web3Exception) as error:
            log.warning("the chain refused the proof", kind=kind, reason=str(error))
            return
        cost = self.chain.event(receipt, *finding.outcome)
        # a member's bond has no victim
        conviction = Conviction(
            kind=kind,
            offender=offender,
            slashed=cost.slashed,
            victim_paid=cost.get("victim_amount", 0),
            reporter_paid=cost.reporter_amount,
            burnt=cost.burnt,
            refunded=cost.get("refunded", 0),
            gas=receipt.gasUsed,
            transaction=receipt.transactionHash.to_0x_hex(),
        )
        self.convictions.append(conviction)
        log.info("convicted", kind=kind, offender=offender, earned=conviction.reporter_paid)


def _forget_oldest(remembered: dict[Any, Any]) -> None:
    if len(remembered) > MAX_REMEMBERED:
        del remembered[next(iter(remembered))]
