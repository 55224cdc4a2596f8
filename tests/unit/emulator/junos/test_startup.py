"""The start-up configuration: loaded completely or not at all, before any login, and only at the first boot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from tests.unit.emulator.junos.conftest import Console, FullBackend

from keyroll.emulator.junos.login import console as console_module

CURLY = """
## Last commit: 2026-11-24 08:04:28 UTC by root
system {
    host-name edge-1;
    root-authentication {
        encrypted-password "$6$salt$hash"; ## SECRET-DATA
    }
}
interfaces {
    ge-0/0/0 { unit 0 { family inet { address 10.0.12.1/30; } } }
}
"""
SET = "# a comment\nset system host-name edge-2\nset interfaces ge-0/0/0 unit 0 family inet address 10.0.12.2/30\n"


@pytest.mark.parametrize(("text", "name"), [(CURLY, "edge-1"), (SET, "edge-2")])
def test_a_start_up_file_in_either_form_takes_effect_at_boot(
    full: FullBackend, open_console: Callable[..., Console], tmp_path: Path, text: str, name: str
) -> None:
    path = tmp_path / "juniper.conf"
    path.write_text(text)
    console = open_console(full, startup_file=path)
    assert f"set system host-name {name}" in console.type("show configuration | display set")
    assert console.cli.prompt == f"admin@{name}> "


@pytest.mark.parametrize(
    "text",
    [
        CURLY.replace("host-name edge-1;", "host-name edge-1; no-such-thing Hush-1;"),
        SET + "set system no-such-thing Hush-1\n",
        "system { host-name",
        "set protocols bgp group g neighbor 10.0.12.2 authentication-key-chain b\n",
    ],
)
def test_a_start_up_file_with_a_mistake_is_not_loaded_and_its_text_is_not_logged(
    full: FullBackend, open_console: Callable[..., Console], tmp_path: Path, text: str
) -> None:
    path = tmp_path / "juniper.conf"
    path.write_text(text)
    console = open_console(full, startup_file=path)
    assert console.type("show configuration | display set").strip() == ""
    assert any("UI_BOOT_FAILED" in line for line in console.log)
    assert not any("Hush-1" in line for line in console.log)


@pytest.mark.parametrize("octets", [None, b"", b"  \n", b"\xff\xfe"])
def test_without_a_usable_file_the_router_boots_with_an_empty_configuration(
    full: FullBackend, open_console: Callable[..., Console], tmp_path: Path, octets: bytes | None
) -> None:
    path = tmp_path / "juniper.conf"
    if octets is not None:
        path.write_bytes(octets)
    console = open_console(full, startup_file=path)
    assert console.type("show configuration | display set").strip() == ""


def test_a_later_commit_replaces_the_start_up_configuration_at_the_next_boot(
    full: FullBackend, open_console: Callable[..., Console], tmp_path: Path
) -> None:
    path, saved = tmp_path / "juniper.conf", tmp_path / "saved"
    path.write_text(SET)
    first = open_console(full, startup_file=path, saved=saved)
    first.type("configure", "set system host-name edge-3", "commit and-quit")
    second = open_console(full, startup_file=path, saved=saved)
    assert second.cli.prompt == "admin@edge-3> "


def test_a_console_stream_runs_one_command_or_a_command_line(console: Console) -> None:
    async def output_of(command: str | None, typed: bytes) -> bytes:
        written: list[bytes] = []

        class Writer:
            def write(self, octets: bytes) -> None:
                written.append(octets)

            async def drain(self) -> None:
                return

        reader = asyncio.StreamReader()
        reader.feed_data(typed)
        reader.feed_eof()
        writer = cast("asyncio.StreamWriter", Writer())
        await console_module.converse(
            console.router._state, reader, writer, user="root", command=command, pty=False, height=24
        )
        return b"".join(written)

    one = console.runner.run(output_of("show version", b""))
    assert b"Hostname: R1\n" in one
    line = console.runner.run(output_of(None, b"show version\nexit\n"))
    assert b"root@R1> " in line
    assert b"Hostname: R1" in line
