"""Every compute backend and the contract find the same entry."""

from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.domain.attestation import Matrix, fold, row_key
from tests.backends import every_backend  # noqa: F401 (a fixture)

seeds = st.binary(min_size=32, max_size=32)
places = st.integers(0, 2**32 - 1)


def test_entries_agree(verifier, backend, request):
    # Triton's interpreter takes most of a second for one
    few = "interpreted" in request.node.callspec.id

    @settings(max_examples=3 if few else 25, deadline=None)
    @given(seed_r=seeds, seed_0=seeds, words=st.integers(1, 40), i=places, j=places)
    def check(seed_r, seed_0, words, i, j):
        k = 32 * words
        row = backend.rows([row_key(seed_r, Matrix.A, i)], Matrix.A, k)
        column = backend.rows([row_key(seed_0, Matrix.B, j)], Matrix.B, k)
        on_chain = verifier.entry(seed_r, seed_0, k, i, j)

        assert int(backend.matmul(row, column)[0][0]) == on_chain
        assert backend.fold_pairs(row, column) == bytes([fold(on_chain)])

    check()
