"""A chain whose prevrandao never changes is refused."""

from types import SimpleNamespace
from typing import Any

import pytest
from hexbytes import HexBytes

from oracle.adapters.chain.prevrandao import LOOKS, check_prevrandao
from oracle.errors import Misconfigured
from tests.oracle.conftest import Live


def chain_of(*mixes: int) -> Any:
    """The newest blocks of a chain, oldest first."""
    blocks = [{"mixHash": HexBytes(mix.to_bytes(32, "big"))} for mix in mixes]
    return SimpleNamespace(
        eth=SimpleNamespace(block_number=len(blocks) - 1, get_block=blocks.__getitem__)
    )


@pytest.mark.parametrize("blocks", [2, 3, 64, 1_000])
@pytest.mark.parametrize("constant", [0, 1])
def test_a_constant_is_refused(blocks: int, constant: int) -> None:
    with pytest.raises(Misconfigured, match="always 0x"):
        check_prevrandao(chain_of(*[constant] * blocks))


@pytest.mark.parametrize(
    "mixes",
    [
        (5,),
        (5, 6),
        # one value for six blocks, as chains have it that take it from another
        [number // 6 for number in range(100)],
        # and one that did not change lately
        [0] * (LOOKS[-1] // 2) + [1] * (LOOKS[-1] // 2),
    ],
)
def test_what_changes_is_taken(mixes: Any) -> None:
    check_prevrandao(chain_of(*mixes))


def test_a_real_node_draws(live: Live) -> None:
    live.mine(3, 1)
    check_prevrandao(live.w3)
