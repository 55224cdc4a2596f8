"""A watched router may be sent whole commands only, and nothing that was built from text."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.watch.allowed import LOGIN, is_allowed

from keyroll.errors import InputError
from keyroll.junos.login import _PREPARATION
from keyroll.watch.commands import Command, Shape

WRITING = ("save", "append", "tee", "request", "clear", "configure", "restart", "load", "start", "op ", "file")


@pytest.mark.parametrize("shape", list(Shape))
def test_no_command_is_piped_to_anything_but_no_more(shape: Shape) -> None:
    assert all(pipe.strip() == "no-more" for pipe in shape.value.split("|")[1:])
    assert not any(word in shape.value for word in WRITING)
    assert shape.value.startswith("show ")


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_an_address_makes_one_allowed_line(address: IPv4Address | IPv6Address) -> None:
    line = Command(Shape.NEIGHBOR, address).text
    assert is_allowed(line)
    assert ip_address(line.removeprefix("show bgp neighbor ")) == address


@pytest.mark.parametrize("address", [IPv6Address("fe80::1%x | save y"), "10.0.0.1", None])
def test_an_argument_that_is_not_a_plain_address_is_never_sent(address: Any) -> None:
    with pytest.raises(InputError):
        _ = Command(Shape.NEIGHBOR, address).text


def test_a_command_without_a_parameter_takes_none() -> None:
    with pytest.raises(InputError):
        _ = Command(Shape.CLOCK, IPv4Address("10.0.0.1")).text


@pytest.mark.parametrize(
    "line",
    [
        "show configuration | save x",
        "show configuration | no-more | save x",
        "show bgp neighbor 10.0.0.1 | save x",
        "show bgp neighbor 10.0.0.1\nrequest system reboot",
        "show bgp neighbor ",
        "configure",
        "request system reboot",
        "show security keychain detail ",
        "",
    ],
)
def test_a_line_that_only_begins_like_an_allowed_command_is_not_allowed(line: str) -> None:
    assert not is_allowed(line)


def test_the_allowed_login_lines_are_those_that_the_login_sends() -> None:
    assert tuple(line for line, _ in _PREPARATION) == LOGIN
