"""The market as `ape run deploy` builds it, on whatever chain `ape test --network` names."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from oracle.domain.hashing import keccak
from oracle.domain.messages import Domain, Message, Report, Result
from scripts._anvil import test_key
from scripts._deployment import Progress
from scripts._market import build_market
from scripts._parameters import UNIT, Parameters
from scripts._project import ROOT

ORACLES = (1, 2, 3, 4)
THRESHOLD = 3
SELF_BOND = 1_000 * UNIT
CPU_CLASS = 1

Market = dict[str, ContractInstance]


@pytest.fixture(scope="session")
def parameters() -> Parameters:
    return Parameters.load(ROOT / "deployments" / "params" / "local.yaml", allow_test_keys=True)


@pytest.fixture(scope="session")
def deployer() -> AccountAPI:
    return ape.accounts.test_accounts[0]


@pytest.fixture(scope="session")
def provider_owner() -> AccountAPI:
    return ape.accounts.test_accounts[5]


@pytest.fixture(scope="session")
def operator() -> AccountAPI:
    return ape.accounts.test_accounts[6]


@pytest.fixture(scope="session")
def customer() -> AccountAPI:
    return ape.accounts.test_accounts[7]


@pytest.fixture(scope="session")
def stranger() -> AccountAPI:
    return ape.accounts.test_accounts[8]


@pytest.fixture(scope="session")
def market(parameters: Parameters, deployer: AccountAPI) -> Market:
    progress = Progress(None, ape.chain.blocks.head.timestamp)
    return build_market(parameters, deployer, progress, lambda line: None)


@pytest.fixture(scope="session")
def sign(market: Market) -> Callable[[LocalAccount, Message, str], bytes]:
    """The signature of a key over a message for a contract, as its owner's client makes it."""

    def _sign(key: LocalAccount, message: Message, contract: str) -> bytes:
        domain = Domain(ape.chain.provider.chain_id, str(market[contract].address))
        return bytes(key.unsafe_sign_hash(message.digest(domain)).signature)

    return _sign


@pytest.fixture(scope="session")
def committee_signs(market: Market, sign: Any) -> Callable[..., bytes]:
    """The committee's signatures over a report, ascending by signer."""

    def _sign(
        consumer: str, subject: bytes, epoch: int, payload: bytes, count: int = THRESHOLD
    ) -> bytes:
        config = bytes(market["OracleCommittee"].config_digest())
        report = Report(config, str(market[consumer].address), subject, epoch, payload)
        keys = sorted((test_key(i) for i in ORACLES), key=lambda key: int(key.address, 16))
        return b"".join(sign(key, report, "OracleCommittee") for key in keys[:count])

    return _sign


@pytest.fixture
def provider(
    market: Market, deployer: AccountAPI, provider_owner: AccountAPI, operator: AccountAPI
) -> int:
    """A provider with a self-bond."""
    token, staking = market["WorkToken"], market["ProviderStaking"]
    token.transfer(provider_owner, SELF_BOND, sender=deployer)
    token.approve(staking, SELF_BOND, sender=provider_owner)
    providers = market["ProviderRegistry"]
    providers.register(
        operator, provider_owner, 1_000, 500, 1_000, "ipfs://provider", sender=provider_owner
    )
    number: int = providers.provider_of_operator(operator)
    staking.stake(number, SELF_BOND, sender=provider_owner)
    return number


@pytest.fixture
def result(provider: int) -> Result:
    """What the oracles measured on the provider's device."""
    identity = keccak(b"a GPU's attestation key")
    return Result(
        provider=provider,
        device=keccak(identity + provider.to_bytes(32, "big")),
        identity=identity,
        device_class=CPU_CLASS,
        ops_per_second=2 * 10**9,
        memory_mb=1_024,
        elapsed_ms=900,
        commit=keccak(b"commit"),
        openings=keccak(b"openings"),
        evidence=bytes(32),
    )


@pytest.fixture
def device(
    market: Market, result: Result, committee_signs: Callable[..., bytes], stranger: AccountAPI
) -> bytes:
    """A live device of the provider, entered by somebody who has nothing to do with it."""
    signatures = committee_signs("DeviceRegistry", result.device, 1, result.struct_hash())
    market["DeviceRegistry"].record(astuple(result), 1, signatures, sender=stranger)
    return result.device


@pytest.fixture
def job(
    market: Market,
    provider: int,
    device: bytes,
    deployer: AccountAPI,
    customer: AccountAPI,
    operator: AccountAPI,
) -> int:
    """An accepted job: one GPU at 36 tokens an hour, a deposit of 10."""
    token, escrow = market["WorkToken"], market["JobEscrow"]
    token.transfer(customer, 10 * UNIT, sender=deployer)
    token.approve(escrow, 10 * UNIT, sender=customer)
    escrow.open_job(
        provider, token, 1, CPU_CLASS, 36 * UNIT, 10 * UNIT, 1, keccak(b"terms"), sender=customer
    )
    number: int = escrow.job_count()
    market["JobRegistry"].accept(number, sender=operator)
    return number
