"""Ask a provider for a leaf that it signed: who may, about what, and what it costs."""

from dataclasses import replace

import boa
import pytest

from oracle.domain.messages import Domain
from tests.unit.conftest import HOUR, LEAF_ANSWER_PERIOD, LEAF_BOND, REQUEST_EPOCHS, role, sign
from tests.unit.leaf_requests.conftest import OPEN, PURSE, leaf_index
from tests.unit.slashing_court.conftest import ROUNDS, values

MAX_OPEN = 64


def test_pulls_the_bond_and_keeps_the_request(
    desk, leaf_requests, token, honest, provider, reporter
):
    assert leaf_requests.bond_of(provider) == LEAF_BOND
    desk.ask(honest)
    assert token.balanceOf(reporter) == PURSE - LEAF_BOND
    deadline = boa.env.evm.patch.timestamp + LEAF_ANSWER_PERIOD
    assert tuple(desk.request(honest)) == (reporter, provider, deadline, 2, 1, OPEN)
    assert leaf_requests.open_requests(provider) == 1


def test_logs_all_that_a_conviction_needs(desk, honest, provider, reporter):
    desk.ask(honest)
    log = desk.log
    assert (log.commit_digest, log.provider, log.requester) == (
        desk.digest(honest), provider, reporter,
    )  # fmt: skip
    assert tuple(log.commit) == values(honest.commit)
    assert (log.signature, log.roots) == (honest.signature, honest.roots)
    assert (log.round_index, log.index) == (honest.round_index, leaf_index(honest))
    assert (log.bond, log.deadline) == (LEAF_BOND, desk.request(honest).deadline)


def test_one_more_open_request_costs_one_bond_more(desk, leaf_requests, leaves, token, provider):
    for others, proof in enumerate(leaves()):
        assert leaf_requests.bond_of(provider) == (others + 1) * LEAF_BOND
        desk.ask(proof, max_bond=(others + 1) * LEAF_BOND)
        assert desk.log.bond == (others + 1) * LEAF_BOND
    desk.answer(leaves()[0])
    assert leaf_requests.bond_of(provider) == 12 * LEAF_BOND


def test_requests_to_others_cost_no_more(
    desk, leaf_requests, honest, prove, true_chain, other_provider, oracles
):
    desk.ask(honest)
    desk.ask(prove(true_chain, signer=oracles[1], provider=other_provider), max_bond=LEAF_BOND)


def test_a_flood_stops_at_the_bound(desk, leaf_requests, leaves, prove, true_chain, provider,
                                    refused):  # fmt: skip
    flood = [proof for device in range(6) for proof in leaves(device=bytes([device]) * 32)]
    for proof in flood[:MAX_OPEN]:
        desk.ask(proof)
    assert leaf_requests.MAX_OPEN() == leaf_requests.open_requests(provider) == MAX_OPEN
    with refused("leaf_requests: too many open requests"):
        desk.ask(flood[MAX_OPEN])
    desk.answer(flood[0])
    desk.ask(flood[MAX_OPEN])


def test_a_provider_that_asks_itself_burns_what_makes_others_pay_more(
    desk, token, leaves, payout, purse, rival
):
    """Eleven requests of its own, so that the twelfth costs twelve bonds."""
    supply = token.totalSupply()
    own = leaves()[:11]
    for proof in own:
        desk.ask(proof, rival)
    for proof in own:
        desk.answer(proof, rival)
    assert token.balanceOf(payout) == 11 * LEAF_BOND
    assert supply - token.totalSupply() == 11 * 10 // 2 * LEAF_BOND


def test_others_asked_meanwhile(desk, leaves, rival, refused):
    first, second, *_ = leaves()
    desk.ask(first, rival)
    with refused("leaf_requests: bond is more than the caller pays"):
        desk.ask(second, max_bond=2 * LEAF_BOND - 1)
    with refused("leaf_requests: bond is more than the caller pays"):
        desk.ask(second, max_bond=0)
    desk.ask(second, max_bond=2 * LEAF_BOND)


# --- once -----------------------------------------------------------------------------------


def test_a_leaf_is_asked_for_once(desk, honest, rival, refused):
    desk.ask(honest)
    for sender in (rival, None):
        with refused("leaf_requests: requested before"):
            desk.ask(honest, sender)


