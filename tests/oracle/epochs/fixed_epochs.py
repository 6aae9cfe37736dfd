"""Two epochs whose reports never change, one on top of the other: all that a report can hold.

`python tests/oracle/epochs/fixed_epochs.py [SEED]` prints what the committee would sign of them,
the snapshots in an order that SEED draws. It needs no more than the domain does, so that any Python
can run it. What it prints is in tests/data/epochs.json.
"""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from random import Random
from typing import Any

from oracle.domain.epochs import EpochInput, EpochRules, LiveDevice, close
from oracle.domain.hashing import keccak
from oracle.domain.leaves import EpochLeaves, decode
from oracle.domain.receipts import AgreedReceipt, Receipt
from oracle.domain.subnets import Place, SubnetInput, Terms

HOUR = 3_600
UNIT = 10**18
FIRST = 1_000
PROVIDERS = 24
PLACES = 10
BUDGET = 3_597_123_456_789_012_345_678
RULES = EpochRules(oracle_share_bps=1_000, submission_bounty=10**16)
# Yuma 2, Yuma 3, and Yuma 3 with liquid alpha
KINDS = ((2, False), (3, False), (3, True))


def drawn(*what: object) -> int:
    """A number below 2^64 that only depends on what it is for."""
    return int.from_bytes(keccak(repr(what).encode())[:8], "big")


def account(number: int) -> str:
    return "0x" + keccak(b"account %d" % number)[-20:].hex()


def epoch(number: int, below: EpochLeaves | None, order: Callable[[Iterable[Any]], Any]) -> Any:
    """The snapshot of an epoch. `below`: of the report before."""
    carried = {record.subnet: record.memory for record in below.subnets} if below else {}
    subnets = [_subnet(number, subnet, carried.get(subnet)) for subnet in (1, 2, 3)]
    devices = [
        LiveDevice(
            keccak(b"device %d" % i),
            1 + i % PROVIDERS,
            drawn("speed", number, i) >> 14,
            i % 17 == 5,
        )
        for i in range(60)
    ]
    receipts = [
        AgreedReceipt(Receipt(job, drawn("seconds", number, job) >> 40, 3 + job % 3), 1 + job % 7)
        for job in range(100 * number, 100 * number + 40)
    ]
    usage = {who: drawn("usage", who) >> 40 for who in range(1, PROVIDERS)}
    signatures = {account(member): drawn("signed", number, member) % 4 for member in range(7)}
    earned = {who: drawn("credits", number, who) for who in range(1, 6)}
    for who, amount in below.owed_credits if below else ():
        earned[who] = earned.get(who, 0) + amount
    return EpochInput(
        chain_id=31_337,
        distributor="0x" + "d1" * 20,
        ledger="0x" + "1e" * 20,
        registry="0x" + "5e" * 20,
        from_epoch=number,
        to_epoch=number,
        budget=BUDGET,
        rules=RULES,
        previous=order(below.rewards if below else ()),
        devices=order(devices),
        usage=dict(order(usage.items())),
        receipts=order(receipts),
        signatures=dict(order(signatures.items())),
        submitter=account(3),
        subnets=order(subnets),
        credits=dict(order(earned.items())),
        # more than the market at large has in the second epoch: what it can't pay is carried on
        credits_worth=BUDGET // 9 if below is None else BUDGET,
        start_of_next=(number + 1) * HOUR,
        epoch_length=HOUR,
    )


def _subnet(number: int, subnet: int, memory: Any) -> SubnetInput:
    yuma, liquid = KINDS[subnet - 1]
    terms = Terms(
        immunity_epochs=3,
        min_stake=1_000 * UNIT,
        max_validators=3,
        kappa=32_767,
        bonds_moving_average=900_000,
        bonds_penalty=65_535,
        yuma=yuma,
        liquid_alpha=liquid,
        alpha_low=45_875,
        alpha_high=58_982,
        alpha_steepness=1_000,
        activity_cutoff=24,
        owner_cut_bps=1_800,
    )
    places = [
        Place(
            provider=1 + (subnet + 3 * uid) % PROVIDERS,
            owner=account(50 + uid),
            registered_at=FIRST * HOUR - 50_000 + 3_600 * uid,
            registered_epoch=FIRST - 14 + uid,
            stake=(1_000 + drawn("stake", subnet, uid) % 9_000) * UNIT + drawn("dust", uid),
            weights_at=number * HOUR - 60,
            weights=[
                (to, 1 + drawn("weight", number, subnet, uid, to) % 65_535)
                for to in range(4, PLACES)
                if to != uid
            ],
            jailed=uid == 8,
        )
        for uid in range(PLACES)
    ]
    # who owns a miner too
    owner = account(53 + subnet)
    return SubnetInput(subnet, subnet * BUDGET // 10, owner, terms, places, memory)


def reports(seed: int | None = None) -> list[dict[str, Any]]:
    """The fields of both reports, hashes as hex; snapshots in an order drawn from `seed`."""
    random = Random(seed)

    def order(items: Iterable[Any]) -> list[Any]:
        given = list(items)
        return given if seed is None else random.sample(given, len(given))

    found = []
    below: EpochLeaves | None = None
    head = bytes(32)
    for number in (FIRST, FIRST + 1):
        leaves = close(epoch(number, below, order))
        report = leaves.report(head, rules_version=1)
        found.append(
            {
                name: "0x" + value.hex() if isinstance(value, bytes) else value
                for name, value in asdict(report).items()
            }
        )
        # the next one reads what this one published
        below, head = decode(leaves.file), report.struct_hash()
    return found


if __name__ == "__main__":
    print(json.dumps(reports(*map(int, sys.argv[1:])), indent=2))
