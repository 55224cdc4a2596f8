"""Files that people write: every mistake is named by file, line, column and field."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from keyroll import document
from keyroll.document import DocumentError


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    size: int
    colour: str = "red"


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    parts: list[Part] = []


def refused(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        document.read(document.load(Path("x.yaml"), text), Whole)
    return str(caught.value)


def test_a_good_file_becomes_its_model() -> None:
    whole = document.read(document.load(Path("x.yaml"), "name: a\nparts:\n- {size: 3}\n"), Whole)
    assert whole == Whole(name="a", parts=[Part(size=3)])


def test_an_unknown_field_is_shown_at_its_name_with_what_is_allowed() -> None:
    assert refused("name: a\nparts:\n  - size: 3\n    color: blue\n") == (
        "x.yaml:4:5: unknown field 'color'; allowed here: colour, size (did you mean 'colour'?)"
    )


def test_a_wrong_type_is_shown_at_its_value() -> None:
    message = refused("name: a\nparts:\n  - size: three\n")
    assert message.startswith("x.yaml:3:11: 'parts.0.size': ")
    assert "integer" in message


def test_a_missing_field_is_named() -> None:
    assert refused("parts: []\n") == "x.yaml:1:1: 'name' is missing"


def test_a_key_that_occurs_twice_is_refused() -> None:
    assert refused("name: a\nname: b\n") == "x.yaml:2:1: not YAML: 'name' occurs twice"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.yaml:1: the file is empty"),
        ("# only a comment\n", "x.yaml:1: the file is empty"),
        ("name: [a\n", "x.yaml:2:1: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("? [a, b]\n: c\n", "x.yaml:1:3: not YAML: a key must be a plain word"),
        ("name: *nowhere\n", "x.yaml:1:7: not YAML: '*' begins an alias"),
        ("name: !!python/object:os.system a\n", "'!' begins a tag"),
    ],
)
def test_invalid_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    assert message in refused(text)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read: No such file"):
        document.load(tmp_path / "none.yaml")
    with pytest.raises(DocumentError, match="cannot be read: Is a directory"):
        document.load(tmp_path)


def test_an_octet_that_is_not_utf_8_is_reported_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: a\nparts: \xfc\n")
    with pytest.raises(DocumentError, match=r"latin\.yaml:2:8: not a text file in UTF-8: the octet 0xFC"):
        document.load(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("text", "place", "number"),
    [("name: a\n b\x01c", "2:3", "U+0001"), ("\x07", "1:1", "U+0007"), ("a: [\n\n'\ufffe']", "3:2", "U+FFFE")],
)
def test_a_character_that_yaml_does_not_allow_is_named_with_its_place(text: str, place: str, number: str) -> None:
    assert refused(text) == f"x.yaml:{place}: not YAML: the character {number} is not allowed here"


@pytest.mark.parametrize("value", ["2030-13-01", "0b", "1_000__e", "!!int x", "!!float x", "0o", "!!timestamp x"])
def test_a_value_that_only_looks_like_a_number_is_shown_at_its_place(value: str) -> None:
    with suppress(DocumentError):
        document.load(Path("x.yaml"), f"name: a\nparts:\n- {value}\n")
        return
    assert refused(f"name: a\nparts:\n- {value}\n") == (
        "x.yaml:3:3: not YAML: this value looks like a number or a date but is not a valid one; put it in quotes"
    )


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


HOSTILE = {
    "aliases of aliases": (bomb(12), "5:15: too many keys and values"),
    "aliases of aliases, merged": (
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)),
        "too many keys and values",
    ),
    "a list that holds itself": ("name: a\nparts: &a [1, *a]\n", "2:15: '*a' stands for a value that holds it"),
    "a mapping that holds itself deep down": ("name: &a {b: [{c: *a}]}\n", "'*a' stands for a value that holds it"),
    "twenty megabytes": ("name: a\n" + "# " + "x" * 20_000_000, "x.yaml:1: the file is too long: at most 256 KiB"),
    "a million keys": ("k: 1\n" * 1_000_000, "the file is too long"),
    "as many keys as fit": ("".join(f"{n}:\n" for n in range(30_000)), "too many keys and values"),
    "a number in base 60": (f"name: 1{':59' * 60_000}\n", "1:7: a value of 180001 characters; at most 10000"),
    "nesting": ("name: " + "[" * 1000, "1:106: not YAML: it is nested too deeply: at most 100 levels"),
    "nesting of mappings": ("{a: " * 20_000, "nested too deeply"),
}


_AT_ONCE = 10.0 if sys.gettrace() is not None else 1.0
"""Seconds of processor time. Coverage makes Python several times slower. Without the limits it took 22 s and 3 GB."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_would_fill_the_memory_is_refused_at_once_with_its_limit(name: str) -> None:
    text, message = HOSTILE[name]
    begun = process_time()
    assert message in refused(text)
    assert process_time() - begun < _AT_ONCE


