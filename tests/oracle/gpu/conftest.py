"""Every compute backend, and a driver library of the shape of `pynvml` with a test's own cards."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from oracle.adapters.gpu import load_backend
from oracle.errors import Misconfigured


@dataclass
class Card:
    """A GPU, or an instance cut from one. A value that is an exception class is raised."""

    uuid: Any
    name: str = "NVIDIA H100 80GB HBM3"
    memory: int = 80 * 2**30
    mig: Any = (0, 0)
    virtualization: Any = pynvml.NVML_GPU_VIRTUALIZATION_MODE_NONE
    power: Any = 412_000
    utilisation: Any = 97
    instances: list["Card | None"] = field(default_factory=list)


class FakeNvml:
    """Answers from `cards`; everything it does not define is the real package's."""

    def __init__(self, *cards: Any, init: type[Exception] | None = None) -> None:
        self._cards = cards
        self._init = init

    def __getattr__(self, name: str) -> Any:
        constant = getattr(pynvml, name)  # a wrong name fails here, as it would in real life
        assert not callable(constant) or isinstance(constant, type), f"{name} is not faked"
        return constant

    def nvmlInit(self) -> None:  # noqa: N802
        if self._init:
            raise self._init

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self._cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:  # noqa: N802
        card: Card = _answer(self._cards[index])
        return card

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.95.05"

    def nvmlDeviceGetUUID(self, card: Card) -> str:  # noqa: N802
        return str(_answer(card.uuid))

    def nvmlDeviceGetName(self, card: Card) -> str:  # noqa: N802
        return card.name

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> Any:  # noqa: N802
        return SimpleNamespace(total=card.memory, used=card.memory // 4)

    def nvmlDeviceGetPciInfo(self, card: Card) -> Any:  # noqa: N802
        return SimpleNamespace(busId="00000000:3B:00.0")

    def nvmlDeviceGetMigMode(self, card: Card) -> Any:  # noqa: N802
        return _answer(card.mig)

    def nvmlDeviceGetMaxMigDeviceCount(self, card: Card) -> int:  # noqa: N802
        return len(card.instances)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, card: Card, slot: int) -> Card:  # noqa: N802
        instance = card.instances[slot]
        if instance is None:
            raise pynvml.NVMLError_NotFound
        return instance

    def nvmlDeviceGetVirtualizationMode(self, card: Card) -> int:  # noqa: N802
        return int(_answer(card.virtualization))

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=_answer(card.utilisation), memory=0)

    def nvmlDeviceGetPowerUsage(self, card: Card) -> int:  # noqa: N802
        return int(_answer(card.power))

    def nvmlDeviceGetTotalEnergyConsumption(self, card: Card) -> int:  # noqa: N802
        return 123_456_789

    def nvmlDeviceGetTemperature(self, card: Card, sensor: int) -> int:  # noqa: N802
        assert sensor == pynvml.NVML_TEMPERATURE_GPU
        return 61


def _answer(value: Any) -> Any:
    if isinstance(value, type) and issubclass(value, Exception):
        raise value
    return value


@pytest.fixture
def card() -> type[Card]:
    return Card


@pytest.fixture
def nvml_with() -> Callable[..., Any]:
    """Build a driver library with these cards."""
    return FakeNvml


@pytest.fixture(scope="session")
def interpreted() -> Any:
    """The torch backend with the GPU's kernels, on Triton's interpreter: slow, small shapes."""
    torch = pytest.importorskip("torch", reason="install clearwork[gpu]")
    pytest.importorskip("triton", reason="install clearwork[gpu]")
    if torch.cuda.is_available():
        pytest.skip("the kernels run on the GPU itself, see the backend torch:cuda")
    # read when the kernels are imported
    os.environ["TRITON_INTERPRET"] = "1"
    from oracle.adapters.gpu.torch_backend import TorchBackend
    from oracle.adapters.gpu.torch_hashing import TritonHashing

    return TorchBackend("cpu", TritonHashing(torch.device("cpu")))


@pytest.fixture(params=["numpy", "torch", "torch:cuda", "interpreted"], scope="session")
def backend(request: pytest.FixtureRequest) -> Any:
    """Every backend that must equal the reference; skipped with a reason where it does not work."""
    if request.param == "interpreted":
        return request.getfixturevalue("interpreted")
    try:
        return load_backend(request.param)
    except Misconfigured as error:
        pytest.skip(f"{error}: {error.remedy}")
