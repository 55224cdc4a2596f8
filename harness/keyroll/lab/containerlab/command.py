"""The `containerlab` command as a subprocess: one call at a time, with a time-out, and remedies for its errors.

Its exit code is 0 or 1 and sometimes wrong; logs are on stderr, data on stdout (docs/containerlab.md). So the caller
always checks the result of a call.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keyroll.lab.protocol import LabError, LabUnfitError

NAME = "containerlab"
OLDEST = (0, 78)
"""Oldest supported version: since then `deploy` reconciles, `inspect` has a single JSON shape, and `privileged` and
`cap-add` are known."""
NODES_SINCE = (0, 80)
"""Since this version `tools netem` accepts a node's name from a topology file; before, only its container's name."""
DEPLOY_SECONDS = 300.0
"""Seconds for `deploy`: containers take 2 s (vJunos boots its machine afterwards); the rest is for slow disks."""
DESTROY_SECONDS = 120.0
"""Seconds for `destroy`: Docker gives each container 10 s to stop, and a lab has several."""
ASK_SECONDS = 60.0
"""Seconds for `inspect`, `version` and `tools`: usually one, more while Docker starts containers."""
GRACE_SECONDS = 25.0
"""Seconds from SIGTERM to SIGKILL: a deploy that is ended first destroys its containers, which takes up to 20 s."""
KILL_SECONDS = 5.0
"""Seconds from SIGKILL to the end, which only the kernel has to carry out."""
_LINES = 6
"""Last lines of its error output that are shown: the cause comes last."""
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_TIME = re.compile(r"^\d\d:\d\d:\d\d ")
_START_DOCKER = "start Docker: systemctl start docker"
_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        r"Cannot connect to the Docker daemon|failed to init the container runtime",
        _START_DOCKER,
    ),
    (r"requires root privileges|permission denied while trying to connect", "run with sudo"),
    (r"not part of containerlab admin group", "run with sudo, or join the group clab_admins"),
    (
        r"not found locally|pull access denied|manifest unknown|no such image",
        "load the image (`docker load`; `make image` for the emulated one), or name another: docs/containerlab.md",
    ),
    (
        r"/proc/modules",
        "this kernel has no module support, and containerlab requires /proc/modules: see docs/containerlab.md",
    ),
    (r"vmx|svm|[Vv]irtuali[sz]ation", "vJunos needs a processor with VT-x or AMD-V, and nested virtualisation in a VM"),
    (
        r"subnet \S+ already in use|[Pp]ool overlaps|non-overlapping IPv4 address pool",
        "remove unused Docker networks (`docker network prune`), or set KEYROLL_MGMT_SUBNET to a free subnet",
    ),
    (
        r"no available IPv[46] addresses",
        "take labs down, or remove the network (`docker network rm keyroll-mgmt`) and set KEYROLL_MGMT_SUBNET wider",
    ),
    (r"license", "cRPD's and vJunos' licence is named by `license:` in the topology file; see docs/containerlab.md"),
    (r"setting rlimit|operation not permitted", "this host lacks a capability: see `privileged: false` in topologies/"),
    (
        r"Error response from daemon: .*[Cc]onflict",
        "containers of that name exist already: `keyroll lab clean` removes them",
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The output of a call, and its exit code (negative: a signal)."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The last lines of its error output, without colours and times; other log lines only if there is no error."""
        lines = [_TIME.sub("", _ANSI.sub("", line)).strip() for line in self.err.splitlines()]
        lines = [line for line in lines if line and line != "ERROR"]
        grave = [line for line in lines if not line.startswith(("INFO", "WARN", "DEBU"))]
        return " ".join((grave or lines)[-_LINES:]) or f"it ended with exit code {self.code} and without output"

    @property
    def complaint(self) -> str:
        """Its last lines, after the signal if a signal ended it."""
        how = f"it was killed by {signal.Signals(-self.code).name}; its last output: " if self.code < 0 else ""
        return how + self.words


def remedy_for(words: str) -> str | None:
    """Return the remedy for an error of containerlab, if known."""
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, words, re.IGNORECASE)), None)


