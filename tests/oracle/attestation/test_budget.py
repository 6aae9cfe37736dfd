"""The budget of specification section 7 on one core; run by `make test-all`."""

import time
from typing import Any

import pytest

from oracle.domain.attestation import Dims, Matrix, Opening, draw_queries, row_key
from oracle.domain.hashing import keccak
from oracle.services.prove import prove
from oracle.services.verify import false_entries, in_tree

pytestmark = pytest.mark.slow


def _best(repetitions: int, work: Any) -> float:
    """Least processor seconds of several repetitions: other load does not count."""
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def test_verify_a_chain_of_16384_in_45_ms(numpy_backend: Any) -> None:
    dims, seed = Dims(16_384, 16_384, 16_384, 8), bytes(32)
    roots = [keccak(bytes([n])) for n in range(8)]

    def verify() -> None:
        openings = [
            Opening(query, bytes(128), (bytes(32),) * dims.depth)
            for query in draw_queries(roots[-1], seed, 128, dims)
        ]
        for opening in openings:
            in_tree(dims, roots, opening)
        false_entries(numpy_backend, dims, seed, roots, openings)

    assert _best(5, verify) <= 0.045


def test_generator_makes_100_megabytes_a_second(numpy_backend: Any) -> None:
    keys = [row_key(bytes(32), Matrix.A, row) for row in range(1_024)]
    seconds = _best(5, lambda: numpy_backend.rows(keys, Matrix.A, 4_096))

    assert 1_024 * 4_096 / seconds >= 100e6


def test_hashing_takes_at_most_a_fifth_of_a_4096_round(numpy_backend: Any) -> None:
    spent = {"factor": 0.0, "matmul": 0.0, "fold_commit": 0.0}

    class Stopwatch:
        name = "stopwatch"

        def __getattr__(self, method: str) -> Any:
            def timed(*args: Any) -> Any:
                start = time.perf_counter()
                result = getattr(numpy_backend, method)(*args)
                spent[method] += time.perf_counter() - start
                return result

            return timed

    prove(Stopwatch(), bytes(32), Dims(4_096, 4_096, 4_096, 1))
    assert spent["factor"] + spent["fold_commit"] <= 0.2 * sum(spent.values())
