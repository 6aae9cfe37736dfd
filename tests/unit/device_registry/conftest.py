"""The registry with two staked providers and two classes, and results the committee signs."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount
from sha3 import keccak_256

from oracle.domain.messages import Result

DAY = 86_400
UNIT = 10**18
ATTESTATION_PERIOD = DAY
CLASS_DELAY = DAY

# the small class and the large one: floor, memory, stake per device
SMALL = (1_000, 8_000, 100 * UNIT)
LARGE = (9_000, 40_000, 300 * UNIT)
STAKE = 1_000 * UNIT


def role(name: str) -> bytes:
    return keccak_256(name.encode()).digest()


def identity_of(name: str) -> bytes:
    """Hash of a card's attestation key."""
    return keccak_256(name.encode()).digest()


def device_of(identity: bytes, provider: int) -> bytes:
    return keccak_256(identity + provider.to_bytes(32, "big")).digest()


@pytest.fixture
def classes(registry: Any) -> tuple[int, int]:
    """Numbers of the small and the large class."""
    return int(registry.add_class(*SMALL)), int(registry.add_class(*LARGE))


@pytest.fixture
def new_provider(providers: Any, staking: Any, token: Any) -> Callable[..., int]:
    """Register a provider and give it a self-bond."""

    def _new(owner: str, tokens: int = STAKE) -> int:
        nobody = "0x" + "00" * 20
        provider = int(providers.register(nobody, owner, 0, 0, 5_000, "", sender=owner))
        token.approve(staking, 2**256 - 1)
        staking.stake(provider, tokens)
        return provider

    return _new


@pytest.fixture
def provider(new_provider: Callable[..., int], provider_owner: LocalAccount) -> int:
    return new_provider(provider_owner.address)


@pytest.fixture
def rival(new_provider: Callable[..., int], watcher: LocalAccount) -> int:
    """Another provider."""
    return new_provider(watcher.address)


@pytest.fixture
def result(provider: int, classes: tuple[int, int]) -> Callable[..., Result]:
    """A result that satisfies the small class, unless told otherwise."""

    def _result(card: str = "card", **changes: Any) -> Result:
        base = Result(
            provider=provider,
            device=b"",
            identity=identity_of(card),
            device_class=classes[0],
            ops_per_second=1_234,
            memory_mb=8_192,
            elapsed_ms=250,
            commit=b"\x01" * 32,
            openings=b"\x02" * 32,
            evidence=b"\x03" * 32,
        )
        made = replace(base, **changes)
        return (
            made if made.device else replace(made, device=device_of(made.identity, made.provider))
        )

    return _result


@pytest.fixture
def record(registry: Any, committee_signs: Any):
    """Submit a result with the committee's signatures."""

    def _record(
        result: Result,
        epoch: int = 1,
        *,
        sender: str | None = None,
        signatures: bytes | None = None,
    ) -> None:
        if signatures is None:
            signatures = committee_signs(registry, result.device, epoch, result.struct_hash())
        registry.record(astuple(result), epoch, signatures, sender=sender or boa.env.eoa)

    return _record


@pytest.fixture
def state_of(registry: Any, classes: tuple[int, int]):
    """Everything about a result's device and provider that a revert must leave alone."""

    def _state(*results: Result) -> tuple[Any, ...]:
        return (
            registry.next_epoch(),
            registry.class_count(),
            [
                (
                    registry.device_info(r.device),
                    registry.attestation_epoch(r.device),
                    registry.device_of_identity(r.identity),
                    [registry.capacity(r.provider, c) for c in classes],
                    registry.required_stake(r.provider),
                )
                for r in results
            ],
        )

    return _state


def _holder_of(contract: Any, name: str) -> str:
    """Who holds a role; an account of the test's own where the market is not wired yet."""
    holder = str(contract.role_holder(role(name)))
    if int(holder, 16) == 0:
        holder = str(boa.env.generate_address(name.lower()))
        contract.set_role(role(name), holder)
    return holder


@pytest.fixture
def court_holder(registry: Any) -> str:
    """Holder of COURT on the registry."""
    return _holder_of(registry, "COURT")


@pytest.fixture
def slasher(staking: Any) -> str:
    """Holder of SLASHER on the staking contract."""
    return _holder_of(staking, "SLASHER")
