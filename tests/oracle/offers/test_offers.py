"""Offers at an oracle: what it takes, what it refuses, what it lists."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import pytest

from oracle.api.schemas import OfferView
from oracle.domain.messages import Domain, Offer
from oracle.domain.offers import MAX_PRICE, SignedOffer
from oracle.services import offers as service
from tests.oracle.api.test_errors import refused
from tests.oracle.conftest import DAY, HOUR, PRICE, SELF_BOND, UNIT, Live, Oracle
from tests.oracle.offers.conftest import GPUS, NONCE, SignOffer, body, listed, publish

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PATH = "/v1/offers"


def post(oracle: Oracle, content: Any, status: int, title: str) -> dict[str, Any]:
    oracle.look()
    return refused(oracle, PATH, content, status, title)


def prices(views: list[dict[str, Any]]) -> list[int]:
    return [int(view["price_per_gpu_hour"]) for view in views]


def nonces(views: list[dict[str, Any]]) -> list[int]:
    return [view["nonce"] for view in views]


# --- published and listed -----------------------------------------------------------------------


def test_the_digest_is_the_contracts(live: Live, offer: Offer) -> None:
    digest = offer.digest(Domain(live.chain.chain_id, live.deployment.address("OfferBook")))
    assert live.read("OfferBook", "offer_digest", astuple(offer)) == digest


def test_a_published_offer_is_listed_as_it_was_signed(oracle: Oracle, signed: SignOffer) -> None:
    one = signed()
    view = publish(oracle, one)
    assert view == body(one) | {"id": view["id"], "available": GPUS}
    assert view["price_per_gpu_hour"] == str(PRICE)
    assert listed(oracle) == [view]


def test_what_is_listed_can_be_taken(
    oracle: Oracle, signed: SignOffer, take: Callable[..., None], live: Live
) -> None:
    publish(oracle, signed())
    (view,) = listed(oracle)
    take(OfferView.model_validate(view).signed(), GPUS)
    assert live.read("OfferBook", "taken", view["provider"], NONCE) == GPUS


def test_the_same_offer_twice_is_one(oracle: Oracle, signed: SignOffer) -> None:
    assert publish(oracle, signed()) == publish(oracle, signed())
    assert len(listed(oracle)) == 1


def test_owner_and_operator_may_sign(oracle: Oracle, signed: SignOffer, live: Live) -> None:
    publish(oracle, signed(live.provider_owner))
    publish(oracle, signed(nonce=NONCE + 1))
    assert nonces(listed(oracle)) == [NONCE, NONCE + 1]


def test_offers_survive_a_restart(
    oracle: Oracle, signed: SignOffer, make_oracle: Callable[..., Oracle]
) -> None:
    publish(oracle, signed())
    assert listed(make_oracle(None)) == listed(oracle)


def test_a_new_price_takes_the_place_of_the_old_one(oracle: Oracle, signed: SignOffer) -> None:
    old = signed()
    publish(oracle, old)
    publish(oracle, signed(price_per_gpu_hour=PRICE // 2))
    assert prices(listed(oracle)) == [PRICE // 2]
    # and nobody brings the old one back by sending it again
    publish(oracle, old)
    assert prices(listed(oracle)) == [PRICE // 2]


def test_a_contract_is_asked_by_erc_1271(
    oracle: Oracle, offer: Offer, live: Live, provider: int
) -> None:
    """One that is no wallet signs nothing; the contract's own tests have one that does."""
    token = live.deployment.address("WorkToken")
    live.send(live.provider_owner, "ProviderRegistry", "set_operator", provider, token)
    post(oracle, body(SignedOffer(offer, token, b"")), 401, "not signed by")


# --- only what can be taken -----------------------------------------------------------------------


def test_taken_gpus_are_gone(oracle: Oracle, signed: SignOffer, take: Callable[..., None]) -> None:
    one = signed()
    publish(oracle, one)
    take(one)
    assert [view["available"] for view in listed(oracle)] == [GPUS - 1]
    take(one)
    assert listed(oracle) == []
    post(oracle, body(one), 409, "nothing is left of nonce")


def test_busy_devices_are_not_for_sale(
    oracle: Oracle, signed: SignOffer, live: Live, provider: int
) -> None:
    publish(oracle, signed())
    for left in (1, 0):
        live.open_job(provider, UNIT)
        assert [view["available"] for view in listed(oracle)] == [left] * (left > 0)


# what the tests' service level locks for each GPU
COLLATERAL = 300 * UNIT


