"""Offers over HTTP: published by providers, listed for customers."""

from collections.abc import Iterator
from typing import Any

import httpx
from pydantic import TypeAdapter

from oracle.adapters.asking import Answer, ask, read
from oracle.api.schemas import OfferBody, OfferQuery, OfferView
from oracle.domain.offers import SignedOffer
from oracle.domain.web_address import web_address

# seconds without a byte
TIMEOUT = 10.0

_ONE = TypeAdapter(OfferView)
_MANY = TypeAdapter(list[OfferView])


class OfferClient:
    """The offers at the oracle at `url`. Every failure is a `ClearworkError`: `Transient` where
    it is down or talks nonsense, else what its problem+json says. Signatures are not checked."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = web_address(url)
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, transport=transport)

    def publish(self, signed: SignedOffer) -> OfferView:
        """Hand in a signed offer."""
        body = OfferBody.of(signed).model_dump(mode="json")
        return self._ask(_ONE, "POST", json=body)

    def listed(self, query: OfferQuery) -> Iterator[OfferView]:
        """Offers that can be taken, the cheapest first, page by page."""
        while page := self._ask(
            _MANY, "GET", params=query.model_dump(mode="json", exclude_none=True)
        ):
            yield from page
            query = query.model_copy(update={"after": page[-1].id})

    def _ask(self, kind: TypeAdapter[Answer], method: str, **options: Any) -> Answer:
        return read(self.url, kind, ask(self._http, self.url, method, "/v1/offers", **options))
