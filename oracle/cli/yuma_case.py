"""Cases of Yuma consensus in files: several epochs, each from what the one before left.

The schema is that of the published vectors (specs/emissions.md, section 3): a case has `name`,
`n`, `params` and `epochs`. An epoch has the inputs and, once computed, what is `expected` of
them. Numbers named `*_bits` are I32F32, `*_u16` shares of 65535.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oracle.domain.consensus import Inputs, Mode, Outputs, Params, Rows, run_epoch
from oracle.domain.consensus.fixed import to_u16
from oracle.errors import BadInput

U16 = Annotated[int, Field(ge=0, lt=2**16)]
I16 = Annotated[int, Field(ge=-(2**15), lt=2**15)]
U64 = Annotated[int, Field(ge=0, lt=2**64)]
Row = list[Annotated[list[U16], Field(min_length=2, max_length=2)]]

_EXAMPLE = "docs/consensus.md has a whole case to start from."
# what the first epoch must say; later ones keep what they leave out
_REQUIRED = ("block", "last_update", "block_at_registration", "stake", "validator_permits")


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class CaseParams(_Strict):
    """See `Params`."""

    tempo: U64
    activity_cutoff: U64
    last_mechanism_step_block: U64
    stake_threshold: U64
    owner_uid: U16 | None
    max_allowed_validators: U16
    kappa: U16
    bonds_penalty: U16
    yuma3: bool
    liquid_alpha: bool
    alpha_low: U16
    alpha_high: U16
    alpha_sigmoid_steepness: I16
    bonds_moving_average: Annotated[int, Field(ge=0, le=1_000_000)]
    rao_emission: U64


class CaseEpoch(_Strict):
    """See `Inputs`. What is missing stays as it was; weights may name the rows that change."""

    block: U64 | None = None
    last_update: list[U64] | None = None
    block_at_registration: list[U64] | None = None
    stake: list[U64] | None = None
    validator_permits: list[bool] | None = None
    weights: list[Row] | dict[str, Row] | None = None
    bonds: list[Row] | None = None
    commit_blocks: list[U64] | None = None
    note: str | None = None
    expected: dict[str, Any] | None = None


class Case(BaseModel):
    """A case. What else a file says about it is kept out."""

    model_config = ConfigDict(strict=True)

    name: str
    n: Annotated[int, Field(ge=0, le=2**16)]
    params: CaseParams
    epochs: Annotated[list[CaseEpoch], Field(min_length=1)]

    @classmethod
    def parse(cls, content: Any) -> "Case":
        """A case from what a JSON file holds. Raises `BadInput` that names the field."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the case"
            raise BadInput(f"{place}: {first['msg']}", _EXAMPLE) from error

    def run(self, mode: Mode) -> Iterator[Outputs]:
        """Every epoch in turn; bonds and permits pass from each to the next."""
        params = Params(**self.params.model_dump())
        now: dict[str, Any] = {}
        weights: list[Row] = [[] for _ in range(self.n)]
        bonds, permits = Rows.of(weights), None
        for number, epoch in enumerate(self.epochs):
            place = f"epochs.{number}"
            now |= {
                field: self._checked(f"{place}.{field}", value)
                for field in (*_REQUIRED, "commit_blocks")
                if (value := getattr(epoch, field)) is not None
            }
            missing = [field for field in _REQUIRED if field not in now]
            if missing:
                raise BadInput(f"{place}.{missing[0]} is missing", _EXAMPLE)
            weights = self._changed(f"{place}.weights", weights, epoch.weights)
            if epoch.bonds is not None:
                bonds = self._rows(f"{place}.bonds", epoch.bonds)
            if epoch.validator_permits is not None or permits is None:
                permits = np.array(now["validator_permits"], np.bool_)
            inputs = Inputs(
                params,
                now["block"],
                _blocks(now["last_update"]),
                _blocks(now["block_at_registration"]),
                _blocks(now["stake"]),
                permits,
                self._rows(f"{place}.weights", weights),
                bonds,
                _blocks(now["commit_blocks"]) if "commit_blocks" in now else None,
            )
            outputs = run_epoch(inputs, mode)
            bonds, permits = outputs.bonds, outputs.new_permits
            yield outputs

    def solved(self, mode: Mode) -> dict[str, Any]:
        """The case as a file holds it, with what `mode` computes as `expected`."""
        document = self.model_dump(exclude_unset=True)
        for epoch, outputs in zip(document["epochs"], self.run(mode), strict=True):
            epoch["expected"] = expected(outputs)
        return document

    def _checked(self, place: str, value: Any) -> Any:
        if isinstance(value, list) and len(value) != self.n:
            raise BadInput(f"{place} has {len(value)} entries, n is {self.n}", _EXAMPLE)
        return value

    def _changed(self, place: str, old: list[Row], new: list[Row] | dict[str, Row] | None) -> Any:
        if new is None:
            return old
        if isinstance(new, list):
            return self._checked(place, new)
        changed = list(old)
        for uid, row in new.items():
            if not (uid.isascii() and uid.isdigit() and int(uid) < self.n):
                raise BadInput(f"{place}.{uid} is no uid below {self.n}", _EXAMPLE)
            changed[int(uid)] = row
        return changed

    def _rows(self, place: str, rows: list[Row]) -> Rows:
        self._checked(place, rows)
        try:
            return Rows.of(rows)
        except BadInput as error:
            raise BadInput(f"{place}: {error}", error.remedy) from error


def expected(outputs: Outputs) -> dict[str, Any]:
    """What an epoch decided, by the schema's names."""
    columns: dict[str, NDArray[Any]] = {
        "stake_bits": outputs.stake,
        "active_stake_bits": outputs.active_stake,
        "consensus_bits": outputs.consensus,
        "validator_trust_bits": outputs.validator_trust,
        "incentive_bits": outputs.incentive,
        "dividends_bits": outputs.dividends,
        "stake_weight_u16": to_u16(outputs.stake),
        "consensus_u16": to_u16(outputs.consensus),
        "incentive_u16": to_u16(outputs.incentive),
        "dividends_u16": to_u16(outputs.dividends),
        "validator_trust_u16": to_u16(outputs.validator_trust),
        "server_emission": outputs.server_emission,
        "validator_emission": outputs.validator_emission,
        "combined_emission": outputs.combined_emission,
        "new_permits": outputs.new_permits,
        "active": outputs.active,
    }
    return {
        **{name: column.tolist() for name, column in columns.items()},
        "bonds_u16": list(outputs.bonds),
    }


def _blocks(values: list[int]) -> NDArray[np.uint64]:
    return np.array(values, np.uint64)
