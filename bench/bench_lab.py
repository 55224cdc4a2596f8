"""The embedded lab: from nothing to sessions, many labs at once, a full table, memory and idle time.

Every figure that is compared is a ratio within one run: the same FRR pair, the same machine, with TCP-AO and without,
in turns. `--quick` takes fewer rounds. `--only up,many,table,idle` selects parts.
"""

# ruff: noqa: INP001 - a script, not a package
from __future__ import annotations

import argparse
import os
import random
import resource
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Interface
from pathlib import Path

from keyroll import linux
from keyroll.junos.base_configuration import Plan, base_configuration
from keyroll.junos.exchange import Target
from keyroll.junos.records import BgpSummary
from keyroll.junos.session import RouterSession
from keyroll.keychain.generate import generate
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain
from keyroll.keychain.secret import Secret
from keyroll.lab.embedded.lab import EmbeddedLab
from keyroll.lab.local import find
from keyroll.lab.protocol import Router
from keyroll.lab.topology import read_topology
from keyroll.names import SessionKind

TOPOLOGY = Path(__file__).parent.parent / "topologies" / "two-router.clab.yml"
CHAIN = generate("bench", name="bench", count=1, first=datetime(2020, 1, 1, tzinfo=UTC), interval=timedelta(days=1))
UP_SECONDS = 120.0
"""From a commit to the sessions being up, or from a reset to a full table. Even sixteen labs on two cores need a
fraction of it, so that only a hang ends the bench."""
POLL_SECONDS = 0.02
"""Between two reads of a lab's sessions, the same as for a bare pair (`frr_pair.POLL_SECONDS`). Without a pause the
reads themselves would use the processor time that sixteen labs need."""
WAIT_SCALE = 4
"""Factor on the lab's own deadlines: sixteen labs at once slow each other down."""
UP_MOST = 1.5
"""A lab with TCP-AO may take at most this many times the same lab without it. One lost segment of a handshake costs a
retry after a second, which is more than that."""
LABS_MOST = 1.2
"""Labs may take at most this many times bare FRR pairs: the harness may add a fifth."""
TABLE_MOST = 1.3
"""A full table may take at most this many times as long with TCP-AO: both pass through the wire path, which then also
signs and verifies every segment."""
FILES_MAX = 4096
"""Open files of this process: each lab needs some dozen, and the usual soft limit is 1024."""
BOTH = (SessionKind.BGP, SessionKind.LDP)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Pair:
    """A lab with a session to each router."""

    def __init__(self, lab: EmbeddedLab, sessions: dict[str, RouterSession]) -> None:
        self.lab = lab
        self.sessions = sessions

    def status(self, router: str) -> dict[str, list[dict[str, str]]]:
        """Ask a router's control socket."""
        return find.find(self.lab.name).ask_router(router, "status")[0]

    def configure(self, chain: Keychain | None, kinds: Sequence[SessionKind], extra: Sequence[str] = ()) -> None:
        """Commit the base configuration on both routers at once; `extra` on R1."""
        r1, r2 = self.lab.routers.values()
        with ThreadPoolExecutor(2) as pool:
            jobs = []
            for me, peer, own in ((r1, r2, chain), (r2, r1, chain.mirrored() if chain else None)):
                lines = list(set_lines(own)) if own else []
                lines += base_configuration(plan(me), plan(peer), sessions=kinds, chain=own.name if own else None)
                jobs.append(pool.submit(self.commit, me.name, [*lines, *(extra if me is r1 else ())]))
            for job in jobs:
                job.result()

    def commit(self, router: str, lines: Sequence[str]) -> None:
        """Commit lines on one router."""
        self.sessions[router].configure(lines)
        self.sessions[router].commit()

    def until_up(self, kinds: Sequence[SessionKind]) -> None:
        """Poll until the sessions are up at both ends."""
        deadline = time.monotonic() + UP_SECONDS
        wanted = {SessionKind.BGP: ("bgp", "Established"), SessionKind.LDP: ("ldp", "Operational")}
        for name in self.sessions:
            while True:
                answer = self.status(name)
                if all(
                    any(one["state"] == state for one in answer[word]) for word, state in map(wanted.__getitem__, kinds)
                ):
                    break
                self.lab.check()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.lab.name}: {name} is not up")
                select.select([], [], [], POLL_SECONDS)


