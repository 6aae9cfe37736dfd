"""Facts at the newest block, where the chain has moved on meanwhile."""

from collections.abc import Sequence
from typing import Any

import pytest

from oracle.adapters.chain.client import Chain
from oracle.adapters.chain.market import Market
from tests.oracle.conftest import Live


def test_a_beacon_of_the_very_next_block_has_its_own_time(live: Live) -> None:
    """Otherwise the clock of its challenges would run from the epoch's first second."""
    live.enter_epoch(1)
    live.mine(seconds=10)
    market = Market(live.chain)
    live.send(live.deployer, "EpochLedger", "record_beacon")
    assert market.beacon(1) is not None
    assert market.start_of(1) < market.beacon_time(1) == live.chain.timestamp()


@pytest.fixture
def requests(live: Live, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Calls in each request that reads, as they are sent."""
    sent: list[int] = []
    read, read_all = Chain.read, Chain.read_all

    def one(chain: Chain, *call: Any, **options: Any) -> Any:
        sent.append(1)
        return read(chain, *call, **options)

    def many(chain: Chain, calls: Sequence[Any], block: Any) -> Any:
        sent.append(len(calls))
        return read_all(chain, calls, block)

    monkeypatch.setattr(Chain, "read", one)
    monkeypatch.setattr(Chain, "read_all", many)
    return sent


def test_what_was_asked_at_the_last_head_is_read_together(live: Live, requests: list[int]) -> None:
    live.enter_epoch(1)
    market = Market(live.chain)

    def ask() -> list[int]:
        requests.clear()
        live.mine()
        market.follow()
        assert market.committee() == market.committee()
        assert market.beacon(1) is None
        return list(requests)

    assert ask() == [1, 1, 1, 1]
    assert ask() == [4]
    # a new answer is seen
    live.send(live.deployer, "EpochLedger", "record_beacon")
    market.follow()
    assert market.beacon(1) is not None
    # what nobody asks for any more is forgotten
    requests.clear()
    for _ in range(2):
        live.mine()
        market.follow()
    market.job_count()
    assert requests == [1]


def test_one_that_has_no_answer_any_more_spoils_nothing(live: Live, requests: list[int]) -> None:
    market = Market(live.chain)
    provider = live.register_provider()
    live.mine()
    market.follow()
    assert market.job_count() == 0
    market.provider(provider)
    # as after a reorganisation that has lost it
    market._asked["EmissionsController", "cumulative_budget", 10**6] = None
    live.mine()
    market.follow()
    requests.clear()
    assert market.job_count() == 0
    assert requests[0] > 1
    assert requests[1:] == [1]
