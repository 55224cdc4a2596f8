"""Who may log in: users, public keys and encrypted passwords of the committed configuration."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import asyncssh
import pytest

from keyroll.emulator.junos.configuration import passwords
from keyroll.emulator.junos.configuration.render import set_lines
from keyroll.emulator.junos.login import ssh_server
from keyroll.emulator.junos.login.ssh_server import _SshConnection

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import Console, FullBackend, LiveRouter

PASSWORD = "made-up-for-tests"
KINDS = {"ssh-ed25519": "ssh-ed25519", "ssh-ecdsa": "ecdsa-sha2-nistp256", "ssh-rsa": "ssh-rsa"}
SECRET = "correct Horse"


def new_key(folder: Path, kind: str) -> tuple[Path, str]:
    private = asyncssh.generate_private_key(kind, comment="made up")
    path = folder / f"id-{kind}"
    private.write_private_key(path)
    path.chmod(0o600)
    return path, private.export_public_key().decode().strip()


def openssh(router: LiveRouter, key: Path, user: str, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes"]
    options += ["PreferredAuthentications=publickey", "BatchMode=yes"]
    command = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option)), "-i", str(key)]
    command += ["-p", str(router.port), f"{user}@127.0.0.1", *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def commit(router: LiveRouter, *lines: str) -> str:
    """Commit lines as the lab's own user."""

    async def play() -> str:
        async with asyncssh.connect(
            "127.0.0.1",
            router.port,
            username="admin",
            password=PASSWORD,
            known_hosts=None,
            client_keys=None,
            config=None,
        ) as connection:
            text = "\n".join(["configure", *lines, "commit and-quit", ""])
            return str((await connection.run(input=text)).stdout)

    answer = asyncio.run(play())
    assert "commit complete" in answer, answer
    return answer


async def log_in(router: LiveRouter, user: str, password: str) -> str:
    async with asyncssh.connect(
        "127.0.0.1", router.port, username=user, password=password, known_hosts=None, client_keys=None, config=None
    ) as connection:
        return str((await connection.run("show version | match Hostname")).stdout)


@pytest.mark.parametrize("statement", KINDS)
def test_a_committed_key_admits_its_user_and_nobody_else(live: LiveRouter, tmp_path: Path, statement: str) -> None:
    key, public = new_key(tmp_path, KINDS[statement])
    assert openssh(live, key, "joe", "show version").returncode == 255
    line = f'system login user joe authentication {statement} "{public}"'
    commit(live, "set system login user joe class super-user", f"set {line}")
    done = openssh(live, key, "joe", text="show version\n")
    assert done.returncode == 0
    assert "joe@R1> show version" in done.stdout or "Hostname: R1" in done.stdout
    for stranger in ("admin", "root", "mary"):
        assert openssh(live, key, stranger, "show version").returncode == 255
    commit(live, f"delete {line}")
    assert openssh(live, key, "joe", "show version").returncode == 255


def test_a_key_in_a_group_admits_its_user_only_while_the_group_is_applied(live: LiveRouter, tmp_path: Path) -> None:
    key, public = new_key(tmp_path, "ssh-ed25519")
    line = f'system root-authentication ssh-ed25519 "{public}"'
    commit(live, f"set groups g {line}", "set apply-groups g")
    done = openssh(live, key, "root", text="cli\nshow version\nexit\nexit\n")
    assert "Hostname: R1" in done.stdout
    commit(live, "deactivate apply-groups")
    assert openssh(live, key, "root", "show version").returncode == 255


def test_a_client_that_changes_its_user_name_does_not_keep_the_keys_of_the_first(
    console: Console, tmp_path: Path
) -> None:
    _, public = new_key(tmp_path, "ssh-ed25519")
    console.type("configure", f'set system login user joe authentication ssh-ed25519 "{public}"', "commit")
    connection = _SshConnection(console.router._state, {}, {}, set(), set(), lambda _task: None)
    recorder = _Recorder()
    connection.connection_made(cast("asyncssh.SSHServerConnection", recorder))  # it has the one method that is called
    connection.begin_auth("joe")
    assert recorder.given is not None
    connection.begin_auth("mary")
    assert recorder.given is None


class _Recorder:
    given: object = None

    def set_authorized_keys(self, keys: object) -> None:
        self.given = keys


def test_an_encrypted_password_admits_its_user(live: LiveRouter) -> None:
    encrypted = passwords.encrypted(SECRET)
    commit(live, f'set system login user joe authentication encrypted-password "{encrypted}"')
    assert asyncio.run(log_in(live, "joe", SECRET)) == "Hostname: R1\n"
    for user, password in (("joe", SECRET + "x"), ("joe", encrypted), ("mary", SECRET)):
        with pytest.raises(asyncssh.PermissionDenied):
            asyncio.run(log_in(live, user, password))
    assert asyncio.run(log_in(live, "admin", PASSWORD)) == "Hostname: R1\n"


