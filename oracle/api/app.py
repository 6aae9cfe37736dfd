"""The oracle's HTTP interface: thin routes over the services of a `Node`."""

import importlib.resources
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import TypeAdapter

from oracle.api import schemas
from oracle.api.metrics import Metrics
from oracle.api.node import Node
from oracle.api.problems import BodyLimit, explain_errors
from oracle.domain import messages
from oracle.domain.canonical import canonical_hash
from oracle.domain.evidence import write_evidence
from oracle.domain.leaves import LeafKind
from oracle.domain.offers import ListedOffer
from oracle.domain.records import (
    NO_EVIDENCE,
    Answer,
    Beat,
    Device,
    Reported,
    Sample,
    Statement,
    StoredCommit,
)
from oracle.errors import BadInput, ClearworkError, NotFound
from oracle.services.attest import Acknowledged
from oracle.services.close_epoch import Call

# entries of a public list per answer
PAGE = 500
# offers per answer: each is asked of the chain
OFFERS = 100
MAX_BATCH = 1_000
MAX_RECEIPTS = 100

HashText = Annotated[str, Path(pattern="^0x[0-9a-fA-F]{64}$")]
JobNumber = Annotated[int, Path(ge=1, lt=2**63)]
EpochNumber = Annotated[int, Path(ge=0, lt=2**63)]
After = Annotated[int, Query(ge=0, lt=2**63)]
AfterHash = Annotated[str, Query(pattern="^0x[0-9a-fA-F]{64}$")]
NO_HASH = "0x" + "00" * 32
_PROBLEMS: dict[int | str, dict[str, object]] = {
    code: {"model": schemas.Problem} for code in (401, 404, 409, 413, 422, 503)
}


