"""Many runs on one page: a matrix of scenarios by lab, red first, compared with an earlier night.

A night is read from its run folders, or from the `night.json` that an earlier `--index` wrote. Each scenario's variant
(or mutation) counts once for each lab: if it was played again, the last run counts, and the page says how often.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from keyroll.errors import InputError, Where
from keyroll.markdown_table import table
from keyroll.report.chart import short
from keyroll.report.page import CAUSE, render, run_page
from keyroll.report.run import KILLED, load_run, read_run_json
from keyroll.report.text import escaped
from keyroll.report.values import list_of, read_object

NIGHT = "night.json"
_CELLS = "cells"
_FORMAT = 1
DAMAGED = "damaged"
"""The verdict of a run folder that cannot be read: its run may be red."""
_RANK = ("failed", "broken", KILLED, DAMAGED, "unfit", "interrupted", "known-bug", "skipped", "passed")
"""Verdicts in the order in which a reader must see them."""
_STORED = ("scenario", "lab", "verdict", "reason", "seconds", "folder", "again", "played", "page")
"""The fields of a cell in `night.json`."""
_GOOD = frozenset({"passed", "skipped", "known-bug"})
_SLOWER = 1.5
"""A run counts as slower if it took this many times as long as in the earlier night: less can come from the machine."""
_SLOWER_SECONDS = 5.0
"""Seconds by which a slower run must also be longer: a short run may take twice as long by chance."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario on one lab. `seconds` is what its last run took, `played` the number of its runs."""

    scenario: str
    lab: str
    verdict: str
    reason: str
    seconds: float
    folder: str
    again: str
    played: int = 1
    page: str = field(default="", compare=False)
    """The path of its page, empty if there is none; in `night.json` the name of a file beside it."""

    @property
    def rank(self) -> int:
        """Its place in the order of verdicts: the lower, the more important to the reader."""
        return _RANK.index(self.verdict) if self.verdict in _RANK else 0


@dataclass(frozen=True, slots=True)
class Night:
    """All cells, by scenario and lab."""

    cells: Mapping[tuple[str, str], Cell]

    @property
    def labs(self) -> list[str]:
        """The columns."""
        return sorted({lab for _, lab in self.cells})

    @property
    def scenarios(self) -> list[str]:
        """The rows, those with the worst verdict first."""
        worst: dict[str, int] = {}
        for cell in self.cells.values():
            worst[cell.scenario] = min(worst.get(cell.scenario, len(_RANK)), cell.rank)
        return sorted(worst, key=lambda name: (worst[name], name))

    def counts(self) -> dict[str, int]:
        """Return how many cells have each verdict, the worst first."""
        found = dict.fromkeys(_RANK, 0)
        for cell in self.cells.values():
            found[cell.verdict] = found.get(cell.verdict, 0) + 1
        return {verdict: number for verdict, number in found.items() if number}


@dataclass(frozen=True, slots=True)
class Change:
    """How a cell changed since the earlier night, in words."""

    cell: Cell
    words: str


def read_night(place: Path) -> Night:
    """Read a night: its `night.json`, or all run folders and nights in a folder, at any depth.

    Nights of several machines become one. A run that is there as a folder and in a night counts once.

    Raises:
        InputError: there is no run in it, or a file is damaged.
    """
    if (place / NIGHT).is_file():
        return _stored(place / NIGHT)
    found: dict[tuple[str, str, str], Cell] = {}
    for night in sorted(place.rglob(NIGHT)):
        found |= {_run_of(cell): cell for cell in _stored(night).cells.values()}
    for run in sorted(path.parent for path in place.rglob("run.json")):
        cell = _cell_or_damaged(run)
        found[_run_of(cell) if _run_of(cell) in found else ("", "", str(run))] = cell
    if not found:
        raise InputError(f"no run folder in {place}", remedy="name a folder that holds runs, such as runs/")
    # A run folder's name begins with its time, so the last run of a scenario comes last, and counts.
    return _gathered(sorted(found.values(), key=lambda cell: Path(cell.folder).name))


def _run_of(cell: Cell) -> tuple[str, str, str]:
    """Return what identifies a run, also after its folder has been moved."""
    return cell.scenario, cell.lab, Path(cell.folder).name


