"""The run folder: everything that a reader needs to check a verdict, and no secret.

scenario.yaml   the file as it was run          timeline.jsonl    commands, clocks, key changes, checks, in order
run.json        seed, t0, mutation, versions    exchanges.jsonl   every command to a router, raw and parsed
R1.conf, R2.conf  what was committed            result.json       the verdict (versioned)
lab/            captures and daemon logs
"""

from __future__ import annotations

import dataclasses
import json
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from keyroll.errors import InputError, RunError
from keyroll.junos.exchange import Exchange
from keyroll.junos.redact import Redactor
from keyroll.keychain.secret import SHOWN, Secret
from keyroll.scenario.record.files import (
    FOLDER_MODE,
    make_private,
    open_private,
    replace_whole,
    write_private,
    writing,
)
from keyroll.scenario.record.timeline import plain, redacted, stamp

RUNS = Path("runs")
_SHORTEST = 8
"""Shorter secrets are not searched for in hexadecimal and base64: too many other texts have the same characters."""
_NAME_MAX = 150
"""The longest part of the folder's name that is the scenario's: file systems allow 255 octets, and the rest is for
time, seed and number."""


def make_run_folder(root: Path | None, *, name: str, seed: int | str, now: datetime, runs: Path = RUNS) -> Path:
    """Make the folder of a run: `root` itself when given (new, or empty), else `<runs>/<time>-<id>-<seed>`.

    Only its owner can read it.

    Raises:
        InputError: its path is not UTF-8.
        RunError: it cannot be made, or is not empty.
    """
    _require_utf8((root or runs).absolute())
    try:
        if root is not None:
            root.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            if any(root.iterdir()):
                raise RunError(f"the run folder {root} is not empty", remedy="name another one with --run-dir")
            root.chmod(FOLDER_MODE)
            return root.resolve()
        slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")[:_NAME_MAX]
        base = f"{stamp(now.astimezone(UTC))}-{slug}-{seed}"
        # Runs of one scenario and seed that begin in the same second; so many mean that no folder can be made.
        for attempt in range(1, 1000):
            folder = runs / (base if attempt == 1 else f"{base}.{attempt}")
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                folder.mkdir(FOLDER_MODE)
            except FileExistsError:
                continue
            return folder.resolve()
    except OSError as error:
        raise RunError(
            f"cannot make the run folder {root or runs}: {error.strerror}", remedy="name another one with --run-dir"
        ) from error
    raise RunError(f"cannot make a run folder: 999 names that begin with {base} are taken", remedy="use --run-dir")


def _require_utf8(path: Path) -> None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            f"the path of the run folder {path} is not UTF-8", remedy="name another one with --run-dir"
        ) from None


_PROSE = ("#", "title:", "source:")
"""The beginnings of lines of a scenario file that hold text for people."""


class FolderRedactor:
    """Removes the run's secrets from every text before it is written: by structure, and by each known spelling.

    In sentences of the scenario file (comments, title, source) only known secrets are replaced, so that the evidence
    has what was played. A secret that the file types into a router is removed.
    """

    def __init__(self, secrets: Iterable[Secret], *, played: str = "", sentences: Iterable[str | None] = ()) -> None:
        known = tuple(dict.fromkeys(secrets))
        self._played = played
        self._sentences = frozenset(sentences)
        self._redact = Redactor(known)
        words = {word for secret in known for word in _spellings(secret)}
        self._words = (
            re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))) if words else None
        )

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        if text and text == self._played:
            return "".join(self._line(line) for line in text.splitlines(keepends=True))
        return self._spelt(self._redact.in_prose(text) if text in self._sentences else self._redact(text))

    def _line(self, line: str) -> str:
        if line.lstrip().startswith(_PROSE):
            return self._spelt(self._redact.in_prose(line))
        # Closing braces of a mapping in the line are not part of a secret: without them the file could not be read.
        body = line.rstrip("]} \n")
        return self._spelt(self._redact(body)) + line[len(body) :]

    def _spelt(self, text: str) -> str:
        return self._words.sub(SHOWN, text) if self._words else text


