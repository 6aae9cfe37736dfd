"""The watcher: recompute what others signed, convict what is false, collect the bounty.

It trusts nobody. Oracles are asked only for what they published: signed commits and signed
reports. Leaves come from the provider's own agent. A false entry under a signed commit goes
to `SlashingCourt.convict_attestation`, two signatures of one member on two truths go to
`OracleCommittee.prove_equivocation`; each is sent only if it pays less gas than the cap.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog
from pydantic import TypeAdapter, ValidationError
from web3.exceptions import Web3Exception

from oracle.adapters.chain.client import Chain
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.signer import Signer
from oracle.api.schemas import CommitView, LeafView, StatementView
from oracle.domain.attestation import Dims, Opening, Query, chain_seeds
from oracle.domain.messages import Domain, Report
from oracle.domain.receipts import JobStatus
from oracle.domain.recovery import recover
from oracle.errors import BadInput, ClearworkError
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
class TwoTruths:
    """Two signatures of one key over different payloads for the same report."""

    first: StatementView
    second: StatementView


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
    _next_commit: dict[str, int] = field(default_factory=dict)
    _next_statement: dict[str, int] = field(default_factory=dict)
    _seen_commits: set[bytes] = field(default_factory=set)
    # commits whose agent withheld leaves, to be asked again
    _withheld: dict[bytes, CommitView] = field(default_factory=dict)
    _statements: dict[tuple[bytes, str, bytes, int, str], StatementView] = field(
        default_factory=dict
    )
    _convicted_members: set[str] = field(default_factory=set)

    def watch_once(self) -> list[Conviction]:
        """Look at everything published since the last look; returns the new convictions.

        A source that does not answer or talks nonsense is logged and asked again next time.
        """
        before = len(self.convictions)
        for source in self.sources:
            try:
                for view in self._new_commits(source):
                    self._examine(view)
                for two_truths in self._equivocations(source):
                    self._convict_member(two_truths)
            except (httpx.HTTPError, ValidationError) as error:
                log.warning("source does not answer properly", source=source, error=str(error))
        for view in list(self._withheld.values()):
            self._examine(view)
        return self.convictions[before:]

    # --- false attestations ---------------------------------------------------------------

    def _new_commits(self, source: str) -> Iterator[CommitView]:
        after = self._next_commit.get(source, 0)
        body = self._fetch(f"{source}/v1/commits", {"after": after}, MAX_LIST_BYTES)
        for view in _COMMITS.validate_json(body):
            if view.commit.message().struct_hash() not in self._seen_commits:
                yield view
            self._next_commit[source] = view.id

    def _examine(self, view: CommitView) -> None:
        """Audit a commit and act on it; one whose leaves are withheld is examined again."""
        commit_hash = view.commit.message().struct_hash()
        self._seen_commits.add(commit_hash)
        self._withheld.pop(commit_hash, None)
        try:
            false_entry = self._audit(view)
        except _WithheldError as error:
            log.warning("leaves withheld", agent=view.agent_url, reason=str(error))
            if len(self._withheld) < MAX_WITHHELD:
                self._withheld[commit_hash] = view
            return
        if false_entry is not None:
            self._convict_provider(false_entry)

    def _audit(self, view: CommitView) -> FalseEntry | None:
        """Open random leaves of a commit until one is false; None if all were true.

        Raises `_WithheldError` where the agent does not show a committed leaf.
        """
        commit = view.commit.message()
        device = commit.device.hex()
        registry = Domain(self.chain.chain_id, self.chain.deployment.address("DeviceRegistry"))
        try:
            operator = recover(commit.digest(registry), view.commit.signature)
            dims = Dims(commit.m, commit.n, commit.k, commit.rounds)
        except BadInput as error:
            log.warning("not a commit", device=device, reason=str(error))
            return None
        if self.chain.read("ProviderRegistry", "provider_of_operator", operator) != commit.provider:
            log.warning("commit by a stranger", device=device, signer=operator)
            return None
        roots = view.commit.roots
        if len(roots) != dims.rounds or chain_seeds(commit.seed, roots)[-1] != commit.final_seed:
            log.warning("roots of somebody else", device=device)
            return None

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
                log.info("false entry", device=device, query=wrong[0])
                return FalseEntry(
                    view, round_index, wrong[0].i, wrong[0].j, opening.leaf, opening.path
                )
        log.info("commit audited", device=device, leaves=self.leaves)
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

    def _convict_provider(self, found: FalseEntry) -> None:
        provider = found.view.commit.provider
        job = self._victim_job(provider)
        court = self.chain.contract("SlashingCourt")
        call = court.functions.convict_attestation(found.proof(), job)
        receipt = self._file("false attestation", f"provider {provider}", call)
        if receipt is None:
            return
        event = self.chain.event(receipt, "SlashingCourt", "Convicted")
        self._record(
            Conviction(
                kind="false_attestation",
                offender=f"provider {provider}",
                slashed=event.slashed,
                victim_paid=event.victim_amount,
                reporter_paid=event.reporter_amount,
                burnt=event.burnt,
                refunded=event.refunded,
                gas=receipt.gasUsed,
                transaction=receipt.transactionHash.to_0x_hex(),
            )
        )

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

    # --- equivocation -----------------------------------------------------------------------

    def _equivocations(self, source: str) -> Iterator[TwoTruths]:
        after = self._next_statement.get(source, 0)
        body = self._fetch(f"{source}/v1/statements", {"after": after}, MAX_LIST_BYTES)
        committee = Domain(self.chain.chain_id, self.chain.deployment.address("OracleCommittee"))
        for view in _STATEMENTS.validate_json(body):
            self._next_statement[source] = view.id
            report = Report(view.config, view.consumer, view.subject, view.round, view.payload)
            try:
                signer = recover(report.digest(committee), view.signature)
            except BadInput as error:
                log.warning("not a statement", source=source, reason=str(error))
                continue
            key = (view.config, view.consumer.lower(), view.subject, view.round, signer)
            first = self._statements.setdefault(key, view)
            if first.payload != view.payload and signer not in self._convicted_members:
                yield TwoTruths(first, view)
                self._convicted_members.add(signer)

    def _convict_member(self, found: TwoTruths) -> None:
        first, second = found.first, found.second
        committee = self.chain.contract("OracleCommittee")
        call = committee.functions.prove_equivocation(
            first.config,
            first.consumer,
            first.subject,
            first.round,
            first.payload,
            first.signature,
            second.payload,
            second.signature,
        )
        receipt = self._file("equivocation", first.oracle, call)
        if receipt is None:
            return
        event = self.chain.event(receipt, "OracleCommittee", "Equivocated")
        self._record(
            Conviction(
                kind="equivocation",
                offender=event.member,
                slashed=event.slashed,
                victim_paid=0,
                reporter_paid=event.reporter_amount,
                burnt=event.burnt,
                refunded=0,
                gas=receipt.gasUsed,
                transaction=receipt.transactionHash.to_0x_hex(),
            )
        )

    # --- filing -----------------------------------------------------------------------------

    def _file(self, kind: str, offender: str, call: Any) -> Any:
        """Send a proof and return its receipt; None if dry, too dear or refused by the chain."""
        if self.signer is None:
            log.warning("found, not filed: no key", kind=kind, offender=offender)
            return None
        try:
            gas = call.estimate_gas({"from": self.signer.address})
            if gas > self.gas_cap:
                log.warning("found, not filed: over the gas cap", kind=kind, gas=gas)
                return None
            return self.chain.transact(self.signer, call)
        except (ClearworkError, Web3Exception) as error:
            log.warning("the chain refused the proof", kind=kind, reason=str(error))
            return None

    def _record(self, conviction: Conviction) -> None:
        self.convictions.append(conviction)
        log.info("convicted", kind=conviction.kind, offender=conviction.offender)
