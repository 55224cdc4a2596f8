"""The owner's end of a lab's guard: starts it, gives it orders, lets go of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from keyroll.lab.local import channel, folders
from keyroll.lab.protocol import LabError

GUARD_SECONDS = 15.0
"""From an order to the guard to its answer."""
DOWN_SECONDS = 10.0
"""From the end of its channel to the guard's own end."""


class GuardLink:
    """One guard, started with the link. See `keyroll.lab.containerlab.guard` for the orders."""

    def __init__(self, run: folders.RunDirectory, evidence: Path, *, wait_scale: float) -> None:
        self._lab = run.id
        self._log = evidence / "lab.log"
        self._scale = wait_scale
        self._channel, theirs = channel.pair()
        self._channel.settimeout(GUARD_SECONDS * wait_scale)
        command = [
            *(sys.executable, "-P", "-m", "keyroll.lab.containerlab.guard"),
            *("--channel", str(theirs.fileno()), "--lock", str(run.lock_fd)),
            *("--folder", str(run.path), "--evidence", str(evidence.absolute())),
        ]
        with theirs, self._log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(), run.lock_fd),
                start_new_session=True,
                env=folders.environment(run.id),
            )

    def check(self) -> None:
        """Raise LabError when the guard has ended."""
        if self._process.poll() is not None:
            raise self._died()

    def call_started(self, pid: int) -> None:
        """Have the guard end a `containerlab` call that outlives this process. Raises LabError."""
        pidfd = os.pidfd_open(pid)
        try:
            channel.send(self._channel, {"op": "call"}, (pidfd,))
        except OSError:
            raise self._died() from None
        finally:
            os.close(pidfd)

    def ask(self, message: channel.Message, descriptors: tuple[int, ...] = ()) -> channel.Message:
        """Give an order and return its answer. Raises LabError: refused, or the guard is gone."""
        try:
            channel.send(self._channel, message, descriptors)
            received = channel.receive(self._channel)
        except TimeoutError:
            raise LabError(f"lab {self._lab}: the guard did not answer '{message['op']}' in time") from None
        except OSError:
            received = None
        if received is None:
            raise self._died()
        if not received[0].get("ok"):
            raise LabError(f"lab {self._lab}: {received[0].get('error')}")
        return received[0]

    def tell(self, op: str) -> None:
        """Give an order of the lab's end; a guard that has died carries out nothing, and the rest goes all the same."""
        with contextlib.suppress(LabError):
            self.ask({"op": op})

    def close(self) -> None:
        """Let go of the guard, and wait for its end."""
        self._channel.close()
        try:
            self._process.wait(DOWN_SECONDS * self._scale)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _died(self) -> LabError:
        return LabError(f"lab {self._lab}: its guard has died; see {self._log}")
