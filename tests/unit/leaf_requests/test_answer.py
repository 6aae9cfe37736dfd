"""Show a leaf that was asked for: whose bond goes where, and what is no answer."""

import boa
import pytest

from tests.unit.conftest import LEAF_ANSWER_PERIOD, LEAF_BOND, UNIT, load, role
from tests.unit.leaf_requests.conftest import PURSE, SHOWN, leaf_index
from tests.unit.market import load_odd
from tests.unit.slashing_court.conftest import COLUMN, ROUND, ROW, Chain, N

PURSE_OF_CALLER = 10**6 * UNIT


def test_the_provider_gets_the_bond(desk, token, honest, provider, payout, reporter, court):
    desk.ask(honest)
    supply = token.totalSupply()
    desk.answer(honest)
    assert token.balanceOf(payout) == LEAF_BOND
    assert token.balanceOf(reporter) == PURSE - LEAF_BOND
    assert token.totalSupply() == supply
    assert desk.request(honest).stage == SHOWN
    assert desk.contract.open_requests(provider) == 0
    assert court.cases(desk.digest(honest)).kind == 0


def test_leaf_and_path_go_into_the_log(desk, honest, provider, reporter):
    desk.ask(honest)
    desk.answer(honest)
    log = desk.log
    assert (log.commit_digest, log.provider, log.requester) == (
        desk.digest(honest), provider, reporter,
    )  # fmt: skip
    assert (log.round_index, log.index) == (honest.round_index, leaf_index(honest))
    assert (log.leaf, log.path) == (honest.leaf, honest.path)
    assert (log.paid, log.returned, log.burnt) == (LEAF_BOND, 0, 0)


def test_every_leaf_of_every_round_can_be_shown(desk, leaves, provider):
    for proof in leaves():
        desk.ask(proof)
    for proof in reversed(leaves()):
        desk.answer(proof)
    assert desk.contract.open_requests(provider) == 0


def test_anyone_may_answer_and_the_provider_is_paid(desk, token, honest, payout, stranger):
    """Who copies an answer from the mempool pays the gas of it."""
    desk.ask(honest)
    desk.answer(honest, stranger)
    assert token.balanceOf(payout) == LEAF_BOND
    assert token.balanceOf(stranger) == 0


def test_the_payout_address_of_the_moment_is_paid(
    desk, token, providers, honest, provider, provider_owner, stranger
):
    desk.ask(honest)
    providers.set_payout(provider, stranger, sender=provider_owner.address)
    desk.answer(honest)
    assert token.balanceOf(stranger) == LEAF_BOND


def test_what_was_paid_above_one_bond_is_burnt(desk, token, leaves, payout):
    first, second, third, *_ = leaves()
    for proof in (first, second, third):
        desk.ask(proof)
    supply = token.totalSupply()
    desk.answer(third)
    assert (desk.log.paid, desk.log.burnt) == (LEAF_BOND, 2 * LEAF_BOND)
    desk.answer(first)
    assert (desk.log.paid, desk.log.burnt) == (LEAF_BOND, 0)
    desk.answer(second)
    assert token.balanceOf(payout) == 3 * LEAF_BOND
    assert supply - token.totalSupply() == 3 * LEAF_BOND


# --- late -----------------------------------------------------------------------------------


def test_in_the_last_second(desk, token, honest, payout):
    desk.ask(honest)
    desk.wait(honest, -1)
    desk.answer(honest)
    assert token.balanceOf(payout) == LEAF_BOND


@pytest.mark.parametrize("beyond", [0, 1, LEAF_ANSWER_PERIOD, 400 * LEAF_ANSWER_PERIOD])
def test_a_late_answer_ends_the_request_and_earns_nothing(
    desk, token, honest, payout, provider, reporter, refused, beyond
):
    desk.ask(honest)
    desk.wait(honest, beyond)
    desk.answer(honest)
    assert (desk.log.paid, desk.log.returned, desk.log.burnt) == (0, LEAF_BOND, 0)
    assert token.balanceOf(payout) == 0
    assert token.balanceOf(reporter) == PURSE
    assert desk.contract.open_requests(provider) == 0
    with refused("leaf_requests: no such open request"):
        desk.execute(honest)


