"""How long a device that fails its challenges is left alone: provider and oracles count alike."""

from dataclasses import dataclass

MAX_REST = 8
# failures in a row that change nothing any more
MAX_FAILURES = MAX_REST.bit_length()


def rest_after(failures: int) -> int:
    """Epochs from the last of so many failures in a row to the next try: 1, 2, 4, then 8."""
    return min(1 << max(0, failures - 1), MAX_REST)


@dataclass(slots=True)
class Backoff:
    """A prover's own memory of how its challenges went."""

    failures: int = 0
    # next epoch to try
    resumes: int = 0
    _failed: int = -1
    _succeeded: int = -1

    def is_ready(self, epoch: int) -> bool:
        """Whether to answer in this epoch; one that has begun is answered at all oracles."""
        return epoch >= self.resumes or epoch == self._failed

    def failed(self, epoch: int, jitter: int = 0) -> None:
        """An oracle refused or missed this epoch's commit; counted once an epoch.

        One that another oracle accepted is no failure. `jitter` more epochs keep the devices of
        a provider that fail together from coming back together.
        """
        if epoch in (self._failed, self._succeeded):
            return
        self._failed = epoch
        self.failures += 1
        self.resumes = epoch + rest_after(self.failures) + jitter

    def succeeded(self, epoch: int) -> None:
        """An oracle accepted this epoch's commit."""
        self._succeeded = epoch
        self.failures = self.resumes = 0
