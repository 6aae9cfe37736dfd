"""`clearwork provider`, `customer` and `offers`, against an oracle in this process."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from vyper import compile_code

from oracle.adapters.offer_client import OfferClient
from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.api.schemas import OfferQuery
from oracle.cli import customer as buyer
from oracle.cli import offers as market
from oracle.cli import provider as command
from oracle.domain.hashing import keccak
from oracle.domain.messages import Voucher
from oracle.domain.receipts import JobStatus, Receipt, pack
from oracle.errors import (
    BadInput,
    Conflict,
    NotFound,
    Transient,
    Unauthorized,
)
from scripts._project import ROOT
from tests.oracle.commands import run, signs
from tests.oracle.conftest import DAY, HOUR, PRICE, Live, Oracle
from tests.oracle.offers.conftest import SignOffer, listed, publish

ORACLE = "http://oracle"
Command = Callable[..., str]


@pytest.mark.parametrize(
    "url", ["nonsense", "http://[::1", "http://127.0.0.1:99999", "http://xn--/"]
)
def test_an_oracle_at_no_address_is_named(url: str) -> None:
    with pytest.raises(BadInput, match="is no URL") as error:
        OfferClient(url)
    assert url in str(error.value)
    assert "http://127.0.0.1:8100" in error.value.remedy


@pytest.fixture(autouse=True)
def _oracle_logs_elsewhere() -> Iterator[None]:
    """The oracle is in this process, but its log is not part of what a command prints."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _reach_the_oracle(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' clients talk to the oracle here, or to nobody."""

    class Reached(OfferClient):
        def __init__(self, url: str) -> None:
            super().__init__(url, httpx.MockTransport(down))
            if url == ORACLE:
                self._http = oracle.http

    def down(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    for module in (command, market, buyer):
        monkeypatch.setattr(module, "OfferClient", Reached)


@pytest.fixture
def keys(live: Live, anvil_url: str, tmp_path: Path) -> Callable[[str], list[str]]:
    """Options of a command that signs with somebody's key and changes the chain."""

    return lambda name: signs(live, anvil_url, getattr(live, name), tmp_path)


@pytest.fixture
def offer_command(live: Live, provider: int, keys: Callable[[str], list[str]]) -> Command:
    """`clearwork provider offer` of the provider's operator."""
    asset = live.deployment.address("WorkToken")

    def _offer(*more: str, key: str = "operator", oracle: str = ORACLE) -> str:
        asked = ["--price", str(PRICE), "--asset", asset, "--oracle", oracle]
        return run(command.app, "offer", str(provider), *asked, *keys(key), *more)

    return _offer


def test_an_offer_is_signed_published_and_listed(
    oracle: Oracle, offer_command: Command, provider: int, live: Live
) -> None:
    oracle.look()
    (view,) = map(json.loads, offer_command("--gpus", "2", "--json").splitlines())
    assert (view["provider"], view["gpus"], view["available"]) == (provider, 2, 2)
    assert (view["min_seconds"], view["max_seconds"]) == (HOUR, 30 * DAY)
    assert view["signer"] == live.operator.address
    assert view["expires_at"] == pytest.approx(live.chain.timestamp() + 7 * DAY, abs=60)
    assert json.loads(run(market.app, "--oracle", ORACLE, "--json")) == [view]


def test_an_offer_is_told_to_people(oracle: Oracle, offer_command: Command, provider: int) -> None:
    oracle.look()
    printed = offer_command("--nonce", "7", "--sla", "0")
    assert f"Offer 7 of provider {provider}: 1 of 1 GPUs can be taken now." in printed
    table = run(market.app, "--oracle", ORACLE)
    for expected in ("36,000,000,000,000,000,000", "1 of 1", "1 to 720"):
        assert expected in table


def test_an_oracle_that_is_down_does_not_keep_the_offer_from_others(
    oracle: Oracle, offer_command: Command
) -> None:
    oracle.look()
    with pytest.raises(Transient, match="http://down does not answer"):
        offer_command("--oracle", ORACLE, oracle="http://down")
    assert len(listed(oracle)) == 1


def test_a_key_that_does_not_speak_for_the_provider_signs_nothing(offer_command: Command) -> None:
    with pytest.raises(Unauthorized, match="does not speak for provider") as refused:
        offer_command(key="customer")
    assert "keystore" in refused.value.remedy


def test_what_nobody_could_take_is_not_signed(oracle: Oracle, offer_command: Command) -> None:
    with pytest.raises(BadInput, match="a run time of 3600 to 60"):
        offer_command("--max-seconds", "60")
    with pytest.raises(BadInput, match="is not 32 bytes"):
        offer_command("--terms", "0x12")
    with pytest.raises(BadInput, match="is not 20 bytes"):
        offer_command("--asset", "0x12")
    with pytest.raises(BadInput, match="a price of"):
        offer_command("--price", str(2**80))
    assert listed(oracle) == []


def test_the_oracles_refusal_says_what_to_do(oracle: Oracle, offer_command: Command) -> None:
    oracle.look()
    with pytest.raises(Conflict, match="no attested device of class 2") as refused:
        offer_command("--device-class", "2")
    assert "clearwork agent run" in refused.value.remedy


def test_offers_are_revoked_by_nonce_and_below(
    oracle: Oracle, signed: SignOffer, provider: int, keys: Callable[[str], list[str]]
) -> None:
    for nonce in range(5):
        publish(oracle, signed(nonce=nonce))
    run(command.app, "revoke", str(provider), "0", "3", *keys("operator"))
    assert [view["nonce"] for view in listed(oracle)] == [1, 2, 4]
    run(command.app, "revoke", str(provider), "--below", "2", *keys("provider_owner"))
    assert [view["nonce"] for view in listed(oracle)] == [2, 4]


def test_more_nonces_than_one_transaction_takes(
    provider: int, live: Live, keys: Callable[[str], list[str]]
) -> None:
    run(command.app, "revoke", str(provider), *map(str, range(65)), *keys("operator"))
    for nonce in (0, 63, 64):
        assert live.read("OfferBook", "taken", provider, nonce) == 2**256 - 1


def test_nothing_and_others_offers_are_not_revoked(
    provider: int, keys: Callable[[str], list[str]]
) -> None:
    with pytest.raises(BadInput, match="nothing to revoke"):
        run(command.app, "revoke", str(provider), *keys("operator"))
    with pytest.raises(Conflict, match="caller does not speak for the provider"):
        run(command.app, "revoke", str(provider), "1", *keys("customer"))


def test_the_list_goes_through_all_pages(
    oracle: Oracle, signed: SignOffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oracle.api.app.OFFERS", 2)
    for nonce in range(5):
        publish(oracle, signed(nonce=nonce))
    found = json.loads(run(market.app, "--oracle", ORACLE, "--json"))
    assert [view["nonce"] for view in found] == [0, 1, 2, 3, 4]
    found = json.loads(run(market.app, "--oracle", ORACLE, "--json", "--limit", "3"))
    assert [view["nonce"] for view in found] == [0, 1, 2]


def test_an_empty_list_says_what_to_do(oracle: Oracle, provider: int) -> None:
    oracle.look()
    assert "clearwork provider offer" in run(market.app, "--oracle", ORACLE, "--min-gpus", "9")
    assert json.loads(run(market.app, "--oracle", ORACLE, "--json")) == []


def test_a_question_with_a_typing_error_is_explained(oracle: Oracle) -> None:
    with pytest.raises(BadInput, match="asset"):
        run(market.app, "--oracle", ORACLE, "--asset", "0x12")
    with pytest.raises(BadInput, match="max_price"):
        run(market.app, "--oracle", ORACLE, "--max-price", "-1")


@pytest.mark.parametrize("answer", ["nonsense", "{}", "[{}]"])
def test_an_oracle_that_talks_nonsense(answer: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=answer))
    with pytest.raises(Transient, match="outside the protocol"):
        list(OfferClient("http://odd", transport).listed(OfferQuery()))


def test_the_helps_teach() -> None:
    for app, arguments, taught in [
        (command.app, ["offer"], ["--valid-for", "shares", "revoke", "Example"]),
        (command.app, ["revoke"], ["--below", "for ever", "Example"]),
        (market.app, [], ["--max-price", "cheapest", "Example"]),
    ]:
        printed = run(app, *arguments, "--help")
        for word in taught:
            assert word.removesuffix("s") in printed, word


# --- the customer's side ------------------------------------------------------------------------


@pytest.fixture
def taken(
    live: Live,
    oracle: Oracle,
    offer_command: Command,
    provider: int,
    keys: Callable[[str], list[str]],
) -> int:
    """A job that came of an offer: two GPUs for two hours."""
    oracle.look()
    offer_command("--gpus", "2", "--nonce", "7")
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, 10 * PRICE)
    asked = ["--oracle", ORACLE, "--provider", str(provider), "--nonce", "7", "--gpus", "2"]
    printed = run(buyer.app, "take", *asked, "--hours", "2", "--json", *keys("customer"))
    return int(json.loads(printed)["job"])


