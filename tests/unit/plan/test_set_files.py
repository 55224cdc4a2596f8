"""Set files of random plans are hitless on two simulated routers, in either order and with one router late."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from keyroll.cli.main import keyroll
from keyroll.errors import InputError

from .routers_by_text import POLICIES, Held, Simulated, assert_hitless

ROOT = "set security authentication-key-chains key-chain kc"
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
NO_OFFSET = timedelta(0)
"""The offset of the first router's clock."""
PLANNED_SEED = 5
"""A seed whose plan is not refused and adds keys."""


class Case:
    """A random pair of configurations, and the options of the plan."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        draw = self.random
        self.at = datetime(2027, draw.randint(1, 12), draw.randint(1, 28), draw.randint(0, 23), 17, tzinfo=UTC)
        self.every = draw.choice([timedelta(hours=3), DAY, 30 * DAY, 90 * DAY, 180 * DAY])
        self.tolerance = draw.choice([5, 600, 3600, 86400])
        self.skew = timedelta(seconds=draw.choice([0, 1, self.tolerance // 2, self.tolerance - 1]))
        self.texts = self._texts(list(self._keys()))
        self.options = self._options()

    def _keys(self) -> Iterator[tuple[datetime, int, int]]:
        """Yield start-time, send-id and recv-id of R1's keys: one key, a few, 64, or a chain that ran out."""
        draw = self.random
        count, spacing = draw.choice([(1, DAY), (draw.randint(2, 6), self.every), (64, DAY), (4, 30 * DAY)])
        newest = self.at - draw.choice([timedelta(), 2000 * DAY]) - timedelta(seconds=draw.randint(86400, 40 * 86400))
        if draw.random() < 0.5:
            newest += (count - 1) * spacing / 2  # some of its keys are still to come
        ids = draw.sample(range(256), 2 * count)
        equal, first = draw.random() < 0.4, draw.randint(0, 255)
        for place in range(count):
            pair = ids[2 * place], ids[2 * place + 1]
            if equal:
                pair = ((first + place) % 256,) * 2
            yield (newest - (count - 1 - place) * spacing).replace(second=draw.choice([0, 30])), *pair

    def _texts(self, keys: Sequence[tuple[datetime, int, int]]) -> list[str]:
        texts = []
        for side in (0, 1):
            zone, number = ZoneInfo(self.random.choice(ZONES)), self.random.randint(0, 63)
            lines = [f"set system host-name R{side + 1}", f"set system time-zone {zone.key}"]
            lines.append(f"{ROOT} tolerance {self.tolerance}")
            for place, (start, *ids) in enumerate(keys):
                local, key = start.astimezone(zone), f"{ROOT} key {(number + place) % 64}"
                send, recv = ids[::-1] if side else ids
                written = f"{local.year}-{local.month}-{local.day}.{local:%H:%M:%S %z}"
                lines += [f"{key} secret S{place}x", f'{key} start-time "{written}"', f"{key} algorithm ao"]
                lines += [f"{key} ao-attribute send-id {send}", f"{key} ao-attribute recv-id {recv}"]
                lines.append(f"{key} ao-attribute tcp-ao-option enabled")
            texts.append("\n".join(lines) + "\n")
        return texts

    def _options(self) -> list[str]:
        draw = self.random
        words = ["--at", self.at.isoformat(), "--skew", f"{self.skew.total_seconds():.0f}s", "--seed", "1"]
        if draw.random() < 0.2:
            return [*words, "--emergency", str(draw.choice([*Held({}).changed(self.texts[0]).keys]))]
        words += ["--until", (self.at + draw.randint(1, 6) * self.every).isoformat()]
        words += ["--every", f"{self.every.total_seconds():.0f}s", "--ahead", str(draw.choice([1, 1, 2, 4]))]
        words += draw.choice([[], ["--quarantine", "30d"], ["--ids", "equal"], ["--lead", "0s"]])
        return words


