"""Run folders as a run writes them, made here so that each test shows the content that it is about."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

STARTED = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
T0 = datetime(2030, 1, 1, tzinfo=UTC)


class Folder:
    """Writes a run folder: two routers roll over 3 s after the start, when their clocks are set 30 minutes forward."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[dict[str, object]] = []
        self.checks: list[dict[str, object]] = []
        self.names = ("R1", "R2")

    def clock(self, after: float) -> datetime:
        if after < 1:
            return STARTED + timedelta(seconds=after)
        jumped = timedelta(minutes=30) if after >= 3 else timedelta()
        return T0 + timedelta(seconds=after - 1) + jumped

    def event(self, after: float, kind: str, text: str, router: str | None = None, **data: object) -> None:
        clocks = {name: self.clock(after).isoformat() for name in self.names}
        at = (STARTED + timedelta(seconds=after)).isoformat()
        self.events.append(
            {"at": at, "after": after, "kind": kind, "router": router, "text": text, "clocks": clocks, "data": data}
        )

    def check(self, after: float, name: str, router: str | None, *, passed: bool, observed: str = "seen") -> None:
        self.event(after, "check", f"{name}: {observed}", router, name=name, passed=passed)
        self.checks.append(
            {
                "name": name,
                "router": router,
                "passed": passed,
                "expected": "what must be",
                "observed": observed,
                "event": None,
                "after": 0.5,
                "keys": {"R1": "key 0"},
            }
        )

    def usual(self) -> None:
        """A whole run of one session."""
        for router in self.names:
            self.event(1, "clock", "set date 203001010000.00", router)
            self.event(1.2, "commit", "commit", router)
            self.event(1.5, "wire", "bgp: sends key 0 (KeyID 1, RNextKeyID 2)", router, key=0)
            self.event(1.6, "session", "bgp Established, 0 flaps", router)
        self.event(2, "step", "step 1: apply routers: [R1, R2]")
        for router in self.names:
            self.event(3, "clock", "set date 203001010030.00", router)
            self.event(3.2, "wire", "bgp: sends key 1 (KeyID 3, RNextKeyID 4)", router, key=1)
        self.event(4, "step", "step 2: expect active: 1")
        self.event(6, "lab", "lab is given back")

    def outputs(self, lines: list[dict[str, object]]) -> None:
        (self.path / "exchanges.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def answer(self, after: float, host: str, command: str, raw: str) -> dict[str, object]:
        start = (STARTED + timedelta(seconds=after)).isoformat()
        return {
            "host": host,
            "command": command,
            "start": start,
            "end": start,
            "raw": raw,
            "parsed": None,
            "error": None,
        }

    def write(self, verdict: str | None = "passed", *, reason: str | None = None, title: str = "A rollover") -> Path:
        again = "keyroll run x.yaml --seed 7"
        self.path.mkdir(exist_ok=True)
        (self.path / "run.json").write_text(json.dumps({"scenario": "x", "seed": 7, "keyroll": "2.0", "again": again}))
        (self.path / "timeline.jsonl").write_text("".join(json.dumps(event) + "\n" for event in self.events))
        (self.path / "R1.conf").write_text("set system host-name R1\n")
        chains = {
            "name": "kc",
            "keys": [
                {"id": 0, "start": T0.isoformat(), "send": 1, "recv": 2},
                {"id": 1, "start": (T0 + timedelta(minutes=30)).isoformat(), "send": 3, "recv": 4},
            ],
        }
        (self.path / "chains.json").write_text(json.dumps({"format": 1, "routers": {"R1": [chains]}}))
        if verdict is not None:
            result = {
                "format": 1,
                "scenario": "x",
                "title": title,
                "seed": 7,
                "t0": T0.isoformat(),
                "verdict": verdict,
                "reason": reason,
                "checks": self.checks,
                "facts": {"longest gap between samples": {"R1": 0.25}},
                "seconds": {"total": 6.0},
                "again": again,
            }
            (self.path / "result.json").write_text(json.dumps(result))
        return self.path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "20261201T020000Z-x-7")
    made.path.mkdir()
    return made
