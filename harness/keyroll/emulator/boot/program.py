"""The program of one emulated router, to be run in this process: loaded once, it can be forked for every router.

Who the router is and who may log in comes over the boot socket. It is run in the outer network namespace, where the
wire is.
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
from keyroll.emulator.machine.protection import KeyPolicy
from keyroll.keychain import type9

_JUNOS = "keyroll.emulator.junos.login.router"
_SSH = "keyroll.emulator.junos.login.ssh_server"
_NOT_LOOKED_FOR = frozenset({"oqs", "liboqs"})


def load() -> None:
    """Load the Junos half, which takes longer than all the rest."""
    # asyncssh looks for an optional library with ctypes' help, which runs the compiler and the linker to find it: as
    # slow as all the rest of its loading, and of no use on one machine.
    find_library = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if name in _NOT_LOOKED_FOR else find_library(name)
    try:
        importlib.import_module(_JUNOS)
    finally:
        ctypes.util.find_library = find_library
    importlib.import_module(_SSH).host_keys()  # once for all routers that are forked from here
    type9.load()  # as long as a commit: the first one of a router would wait for it


def run(boot: int, listener: int, logs: int) -> int:
    """Be a router to its end, and return the exit code.

    The descriptors: `boot` is the boot socket, `listener` the listening socket for SSH, `logs` the folder for logs.
    """
    linux.no_core_dumps()
    for fd in (boot, listener, logs):
        os.set_inheritable(fd, False)  # noqa: FBT003 - the standard library's signature
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # A fork has it loaded already. It stays single-threaded, so that it can fork its wire path in turn.
    missing = None if _JUNOS in sys.modules else load
    supervisor = Supervisor(socket.socket(fileno=boot), socket.socket(fileno=listener), logs, _make_junos, missing)
    return asyncio.run(supervisor.run())


def _make_junos(backend: Backend, *, host_name: str, policy: KeyPolicy, saved: Path) -> JunosHalf:
    from keyroll.emulator.junos.login.router import JunosRouter  # noqa: PLC0415 - loaded by `load` by then

    log = logging.getLogger("junos").info
    return JunosRouter(
        backend, host_name=host_name, log=log, receiving=policy.receiving, rules=policy.in_use, saved=saved
    )
