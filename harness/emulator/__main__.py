"""The program of one emulated router: `python -m harness.emulator --boot-fd N --listen-fd N --logs-fd N`.

It runs in the outer network namespace, where the wire is. Who the router is and who may log in comes over the boot
socket, never over the command line.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes.util
import importlib
import logging
import os
import socket
import sys
from pathlib import Path

from harness.emulator.model import Backend
from harness.emulator.protection import KeyPolicy
from harness.emulator.supervisor import JunosHalf, Supervisor

_NOT_LOOKED_FOR = frozenset({"oqs", "liboqs"})


def _load() -> None:
    """Load the Junos half while the daemons start (see Supervisor)."""
    # asyncssh looks for an optional library with ctypes' help, which runs the compiler and the linker to find it: as
    # slow as all the rest of its loading, and of no use on one machine.
    find_library = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if name in _NOT_LOOKED_FOR else find_library(name)
    try:
        importlib.import_module("harness.emulator.junos.router")
    finally:
        ctypes.util.find_library = find_library


def _make_junos(backend: Backend, *, host_name: str, policy: KeyPolicy, saved: Path) -> JunosHalf:
    from harness.emulator.junos.router import JunosRouter  # noqa: PLC0415 - loaded by `_load` by then

    log = logging.getLogger("junos").info
    return JunosRouter(
        backend, host_name=host_name, log=log, receiving=policy.receiving, rules=policy.in_use, saved=saved
    )


def main() -> int:
    """Read the command line and run the router to its end."""
    parser = argparse.ArgumentParser(prog="keyroll-router", description="One emulated router.")
    parser.add_argument("--boot-fd", type=int, required=True, help="descriptor: the boot socket")
    parser.add_argument("--listen-fd", type=int, required=True, help="descriptor: the listening socket for SSH")
    parser.add_argument("--logs-fd", type=int, required=True, help="descriptor: the folder for logs")
    arguments = parser.parse_args()
    for fd in (arguments.boot_fd, arguments.listen_fd, arguments.logs_fd):
        os.set_inheritable(fd, False)  # noqa: FBT003 - the standard library's signature
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    boot = socket.socket(fileno=arguments.boot_fd)
    listener = socket.socket(fileno=arguments.listen_fd)
    return asyncio.run(Supervisor(boot, listener, arguments.logs_fd, _make_junos, _load).run())


if __name__ == "__main__":
    sys.exit(main())
