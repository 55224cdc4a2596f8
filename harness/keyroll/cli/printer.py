"""Output of commands while they work. If it cannot be written, only the printing ends, never a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from keyroll.cli.output import say, why_not_written
from keyroll.errors import ExitCode, printable

_REFRESHES = 4
"""Redraws a second: a person sees no more, and a slow SSH connection can transmit them."""
_VERDICTS = {ExitCode.OK: "bold green", ExitCode.BAD: "bold red"}


def verdict_style(code: ExitCode) -> str:
    """Return a verdict's colour by its exit code: yellow, neither green nor red, where nothing can be said."""
    return _VERDICTS.get(code, "bold yellow")


class _Console(Console):
    """A console that raises an error when its reader closes the pipe; rich's own exits with 1."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError."""
        raise BrokenPipeError


class Printer:
    """Prints on stdout until it can no longer be written (`| head -1`, a full disk)."""

    def __init__(self) -> None:
        self._console = _Console(highlight=False, soft_wrap=True)
        self._problem: str | None = None

    def line(self, text: str = "", *, style: str = "") -> None:
        """Print a line; control characters are shown as escapes."""
        if self._problem is not None:
            return
        try:
            self._console.print(Text(printable(text), style=style))
        except BrokenPipeError:
            self._problem = ""  # the reader has gone
        except (OSError, ValueError) as error:
            self._give_up(error)
            return
        problem = why_not_written()
        if problem is not None:
            self._give_up(problem)

    def _give_up(self, error: OSError | ValueError) -> None:
        self._problem = f"the output cannot be written: {getattr(error, 'strerror', None) or error}"
        say(f"keyroll: {self._problem}")

    @contextlib.contextmanager
    def below(self, view: RenderableType | None) -> Iterator[None]:
        """Draw a view below the lines that are printed in the block. At its end the view is erased."""
        if view is None or self._problem is not None:
            yield
            return
        live = Live(
            view,
            console=self._console,
            transient=True,
            refresh_per_second=_REFRESHES,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        try:
            with contextlib.suppress(OSError, ValueError):
                live.start()
            yield
        finally:
            # The terminal may be gone: that ends the printing, never a run.
            with contextlib.suppress(OSError, ValueError):
                live.stop()
