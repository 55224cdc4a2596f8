"""The emulated router as a container: its environment variables, links and console."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from asyncio.streams import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from keyroll.emulator.boot.container import ContainerSettings, await_links, ports
from keyroll.emulator.boot.container_console import Console, Greeting
from keyroll.emulator.contract.errors import ProcessError

CLI = Path(__file__).parents[3] / "image" / "cli"


def test_the_container_environment_is_read() -> None:
    environment = {"CLAB_INTFS": "2", "KEYROLL_SENDING": "rnext", "KEYROLL_DELETION": "next-connection"}
    environment["KEYROLL_WAIT_SCALE"] = "3"
    assert ContainerSettings.read(environment, "R1.lab") == ContainerSettings(
        "R1", 2, {"sending": "rnext", "deletion": "next-connection"}, 3.0
    )
    assert ContainerSettings.read({}, "R1") == ContainerSettings("R1", None, {}, 1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLAB_INTFS", "many"),
        ("KEYROLL_SENDING", "maybe"),
        ("KEYROLL_RECEIVING", "all"),
        ("KEYROLL_REPOINT", "never"),
        ("KEYROLL_WAIT_SCALE", "x"),
    ],
)
def test_an_invalid_value_is_named(name: str, value: str) -> None:
    with pytest.raises(ProcessError, match=f"invalid {name} '{value}'"):
        ContainerSettings.read({name: value}, "R1")


def test_interfaces_become_ports_in_the_order_of_their_numbers() -> None:
    names = ["lo", "eth0", "eth10", "eth2", "h0", "eth1", "ethx"]
    assert [(port["wire"], port["router"]) for port in ports(names)] == [
        ("eth1", "ge-0-0-0"),
        ("eth2", "ge-0-0-1"),
        ("eth10", "ge-0-0-9"),
    ]


def test_missing_links_are_reported() -> None:
    with pytest.raises(ProcessError, match=r"expected 99 links within 0\.1 s, found"):
        await_links(99, 0.1)


def test_a_long_wait_for_links_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("keyroll.emulator.boot.container.WARN_SECONDS", 0.05)
    with pytest.raises(ProcessError, match="expected 99 links"):
        await_links(99, 0.2)
    assert caplog.text.count("waiting for links: 99 expected (CLAB_INTFS)") == 1
    assert "a container that is restarted alone has lost them: deploy the lab again" in caplog.text


def converse(
    *words: str, answer: Callable[[StreamReader, StreamWriter, Greeting], Awaitable[None]]
) -> subprocess.CompletedProcess[str]:
    """Run `image/cli` against a console whose router is `answer`."""

    async def act(folder: Path) -> subprocess.CompletedProcess[str]:
        console = Console(folder / "cli.sock")
        await console.open(answer)
        program = CLI.read_text().replace("/run/keyroll/cli.sock", str(folder / "cli.sock"))
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", program, *words),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate(b"show version\n")
            return subprocess.CompletedProcess(words, process.returncode or 0, out.decode(), err.decode())
        finally:
            await console.close()

    return asyncio.run(act(Path(os.environ["CONSOLE"])))


@pytest.fixture(autouse=True)
def _short_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a folder in CONSOLE whose path is short enough for a socket."""
    monkeypatch.setenv("CONSOLE", str(tmp_path_factory.mktemp("c")))


def test_one_command_is_run_and_its_output_printed_with_nothing_on_stderr() -> None:
    seen = []

    async def router(_reader: StreamReader, writer: StreamWriter, greeting: Greeting) -> None:
        seen.append((greeting.command, greeting.pty))
        writer.write(b"Hostname: R1\n")
        await writer.drain()

    result = converse("show", "conf", answer=router)
    assert (result.returncode, result.stdout, result.stderr) == (0, "Hostname: R1\n", "")
    assert seen == [("show conf", False)]


def test_without_a_command_the_input_is_sent_to_the_router() -> None:
    async def router(reader: StreamReader, writer: StreamWriter, greeting: Greeting) -> None:
        assert greeting.command is None
        writer.write(b"received: " + await reader.readline())
        await writer.drain()

    assert converse(answer=router).stdout == "received: show version\n"


def test_a_router_that_is_not_running_is_reported() -> None:
    program = CLI.read_text().replace("/run/keyroll/cli.sock", "/nowhere/cli.sock")
    result = subprocess.run([sys.executable, "-c", program, "x"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "does not answer yet" in result.stderr


@pytest.mark.parametrize("line", [b"", b"x\n", b"[]\n", b'{"v": 2}\n', b'{"v": 1, "command": 3}\n'])
def test_an_invalid_greeting_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Greeting.parse(line)


def test_a_greeting_is_read() -> None:
    found = Greeting.parse(json.dumps({"v": 1, "command": "x", "pty": True, "height": 7}).encode())
    assert (found.command, found.pty, found.height) == ("x", True, 7)
