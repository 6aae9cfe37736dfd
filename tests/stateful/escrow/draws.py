"""What the rules of the escrow's machine draw, and the names of whom and what they draw."""

from hypothesis import strategies as st

from oracle.domain.receipts import FINAL, JobStatus
from tests.stateful.house import CLUSTER, DEVICES, LEVELS, SUBNETS
from tests.stateful.ledger_of_jobs import MAX_SETTLED
from tests.unit.conftest import HOUR, UNIT

WORK, ODD = 0, 1
# market n is number n - 1: asset and subnet
MARKETS = [(asset, subnet) for asset in (WORK, ODD) for subnet in SUBNETS]
PROVIDERS = (1, 2, 3)
PAYEES = (*PROVIDERS, CLUSTER)
MAX_PRICE = 2**80 - 1
TERMS = bytes(32)
# among the customers, after two with plain keys: the thief, and one that is a contract
STRANGER, WALLET = 2, 3

numbers = st.integers(0, 11)
people = st.integers(0, 3)
payees = st.sampled_from(PAYEES)
providers = st.sampled_from(PROVIDERS)
markets = st.integers(0, len(MARKETS) - 1)
assets = st.sampled_from([WORK, ODD])
levels = st.integers(0, len(LEVELS) - 1)
gpus = st.sampled_from([1, 1, 2, 3, 0, DEVICES + 1])
prices = st.one_of(st.sampled_from([1, 7, HOUR, 7_200, UNIT, MAX_PRICE]), st.integers(1, 10 * UNIT))
deposits = st.one_of(st.sampled_from([0, 1, 9_999, UNIT, 50 * UNIT]), st.integers(0, 100 * UNIT))
run_times = st.sampled_from([0, 1, 59, 60, HOUR, HOUR + 1])
# GPU-seconds of a report: from what is settled, from what the deposit covers, or outright
usages = st.one_of(
    st.tuples(st.just("more"), st.sampled_from([1, 7, HOUR, 100 * HOUR])),
    st.tuples(st.just("more"), st.integers(-1, 10 * HOUR)),
    st.tuples(st.just("all"), st.integers(-2, 2)),
    st.tuples(st.just("exactly"), st.sampled_from([0, 1, MAX_SETTLED])),
)
statuses = st.sampled_from([JobStatus.RUNNING] * 10 + sorted(FINAL) + [0, 1, 2, 10, 11, 255])
reports = st.tuples(numbers, usages, statuses)
# who sends a call: whoever may, or somebody else
senders = st.sampled_from(["right"] * 5 + ["customer", "thief", "other payee"])
