"""The fast code against the plain one, on thousands of random subnets and both modes."""

from collections.abc import Callable
from random import Random

import pytest

from oracle.cli.yuma_case import expected
from oracle.domain.consensus import Mode, run_epoch
from tests.oracle.consensus import reference
from tests.oracle.consensus.cases import Flat, inputs, subnet

QUICK, ALL, CHUNK = 150, 2_000, 100


def check(seed: int, case: Flat) -> None:
    """Two epochs in both modes; the second one starts from the first one's bonds and permits."""
    for mode in Mode:
        now = case
        for epoch in range(2):
            got = expected(run_epoch(inputs(now), mode))
            wanted = reference.epoch(now, strict=mode is Mode.STRICT)
            different = [name for name in wanted if got[name] != wanted[name]]
            assert not different, f"seed {seed}, mode {mode}, epoch {epoch}"
            assert got.keys() == wanted.keys()
            now = {
                **now,
                "bonds": wanted["bonds_u16"],
                "validator_permits": wanted["new_permits"],
            }


@pytest.mark.parametrize("start", range(0, QUICK, 50))
def test_small_subnets(start: int):
    for seed in range(start, start + 50):
        check(seed, subnet(seed, validators=12, miners=40))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(10_000, 10_000 + ALL, CHUNK))
def test_subnets(start: int):
    for seed in range(start, start + CHUNK):
        check(seed, subnet(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20_000, 20_008))
def test_the_largest_subnets(seed: int):
    check(seed, subnet(seed, full=True))


def cut(case: Flat, n: int) -> Flat:
    """The case's first `n` uids alone."""
    lists = {name: value[:n] for name, value in case.items() if isinstance(value, list)}
    for name in ("weights", "bonds"):
        lists[name] = [[pair for pair in row if pair[0] < n] for row in lists[name]]
    owner = case["owner_uid"]
    return {**case, **lists, "owner_uid": owner if owner is not None and owner < n else None}


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_anybody(n: int):
    for seed in range(40):
        check(seed, cut(subnet(seed, validators=4, miners=8), n))


LIQUID = {"yuma3": True, "liquid_alpha": True, "alpha_low": 6_553, "alpha_high": 65_535}
EDGES: dict[str, Callable[[Flat], Flat]] = {
    "all inactive": lambda case: {"block": 10**6, "activity_cutoff": 0},
    "nobody has a permit": lambda case: {"validator_permits": [False] * len(case["stake"])},
    "everybody has a permit": lambda case: {"validator_permits": [True] * len(case["stake"])},
    "no weights": lambda case: {"weights": [[] for _ in case["stake"]]},
    "no bonds": lambda case: {"bonds": [[] for _ in case["stake"]]},
    "every weight the largest": lambda case: {"weights": full(case, 65_535)},
    "every weight zero": lambda case: {"weights": full(case, 0)},
    "every bond the largest": lambda case: {"bonds": full(case, 65_535)},
    "bonds of zero": lambda case: {"bonds": full(case, 0)},
    "equal stakes": lambda case: {"stake": [7] * len(case["stake"])},
    "no stake": lambda case: {"stake": [0] * len(case["stake"])},
    "steepness of a hundredth": lambda case: {**LIQUID, "alpha_sigmoid_steepness": 1},
    "no steepness": lambda case: {**LIQUID, "alpha_sigmoid_steepness": 0},
    "steepness turned over": lambda case: {**LIQUID, "alpha_sigmoid_steepness": -1},
    "the largest stakes": lambda case: {"stake": [2**64 - 1] * len(case["stake"])},
}


def full(case: Flat, value: int) -> list[list[list[int]]]:
    n = len(case["stake"])
    return [[[j, value] for j in range(n)] for _ in range(n)]


@pytest.mark.parametrize("edge", EDGES)
def test_edges(edge: str):
    for seed in range(12):
        case = subnet(1_000 + seed, validators=6, miners=12)
        check(seed, {**case, **EDGES[edge](case)})


def test_the_seeds_reach_what_they_should():
    """The random subnets are no use if they are all empty."""
    cases = [subnet(seed) for seed in range(200)]
    assert max(len(case["stake"]) for case in cases) > 200
    results = [reference.epoch(case, strict=True) for case in cases if len(case["stake"]) < 40]
    for name in ("consensus_bits", "incentive_bits", "dividends_bits", "server_emission"):
        assert sum(any(result[name]) for result in results) > len(results) // 4, name
    assert sum(any(result["bonds_u16"]) for result in results) > len(results) // 4
    assert Random(1).random() == 0.13436424411240122, "seeds would mean other subnets"
