"""Prometheus metrics, read from the node when they are asked for."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from oracle.api.node import Node


class _NodeCollector(Collector):
    def __init__(self, node: Node) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """One gauge per figure; each is cheap to read."""
        node = self._node
        head = node.market.head
        counts = node.store.counts()
        yield GaugeMetricFamily("clearwork_block", "newest block seen", head.number)
        yield GaugeMetricFamily(
            "clearwork_chain_time_seconds", "time of the newest block seen", head.timestamp
        )
        yield GaugeMetricFamily("clearwork_epoch", "epoch of the newest block seen", head.epoch)
        yield GaugeMetricFamily("clearwork_causes", "things wrong now", len(node.causes()))
        rows = GaugeMetricFamily("clearwork_rows", "rows in the database", labels=["table"])
        for table, count in counts.tables.items():
            rows.add_metric([table], count)
        yield rows
        submissions = GaugeMetricFamily(
            "clearwork_submissions", "transactions by state", labels=["state"]
        )
        for state, count in counts.submissions.items():
            submissions.add_metric([state], count)
        yield submissions


class Metrics:
    """The metrics of one node, in a registry of their own."""

    def __init__(self, node: Node) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_NodeCollector(node))

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)