def test_a_customer_takes_an_offer_in_one_transaction(
    live: Live, taken: int, provider: int, oracle: Oracle
) -> None:
    job = live.read("JobRegistry", "job_info", taken)
    assert (job.customer, job.provider, job.gpus) == (live.customer.address, provider, 2)
    assert (job.status, job.deposit) == (JobStatus.ACCEPTED, 4 * PRICE)
    oracle.look()
    assert listed(oracle) == []


def test_an_offer_is_taken_in_a_subnet(
    live: Live,
    oracle: Oracle,
    offer_command: Command,
    provider: int,
    keys: Callable[[str], list[str]],
) -> None:
    oracle.look()
    offer_command("--nonce", "7")
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, PRICE)
    asked = ["--oracle", ORACLE, "--provider", str(provider), "--nonce", "7", "--hours", "1"]
    with pytest.raises(Conflict, match="asset not listed"):
        run(buyer.app, "take", *asked, "--subnet", "1", *keys("customer"))
    _list_work_token(live, subnet=1)
    run(buyer.app, "take", *asked, "--subnet", "1", *keys("customer"))


def _list_work_token(live: Live, subnet: int) -> None:
    token, escrow = (live.deployment.address(name) for name in ("WorkToken", "JobEscrow"))
    live.send(live.deployer, "WorkToken", "approve", escrow, 10_000)
    live.send(live.deployer, "JobEscrow", "list_asset", token, subnet)


