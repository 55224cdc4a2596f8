"""The commands, options, make targets, variables and scenarios that the documents name exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from functools import cache
from itertools import pairwise
from pathlib import Path

import click
import pytest
import yaml
from tests.unit.documents import (
    DOCUMENTS,
    EVERY_DOCUMENT,
    FOLDERS,
    LIBRARY,
    ROOT,
    SOURCES,
    command_lines,
    no_fault_in,
    spans,
    text_of,
)
from tests.unit.known import known

from keyroll.cli.main import keyroll

# Options of other programs that a document names without the program.
FOREIGN = {"--cleanup", "--junit-xml"}
# How documents write a word that the reader replaces.
PLACEHOLDER = re.compile(r"[A-Z…<]|runs/…")
VARIABLE = re.compile(r"\bKEYROLL_[A-Z_]*[A-Z]\b")


def words_of(line: str) -> list[list[str]]:
    """Return a line's commands as lists of words: parts of a pipe, and of `a && b`, are commands each."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a sentence with an apostrophe is not a command
        return []
    found: list[list[str]] = [[]]
    for word in words:
        if word in {"|", "&&", ";"}:
            found.append([])
        else:
            found[-1].append(word)
    return [command for command in found if command]


@cache
def keyroll_commands(path: Path) -> list[tuple[int, list[str]]]:
    """Return (line, words) of every `keyroll …` that a document shows."""
    return [
        (number, words[1:])
        for number, line in command_lines(path)
        if "keyroll " in line
        for words in words_of(re.sub(r"(?:sudo )?\.venv/bin/keyroll", "keyroll", line))
        if words[0] == "keyroll"
    ]


def command_of(words: list[str]) -> tuple[click.Command | None, list[str]]:
    """Return the click command that words name (None: no such command), and the words after its name."""
    command: click.Command | None = keyroll
    rest = list(words)
    with click.Context(keyroll) as context:
        while isinstance(command, click.Group) and rest and re.fullmatch(r"[a-z][a-z-]*", rest[0]):
            command = command.get_command(context, rest.pop(0))
    return command, rest


def options_of(command: click.Command) -> set[str]:
    return {one for parameter in command.params for one in [*parameter.opts, *parameter.secondary_opts]} | {
        "--help",
        "-h",
    }


def every_option(command: click.Command = keyroll) -> set[str]:
    found = options_of(command)
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                found |= every_option(known(command.get_command(context, name)))
    return found


@cache
def all_options() -> set[str]:
    return every_option() | FOREIGN


@no_fault_in(DOCUMENTS)
def test_every_command_that_is_named_exists_and_has_the_options(path: Path) -> Collection[object]:
    wrong: list[object] = []
    for line, words in keyroll_commands(path):
        command, rest = command_of(words)
        if command is None:
            wrong.append((line, words))
            continue
        given = [word.partition("=")[0] for word in rest[: rest.index("--") if "--" in rest else None]]
        wrong += [(line, one) for one in given if re.match(r"--?[a-z]", one) and one not in options_of(command)]
    return wrong


@no_fault_in(DOCUMENTS)
def test_every_option_that_is_named_alone_exists(path: Path, pytestconfig: pytest.Config) -> Collection[object]:
    named = [(line, found[0]) for line, span in spans(path) if (found := re.match(r"--[a-z][\w-]+", span))]
    known = all_options() if named else set()
    return [(line, one) for line, one in named if one not in known and not of_pytest(one, pytestconfig)]


def of_pytest(option: str, config: pytest.Config) -> bool:
    try:
        config.getoption(option)
    except ValueError:
        return False
    return True


@no_fault_in(EVERY_DOCUMENT)
def test_every_option_of_the_plugin_that_is_named_exists(path: Path, pytestconfig: pytest.Config) -> Collection[object]:
    named = set(re.findall(r"--keyroll-[a-z0-9]+(?:-[a-z0-9]+)*", text_of(path)))
    return [one for one in sorted(named) if not of_pytest(one, pytestconfig)]


@no_fault_in(DOCUMENTS)
def test_every_make_target_and_variable_that_is_named_exists(path: Path) -> Collection[object]:
    makefile = text_of(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"\$\((?:if \$\()?([A-Z][A-Z_0-9]*)", makefile)) | set(
        re.findall(r"[A-Z][A-Z_]+", " ".join(re.findall(r"^KEPT := (.*)$", makefile, re.MULTILINE)))
    )
    named = [
        (line, word)
        for line, text in command_lines(path)
        if "make " in text
        for words in words_of(text)
        if words[0] == "make"
        for word in words[1:]
    ]
    return [
        (line, word)
        for line, word in named
        if (word.partition("=")[0] not in variables if "=" in word else word not in targets)
    ]


@no_fault_in(DOCUMENTS)
def test_every_scenario_mutation_and_variant_that_a_command_names_exists(path: Path) -> Collection[object]:
    wrong: list[tuple[object, ...]] = []
    for line, words in keyroll_commands(path):
        if words[:1] != ["run"]:
            continue
        file = next((word for word in words[1:] if "/" in word and not word.startswith("-")), None)
        if file is None or PLACEHOLDER.match(file):
            continue
        place = LIBRARY / f"{file.removeprefix('tests/scenarios/').removesuffix('.yaml')}.yaml"
        if not place.exists():
            wrong.append((line, file))
            continue
        text = yaml.safe_load(place.read_text())
        wrong += [(line, one) for one in after(words, "--mutate") if one != "all" and one not in text["mutations"]]
        cases = [str(case) for values in text.get("parametrize", {}).values() for case in values]
        wrong += [
            (line, one)
            for one in after(words, "--variant")
            if not set(one.split("-")) <= set("-".join(cases).split("-"))
        ]
    return wrong


def after(words: list[str], option: str) -> list[str]:
    """Return the values of an option in a command, without placeholders."""
    return [value for word, value in pairwise(words) if word == option and not PLACEHOLDER.match(value)]


@no_fault_in(DOCUMENTS)
def test_every_path_in_a_command_exists(path: Path) -> Collection[object]:
    programs = ("keyroll", "make", "bash", "pytest", ".ci/", "-m pytest")
    named = [
        (line, word.partition("::")[0])
        for line, text in command_lines(path)
        if any(program in text for program in programs)
        for words in words_of(text)
        for word in words
        if "/" in word and word.partition("/")[0] in FOLDERS
    ]
    return [(line, word) for line, word in named if not any(ROOT.glob(word.rstrip("/")))]


@no_fault_in(DOCUMENTS)
def test_every_environment_variable_that_is_named_is_read(path: Path) -> Collection[object]:
    named = {found for _, span in spans(path) for found in VARIABLE.findall(span)}
    return sorted(named - variables_read())


@cache
def variables_read() -> set[str]:
    """Return the environment variables that the sources, the Makefile, the workflows and the image name."""
    places = [*SOURCES, ROOT / "Makefile", *(ROOT / ".github/workflows").iterdir(), *(ROOT / "image").iterdir()]
    return {one for place in places if place.is_file() for one in VARIABLE.findall(text_of(place))}
