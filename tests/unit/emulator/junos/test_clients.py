"""Third-party clients, and a person at a terminal, over real SSH."""

from __future__ import annotations

import asyncio
import random
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
import pytest
from tests.unit.ssh_terminal import Terminal, logged_in

from keyroll.emulator.junos.login.line_editor import LineEditor
from keyroll.emulator.junos.login.router import JunosRouter

if TYPE_CHECKING:
    from tests.unit.emulator.junos.conftest import LiveRouter

PASSWORD = "made-up-for-tests"
PATIENCE = 10.0
"""Longest wait for an answer, in seconds. The router needs far less; a loaded machine may not."""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "id"
    private = asyncssh.generate_private_key("ssh-ed25519")
    private.write_private_key(path)
    path.chmod(0o600)
    (tmp_path / "id.pub").write_bytes(private.export_public_key())
    return path


@pytest.fixture
def keyed(live: LiveRouter, key: Path) -> LiveRouter:
    live.keys["admin"] = live.keys["root"] = [key.with_suffix(".pub").read_text()]
    return live


@pytest.fixture
def terminal(keyed: LiveRouter, key: Path) -> Iterator[Terminal]:
    with logged_in(keyed.port, "admin", key=key) as terminal:
        terminal.until("admin@R1> $")
        yield terminal


def test_line_editing_and_help_work_over_ssh(terminal: Terminal) -> None:
    terminal.type("show vrsion\x1b[D\x1b[D\x1b[D\x1b[D\x1b[De\r")
    assert "Hostname: R1" in terminal.until("admin@R1> $")
    terminal.type("\x1b[A\r")
    assert "Hostname: R1" in terminal.until("admin@R1> $")
    terminal.type("show sys?")
    assert "Possible completions:\r\n  system               Show system information" in terminal.until("R1> show sys$")
    terminal.type("\tup\t")
    terminal.until("tem uptime $")
    terminal.type("\x03")
    terminal.until(r"\^C\r\n\r\nadmin@R1> $")
    terminal.type("sh sys upt\r")
    assert "Current time:" in terminal.until("admin@R1> $")


def test_space_completes_keywords_but_not_names(terminal: Terminal) -> None:
    terminal.type("conf\r")
    terminal.until("# $")
    terminal.type("set secur authentication-key-ch key-c chain key 0 sec")
    assert "set security authentication-key-chains key-chain chain key 0 " in terminal.until("sec$")
    terminal.type("ret abc\r")
    terminal.until("# $")
    terminal.type("show security authentication-key-chains key-chain ch\tkey 0\r")
    answer = terminal.until("# $")
    assert "key-chain chain" in answer
    assert "SECRET-DATA" in answer
    assert "abc" not in answer


def test_leaving_configuration_mode_with_uncommitted_changes_asks_for_confirmation(terminal: Terminal) -> None:
    terminal.type("configure\rset system host-name R9\rexit\r")
    terminal.until(r"Exit with uncommitted changes\? \[yes,no\] \(yes\) $")
    terminal.type("no\r")
    terminal.until(r"\[edit\]\r\nadmin@R1# $")
    terminal.type("exit\r")
    terminal.until(r"\(yes\) $")
    terminal.type("\r")
    terminal.until("Exiting configuration mode\r\n\r\nadmin@R1> $")
    terminal.type("exit\r")
    terminal.until("<closed>")


def test_long_output_is_paged_by_the_terminals_height(terminal: Terminal) -> None:
    terminal.type("configure\r")
    terminal.until("# $")
    for number in range(40):
        terminal.type(f"set policy-options prefix-list many 10.{number}.0.0/16\r")
    terminal.type("show\r")
    terminal.until(r"---\(more\)---$")
    terminal.type("q")
    terminal.until("# $")
    terminal.type("show | no-more\r")
    assert "10.39.0.0/16" in terminal.until("# $")
    terminal.type("run set cli screen-length 0\r")
    terminal.until("Screen length set to 0")
    terminal.type("show\r")
    assert "10.39.0.0/16;" in terminal.until("10.39.0.0/16;")


