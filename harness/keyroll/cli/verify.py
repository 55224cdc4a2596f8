"""`keyroll verify`: which key signed each segment of a capture, is its MAC right, would its receiver accept it."""

from __future__ import annotations

import contextlib
import gc
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from click.core import ParameterSource

from keyroll.cli.arguments import STDIN, read_text, shown
from keyroll.cli.progress import Progress
from keyroll.errors import InputError, Where
from keyroll.instants import SYSTEM
from keyroll.names import Receiving

if TYPE_CHECKING:
    from keyroll.capture.keys.book import Book
    from keyroll.capture.keys.config_book import ConfigBook, ConfigSource

OFFENDERS_SHOWN = 50
"""Packets that are listed: the first ones show the cause; a capture with a wrong secret has thousands like them."""
_CENTURY = 100 * 366 * 86400
"""Seconds: the furthest that a clock offset may reach, so that it stays a date."""
_GC_THRESHOLD = 1_000_000
"""New objects after which the garbage collector runs; Python's own is 700."""


@click.command(name="verify")
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...", type=click.Path(path_type=Path))
@click.option("--keys", type=click.Path(path_type=Path), help="A keys file (docs/verify.md).")
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="[ADDR=]FILE",
    help="A router's Junos configuration; once for each router. With ADDR=, its address, FILE may be only a key-chain.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--annotate", type=click.Path(path_type=Path), help="Write the packets with verdicts as comments (pcapng)."
)
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=OFFENDERS_SHOWN,
    show_default=True,
    help="How many bad packets are shown; 0 shows all. JSON always has all.",
)
@click.option(
    "--clock-offset",
    type=click.FloatRange(min=-_CENTURY, max=_CENTURY),
    default=0.0,
    show_default=True,
    help="With --config: seconds that the routers' clocks are ahead of the capture's time stamps.",
)
@click.option("--no-times", is_flag=True, help="With --config: accept a key at any time.")
@click.option(
    "--receiving",
    type=click.Choice(["tolerance", "any"]),
    default="tolerance",
    show_default=True,
    help="With --config: a router accepts a key in its time window (tolerance), or every key of its chain (any).",
)
def verify(
    captures: tuple[Path, ...],
    keys: Path | None,
    configs: tuple[str, ...],
    annotate: Path | None,
    show: int,
    clock_offset: float,
    receiving: str,
    *,
    as_json: bool,
    no_times: bool,
) -> int:
    """Judge every TCP segment of a capture that TCP-AO must protect.

    CAPTURE... are pcap or pcapng files, compressed with gzip or not.

    Give the keys with --keys, or both routers' configurations with --config R1.conf --config R2.conf.

    Exit code 0: every protected segment is right. 1: one is bad. 2: none is bad, but a file cannot be read or is cut
    off, a protected segment could not be judged, or there was none.
    """
    # What this command needs is imported when it runs: `--help` stays instant, and so does a small capture.
    from keyroll.capture.verify.files import files_in_order  # noqa: PLC0415
    from keyroll.capture.verify.report import JsonReport, TextReport  # noqa: PLC0415

    _check_usage(captures, keys, configs, annotate)
    captures = tuple(_source(path) for path in captures)
    notes: Sequence[str] = ()
    book: Book
    if keys is not None:
        keys = _source(keys)
        book = _keys_book(keys)
    else:
        book = _config_book(configs, clock_offset, receiving, no_times=no_times)
        notes = book.notes
    progress = Progress(now=lambda: SYSTEM.now().ns)

    def echo(message: str, *, nl: bool = True) -> None:
        progress.clear()
        click.echo(message, nl=nl)
        if not nl and sys.stdout.isatty():
            progress.end()  # it would overwrite the unfinished line

    report = JsonReport(echo, notes=notes) if as_json else TextReport(echo, show=show, notes=notes)
    read = [*captures, *([keys] if keys else []), *(Path(text.rpartition("=")[2]) for text in configs)]
    with (
        contextlib.ExitStack() as stack,
        contextlib.closing(report),
        _rare_collections(),
        _annotator(annotate, read) as output,
    ):
        stack.callback(progress.clear)  # also where Ctrl-C ends it
        for file in files_in_order(captures, book, progress=progress):
            report.begin(file)
            if output is None:
                for judged in file.offending():
                    report.offender(judged)
            else:
                from keyroll.capture.verify.annotate import Annotator  # noqa: PLC0415 -- as above

                annotator = Annotator(output)
                for judged in file.judged():
                    annotator.write(judged.packet, judged.judgement)
                    report.offender(judged)
            report.end(file)
    return int(report.finish())


