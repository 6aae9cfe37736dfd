"""The prover's side of the attestation protocol, for one device and any number of oracles.

Each challenge is computed and signed once, whoever asks first. Nothing is signed for a seed that
is not the chain's own, and nothing is opened for an oracle that breaks its own word: what it
signed is kept as evidence.
"""

import asyncio
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from oracle.adapters.chain.client import Chain
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.gpu.device import Device
from oracle.adapters.oracle_client import OracleClient
from oracle.adapters.signer import Signer
from oracle.adapters.store.agent_state import AgentState
from oracle.api.schemas import (
    AckView,
    ChallengeView,
    CommitBody,
    ContradictionView,
    EvidenceBody,
    LaneBody,
    LanesBody,
    LeafView,
    OpeningBody,
    OpeningsBody,
    VerdictView,
    WalkBody,
)
from oracle.domain.attestation import (
    Shape,
    WalkDims,
    answer_hash,
    draw_queries,
    seed_zero,
    shape_numbers,
    shape_of,
    walk,
)
from oracle.domain.attestation.challenge import KEEP_EPOCHS
from oracle.domain.attestation.plan import LANE_BYTES, OPERATIONS_PER_HASH
from oracle.domain.attestation.rate import MAX_QUERIES
from oracle.domain.evidence import Evidence
from oracle.domain.hashing import keccak
from oracle.domain.market import NOBODY
from oracle.domain.messages import Ack, Challenge, Commit, Domain, Message, Open, Query, WalkCommit
from oracle.domain.records import NO_EVIDENCE
from oracle.domain.recovery import recover
from oracle.errors import BadInput, Conflict, NotFound, Transient, Unauthorized
from oracle.services.chains import Chains
from oracle.services.dispute import chain_of
from oracle.services.prove import Proof, WalkProof, memory_needed, prove, prove_walk

log = structlog.get_logger()

_BEACON_UNKNOWN = bytes(32)


class Contradiction(Conflict):
    """An oracle has signed two things that exclude each other; both are kept as evidence."""


@dataclass(frozen=True, slots=True)
class Limits:
    """More work than this is refused: operations of a challenge, and bytes of memory."""

    operations: int
    memory: int


@dataclass(frozen=True, slots=True)
class _Signed:
    """A challenge that was computed and signed."""

    commit: Commit | WalkCommit
    body: CommitBody | WalkBody
    proof: Proof | WalkProof