def _cell_or_damaged(folder: Path) -> Cell:
    """Return a run's cell. A damaged folder has a cell with that verdict, so that the other runs are still shown."""
    try:
        return cell_of(folder)
    except InputError as error:
        return Cell(folder.name, "not known", DAMAGED, str(error), 0.0, str(folder), "")


def _gathered(cells: Iterable[Cell]) -> Night:
    found: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        before = found.get((cell.scenario, cell.lab))
        found[cell.scenario, cell.lab] = replace(cell, played=before.played + cell.played) if before else cell
    return Night(found)


def cell_of(folder: Path) -> Cell:
    """Read one run's cell from its folder. Raises InputError where a file is damaged."""
    run = read_run_json(folder)
    result = read_object(folder / "result.json") if (folder / "result.json").is_file() else {}
    mutation = run.get("mutation")
    receipt = result.get("mutation")
    verdict = KILLED if result.get("ended") is False else str(result.get("verdict", KILLED))
    if isinstance(receipt, dict) and verdict in ("passed", "failed"):
        # A mutation must be killed, which means that its run is red. A run that has not ended, or that broke, shows
        # nothing about it.
        verdict = "passed" if receipt.get("killed") is True else "failed"
    seconds = result.get("seconds")
    variant = run.get("variant")
    name = (
        str(run.get("scenario", folder.name))
        + (f"[{variant}]" if variant else "")
        + (f"~{mutation}" if mutation else "")
    )
    return Cell(
        name,
        str(run.get("lab") or "not known"),
        verdict,
        _reason(verdict, result),
        float(seconds.get("total", 0.0)) if isinstance(seconds, dict) else 0.0,
        str(folder),
        str(result.get("again") or run.get("again", "")),
    )


def _reason(verdict: str, result: Mapping[str, object]) -> str:
    """Return why a run is not green in a sentence: its own reason, or the red check that names the cause."""
    if result.get("reason"):
        return str(result["reason"])
    if verdict == KILLED:
        return "it ended without a verdict"
    red = [check for check in list_of(result.get("checks")) if check.get("passed") is not True]
    if verdict not in ("failed", "known-bug") or not red:
        return ""
    first = min(red, key=lambda check: check.get("name") != CAUSE)
    more = f" (and {len(red) - 1} more red checks)" if len(red) > 1 else ""
    return f"{first.get('name')} {first.get('router') or ''}: {first.get('observed')}{more}"


def _stored(path: Path) -> Night:
    data = read_object(path)
    if data.get("format") != _FORMAT:
        raise InputError(f"invalid format: use a night.json of format {_FORMAT}", where=Where.of(path))
    cells = data.get("cells")
    try:
        read = [Cell(**cell) for cell in cells] if isinstance(cells, list) else []
        return _gathered(replace(cell, page=_beside(path, cell.page)) for cell in read)
    except TypeError as error:
        raise InputError(f"damaged: {error}", where=Where.of(path)) from error


def _beside(night: Path, name: str) -> str:
    """Return the path of a page that a `night.json` names; empty if there is no such page beside it."""
    page = night.parent / Path(name).name
    return str(page) if name and page.suffix == ".html" and page.is_file() else ""


def add_to_night(night: Path, folder: Path) -> None:
    """Add a run's page and cell to a night that is not finished yet. Several processes may do so at once.

    Raises:
        InputError: the run folder is damaged.
        OSError: the files cannot be written.
    """
    cell = replace(cell_of(folder), page=f"{folder.name}.html")
    (night / _CELLS).mkdir(parents=True, exist_ok=True)
    (night / f"{folder.name}.html").write_text(run_page(load_run(folder)), encoding="utf-8")
    (night / _CELLS / f"{folder.name}.json").write_text(stored(Night({("", ""): cell})), encoding="utf-8")


def finish_night(night: Path, before: Night | None = None) -> Night:
    """Write index.html and night.json of the runs that were added. Raises InputError or OSError."""
    parts = sorted((night / _CELLS).glob("*.json"))
    found = _gathered(cell for part in parts for cell in _stored(part).cells.values())
    links = {cell.folder: f"{Path(cell.folder).name}.html" for cell in found.cells.values()}
    found = Night({key: replace(cell, page=links[cell.folder]) for key, cell in found.cells.items()})
    (night / "index.html").write_text(night_page(found, links, before), encoding="utf-8")
    (night / NIGHT).write_text(stored(found), encoding="utf-8")
    for part in parts:
        part.unlink()
    (night / _CELLS).rmdir()
    return found