def test_an_offer_that_is_not_there(
    oracle: Oracle, provider: int, keys: Callable[[str], list[str]]
) -> None:
    oracle.look()
    asked = ["--oracle", ORACLE, "--provider", str(provider), "--nonce", "8", "--hours", "1"]
    with pytest.raises(NotFound, match="no offer 8 of provider"):
        run(buyer.app, "take", *asked, *keys("customer"))


def test_a_customer_lowers_its_deposit_only_so_far(
    live: Live, taken: int, keys: Callable[[str], list[str]]
) -> None:
    with pytest.raises(Conflict, match="the provider may have earned that"):
        run(buyer.app, "lower", str(taken), str(PRICE), *keys("customer"))


def test_a_customer_cannot_leave_while_the_devices_are_there(
    live: Live, taken: int, keys: Callable[[str], list[str]]
) -> None:
    with pytest.raises(Conflict, match="capacity is not lost"):
        run(buyer.app, "leave", str(taken), *keys("customer"))


def test_a_customer_leaves_a_provider_whose_attestations_have_run_out(
    live: Live, taken: int, provider: int, keys: Callable[[str], list[str]]
) -> None:
    live.mine(1, DAY)
    run(buyer.app, "leave", str(taken), *keys("customer"))
    # both had been promised: it paid for no more than it takes to be short of one
    assert live.read("DeviceRegistry", "capacity", provider, 1) == 1
    assert live.read("JobRegistry", "job_info", taken).status == JobStatus.CLOSED


def test_a_silent_job_is_reclaimed(
    live: Live, taken: int, keys: Callable[[str], list[str]]
) -> None:
    with pytest.raises(Conflict, match="no reclaim requested"):
        run(buyer.app, "reclaim", str(taken), *keys("customer"))
    run(buyer.app, "reclaim", str(taken), "--request", *keys("customer"))
    live.mine(1, 2 * DAY)
    run(buyer.app, "reclaim", str(taken), *keys("customer"))
    assert live.read("JobRegistry", "job_info", taken).status == JobStatus.CLOSED


