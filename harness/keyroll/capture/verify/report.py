"""The output of `keyroll verify`: a table and the offending packets for a person, or everything as JSON.

Both are written while the capture is read, so memory does not grow with the number of offending packets. Judgements
hold key names and numbers only, never a secret.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Protocol

from keyroll.capture.referee.account import DirectionAccount
from keyroll.capture.referee.judgement import Judgement, Refusal, Standing, Verdict
from keyroll.capture.verify.files import Judged, JudgedFile
from keyroll.errors import ExitCode
from keyroll.tcpao import flag_letters

VERSION = 1
"""Version of the JSON; raised when a field changes its meaning or is removed."""

# In a second.
_NANOSECONDS = 1_000_000_000
_ALIKE_SHOWN = 3
"""Similar directions of failed connections shown one by one: enough to recognise a port scan; the rest is only
counted."""
_FORGED = frozenset({Verdict.BAD_MAC, Verdict.UNKNOWN_KEYID})
_SILENT = frozenset({Verdict.VERIFIED, Verdict.RST_NO_ISN})

_SPOOLED_MAX = 1 << 20
"""Characters of offending packets kept in memory (about 5,000 lines) before they go to disk; also read back at a
time."""
_LINES_MAX = 500
"""Lines written at once: one write for each line would double the time, which goes into formatting."""
_TEXTS_MAX = 1000
"""Texts cached as JSON. A reason may contain a number, so without a limit there could be one text for each packet."""


class Echo(Protocol):
    """Writes output text, usually `click.echo`."""

    def __call__(self, message: str, *, nl: bool = True) -> None:
        """Write the text, followed by a line end unless `nl` is false."""
        ...


class _Outcome:
    """Collects the exit code over all captures."""

    def __init__(self, notes: Sequence[str]) -> None:
        self._bad = False
        self._unfit = bool(notes)
        self._judged = 0

    def add(self, file: JudgedFile) -> None:
        """Add one capture's result."""
        standings = file.standings
        self._bad |= standings[Standing.BAD] > 0
        self._unfit |= file.error is not None or standings[Standing.UNJUDGED] > 0 or not sum(standings.values())

    def code(self) -> ExitCode:
        """Return 1 when anything is bad; else 2 when anything is unfit, unjudged or missing; else 0."""
        if self._bad:
            return ExitCode.BAD
        return ExitCode.UNFIT if self._unfit else ExitCode.OK


class TextReport:
    """The table for a person; offending packets below it, by number, with the reason."""

    def __init__(self, echo: Echo, *, show: int, notes: Sequence[str] = ()) -> None:
        self._echo = echo
        self._show = show
        self._notes = notes
        self._outcome = _Outcome(notes)
        self._offenders: IO[str] | None = None
        self._file: JudgedFile | None = None
        self._shown = 0
        self._more = 0
        self._windows = 0

    def begin(self, file: JudgedFile) -> None:
        """Begin one capture."""
        self._file = file
        self._shown = self._more = self._windows = 0
        # Offenders are printed below the table, which is complete only at the end; until then they are kept here.
        self._offenders = tempfile.SpooledTemporaryFile(_SPOOLED_MAX, "w+", encoding="utf-8")  # noqa: SIM115 -- see `end`
        self._echo(f"{file.path} (continues {file.continues})" if file.continues else str(file.path))

    def offender(self, judged: Judged) -> None:
        """Record one judged packet; good ones are ignored."""
        judgement = judged.judgement
        if judgement is None or judgement.standing is Standing.GOOD:
            return
        self._windows += judgement.refusal is Refusal.WINDOW
        if self._offenders is None or (self._show and self._shown >= self._show):
            self._more += 1
            if self._file is not None:
                self._file.leave_out_forged()
        else:
            self._shown += 1
            self._offenders.write(f"{_offender_line(judgement)}\n")

    def end(self, file: JudgedFile) -> None:
        """Print what was found in one capture."""
        self._outcome.add(file)
        table = _table(file.account.directions)
        while rows := list(itertools.islice(table, _LINES_MAX)):
            self._echo("\n".join(rows))
        if self._shown and self._offenders is not None:
            self._echo("  packets that are bad or could not be judged:")
            self._offenders.seek(0)
            while lines := self._offenders.read(_SPOOLED_MAX):
                self._echo(lines, nl=False)
        self.close()
        self._more += file.left_out
        if self._more:
            self._echo(f"    and {self._more} more (--show 0 shows all)")
        for line in self._endings(file):
            self._echo(line)

    def close(self) -> None:
        """Discard what is kept of a capture."""
        if self._offenders is not None:
            self._offenders.close()
            self._offenders = None

    def finish(self) -> ExitCode:
        """Print what could not be judged at all, and return the exit code."""
        if self._notes:
            self._echo("Not judged, with any capture:")
        for note in self._notes:
            self._echo(f"  {note}")
        return self._outcome.code()

    def _endings(self, file: JudgedFile) -> Iterator[str]:
        if file.error:
            yield f"  unfit: {file.error}"
        if self._windows:
            yield (
                "  Windows were judged by the capture's time stamps as the routers' clocks: "
                "--clock-offset moves them, --no-times leaves windows out."
            )
        standings = file.standings
        total = sum(standings.values())
        if not total:
            yield f"  No segment of {file.packets} packets must be protected according to these keys."
        else:
            counts = ", ".join(f"{number} {standing.value}" for standing, number in standings.items())
            yield f"  {total} segments of {file.packets} packets: {counts}."


