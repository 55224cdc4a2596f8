"""`keyroll watch` as a person types it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys

import pytest
from tests.unit.watch.recording import BEGIN, NAMES, PASSWORD, SECRET, USER, plain

from keyroll.cli.watch import watch_command
from keyroll.errors import InputError
from keyroll.instants import FakeClock

KEYROLL = [sys.executable, "-c", "from keyroll.cli.main import main; main()"]
PATIENCE = 60.0


@pytest.fixture
def command(server, tmp_path, monkeypatch):
    """The command line against two routers whose clocks stand still: the rollover never comes."""
    monkeypatch.setenv("WATCH_PASSWORD", PASSWORD)
    server.routers = plain(FakeClock(BEGIN))
    entries = "".join(
        f"  {name}: {{host: 127.0.0.1, port: {server.ports[name]}, user: {USER}, secret: {{env: WATCH_PASSWORD}}, "
        f"ssh-config: none, known-hosts: {tmp_path / 'known'}}}\n"
        for name in NAMES
    )
    inventory = tmp_path / "routers.yml"
    inventory.write_text(f"inventory: 1\nrouters:\n{entries}")
    return [str(inventory), "--run-dir", str(tmp_path / "run")]


def typed(command, *words):
    return watch_command.main([*command, *words], standalone_mode=False)


def test_ctrl_c_prints_the_verdict_so_far_and_the_json_has_it(command, tmp_path):
    process = subprocess.Popen(
        [*KEYROLL, "watch", *command, "--accept-new-host-keys"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if "bgp Established" in line:
            process.send_signal(signal.SIGINT)
            break
    rest, _ = process.communicate(timeout=PATIENCE)
    text = "".join(said) + rest
    assert process.returncode == 130, text
    assert "INTERRUPTED" in text
    assert "Traceback" not in text
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["verdict"] == "interrupted"
    assert written["watch"]["rollover"]["turns"]
    assert SECRET not in text


def test_a_host_key_that_is_not_known_is_refused_and_nothing_is_sent(command, server, tmp_path, capsys):
    assert typed(command) == 2
    said = capsys.readouterr().out
    assert "the host key of [127.0.0.1]" in said
    assert "--accept-new-host-keys" in said
    assert not any(router.sent for router in server.routers.values())
    assert not (tmp_path / "known").exists()


def test_one_look_writes_metrics_that_a_collector_can_read(command, tmp_path):
    file = tmp_path / "keyroll.prom"
    assert typed(command, "--accept-new-host-keys", "--once", "--textfile", str(file)) == 0
    metrics = file.read_text()
    assert 'keyroll_next_start_seconds{router="R1",chain="kc"} 60\n' in metrics
    assert 'keyroll_key_active{router="R2",chain="kc"} 0\n' in metrics
    assert 'keyroll_sides_differ{session="bgp"} 0\n' in metrics
    assert "keyroll_watch_readable 1\n" in metrics
    assert file.stat().st_mode & 0o777 == 0o644
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=metrics, text=True, check=True, timeout=PATIENCE)


def test_input_that_is_wrong_is_named(command):
    with pytest.raises(InputError, match="--textfile goes with --once"):
        typed(command, "--textfile", "x")


def test_a_watch_leaves_a_page_in_its_folder_unless_told_not_to(command, tmp_path, capsys):
    assert typed(command, "--accept-new-host-keys", "--once") == 0
    page = (tmp_path / "run" / "report.html").read_text()
    said = capsys.readouterr().out
    assert said.rstrip().endswith(f"report: {tmp_path / 'run' / 'report.html'}")
    sentence = next(line for line in said.splitlines() if line.startswith("OK"))
    assert f"<h1>{sentence}</h1>" in page
    assert "The rollover" in page
    assert SECRET not in page
    assert PASSWORD not in page
    other = [*command[:-1], str(tmp_path / "other")]
    assert typed(other, "--once", "--no-report") == 0
    assert not (tmp_path / "other" / "report.html").exists()
