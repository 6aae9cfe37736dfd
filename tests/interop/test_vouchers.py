"""Vouchers signed by a customer's wallet, whatever library is in it."""

import pytest
from coincurve.utils import GROUP_ORDER_INT
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.domain.messages import Domain, Voucher
from oracle.domain.receipts import JobStatus
from tests.interop.conftest import (
    LIBRARIES,
    SECONDS,
    Wallets,
    refuse,
    settle,
    settled,
    voucher_data,
)
from tests.oracle.conftest import Live


@pytest.fixture
def job(live: Live, provider: int) -> int:
    return live.open_job(provider)


@pytest.mark.parametrize("library", LIBRARIES)
@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**40 - 1),
    st.integers(0, 255),
    st.integers(1, 2**53 - 1),
    st.binary(min_size=20, max_size=20),
)
@settings(deadline=None)
def test_hashes_agree(
    wallets: Wallets,
    library: str,
    job: int,
    seconds: int,
    status: int,
    chain_id: int,
    contract: bytes,
) -> None:
    escrow = "0x" + contract.hex()
    digest = Voucher(job, seconds, status).digest(Domain(chain_id, escrow))
    asked = voucher_data(chain_id, escrow, job, seconds, status)
    assert wallets.hash(library, asked) == digest


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_wallet_signs_what_settles(live: Live, wallets: Wallets, job: int, library: str) -> None:
    escrow = live.deployment.address("JobEscrow")
    asked = voucher_data(live.chain.chain_id, escrow, job)
    # EIP-5267: the contract names the domain that a wallet has to ask for
    assert live.read("JobEscrow", "eip712Domain")[1:5] == list(asked["domain"].values())
    signature = wallets.sign(library, live.customer.key, asked)
    # both draw the nonce as RFC 6979 says
    assert signature == live.sign(
        live.customer, Voucher(job, SECONDS, JobStatus.RUNNING), "JobEscrow"
    )
    settle(live, job, signature)
    assert settled(live, job) == SECONDS


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_voucher_for_elsewhere_is_refused(
    live: Live, wallets: Wallets, job: int, library: str
) -> None:
    chain_id, escrow = live.chain.chain_id, live.deployment.address("JobEscrow")
    ledger = live.deployment.address("EpochLedger")
    customer = live.customer
    for wrong, key, asked in [
        ("chain id", customer.key, voucher_data(1, escrow, job)),
        ("contract", customer.key, voucher_data(chain_id, ledger, job)),
        ("job", customer.key, voucher_data(chain_id, escrow, job + 1)),
        ("key", live.operator.key, voucher_data(chain_id, escrow, job)),
    ]:
        refuse(live, job, wallets.sign(library, key, asked), wrong)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_malleable_twin_is_refused(
    live: Live, wallets: Wallets, job: int, library: str
) -> None:
    escrow = live.deployment.address("JobEscrow")
    asked = voucher_data(live.chain.chain_id, escrow, job)
    signature = wallets.sign(library, live.customer.key, asked)
    s, v = int.from_bytes(signature[32:64], "big"), signature[64]
    twin = signature[:32] + (GROUP_ORDER_INT - s).to_bytes(32, "big") + bytes([27 + 28 - v])
    refuse(live, job, twin, "twin")
    settle(live, job, signature)
    assert settled(live, job) == SECONDS
