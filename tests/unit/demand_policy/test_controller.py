"""The policy and the controller together: allowance and fees in one budget."""

from tests.unit.conftest import UNIT, role
from tests.unit.reward_market import logged

from .conftest import CENT, WHOLE_USD, pass_epochs

# half a token per 12 seconds
SCHEDULED = 150 * UNIT


def test_fees_pay_what_the_allowance_does_not(
    market, demand, told_prices, controller, distributor, token, post, pay_fees
):
    controller.set_role(role("POLICY"), demand)
    told_prices.tell(5 * CENT, True, 0, False)
    owed = WHOLE_USD * UNIT // (5 * CENT)
    assert SCHEDULED < owed < 2 * SCHEDULED
    pay_fees(SCHEDULED)
    minted, reserve = token.minted(), controller.reserve()
    pass_epochs()
    post(0)
    controller.press(1)
    (split,) = logged(controller, "BudgetSplit")
    assert (split.scheduled, split.released, list(split.shares)) == (SCHEDULED, owed, [owed])
    assert controller.cumulative_budget(0) == distributor.reserved() == owed
    # only the allowance is new
    assert token.minted() - minted == SCHEDULED
    assert (controller.vault(), controller.reserve(), demand.due()) == (0, reserve, 0)
    assert token.balanceOf(distributor) == owed


def test_an_epoch_without_figures_waits_in_the_vault(
    market, demand, controller, post, pay_fees, token
):
    controller.set_role(role("POLICY"), demand)
    pay_fees(UNIT)
    pass_epochs()
    controller.press(1)
    assert controller.vault() == SCHEDULED
    pass_epochs()
    post(0)
    post(1)
    controller.press(1)
    assert controller.cumulative_budget(1) == 2 * WHOLE_USD * UNIT // (50 * CENT)
    assert controller.vault() == 2 * SCHEDULED - controller.cumulative_budget(1)