def test_ctrl_c_stops_a_command_that_runs(terminal: Terminal, keyed: LiveRouter) -> None:
    terminal.type("ping 10.0.0.2\r")
    terminal.until("icmp_seq=2")
    terminal.type("\x03")
    ended = terminal.until("admin@R1> $")
    assert "^C" in ended
    assert "5 packets transmitted, 5 packets received, 0% packet loss" in ended
    assert keyed.backend.pings[0][1] > 1000
    terminal.type("ping 10.0.0.2 count 2\r")
    assert "icmp_seq=1" in terminal.until("admin@R1> $")


def test_a_commit_is_not_interrupted_by_ctrl_c(terminal: Terminal, keyed: LiveRouter) -> None:
    keyed.backend.slow = threading.Event()
    terminal.type("configure\rset system host-name R6\rcommit\r")
    assert keyed.backend.begun.wait(PATIENCE)
    terminal.type("\x03")
    terminal.until(r"\^C")
    terminal.until("admin@R1# $")
    keyed.backend.slow.set()
    deadline = time.monotonic() + PATIENCE
    prompt = ""
    while "R6" not in prompt and time.monotonic() < deadline:
        terminal.type("\r")
        prompt = terminal.until("admin@R[16]# $")
    assert "R6" in prompt
    assert keyed.backend.intents[-1].host_name == "R6"


def test_ctrl_d_does_not_end_a_session(terminal: Terminal) -> None:
    terminal.type("\x04\x04\x04show version\r")
    assert "Hostname" in terminal.until("admin@R1> $")


def test_a_reboot_asks_for_confirmation(terminal: Terminal, keyed: LiveRouter) -> None:
    terminal.type("request system reboot\r")
    terminal.until(r"Reboot the system \? \[yes,no\] \(no\) $")
    terminal.type("\r")
    terminal.until("admin@R1> $")
    assert keyed.backend.restarts == []
    terminal.type("request system reboot\ryes\r")
    terminal.until("Shutdown NOW!")
    terminal.until("admin@R1> $")  # the machine half of these tests does not really reboot
    assert keyed.backend.restarts == ["reboot"]


def test_root_gets_a_shell_that_accepts_cli_and_exit(keyed: LiveRouter, key: Path) -> None:
    with logged_in(keyed.port, "root", key=key) as root:
        root.until("root@R1:~# $")
        root.type("ls\rcli\r")
        root.until("root@R1> $")
        root.type("\x03")
        root.until(r"\^C\r\n\r\nroot@R1> $")
        root.type("show version\rexit\r")
        root.until("root@R1:~# $")
        root.type("exit\r")
        root.until("<closed>")


def ssh(
    router: LiveRouter, key: Path, *words: str, text: str = "", options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    usual = [
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
        "-F",
        "none",
    ]
    command = [
        "ssh",
        *usual,
        *options,
        "-o",
        "IdentitiesOnly=yes",
        "-i",
        str(key),
        "-p",
        str(router.port),
        "admin@127.0.0.1",
        *words,
    ]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)


def test_a_command_may_be_given_with_the_login(keyed: LiveRouter, key: Path) -> None:
    done = ssh(keyed, key, "show version | match Hostname")
    assert (done.returncode, done.stdout) == (0, "Hostname: R1\n")
    assert ssh(keyed, key, "show system uptime").stdout.startswith("Current time: 2030-01-01 00:00:00 UTC\n")
    assert "syntax error" in ssh(keyed, key, "show nonsense").stdout


def test_lines_may_be_sent_without_a_terminal(keyed: LiveRouter, key: Path) -> None:
    done = ssh(keyed, key, text="configure\nset system host-name R7\ncommit and-quit\nshow version\n")
    assert done.returncode == 0
    assert "commit complete" in done.stdout
    assert "Hostname: R7" in done.stdout


