"""Compare `keyroll plan` for two routers and ten years with `keyroll check` of one change date.

    python bench/bench_plan.py [--times N]

Both are processes, measured in turn from start to exit in seconds of processor time; the least value of each counts.
The check has the configurations before, between and after the first change of the plan (`--planned`). Exit code 1 if
the limit is exceeded.
"""

# ruff: noqa: INP001 -- a script, not a package
from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_check import AT, KEYROLL, best, chain_of, process_seconds, router, say  # type: ignore[import-not-found]

MOST = 10.0
"""Ten years (forty changes, each of which is checked) may take at most this many times one change date: most of that
one is starting Python and reading."""
YEARS = ("--until", "2040-01-01", "--every", "90d")
"""Ten years from 2030 on: forty changes."""


def checked(*words: str) -> float:
    """Return the processor time of a check. Exit code 1 is allowed: between the changes one router lacks a key."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([KEYROLL, "check", *words], check=False, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in {0, 1}, done.returncode  # noqa: S101 - else the bench would measure something else
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print; exit with 1 if the limit is exceeded."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--times", type=int, default=5, help="measurements, of which the least counts")
    times = options.parse_args().times
    at = ("--at", AT.isoformat())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = []
        for number in (1, 2):
            path = folder / f"N{number}.conf"
            path.write_text(router(number, [3 - number], chain_of(2)), encoding="utf-8")
            paths.append(str(path))
        planned = ("plan", *paths, *at, *YEARS, "--seed", "1", "--force", "-o", str(folder / "plan"))
        process_seconds(*planned)
        dates = sorted(path for path in (folder / "plan").iterdir() if path.is_dir())
        changes = [word for n in (1, 2) for word in ("--planned", f"N{n}={dates[0] / f'N{n}.set'}")]
        check, plan = best(
            times,
            lambda: checked(*paths, *changes, *at),
            lambda: process_seconds(*planned),
        )
    sys.stdout.write(f"one change date checked {check:.3f} s, {len(dates)} changes planned {plan:.3f} s\n")
    sys.exit(0 if say("ten years planned against one change date checked", plan / check, MOST) else 1)


if __name__ == "__main__":
    main()
