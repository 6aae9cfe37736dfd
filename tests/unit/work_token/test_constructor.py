"""WorkToken's deployment: genesis allocations, the cap, and what is not in the ABI."""

from typing import Any

import boa
import pytest

from tests.compiled import CONTRACTS, compiled

ZERO = "0x" + "00" * 20


def deploy(max_supply: int, genesis: list[tuple[str, int]]) -> Any:
    token = compiled(CONTRACTS / "WorkToken.vy")
    return token.deploy("Clearwork", "WORK", max_supply, genesis, 10)


def accounts(count: int) -> list[str]:
    return [str(boa.env.generate_address()) for _ in range(count)]


def test_parameters_are_kept(token):
    assert (token.name(), token.symbol(), token.decimals()) == ("Clearwork", "WORK", 18)
    assert token.eip712Domain()[1:3] == ("Clearwork", "1")


def test_deployer_owns_it_and_mints_nothing(token, deployer):
    assert token.owner() == deployer
    assert token.role_holder(token.MINTER()) == ZERO


@pytest.mark.parametrize("count", [0, 1, 64])
def test_genesis_goes_to_its_receivers_and_counts_as_minted(count):
    receivers = accounts(count)
    token = deploy(10_000, [(a, i + 1) for i, a in enumerate(receivers)])
    assert [token.balanceOf(a) for a in receivers] == list(range(1, count + 1))
    assert token.totalSupply() == token.minted() == sum(range(1, count + 1))


def test_more_than_64_allocations_revert():
    with boa.reverts(compiler="DynArray[Allocation, 64] bounds check"):
        deploy(10_000, [(a, 1) for a in accounts(65)])


def test_same_receiver_twice_gets_both():
    (receiver,) = accounts(1)
    assert deploy(10, [(receiver, 3), (receiver, 4)]).balanceOf(receiver) == 7


def test_genesis_may_fill_the_cap_but_not_pass_it():
    first, second = accounts(2)
    assert deploy(10, [(first, 6), (second, 4)]).minted() == 10
    with boa.reverts("work_token: over max supply"):
        deploy(10, [(first, 6), (second, 5)])


def test_zero_cap_reverts():
    with boa.reverts("work_token: no supply"):
        deploy(0, [])


def test_module_functions_that_mint_without_cap_are_not_exposed(token):
    names = {entry.get("name") for entry in token.abi}
    assert not names & {"set_minter", "is_minter"}
    assert [e["inputs"][0]["name"] for e in token.abi if e.get("name") == "mint"] == ["receiver"]


def test_minter_flag_of_the_module_is_off_for_the_deployer(token, deployer):
    assert token.eval(f"erc20.is_minter[{deployer}]") is False
