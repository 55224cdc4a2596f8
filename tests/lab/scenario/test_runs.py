"""Runs of the two-key scenario: green, red for the expected reason, interrupted; and the files that they leave."""

import json
import re
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import KEYROLL
from tests.unit.known import known
from tests.unit.traffic_keys import Search, traffic_keys

from keyroll.scenario.file.read import read_cases
from keyroll.scenario.plan.chains import build_chains

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[3]
TWO_KEYS = ROOT / "tests" / "scenarios" / "rollover" / "two-keys.yaml"
SEED = 4711
PLAYED_SECONDS = 600
"""Longest time for a run: ten seconds on an idle machine."""
T0 = datetime(2030, 1, 1, tzinfo=UTC)


def keyroll(*words: object) -> tuple[str, ...]:
    return (*KEYROLL, *map(str, words))


def play(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = keyroll("run", TWO_KEYS, "--seed", SEED, "--run-dir", folder, *words)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PLAYED_SECONDS, check=False)


def result_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def secrets_of(mutation: str | None) -> set[bytes]:
    (case,) = read_cases(TWO_KEYS)
    broken = case.mutation(mutation) if mutation else None
    chains = [*build_chains(case.scenario, seed=SEED, t0=T0).values()]
    chains += build_chains(case.scenario, seed=SEED, t0=T0, mutation=broken).values()
    return {known(key.secret).reveal() for chain in chains for key in chain.keys}


def found_in(folder: Path, mutation: str | None) -> list[str]:
    """Return the names of files in the folder with a secret or a traffic key in any encoding, or with a `$9$` text."""
    secrets = secrets_of(mutation)
    search = Search(secrets | traffic_keys(folder / "lab" / "R1.pcap", secrets))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    return [path.name for path in files for octets in [path.read_bytes()] if b"$9$" in octets or search.finds(octets)]


def test_a_scenario_from_a_pipe_passes_and_its_folder_has_the_evidence_and_no_secret(tmp_path: Path) -> None:
    """`cat FILE | keyroll run /dev/stdin | head -1`: it continues without a reader, and keeps the scenario file."""
    folder = tmp_path / "run"
    script = 'cat "$1" | { shift; "$@"; echo "$?" >&2; } | head -1'
    words = keyroll("run", "--seed", SEED, "--run-dir", folder, "/dev/stdin")
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(TWO_KEYS), *words],
        cwd=ROOT, capture_output=True, text=True, timeout=PLAYED_SECONDS, check=False,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "0", done.stderr
    assert len(done.stdout.splitlines()) == 1
    result = result_of(folder)
    assert result["verdict"] == "passed"
    names = {check["name"] for check in result["checks"]}
    assert {"bgp@2", "wire@4", "no-flap", "no-route-loss", "every-segment-verified", "rollover-completes"} <= names
    assert all(judged["segments"] > 10 for judged in result["facts"]["second judge"].values())
    (played,), (meant,) = read_cases(folder / "scenario.yaml"), read_cases(TWO_KEYS)
    assert played.scenario == meant.scenario
    assert result["again"] == f"keyroll run {folder}/scenario.yaml --seed {SEED} --t0 2030-01-01T00:00:00Z"
    assert {path.name for path in folder.iterdir()} >= {
        *("scenario.yaml", "run.json", "R1.conf", "R2.conf", "exchanges.jsonl", "timeline.jsonl", "result.json", "lab")
    }
    assert {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))} == {0o700, 0o600}
    times = [json.loads(line)["at"] for line in (folder / "timeline.jsonl").read_text().splitlines()]
    assert times == sorted(times)
    assert found_in(folder, None) == []


@pytest.mark.parametrize(
    ("mutation", "reason"),
    [
        ("ids-not-reversed", "R2 has no usable key with recv-id 1"),  # red at once; the others wait for a hold time
        pytest.param("other-secret", "the secrets differ", marks=pytest.mark.slow),
        pytest.param("key-missing", "R2 has no usable key with recv-id 3", marks=pytest.mark.slow),
    ],
)
def test_a_mutation_turns_its_checks_red_for_its_own_reason(tmp_path: Path, mutation: str, reason: str) -> None:
    folder = tmp_path / "run"
    done = play(folder, "--mutate", mutation)
    assert done.returncode == 1, done.stdout + done.stderr
    result = result_of(folder)
    assert result["verdict"] == "failed"
    assert result["mutation"]["killed"] is True
    assert reason in done.stdout
    assert f"again: keyroll run {TWO_KEYS} --seed {SEED}" in done.stdout
    assert found_in(folder, mutation) == []
    assert not any(secret.decode() in done.stdout + done.stderr for secret in secrets_of(mutation))


def test_ctrl_c_takes_the_lab_down_and_says_so_without_a_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = keyroll("run", TWO_KEYS, "--run-dir", folder, "--no-report")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        seen = []
        for line in known(process.stdout):
            seen.append(line)
            if "step 2" in line:
                process.send_signal(signal.SIGINT)
                break
        rest, errors = process.communicate(timeout=PLAYED_SECONDS)
    output = "".join(seen) + rest
    assert process.returncode == 130, output + errors
    assert "Traceback" not in output + errors
    assert "INTERRUPTED" in output
    (name,) = re.findall(r"lab (\S+) is up", output)
    assert not list(Path("/run/keyroll").glob(f"*{name}*"))
    assert result_of(folder)["verdict"] == "interrupted"
