"""A host of its own in which labs are killed: run as `unshare --net --mount … python kill_host.py JSON`.

In here nobody else changes a link, a route, the firewall or a file in /run, /tmp and /var/tmp, so that before and after
can be compared whole. Sysctls are those of the namespace and every one of the machine that can be written; /etc is a
copy. Not a test module: `test_embedded_kill.py` runs it and judges what it prints, one JSON object a round.
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
"""What labs are forked from."""
LATEST = {"lab": 0.8, "run": 4.0, "pytest": 8.0}
"""Seconds from the start to the last moment of a kill: beyond a lab's bring-up, and a run's end."""
PLACES = ("/run", "/tmp", "/var/tmp")  # noqa: S108 - tmpfs of this test's own
NEEDED = {Path(__file__).resolve().parents[2], Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
"""This tree and its Python: where they lie in one of the places, they stay visible there, and are not compared."""
HOST = """
link set lo up
link add name host0 type veth peer name host1
address add 192.0.2.1/24 dev host0
link set host0 up
link set host1 up
route add 198.51.100.0/24 via 192.0.2.9
rule add from 192.0.2.77 lookup 77
"""
NOTICE_SECONDS = 20.0
"""From the kill of a part to the owner's end, who takes everything down."""
PAUSE_SECONDS = 0.02
"""Between two looks at what ends or comes by itself."""
SETTLED_SECONDS = 10.0
"""From host0's being up to its having its link-local address."""
GONE_SECONDS = 10.0
"""From the kill to the end of the last process."""


def main() -> None:
    order = json.loads(sys.argv[1])
    # Whoever was started in the background of a script has SIGINT ignored, and what it starts as well.
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
        tell({**outcome, "changed": changes(before, after)})
        before = after
    for what in order.get("breaks", ()):
        BREAKS[what]()
        after = host_state()
        tell({"broken": what, "changed": changes(before, after)})
        before = after


def orphaned(outcome: dict[str, object], changed: dict[str, list[object]]) -> bool:
    """Whether only files are left of a lab that no monitor watched yet, which nobody can remove before the next start.

    The owner's order for a monitor can lie unread when owner and fork server are killed at once (docs/control.md).
    """
    return f"owner+{FORK_SERVER}" == outcome["wanted"] and bool(outcome["owner"]) and changed.keys() == {"files"}


def clean() -> str:
    """Remove what dead labs left, as the next start does; return what was said."""
    return subprocess.run([sys.executable, "-c", CLEAN], check=True, capture_output=True, text=True).stdout.strip()


def tell(outcome: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(outcome) + "\n")
    sys.stdout.flush()


def changes(before: dict[str, object], after: dict[str, object]) -> dict[str, list[object]]:
    """Return what differs, by kind."""
    changed = {key: difference(before[key], after[key]) for key in before if before[key] != after[key]}
    if "mounts" in changed and not changed["mounts"][1]:
        # The kernel takes a mount away everywhere when what it is mounted on goes: a container's, as it ends.
        del changed["mounts"]
    return changed


def prepare() -> None:
    for place in PLACES:
        cover(place, [path for path in NEEDED if path.is_relative_to(place)])
    # A copy of /etc, so that whoever installs a package meanwhile does not count.
    subprocess.run(["cp", "-a", "/etc", "/tmp/etc"], check=True)  # noqa: S108 - the tmpfs just mounted
    subprocess.run(["mount", "--bind", "/tmp/etc", "/etc"], check=True)  # noqa: S108 - the same
    os.environ.pop("TMPDIR", None)
    subprocess.run(["ip", "-batch", "-"], input=HOST.encode(), check=True)
    if not host_firewall.add("kept"):
        sys.stderr.write("this kernel has no nf_tables: of the firewall only ip_tables is compared\n")
    # The veth gets its link-local address by itself, and that leaves the tentative state by itself; the comparison
    # starts after that.
    deadline = time.monotonic() + SETTLED_SECONDS
    while not settled(subprocess.run(["ip", "address"], check=True, capture_output=True).stdout):
        if time.monotonic() > deadline:
            raise TimeoutError("host0 has no link-local address, or it stayed tentative")
        select.select([], [], [], PAUSE_SECONDS)


