"""Reading scenario files: defaults, parameters, and mistakes that are named with their line."""

import contextlib
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.known import known

from keyroll.errors import InputError
from keyroll.scenario.file.read import is_scenario, read_cases


def test_send_ids_default_to_odd_numbers_and_recv_ids_to_even_ones(write: Callable[..., Path], two_keys: str) -> None:
    (case,) = read_cases(write(two_keys))
    assert [(key.send_id, key.recv_id) for key in case.scenario.keychain.keys] == [(1, 2), (3, 4)]


def test_all_invariants_hold_when_throughout_is_left_out(write: Callable[..., Path], two_keys: str) -> None:
    (case,) = read_cases(write(two_keys))
    assert case.scenario.throughout == ("no-flap", "no-route-loss", "every-segment-verified", "rollover-completes")


def test_a_condition_has_a_value_for_both_routers_or_one_for_each(write: Callable[..., Path], two_keys: str) -> None:
    (case,) = read_cases(write(two_keys.replace("next: 1}", "next: {R2: 1}}")))
    expect: Any = case.scenario.steps[1]
    assert expect.active == {"R1": 0, "R2": 0}
    assert expect.next == {"R2": 1}


def test_null_expects_no_key_and_an_omitted_field_expects_nothing(write: Callable[..., Path], two_keys: str) -> None:
    (case,) = read_cases(write(two_keys))
    expect: Any = case.scenario.steps[3]
    assert expect.next == {"R1": None, "R2": None}
    assert expect.bgp == {}


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("bgp: Est", "bpg: Est", 12, "unknown field 'bpg'; allowed here: active, bgp"),
        ("Established", "established", 12, "'Established', 'Idle'"),
        ("{to: 30m}", "{to: 30m}\n  - inject: {kind: rst, towards: R1, key: 0}", 14, "use it with `replay`"),
        (
            "{to: 30m}",
            "{to: 30m}\n  - inject: {kind: replay, towards: R1, key: 7}",
            14,
            "no keychain of the file has key 7",
        ),
        ("{to: 30m}", "{to: 30}", 13, "should be a duration such as 90s"),
        ("{to: 30m}", "{to: 30m, by: 3m}", 13, "exactly one of `to` and `by`"),
        ("next: 1", "next: 5", 12, "no keychain of the file has key 5; keys are 0, 1"),
        ("advance: {", "advnce: {", 13, "unknown field 'advnce'; allowed here: add-key, advance, apply"),
        ("- apply: {", "- advance: {by: 4m}\n  - apply: {", 11, "the first step is `apply`"),
        ("{to: 30m}", "{to: 30m}\n  - advance: {to: 29m}", 14, "goes back"),
        ("R1: 1, R2: 1", "R1: 1, R3: 1", 14, "mapping by router"),
        ("start: 30m", "start: 30m, send: 256", 9, "less than or equal to 255"),
        ("start: 30m", "start: 30m, secret: Hidden", 9, "keychain.keys.1.secret"),
        ("wire@4]", "wire@3]", 16, "no check is named 'wire@3'"),
        ("id: 1, start", "id: 0, start", 8, "key 0 occurs twice"),
        ("name: chain", "name: a b", 6, "'keychain.name': key-chain 'a b': Must be string of 32"),
        ("name: chain", "name: ''", 6, "'keychain.name'"),
        ("keyroll: 1", "keyroll: 2", 1, "should be 1"),
        (
            "  - apply: {routers: [R1, R2]}",
            "  - apply: {routers: [R1, R1]}",
            11,
            "must name at least one router, and each only once",
        ),
        ("active: 1,", "ldp: Operational, active: 1,", 14, "`sessions` is [bgp]"),
        ("title: Two keys\n", "", 1, "'title' is missing"),
        ("{active: 1, next: null, wire: {R1: 1, R2: 1}}", "{}", 14, "expects nothing"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_allowed(
    write: Callable[..., Path], two_keys: str, old: str, new: str, line: int, words: str
) -> None:
    assert old in two_keys
    path = write(two_keys.replace(old, new))
    with pytest.raises(InputError) as caught:
        read_cases(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}:{line}:")


def test_each_combination_of_parameters_is_a_case_with_a_readable_name(
    write: Callable[..., Path], two_keys: str
) -> None:
    text = two_keys.replace("algorithm: aes-128-cmac-96", "algorithm: '${algorithm}'") + (
        "parametrize:\n  algorithm: {sha1: hmac-sha-1-96, cmac: aes-128-cmac-96}\n  late: [0s, 90s]\n"
    )
    cases = read_cases(write(text.replace("{to: 30m}", "{by: '${late}'}").replace("0s, 90s", "10s, 90s")))
    assert [case.name for case in cases] == [
        "two-keys[sha1-10s]",
        "two-keys[sha1-90s]",
        "two-keys[cmac-10s]",
        "two-keys[cmac-90s]",
    ]
    assert [case.scenario.keychain.keys[1].algorithm for case in cases[1:3]] == ["hmac-sha-1-96", "aes-128-cmac-96"]
    advance: Any = cases[3].scenario.steps[2]
    assert advance.by == timedelta(seconds=90)


def test_a_placeholder_keeps_the_type_of_its_value_and_can_name_a_part(
    write: Callable[..., Path], two_keys: str
) -> None:
    text = two_keys.replace("id: 1, start: 30m", "id: 1, start: 30m, send: '${ids.send}', recv: '${ids.recv}'")
    (case,) = read_cases(write(text + "parametrize:\n  ids: {equal: {send: 7, recv: 7}}\n"))
    assert (case.scenario.keychain.keys[1].send_id, case.scenario.keychain.keys[1].recv_id) == (7, 7)
    assert case.name == "two-keys[equal]"


def test_an_unknown_placeholder_is_named(write: Callable[..., Path], two_keys: str) -> None:
    text = two_keys.replace("title: Two keys", "title: ${algoritm}") + "parametrize:\n  algorithm: [a]\n"
    with pytest.raises(InputError, match=r"3:8: unknown placeholder \$\{algoritm\}; `parametrize` has algorithm"):
        read_cases(write(text))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("keyroll: 1\n", True),
        ("# a comment\n\n---\nkeyroll: 1\n", True),
        ("name: lab\nkeyroll: 1\n", False),
        ("keyrolls: 1\n", False),
        ("", False),
        ("# keyroll: 1\n", False),
    ],
)
def test_a_scenario_file_begins_with_keyroll(write: Callable[..., Path], text: str, is_one: bool) -> None:
    assert is_scenario(write(text)) is is_one


