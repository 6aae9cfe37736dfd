"""Parameter files: what they may say, and that their bounds are the contracts'."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from oracle.domain.attestation.challenge import KEEP_EPOCHS
from oracle.errors import BadInput
from scripts._anvil import test_key as key_at
from scripts._parameters import DAY, UNIT, Parameters
from scripts._project import ROOT
from tests.parameters import DEMAND, LOCAL

# parameter, contract, constant that bounds it from above
UPPER_BOUNDS = [
    ("timelock.min_delay", "Timelock", "MAX_INITIAL_DELAY"),
    ("committee.bond_delay", "OracleCommittee", "MAX_BOND_DELAY"),
    ("committee.key_overlap", "OracleCommittee", "MAX_KEY_OVERLAP"),
    ("committee.equivocation_reporter_bps", "OracleCommittee", "MAX_REPORTER_BPS"),
    ("staking.unbonding_period", "ProviderStaking", "MAX_UNBONDING_PERIOD"),
    ("staking.lock_period", "ProviderStaking", "MAX_LOCK_PERIOD"),
    ("registry.attestation_period", "DeviceRegistry", "MAX_ATTESTATION_PERIOD"),
    ("registry.class_delay", "DeviceRegistry", "MAX_CLASS_DELAY"),
    ("escrow.dispute_window", "JobEscrow", "MAX_DISPUTE_WINDOW"),
    ("escrow.job_timeout", "JobRegistry", "MAX_JOB_TIMEOUT"),
    ("escrow.fee_bps", "JobEscrow", "MAX_FEE_BPS"),
    ("prices.max_age", "Prices", "MAX_PERIOD"),
    ("prices.grace", "Prices", "MAX_PERIOD"),
    ("prices.interval", "Prices", "MAX_PERIOD"),
    ("prices.max_deviation_bps", "Prices", "BPS"),
    ("emissions.block_seconds", "EmissionsController", "MAX_BLOCK_SECONDS"),
    ("emissions.beta_bps", "EmissionsController", "MAX_BETA_BPS"),
    ("emissions.cap_ratio_bps", "EmissionsController", "MAX_CAP_RATIO_BPS"),
    ("subnets.subnet_price.factor_bps", "SubnetRegistry", "MAX_FACTOR_BPS"),
    ("subnets.uid_price.period", "SubnetRegistry", "MAX_PRICE_PERIOD"),
    ("emissions.activation_delay", "EpochLedger", "MAX_ACTIVATION_DELAY"),
    ("emissions.vesting_period", "RewardDistributor", "MAX_VESTING_PERIOD"),
    ("court.jail", "SlashingCourt", "MAX_JAIL"),
    ("court.max_penalty_bps", "SlashingCourt", "BPS"),
    ("court.daily_cap_bps", "SlashingCourt", "BPS"),
    ("court.correlation_multiplier", "SlashingCourt", "MAX_MULTIPLIER"),
    ("court.reporter_bps", "SlashingCourt", "BPS"),
    ("court.answer_period", "SlashingCourt", "MAX_PERIOD"),
    ("court.verdict_period", "SlashingCourt", "MAX_PERIOD"),
    ("court.appeal_period", "SlashingCourt", "MAX_PERIOD"),
    ("court.arbiter_period", "SlashingCourt", "MAX_PERIOD"),
    ("leaf_requests.answer_period", "LeafRequests", "MAX_PERIOD"),
]
POSITIVE = [
    "staking.unbonding_period",
    "staking.lock_period",
    "registry.attestation_period",
    "prices.first_answer",
    "prices.lower",
    "prices.max_age",
    "prices.max_deviation_bps",
    "prices.interval",
    "emissions.epoch_length",
    "emissions.block_seconds",
    "subnets.parameter_epochs",
    "subnets.vote_epochs",
    "subnets.subnet_price.floor",
    "subnets.uid_price.period",
    "emissions.activation_delay",
    "emissions.vesting_period",
    "court.jail",
    "court.false_attestation_bps",
    "court.missed_challenge_bps",
    "court.downtime_bps",
    "court.fraud_bps",
    "court.daily_cap_bps",
    "court.accusation_bond",
    "court.appeal_bond",
    "court.answer_period",
    "court.verdict_period",
    "court.appeal_period",
    "court.arbiter_period",
    "leaf_requests.bond",
    "leaf_requests.answer_period",
]


def constant(contract: str, name: str) -> int:
    """The value of a constant in a contract's source: a product of numbers."""
    source = (ROOT / "contracts" / f"{contract}.vy").read_text()
    match = re.search(rf"^{name}: (?:public\()?constant\(uint\d+\)\)? = ([\d_ *]+)$", source, re.M)
    assert match, f"{contract} has no constant {name}"
    product = 1
    for factor in match[1].split("*"):
        product *= int(factor)
    return product


