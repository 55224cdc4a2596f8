"""The embedded lab as an ordinary user: it is the default, passes the first scenario, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab
REPOSITORY = Path(__file__).parents[2]
SCENARIO = REPOSITORY / "tests" / "scenarios" / "rollover" / "two-keys.yaml"
USER = 12345
ENDS_SECONDS = 600
"""Longest time for a command: ten seconds on an idle machine."""
MAIN = "from keyroll.cli.main import main; main()"


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kr") as folder:
        Path(folder).chmod(0o700)
        os.chown(folder, USER, USER)
        yield Path(folder)


@pytest.fixture
def python() -> str:
    """A Python of this version that an ordinary user can run; the one that runs the tests may be in root's home."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    readable = subprocess.run(
        [*as_user(), "test", "-r", str(REPOSITORY / "harness" / "keyroll" / "__init__.py")], check=False
    )
    if readable.returncode:
        pytest.skip(f"an ordinary user cannot read {REPOSITORY}: clone it outside of root's home")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/python{version}"):
        probe = subprocess.run(
            [*as_user(), candidate, "-c", "import sys; print(sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if probe.stdout.strip() == str(tuple(sys.version_info[:2])):
            return candidate
    pytest.skip(f"no Python {version} that an ordinary user can run")


def as_user() -> list[str]:
    """Return a command that runs its arguments as the ordinary user; the shell's `exec` drops all capabilities."""
    user = str(USER)
    become = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    return [*become, "sh", "-c", 'exec "$@"', "sh"]


def environment(home: Path) -> dict[str, str]:
    packages = [path for path in sys.path if path.endswith("site-packages")]
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "harness"), *packages]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def keyroll(python: str, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [*as_user(), python, "-c", MAIN, *words],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS_SECONDS,
    )
    if "only root may create namespaces" in result.stderr:
        pytest.skip(result.stderr.strip())
    return result


def test_the_first_scenario_passes_without_root_and_leaves_nothing_behind(python: str, home: Path) -> None:
    result = keyroll(python, home, "run", str(SCENARIO), "--run-dir", str(home / "run"), "--no-report")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "PASSED" in result.stdout
    assert not (home / "keyroll").exists()
    assert (home / "run" / "lab" / "R1.pcap").stat().st_size > 1000


@pytest.mark.slow
def test_a_kept_lab_is_entered_and_taken_down_without_root(python: str, home: Path) -> None:
    name = f"plain-{os.getpid()}"
    made = keyroll(python, home, "lab", "up", "--name", name, "--evidence", str(home / "evidence"))
    assert made.returncode == 0, made.stderr
    shown = keyroll(python, home, "lab", "exec", "R1", "--", "ip", "-j", "link")
    assert sorted(link["ifname"] for link in json.loads(shown.stdout)) == ["ge-0-0-0", "lo"]
    assert keyroll(python, home, "lab", "status").returncode == 0
    assert keyroll(python, home, "lab", "down").returncode == 0
    assert not (home / "keyroll").exists()


def test_a_host_without_user_namespaces_gives_a_one_line_error(python: str, home: Path) -> None:
    # In a user namespace whose limit of user namespaces is 0, no further one can be created.
    script = f"echo 0 > /proc/sys/user/max_user_namespaces; exec {python} -c '{MAIN}' lab up"
    result = subprocess.run(
        [*as_user(), "unshare", "--user", "--map-user=12345", "--keep-caps", "sh", "-c", script],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS_SECONDS,
    )
    if "Permission denied" in result.stderr:
        pytest.skip("the limit cannot be set here")
    assert result.returncode == 2
    assert "only root may create namespaces" in result.stderr
    assert "sysctl" in result.stderr
    assert "Traceback" not in result.stderr
