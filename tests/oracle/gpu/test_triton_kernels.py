"""The GPU's kernels compile to machine code of the cards we name, without such a card."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from oracle.adapters.gpu import triton_kernels

WORDS = "*i64"
KERNELS = {
    "_generate": {
        "constants": WORDS, "keys": WORDS, "out": WORDS, "count": "i64", "per_row": "i32"
    },
    "_fold": {"product": "*i32", "out": "*u8", "count": "i64"},
    "_hash_leaves": {"constants": WORDS, "leaves": WORDS, "out": WORDS, "count": "i64"},
    "_hash_pairs": {"constants": WORDS, "pairs": WORDS, "out": WORDS, "count": "i64"},
    "_fill_table": {
        "constants": WORDS, "key": WORDS, "out": WORDS, "count": "i64", "depth": "i32"
    },
    "_walk": {
        "constants": WORDS, "table": WORDS, "entries": "i64", "start": WORDS, "steps": "i32",
        "out": WORDS, "count": "i64"
    },
}
for target, code in (GPUTarget("cuda", 80, 32), "cubin"), (GPUTarget("cuda", 90, 32), "cubin"), (
    GPUTarget("hip", "gfx942", 64), "hsaco"
):
    for name, arguments in KERNELS.items():
        constants = {"block": triton_kernels.BLOCK}
        if name == "_generate":
            constants["reverse_lanes"] = True
        signature = arguments | dict.fromkeys(constants, "constexpr")
        source = ASTSource(getattr(triton_kernels, name), signature, constexprs=constants)
        built = compile(source, target=target)
        assert built.asm[code], name
        if code == "cubin":
            assert ".local" not in built.asm["ptx"], f"{name} spills its state into memory"
print("compiled")
"""


def test_kernels_compile_for_the_cards_we_name(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="install clearwork[gpu]")
    pytest.importorskip("triton", reason="install clearwork[gpu]")
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE],
        env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.strip() == "compiled", done.stderr