def test_not_again_after_an_answer(desk, honest, rival, refused):
    desk.ask(honest)
    desk.answer(honest)
    with refused("leaf_requests: requested before"):
        desk.ask(honest, rival)


def test_another_signature_makes_no_other_request(
    desk, providers, honest, provider, provider_owner, customer, registry_domain, refused
):  # fmt: skip
    """A provider that rotates its keys can sign one commit with each of them."""
    desk.ask(honest)
    providers.set_operator(provider, customer.address, sender=provider_owner.address)
    with refused("leaf_requests: requested before"):
        desk.ask(honest.but(signature=sign(customer, honest.commit, registry_domain)))


def test_every_leaf_of_every_round(desk, leaves):
    ids = {desk.ask(proof) for proof in leaves()}
    assert len(ids) == 12


# --- when -----------------------------------------------------------------------------------


def test_until_the_last_second_of_the_last_epoch(desk, honest, leaves, genesis, refused):
    end = genesis + (honest.commit.epoch + REQUEST_EPOCHS + 1) * HOUR
    boa.env.time_travel(seconds=end - 1 - boa.env.evm.patch.timestamp)
    desk.ask(honest)
    boa.env.time_travel(seconds=1)
    with refused("leaf_requests: commit is too old"):
        desk.ask(leaves()[0])


@pytest.mark.parametrize("epoch", [2, 2**64 - 1])
def test_no_commit_of_an_epoch_to_come(desk, prove, true_chain, refused, epoch):
    """Else whoever signs could choose a commit that never grows old."""
    with refused("leaf_requests: commit of an epoch to come"):
        desk.ask(prove(true_chain, epoch=epoch))


# --- of whom --------------------------------------------------------------------------------


def test_a_retired_key_still_answers_for_what_it_signed(
    desk, providers, honest, provider, provider_owner, stranger
):
    providers.set_operator(provider, stranger, sender=provider_owner.address)
    desk.ask(honest)


@pytest.mark.parametrize("state_of", ["jailed", "tombstoned", "penniless"])
def test_of_a_provider_that_was_punished(
    desk, court, staking, prove, proof, false_chain, honest, provider, operator, reporter,
    registry_domain, state_of,
):  # fmt: skip
    """It answers for its other commits all the same."""
    if state_of == "tombstoned":
        twins = [replace(proof.commit, final_seed=bytes([end]) * 32) for end in (1, 2)]
        signed = [
            part for twin in twins for part in (values(twin), sign(operator, twin, registry_domain))
        ]
        court.convict_equivocation(*signed, 0, sender=reporter)
    else:
        court.convict_attestation(proof.struct, 0, sender=reporter)
    if state_of == "penniless":
        with boa.env.prank(court.address):
            nobody = "0x" + "00" * 20
            staking.slash(provider, (staking.slashable(provider), nobody, 0, nobody, 0))
        assert staking.slashable(provider) == 0
    assert staking.is_jailed(provider)
    desk.ask(honest)


@pytest.mark.parametrize("signer", ["customer", "provider_owner"])
def test_not_signed_by_an_operator_key(desk, prove, true_chain, request, refused, signer):
    with refused("leaf_requests: not signed by the provider"):
        desk.ask(prove(true_chain, signer=request.getfixturevalue(signer)))


def test_signed_by_another_provider(desk, prove, true_chain, oracles, other_provider, refused):
    with refused("leaf_requests: not signed by the provider"):
        desk.ask(prove(true_chain, signer=oracles[1]))


def test_nobody_is_no_provider(desk, prove, true_chain, customer, refused):
    proof = prove(true_chain, signer=customer, provider=0)
    for signature in (proof.signature, bytes(65)):
        with refused("leaf_requests: not signed by the provider"):
            desk.ask(proof.but(signature=signature))


@pytest.mark.parametrize("length", [0, 64])
def test_a_signature_of_another_length(desk, honest, refused, length):
    with refused("leaf_requests: not signed by the provider"):
        desk.ask(honest.but(signature=honest.signature[:length]))


def test_a_commit_of_another_chain(desk, prove, true_chain, registry_domain, refused):
    elsewhere = Domain(registry_domain.chain_id + 1, registry_domain.verifying_contract)
    with refused("leaf_requests: not signed by the provider"):
        desk.ask(prove(true_chain, domain=elsewhere))


