"""Compare making the page of a long run with reading the run's JSON, and measure the page's size.

    python bench/bench_report.py [--keep FOLDER]

The run (written here) lasts twenty minutes: 64 keys on two routers, two sessions, four samples a second.
"""

# ruff: noqa: INP001 - a script, not a package
from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from keyroll.report.page import run_page
from keyroll.report.run import load_run

RATIO_MAX = 10.0
"""A page may take at most this many times as long as loading the run's JSON: a few seconds for the longest runs."""
OCTETS_MAX = 2_000_000
"""Largest page of a run of ten minutes, in octets: it goes into mails and tickets."""
MINUTES = 20
"""Of the run whose page is timed: longer than most, so that the time is well above the clock's resolution."""
SHORT_MINUTES = 10
"""Of the run whose page's size has a limit."""
KEYS = 64
"""As many as a chain of Junos can have."""
STARTED = datetime(2026, 12, 1, 2, tzinfo=UTC)
T0 = datetime(2030, 1, 1, tzinfo=UTC)
KEY_EVERY = timedelta(minutes=30)
"""From one start-time to the next, on the routers' clocks."""
ROUTERS = ("R1", "R2")
SESSIONS = ("bgp", "ldp")
SAMPLES_A_SECOND = 4
"""As a real run samples (once each quarter of a second)."""
TIMES = 3
"""Measurements, of which the least counts: what else runs on the machine only adds to it."""


def main() -> int:
    """Measure and print; return 1 if a limit is exceeded, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="leave the run folder and its page here")
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as place:
        folder = keep or Path(place) / "run"
        write_run(folder, minutes=MINUTES)
        read = seconds_of(lambda: load_json(folder))
        made = seconds_of(lambda: run_page(load_run(folder)))
        page = run_page(load_run(folder))
        (folder / "report.html").write_text(page, encoding="utf-8")
        short = Path(place) / "short"
        write_run(short, minutes=SHORT_MINUTES)
        octets = len(run_page(load_run(short)).encode())
    ratio = made / read
    sys.stdout.write(
        f"reading the JSON {read:.2f} s, the page {made:.2f} s: {ratio:.1f} times (at most {RATIO_MAX:g})\n"
        f"{len(page.encode()) / 1e6:.2f} MB for {MINUTES} minutes, {octets / 1e6:.2f} MB for {SHORT_MINUTES} "
        f"(at most {OCTETS_MAX / 1e6:g})\n"
    )
    return int(ratio > RATIO_MAX or octets > OCTETS_MAX)


def seconds_of(work: Callable[[], object]) -> float:
    """Return the processor seconds of one call, the least of TIMES."""
    took = []
    for _ in range(TIMES):
        begun = time.process_time()
        work()
        took.append(time.process_time() - begun)
    return min(took)


def load_json(folder: Path) -> None:
    """Read every JSON document and line of a run folder."""
    for path in folder.glob("*.json"):
        json.loads(path.read_text("utf-8"))
    for path in folder.glob("*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            json.loads(line)


def write_run(folder: Path, *, minutes: int, keys: int = KEYS) -> None:
    """Write a run folder like that of a real run of `minutes`."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds = minutes * 60
    checks = list(checks_of(keys))
    write(folder / "run.json", {"scenario": "64-keys", "seed": 7, "keyroll": "2.0", "again": "keyroll run 64.yaml"})
    write(
        folder / "result.json",
        {
            "format": 1,
            "scenario": "64-keys",
            "title": f"{keys} keys take over one after the other",
            "seed": 7,
            "t0": T0.isoformat(),
            "verdict": "passed",
            "reason": None,
            "checks": checks,
            "facts": {"longest gap between samples": dict.fromkeys(ROUTERS, 0.25)},
            "seconds": {"total": float(seconds)},
            "again": "keyroll run 64.yaml --seed 7",
        },
    )
    write(folder / "chains.json", {"format": 1, "routers": {router: [chain(keys)] for router in ROUTERS}})
    write(folder / "wire.json", {"format": 1, "seconds": list(wire(seconds, keys))})
    lines(
        folder / "timeline.jsonl", sorted(events(seconds, keys, checks), key=lambda event: float(str(event["after"])))
    )
    lines(folder / "exchanges.jsonl", outputs(seconds))
    for router in ROUTERS:
        (folder / f"{router}.conf").write_text("".join(f"set system host-name {router}\n" for _ in range(900)))