def stored(night: Night) -> str:
    """Return a night as the text of `night.json`, with which a later night is compared."""
    cells = [{name: getattr(cell, name) for name in _STORED} for cell in night.cells.values()]
    return json.dumps({"format": _FORMAT, "cells": cells}, indent=1, ensure_ascii=False) + "\n"


def changes(night: Night, before: Night) -> Iterator[Change]:
    """Yield what is newly red, newly green, no longer played, slower, new or gone, in this order."""
    both = [(cell, before.cells[key]) for key, cell in night.cells.items() if key in before.cells]
    for cell, old in both:
        if cell.verdict not in _GOOD and old.verdict in _GOOD:
            yield Change(cell, f"newly {cell.verdict} (was {old.verdict})")
    for cell, old in both:
        if cell.verdict in _GOOD and old.verdict not in _GOOD:
            yield Change(cell, f"newly {cell.verdict} (was {old.verdict})")
    for cell, old in both:
        if cell.verdict == "skipped" and old.verdict in _GOOD - {"skipped"}:
            yield Change(cell, f"no longer played: {cell.reason or 'skipped'} (was {old.verdict})")
    for cell, old in both:
        if cell.seconds > _SLOWER * old.seconds and cell.seconds - old.seconds > _SLOWER_SECONDS:
            yield Change(cell, f"slower: {cell.seconds:.0f} s (was {old.seconds:.0f} s)")
    yield from (
        Change(cell, "not in the earlier night") for key, cell in night.cells.items() if key not in before.cells
    )
    yield from (Change(cell, "not played this time") for key, cell in before.cells.items() if key not in night.cells)


def headline(night: Night) -> str:
    """Return the night in a sentence."""
    counts = ", ".join(f"{number} {verdict}" for verdict, number in night.counts().items())
    return f"{_tone(night)[0]}  {len(night.cells)} run{'' if len(night.cells) == 1 else 's'}: {counts}"


def _tone(night: Night) -> tuple[str, str]:
    """Return the verdict of a night, and the run verdict whose colour it has. A night not all judged is not green."""
    found = set(night.counts())
    if "failed" in found:
        return "RED", "failed"
    if found - _GOOD:
        return "NOT ALL JUDGED", "unfit"
    return ("GREEN", "passed") if found - {"skipped"} else ("NOTHING PLAYED", "unfit")


def night_page(night: Night, links: Mapping[str, str], before: Night | None = None) -> str:
    """Return the page. `links` has, by run folder, the path of its report relative to the page."""
    found = list(changes(night, before)) if before is not None else None
    bad = [cell for cell in _by_rank(night) if cell.verdict not in _GOOD]
    skipped = [cell for cell in _by_rank(night) if cell.verdict == "skipped"]
    total = sum(cell.seconds for cell in night.cells.values())
    slowest = sorted(night.cells.values(), key=lambda cell: -cell.seconds)[:20]
    return render(
        "night.html.j2",
        headline=headline(night),
        tone=_tone(night)[1],
        night=night,
        links=links,
        changes=found,
        bad=bad,
        skipped=skipped,
        total=short(timedelta(seconds=round(total))),
        slowest=slowest,
    )


def _by_rank(night: Night) -> Sequence[Cell]:
    return sorted(night.cells.values(), key=lambda cell: (cell.rank, cell.scenario, cell.lab))


def night_markdown(night: Night, before: Night | None = None) -> str:
    """Return the night for a run's summary page: the sentence, what is not green, what changed."""
    lines = [f"## {escaped(headline(night))}", ""]
    bad = [cell for cell in _by_rank(night) if cell.verdict not in _GOOD]
    if bad:
        rows = ((cell.scenario, cell.lab, cell.verdict, cell.reason, cell.again) for cell in bad)
        lines += table(("scenario", "lab", "verdict", "why", "again"), (tuple(map(escaped, row)) for row in rows))
        lines.append("")
    if before is not None:
        found = list(changes(night, before))
        lines += [f"- {escaped(f'{change.cell.scenario} on {change.cell.lab}: {change.words}')}" for change in found]
    return "\n".join(lines) + "\n"