def planned(case: Case, folder: Path) -> dict[str, Any] | None:
    """Return plan.json, or None where the plan is refused."""
    for number, text in enumerate(case.texts, start=1):
        (folder / f"R{number}.conf").write_text(text)
    paths = [str(folder / f"R{number}.conf") for number in (1, 2)]
    words = ["plan", *paths, *case.options, "-o", str(folder / "plan")]
    result = CliRunner().invoke(keyroll, words, standalone_mode=False)
    if isinstance(result.exception, InputError):
        return None
    assert result.exception is None, result.exception
    return dict(json.loads((folder / "plan" / "plan.json").read_text()))


def states(case: Case, data: dict[str, Any], folder: Path) -> list[list[Held]]:
    """Return by router what it holds before the first change and after each; rollback files must undo each change."""
    found = []
    for number, text in enumerate(case.texts, start=1):
        held = [Held({}).changed(text)]
        for change in data["changes"]:
            files = folder / "plan" / change["folder"]
            held.append(held[-1].changed((files / f"R{number}.set").read_text()))
            ids = [value for one in held[-1].in_order() for value in {one.send, one.recv}]
            assert len(set(ids)) == len(ids), "no id twice"
            assert len(held[-1].keys) <= 64
            back = held[-1].changed((files / f"R{number}.rollback.set").read_text())
            assert back.in_order() == held[-2].in_order()
        found.append(held)
    return found


def instants(case: Case, data: dict[str, Any]) -> tuple[list[datetime], list[datetime]]:
    """Return when each router is changed: one early or as planned, the other up to as late as the plan allows."""
    times: tuple[list[datetime], list[datetime]] = ([], [])
    for change in data["changes"]:
        earliest, planned_for = (datetime.fromisoformat(change[name]) for name in ("earliest", "planned"))
        latest = change["latest"]
        last = datetime.fromisoformat(latest) - MOMENT if latest else planned_for + timedelta(minutes=15)
        first = case.random.choice([earliest, planned_for])
        pair = [first, first + case.random.choice([0, case.random.random(), 1]) * (last - first)]
        case.random.shuffle(pair)
        for own, instant in zip(times, pair, strict=True):
            own.append(max([instant, *own[-1:]]))
    return times


@pytest.mark.parametrize("seed", [*range(1, 12), *(pytest.param(n, marks=pytest.mark.slow) for n in range(12, 600))])
def test_set_files_are_hitless_whichever_router_is_first_and_however_late_the_other_is(
    seed: int, tmp_path: Path
) -> None:
    case = Case(seed)
    data = planned(case, tmp_path)
    if data is None or not data["changes"]:
        return
    held = states(case, data, tmp_path)
    times = instants(case, data)
    end = max(one.start for one in held[0][-1].in_order()) + 3 * DAY
    end = max(end, *(instant for own in times for instant in own))
    timelines = [list(zip([case.at, *own], kept, strict=True)) for own, kept in zip(times, held, strict=True)]
    for mix, skew in itertools.product(itertools.product(POLICIES, POLICIES), (-case.skew, case.skew)):
        one = Simulated(timelines[0], NO_OFFSET, mix[0])
        assert_hitless(one, Simulated(timelines[1], skew, mix[1]), case.at, end)


def test_the_simulation_detects_a_key_that_one_router_lacks(tmp_path: Path) -> None:
    """A test of the simulation that judges the set files: it must fail if one router never gets them."""
    case = Case(PLANNED_SEED)
    data = planned(case, tmp_path)
    assert data is not None
    held = states(case, data, tmp_path)
    at = case.at
    changed = held[0][1]
    one = Simulated([(at, held[0][0]), (at + MOMENT, changed)], NO_OFFSET, ("clock", "any"))
    other = Simulated([(at, held[1][0])], NO_OFFSET, ("clock", "any"))
    end = changed.in_order()[-1].start + DAY
    with pytest.raises(AssertionError, match="is known 0 times"):
        assert_hitless(one, other, at, end)
