"""The garbage collector: what compilers and web3 leave is large and stays to the end."""

import atexit
import gc

# a test's own garbage is small beside it
gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_sessionfinish() -> None:
    # pytest collects five times as it ends; what bindings hold is freed after that
    gc.freeze()
    atexit.register(gc.unfreeze)
