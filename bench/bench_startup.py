"""Compare the start of `keyroll --help` with a Python that only imports click.

Both are started in turns, N times each, after one start that reads their files from the disk; the medians are compared.
"""

# ruff: noqa: INP001 - a script, not a package
from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

MOST = 1.5
"""Help may take at most this many times the import of click, the library that it cannot do without."""
CLICK = (sys.executable, "-c", "import click")
HELP = (str(Path(sys.executable).with_name("keyroll")), "--help")


def seconds(command: tuple[str, ...]) -> float:
    """Return how long a command takes."""
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main() -> int:
    """Measure and print; return 0 if the ratio is within its limit, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="starts of each, of which the median counts")
    times = parser.parse_args().times
    for command in (CLICK, HELP):
        seconds(command)  # the first one reads files from the disk
    pairs = [(seconds(HELP), seconds(CLICK)) for _ in range(times)]
    helps, clicks = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = helps / clicks
    sys.stdout.write(f"keyroll --help {1000 * helps:.0f} ms, python -c 'import click' {1000 * clicks:.0f} ms\n")
    sys.stdout.write(f"help over click: {ratio:.2f} (limit {MOST:.1f}) {'ok' if ratio <= MOST else 'TOO SLOW'}\n")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
