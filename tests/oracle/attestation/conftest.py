"""All backends, and one honest chain with what an oracle would ask of it."""

from dataclasses import dataclass
from typing import Any

import pytest

from oracle.adapters.gpu import load_backend
from oracle.domain.attestation import Dims, Opening, draw_queries
from oracle.domain.messages import Commit
from oracle.services.prove import Proof, prove
from tests.backends import every_backend  # noqa: F401 (a fixture)

SECRET = b"oracle's secret".ljust(32)
QUERIES = 32


@dataclass
class Case:
    """A proof, the commit that names it, and the openings an oracle's secret drew."""

    proof: Proof
    commit: Commit
    openings: list[Opening]
    secret: bytes = SECRET
    queries: int = QUERIES


def _run(backend: Any, dims: Dims, seed: bytes = b"seed".ljust(32)) -> Case:
    proof = prove(backend, seed, dims)
    commit = Commit(
        provider=7,
        device=b"device".ljust(32),
        epoch=3,
        seed=seed,
        m=dims.m,
        n=dims.n,
        k=dims.k,
        rounds=dims.rounds,
        final_seed=proof.final_seed,
    )
    queries = draw_queries(proof.final_seed, SECRET, QUERIES, dims)
    return Case(proof, commit, proof.answer(queries))


@pytest.fixture(scope="session")
def numpy_backend() -> Any:
    return load_backend("numpy")


@pytest.fixture(scope="session")
def honest(numpy_backend: Any) -> Case:
    return _run(numpy_backend, Dims(64, 32, 64, 3))


@pytest.fixture(scope="session")
def run_case() -> Any:
    """Run a chain on any backend, as a prover would, and answer an oracle's draw."""
    return _run
