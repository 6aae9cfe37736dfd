"""EpochLedger.record_beacon: one piece of randomness per epoch, by whoever comes first."""

import boa
from eth_abi import encode
from sha3 import keccak_256

from .conftest import HOUR, ZERO_HASH


def test_first_caller_fixes_it(ledger, stranger):
    epoch = ledger.current_epoch()
    assert ledger.beacon(epoch) == ZERO_HASH
    prevrandao = b"\x5a" * 32
    boa.env.evm.patch.prevrandao = prevrandao
    returned = ledger.record_beacon(sender=stranger)
    (event,) = ledger.get_logs()
    assert (event.epoch, event.beacon) == (epoch, returned)
    assert ledger.beacon(epoch) == returned
    assert returned == keccak_256(encode(["bytes32", "uint64"], [prevrandao, epoch])).digest()


def test_second_call_in_the_epoch(ledger, stranger):
    beacon = ledger.record_beacon()
    epoch = ledger.current_epoch()
    with boa.reverts("epoch_ledger: beacon already recorded"):
        ledger.record_beacon(sender=stranger)
    assert ledger.beacon(epoch) == beacon


def test_each_epoch_has_its_own(ledger):
    first = ledger.record_beacon()
    epoch = ledger.current_epoch()
    boa.env.time_travel(seconds=HOUR)
    second = ledger.record_beacon()
    assert first != second
    assert (ledger.beacon(epoch), ledger.beacon(epoch + 1)) == (first, second)


def test_missed_epoch_has_none(ledger):
    epoch = ledger.current_epoch()
    boa.env.time_travel(seconds=3 * HOUR)
    ledger.record_beacon()
    assert [ledger.beacon(epoch + i) == ZERO_HASH for i in range(4)] == [True, True, True, False]
