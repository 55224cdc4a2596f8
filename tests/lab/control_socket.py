"""Requests to the control socket of an embedded lab's router (docs/control.md)."""

from __future__ import annotations

import json
import socket
from typing import Any


def ask(lab: str, router: str, **request: object) -> dict[str, Any]:
    """Return the answer to a request, such as `op="status"`. Raises AssertionError if the router refuses it."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(f"/run/keyroll/{lab}/{router}.ctl")
        control.sendall(json.dumps({"v": 1, **request}).encode() + b"\n")
        answer = json.loads(control.makefile().readline())
    assert answer["ok"], answer
    found: dict[str, Any] = answer
    return found
