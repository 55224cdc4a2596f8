"""Compare `keyroll check` with its parts: the bare command, reading the same texts, one rollover.

    python bench/bench_check.py [--times N]

- a small pair of configurations, as a process from its start to its exit, against `keyroll --help`;
- a pair of configurations with 117,000 lines together: reading and judging against reading alone, in one process;
- twenty routers against two, the time for a line;
- forty coming rollovers of one pair of chains against one, as processes.

Each is measured several times, in turn, in seconds of processor time, and the least value counts, so that other load on
the machine has little influence. Exit code 1 if a limit is exceeded.
"""

# ruff: noqa: INP001 -- a script, not a package
from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from keyroll.check.judge import Question, judge
from keyroll.configuration import read
from keyroll.keychain.generate import Ids, generate
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain

MOST_HELP = 3.0
"""A small pair may take at most this many times `keyroll --help`: most of both is starting Python and importing."""
MOST_READING = 1.3
"""Reading and judging may take at most this many times reading alone: only sessions and chains are judged, which are a
small part of a long configuration."""
MOST_LINEAR = 1.3
"""A line of twenty routers may take at most this many times a line of two: linear, apart from noise."""
MOST_ROLLOVERS = 10.0
"""Forty rollovers may take at most this many times one: reading and starting are done once."""
LINES = 117_000
"""Lines of both texts together: as many as Juniper's largest published configuration of this kind has."""
T0 = datetime(2030, 1, 1, tzinfo=UTC)
"""Start-time of the first key."""
AT = T0 + timedelta(minutes=5)
"""The instant that is checked: the first key is active, all others are to come."""
KEYROLL = str(Path(sys.executable).with_name("keyroll"))


def router(number: int, others: Sequence[int], chain: Keychain, *, filler: int = 0) -> str:
    """Return a router's set lines: a loopback, an internal session to each other router, and `filler` lines."""
    lines = [
        "set version 24.4R1.9",
        f"set system host-name N{number}",
        f"set interfaces lo0 unit 0 family inet address 10.0.0.{number}/32",
        "set routing-options autonomous-system 65000",
        "set protocols bgp group core type internal",
        f"set protocols bgp group core local-address 10.0.0.{number}",
        "set protocols bgp group core authentication-algorithm ao",
        f"set protocols bgp group core authentication-key-chain {chain.name}",
        *(f"set protocols bgp group core neighbor 10.0.0.{other}" for other in others),
        *set_lines(chain),
    ]
    for unit in range(filler // 3):
        port = f"set interfaces et-0/0/{unit % 48} unit {unit} family inet"
        lines += [
            f"set interfaces et-0/0/{unit % 48} unit {unit} vlan-id {unit % 4000 + 1}",
            f"{port} address 172.{16 + unit // 65536}.{unit // 256 % 256}.{unit % 256}/31",
            f"set policy-options prefix-list customers 172.{16 + unit // 65536}.{unit // 256 % 256}.{unit % 256}/32",
        ]
    return "".join(f"{line}\n" for line in lines)


def chain_of(count: int) -> Keychain:
    """Return a chain that both ends can hold as it is: send-id and recv-id are equal."""
    return generate(1, name="KC", count=count, first=T0, interval=timedelta(days=30), ids=Ids.EQUAL)


def process_seconds(*argv: str) -> float:
    """Return the processor time of a command, from its start to its exit."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([KEYROLL, *argv], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def best(times: int, *works: Callable[[], float]) -> list[float]:
    """Return the least of `times` measurements of each, made in turn."""
    found = [[work() for work in works] for _ in range(times)]
    return [min(column) for column in zip(*found, strict=True)]


def say(what: str, ratio: float, most: float) -> bool:
    """Print a ratio and its limit; return whether it is within the limit."""
    sys.stdout.write(f"{what:<58} {ratio:6.2f}  (at most {most:g})\n")
    return ratio <= most


def main() -> None:
    """Measure and print; exit with 1 if a limit is exceeded."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--times", type=int, default=7, help="measurements, of which the least counts")
    times = options.parse_args().times
    holds = []
    at = ("--at", AT.isoformat())
    with tempfile.TemporaryDirectory() as folder:

        def files(name: str, count: int) -> list[str]:
            paths = [Path(folder) / f"{name}{number}.conf" for number in (1, 2)]
            for number, path in enumerate(paths, 1):
                path.write_text(router(number, [3 - number], chain_of(count)), encoding="utf-8")
            return [str(path) for path in paths]

        small, many = files("small", 2), files("many", 41)
        bare, one, forty = best(
            times,
            lambda: process_seconds("--help"),
            lambda: process_seconds("check", *small, *at),
            lambda: process_seconds("check", *many, *at),
        )
    sys.stdout.write(f"keyroll --help {bare:.3f} s, a small pair {one:.3f} s, forty rollovers {forty:.3f} s\n")
    holds.append(say("a small pair against keyroll --help", one / bare, MOST_HELP))
    holds.append(say("forty rollovers against one", forty / one, MOST_ROLLOVERS))

    long = [router(number, [3 - number], chain_of(2), filler=LINES // 2) for number in (1, 2)]
    reading, judging = best(times, lambda: seconds(lambda: read_all(long)), lambda: seconds(lambda: judge_all(long)))
    sys.stdout.write(
        f"{sum(text.count(chr(10)) for text in long)} lines: read in {reading:.3f} s, judged too in {judging:.3f} s\n"
    )
    holds.append(say("reading and judging a long pair against reading it", judging / reading, MOST_READING))

    two = [router(number, [3 - number], chain_of(3), filler=3000) for number in (1, 2)]
    everybody = range(1, 21)
    twenty = [router(n, [m for m in everybody if m != n], chain_of(3), filler=3000) for n in everybody]
    few, more = best(times, lambda: seconds(lambda: judge_all(two)), lambda: seconds(lambda: judge_all(twenty)))
    lines = sum(text.count("\n") for text in twenty) / sum(text.count("\n") for text in two)
    sys.stdout.write(f"two routers {few:.3f} s, twenty with {lines:.1f} times the lines {more:.3f} s\n")
    holds.append(say("twenty routers against two, by the line", more / few / lines, MOST_LINEAR))
    sys.exit(0 if all(holds) else 1)


def read_all(texts: Sequence[str]) -> None:
    """Read texts as `check` does before it judges."""
    for number, text in enumerate(texts):
        assert read(text, f"{number}.conf").routers  # noqa: S101 - sessions and addresses are part of reading


def judge_all(texts: Sequence[str]) -> None:
    """Read texts and judge them."""
    report = judge([read(text, f"{number}.conf") for number, text in enumerate(texts)], Question(AT))
    assert len(report.pairs) == 1, report.pairs  # noqa: S101 - else the bench would measure something else
    assert not report.findings, report.findings[:3]  # noqa: S101 - as above


if __name__ == "__main__":
    main()
