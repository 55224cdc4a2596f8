"""What one look has shown, as metrics for Prometheus: node_exporter's textfile collector reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from keyroll.keychain.model import Keychain
from keyroll.keychain.schedule import in_order
from keyroll.scenario.record.result import Verdict
from keyroll.watch.now import active_ids, chains_of
from keyroll.watch.sampling import Look
from keyroll.watch.state import State

Labels = Mapping[str, str]


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
            yield f"{self.name}{{{inner}}} {value:g}" if inner else f"{self.name} {value:.17g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def text_of(state: State, now: datetime) -> str:
    """Return everything as a textfile. What is not known is left out: an alert on absence tells it."""
    return "".join(f"{line}\n" for metric in metrics_of(state, now) for line in metric.lines())


def metrics_of(state: State, now: datetime) -> Iterator[Metric]:
    """Yield the metrics of one look.

    Args:
        state: what was seen.
        now: this machine's clock, for `keyroll_watch_timestamp_seconds`.
    """
    readable = state.verdict is not Verdict.UNFIT
    yield Metric(
        "keyroll_watch_readable", "Whether both routers could be read and understood.", (({}, float(readable)),)
    )
    yield Metric("keyroll_watch_timestamp_seconds", "When the look ended.", (({}, now.timestamp()),))
    looks = {} if state.seen is None else {name: some[-1] for name, some in state.seen.looks.items()}
    if not looks:
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
    yield _gauge(
        "keyroll_auth_drops_total",
        "Segments dropped by TCP due to auth errors.",
        _drops(looks),
    )
    if state.skew is not None:
        one, other = state.options.inventory.routers
        yield Metric(
            "keyroll_clock_skew_seconds",
            "How far the second router's clock is ahead of the first's.",
            (({"router": other, "of": one}, state.skew.middle.total_seconds()),),
        )


def _gauge(name: str, words: str, samples: Iterable[tuple[Labels, float]]) -> Metric:
    return Metric(name, words, tuple(samples))


def _active(looks: Mapping[str, Look]) -> Iterator[tuple[Labels, float]]:
    for router, look in looks.items():
        for name, chain in sorted(look.chains.items()):
            # -1 is no key of Junos': a chain of which no key has started yet is told apart from one that is not read.
            yield {"router": router, "chain": name}, -1 if chain.active_send is None else chain.active_send


def _starts(chain: Keychain) -> list[datetime]:
    return [key.start for key in in_order(chain) if key.start is not None]


def _next(state: State, looks: Mapping[str, Look]) -> Iterator[tuple[Labels, float]]:
    for router, chain in chains_of(state):
        if router in looks:
            coming = [start for start in _starts(chain) if start > looks[router].clock.shown]
            if coming:
                left = coming[0] - looks[router].clock.shown
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