def test_being_late_on_purpose_does_not_save_what_is_burnt(desk, token, leaves, reporter):
    first, second, *_ = leaves()
    desk.ask(first)
    desk.ask(second)
    desk.wait(second)
    supply = token.totalSupply()
    desk.answer(second)
    assert (desk.log.returned, desk.log.burnt) == (LEAF_BOND, LEAF_BOND)
    assert supply - token.totalSupply() == LEAF_BOND


def test_after_the_bond_was_taken_back(desk, token, honest, payout, reporter):
    desk.ask(honest)
    desk.wait(honest, LEAF_ANSWER_PERIOD)
    desk.take_back(honest)
    desk.answer(honest)
    assert (desk.log.paid, desk.log.returned, desk.log.burnt) == (0, 0, 0)
    assert token.balanceOf(reporter) == PURSE


# --- a false leaf ---------------------------------------------------------------------------


def test_a_false_leaf_convicts_with_what_the_log_says(
    desk, court, token, staking, proof, provider, reporter, conserved
):
    desk.ask(proof)
    desk.answer(proof)
    shown = desk.log
    index = shown.index * 128 + (ROW * N + COLUMN) % 128
    evidence = proof.but(leaf=shown.leaf, path=list(shown.path), i=index // N, j=index % N)
    stake, before = staking.slashable(provider), token.balanceOf(reporter)
    court.convict_attestation(evidence.struct, 0, sender=reporter)
    assert court.cases(desk.digest(proof)).kind == court.FALSE_ATTESTATION()
    assert token.balanceOf(reporter) - before == stake // 2 // 10
    assert before == PURSE - LEAF_BOND


# --- no answers -----------------------------------------------------------------------------


def test_nobody_asked(desk, honest, refused):
    with refused("leaf_requests: no such open request"):
        desk.answer(honest)


def test_twice(desk, honest, refused):
    desk.ask(honest)
    desk.answer(honest)
    with refused("leaf_requests: no such open request"):
        desk.answer(honest)


def test_after_the_execution(desk, honest, refused):
    desk.ask(honest)
    desk.wait(honest)
    desk.execute(honest)
    with refused("leaf_requests: no such open request"):
        desk.answer(honest)


@pytest.mark.parametrize("leaf", [b"", b"\7" * 127], ids=["nothing", "too short"])
def test_a_leaf_of_another_length(desk, honest, refused, leaf):
    desk.ask(honest)
    with refused("leaf_requests: leaf is not 128 bytes"):
        desk.answer(honest.but(leaf=leaf))


def test_a_path_of_another_length(desk, honest, refused):
    desk.ask(honest)
    for path in ([], honest.path[:-1], [*honest.path, bytes(32)]):
        with refused("leaf_requests: path does not fit the matrix"):
            desk.answer(honest.but(path=path))


def test_an_invented_leaf(desk, honest, refused):
    desk.ask(honest)
    for wrong in (
        honest.but(leaf=bytes(128)),
        honest.but(path=honest.path[::-1]),
        honest.but(path=[bytes(32)] * 2),
    ):
        with refused("leaf_requests: leaf is not in the root"):
            desk.answer(wrong)


def test_another_leaf_of_the_same_round(desk, leaf_requests, leaves, refused):
    first, second, *_ = leaves()
    desk.ask(first)
    with refused("leaf_requests: leaf is not in the root"):
        leaf_requests.answer(*desk.place(first), second.leaf, second.path)
    with refused("leaf_requests: no such open request"):
        desk.answer(second)


@pytest.mark.parametrize("part", range(4))
def test_a_place_that_nobody_asked_about(desk, leaf_requests, honest, refused, part):
    desk.ask(honest)
    place = list(desk.place(honest))
    place[part] = place[part] + 1 if isinstance(place[part], int) else b"\7" * 32
    with refused("leaf_requests: no such open request"):
        leaf_requests.answer(*place, honest.leaf, honest.path)


def test_the_same_leaf_of_another_commit(desk, prove, true_chain, honest, refused):
    """Two devices of one provider may have signed one chain."""
    desk.ask(honest)
    with refused("leaf_requests: no such open request"):
        desk.answer(prove(true_chain, device=b"\7" * 32))


# --- a token that calls back ----------------------------------------------------------------


@pytest.fixture
def bond_token():
    return load_odd("plain_token", PURSE_OF_CALLER, 18)


@pytest.fixture
def hostile(desk, bond_token, court, ledger, genesis, prove, true_chain):
    """The same contract with bonds in a token that calls back, and a commit of the present."""
    contract = load("LeafRequests", bond_token, court, ledger, LEAF_BOND, LEAF_ANSWER_PERIOD, 24)
    court.set_role(role("REQUESTS"), contract)
    boa.env.time_travel(seconds=court.ROLE_CHANGE_DELAY())
    court.apply_role(role("REQUESTS"))
    bond_token.approve(contract, PURSE_OF_CALLER)
    epoch = contract.EPOCH_LENGTH()
    proof = prove(true_chain, epoch=(boa.env.evm.patch.timestamp - genesis) // epoch)
    return contract, proof


@pytest.mark.parametrize("entry", ["request_open", "answer", "execute", "take_back"])
def test_a_token_can_not_call_back(desk, bond_token, hostile, prove, true_chain, entry):
    """While a bond moves, no function of the contract can be entered, whichever moves it."""
    contract, proof = hostile
    other = prove(true_chain, i=0, j=0, epoch=proof.commit.epoch)
    calls = {
        "request_open": (contract.request_open, desk.terms(other)),
        "answer": (contract.answer, (*desk.place(proof), proof.leaf, proof.path)),
        "execute": (contract.execute, desk.sentence(proof)),
        "take_back": (contract.take_back, desk.place(proof)),
    }
    function, arguments = calls[entry]
    bond_token.arm(contract, function.prepare_calldata(*arguments))
    contract.request_open(*desk.terms(proof))
    assert (bond_token.attempts(), bond_token.entries()) == (1, 0)
    with boa.env.anchor():
        contract.answer(*desk.place(proof), proof.leaf, proof.path)
        assert (bond_token.attempts(), bond_token.entries()) == (2, 0)
    boa.env.time_travel(seconds=2 * LEAF_ANSWER_PERIOD)
    with boa.env.anchor():
        contract.take_back(*desk.place(proof))
        assert (bond_token.attempts(), bond_token.entries()) == (2, 0)
    contract.execute(*desk.sentence(proof))
    assert (bond_token.attempts(), bond_token.entries()) == (2, 0)
    assert bond_token.balanceOf(contract) == 0


def test_a_token_that_says_no(desk, bond_token, hostile, provider):
    contract, proof = hostile
    contract.request_open(*desk.terms(proof))
    bond_token.set_says_no(True)
    before = contract.requests(*desk.place(proof)), contract.open_requests(provider)
    with boa.reverts("leaf_requests: token refused to pay"):
        contract.answer(*desk.place(proof), proof.leaf, proof.path)
    assert (contract.requests(*desk.place(proof)), contract.open_requests(provider)) == before


def test_a_token_that_refuses_the_bond(desk, court, ledger, prove, true_chain, genesis, provider):
    token = load_odd("refusing_token", PURSE_OF_CALLER)
    contract = load("LeafRequests", token, court, ledger, LEAF_BOND, LEAF_ANSWER_PERIOD, 24)
    court.set_role(role("REQUESTS"), contract)
    boa.env.time_travel(seconds=court.ROLE_CHANGE_DELAY())
    court.apply_role(role("REQUESTS"))
    epoch = (boa.env.evm.patch.timestamp - genesis) // contract.EPOCH_LENGTH()
    token.set_refuses(True)
    with boa.reverts("leaf_requests: token refused the bond"):
        contract.request_open(*desk.terms(prove(true_chain, epoch=epoch)))
    assert contract.open_requests(provider) == 0


def test_the_leaf_of_the_smallest_tree(desk, leaf_requests, prove, reporter):
    """One leaf is the whole tree, and its path is empty."""
    proof = prove(Chain((b"\5" * 128,)), 0, 0, 0, m=1, n=128, rounds=1)
    assert proof.path == []
    leaf_requests.request_open(*desk.terms(proof), sender=reporter)
    leaf_requests.answer(*desk.place(proof), proof.leaf, [])
    assert desk.request(proof).stage == SHOWN


def test_rounds_are_told_apart(desk, prove, true_chain, refused):
    desk.ask(prove(true_chain, ROUND))
    with refused("leaf_requests: no such open request"):
        desk.answer(prove(true_chain, ROUND + 1))
