"""Values from JSON of unknown origin: a value of the wrong type counts as absent, and never causes a traceback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from keyroll.errors import InputError, Where


def read_object(path: Path) -> Mapping[str, object]:
    """Read a file that holds a JSON object. Raises InputError, with the file, where it is damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:  # the last: nested too deeply
        raise InputError(f"damaged or unreadable: {error}", where=Where.of(path)) from error
    if not isinstance(found, dict):
        raise InputError("not a JSON object", where=Where.of(path))
    return found


def text_of(value: object) -> str:
    """Return a text; empty where there is none."""
    return "" if value is None else str(value)


def text_or_none(value: object) -> str | None:
    """Return a text, or None where there is none."""
    return None if value is None else str(value)


def number_of(value: object) -> float:
    """Return a number; 0 where there is none."""
    return float(value) if isinstance(value, int | float) else 0.0


def whole_of(value: object) -> int | None:
    """Return a whole number, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def mapping_of(value: object) -> Mapping[str, object]:
    """Return a mapping; an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Mapping[str, object]]:
    """Return the mappings of a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts_of(value: object) -> list[str]:
    """Return the texts and numbers of a list, as texts."""
    return [str(item) for item in value if isinstance(item, str | int)] if isinstance(value, list) else []


def moment_of(value: object) -> datetime | None:
    """Return an instant of ISO 8601 in UTC; None where there is none. One without a zone is none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if found is None or found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def shown(moment: datetime | None) -> str:
    """Return an instant as people read it, with its zone; a dash where there is none."""
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname() or ''}".rstrip()
