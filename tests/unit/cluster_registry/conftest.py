"""The market of tests/unit/market.py with three more providers, who work together."""

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from oracle.domain.receipts import JobStatus
from tests.unit.conftest import UNIT
from tests.unit.market import *  # noqa: F403 - fixtures
from tests.unit.market import _wired  # noqa: F401 - a fixture

FIRST_CLUSTER = 2**23
# GPUs of each member
GPUS = (2, 1, 5)
TOTAL = sum(GPUS)
# place of the member that speaks for all
LEAD = 1
MOST_COLLATERAL = 60 * UNIT


@pytest.fixture(scope="session")
def speakers() -> tuple[str, ...]:
    """The owner of each member; none has an operator key."""
    return tuple(str(boa.env.generate_address(f"member {i}")) for i in range(len(GPUS)))


@pytest.fixture(scope="session")
def payouts() -> tuple[str, ...]:
    """Where each member is paid."""
    return tuple(str(boa.env.generate_address(f"payout {i}")) for i in range(len(GPUS)))


@pytest.fixture(scope="session")
def lead(speakers: tuple[str, ...]) -> str:
    return speakers[LEAD]


@pytest.fixture(scope="module")
def members(
    register: Callable[..., int], speakers: tuple[str, ...], payouts: tuple[str, ...]
) -> tuple[int, ...]:
    """Three providers, each with the devices it brings."""
    nobody = "0x" + "00" * 20
    return tuple(
        register(speaker, nobody, payout, devices=gpus)
        for speaker, payout, gpus in zip(speakers, payouts, GPUS, strict=True)
    )


@pytest.fixture
def form(
    clusters: Any, members: tuple[int, ...], device_class: int, lead: str
) -> Callable[..., int]:
    """Form a cluster; by default what the three would form."""

    def _form(
        who: Any = None,
        *,
        at: int = LEAD,
        by: str = lead,
        of_class: int = device_class,
        most: int = MOST_COLLATERAL,
    ) -> int:
        who = list(zip(members, GPUS, strict=True)) if who is None else who
        return int(clusters.form(who, of_class, most, at, sender=by))

    return _form


@pytest.fixture
def cluster(clusters: Any, form: Callable[..., int], speakers: tuple[str, ...]) -> int:
    """Formed, and all have joined."""
    cluster = form()
    for index, speaker in enumerate(speakers):
        if index != LEAD:
            clusters.join(cluster, index, sender=speaker)
    return cluster


@pytest.fixture
def cluster_job(
    jobs: Any, open_job: Callable[..., int], cluster: int, lead: str
) -> Callable[..., int]:
    """A job of the customer that the cluster has accepted."""

    def _cluster_job(**changes: Any) -> int:
        job = open_job(**{"gpus": TOTAL, "of": cluster} | changes)
        jobs.accept(job, sender=lead)
        return job

    return _cluster_job


@pytest.fixture
def earn(
    jobs: Any,
    cluster_job: Callable[..., int],
    settle_batch: Callable[..., None],
    next_window: Callable[[], None],
) -> Callable[..., int]:
    """The cluster earns so many GPU-seconds, and they can be withdrawn; returns the job."""

    def _earn(gpu_seconds: int, **changes: Any) -> int:
        # a job for each, ended so that its devices are free for the next
        job = cluster_job(**{"deposit": 2 * gpu_seconds, "level": 0} | changes)
        settle_batch((job, gpu_seconds, JobStatus.COMPLETED))
        jobs.close(job)
        next_window()
        next_window()
        return job

    return _earn


@pytest.fixture
def operator_of(providers: Any, watcher: LocalAccount) -> Callable[[int, str], str]:
    """Give a member an operator key."""

    def _operator_of(provider: int, owner: str) -> str:
        providers.set_operator(provider, watcher.address, sender=owner)
        return str(watcher.address)

    return _operator_of


@pytest.fixture
def state(
    clusters: Any, token: Any, payouts: tuple[str, ...], members: tuple[int, ...], staking: Any
) -> Callable[[], Any]:
    """Everything a call could change, as one comparable value."""

    def _state() -> Any:
        numbers = range(FIRST_CLUSTER, FIRST_CLUSTER + min(clusters.cluster_count(), 9))
        return (
            clusters.cluster_count(),
            [
                (
                    clusters.members_of(each),
                    clusters.cluster_info(each),
                    clusters.total_gpus(each),
                    clusters.shared(each, token),
                    [clusters.drawn(each, token, i) for i in range(len(GPUS))],
                )
                for each in numbers
            ],
            [token.balanceOf(account) for account in (*payouts, clusters)],
            [staking.self_bond(member) for member in members],
        )

    return _state
