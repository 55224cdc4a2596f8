"""The `containerlab` command as a subprocess: one call at a time, bounded in time, its errors with our remedies.

Its exit code is 0 or 1 and sometimes lies; logs are on stderr, data on stdout (docs/containerlab.md). What a call
achieved is therefore always looked at afterwards.
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
"""`deploy` reconciles, `inspect` has one JSON shape, `privileged` and `cap-add` are known since then."""
NODES_SINCE = (0, 80)
"""Since then `tools netem` takes a node by its name in a topology file; before, by its container's name alone."""
DEPLOY_SECONDS = 300.0
"""Containers are made in 2 s; vJunos' image starts its machine after that. The rest is for images on slow disks."""
DESTROY_SECONDS = 120.0
"""Docker gives each container 10 s to stop, and there may be some."""
ASK_SECONDS = 60.0
"""For `inspect`, `version` and `tools`: a second, and what a Docker that starts containers makes of it."""
GRACE_SECONDS = 25.0
"""From SIGTERM to SIGKILL: a fresh deploy destroys what it made when it is told to end, and takes up to 20 s."""
KILL_SECONDS = 5.0
"""From SIGKILL to the end: the kernel's work alone."""
_LINES = 6
"""Lines of its complaint that are shown: what it says first follows from what it says last."""
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
        "this kernel knows no modules, and containerlab insists on /proc/modules: docs/containerlab.md says what helps",
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
    (r"Error response from daemon: .*[Cc]onflict", "containers of that name are there: `keyroll lab clean`"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call printed, and how it ended (negative: by a signal)."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The last lines of its complaint, without colours and times; warnings and news only if there is no error."""
        lines = [_TIME.sub("", _ANSI.sub("", line)).strip() for line in self.err.splitlines()]
        lines = [line for line in lines if line and line != "ERROR"]
        grave = [line for line in lines if not line.startswith(("INFO", "WARN", "DEBU"))]
        return " ".join((grave or lines)[-_LINES:]) or f"it ended with {self.code} and said nothing"

    @property
    def complaint(self) -> str:
        """How it ended, where a signal ended it, and its last lines."""
        how = f"it was killed by {signal.Signals(-self.code).name}; it said last: " if self.code < 0 else ""
        return how + self.words


def remedy_for(words: str) -> str | None:
    """Return what helps against an error of containerlab's, as far as we know."""
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, words, re.IGNORECASE)), None)


class Program:
    """See the module. `started` is told the process id of each call that must not outlive us (deploy, destroy)."""

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
            LabUnfitError: it is not there, older than 0.78, or does not say.
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
                f"containerlab says it is {version}: built without a version, its age unknown", remedy=install
            )
        if parts < OLDEST:
            raise LabUnfitError(f"containerlab {version} is older than 0.78", remedy=install)
        self._version = parts
        return version

    def deploy(self, topology: Path, *, held: int) -> None:
        """Deploy a topology file. `held` is the descriptor of the lock that the call keeps held while it lives.

        Raises:
            LabUnfitError: it failed, and we know what the machine lacks.
            LabError: it failed.
        """
        answer = self.call(
            ["deploy", "-t", str(topology), "-f", "json"],
            seconds=DEPLOY_SECONDS,
            what="deploy the lab",
            held=held,
        )
        if answer.code:
            remedy = remedy_for(answer.err)
            # Docker answered a moment ago: that it has died is no property of this machine.
            broke = remedy in (None, _START_DOCKER) or answer.code < 0
            kind = LabError if broke else LabUnfitError
            raise kind(f"containerlab cannot deploy the lab: {answer.complaint}", remedy=remedy)

    def destroy(self, topology: Path, *, held: int, keep_network: bool) -> Answer:
        """Destroy what was deployed from a topology file. What is left has to be looked for: the exit code may lie."""
        return self.call(
            ["destroy", "-t", str(topology), "--cleanup", *(["--keep-mgmt-net"] if keep_network else [])],
            seconds=DESTROY_SECONDS,
            what="destroy the lab",
            held=held,
        )

    def inspect(self, topology: Path) -> dict[str, dict[str, str]]:
        """Return by container name what containerlab says of each: state, status, addresses.

        Raises:
            LabError: it says nothing that can be read.
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
            raise LabError(f"containerlab cannot say what runs: {answer.complaint}") from None

    def netem(self, topology: Path, node: str, container: str, interface: str, options: Sequence[str]) -> None:
        """Impair what leaves an interface of a node's container; without options nothing any more.

        Raises:
            LabUnfitError: containerlab does not say its version.
            LabError: it cannot.
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
        """Run it to its end, or end it: SIGTERM, a grace in which it may clean up, SIGKILL.

        Raises:
            LabUnfitError: it cannot be started.
            LabError: it did not end in time.
        """
        # Files, not pipes: something it started may hold them open longer than it lives.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    [NAME, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env=self._environment,
                    pass_fds=() if held is None else (held,),
                    start_new_session=True,  # Ctrl-C is ours to hand on
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
                    f" it said last: {_answer(process.returncode, out, err).words}",
                    remedy="on a slow machine, give a greater --wait-scale",
                ) from None
            except BaseException:
                end(process)
                raise
            return _answer(code, out, err)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a call: it may clean up after SIGTERM, and is killed after its grace."""
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_by_pidfd(pidfd: int) -> None:
    """As `end`, for a process that is not our child."""
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
    """Return an environment that gives containerlab no orders behind our back: each of its flags has a variable."""
    kept = {name: value for name, value in environment.items() if not name.startswith("CLAB_")}
    return kept | {"CLAB_VERSION_CHECK": "disable"}


def _answer(code: int, out: object, err: object) -> Answer:
    texts = []
    for stream in (out, err):
        stream.seek(0)  # type: ignore[attr-defined]  # tempfile's own class has no name to annotate with
        texts.append(stream.read().decode(errors="replace"))  # type: ignore[attr-defined]  # as above
    return Answer(code, *texts)
