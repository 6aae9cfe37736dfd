"""Rows of (uid, u16), as weights and bonds are stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oracle.errors import BadInput

# uids and values are u16
UIDS = 2**16


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One row of entries per uid: row i is `uids[starts[i]:starts[i + 1]]` with its `values`.

    Entries of a row ascend by uid: rows that say the same are the same. An entry of value 0 is
    not the same as none. Build it with `of` or `from_entries`.
    """

    starts: NDArray[np.int64]
    uids: NDArray[np.uint16]
    values: NDArray[np.uint16]

    @classmethod
    def of(cls, rows: Sequence[Iterable[Sequence[int]]]) -> Self:
        """From lists of pairs in any order. Raises `BadInput` for a uid twice in a row."""
        lists = [list(row) for row in rows]
        row = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        pairs = np.array([pair for each in lists for pair in each], np.int64).reshape(-1, 2)
        return cls.from_entries(len(lists), row, pairs[:, 0], pairs[:, 1])

    @classmethod
    def from_entries(
        cls,
        n: int,
        row: NDArray[np.integer[Any]],
        uids: NDArray[np.integer[Any]],
        values: NDArray[np.integer[Any]],
    ) -> Self:
        """From three columns of one length, in any order. Raises `BadInput` for bad entries."""
        row, uids, values = (np.asarray(column, np.int64) for column in (row, uids, values))
        for name, column, end in (("row", row, n), ("uid", uids, n), ("value", values, UIDS)):
            if column.min(initial=0) < 0 or column.max(initial=-1) >= end:
                raise BadInput(f"an entry has a {name} outside 0..{end - 1}", "leave it out")
        keys = row * UIDS + uids
        if not (np.diff(keys) > 0).all():
            order = np.argsort(keys, kind="stable")
            keys, row, uids, values = keys[order], row[order], uids[order], values[order]
            twice = np.flatnonzero(np.diff(keys) == 0)
            if twice.size:
                at = twice[0]
                raise BadInput(
                    f"row {row[at]} has uid {uids[at]} twice", "give one value for each uid"
                )
        starts = np.searchsorted(row, np.arange(n + 1))
        return cls(starts.astype(np.int64), uids.astype(np.uint16), values.astype(np.uint16))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[list[list[int]]]:
        """Each row as a list of [uid, value]."""
        pairs = np.stack((self.uids, self.values), axis=1).tolist()
        bounds = self.starts.tolist()
        return (pairs[bounds[i] : bounds[i + 1]] for i in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Entries of each row."""
        return np.diff(self.starts)

    @property
    def row(self) -> NDArray[np.int64]:
        """The row of each entry."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def sums(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sum of each row, of other values at the same entries."""
        running = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
        result: NDArray[np.int64] = running[self.starts[1:]] - running[self.starts[:-1]]
        return result
