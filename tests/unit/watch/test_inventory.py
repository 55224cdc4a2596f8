"""`routers.yml`: a mistake names line and field, and no secret is ever quoted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.known import known

from keyroll.document import DocumentError
from keyroll.errors import InputError
from keyroll.junos.access import Access
from keyroll.junos.exchange import Target
from keyroll.watch.inventory import read_inventory, schema
from keyroll.watch.login import targets

GOOD = """\
inventory: 1
routers:
  left:
    host: 192.0.2.1
    user: watcher
    secret: {env: LEFT_PASSWORD}
    ssh-config: none
  right:
    host: 192.0.2.2
    port: 2222
    user: watcher
    secret: {command: [printf, "from the vault\\nsecond line\\n"]}
    ssh-config: none
sessions:
  - {bgp: 10.0.12.2}
  - {ldp: 10.255.0.2}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        path = tmp_path / "routers.yml"
        path.write_text(text)
        return path

    return written


def access(target: Target) -> Access:
    return known(target.access)


def password(target: Target) -> bytes:
    return known(access(target).password).reveal()


def test_an_inventory_gives_host_port_user_and_password_of_each_router(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEFT_PASSWORD", "left's own")
    left, right = targets(read_inventory(write(GOOD)))
    assert (left.name, left.host, left.port, left.user) == ("left", "192.0.2.1", 22, "watcher")
    assert (right.port, password(left), password(right)) == (
        2222,
        b"left's own",
        b"from the vault",
    )
    assert access(left).new_hosts is None


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("host: 192.0.2.1", "host: '-oProxyCommand=x'", 4, "routers.left.host"),
        ("host: 192.0.2.1", "host: a b", 4, "routers.left.host"),
        ("port: 2222", "port: 70000", 10, "routers.right.port"),
        ("user: watcher", "usr: watcher", 5, "usr"),
        ("secret: {env: LEFT_PASSWORD}", "secret: hunter2", 6, "this file must not hold a secret"),
        ("secret: {env: LEFT_PASSWORD}", "secret: {env: A, fd: 3}", 6, "routers.left.secret"),
        ("ssh-config: none", "jump: 'x; reboot'", 7, "routers.left.jump"),
        ("{bgp: 10.0.12.2}", "{bgp: 10.0.12.2/30}", 15, "sessions.0.bgp"),
        ("{bgp: 10.0.12.2}", "{bgp: 'fe80::1%eth0'}", 15, "sessions.0.bgp"),
        ("inventory: 1", "keyroll: 1", 1, "not an inventory"),
        ("user: watcher", "user: 'a b'", 5, "'routers.left.user': should be a login name"),
        ("{env: LEFT_PASSWORD}", "{env: hunter2 x}", 6, "'routers.left.secret.env': should be the name of an env"),
        ("{env: LEFT_PASSWORD}", "{env: A, fd: 3}", 6, "'routers.left.secret': should be one of"),
        ("user: watcher", "usr: watcher", 5, "did you mean 'user'?"),
        ("sessions:\n  - {bgp: 10.0.12.2}\n  - {ldp: 10.255.0.2}", "sessions: bgp", 14, "should be a list of sessions"),
        ("  right:", "  'a/b':", 9, "routers.a/b"),
    ],
)
def test_a_mistake_names_line_and_field(
    write: Callable[[str], Path], old: str, new: str, line: int, words: str
) -> None:
    with pytest.raises(DocumentError) as raised:
        read_inventory(write(GOOD.replace(old, new, 1)))
    assert known(raised.value.where).line == line, raised.value
    assert words in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_an_unavailable_secret_is_named_and_not_quoted(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEFT_PASSWORD", raising=False)
    with pytest.raises(InputError, match=r"routers.left.secret.env: the variable LEFT_PASSWORD is not set"):
        targets(read_inventory(write(GOOD)))
    failing = GOOD.replace('[printf, "from the vault\\nsecond line\\n"]', "[sh, -c, echo hunter2; exit 3]")
    monkeypatch.setenv("LEFT_PASSWORD", "x")
    with pytest.raises(InputError, match=r"routers.right.secret.command: sh: ended with 3") as raised:
        targets(read_inventory(write(failing)))
    assert "hunter2" not in str(raised.value)


def test_a_descriptor_that_two_routers_name_is_read_once(write: Callable[[str], Path]) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe\n")
    os.close(writing)
    text = GOOD.replace("{env: LEFT_PASSWORD}", f"{{fd: {reading}}}")
    text = text.replace('{command: [printf, "from the vault\\nsecond line\\n"]}', f"{{fd: {reading}}}")
    try:
        found = targets(read_inventory(write(text)))
    finally:
        os.close(reading)
    assert {password(one) for one in found} == {b"through a pipe"}


def test_the_users_own_ssh_configuration_is_followed(write: Callable[[str], Path], tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Host core-*\n  User watcher\n  Port 830\n  ProxyJump me@bastion:2022,inner\n"
        "  UserKnownHostsFile /nowhere/known\nHost core-1\n  HostName 192.0.2.7\n"
    )
    text = (
        f"inventory: 1\nrouters:\n  a: {{host: core-1, ssh-config: {config}}}\n"
        f"  b: {{host: core-2, user: other, port: 22, ssh-config: {config}, jump: gate}}\n"
    )
    a, b = targets(read_inventory(write(text)))
    assert (a.host, a.port, a.user, str(access(a).known_hosts[0])) == ("192.0.2.7", 830, "watcher", "/nowhere/known")
    assert access(a).proxy[-4:] == ("-W", "192.0.2.7:830", "--", "inner")
    assert access(a).proxy[access(a).proxy.index("-J") :][:2] == ("-J", "me@bastion:2022")
    assert (b.user, b.port, access(b).proxy[-1]) == ("other", 22, "gate")


def test_the_schema_requires_format_1_and_allows_no_plain_secret() -> None:
    made = schema()
    assert made["properties"]["inventory"] == {"const": 1, "title": "Inventory", "type": "integer"}
    assert made["$defs"]["RouterEntry"]["properties"]["secret"]["anyOf"][0] == {"const": "agent"}
