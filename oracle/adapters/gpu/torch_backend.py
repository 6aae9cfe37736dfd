"""The chain on PyTorch: any device with an exact int8 product, and its hashing beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from oracle.adapters.gpu.numpy_backend import K_BLOCK, factor_keys, key_words, replay_lanes
from oracle.adapters.gpu.torch_hashing import CpuHashing, Hashing, TritonHashing
from oracle.domain.attestation import LEAF_BYTES, FoldedTree, Matrix, Tree, WalkDims
from oracle.domain.keccak_lanes import Words
from oracle.errors import Misconfigured

Multiply = Callable[[Tensor, Tensor], Tensor]

# `torch._int_mm` on CUDA wants more than 16 rows and multiples of 8
CUDA_ROWS = 32
CUDA_MULTIPLE = 8
# bytes of B that one product reads: what a library copies of it stays small beside B
B_BLOCK_BYTES = 1 << 28


class TorchBackend:
    """One device of PyTorch. The name is `torch` for the processor, else `torch:DEVICE`.

    Which product a device gets is tried out on the largest magnitudes when it is opened:
    `torch._int_mm`, or float32 in blocks that stay exact. Raises `Misconfigured` where the
    device is absent or neither one is exact.
    """

    def __init__(self, device: str = "cpu", hashing: Hashing | None = None) -> None:
        self.name = "torch" if device == "cpu" else f"torch:{device}"
        try:
            self.device = torch.empty(0, device=device).device
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            raise Misconfigured(
                f"torch has no device {device!r}: {reason}",
                "install the build of torch for this machine's GPU and its driver",
            ) from error
        self.hashing = hashing or _hashing_on(self.device)
        self._multiply = _exact_product(self.device)

    def factor(self, seed: bytes, matrix: Matrix, rows: int, length: int) -> Tensor:
        """See `Backend.factor`."""
        return self._generate(factor_keys(seed, matrix, rows), matrix, length)

    def rows(self, keys: Sequence[bytes], matrix: Matrix, length: int) -> Tensor:
        """See `Backend.rows`."""
        return self._generate(key_words(keys), matrix, length)

    def _generate(self, keys: Words, matrix: Matrix, length: int) -> Tensor:
        out = self._words(len(keys), length // 8)
        on_device = torch.from_numpy(keys.view("int64")).to(self.device)
        self.hashing.generate(on_device, matrix is Matrix.B, out)
        return out.view(torch.int8)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """See `Backend.matmul`."""
        block = max(CUDA_MULTIPLE, B_BLOCK_BYTES // b.shape[1])
        if len(b) <= block:
            return self._multiply(a, b)
        out = torch.empty((len(a), len(b)), dtype=torch.int32, device=self.device)
        for j in range(0, len(b), block):
            out[:, j : j + block] = self._multiply(a, b[j : j + block])
        return out

    def fold_commit(self, product: Tensor) -> Tree:
        """See `Backend.fold_commit`."""
        folded = torch.empty(product.numel(), dtype=torch.uint8, device=self.device)
        self.hashing.fold(product.contiguous(), folded)
        return self._tree(folded)

    def _tree(self, folded: Tensor) -> Tree:
        """The tree over leaves of 128 of these bytes."""
        level = folded.view(torch.int64).view(-1, LEAF_BYTES // 8)
        levels = []
        while True:
            digests = self._words(len(level), 4)
            self.hashing.hash_rows(level, digests)
            levels.append(digests)
            if len(digests) == 1:
                break
            level = digests.view(-1, 8)
        if self.device.type == "cpu":
            return FoldedTree(_bytes(folded), [_bytes(level) for level in levels])
        return DeviceTree(folded, levels)

    def fold_pairs(self, a: Tensor, b: Tensor) -> bytes:
        """See `Backend.fold_pairs`."""
        products = torch.empty(len(a), dtype=torch.int32, device=self.device)
        for row, (x, y) in enumerate(zip(a, b, strict=True)):
            products[row] = (x.to(torch.int32) * y).sum(dtype=torch.int32)
        folded = torch.empty(len(a), dtype=torch.uint8, device=self.device)
        self.hashing.fold(products, folded)
        return bytes(_bytes(folded.cpu()))

    def table(self, key: bytes, dims: WalkDims) -> "TorchTable":
        """See `Backend.table`."""
        entries = self._words(dims.entries, 4)
        words = torch.from_numpy(key_words([key]).view("int64")[0]).to(self.device)
        self.hashing.fill_table(words, dims.depth, entries)
        return TorchTable(self, entries)

    def walk(self, table: Tensor, start: bytes, dims: WalkDims) -> Tree:
        """The tree over the ends of all lanes through `table`, (entries, 4) words."""
        ends = self._words(dims.lanes, 4)
        words = torch.frombuffer(bytearray(start), dtype=torch.int64).to(self.device)
        self.hashing.walk(table, words, dims.steps, ends)
        return self._tree(ends.view(torch.uint8).view(-1))

    def lane_ends(
        self, key: bytes, start: bytes, dims: WalkDims, lanes: Sequence[int]
    ) -> list[bytes]:
        """See `Backend.lane_ends`; on the processor, for a few lanes occupy no GPU."""
        return replay_lanes(key, start, dims, lanes)

    def _words(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.int64, device=self.device)


@dataclass(frozen=True, slots=True)
class TorchTable:
    """A residency walk's table in the memory of a device."""

    backend: TorchBackend
    entries: Tensor

    def walk(self, start: bytes, dims: WalkDims) -> Tree:
        """See `WalkTable.walk`."""
        return self.backend.walk(self.entries, start, dims)