def plan(router: Router) -> Plan:
    """Return what the base configuration needs to know of a lab's router."""
    port = router.ports[0]
    if not isinstance(router.loopback, IPv4Interface):
        raise TypeError(f"{router.name} has no loopback")
    return Plan(router.name, router.asn, router.loopback, port.interface, port.ipv4, port.ipv6, router.loopback6)


@contextmanager
def deployed(folder: Path) -> Iterator[Pair]:
    """Bring a lab up and log in."""
    with ExitStack() as stack:
        lab = stack.enter_context(EmbeddedLab(read_topology(TOPOLOGY), evidence=folder, wait_scale=WAIT_SCALE))
        sessions = {
            name: stack.enter_context(
                RouterSession(Target(name, router.host, router.port, router.user, Secret(router.password)))
            )
            for name, router in lab.routers.items()
        }
        yield Pair(lab, sessions)


def bring_up(folder: Path, chain: Keychain | None, kinds: Sequence[SessionKind] = BOTH) -> float:
    """Return the seconds from the start of a lab until its sessions are up."""
    begun = time.monotonic()
    with deployed(folder) as pair:
        pair.configure(chain, kinds)
        pair.until_up(kinds)
        return time.monotonic() - begun


def spread(values: Sequence[float]) -> str:
    """Return median, least, greatest and number of the values as text."""
    return f"median {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f}, n={len(values)})"


