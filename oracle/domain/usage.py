"""How much of what a provider reports an oracle believes. GPU-seconds, chain time, integers."""

from collections.abc import Iterable

BPS = 10_000


def covered_seconds(beats: Iterable[int], start: int, now: int, grace: int) -> int:
    """Seconds in [start, now] during which a device was heard of.

    `beats` are the chain times at which its heartbeats arrived, in any order. Each one
    vouches for the `grace` seconds after it, so a gap longer than that is not covered; the
    first beat after `start` vouches for nothing before it.
    """
    covered = 0
    reach = start
    # this is most of what an epoch takes: min and max would take three times as long
    for beat in sorted(beats):
        begin = beat if beat > reach else reach
        end = beat + grace
        if end > now:
            end = now
        if end > begin:
            covered += end - begin
            reach = end
    return covered


def believable(reported: int, gpus: int, elapsed: int, covered: int) -> int:
    """The cumulative GPU-seconds of a job that an oracle signs for.

    What the provider `reported`, but no more than its GPUs could do in the `elapsed` seconds
    since acceptance, and no more than the GPU-seconds `covered` by heartbeats.
    """
    return max(0, min(reported, gpus * elapsed, covered))


def misses_uptime(gpus: int, elapsed: int, covered: int, uptime_bps: int) -> bool:
    """Whether devices were there for less of the `elapsed` seconds than a service level promises.

    `covered`: GPU-seconds vouched for by heartbeats since acceptance, all devices together. Spare
    devices make up for others. `uptime_bps`: the promised share, 0 for none.
    """
    return min(covered, gpus * elapsed) * BPS < gpus * elapsed * uptime_bps