@pytest.fixture
def content() -> dict[str, Any]:
    """The local parameters as plain values, free to be changed."""
    return copy.deepcopy(yaml.safe_load(LOCAL.read_text()))


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def _load(content: Any, allow_test_keys: bool = True) -> Parameters:
        path = tmp_path / "params.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return Parameters.load(path, allow_test_keys=allow_test_keys)

    return _load


def put(content: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        content = content[section]
    content[name] = value


def test_local_parameters_are_what_they_say() -> None:
    parameters = Parameters.load(LOCAL, allow_test_keys=True)
    assert parameters.token.max_supply == 21_000_000 * UNIT
    assert parameters.emissions.initial_emission == UNIT // 2
    assert parameters.staking.unbonding_period == 14 * DAY
    assert parameters.committee.members == [str(key_at(i).address) for i in range(1, 5)]
    assert parameters.registry.classes[0].name == "cpu-trial"


@pytest.mark.parametrize(("key", "contract", "name"), UPPER_BOUNDS)
def test_upper_bounds_are_the_contracts(
    content: dict[str, Any], load: Any, key: str, contract: str, name: str
) -> None:
    bound = constant(contract, name)
    put(content, "role_change_delay", 400 * DAY)  # stays longer than any unbonding period
    put(content, "escrow.job_timeout", 90 * DAY)  # and the timeout than any dispute window
    if key == "leaf_requests.answer_period":  # agents keep commits for longer
        put(content, "emissions.epoch_length", DAY)
        put(content, "leaf_requests.request_epochs", 0)
        put(content, "staking.unbonding_period", 365 * DAY)
    put(content, key, bound)
    load(content)
    put(content, key, bound + 1)
    with pytest.raises(BadInput, match=re.escape(key)):
        load(content)


@pytest.mark.parametrize("key", POSITIVE)
def test_zero_is_refused_where_the_contracts_refuse_it(
    content: dict[str, Any], load: Any, key: str
) -> None:
    put(content, key, 0)
    with pytest.raises(BadInput, match=re.escape(key)):
        load(content)


def test_shortest_dispute_window_is_the_escrows(content: dict[str, Any], load: Any) -> None:
    bound = constant("JobEscrow", "MIN_DISPUTE_WINDOW")
    put(content, "escrow.dispute_window", bound)
    load(content)
    put(content, "escrow.dispute_window", bound - 1)
    with pytest.raises(BadInput, match="dispute_window"):
        load(content)


def test_role_delay_must_be_longer_than_unbonding(content: dict[str, Any], load: Any) -> None:
    put(content, "role_change_delay", "14 days")
    with pytest.raises(BadInput, match="longer than staking"):
        load(content)
    put(content, "role_change_delay", 14 * DAY + 1)
    load(content)


def test_a_leaf_can_be_asked_for_while_agents_keep_it(content: dict[str, Any], load: Any) -> None:
    assert constant("LeafRequests", "KEEP_EPOCHS") == KEEP_EPOCHS
    # 48 epochs of 20 seconds, of which the answer takes 6
    put(content, "leaf_requests.request_epochs", 41)
    load(content)
    put(content, "leaf_requests.request_epochs", 42)
    with pytest.raises(BadInput, match="agents forget what they committed to"):
        load(content)
    put(content, "leaf_requests.request_epochs", 48)
    with pytest.raises(BadInput, match=r"leaf_requests\.request_epochs"):
        load(content)


def test_stake_outlives_a_request_for_a_leaf(content: dict[str, Any], load: Any) -> None:
    put(content, "emissions.epoch_length", DAY)
    put(content, "leaf_requests.request_epochs", 1)
    put(content, "leaf_requests.answer_period", 6 * DAY)
    with pytest.raises(BadInput, match="so that stake can't leave before a conviction"):
        load(content)
    put(content, "leaf_requests.answer_period", 6 * DAY - 1)
    load(content)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("upper", "0.01", "lower is not below upper"),
        ("first_answer", "0.0099", "first_answer is not from lower to upper"),
        ("first_answer", "100.00000001", "first_answer is not from lower to upper"),
        ("first_answer", "0.123456789", "more than 8 decimals"),
        ("governor", "0x" + "00" * 20, "governor is the zero address"),
        ("lower", "0.0000000000009", "prices.lower"),
        ("upper", 10**9 + 1, "prices.upper"),
    ],
)
def test_a_first_price_counts(
    content: dict[str, Any], load: Any, key: str, value: Any, reason: str
) -> None:
    put(content, f"prices.{key}", value)
    with pytest.raises(BadInput, match=reason):
        load(content)