def bench_up(folder: Path, rounds: int) -> bool:
    """Bring pairs up in turns, with TCP-AO and without."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds):
        # The order changes from pair to pair, so that neither always starts while the other is still being removed.
        for protected in (True, False) if number % 2 else (False, True):
            times[protected].append(bring_up(folder / f"up-{number}-{protected}", CHAIN if protected else None))
    say(f"nothing to BGP Established and LDP Operational, with TCP-AO:    {spread(times[True])}")
    say(f"nothing to BGP Established and LDP Operational, without TCP-AO: {spread(times[False])}")
    return paired_verdict("with TCP-AO over without", times[True], times[False], UP_MOST)


def bench_many(folder: Path, count: int, rounds: int) -> bool:
    """Bring many labs up at once and as many bare FRR pairs, in turns, so that the machine is equally busy for both."""
    labs, bare = [], []
    for number in range(rounds):
        bare.append(many_bare_pairs(count))
        busy = processor_seconds()
        labs.append(many_labs(folder / f"many-{number}", count))
        work = processor_seconds() - busy
        say(f"  {count} labs {labs[-1]:.2f} s ({work:.0f} processor seconds), {count} bare pairs {bare[-1]:.2f} s")
    say(f"{count} labs at once, up to their sessions:       {spread(labs)}")
    say(f"{count} bare FRR pairs at once, to their sessions: {spread(bare)}")
    return paired_verdict(f"{count} labs over {count} bare FRR pairs", labs, bare, LABS_MOST)


def many_labs(folder: Path, count: int) -> float:
    """Return the seconds until `count` labs, begun at once, have all their sessions."""
    with ExitStack() as stack, ThreadPoolExecutor(count) as pool:

        def whole(number: int) -> None:
            pair = stack.enter_context(deployed(folder / str(number)))
            pair.configure(CHAIN, BOTH)
            pair.until_up(BOTH)

        begun = time.monotonic()
        for job in [pool.submit(whole, number) for number in range(count)]:
            job.result()
        return time.monotonic() - begun


BARE = ("unshare", "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc")


def many_bare_pairs(count: int) -> float:
    """Return the seconds until `count` bare pairs of FRR (frr_pair.py), begun at once, have all their sessions."""
    command = [*BARE, sys.executable, str(Path(__file__).with_name("frr_pair.py"))]
    begun = time.monotonic()
    pairs = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for pair in pairs:
            if pair.stdout is None or pair.stdout.readline() != b"up\n":
                raise RuntimeError("a bare pair of FRR did not come up; its output is above")
        return time.monotonic() - begun
    finally:
        for pair in pairs:
            pair.communicate()


def processor_seconds() -> float:
    """Seconds that this machine's processors have worked since it started, in user and kernel mode."""
    words = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq = (int(word) for word in words[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


# -- a full table ---------------------------------------------------------------------------------------------------

FEED_AS = 65100
"""A private AS number that no router of the lab has."""
FEED_NET = "10.99.0.1/24"
"""On R1's loopback: the kernel takes the whole network as its own, so that the feed can use another address of it."""
FEED_HOST = "10.99.0.1"
FEED_PEER = "10.99.0.9"
_MARKER = b"\xff" * 16
"""Begins every BGP message (RFC 4271 section 4.1)."""
_PREFIXES_IN_UPDATE = 800
"""A BGP message has at most 4096 octets (RFC 4271 section 4.1), and a prefix of 32 bits takes five."""


def message(kind: int, body: bytes) -> bytes:
    """Return one BGP message (RFC 4271 section 4.1)."""
    return _MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def updates(count: int) -> Iterator[bytes]:
    """Yield UPDATE messages for `count` /32 prefixes from 20.0.0.0 on, many to a message."""
    # ORIGIN IGP, an AS_PATH of one AS, and NEXT_HOP (RFC 4271 section 4.3).
    path = struct.pack("!BBI", 2, 1, FEED_AS)
    attributes = b"\x40\x01\x01\x00" + b"\x40\x02" + bytes([len(path)]) + path
    attributes += b"\x40\x03\x04" + socket.inet_aton(FEED_PEER)
    for first in range(0, count, _PREFIXES_IN_UPDATE):
        number = min(_PREFIXES_IN_UPDATE, count - first)
        prefixes = b"".join(b"\x20" + struct.pack("!I", 0x14000000 + first + place) for place in range(number))
        yield message(2, b"\0\0" + struct.pack("!H", len(attributes)) + attributes + prefixes)


class Feed:
    """A BGP speaker in R1's namespace that peers with R1's bgpd: announces a full table and keeps the session."""

    def __init__(self, namespace: int, count: int) -> None:
        self._count = count
        self._socket = self._established(namespace)
        threading.Thread(target=self._announce, daemon=True).start()
        threading.Thread(target=self._drain, daemon=True).start()

    @staticmethod
    def _established(namespace: int) -> socket.socket:
        """Open the session; tried again until it works, because bgpd refuses while its own side is still starting."""
        # The capability of four-octet AS numbers (RFC 6793), then an OPEN with hold time 0: no keepalives are needed.
        four_octets = b"\x02\x06\x41\x04" + struct.pack("!I", FEED_AS)
        opened = struct.pack("!BHH4sB", 4, FEED_AS, 0, socket.inet_aton(FEED_PEER), len(four_octets))
        deadline = time.monotonic() + UP_SECONDS
        while True:
            with linux.inside(namespace):
                connection = socket.create_connection((FEED_HOST, 179), source_address=(FEED_PEER, 0))
            try:
                connection.sendall(message(1, opened + four_octets) + message(4, b""))
                heard = b""
                while heard.count(_MARKER) < 2:  # noqa: PLR2004 - its OPEN and its KEEPALIVE
                    more = connection.recv(4096)
                    if not more:
                        raise ConnectionResetError
                    heard += more
            except OSError:
                connection.close()
                if time.monotonic() > deadline:
                    raise
            else:
                return connection

    def _announce(self) -> None:
        try:
            for update in updates(self._count):
                self._socket.sendall(update)
        except OSError:
            return  # the lab goes down

    def _drain(self) -> None:
        try:
            while self._socket.recv(65536):
                pass
        except OSError:
            return  # the lab goes down


def bench_table(folder: Path, count: int, rounds: int) -> bool:
    """Reset the session between R1 and R2 in turns with TCP-AO and without; time until R2 has the whole table again."""
    times: dict[bool, list[float]] = {True: [], False: []}
    group = "set protocols bgp group feed"
    feed = [
        f"set interfaces lo0 unit 0 family inet address {FEED_NET}",
        f"{group} type external",
        f"{group} peer-as {FEED_AS}",
        f"{group} multihop ttl 2",
        f"{group} hold-time 0",
        f"{group} neighbor {FEED_PEER} passive",
    ]
    with ExitStack() as stack:
        pairs = {}
        for protected in (True, False):
            pair = stack.enter_context(deployed(folder / f"table-{protected}"))
            _, descriptors = find.find(pair.lab.name).ask_router("R1", "namespace")
            pair.configure(CHAIN if protected else None, (SessionKind.BGP,), feed)
            Feed(descriptors[0], count)
            wait_for_table(pair, count)
            pairs[protected] = pair
        for _ in range(rounds):
            for protected in (True, False):
                pair = pairs[protected]
                begun = time.monotonic()
                pair.sessions["R2"].show("clear bgp neighbor 10.0.12.1")
                wait_for_table(pair, count, fewer_first=True)
                times[protected].append(time.monotonic() - begun)
    ratio = statistics.median(times[True]) / statistics.median(times[False])
    say(f"{count} prefixes to R2, with TCP-AO:    {spread(times[True])}")
    say(f"{count} prefixes to R2, without TCP-AO: {spread(times[False])}")
    return verdict("with TCP-AO over without", ratio, TABLE_MOST)


def wait_for_table(pair: Pair, count: int, *, fewer_first: bool = False) -> None:
    """Poll until R2 has accepted `count` prefixes; with `fewer_first` only after it has been seen with fewer."""
    deadline = time.monotonic() + UP_SECONDS
    while True:
        answer = pair.sessions["R2"].show("show bgp summary").parsed_as(BgpSummary)
        accepted = sum(rib.accepted for peer in answer.peers for rib in peer.ribs)
        if accepted < count:
            fewer_first = False
        elif not fewer_first:
            return
        pair.lab.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"R2 has {accepted} of {count} prefixes")


# -- memory and idle time -------------------------------------------------------------------------------------------


def bench_idle(folder: Path, seconds: float) -> bool:
    """Memory and processor time of one pair with sessions up and nothing to do."""
    with deployed(folder / "idle") as pair:
        pair.configure(CHAIN, BOTH)
        pair.until_up(BOTH)
        pids = tagged(pair.lab.name)
        resident = {pid: proportional(pid) for pid in pids}
        before = sum(used_seconds(pid) for pid in pids)
        threading.Event().wait(seconds)
        used = sum(used_seconds(pid) for pid in pids) - before
    say(f"memory of a pair (proportional set size): {sum(resident.values()) / 1024:.0f} MB in {len(pids)} processes")
    say(f"idle pair: {100 * used / seconds:.2f} % of a core over {seconds:.0f} s")
    return True


def tagged(name: str) -> list[int]:
    """Return the processes of a lab, by the tag in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if f"KEYROLL_LAB={name}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue  # it ended meanwhile
    return found


def proportional(pid: int) -> int:
    """Return a process's proportional set size in kB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def used_seconds(pid: int) -> float:
    """Return the processor time that a process has used (Documentation/scheduler/sched-stats.rst)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


_DRAWS = 2000
"""How often the pairs are drawn again for the interval; with more, the second decimal does not change."""


def paired_verdict(what: str, ones: Sequence[float], others: Sequence[float], limit: float) -> bool:
    """Judge the ratio of two medians, and print its 95 % interval.

    The interval is a bootstrap's: pairs, whose two runs followed each other, are drawn again with repetition.
    """
    draw = random.Random(0)  # noqa: S311 - for an interval, not for a secret
    pairs = list(zip(ones, others, strict=True))
    ratios = []
    for _ in range(_DRAWS):
        some = draw.choices(pairs, k=len(pairs))
        ratios.append(statistics.median(one for one, _ in some) / statistics.median(other for _, other in some))
    ratios.sort()
    low, high = ratios[_DRAWS // 40], ratios[-_DRAWS // 40 - 1]  # 2.5 % of the draws lie beyond either
    say(f"{what}: 95 % interval {low:.2f} to {high:.2f}, {len(pairs)} pairs")
    return verdict(what, statistics.median(ones) / statistics.median(others), limit)


def verdict(what: str, ratio: float, limit: float) -> bool:
    """Print a ratio, its limit, and whether it is within the limit; return the latter."""
    say(f"{what}: {ratio:.2f} (limit {limit:.1f}) {'ok' if ratio <= limit else 'TOO SLOW'}\n")
    return ratio <= limit


def main() -> int:
    """Measure; return 0 if every ratio is within its limit, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", default="up,many,table,idle", help="parts, separated by commas")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    parts = arguments.only.split(",")
    good = True
    # Full rounds: the pairs that the interval needs; sixteen labs and three rounds; a table of half the Internet's
    # size; ten seconds of idle time, which have several keepalives. `--quick` only shows that every part works.
    with tempfile.TemporaryDirectory(prefix="keyroll-bench-") as name:
        folder = Path(name)
        if "up" in parts:
            good &= bench_up(folder, 3 if arguments.quick else 20)
        if "many" in parts:
            good &= bench_many(folder, 4 if arguments.quick else 16, 1 if arguments.quick else 3)
        if "table" in parts:
            good &= bench_table(folder, 50_000 if arguments.quick else 500_000, 3 if arguments.quick else 5)
        if "idle" in parts:
            good &= bench_idle(folder, 3 if arguments.quick else 10)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
