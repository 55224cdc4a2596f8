"""Each sample of show output is parsed into the record that is stored with it.

`golden/real` was seen on real routers and is never regenerated. `golden/assumed` was written from memory or put
together from parts. `golden/emulated` has outputs of the emulated router, which do not prove that a template is right.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from tests.unit.known import known

from keyroll.junos.errors import OutputError
from keyroll.junos.output import parse, template_for, templates

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = sorted(GOLDEN.glob("*/*.raw"))
IDS = [f"{path.parent.name}-{path.stem}" for path in SAMPLES]


def plain(value: object) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(plain(item) for item in value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


@functools.cache
def expected(raw: Path) -> Any:
    return yaml.safe_load(raw.with_suffix(".yml").read_text())


@pytest.mark.parametrize("raw", SAMPLES, ids=IDS)
def test_a_sample_is_parsed_into_its_record(raw: Path) -> None:
    wanted = expected(raw)
    record = parse(wanted["command"], raw.read_text(), router="R1")
    assert type(record).__name__ == wanted["record"]
    assert plain(record) == wanted["fields"]


def test_an_additional_line_is_an_error_with_the_raw_text() -> None:
    for raw, place in itertools.product(SAMPLES, (0, 1, -1)):
        command = expected(raw)["command"]
        lines = raw.read_text().splitlines()
        lines.insert(place if place >= 0 else len(lines), "%% an additional line")
        text = "\n".join(lines)
        with pytest.raises(OutputError, match="an additional line") as caught:
            parse(command, text, router="R1")
        assert (caught.value.raw, caught.value.router, caught.value.command) == (text, "R1", command)


def test_every_template_of_keyroll_has_a_sample_and_ends_each_state_with_an_error() -> None:
    seen = {known(template_for(expected(raw)["command"])).file for raw in SAMPLES}
    assert seen == {template.file for template in templates()}
    folder = Path("harness/keyroll/junos/templates")
    for path in (Path(__file__).parents[3] / folder).glob("*.textfsm"):
        states: dict[str, Any] = {}
        current = None
        for line in path.read_text().splitlines():
            if line and not line.startswith(("  ", "Value", "#")):
                current = line
            elif line.startswith("  ^"):
                states.setdefault(known(current), []).append(line.strip())
        assert states, path
        for state, rules in states.items():
            assert rules[-1] == "^. -> Error", (path.name, state)


def test_the_index_says_which_templates_are_based_on_assumptions() -> None:
    folder = Path(__file__).parents[3] / "harness/keyroll/junos/templates"
    for template in templates():
        if template.package == "keyroll.junos":
            assert template.assumed == ("ssumed" in (folder / template.file).read_text()), template.file


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("show security keychain", "juniper_junos_show_security_keychain.textfsm"),
        ("show security keychain brief", "juniper_junos_show_security_keychain.textfsm"),
        ("show  security keychain  detail | no-more", "juniper_junos_show_security_keychain.textfsm"),
        ("sh bgp sum", "juniper_junos_show_bgp_summary.textfsm"),
        ("show bgp neighbor 10.0.0.2", "juniper_junos_show_bgp_neighbor.textfsm"),
        ("show ldp session", "juniper_junos_show_ldp_session.textfsm"),
        ("show ldp session 10.0.0.2 detail", "juniper_junos_show_ldp_session_detail.textfsm"),
        ("show ldp session detail", "juniper_junos_show_ldp_session_detail.textfsm"),
        ("show system uptime", "juniper_junos_show_system_uptime.textfsm"),
        ("show bgp summary | match Establ", None),
        ("show bgp summary extra", None),
        ("show configuration", None),
        ("xshow version", None),
    ],
)
def test_a_command_selects_its_template(command: str, file: str | None) -> None:
    template = template_for(command)
    assert (template.file if template else None) == file


def test_a_shifted_column_is_not_read_as_a_number() -> None:
    raw = (GOLDEN / "real" / "bgp_summary_mx_20.4.raw").read_text().replace("37:07 Establ", "37:07 Flying")
    with pytest.raises(OutputError, match="Flying"):
        parse("show bgp summary", raw, router="R1")


def test_a_missing_drop_counter_is_not_zero() -> None:
    raw = (GOLDEN / "real" / "system_statistics_tcp.raw").read_text()
    raw = "\n".join(line for line in raw.splitlines() if "rcv packets dropped by TCP due to auth" not in line)
    with pytest.raises(OutputError, match="occurs 0 times"):
        parse("show system statistics tcp", raw, router="R1")


def test_an_empty_version_or_uptime_is_an_error() -> None:
    for command in ("show version", "show system uptime", "show system statistics tcp"):
        with pytest.raises(OutputError):
            parse(command, "", router="R1")


@given(raw=st.sampled_from(SAMPLES), data=st.data())
@settings(max_examples=3 * known(settings.default).max_examples)  # there are many samples
def test_a_damaged_sample_is_a_record_or_an_output_error_and_nothing_else(raw: Path, data: DataObject) -> None:
    lines = raw.read_text().splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        damage = data.draw(st.sampled_from(["drop", "double", "cut", "swap", "character"]))
        if damage == "drop" and len(lines) > 1:
            del lines[place]
        elif damage == "double":
            lines.insert(place, lines[place])
        elif damage == "swap":
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[place], lines[other] = lines[other], lines[place]
        elif lines[place]:
            column = data.draw(st.integers(0, len(lines[place]) - 1))
            rest = data.draw(st.text(max_size=1)) + lines[place][column + 1 :] if damage == "character" else ""
            lines[place] = lines[place][:column] + rest
    with contextlib.suppress(OutputError):
        assert type(parse(expected(raw)["command"], "\n".join(lines), router="R1")).__name__ == expected(raw)["record"]