def create_app(node: Node) -> FastAPI:
    """The application of one oracle; its lifespan starts and stops the node's loops."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        node.start()
        yield
        node.stop()

    app = FastAPI(
        title="Clearwork oracle",
        version="1",
        summary="Attests GPUs, meters usage, settles it, serves proofs.",
        lifespan=lifespan,
        responses=_PROBLEMS,
    )
    app.add_middleware(BodyLimit, max_bytes=node.settings.max_body_bytes)
    explain_errors(app)
    _agent_routes(app, node)
    _peer_routes(app, node)
    _public_routes(app, node)
    _operator_routes(app, node)
    return app


# --- agents -----------------------------------------------------------------------------------


def _agent_routes(app: FastAPI, node: Node) -> None:
    async def arrival() -> int:
        """Monotonic nanoseconds at which a request was read, before it waits for a thread."""
        return node.clock.now_ns()

    @app.post("/v1/devices", tags=["agent"])
    def register(body: schemas.RegistrationBody) -> schemas.DeviceView:
        """Present a device to this oracle."""
        message = messages.Registration(
            body.provider,
            body.identity,
            body.ops_per_second,
            body.memory_mb,
            canonical_hash(body.inventory),
        )
        device = node.ingest.register(message, body.inventory, body.agent_url, body.signature)
        return _device_view(node, device)

    @app.get("/v1/devices/{device}/challenge", tags=["agent"])
    def challenge(device: HashText) -> schemas.ChallengeView:
        """What a device has to compute in this epoch."""
        state = node.attest.challenge(_bytes(device))
        numbers = asdict(state.challenge.message) if state.challenge else {"epoch": state.epoch}
        shown: dict[str, Any] = {
            name: number
            for name, number in numbers.items()
            if name in schemas.ChallengeView.model_fields
        }
        return schemas.ChallengeView(
            **shown,
            state=state.state,  # type: ignore[arg-type]
            oracle=state.oracle,
            signature=state.signature,
            remaining_ms=state.remaining_ms,
            resumes=state.resumes,
        )

    @app.post("/v1/commits", tags=["agent"])
    def commit(
        body: schemas.CommitBody, arrived_ns: Annotated[int, Depends(arrival)]
    ) -> schemas.AckView:
        """Commit to a chain of products; the answer draws the entries to open."""
        return _ack_view(node.attest.commit(body.message(), body.roots, body.signature, arrived_ns))

    @app.post("/v1/walks", tags=["agent"])
    def walk(
        body: schemas.WalkBody, arrived_ns: Annotated[int, Depends(arrival)]
    ) -> schemas.AckView:
        """Commit to a residency walk; the answer draws the lanes to open."""
        return _ack_view(
            node.attest.commit(body.message(), [body.root], body.signature, arrived_ns)
        )

    @app.post("/v1/openings", tags=["agent"])
    async def openings(body: schemas.OpeningsBody) -> schemas.VerdictView:
        """Open the entries drawn; the answer is this oracle's final verdict."""
        return await _judged(node, body.commit, body.answer())

    @app.post("/v1/walks/openings", tags=["agent"])
    async def lanes(body: schemas.LanesBody) -> schemas.VerdictView:
        """Open the lanes drawn; the answer is this oracle's final verdict."""
        return await _judged(node, body.commit, body.answer())

    @app.post("/v1/heartbeats", tags=["agent"])
    def heartbeats(bodies: list[schemas.HeartbeatBody]) -> list[schemas.Receipt]:
        """Store heartbeats; one receipt each, in order."""
        _check_batch(len(bodies))
        beats = [
            Beat(
                messages.Heartbeat(
                    body.device, body.seq, body.timestamp, canonical_hash(body.telemetry)
                ),
                body.telemetry,
                body.signature,
            )
            for body in bodies
        ]
        return [_receipt(*receipt) for receipt in node.ingest.heartbeats(beats)]

    @app.post("/v1/usage", tags=["agent"])
    def usage(bodies: list[schemas.UsageBody]) -> list[schemas.Receipt]:
        """Store usage samples; one receipt each, in order."""
        _check_batch(len(bodies))
        samples = [
            Sample(
                messages.Usage(
                    body.job,
                    body.seq,
                    body.timestamp,
                    body.cumulative_gpu_seconds,
                    body.status,
                    canonical_hash(body.telemetry),
                ),
                body.telemetry,
                body.signature,
            )
            for body in bodies
        ]
        return [_receipt(*receipt) for receipt in node.ingest.usage(samples)]

    @app.post("/v1/receipts", tags=["agent"])
    def receipts(bodies: list[schemas.SignedReceiptBody]) -> list[schemas.Receipt]:
        """Store execution receipts, or new signatures of known ones; one answer each, in order.

        A customer may send its counter-signature itself: the receipt with both signatures.
        """
        _check_batch(len(bodies), MAX_RECEIPTS)
        signed = [body.signed() for body in bodies]
        return [_receipt(*receipt) for receipt in node.execution.take(signed)]

    @app.post("/v1/offers", tags=["agent"])
    def offer(body: schemas.OfferBody) -> schemas.OfferView:
        """Publish a signed offer; the same one again changes nothing."""
        return _offer_view(node.offers.publish(body.signed()))


# --- peers ------------------------------------------------------------------------------------


