"""The card that was named is the card that computes."""

from types import SimpleNamespace
from typing import Any

import pytest

from oracle.adapters.gpu import placing
from oracle.adapters.gpu.device import Inventory
from oracle.adapters.gpu.placing import backend_of
from oracle.errors import Misconfigured

FIRST = Inventory("GPU-6b1a", "gpu", "NVIDIA L4", 24_152)
SECOND = Inventory("GPU-c0de", "gpu", "NVIDIA L4", 24_152)
SLICE = Inventory("MIG-77", "mig", "NVIDIA H100 MIG 1g.10gb", 10_334, parent="GPU-6b1a")
PROCESSOR = Inventory("CPU-1", "cpu", "a processor", 64_000)


@pytest.fixture
def pytorch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets PyTorch see cards with these UUIDs, in this order; backends are loaded by name only."""
    torch = pytest.importorskip("torch", reason="install clearwork[gpu]")
    monkeypatch.setattr(placing, "load_backend", lambda name: SimpleNamespace(name=name))

    def see(*uuids: str | None) -> None:
        cards = [SimpleNamespace(**({"uuid": uuid} if uuid else {})) for uuid in uuids]
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cards))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda place: cards[place])

    return see


@pytest.mark.parametrize("name", ["auto", "torch:cuda"])
def test_cards_are_found_by_their_uuid(pytorch: Any, name: str) -> None:
    """CUDA counts the fastest first, NVML by the bus."""
    pytorch("c0de", "6b1a")
    assert backend_of(FIRST, 0, name).name == "torch:cuda:1"
    assert backend_of(SECOND, 1, name).name == "torch:cuda:0"


@pytest.mark.parametrize("seen", [(), ("6b1a",), (None, None)])
@pytest.mark.parametrize("name", ["auto", "torch:cuda"])
def test_a_second_card_is_not_guessed(pytorch: Any, seen: Any, name: str) -> None:
    pytorch(*seen)
    with pytest.raises(Misconfigured, match=r"GPU-c0de \(number 1\)") as caught:
        backend_of(SECOND, 1, name)
    assert "CUDA_VISIBLE_DEVICES=GPU-c0de" in caught.value.remedy


def test_a_first_card_that_pytorch_does_not_see_is_not_another(pytorch: Any) -> None:
    pytorch("c0de")
    with pytest.raises(Misconfigured, match="GPU-6b1a"):
        backend_of(FIRST, 0)


@pytest.mark.parametrize("seen", [(), (None,)])
def test_the_only_card_needs_no_uuid(pytorch: Any, seen: Any) -> None:
    pytorch(*seen)
    assert backend_of(FIRST, 0).name == "auto"


def test_a_slice_may_go_by_its_cards_uuid(pytorch: Any) -> None:
    pytorch("6b1a")
    assert backend_of(SLICE, 0).name == "auto"
    with pytest.raises(Misconfigured, match="MIG-77"):
        backend_of(SLICE, 1)


@pytest.mark.parametrize("name", ["numpy", "reference", "torch:cuda:1", "torch:xpu"])
def test_a_named_backend_is_taken(pytorch: Any, name: str) -> None:
    pytorch("c0de", "6b1a")
    assert backend_of(SECOND, 1, name).name == name


def test_a_processor_takes_what_works(pytorch: Any) -> None:
    pytorch()
    assert backend_of(PROCESSOR, 0).name == "auto"
