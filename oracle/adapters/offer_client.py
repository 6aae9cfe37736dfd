"""Offers over HTTP: published by providers, listed for customers."""

from collections.abc import Iterator
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from oracle.adapters.problem import error_of
from oracle.api.schemas import OfferBody, OfferQuery, OfferView
from oracle.domain.offers import SignedOffer
from oracle.errors import Transient

# seconds without a byte
TIMEOUT = 10.0

Answer = TypeVar("Answer")

_ONE = TypeAdapter(OfferView)
_MANY = TypeAdapter(list[OfferView])


class OfferClient:
    """The offers at the oracle at `url`. Every failure is a `ClearworkError`: `Transient` where
    it is down or talks nonsense, else what its problem+json says. Signatures are not checked."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
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
        try:
            answer = self._http.request(method, "/v1/offers", **options)
        except httpx.HTTPError as error:
            raise Transient(
                f"{self.url} does not answer: {error or type(error).__name__}",
                "Check the URL, or ask another oracle.",
            ) from error
        if answer.is_error:
            raise error_of(answer, self.url)
        try:
            return kind.validate_json(answer.content)
        except ValidationError as error:
            raise Transient(
                f"{self.url} answers outside the protocol: {error.error_count()} invalid fields",
                "Check that it runs the same version.",
            ) from error
