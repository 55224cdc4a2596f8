"""Files that people write: every mistake is named by file, line, column and field."""

from contextlib import suppress
from pathlib import Path

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
        "x.yaml:4:5: unknown field 'color'; allowed here: colour, size"
    )


def test_a_wrong_type_is_shown_at_its_value() -> None:
    message = refused("name: a\nparts:\n  - size: three\n")
    assert message.startswith("x.yaml:3:11: 'parts.0.size': ")
    assert "integer" in message


def test_a_missing_field_is_named() -> None:
    assert refused("parts: []\n") == "x.yaml:1:1: 'name' is missing"


def test_a_key_that_stands_twice_is_refused() -> None:
    assert refused("name: a\nname: b\n") == "x.yaml:2:1: not YAML: 'name' stands twice"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.yaml: the file is empty"),
        ("# only a comment\n", "x.yaml: the file is empty"),
        ("name: [a\n", "x.yaml:2:1: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("? [a, b]\n: c\n", "x.yaml:1:3: not YAML: a key must be a plain word"),
        ("name: *nowhere\n", "x.yaml:1:7: not YAML: '*' stands for an alias"),
        ("name: !!python/object:os.system a\n", "'!' stands for a tag"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    assert message in refused(text)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read: No such file"):
        document.load(tmp_path / "none.yaml")
    with pytest.raises(DocumentError, match="cannot be read: Is a directory"):
        document.load(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocumentError, match="not a text file in UTF-8"):
        document.load(tmp_path / "binary.yaml")


@given(st.text())
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
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
def test_what_may_be_a_secret_is_never_quoted(value: str) -> None:
    """A secret that begins with a character that YAML has a use for, and stands without quotes."""
    message = refused(f"name: {value}\n")
    assert "S3cretWord" not in message
    assert "quotes" in message


def test_nesting_too_deep_is_said() -> None:
    assert "deep" in refused("name: " + "[" * 1000)
