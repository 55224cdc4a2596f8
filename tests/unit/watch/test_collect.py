"""`keyroll collect`: the bundle has what concerns the sessions, and no secret."""

from __future__ import annotations

import json
import re
import tarfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.unit.known import known
from tests.unit.watch.allowed import is_allowed
from tests.unit.watch.recording import BEGIN, NAMES, PASSWORD, SECRET, USER, FakeRouter, Recording, plain

from keyroll.errors import RunError
from keyroll.instants import FakeClock
from keyroll.junos.access import Access
from keyroll.junos.exchange import Target
from keyroll.keychain.secret import Secret
from keyroll.keychain.type9 import encode_type9
from keyroll.watch.collect import Collected, collect
from keyroll.watch.inventory import Inventory


@pytest.fixture
def collected(server: Recording, tmp_path: Path) -> Callable[..., Collected]:
    def made(change: Callable[..., object] | None = None, **more: Any) -> Collected:
        clock = FakeClock(BEGIN)
        server.routers = plain(clock, ldp=True)
        if change is not None:
            change(server.routers)
        access = Access(Secret(PASSWORD), known_hosts=(tmp_path / "known",), new_hosts=tmp_path / "known")
        targets = [
            Target(name, "127.0.0.1", server.ports[name], USER, Secret(PASSWORD), access=access) for name in NAMES
        ]
        entries = {name: {"host": "127.0.0.1", "user": USER} for name in NAMES}
        inventory = Inventory.model_validate({"inventory": 1, "routers": entries})
        return collect(inventory, targets, clock=clock, **more)

    return made


def test_the_bundle_holds_what_concerns_the_sessions_and_no_secret(
    collected: Callable[..., Collected], server: Recording, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.tgz"
    collected().write(bundle)
    assert bundle.stat().st_mode & 0o777 == 0o600
    with tarfile.open(bundle) as archive:
        found = {one.name: known(archive.extractfile(one)).read() for one in archive.getmembers()}
    assert "keyroll-bundle/R1/keychain.txt" in found
    assert b"send-id 3" in found["keyroll-bundle/R1/configuration.set"]
    assert b"rpd[1]: up" in found["keyroll-bundle/R2/log.txt"]
    for text in found.values():
        assert SECRET.encode() not in text
        assert PASSWORD.encode() not in text
    assert all(is_allowed(line) for router in server.routers.values() for line in router.sent)


def forms(secret: str) -> Iterator[str]:
    """Yield the forms in which a secret may occur in a log: as it is, escaped, in hex, in base64, as $9$."""
    octets = secret.encode()
    yield secret
    yield json.dumps(secret)[1:-1]
    yield octets.hex()
    yield octets.hex().upper()
    yield b64encode(octets).decode().rstrip("=")
    yield from (encode_type9(Secret(secret), salt) for salt in (0, 7, 64))


def with_log(more: str, line: str, said: str) -> str:
    """Return a router's answer to `line`, with more text after it if `line` prints the version or the log."""
    return f"{said}\n{more}" if line in ("show version", "show log messages | no-more") else said


@pytest.mark.parametrize("secret", [SECRET, "Tr0ub4dor&3-keyroll"])
def test_no_bundle_holds_a_secret_that_a_router_printed_in_any_form(
    collected: Callable[..., Collected], secret: str
) -> None:
    def tells(routers: dict[str, FakeRouter]) -> None:
        for router in routers.values():
            router.secret = secret
            told = "\n".join(f"Jan  1 00:00:00 {router.name} mgd[1]: {form}" for form in forms(secret))
            older = "UI_CMDLINE_READ_LINE: User 'x', command 'set security ... key 0 secret \"older-than-the-chain\" '"
            user = 'set system login user x authentication encrypted-password "$6$salt$hashed"'
            router.garble = partial(with_log, f"{told}\n{older}\n{user}")

    found = collected(tells).files
    whole = "\n".join([*found, *found.values()])
    assert "mgd[1]: " in whole, "the log is there"
    for form in (*forms(secret), "older-than-the-chain", "$6$salt", PASSWORD):
        assert form not in whole
    for text in re.findall(r"\$9\$[^\s\"';,]+", whole):
        pytest.fail(f"an encrypted secret is left: {text[:4]}…")


def test_hide_names_also_removes_names(collected: Callable[..., Collected]) -> None:
    found = collected(hide_names=True).files
    assert {path.partition("/")[0] for path in found if "/" in path} == {"router-1", "router-2"}
    assert not any(word in text for text in found.values() for word in ("R1 ", '"R2"', USER, "127.0.0.1"))


def test_a_login_that_may_not_see_the_chains_collects_nothing(collected: Callable[..., Collected]) -> None:
    def hidden(routers: dict[str, FakeRouter]) -> None:
        routers["R2"].visible = False

    with pytest.raises(RunError, match="R2: chains not visible"):
        collected(hidden)


def test_an_error_that_quotes_a_line_quotes_no_secret(collected: Callable[..., Collected]) -> None:
    def quotes(routers: dict[str, FakeRouter]) -> None:
        routers["R1"].garble = lambda line, said: f"{said}\n{SECRET}" if line == "show bgp summary" else said

    with pytest.raises(RunError) as raised:
        collected(quotes)
    assert "unknown line" in str(raised.value)
    assert SECRET not in str(raised.value)
