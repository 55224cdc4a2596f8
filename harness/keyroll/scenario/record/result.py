"""What a run found: checks with their evidence, the verdict, how long its parts took; and `result.json`."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from keyroll.errors import ExitCode

RESULT_FORMAT = 1
GAPS = "longest gap between samples"
"""The name of this fact in a result."""


class Verdict(enum.Enum):
    """How a run ended."""

    PASSED = "passed"
    FAILED = "failed"
    """A check is red: the routers (or their keys) are at fault."""
    UNFIT = "unfit"
    """The run says nothing about the routers: packets were lost, or the input or the machine is unfit."""
    BROKEN = "broken"
    """The run did not get to its end: the lab or keyroll failed."""
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"
    """The lab lacks a capability that the scenario requires."""
    KNOWN_BUG = "known-bug"
    """It failed because of a bug that the scenario declares for this platform and release."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that ends with this verdict."""
        return {
            Verdict.PASSED: ExitCode.OK,
            Verdict.KNOWN_BUG: ExitCode.OK,
            Verdict.FAILED: ExitCode.BAD,
            Verdict.INTERRUPTED: ExitCode.INTERRUPTED,
        }.get(self, ExitCode.UNFIT)


@dataclass(frozen=True, slots=True)
class Check:
    """One judged expectation. `name` is its kind (`wire`), `step` its step (from 1); None for an invariant."""

    name: str
    passed: bool
    expected: str
    observed: str
    step: int | None = None
    router: str | None = None
    event: str = ""
    """The event that the check counts from: "step 3 (advance to 30m)"."""
    after: timedelta = timedelta()
    """How long after that event it was judged."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """By router, the keys that it used: by the show output and on the wire."""
    session: str | None = None
    """The session that the check is about, where the file names its sessions."""
    captured: int | None = None
    """For a red check: when (ns since 1970) the first frame that proves the fault was captured; None: no frame does."""

    @property
    def label(self) -> str:
        """The name that a mutation uses for it: `wire@4`, or `no-flap`."""
        return f"{self.name}@{self.step}" if self.step else self.name

    def is_named(self, name: str) -> bool:
        """Say whether `name` (`wire`, `wire@4`, `wire@4[v6]`) means this check."""
        own = {self.name, self.label}
        return name in own or (self.session is not None and name in {f"{one}[{self.session}]" for one in own})

    def sentence(self) -> str:
        """Return the check in a line: what was expected, what was observed, how long after what."""
        who = "".join(f" {one}" for one in (self.router, self.session) if one)
        after = f", {self.after.total_seconds():.2f} s after {self.event}" if self.event else ""
        return f"{self.label}{who}: expected {self.expected}; observed {self.observed}{after}"

    def as_data(self) -> dict[str, object]:
        """Return the check as plain data."""
        return {
            "name": self.label,
            "router": self.router,
            **({} if self.session is None else {"session": self.session}),
            "passed": self.passed,
            "expected": self.expected,
            "observed": self.observed,
            "event": self.event or None,
            "after": round(self.after.total_seconds(), 3),
            "keys": dict(self.keys),
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a mutation: it is killed if every check that it names turned red."""

    mutation: str
    named: tuple[str, ...]
    missed: tuple[str, ...]

    @property
    def killed(self) -> bool:
        """Whether every named check turned red."""
        return not self.missed


def receipt_of(mutation: str, named: Sequence[str], checks: Sequence[Check], verdict: Verdict) -> Receipt:
    """Compare the red checks with those that a mutation names. A run that broke kills no mutation."""
    red = [check for check in checks if not check.passed] if verdict is Verdict.FAILED else []
    return Receipt(
        mutation, tuple(named), tuple(name for name in named if not any(check.is_named(name) for check in red))
    )


@dataclass(frozen=True, slots=True)
class Spent:
    """How long a part of the run took. `waiting`: it waited for protocols, which keyroll cannot make faster."""

    part: str
    took: timedelta
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run."""

    scenario: str
    title: str
    source: str | None
    file: Path
    seed: int | str
    t0: datetime
    verdict: Verdict
    checks: tuple[Check, ...]
    reason: str | None
    """Why the run is unfit or broken, in a sentence."""
    folder: Path
    again: str
    """The command that runs it again."""
    spent: tuple[Spent, ...]
    took: timedelta
    facts: Mapping[str, object]
    """What was measured: judged segments, connections, scapy's findings, the longest gap between samples."""
    receipt: Receipt | None = None
    busy: bool = False
    """Whether it is unfit because the machine was too busy: a repeated run may be fit."""
    labless: bool = False
    """Whether this machine cannot run such a lab, so that other scenarios cannot have one either."""

    @property
    def red(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)

    def as_data(self) -> dict[str, object]:
        """Return the result as `result.json` holds it: stable order, comparable between two releases."""
        return {
            "format": RESULT_FORMAT,
            "scenario": self.scenario,
            "title": self.title,
            "source": self.source,
            "file": str(self.file),
            "seed": self.seed,
            "t0": self.t0.isoformat(),
            "verdict": self.verdict.value,
            "reason": self.reason,
            "mutation": None
            if self.receipt is None
            else {
                "name": self.receipt.mutation,
                "turns-red": list(self.receipt.named),
                "missed": list(self.receipt.missed),
                "killed": self.receipt.killed,
            },
            "checks": [check.as_data() for check in self.checks],
            "facts": dict(self.facts),
            "seconds": {
                "total": round(self.took.total_seconds(), 3),
                "waiting for the wire": round(sum(part.took.total_seconds() for part in self.spent if part.waiting), 3),
                "parts": [
                    {"part": part.part, "seconds": round(part.took.total_seconds(), 3), "waiting": part.waiting}
                    for part in self.spent
                ],
            },
            "again": self.again,
        }
