"""The split over subnets: the module against its twin, and what a press does with it."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth_abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.domain.emission import split_budget
from tests.unit.conftest import BETA_BPS, CAP_RATIO_BPS, role
from tests.unit.market import load_module
from tests.unit.reward_market import logged
from tests.unit.told_source import Source

MINUTE = 60
TAKE_VOTES, TAKE_FEES = "take(uint64)", "take()"
WITHHELD, FEE_CAP, NO_FEES, NO_POLICY = 2, 3, 4, 5
# of the first epochs
SCHEDULED = 350
LISTS = st.lists(
    st.one_of(st.just(0), st.integers(0, 100), st.integers(0, 2**128 - 1)), max_size=65
)
many = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100
)


@pytest.fixture
def source() -> Source:
    source = Source()
    source.amounts(TAKE_VOTES, [])
    source.amounts(TAKE_FEES, [])
    source.number("withheld_bps(uint16)", 0)
    return source


@pytest.fixture
def splitting(deploy_controller: Callable[..., Any], source: Source) -> Any:
    """Emits 350 units a minute at first, and asks one contract for everything."""
    controller = deploy_controller(1_000_000, 70, 12, epoch_length=MINUTE)
    for name in ("VOTES", "FEES", "SUBNETS"):
        controller.set_role(role(name), source.contract)
    return controller


def end(controller: Any, epochs: int = 1) -> None:
    boa.env.time_travel(seconds=epochs * MINUTE)
    controller.press(epochs)


def shares(controller: Any) -> list[list[int]]:
    """Of every epoch of the last press, whose events must agree with each other."""
    splits, pressed = logged(controller, "BudgetSplit"), logged(controller, "EpochPressed")
    assert [sum(event.shares) for event in splits] == [event.budget for event in pressed]
    return [list(event.shares) for event in splits]


def reclaimed(controller: Any) -> list[tuple[int, int, int]]:
    return [(e.to_epoch, e.reason, e.amount) for e in logged(controller, "Reclaimed")]


def failed(controller: Any) -> list[tuple[int, bytes]]:
    return [(e.epoch, e.role) for e in logged(controller, "SourceFailed")]


# --- the module -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def module() -> Any:
    return load_module("subnet_split")


@many
@given(
    budget=st.one_of(st.integers(0, 10_000), st.integers(0, 2**96 - 1)),
    beta=st.integers(0, 10_000),
    ratio=st.integers(0, 10_000),
    votes=LISTS,
    fees=LISTS,
    data=st.data(),
)
def test_the_module_is_its_twin(module, budget, beta, ratio, votes, fees, data):
    bps = st.one_of(st.sampled_from([0, 10_000]), st.integers(0, 10_000))
    withheld = data.draw(st.lists(bps, min_size=len(fees), max_size=len(fees)))
    expected = split_budget(budget, beta, ratio, votes, fees, withheld)
    found, cuts = module._split(budget, beta, ratio, votes, fees, withheld)
    assert list(found) == expected.shares
    assert tuple(cuts) == (expected.withheld, expected.over_cap, expected.no_fees)


def test_nothing_overflows_at_all_bounds(module):
    largest = [2**136 - 1] * 65
    found, cuts = module._split(2**96 - 1, 5_000, 9_500, largest, largest, [0] * 65)
    assert sum(found) == 2**96 - 1
    assert tuple(cuts) == (0, 0, 0)


# --- a press --------------------------------------------------------------------------------


def test_nobody_asked_the_market_at_large_gets_it_all(small: Any):
    end(small)
    assert shares(small) == [[35]]
    assert reclaimed(small) == []
    (split,) = logged(small, "BudgetSplit")
    assert (split.epoch, split.scheduled, split.released) == (0, 35, 35)


def test_votes_and_fees_share_the_budget(splitting: Any, source: Source, token_of: Any):
    source.amounts(TAKE_VOTES, [10, 0, 30])
    source.amounts(TAKE_FEES, [0, 1_000, 3_000])
    source.number("withheld_bps(uint16)", 2_500)
    end(splitting)
    expected = split_budget(
        SCHEDULED, BETA_BPS, CAP_RATIO_BPS, [10, 0, 30], [0, 1_000, 3_000], [0, 2_500, 2_500]
    )
    assert expected.withheld > 0
    assert shares(splitting) == [expected.shares]
    assert reclaimed(splitting) == [(0, WITHHELD, expected.withheld)]
    assert splitting.cut() == SCHEDULED - expected.granted
    assert splitting.cumulative_budget(0) == token_of(splitting).minted() == expected.granted


def test_the_market_at_large_withholds_nothing(splitting: Any, source: Source):
    source.amounts(TAKE_FEES, [1_000])
    source.number("withheld_bps(uint16)", 10_000)
    end(splitting)
    assert shares(splitting) == [[SCHEDULED]]


@pytest.mark.parametrize("count", [1, 64])
def test_as_many_subnets_as_there_can_be(splitting: Any, source: Source, count: int):
    votes = [(7 * i) % 11 for i in range(count + 1)]
    fees = [(5 * i) % 13 * 10_000 for i in range(count + 1)]
    source.amounts(TAKE_VOTES, votes)
    source.amounts(TAKE_FEES, fees)
    end(splitting)
    expected = split_budget(
        SCHEDULED, BETA_BPS, CAP_RATIO_BPS, votes, fees, [0] * (count + 1)
    ).shares
    assert shares(splitting) == [expected]
    assert sum(expected) == SCHEDULED


def test_what_is_cut_is_not_issued_and_emitted_later(
    deploy_controller: Callable[..., Any], source: Source, token_of: Any, schedule_of: Any
):
    """The cap is reached all the same, and never passed."""
    controller = deploy_controller(1_000, 400, 60, epoch_length=MINUTE)
    for name in ("VOTES", "FEES"):
        controller.set_role(role(name), source.contract)
    token, schedule = token_of(controller), schedule_of(controller)
    issued = cut = carry = 0
    for epoch in range(12):
        scheduled, carry = schedule.emission(issued, MINUTE, carry)
        end(controller)
        granted = scheduled - scheduled * BETA_BPS // 10_000
        assert shares(controller) == [[granted]]
        if scheduled != granted:
            assert reclaimed(controller) == [(epoch, NO_FEES, scheduled - granted)]
        issued, cut = issued + granted, cut + scheduled - granted
        assert controller.issuance() == token.minted() == issued <= token.MAX_SUPPLY()
        assert controller.cut() == cut
    controller.set_beta(0)
    end(controller, 64)
    assert token.minted() == schedule.emission(0, 2**40)[0]


def test_what_is_cut_is_not_issued_in_the_epochs_of_one_press_either(
    deploy_controller: Callable[..., Any], source: Source, schedule_of: Any
):
    controller = deploy_controller(1_000, 400, 60, epoch_length=MINUTE)
    controller.set_role(role("VOTES"), source.contract)
    schedule = schedule_of(controller)
    issued = carry = 0
    expected = []
    for _ in range(12):
        scheduled, carry = schedule.emission(issued, MINUTE, carry)
        expected.append([scheduled - scheduled * BETA_BPS // 10_000])
        issued += expected[-1][0]
    end(controller, 12)
    assert shares(controller) == expected
    assert controller.issuance() == issued


def test_the_fee_part_of_a_subnet_is_capped_by_what_it_paid(splitting: Any, source: Source):
    source.amounts(TAKE_VOTES, [1])
    source.amounts(TAKE_FEES, [0, 10])
    end(splitting)
    assert shares(splitting) == [[245, 9]]
    assert reclaimed(splitting) == [(0, FEE_CAP, 96)]


# --- fees of several epochs -----------------------------------------------------------------


def test_fees_count_evenly_for_all_epochs_that_have_ended(splitting: Any, source: Source):
    source.amounts(TAKE_VOTES, [1])
    source.amounts(TAKE_FEES, [0, 43])
    end(splitting, 4)
    # 13 in the first, 10 in the others, of which nine tenths
    assert [row[1] for row in shares(splitting)] == [11, 9, 9, 9]


def test_pressing_fewer_epochs_changes_nothing(splitting: Any, source: Source):
    source.amounts(TAKE_VOTES, [1])
    source.amounts(TAKE_FEES, [0, 43])
    boa.env.time_travel(seconds=4 * MINUTE)
    splitting.press(1)
    assert shares(splitting) == [[245, 11]]
    source.amounts(TAKE_FEES, [])
    splitting.press(2)
    assert shares(splitting) == [[245, 9]] * 2
    # fees that came since count for what is left, and for what has ended since
    boa.env.time_travel(seconds=MINUTE)
    source.amounts(TAKE_FEES, [20])
    splitting.press(3)
    assert shares(splitting) == [[245 + 9, 4]] * 2
    # all of them are used up
    source.amounts(TAKE_FEES, [])
    end(splitting)
    assert shares(splitting) == [[245]]


steps_of_pressers = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 70), st.integers(0, 500)), max_size=6
)


@settings(many, max_examples=25)
@given(steps=steps_of_pressers)
def test_fees_bring_back_less_than_was_paid_whoever_presses_when(
    splitting: Any, source: Source, steps: list[Any]
):
    fees_bring_back_less(splitting, source, steps)


@pytest.mark.slow
@many
@given(steps=steps_of_pressers)
def test_fees_bring_back_less_than_was_paid_more_often(
    splitting: Any, source: Source, steps: list[Any]
):
    fees_bring_back_less(splitting, source, steps)


def fees_bring_back_less(splitting: Any, source: Source, steps: list[Any]):
    with boa.env.anchor():
        source.amounts(TAKE_VOTES, [1])
        paid = gained = 0
        for passing, pressing, fees in [*steps, (1, 64, 0), (1, 64, 0)]:
            boa.env.time_travel(seconds=passing * MINUTE)
            source.amounts(TAKE_FEES, [0, fees])
            if pressing and splitting.next_epoch() != splitting.current_epoch():
                splitting.press(pressing)
                paid += fees
                gained += sum(row[1] for row in shares(splitting) if len(row) == 2)
        assert gained * 10_000 <= paid * CAP_RATIO_BPS


def test_fees_that_waited_count_once(splitting: Any, source: Source):
    source.amounts(TAKE_VOTES, [1])
    source.amounts(TAKE_FEES, [100])
    boa.env.time_travel(seconds=2 * MINUTE)
    splitting.press(1)
    source.amounts(TAKE_FEES, [])
    splitting.press(1)
    assert shares(splitting) == [[245 + 45]]
    end(splitting)
    assert shares(splitting) == [[245]]


# --- sources that fail ----------------------------------------------------------------------

LIST = encode(["uint256[]"], [[1, 2, 3]])
NONSENSE = {
    "nothing": b"",
    "one word": LIST[:32],
    "another offset": b"\0" * 32 + LIST[32:],
    "cut short": LIST[:-1],
    "too long a list": encode(["uint256[]"], [[1] * 66]),
    "a giant length": LIST[:32] + b"\xff" * 32 + LIST[64:],
    "a giant amount": encode(["uint256[]"], [[1, 2**128]]),
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_counts_as_no_votes_and_no_fees(splitting: Any, source: Source, answer: bytes):
    source.tell(TAKE_VOTES, answer)
    source.tell(TAKE_FEES, answer)
    end(splitting)
    assert failed(splitting) == [(0, role("FEES")), (0, role("VOTES"))]
    assert shares(splitting) == [[245]]
    assert reclaimed(splitting) == [(0, NO_FEES, 105)]


def test_the_largest_amounts_count(splitting: Any, source: Source):
    source.amounts(TAKE_VOTES, [1, 2**128 - 1])
    end(splitting)
    assert failed(splitting) == []
    assert shares(splitting) == [[0, 245]]


def test_more_than_a_list_is_taken_as_the_list(splitting: Any, source: Source):
    source.tell(TAKE_VOTES, LIST + b"\1" * 2_000)
    source.amounts(TAKE_FEES, [10_000])
    end(splitting)
    assert failed(splitting) == []
    assert shares(splitting) == [[40 + 105, 82, 123]]


@pytest.mark.parametrize("burns", [False, True])
def test_a_source_that_fails_stops_nothing(splitting: Any, source: Source, burns: bool):
    source.amounts(TAKE_VOTES, [0, 1])
    source.contract.misbehave(not burns, burns)
    end(splitting, 2)
    assert failed(splitting) == [(0, role("FEES")), (0, role("VOTES")), (1, role("VOTES"))]
    assert shares(splitting) == [[245]] * 2
    source.contract.misbehave(False, False)
    end(splitting)
    assert shares(splitting) == [[0, 245]]


@pytest.mark.parametrize("answer", [b"", b"\0" * 31, (10_001).to_bytes(32, "big")])
def test_an_unknown_share_is_withheld_whole(splitting: Any, source: Source, answer: bytes):
    source.amounts(TAKE_VOTES, [1])
    source.amounts(TAKE_FEES, [10_000, 10_000])
    source.tell("withheld_bps(uint16)", answer)
    end(splitting)
    assert failed(splitting) == [(0, role("SUBNETS"))]
    assert shares(splitting) == [[245 + 52, 0]]
    assert reclaimed(splitting) == [(0, WITHHELD, 53)]


def test_an_account_without_code_is_no_source(splitting: Any, stranger: str, source: Source):
    source.amounts(TAKE_VOTES, [0, 1])
    splitting.set_role(role("POLICY"), stranger)
    end(splitting)
    assert failed(splitting) == [(0, role("POLICY"))]
    assert shares(splitting) == [[0, 0]]
    assert splitting.vault() == SCHEDULED


@pytest.mark.parametrize("gas", [500_000, 10_000_000])
def test_a_caller_cannot_starve_a_source(splitting: Any, source: Source, gas: int):
    """Only with all its gas has a source failed; else the whole press has."""
    source.contract.misbehave(False, True)
    boa.env.time_travel(seconds=MINUTE)
    with boa.reverts("isolated: too little gas"):
        splitting.press(1, gas=gas)
    assert splitting.next_epoch() == 0
    splitting.press(1)
    assert failed(splitting)


def test_little_gas_is_enough_where_sources_answer(splitting: Any, source: Source):
    source.amounts(TAKE_VOTES, [0, 1])
    boa.env.time_travel(seconds=MINUTE)
    splitting.press(1, gas=600_000)
    assert shares(splitting) == [[0, 245]]


# --- parameters -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "getter", "event", "before", "highest"),
    [
        ("set_beta", "beta_bps", "BetaChanged", BETA_BPS, 5_000),
        ("set_cap_ratio", "cap_ratio_bps", "CapRatioChanged", CAP_RATIO_BPS, 9_500),
    ],
)
def test_the_owner_changes_them_within_bounds(
    small: Any, stranger: str, name: str, getter: str, event: str, before: int, highest: int
):
    change, value = getattr(small, name), getattr(small, getter)
    change(highest)
    (changed,) = logged(small, event)
    assert (changed.previous, changed.current) == (before, highest)
    assert value() == highest
    what = name.removeprefix("set_").replace("_", " ")
    with boa.reverts(f"emissions_controller: {what} out of bounds"):
        change(highest + 1)
    with boa.reverts("ownable: caller is not the owner"), boa.env.prank(stranger):
        change(0)
    assert value() == highest
    change(0)
    assert value() == 0
