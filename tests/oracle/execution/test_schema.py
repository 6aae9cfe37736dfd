"""The published JSON Schema: what the code says, and what its example shows."""

import json
import re
from typing import Any, get_args

import pytest
from hypothesis import given

from oracle.api import schemas
from oracle.api.schemas import SignedReceiptBody
from oracle.cli.receipt import schema_text
from oracle.domain.execution import STATUSES, ExecutionReceipt, SignedReceipt
from scripts._project import ROOT
from tests.oracle.execution.test_document import receipts

FOLDER = ROOT / "docs" / "schemas"
SCHEMA = json.loads((FOLDER / "execution-receipt.json").read_text())
EXAMPLE = json.loads((FOLDER / "execution-receipt.example.json").read_text())
TYPES = {"object": dict, "array": list, "string": str, "null": type(None)}
IGNORED = {"$schema", "$id", "$defs", "title", "description", "default"}


def faults(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """What JSON Schema (draft 2020-12) finds wrong, by the keywords that ours uses."""
    found: list[str] = []
    for keyword, wanted in schema.items():
        match keyword:
            case "$ref":
                found += faults(value, SCHEMA["$defs"][wanted.rpartition("/")[2]], at)
            case "anyOf":
                holds = any(not faults(value, one, at) for one in wanted)
            case "type":
                is_integer = isinstance(value, int) and not isinstance(value, bool)
                holds = is_integer if wanted == "integer" else isinstance(value, TYPES[wanted])
            case "const":
                holds = value == wanted
            case "enum":
                holds = value in wanted
            case "pattern":
                holds = not isinstance(value, str) or re.search(wanted, value) is not None
            case "minimum":
                holds = not isinstance(value, int) or value >= wanted
            case "maximum":
                holds = not isinstance(value, int) or value <= wanted
            case "minLength":
                holds = not isinstance(value, str) or len(value) >= wanted
            case "maxLength":
                holds = not isinstance(value, str) or len(value) <= wanted
            case "maxItems":
                holds = not isinstance(value, list) or len(value) <= wanted
            case "required":
                holds = not isinstance(value, dict) or set(wanted) <= set(value)
            case "additionalProperties":
                assert wanted is False
                known = set(schema["properties"])
                holds = not isinstance(value, dict) or set(value) <= known
            case "properties":
                for name, one in wanted.items():
                    if isinstance(value, dict) and name in value:
                        found += faults(value[name], one, f"{at}.{name}")
            case "items":
                for place, each in enumerate(value if isinstance(value, list) else []):
                    found += faults(each, wanted, f"{at}[{place}]")
            case _:
                assert keyword in IGNORED, f"the test does not know {keyword}"
        if keyword not in {"$ref", "properties", "items"} | IGNORED and not holds:
            found.append(f"{at}: {keyword}")
    return found


def test_the_schema_is_the_codes() -> None:
    published = (FOLDER / "execution-receipt.json").read_text()
    assert published == schema_text(), "run `make schema`"


def test_the_schema_lists_every_status() -> None:
    assert set(get_args(schemas._Status)) == {status.name.lower() for status in STATUSES}


def test_the_example_holds_in_every_respect() -> None:
    assert faults(EXAMPLE, SCHEMA) == []
    signed = SignedReceiptBody.model_validate(EXAMPLE).signed()
    signed.check()
    assert signed.is_counter_signed
    assert signed.receipt.fault is not None


def test_the_check_by_hand_in_the_docs_works(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "execution-receipts.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(compile(code, "docs/execution-receipts.md", "exec"), {})
    wrong = code.replace('receipt["gpu_seconds"], ', 'receipt["gpu_seconds"] + 1, ')
    wrong = wrong.replace('receipt["gpu_seconds"],\n', 'receipt["gpu_seconds"] + 1,\n')
    assert wrong != code
    with pytest.raises(AssertionError):
        exec(compile(wrong, "docs/execution-receipts.md", "exec"), {})


@given(receipts())
def test_whatever_the_code_writes_is_in_the_schema(receipt: ExecutionReceipt) -> None:
    body = SignedReceiptBody.of(SignedReceipt(receipt, ()))
    assert faults(body.model_dump(mode="json"), SCHEMA) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("receipt", "job"), "7"),
        (("receipt", "job"), 0),
        (("receipt", "job"), True),
        (("receipt", "job"), 2**53),
        (("receipt", "version"), 2),
        (("receipt", "devices"), ["0x12"]),
        (("receipt", "fault", "layer"), "weather"),
        (("receipt", "status"), "closed"),
        (("receipt", "work", "command"), "python"),
        (("receipt", "work", "secret"), 1),
        (("signatures",), None),
        (("document",), "0x" + "AB" * 32),
    ],
)
def test_schema_and_code_refuse_the_same(path: tuple[str, ...], value: Any) -> None:
    changed = json.loads(json.dumps(EXAMPLE))
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert faults(changed, SCHEMA)
    with pytest.raises(ValueError, match=path[-1]):
        SignedReceiptBody.model_validate(changed)