def cover(place: str, needed: list[Path]) -> None:
    """Mount an empty tmpfs over a folder, and what is needed of the covered one at its own path in it."""
    # By descriptor: once the tmpfs is there, no path leads to what it covers.
    held = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in needed}
    subprocess.run(["mount", "-t", "tmpfs", "keyroll-test", place], check=True)
    for path, descriptor in held.items():
        path.mkdir(parents=True, exist_ok=True)
        # mount(8) would resolve the descriptor to its path, which leads to the tmpfs by now.
        command = ["mount", "--no-canonicalize", "--bind", f"/proc/self/fd/{descriptor}", str(path)]
        subprocess.run(command, check=True, pass_fds=[descriptor])
        os.close(descriptor)


def settled(addresses: bytes) -> bool:
    return b"inet6 fe80:" in addresses and b"tentative" not in addresses


def one_round(order: dict[str, Any], number: int, chance: random.Random) -> dict[str, object]:
    """Start a lab, or play a run, that `order` names; kill a part of it at some moment, and see what is left.

    The classes of victims take turns, so that each has its share. `a+b` are two that are killed at once.
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
    # Who has ended by itself is no longer there to be killed, nor is anything of what it had.
    killed_ones = [] if early else [kill_one(name, owner.pid, one, chance) for one in wanted.split("+")]
    victims, killed_words = {pid for pid, _ in killed_ones}, " + ".join(words for _, words in killed_ones)
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
        "victim": killed_words,
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
    """Kill a process of the lab; another one when the chosen one ended by itself at that very moment."""
    while True:
        victim, command = pick(name, owner, wanted, chance)
        try:
            os.kill(victim, signal.SIGINT if wanted == "interrupt" else signal.SIGKILL)
        except ProcessLookupError:
            continue
        return victim, command


def pick(name: str, owner: int, wanted: str, chance: random.Random) -> tuple[int, str]:
    """Return a victim: the owner, or one of the lab's processes that there are at this moment."""
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
                continue  # it ended meanwhile
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
        # What can only be read counts something, as do neighbours and the last process id.
        if path.is_file() and path.stat().st_mode & 0o200 and "neigh" not in path.parts and path.name != "ns_last_pid":
            try:
                found[str(path)] = path.read_text(errors="replace")
            except OSError:
                continue  # write-only
    return found


def difference(before: object, after: object) -> list[object]:
    """Return [what went or was otherwise, what came or is otherwise]."""

    def parts(whole: object) -> list[str]:
        items = sorted(whole.items()) if isinstance(whole, dict) else whole
        assert isinstance(items, list)
        return [json.dumps(item) for item in items]

    old, new = parts(before), parts(after)
    return [[part for part in old if part not in new], [part for part in new if part not in old]]


def mounts() -> list[list[str]]:
    """Return the mounts but for those of containers: the kernel takes them away everywhere when a container goes."""
    lines = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [place.split(" ")[3:] for place, kind in lines if not kind.startswith("overlay ")]


def changed_at(folder: str) -> dict[str, int]:
    found = {}
    for path in Path(folder).rglob("*"):
        try:
            found[str(path)] = path.lstat().st_mtime_ns
        except OSError:
            continue  # it went meanwhile
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
    "files": lambda: Path("/tmp/left").touch(),  # noqa: S108 - the tmpfs of this test
    "etc": lambda: Path("/etc/left").touch(),
    "mounts": lambda: _run("mount", "-t", "tmpfs", "left", "/mnt"),
}
"""Changes that `host_state` has to see: a comparison that sees none of them proves nothing."""


if __name__ == "__main__":
    main()
