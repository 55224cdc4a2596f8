from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keyroll.emulator.frr.config import Daemon, Line, VtyCommand, batches, steps


def line(
    key: str,
    text: str | None = None,
    *,
    parent: str | None = None,
    replace: bool = True,
    clears_children: bool = False,
    secret: bool = False,
    batch: str = "",
) -> Line:
    text = text or key
    return Line(
        Daemon.BGPD,
        key,
        text,
        f"no {text}",
        parent=parent,
        replace=replace,
        clears_children=clears_children,
        secret=secret,
        batch=batch,
    )


def texts(found: list[VtyCommand]) -> list[str]:
    return [step.text for step in found]


def test_an_unchanged_configuration_gives_no_commands() -> None:
    lines = [line("a"), line("b", parent="a")]
    assert steps(lines, lines) == []


def test_removed_lines_are_undone_first_and_in_reverse_order() -> None:
    assert texts(steps([line("a"), line("b")], [line("c")])) == ["no b", "no a", "c"]


def test_a_changed_value_replaces_the_old_one_in_place() -> None:
    assert texts(steps([line("t", "timers 3 9")], [line("t", "timers 10 30")])) == ["timers 10 30"]


def test_a_value_that_cannot_be_replaced_is_undone_first() -> None:
    old, new = line("l", "list 1", replace=False), line("l", "list 2", replace=False)
    assert texts(steps([old], [new])) == ["no list 1", "list 2"]


def test_lines_that_depend_on_a_removed_line_need_no_command() -> None:
    old = [line("n"), line("n t", parent="n"), line("n t x", parent="n t")]
    assert texts(steps(old, [])) == ["no n"]


def test_lines_that_depend_on_a_line_that_clears_them_are_sent_again() -> None:
    old = [line("bgp", "router bgp 1", replace=False, clears_children=True), line("n", parent="bgp")]
    new = [line("bgp", "router bgp 2", replace=False, clears_children=True), line("n", parent="bgp")]
    assert texts(steps(old, new)) == ["no router bgp 1", "router bgp 2", "n"]


def test_a_secret_is_sent_and_never_shown() -> None:
    found = steps([], [line("neighbor 1 password", "neighbor 1 password hush", secret=True)])
    assert found[0].text == "neighbor 1 password hush"
    assert "hush" not in found[0].shown
    assert "hush" not in repr(found)


KEYS = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(old=KEYS, new=KEYS)
def test_the_steps_lead_from_any_set_of_lines_to_any_other(old: list[str], new: list[str]) -> None:
    state = set(old)
    for step in steps([line(key) for key in old], [line(key) for key in new]):
        if step.text.startswith("no "):
            state.remove(step.text.removeprefix("no "))
        else:
            assert step.text not in state
            state.add(step.text)
    assert state == set(new)


def test_lines_that_belong_together_are_sent_as_one_command_block() -> None:
    lines = [line("a"), line("b", batch="x"), line("c", batch="x"), line("d", batch="y"), line("e")]
    found = [[step.text for step in batch] for batch in batches(steps([], lines))]
    assert found == [["a"], ["b", "c"], ["d"], ["e"]]