@dataclass(frozen=True, slots=True)
class DeviceTree:
    """A tree that stays in the device's memory; only what is asked for is copied out.

    `folded`: one uint8 per entry. `levels`: digests of each level, (nodes, 4) words.
    """

    folded: Tensor
    levels: list[Tensor]

    @property
    def root(self) -> bytes:
        """See `Tree.root`."""
        return _fetch(self.levels[-1])

    def leaf(self, index: int) -> bytes:
        """See `Tree.leaf`."""
        return _fetch(self.folded[index * LEAF_BYTES : (index + 1) * LEAF_BYTES])

    def path(self, index: int) -> list[bytes]:
        """See `Tree.path`."""
        path = []
        for level in self.levels[:-1]:
            path.append(_fetch(level[index ^ 1]))
            index >>= 1
        return path

    def above(self, levels: int) -> "DeviceTree":
        """See `Tree.above`."""
        return DeviceTree(self.folded[:0].clone(), self.levels[levels:])


def _fetch(tensor: Tensor) -> bytes:
    return bytes(_bytes(tensor.cpu()))


def _bytes(tensor: Tensor) -> memoryview:
    data: memoryview = tensor.view(torch.uint8).reshape(-1).numpy().data
    return data


def _hashing_on(device: torch.device) -> Hashing:
    return CpuHashing() if device.type == "cpu" else TritonHashing(device)


def _exact_product(device: torch.device) -> Multiply:
    """The first product that is exact on this device: shown on factors of both extremes."""
    a = torch.full((CUDA_ROWS, 2 * K_BLOCK), -128, dtype=torch.int8)
    b = torch.full((CUDA_ROWS, 2 * K_BLOCK), 127, dtype=torch.int8)
    b[::2] = -128
    a[:, ::3] = 1
    b[:, ::5] = 3
    expected = a.to(torch.int64) @ b.to(torch.int64).T
    failures = []
    for multiply in (_int_product, _float_product):
        try:
            found = multiply(a.to(device), b.to(device)).cpu().to(torch.int64)
        except (RuntimeError, NotImplementedError) as error:
            failures.append(str(error).splitlines()[0])
            continue
        if torch.equal(found, expected):
            return multiply
        failures.append(f"{multiply.__name__.strip('_')} is not exact")
    raise Misconfigured(
        f"{device} multiplies no int8 matrices exactly: {'; '.join(failures)}",
        "use another device or the numpy backend",
    )


def _int_product(a: Tensor, b: Tensor) -> Tensor:
    """Int8 product with int32 sums; short factors are padded with zeros where CUDA wants it."""
    rows, columns = len(a), len(b)
    if a.device.type == "cuda":
        a, b = _pad_rows(a, CUDA_ROWS), _pad_rows(b, CUDA_MULTIPLE)
    product = torch._int_mm(a, b.T)
    return product[:rows, :columns]


def _pad_rows(rows: Tensor, least: int) -> Tensor:
    missing = least - len(rows)
    return torch.nn.functional.pad(rows, (0, 0, 0, missing)) if missing > 0 else rows


def _float_product(a: Tensor, b: Tensor) -> Tensor:
    """Float32 products of `K_BLOCK` columns, whose sums are exact, added as int32."""
    total = torch.zeros((len(a), len(b)), dtype=torch.int32, device=a.device)
    for k in range(0, a.shape[1], K_BLOCK):
        part = a[:, k : k + K_BLOCK].float() @ b[:, k : k + K_BLOCK].float().T
        total += part.to(torch.int32)
    return total