def test_a_customer_disputes_pending_income(
    live: Live, taken: int, keys: Callable[[str], list[str]], tmp_path: Path
) -> None:
    evidence = tmp_path / "evidence.txt"
    evidence.write_text("the GPUs were idle: see the log")
    bond = live.read("SlashingCourt", "POLICY").accusation_bond
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, 2 * bond)
    with pytest.raises(Conflict, match="nothing pending"):
        run(buyer.app, "dispute", str(taken), str(evidence), *keys("customer"))
    packed = pack([Receipt(taken, 3_600, JobStatus.RUNNING)])
    signatures = live.committee_signs("JobEscrow", bytes(32), 1, keccak(packed))
    live.send(live.customer, "JobEscrow", "settle_batch", 1, 0, packed, signatures)
    evidence.write_text("more of it")
    printed = run(buyer.app, "dispute", str(taken), str(evidence), "--json", *keys("customer"))
    assert json.loads(printed)["kept"] == PRICE
    assert live.read("JobEscrow", "disputed", taken) == PRICE
    with pytest.raises(Conflict, match="accusation is open"):
        run(buyer.app, "settle-dispute", str(taken), *keys("customer"))
    live.mine(1, 30 * DAY)
    case_id = bytes.fromhex(json.loads(printed)["case_id"].removeprefix("0x"))
    live.send(live.deployer, "SlashingCourt", "draw", case_id)
    settled = run(buyer.app, "settle-dispute", str(taken), *keys("customer"))
    assert f"{PRICE} base units of job {taken} are free; they are the provider's." in settled
    assert live.read("JobEscrow", "disputed", taken) == 0


def test_a_customer_closes_a_job_that_is_over(
    live: Live, taken: int, keys: Callable[[str], list[str]]
) -> None:
    with pytest.raises(Conflict, match="status not final"):
        run(buyer.app, "close", str(taken), *keys("customer"))
    packed = pack([Receipt(taken, 3_600, JobStatus.COMPLETED)])
    signatures = live.committee_signs("JobEscrow", bytes(32), 1, keccak(packed))
    live.send(live.customer, "JobEscrow", "settle_batch", 1, 0, packed, signatures)
    had = live.read("WorkToken", "balanceOf", live.customer.address)
    run(buyer.app, "close", str(taken), *keys("customer"))
    assert live.read("WorkToken", "balanceOf", live.customer.address) - had == 3 * PRICE


def test_a_refund_that_was_not_delivered_is_claimed(
    live: Live, taken: int, keys: Callable[[str], list[str]]
) -> None:
    token = _list_plain_token(live)
    asked = ["--provider", str(live.read("JobRegistry", "job_info", taken).provider)]
    asked += ["--asset", token.address, "--price", "3600", "--deposit", "500", "--json"]
    sent = live.w3.eth.get_transaction_count(live.customer.address)
    job = json.loads(run(buyer.app, "open", *asked, *keys("customer")))["job"]
    # the token knows no permits: an approval goes before
    assert live.w3.eth.get_transaction_count(live.customer.address) == sent + 2
    receiver = live.provider_owner.address
    with pytest.raises(Conflict, match="no refund owed"):
        run(buyer.app, "claim-refund", token.address, receiver, *keys("customer"))
    deployer = KeystoreSigner(live.deployer)
    live.chain.transact(deployer, token.functions.set_blocked(live.customer.address, True))
    run(buyer.app, "cancel", str(job), *keys("customer"))
    printed = run(buyer.app, "claim-refund", token.address, receiver, *keys("customer"))
    assert f"Sent 500 base units to {receiver}." in printed
    assert token.functions.balanceOf(receiver).call() == 500


def _list_plain_token(live: Live) -> Any:
    """A token that can block accounts, listed; the customer has 1 000 base units."""
    source = (ROOT / "tests" / "contracts" / "plain_token.vy").read_text()
    compiled = compile_code(source, output_formats=["abi", "bytecode"])
    deployer = KeystoreSigner(live.deployer)
    factory = live.w3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
    created = live.chain.transact(deployer, factory.constructor(1_000_000, 18))
    token = live.w3.eth.contract(created["contractAddress"], abi=compiled["abi"])
    escrow = live.deployment.address("JobEscrow")
    live.chain.transact(deployer, token.functions.approve(escrow, 10_000))
    live.send(live.deployer, "JobEscrow", "list_asset", token.address)
    live.chain.transact(deployer, token.functions.transfer(live.customer.address, 1_000))
    return token


