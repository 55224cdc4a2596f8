"""Kill parts of labs in namespaces of their own: run as `unshare --net --mount … python kill_host.py JSON`.

No other program changes a link, a route, the firewall or a file of /run, /tmp and /var/tmp in these namespaces, so that
the whole state before and after a kill can be compared. Compared are also all writable sysctls, of the namespace and of
the machine, and a copy of /etc. Not a test module: `test_embedded_kill.py` runs it and judges its output, one JSON
object for each round.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import host_firewall  # type: ignore[import-not-found]  # beside this program

OWNER = """
import sys, time
from keyroll.cli.main import handle_signals
handle_signals()
from pathlib import Path
from keyroll.errors import KeyrollError
from keyroll.lab.embedded.lab import EmbeddedLab
from keyroll.lab.topology import read_topology

lab = EmbeddedLab(read_topology(Path(sys.argv[1])), evidence=None, name=sys.argv[2])
try:
    lab.deploy()
    print("up", flush=True)
    while not lab.incidents:
        lab.check()
        time.sleep(0.02)
    print("noticed:", *lab.incidents, flush=True)
except KeyrollError as error:
    print("noticed:", error, flush=True)
finally:
    lab.destroy()
"""
RUN = """
import sys
from keyroll.cli.main import main
sys.argv[0:1] = ["keyroll", "run"]
main()
"""
CLEAN = """
import sys
from keyroll.cli.main import main
sys.argv[0:1] = ["keyroll", "lab", "clean"]
main()
"""
PYTEST = """
import sys
import pytest
sys.exit(pytest.main(["-q", "-n", "1", "-p", "no:cacheprovider", *sys.argv[1:]]))
"""
FORK_SERVER = "keyroll.lab.embedded.fork_server"
"""The program that labs are forked from."""
LATEST = {"lab": 0.8, "run": 4.0, "pytest": 8.0}
"""Latest kill, in seconds after the start: after the bring-up of a lab, or after the end of a run."""
PLACES = ("/run", "/tmp", "/var/tmp")  # noqa: S108 - this program mounts a tmpfs on each
NEEDED = {Path(__file__).resolve().parents[2], Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
"""This tree and its Python: if they are in one of the places, they stay visible there, and are not compared."""
HOST = """
link set lo up
link add name host0 type veth peer name host1
address add 192.0.2.1/24 dev host0
link set host0 up
link set host1 up
route add 198.51.100.0/24 via 192.0.2.9
rule add from 192.0.2.77 lookup 77
"""
NOTICE_SECONDS = 60.0
"""Longest time from the kill of a part to the end of the owner, which destroys the lab: 1 s on an idle machine."""
PAUSE_SECONDS = 0.02
"""Interval between two checks of an awaited state."""
SETTLED_SECONDS = 60.0
"""Longest time until host0 has its link-local address: 2 s on an idle machine."""
GONE_SECONDS = 60.0
"""Longest time from the kill to the end of the lab's last process: 1 s on an idle machine."""


def main() -> None:
    order = json.loads(sys.argv[1])
    # If a script started this in the background, SIGINT is ignored here, and would be in the labs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    prepare()
    chance = random.Random(order["seed"])
    before = host_state()
    kills = number = 0
    while kills < order["rounds"]:
        outcome = one_round(order, number, chance)
        number += 1
        kills += not outcome["early"]
        after = host_state()
        if orphaned(outcome, changes(before, after)):
            outcome["cleaned"] = clean()
            after = host_state()
        report({**outcome, "changed": changes(before, after)})
        before = after
    for what in order.get("breaks", ()):
        BREAKS[what]()
        after = host_state()
        report({"broken": what, "changed": changes(before, after)})
        before = after


def orphaned(outcome: dict[str, object], changed: dict[str, list[object]]) -> bool:
    """Whether only files are left, of a lab that had no monitor yet: they are removed by the next start.

    This happens if owner and fork server are killed at the same time, before the fork server has read the owner's order
    for a monitor (docs/control.md).
    """
    return f"owner+{FORK_SERVER}" == outcome["wanted"] and bool(outcome["owner"]) and changed.keys() == {"files"}


def clean() -> str:
    """Remove leftovers of dead labs, as the next start does; return the output."""
    return subprocess.run([sys.executable, "-c", CLEAN], check=True, capture_output=True, text=True).stdout.strip()


def report(outcome: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(outcome) + "\n")
    sys.stdout.flush()


def changes(before: dict[str, object], after: dict[str, object]) -> dict[str, list[object]]:
    """Return what differs, by kind."""
    changed = {key: difference(before[key], after[key]) for key in before if before[key] != after[key]}
    if "mounts" in changed and not changed["mounts"][1]:
        # The kernel removes a mount in all namespaces when its mount point is removed, as at the end of a container.
        del changed["mounts"]
    return changed


