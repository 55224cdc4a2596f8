"""The SSH client, paramiko and netmiko, imported without invoke, which takes as long as paramiko.

paramiko needs invoke only for `Match exec` in an SSH configuration. It gets a stand-in that imports invoke on first
use. netmiko imports paramiko, so both are imported here and nowhere else.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

__all__ = [
    "BaseConnection",
    "JuniperSSH",
    "NetmikoAuthenticationException",
    "NetmikoTimeoutException",
    "ReadException",
    "ReadTimeout",
    "paramiko",
]

_LATE = "invoke"


@contextmanager
def _put_off(name: str) -> Iterator[None]:
    """In the block, imports of a package find a stand-in; after it, they find the package itself."""
    if name in sys.modules or find_spec(name) is None:
        yield
        return
    stand_in = ModuleType(name)
    vars(stand_in)["__getattr__"] = lambda attribute: getattr(importlib.import_module(name), attribute)
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]


with _put_off(_LATE):
    import paramiko
    from netmiko import BaseConnection
    from netmiko.exceptions import NetmikoAuthenticationException, NetmikoTimeoutException, ReadException, ReadTimeout
    from netmiko.juniper import JuniperSSH