def _peer_routes(app: FastAPI, node: Node) -> None:
    async def whole(request: Request) -> bytes:
        return await request.body()

    def from_member(
        body: Annotated[bytes, Depends(whole)],
        signature: Annotated[
            str, Header(alias=schemas.SIGNATURE_HEADER, pattern="^0x[0-9a-fA-F]{130}$")
        ],
    ) -> None:
        node.member.check_request(body, _bytes(signature))

    proposed: Any = {"tags": ["peer"], "dependencies": [Depends(from_member)]}

    @app.get("/v1/peer/usage/{epoch}", tags=["peer"])
    def usage_observation(epoch: EpochNumber) -> schemas.UsageObservation:
        """This oracle's signed view of all jobs."""
        return schemas.UsageObservation.of(node.settle.observation(epoch))

    @app.get("/v1/peer/devices/{device}/{epoch}", tags=["peer"])
    def device_observation(device: HashText, epoch: EpochNumber) -> schemas.DeviceObservation:
        """This oracle's signed verdict on a device it accepted."""
        return schemas.DeviceObservation.of(node.attest.observation(_bytes(device), epoch))

    @app.get("/v1/peer/proposals/device/{device}/{epoch}", tags=["peer"])
    def bound_device(device: HashText, epoch: EpochNumber) -> schemas.DeviceProposal:
        """The proposal that this oracle has signed for a device."""
        return schemas.DeviceProposal.of(node.record.bound(_bytes(device), epoch))

    @app.get("/v1/peer/proposals/epoch/{to_epoch}", tags=["peer"])
    def bound_epoch(to_epoch: EpochNumber) -> schemas.EpochProposal:
        """The proposal that this oracle has signed for the epochs up to `to_epoch`."""
        return schemas.EpochProposal.of(node.close_epoch.bound(to_epoch))

    @app.get("/v1/peer/device-time/{epoch}", tags=["peer"])
    def device_time_observation(epoch: EpochNumber) -> schemas.DeviceTimeObservation:
        """This oracle's signed view of an epoch's device time."""
        return schemas.DeviceTimeObservation.of(node.device_times.observation(epoch))

    @app.get("/v1/peer/proposals/device-time/{epoch}", tags=["peer"])
    def bound_device_time(epoch: EpochNumber) -> schemas.DeviceTimeProposal:
        """The proposal that this oracle has signed for an epoch's device time."""
        return schemas.DeviceTimeProposal.of(node.device_times.bound(epoch))

    @app.post("/v1/peer/proposals/usage", **proposed)
    def endorse_usage(body: schemas.UsageProposal) -> schemas.PeerSignature:
        """Check a batch and sign it."""
        return _signature(node.settle.endorse(body.proposal()))

    @app.post("/v1/peer/proposals/blame", **proposed)
    def endorse_blame(body: schemas.BlameProposal) -> schemas.PeerSignature:
        """Sign if exactly the blamed members of a cluster are missed here."""
        return _signature(node.blame.endorse(body.proposal()))

    @app.post("/v1/peer/proposals/device", **proposed)
    def endorse_device(body: schemas.DeviceProposal) -> schemas.PeerSignature:
        """Check a device's result and sign it."""
        return _signature(node.record.endorse(body.proposal()))

    @app.post("/v1/peer/proposals/device-time", **proposed)
    def endorse_device_time(body: schemas.DeviceTimeProposal) -> schemas.PeerSignature:
        """Check an epoch's device time and sign it."""
        return _signature(node.device_times.endorse(body.proposal()))

    @app.post("/v1/peer/proposals/epoch", **proposed)
    def endorse_epoch(body: schemas.EpochProposal) -> schemas.PeerSignature:
        """Rebuild a report and sign it if it is the same."""
        return _signature(node.close_epoch.endorse(body.proposal()))


# --- everybody --------------------------------------------------------------------------------


