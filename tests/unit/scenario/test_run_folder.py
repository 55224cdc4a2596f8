"""The run folder: it contains no secret, only its owner can read it, and a failed write is reported."""

import json
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from keyroll.errors import InputError, RunError
from keyroll.junos.exchange import Exchange
from keyroll.junos.records import BgpState
from keyroll.keychain.secret import Secret
from keyroll.keychain.type9 import encode_type9
from keyroll.scenario.observe.router_clock import RouterClock
from keyroll.scenario.record.run_folder import FolderRedactor, RunFolder, make_run_folder
from keyroll.scenario.record.timeline import Kind, Timeline

SECRET = Secret("Correct0Horse1Battery")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def spellings() -> list[str]:
    octets = SECRET.reveal()
    return [octets.decode(), octets.hex(), octets.hex().upper(), b64encode(octets).decode(), encode_type9(SECRET, 11)]


@pytest.mark.parametrize("spelling", spellings())
def test_every_spelling_of_a_secret_is_redacted(spelling: str) -> None:
    redact = FolderRedactor([SECRET])
    for text in (f"key 0 secret {spelling};", f'{{"raw": "{spelling}"}}', spelling, f"x{spelling}x"):
        assert spelling not in redact(text)


def test_no_file_of_a_run_folder_contains_a_secret(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, FolderRedactor([SECRET]))
    text = " ".join(spellings())
    folder.write("scenario.yaml", text)
    folder.write_json("result.json", {"reason": text})
    folder.write_configuration("R1", [f"set x secret {text}"])
    folder.record(Exchange("R1", "show x", text, NOW, NOW, BgpState.IDLE, text))
    with Timeline(folder.timeline, clocks={"R1": RouterClock()}, redact=folder.redact) as timeline:
        event = timeline.add(Kind.CHECK, text, data={"observed": text})
    folder.close()
    written = "".join(path.read_text() for path in tmp_path.iterdir()) + event.text
    assert len(list(tmp_path.iterdir())) == 5
    assert not any(spelling in written for spelling in spellings())


def test_a_short_secret_is_redacted_where_the_statement_shows_it() -> None:
    assert "ab1" not in FolderRedactor([Secret("ab1")])("set … key 0 secret ab1")


def test_every_line_of_the_timeline_and_of_the_exchanges_is_json(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, FolderRedactor([]))
    folder.record(Exchange("R1", "show x", "a\nb", NOW, NOW, {"state": BgpState.IDLE, "when": NOW}))
    with Timeline(folder.timeline, clocks={}, redact=folder.redact) as timeline:
        timeline.add(Kind.STEP, "step 1: apply", data={"when": NOW, "kinds": frozenset({Kind.RUN})})
    folder.close()
    (exchange,) = [json.loads(line) for line in (tmp_path / "exchanges.jsonl").read_text().splitlines()]
    (event,) = [json.loads(line) for line in folder.timeline.read_text().splitlines()]
    assert exchange["parsed"] == {"state": "Idle", "when": NOW.isoformat()}
    assert event["data"] == {"when": NOW.isoformat(), "kinds": ["run"]}


