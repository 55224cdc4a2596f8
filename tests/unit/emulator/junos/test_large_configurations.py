"""Large configurations: pastes have a limit, and a commit or a comparison does not delay other sessions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.emulator.junos.test_properties import CONTEXT, Machine, run

from keyroll.emulator.contract.model import Intent
from keyroll.emulator.junos.commit.candidate import ReadWriteLock
from keyroll.emulator.junos.commit.datastore import LARGE, Datastore
from keyroll.emulator.junos.commit.load import load_set
from keyroll.emulator.junos.configuration.inherit import expand, expand_part
from keyroll.emulator.junos.configuration.statements import ROOT
from keyroll.emulator.junos.configuration.tree import Node
from keyroll.emulator.junos.effect import intent
from keyroll.emulator.junos.login import terminal as terminal_module
from keyroll.emulator.junos.login.router import JunosRouter
from keyroll.emulator.junos.login.terminal import Terminal
from keyroll.emulator.junos.shell.cli import command_line


def test_a_paste_beyond_the_limit_is_refused_with_a_message_and_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 10_000
    monkeypatch.setattr(terminal_module, "BLOCK_LIMIT", limit)
    monkeypatch.setattr(terminal_module, "INPUT_LIMIT", limit)

    async def play() -> list[str]:
        terminal = Terminal(lambda _octets: None, pty=False)
        router = JunosRouter(Machine(), host_name="R1")
        cli = command_line(router._state, "admin", terminal)
        await cli.execute("configure")
        line = b"set system host-name R2\n"
        terminal.data(line * (limit // len(line) + 1) + b"\x04")
        answer = await cli.execute("load set terminal")
        assert not await router._state.store.changed()
        return list(answer.lines)

    assert run(play()) == [f"error: more than {limit} characters were pasted: nothing is loaded; load it in parts"]


def test_others_are_answered_while_a_large_configuration_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check waits for an event that another task sets: if it ran on the event loop, it would never end."""
    store = Datastore(ROOT, Machine(), host_name="R1")
    lines = (f"set routing-options static route 10.{n // 256}.{n % 256}.0/24 discard\n" for n in range(LARGE))
    load_set(store, "".join(lines), (), CONTEXT)
    others = threading.Event()
    build = intent.build

    def waiting(root: Node, *, host_name: str) -> Intent:
        assert others.wait(60), "no other session was answered"
        return build(root, host_name=host_name)

    async def work() -> None:
        monkeypatch.setattr(intent, "build", waiting)
        committing = asyncio.create_task(store.commit("ops"))
        await asyncio.sleep(0)
        others.set()
        await committing
        others.clear()
        checking = asyncio.create_task(store.checked())
        await asyncio.sleep(0)
        others.set()
        await checking

    asyncio.run(work())
    assert len(store.in_force.static_routes) == LARGE


HANG_UP = ""


@pytest.mark.parametrize(
    ("before", "command"),
    [
        (["configure"], "show | compare"),
        (["configure"], "rollback"),
        (["configure"], "exit"),
        ([], "configure"),
        ([], "configure exclusive"),
        ([], "configure private"),
        (["configure private"], "commit"),
        (["configure exclusive"], "exit"),
        (["configure exclusive"], HANG_UP),
        (["configure"], "show"),
        (["configure"], "show | display set"),
        (["configure private"], "show | display inheritance"),
        ([], "show configuration"),
        ([], "show configuration | display set"),
    ],
)
def test_a_large_configuration_is_not_walked_in_the_thread_of_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, before: list[str], command: str
) -> None:
    """Whole trees are compared and copied in another thread than that of the event loop."""
    monkeypatch.setattr("keyroll.emulator.junos.commit.datastore.LARGE", 20)
    walked: list[threading.Thread] = []

    def seen(real: Callable[..., Any]) -> Callable[..., Any]:
        def walking(self: Node, *more: Node) -> Any:
            if self.is_larger_than(20):
                walked.append(threading.current_thread())
            return real(self, *more)

        return walking

    async def work() -> None:
        router = JunosRouter(Machine(), host_name="R1")
        lines = (f"set routing-options static route 10.{n // 256}.{n % 256}.0/24 discard\n" for n in range(50))
        load_set(router._state.store, "".join(lines), (), CONTEXT)
        await router._state.store.commit("ops")
        cli, other = (
            command_line(router._state, name, Terminal(lambda _octets: None, pty=False)) for name in ("admin", "eve")
        )
        for line in before:
            await cli.execute(line)
        with monkeypatch.context() as patch:
            patch.setattr(Node, "same", seen(Node.same))
            patch.setattr(Node, "copy", seen(Node.copy))
            patch.setattr(Node, "shown", seen(Node.shown))
            if command == HANG_UP:
                cli.close()
                assert "locked" in (await other.execute("configure exclusive")).lines[0]
            else:
                await cli.execute(command)
            await router.close()  # returns when all work that was begun has ended
        if command == HANG_UP:
            assert "Entering configuration mode" in (await other.execute("configure exclusive")).lines

    asyncio.run(work())
    assert walked
    assert threading.main_thread() not in walked


def test_readers_of_a_candidate_wait_for_writers_only() -> None:
    lock, events = ReadWriteLock(), []

    async def look(name: str, seen: asyncio.Event) -> None:
        async with lock.reading():
            events.append(f"{name} looks")
            await seen.wait()
        events.append(f"{name} has looked")

    async def change() -> None:
        async with lock.writing():
            events.append("changed")

    async def work() -> None:
        seen = asyncio.Event()
        tasks = [asyncio.create_task(look("one", seen)), asyncio.create_task(look("two", seen))]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(change()), asyncio.create_task(look("three", seen))]
        for _ in range(3):
            await asyncio.sleep(0)
        assert events == ["one looks", "two looks"]
        seen.set()
        await asyncio.gather(*tasks)

    asyncio.run(work())
    assert events.index("changed") > max(events.index("one has looked"), events.index("two has looked"))
    assert events[-2:] == ["three looks", "three has looked"]


def test_user_accounts_are_read_from_their_part_of_the_configuration_alone() -> None:
    store = Datastore(ROOT, Machine(), host_name="R1")
    text = """\
set groups g system login user ops class super-user
set groups g system login user ops authentication encrypted-password $6$salt$hash
set groups g system login user gone class super-user
set groups g interfaces <*> disable
set apply-groups g
set system host-name R7
set interfaces ge-0/0/0 unit 0
"""
    load_set(store, text, (), CONTEXT)
    whole, part = expand(store.candidate), expand_part(store.candidate, "system")
    (found,) = part.children.values()
    assert found.same(whole.children[found.step.id])
