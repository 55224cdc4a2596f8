"""One bare pair of FRR routers, to compare labs with: no wire path, no Junos, no capture, no code of keyroll.

    unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc python bench/frr_pair.py

Two network namespaces with a veth between them, zebra, bgpd and ldpd in each, with the configuration that an emulated
router gives its own FRR. Prints `up` when BGP is Established and LDP operational at both ends. At the end of its
standard input it exits, and so does everything in its pid namespace.
"""

# ruff: noqa: INP001 - a script, not a package
from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

DAEMONS = Path("/usr/lib/frr")
RUN = Path("/run")
POLL_SECONDS = 0.02
"""Between two reads of the sessions; the same as for a lab (`bench_lab.POLL_SECONDS`)."""
UP_SECONDS = 120.0
"""Until the sessions are up; as for a lab (`bench_lab.UP_SECONDS`)."""
_END = b"\0\0\0"
"""Ends an answer on a vty socket; one octet with the command's result follows."""

INTERFACES = """
interface ge-0-0-0
 ip address 10.0.12.{me}/30
 ipv6 address 2001:db8:12::{me}/64
exit
interface lo
 ip address 10.255.0.{me}/32
 ipv6 address 2001:db8:255::{me}/128
exit
"""
BGP = """
router bgp 6500{me}
 bgp router-id 10.255.0.{me}
 bgp log-neighbor-changes
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 coalesce-time 10
 bgp graceful-restart-disable
 neighbor 10.0.12.{peer} remote-as 6500{peer}
 neighbor 10.0.12.{peer} update-source 10.0.12.{me}
 neighbor 10.0.12.{peer} advertisement-interval 0
 neighbor 10.0.12.{peer} timers 3 9
 neighbor 10.0.12.{peer} timers connect 1
 address-family ipv4 unicast
  network 10.255.0.{me}/32
  neighbor 10.0.12.{peer} activate
  neighbor 10.0.12.{peer} soft-reconfiguration inbound
 exit-address-family
exit
"""
LDP = """
debug mpls ldp event
mpls ldp
 router-id 10.255.0.{me}
 discovery hello interval 1
 address-family ipv4
  discovery transport-address 10.0.12.{me}
  session holdtime 15
  interface ge-0-0-0
  exit
 exit-address-family
exit
"""
CONFIGURATION = {"zebra": INTERFACES, "bgpd": BGP, "ldpd": LDP}


def ip(*words: str) -> None:
    """Run the command `ip`."""
    subprocess.run(["ip", *words], check=True)


def network() -> None:
    """Make the two namespaces and the link between them. /run becomes a tmpfs, which keeps their names here."""
    subprocess.run(["mount", "-t", "tmpfs", "frr-pair", str(RUN)], check=True)
    for name in ("r1", "r2"):
        ip("netns", "add", name)
    ip("-n", "r1", "link", "add", "ge-0-0-0", "type", "veth", "peer", "name", "ge-0-0-0", "netns", "r2")
    for name in ("r1", "r2"):
        for device in ("lo", "ge-0-0-0"):
            ip("-n", name, "link", "set", device, "up")


def start(me: int, peer: int) -> None:
    """Start a router's daemons. bgpd and ldpd wait for zebra's socket: without it they retry only after ten seconds."""
    folder = RUN / f"r{me}-frr"
    folder.mkdir()
    shutil.chown(folder, "frr", "frr")
    for name, text in CONFIGURATION.items():
        file = folder / f"{name}.conf"
        file.write_text(text.format(me=me, peer=peer), encoding="ascii")
        words = ["-f", str(file), "-i", str(folder / f"{name}.pid"), "-z", str(folder / "zserv.api")]
        words += ["--vty_socket", str(folder), "-A", "127.0.0.1", "-P", "0", "-u", "frr", "-g", "frr"]
        words += ["--log", "stdout", "--log-level", "debugging"]
        if name == "ldpd":
            words += ["--ctl_socket", str(folder)]
        with (folder / f"{name}.log").open("wb") as log:
            subprocess.Popen(["ip", "netns", "exec", f"r{me}", str(DAEMONS / name), *words], stdout=log, stderr=log)
        if name == "zebra":
            until(lambda: (folder / "zserv.api").exists() and (folder / "zebra.vty").exists(), "zebra's socket")


def until(holds: object, what: str) -> None:
    """Poll until `holds()` is true."""
    assert callable(holds)  # noqa: S101 - for the type checker
    deadline = time.monotonic() + UP_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        select.select([], [], [], POLL_SECONDS)


def ask(me: int, daemon: str, command: str) -> object:
    """Return a daemon's answer, JSON; None while it has no vty socket yet."""
    try:
        with socket.socket(socket.AF_UNIX) as vty:
            vty.connect(str(RUN / f"r{me}-frr" / f"{daemon}.vty"))
            answer = b""
            for line in ("enable", command):
                vty.sendall(line.encode() + b"\0")
                answer = b""
                while answer[-4:-1] != _END:
                    more = vty.recv(65536)
                    if not more:
                        return None
                    answer += more
    except OSError:
        return None
    try:
        return json.loads(answer[:-4])
    except ValueError:
        return None


def is_up(me: int) -> bool:
    """Whether both sessions of a router are up."""
    bgp, ldp = ask(me, "bgpd", "show bgp ipv4 unicast summary json"), ask(me, "ldpd", "show mpls ldp neighbor json")
    peers = bgp.get("peers", {}) if isinstance(bgp, dict) else {}
    neighbors = ldp.get("neighbors", []) if isinstance(ldp, dict) else []
    established = any(peer.get("state") == "Established" for peer in peers.values())
    return established and any(one.get("state") == "OPERATIONAL" for one in neighbors)


def main() -> None:
    """Bring the pair up, print `up`, and keep it until the other end of standard input is closed."""
    network()
    start(1, 2)
    start(2, 1)
    until(lambda: is_up(1) and is_up(2), "the sessions")
    os.write(1, b"up\n")
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