def test_no_case_outlives_its_court(content: dict[str, Any], load: Any) -> None:
    put(content, "court.verdict_period", "15 days")
    with pytest.raises(BadInput, match="no case outlives the court"):
        load(content)


def test_no_penalty_is_over_the_largest(content: dict[str, Any], load: Any) -> None:
    put(content, "court.max_penalty_bps", 4_999)
    with pytest.raises(BadInput, match="max_penalty_bps must be at least"):
        load(content)


def test_stake_stands_in_one_place_per_epoch(content: dict[str, Any], load: Any) -> None:
    put(content, "emissions.epoch_length", "15 days")
    with pytest.raises(BadInput, match="never votes twice"):
        load(content)


def test_claims_drain_as_fast_as_the_schedule_emits(content: dict[str, Any], load: Any) -> None:
    put(content, "emissions.outflow_cap", "3599.9")
    with pytest.raises(BadInput, match="never wait for ever"):
        load(content)
    for enough in (3_600, 0):
        put(content, "emissions.outflow_cap", enough)
        load(content)


def test_votes_do_not_outlast_stake(content: dict[str, Any], load: Any) -> None:
    put(content, "emissions.epoch_length", DAY)
    put(content, "leaf_requests.request_epochs", 0)
    load(content)
    put(content, "subnets.vote_epochs", 15)
    with pytest.raises(BadInput, match="does not go on voting elsewhere"):
        load(content)


@pytest.mark.parametrize(("threshold", "accepted"), [(2, False), (3, True), (4, True), (5, False)])
def test_threshold_is_a_majority_of_the_members(
    content: dict[str, Any], load: Any, threshold: int, accepted: bool
) -> None:
    put(content, "committee.threshold", threshold)
    if accepted:
        load(content)
    else:
        with pytest.raises(BadInput, match="threshold"):
            load(content)


def test_a_member_is_named_once(content: dict[str, Any], load: Any) -> None:
    content["committee"]["members"][1] = "test/1"
    with pytest.raises(BadInput, match="named twice"):
        load(content)


def test_allocations_fit_into_the_supply(content: dict[str, Any], load: Any) -> None:
    content["token"]["allocations"][0]["amount"] = 21_000_001
    with pytest.raises(BadInput, match="more than max_supply"):
        load(content)


def test_timeout_is_not_shorter_than_the_dispute_window(content: dict[str, Any], load: Any) -> None:
    put(content, "escrow.job_timeout", "19 seconds")
    with pytest.raises(BadInput, match="job_timeout"):
        load(content)


def test_treasury_is_not_the_zero_address(content: dict[str, Any], load: Any) -> None:
    put(content, "escrow.treasury", "0x" + 40 * "0")
    with pytest.raises(BadInput, match="treasury"):
        load(content)


def test_public_test_keys_are_for_local_chains(content: dict[str, Any], load: Any) -> None:
    with pytest.raises(BadInput, match="test/0 is a key that everybody knows"):
        load(content, allow_test_keys=False)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0x1234", "not an address"),
        (12, "not an address"),
        ("0x70997970C51812dc3A010C7d01b50e0d17dc79C9", "checksum is wrong"),
    ],
)
def test_addresses_are_checked(
    content: dict[str, Any], load: Any, address: Any, reason: str
) -> None:
    put(content, "escrow.treasury", address)
    with pytest.raises(BadInput, match=reason):
        load(content)


def test_lower_case_addresses_are_checksummed(content: dict[str, Any], load: Any) -> None:
    address = str(key_at(3).address)
    put(content, "escrow.treasury", address.lower())
    assert load(content).escrow.treasury == address


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("20 seconds", 20), ("1 minute", 60), ("2 hours", 7_200), ("1 day", 86_400), (5, 5)],
)
def test_durations(content: dict[str, Any], load: Any, written: Any, seconds: int) -> None:
    put(content, "staking.lock_period", written)
    assert load(content).staking.lock_period == seconds


@pytest.mark.parametrize("written", ["14d", "days", "-1 days", "1.5 hours", True, None])
def test_what_is_not_a_duration(content: dict[str, Any], load: Any, written: Any) -> None:
    put(content, "staking.lock_period", written)
    with pytest.raises(BadInput, match=re.escape("staking.lock_period")):
        load(content)


