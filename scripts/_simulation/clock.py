"""A virtual clock: events in order of time, then of planning. Nothing here waits."""

import heapq
from collections.abc import Callable
from itertools import count

MILLISECOND, SECOND, HOUR = 10**6, 10**9, 3_600 * 10**9


class Agenda:
    """What happens when; times are nanoseconds since the start of epoch 0."""

    def __init__(self) -> None:
        self.now = 0
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, time: int, act: Callable[[], None]) -> None:
        """Plan something; what is planned for the past happens now."""
        heapq.heappush(self._planned, (max(time, self.now), next(self._order), act))

    def run(self, until: int) -> None:
        """Let everything before `until` happen."""
        while self._planned and self._planned[0][0] < until:
            self.now, _, act = heapq.heappop(self._planned)
            act()
        self.now = until