class JsonReport:
    """One JSON object, written piece by piece: `captures`, each with `offending`, `connections`, `totals`, `error`."""

    def __init__(self, echo: Echo, *, notes: Sequence[str] = ()) -> None:
        self._echo = echo
        self._notes = notes
        self._outcome = _Outcome(notes)
        self._captures = 0
        self._offenders = 0
        self._lines: list[str] = []
        self._texts: dict[str, str] = {}
        """Texts as JSON, cached: most judgements share their texts."""
        self._alike: dict[tuple[object, ...], tuple[str, str]] = {}
        """Parts of lines that most judgements share, by the fields that they show."""

    def begin(self, file: JudgedFile) -> None:
        """Begin one capture."""
        opening = f'{{"version": {VERSION}, "captures": [' if not self._captures else ","
        self._captures += 1
        self._offenders = 0
        self._echo(f'{opening}\n{{"file": {json.dumps(str(file.path))},\n"offending": [')

    def offender(self, judged: Judged) -> None:
        """Write one judged packet that is not good."""
        judgement = judged.judgement
        if judgement is None or judgement.standing is Standing.GOOD:
            return
        comma = "," if self._offenders else ""
        self._offenders += 1
        self._lines.append(comma + self._line(judgement))
        if len(self._lines) >= _LINES_MAX:
            self._flush()

    def end(self, file: JudgedFile) -> None:
        """Write what was found in one capture."""
        self._outcome.add(file)
        self._flush()
        rest = {
            "connections": [direction_data(direction) for direction in file.account.directions],
            "totals": {
                "packets": file.packets,
                "segments": sum(file.standings.values()),
                **{standing.name.lower(): number for standing, number in file.standings.items()},
            },
            "continues": str(file.continues) if file.continues else None,
            "error": {"message": str(file.error), "packet": file.error.packet} if file.error else None,
        }
        self._echo("],\n" + json.dumps(rest)[1:])

    def close(self) -> None:
        """Discard what is not written yet."""
        self._lines = []

    def _flush(self) -> None:
        if self._lines:
            self._echo("\n".join(self._lines))
            self._lines = []

    def _line(self, judgement: Judgement) -> str:
        """Return a judgement as JSON: enums as their values, flags as tcpdump's letters, `standing` last.

        Formatted by hand, because `json.dumps` of a dictionary takes three times as long, and a port scan has many.
        """
        flow = judgement.flow
        # The fields from the destination to the flags, and the standing, are equal in most judgements.
        name = flow.sport is None, flow[2:], judgement[3:13]
        alike = self._alike.get(name)
        if alike is None:
            if len(self._alike) >= _TEXTS_MAX:
                self._alike.clear()
            standing = judgement.standing.name.lower()
            alike = self._alike[name] = self._from_destination_to_flags(judgement), standing
        return (
            f'{{"number": {judgement.number}, "time_ns": {_number(judgement.time_ns)}, "src": {self._text(flow.src)}, '
            f'"sport": {_number(flow.sport)}, {alike[0]}, "seq": {judgement.seq}, '
            f'"ack": {judgement.ack}, "payload_length": {judgement.payload_length}, '
            f'"connection": {_number(judgement.connection)}, "standing": "{alike[1]}"}}'
        )

    def _from_destination_to_flags(self, judgement: Judgement) -> str:
        flow, text, number = judgement.flow, self._text, _number
        letters = None if flow.sport is None else flag_letters(judgement.flags)
        refusal = judgement.refusal.value if judgement.refusal else None
        return (
            f'"dst": {text(flow.dst)}, "dport": {number(flow.dport)}, '
            f'"sender": {text(flow.sender)}, "receiver": {text(flow.receiver)}, '
            f'"verdict": "{judgement.verdict.value}", "reason": {text(judgement.reason)}, "refusal": {text(refusal)}, '
            f'"key": {number(judgement.key)}, "key_name": {text(judgement.key_name)}, '
            f'"receiver_key": {number(judgement.receiver_key)}, '
            f'"receiver_key_name": {text(judgement.receiver_key_name)}, "key_id": {number(judgement.key_id)}, '
            f'"rnext_key_id": {number(judgement.rnext_key_id)}, "flags": {text(letters)}'
        )

    def _text(self, text: str | None) -> str:
        if text is None:
            return "null"
        known = self._texts.get(text)
        if known is None:
            if len(self._texts) >= _TEXTS_MAX:
                self._texts.clear()
            known = self._texts[text] = json.dumps(text)
        return known

    def finish(self) -> ExitCode:
        """Close the object and return the exit code."""
        code = self._outcome.code()
        notes = f'"notes": {json.dumps(list(self._notes))},\n' if self._notes else ""
        self._echo(f'],\n{notes}"exit_code": {int(code)}}}')
        return code