def slash(live: Live, provider: int, tokens: int) -> None:
    order = (tokens, live.customer.address, 0, live.customer.address, 0)
    live.send_as("SlashingCourt", "ProviderStaking", "slash", provider, order)


def test_stake_has_to_back_what_is_for_sale(
    oracle: Oracle, signed: SignOffer, live: Live, provider: int
) -> None:
    live.send(live.deployer, "ServiceBonds", "add_sla", COLLATERAL, 10_000, 9_000, 0)
    publish(oracle, signed())
    publish(oracle, signed(nonce=NONCE + 1, sla=1))
    needed = live.read("DeviceRegistry", "required_stake", provider)
    assert 0 < needed < COLLATERAL
    # the self-bond at first, and after slashes: to the collateral of two GPUs, of one, of none,
    # and to less than the devices need
    for left, both in [
        (SELF_BOND, [2, 2]),
        (2 * COLLATERAL, [2, 2]),
        (2 * COLLATERAL - 1, [2, 1]),
        (COLLATERAL - 1, [2]),
        (needed, [2]),
        (needed - 1, []),
    ]:
        excess = live.read("ProviderStaking", "slashable", provider) - left
        if excess:
            slash(live, provider, excess)
        assert [view["available"] for view in listed(oracle)] == both, left


def test_a_provider_that_owes_a_customer_sells_nothing(
    oracle: Oracle, signed: SignOffer, live: Live, provider: int
) -> None:
    live.send(live.deployer, "ServiceBonds", "add_sla", COLLATERAL, 10_000, 9_000, 0)
    publish(oracle, signed())
    job = live.open_job(provider, UNIT, sla=1)
    assert len(listed(oracle)) == 1
    slash(live, provider, live.read("ProviderStaking", "slashable", provider) - COLLATERAL // 2)
    obligation = (provider, 1, 1, 1)
    customer = live.customer.address
    live.send_as("JobRegistry", "ServiceBonds", "compensate", obligation, job, customer, False)
    assert live.read("ServiceBonds", "debt_of", provider) > 0
    live.send(live.deployer, "WorkToken", "transfer", live.provider_owner.address, SELF_BOND)
    live.send(live.provider_owner, "ProviderStaking", "stake", provider, SELF_BOND)
    assert listed(oracle) == []
    live.send(live.customer, "ServiceBonds", "collect_debt", provider, customer)
    assert len(listed(oracle)) == 1


def test_no_more_is_for_sale_than_is_attested(oracle: Oracle, signed: SignOffer) -> None:
    assert publish(oracle, signed(gpus=9))["available"] == 2


@pytest.mark.parametrize(
    ("method", "argument", "rest"),
    [
        ("revoke", [NONCE], [NONCE + 1, NONCE + 2]),
        ("revoke", [NONCE + 2, NONCE + 1], [NONCE]),
        ("revoke_below", NONCE + 2, [NONCE + 2]),
    ],
)
def test_revoked_offers_are_gone(
    oracle: Oracle,
    signed: SignOffer,
    live: Live,
    provider: int,
    method: str,
    argument: Any,
    rest: list[int],
) -> None:
    offers = [signed(nonce=NONCE + step) for step in range(3)]
    for one in offers:
        publish(oracle, one)
    live.send(live.operator, "OfferBook", method, provider, argument)
    assert nonces(listed(oracle)) == rest
    for one in offers:
        if one.offer.nonce not in rest:
            problem = post(oracle, body(one), 409, "nothing is left of nonce")
            assert "new nonce" in problem["detail"]


def test_an_offer_is_listed_until_it_expires(
    oracle: Oracle, signed: SignOffer, live: Live, offer: Offer
) -> None:
    publish(oracle, signed())
    live.mine(seconds=offer.expires_at - live.chain.timestamp() - 1)
    if live.chain.timestamp() < offer.expires_at:
        assert len(listed(oracle)) == 1
    live.mine(seconds=HOUR)
    assert listed(oracle) == []


def test_a_rotated_key_takes_its_offers_along(
    oracle: Oracle, signed: SignOffer, live: Live, provider: int
) -> None:
    publish(oracle, signed())
    publish(oracle, signed(live.provider_owner, nonce=NONCE + 1))
    successor = live.customer.address
    live.send(live.provider_owner, "ProviderRegistry", "set_operator", provider, successor)
    assert nonces(listed(oracle)) == [NONCE + 1]
    problem = post(oracle, body(signed()), 401, "does not speak for provider")
    assert successor in problem["detail"]


def test_expired_attestations_take_the_offers_along(
    oracle: Oracle, signed: SignOffer, live: Live, offer: Offer
) -> None:
    publish(oracle, signed(expires_at=offer.expires_at + 9 * DAY))
    live.mine(seconds=DAY + HOUR)
    # nobody has taken them out of the registry yet
    assert live.read("DeviceRegistry", "capacity", offer.provider, 1) == GPUS
    assert listed(oracle) == []
    late = signed(expires_at=offer.expires_at + 9 * DAY, nonce=NONCE + 1)
    problem = post(oracle, body(late), 409, "no attested device of class 1")
    assert "clearwork agent run" in problem["detail"]


# --- questions -----------------------------------------------------------------------------------


def test_the_cheapest_comes_first(oracle: Oracle, signed: SignOffer) -> None:
    wanted = [3, 2**70, 1, 255, 256, MAX_PRICE, 2, 2**64, 1]
    for nonce, price in enumerate(wanted):
        publish(oracle, signed(price_per_gpu_hour=price, nonce=nonce))
    views = listed(oracle)
    assert prices(views) == sorted(wanted)
    # equal prices in order of arrival
    assert nonces(views)[:2] == [2, 8]


def test_pages_hold_every_offer_once(
    oracle: Oracle, signed: SignOffer, monkeypatch: pytest.MonkeyPatch, live: Live, provider: int
) -> None:
    monkeypatch.setattr("oracle.api.app.OFFERS", 2)
    for nonce in range(7):
        publish(oracle, signed(nonce=nonce, price_per_gpu_hour=1 + nonce // 3))
    live.send(live.operator, "OfferBook", "revoke", provider, [1, 2])
    seen: list[dict[str, Any]] = []
    while page := listed(oracle, after=seen[-1]["id"] if seen else 0):
        seen += page
    assert nonces(seen) == [0, 3, 4, 5, 6]


def test_a_page_behind_nothing_is_explained(oracle: Oracle, provider: int) -> None:
    problem = oracle.get(f"{PATH}?after=99", status=404)
    assert "first page" in problem["detail"]


def test_filters(oracle: Oracle, signed: SignOffer, live: Live, provider: int) -> None:
    publish(oracle, signed(price_per_gpu_hour=5, gpus=1))
    publish(oracle, signed(price_per_gpu_hour=7, nonce=NONCE + 1))
    token = live.deployment.address("WorkToken")
    both = [5, 7]
    for query, expected in [
        ({"max_price": "4"}, []),
        ({"max_price": "5"}, [5]),
        ({"max_price": str(MAX_PRICE)}, both),
        ({"min_gpus": 2}, [7]),
        ({"min_gpus": 3}, []),
        ({"device_class": 1}, both),
        ({"device_class": 2}, []),
        ({"provider": provider}, both),
        ({"provider": provider + 1}, []),
        ({"asset": token}, both),
        ({"asset": token.lower(), "max_price": "6", "min_gpus": 1}, [5]),
        ({"asset": "0x" + "11" * 20}, []),
    ]:
        assert prices(listed(oracle, **query)) == expected, query


@pytest.mark.parametrize(
    "query",
    ["max_price=much", f"max_price={2**80}", "min_gpus=0", "provider=-1", "asset=0x12", "x=1"],
)
def test_malformed_questions_are_explained(oracle: Oracle, query: str) -> None:
    assert oracle.get(f"{PATH}?{query}", status=422)["detail"]


# --- what is refused -----------------------------------------------------------------------------


def test_an_unknown_provider(oracle: Oracle, signed: SignOffer) -> None:
    post(oracle, body(signed(provider=99)), 404, "no provider 99")


def test_another_signer(oracle: Oracle, signed: SignOffer, live: Live) -> None:
    problem = post(oracle, body(signed(live.customer)), 401, "does not speak for provider")
    assert live.operator.address in problem["detail"]
    forged = replace(signed(live.customer), signer=live.operator.address)
    problem = post(oracle, body(forged), 401, "not signed by")
    assert live.deployment.address("OfferBook") in problem["detail"]


def test_another_chain_or_book(oracle: Oracle, offer: Offer, live: Live) -> None:
    book = live.deployment.address("OfferBook")
    escrow = live.deployment.address("JobEscrow")
    for domain in (Domain(1, book), Domain(live.chain.chain_id, escrow)):
        signature = bytes(live.operator.unsafe_sign_hash(offer.digest(domain)).signature)
        foreign = SignedOffer(offer, live.operator.address, signature)
        problem = post(oracle, body(foreign), 401, "not signed by")
        assert "31337" in problem["detail"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("gpus", 1), ("price_per_gpu_hour", "1"), ("nonce", 7), ("terms", "0x" + "01" * 32)],
)
def test_changed_after_it_was_signed(
    oracle: Oracle, signed: SignOffer, field: str, value: Any
) -> None:
    post(oracle, body(signed()) | {field: value}, 401, "not signed by")


def test_malformed_signatures(oracle: Oracle, signed: SignOffer) -> None:
    one = signed()
    high_s = (ORDER - int.from_bytes(one.signature[32:64], "big")).to_bytes(32, "big")
    twin = one.signature[:32] + high_s + bytes([27 + 28 - one.signature[64]])
    for signature in (b"", one.signature[:64], one.signature + b"\0", twin, bytes(65)):
        post(oracle, body(replace(one, signature=signature)), 401, "not signed by")


def test_expired(oracle: Oracle, signed: SignOffer, live: Live) -> None:
    late = signed(expires_at=live.chain.timestamp())
    problem = post(oracle, body(late), 409, "the offer expired")
    assert "later expiry" in problem["detail"]


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"gpus": 0}, "no GPUs"),
        ({"price_per_gpu_hour": 0}, "a price of 0"),
        ({"min_seconds": 0, "max_seconds": 0}, "a run time of 0 to 0"),
        ({"min_seconds": 2, "max_seconds": 1}, "a run time of 2 to 1"),
        ({"sla": 1}, "no service level 1"),
        ({"asset": "0x" + "11" * 20}, "takes no deposits of"),
    ],
)
def test_what_nobody_could_take(
    oracle: Oracle, signed: SignOffer, changes: dict[str, Any], title: str
) -> None:
    post(oracle, body(signed(**changes)), 422, title)


