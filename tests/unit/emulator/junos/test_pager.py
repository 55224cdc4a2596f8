"""The keys at `---(more)---`, and the editing keys that move by words."""

from __future__ import annotations

import asyncio

import pytest

from keyroll.emulator.junos.login.line_editor import LineEditor
from keyroll.emulator.junos.login.pager import HELP_LINES
from keyroll.emulator.junos.login.terminal import Terminal
from keyroll.emulator.junos.shell.output import Output

HEIGHT = 5
LINES = [f"line {number}" for number in range(12)]


def _shown(keys: bytes) -> list[str]:
    """Return the lines printed after the first page of a screen with five rows, four of them for output."""
    printed = bytearray()

    async def play() -> None:
        terminal = Terminal(printed.extend, pty=True, height=HEIGHT)
        terminal.data(keys)
        await terminal.show(Output(LINES), None)

    asyncio.run(asyncio.wait_for(play(), 60))
    text = printed.decode().replace("---(more)---", "").replace("\r" + " " * 12 + "\r", "")
    return text.splitlines()[HEIGHT - 1 :]


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (b"q", []),
        (b"\x03", []),
        (b"xyz\x00q", []),
        (b" q", LINES[4:8]),
        (b"\x1b[6~\x06", LINES[4:12]),
        (b"\rj\nq", LINES[4:7]),
        (b"\x1b[B\x1bOBq", LINES[4:6]),
        (b"dq", LINES[4:6]),
        (b"G", LINES[4:12]),
        (b"N", LINES[4:12]),
        (b" bq", [*LINES[4:8], *LINES[0:4]]),
        (b" \x1b[Aq", [*LINES[4:8], *LINES[3:7]]),
        (b" uq", [*LINES[4:8], *LINES[2:6]]),
        (b" gq", [*LINES[4:8], *LINES[0:4]]),
        (b"kq", LINES[0:4]),
        (b"hq", [*HELP_LINES]),
    ],
)
def test_each_key_of_the_pager_shows_its_lines(keys: bytes, shown: list[str]) -> None:
    assert _shown(keys) == shown


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (b"\x1bbX", "show bgp Xsummary"),
        (b"\x1bb\x1bbX", "show Xbgp summary"),
        (b"\x01\x1bfX", "showX bgp summary"),
        (b"\x01\x1bf\x1bfX", "show bgpX summary"),
        (b"\x01\x1bd", " bgp summary"),
        (b"\x01\x1bd\x1bd\x05\x19", " summary bgp"),
        (b"\x1b\x7f", "show bgp "),
        (b"\x1b[1;5DX", "show bgp Xsummary"),
    ],
)
def test_escape_and_a_letter_move_and_delete_by_words(keys: bytes, line: str) -> None:
    editor = LineEditor()
    for octet in b"show bgp summary" + keys:
        editor.feed(octet)
    assert editor.line == line
