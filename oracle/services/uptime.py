"""Uptime: for how much of a job's time this oracle heard of the devices that serve it."""

from collections.abc import Collection
from dataclasses import dataclass

from oracle.adapters.chain.market import Market
from oracle.adapters.store.store import Store
from oracle.domain.market import Job
from oracle.domain.receipts import FINAL
from oracle.domain.records import Reported
from oracle.domain.usage import covered_seconds, misses_uptime


@dataclass(frozen=True, slots=True)
class UsageRules:
    """When the committee steps in, and how long a heartbeat vouches. Seconds of chain time."""

    # a customer is silent when usage it could have co-signed is this old
    lag: int
    # how long after a heartbeat a device is taken to be alive
    grace: int
    # how long after acceptance the uptime of a job that goes on is judged for the first time
    uptime_after: int


class Uptime:
    """What heartbeats vouch for."""

    def __init__(self, store: Store, market: Market, rules: UsageRules) -> None:
        self._store = store
        self._market = market
        self._rules = rules

    def covered(
        self, job: Job, providers: Collection[int] | None = None, until: int | None = None
    ) -> int:
        """GPU-seconds from acceptance `until` a chain time, now if absent, for which heartbeats
        vouch, of the devices of some providers, by default of all behind the job's payee.
        """
        members = self._market.members(job.provider) if providers is None else providers
        devices = [
            device.device
            for provider in members
            for device in self._store.devices(provider)
            if self._attested(device.device, members, job)
        ]
        end = self._market.head.timestamp if until is None else until
        return sum(
            covered_seconds(times, job.accepted_at, end, self._rules.grace)
            # one that came just before the acceptance still vouches for what followed
            for times in self._store.beats(
                devices, since=job.accepted_at - self._rules.grace
            ).values()
        )

    def _attested(self, device: bytes, providers: Collection[int], job: Job) -> bool:
        """Whether a device was in the registry at some time of the job, and was not struck."""
        found = self._market.attestations().get(device)
        return (
            found is not None
            and found.provider in providers
            and found.attested_until > job.accepted_at
        )

    def is_missed(self, job: Job, reported: Reported | None) -> bool:
        """Whether a job is over or has been watched for long enough, and its devices were too
        often gone.

        `reported`: its newest sample, None for none.
        """
        if not job.sla:
            return False
        until = self._until(reported)
        elapsed = until - job.accepted_at
        if not self._is_over(reported) and elapsed < self._rules.uptime_after:
            return False
        covered = self.covered(job, until=until)
        return misses_uptime(job.gpus, elapsed, covered, self._promised(job))

    def _is_over(self, reported: Reported | None) -> bool:
        """Whether the provider says so."""
        return reported is not None and reported.status in FINAL

    def _until(self, reported: Reported | None) -> int:
        """Chain time up to which a job is judged: now, or when the word came that it is over."""
        if reported is not None and self._is_over(reported):
            return reported.arrived_at
        return self._market.head.timestamp

    def missed_by(self, job: Job, reported: Reported | None) -> int:
        """The members of a cluster whose own devices were too often gone: bit i for member i.

        What other members had to spare does not excuse them.
        """
        until = self._until(reported)
        elapsed = until - job.accepted_at
        return sum(
            1 << place
            for place, member in enumerate(self._market.cluster(job.provider))
            if misses_uptime(
                member.gpus,
                elapsed,
                self.covered(job, (member.provider,), until),
                self._promised(job),
            )
        )

    def _promised(self, job: Job) -> int:
        """Bps of the time that the job's service level promises; 0 for none."""
        return self._market.service_level(job.sla).uptime_bps if job.sla else 0
