"""Access to routers: sources of secrets, keys, an agent, jump hosts, host keys; each with one look at both routers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest
from tests.unit.known import known
from tests.unit.watch.recording import BEGIN, NAMES, PASSWORD, USER, Recording, plain

from keyroll.cli.watch import watch_command
from keyroll.errors import ExitCode
from keyroll.instants import FakeClock

PATIENCE = 60.0
LOOK = ("--once", "--accept-new-host-keys")


@pytest.fixture
def way(
    server: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[ExitCode, str]]:
    """Write an inventory whose routers all have these fields, look once, and return the exit code and the output."""
    monkeypatch.setattr("keyroll.watch.pace.BETWEEN", timedelta(milliseconds=1))
    server.routers = plain(FakeClock(BEGIN))
    server.authorized.clear()
    server.methods.clear()
    server.forwarded.clear()

    def looked(*words: str, hosts: dict[str, str] | None = None, **fields: str | None) -> tuple[ExitCode, str]:
        given = {"user": USER, "known-hosts": str(tmp_path / "known"), "ssh-config": "none", **fields}
        rest = ", ".join(f"{name}: {value}" for name, value in given.items() if value is not None)
        entries = "".join(
            f"  {name}: {{host: {(hosts or {}).get(name, '127.0.0.1')}, {rest}"
            f"{'' if hosts else f', port: {server.ports[name]}'}}}\n"
            for name in NAMES
        )
        inventory = tmp_path / "routers.yml"
        inventory.write_text(f"inventory: 1\nrouters:\n{entries}")
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        code = watch_command.main([str(inventory), *(words or LOOK), "--run-dir", str(folder)], standalone_mode=False)
        return code, capsys.readouterr().out

    return looked


@pytest.fixture
def key(server: Recording, tmp_path: Path, way: Callable[..., tuple[ExitCode, str]]) -> Callable[[], Path]:  # noqa: ARG001 - `way` removes the keys of other tests first
    """The user's private key, which the routers accept."""
    made = asyncssh.generate_private_key("ssh-ed25519")
    path = tmp_path / "id_watch"
    path.write_bytes(made.export_private_key("openssh"))
    path.chmod(0o600)

    def authorized() -> Path:
        server.authorized.append(made.convert_to_public())
        return path

    return authorized


