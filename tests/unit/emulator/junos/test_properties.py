"""Any sequence of edits gives a configuration that can be loaded again; any line and any octets are handled."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.known import known

from keyroll.emulator.contract.model import Intent
from keyroll.emulator.junos.commit.datastore import Datastore
from keyroll.emulator.junos.commit.load import load_curly, load_set
from keyroll.emulator.junos.configuration.compare import differences
from keyroll.emulator.junos.configuration.login_values import PLAIN_TEXT, EncryptedPassword, PublicKey
from keyroll.emulator.junos.configuration.paths import Purpose, parse
from keyroll.emulator.junos.configuration.redact import redact
from keyroll.emulator.junos.configuration.render import curly, set_lines
from keyroll.emulator.junos.configuration.schema import Kind, Statement
from keyroll.emulator.junos.configuration.statements import ROOT
from keyroll.emulator.junos.configuration.tokens import quote, split
from keyroll.emulator.junos.configuration.tree import Path, Step
from keyroll.emulator.junos.configuration.values import (
    AsNumber,
    AsNumbers,
    EntryContext,
    IdleTimeout,
    Integer,
    InterfaceName,
    IpAddress,
    NextHopValue,
    Prefix,
    SecretText,
    StartTime,
    Text,
    TimeZone,
    ValueType,
    Word,
)
from keyroll.emulator.junos.login.line_editor import LINE_LIMIT, LineEditor
from keyroll.emulator.junos.login.router import JunosRouter
from keyroll.emulator.junos.login.terminal import Terminal
from keyroll.emulator.junos.shell.cli import command_line
from keyroll.emulator.junos.shell.commands.configuration import CONFIGURATION
from keyroll.emulator.junos.shell.commands.operational import OPERATIONAL

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CONTEXT = EntryContext(lambda: NOW)
# There are many possible sequences of edits and each is short: try more than the default number of examples.
MORE = settings(max_examples=3 * known(settings.default).max_examples // 2)


@dataclass
class Machine:
    """A machine half that accepts everything."""

    applied: list[Intent] = field(default_factory=list)

    def now(self) -> datetime:
        return NOW

    async def set_clock(self, moment: datetime) -> None:
        del moment

    async def apply(self, intent: Intent) -> None:
        self.applied.append(intent)

    async def bgp(self) -> list[Any]:
        return []

    async def routes(self) -> list[Any]:
        return []

    async def clear_bgp(self, address: object, *, soft: bool) -> None:
        del address, soft


PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
SAMPLES: dict[type, list[str]] = {
    EncryptedPassword: ["$6$salt$hash", "$1$abcdefgh$G//4keteveJp0qb8z2DxG/"],
    AsNumber: ["65001", "1.10"],
    AsNumbers: ["65001", "65001 65001"],
    IdleTimeout: ["5", "forever"],
    NextHopValue: ["self", "10.0.0.1"],
    InterfaceName: ["ge-0/0/0", "lo0"],
    StartTime: ["2030-1-1.00:00", "2031-02-03.04:05:06", "now", "5min"],
    TimeZone: ["UTC"],
}


def public_keys(statement: str) -> list[str]:
    """Return two public keys of the type that the statement takes; they have no private keys."""
    kind = {"ssh-ecdsa": "ecdsa-sha2-nistp256"}.get(statement, statement)
    strings = [[kind.encode(), octets] for octets in (b"one", b"two")]
    bodies = [b"".join(len(part).to_bytes(4, "big") + part for part in parts) for parts in strings]
    return [f"{kind} {base64.b64encode(body).decode()} made-up" for body in bodies]


def typed(value: ValueType) -> st.SearchStrategy[str]:
    """Return a strategy for the words that a user may type for a value."""
    if value.choices:
        return st.sampled_from([choice.name for choice in value.choices])
    if isinstance(value, Integer):
        return st.integers(value.low, min(value.high, value.low + 5)).map(str)
    if isinstance(value, IpAddress | Prefix):
        words = {4: ["10.0.0.1", "10.0.0.2"], 6: ["2001:db8::1"], None: ["10.0.0.1", "2001:db8::1"]}[value.version]
        return st.sampled_from(words)
    if isinstance(value, SecretText):
        return st.text(PRINTABLE, min_size=1, max_size=20).filter(lambda text: not text.startswith("$9$"))
    if isinstance(value, Text):
        return st.text(PRINTABLE, min_size=1, max_size=8) if value.refuse is None else st.just("name")
    if isinstance(value, PublicKey):
        return st.sampled_from(public_keys(value.statement))
    if isinstance(value, Word):
        return st.sampled_from(["/24"] if value.pattern.startswith("/") else ["a", "b", "c-1"])
    return st.sampled_from(SAMPLES[type(value)])


TEXT_WORDS = ["interfaces", "ge-0/0/0", "unit", "0", '"two words"', '"a { b; }"', "7", r'"say \"hi\""', "<*>", "secret"]


@st.composite
def statement_words(draw: st.DrawFn) -> list[str]:
    """Draw the words of one statement, from the top level."""
    words: list[str] = []
    statement: Statement = ROOT
    while statement.children:
        children = [child for child in statement.children if child.name != PLAIN_TEXT]  # it prompts; it has no line
        child = draw(st.sampled_from(children))
        words += [child.name] if child.name else []
        if child.kind is Kind.OPAQUE:
            return [*words, *draw(st.lists(st.sampled_from(TEXT_WORDS), max_size=4))]
        if child.value is not None:
            words.append(quote(draw(typed(child.value))))
        if child.kind in (Kind.LEAF, Kind.FLAG, Kind.VALUES):
            break
        statement = child
        if statement.kind is Kind.ENTRY and draw(st.integers(0, 5)) == 0:
            break
    return words


edits = st.lists(
    st.tuples(st.sampled_from(["set", "set", "set", "delete", "deactivate", "activate"]), statement_words()),
    max_size=25,
)


def fresh_store() -> Datastore:
    return Datastore(ROOT, Machine(), host_name="R1")


def edit(store: Datastore, sequence: list[tuple[str, list[str]]]) -> None:
    for verb, words in sequence:
        load_set(store, " ".join([verb, *words]), (), CONTEXT)


@given(edits)
@MORE
def test_display_set_loads_into_the_same_configuration(sequence: list[tuple[str, list[str]]]) -> None:
    store = fresh_store()
    edit(store, sequence)
    again = fresh_store()
    assert load_set(again, "\n".join(set_lines(store.candidate)), (), CONTEXT).mistakes == ()
    # Kept text keeps its words, not its lines: `set` lines do not say where a body begins.
    assert set_lines(again.candidate) == set_lines(store.candidate)


@given(edits)
@MORE
def test_show_loads_into_the_same_configuration(sequence: list[tuple[str, list[str]]]) -> None:
    store = fresh_store()
    edit(store, sequence)
    again = fresh_store()
    text = "\n".join(curly(store.candidate))
    assert load_curly(again, text, (), CONTEXT, override=True).mistakes == ()
    assert again.candidate.same(store.candidate)
    assert differences(store.candidate, again.candidate) == []


@given(edits, edits)
def test_rollback_restores_what_was_committed(
    first: list[tuple[str, list[str]]], second: list[tuple[str, list[str]]]
) -> None:
    store = fresh_store()
    edit(store, first)
    before = store.running.copy()
    committed = store.candidate.copy()
    store.adopt([store.commits[0].__class__(committed, NOW, "a"), *store.commits])
    edit(store, second)
    assert (not store.candidate.same(store.running)) == (differences(store.running, store.candidate) != [])
    store.rollback(0)
    assert store.candidate.same(committed)
    assert store.candidate.same(store.running)
    store.rollback(1)
    assert store.candidate.same(before)


@given(statement_words())
@MORE
def test_a_statement_that_is_set_exists_until_it_is_deleted(words: list[str]) -> None:
    line = " ".join(words)
    (path,) = parse(ROOT, (), split(line), Purpose.NAME, CONTEXT, end=len(line))
    store = fresh_store()
    if load_set(store, f"set {line}", (), CONTEXT).mistakes:
        return  # a hierarchy alone is not a statement
    assert store.candidate.at(path) is not None
    assert store.delete(_without_secret(path))
    assert store.candidate.at(path) is None


def _without_secret(path: Path) -> Path:
    last = path[-1]
    return (*path[:-1], Step(last.statement)) if isinstance(last.statement.value, SecretText) else path


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


LINES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    st.lists(
        st.sampled_from(
            [
                "show",
                "set",
                "delete",
                "configuration",
                "security",
                "|",
                "match",
                "count",
                "display",
                "edit",
                "protocols",
                "bgp",
                "group",
                "neighbor",
                "[",
                "]",
                '"',
                "{",
                "}",
                ";",
                "10.0.0.1",
                "commit",
                "check",
                "rollback",
                "3",
                "up",
                "top",
                "activate",
                "deactivate",
                "key-chain",
                "key",
                "0",
                "secret",
                "run",
                "no-more",
                "compare",
            ]
        ),
        max_size=8,
    ).map(" ".join),
)


@given(st.lists(LINES, max_size=12), st.sampled_from(["operational", "configuration"]))
@MORE
def test_any_lines_are_answered(lines: list[str], mode: str) -> None:
    async def play() -> None:
        router = JunosRouter(Machine(), host_name="R1")
        terminal = Terminal(lambda _octets: None, pty=False)
        terminal.end()
        cli = command_line(router._state, "admin", terminal)
        if mode == "configuration":
            await cli.execute("configure")
        for line in lines:
            if any(word.startswith(("ex", "qu")) for word in line.split()):
                continue  # exit and quit rightly end the session
            answer = await cli.execute(line)
            assert all(isinstance(text, str) for text in answer.lines)
            cli.help_text(line)
            cli.complete(line, tab=True)
            assert not cli.ended

    run(play())


PASTED_KEYS = [
    b"\x1b[D",
    b"\x1b[A",
    b"\x01",
    b"\x05",
    b"\x19",
    b"\x17",
    b"\x7f",
    b"\r\n",
    b"\x1bb",
    b"\x03",
    b"\x04",
    b"\t",
]
"""Keys that move the cursor, recall, insert or remove text, or end the line."""


@given(st.binary(max_size=300))
@MORE
def test_any_octets_leave_the_line_editor_consistent(octets: bytes) -> None:
    editor = LineEditor()
    for octet in octets:
        editor.feed(octet)
        assert 0 <= editor._cursor <= len(editor.line)
        assert editor.line.isprintable()


def typed_into(editor: LineEditor, *, width: int, completing: bool) -> LineEditor:
    editor.prompt, editor.width, editor.completing = "R1> ", width, completing
    return editor


@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.sampled_from(PASTED_KEYS), st.text('ab "?\\', max_size=20).map(str.encode))
    ),
    st.sampled_from([0, 7, 20]),
    st.booleans(),
)
@MORE
def test_octets_that_arrive_together_have_the_effect_of_octets_that_arrive_alone(
    arrivals: list[bytes], width: int, completing: bool
) -> None:
    together = typed_into(LineEditor(), width=width, completing=completing)
    alone = typed_into(LineEditor(), width=width, completing=completing)
    for arrival in arrivals:
        waiting = bytearray(arrival)
        events = []
        while waiting:
            events.append(together.take(waiting))
        expected = [alone.feed(octet) for octet in arrival]
        assert [event for event in events if event] == [event for event in expected if event]
        assert (together.out, together.line, together._cursor) == (alone.out, alone.line, alone._cursor)


def test_a_line_that_fills_the_editor_is_cut_at_the_same_octet_however_it_arrives() -> None:
    octets = b"x" * (LINE_LIMIT + 5) + b"\r"
    together, alone = LineEditor(), LineEditor()
    assert together.take(bytearray(octets)) == [alone.feed(octet) for octet in octets][-1]
    assert together.out == alone.out


def test_a_line_that_was_cut_off_is_refused_and_never_run() -> None:
    editor = LineEditor()
    for octet in b"set system host-name " + b"x" * 70000:
        editor.feed(octet)
    event = editor.feed(0x0D)
    assert event is not None

    async def play() -> list[str]:
        terminal = Terminal(lambda _octets: None, pty=False)
        cli = command_line(JunosRouter(Machine(), host_name="R1")._state, "admin", terminal)
        return list((await cli.execute(event.line)).lines)

    assert run(play()) == ["error: line of more than 65536 characters"]


def test_every_command_has_help_and_a_continuation() -> None:
    def visit(term: Any) -> None:
        assert term.help or term.value is not None or term.hidden, term.name
        assert term.run is not None or term.children or term.grammar is not None or term.again, term.name
        for child in term.children:
            visit(child)

    for term in (*OPERATIONAL, *CONFIGURATION):
        visit(term)


def test_every_statement_has_help_and_children_with_different_names() -> None:
    def visit(statement: Statement) -> None:
        names = [child.name for child in statement.children]
        assert len(names) == len(set(names)), statement.name
        for child in statement.children:
            assert child.help
            visit(child)

    visit(ROOT)


@given(
    st.sampled_from(["secret", "secr", "authentication-key", "encrypted-password"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"'), min_size=6),
)
def test_redaction_leaves_no_secret(name: str, secret: str) -> None:
    assume(secret not in f"set x {name} /* SECRET-DATA */ y")  # a text that is in the line anyway reveals nothing
    assert secret not in redact(f"set x {name} {secret} y")
    assert secret not in redact(f'set x {name} "{secret}" y')
