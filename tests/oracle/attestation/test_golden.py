"""The golden vectors hold on every backend."""

import json
from pathlib import Path
from typing import Any

import pytest

from oracle.domain.attestation import Dims, Matrix, row_elements, row_key
from oracle.services.prove import prove
from tests.backends import skip_if_interpreted
from tests.oracle.evidence.samples import VECTORS

FILE = Path(__file__).parents[2] / "data" / "attestation_golden.json"
GOLDEN = json.loads(FILE.read_text())


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def test_the_vectors_are_those_of_the_specification() -> None:
    original = VECTORS / "attestation" / "golden.json"
    if not original.is_file():
        pytest.skip(f"no {original}: set CLEARWORK_VECTORS to the folder of the vectors")
    assert FILE.read_bytes() == original.read_bytes()


@pytest.mark.parametrize("case", GOLDEN["single"], ids=lambda case: case["name"])
def test_elements_follow_the_specification(case: dict[str, Any]) -> None:
    seed = _bytes(case["seed"])
    a = row_elements(row_key(seed, Matrix.A, 0), Matrix.A, case["K"])
    b = row_elements(row_key(seed, Matrix.B, 0), Matrix.B, case["K"])

    assert a[:8] == case["a_row0_first8"]
    assert b[:8] == case["b_col0_first8"]
    assert len(a) == len(b) == case["K"]


@pytest.mark.parametrize("case", GOLDEN["single"], ids=lambda case: case["name"])
def test_products_of_the_first_row(backend: Any, case: dict[str, Any]) -> None:
    seed = _bytes(case["seed"])
    a = backend.rows([row_key(seed, Matrix.A, 0)], Matrix.A, case["K"])
    b = backend.rows([row_key(seed, Matrix.B, j) for j in range(4)], Matrix.B, case["K"])

    assert [int(entry) for entry in backend.matmul(a, b)[0]] == case["c_row0_first4"]


@pytest.mark.parametrize("case", GOLDEN["single"], ids=lambda case: case["name"])
def test_root_of_one_product(backend: Any, case: dict[str, Any]) -> None:
    if case["m"] * case["n"] > 4_096:
        skip_if_interpreted(backend)
    proof = prove(backend, _bytes(case["seed"]), Dims(case["m"], case["n"], case["K"], 1))

    assert list(proof.trees[0].leaf(0)[:8]) == case["fold8_row0_first8"]
    assert proof.roots == [_bytes(case["root"])]


def test_chain_of_three_rounds(backend: Any) -> None:
    case = GOLDEN["chain"]
    dims = Dims(case["m"], case["n"], case["K"], case["rounds"])
    proof = prove(backend, _bytes(case["seed"]), dims)

    assert proof.roots == [_bytes(root) for root in case["roots"]]
    assert proof.final_seed == _bytes(case["seeds"][-1])