def _number(number: int | None) -> int | str:
    return "null" if number is None else number


def direction_data(direction: DirectionAccount) -> dict[str, Any]:
    """Return one direction of one connection as JSON."""
    verdicts = direction.verdicts()
    return {
        "connection": direction.connection,
        "sender": direction.flow.sender,
        "receiver": direction.flow.receiver,
        "src": direction.flow.src,
        "sport": direction.flow.sport,
        "dst": direction.flow.dst,
        "dport": direction.flow.dport,
        "segments": sum(verdicts.values()),
        "verdicts": {verdict.value: number for verdict, number in verdicts.items()},
        "syn": direction.syns,
        "rst": direction.rsts,
        "keys": [
            {
                "key": use.key,
                "name": use.key_name,
                "key_id": use.key_id,
                "segments": use.segments,
                "data_segments": use.data_segments,
                "first_packet": use.first_packet,
                "first_time_ns": use.first_time_ns,
                "last_packet": use.last_packet,
                "last_time_ns": use.last_time_ns,
            }
            for use in direction.uses.values()
        ],
    }


def clock_text(time_ns: int | None) -> str:
    """Return a time stamp as `2026-11-24 06:22:35.123456` in UTC, or `at an unknown time`."""
    if time_ns is None:
        return "at an unknown time"
    seconds, rest = divmod(time_ns, _NANOSECONDS)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"at {seconds} s"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{rest // 1000:06d}"


def endpoint(address: str, port: int | None) -> str:
    """Return `10.0.0.1:179`, `[fd00::1]:179`, or the address alone where the port is not known."""
    host = f"[{address}]" if ":" in address and port is not None else address
    return host if port is None else f"{host}:{port}"


def _table(directions: Sequence[DirectionAccount]) -> Iterator[str]:
    handshaken = {one.connection for one in directions if one.handshaken}
    alike: Counter[tuple[str, str, str, int | None]] = Counter()
    hidden: Counter[str] = Counter()
    for direction in directions:
        flow, kind = direction.flow, None if direction.connection in handshaken else _mass_kind(direction)
        if kind is not None:
            name = kind, flow.src, flow.dst, flow.dport
            alike[name] += 1
            if alike[name] > _ALIKE_SHOWN:
                hidden[kind] += 1
                continue
        yield from _direction_lines(direction)
    yield from (f"  and {number} more directions {kind}" for kind, number in hidden.items())


def _mass_kind(direction: DirectionAccount) -> str | None:
    """Return the kind of direction that a capture may hold by the thousands, or None if this is not one of them."""
    verdicts = direction.verdicts()
    if verdicts.keys() <= _SILENT:
        return "of connections that were refused or never answered"
    if verdicts.keys() <= _FORGED and direction.syns == sum(verdicts.values()):
        return "of which nothing but SYNs with a wrong MAC or KeyID was seen"
    return None


def _direction_lines(direction: DirectionAccount) -> Iterator[str]:
    flow = direction.flow
    number = "-" if direction.connection is None else str(direction.connection)
    names = f" ({flow.sender} to {flow.receiver})" if flow.sender != flow.src else ""
    ends = f"{endpoint(flow.src, flow.sport)} > {endpoint(flow.dst, flow.dport)}{names}"
    counts = ", ".join(f"{total} {verdict.value}" for verdict, total in direction.verdicts().items())
    yield f"  connection {number}: {ends}: {counts}; {direction.syns} SYN, {direction.rsts} RST"
    for use in direction.uses.values():
        begin, end = clock_text(use.first_time_ns), clock_text(use.last_time_ns)
        yield (
            f"      KeyID {use.key_id:>3} ({use.key_name}) from {begin} to {end}, packets {use.first_packet} to "
            f"{use.last_packet}: {use.segments} segments, {use.data_segments} with data"
        )


def _offender_line(judgement: Judgement) -> str:
    ends = f"{endpoint(judgement.src, judgement.sport)} > {endpoint(judgement.dst, judgement.dport)}"
    details = ""
    if judgement.sport is not None:
        details = (
            f" [{flag_letters(judgement.flags)}] seq {judgement.seq} ack {judgement.ack} len {judgement.payload_length}"
        )
    if judgement.key_id is not None:
        details += f" KeyID {judgement.key_id} RNextKeyID {judgement.rnext_key_id}"
    where = f"packet {judgement.number} {clock_text(judgement.time_ns)}"
    return f"    {where}: {ends}{details}: {judgement.verdict.value}. {judgement.reason}"
