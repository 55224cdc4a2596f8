"""What one look has shown, as metrics for Prometheus: node_exporter's textfile collector reads them.

The file is written after every look, also after one that could not be taken: otherwise its old values would look like
present ones. Only the time of the last success is copied from the old file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from keyroll.errors import InputError, Where
from keyroll.keychain.model import Keychain
from keyroll.keychain.schedule import in_order, next_key
from keyroll.watch.one_look import active_ids, chains_of
from keyroll.watch.sampling import Look
from keyroll.watch.state import State

Labels = Mapping[str, str]
_READABLE_BY_ALL = 0o644
"""Readable by all: the collector runs as another user, and the metrics hold no secret."""
_LAST_SUCCESS = "keyroll_watch_last_success_timestamp_seconds"
_OLD_SUCCESS = re.compile(rf"^{_LAST_SUCCESS} (\d{{1,12}}(?:\.\d{{1,9}})?)$", re.MULTILINE)
_OLD_MAX = 1 << 20
"""Octets that are read of the existing file. Ours have some thousands: a larger one is not ours."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name, what it says, and its samples."""

    name: str
    help: str
    samples: tuple[tuple[Labels, float], ...]

    def lines(self) -> Iterator[str]:
        """Yield it in Prometheus' text format; nothing where it has no samples."""
        if not self.samples:
            return
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {'counter' if self.name.endswith('_total') else 'gauge'}"
        for labels, value in self.samples:
            inner = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            yield f"{self.name}{{{inner}}} {_number(value)}" if inner else f"{self.name} {_number(value)}"


def _number(value: float) -> str:
    # All digits: a counter that is rounded to six digits would not move for a while, and then jump.
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write(path: Path, state: State | None, now: datetime) -> None:
    """Write the metrics of one look whole or not at all: the collector may read at any moment.

    Args:
        path: the file; the time of the last success is copied from the existing one.
        state: what was seen; None: nothing, since the inventory or an option is wrong.
        now: this machine's clock.

    Raises:
        InputError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.new")  # the collector reads only `*.prom`
    try:
        beside.write_text(text_of(state, now, succeeded=_succeeded(path)), "utf-8")
        beside.chmod(_READABLE_BY_ALL)
        beside.replace(path)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=Where.of(path)) from None


def _succeeded(path: Path) -> float | None:
    """Return when a look last succeeded, from the existing file; None where there is none, or it does not say."""
    try:
        with path.open("rb") as file:
            found = _OLD_SUCCESS.search(file.read(_OLD_MAX).decode("utf-8", "replace"))
    except OSError:
        return None
    return float(found[1]) if found is not None else None


def text_of(state: State | None, now: datetime, *, succeeded: float | None = None) -> str:
    """Return everything as a textfile. Unknown values are left out: an alert on absence reports them."""
    return "".join(f"{line}\n" for metric in metrics_of(state, now, succeeded) for line in metric.lines())


def metrics_of(state: State | None, now: datetime, succeeded: float | None = None) -> Iterator[Metric]:
    """Yield the metrics of one look.

    Args:
        state: what was seen; None: nothing could be read.
        now: this machine's clock, for the time stamps.
        succeeded: when a look last succeeded before this one (seconds since 1970); None: not known.
    """
    names = () if state is None else tuple(state.options.inventory.routers)
    looks = {} if state is None or state.seen is None else {name: some[-1] for name, some in state.seen.looks.items()}
    readable = bool(names) and all(name in looks for name in names)
    yield _gauge("keyroll_watch_readable", "Whether both routers could be read and understood.", [({}, readable)])
    yield _gauge("keyroll_watch_timestamp_seconds", "When the look ended.", [({}, now.timestamp())])
    last = now.timestamp() if readable else succeeded
    yield _gauge(_LAST_SUCCESS, "When both routers could last be read.", [] if last is None else [({}, last)])
    yield _gauge(
        "keyroll_router_readable",
        "Whether this router could be read and understood.",
        [({"router": name}, name in looks) for name in names],
    )
    if state is None or not looks:
        return
    yield _gauge("keyroll_key_active", "The key number that a router sends with, by its key clock.", _active(looks))
    yield _gauge(
        "keyroll_next_start_seconds", "Seconds to the next start-time, on the router's clock.", _next(state, looks)
    )
    yield _gauge(
        "keyroll_chain_runs_out_seconds",
        "Seconds to the last start-time of the chain; then no key follows (0: none does).",
        _runs_out(state, looks),
    )
    yield _gauge("keyroll_sides_differ", "Whether the active keys do not belong together.", _differ(state))
    yield _gauge("keyroll_session_up", "Whether the router shows the session as up.", _up(looks))
    yield _gauge("keyroll_auth_drops_total", "Segments dropped by TCP due to auth errors.", _drops(looks))
    yield _gauge(
        "keyroll_clock_set_by_ntp", "Whether NTP sets the clock, where NTP is configured.", _by_ntp(state, looks)
    )
    if state.skew is not None:
        one, other = names
        yield _gauge(
            "keyroll_clock_skew_seconds",
            "How far the second router's clock is ahead of the first's.",
            [({"router": other, "of": one}, state.skew.middle.total_seconds())],
        )


def _gauge(name: str, words: str, samples: Iterable[tuple[Labels, float]]) -> Metric:
    return Metric(name, words, tuple(samples))


def _active(looks: Mapping[str, Look]) -> Iterator[tuple[Labels, float]]:
    for router, look in looks.items():
        for name, chain in sorted(look.chains.items()):
            # -1 is not a key number of Junos: it means that no key has started, and differs from a chain that was not
            # read.
            yield {"router": router, "chain": name}, -1 if chain.active_send is None else chain.active_send


def _starts(chain: Keychain) -> list[datetime]:
    return [key.start for key in in_order(chain) if key.start is not None]


def _next(state: State, looks: Mapping[str, Look]) -> Iterator[tuple[Labels, float]]:
    for router, chain in chains_of(state):
        if router in looks:
            now = looks[router].clock.shown
            key = next_key(chain, now)
            if key is not None and key.start is not None:
                left = key.start - now
                yield {"router": router, "chain": chain.name}, left.total_seconds()


def _runs_out(state: State, looks: Mapping[str, Look]) -> Iterator[tuple[Labels, float]]:
    for router, chain in chains_of(state):
        starts = _starts(chain)
        if router in looks and starts:
            left = (starts[-1] - looks[router].clock.shown).total_seconds()
            yield {"router": router, "chain": chain.name}, max(0.0, left)


def _differ(state: State) -> Iterator[tuple[Labels, float]]:
    for name, (one, other) in active_ids(state).items():
        if one is not None and other is not None:
            yield {"session": name}, float(one != other[::-1])


def _up(looks: Mapping[str, Look]) -> Iterator[tuple[Labels, float]]:
    for router, look in looks.items():
        for name, sample in look.samples.items():
            yield {"router": router, "session": name}, float(sample.up)


def _drops(looks: Mapping[str, Look]) -> Iterator[tuple[Labels, float]]:
    for router, look in looks.items():
        for way, count in zip(("sent", "received"), look.dropped, strict=True):
            yield {"router": router, "direction": way}, count


def _by_ntp(state: State, looks: Mapping[str, Look]) -> Iterator[tuple[Labels, float]]:
    for router, look in looks.items():
        if state.situation is not None and state.situation.uses_ntp(router):
            yield {"router": router}, look.clock.by_ntp
