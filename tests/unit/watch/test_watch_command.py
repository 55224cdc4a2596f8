"""`keyroll watch` as a person types it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.known import known
from tests.unit.watch.recording import BEGIN, NAMES, PASSWORD, SECRET, USER, Recording, plain

from keyroll.cli.watch import watch_command
from keyroll.errors import ExitCode, InputError
from keyroll.instants import FakeClock
from keyroll.watch.metrics import Metric

QUICK = "from datetime import timedelta; from keyroll.watch import pace; pace.BETWEEN = timedelta(milliseconds=1)"
"""The tests do not wait a second for each line: test_what_routers_are_sent.py tests the pace."""
KEYROLL = [sys.executable, "-c", f"{QUICK}; from keyroll.cli.main import main; main()"]
PATIENCE = 60.0


@pytest.fixture
def command(server: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line against two routers whose clocks do not advance: the rollover never comes."""
    monkeypatch.setenv("WATCH_PASSWORD", PASSWORD)
    monkeypatch.setattr("keyroll.watch.pace.BETWEEN", timedelta(milliseconds=1))
    server.routers = plain(FakeClock(BEGIN))
    entries = "".join(
        f"  {name}: {{host: 127.0.0.1, port: {server.ports[name]}, user: {USER}, secret: {{env: WATCH_PASSWORD}}, "
        f"ssh-config: none, known-hosts: {tmp_path / 'known'}}}\n"
        for name in NAMES
    )
    inventory = tmp_path / "routers.yml"
    inventory.write_text(f"inventory: 1\nrouters:\n{entries}")
    return [str(inventory), "--run-dir", str(tmp_path / "run")]


def typed(command: list[str], *words: str) -> ExitCode:
    found: ExitCode = watch_command.main([*command, *words], standalone_mode=False)
    return found


def test_ctrl_c_prints_the_verdict_so_far_and_the_json_has_it(command: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*KEYROLL, "watch", *command, "--accept-new-host-keys"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    said = []
    for line in known(process.stdout):
        said.append(line)
        if "bgp Established" in line:
            process.send_signal(signal.SIGINT)
            break
    rest, _ = process.communicate(timeout=PATIENCE)
    text = "".join(said) + rest
    assert process.returncode == 130, text
    assert "INTERRUPTED  R1 and R2: nothing wrong was seen so far; key 1 had not yet taken over on R1" in text
    assert "Traceback" not in text
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["verdict"] == "interrupted"
    assert written["watch"]["rollover"]["turns"]
    assert SECRET not in text


def test_a_host_key_that_is_not_known_is_refused_and_nothing_is_sent(
    command: list[str], server: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(command) == 2
    said = capsys.readouterr().out
    assert "the host key of [127.0.0.1]" in said
    assert "--accept-new-host-keys" in said
    assert not any(router.sent for router in server.routers.values())
    assert not (tmp_path / "known").exists()


def families(text: str) -> dict[tuple[Any, ...], float]:
    """Return the metrics as Prometheus' own client reads them, and check the text against the format's rules."""
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    lines = text.splitlines()
    assert text.endswith("\n")
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series)), "a series occurs twice"
    found = list(parser.text_string_to_metric_families(text))
    assert len({family.name for family in found}) == len(found), "a family is not in one piece"
    for family in found:
        assert family.documentation
        assert family.type == ("counter" if any(one.name.endswith("_total") for one in family.samples) else "gauge")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value for family in found for sample in family.samples
    }


def test_one_look_writes_metrics_that_a_collector_can_read(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "keyroll.prom"
    assert typed(command, "--accept-new-host-keys", "--once", "--textfile", str(file)) == 0
    read = families(file.read_text())
    chain = (("chain", "kc"), ("router", "R1"))
    assert read["keyroll_next_start_seconds", *chain] == 60
    assert read["keyroll_chain_runs_out_seconds", *chain] == 60
    assert read["keyroll_key_active", *chain] == 0
    assert read["keyroll_sides_differ", ("session", "bgp")] == 0
    assert read["keyroll_session_up", ("router", "R2"), ("session", "bgp")] == 1
    assert (
        read[
            "keyroll_router_readable",
            ("router", "R2"),
        ]
        == read["keyroll_watch_readable",]
        == 1
    )
    assert read["keyroll_watch_last_success_timestamp_seconds",] == read["keyroll_watch_timestamp_seconds",]
    assert file.stat().st_mode & 0o777 == 0o644


def test_promtool_accepts_the_metrics(command: list[str], tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (it comes with Prometheus); the format is checked by another test")
    file = tmp_path / "keyroll.prom"
    assert typed(command, "--accept-new-host-keys", "--once", "--textfile", str(file)) == 0
    done = subprocess.run(
        [promtool, "check", "metrics"],
        check=False,
        input=file.read_text(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_counter_keeps_all_its_digits() -> None:
    assert list(Metric("a_total", "A.", (({"b": 'c"\\'}, 12_345_678),)).lines())[-1] == 'a_total{b="c\\"\\\\"} 12345678'


@pytest.mark.parametrize("what", ["the inventory is wrong", "a secret is not there", "a router hides its chains"])
def test_a_look_that_cannot_be_taken_leaves_no_stale_metrics(
    command: list[str], server: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    file = tmp_path / "keyroll.prom"
    words = ("--accept-new-host-keys", "--once", "--textfile", str(file))
    assert typed(command, *words) == 0
    before = families(file.read_text())
    command[2] += "-again"
    if what == "a router hides its chains":
        server.routers["R2"].visible = False
        assert typed(command, *words) == 2
    else:
        if what == "a secret is not there":
            monkeypatch.delenv("WATCH_PASSWORD")
        else:
            Path(command[0]).write_text("inventory: 1\n")
        with pytest.raises(InputError):
            typed(command, *words)
    after = families(file.read_text())
    success = "keyroll_watch_last_success_timestamp_seconds"
    assert after["keyroll_watch_readable",] == 0
    assert after[success,] == before[success,] < after["keyroll_watch_timestamp_seconds",]
    assert not any(name in ("keyroll_session_up", "keyroll_key_active") for name, *_ in after)


def test_the_metrics_say_which_router_could_not_be_read(command: list[str], server: Recording, tmp_path: Path) -> None:
    file = tmp_path / "keyroll.prom"
    server.routers["R2"].garble = lambda line, said: "?" if "keychain" in line else said
    assert typed(command, "--accept-new-host-keys", "--once", "--textfile", str(file)) == 2
    read = families(file.read_text())
    assert (
        read[
            "keyroll_router_readable",
            ("router", "R1"),
        ],
        read[
            "keyroll_router_readable",
            ("router", "R2"),
        ],
    ) == (1, 0)
    assert read["keyroll_watch_readable",] == 0
    assert read["keyroll_session_up", ("router", "R1"), ("session", "bgp")] == 1


def test_markdown_has_tables_and_no_empty_list(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(command, "--accept-new-host-keys", "--once", "--markdown") == 0
    said = capsys.readouterr().out
    assert said.startswith("# keyroll watch: R1 and R2\n\n**OK  R1 and R2: ")
    assert "| R1 | kc | 1 | 0 | 2030-01-01 00:01:00 UTC | no |" in said
    assert said.endswith("|\n\n"), "nothing was left unjudged"


def test_textfile_without_once_is_refused(command: list[str]) -> None:
    with pytest.raises(InputError, match="--textfile goes with --once"):
        typed(command, "--textfile", "x")


def test_a_watch_writes_a_report_unless_no_report_is_given(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
