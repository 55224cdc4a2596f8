"""Policy expressions: the steps through the policies give the result of the logical expression."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.emulator.contract.policy_expression import Exit, PolicyStep, normalised, policy_names, steps

ACCEPT, REJECT, NEXT = "accept", "reject", "next"
NAMES = st.sampled_from("abcd")
TREES = st.recursive(
    NAMES,
    lambda inner: st.one_of(st.tuples(st.just("!"), inner), st.tuples(inner, st.sampled_from(["&&", "||"]), inner)),
    max_leaves=6,
)


def text(tree: object) -> str:
    if isinstance(tree, str):
        return tree
    assert isinstance(tree, tuple)
    if tree[0] == "!":
        return f"!{text(tree[1])}"
    return f"({text(tree[0])} {tree[1]} {text(tree[2])})"


def value(tree: object, answers: dict[str, str]) -> str:
    """Return the result by Juniper's tables: the action of the last policy evaluated, inverted by each `!`."""
    if isinstance(tree, str):
        return answers[tree]
    assert isinstance(tree, tuple)
    if tree[0] == "!":
        return ACCEPT if value(tree[1], answers) == REJECT else REJECT
    first = value(tree[0], answers)
    goes_on = first != REJECT if tree[1] == "&&" else first == REJECT
    return value(tree[2], answers) if goes_on else first


def walked(found: tuple[PolicyStep, ...], answers: dict[str, str]) -> Exit:
    place: Exit | int = 0 if found else Exit.END
    while isinstance(place, int):
        step = found[place]
        after = {ACCEPT: step.accept, REJECT: step.reject, NEXT: step.next}[answers[step.policy]]
        assert isinstance(after, Exit) or after > place, "a route map only goes forward"
        place = after
    return place


@given(
    st.lists(TREES, max_size=3),
    st.fixed_dictionaries({name: st.sampled_from([ACCEPT, REJECT, NEXT]) for name in "abcd"}),
)
def test_the_steps_of_a_list_give_the_result_of_its_expressions(trees: list[object], answers: dict[str, str]) -> None:
    listed = [tree if isinstance(tree, str) else f"({text(tree)})" for tree in trees]
    decided = next((found for found in (value(tree, answers) for tree in trees) if found != NEXT), NEXT)
    assert walked(steps(listed), answers) is {ACCEPT: Exit.ACCEPT, REJECT: Exit.REJECT, NEXT: Exit.END}[decided]


def test_not_binds_closest_then_and_then_or() -> None:
    assert normalised("(a||!b&&c)") == "( a || !b && c )"
    assert steps(["( a || b && c )"]) == steps(["( a || ( b && c ) )"])
    assert policy_names(["( a && !b )", "c", "a"]) == ("a", "b", "c")


@pytest.mark.parametrize("wrong", ["(", "()", "(a b)", "(a &&)", "(a & b)", "(!)", "(a))", "(a) b"])
def test_an_invalid_policy_expression_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        normalised(wrong)