# --- the provider's side ------------------------------------------------------------------------


@pytest.fixture
def opened(live: Live, provider: int, keys: Callable[[str], list[str]]) -> int:
    """A job of one GPU in the work token's market of subnet 1, which waits for its provider."""
    token = live.deployment.address("WorkToken")
    _list_work_token(live, subnet=1)
    live.send(live.deployer, "WorkToken", "transfer", live.customer.address, PRICE)
    asked = ["--provider", str(provider), "--asset", token, "--price", str(PRICE)]
    asked += ["--deposit", str(PRICE), "--subnet", "1", "--json"]
    return int(json.loads(run(buyer.app, "open", *asked, *keys("customer")))["job"])


def test_a_provider_declines_a_job(
    live: Live, opened: int, keys: Callable[[str], list[str]]
) -> None:
    with pytest.raises(Conflict, match="not the provider"):
        run(command.app, "decline", str(opened), *keys("customer"))
    run(command.app, "decline", str(opened), *keys("operator"))
    assert live.read("JobRegistry", "job_info", opened).status == JobStatus.CANCELLED
    assert live.read("WorkToken", "balanceOf", live.customer.address) == PRICE


def test_a_job_of_a_subnet_is_started_noted_and_paid_there(
    live: Live, provider: int, opened: int, keys: Callable[[str], list[str]]
) -> None:
    with pytest.raises(Conflict, match="job is not accepted"):
        run(command.app, "start", str(opened), *keys("operator"))
    run(command.app, "accept", str(opened), *keys("operator"))
    run(command.app, "start", str(opened), *keys("operator"))
    assert live.read("JobRegistry", "job_info", opened).status == JobStatus.RUNNING
    voucher = Voucher(opened, 1_800, JobStatus.RUNNING)
    signature = live.sign(live.customer, voucher, "JobEscrow")
    live.send(live.operator, "JobEscrow", "settle_voucher", opened, 1_800, 3, signature)
    printed = run(command.app, "checkpoint", str(opened), *keys("customer"))
    assert f"1800 GPU-seconds of job {opened} are noted." in printed
    with pytest.raises(Conflict, match="last checkpoint is too young"):
        run(command.app, "checkpoint", str(opened), *keys("customer"))
    assert live.read("JobRegistry", "undisputed", opened) == 0
    printed = run(command.app, "checkpoint", str(opened), "--voucher", *keys("customer"))
    assert f"1800 GPU-seconds of job {opened} are noted." in printed
    assert live.read("JobRegistry", "undisputed", opened) == 1_800
    with pytest.raises(Conflict, match="already undisputed"):
        run(command.app, "checkpoint", str(opened), "--voucher", *keys("customer"))
    with pytest.raises(NotFound, match="settled a voucher of job 999"):
        run(command.app, "checkpoint", "999", "--voucher", *keys("customer"))

    token, reading = live.deployment.address("WorkToken"), keys("operator")[:4]
    asked = [str(provider), token, *reading, "--json"]
    assert json.loads(run(command.app, "income", *asked))["withdrawable"] == 0
    earned = json.loads(run(command.app, "income", *asked, "--subnet", "1"))["withdrawable"]
    assert earned == PRICE // 2 - PRICE // 2 * 300 // 10_000
    with pytest.raises(NotFound, match="no income"):
        run(command.app, "withdraw", str(provider), token, *keys("operator"))
    had = live.read("WorkToken", "balanceOf", live.provider_owner.address)
    run(command.app, "withdraw", str(provider), token, "--subnet", "1", *keys("operator"))
    assert live.read("WorkToken", "balanceOf", live.provider_owner.address) - had == earned

    # one that nobody signed, put in front of a good one, is passed over
    more = Voucher(opened, 2_000, JobStatus.RUNNING)
    good = (opened, 2_000, 3, live.sign(live.customer, more, "JobEscrow"))
    junk = (opened, 2_100, 3, bytes(65))
    live.send(live.operator, "JobEscrow", "settle_vouchers", [junk, good, junk])
    printed = run(command.app, "checkpoint", str(opened), "--voucher", *keys("customer"))
    assert f"2000 GPU-seconds of job {opened} are noted." in printed
