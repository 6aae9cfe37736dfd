"""Every compute backend and the contract find the same entry."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.adapters.gpu import load_backend
from oracle.domain.attestation import Matrix, fold, row_key
from oracle.errors import Misconfigured

seeds = st.binary(min_size=32, max_size=32)
places = st.integers(0, 2**32 - 1)


@pytest.fixture(params=["reference", "numpy", "torch", "torch:cuda"], scope="module")
def backend(request):
    try:
        return load_backend(request.param)
    except Misconfigured as error:
        pytest.skip(f"{error}: {error.remedy}")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed_r=seeds, seed_0=seeds, words=st.integers(1, 40), i=places, j=places)
def test_entries_agree(verifier, backend, seed_r, seed_0, words, i, j):
    k = 32 * words
    row = backend.rows([row_key(seed_r, Matrix.A, i)], Matrix.A, k)
    column = backend.rows([row_key(seed_0, Matrix.B, j)], Matrix.B, k)
    on_chain = verifier.entry(seed_r, seed_0, k, i, j)

    assert int(backend.matmul(row, column)[0][0]) == on_chain
    assert backend.fold_pairs(row, column) == bytes([fold(on_chain)])