def test_a_repeated_answer_is_written_with_the_redaction_of_that_moment(tmp_path: Path) -> None:
    """The JSON of the last answer is kept for speed, and must not be used after the redaction has changed."""
    folder = RunFolder(tmp_path, FolderRedactor([]))
    exchange_with_secret = Exchange("R1", "show x", "Horse1Battery2", NOW, NOW, {"word": "Horse1Battery2"})
    folder.record(exchange_with_secret)
    folder.record(exchange_with_secret)
    folder.redact = FolderRedactor([Secret("Horse1Battery2")])
    folder.record(exchange_with_secret)
    folder.record(Exchange("R1", "show x", "another", NOW, NOW, None, "refused"))
    folder.close()
    lines = [json.loads(line) for line in (tmp_path / "exchanges.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [["host", "command", "start", "end", "raw", "parsed", "error"]] * 4
    assert lines[0] == lines[1]
    assert lines[1]["parsed"] == {"word": "Horse1Battery2"}
    assert "Horse1Battery2" not in json.dumps(lines[2])
    assert (lines[3]["raw"], lines[3]["parsed"], lines[3]["error"]) == ("another", None, "refused")


def test_two_runs_of_the_same_second_get_different_folders(tmp_path: Path) -> None:
    names = {make_run_folder(None, name="two-keys[cmac]", seed=7, now=NOW, runs=tmp_path) for _ in range(3)}
    assert len(names) == 3
    assert all(path.name.startswith("20260501T120000Z-two-keys-cmac-7") for path in names)


def test_a_run_folder_that_is_not_empty_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    with pytest.raises(RunError, match="not empty"):
        make_run_folder(tmp_path, name="a", seed=7, now=NOW)


@pytest.fixture
def lax_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777
        for path in (folder, *folder.rglob("*"))
        if not path.is_symlink()
    }


@pytest.mark.usefixtures("lax_umask")
def test_only_its_owner_can_read_a_run_folder(tmp_path: Path) -> None:
    for path in (make_run_folder(None, name="a", seed=7, now=NOW, runs=tmp_path), tmp_path / "given"):
        folder = RunFolder(make_run_folder(path, name="a", seed=7, now=NOW), FolderRedactor([]))
        with Timeline(folder.timeline, clocks={}, redact=str) as timeline:
            timeline.add(Kind.RUN, "x")
        folder.write("scenario.yaml", "x")
        folder.write_json("run.json", {"seed": 7})
        folder.write_configuration("R1", ["set x"])
        folder.close()
        assert set(modes(folder.path).values()) == {0o700, 0o600}


@pytest.mark.usefixtures("lax_umask")
def test_files_that_a_lab_wrote_into_a_run_folder_become_private_to_its_owner(tmp_path: Path) -> None:
    folder = RunFolder(make_run_folder(tmp_path / "run", name="a", seed=7, now=NOW), FolderRedactor([]))
    folder.lab.mkdir()
    (folder.lab / "R1.pcap").write_bytes(b"x")
    (folder.lab / "elsewhere").symlink_to(tmp_path / "gone")
    folder.close()
    folder.seal()
    assert modes(folder.path) == {
        ".": 0o700,
        "lab": 0o700,
        "lab/R1.pcap": 0o600,
        "exchanges.jsonl": 0o600,
    }


def test_an_id_longer_than_a_file_name_still_gives_a_folder(tmp_path: Path) -> None:
    path = make_run_folder(None, name="a" * 4000, seed="s" * 40, now=NOW, runs=tmp_path)
    assert path.is_dir()


def test_a_run_folder_whose_path_is_not_utf_8_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        make_run_folder(Path(os.fsdecode(b"/tmp/\xff")), name="a", seed=7, now=NOW)
    assert str(caught.value) == "the path of the run folder /tmp/\\xff is not UTF-8 (name another one with --run-dir)"


FULL = """
import sys
from pathlib import Path
from keyroll.errors import RunError
from keyroll.scenario.record.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]), str)
folder.write_json("result.json", {"verdict": "passed"})
try:
    folder.write_json("result.json", {"verdict": "x" * 1_000_000})
except RunError as error:
    print(error)
"""


def test_on_a_full_disk_a_file_keeps_its_content_and_the_message_names_it(tmp_path: Path) -> None:
    """The file system has 64 KiB, and is mounted in a separate mount namespace."""
    if shutil.which("unshare") is None:
        pytest.skip("the command unshare is missing")
    command = ["unshare", "--map-root-user", "--mount"] if os.geteuid() else ["unshare", "--mount"]
    script = 'mount -t tmpfs -o size=64k none "$1" || exit 77; "$2" -c "$3" "$1"; cat "$1/result.json"; ls -A "$1"'
    done = subprocess.run(
        [*command, "sh", "-c", script, "sh", str(tmp_path), sys.executable, FULL],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine allows no mounts")
    message, *rest = done.stdout.splitlines()
    assert message.startswith(f"cannot write {tmp_path}/result.json: No space left on device (make room"), done.stderr
    assert json.loads("".join(rest[:3])) == {"verdict": "passed"}
    assert rest[3:] == ["exchanges.jsonl", "result.json"]


def test_a_timeline_that_cannot_be_written_raises_once_and_continues(tmp_path: Path) -> None:
    events: list[Any] = []
    with Timeline(tmp_path / "timeline.jsonl", clocks={}, redact=str) as timeline:
        timeline.observe(events.append)
        timeline._stream.close()
        timeline._stream = open("/dev/full", "w")  # noqa: PTH123, SIM115 - a full disk
        with pytest.raises(RunError, match=r"timeline\.jsonl: No space left on device"):
            timeline.add(Kind.RUN, "a")
        timeline.add(Kind.RUN, "b")
    assert [event.text for event in events] == ["a", "b"]


def test_a_timeline_whose_folder_was_removed_raises_at_its_end(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match=r"cannot write .*timeline\.jsonl: No such file"),
        Timeline(tmp_path / "timeline.jsonl", clocks={}, redact=str),
    ):
        shutil.rmtree(tmp_path)


def test_the_copy_of_the_scenario_keeps_its_title_and_its_typed_secrets_are_redacted() -> None:
    text = (
        "title: The next key's secret is changed\n"
        "steps:\n"
        "  # the secret of R2 differs from S3CRET-word\n"
        "  - cli: {routers: R1, configure: set protocols bgp group g authentication-key second}\n"
    )
    redact = FolderRedactor([Secret("S3CRET-word")], played=text, sentences=["The next key's secret is changed"])
    assert redact(text) == (
        "title: The next key's secret is changed\n"
        "steps:\n"
        "  # the secret of R2 differs from <secret>\n"
        "  - cli: {routers: R1, configure: set protocols bgp group g authentication-key <secret>}\n"
    )
    assert redact("The next key's secret is changed") == "The next key's secret is changed"
    assert redact("set authentication-key second") == "set authentication-key <secret>"
