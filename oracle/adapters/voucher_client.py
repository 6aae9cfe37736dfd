"""Vouchers over HTTP: what a provider's agent asks its customer to sign, and takes."""

import httpx
from pydantic import TypeAdapter

from oracle.adapters.asking import ask, read
from oracle.api.schemas import JobUsageView, VoucherBody
from oracle.domain.vouchers import SignedVoucher
from oracle.domain.web_address import web_address

# seconds without a byte
TIMEOUT = 10.0
# the same for a voucher: one that ends its job is answered when it is settled
SETTLING_TIMEOUT = 30.0

_USAGE = TypeAdapter(JobUsageView)


class VoucherClient:
    """The agent at `url`. Every failure is a `ClearworkError`: `Transient` where it is down or
    talks nonsense, else what its problem+json says. What it claims is not checked."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = web_address(url)
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, transport=transport)

    def usage(self, job: int) -> JobUsageView:
        """What the agent last signed of a job."""
        return read(self.url, _USAGE, ask(self._http, self.url, "GET", f"/v1/jobs/{job}"))

    def hand_in(self, signed: SignedVoucher) -> None:
        """Give a customer's voucher to the agent."""
        voucher = signed.voucher
        body = VoucherBody(
            cumulative_gpu_seconds=voucher.cumulative_gpu_seconds,
            status=voucher.status,
            signature=signed.signature,
        )
        ask(
            self._http,
            self.url,
            "POST",
            f"/v1/jobs/{voucher.job}/vouchers",
            json=body.model_dump(mode="json"),
            timeout=SETTLING_TIMEOUT,
        )