def prepare() -> None:
    for place in PLACES:
        cover(place, [path for path in NEEDED if path.is_relative_to(place)])
    # A copy of /etc, so that a package that is installed on the host meanwhile makes no difference.
    subprocess.run(["cp", "-a", "/etc", "/tmp/etc"], check=True)  # noqa: S108 - the new tmpfs
    subprocess.run(["mount", "--bind", "/tmp/etc", "/etc"], check=True)  # noqa: S108 - the same
    os.environ.pop("TMPDIR", None)
    subprocess.run(["ip", "-batch", "-"], input=HOST.encode(), check=True)
    if not host_firewall.add("kept"):
        sys.stderr.write("this kernel has no nf_tables: of the firewall only ip_tables is compared\n")
    # The kernel gives the veth a link-local address, which is tentative at first. The comparison starts after that.
    deadline = time.monotonic() + SETTLED_SECONDS
    while not settled(subprocess.run(["ip", "address"], check=True, capture_output=True).stdout):
        if time.monotonic() > deadline:
            raise TimeoutError("host0 has no link-local address, or it stayed tentative")
        select.select([], [], [], PAUSE_SECONDS)


def cover(place: str, needed: list[Path]) -> None:
    """Mount an empty tmpfs on a folder, and in it the needed folders at their former paths."""
    # By descriptor: below the tmpfs, the folders have no path any more.
    held = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in needed}
    subprocess.run(["mount", "-t", "tmpfs", "keyroll-test", place], check=True)
    for path, descriptor in held.items():
        path.mkdir(parents=True, exist_ok=True)
        # Without the option, mount(8) would resolve the descriptor to a path, which is now in the tmpfs.
        command = ["mount", "--no-canonicalize", "--bind", f"/proc/self/fd/{descriptor}", str(path)]
        subprocess.run(command, check=True, pass_fds=[descriptor])
        os.close(descriptor)


def settled(addresses: bytes) -> bool:
    return b"inet6 fe80:" in addresses and b"tentative" not in addresses


def one_round(order: dict[str, Any], number: int, chance: random.Random) -> dict[str, object]:
    """Start the lab or the run that `order` names, kill a part of it at a random time, and return what is left.

    The classes of victims take turns. `a+b` are two that are killed at the same time.
    """
    name = f"kill-{os.getpid()}-{number}"
    moment = chance.uniform(0.0, LATEST[order["plays"]])
    wanted = order["victims"][number % len(order["victims"])]
    folder = f"/dev/shm/keyroll-{name}"  # noqa: S108 - outside the places compared
    command = {
        "lab": [OWNER, order["topology"], name],
        "run": [RUN, order["scenario"], "--run-dir", folder],
        "pytest": [PYTEST, order["scenario"], f"--basetemp={folder}"],
    }[order["plays"]]
    owner = subprocess.Popen(
        [sys.executable, "-c", *command],
        stdout=subprocess.PIPE,
        stderr=None if order["plays"] == "lab" else subprocess.DEVNULL,
        env={**os.environ, "KEYROLL_LAB_TEST": name},
    )
    assert owner.stdout is not None
    start = time.monotonic()
    while (seconds := start + moment - time.monotonic()) > 0:
        select.select([], [], [], seconds)
    early = owner.poll() is not None
    # If the owner has ended by itself, none of its processes is left to be killed.
    kills = [] if early else [kill_one(name, owner.pid, one, chance) for one in wanted.split("+")]
    victims, commands = {pid for pid, _ in kills}, " + ".join(command for _, command in kills)
    killed = time.monotonic()
    said = ""
    unnoticed = False
    try:
        said = owner.communicate(timeout=NOTICE_SECONDS)[0].decode()
    except subprocess.TimeoutExpired:
        unnoticed = True
        owner.kill()
        killed = time.monotonic()
        owner.wait()
    while (left := tagged(name)) and time.monotonic() < killed + GONE_SECONDS:
        select.select([], [], [], PAUSE_SECONDS)
    took = time.monotonic() - killed
    owner.stdout.close()
    subprocess.run(["rm", "-rf", folder], check=True)
    return {
        "moment": round(moment, 3),
        "victim": commands,
        "owner": owner.pid in victims,
        "wanted": wanted,
        "early": early,
        "unnoticed": unnoticed,
        "code": owner.returncode,
        "said": said,
        "left": {pid: command_of(pid) for pid in left},
        "took": round(took, 3),
    }


