from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from keyroll.emulator.contract.errors import FrrError
from keyroll.emulator.frr.vty import Vty

Answers = dict[str, tuple[str, int]]


def run_client(tmp_path: Path, answers: Answers, client: Callable[[Vty], Awaitable[None]], **more: float) -> list[str]:
    """Run `client` against a daemon that gives `answers` and accepts every other command; return what it received."""
    received: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                command = (await reader.readuntil(b"\0"))[:-1].decode()
                received.append(command)
                text, code = answers.get(command, ("", 0))
                if code >= 0:
                    writer.write(text.encode() + b"\0\0\0" + bytes([code]))
        except asyncio.IncompleteReadError:
            writer.close()

    async def play() -> None:
        path = tmp_path / "bgpd.vty"
        async with await asyncio.start_unix_server(serve, str(path)):
            vty = await Vty.connect("bgpd", path, **more)
            try:
                await client(vty)
            finally:
                await vty.close()

    asyncio.run(play())
    return received


def test_configuration_enters_the_node_sends_its_line_and_leaves(tmp_path: Path) -> None:
    async def client(vty: Vty) -> None:
        await vty.configure(("router bgp 1",), "neighbor x activate")

    received = run_client(tmp_path, {}, client)
    assert received == ["enable", "configure terminal", "router bgp 1", "neighbor x activate", "end"]


def test_a_refused_line_is_an_error_with_the_daemons_message_and_leaves_the_node(tmp_path: Path) -> None:
    async def client(vty: Vty) -> None:
        with pytest.raises(FrrError, match="bgpd refused 'nonsense': % Unknown command"):
            await vty.configure((), "nonsense")

    assert run_client(tmp_path, {"nonsense": ("% Unknown command\n", 2)}, client)[-1] == "end"


def test_a_refused_secret_is_shown_neither_from_the_line_nor_from_the_answer(tmp_path: Path) -> None:
    async def client(vty: Vty) -> None:
        with pytest.raises(FrrError) as caught:
            await vty.configure((), "password hush", shown="password <secret>")
        assert "hush" not in str(caught.value)

    run_client(tmp_path, {"password hush": ("% hush is too short", 13)}, client)


def test_json_is_read_and_anything_else_is_an_error(tmp_path: Path) -> None:
    async def client(vty: Vty) -> None:
        assert await vty.json("show good json") == {"a": 1}
        with pytest.raises(FrrError, match="not JSON"):
            await vty.json("show bad json")
        with pytest.raises(FrrError, match="JSON that is not an object"):
            await vty.json("show list json")

    answers = {"show good json": ('{"a": 1}', 0), "show bad json": ("oops", 0), "show list json": ("[]", 0)}
    run_client(tmp_path, answers, client)


def test_a_daemon_that_does_not_answer_is_named(tmp_path: Path) -> None:
    async def client(vty: Vty) -> None:
        with pytest.raises(FrrError, match="bgpd did not answer 'show stuck' within"):
            await vty.command("show stuck")

    run_client(tmp_path, {"show stuck": ("", -1)}, client, wait_scale=0.02)


def test_a_missing_daemon_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FrrError, match=r"does not answer on bgpd\.vty"):
        asyncio.run(Vty.connect("bgpd", tmp_path / "bgpd.vty"))


def test_all_lines_of_a_block_are_sent_and_the_first_refusal_is_the_error(tmp_path: Path) -> None:
    async def client(vty: Vty) -> None:
        await vty.configure_together([(("a",), "one"), (("a", "b"), "two")])
        with pytest.raises(FrrError, match="refused 'bad'"):
            await vty.configure_together([((), "bad"), ((), "good")])

    received = run_client(tmp_path, {"bad": ("% no", 2)}, client)
    assert received[1:8] == ["configure terminal", "a", "one", "a", "b", "two", "end"]
    assert received[8:] == ["configure terminal", "bad", "good", "end"]