def _check_usage(
    captures: tuple[Path, ...], keys: Path | None, configs: tuple[str, ...], annotate: Path | None
) -> None:
    """Check the options before anything is read.

    Raises:
        UsageError: the options contradict each other, or one is missing.
    """
    if (keys is None) == (not configs):
        raise click.UsageError("give the keys: either --keys KEYS.yaml, or --config R1.conf --config R2.conf")
    if configs and len(configs) < 2:  # noqa: PLR2004 -- a session has two ends
        raise click.UsageError("--config is needed once for each of the two routers")
    context = click.get_current_context()
    for option in ("clock_offset", "no_times", "receiving"):
        if keys is not None and context.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            name = f"--{option.replace('_', '-')}"
            raise click.UsageError(f"{name} goes with --config: a keys file has no times")
    if annotate is not None and len(captures) > 1:
        raise click.UsageError("--annotate takes one capture at a time")
    named = [*captures, *([keys] if keys else []), *(Path(text.rpartition("=")[2]) for text in configs)]
    if named.count(STDIN) > 1:
        raise click.UsageError("'-' is standard input, which can be read only once")
    addresses = [text.partition("=")[0] for text in configs if "=" in text and not Path(text).exists()]
    twice = next((address for address in addresses if addresses.count(address) > 1), None)
    if twice is not None:
        raise click.UsageError(f"--config: both ends are given the address {twice}")


def _source(path: Path) -> Path:
    """Return the path to read for an argument: `-` is standard input."""
    return Path("/dev/stdin") if path == STDIN else path


def _keys_book(path: Path) -> Book:
    from keyroll.capture.keys.keys_file import read_keys  # noqa: PLC0415 -- pydantic and YAML take their time

    return read_keys(path)


def _config_book(configs: tuple[str, ...], offset: float, receiving: str, *, no_times: bool) -> ConfigBook:
    from keyroll.capture.keys.book import CaptureClock, unknown_clock  # noqa: PLC0415 -- only with --config
    from keyroll.capture.keys.config_book import config_book  # noqa: PLC0415 -- only with --config

    if math.isnan(offset):
        raise click.UsageError("invalid --clock-offset: use a number of seconds")
    # The same file twice is read once: both routers are logical systems in it.
    sources = [_config_source(text) for text in dict.fromkeys(configs)]
    clock = unknown_clock if no_times else CaptureClock(round(offset * 1_000_000_000))
    return config_book(sources, receiving=Receiving(receiving), clock=clock)


def _config_source(text: str) -> ConfigSource:
    from keyroll.capture.keys.config_book import ConfigSource  # noqa: PLC0415 -- only with --config

    address, equals, file = text.partition("=")
    if not equals or Path(text).exists():
        return ConfigSource(shown(Path(text)), read_text(Path(text)))
    try:
        owner = ip_address(address)
    except ValueError:
        raise click.UsageError(f"--config {text}: '{address}' is not an IP address") from None
    return ConfigSource(shown(Path(file)), read_text(Path(file)), owner)


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Run the garbage collector rarely: judging makes no reference cycles, and collecting takes a fifth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(_GC_THRESHOLD, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def _annotator(path: Path | None, read: Iterable[Path]) -> Iterator[BinaryIO | None]:
    if path is None:
        yield None
        return
    if any(path.exists() and other.exists() and path.samefile(other) for other in read):
        raise InputError("--annotate must not name a file that is read", where=Where.of(path))
    try:
        # Errors of reading have other types, so this one comes from writing.
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror or error}", where=Where.of(path)) from None