def test_gpus_of_a_class_without_device(oracle: Oracle, signed: SignOffer) -> None:
    for device_class in (0, 2, 3, 2**16 - 1):
        post(oracle, body(signed(device_class=device_class)), 409, "no attested device")


@pytest.mark.parametrize(
    "change",
    [
        {"provider": 2**24},
        {"gpus": 2**16},
        {"min_seconds": 2**32},
        {"expires_at": 2**53},
        {"nonce": 2**53},
        {"price_per_gpu_hour": str(2**80)},
        {"price_per_gpu_hour": "-1"},
        {"price_per_gpu_hour": 1.5},
        {"asset": "0x12"},
        {"terms": "0x12"},
        {"signer": "me"},
        {"signature": "0x" + "00" * 1_025},
        {"more": 1},
    ],
)
def test_malformed_bodies(oracle: Oracle, signed: SignOffer, change: dict[str, Any]) -> None:
    post(oracle, body(signed()) | change, 422, "malformed")


@pytest.mark.parametrize("content", [{}, [], None, "offer", [{}]])
def test_what_is_no_offer(oracle: Oracle, content: Any) -> None:
    post(oracle, content, 422, "malformed")


def test_an_oversized_body(oracle: Oracle, signed: SignOffer) -> None:
    size = oracle.node.settings.max_body_bytes
    post(oracle, body(signed()) | {"signature": "0x" + "00" * size}, 413, "larger than")


# --- how many --------------------------------------------------------------------------------


def test_one_provider_fills_no_database(
    oracle: Oracle,
    signed: SignOffer,
    live: Live,
    provider: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "MAX_OFFERS", 3)
    for nonce in range(3):
        publish(oracle, signed(nonce=nonce))
    problem = post(oracle, body(signed(nonce=3)), 409, "has 3 offers here")
    assert "clearwork provider revoke" in problem["detail"]
    # what is stored stays welcome
    publish(oracle, signed(nonce=2))
    live.send(live.operator, "OfferBook", "revoke_below", provider, 2)
    publish(oracle, signed(nonce=3))
    assert oracle.node.store.counts().tables["offers"] == 2


def test_expired_offers_are_forgotten(
    oracle: Oracle, signed: SignOffer, live: Live, offer: Offer
) -> None:
    publish(oracle, signed())
    live.mine(seconds=2 * HOUR)
    publish(oracle, signed(nonce=NONCE + 1, expires_at=offer.expires_at + 3 * HOUR))
    assert oracle.node.store.counts().tables["offers"] == 1