def test_a_login_works_with_a_password_from_the_environment(
    way: Callable[..., tuple[ExitCode, str]], server: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCH_PASSWORD", PASSWORD)
    assert way(secret="{env: WATCH_PASSWORD}")[0] == 0
    assert server.methods == ["password", "password"]


def test_both_logins_work_with_a_descriptor_that_can_be_read_once(
    way: Callable[..., tuple[ExitCode, str]], server: Recording
) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{PASSWORD}\n".encode())
    os.close(writing)
    try:
        assert way(secret=f"{{fd: {reading}}}")[0] == 0
    finally:
        os.close(reading)
    assert server.methods == ["password", "password"]


def test_a_login_works_with_a_password_of_a_command_and_does_not_print_it(
    way: Callable[..., tuple[ExitCode, str]], tmp_path: Path
) -> None:
    vault = tmp_path / "vault"
    vault.write_text(f"{PASSWORD}\nexpires tomorrow\n")
    code, said = way(secret=f"{{command: [cat, {vault}]}}")
    assert code == 0
    assert PASSWORD not in said


def test_a_login_works_with_a_key_file(
    way: Callable[..., tuple[ExitCode, str]], server: Recording, key: Callable[[], Path]
) -> None:
    path = key()
    assert way(secret=f"{{key: {path}}}")[0] == 0
    assert set(server.methods) == {"key"}


@contextmanager
def agent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start an SSH agent for the test, and set SSH_AUTH_SOCK to its socket."""
    if shutil.which("ssh-agent") is None or shutil.which("ssh-add") is None:
        pytest.skip("OpenSSH's ssh-agent and ssh-add are not installed")
    socket = folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE, text=True)
    try:
        assert "SSH_AUTH_SOCK" in known(process.stdout).readline()  # it listens once it has said so
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def test_the_ssh_agent_is_used_if_the_inventory_names_no_secret(
    way: Callable[..., tuple[ExitCode, str]],
    server: Recording,
    key: Callable[[], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with agent(tmp_path, monkeypatch):
        subprocess.run(["ssh-add", "-q", str(key())], check=True, timeout=PATIENCE)
        assert way()[0] == 0
    assert set(server.methods) == {"key"}


def test_a_wrong_password_is_tried_once_and_not_printed(
    way: Callable[..., tuple[ExitCode, str]], server: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCH_PASSWORD", "mistyped-1")
    code, said = way(secret="{env: WATCH_PASSWORD}")
    assert code == 2
    assert "R1" in said
    assert "mistyped-1" not in said
    assert len(server.methods) == 2, "once at each router: a second try could lock the account"


def test_a_changed_host_key_is_refused_also_with_accept_new_host_keys(
    way: Callable[..., tuple[ExitCode, str]], server: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCH_PASSWORD", PASSWORD)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    (tmp_path / "known").write_text("".join(f"[127.0.0.1]:{port} {other}\n" for port in server.ports.values()))
    code, said = way(secret="{env: WATCH_PASSWORD}")
    assert code == 2
    assert "the host key is not the one that is known" in said
    assert server.methods == []
    assert (tmp_path / "known").read_text().count("\n") == 2


@pytest.fixture
def jump(server: Recording, key: Callable[[], Path], tmp_path: Path) -> Path:
    """A jump host, and a user's SSH configuration that names it."""
    if shutil.which("ssh") is None:
        pytest.skip("OpenSSH's client is not installed: a jump host needs it")
    path, port = key(), server.jump_host()
    known_jump = tmp_path / "known_jump"
    known_jump.write_text(f"[127.0.0.1]:{port} {known(server.jump_key).export_public_key().decode().strip()}\n")
    config = tmp_path / ".ssh" / "config"
    config.parent.mkdir(mode=0o700)
    lines = [f"Host bastion\n  HostName 127.0.0.1\n  Port {port}\n"]
    for name, router in zip(("core-1", "core-2"), NAMES, strict=True):
        lines.append(f"Host {name}\n  HostName 127.0.0.1\n  Port {server.ports[router]}\n  ProxyJump bastion\n")
    # The routers' host keys are added to a file of their own, not to that of the jump host.
    lines.append(f"Host core-*\n  UserKnownHostsFile {tmp_path / 'known_cores'}\n")
    lines.append(
        f"Host *\n  User {USER}\n  IdentityFile {path}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known_jump}\n"
    )
    config.write_text("".join(lines))
    config.chmod(0o600)
    return config


def test_both_logins_go_through_the_jump_host_of_the_inventory(
    way: Callable[..., tuple[ExitCode, str]], server: Recording, jump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCH_PASSWORD", PASSWORD)
    code, said = way(secret="{env: WATCH_PASSWORD}", jump="bastion", **{"ssh-config": str(jump)})
    assert code == 0, said
    assert sorted(server.forwarded) == sorted(server.ports.values())
    assert server.methods.count("password") == 2, "the password goes to the routers alone"


@pytest.mark.usefixtures("jump")
def test_jump_host_user_and_key_come_from_the_users_ssh_configuration(
    way: Callable[..., tuple[ExitCode, str]], server: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", "")
    code, said = way(
        hosts={"R1": "core-1", "R2": "core-2"}, user=None, **{"ssh-config": None, "known-hosts": None}
    )  # fmt: skip
    assert code == 0, said
    assert sorted(server.forwarded) == sorted(server.ports.values())
    assert "password" not in server.methods
    assert (tmp_path / "known_cores").read_text().count("127.0.0.1") == 2


def test_an_unreachable_jump_host_is_named_in_the_error(
    way: Callable[..., tuple[ExitCode, str]], jump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCH_PASSWORD", PASSWORD)
    jump.write_text(jump.read_text().replace("Port", "Port 1 #", 1))
    code, said = way(secret="{env: WATCH_PASSWORD}", jump="bastion", **{"ssh-config": str(jump)})
    assert code == 2
    assert "through the jump host's command 'ssh " in said
    assert "Connection refused" in said