def _spellings(secret: Secret) -> Iterable[str]:
    octets = secret.reveal()  # needed to find and remove them in what is written
    if len(octets) >= _SHORTEST:
        yield octets.hex()
        yield octets.hex().upper()
        yield b64encode(octets).decode("ascii").rstrip("=")


@dataclasses.dataclass(frozen=True, slots=True)
class _Answer:
    """An answer, and how it was written."""

    raw: str
    parsed: object
    by: Callable[[str], str]
    """The redactor that was used: the text is made again for a redactor that knows more secrets."""
    text: str


class RunFolder:
    """Writes into a run folder; every text passes the redactor. Thread-safe.

    All that writes raises RunError, which names the file.
    """

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        self.path = path
        self.lab = path / "lab"
        self.redact = redact
        self._lock = threading.Lock()
        self._exchanges_path = path / "exchanges.jsonl"
        with writing(self._exchanges_path):
            self._exchanges = open_private(self._exchanges_path)
        self._last: dict[tuple[str, str], _Answer] = {}
        """The last answer by router and command."""

    @property
    def timeline(self) -> Path:
        """Where the timeline is written."""
        return self.path / "timeline.jsonl"

    def write(self, name: str, text: str) -> Path:
        """Write a text file."""
        path = self.path / name
        write_private(path, self.redact(text))
        return path

    def write_json(self, name: str, data: Mapping[str, object]) -> Path:
        """Write a JSON file, whole or not at all."""
        path = self.path / name
        replace_whole(path, json.dumps(redacted(data, self.redact), indent=2, ensure_ascii=False) + "\n")
        return path

    def write_configuration(self, router: str, lines: Sequence[str]) -> Path:
        """Append what was committed on a router, as set lines."""
        with self._lock:
            path = self.path / f"{router}.conf"
            with writing(path), open_private(path, "a") as stream:
                stream.write(self.redact("\n".join(lines)) + "\n")
        return path

    def record(self, exchange: Exchange) -> None:
        """Keep an exchange with a router."""
        head = {
            "host": exchange.host,
            "command": exchange.command,
            "start": exchange.start,
            "end": exchange.end,
        }
        parts = (self._json(head), self._answer(exchange), self._json({"error": exchange.error}))
        line = "{" + ", ".join(part[1:-1] for part in parts) + "}"
        with self._lock, writing(self._exchanges_path):
            if not self._exchanges.closed:
                self._exchanges.write(line + "\n")

    def _answer(self, exchange: Exchange) -> str:
        """Return an answer as JSON. A router mostly repeats its last answer to a sample, so that is kept as JSON."""
        place = exchange.host, exchange.command
        last = self._last.get(place)
        if last is None or last.raw != exchange.raw or last.parsed is not exchange.parsed or last.by is not self.redact:
            text = self._json({"raw": exchange.raw, "parsed": parsed_data(exchange.parsed)})
            last = self._last[place] = _Answer(exchange.raw, exchange.parsed, self.redact, text)
        return last.text

    def _json(self, data: Mapping[str, object]) -> str:
        return json.dumps(redacted(data, self.redact), ensure_ascii=False)

    def close(self) -> None:
        """Write what is still buffered, and close the file of exchanges."""
        with self._lock, writing(self._exchanges_path):
            self._exchanges.close()

    def seal(self) -> None:
        """Let only the owner read the folder's content. Call it when everything has been written."""
        make_private(self.path)


def parsed_data(record: object) -> object:
    """Return a typed record as plain data."""
    if record is None or isinstance(record, str | int | float | bool):
        return record
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {field.name: parsed_data(getattr(record, field.name)) for field in dataclasses.fields(record)}
    if isinstance(record, Mapping):
        return {str(key): parsed_data(value) for key, value in record.items()}
    if isinstance(record, list | tuple | set | frozenset):
        return [parsed_data(item) for item in record]
    return plain(record)
