"""Durations as fields of scenario files, and how they are shortened for real time."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from keyroll.durations import FORM, PATTERN, format_duration, parse_duration


def shortened(length: timedelta, factor: float) -> timedelta:
    """Return a length divided by a factor, in whole seconds: the start-times of Junos have no fractions."""
    return timedelta(seconds=math.floor(length / factor / timedelta(seconds=1) + 0.5))


def _positive(length: timedelta) -> timedelta:
    if length <= timedelta():
        raise ValueError("should be longer than 0s")
    return length


_SCHEMA = WithJsonSchema({"type": "string", "pattern": PATTERN, "description": FORM})
_AS_TEXT = PlainSerializer(format_duration, return_type=str)


def _read_positive(value: object) -> timedelta:
    return _positive(parse_duration(value))


Duration = Annotated[timedelta, BeforeValidator(parse_duration), _AS_TEXT, _SCHEMA]
PositiveDuration = Annotated[timedelta, BeforeValidator(_read_positive), _AS_TEXT, _SCHEMA]
