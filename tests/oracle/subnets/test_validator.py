"""A validator on a real chain: commits, reveals on time, and goes on after a restart."""

import shutil
from collections.abc import Callable

import pytest

from oracle.adapters.signer.keystore import KeystoreSigner
from oracle.adapters.store.row_files import RowFiles
from oracle.domain.scores import Row
from oracle.errors import NotFound, Unauthorized
from oracle.services import validate
from oracle.services.validate import Validator
from tests.oracle.conftest import Live, Machine, Oracle, admit, step

from .conftest import CONSENSUS, RULES, Scene

Pass = Callable[[int], None]


@pytest.fixture
def attested(live: Live, oracles: list[Oracle], machine: Machine, scene: Scene) -> Scene:
    """The scene, with the miner's device in the registry."""
    live.enter_epoch(1)
    step(oracles)
    admit(machine, oracles)
    return scene


def test_a_row_is_committed_then_revealed(attested: Scene, live: Live, pass_epochs: Pass):
    key, provider = next(iter(attested.validators.items()))
    validator = attested.validator(key)
    assert validator.subnets() == [attested.subnet]
    done = validator.step(attested.subnet)
    assert done.done == "committed"
    assert done.row == Row((2,), (65_535,))

    waits = validator.step(attested.subnet)
    assert (waits.done, waits.row) == ("waits", None)
    assert "reveal is due" in waits.detail

    pass_epochs(RULES["reveal_delay"])
    assert validator.step(attested.subnet).done == "revealed"
    (log,) = live.chain.logs("SubnetRegistry", "WeightsRevealed", provider=provider)
    assert (log.args.uids, log.args.weights) == ([2], [65_535])
    # the next commit has to wait for its interval
    assert "next commit is due" in validator.step(attested.subnet).detail
    pass_epochs(RULES["commit_interval"] - RULES["reveal_delay"])
    assert validator.step(attested.subnet).done == "committed"


def test_a_row_has_the_entries_that_the_subnet_asks_for(
    attested: Scene, live: Live, pass_epochs: Pass
):
    """Only one place has done anything, and a row needs two entries."""
    rules = {**RULES, "min_weights": 2}
    terms = tuple(rules.values()), tuple(CONSENSUS.values())
    live.send(attested.owner, "SubnetRegistry", "change_parameters", attested.subnet, *terms)
    pass_epochs(live.read("SubnetRegistry", "PARAMETER_EPOCHS"))
    key = next(iter(attested.validators))
    validator = attested.validator(key)
    assert validator.step(attested.subnet).row == Row((1, 2), (1, 65_535))
    pass_epochs(RULES["reveal_delay"])
    assert validator.step(attested.subnet).done == "revealed"


def test_a_restart_between_commit_and_reveal(attested: Scene, pass_epochs: Pass):
    key = next(iter(attested.validators))
    row = attested.validator(key).step(attested.subnet).row
    pass_epochs(RULES["reveal_delay"])
    again = attested.validator(key).step(attested.subnet)
    assert (again.done, again.row) == ("revealed", row)


def test_a_lost_row_is_named_and_replaced_when_its_window_is_over(
    attested: Scene, pass_epochs: Pass
):
    key = next(iter(attested.validators))
    attested.validator(key).step(attested.subnet)
    shutil.rmtree(attested.folder)
    pass_epochs(RULES["reveal_delay"])
    assert "is not in the state directory" in attested.validator(key).step(attested.subnet).detail
    pass_epochs(RULES["reveal_window"])
    done = attested.validator(key).step(attested.subnet)
    assert done.done == "committed"
    assert "never revealed" in done.detail


def test_a_commit_that_was_never_sent_is_no_commit(
    attested: Scene, pass_epochs: Pass, monkeypatch: pytest.MonkeyPatch
):
    """Died between the file and the transaction: the next step commits to a new row."""
    key = next(iter(attested.validators))
    validator = attested.validator(key)

    def die(*_: object) -> None:
        raise ConnectionAbortedError

    monkeypatch.setattr(validator._chain, "transact", die)
    with pytest.raises(ConnectionAbortedError):
        validator.step(attested.subnet)
    monkeypatch.undo()
    assert attested.validator(key).step(attested.subnet).done == "committed"
    pass_epochs(RULES["reveal_delay"])
    assert attested.validator(key).step(attested.subnet).done == "revealed"


def test_usage_counts_from_the_last_row_that_was_revealed(
    attested: Scene, pass_epochs: Pass, monkeypatch: pytest.MonkeyPatch
):
    key = next(iter(attested.validators))
    validator = attested.validator(key)
    counted: list[dict[int, int]] = []
    used = {attested.miner: 100}

    def score(
        _places: object, _own: object, _speeds: object, since: dict[int, int], *_: int
    ) -> Row:
        counted.append(since)
        return Row((2,), (65_535,))

    monkeypatch.setattr(validate, "score", score)
    monkeypatch.setattr(validate, "settled_by_provider", lambda _: dict(used))
    validator.step(attested.subnet)
    pass_epochs(RULES["commit_interval"])
    validator.step(attested.subnet)

    def die(*_: object) -> None:
        raise ConnectionAbortedError

    used[attested.miner] = 160
    with monkeypatch.context() as broken:
        broken.setattr(validator._chain, "transact", die)
        with pytest.raises(ConnectionAbortedError):
            validator.step(attested.subnet)
    assert attested.validator(key).step(attested.subnet).done == "committed"
    assert [since[attested.miner] for since in counted] == [100, 60, 60]

    # nobody saw that row in time
    pass_epochs(RULES["reveal_delay"] + RULES["reveal_window"])
    used[attested.miner] = 200
    assert "never revealed" in validator.step(attested.subnet).detail
    assert counted[-1][attested.miner] == 100


def test_nobody_attested_is_nobody_to_weigh(scene: Scene):
    key = next(iter(scene.validators))
    done = scene.validator(key).step(scene.subnet)
    assert (done.done, done.row) == ("waits", None)


def test_a_stranger_does_not_speak_for_a_provider(scene: Scene, live: Live):
    provider = next(iter(scene.validators.values()))
    with pytest.raises(Unauthorized, match="does not speak"):
        Validator(
            live.chain, KeystoreSigner(live.customer), provider, RowFiles(scene.folder), 5_000
        )


def test_no_place_no_say(scene: Scene, live: Live):
    key = next(iter(scene.validators))
    with pytest.raises(NotFound, match="no place in subnet 2"):
        scene.validator(key).step(2)