def kill_one(name: str, owner: int, wanted: str, chance: random.Random) -> tuple[int, str]:
    """Kill a process of the lab, or another one if the chosen one has just ended. Return its id and its command."""
    while True:
        victim, command = pick(name, owner, wanted, chance)
        try:
            os.kill(victim, signal.SIGINT if wanted == "interrupt" else signal.SIGKILL)
        except ProcessLookupError:
            continue
        return victim, command


def pick(name: str, owner: int, wanted: str, chance: random.Random) -> tuple[int, str]:
    """Return the id and the command of a victim: the owner, or one of the lab's current processes."""
    others = sorted(tagged(name) - {owner})
    matching = [pid for pid in others if wanted in command_of(pid)] if wanted != "any" else others
    pid = owner if wanted in {"owner", "interrupt"} or not matching else chance.choice(matching)
    return pid, command_of(pid)


def tagged(name: str) -> set[int]:
    """Return the processes that carry the lab's tag in their environment."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue  # the process has ended meanwhile
            if f"KEYROLL_LAB_TEST={name}".encode() in environment:
                found.add(int(entry.name))
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:200]
    except OSError:
        return ""


def sysctls() -> dict[str, str]:
    found = {}
    for path in Path("/proc/sys").rglob("*"):
        # Read-only values, those of neighbours, and the last process id change by themselves.
        if path.is_file() and path.stat().st_mode & 0o200 and "neigh" not in path.parts and path.name != "ns_last_pid":
            try:
                found[str(path)] = path.read_text(errors="replace")
            except OSError:
                continue  # write-only
    return found


def difference(before: object, after: object) -> list[object]:
    """Return two lists: the parts that are only in `before`, and those that are only in `after`."""

    def parts(whole: object) -> list[str]:
        items = sorted(whole.items()) if isinstance(whole, dict) else whole
        assert isinstance(items, list)
        return [json.dumps(item) for item in items]

    old, new = parts(before), parts(after)
    return [[part for part in old if part not in new], [part for part in new if part not in old]]


def mounts() -> list[list[str]]:
    """Return the mounts, except those of containers: when one ends, the kernel removes its mounts in all namespaces."""
    lines = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [place.split(" ")[3:] for place, kind in lines if not kind.startswith("overlay ")]


def changed_at(folder: str) -> dict[str, int]:
    found = {}
    for path in Path(folder).rglob("*"):
        try:
            found[str(path)] = path.lstat().st_mtime_ns
        except OSError:
            continue  # the file has been deleted meanwhile
    return found


def host_state() -> dict[str, object]:
    """Return everything of the host that a lab must not change."""

    def ip(*arguments: str) -> object:
        found = json.loads(subprocess.run(["ip", "-j", *arguments], check=True, capture_output=True).stdout or b"[]")
        for entry in found:
            entry.pop("stats64", None)
            for address in entry.get("addr_info", []):
                address.pop("valid_life_time", None)
                address.pop("preferred_life_time", None)
        return found

    def files(*folders: str) -> list[str]:
        found = []
        for folder in folders:
            for place, inner, names in os.walk(folder):
                inner[:] = [name for name in inner if Path(place, name) not in NEEDED]
                found += [str(Path(place, name)) for name in (*inner, *names)]
        return sorted(found)

    return {
        "link": ip("-d", "link"),
        "address": ip("address"),
        "route": ip("route", "show", "table", "all"),
        "route6": ip("-6", "route", "show", "table", "all"),
        "rule": ip("rule"),
        "rule6": ip("-6", "rule"),
        "firewall": host_firewall.firewall(),
        "sysctl": sysctls(),
        "files": files(*PLACES),
        "etc": changed_at("/etc"),
        "mounts": mounts(),
    }


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _turn(switch: Path) -> None:
    switch.write_text("0" if switch.read_text().strip() == "1" else "1")


BREAKS: dict[str, Callable[[], object]] = {
    "link": lambda: _run("ip", "link", "add", "host2", "type", "veth", "peer", "name", "host3"),
    "address": lambda: _run("ip", "address", "add", "192.0.2.2/32", "dev", "lo"),
    "route": lambda: _run("ip", "route", "add", "203.0.113.0/24", "via", "192.0.2.8"),
    "rule": lambda: _run("ip", "-6", "rule", "add", "from", "2001:db8::7", "lookup", "7"),
    "firewall": lambda: host_firewall.add("left"),
    "sysctl": lambda: _turn(Path("/proc/sys/net/ipv4/ip_forward")),
    "files": lambda: Path("/tmp/left").touch(),  # noqa: S108 - this program's tmpfs
    "etc": lambda: Path("/etc/left").touch(),
    "mounts": lambda: _run("mount", "-t", "tmpfs", "left", "/mnt"),
}
"""Changes that `host_state` must show: without this check, the comparison could miss them."""


if __name__ == "__main__":
    main()
