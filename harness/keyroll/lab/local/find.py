"""Find labs of other processes by their folders, and send requests to their control sockets."""

from __future__ import annotations

import json
import select
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyroll.lab.local import channel, folders
from keyroll.lab.protocol import LabError

ANSWER_SECONDS = 15.0
"""Seconds for a lab's process to answer a request: a router waits 10 s for a stuck daemon before it answers."""
DOWN_SECONDS = 15.0
"""Seconds from the order to stop to the end of the lab's last process: destroying containers takes longest."""
_ANSWER_MAX = 1 << 20
"""Octets read at once; an answer is one line, of a few kilobytes."""


@dataclass(frozen=True, slots=True)
class FoundLab:
    """A lab by its folder. `state` is None while it is being deployed (or if the deploy failed)."""

    path: Path
    state: folders.LabState | None

    @property
    def name(self) -> str:
        """The lab's id."""
        return self.path.name

    @property
    def alive(self) -> bool:
        """Whether any process of it is running."""
        return folders.is_alive(self.path)

    @property
    def kept(self) -> bool:
        """Whether it stays up after the command that deployed it."""
        return self.state is not None and self.state.kept

    def router(self, name: str) -> folders.RouterEntry:
        """Return the entry of a router. Raises LabError for an unknown name."""
        routers = self.state.routers if self.state is not None else ()
        for entry in routers:
            if entry.name == name:
                return entry
        names = ", ".join(entry.name for entry in routers) or "none yet"
        raise LabError(f"lab {self.name} has no router '{name}'; it has {names}")

    def ask_router(
        self, router: str, op: str, *, within: float = ANSWER_SECONDS, **fields: object
    ) -> tuple[dict[str, Any], list[int]]:
        """Send a request to a router's control socket (docs/control.md); return the answer and its descriptors.

        `within` is how many seconds the answer may take.

        Raises:
            LabError: the router does not answer, or refuses.
        """
        self.router(router)
        what = f"router {router} of lab {self.name}"
        request = json.dumps({"v": 1, "op": op, **fields}).encode() + b"\n"
        data, descriptors = b"", list[int]()
        try:
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(within)
                control.connect(str(self.path / f"{router}.ctl"))
                control.sendall(request)
                while not data.endswith(b"\n"):
                    more, fds, _, _ = socket.recv_fds(control, _ANSWER_MAX, 4)
                    if not more:
                        break
                    data += more
                    descriptors += fds
            answer = json.loads(data)
        except FileNotFoundError:
            raise LabError(
                f"{what} has no control socket",
                remedy="Juniper's images have none: log in by SSH (`keyroll lab list`);"
                f" an emulated router without one has ended: `keyroll lab down {self.name}`",
            ) from None
        except OSError as error:
            raise LabError(f"{what} does not answer: {error}", remedy=f"`keyroll lab down {self.name}`") from error
        except ValueError as error:
            raise LabError(f"malformed answer from {what}: not JSON") from error
        return _granted(answer, what), descriptors

    def ask_keeper(self, op: str, **fields: object) -> tuple[dict[str, Any], list[int]]:
        """Send a request to the keeper's control socket; return the answer and its descriptors. Raises LabError."""
        what = f"the keeper of lab {self.name}"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
                control.settimeout(ANSWER_SECONDS)
                control.connect(str(self.path / folders.KEEPER_SOCKET))
                channel.send(control, {"op": op, **fields})
                received = channel.receive(control)
        except OSError as error:
            raise LabError(f"{what} does not answer: {error}", remedy="`keyroll lab clean`") from error
        if received is None:
            raise LabError(f"{what} closed the connection without an answer")
        return _granted(received[0], what), received[1]

    def stop(self) -> None:
        """Stop the lab and wait until all its processes have ended.

        Raises:
            LabError: they do not end in time.
        """
        refused: LabError | None = None
        if self.alive:
            try:
                self.ask_keeper("stop")
            except LabError as error:
                refused = (
                    error  # raised only if the lab does not end: another command may be destroying it at this moment
                )
            deadline = time.monotonic() + DOWN_SECONDS
            while self.alive:
                if time.monotonic() > deadline:
                    raise refused or LabError(f"lab {self.name} did not end within {DOWN_SECONDS:g} s")
                select.select([], [], [], _POLL_SECONDS)
        folders.remove(self.path)


_POLL_SECONDS = 0.01
"""Interval between tries for a lock, which gives no event when it becomes free; a lab ends in some 50 ms."""


def silent_in_router(lab: FoundLab, router: str, seconds: float) -> tuple[str, ...]:
    """Return the parts of an emulated router that do not answer a `ping` within `seconds`.

    A router without a control socket (Juniper's images) has no parts to ping.
    """
    if not (lab.path / f"{router}.ctl").exists():
        return ()
    # The router itself waits up to `seconds` for its parts, so its answer may come a little later.
    try:
        answer, _ = lab.ask_router(router, "ping", within=seconds + _ROUTER_EXTRA_SECONDS, seconds=seconds)
    except LabError:
        return (f"router {router}",)
    return tuple(f"{router}'s {part}" for part in answer["silent"])


_ROUTER_EXTRA_SECONDS = 1.0
"""Seconds added to the parts' time for the router's own answer, which follows at once after the last part."""


def how_it_ended(code: int) -> str:
    """Return a text on how a process ended, from its exit code (negative: a signal)."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _granted(answer: object, what: str) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise LabError(f"malformed answer from {what}: not a JSON object")
    if answer.get("ok") is not True:
        raise LabError(f"{what}: {answer.get('error')}")
    return answer


def all_labs(base: Path | None = None) -> list[FoundLab]:
    """Return this user's labs, dead ones too. An unreadable state file raises an error only on access."""
    return [FoundLab(path, folders.read_state(path)) for path in folders.labs(base)]


def find(name: str | None) -> FoundLab:
    """Return the lab of that name. Without a name: the only kept lab, else the only lab of a running command.

    Raises:
        LabError: there is none, or several, so `name` is needed.
    """
    labs = [lab for lab in all_labs() if lab.alive]
    if name is None:
        labs = [lab for lab in labs if lab.state is not None and lab.state.kept] or labs
    found = [lab for lab in labs if name in (None, lab.name)]
    if len(found) == 1:
        return found[0]
    if not labs:
        raise LabError("there is no lab", remedy="`keyroll lab up` makes one")
    names = ", ".join(lab.name for lab in labs)
    raise LabError(
        f"no lab '{name}'; there is {names}" if name else f"which lab? There is {names}", remedy="--name NAME"
    )
