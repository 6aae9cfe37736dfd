"""Random subnets for the differential tests: every one from a seed, many of them at an edge."""

from random import Random
from typing import Any

import numpy as np

from oracle.domain.consensus import Inputs, Params, Rows

U64 = 2**64 - 1
U16 = 2**16 - 1
PARAMS = tuple(Params.__dataclass_fields__)
Flat = dict[str, Any]


def pick(rng: Random, *edges: int, low: int = 0, high: int = U16) -> int:
    """One of the edges, or any number of the range."""
    return rng.choice(edges) if rng.random() < 0.5 else rng.randint(low, high)


def size(rng: Random, most: int) -> int:
    """1 to `most`, every order of magnitude as likely."""
    return min(most, int(2 ** (rng.random() * (most.bit_length() - 0.99))))


def stakes(rng: Random, n: int, validators: set[int]) -> list[int]:
    kind = rng.choice(("heavy", "heavy", "equal", "few", "thirds", "vast", "everyone"))
    draw = {
        "heavy": lambda: 10**9 + rng.randrange(2**20) ** 2,
        "equal": lambda: 10**12,
        "few": lambda: rng.choice((0, 1, 2)),
        "thirds": lambda: rng.choice((1, 2, 3, 6)) * 10**9,
        "vast": lambda: rng.choice((U64, 2**63, 2**63 - 1, 1, rng.randint(0, U64))),
        "everyone": lambda: rng.randrange(10**12),
    }[kind]
    return [draw() if kind == "everyone" or uid in validators else 0 for uid in range(n)]


def rows(rng: Random, n: int, of: set[int], on: list[int]) -> list[list[list[int]]]:
    """Entries in random order, dense or sparse; of people who agree, or from few values."""
    density = rng.choice((0.1, 0.5, 0.9, 0.9, 1, 1))
    palette = rng.choice(((U16,), (0, U16), (0, 1, 2, U16), range(U16 + 1)))
    opinion = {j: rng.randint(0, U16) for j in on} if rng.random() < 0.5 else {}
    result: list[list[list[int]]] = [[] for _ in range(n)]
    for uid in of:
        row = []
        for j in on:
            value = rng.choice(palette)
            if opinion:
                value = min(U16, opinion[j] * rng.randint(50, 150) // 100)
            if rng.random() < density:
                row.append([j, value])
        rng.shuffle(row)
        result[uid] = row
    return result


def subnet(seed: int, validators: int = 64, miners: int = 256, full: bool = False) -> Flat:
    """Parameters and first epoch in one dictionary, by the schema's names.

    `full`: as many validators and miners as given, and not up to that many.
    """
    rng = Random(seed)
    v, m = size(rng, validators), size(rng, miners) if rng.random() < 0.95 else 0
    if full:
        v, m = validators, miners
    n = v + m
    uids = list(range(n))
    rng.shuffle(uids)
    weighing = set(uids[:v])
    on = uids if rng.random() < 0.3 else uids[v:]
    # otherwise blocks are such that most validators count
    odd_times = rng.random() < 0.3
    block = pick(rng, 0, 1, U64, high=10_000) if odd_times else rng.randint(1_000, 10_000)

    def blocks(*edges: int) -> list[int]:
        """Mostly the first of the edges."""
        usual = 0.6 if odd_times else 0.9
        return [edges[0] if rng.random() < usual else rng.choice(edges) for _ in uids]

    recent, step = max(block - 10, 0), pick(rng, 0, 0, U64, max(block - 100, 0), high=block)
    yuma3 = rng.random() < 0.6
    case = {
        "tempo": pick(rng, 0, 1, 360, U64),
        "activity_cutoff": pick(rng, 0, 100, 5_000, U64) if odd_times else 5_000,
        "last_mechanism_step_block": step,
        "stake_threshold": rng.choice((0, 0, 0, 0, 1, 10**9 + 1, U64)),
        "owner_uid": rng.choice((None, rng.choice(uids))),
        "max_allowed_validators": rng.choice((0, 1, v, v, n, U16, rng.randint(0, n))),
        "kappa": pick(rng, 0, 1, 32_767, 32_767, 32_767, 32_768, 39_321, U16 - 1, U16),
        "bonds_penalty": pick(rng, 0, U16, U16, U16 - 1, 1),
        "yuma3": yuma3,
        "liquid_alpha": yuma3 and rng.random() < 0.7,
        "alpha_low": pick(rng, 0, 45_875, U16),
        "alpha_high": pick(rng, 0, 58_982, U16),
        "alpha_sigmoid_steepness": pick(
            rng, 0, 1, -1, 100, 1_000, 2**15 - 1, -(2**15), low=-(2**15), high=2**15 - 1
        ),
        "bonds_moving_average": pick(rng, 0, 900_000, 10**6, high=10**6),
        "rao_emission": pick(rng, 0, 1, 296 * 10**9, U64, high=10**12),
        "block": block,
        "last_update": blocks(recent, 0, block, U64),
        "block_at_registration": blocks(0, recent, block, step, max(block - 360, 0), U64),
        "stake": stakes(rng, n, weighing),
        "validator_permits": [uid in weighing and rng.random() < 0.95 for uid in range(n)],
        "weights": rows(rng, n, weighing, on),
        "bonds": rows(rng, n, weighing, on),
    }
    if rng.random() < 0.3:
        case["commit_blocks"] = blocks(U64, recent, 0, block)
    return case


def inputs(case: Flat) -> Inputs:
    """The same for the code under test."""

    def column(name: str) -> Any:
        return np.array(case[name], np.uint64)

    return Inputs(
        params=Params(**{name: case[name] for name in PARAMS}),
        block=case["block"],
        last_update=column("last_update"),
        block_at_registration=column("block_at_registration"),
        stake=column("stake"),
        validator_permits=np.array(case["validator_permits"], np.bool_),
        weights=Rows.of(case["weights"]),
        bonds=Rows.of(case["bonds"]),
        commit_blocks=column("commit_blocks") if "commit_blocks" in case else None,
    )
