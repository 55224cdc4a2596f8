"""What a capture adds to the verdict: each segment judged where it can be, and KeyIDs and their order where not.

If a session was up before the capture began, the capture lacks its initial sequence numbers; and a login may not see
the secrets. Then no MAC can be computed. KeyIDs are not encrypted, so they can be read all the same.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from keyroll.capture import BGP_PORT, LDP_PORT, Judgement, Standing
from keyroll.capture.keys.config_book import ConfigSource, config_book
from keyroll.capture.verify.files import files_in_order
from keyroll.errors import InputError, Where
from keyroll.names import Invariant, SessionKind
from keyroll.scenario.judge.findings import Finding, checked
from keyroll.scenario.judge.invariants import Throughout
from keyroll.scenario.record.result import Check
from keyroll.watch.situation import Situation, Watched
from keyroll.watch.verdict import Seen, keys_in_use

PORTS = {SessionKind.BGP: BGP_PORT, SessionKind.LDP: LDP_PORT}
STDIN = "-"
_CHUNK = 1 << 16
"""Octets of one read: what a pipe holds."""
_ENDING_SECONDS = 5.0
"""Seconds for a capturing command to write its buffer after SIGTERM; then it is killed."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the capture comes from: a file that is read afterwards, standard input, or a command that writes pcap."""

    file: str | None = None
    command: tuple[str, ...] = ()


