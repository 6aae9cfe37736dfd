"""The agent answers challenges: once per epoch, to everybody, never to a forged one."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from oracle.adapters.gpu.numpy_backend import NumpyBackend
from oracle.domain.attestation import Dims, device_id, root_of
from oracle.domain.hashing import keccak
from oracle.errors import NotFound

from .conftest import DIMS


def _all_judged(world: Any) -> bool:
    return all(oracle.verdicts for oracle in world.oracles if not oracle.down)


def test_every_oracle_gets_the_one_commit(world: Any) -> None:
    world.run(lambda: _all_judged(world))

    assert all(oracle.verdicts[0].accepted for oracle in world.oracles)
    assert len({oracle.commits[0].model_dump_json() for oracle in world.oracles}) == 1
    assert world.backend.products == world.oracles[0].dims.rounds


def test_registration_presents_the_device(world: Any) -> None:
    world.run(lambda: _all_judged(world))
    body = world.oracles[0].registrations[0]

    assert body.identity == keccak(b"CPU-test")
    assert body.inventory["kind"] == "cpu"
    assert body.agent_url == "http://127.0.0.1:9000"
    assert device_id(body.identity, 7) in world.oracles[0].known


def test_claimed_memory_overrides_the_measured(world: Any) -> None:
    world.settings["memory_mb"] = 24_000
    world.run(lambda: bool(world.oracles[0].registrations))
    assert world.oracles[0].registrations[0].memory_mb == 24_000


def test_a_dead_oracle_blocks_nobody(world: Any) -> None:
    world.oracles[0].down = True
    world.run(lambda: _all_judged(world))

    assert [len(oracle.verdicts) for oracle in world.oracles] == [0, 1, 1]


def test_an_oracle_that_comes_back_gets_the_same_commit(world: Any) -> None:
    dead, alive, _ = world.oracles
    dead.down = True

    def revived() -> bool:
        if alive.verdicts and dead.down:
            dead.down = False
        return bool(dead.verdicts)

    world.run(revived)
    assert dead.commits == alive.commits
    assert world.backend.products == dead.dims.rounds


def test_every_epoch_is_attested(world: Any) -> None:
    def second_epoch_done() -> bool:
        if _all_judged(world) and 2 not in world.chain.beacons:
            world.chain.beacons[2] = b"next".ljust(32)
            for oracle in world.oracles:
                oracle.epoch = 2
        return all(len(oracle.verdicts) == 2 for oracle in world.oracles)

    world.run(second_epoch_done)
    assert [commit.epoch for commit in world.oracles[0].commits] == [1, 2]
    assert world.oracles[0].commits[0].seed != world.oracles[0].commits[1].seed


def test_nothing_is_signed_for_a_seed_that_is_not_the_chains(world: Any) -> None:
    liar, *honest = world.oracles
    liar.wrong_seed = b"chosen by the oracle".ljust(32)
    world.run(lambda: all(oracle.verdicts for oracle in honest))

    assert liar.commits == []
    assert liar.registrations


def test_nothing_is_computed_before_the_beacon(world: Any) -> None:
    beacon = world.chain.beacons.pop(1)
    polls = 0

    def released() -> bool:
        nonlocal polls
        polls += 1
        if polls == 20:
            assert world.backend.products == 0
            world.chain.beacons[1] = beacon
        return _all_judged(world)

    world.run(released)
    assert world.backend.products == 2


@pytest.mark.parametrize(
    "settings", [{"max_operations": 2 * 2 * 32 * 32 * 64 - 1}, {"memory_mb": 1}]
)
def test_more_work_than_the_device_takes_is_refused(world: Any, settings: dict[str, int]) -> None:
    world.settings |= settings
    greedy, *others = world.oracles
    if "memory_mb" in settings:
        greedy.dims = Dims(1_024, 1_024, 64, 1)
    else:
        for oracle in others:
            oracle.dims = Dims(32, 32, 32, 2)
    world.run(lambda: all(oracle.verdicts for oracle in others))

    assert greedy.commits == []


def test_an_unsigned_receipt_gets_no_openings(world: Any) -> None:
    forger, *honest = world.oracles
    forger.forge_ack = True
    world.run(lambda: all(oracle.verdicts for oracle in honest) and bool(forger.commits))

    assert forger.verdicts == []


def test_a_lost_answer_is_repeated(world: Any) -> None:
    for oracle in world.oracles:
        oracle.busy = 2
    world.run(lambda: _all_judged(world))

    assert all(oracle.verdicts[0].accepted for oracle in world.oracles)
    assert all(len(oracle.commits) == 1 for oracle in world.oracles)


def test_an_oracle_that_forgot_the_device_is_told_again(world: Any) -> None:
    forgetful = world.oracles[0]

    def registered_again() -> bool:
        if len(forgetful.registrations) == 1:
            forgetful.known.clear()
        return len(forgetful.registrations) == 2

    world.run(registered_again)


def test_a_restart_in_the_middle_signs_the_same_commit(world: Any) -> None:
    first, second, third = world.oracles
    second.down = third.down = True
    world.run(lambda: bool(first.verdicts))
    second.down = third.down = False
    world.run(lambda: _all_judged(world))

    assert first.commits == second.commits == third.commits


class Flips(NumpyBackend):
    """One bit of one product is wrong, as in a card whose memory fails: the second one."""

    def __init__(self) -> None:
        self.products = 0

    def matmul(self, a: Any, b: Any) -> Any:
        product = super().matmul(a, b)
        self.products += 1
        if self.products == 2:
            product[3, 3] ^= 1
        return product


def test_a_second_end_of_a_chain_is_never_signed(world: Any) -> None:
    first, second, third = world.oracles
    world.backend = Flips()
    second.down = third.down = True
    world.run(lambda: bool(first.commits))
    second.down = third.down = False
    agent = world.agent()
    with capture_logs() as logs:
        world.run(lambda: agent.backoff.failures > 0, agent)

    # it was computed again, at least once
    assert world.backend.products >= 2 * DIMS.rounds
    assert len(first.commits) == 1
    assert second.commits == third.commits == []
    assert "the device computes one chain to two ends" in {entry["event"] for entry in logs}


class Fails(NumpyBackend):
    """Its memory is full, for a while."""

    def __init__(self) -> None:
        self.failures = 3

    def matmul(self, a: Any, b: Any) -> Any:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("CUDA out of memory")
        return super().matmul(a, b)


def test_a_device_that_fails_for_a_while_is_tried_again(world: Any) -> None:
    world.backend = Fails()
    with capture_logs() as logs:
        world.run(lambda: _all_judged(world))

    assert world.backend.failures == 0
    assert all(oracle.verdicts[0].accepted for oracle in world.oracles)
    assert all(oracle.heartbeats for oracle in world.oracles)
    problems = {entry.get("problem", "") for entry in logs}
    assert any("numpy can't compute: CUDA out of memory" in each for each in problems)


# --- openings for everybody -----------------------------------------------------------------------


def test_any_leaf_of_a_commit_opens(world: Any) -> None:
    agent = world.agent()
    world.run(lambda: _all_judged(world), agent)
    commit = world.oracles[0].commits[0]
    name = commit.message().struct_hash()

    for round_index, root in enumerate(commit.roots):
        view = agent.open_leaf(name, round_index, 5)
        assert root_of(view.leaf, 5, view.path) == root


def test_a_restarted_agent_recomputes_what_it_signed(world: Any) -> None:
    world.run(lambda: _all_judged(world))
    commit = world.oracles[0].commits[0]
    restarted = world.agent()

    view = restarted.open_leaf(commit.message().struct_hash(), 1, 0)
    assert root_of(view.leaf, 0, view.path) == commit.roots[1]
    restarted.state.close()


def test_unknown_commits_rounds_and_leaves_are_not_found(world: Any) -> None:
    agent = world.agent()
    world.run(lambda: _all_judged(world), agent)
    name = world.oracles[0].commits[0].message().struct_hash()

    for round_index, leaf in ((2, 0), (0, 8)):
        with pytest.raises(NotFound, match="no leaf"):
            agent.open_leaf(name, round_index, leaf)
    restarted = world.agent()
    with pytest.raises(NotFound, match="no commit"):
        restarted.open_leaf(bytes(32), 0, 0)
    restarted.state.close()


class Moody(NumpyBackend):
    """Skips rows, other ones after every start: a cheat that can't stand by its word."""

    def __init__(self, fill: int) -> None:
        self.fill = fill

    def matmul(self, a: Any, b: Any) -> Any:
        product = super().matmul(a, b)
        product[-4:] = self.fill
        return product


def test_a_cheat_is_refused_and_says_why(world: Any) -> None:
    world.backend = Moody(1)
    for oracle in world.oracles:
        oracle.queries = 128
    world.run(lambda: _all_judged(world))

    assert not any(oracle.verdicts[0].accepted for oracle in world.oracles)
    assert "not the product" in world.oracles[0].verdicts[0].reason


def test_a_cheat_that_forgot_its_tree_can_not_open_it(world: Any) -> None:
    world.backend = Moody(1)
    world.run(lambda: _all_judged(world))
    world.backend = Moody(2)
    restarted = world.agent()

    with pytest.raises(NotFound, match="can't be computed again"):
        restarted.open_leaf(world.oracles[0].commits[0].message().struct_hash(), 0, 0)
    restarted.state.close()
