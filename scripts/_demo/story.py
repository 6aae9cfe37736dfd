"""The life of a market, step by step, on a chain of its own.

Every process is the product's own command; what happens inside this one goes through the
product's services, as its command line does. The cheats are in `cheats.py`.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.deployment import Deployment
from oracle.adapters.receipt_client import ReceiptClient
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.schemas import EpochSummaryView, ProofView, SignedReceiptBody
from oracle.cli.epoch import tables
from oracle.domain.execution import SignedReceipt
from oracle.domain.receipts import FINAL, JobStatus
from oracle.errors import Conflict, Fatal
from oracle.services.cluster import Clusters, Member
from oracle.services.provider import Provider, Terms
from scripts._anvil import free_port
from scripts._demo.accounts import Accounts, Line, balanced
from scripts._demo.actors import Actor, cast
from scripts._demo.books import conservation
from scripts._demo.processes import CLEARWORK, Processes, wait_until
from scripts._demo.subnets import OWNER, VALIDATORS, Subnets

WORK = 10**18
# what everybody starts with, in whole tokens
WALLETS = {
    "honest provider": 5_000,
    "cheating provider": 5_000,
    "delegator": 2_000,
    "customer": 1_000,
    OWNER: 1_000,
    **dict.fromkeys(VALIDATORS, 3_000),
}
SELF_BOND = 1_000 * WORK
DELEGATION = 500 * WORK
# 3 600 tokens an hour: one token per GPU-second, so that seconds of work are worth something
PRICE_PER_GPU_HOUR = 3_600 * WORK
DEPOSIT = 100 * WORK
# of deployments/params/local.yaml: `cpu-trial`, and the service levels `standard`, `guaranteed`
DEVICE_CLASS = 1
STANDARD, GUARANTEED = 1, 2
# what a member of the cluster lets a job lock per GPU
MAX_COLLATERAL_PER_GPU = 100 * WORK
JOB_SECONDS = 8
# how the demo's oracles attest: small enough for a laptop that runs four of them
ATTESTATION = {"m": 1_024, "n": 1_024, "k": 2_048, "rounds": 4, "queries": 64}
# leaf kinds of RewardDistributor
PROVIDER_LEAF, ACCOUNT_LEAF = 1, 2


@dataclass(slots=True)
class Summary:
    """build/demo/summary.json; money in base units, times in seconds."""

    chain_id: int = 0
    contracts: dict[str, str] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    attestations: list[dict[str, Any]] = field(default_factory=list)
    convictions: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    epoch: dict[str, Any] = field(default_factory=dict)
    subnets: list[dict[str, Any]] = field(default_factory=list)
    conservation: dict[str, Any] = field(default_factory=dict)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    duration_seconds: float = 0.0


class Story:
    """Plays the market's life and keeps the score."""

    def __init__(
        self, console: Console, folder: Path, processes: Processes, rpc: str, ape: list[str]
    ) -> None:
        self._console = console
        self._folder = folder
        self._processes = processes
        self._rpc = rpc
        self._ape = ape
        self._started = time.monotonic()
        self._actors = cast(folder / "keys")
        self._deployment = folder / "deployment.json"
        self._lazy = folder / "skip-a-tenth"
        self._oracle_ports = [free_port() for _ in range(4)]
        self._agent_ports = {"honest": free_port(), "cheating": free_port()}
        self._two_faced_port = free_port()
        self.summary = Summary()
        self.lines: list[Line] = []

    @property
    def oracle_urls(self) -> list[str]:
        """Where the four oracles answer."""
        return [f"http://127.0.0.1:{port}" for port in self._oracle_ports]

    def play(self) -> None:
        """Everything, in order. Raises `Fatal` if a step does not happen."""
        with self._step("Deploy the contracts with `ape run deploy`"):
            self._deploy()
        with self._step("Providers register and stake, a delegator joins"):
            self._stake()
        with self._step("Two subnets open, two validators join them and vote"):
            self._open_subnets()
        with self._step("Four oracles, two agents, two validators and a watcher start"):
            self._start_service()
        with self._step("Both providers prove their devices to the committee"):
            self._attest()
        with self._step("Job 1: a cluster of both providers, paid by weight"):
            self._cluster_job()
        with self._step("A customer funds four more jobs, the cheat takes one"):
            self._open_jobs()
        with self._step("Job 2: real training, paid by the customer's vouchers"):
            self._voucher_job()
        with self._step("Job 3: the customer is silent, one oracle is killed, receipts pay"):
            self._committee_job()
        with self._step("Job 4: the cheat skipped a tenth of its work and is convicted"):
            self._convict_cheat()
        with self._step("Job 5: the provider goes dark, its collateral pays the customer"):
            self._missed_job()
        with self._step("Every job leaves an execution receipt that anybody can verify"):
            self._verify_receipts()
        with self._step("An epoch closes over two subnets, emissions are claimed once"):
            self._show_epoch()
            self._claim()
        with self._step("An oracle that signed two roots is convicted by its signatures"):
            self._convict_oracle()
        with self._step("Income is withdrawn, the books are closed"):
            self._close()

    def wait(self) -> None:
        """Keep the market running for as long as nothing in it ends."""
        while True:
            self._processes.check()
            time.sleep(1)

    # --- steps ------------------------------------------------------------------------------

    def _deploy(self) -> None:
        network = ["--network", "ethereum:local:foundry"]
        self._processes.run(
            "deploy", [*self._ape, "run", "deploy", *network, "--out", str(self._deployment)]
        )
        deployment = Deployment.load(self._deployment)
        self._chain = Chain([self._rpc], deployment).connect()
        self._token = self._chain.contract("WorkToken")
        self.summary.chain_id = deployment.chain_id
        self.summary.contracts = deployment.addresses
        self._say(f"{len(deployment.addresses)} contracts on chain {deployment.chain_id}")

    def _stake(self) -> None:
        deployer = self._signer("deployer")
        for name, tokens in WALLETS.items():
            self._chain.transact(
                deployer,
                self._token.functions.transfer(self._actors[name].address, tokens * WORK),
            )
        self._providers: dict[str, int] = {}
        for role in ("honest", "cheating"):
            owner = self._actors[f"{role} provider"]
            desk = Provider(self._chain, self._signer(owner.name))
            number = desk.register(
                Terms(
                    operator=self._actors[f"{role} operator key"].address,
                    payout=owner.address,
                    emission_commission_bps=1_000,
                    job_commission_bps=10_000,
                    max_reporter_bps=2_000,
                    uri=f"https://{role}.example",
                )
            )
            desk.stake(number, SELF_BOND)
            self._providers[role] = number
            self._say(
                f"{role} provider is provider {number} with {SELF_BOND // WORK} WORK at stake"
            )
        honest = self._providers["honest"]
        Provider(self._chain, self._signer("delegator")).delegate(honest, DELEGATION)

    def _open_subnets(self) -> None:
        self._subnets = Subnets(self._chain, self._actors, self._signer, self._say)
        miners = {f"{role} provider": number for role, number in self._providers.items()}
        self._subnets.open(miners)
        oracles = {f"oracle {i}": self._actors[f"oracle {i}"].address for i in range(1, 5)}
        self._accounts = Accounts(
            chain=self._chain,
            holders={
                **{name: self._actors[name].address for name in WALLETS},
                **oracles,
                "watcher": self._actors["watcher"].address,
                "treasury": self._chain.read("JobEscrow", "treasury"),
            },
            providers={**miners, **self._subnets.validators},
            delegations={"delegator": self._providers["honest"]},
        )
        self._accounts.open()

    def _start_service(self) -> None:
        for number in range(1, 5):
            self._start_oracle(number)
        for number, url in enumerate(self.oracle_urls, start=1):
            wait_until(f"oracle {number}", partial(_healthy, url), self._processes, 60)
        common = ["--deployment", str(self._deployment), "--rpc", self._rpc]
        for role in ("honest", "cheating"):
            options = [
                "--provider", str(self._providers[role]),
                "--state", str(self._folder / "agents" / role),
                "--port", str(self._agent_ports[role]),
                "--heartbeat-seconds", "2",
                "--poll-seconds", "0.2",
                # the challenge is fixed, so the claim plans nothing and need not be measured
                "--ops-per-second", "1000000000",
                *self._actors[f"{role} operator key"].key_options(),
                *common,
            ]  # fmt: skip
            for url in self.oracle_urls:
                options += ["--oracle", url]
            command = [*CLEARWORK, "agent", "run"]
            if role == "cheating":
                cheats = [sys.executable, "-m", "scripts._demo.cheats", "agent"]
                command = [*cheats, "--signal", str(self._lazy)]
            self._processes.start(f"agent-{role}", [*command, *options])
        watch = [*CLEARWORK, "watch", *common, *self._actors["watcher"].key_options(), "--json"]
        for url in [*self.oracle_urls, f"http://127.0.0.1:{self._two_faced_port}"]:
            watch += ["--oracle", url]
        self._processes.start("watcher", [*watch, "--interval", "1"])
        self._subnets.start(self._processes, self._folder, common)

    def _start_oracle(self, number: int) -> None:
        folder = self._folder / "oracles" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        actor = self._actors[f"oracle {number}"]
        own = self.oracle_urls[number - 1]
        settings = {
            "RPC_URLS": self._rpc,
            "DEPLOYMENT": str(self._deployment),
            "KEYSTORE": str(actor.keystore),
            "PASSWORD_FILE": str(actor.password_file),
            "DATABASE": str(folder / "oracle.db"),
            "PORT": str(self._oracle_ports[number - 1]),
            "PEERS": " ".join(url for url in self.oracle_urls if url != own),
            "USAGE_LAG": "10",
            "HEARTBEAT_GRACE": "10",
            "ROUND_INTERVAL": "3",
            "LEADER_DELAY": "3",
            "UPTIME_AFTER": "15",
            **{f"ATTESTATION_{name.upper()}": str(value) for name, value in ATTESTATION.items()},
            "ATTESTATION_DEADLINE_MS": "15000",
            # four oracles share this machine
            "VERIFY_WORKERS": "0",
        }
        self._processes.start(
            f"oracle-{number}",
            [*CLEARWORK, "oracle", "run"],
            {f"CLEARWORK_{name}": value for name, value in settings.items()},
        )

    def _attest(self) -> None:
        for role, provider in self._providers.items():
            log = wait_until(
                f"attestation of the {role} provider's device",
                partial(self._attested, provider),
                self._processes,
                90,
            )
            rate = log.args.ops_per_second / 1e9
            self._say(f"{role} provider: at least {rate:.1f} GOPS, signed by the committee")

    def _attested(self, provider: int) -> Any:
        """The first entry of a provider's device in the registry, None while there is none."""
        return next(self._chain.logs("DeviceRegistry", "DeviceAttested", provider=provider), None)

    def _open_jobs(self) -> None:
        plan = [
            ("voucher", "honest", STANDARD),
            ("committee", "honest", STANDARD),
            ("cheated", "cheating", GUARANTEED),
            ("missed", "honest", STANDARD),
        ]
        for path, role, sla in plan:
            self._jobs[path] = self._open_job(self._providers[role], sla)
        self._provider("cheating").accept(self._jobs["cheated"])
        self._lazy.touch()
        self._say(f"{DEPOSIT // WORK} WORK in each job; from now on the cheat skips a tenth")

    def _open_job(self, payee: int, sla: int, gpus: int = 1) -> int:
        printed = self._processes.run(
            "customer",
            [
                *CLEARWORK, "customer", "open", "--json",
                "--provider", str(payee),
                "--asset", self._token.address,
                "--gpus", str(gpus),
                "--price", str(PRICE_PER_GPU_HOUR),
                "--deposit", str(DEPOSIT),
                "--device-class", str(DEVICE_CLASS),
                "--sla", str(sla),
                *self._customer_options(),
            ],
        )  # fmt: skip
        job: int = json.loads(printed)["job"]
        return job

    def _cluster_job(self) -> None:
        """Both providers' devices under one payee, whose lead is the honest one."""
        members = [Member(provider, 1) for provider in self._providers.values()]
        honest, cheating = self._providers["honest"], self._providers["cheating"]
        lead = Clusters(self._chain, self._signer("honest operator key"))
        cluster = lead.form(members, DEVICE_CLASS, MAX_COLLATERAL_PER_GPU, honest)
        Clusters(self._chain, self._signer("cheating operator key")).join(cluster, cheating)
        job = self._open_job(cluster, STANDARD, gpus=len(members))
        self._jobs = {"cluster": job}
        self._provider("honest").accept(job)
        self._say(f"cluster {cluster} of providers {honest} and {cheating} takes job {job}")
        event = self._paid_by_vouchers(job, gpus=len(members))
        net = event.args.paid - event.args.fee
        for role, provider in self._providers.items():
            receipt = lead.draw(cluster, provider, self._token.address)
            share = self._chain.event(receipt, "ClusterRegistry", "ShareDrawn").amount
            if share != net // len(members):
                raise Fatal(f"{share} of {net} drawn", "Look at ClusterRegistry.")
            self._accounts.book(f"{role} provider", share, "job 1, half", receipt)
        self._settled(job, "cluster voucher", _hash(event))

    def _paid_by_vouchers(self, job: int, gpus: int = 1) -> Any:
        """Let an accepted job run while its customer co-signs; returns the last settlement."""
        agent = f"http://127.0.0.1:{self._agent_ports['honest']}"
        name = f"customer-co-sign-{job}"
        self._processes.start(
            name,
            [*CLEARWORK, "customer", "co-sign", str(job), "--agent", agent, "--interval", "1",
             "--accept-end", *self._customer_options()],
        )  # fmt: skip
        self._start_compute(job, gpus)
        self._finish_compute(job)
        self._processes.wait(name, 30)
        return list(self._chain.logs("JobEscrow", "VoucherSettled", job=job))[-1]

    def _voucher_job(self) -> None:
        job = self._jobs["voucher"]
        self._provider("honest").accept(job)
        event = self._paid_by_vouchers(job)
        net = event.args.paid - event.args.fee
        self._accounts.book("honest provider", net, "job 2, vouchers", _hash(event))
        self._settled(job, "voucher", _hash(event))

    def _committee_job(self) -> None:
        job = self._jobs["committee"]
        self._provider("honest").accept(job)
        self._start_compute(job)
        time.sleep(JOB_SECONDS / 2)
        self._processes.kill("oracle-2")
        self._say("oracle 2 is dead (SIGKILL)")
        self._finish_compute(job)
        wait_until(
            "settlement of job 3 by three oracles",
            lambda: self._job(job).status in FINAL,
            self._processes,
            60,
        )
        batch = next(
            log
            for log in reversed(list(self._chain.logs("JobEscrow", "BatchSettled")))
            if job.to_bytes(8, "big") in log.args.receipts
        )
        self._settled(job, "committee receipts", _hash(batch))
        self._start_oracle(2)
        wait_until(
            "oracle 2 after its crash", lambda: _healthy(self.oracle_urls[1]), self._processes, 60
        )
        self._say("oracle 2 is back, with what it had stored")

    def _settled(self, job: int, path: str, transaction: str) -> None:
        """Close a job that was paid and enter it: the customer paid, the rest came back."""
        found = self._job(job)
        paid = found.settled * found.price_per_gpu_hour // 3_600
        receipt = self._provider("honest").close(job)
        closed = self._chain.event(receipt, "JobRegistry", "JobClosed")
        self._accounts.book("customer", -paid, f"job {job}, {path}", transaction)
        self._enter_job(job, path, found.settled, paid, closed.refunded, closed.compensated)
        self._say(f"{found.settled} GPU-seconds, {paid / WORK:.2f} WORK paid", transaction)

    def _enter_job(
        self, job: int, path: str, seconds: int, paid: int, refunded: int, compensated: int
    ) -> None:
        self.summary.jobs.append(
            {
                "id": job,
                "path": path,
                "gpu_seconds": seconds,
                "paid": paid,
                "refunded": refunded,
                "compensated": compensated,
            }
        )

    def _convict_cheat(self) -> None:
        log = wait_until(
            "conviction of the cheat",
            lambda: next(self._chain.logs("SlashingCourt", "Convicted"), None),
            self._processes,
            90,
        )
        case = log.args
        self._enter_job(
            self._jobs["cheated"], "conviction", 0, 0, case.refunded, case.victim_amount
        )
        self._say(
            f"slashed {case.slashed / WORK:.2f}: customer {case.victim_amount / WORK:.2f} first, "
            f"watcher {case.reporter_amount / WORK:.2f}, burnt {case.burnt / WORK:.2f}; "
            f"deposit of {case.refunded / WORK:.2f} returned",
            _hash(log),
        )

    def _missed_job(self) -> None:
        """The honest provider accepts, works for a moment, and its machine is gone."""
        job = self._jobs["missed"]
        self._provider("honest").accept(job)
        time.sleep(JOB_SECONDS / 2)
        self._processes.kill("agent-honest")
        self._say("the provider's agent is dead (SIGKILL)")
        wait_until(
            "the committee's word that job 5 misses its service level",
            lambda: self._job(job).status == JobStatus.SLA_MISSED,
            self._processes,
            90,
        )
        receipt = self._chain.transact(
            self._signer("customer"), self._chain.contract("JobRegistry").functions.close(job)
        )
        closed = self._chain.event(receipt, "JobRegistry", "JobClosed")
        self._accounts.book("customer", closed.compensated, "compensation, job 5", receipt)
        self._accounts.book("honest provider", -closed.compensated, "missed level", receipt)
        self._enter_job(job, "service level missed", 0, 0, closed.refunded, closed.compensated)
        self._say(
            f"{closed.compensated / WORK:.2f} WORK out of the provider's collateral, deposit of "
            f"{closed.refunded / WORK:.2f} returned",
            _hash(receipt),
        )

    def _verify_receipts(self) -> None:
        """Verify all jobs' receipts with the product's command, signatures and roles."""
        awaited = {
            "cluster": {"provider", "customer", "oracle"},
            "voucher": {"provider", "customer", "oracle"},
            "committee": {"provider", "oracle"},
            "cheated": {"oracle"},
            "missed": {"oracle"},
        }
        files = []
        for path, roles in awaited.items():
            job = self._jobs[path]
            bodies = wait_until(
                f"receipt of job {job} with the signatures of {', '.join(sorted(roles))}",
                partial(self._receipts_of, job, roles),
                self._processes,
                60,
            )
            files.append(self._folder / "receipts" / f"job-{job}.json")
            files[-1].parent.mkdir(exist_ok=True)
            files[-1].write_text(json.dumps(bodies, indent=2) + "\n")
        printed = self._processes.run(
            "receipt",
            [*CLEARWORK, "receipt", "verify", *map(str, files), "--json",
             "--deployment", str(self._deployment), "--rpc", self._rpc],
        )  # fmt: skip
        self.summary.receipts = json.loads(printed)["receipts"]
        for verified in self.summary.receipts:
            at = f" at layer {verified['layer']}" if verified["layer"] else ""
            signers = ", ".join(sorted({one["role"] for one in verified["signers"]}))
            self._say(f"job {verified['job']}: {verified['status']}{at}; signed by {signers}")

    def _receipts_of(self, job: int, roles: set[str]) -> list[dict[str, Any]]:
        """A job's receipts that some oracle stands by; none until `roles` have signed one."""
        found: dict[str, SignedReceipt] = {}
        for url in self.oracle_urls:
            for filed in ReceiptClient(url).filed(job):
                if filed.state == "agreed":
                    signed, known = filed.signed(), found.get(filed.document)
                    found[filed.document] = known.merged(signed) if known else signed
        complete = [
            signed for signed in found.values() if roles <= {one.role for one in signed.signatures}
        ]
        return [SignedReceiptBody.of(signed).model_dump(mode="json") for signed in complete]

    def _book_convictions(self) -> None:
        """Every false commit is a case of its own: a cheat that goes on is convicted again."""
        for log in self._chain.logs("SlashingCourt", "Convicted"):
            case, transaction = log.args, _hash(log)
            self._accounts.book(
                "cheating provider", -case.slashed, "false attestation", transaction
            )
            self._accounts.book("watcher", case.reporter_amount, "bounty", transaction)
            if case.victim_amount:
                self._accounts.book(
                    "customer", case.victim_amount, "compensation, job 4", transaction
                )
            self._convicted(
                "false_attestation", f"provider {case.provider}", case.slashed, log,
                victim_paid=case.victim_amount,
                reporter_paid=case.reporter_amount,
                burnt=case.burnt,
                refunded=case.refunded,
            )  # fmt: skip

    def _convicted(self, kind: str, offender: str, slashed: int, log: Any, **amounts: int) -> None:
        receipt = self._chain.w3.eth.get_transaction_receipt(log.transactionHash)
        self.summary.convictions.append(
            {
                "kind": kind,
                "offender": offender,
                "slashed": slashed,
                **amounts,
                "gas": receipt["gasUsed"],
                "transaction": _hash(log),
                "block": receipt["blockNumber"],
            }
        )
        self.summary.convictions.sort(key=lambda conviction: conviction["block"])

    def _claim(self) -> None:
        honest = self._providers["honest"]
        key = honest.to_bytes(32, "big")
        wait_until(
            "rewards that can be claimed",
            lambda: self._leaf(PROVIDER_LEAF, key) is not None,
            self._processes,
            120,
        )
        leaf, receipt = self._claim_leaf(self._provider("honest"), PROVIDER_LEAF, key)
        claimed = self._chain.event(receipt, "RewardDistributor", "Claimed")
        shared = self._book_emission("honest provider", receipt)
        self._accounts.book("delegator", shared, "emission, shared", receipt)
        self._say(
            f"{claimed.cumulative / WORK:.4f} WORK: {claimed.paid / WORK:.4f} at once, "
            f"{claimed.vesting / WORK:.4f} vesting",
            _hash(receipt),
        )
        try:
            self._provider("honest").claim(leaf.kind, leaf.key, leaf.cumulative, leaf.proof)
        except Conflict as refusal:
            self._say(f"the same claim again: {refusal}")
        else:
            raise Fatal("a replayed claim was paid", "Stop: this must never happen.")
        paid = self._claim_oracle_pay() + self._claim_subnet_pay()
        active = self._chain.read("EpochLedger", "active_rewards")
        posted = list(self._chain.logs("EpochLedger", "EpochPosted"))
        report = next(log.args for log in reversed(posted) if log.args.reward_root == active[0])
        self.summary.epoch = {
            "to": report.to_epoch,
            "root": "0x" + report.reward_root.hex(),
            "budget": self._chain.read("EmissionsController", "cumulative_budget", report.to_epoch),
            "claimed": claimed.cumulative + paid,
        }

    def _show_epoch(self) -> None:
        """Wait for an epoch in which both subnets pay, and print who got what of it."""
        summary = wait_until(
            "an epoch that pays both subnets", self._paying_epoch, self._processes, 120
        )
        for table in tables(EpochSummaryView.model_validate(summary)):
            self._console.print(table)
        self.summary.subnets = summary["subnets"]

    def _paying_epoch(self) -> Any:
        """The summary of the newest report, None unless both subnets pay by it."""
        last, exists = self._chain.read("EpochLedger", "last_epoch")
        if not exists:
            return None
        answer = httpx.get(f"{self.oracle_urls[0]}/v1/epochs/{last}/summary", timeout=5)
        if answer.status_code != httpx.codes.OK:
            return None
        summary = answer.json()
        return summary if self._subnets.are_paid(summary) else None

    def _book_emission(self, name: str, receipt: Any) -> int:
        """Enter what a provider keeps of a claim; returns what its delegators share."""
        claimed = self._chain.event(receipt, "RewardDistributor", "Claimed")
        shares = self._chain.event(receipt, "ProviderStaking", "RewardsAdded")
        own = shares.commission + claimed.vesting
        self._accounts.book(name, own, "emission, part vesting", receipt)
        shared: int = shares.shared
        return shared

    def _claim_subnet_pay(self) -> int:
        """Claim for the validators and for the owner of the subnets; returns base units."""
        total = 0
        for name, provider in self._subnets.validators.items():
            desk = Provider(self._chain, self._signer(name))
            leaf, receipt = self._claim_leaf(desk, PROVIDER_LEAF, provider.to_bytes(32, "big"))
            self._book_emission(name, receipt)
            total += leaf.cumulative
        key = bytes.fromhex(self._actors[OWNER].address[2:]).rjust(32, b"\0")
        leaf, receipt = self._claim_leaf(
            Provider(self._chain, self._signer(OWNER)), ACCOUNT_LEAF, key
        )
        paid = self._chain.event(receipt, "RewardDistributor", "Claimed").paid
        self._accounts.book(OWNER, paid, "owner's cut of its subnets", receipt)
        return total + int(leaf.cumulative)

    def _leaf(self, kind: int, key: bytes) -> ProofView | None:
        """A leaf of the active reward root, as the first oracle proves it; None if it has none."""
        try:
            answer = httpx.get(f"{self.oracle_urls[0]}/v1/proofs/{kind}/0x{key.hex()}", timeout=5)
        except httpx.TransportError:
            return None
        if answer.status_code != httpx.codes.OK:
            return None
        return ProofView.model_validate(answer.json())

    def _claim_leaf(self, desk: Provider, kind: int, key: bytes) -> tuple[ProofView, Any]:
        """Claim a leaf; with epochs this short another root may become active in between."""
        for attempts_left in reversed(range(5)):
            leaf = self._leaf(kind, key)
            if leaf is not None:
                try:
                    return leaf, desk.claim(leaf.kind, leaf.key, leaf.cumulative, leaf.proof)
                except Conflict:
                    if not attempts_left:
                        raise
            time.sleep(1)
        raise Fatal("the oracle stopped proving a leaf", "Read build/demo/logs/oracle-1.log.")

    def _claim_oracle_pay(self) -> int:
        """Claim every oracle's pay; returns base units paid."""
        total = 0
        for number in range(1, 5):
            name = f"oracle {number}"
            address = self._actors[name].address
            key = bytes.fromhex(address[2:]).rjust(32, b"\0")
            if self._leaf(ACCOUNT_LEAF, key) is None:
                continue
            desk = Provider(self._chain, self._signer(name))
            _, receipt = self._claim_leaf(desk, ACCOUNT_LEAF, key)
            paid = self._chain.event(receipt, "RewardDistributor", "Claimed").paid
            self._accounts.book(name, paid, "signatures counted", receipt)
            total += paid
        return total

    def _convict_oracle(self) -> None:
        actor = self._actors["oracle 4"]
        self._processes.kill("oracle-4")
        self._processes.start(
            "oracle-4-two-faced",
            [sys.executable, "-m", "scripts._demo.cheats", "oracle", *actor.key_options(),
             "--deployment", str(self._deployment), "--rpc", self._rpc,
             "--port", str(self._two_faced_port)],
        )  # fmt: skip
        log = wait_until(
            "conviction of the oracle",
            lambda: next(self._chain.logs("OracleCommittee", "Equivocated"), None),
            self._processes,
            60,
        )
        case, transaction = log.args, _hash(log)
        self._accounts.book("oracle 4", -case.slashed, "signed two roots", transaction)
        self._accounts.book("watcher", case.reporter_amount, "bounty", transaction)
        self._convicted(
            "equivocation", case.member, case.slashed, log,
            victim_paid=0,
            reporter_paid=case.reporter_amount,
            burnt=case.burnt,
            refunded=0,
        )  # fmt: skip
        self._say(
            f"bond of {case.slashed / WORK:.0f} WORK gone, {case.burnt / WORK:.0f} burnt",
            transaction,
        )

    def _close(self) -> None:
        honest = self._providers["honest"]
        escrow = self._chain.contract("JobEscrow")
        wait_until(
            "the end of the dispute window",
            lambda: self._chain.read("JobEscrow", "income", honest, self._token.address)[1] == 0,
            self._processes,
            90,
        )
        receipt = self._provider("honest").withdraw(honest, self._token.address)
        committee_job = next(
            job["paid"] for job in self.summary.jobs if job["path"] == "committee receipts"
        )
        matured = self._chain.event(receipt, "JobEscrow", "CreditMatured")
        if matured.amount != committee_job:
            raise Fatal(f"{matured.amount} matured, {committee_job} expected", "Look at JobEscrow.")
        self._accounts.book(
            "honest provider", matured.amount - matured.fee, "job 3, receipts", receipt
        )
        fees = self._chain.transact(
            self._signer("watcher"), escrow.functions.collect_fees(self._token.address)
        )
        collected = self._chain.event(fees, "JobEscrow", "FeesCollected")
        self._accounts.book("treasury", collected.treasury, "fees, after burning", fees)

        self._processes.kill("agent-cheating")
        self._processes.kill("watcher")
        self._book_convictions()
        self.lines = self._accounts.close()
        self.summary.accounts = [asdict(line) for line in self.lines]
        books, _ = conservation(self._token)
        self.summary.conservation = {"WORK": asdict(books)}
        self._enter_attestations()
        self.summary.duration_seconds = round(time.monotonic() - self._started, 1)
        if not books.ok:
            raise Fatal(f"WORK does not add up: {books}", "Read build/demo/summary.json.")
        if not balanced(self.lines):
            raise Fatal(
                "an account is not explained by its entries", "Read build/demo/summary.json."
            )
        self._say(f"minted {books.minted} = held {books.sum_of_balances} + burnt {books.burnt}")

    def _enter_attestations(self) -> None:
        registry = self._chain.contract("DeviceRegistry")
        for log in self._chain.logs("DeviceRegistry", "DeviceAttested"):
            sent = self._chain.w3.eth.get_transaction(log.transactionHash)
            _, arguments = registry.decode_function_input(sent["input"])
            self.summary.attestations.append(
                {
                    "device": "0x" + log.args.device.hex(),
                    "provider": log.args.provider,
                    "ops_lower_bound": log.args.ops_per_second,
                    "elapsed_ms": arguments["result"]["elapsed_ms"],
                    "transaction": _hash(log),
                }
            )

    # --- helpers ----------------------------------------------------------------------------

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        started = time.monotonic()
        with self._console.status(f"[bold]{title}"):
            self._console.print(f"[bold cyan]>[/] [bold]{title}[/]", highlight=False)
            yield
        self._console.print(f"  [green]done[/] in {time.monotonic() - started:.1f} s")

    def _say(self, text: str, transaction: str = "") -> None:
        shown = f"  [dim]{transaction[:18]}..[/]" if transaction else ""
        self._console.print(f"  {text}{shown}", highlight=False)

    def _signer(self, name: str) -> KeystoreSigner:
        actor: Actor = self._actors[name]
        return KeystoreSigner.load(actor.keystore, actor.password_file)

    def _provider(self, role: str) -> Provider:
        return Provider(self._chain, self._signer(f"{role} operator key"))

    def _customer_options(self) -> list[str]:
        return [
            "--deployment", str(self._deployment), "--rpc", self._rpc,
            *self._actors["customer"].key_options(),
        ]  # fmt: skip

    def _start_compute(self, job: int, gpus: int = 1) -> None:
        state = self._folder / "agents" / "honest"
        self._processes.start(
            f"job-{job}",
            [sys.executable, "-m", "scripts._demo.workload", "--job", str(job),
             "--agent-state", str(state), "--seconds", str(JOB_SECONDS), "--gpus", str(gpus)],
        )  # fmt: skip

    def _finish_compute(self, job: int) -> None:
        self._processes.wait(f"job-{job}", JOB_SECONDS + 60)
        printed = (self._folder / "logs" / f"job-{job}.log").read_text().strip().splitlines()[-1]
        outcome = json.loads(printed)
        self._say(
            f"trained {outcome['epochs']} epochs in {outcome['seconds']} s, "
            f"accuracy {outcome['accuracy']:.3f}"
        )

    def _job(self, job: int) -> Any:
        return self._chain.read("JobRegistry", "job_info", job)


def _hash(log: Any) -> str:
    text: str = log.transactionHash.to_0x_hex()
    return text


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