@pytest.mark.parametrize(
    "change",
    [{"epoch": 0}, {"m": 32}, {"n": 16}, {"k": 32}, {"rounds": 2}, {"seed": b"\7" * 32},
     {"final_seed": b"\7" * 32}, {"device": b"\7" * 32}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_field_of_the_commit_is_signed(desk, honest, refused, change):
    with refused("leaf_requests: not signed by the provider"):
        desk.ask(honest.but(commit=replace(honest.commit, **change)))


# --- for what -------------------------------------------------------------------------------


def test_roots_that_are_not_the_commits(desk, honest, refused):
    first, second, third = honest.roots
    for roots in ([second, first, third], [first, second, bytes(32)]):
        with refused("leaf_requests: roots of another commit"):
            desk.ask(honest.but(roots=roots))


def test_too_few_and_too_many_roots(desk, leaf_requests, honest, reporter, refused):
    commit, signature, roots, *rest = desk.terms(honest)
    for wrong in ([], roots[:-1], [*roots, bytes(32)]):
        with refused("leaf_requests: not one root per round"):
            leaf_requests.request_open(commit, signature, wrong, *rest, sender=reporter)


@pytest.mark.parametrize("round_index", [ROUNDS, 2**256 - 1])
def test_a_round_that_was_not_committed(
    desk, leaf_requests, honest, reporter, refused, round_index
):
    commit, signature, roots, _, *rest = desk.terms(honest)
    with refused("leaf_requests: no such round"):
        leaf_requests.request_open(commit, signature, roots, round_index, *rest, sender=reporter)


@pytest.mark.parametrize("index", [4, 2**32, 2**256 - 1])
def test_a_leaf_that_does_not_exist(desk, leaf_requests, honest, reporter, refused, index):
    *terms, _, max_bond = desk.terms(honest)
    with refused("leaf_requests: no such leaf"):
        leaf_requests.request_open(*terms, index, max_bond, sender=reporter)


@pytest.mark.parametrize(
    ("m", "n"), [(0, 32), (16, 0), (1, 64), (3, 128), (16, 33), (2**32 - 1, 2**32 - 1)]
)
def test_dimensions_that_make_no_tree(desk, prove, true_chain, refused, m, n):
    with refused("leaf_requests: dimensions make no tree"):
        desk.ask(prove(true_chain, m=m, n=n))


@pytest.mark.parametrize(("m", "n", "depth"), [(1, 128, 0), (1, 256, 1), (2**20, 2**19, 32)])
def test_the_smallest_and_the_largest_tree(
    desk, leaf_requests, prove, true_chain, reporter, refused, m, n, depth
):
    proof = prove(true_chain, m=m, n=n)
    *terms, _, max_bond = desk.terms(proof)
    last = 2**depth - 1
    with refused("leaf_requests: no such leaf"):
        leaf_requests.request_open(*terms, last + 1, max_bond, sender=reporter)
    leaf_requests.request_open(*terms, last, max_bond, sender=reporter)
    digest, round_index, _, root = desk.place(proof)
    assert leaf_requests.requests(digest, round_index, last, root).depth == depth


# --- what stops it --------------------------------------------------------------------------


def test_not_of_a_commit_that_was_convicted(desk, court, prove, proof, false_chain, refused):
    court.convict_attestation(proof.struct, 0)
    with refused("leaf_requests: commit convicted before"):
        desk.ask(prove(false_chain, i=0, j=0))


def test_not_where_the_court_does_not_listen(
    desk, court, prove, true_chain, genesis, stranger, refused
):
    court.set_role(role("REQUESTS"), stranger)
    boa.env.time_travel(seconds=court.ROLE_CHANGE_DELAY())
    epoch = (boa.env.evm.patch.timestamp - genesis) // HOUR
    desk.ask(prove(true_chain, epoch=epoch))
    court.apply_role(role("REQUESTS"))
    with refused("leaf_requests: court does not listen"):
        desk.ask(prove(true_chain, i=0, j=0, epoch=epoch))


def test_without_the_bond(desk, token, leaf_requests, honest, stranger, refused):
    token.approve(leaf_requests, LEAF_BOND, sender=stranger)
    with refused("erc20: transfer amount exceeds balance"):
        desk.ask(honest, stranger)
    token.transfer(stranger, LEAF_BOND)
    token.approve(leaf_requests, LEAF_BOND - 1, sender=stranger)
    with refused("erc20: insufficient allowance"):
        desk.ask(honest, stranger)
