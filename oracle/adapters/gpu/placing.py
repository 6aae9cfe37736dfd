"""The backend that computes on a certain card: PyTorch numbers cards in an order of its own."""

from typing import Any

from oracle.adapters.gpu import TORCH, load_backend
from oracle.adapters.gpu.backend import Backend
from oracle.adapters.gpu.device import Inventory
from oracle.errors import Misconfigured

CUDA = f"{TORCH}:cuda"


def backend_of(device: Inventory, number: int, name: str = "auto") -> Backend[Any, Any]:
    """The backend called `name` on `device`, which is number `number` of this machine.

    `auto` and `torch:cuda` find the card by its UUID. Any other name is taken as it is: it says
    itself where it computes. Raises `Misconfigured` where PyTorch does not tell its cards apart and
    the first one need not be this one, and as `load_backend` does.
    """
    if device.kind == "cpu" or name not in ("auto", CUDA):
        return load_backend(name)
    places = _cuda_places()
    if device.uuid in places:
        return load_backend(f"{CUDA}:{places[device.uuid]}")
    # a MIG instance is alone among what PyTorch sees, and may have its card's UUID there
    if number == 0 and (not places or device.kind == "mig"):
        return load_backend(name)
    raise Misconfigured(
        f"it can't be told which of PyTorch's devices is {device.uuid} (number {number})",
        f"let the agent see this one alone with CUDA_VISIBLE_DEVICES={device.uuid}, and name it: "
        f"--backend {CUDA}:0",
    )


def _cuda_places() -> dict[str, int]:
    """Number in PyTorch of each card it sees, by the UUID as NVML writes it; empty for none."""
    try:
        import torch
    except ImportError:
        return {}
    if not torch.cuda.is_available():
        return {}
    cards = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    # builds before 2.4 don't know it
    uuids = (getattr(card, "uuid", None) for card in cards)
    return {f"GPU-{uuid}": place for place, uuid in enumerate(uuids) if uuid is not None}