class Prover:
    """Answers challenges. Safe to use from several tasks of one loop; leaves are opened from any
    thread."""

    def __init__(
        self,
        provider: int,
        device: bytes,
        backend: Backend[Any, Any],
        signer: Signer,
        chain: Chain,
        state: AgentState,
        limits: Limits,
        card: Device | None = None,
    ) -> None:
        """`card` proves its identity with every answer; None for a device that can't."""
        self._provider = provider
        self._device = device
        self._chains = Chains(backend)
        self._signer = signer
        self._chain = chain
        self._state = state
        self._limits = limits
        self._card = card
        self._registry = Domain(chain.chain_id, chain.deployment.address("DeviceRegistry"))
        self._computing = asyncio.Lock()
        self._work: dict[tuple[int, bytes, Shape], asyncio.Task[_Signed]] = {}
        self._asking = threading.Lock()

    async def answer(self, oracle: OracleClient, view: ChallengeView) -> VerdictView | None:
        """Commit to a challenge and open what the oracle's secret draws; its verdict.

        None before the epoch's beacon is on chain. Raises `BadInput` for a challenge that no
        member signed, is not the chain's or asks for too much, `Contradiction` for an oracle that
        breaks its word, `Conflict` where the commit is not taken or another end of its chain is
        signed, `NoEvidence` for a card that can't prove its identity any more, `Transient` where
        the device fails, and what the network brings.
        """
        seed = await self._seed(view.epoch)
        if seed is None:
            return None
        challenge = view.message(self._provider, self._device)
        shape = self._check_challenge(challenge, seed)
        await asyncio.to_thread(self._check_member, challenge, view.signature, view.oracle)
        self._check_first(oracle.url, view, challenge)
        signed = await self._work_on(view.epoch, seed, shape)
        ack = await oracle.commit(signed.body)
        name = signed.commit.struct_hash()
        await asyncio.to_thread(self._check_ack, oracle.url, view, name, ack)
        # after the commit, because the card takes its time
        evidence = await asyncio.to_thread(self._evidence, view.epoch, seed)
        answer = await asyncio.to_thread(
            self._chains.compute, partial(self._open, challenge, signed, ack.secret, evidence)
        )
        return await oracle.open(answer)

    def open_leaf(self, commit: bytes, round_index: int, index: int) -> LeafView:
        """One leaf of a signed commit, for anybody.

        What is no longer in memory is computed again, so often an hour. Raises `NotFound` for a
        commit or leaf that is none, `Busy` where the device has something else to do.
        """
        return self._leaf(commit, round_index, index, free=True)

    def owed_leaf(self, commit: bytes, round_index: int, index: int) -> LeafView:
        """The same for who has asked on chain: as often as that happens, before strangers."""
        return self._leaf(commit, round_index, index, free=False)

    def lost_leaf(self, commit: Commit, round_index: int, index: int) -> LeafView:
        """The same where the commit itself is kept no more."""
        return self._shown(self._chains.again(commit, free=False), round_index, index, free=False)

    # --- what is signed for -------------------------------------------------------------------

    async def _seed(self, epoch: int) -> bytes | None:
        """First seed of this device in an epoch; None before the epoch has a beacon."""
        beacon = bytes(await asyncio.to_thread(self._chain.read, "EpochLedger", "beacon", epoch))
        if beacon == _BEACON_UNKNOWN:
            return None
        return seed_zero(
            beacon,
            self._chain.chain_id,
            self._registry.verifying_contract,
            self._provider,
            self._device,
            epoch,
        )

    def _check_challenge(self, challenge: Challenge, seed: bytes) -> Shape:
        """Refuse a seed that is not the chain's own, or more work than this device takes on.

        So no oracle can have a commit signed that counts elsewhere.
        """
        if challenge.seed != seed:
            raise BadInput(
                f"the challenge of epoch {challenge.epoch} is not drawn from the chain's beacon",
                "nothing is signed for it; check that agent and oracle use one deployment",
            )
        shape = shape_of(challenge.mode, (challenge.m, challenge.n, challenge.k, challenge.rounds))
        operations, memory = _cost(shape)
        if operations > self._limits.operations or memory > self._limits.memory:
            raise BadInput(
                f"{shape} is more than this device takes on",
                "raise --max-operations or --memory-mb, or ask the oracle why so much",
            )
        if not 1 <= challenge.queries <= MAX_QUERIES:
            raise BadInput(
                f"the oracle would open {challenge.queries} entries", "ask the oracle's operator"
            )
        return shape

    def _check_member(self, message: Message, signature: bytes | None, oracle: str | None) -> None:
        """Whether the committee's member `oracle` has signed a message."""
        key = recover(message.digest(self._registry), signature or b"")
        member = str(self._chain.read("OracleCommittee", "member_of_key", key))
        if member in (NOBODY, "") or member != oracle:
            raise Unauthorized(
                f"{key} does not sign for the committee member {oracle}",
                "nothing is signed for it; check the URL, or wait for its next challenge if the "
                "member has just changed its key",
            )

    def _check_first(self, url: str, view: ChallengeView, challenge: Challenge) -> None:
        """Refuse a challenge that is not the first that this oracle signed for its seed."""
        shown = view.model_copy(update={"state": "open", "remaining_ms": None})
        kept = self._state.first_challenge(
            url, challenge.seed, view.epoch, shown.model_dump_json(), KEEP_EPOCHS
        )
        first = ChallengeView.model_validate_json(kept)
        if first.message(self._provider, self._device) != challenge:
            raise self._contradiction(
                url, "it has signed two challenges for one device and epoch", first, second=shown
            )

    def _check_ack(self, url: str, view: ChallengeView, commit: bytes, ack: AckView) -> None:
        """Refuse an answer that is not a signed receipt for this commit, and a secret that is not
        the one the challenge promised."""
        if ack.commit != commit:
            raise Transient(
                "the oracle acknowledges another commit", "ask the oracle's operator what it runs"
            )
        self._check_member(Ack(commit, ack.elapsed_ms), ack.ack_signature, view.oracle)
        self._check_member(Query(commit, ack.secret), ack.query_signature, view.oracle)
        if keccak(ack.secret) != view.secret_hash:
            shown = view.model_copy(update={"state": "open", "remaining_ms": None})
            raise self._contradiction(
                url, "it has changed its secret after the commit", shown, ack=ack
            )

    def _contradiction(
        self,
        url: str,
        reason: str,
        challenge: ChallengeView,
        second: ChallengeView | None = None,
        ack: AckView | None = None,
    ) -> Contradiction:
        evidence = ContradictionView(
            oracle=url,
            epoch=challenge.epoch,
            reason=reason,
            challenge=challenge,
            second=second,
            ack=ack,
        )
        self._state.keep_evidence(url, challenge.epoch, evidence.model_dump_json())
        log.error("oracle broke its word", oracle=url, epoch=challenge.epoch, reason=reason)
        return Contradiction(
            f"{url}: {reason}",
            "nothing is opened for it in this epoch; GET /v1/evidence of this agent has the proof",
        )

    # --- the work -----------------------------------------------------------------------------

    async def _work_on(self, epoch: int, seed: bytes, shape: Shape) -> _Signed:
        """The signed commit of an epoch, computed once however many oracles ask for it."""
        key = (epoch, seed, shape)
        if key not in self._work:
            for old in [known for known in self._work if known[0] < epoch]:
                del self._work[old]
            task = asyncio.create_task(self._compute(epoch, seed, shape))
            task.add_done_callback(partial(self._forget_failure, key))
            self._work[key] = task
        return await asyncio.shield(self._work[key])

    def _forget_failure(self, key: tuple[int, bytes, Shape], task: asyncio.Task[_Signed]) -> None:
        """Let what failed be tried again."""
        if task.cancelled() or task.exception() is not None:
            self._work.pop(key, None)

    async def _compute(self, epoch: int, seed: bytes, shape: Shape) -> _Signed:
        async with self._computing:
            started = time.monotonic()
            if isinstance(shape, WalkDims):
                walking = partial(prove_walk, self._chains.backend, seed, seed, shape)
                walked = await asyncio.to_thread(self._chains.compute, walking)
                signed = self._sign_walk(epoch, walked)
            else:
                proving = partial(prove, self._chains.backend, seed, shape)
                proof = await asyncio.to_thread(self._chains.compute, proving)
                signed = self._sign_chain(epoch, proof)
            log.info("computed", epoch=epoch, seconds=round(time.monotonic() - started, 3))
        return signed

    def _sign_chain(self, epoch: int, proof: Proof) -> _Signed:
        numbers = shape_numbers(proof.dims)
        commit = Commit(self._provider, self._device, epoch, proof.seed, *numbers, proof.final_seed)
        self._check_only_end(commit)
        body = CommitBody.of(commit, proof.roots, self._sign(commit))
        name = commit.struct_hash()
        self._state.save_commit(name, epoch, body.model_dump_json(), KEEP_EPOCHS)
        self._chains.keep(name, proof)
        return _Signed(commit, body, proof)

    def _check_only_end(self, commit: Commit) -> None:
        """Refuse to sign a second end of a chain: two of them jail for ever, whichever is right."""
        for text in self._state.commits_of(commit.epoch):
            signed = CommitBody.model_validate_json(text).message()
            if signed != commit and chain_of(signed) == chain_of(commit):
                log.error("the device computes one chain to two ends", epoch=commit.epoch)
                raise Conflict(
                    f"another end of this chain of epoch {commit.epoch} is signed already",
                    "nothing is signed for it: the device has made a mistake now or then, test its "
                    "memory, and keep it from new work until it is sound",
                )

    def _sign_walk(self, epoch: int, proof: WalkProof) -> _Signed:
        numbers = shape_numbers(proof.dims)
        commit = WalkCommit(
            self._provider, self._device, epoch, proof.seed, *numbers, proof.tree.root
        )
        return _Signed(commit, WalkBody.of(commit, self._sign(commit)), proof)

    def _evidence(self, epoch: int, seed: bytes) -> Evidence | None:
        """What the card signs for a seed: once, so that all oracles get the same."""
        if self._card is None:
            return None
        with self._asking:
            kept = self._state.card_evidence(seed)
            if kept is None:
                kept = self._card.evidence(seed)
                self._state.save_card_evidence(seed, epoch, kept, KEEP_EPOCHS)
        return kept

    def _open(
        self, challenge: Challenge, signed: _Signed, secret: bytes, evidence: Evidence | None
    ) -> OpeningsBody | LanesBody:
        """The signed answer to a query."""
        name, proof = signed.commit.struct_hash(), signed.proof
        shown = EvidenceBody.of(evidence) if evidence else None
        evidence_hash = evidence.hash() if evidence else NO_EVIDENCE
        if isinstance(proof, WalkProof):
            drawn = walk.draw_lanes(proof.commitment, secret, challenge.queries, proof.dims)
            lanes = proof.answer(drawn)
            message = Open(name, challenge.secret_hash, answer_hash(lanes), evidence_hash)
            return LanesBody(
                commit=name,
                openings=[LaneBody.of(one) for one in lanes],
                evidence=shown,
                signature=self._sign(message),
            )
        asked = draw_queries(proof.final_seed, secret, challenge.queries, proof.dims)
        entries = proof.answer(asked)
        message = Open(name, challenge.secret_hash, answer_hash(entries), evidence_hash)
        return OpeningsBody(
            commit=name,
            openings=[OpeningBody.of(one) for one in entries],
            evidence=shown,
            signature=self._sign(message),
        )

    def _sign(self, message: Message) -> bytes:
        return self._signer.sign(message.digest(self._registry))

    def _leaf(self, commit: bytes, round_index: int, index: int, free: bool) -> LeafView:
        proof = self._chains.kept(commit) or self._recompute(commit, free)
        return self._shown(proof, round_index, index, free)

    def _shown(self, proof: Proof, round_index: int, index: int, free: bool) -> LeafView:
        leaf, path = self._chains.leaf(proof, round_index, index, free)
        return LeafView(round=round_index, index=index, leaf=leaf, path=path)

    def _recompute(self, commit: bytes, free: bool) -> Proof:
        text = self._state.commit_body(commit)
        if text is None:
            raise NotFound(
                f"no commit 0x{commit.hex()}", f"commits are kept for {KEEP_EPOCHS} epochs"
            )
        return self._chains.again(CommitBody.model_validate_json(text).message(), free)


def _cost(shape: Shape) -> tuple[int, int]:
    """Operations, and bytes of memory; hashes of a walk count as the operations they displace."""
    if isinstance(shape, WalkDims):
        return shape.hashes * OPERATIONS_PER_HASH, shape.table_bytes + LANE_BYTES * shape.lanes
    return shape.operations, memory_needed(shape)
