"""The steps of a scenario file as one field's type: a mapping whose one field is the step's kind.

The model of that mapping is made from the registry, so that a step that is added anywhere is read, explained in error
messages and part of the JSON schema like those of keyroll.
"""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import BaseModel, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

# Imported for what they register, in the order in which messages list the kinds.
from keyroll.scenario.file import commit_steps, link_steps, router_steps, time_steps  # noqa: F401
from keyroll.scenario.file.expectations import Expectation
from keyroll.scenario.file.fields import StrictModel
from keyroll.scenario.file.registry import CHECKS, STEPS, load
from keyroll.scenario.file.step import Step

_forms: dict[tuple[tuple[str, ...], tuple[str, ...]], type[BaseModel]] = {}
"""The models made so far, by the steps and checks that were registered then."""


def form() -> type[BaseModel]:
    """Return the model of a step as it is written: one optional field for each kind. Raises ExtensionError."""
    load()
    known = STEPS.names(), CHECKS.names()
    if known not in _forms:
        conditions = _conditions()
        fields: dict[str, Any] = {kind.kind.replace("-", "_"): _field(kind, conditions) for kind in STEPS}
        _forms[known] = create_model(
            "Step", __base__=StrictModel, __doc__="One step: a mapping with exactly one of these fields.", **fields
        )
    return _forms[known]


def read_step(value: object) -> Step:
    """Read one step as it is written; a step that has been read is returned as it is.

    Raises:
        ValueError: pydantic's, with the place below `value`.
    """
    if isinstance(value, Step):
        return value
    written = form().model_validate(value)
    steps = [one for name in type(written).model_fields if (one := getattr(written, name)) is not None]
    if len(steps) != 1:
        raise ValueError(f"a step has exactly one of: {', '.join(STEPS.names())}")
    step = cast("Step", steps[0])
    if problem := step.problem():
        raise ValueError(problem)
    return step


def _conditions() -> type[BaseModel]:
    """Return the model of the conditions that an expectation can have: one optional field for each check."""
    fields: dict[str, Any] = {kind.name: (kind.written, Field(default_factory=dict)) for kind in CHECKS}
    return create_model("Conditions", __base__=StrictModel, **fields)


def _field(kind: type[Step], conditions: type[BaseModel]) -> tuple[Any, Any]:
    model: Any = kind
    if issubclass(kind, Expectation):
        # Pydantic collects fields from the last base class to the first, so the conditions come first among the fields.
        model = create_model(kind.__name__, __base__=(kind, conditions), __doc__=kind.__doc__)
    written = Annotated[model | None, BeforeValidator(_mapping_or_nothing)] if kind.bare else model | None
    return written, Field(default=None, alias=kind.kind)


def _mapping_or_nothing(value: object) -> object:
    return {} if value is None else value


class _Written:
    """Tells pydantic, and `keyroll.document`, which explains pydantic's errors, how a step is written."""

    def written_form(self) -> type[BaseModel]:
        """Return the model that a step is read by (`keyroll.document` names its fields)."""
        return form()

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        # The form is asked for when a step is read, not when the scenario's model is made: steps may be added later.
        return core_schema.no_info_plain_validator_function(read_step)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(form().__pydantic_core_schema__)


AnyStep = Annotated[Step, _Written()]
"""A step of any registered kind."""
