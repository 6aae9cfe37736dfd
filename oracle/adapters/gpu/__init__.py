"""GPUs and what stands in for them: compute backends, inventory and telemetry."""

from typing import Any

from oracle.adapters.gpu.backend import Backend
from oracle.adapters.gpu.reference import ReferenceBackend
from oracle.errors import Misconfigured

BACKENDS = ("numpy", "reference")
"""Names of the backends, fastest first."""


def load_backend(name: str = "auto") -> Backend[Any, Any]:
    """The backend called `name`; `auto` takes the fastest one that works here.

    Raises `Misconfigured` for an unknown name, or for a backend whose packages don't load.
    """
    if name in ("auto", "numpy"):
        try:
            from oracle.adapters.gpu.numpy_backend import NumpyBackend
        except ImportError as error:
            if name == "auto":
                return ReferenceBackend()
            raise Misconfigured(
                f"the numpy backend does not load: {error}", "install numpy and numba"
            ) from error
        return NumpyBackend()
    if name == "reference":
        return ReferenceBackend()
    raise Misconfigured(f"unknown backend {name!r}", f"choose one of auto, {', '.join(BACKENDS)}")
