"""A market to measure gas in: deployed by the deploy script's code, driven over JSON-RPC.

Every figure is the gas of a whole transaction as anvil's receipt states it, calldata and the
21 000 of the transaction included. Transactions are measured in the state of a market that has
been in use: somebody staked, delegated, opened jobs and posted reports before.
"""

from collections.abc import Generator, Iterator
from dataclasses import astuple, dataclass, replace
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.types import RPCEndpoint

from oracle.domain.attestation.chain import Dims, Matrix, chain_seeds, row_elements, row_key
from oracle.domain.attestation.commitment import fold, root_of
from oracle.domain.hashing import keccak
from oracle.domain.leaves import Leaf, LeafKind, account_key, provider_key
from oracle.domain.merkle import MerkleTree
from oracle.domain.messages import (
    Commit,
    Domain,
    EpochReport,
    Message,
    Offer,
    Report,
    Result,
    Voucher,
)
from oracle.domain.receipts import JobStatus, Receipt, pack
from scripts._anvil import test_key
from scripts._parameters import DAY, HOUR, UNIT, Parameters
from scripts._project import abi_of

MEMBERS = range(1, 8)
THRESHOLD = 5
DEPLOYER, OWNER, OPERATOR, CUSTOMER, WATCHER = 0, 8, 9, 10, 11
DELEGATORS = (12, 13, 14)
# three more that leave with everything, so that 200 requests are open for the slash
LEAVERS = (15, 16, 17)
UNBONDINGS = 200
REQUESTS_PER_HOLDER = 32

TREE_LEAVES = 140_000
# receipts of the batches that are measured
BATCHES = (1, 10, 50, 100, 400, 512)
JOBS = max(BATCHES)
# vouchers of one transaction
VOUCHERS = 10
CLUSTER_MEMBERS = 4
# numbers of devices: offered, in a cluster, of providers that have one each
ON_OFFER = 8_000
IN_CLUSTER = 9_000
ELSEWHERE, ALONE = 10_000, 20_000
# what such a provider stakes
SMALL_STAKE = 200 * UNIT
# reports after which the ledger writes into slots it has used before
EARLIER_REPORTS = 9
CPU_CLASS = 1
GAS_LIMIT = 16_000_000
# what the EVM charges (EIP-2028, EIP-2929 and the Yellow Paper's appendix G), all slots cold
TRANSACTION_GAS, ZERO_BYTE_GAS, BYTE_GAS = 21_000, 4, 16
LOG_GAS, LOG_BYTE_GAS = 375, 8
ACCOUNT_GAS, CHANGED_SLOT_GAS, NEW_SLOT_GAS = 2_600, 5_000, 22_100
# the shape whose false entry is convicted: a square matrix of one round
CONVICTED = Dims(m=16_384, n=16_384, k=16_384, rounds=1)


