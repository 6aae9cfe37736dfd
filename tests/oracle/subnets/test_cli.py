"""`clearwork subnet` on a real chain: what people type, what they are told."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from eth_account.signers.local import LocalAccount

from oracle.cli.subnet import EXAMPLE, app
from oracle.errors import BadInput, ClearworkError, Conflict, Misconfigured, NotFound
from oracle.services.subnets import list_subnets
from tests.oracle.commands import reads, run, signs
from tests.oracle.conftest import UNIT, Live

from .conftest import CONSENSUS, RULES, STAKE, funded, new_provider

Command = Callable[..., str]


@pytest.fixture
def command(live: Live, anvil_url: str, tmp_path: Path) -> Command:
    """`clearwork subnet ...` by whoever holds a key, or by nobody in particular."""

    def _command(*arguments: str, key: LocalAccount | None = None) -> str:
        options = signs(live, anvil_url, key, tmp_path) if key else reads(live, anvil_url)
        return run(app, *arguments, *options)

    return _command


@pytest.fixture
def parameters(tmp_path: Path) -> Callable[..., str]:
    """A file of parameters, with changes to some."""

    def _parameters(**changes: object) -> str:
        file = tmp_path / "subnet.yaml"
        content = {
            name: {field: changes.get(field, value) for field, value in fields.items()}
            for name, fields in (("rules", RULES), ("consensus", CONSENSUS))
        }
        file.write_text(yaml.safe_dump(content))
        return str(file)

    return _parameters


@pytest.fixture
def miner(live: Live) -> tuple[LocalAccount, int]:
    """A key that owns a provider with stake and can buy it a place."""
    key = funded(live, 16, STAKE + 100 * UNIT)
    return key, new_provider(live, key, STAKE)


def sent_by(live: Live, key: LocalAccount) -> int:
    """Transactions that a key has sent."""
    return int(live.w3.eth.get_transaction_count(key.address))


# --- create ---------------------------------------------------------------------------------


def test_a_subnet_is_created_from_the_example(
    command: Command, live: Live, owner: LocalAccount, tmp_path: Path
) -> None:
    file = tmp_path / "subnet.yaml"
    file.write_text(run(app, "example"))
    price = live.read("SubnetRegistry", "subnet_price")
    before = live.read("WorkToken", "balanceOf", owner.address)
    assert "Subnet 1 is yours." in command("create", "training", str(file), key=owner)
    assert before - live.read("WorkToken", "balanceOf", owner.address) == price

    example = yaml.safe_load(EXAMPLE)
    rules, consensus = live.read("SubnetRegistry", "parameters", 1)
    assert rules == tuple(example["rules"].values())
    assert consensus == tuple(example["consensus"].values())
    # the second costs more, and scripts are told its number
    assert json.loads(command("create", "custom", str(file), "--json", key=owner)) == {"subnet": 2}
    assert before - live.read("WorkToken", "balanceOf", owner.address) > 2 * price


def test_all_are_listed(command: Command, live: Live, subnet: int, owner: LocalAccount) -> None:
    (found,) = list_subnets(live.chain)
    assert (found.subnet, found.kind, found.owner) == (subnet, "inference", owner.address)
    assert (found.uids, found.max_uids, found.withheld_bps) == (0, RULES["max_uids"], 0)
    assert found.price == live.read("SubnetRegistry", "uid_price", subnet)
    assert json.loads(command("list", "--json")) == [asdict(found)]
    table = command("list")
    for expected in ("inference", owner.address, "0 of 8", f"{found.price:,}", "0.00 %"):
        assert expected in table


def test_where_there_is_none_the_list_is_empty(command: Command) -> None:
    assert json.loads(command("list", "--json")) == []


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"kappa": 32_766}, Conflict, "kappa below a half"),
        ({"max_uids": 4_097}, Conflict, "places out of bounds"),
        ({"kappa": 65_536}, BadInput, "consensus.kappa = 65536 is no uint16"),
        ({"min_stake": "much"}, BadInput, "rules.min_stake = 'much' is no uint96"),
        ({"liquid_alpha": 2}, BadInput, "consensus.liquid_alpha = 2 is no bool"),
    ],
)
def test_parameters_that_are_out_of_bounds(
    command: Command,
    parameters: Callable[..., str],
    live: Live,
    owner: LocalAccount,
    change: dict[str, object],
    error: type[ClearworkError],
    told: str,
) -> None:
    with pytest.raises(error, match=told):
        command("create", "custom", parameters(**change), key=owner)
    assert live.read("SubnetRegistry", "subnet_count") == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cannot read"),
        (b"\xff", "cannot read"),
        (b"rules: [", "cannot read"),
        (b"rules: {}\nconsensus: {}", "rules is not max_uids, immunity_epochs"),
        (b"rules: 7\nconsensus: 7", "rules is not max_uids"),
    ],
)
def test_files_that_are_none(
    command: Command, owner: LocalAccount, tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    with pytest.raises(BadInput, match=told) as refused:
        command("create", "custom", str(file), key=owner)
    assert "clearwork subnet example" in refused.value.remedy


def test_a_kind_that_is_none(
    command: Command, parameters: Callable[..., str], owner: LocalAccount
) -> None:
    with pytest.raises(BadInput, match="no kind 'mining'") as refused:
        command("create", "mining", parameters(), key=owner)
    assert "inference, training, rendering, custom" in refused.value.remedy


def test_who_cannot_pay_for_a_subnet_sends_nothing(
    command: Command, parameters: Callable[..., str], live: Live
) -> None:
    price = live.read("SubnetRegistry", "subnet_price")
    poor = funded(live, 18, price - 1)
    with pytest.raises(Misconfigured, match=f"holds {price - 1} base units") as refused:
        command("create", "custom", parameters(), key=poor)
    assert refused.value.remedy.startswith("Send 1 base units")
    assert sent_by(live, poor) == 0
    # with tokens, but no coin for gas
    live.send(live.deployer, "WorkToken", "transfer", poor.address, 1)
    live.w3.provider.make_request("anvil_setBalance", [poor.address, "0x0"])  # type: ignore[arg-type]
    with pytest.raises(Misconfigured, match=f"{poor.address} can't pay for gas"):
        command("create", "custom", parameters(), key=poor)


# --- register -------------------------------------------------------------------------------


def test_a_place_is_bought(
    command: Command, live: Live, subnet: int, miner: tuple[LocalAccount, int]
) -> None:
    key, provider = miner
    said = command("register", str(subnet), str(provider), key=key)
    assert f"Provider {provider} has uid 0." in said
    assert live.read("SubnetRegistry", "uid_of", subnet, provider) == [0, True]
    with pytest.raises(Conflict, match="has a place"):
        command("register", str(subnet), str(provider), key=key)

    other = funded(live, 17, STAKE + 100 * UNIT)
    second = new_provider(live, other, STAKE)
    answer = command("register", str(subnet), str(second), "--json", key=other)
    assert json.loads(answer) == {"uid": 1}


def test_a_price_above_the_maximum_is_not_paid(
    command: Command, live: Live, subnet: int, miner: tuple[LocalAccount, int]
) -> None:
    key, provider = miner
    price = live.read("SubnetRegistry", "uid_price", subnet)
    before = sent_by(live, key)
    with pytest.raises(Conflict, match=f"price is {price} base units now, above the maximum"):
        command("register", str(subnet), str(provider), "--max-price", str(price - 1), key=key)
    assert sent_by(live, key) == before
    command("register", str(subnet), str(provider), "--max-price", str(price), key=key)


def test_who_cannot_pay_for_a_place_sends_nothing(
    command: Command, live: Live, subnet: int
) -> None:
    poor = funded(live, 18, STAKE)
    provider = new_provider(live, poor, STAKE)
    before = sent_by(live, poor)
    with pytest.raises(Misconfigured, match="holds 0 base units of the work token"):
        command("register", str(subnet), str(provider), key=poor)
    assert sent_by(live, poor) == before


def test_places_that_are_not_there(
    command: Command, live: Live, subnet: int, miner: tuple[LocalAccount, int]
) -> None:
    key, provider = miner
    before = sent_by(live, key)
    for number in (0, subnet + 1, 2**16):
        with pytest.raises(NotFound, match=f"there is no subnet {number}") as refused:
            command("register", str(number), str(provider), key=key)
        assert "clearwork subnet list" in refused.value.remedy
    with pytest.raises(BadInput, match=r"provider = 16777216 is no uint24"):
        command("register", str(subnet), str(2**24), key=key)
    assert sent_by(live, key) == before


def test_nobody_buys_a_place_for_others(
    command: Command, live: Live, subnet: int, miner: tuple[LocalAccount, int], owner: LocalAccount
) -> None:
    with pytest.raises(Conflict, match="not the provider"):
        command("register", str(subnet), str(miner[1]), key=owner)


# --- vote -----------------------------------------------------------------------------------


def test_a_vote_is_cast_and_ended(
    command: Command, live: Live, subnet: int, miner: tuple[LocalAccount, int]
) -> None:
    key, provider = miner
    said = command("vote", str(provider), f"{subnet}=2500", "0=7500", key=key)
    assert f"{STAKE:,} base units of stake vote." in said
    cast = live.read("SubnetVotes", "choices_of", provider, key.address)
    assert [tuple(choice) for choice in cast] == [(0, 7_500), (subnet, 2_500)]

    assert json.loads(command("vote", str(provider), "--json", key=key)) == {"stake": 0}
    assert live.read("SubnetVotes", "choices_of", provider, key.address) == []


@pytest.mark.parametrize(
    ("choices", "error", "told"),
    [
        (["1=9999"], BadInput, "the choices are 9999 bps"),
        (["0=5000", "1=5001"], BadInput, "the choices are 10001 bps"),
        (["1=5000", "1=5000"], BadInput, "subnet 1 is chosen twice"),
        (["1:10000"], BadInput, "'1:10000' is no choice"),
        (["1=all"], BadInput, "'1=all' is no choice"),
        (["2=10000"], NotFound, "there is no subnet 2"),
        (["0=0", "1=10000"], Conflict, "choice of nothing"),
        (["0=-1", "1=10001"], BadInput, "choices.bps = -1 is no uint16"),
    ],
)
def test_votes_that_are_none(
    command: Command,
    live: Live,
    subnet: int,
    miner: tuple[LocalAccount, int],
    choices: list[str],
    error: type[ClearworkError],
    told: str,
) -> None:
    key, provider = miner
    with pytest.raises(error, match=told):
        command("vote", str(provider), *choices, key=key)
    assert live.read("SubnetVotes", "vote_of", provider, key.address).stake == 0


def test_without_stake_there_is_nothing_to_vote_with(
    command: Command, subnet: int, miner: tuple[LocalAccount, int], owner: LocalAccount
) -> None:
    with pytest.raises(Conflict, match="subnet_votes: no stake"):
        command("vote", str(miner[1]), f"{subnet}=10000", key=owner)


# --- all of them ----------------------------------------------------------------------------


def test_what_names_nothing(live: Live, anvil_url: str, tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.json")
    with pytest.raises(Misconfigured, match="no deployment at"):
        run(app, "list", "--rpc", anvil_url, "--deployment", absent)
    unlocked = ["--keystore", absent, "--password-file", absent]
    with pytest.raises(Misconfigured, match="cannot read the keystore"):
        run(app, "vote", "1", *reads(live, anvil_url), *unlocked)


def test_the_helps_teach() -> None:
    for arguments, taught in [
        (["create"], ["--max-price", "--json", "inference, training", "clearwork subnet example"]),
        (["register"], ["--max-price", "--json", "owner or operator"]),
        (["vote"], ["--json", "market at large", "Example"]),
        (["list"], ["--json", "what a place costs"]),
    ]:
        printed = run(app, *arguments, "--help")
        for word in taught:
            assert word in printed, word
