"""The options of `keyroll import` and `keyroll rehearse`, read into what is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from keyroll.cli.arguments import instant_of, length_of, read_text, read_zone, shown
from keyroll.durations import LONGEST
from keyroll.errors import InputError
from keyroll.instants import SYSTEM

if TYPE_CHECKING:
    from keyroll.configuration import Configuration
    from keyroll.scenario.importing.choice import PlannedChange
    from keyroll.scenario.importing.pair import Imported, LinkCapture

_PAUSE = "5s"
"""The default of --pause."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of both commands."""

    files: tuple[Path, ...]
    at: str | None
    session: str | None
    rollovers: int
    skew: str
    zone: str
    changes: tuple[str, ...] = ()
    pause: str | None = None
    captures: tuple[Path, ...] = ()


def imported(asked: Asked, *, keep_names: bool = False) -> Imported:
    """Read both configurations and import them; `keep_names` leaves the routers' own names in the scenario.

    Raises:
        InputError: they cannot be read, share no session that can be played, or an option is invalid.
    """
    from keyroll.scenario.importing.pair import Wanted, import_pair  # noqa: PLC0415 - `--help` stays instant

    zone = read_zone(asked.zone)
    at = SYSTEM.wall().moment.replace(microsecond=0) if asked.at is None else instant_of("--at", asked.at, zone)
    skew = _skew(asked.skew)
    configurations = _configurations(asked.files, zone)
    return import_pair(
        Wanted(
            configurations,
            at,
            session=asked.session,
            rollovers=asked.rollovers,
            skew=skew,
            commit=_commit(asked, configurations, zone),
            capture=_capture(asked, zone) if asked.captures else None,
            keep_names=keep_names,
        )
    )


def _capture(asked: Asked, zone: tzinfo) -> LinkCapture:
    from keyroll.capture.keys.config_book import ConfigSource  # noqa: PLC0415 - `--help` stays instant
    from keyroll.scenario.importing.pair import LinkCapture  # noqa: PLC0415 - `--help` stays instant

    sources = tuple(ConfigSource(shown(path), read_text(path)) for path in asked.files)
    return LinkCapture(asked.captures, sources, zone)


def _commit(asked: Asked, configurations: Sequence[Configuration], zone: tzinfo) -> PlannedChange | None:
    """Return the planned commit; None where none is given."""
    from keyroll.cli.check import planned_of  # noqa: PLC0415 - `--help` stays instant
    from keyroll.scenario.importing.choice import PlannedChange  # noqa: PLC0415 - `--help` stays instant

    if not asked.changes:
        if asked.pause is not None:
            raise InputError(
                "--pause is the time between the commits of a planned change", remedy="add --change R1=FILE"
            )
        return None
    names = {f"R{number}": one.main.name for number, one in enumerate(configurations, 1)}
    texts = [
        f"{names.get(name, name)}{equals}{file}"
        for name, equals, file in (text.partition("=") for text in asked.changes)
    ]
    changed = planned_of(configurations, texts, zone, option="--change")
    return PlannedChange(changed, length_of("--pause", asked.pause or _PAUSE))


def _skew(text: str) -> timedelta:
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    skew = sign * length_of("--skew", rest)
    if abs(skew) > LONGEST:
        raise InputError(f"invalid --skew '{text}': use at most ten years, which is as far as clocks of a lab are set")
    return skew


def _configurations(files: Sequence[Path], zone: tzinfo) -> tuple[Configuration, Configuration]:
    from keyroll.configuration import read, zone_of  # noqa: PLC0415 - `--help` stays instant

    found = []
    for path in files:
        one = read(read_text(path), shown(path), zone=zone)
        own = zone_of(one)
        found.append(one if own is None else replace(one, zone=own))
    one, other = found
    if one.main.name == other.main.name:
        raise InputError(f"both configurations are of a router named {one.main.name}", remedy="name two routers")
    return one, other