def bench_parameters(local: Parameters) -> Parameters:
    """The local parameters with a committee of seven and the windows of a public network."""
    members = [str(test_key(index).address) for index in MEMBERS]
    return local.model_copy(
        update={
            "committee": local.committee.model_copy(
                update={"members": members, "threshold": THRESHOLD}
            ),
            "registry": local.registry.model_copy(update={"attestation_period": DAY}),
            "escrow": local.escrow.model_copy(
                update={"dispute_window": DAY, "job_timeout": 2 * DAY}
            ),
            "emissions": local.emissions.model_copy(
                update={"epoch_length": HOUR, "activation_delay": HOUR}
            ),
        }
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that was mined."""

    hash: HexBytes
    gas: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure: `gas` of a whole transaction, or of one of its receipts, and its `floor`.

    The floor is what the EVM charges for the effects alone: the transaction and its calldata,
    the logs, and the slots it changed. No instruction, no read and no hash is counted.
    """

    key: str
    gas: int
    floor: int


class Bench:
    """Sends transactions from the test keys to a market and reads their gas."""

    def __init__(self, url: str, addresses: dict[str, str]) -> None:
        self._web3 = Web3(HTTPProvider(url))
        self.chain_id = self._web3.eth.chain_id
        self._keys = {index: test_key(index) for index in range(20)}
        self._contracts = {
            name: self._web3.eth.contract(Web3.to_checksum_address(address), abi=abi_of(name))
            for name, address in addresses.items()
        }
        self._last_report: EpochReport | None = None

    def __getitem__(self, name: str) -> Contract:
        """A contract by name."""
        return self._contracts[name]

    # --- plumbing -------------------------------------------------------------------------

    def send(self, sender: int | str, call: Any) -> Sent:
        """Send a call from a test key or an unlocked address."""
        address = sender if isinstance(sender, str) else self.address(sender)
        sent = call.transact({"from": address, "gas": GAS_LIMIT})
        receipt = self._web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)
        if receipt["status"] != 1:
            call.call({"from": address})
            raise RuntimeError(f"{call} reverted")
        return Sent(sent, int(receipt["gasUsed"]))

    def measured(self, key: str, sent: Sent, parts: int = 1) -> Measurement:
        """The figure of a transaction, or of one of its `parts`."""
        return Measurement(key, sent.gas // parts, self._floor(sent.hash) // parts)

    def _floor(self, sent: HexBytes) -> int:
        transaction = self._web3.eth.get_transaction(sent)
        data = bytes(transaction["input"])
        zeros = data.count(0)
        gas = TRANSACTION_GAS + zeros * ZERO_BYTE_GAS + (len(data) - zeros) * BYTE_GAS
        for log in self._web3.eth.get_transaction_receipt(sent)["logs"]:
            gas += LOG_GAS * (1 + len(log["topics"])) + LOG_BYTE_GAS * len(log["data"])
        tracer = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
        change = self.rpc("debug_traceTransaction", sent.to_0x_hex(), tracer)
        for address, after in change["post"].items():
            before = change["pre"].get(address, {}).get("storage", {})
            slots = {*before, *after.get("storage", {})}
            if slots and address.lower() != str(transaction["to"]).lower():
                gas += ACCOUNT_GAS
            for slot in slots:
                gas += CHANGED_SLOT_GAS if int(before.get(slot, "0x0"), 16) else NEW_SLOT_GAS
        return gas

    def address(self, index: int) -> str:
        """The address of a test key."""
        return str(self._keys[index].address)

    def sign(self, index: int, message: Message, contract: str) -> bytes:
        """A test key's signature for a contract: r, s, v."""
        domain = Domain(self.chain_id, str(self[contract].address))
        key: LocalAccount = self._keys[index]
        return bytes(key.unsafe_sign_hash(Hash32(message.digest(domain))).signature)

    def committee_signs(self, consumer: str, subject: bytes, epoch: int, payload: bytes) -> bytes:
        """Threshold many signatures, ascending by signer, joined."""
        committee = self["OracleCommittee"]
        config = bytes(committee.functions.config_digest().call())
        report = Report(config, str(self[consumer].address), subject, epoch, payload)
        signers = sorted(MEMBERS, key=lambda index: int(self.address(index), 16))[:THRESHOLD]
        return b"".join(self.sign(index, report, "OracleCommittee") for index in signers)

    def rpc(self, method: str, *params: Any) -> Any:
        """A call of anvil's own."""
        answer = self._web3.provider.make_request(RPCEndpoint(method), list(params))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def pass_time(self, seconds: int) -> None:
        """Let chain time pass."""
        self.rpc("evm_increaseTime", seconds)
        self.rpc("evm_mine")

    # --- the market -----------------------------------------------------------------------

    def fund(self, index: int, tokens: int) -> None:
        """Give a test key tokens, and let the market's contracts pull them."""
        token = self["WorkToken"].functions
        self.send(DEPLOYER, token.transfer(self.address(index), tokens))
        for name in ("ProviderStaking", "JobEscrow", "SlashingCourt"):
            self.send(index, token.approve(self[name].address, 2**256 - 1))

    def register(self, owner: int, operator: int) -> int:
        """Register a provider; returns its id."""
        register = self["ProviderRegistry"].functions.register(
            self.address(operator), self.address(owner), 1_000, 500, 1_000, "ipfs://provider"
        )
        provider: int = register.call({"from": self.address(owner)})
        self.send(owner, register)
        return provider

    def small_provider(self, device: int) -> int:
        """Register a provider of the owner's with a small stake and one device, of this number."""
        operator = Web3.to_checksum_address(keccak(b"operator" + device.to_bytes(4, "big"))[12:])
        registry, owner = self["ProviderRegistry"].functions, self.address(OWNER)
        self.send(OWNER, registry.register(operator, owner, 0, 0, 0, "ipfs://provider"))
        provider = int(registry.provider_count().call())
        self.send(OWNER, self["ProviderStaking"].functions.stake(provider, SMALL_STAKE))
        self.attest(provider, device, epoch=1)
        return provider

    def attest(self, provider: int, number: int, epoch: int) -> Sent:
        """Enter or renew a device in the registry."""
        identity = keccak(b"device" + number.to_bytes(4, "big"))
        result = Result(
            provider=provider,
            device=keccak(identity + provider.to_bytes(32, "big")),
            identity=identity,
            device_class=CPU_CLASS,
            ops_per_second=2 * 10**9,
            memory_mb=1_024,
            elapsed_ms=900,
            commit=keccak(b"commit"),
            openings=keccak(b"openings"),
            evidence=bytes(32),
        )
        signatures = self.committee_signs(
            "DeviceRegistry", result.device, epoch, result.struct_hash()
        )
        return self.send(
            OPERATOR,
            self["DeviceRegistry"].functions.record(astuple(result), epoch, signatures),
        )

    def open_job(self, provider: int, sla: int = 0) -> tuple[int, Sent]:
        """Open and fund a job; returns its number."""
        call = self["JobEscrow"].functions.open_job(
            provider, self["WorkToken"].address, 1, CPU_CLASS, UNIT, 10 * UNIT, sla, keccak(b"t")
        )
        job: int = call.call({"from": self.address(CUSTOMER)})
        return job, self.send(CUSTOMER, call)

    def voucher(self, job: int, seconds: int) -> Sent:
        """Settle a job by its customer's voucher."""
        message = Voucher(job, seconds, JobStatus.RUNNING)
        signature = self.sign(CUSTOMER, message, "JobEscrow")
        return self.send(
            OPERATOR,
            self["JobEscrow"].functions.settle_voucher(
                job, seconds, int(JobStatus.RUNNING), signature
            ),
        )

    def vouchers(self, jobs: list[int], seconds: int) -> Sent:
        """Settle jobs by their customer's vouchers, all in one transaction."""
        signed = [
            (*astuple(voucher), self.sign(CUSTOMER, voucher, "JobEscrow"))
            for voucher in (Voucher(job, seconds, int(JobStatus.RUNNING)) for job in jobs)
        ]
        return self.send(OPERATOR, self["JobEscrow"].functions.settle_vouchers(signed))

    def batch(self, jobs: list[int], epoch: int, seconds: int, index: int | None = None) -> Sent:
        """Settle jobs by the committee's packed receipts; `index` is `seconds` unless given."""
        receipts = pack(Receipt(job, seconds, JobStatus.RUNNING) for job in jobs)
        index = seconds if index is None else index
        signatures = self.committee_signs(
            "JobEscrow", index.to_bytes(32, "big"), epoch, keccak(receipts)
        )
        return self.send(
            OPERATOR,
            self["JobEscrow"].functions.settle_batch(epoch, index, receipts, signatures),
        )

    def post_epoch(self, tree: MerkleTree, total: int) -> Sent:
        """Let an epoch end, press its budget and post its report."""
        self.pass_time(HOUR)
        self.send(OPERATOR, self["EmissionsController"].functions.press(64))
        ledger = self["EpochLedger"].functions
        last, posted = ledger.last_epoch().call()
        report = EpochReport(
            from_epoch=last + 1 if posted else 0,
            to_epoch=ledger.current_epoch().call() - 1,
            previous=self.head,
            reward_root=tree.root,
            usage_root=keccak(b"usage"),
            attestation_root=keccak(b"attestation"),
            cumulative_rewards=total,
            data_hash=keccak(tree.root),
            rules_version=1,
        )
        return self.post(report)

    def post(self, report: EpochReport) -> Sent:
        """Have the committee sign a report, and post it."""
        self._last_report = report
        signatures = self.committee_signs("EpochLedger", bytes(32), report.to_epoch, self.head)
        post = self["EpochLedger"].functions.post_epoch(astuple(report), signatures)
        return self.send(OPERATOR, post)

    @property
    def head(self) -> bytes:
        """Struct hash of the last report."""
        return self._last_report.struct_hash() if self._last_report else bytes(32)

    def adopt_usage(self) -> Sent:
        """Let usage be proved against the last report, which is active."""
        assert self._last_report is not None
        adopt = self["EpochLedger"].functions.adopt_usage([astuple(self._last_report)])
        return self.send(OPERATOR, adopt)

    def claim(self, tree: MerkleTree, leaf: Leaf) -> Sent:
        """Claim a leaf of the active root."""
        proof = tree.proof(self.leaf_hash(leaf))
        return self.send(
            OPERATOR,
            self["RewardDistributor"].functions.claim(int(leaf.kind), leaf.key, leaf.value, proof),
        )

    def leaf_hash(self, leaf: Leaf) -> bytes:
        """The hash of a reward leaf on this chain."""
        return leaf.hash(self.chain_id, str(self["RewardDistributor"].address))


def measure(bench: Bench) -> Iterator[Measurement]:
    """Everything, in an order in which no measurement warms up the next one's state."""
    provider = yield from _staking(bench)
    yield from _jobs(bench, provider)
    yield from _offers(bench, provider)
    yield from _cluster(bench)
    yield from _scattered_jobs(bench)
    yield from _epochs(bench, provider)
    yield from _slash(bench, provider)
    yield from _conviction(bench)
    yield from _withheld(bench)
    yield from _accusation(bench, provider)


def _staking(bench: Bench) -> Generator[Measurement, None, int]:
    """Stake, delegate and unbond, each the first time and again; returns the provider."""
    staking = bench["ProviderStaking"].functions
    for index in (OWNER, WATCHER, CUSTOMER, *DELEGATORS, *LEAVERS):
        bench.fund(index, 60_000 * UNIT)
    earlier = bench.register(WATCHER, WATCHER)
    bench.send(WATCHER, staking.stake(earlier, 1_000 * UNIT))

    provider = bench.register(OWNER, OPERATOR)
    yield bench.measured("stake_first", bench.send(OWNER, staking.stake(provider, 1_000 * UNIT)))
    yield bench.measured("stake_add", bench.send(OWNER, staking.stake(provider, 500 * UNIT)))

    delegate = staking.delegate(provider, 1_000 * UNIT, 0)
    bench.send(DELEGATORS[0], delegate)
    yield bench.measured("delegate_new", bench.send(DELEGATORS[1], delegate))
    yield bench.measured("delegate_add", bench.send(DELEGATORS[1], delegate))

    unbond = staking.unbond(provider, 10 * UNIT)
    yield bench.measured("unbond_first", bench.send(OWNER, unbond))
    yield bench.measured("unbond_second", bench.send(OWNER, unbond))
    shares, _ = staking.delegation(provider, bench.address(DELEGATORS[1])).call()
    undelegate = staking.undelegate(provider, shares // 100)
    yield bench.measured("undelegate_first", bench.send(DELEGATORS[1], undelegate))
    yield bench.measured("undelegate_second", bench.send(DELEGATORS[1], undelegate))
    return provider


def _jobs(bench: Bench, provider: int) -> Iterator[Measurement]:
    """Open, fund and settle jobs."""
    staking = bench["ProviderStaking"].functions
    escrow = bench["JobEscrow"].functions
    accept = bench["JobRegistry"].functions.accept
    bench.send(OWNER, staking.stake(provider, 50_000 * UNIT))

    bench.open_job(provider)
    jobs = []
    for number in range(JOBS):
        bench.attest(provider, number, epoch=1)
        job, opened = bench.open_job(provider)
        bench.send(OPERATOR, accept(job))
        jobs.append(job)
    yield bench.measured("device_renewal", bench.attest(provider, 0, epoch=2))
    yield bench.measured("open_job", opened)
    yield bench.measured("top_up", bench.send(CUSTOMER, escrow.top_up(jobs[0], UNIT)))

    bench.voucher(jobs[0], 60)
    yield bench.measured("voucher_repeat", bench.voucher(jobs[0], 120))
    many = jobs[:VOUCHERS]
    for job in many:
        bench.voucher(job, 180)
    yield bench.measured(f"vouchers_{VOUCHERS}_per_voucher", bench.vouchers(many, 240), len(many))

    yield from _batches(bench, jobs, "receipts")


def _batches(bench: Bench, jobs: list[int], name: str) -> Iterator[Measurement]:
    """Settle jobs by receipts, in a window in which all of them were settled before."""
    bench.batch(jobs, epoch=1, seconds=300)
    for place, size in enumerate(BATCHES, start=1):
        sent = bench.batch(jobs[:size], 1, 300 * (place + 1), index=jobs[0] * 100 + place)
        yield bench.measured(f"{name}_{size}_per_receipt", sent, size)


def _offers(bench: Bench, provider: int) -> Iterator[Measurement]:
    """Take two parts of a signed offer: each opens, funds and accepts a job."""
    for number in range(3):
        bench.attest(provider, ON_OFFER + number, epoch=1)
    offer = Offer(
        provider=provider,
        device_class=CPU_CLASS,
        gpus=3,
        sla=0,
        min_seconds=HOUR,
        max_seconds=DAY,
        expires_at=2**40,
        nonce=1,
        asset=str(bench["WorkToken"].address),
        price_per_gpu_hour=UNIT,
        terms=keccak(b"terms"),
    )
    signature = bench.sign(OPERATOR, offer, "OfferBook")
    take = bench["JobEscrow"].functions.take_offer(
        astuple(offer), bench.address(OPERATOR), signature, 1, HOUR
    )
    yield bench.measured("take_offer_first", bench.send(CUSTOMER, take))
    yield bench.measured("take_offer_again", bench.send(CUSTOMER, take))


def _cluster(bench: Bench) -> Iterator[Measurement]:
    """Form a cluster of four providers with a GPU each, take a job with it and settle it."""
    clusters, escrow = bench["ClusterRegistry"].functions, bench["JobEscrow"].functions
    members = [bench.small_provider(IN_CLUSTER + number) for number in range(CLUSTER_MEMBERS)]
    form = clusters.form([(member, 1) for member in members], CPU_CLASS, UNIT, 0)
    cluster = int(form.call({"from": bench.address(OWNER)}))
    yield bench.measured("cluster_form_4", bench.send(OWNER, form))
    for place in range(1, CLUSTER_MEMBERS):
        bench.send(OWNER, clusters.join(cluster, place))
    opened = escrow.open_job(
        cluster,
        bench["WorkToken"].address,
        CLUSTER_MEMBERS,
        CPU_CLASS,
        UNIT,
        10 * UNIT,
        0,
        keccak(b"t"),
    )
    job = int(opened.call({"from": bench.address(CUSTOMER)}))
    bench.send(CUSTOMER, opened)
    accepted = bench.send(OWNER, bench["JobRegistry"].functions.accept(job))
    bench.voucher(job, 60)
    settled = bench.voucher(job, 120)
    yield bench.measured("cluster_accept_4", accepted)
    yield bench.measured("cluster_voucher_repeat", settled)


def _scattered_jobs(bench: Bench) -> Iterator[Measurement]:
    """As many jobs, each of another provider: one word more is written for every receipt."""
    accept = bench["JobRegistry"].functions.accept
    bench.fund(OWNER, JOBS * SMALL_STAKE)
    jobs = []
    for number in range(JOBS):
        job, _ = bench.open_job(bench.small_provider(ELSEWHERE + number))
        bench.send(OWNER, accept(job))
        jobs.append(job)
    yield from _batches(bench, jobs, "receipts_scattered")


def _epochs(bench: Bench, provider: int) -> Iterator[Measurement]:
    """Post reports over 140 000 leaves and claim from them, each a second time."""
    bench.fund(OWNER, SMALL_STAKE)
    alone = bench.small_provider(ALONE)
    for _ in range(EARLIER_REPORTS):
        bench.post_epoch(MerkleTree([keccak(b"a quiet epoch")]), 0)
    for number in range(1, 3):
        somebody, once, vesting, vesting_alone = (
            Leaf(LeafKind.ACCOUNT, account_key(bench.address(WATCHER)), number * UNIT),
            Leaf(LeafKind.ACCOUNT, account_key(bench.address(DELEGATORS[0])), number * UNIT),
            Leaf(LeafKind.PROVIDER, provider_key(provider), number * UNIT),
            Leaf(LeafKind.PROVIDER, provider_key(alone), number * UNIT),
        )
        others = (
            Leaf(LeafKind.ACCOUNT, other.to_bytes(32, "big"), number)
            for other in range(1, TREE_LEAVES - 3)
        )
        leaves = (somebody, once, vesting, vesting_alone, *others)
        tree = MerkleTree([bench.leaf_hash(leaf) for leaf in leaves])
        report = bench.post_epoch(tree, 4 * number * UNIT + number * (TREE_LEAVES - 4))
        bench.pass_time(HOUR)
        # the first claim against a root also takes it over from the ledger
        bench.claim(tree, somebody)
        claims = [bench.claim(tree, leaf) for leaf in (once, vesting, vesting_alone)]
    yield bench.measured("committee_report_5of7", report)
    yield bench.measured("claim_140k_repeat", claims[0])
    yield bench.measured("claim_vesting_repeat", claims[1])
    yield bench.measured("claim_vesting_alone_repeat", claims[2])


def _slash(bench: Bench, provider: int) -> Iterator[Measurement]:
    """Slash a provider with 200 open requests and three delegators, as the court does."""
    staking = bench["ProviderStaking"].functions
    holders = (*DELEGATORS, *LEAVERS)
    for index in (DELEGATORS[2], *LEAVERS):
        bench.send(index, staking.delegate(provider, 1_000 * UNIT, 0))
    requests = len(staking.unbondings(provider).call())
    requests += len(staking.undelegations(provider, bench.address(DELEGATORS[1])).call())
    for _ in range(REQUESTS_PER_HOLDER):
        for index in holders:
            if requests == UNBONDINGS:
                break
            shares, _tokens = staking.delegation(provider, bench.address(index)).call()
            open_requests = len(staking.undelegations(provider, bench.address(index)).call())
            if open_requests == REQUESTS_PER_HOLDER:
                continue
            bench.send(index, staking.undelegate(provider, shares // 100))
            requests += 1
    while requests < UNBONDINGS:
        bench.send(OWNER, staking.unbond(provider, UNIT))
        requests += 1

    court = str(bench["SlashingCourt"].address)
    bench.rpc("anvil_setBalance", court, hex(UNIT))
    bench.rpc("anvil_impersonateAccount", court)
    order = (200 * UNIT, bench.address(CUSTOMER), 100 * UNIT, bench.address(WATCHER), 20 * UNIT)
    yield bench.measured("slash", bench.send(court, staking.slash(provider, order)))
    bench.rpc("anvil_stopImpersonatingAccount", court)


def _conviction(bench: Bench) -> Iterator[Measurement]:
    """Convict a provider of one false entry of a 16 384 x 16 384 matrix product, another one of
    two contradicting commits.
    """
    staking = bench["ProviderStaking"].functions
    check, conviction = convict_entry(bench, DELEGATORS[0], CONVICTED)
    yield bench.measured("verify_n16384", check)
    yield bench.measured("convict_n16384", conviction)

    provider = bench.register(DELEGATORS[1], DELEGATORS[1])
    bench.send(DELEGATORS[1], staking.stake(provider, 1_000 * UNIT))
    two_ends: list[Any] = []
    for final_seed in (keccak(b"one end"), keccak(b"another end")):
        end = replace(_false_commit(provider, CONVICTED)[0], final_seed=final_seed)
        two_ends += [astuple(end), bench.sign(DELEGATORS[1], end, "DeviceRegistry")]
    call = bench["SlashingCourt"].functions.convict_equivocation(*two_ends, 0)
    yield bench.measured("court_convict_equivocation", bench.send(WATCHER, call))


def convict_entry(bench: Bench, owner: int, dims: Dims) -> tuple[Sent, Sent]:
    """Have one false entry of a new provider of `owner` checked alone, and convict it."""
    staking = bench["ProviderStaking"].functions
    provider = bench.register(owner, owner)
    bench.send(owner, staking.stake(provider, 1_000 * UNIT))
    commit, proof = _false_commit(provider, dims)
    roots, at, i, j, leaf, path = proof
    seed = chain_seeds(commit.seed, roots)[at]
    opening = (commit.seed, seed, commit.m, commit.n, commit.k, i, j, leaf, path, roots[at])
    check = bench["MatmulVerifier"].functions.is_correct(opening)
    signature = bench.sign(owner, commit, "DeviceRegistry")
    convict = bench["SlashingCourt"].functions.convict_attestation
    call = convict((astuple(commit), signature, *proof), 0)
    return bench.send(WATCHER, check), bench.send(WATCHER, call)


def _withheld(bench: Bench) -> Iterator[Measurement]:
    """Ask a provider for two leaves of a commit: one is shown, the other one convicts."""
    requests = bench["LeafRequests"].functions
    for index in (WATCHER, CUSTOMER):
        approve = bench["WorkToken"].functions.approve(bench["LeafRequests"].address, 2**256 - 1)
        bench.send(index, approve)
    provider = bench.register(DELEGATORS[2], DELEGATORS[2])
    stake = bench["ProviderStaking"].functions.stake(provider, 1_000 * UNIT)
    bench.send(DELEGATORS[2], stake)
    commit, proof = _false_commit(provider, CONVICTED)
    commit = replace(commit, epoch=bench["EpochLedger"].functions.current_epoch().call())
    signature = bench.sign(DELEGATORS[2], commit, "DeviceRegistry")
    roots, round_index, i, j, leaf, path = proof
    shown, _place = CONVICTED.leaf_of(i, j)
    hidden = shown + 1

    terms = astuple(commit), signature, roots, round_index
    bench.send(CUSTOMER, requests.request_open(*terms, shown, 2**255))
    ask = requests.request_open(*terms, hidden, 2**255)
    yield bench.measured("leaf_request", bench.send(WATCHER, ask))
    digest = commit.digest(Domain(bench.chain_id, str(bench["DeviceRegistry"].address)))
    answer = requests.answer(digest, round_index, shown, roots[0], leaf, path)
    yield bench.measured("leaf_answer", bench.send(DELEGATORS[2], answer))
    bench.pass_time(HOUR)
    execute = requests.execute(astuple(commit), signature, round_index, hidden, roots[0], 0)
    yield bench.measured("leaf_execute", bench.send(WATCHER, execute))


def _accusation(bench: Bench, provider: int) -> Iterator[Measurement]:
    """Take a provider through the court for a job that still runs, up to its punishment."""
    court = bench["SlashingCourt"].functions
    fraud, downtime = court.FRAUD().call(), court.DOWNTIME().call()
    bench.attest(provider, JOBS, epoch=3)
    job, _ = bench.open_job(provider, sla=1)
    bench.send(OPERATOR, bench["JobRegistry"].functions.accept(job))
    # somebody else's case is open already
    bench.send(CUSTOMER, court.accuse(provider, downtime, 0, keccak(b"other evidence")))

    evidence, guilty, loss = keccak(b"evidence"), True, 0
    accuse = court.accuse(provider, fraud, job, evidence)
    case_id: bytes = accuse.call({"from": bench.address(WATCHER)})
    yield bench.measured("court_accuse", bench.send(WATCHER, accuse))
    answer = court.answer(case_id, keccak(b"answer"))
    yield bench.measured("court_answer", bench.send(OPERATOR, answer))
    verdict = court.verdict_hash(case_id, guilty, loss).call()
    signatures = bench.committee_signs("SlashingCourt", case_id, 0, verdict)
    rule = court.rule(case_id, guilty, loss, signatures)
    yield bench.measured("court_rule", bench.send(OPERATOR, rule))
    # nobody appeals
    bench.pass_time(HOUR)
    yield bench.measured("court_execute", bench.send(OPERATOR, court.execute(case_id)))


def _false_commit(provider: int, dims: Dims) -> tuple[Commit, tuple[Any, ...]]:
    """A commit with one false entry in its last round, and the rest of its proof.

    A liar may commit to anything, so only the opened leaf and the path above it are made.
    """
    i, j = 5_000 % dims.m, 11_001 % dims.n
    seed = keccak(b"seed of the convicted chain")
    roots = [keccak(b"root" + bytes([earlier])) for earlier in range(dims.rounds - 1)]
    last = chain_seeds(seed, roots)[-1]
    row = row_elements(row_key(last, Matrix.A, i), Matrix.A, dims.k)
    column = row_elements(row_key(seed, Matrix.B, j), Matrix.B, dims.k)
    true_byte = fold(sum(a * b for a, b in zip(row, column, strict=True)))
    index, place = dims.leaf_of(i, j)
    leaf = bytearray(keccak(b"leaf") * 4)
    leaf[place] = true_byte ^ 1
    path = [keccak(level.to_bytes(1, "big")) for level in range(dims.depth)]
    roots.append(root_of(bytes(leaf), index, path))
    commit = Commit(
        provider=provider,
        device=keccak(b"device"),
        epoch=1,
        seed=seed,
        m=dims.m,
        n=dims.n,
        k=dims.k,
        rounds=dims.rounds,
        final_seed=chain_seeds(seed, roots)[-1],
    )
    return commit, (roots, dims.rounds - 1, i, j, bytes(leaf), path)
