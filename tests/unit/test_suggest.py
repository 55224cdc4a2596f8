"""Suggestions for mistyped words: in scenario files, as options and as commands."""

from pathlib import Path

import click
import pytest

from keyroll.cli.main import keyroll, main
from keyroll.cli.run import run_command
from keyroll.document import DocumentError
from keyroll.errors import InputError
from keyroll.scenario.file.library import library
from keyroll.scenario.file.read import read_cases
from keyroll.suggest import did_you_mean

TWO_KEYS = library() / "rollover" / "two-keys.yaml"


def test_a_word_that_is_similar_to_a_known_one_suggests_it() -> None:
    assert did_you_mean("advnce", ["apply", "advance"]) == "did you mean 'advance'?"


def test_a_word_that_is_similar_to_none_suggests_nothing() -> None:
    assert did_you_mean("xyzzy", ["apply", "advance"]) is None
    assert did_you_mean("advance", []) is None


@pytest.mark.parametrize(
    ("right", "mistyped"), [("advance:", "advnce:"), ("active:", "actve:"), ("keychain:", "keychian:")]
)
def test_a_mistyped_field_of_a_file_is_named_with_a_suggestion(tmp_path: Path, right: str, mistyped: str) -> None:
    file = tmp_path / "mistyped.yaml"
    file.write_text(TWO_KEYS.read_text().replace(right, mistyped))
    with pytest.raises(DocumentError, match=rf"unknown field '{mistyped[:-1]}'.*did you mean '{right[:-1]}'\?"):
        read_cases(file)


@pytest.mark.parametrize(
    ("right", "mistyped"), [("Established", "Establshed"), ("hmac-sha-1-96", "hmac-sha1-96"), ("R1, R2", "R1, R22")]
)
def test_a_mistyped_value_of_a_field_is_reported_with_a_suggestion(tmp_path: Path, right: str, mistyped: str) -> None:
    file = tmp_path / "mistyped.yaml"
    file.write_text(TWO_KEYS.read_text().replace(right, mistyped))
    meant = "R2" if right.startswith("R1") else right
    with pytest.raises(DocumentError, match=rf"did you mean '{meant}'\?"):
        read_cases(file)


def test_a_mistyped_value_that_may_be_a_secret_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "secret.yaml"
    file.write_text(TWO_KEYS.read_text().replace("hmac-sha-1-96", "hmac-sha-1-96-my-secret"))
    with pytest.raises(DocumentError) as caught:
        read_cases(file)
    assert "my-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["run", "x.yaml", "--lab", "embeded"], "embedded"),
        (["check", "--policies", "defalt"], "default"),
        (["verify", "x.pcap", "--receiving", "tolerence"], "tolerance"),
    ],
)
def test_a_mistyped_value_of_an_option_is_reported_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], meant: str
) -> None:
    monkeypatch.setattr("sys.argv", ["keyroll", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert f"Did you mean '{meant}'?" in capsys.readouterr().err


def test_a_mistyped_mutation_is_reported_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="did you mean 'other-secret'"):
        read_cases(TWO_KEYS)[0].mutation("other-secrt")


def test_a_mistyped_variant_is_reported_with_a_suggestion() -> None:
    words = [str(TWO_KEYS.with_name("two-keys-variants.yaml")), "--variant", "sha1-revrsed-ipv4"]
    with pytest.raises(InputError, match="did you mean 'sha1-reversed-ipv4'"):
        run_command.main(words, standalone_mode=False)


@pytest.mark.parametrize(("words", "meant"), [(["verfy"], "'verify'"), (["run", "--sed", "7", "x"], "'--seed'")])
def test_a_mistyped_command_or_option_is_reported_with_a_suggestion(words: list[str], meant: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        keyroll.main(words, standalone_mode=False)
    assert f"Did you mean {meant}?" in caught.value.format_message()