def test_a_long_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(DocumentError, match=r"long\.yaml:1: the file is too long"):
        document.load(path)


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Thread(target=path.write_text, args=("name: a\r\n",))
    writer.start()
    found = document.load(path)
    writer.join()
    assert (found.data, found.text) == ({"name": "a"}, "name: a\n")


def test_a_path_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml"))
    path.write_text("name: a\n")
    with pytest.raises(DocumentError) as caught:
        document.load(path)
    assert str(caught.value) == f"{tmp_path}/\\xff.yaml: the file's path is not UTF-8; rename it"


def test_control_characters_of_a_file_are_escaped_in_errors() -> None:
    assert refused('name: a\n"\\e[31m\\x9b2J\\u202e": 1\n').startswith(
        "x.yaml:2:1: unknown field '\\x1b[31m\\x9b2J\\u202e'"
    )


@given(st.text())
def test_any_text_is_read_or_gives_a_named_error(text: str) -> None:
    with suppress(DocumentError):
        whole = document.read(document.load(Path("x.yaml"), text), Whole)
        assert isinstance(whole, Whole)


@pytest.mark.parametrize(
    "value",
    [
        "*S3cretWord",
        "!S3cretWord",
        "!a!S3cretWord",
        "!!int S3cretWord",
        "!!S3cretWord x",
        "&S3cretWord 1\nc: &S3cretWord 2",
        "!!timestamp S3cretWord",
    ],
)
def test_a_value_that_may_be_a_secret_is_never_quoted(value: str) -> None:
    """A secret without quotes may begin with a character that has a meaning in YAML."""
    message = refused(f"name: {value}\n")
    assert "S3cretWord" not in message
    assert "quotes" in message


@pytest.mark.parametrize(
    "text",
    [
        "name: a\nparts:\n- {size: 3, colour: blue}\n- size: 4\n  colour: |\n    a\n    b\n",
        "name: &a 'x'\nparts: [{size: 1, colour: *a}, {size: 2}]\n",
        'name: "\\u00e4 ä"\nparts:\n  -\n    size: 0x10\n    colour: 12:30\n',
    ],
)
def test_libyaml_and_pyyaml_read_the_same_values_and_places(text: str) -> None:
    slow = document._read_slowly(Path("x.yaml"), text, quotes_names=True)
    quick = document._read_quickly(text)
    assert quick is not None
    assert slow is not None
    assert quick[1] == slow[1]
    assert list(document._places(quick[0])) == list(document._places(slow[0]))


@pytest.mark.parametrize("text", ["name:\ta\n", "{name: why?}\n", "name: ! a\n", "name: a\nname: b\n", "name: [\n", ""])
def test_text_that_libyaml_refuses_or_may_read_differently_is_left_to_pyyaml(text: str) -> None:
    assert document._read_quickly(text) is None