def test_a_pipe_is_not_searched_for_a_scenario(tmp_path: Path) -> None:
    """Opening a pipe would block until another process writes to it."""
    os.mkfifo(tmp_path / "pipe.yaml")
    assert not is_scenario(tmp_path / "pipe.yaml")


def test_a_scenario_from_a_pipe_is_read_once(tmp_path: Path, two_keys: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Thread(target=path.write_text, args=(two_keys,))
    writer.start()
    (case,) = read_cases(path)
    writer.join()
    assert case.text == two_keys


def test_the_size_of_all_combinations_of_parameters_is_limited(write: Callable[..., Path], two_keys: str) -> None:
    """A short file with many combinations could otherwise fill the memory."""
    values = ", ".join(str(n) for n in range(200))
    text = f"{two_keys}requires: [{', '.join(['capture'] * 2000)}]\nparametrize:\n  n: [{values}]\n"
    with pytest.raises(InputError, match=r"200 combinations of a file of \d+ values; at most 200000 values in all"):
        read_cases(write(text))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=known(settings.default).max_examples // 2
)
@given(cut=st.integers(0, 700), junk=st.text(max_size=12))
def test_a_damaged_file_is_an_input_error_or_still_a_scenario(
    write: Callable[..., Path], two_keys: str, cut: int, junk: str
) -> None:
    path = write("")
    path.write_bytes((two_keys[:cut] + junk + two_keys[cut + 3 :]).encode("utf-8", "surrogatepass"))
    with contextlib.suppress(InputError):
        assert read_cases(path)


def test_single_cases_of_a_file_can_be_slow(write: Callable[..., Path], two_keys: str) -> None:
    text = two_keys + "parametrize:\n  family: {ipv4: inet, ipv6: inet6}\nslow-cases: [ipv6]\n"
    assert [(case.variant, case.marks) for case in read_cases(write(text))] == [("ipv4", ()), ("ipv6", ("slow",))]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("parametrize:\n  family: [inet]\nslow-cases: [inet4]\n", "there is no case 'inet4'; there are inet"),
        ("slow-cases: [inet]\n", "there is no case 'inet'; there are none without `parametrize`"),
        ("parametrize:\n  family: [inet]\nslow-cases: [inet]\n", "names every case: use `marks: [slow]`"),
    ],
)
def test_slow_cases_must_be_cases_of_the_file_and_not_all_of_them(
    write: Callable[..., Path], two_keys: str, lines: str, words: str
) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as raised:
        read_cases(write(two_keys + lines))
    assert known(raised.value.where).line == two_keys.count("\n") + lines.count("\n")
