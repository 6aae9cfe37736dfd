"""Every compute backend as one fixture, for all tests that compare them."""

import os
from typing import Any

import pytest

from oracle.adapters.gpu import load_backend
from oracle.errors import Misconfigured

INTERPRETED = "interpreted"
FASTER = ("numpy", "torch", "torch:cuda", INTERPRETED)
"""What must equal the reference."""


def _one(name: str) -> Any:
    """A backend; the test is skipped, with the reason, where it does not work."""
    if name == INTERPRETED:
        return _interpreted()
    try:
        return load_backend(name)
    except Misconfigured as error:
        pytest.skip(f"{error}: {error.remedy}")


def skip_if_interpreted(backend: Any) -> None:
    """For shapes that would take it many seconds."""
    if type(getattr(backend, "hashing", None)).__name__ == "TritonHashing":
        from oracle.adapters.gpu import triton_kernels

        if triton_kernels.INTERPRETED:
            pytest.skip("too large for Triton's interpreter")


def _interpreted() -> Any:
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


@pytest.fixture(name="backend", params=["reference", *FASTER], scope="session")
def every_backend(request: pytest.FixtureRequest) -> Any:
    """Every backend in turn."""
    return _one(request.param)


@pytest.fixture(name="backend", params=FASTER, scope="session")
def faster_backend(request: pytest.FixtureRequest) -> Any:
    """Every backend but the reference, for tests that compare with it."""
    return _one(request.param)


@pytest.fixture(scope="session")
def interpreted() -> Any:
    """The GPU's kernels on the processor."""
    return _interpreted()