def test_a_plain_text_password_is_prompted_without_echo_and_stored_encrypted(console: Console) -> None:
    console.answers = [SECRET, SECRET]
    console.type("configure")
    assert console.type("set system login user joe authentication plain-text-password").splitlines() == [
        "New password:",
        "Retype new password:",
    ]
    assert console.hidden == [True, True]
    (line,) = [line for line in set_lines(console.router._state.store.candidate) if "password" in line]
    assert line.startswith('set system login user joe authentication encrypted-password "$6$')
    assert passwords.matches(SECRET, line.split('"')[1])
    assert SECRET not in "\n".join(console.log)
    assert console.type("show system login").count("## SECRET-DATA") == 1


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (["short"], "error: minimum password length is 6"),
        (["nochange"], "error: require change of case, digits or punctuation"),
        ([SECRET, "Something else"], "error: Passwords are not equal; aborting"),
    ],
)
def test_a_weak_or_mistyped_plain_text_password_is_refused(console: Console, answers: list[str], message: str) -> None:
    console.answers = answers
    console.type("configure")
    typed = console.type("set system root-authentication plain-text-password")
    assert typed.splitlines()[-1] == message
    assert console.type("show system") == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('ssh-ed25519 "ssh-ed25519 AAAA"', "it is damaged or cut"),
        ('ssh-ed25519 "ssh-rsa AAAAB3NzaC1yc2E="', "it begins with ssh-ed25519"),
        ("ssh-rsa AAAAB3NzaC1yc2E=", "invalid ssh-rsa public key"),
        ("encrypted-password geheim", "invalid encrypted password"),
        ("encrypted-password $2b$12$abc", "invalid encrypted password"),
    ],
)
def test_an_unusable_encrypted_password_is_refused(console: Console, line: str, message: str) -> None:
    console.type("configure")
    assert message in console.type(f"set system login user joe authentication {line}")
    assert "geheim" not in "\n".join(console.log)
    assert console.type("show system login") == ""


def test_a_pasted_plain_text_password_statement_is_refused_with_a_remedy(console: Console) -> None:
    console.block = "system {\n    root-authentication {\n        plain-text-password;\n    }\n}\n"
    answer = console.type("configure", "load merge terminal")
    assert "terminal:3:(0) plain-text-password prompts for the password: enter it as a command of its own" in answer
    assert "load complete (1 errors)" in answer


@pytest.mark.parametrize(
    ("password", "encrypted"),
    [
        # In the formats of `openssl passwd -6`, `-5` and `-1`.
        (
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        (
            "Hello world!",
            "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
        ),
        ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        (
            "a short string",
            "$5$rounds=1400$anotherlongsalts$/ZgXZz1bepTx51r3fHwPYEod.GKaJYK9TtVXmNiwQ93",
        ),
        ("password", "$1$abcdefgh$G//4keteveJp0qb8z2DxG/"),
    ],
)
def test_encrypted_passwords_match_as_in_crypt(password: str, encrypted: str) -> None:
    assert passwords.matches(password, encrypted)
    assert not passwords.matches(password + " ", encrypted)
    assert not passwords.matches(password, encrypted[:-1])


def test_an_encrypted_password_with_too_many_rounds_never_matches() -> None:
    begun = time.monotonic()
    assert not passwords.matches("x", "$6$rounds=900000000$salt$hash")
    assert time.monotonic() - begun < 60, "900 million rounds take half an hour"


def test_a_reboot_keeps_users(full: FullBackend, open_console: Callable[..., Console], tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    _, public = new_key(tmp_path, "ssh-ed25519")
    first = open_console(full, saved=saved)
    first.type("configure", f'set system login user joe authentication ssh-ed25519 "{public}"', "commit")
    again = open_console(full, saved=saved)
    assert again.router._state.store.logins["joe"].keys == (public,)


class Guesser(asyncssh.SSHClient):
    """Tries passwords on one connection until the server closes it."""

    def __init__(self) -> None:
        self.tried = 0

    def password_auth_requested(self) -> str:
        self.tried += 1
        return "a guess"


def test_a_connection_that_guesses_passwords_is_closed(live: LiveRouter) -> None:
    guesser = Guesser()

    async def guess() -> None:
        options = {"username": "admin", "known_hosts": None, "client_keys": None, "config": None}
        await asyncssh.connect(
            "127.0.0.1", live.port, client_factory=lambda: guesser, preferred_auth="password", **options
        )

    with pytest.raises(asyncssh.DisconnectError, match="Too many authentication failures"):
        asyncio.run(guess())
    assert guesser.tried == ssh_server.TRIES
    assert asyncio.run(log_in(live, "admin", PASSWORD)) == "Hostname: R1\n"


def test_unauthenticated_connections_are_limited_in_number(live: LiveRouter) -> None:
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(greeted(live)) for _ in range(ssh_server.WITHOUT_LOGIN)]
        with socket.create_connection(("127.0.0.1", live.port), timeout=10) as refused:
            assert drained(refused)
        waiting[0].close()
        deadline = time.monotonic() + 10
        while True:  # the router notices the closed connection a moment later
            with contextlib.suppress(asyncssh.Error, OSError):
                assert asyncio.run(log_in(live, "admin", PASSWORD)) == "Hostname: R1\n"
                return
            assert time.monotonic() < deadline


def greeted(live: LiveRouter) -> socket.socket:
    """Return a connection that has received the server's version and sends nothing."""
    connection = socket.create_connection(("127.0.0.1", live.port), timeout=10)
    assert connection.recv(4) == b"SSH-"
    return connection


def drained(connection: socket.socket) -> bool:
    """Read until the other side closes the connection; return True then."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    return True