def _public_routes(app: FastAPI, node: Node) -> None:
    @app.get("/v1/status", tags=["public"])
    def status() -> schemas.StatusView:
        """The head of the chain, the committee, and what the attestation asks for."""
        head = node.market.head
        committee = node.market.committee()
        rules = node.attest.rules
        return schemas.StatusView(
            chain_id=node.chain.chain_id,
            block=head.number,
            timestamp=head.timestamp,
            epoch=head.epoch,
            epoch_ends=node.market.start_of(head.epoch + 1),
            beacon=node.market.beacon(head.epoch),
            contracts=node.chain.deployment.addresses,
            members=list(committee.members),
            threshold=committee.threshold,
            **(asdict(rules.fixed) if rules.fixed else {}),
            queries=rules.queries,
            deadline_ms=rules.deadline_ms,
            modes=[mode.name.lower() for mode in rules.modes],
        )

    @app.get("/v1/devices", tags=["public"])
    def devices(after: AfterHash = NO_HASH) -> list[schemas.DeviceView]:
        """Devices presented to this oracle, in order of their ids, those behind `after`."""
        found = node.store.devices(after=_bytes(after), limit=PAGE)
        return [_device_view(node, device) for device in found]

    @app.get("/v1/devices/{device}", tags=["public"])
    def device(device: HashText) -> schemas.DeviceView:
        """One device."""
        known = node.store.device(_bytes(device))
        if known is None:
            raise NotFound(f"unknown device {device}", "Register it with POST /v1/devices.")
        return _device_view(node, known)

    @app.get("/v1/jobs", tags=["public"])
    def jobs(after: After = 0) -> list[schemas.JobView]:
        """Jobs on chain beside the usage reported of them, those behind number `after`."""
        last = min(node.market.job_count(), after + PAGE)
        reported = {entry.job: entry for entry in node.store.reported()}
        return [_job_view(node, job, reported.get(job)) for job in range(after + 1, last + 1)]

    @app.get("/v1/offers", tags=["public"])
    def offers(wanted: Annotated[schemas.OfferQuery, Query()]) -> list[schemas.OfferView]:
        """Offers that can be taken now, the cheapest first.

        The next page is behind the last one's `id`; the last page is an empty one.
        """
        listed = node.offers.listed(wanted.wanted(), wanted.after, OFFERS)
        return [_offer_view(one) for one in listed]

    @app.get("/v1/jobs/{job}/receipts", tags=["public"])
    def job_receipts(job: JobNumber) -> list[schemas.FiledReceiptBody]:
        """Execution receipts of a job with what this oracle makes of them, oldest first."""
        return [
            schemas.FiledReceiptBody(
                **dict(schemas.SignedReceiptBody.of(filed.signed)),
                state=filed.state.value,
                reason=filed.reason,
            )
            for filed in node.store.receipts(job)
        ]

    @app.get("/v1/commits", tags=["public"])
    def commits(after: After = 0) -> list[schemas.CommitView]:
        """Every signed commit to a chain with this oracle's verdict, refused ones too."""
        return [_commit_view(node, stored) for stored in node.store.commits(after, PAGE)]

    @app.get("/v1/walks", tags=["public"])
    def walks(after: After = 0) -> list[schemas.WalkView]:
        """Every signed commit to a residency walk with this oracle's verdict."""
        stored = node.store.commits(after, PAGE, walks=True)
        return [_walk_view(node, one) for one in stored]

    @app.get("/v1/evidence/{evidence}", tags=["public"])
    def evidence(evidence: HashText) -> list[schemas.CardView]:
        """The evidence behind a hash in the registry, as NVIDIA's attestation tools read it.

        `clearwork attest evidence` checks it; its nonce is the seed of the challenge.
        """
        kept = node.store.evidence(_bytes(evidence))
        if kept is None:
            raise NotFound(
                "this oracle has no such evidence",
                "Ask another one; evidence goes when the device has proved itself anew.",
            )
        return TypeAdapter(list[schemas.CardView]).validate_json(write_evidence([kept]))

    @app.get("/v1/statements", tags=["public"])
    def statements(after: After = 0) -> list[schemas.StatementView]:
        """Every signature over a committee report that this oracle has seen."""
        return [
            schemas.StatementView(
                id=seen.id,
                config=seen.report.config,
                consumer=seen.report.consumer,
                subject=seen.report.subject,
                round=seen.report.round,
                payload=seen.report.payload,
                oracle=seen.oracle,
                signature=seen.signature,
            )
            for seen in node.store.statements(after, PAGE)
        ]

    @app.get("/v1/batches", tags=["public"])
    def batches(
        until: Annotated[int, Query(ge=0, lt=2**63)] = 2**63 - 1,
    ) -> list[schemas.SignedBatch]:
        """Signed batches of the epochs up to `until` that this oracle left for the root."""
        return [schemas.SignedBatch(**asdict(kept)) for kept in node.close_epoch.batches(until)]

    @app.get("/v1/epochs", tags=["public"])
    def epochs() -> list[schemas.EpochView]:
        """Reports that this oracle has rebuilt, the newest first."""
        return [
            schemas.EpochView(
                from_epoch=closed.report.from_epoch,
                to_epoch=closed.report.to_epoch,
                report_hash=closed.report_hash,
                previous=closed.report.previous,
                reward_root=closed.report.reward_root,
                usage_root=closed.report.usage_root,
                attestation_root=closed.report.attestation_root,
                cumulative_rewards=str(closed.report.cumulative_rewards),
                data_hash=closed.report.data_hash,
                rules_version=closed.report.rules_version,
                block_number=closed.block_number,
                block_hash=closed.block_hash,
            )
            for closed in node.store.epochs(PAGE)
        ]

    @app.get("/v1/epochs/{epoch}/summary", tags=["public"])
    def summary(
        epoch: EpochNumber,
        top: Annotated[int, Query(ge=0, le=PAGE)] = 20,
    ) -> schemas.EpochSummaryView:
        """Who got what of the report that covers an epoch: budget, subnets, earners, the rest."""
        posted, found = node.close_epoch.summary(epoch, top)
        return schemas.EpochSummaryView.of(posted.report_hash, posted.transaction, found)

    @app.get("/v1/epochs/{report_hash}/leaves", tags=["public"], response_class=Response)
    def leaves(report_hash: HashText) -> Response:
        """The leaf file of a report; its keccak is the report's data hash."""
        content = node.close_epoch.leaf_file(_bytes(report_hash))
        return Response(content, media_type="application/octet-stream")

    @app.get("/v1/proofs/{kind}/{key}", tags=["public"])
    def proof(kind: LeafKind, key: HashText) -> schemas.ProofView:
        """Leaf, path and ready calldata of a claim against the active report.

        Kind 1: a provider's reward, 2: an account's, 3: settled usage, 4: an attestation,
        5: a job's receipt, 6: a payee's receipts.
        """
        found = node.close_epoch.proof(kind, _bytes(key))
        return schemas.ProofView(
            kind=int(found.leaf.kind),
            key=found.leaf.key,
            cumulative=found.leaf.value,
            receipts=found.receipts,
            proof=found.path,
            root=found.root,
            before=[_call_view(call) for call in found.before],
            **dict(_call_view(found.call)),
        )


