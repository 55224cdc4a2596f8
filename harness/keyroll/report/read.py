"""The input of `keyroll report`: a run's folder, a plan's folder, or the output of `keyroll check --json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from keyroll.errors import InputError, Where
from keyroll.report.markdown import run_markdown
from keyroll.report.page import REPORT, run_page, sheet_page
from keyroll.report.plan import PLAN, plan_sheet
from keyroll.report.prediction import prediction_sheet
from keyroll.report.run import load_run
from keyroll.report.sheet import Sheet, sheet_markdown
from keyroll.report.values import read_object

_STDIN = Path("-")
_RUN = "run.json"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a page is made of. `place` is the path that the page is written to by default, None for standard input."""

    headline: str
    page: Callable[[], str]
    markdown: Callable[[], str]
    place: Path | None


def read_subject(place: Path) -> Subject:
    """Read what a page is to be made of.

    Raises:
        InputError: it does not exist, is of another kind, or is damaged.
    """
    if place == _STDIN:
        return _of_sheet(_sheet(_standard_input(), place), None)
    if place.is_dir():
        if not (place / _RUN).is_file() and (place / PLAN).is_file():
            return _of_sheet(_sheet(read_object(place / PLAN), place / PLAN), place / REPORT)
        record = load_run(place)
        return Subject(record.headline, lambda: run_page(record), lambda: run_markdown(record), place / REPORT)
    if not place.exists():
        raise InputError(
            f"{place} is not a run folder: it does not exist", remedy="name a folder below runs/, or a JSON file"
        )
    return _of_sheet(
        _sheet(read_object(place), place), place.with_name(REPORT) if place.name == PLAN else place.with_suffix(".html")
    )


def _of_sheet(sheet: Sheet, place: Path | None) -> Subject:
    return Subject(sheet.headline, lambda: sheet_page(sheet), lambda: sheet_markdown(sheet), place)


def _sheet(data: Mapping[str, object], path: Path) -> Sheet:
    try:
        if "made-at" in data:
            return plan_sheet(data)
        return prediction_sheet(data)
    except InputError as error:
        if "scenario" in data:
            raise InputError(
                "a file of a run", where=Where.of(path), remedy=f"name its folder, {path.parent}"
            ) from error
        raise InputError(error.message, where=Where.of(path), remedy=error.remedy) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"damaged: {error}", where=Where.of(path)) from error


def _standard_input() -> Mapping[str, object]:
    try:
        found = json.loads(sys.stdin.buffer.read())
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(
            f"standard input is not JSON: {error}", remedy="keyroll check R1.conf R2.conf --json"
        ) from error
    if not isinstance(found, dict):
        raise InputError("standard input is not a JSON object", remedy="keyroll check R1.conf R2.conf --json")
    return found