@pytest.mark.parametrize(
    ("written", "base_units"), [(1, UNIT), ("0.5", UNIT // 2), ("0.000000001", 10**9)]
)
def test_amounts(content: dict[str, Any], load: Any, written: Any, base_units: int) -> None:
    put(content, "staking.min_delegation", written)
    assert load(content).staking.min_delegation == base_units


@pytest.mark.parametrize("written", [0, -1, 0.5, "0.0000000000000000001", "much", True, None])
def test_what_is_not_an_amount(content: dict[str, Any], load: Any, written: Any) -> None:
    put(content, "staking.min_delegation", written)
    with pytest.raises(BadInput, match=re.escape("staking.min_delegation")):
        load(content)


def test_an_unknown_key_is_a_typing_error(content: dict[str, Any], load: Any) -> None:
    put(content, "escrow.fee_bp", 300)
    with pytest.raises(BadInput, match=re.escape("escrow.fee_bp")):
        load(content)


def test_every_reason_is_told_at_once(content: dict[str, Any], load: Any) -> None:
    put(content, "escrow.fee_bps", 5_000)
    put(content, "court.jail", 0)
    with pytest.raises(BadInput) as refused:
        load(content)
    assert "escrow.fee_bps" in str(refused.value)
    assert "court.jail" in str(refused.value)


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no parameter file") as refused:
        Parameters.load(tmp_path / "none.yaml", allow_test_keys=True)
    assert "local.yaml" in refused.value.remedy


@pytest.mark.parametrize("text", ["a: [", "", "just text"])
def test_what_is_not_a_parameter_file(load: Any, text: str) -> None:
    with pytest.raises(BadInput):
        load(text)


# --- the supply policy --------------------------------------------------------------------


def by_demand(tmp_path: Path, **changes: Any) -> Parameters:
    """Parameters of a market under `demand`, of which a test changes some."""
    content = yaml.safe_load(LOCAL.read_text())
    content["emissions"] |= {"policy": "demand", "demand": copy.deepcopy(DEMAND) | changes}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return Parameters.load(path, allow_test_keys=True)


def test_halving_is_the_default(tmp_path: Path) -> None:
    content = yaml.safe_load(LOCAL.read_text())
    assert content["emissions"].pop("policy") == "halving"
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    emissions = Parameters.load(path, allow_test_keys=True).emissions
    assert (emissions.policy, emissions.demand) == ("halving", None)


def test_demand_has_terms(tmp_path: Path) -> None:
    demand = by_demand(tmp_path).emissions.demand
    assert demand is not None
    assert demand.rule == (720, 5_000, 10, 168, 1)
    (target,) = demand.targets
    assert (target.usd_per_hour, target.max_devices) == (15 * UNIT // 100, 1_000)


@pytest.mark.parametrize(
    "emissions", [{"policy": "demand"}, {"demand": DEMAND}, {"policy": "halving", "demand": DEMAND}]
)
def test_terms_and_policy_come_together(tmp_path: Path, emissions: dict[str, Any]) -> None:
    content = yaml.safe_load(LOCAL.read_text())
    content["emissions"] |= emissions
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(BadInput, match="with policy: demand, and only then"):
        Parameters.load(path, allow_test_keys=True)


@pytest.mark.parametrize(
    ("name", "constant"),
    [
        ("reserve_epochs", "MAX_RESERVE_EPOCHS"),
        ("burn_bps", "BPS"),
        ("step_bps", "MAX_STEP_BPS"),
        ("average_epochs", "MAX_AVERAGE_EPOCHS"),
        ("stale_bps", "MAX_STALE_BPS"),
        ("wait_epochs", "MAX_WAIT_EPOCHS"),
        ("target_epochs", "MAX_TARGET_EPOCHS"),
    ],
)
def test_terms_have_the_contract_s_bounds(tmp_path: Path, name: str, constant: str) -> None:
    source = (ROOT / "contracts" / "DemandPolicy.vy").read_text()
    found = re.search(rf"^{constant}: constant\(uint256\) = ([\d_]+)$", source, re.M)
    assert found
    highest = int(found[1])
    by_demand(tmp_path, **{name: highest})
    with pytest.raises(BadInput, match=rf"emissions\.demand\.{name}"):
        by_demand(tmp_path, **{name: highest + 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("burn_bps", 4_999),
        ("step_bps", 0),
        ("average_epochs", 0),
        ("wait_epochs", 0),
        ("target_epochs", 0),
        ("targets", []),
    ],
)
def test_terms_that_are_too_low(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(BadInput, match=rf"emissions\.demand\.{name}"):
        by_demand(tmp_path, **{name: value})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"device_class": "no such"}, "names no class of registry.classes: .'no such'"),
        ({"usd_per_hour": 1_001}, "usd_per_hour"),
        ({"usd_per_hour": 0}, "usd_per_hour"),
        ({"max_devices": 10_000_001}, "max_devices"),
        ({"max_devices": 0}, "max_devices"),
    ],
)
def test_a_wrong_target(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        by_demand(tmp_path, targets=[DEMAND["targets"][0] | change])


def test_a_target_twice(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="names a class twice"):
        by_demand(tmp_path, targets=DEMAND["targets"] * 2)
