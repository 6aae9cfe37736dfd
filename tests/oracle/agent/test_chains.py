"""Whose turn it is on a device: challenges, what was asked for on chain, strangers."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.domain.attestation import Dims, shape_numbers
from oracle.domain.messages import Commit
from oracle.errors import Busy, NotFound, Transient
from oracle.services import chains as module
from oracle.services.chains import (
    FREE_CHAINS,
    FREE_LEAVES,
    FREE_SECONDS,
    KEEP_TREES,
    RETRY_AFTER,
    Chains,
)
from oracle.services.prove import Proof, prove

DIMS = Dims(16, 16, 32, 3)


class Gate(NumpyBackend):
    """Holds the first product up until it is released."""

    def __init__(self) -> None:
        self.products = 0
        self.entered, self.released = threading.Event(), threading.Event()

    def matmul(self, a: Any, b: Any) -> Any:
        self.products += 1
        if self.products == 1:
            self.entered.set()
            assert self.released.wait(5)
        return super().matmul(a, b)


def commit_of(number: int) -> Commit:
    """An honest commit of epoch `number`."""
    proof = prove(NumpyBackend(), bytes([number]) * 32, DIMS)
    return Commit(
        7, b"device".ljust(32), number, proof.seed, *shape_numbers(DIMS), proof.final_seed
    )


@pytest.fixture(scope="module")
def old() -> Commit:
    return commit_of(1)


@pytest.fixture
def pruned(monkeypatch: pytest.MonkeyPatch) -> Proof:
    """A chain whose leaves are computed again, one by one."""
    monkeypatch.setattr("oracle.domain.attestation.memory.TREE_BYTES", 1_000)
    proof = prove(NumpyBackend(), bytes(32), Dims(4, 512, 32, 2))
    assert proof.pruned
    return proof


def test_a_challenge_ends_what_is_computed_for_strangers(old: Commit) -> None:
    gate = Gate()
    chains = Chains(gate)
    with ThreadPoolExecutor(2) as threads:
        stranger = threads.submit(chains.again, old, True)
        assert gate.entered.wait(5)
        challenge = threads.submit(chains.compute, lambda: prove(gate, bytes(32), DIMS))
        while not chains._challenges:
            pass
        gate.released.set()
        assert challenge.result().dims == DIMS
        with pytest.raises(Busy, match="a challenge"):
            stranger.result()
    # one round of the stranger's, then only the challenge's
    assert gate.products == 1 + DIMS.rounds


def test_strangers_are_told_when_to_come_back(old: Commit) -> None:
    chains = Chains(NumpyBackend())
    with pytest.raises(Busy, match="a challenge") as caught:
        chains.compute(lambda: chains.again(old, True))
    assert caught.value.retry_after == RETRY_AFTER
    assert chains.again(old, True).final_seed == old.final_seed


def test_one_old_chain_at_a_time(old: Commit) -> None:
    gate = Gate()
    chains = Chains(gate)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(chains.again, old, True)
        assert gate.entered.wait(5)
        with pytest.raises(Busy, match="somebody else"):
            chains.again(old, True)
        gate.released.set()
        first.result()


def test_few_old_chains_an_hour(old: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    chains = Chains(NumpyBackend())
    for _ in range(FREE_CHAINS):
        chains.again(old, True)
    now += FREE_SECONDS - 10
    with pytest.raises(Busy, match="free in this hour") as caught:
        chains.again(old, True)
    assert caught.value.retry_after == 11
    # who has paid for it on chain is not held up
    chains.again(old, False)
    now += 10
    chains.again(old, True)


def test_few_leaves_an_hour(pruned: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    chains = Chains(NumpyBackend())
    for _ in range(FREE_LEAVES):
        chains.leaf(pruned, 0, 1, True)
    with pytest.raises(Busy, match="free in this hour") as caught:
        chains.leaf(pruned, 0, 1, True)
    assert caught.value.retry_after == FREE_SECONDS + 1
    # nor are old chains used up by them, nor what was asked for on chain
    assert chains.leaf(pruned, 0, 1, False) == pruned.open_leaf(0, 1)
    chains.again(commit_of(1), True)
    now += FREE_SECONDS
    chains.leaf(pruned, 0, 1, True)


@pytest.mark.parametrize("owed", ["leaf", "chain"])
def test_what_was_asked_for_on_chain_waits_for_strangers_and_then_goes_first(
    old: Commit, pruned: Proof, owed: str
) -> None:
    """Nobody is convicted of silence because others keep the device busy."""
    gate = Gate()
    chains, flooded = Chains(gate), replace(pruned, backend=gate)
    with ThreadPoolExecutor(2) as threads:
        flood = threads.submit(chains.leaf, flooded, 0, 1, True)
        assert gate.entered.wait(5)
        ask = partial(chains.leaf, flooded, 0, 2) if owed == "leaf" else partial(chains.again, old)
        asked = threads.submit(ask, False)
        while not chains._owed and not asked.done():
            pass
        with pytest.raises(Busy, match="asked for on chain"):
            chains.leaf(flooded, 0, 3, True)
        assert not asked.done()
        gate.released.set()
        asked.result(5)
        assert flood.result(5) == pruned.open_leaf(0, 1)
    # and then strangers are served again
    assert chains.leaf(flooded, 0, 3, True) == pruned.open_leaf(0, 3)


def test_an_old_chain_of_a_strangers_is_given_up_for_one_asked_for_on_chain(
    old: Commit, pruned: Proof
) -> None:
    gate = Gate()
    chains = Chains(gate)
    with ThreadPoolExecutor(2) as threads:
        stranger = threads.submit(chains.again, old, True)
        assert gate.entered.wait(5)
        owed = threads.submit(chains.leaf, pruned, 0, 1, False)
        while not chains._owed and not owed.done():
            pass
        gate.released.set()
        assert owed.result(5) == pruned.open_leaf(0, 1)
        with pytest.raises(Busy, match="asked for on chain"):
            stranger.result(5)


def test_strangers_displace_no_trees_of_new_commits(old: Commit) -> None:
    chains = Chains(NumpyBackend())
    newest = [commit_of(number) for number in range(2, 3 + KEEP_TREES)]
    for commit in newest:
        chains.keep(commit.struct_hash(), prove(NumpyBackend(), commit.seed, DIMS))
    for commit in (old, newest[0]):
        assert chains.kept(commit.struct_hash()) is None
        chains.again(commit, True)
    assert [chains.kept(each.struct_hash()) is None for each in (old, *newest)] == [
        True, *(False for _ in newest)
    ]  # fmt: skip


def test_a_chain_with_another_end_is_not_kept(old: Commit) -> None:
    chains = Chains(NumpyBackend())
    false = replace(old, final_seed=bytes(32))
    for _ in range(2):
        with pytest.raises(NotFound, match="can't be computed again"):
            chains.again(false, True)
        assert chains.kept(false.struct_hash()) is None


@pytest.mark.parametrize("failure", [RuntimeError("CUDA out of memory.\nTried"), MemoryError()])
def test_a_device_that_fails_is_transient(old: Commit, failure: Exception) -> None:
    class Fails(NumpyBackend):
        def matmul(self, a: Any, b: Any) -> Any:
            raise failure

    chains = Chains(Fails())
    first_line = str(failure).split("\n")[0] or "MemoryError"
    for ask in (
        lambda: chains.again(old, True),
        lambda: chains.compute(lambda: prove(chains.backend, bytes(32), DIMS)),
    ):
        with pytest.raises(Transient, match=f"numpy can't compute: {first_line}$"):
            ask()
    chains.backend = NumpyBackend()
    assert chains.again(old, True).final_seed == old.final_seed


def test_the_loop_goes_on_while_a_stranger_is_served(world: Any, old: Commit) -> None:
    """Only the loop lets the stranger's chain go on: a loop that waits for it never does."""
    agent = world.agent()
    gate = Gate()
    agent.prover._chains.backend = gate

    async def serve() -> None:
        stranger = asyncio.create_task(asyncio.to_thread(agent.prover.lost_leaf, old, 0, 0))
        await asyncio.to_thread(gate.entered.wait, 5)
        challenge = asyncio.create_task(agent.prover._work_on(9, bytes(32), DIMS))
        asyncio.get_running_loop().call_later(0.05, gate.released.set)
        signed = await asyncio.wait_for(challenge, 4)
        assert signed.commit.epoch == 9
        with pytest.raises(Busy):
            await stranger

    asyncio.run(serve())
    agent.state.close()