# --- operators --------------------------------------------------------------------------------


def _operator_routes(app: FastAPI, node: Node) -> None:
    metrics = Metrics(node)

    @app.get("/health", tags=["operator"], responses={503: {"model": schemas.HealthView}})
    def health(response: Response) -> schemas.HealthView:
        """Whether this oracle does its work, and if not, why."""
        view = health_view(node)
        response.status_code = 200 if view.ok else 503
        return view

    @app.get("/metrics", tags=["operator"], response_class=PlainTextResponse)
    def prometheus() -> Response:
        """Prometheus metrics."""
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    def page() -> str:
        return importlib.resources.files("oracle.api").joinpath("status.html").read_text()


def _call_view(call: Call) -> schemas.CallView:
    return schemas.CallView(to=call.to, calldata="0x" + call.calldata.hex())


def health_view(node: Node) -> schemas.HealthView:
    """The node's health with its causes."""
    head = node.market.head
    causes = node.causes()
    identity = None
    if not node.member.is_dry:
        try:
            identity = node.member.identity()
        except ClearworkError as error:
            causes.append(f"{error} {error.remedy}")
    return schemas.HealthView(
        ok=not causes,
        causes=causes,
        chain_id=node.chain.chain_id,
        block=head.number,
        epoch=head.epoch,
        oracle=identity,
        member=identity is not None,
    )


