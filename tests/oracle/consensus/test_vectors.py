"""Bittensor's own numbers, bit for bit: its tests' cases and cases run through its arithmetic."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.cli.yuma_case import Case, expected
from oracle.domain.consensus import Mode, split
from oracle.domain.consensus.median import Quorum, weighted_median
from scripts.bench_yuma import draw

DATA = Path(__file__).parents[2] / "data"
CASES = json.loads((DATA / "yuma.json").read_text())["cases"]
SCHEDULE = json.loads((DATA / "schedule.json").read_text())
FIELDS = {
    *("stake_bits", "active_stake_bits", "consensus_bits", "validator_trust_bits"),
    *("incentive_bits", "dividends_bits", "stake_weight_u16", "consensus_u16"),
    *("incentive_u16", "dividends_u16", "validator_trust_u16", "server_emission"),
    *("validator_emission", "combined_emission", "new_permits", "active", "bonds_u16"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_field_of_every_epoch(case: dict[str, Any]):
    epochs = 0
    for wanted, outputs in zip(case["epochs"], Case.parse(case).run(Mode.BITTENSOR), strict=True):
        got = expected(outputs)
        assert got.keys() == wanted["expected"].keys() == FIELDS
        for name in FIELDS:
            assert got[name] == wanted["expected"][name], f"{name} of epoch {epochs}"
        epochs += 1
    assert epochs == len(case["epochs"])


def test_the_vectors_are_all_there():
    assert len(CASES) == 27
    assert sum(len(case["epochs"]) for case in CASES) == 117


def test_a_column_that_nobody_agrees_on_differs_in_strict():
    """The vectors were made in the original's mode: ours must not reproduce all of them."""
    names = {
        case["name"]
        for case in CASES
        for wanted, outputs in zip(case["epochs"], Case.parse(case).run(Mode.STRICT), strict=True)
        if expected(outputs) != wanted["expected"]
    }
    assert "edge_exact_half_split" in names
    assert "edge_minority_validator_clipped" not in names
    assert "gen_16x64_yuma2_sparse50" not in names


@pytest.mark.parametrize("name", ["gen_4x8_yuma2", "gen_64x192_yuma3_liquid"])
def test_the_benchmark_draws_subnets_as_the_vectors_do(name: str):
    case = next(case for case in CASES if case["name"] == name)
    drawn = draw(*(case["generator"][key] for key in ("seed", "validators", "miners")))
    first = case["epochs"][0]
    assert list(drawn.weights) == first["weights"]
    assert list(drawn.bonds) == first["bonds"]
    for field in ("stake", "last_update", "block_at_registration", "validator_permits"):
        assert getattr(drawn, field).tolist() == first[field]
    assert drawn.block == first["block"]


def bits(number: float) -> int:
    """A decimal of the vectors as I32F32."""
    return Fraction(str(number)).numerator * 2**32 // Fraction(str(number)).denominator


def median(stake: list[float], scores: list[float], kappa: float) -> int:
    voters = [(bits(s), bits(score)) for s, score in zip(stake, scores, strict=True) if s > 0]
    support = [s for s, _ in voters]
    quorum = Quorum(support, sum(support) - bits(kappa))
    return int(weighted_median(np.array([[score for _, score in voters]]), [quorum])[0])


@pytest.mark.parametrize("case", SCHEDULE["weighted_median"]["cases"])
def test_weighted_median(case: dict[str, Any]):
    kappa = SCHEDULE["weighted_median"]["kappa"]
    assert median(case["stake"], case["score"], kappa) == bits(case["median"])


@pytest.mark.parametrize("case", SCHEDULE["weighted_median_col"]["cases"])
def test_weighted_median_by_column(case: dict[str, Any]):
    columns = zip(*case["rows"], strict=True)
    found = [median(case["stake"], list(scores), case["kappa"]) for scores in columns]
    assert found == [bits(number) for number in case["median"]]


@pytest.mark.parametrize("case", SCHEDULE["per_block_alpha_split"]["cases"])
def test_split_of_a_budget(case: dict[str, Any]):
    cut = case["owner_cut_u16"] if case["owner_cut_enabled"] else 0
    found = split(case["alpha_out_per_block"], cut)
    assert (found.owner, found.servers) == (case["owner_cut"], case["server_alpha"])
    # of the validators' half, the original gives a part to its root network
    root = case["root_alpha"]
    assert 0 <= found.validators - case["validator_alpha"] - root <= (1 if root else 0)


@pytest.mark.parametrize("budget", [0, 1, 2, 3, 7, 10**9, 2**64 - 1, 10**27])
@pytest.mark.parametrize("cut", [0, 1, 11_796, 32_767, 65_534, 65_535])
def test_a_split_loses_nothing(budget: int, cut: int):
    found = split(budget, cut)
    assert found.owner + found.servers + found.validators + found.dust == budget
    assert min(found.owner, found.servers, found.validators) >= 0
    assert 0 <= found.dust <= 2
