"""Run one emulated router in this process. A process that has called `load` can be forked for several routers.

The router's name and accounts come over the boot socket. It runs in the outer network namespace, which has the wire's
interfaces.
"""

from __future__ import annotations

import asyncio
import ctypes.util
import importlib
import logging
import os
import socket
import sys
from pathlib import Path

from keyroll import linux
from keyroll.emulator.boot.supervisor import JunosHalf, Supervisor
from keyroll.emulator.contract.model import Backend
from keyroll.emulator.machine.protected_sessions import KeyPolicy
from keyroll.keychain import type9

_JUNOS = "keyroll.emulator.junos.login.router"
_SSH = "keyroll.emulator.junos.login.ssh_server"
_NOT_LOOKED_FOR = frozenset({"oqs", "liboqs"})


def load() -> None:
    """Import the Junos half, which takes longer than all other steps of the start."""
    # asyncssh looks for an optional library (liboqs) with ctypes.util.find_library, which runs compiler and linker.
    # This takes as long as the rest of its import, and a lab on one machine does not need post-quantum key exchange.
    find_library = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if name in _NOT_LOOKED_FOR else find_library(name)
    try:
        importlib.import_module(_JUNOS)
    finally:
        ctypes.util.find_library = find_library
    importlib.import_module(_SSH).host_keys()  # made once for all routers that are forked from here
    type9.load()  # takes as long as a commit, which would otherwise wait for it


def run(boot: int, listener: int, logs: int) -> int:
    """Run the router until it ends; return its exit code.

    The arguments are descriptors: of the boot socket, the listening socket for SSH, and the folder for logs.
    """
    linux.no_core_dumps()
    for fd in (boot, listener, logs):
        os.set_inheritable(fd, False)  # noqa: FBT003 - the standard library's signature
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # A fork has the Junos half loaded already, and needs no thread to load it: with one thread it can fork its wire
    # path.
    missing = None if _JUNOS in sys.modules else load
    supervisor = Supervisor(socket.socket(fileno=boot), socket.socket(fileno=listener), logs, _make_junos, missing)
    return asyncio.run(supervisor.run())


def _make_junos(backend: Backend, *, host_name: str, policy: KeyPolicy, saved: Path) -> JunosHalf:
    from keyroll.emulator.junos.login.router import JunosRouter  # noqa: PLC0415 - loaded by `load` by then

    log = logging.getLogger("junos").info
    return JunosRouter(
        backend, host_name=host_name, log=log, receiving=policy.receiving, rules=policy.in_use, saved=saved
    )