# --- helpers ----------------------------------------------------------------------------------


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _check_batch(size: int, most: int = MAX_BATCH) -> None:
    if not 1 <= size <= most:
        raise BadInput(f"a batch of {size}", f"Send 1 to {most} entries at once.")


def _receipt(state: str, reason: str) -> schemas.Receipt:
    return schemas.Receipt(state=state, reason=reason)  # type: ignore[arg-type]


def _signature(statement: Statement) -> schemas.PeerSignature:
    return schemas.PeerSignature(oracle=statement.oracle, signature=statement.signature)


def _device_view(node: Node, device: Device) -> schemas.DeviceView:
    entry = node.market.device(device.device)
    return schemas.DeviceView(
        device=device.device,
        provider=device.provider,
        identity=device.identity,
        is_certified=device.claim.certified,
        claimed_ops_per_second=device.claimed_ops_per_second,
        memory_mb=device.memory_mb,
        agent_url=device.agent_url,
        last_heartbeat=node.store.last_beat(device.device),
        device_class=entry.device_class if entry else None,
        ops_per_second=entry.ops_per_second if entry else None,
        attested_until=entry.attested_until if entry else None,
    )


def _offer_view(listed: ListedOffer) -> schemas.OfferView:
    return schemas.OfferView.of(listed.signed, id=listed.id, available=listed.available)


def _job_view(node: Node, number: int, reported: Reported | None) -> schemas.JobView:
    job = node.market.job(number)
    return schemas.JobView(
        job=job.job,
        provider=job.provider,
        gpus=job.gpus,
        device_class=job.device_class,
        status=job.status,
        settled=job.settled,
        reported=reported.cumulative_gpu_seconds if reported else None,
        accepted_at=job.accepted_at,
    )


def _ack_view(taken: Acknowledged) -> schemas.AckView:
    return schemas.AckView(
        commit=taken.ack.commit,
        elapsed_ms=taken.ack.elapsed_ms,
        secret=taken.query.secret,
        oracle=taken.oracle,
        ack_signature=taken.ack_signature,
        query_signature=taken.query_signature,
    )


async def _judged(node: Node, commit: bytes, answer: Answer) -> schemas.VerdictView:
    verdict = _verdict_view(await node.attest.open(commit, answer))
    if verdict is None:
        raise NotFound("the commit has no verdict", "Post its openings again.")
    return verdict


def _commit_view(node: Node, stored: StoredCommit) -> schemas.CommitView:
    commit = schemas.CommitBody(
        **asdict(stored.message), roots=list(stored.roots), signature=stored.signature
    )
    return schemas.CommitView(
        id=stored.id,
        commit=commit,
        agent_url=_agent_url(node, commit.device),
        verdict=_verdict_view(stored),
    )


def _walk_view(node: Node, stored: StoredCommit) -> schemas.WalkView:
    walk = schemas.WalkBody(**asdict(stored.message), signature=stored.signature)
    return schemas.WalkView(
        id=stored.id,
        walk=walk,
        agent_url=_agent_url(node, walk.device),
        verdict=_verdict_view(stored),
    )


def _agent_url(node: Node, device: bytes) -> str:
    known = node.store.device(device)
    return known.agent_url if known else ""


def _verdict_view(stored: StoredCommit) -> schemas.VerdictView | None:
    if stored.accepted is None:
        return None
    return schemas.VerdictView(
        commit=stored.commit,
        mode=stored.mode,
        accepted=stored.accepted,
        reason=stored.reason,
        ops_per_second=stored.ops_per_second,
        bytes_per_second=stored.bytes_per_second,
        elapsed_ms=stored.elapsed_ms,
        answer=stored.answer,
        answer_signature=stored.answer_signature,
        evidence=stored.evidence if stored.evidence != NO_EVIDENCE else None,
    )
