"""A policy decides how much of the schedule is granted; the rest waits in the vault."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.emission import Schedule
from tests.unit.conftest import ROLE_DELAY, role
from tests.unit.market import load_odd
from tests.unit.reward_market import logged
from tests.unit.told_source import Source

MINUTE = 60
NO_POLICY = 5
RELEASE = "release(uint64,uint256)"
NOBODY = "0x" + "00" * 20


@pytest.fixture
def half(small: Any) -> Any:
    """Releases half of what is available."""
    policy = load_odd("half_policy", 5_000)
    small.set_role(role("POLICY"), policy)
    return policy


def end(controller: Any, epochs: int = 1) -> None:
    boa.env.time_travel(seconds=epochs * MINUTE)
    controller.press(epochs)


def splits(controller: Any) -> list[tuple[int, int, int]]:
    return [(e.scheduled, e.released, sum(e.shares)) for e in logged(controller, "BudgetSplit")]


def test_what_is_not_released_stays_available(small: Any, half: Any, token_of: Any):
    end(small, 3)
    # 35 a minute: 17 of 35, 26 of 53, 31 of 62
    assert splits(small) == [(35, 17, 17), (35, 26, 26), (35, 31, 31)]
    assert [half.asked(epoch) for epoch in range(3)] == [35, 53, 62]
    assert small.vault() == 31
    assert token_of(small).minted() == small.cumulative_budget(2) == 74
    # the vault counts as issued, so the policy does not slow the schedule
    assert small.issuance() == 105
    assert small.cut() == 0


def test_more_than_is_available_is_all_of_it(small: Any, half: Any):
    end(small)
    half.set_share(2**200)
    end(small)
    assert splits(small) == [(35, 53, 53)]
    assert small.vault() == 0


def test_fees_that_a_policy_pays_are_granted_with_the_budget(small: Any, half: Any, token_of: Any):
    token = token_of(small)
    half.set_token(token)
    end(small)
    # as if somebody had earned and spent them
    token.eval(f"erc20.balanceOf[{half.address}] = 8")
    end(small)
    # half of 18 and 35, and what arrives: it says twice as much
    assert splits(small) == [(35, 26 + 8, 26 + 8)]
    assert (small.vault(), small.reserve()) == (27, 0)
    # eight are not new
    assert small.cumulative_budget(1) == 17 + 26 + 8
    assert token.minted() == 17 + 26
    assert token.balanceOf(half) == token.balanceOf(small) == 0
    # as without them: what comes in and goes out was issued before
    assert small.issuance() == 70


def test_nothing_released_is_an_epoch_without_budget(small: Any, half: Any, token_of: Any):
    half.set_share(0)
    end(small, 2)
    assert splits(small) == [(35, 0, 0)] * 2
    assert small.cumulative_budget(1) == token_of(small).minted() == 0
    assert small.vault() == small.issuance() == 70


@pytest.mark.parametrize(
    ("answer", "reverts", "burns"),
    [(b"", False, False), (b"\0" * 31, False, False), (b"", True, False), (b"", False, True)],
    ids=["nothing", "too short", "reverts", "burns"],
)
def test_a_policy_that_fails_releases_nothing(
    small: Any, answer: bytes, reverts: bool, burns: bool
):
    source = Source()
    source.tell(RELEASE, answer)
    small.set_role(role("POLICY"), source.contract)
    source.contract.misbehave(reverts, burns)
    end(small)
    (event,) = logged(small, "SourceFailed")
    assert (event.epoch, event.role, event.source) == (0, role("POLICY"), source.contract.address)
    assert splits(small) == [(35, 0, 0)]
    assert small.vault() == 35
    source.contract.misbehave(False, False)
    source.number(RELEASE, 70)
    end(small)
    assert (source.contract.epoch(), source.contract.available()) == (1, 70)
    assert splits(small) == [(35, 70, 70)]


def test_the_vault_of_a_policy_that_is_gone_goes_back_to_the_schedule(
    small: Any, half: Any, schedule_of: Callable[[Any], Schedule]
):
    end(small)
    small.set_role(role("POLICY"), NOBODY)
    boa.env.time_travel(seconds=ROLE_DELAY)
    small.apply_role(role("POLICY"))
    small.press(1)
    (event,) = logged(small, "Reclaimed")
    assert (event.to_epoch, event.reason, event.amount) == (1, NO_POLICY, 18)
    assert splits(small) == [(35, 35, 35)]
    assert (small.vault(), small.cut()) == (0, 18)
    assert small.issuance() == 17 + 35
    assert schedule_of(small).emission(17, MINUTE, 0) == (35, 0)
    small.press(1)
    assert logged(small, "Reclaimed") == []


def test_what_the_split_cuts_of_the_vault_is_scheduled_again(
    deploy_controller: Callable[..., Any],
):
    """A cut can be more than the epoch emits: nothing underflows, and issuance falls."""
    controller = deploy_controller(1_000, 7, 12, epoch_length=MINUTE)
    source, policy = Source(), load_odd("half_policy", 0)
    source.amounts("take(uint64)", [])
    controller.set_role(role("POLICY"), policy)
    end(controller, 8)
    assert controller.vault() == controller.issuance() == 280
    controller.set_role(role("VOTES"), source.contract)
    controller.set_beta(5_000)
    policy.set_share(10_000)
    end(controller)
    assert splits(controller) == [(35, 315, 158)]
    assert controller.issuance() == 158
    assert controller.vault() == 0
    assert controller.cut() == 157


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 10_000)), max_size=8))
def test_granted_vault_and_schedule_agree(
    small: Any, schedule_of: Any, token_of: Any, steps: list[Any]
):
    with boa.env.anchor():
        policy = load_odd("half_policy", 0)
        small.set_role(role("POLICY"), policy)
        issuance = vault = carry = granted = 0
        for epochs, share in steps:
            policy.set_share(share)
            end(small, epochs)
            for _ in range(epochs):
                scheduled, carry = schedule_of(small).emission(issuance, MINUTE, carry)
                issuance += scheduled
                released = (vault + scheduled) * share // 10_000
                vault += scheduled - released
                granted += released
        assert (small.vault(), small.carry()) == (vault, carry)
        assert token_of(small).minted() == granted
        assert small.issuance() == issuance == granted + vault <= small.CAP()
