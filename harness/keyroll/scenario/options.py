"""The options of a run as text: read in the same way for the command line and pytest, and written as a command."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from keyroll.errors import InputError
from keyroll.scenario.file.scenario import CLOCK_YEARS

_SEED = re.compile(r"[A-Za-z0-9_.-]{1,40}")


def new_seed() -> int:
    """Return a random seed."""
    return secrets.randbelow(10**9)


def read_seed(text: str | None) -> int | str | None:
    """Read a seed from the command line: a number, or a word of 1 to 40 letters, digits, dots, hyphens, underscores.

    Raises:
        InputError: the text is neither.
    """
    if text is None:
        return None
    if not _SEED.fullmatch(text):
        raise InputError(f"invalid seed '{text}': use a number or 1-40 letters, digits, dots or hyphens")
    return int(text) if text.isdecimal() else text


def read_instant(text: str | None) -> datetime | None:
    """Read an instant in ISO form; without a zone it is UTC.

    Raises:
        InputError: it is not an instant, has fractions of a second, or is outside of `CLOCK_YEARS`.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"invalid instant '{text}': use ISO form, such as 2030-01-01T00:00:00Z") from None
    if moment.microsecond:
        raise InputError(f"invalid instant '{text}': use whole seconds, as routers' clocks are set to")
    if moment.year not in CLOCK_YEARS:
        raise InputError(
            f"invalid instant '{text}': routers' clocks take the years {CLOCK_YEARS.start} to {CLOCK_YEARS.stop - 1}"
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def command_of(
    path: Path, *, variant: str | None, seed: int | str, t0: datetime | None, mutate: str | None, more: Sequence[str]
) -> str:
    """Return the command that runs a file again, quoted for a shell."""
    words = ["keyroll", "run", f"./{path}" if str(path).startswith("-") else str(path)]
    words += ["--variant", variant] if variant else []
    words += ["--seed", str(seed)]
    words += ["--t0", f"{t0:%Y-%m-%dT%H:%M:%SZ}"] if t0 is not None else []
    words += ["--mutate", mutate] if mutate else []
    return shlex.join((*words, *more))
