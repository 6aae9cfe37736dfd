"""Every question that anybody can ask, with numbers at the ends of their ranges and beyond."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.oracle.conftest import Live, Machine, Oracle, attest, step

VALUES = ("-1", "0", str(2**63 - 1), str(2**63), str(10**40), "x", "%00", f"0x{'00' * 32}")


def questions(spec: dict[str, Any], device: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Paths and parameters, all values in each place of a path, one parameter at a time."""
    for path, methods in spec["paths"].items():
        if "get" not in methods:
            continue
        parameters = methods["get"].get("parameters", [])
        named = [one["name"] for one in parameters if one["in"] == "path"]
        for values in product((*VALUES, device), repeat=len(named)):
            asked = path
            for name, value in zip(named, values, strict=True):
                asked = asked.replace(f"{{{name}}}", value)
            yield asked, {}
        for one in parameters:
            if one["in"] == "query":
                asked = path
                for name in named:
                    asked = asked.replace(f"{{{name}}}", "1")
                yield from ((asked, {one["name"]: value}) for value in VALUES)


def test_no_question_of_a_stranger_is_an_error_of_the_oracle(
    live: Live, machine: Machine, oracles: list[Oracle]
) -> None:
    live.enter_epoch(1)
    step(oracles)
    attest(machine, oracles)
    step(oracles, 3)
    http = oracles[0].http
    answers = {
        (path, *query.items()): http.get(path, params=query).status_code
        for path, query in questions(http.get("/openapi.json").json(), f"0x{machine.device.hex()}")
    }
    assert {asked: status for asked, status in answers.items() if status >= 500} == {}
    # and some of them were answered
    assert sum(status == 200 for status in answers.values()) > 20
    assert len(answers) > 400
