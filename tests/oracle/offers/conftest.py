"""Offers as a provider with two attested devices signs and posts them."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from oracle.api.schemas import OfferBody
from oracle.domain.messages import Offer
from oracle.domain.offers import SignedOffer
from tests.oracle.conftest import DAY, HOUR, PRICE, Live, Machine, Oracle, record

GPUS = 2
NONCE = 100

SignOffer = Callable[..., SignedOffer]


def body(signed: SignedOffer) -> dict[str, Any]:
    """As it is posted."""
    return OfferBody.of(signed).model_dump(mode="json")


def publish(oracle: Oracle, signed: SignedOffer, status: int = 200) -> Any:
    oracle.look()
    return oracle.post("/v1/offers", body(signed), status)


def listed(oracle: Oracle, **query: Any) -> list[dict[str, Any]]:
    oracle.look()
    answer = oracle.http.get("/v1/offers", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


@pytest.fixture
def provider(live: Live, machine: Machine) -> int:
    """A provider with two live devices of class 1."""
    live.enter_epoch(1)
    for name in (b"first", b"second"):
        record(replace(machine, uuid=name.decode()), 1)
    return machine.provider


@pytest.fixture
def oracle(live: Live, make_oracle: Callable[..., Oracle]) -> Oracle:
    """An oracle that runs dry: listing offers needs no key."""
    return make_oracle(None)


@pytest.fixture
def offer(live: Live, provider: int) -> Offer:
    """Two GPUs for an hour to a day, good for an hour."""
    return Offer(
        provider=provider,
        device_class=1,
        gpus=GPUS,
        sla=0,
        min_seconds=HOUR,
        max_seconds=DAY,
        expires_at=live.chain.timestamp() + HOUR,
        nonce=NONCE,
        asset=live.deployment.address("WorkToken"),
        price_per_gpu_hour=PRICE,
        terms=bytes(32),
    )


@pytest.fixture
def signed(live: Live, offer: Offer) -> SignOffer:
    """That offer with changes, signed by its operator key or by somebody else."""

    def _signed(key: LocalAccount = live.operator, **changes: Any) -> SignedOffer:
        changed = replace(offer, **changes)
        return SignedOffer(changed, key.address, live.sign(key, changed, "OfferBook"))

    return _signed


@pytest.fixture
def take(live: Live) -> Callable[..., None]:
    """Take GPUs of an offer, as the job registry does for a customer."""

    def _take(signed: SignedOffer, gpus: int = 1) -> None:
        live.send_as(
            "JobRegistry",
            "OfferBook",
            "take",
            live.customer.address,
            astuple(signed.offer),
            signed.signer,
            signed.signature,
            gpus,
            signed.offer.min_seconds,
        )

    return _take