def write(path: Path, data: object) -> None:
    """Write a JSON document."""
    path.write_text(json.dumps(data), encoding="utf-8")


def lines(path: Path, items: Iterator[dict[str, object]] | list[dict[str, object]]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")


def chain(keys: int) -> dict[str, object]:
    """Return a chain in the form of chains.json."""
    numbers = [
        {"id": key, "start": (T0 + key * KEY_EVERY).isoformat(), "send": 2 * key + 1, "recv": 2 * key + 2}
        for key in range(keys)
    ]
    return {"name": "KC", "keys": numbers}


def key_at(after: float, seconds: float, keys: int) -> int:
    """Return the key in use `after` seconds: the keys share the run's time equally."""
    return min(keys - 1, int(after / seconds * keys))


def clock(after: float, seconds: float, keys: int) -> datetime:
    """Return the reading of the routers' clocks, which are set to each key's start-time in turn."""
    key = key_at(after, seconds, keys)
    return T0 + key * KEY_EVERY + timedelta(seconds=after - key * seconds / keys)


def events(seconds: float, keys: int, checks: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    """Yield the lines of the timeline, not sorted by time."""
    for key in range(keys):
        begin = key * seconds / keys

        def event(after: float, kind: str, text: str, router: str | None = None, **data: object) -> dict[str, object]:
            reading = clock(after, seconds, keys).isoformat()
            return {
                "at": (STARTED + timedelta(seconds=after)).isoformat(),
                "after": round(after, 3),
                "kind": kind,
                "router": router,
                "text": text,
                "clocks": dict.fromkeys(ROUTERS, reading),
                "data": data,
            }

        yield event(begin, "step", f"step {2 * key + 1}: advance to: {30 * key}m")
        yield event(begin + 0.3, "step", f"step {2 * key + 2}: expect active: {key}")
        for router in ROUTERS:
            yield event(begin + 0.001, "clock", "set date 203001010000.00", router)
            yield event(begin + 0.1, "command", "show security keychain", router)
            for session in SESSIONS:
                ids = f"(KeyID {2 * key + 1}, RNextKeyID {2 * key + 2})"
                yield event(begin + 0.4, "wire", f"{session}: sends key {key} {ids}", router, key=key)
            if key == 0:
                yield event(0.2, "commit", "commit", router)
                yield event(0.3, "session", "bgp Established, 0 flaps; ldp Operational, 0 flaps", router)
        for check in checks[key * 8 : key * 8 + 8]:
            yield event(
                begin + 0.5, "check", f"ok: {check['name']}", str(check["router"]), name=check["name"], passed=True
            )


def checks_of(keys: int) -> Iterator[dict[str, object]]:
    """Yield the checks as result.json has them, eight for each key."""
    for key in range(keys):
        for name in ("active", "next", "wire", "bgp"):
            for router in ROUTERS:
                yield {
                    "name": f"{name}@{2 * key + 2}",
                    "router": router,
                    "passed": True,
                    "expected": f"data signed with key {key} and acknowledged by a verified segment",
                    "observed": f"key {key} (KeyID {2 * key + 1}, RNextKeyID {2 * key + 2})",
                    "event": f"step {2 * key + 1} (advance to: {30 * key}m)",
                    "after": 0.5,
                    "keys": dict.fromkeys(ROUTERS, f"shows active {key}"),
                }


def wire(seconds: int, keys: int) -> Iterator[dict[str, object]]:
    """Yield the account of the captures by key and second."""
    for second in range(seconds):
        for router in ROUTERS:
            for session in SESSIONS:
                counts = {"segments": 3, "bad": 0, "syn-rst": int(second == 0)}
                key = str(key_at(second, seconds, keys))
                yield {"second": second, "sender": router, "session": session, "key": key, **counts}


def outputs(seconds: int) -> Iterator[dict[str, object]]:
    """Yield the exchanges of the samplers."""
    for tick in range(seconds * SAMPLES_A_SECOND):
        at = (STARTED + timedelta(seconds=tick / SAMPLES_A_SECOND)).isoformat()
        for router in ROUTERS:
            for command in ("show bgp summary", "show ldp session"):
                yield {"host": router, "command": command, "start": at, "end": at, "raw": "x" * 600, "error": None}


if __name__ == "__main__":
    sys.exit(main())
