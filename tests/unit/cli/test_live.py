"""The live view on a pseudo-terminal, whose screen pyte emulates."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest
from rich.console import Console

from keyroll.cli.live import LiveView, session_style, wanted
from keyroll.scenario.record.timeline import Event, Kind

pyte = pytest.importorskip("pyte", reason="pyte is not installed")

_PATIENCE = 60.0
"""Seconds: far beyond what anything here takes on a busy machine."""
PLAYED = """
import fcntl, signal, sys, termios
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored if the tests run in the background
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that ^C typed on the terminal is a signal here
from keyroll.cli.live import LiveView
from keyroll.cli.printer import Printer
from keyroll.scenario.record.timeline import Event, Kind
printer, view = Printer(), LiveView(now=lambda: 10_000_000_000)
try:
    with printer.below(view):
        live = printer._console._live_stack[0]
        live._refresh_thread.stop()  # it would overwrite "drawn" before the test reads it
        live._refresh_thread.join()
        for at, kind, router, text, data in (
            (0, Kind.STEP, None, "step 1: apply routers: [R1, R2] " + 20 * "and on ", {}),
            (1, Kind.WIRE, "R1", "bgp: sends key 0 (KeyID 1, RNextKeyID 2)", {"key": 0}),
            (5, Kind.WIRE, "R1", "bgp: sends key 1 (KeyID 3, RNextKeyID 4)", {"key": 1}),
            (6, Kind.WIRE, "R2", "bgp: sends key 0 (KeyID 2, RNextKeyID 1)", {"key": 0}),
            (7, Kind.SESSION, "R1", "bgp Established, 0 flaps", {}),
            (8, Kind.WAIT, None, "all of it must hold, at most 25.0 s", {"seconds": 25.0}),
            (8, Kind.CHECK, "R2", "RED: no-flap", {"passed": False, "name": "no-flap", "observed": "\\x1b[2Jbgp Idle"}),
        ):
            view(Event(at * 1_000_000_000, kind, text, router, data=data))
            printer.line("plain: " + text[:30])
        live.refresh()
        sys.stderr.write("drawn\\n")
        sys.stderr.flush()
        sys.stdin.readline()
except KeyboardInterrupt:
    printer.line("INTERRUPTED")
"""


class Terminal:
    """A terminal of 80 columns and 24 lines that runs a command."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self._near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color"}
        self.before = termios.tcgetattr(far)
        self.child = subprocess.Popen(
            [sys.executable, "-c", PLAYED],
            stdin=far,
            stdout=far,
            stderr=far,
            env=environment,
            start_new_session=True,
        )
        self._far = far

    def until(self, words: str) -> None:
        """Read until the screen shows `words`."""
        while not any(words in line for line in self.screen.display):
            assert select.select([self._near], [], [], _PATIENCE)[0], f"no '{words}' on the screen, and nothing comes"
            assert self.child.poll() is None, "\n".join(self.screen.display)
            self._stream.feed(os.read(self._near, 4096))

    def end(self, typed: bytes) -> None:
        os.write(self._near, typed)
        self.child.wait(timeout=_PATIENCE)
        self.after = termios.tcgetattr(self._far)
        os.close(self._far)
        try:
            while octets := os.read(self._near, 4096):
                self._stream.feed(octets)
        except OSError:
            pass  # Linux raises it at the end of a pseudo-terminal
        os.close(self._near)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    if made.child.poll() is None:
        made.child.kill()
        made.child.wait()