class Capturing:
    """Copies the output of a command (or standard input) into a file of the run folder, until `stop`."""

    def __init__(self, source: Source, into: Path) -> None:
        self.path = Path(source.file) if source.file not in (None, STDIN) else into
        self.ended_early: str | None = None
        """How a command ended before it was stopped; None: it did not."""
        self._command = "".join(source.command[:1])
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        if source.command:
            try:
                self._process = subprocess.Popen(source.command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
            except OSError as error:
                raise InputError(f"--capture-command: {source.command[0]}: {error.strerror}") from None
            assert self._process.stdout is not None  # noqa: S101 - a pipe is requested above
            self._begin(self._process.stdout, into)
        elif source.file == STDIN:
            self._begin(sys.stdin.buffer, into)

    def _begin(self, stream: IO[bytes], into: Path) -> None:
        # A daemon thread: standard input that nobody closes would keep the process from ending.
        self._thread = threading.Thread(target=_copy, args=(stream, into), name="capture", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the command, and wait until its output is written. A second call only waits."""
        first, self._stopped = not self._stopped, True
        if self._process is not None:
            if first:
                code = self._process.poll()
                if code is not None:
                    self.ended_early = f"the command {self._command} ended before the watch, with {code}"
                self._process.terminate()
            try:
                self._process.wait(_ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._thread is not None:
            self._thread.join(_ENDING_SECONDS if self._process is not None else 0.0)
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()


def _copy(stream: IO[bytes], into: Path) -> None:
    with contextlib.suppress(OSError, ValueError), open(into, "wb", opener=_private, buffering=0) as file:
        while octets := os.read(stream.fileno(), _CHUNK):
            file.write(octets)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@dataclass(slots=True)
class _Direction:
    """What one router sent in one session."""

    key_ids: list[int] = field(default_factory=list)
    """In order of the segments; repetitions of the last one are left out."""
    segments: int = 0
    bad: list[Judgement] = field(default_factory=list)
    unjudged: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Wire:
    """The result of a capture: checks, and in words what could not be judged."""

    checks: tuple[Check, ...]
    not_judged: tuple[str, ...]
    missing: str | None
    """Why the wire cannot be judged from the capture; None: it can."""


def judge_wire(path: Path, texts: Mapping[str, str], situation: Situation, seen: Seen, *, whole: bool = False) -> Wire:
    """Judge a capture against both configurations, for the time of the watch, or `whole`.

    Raises:
        InputError: it cannot be read, or is not a capture.
    """
    if not path.is_file():
        return Wire((), (), f"there is no capture {path}")
    if not path.stat().st_size:
        return Wire((), (), f"the capture {path.name} is empty")
    book = config_book([ConfigSource(router, text) for router, text in texts.items()])
    found = {(router, one.name): _Direction() for one in situation.sessions for router in one.peers}
    (file,) = files_in_order([path], book)
    for judged in file.judged():
        one = judged.judgement
        # A capture file may cover days: segments from before or after the watch are left out.
        if one is not None and (whole or _within(seen, one.time_ns)):
            _add(found, situation.sessions, one)
    if file.error is not None and not file.packets:
        raise InputError(f"this is not a capture: {file.error.message}", where=Where.of(path))
    silent = [f"{session} from {router}" for (router, session), one in found.items() if not one.segments]
    if silent:
        return Wire((), (), f"during the watch the capture has no segment of {', '.join(silent)}")
    checks = [*_verified(found, situation, seen), *_rolled(found, situation, seen)]
    return Wire(tuple(checks), tuple(_unjudged(found)), None)


def _within(seen: Seen, at: int | None) -> bool:
    return at is not None and seen.began.ns <= at <= seen.ended.ns


def _add(found: Mapping[tuple[str, str], _Direction], sessions: Sequence[Watched], one: Judgement) -> None:
    for session in sessions:
        for router, peer in session.peers.items():
            own = next(address for name, address in session.peers.items() if name != router)
            if (one.src, one.dst) == (str(own), str(peer)) and PORTS[session.kind] in (one.sport, one.dport):
                direction = found[router, session.name]
                direction.segments += 1
                if one.standing is Standing.BAD:
                    direction.bad.append(one)
                elif one.standing is Standing.UNJUDGED:
                    direction.unjudged[one.verdict.value] += 1
                if one.key_id is not None and direction.key_ids[-1:] != [one.key_id]:
                    direction.key_ids.append(one.key_id)


def _verified(found: Mapping[tuple[str, str], _Direction], situation: Situation, seen: Seen) -> Iterator[Check]:
    for router in situation.routers:
        mine = [one for (name, _), one in found.items() if name == router]
        bad = [segment for one in mine for segment in one.bad]
        count = sum(one.segments for one in mine)
        judged = count - sum(one.unjudged.total() for one in mine)
        observed = f"{judged} of {count} segments verified, none bad"
        if bad:
            first = bad[0]
            observed = (
                f"{len(bad)} of {count} segments bad; first: packet {first.number}, {first.key_words}, "
                f"{first.verdict.value}: {first.reason}"
            )
        expected = f"no segment from {router} that is unsigned, or bad under the chains"
        yield _check(seen, Invariant.EVERY_SEGMENT_VERIFIED.value, router, expected, observed, holds=not bad)


def _rolled(found: Mapping[tuple[str, str], _Direction], situation: Situation, seen: Seen) -> Iterator[Check]:
    for session in situation.sessions:
        for router, chain in session.chains.items():
            key_ids = found[router, session.name].key_ids
            order = " then ".join(f"KeyID {one}" for one in key_ids) or "no KeyID"
            back = len(set(key_ids)) < len(key_ids)
            expected = f"{session.name}: no KeyID that {router} sends again after another"
            yield _check(seen, Invariant.NO_KEY_TAKEN_BACK.value, router, expected, order, holds=not back)
            wanted = _new_key_id(situation, seen, router, chain)
            if wanted is not None and seen.completed:
                expected = f"{session.name}: {router} sends with KeyID {wanted} in the end"
                holds = key_ids[-1:] == [wanted]
                yield _check(seen, Invariant.ROLLOVER_COMPLETES.value, router, expected, order, holds=holds)


def _new_key_id(situation: Situation, seen: Seen, router: str, chain: str) -> int | None:
    turns = seen.awaited.turns if seen.awaited is not None else ()
    key = next((turn.key for turn in turns if (turn.router, turn.chain) == (router, chain)), None)
    for one in situation.configurations[router].routers:
        found = one.chain(chain)
        if found is not None:
            return next((each.send_id for each in found.keychain.keys if each.id == key), None)
    return None


def _unjudged(found: Mapping[tuple[str, str], _Direction]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for one in found.values():
        counts.update(one.unjudged)
    words = {
        "isn-unseen": "their connection was up before the capture began",
        "keys-unknown": "the logins may not see the secrets",
        "incomplete": "the capture has only a part of each segment",
    }
    for verdict, count in sorted(counts.items()):
        yield f"the MACs of {count} segments on the wire ({words.get(verdict, verdict)}); their KeyIDs were judged"


def _check(seen: Seen, name: str, router: str, expected: str, observed: str, *, holds: bool) -> Check:
    return checked(Throughout(name, router, expected), Finding(holds, f"{observed} (wire)"), keys=keys_in_use(seen))
