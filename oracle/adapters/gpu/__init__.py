"""GPUs and what stands in for them: compute backends, inventory and telemetry."""

from typing import Any

from oracle.adapters.gpu.backend import Backend
from oracle.adapters.gpu.reference import ReferenceBackend
from oracle.errors import Misconfigured

TORCH = "torch"
BACKENDS = ("torch:cuda", "torch:xpu", TORCH, "numpy", "reference")
"""Names of the backends that `auto` tries, fastest first; PyTorch takes other devices by name."""


def load_backend(name: str = "auto") -> Backend[Any, Any]:
    """The backend called `name`; `auto` takes the fastest one that works here.

    Raises `Misconfigured` for an unknown name, or for a backend whose packages or device are
    not there.
    """
    if name == "auto":
        return next(backend for backend in map(_try, BACKENDS) if backend is not None)
    if name == "reference":
        return ReferenceBackend()
    if name == "numpy":
        return _load_numpy()
    package, _, device = name.partition(":")
    if package == TORCH:
        return _load_torch(device or "cpu")
    raise Misconfigured(
        f"unknown backend {name!r}", f"choose one of auto, {', '.join(BACKENDS)}, torch:DEVICE"
    )


def _try(name: str) -> Backend[Any, Any] | None:
    try:
        return load_backend(name)
    except Misconfigured:
        return None


def _load_numpy() -> Backend[Any, Any]:
    try:
        from oracle.adapters.gpu.numpy_backend import NumpyBackend
    except ImportError as error:
        raise Misconfigured(
            f"the numpy backend does not load: {error}", "install numpy and numba"
        ) from error
    return NumpyBackend()


def _load_torch(device: str) -> Backend[Any, Any]:
    try:
        from oracle.adapters.gpu.torch_backend import TorchBackend
    except ImportError as error:
        raise Misconfigured(
            f"the torch backend does not load: {error}", "install clearwork[gpu]"
        ) from error
    return TorchBackend(device)
