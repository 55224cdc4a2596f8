"""What a watch or a rehearsal adds to its run: the predicted rollover, what was left out or not judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keyroll.errors import ExitCode
from keyroll.report.sheet import Row, Section
from keyroll.report.values import list_of, mapping_of, moment_of, number_of, read_object, shown, text_of, texts_of

REHEARSAL = "rehearsal.json"
"""File in the run folder of a rehearsal: its verdict, which compares play with the prediction."""
_CODES = {ExitCode.OK: "passed", ExitCode.BAD: "failed", ExitCode.INTERRUPTED: "interrupted"}


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The verdict of a rehearsal: `tone` is the word for its exit code."""

    sentence: str
    tone: str
    summary: str
    routers: str
    """Both by their own names: `lion (R1) and tiger (R2)`."""
    again: str
    sections: tuple[Section, ...]


def rehearsal_of(folder: Path) -> Rehearsal | None:
    """Read what a rehearsal wrote into its run folder; None for other runs. Raises InputError: it is damaged."""
    if not (folder / REHEARSAL).is_file():
        return None
    data = read_object(folder / REHEARSAL)
    code = data.get("code")
    tone = next((word for known, word in _CODES.items() if code == int(known)), "unfit")
    return Rehearsal(
        text_of(data.get("sentence")),
        tone,
        text_of(data.get("summary")),
        " and ".join(f"{name} (R{number})" for number, name in enumerate(texts_of(data.get("routers")), start=1)),
        text_of(data.get("again")),
        tuple(_rehearsal_sections(data)),
    )


def _rehearsal_sections(data: Mapping[str, object]) -> Iterator[Section]:
    names = texts_of(data.get("routers"))
    yield Section(
        "Rehearsed",
        (
            *(f"R{number} is {name}" for number, name in enumerate(names, start=1)),
            *(f"assumed: {note}" for note in texts_of(data.get("notes"))),
        ),
        ("rollover", "predicted by keyroll check"),
        tuple(
            Row((shown(moment_of(one.get("at"))), text_of(one.get("words"))), bad=one.get("hitless_in_all") is not True)
            for one in list_of(data.get("predicted"))
        ),
    )
    wrong = tuple(texts_of(data["faults"])) if "faults" in data else ()
    if wrong:
        yield Section("Wrong in the configurations, as keyroll check finds", wrong)
    left = tuple(texts_of(data.get("left_out")))
    if left:
        yield Section("Left out, and may change the verdict", left)


def watch_sections(watch: Mapping[str, object]) -> Iterator[Section]:
    """Yield what a watch recorded of the rollover, and what it could not judge."""
    rollover = mapping_of(watch.get("rollover"))
    skew = mapping_of(watch.get("skew"))
    lines = []
    if skew:
        low, high = number_of(skew.get("low")), number_of(skew.get("high"))
        lines.append(f"The second router's clock is {low:+.1f} s to {high:+.1f} s ahead of the first's.")
    if rollover:
        lines.append(f"keyroll check predicted: {text_of(rollover.get('predicted'))}.")
    turns = list_of(rollover.get("turns"))
    if lines or turns:
        yield Section(
            "The rollover",
            tuple(lines),
            ("router", "key-chain", "key", "after", "start-time", "seen active (on this machine's clock)"),
            tuple(
                Row(
                    (
                        *(text_of(turn.get(name)) for name in ("router", "chain", "key", "after")),
                        shown(moment_of(turn.get("start"))),
                        "no" if turn.get("seen_active") is None else shown(moment_of(turn.get("seen_active"))),
                    ),
                    bad=turn.get("seen_active") is None,
                )
                for turn in turns
            ),
        )
    not_judged = tuple(texts_of(watch.get("not_judged")))
    if not_judged:
        yield Section("Not judged", not_judged)