@pytest.mark.parametrize(("typed", "left"), [(b"\n", "plain: RED: no-flap"), (b"\x03", "INTERRUPTED")])
def test_the_view_shows_keys_and_red_checks_and_leaves_the_terminal_as_it_was(
    terminal: Terminal, typed: bytes, left: str
) -> None:
    terminal.until("drawn")
    shown = "\n".join(terminal.screen.display)
    assert "0000" in shown
    assert "1111" in shown
    assert "key 1 (KeyID 3" in shown
    assert "RED  no-flap R2: \\x1b[2Jbgp Idle" in shown
    assert "10 of at most 33 s  step 1" in shown
    assert sum("step 1: apply routers" in line for line in terminal.screen.display) == 2, "its plain line, and the view"
    terminal.end(typed)
    shown = "\n".join(terminal.screen.display)
    assert left in shown
    assert "plain: bgp: sends key 1" in shown
    assert "RED  no-flap" not in shown
    assert terminal.after == terminal.before
    assert not terminal.screen.cursor.hidden


def test_the_longest_key_is_shown_whole_in_80_columns() -> None:
    view = LiveView(now=lambda: 9)
    words = "key 63 (KeyID 255, RNextKeyID 255)"
    view(Event(1, Kind.WIRE, f"bgp: sends {words}", "R1", data={"key": 63}))
    rows = Console(width=80).render_lines(view, pad=False)
    assert any("".join(part.text for part in row).endswith(words) for row in rows)


def drawn(view: LiveView) -> list[str]:
    return ["".join(part.text for part in row) for row in Console(width=80).render_lines(view, pad=False)]


def test_each_session_keeps_its_state_and_one_that_is_down_is_not_green() -> None:
    view = LiveView(now=lambda: 9)
    for text in ("bgp Established, 0 flaps", "ldp Operational", "bgp Idle, 1 flaps"):
        view(Event(1, Kind.SESSION, text, "R1"))
    assert "R1  bgp Idle, 1 flaps; ldp Operational" in drawn(view)
    assert session_style("bgp Established, 0 flaps; ldp Operational") == "green"
    assert session_style("bgp Established, 0 flaps; ldp Nonexistent") == "yellow"


def test_the_lanes_begin_with_the_first_step_and_not_while_the_lab_comes_up() -> None:
    view = LiveView(now=lambda: 100)
    view(Event(1, Kind.RUN, "seed 7"))
    view(Event(90, Kind.STEP, "step 1: apply"))
    view(Event(90, Kind.WIRE, "bgp: sends key 0 (KeyID 1)", "R1", data={"key": 0}))
    assert any(row.endswith(" " + 28 * "0" + " key 0 (KeyID 1)") for row in drawn(view))


def test_a_deadline_is_not_shown_after_its_step_or_its_time() -> None:
    now = [2_000_000_000]
    view = LiveView(now=lambda: now[0])

    def shown() -> str:
        return "".join(part.text for row in Console(width=80).render_lines(view, pad=False) for part in row)

    view(Event(0, Kind.STEP, "step 4: expect bgp: Established"))
    view(Event(1_000_000_000, Kind.WAIT, "all of it must hold, at most 9.0 s", data={"seconds": 9.0}))
    assert "2 of at most 10 s  step 4" in shown()
    now[0] = 11_000_000_000
    assert "11 s  step 4" in shown()
    view(Event(12_000_000_000, Kind.STEP, "step 5: wait 3s"))
    assert "at most" not in shown()


def test_no_row_is_wider_than_the_terminal() -> None:
    view = LiveView(now=lambda: 9)
    for number in range(12):
        view(Event(1, Kind.WIRE, f"session-of-a-long-name-{number}: sends key 63 {'x' * 90}", "R1", data={"key": 63}))
    for width in (20, 80):
        console = Console(width=width, force_terminal=True)
        rows = console.render_lines(view, pad=False)
        assert max(sum(part.cell_length for part in row) for row in rows) < width
        assert len(rows) == 11, "a blank, eight lanes, how many more, the step"


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "xterm", "CI": "true"}, {}])
def test_there_is_no_live_view_in_ci_or_on_a_dumb_terminal(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert wanted(plain=False, environment={"TERM": "xterm"})
    assert not wanted(plain=False, environment=environment)
    assert not wanted(plain=True, environment={"TERM": "xterm"})
