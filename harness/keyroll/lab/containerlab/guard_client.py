"""The owner's side of a lab's guard: starts it, sends it orders, ends it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from keyroll.lab.local import channel, folders
from keyroll.lab.protocol import LabError

GUARD_SECONDS = 15.0
"""Seconds for the guard to answer an order: the first order waits for Python to start, others for `ip` and
`containerlab tools`."""
_PING_EXTRA_SECONDS = 1.0
"""Seconds added to the parts' time for the guard's own answer to a ping."""
DOWN_SECONDS = 10.0
"""Seconds from the end of its channel to the guard's end; its captures are complete by then."""


class GuardLink:
    """One guard, started with the link. See `keyroll.lab.containerlab.guard` for the orders."""

    def __init__(self, run: folders.RunDirectory, evidence: Path, *, wait_scale: float) -> None:
        self._lab = run.id
        self._log = evidence / "lab.log"
        self._scale = wait_scale
        ours, theirs = channel.pair()
        self._channel = channel.RequestChannel(ours)
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
        """Tell the guard to end a `containerlab` call if this process ends first. Raises LabError."""
        pidfd = os.pidfd_open(pid)
        try:
            self._channel.begin({"op": "call"}, (pidfd,))  # the only order without an answer
        except OSError:
            raise self._died() from None
        finally:
            os.close(pidfd)

    def ask(self, message: channel.Message, descriptors: tuple[int, ...] = ()) -> channel.Message:
        """Send an order and return its answer. Raises LabError if it is refused or the guard has ended."""
        answer = self._answer(message, descriptors, GUARD_SECONDS * self._scale)
        if answer is None:
            raise LabError(f"lab {self._lab}: the guard did not answer '{message['op']}' in time")
        if not answer.get("ok"):
            raise LabError(f"lab {self._lab}: {answer.get('error')}")
        return answer

    def ping(self, seconds: float) -> channel.Message | None:
        """Ping the guard's parts and return the result after `seconds`; None if the guard itself does not answer."""
        # The guard waits up to `seconds` for its parts, so its answer may come a little later.
        return self._answer({"op": "ping", "seconds": seconds}, (), seconds + _PING_EXTRA_SECONDS)

    def _answer(self, message: channel.Message, descriptors: tuple[int, ...], seconds: float) -> channel.Message | None:
        try:
            number = self._channel.begin(message, descriptors)
            return self._channel.finish(number, time.monotonic() + seconds)
        except (TimeoutError, BlockingIOError):
            return None
        except (OSError, LabError):
            raise self._died() from None

    def tell(self, op: str) -> None:
        """Send an order at the lab's end; ignore a dead guard, so that the lab is destroyed anyway."""
        with contextlib.suppress(LabError):
            self.ask({"op": op})

    def close(self) -> None:
        """Close the guard's channel, and wait for its end."""
        self._channel.close()
        try:
            self._process.wait(DOWN_SECONDS * self._scale)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _died(self) -> LabError:
        return LabError(f"lab {self._lab}: its guard has died; see {self._log}")
