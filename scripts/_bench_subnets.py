"""Gas of the emission side: a subnet of 65 places, a vote, 64 weights, an epoch's budget."""

from collections.abc import Iterator

from web3 import Web3

from oracle.domain.hashing import keccak
from oracle.domain.scores import CommittedRow, Row
from oracle.services.subnets import KINDS
from scripts._bench import CUSTOMER, OPERATOR, Bench, Measurement
from scripts._parameters import HOUR, UNIT

WEIGHTS = 64
# of places and of the subnet, all burnt
PURSE = 20_000 * UNIT
RULES = (WEIGHTS + 1, 3, 1, 2, 1, 2, 100 * UNIT)
CONSENSUS = (64, 32_767, 900_000, 65_535, 3, True, 45_875, 58_982, 1_000, 24, 1_800)


def emission(bench: Bench) -> Iterator[Measurement]:
    """Fill a subnet, judge all others in it, vote for it, press an epoch that it gets a share of.

    Everything is measured the second time, when its slots are in use.
    """
    registry, votes = bench["SubnetRegistry"].functions, bench["SubnetVotes"].functions
    token = bench["WorkToken"].functions
    bench.fund(CUSTOMER, PURSE)
    provider = bench.register(CUSTOMER, CUSTOMER)
    staking = bench["ProviderStaking"].functions
    bench.send(CUSTOMER, staking.stake(provider, 1_000 * UNIT))
    bench.send(CUSTOMER, token.approve(bench["SubnetRegistry"].address, 2**256 - 1))
    create = registry.create(KINDS.index("inference") + 1, RULES, CONSENSUS, PURSE)
    subnet = int(create.call({"from": bench.address(CUSTOMER)}))
    yield bench.measured("subnet_create", bench.send(CUSTOMER, create))
    for place in (provider, *(_provider(bench, number) for number in range(WEIGHTS))):
        entered = bench.send(CUSTOMER, registry.register(subnet, place, PURSE))
    yield bench.measured("subnet_register", entered)

    row = Row(tuple(range(1, WEIGHTS + 1)), tuple(range(1, WEIGHTS + 1)))
    for turn in range(2):
        committed = CommittedRow(subnet, provider, row, keccak(turn.to_bytes(1, "big")))
        commit = committed.commit(bench.chain_id, str(bench["SubnetRegistry"].address))
        sent = bench.send(CUSTOMER, registry.commit_weights(subnet, provider, commit))
        bench.pass_time(HOUR)
        reveal = registry.reveal_weights(subnet, provider, row.uids, row.weights, committed.salt)
        shown = bench.send(CUSTOMER, reveal)
        vote = bench.send(CUSTOMER, votes.vote(provider, [(0, 5_000), (subnet, 5_000)]))
        bench.send(OPERATOR, bench["EmissionsController"].functions.press(64))
        bench.pass_time(HOUR)
    yield bench.measured("weights_commit", sent)
    yield bench.measured("weights_reveal_64", shown)
    yield bench.measured("gauge_vote", vote)
    press = bench["EmissionsController"].functions.press(1)
    yield bench.measured("press", bench.send(OPERATOR, press))


def _provider(bench: Bench, number: int) -> int:
    """Another provider of the customer's, that holds a place and no stake."""
    operator = Web3.to_checksum_address(keccak(b"miner" + number.to_bytes(4, "big"))[12:])
    registry = bench["ProviderRegistry"].functions
    register = registry.register(operator, bench.address(CUSTOMER), 0, 0, 0, "")
    provider = int(register.call({"from": bench.address(CUSTOMER)}))
    bench.send(CUSTOMER, register)
    return provider