def test_several_commands_may_be_given_with_the_login(keyed: LiveRouter, key: Path) -> None:
    done = ssh(keyed, key, "show version | match Hostname; show system uptime | match Current")
    assert done.stdout == "Hostname: R1\nCurrent time: 2030-01-01 00:00:00 UTC\n"
    lines = 'configure; set system host-name R7; set interfaces ge-0/0/0 description "a; b"; commit and-quit'
    done = ssh(keyed, key, f"cli -c '{lines}'")
    assert (done.returncode, done.stderr) == (0, "")
    assert "commit complete" in done.stdout
    assert "Hostname: R7" in ssh(keyed, key, "cli show version").stdout
    assert 'description "a; b";' in ssh(keyed, key, "show configuration interfaces").stdout


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"])
def test_older_clients_find_a_host_key_of_a_type_that_they_support(keyed: LiveRouter, key: Path, kind: str) -> None:
    done = ssh(keyed, key, "show version", options=["-o", f"HostKeyAlgorithms={kind}"])
    assert "Hostname: R1" in done.stdout, done.stderr


def test_other_services_are_refused_with_a_message_that_names_what_to_use(keyed: LiveRouter, key: Path) -> None:
    for command, options in (("netconf", ["-s"]), ("netconf", []), ("xml-mode netconf need-trailer", [])):
        netconf = ssh(keyed, key, command, options=options)
        assert netconf.returncode == 1
        assert netconf.stderr.startswith("not emulated: NETCONF; use the command line over ssh (netmiko, scrapli")
    for program in (["scp", "-O"], ["scp", "-s"]):
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-F", "none"]
        words = [*program, *options, "-i", str(key), "-P", str(keyed.port), __file__, "admin@127.0.0.1:/var/tmp/x"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode != 0
        assert "not emulated: scp and sftp; to read use 'show configuration | no-more' over ssh" in done.stderr


EDITING_KEYS = [
    b"\x01",
    b"\x05",
    b"\x02",
    b"\x06",
    b"\x7f",
    b"\x04",
    b"\x0b",
    b"\x17",
    b"\x19",
    b"\x10",
    b"\x0e",
    b"\x1b[D",
    b"\x1b[C",
    b"\x1bb",
    b"\x1bf",
    b"\x1bd",
    b"\x1b\x7f",
]


def test_a_line_longer_than_the_screen_can_be_edited() -> None:
    pyte = pytest.importorskip("pyte", reason="pyte is not installed")
    rng = random.Random(22)
    for _ in range(40):
        screen = pyte.Screen(40, 24)
        editor = LineEditor()
        editor.prompt, editor.width = "admin@R1# ", 40
        editor.remember("set protocols bgp group a neighbor 10.0.0.2 description short")
        editor.repaint()
        for _ in range(60):
            typed = rng.choice(EDITING_KEYS) if rng.random() < 0.5 else b"abc def "[: rng.randint(1, 8)]
            for octet in typed * rng.choice([1, 1, 1, 9]):
                # Typing and Ctrl-Y must not make the line longer than what fits on the screen.
                if len(editor.line) < 300 or (octet < 0x20 and octet != 0x19) or octet == 0x7F:
                    editor.feed(octet)
        pyte.ByteStream(screen).feed(bytes(editor.out))
        shown = "".join(row.ljust(40) for row in screen.display).rstrip()
        assert shown == (editor.prompt + editor.line).rstrip()
        row, column = divmod(len(editor.prompt) + editor._cursor, 40)
        assert (screen.cursor.y, screen.cursor.x) == (row, column)


def test_a_wrong_password_and_an_unknown_user_are_refused(live: LiveRouter) -> None:
    async def log_in(user: str, password: str) -> None:
        async with asyncssh.connect(
            "127.0.0.1", live.port, username=user, password=password, known_hosts=None, client_keys=None, config=None
        ):
            pass

    for user, password in (("admin", "wrong"), ("nobody", PASSWORD), ("admin", "")):
        with pytest.raises(asyncssh.PermissionDenied):
            asyncio.run(log_in(user, password))


def test_scrapli_shows_configures_and_commits(live: LiveRouter) -> None:
    driver = pytest.importorskip("scrapli.driver.core", reason="scrapli older than 2026 is not installed")
    with driver.JunosDriver(
        host="127.0.0.1",
        port=live.port,
        auth_username="admin",
        auth_password=PASSWORD,
        auth_strict_key=False,
        transport="paramiko",
    ) as device:
        assert "Hostname: R1" in device.send_command("show version").result
        answers = device.send_configs(["set routing-options router-id 10.255.0.1", "show | compare", "commit"])
        assert "+  routing-options {" in answers[1].result
        assert answers[2].result.startswith("commit complete\n")
        assert device.send_command("show configuration | display set").result.splitlines()[-1].startswith("set routing")
    assert str(live.backend.intents[-1].router_id) == "10.255.0.1"


async def _octets(process: asyncssh.SSHClientProcess[bytes]) -> AsyncIterator[bytes]:
    while chunk := await process.stdout.read(65536):
        yield chunk


@pytest.mark.parametrize("seed", range(6))
def test_random_octets_end_neither_the_session_nor_the_router(live: LiveRouter, seed: int) -> None:
    rng = random.Random(seed)
    words = [
        b"show ",
        b"set ",
        b"configure\r",
        b"commit\r",
        b"\x1b[",
        b"|",
        b"?",
        b"\t",
        b"edit ",
        b"protocols ",
        b'"',
        b"\x03",
        b"\x04",
    ]

    def noise(size: int) -> bytes:
        parts = [rng.randbytes(rng.randint(1, 40)) if rng.random() < 0.6 else rng.choice(words) for _ in range(size)]
        return b"".join(parts).replace(b"ex", b"xe").replace(b"qu", b"uq").replace(b"yes", b"")

    async def play() -> None:
        async with asyncssh.connect(
            "127.0.0.1", live.port, username="admin", password=PASSWORD, known_hosts=None, client_keys=None, config=None
        ) as connection:
            async with connection.create_process(encoding=None, term_type="vt100", term_size=(80, 24)) as process:
                reading = asyncio.ensure_future(_read_until(process, b"Hostname: R1"))
                for _ in range(20):
                    process.stdin.write(noise(40))
                process.stdin.write(b"\r\x03q\x03\x03\r\nrun show version | no-more\r\nshow version | no-more\r\n")
                await asyncio.wait_for(reading, PATIENCE)
            answer = await connection.run("show version")
            assert "Hostname: R1" in str(answer.stdout)

    asyncio.run(play())


async def _read_until(process: asyncssh.SSHClientProcess[bytes], wanted: bytes) -> None:
    seen = b""
    async for chunk in _octets(process):
        seen = (seen + chunk)[-100000:]
        if wanted in seen:
            return
    raise AssertionError(f"the session ended: {seen[-300:]!r}")


def test_many_sessions_share_one_candidate(live: LiveRouter) -> None:
    async def play() -> None:
        def connect() -> object:
            return asyncssh.connect(
                "127.0.0.1",
                live.port,
                username="admin",
                password=PASSWORD,
                known_hosts=None,
                client_keys=None,
                config=None,
            )

        async with connect() as one, connect() as two:  # type: ignore[attr-defined]
            first = await one.create_process(term_type="vt100")
            second = await two.create_process(term_type="vt100")
            first.stdin.write("configure\nset system host-name R5\n")
            await asyncio.wait_for(first.stdout.readuntil("R5\r\n\r\n[edit]\r\nadmin@R1# "), PATIENCE)
            second.stdin.write("configure\n")
            seen = await asyncio.wait_for(second.stdout.readuntil("[edit]\r\nadmin@R1# "), PATIENCE)
            assert "Users currently editing the configuration:\r\n  admin" in seen
            assert "The configuration has been changed but not committed" in seen
            second.stdin.write("commit\n")
            assert "commit complete" in await asyncio.wait_for(second.stdout.readuntil("admin@R5# "), PATIENCE)
            first.stdin.write("\n")
            await asyncio.wait_for(first.stdout.readuntil("admin@R5# "), PATIENCE)

    asyncio.run(play())


def test_a_router_that_closes_ends_its_sessions(live: LiveRouter) -> None:
    async def play() -> None:
        async with asyncssh.connect(
            "127.0.0.1", live.port, username="admin", password=PASSWORD, known_hosts=None, client_keys=None, config=None
        ) as connection:
            process = await connection.create_process(term_type="vt100")
            await process.stdout.readuntil("> ")
            router: JunosRouter = live.router
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(router.close(), live.loop))
            await asyncio.wait_for(process.wait_closed(), PATIENCE)

    asyncio.run(play())
