"""An offer book and one provider who signs offers; a plain account is the escrow."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from oracle.domain.messages import Domain, Offer
from tests.unit.conftest import HOUR, ROLE_DELAY, load, role, sign

GPUS = 8
NONCE = 41

Publish = Callable[..., Offer]
Take = Callable[..., None]


@pytest.fixture
def book(providers: Any, escrow_account: str) -> Any:
    """An offer book whose escrow is named."""
    book = load("OfferBook", providers, ROLE_DELAY)
    book.set_role(role("JOBS"), escrow_account)
    return book


@pytest.fixture(scope="session")
def escrow_account(watcher: LocalAccount) -> str:
    """Who may take offers here, in the escrow's place."""
    return str(watcher.address)


@pytest.fixture(scope="session")
def owner(provider_owner: LocalAccount) -> str:
    return str(provider_owner.address)


@pytest.fixture(scope="session")
def buyer(customer: LocalAccount) -> str:
    """The customer's address."""
    return str(customer.address)


@pytest.fixture
def provider(providers: Any, owner: str, operator: LocalAccount, payout: str) -> int:
    return int(providers.register(operator.address, payout, 0, 0, 0, "", sender=owner))


@pytest.fixture
def here(book: Any, domain_of: Callable[[Any], Domain]) -> Domain:
    """The domain that offers are signed for."""
    return domain_of(book)


@pytest.fixture
def offer(provider: int) -> Offer:
    """Eight GPUs for an hour to a day, good for an hour."""
    return Offer(
        provider=provider,
        device_class=3,
        gpus=GPUS,
        sla=2,
        min_seconds=HOUR,
        max_seconds=24 * HOUR,
        expires_at=boa.env.evm.patch.timestamp + HOUR,
        nonce=NONCE,
        asset="0x" + "a5" * 20,
        price_per_gpu_hour=2 * 10**18,
        terms=b"\x07" * 32,
    )


@pytest.fixture
def take(
    book: Any,
    offer: Offer,
    here: Domain,
    operator: LocalAccount,
    escrow_account: str,
    buyer: str,
) -> Take:
    """The escrow takes GPUs of an offer, by default one and all as it should be."""

    def _take(
        gpus: int = 1,
        *,
        of: Offer = offer,
        key: LocalAccount = operator,
        signer: str | None = None,
        signature: bytes | None = None,
        domain: Domain = here,
        seconds: int = HOUR,
        by: str = escrow_account,
        **changes: Any,
    ) -> None:
        of = replace(of, **changes)
        signature = sign(key, of, domain) if signature is None else signature
        book.take(buyer, astuple(of), signer or key.address, signature, gpus, seconds, sender=by)

    return _take


@pytest.fixture
def state(book: Any, provider: int) -> Callable[[], Any]:
    """Everything a call could change, as one comparable value."""

    def _state() -> Any:
        providers, nonces = (provider, provider + 1), range(NONCE - 2, NONCE + 3)
        return (
            [[book.taken(p, nonce) for nonce in nonces] for p in providers],
            [book.lowest_nonce(p) for p in providers],
            book.role_holder(role("JOBS")),
        )

    return _state


def logs(book: Any) -> list[tuple[str, tuple[Any, ...]]]:
    """Name and fields of each event of the book's last call."""
    # boa puts the emitter's address first
    return [(type(entry).__name__, tuple(entry)[1:]) for entry in book.get_logs()]