class Program:
    """See the module. `started` gets the pid of each call that must not outlive this process (deploy, destroy)."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        wait_scale: float = 1.0,
        started: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        self._environment = scrubbed(os.environ if environment is None else environment)
        self._scale = wait_scale
        self._started = started
        self._version: tuple[int, ...] | None = None

    def require(self) -> str:
        """Return its version.

        Raises:
            LabUnfitError: the command is missing, older than 0.78, or does not print its version.
        """
        install = "install containerlab 0.78 or newer: https://containerlab.dev/install/"
        if shutil.which(NAME, path=self._environment.get("PATH")) is None:
            raise LabUnfitError("the command `containerlab` is not on this machine", remedy=install)
        answer = self.call(["version", "--json"], seconds=ASK_SECONDS, what="say its version")
        try:
            version = str(json.loads(answer.out)["version"])
            parts = tuple(int(part) for part in version.lstrip("v").split(".")[:2])
        except (ValueError, KeyError, TypeError):
            raise LabUnfitError("containerlab does not say its version", remedy=install) from None
        if not any(parts):
            raise LabUnfitError(
                f"containerlab reports version {version}: built without a version, so its age is unknown",
                remedy=install,
            )
        if parts < OLDEST:
            raise LabUnfitError(f"containerlab {version} is older than 0.78", remedy=install)
        self._version = parts
        return version

    def deploy(self, topology: Path, *, held: int) -> None:
        """Deploy a topology file. `held` is the descriptor of a lock, which the call inherits and holds to its end.

        Raises:
            LabUnfitError: it failed, and the machine lacks something that keyroll knows.
            LabError: it failed for another reason.
        """
        answer = self.call(
            ["deploy", "-t", str(topology), "-f", "json"],
            seconds=DEPLOY_SECONDS,
            what="deploy the lab",
            held=held,
        )
        if answer.code:
            remedy = remedy_for(answer.err)
            # Docker answered a moment ago, so it died meanwhile: an error of the lab, not an unfit machine.
            broke = remedy in (None, _START_DOCKER) or answer.code < 0
            kind = LabError if broke else LabUnfitError
            raise kind(f"containerlab cannot deploy the lab: {answer.complaint}", remedy=remedy)

    def destroy(self, topology: Path, *, held: int, keep_network: bool) -> Answer:
        """Destroy the lab of a topology file. The caller checks what is left, because the exit code may be wrong."""
        return self.call(
            ["destroy", "-t", str(topology), "--cleanup", *(["--keep-mgmt-net"] if keep_network else [])],
            seconds=DESTROY_SECONDS,
            what="destroy the lab",
            held=held,
        )

    def inspect(self, topology: Path) -> dict[str, dict[str, str]]:
        """Return by container name what containerlab reports: state, status, addresses.

        Raises:
            LabError: its output cannot be parsed.
        """
        answer = self.call(["inspect", "-t", str(topology), "-f", "json"], seconds=ASK_SECONDS, what="inspect the lab")
        try:
            found = json.loads(answer.out)
            return {
                str(node["name"]): {str(key): str(value) for key, value in node.items()}
                for nodes in found.values()
                for node in nodes
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise LabError(f"containerlab cannot inspect the lab: {answer.complaint}") from None

    def netem(self, topology: Path, node: str, container: str, interface: str, options: Sequence[str]) -> None:
        """Impair the frames sent on an interface of a node's container; without options remove the impairment.

        Raises:
            LabUnfitError: containerlab does not print its version.
            LabError: the call failed.
        """
        if self._version is None:
            self.require()
        by_node = (self._version or OLDEST) >= NODES_SINCE
        verb = "set" if options else "reset"
        answer = self.call(
            [
                *("tools", "netem", verb),
                *(("-t", str(topology), "-n", node) if by_node else ("-n", container)),
                *("-i", interface),
                *options,
            ],
            seconds=ASK_SECONDS,
            what=f"{verb} an impairment",
        )
        if answer.code:
            raise LabError(f"containerlab cannot impair {container}:{interface}: {answer.complaint}")

    def call(self, arguments: Sequence[str], *, seconds: float, what: str, held: int | None = None) -> Answer:
        """Run it to its end; after the time-out send SIGTERM, give it time to clean up, then SIGKILL.

        Raises:
            LabUnfitError: the command cannot be started.
            LabError: it did not end in time.
        """
        # Files, not pipes: a process that it started may keep a pipe open after its end.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    [NAME, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env=self._environment,
                    pass_fds=() if held is None else (held,),
                    start_new_session=True,  # keep Ctrl-C away from it; this process ends it
                )
            except OSError as error:
                raise LabUnfitError(f"containerlab cannot be started: {error.strerror}") from error
            try:
                if held is not None:
                    self._started(process.pid)
                code = process.wait(seconds * self._scale)
            except subprocess.TimeoutExpired:
                end(process)
                raise LabError(
                    f"containerlab did not {what} within {seconds * self._scale:.0f} s, and was ended;"
                    f" its last output: {_answer(process.returncode, out, err).words}",
                    remedy="on a slow machine, give a greater --wait-scale",
                ) from None
            except BaseException:
                end(process)
                raise
            return _answer(code, out, err)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a call: SIGTERM, time to clean up, SIGKILL."""
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_by_pidfd(pidfd: int) -> None:
    """As `end`, for a process that is not a child of this one."""
    for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            return
        if has_ended(pidfd, seconds):
            return


def has_ended(pidfd: int, seconds: float) -> bool:
    """Wait until the process of a pidfd has ended, or the time is over; return whether it has."""
    return bool(select.select([pidfd], [], [], seconds)[0])


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without containerlab's variables: each of its flags has one, which would change calls."""
    kept = {name: value for name, value in environment.items() if not name.startswith("CLAB_")}
    return kept | {"CLAB_VERSION_CHECK": "disable"}


def _answer(code: int, out: object, err: object) -> Answer:
    texts = []
    for stream in (out, err):
        stream.seek(0)  # type: ignore[attr-defined]  # tempfile's own class has no name to annotate with
        texts.append(stream.read().decode(errors="replace"))  # type: ignore[attr-defined]  # as above
    return Answer(code, *texts)
