"""What holds for the repository as a whole: layers, published ABIs, docs that name everything."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts._project import CONTRACTS, OPTIONAL, ROOT, abi_of, abi_text, container

# Who may import whom inside `oracle`: a layer sees those before it. The bodies of HTTP requests
# (`oracle.api.schemas`) are pure data that both ends of a connection share.
LAYERS = ("domain", "adapters", "services", "api", "cli")
WIRE_FORMAT = "oracle.api.schemas"
# modules beside the layers, and what they may import
LEAVES = {"errors": set(), "faults": set(), "settings": {"errors"}}
REASON = re.compile(r'"((?:[a-z_]+): [^"\n]+)"')


def sources(folder: str, pattern: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob(pattern))
    assert found, f"{folder} has no {pattern}"
    return found


def imported_by(path: Path) -> set[str]:
    """Dotted names of the `oracle` modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[0] == "oracle" and "." in name}


def may_import(importer: str, imported: str) -> bool:
    """Whether a module of one part of `oracle` may import a module by its dotted name."""
    part = imported.split(".")[1]
    if importer in LEAVES:
        return part in LEAVES[importer]
    if part in LEAVES:
        return importer != "domain" or part == "errors"
    if imported.startswith(WIRE_FORMAT):
        return importer != "domain"
    return LAYERS.index(part) <= LAYERS.index(importer)


@pytest.mark.parametrize("part", [*LAYERS, *LEAVES])
def test_imports_point_inward(part: str) -> None:
    folder = ROOT / "oracle" / part
    files = sources(f"oracle/{part}", "*.py") if folder.is_dir() else [folder.with_suffix(".py")]
    outward = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in imported_by(file)
        if not may_import(part, name)
    }
    assert not outward


def test_the_wire_format_depends_on_the_domain_only() -> None:
    imported = imported_by(ROOT / "oracle" / "api" / "schemas.py")
    assert all(name.split(".")[1] in ("domain", "errors") for name in imported)


def test_the_domain_does_no_input_or_output() -> None:
    forbidden = {"os", "socket", "subprocess", "pathlib", "httpx", "web3", "sqlalchemy", "time"}
    for file in sources("oracle/domain", "*.py"):
        roots = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
            )
        }
        assert not roots & forbidden, file


def test_every_contract_is_deployed() -> None:
    files = {path.stem for path in (ROOT / "contracts").glob("*.vy")}
    assert files - set(OPTIONAL) == set(CONTRACTS)
    assert files >= set(OPTIONAL)


@pytest.mark.parametrize("name", [*CONTRACTS, *OPTIONAL])
def test_the_published_abi_is_the_compiled_one(name: str) -> None:
    published = (ROOT / "deployments" / "abi" / f"{name}.json").read_text()
    assert published == abi_text(abi_of(name)), "run `make abi`"


@pytest.mark.parametrize("name", [*CONTRACTS, *OPTIONAL])
def test_a_contract_is_well_below_the_limit_of_the_chain(name: str) -> None:
    """EIP-170 allows 24 576 bytes; immutables come on top of the runtime code."""
    code = container(name).contract_type.runtime_bytecode
    assert code is not None
    assert 0 < len(bytes.fromhex(code.bytecode.removeprefix("0x"))) <= 22_000


def test_no_abi_of_a_contract_that_is_gone() -> None:
    files = {path.stem for path in (ROOT / "deployments" / "abi").glob("*.json")}
    assert files == {*CONTRACTS, *OPTIONAL}


@pytest.mark.parametrize("name", [*CONTRACTS, *OPTIONAL])
def test_a_contract_says_whom_it_trusts_and_how_to_stop_it(name: str) -> None:
    docstring = (ROOT / "contracts" / f"{name}.vy").read_text().split('"""')[1]
    for tag in ("@title", "@license Apache-2.0", "@author Clearwork", "@notice"):
        assert tag in docstring
    assert "@custom:security security@clearwork.example" in docstring
    assert "@custom:kill " in docstring


def reasons_in_contracts() -> dict[str, list[str]]:
    """Every revert reason, and the files that use it."""
    found: dict[str, list[str]] = {}
    for path in sources("contracts", "*.vy"):
        code = "\n".join(
            line.split("  #")[0]
            for line in path.read_text().splitlines()
            if not line.lstrip().startswith("#")
        )
        for reason in set(REASON.findall(code)):
            found.setdefault(reason, []).append(path.name)
    return found


def reasons_in_docs() -> set[str]:
    rows = (ROOT / "docs" / "contracts.md").read_text().splitlines()
    return {match[1] for row in rows if (match := re.match(r"\| `([a-z_]+: [^`]+)` \|", row))}


def test_docs_list_every_reason_and_no_other() -> None:
    used, listed = set(reasons_in_contracts()), reasons_in_docs()
    assert used
    assert used - listed == set(), "not in docs/contracts.md"
    assert listed - used == set(), "in docs/contracts.md, but in no contract"


def test_a_reason_belongs_to_one_file() -> None:
    shared = {reason: files for reason, files in reasons_in_contracts().items() if len(files) > 1}
    assert not shared


def test_constraints_are_plain_and_cover_the_direct_dependencies() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.+!-]+", line) for line in lines)
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    direct = [*project["dependencies"], *(each for extra in extras for each in extra)]
    names = {re.split(r"[=~<>!\[; ]", each)[0].lower().replace("_", "-") for each in direct}
    assert names - {"clearwork"} <= pinned


def test_the_node_lock_file_holds_no_download_address() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())


SKIPPING = """
import pytest

@pytest.mark.parametrize("at", range(3))
def test_lacks(at):
    pytest.skip("no card here")

def test_lacks_more():
    pytest.importorskip("nothing_of_this_name", reason="install clearwork[gpu]")

@pytest.mark.xfail
def test_fails_as_expected():
    assert False
"""


def test_a_run_says_what_it_did_not_show(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    command = [sys.executable, "-m", "pytest", "-q", str(tmp_path)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "not shown by this run: 4 tests" in run.stdout
    assert "\n    3  no card here\n    1  install clearwork[gpu]\n" in run.stdout
