"""`keyroll verify`: which key signed each segment of a capture, is its MAC right, would its receiver take it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from keyroll.errors import InputError, Where

if TYPE_CHECKING:
    from keyroll.capture.keys.book import Book

OFFENDERS_SHOWN = 50
_CENTURY = 100 * 366 * 86400


@click.command(name="verify")
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...", type=click.Path(path_type=Path))
@click.option("--keys", type=click.Path(path_type=Path), help="A keys file (YAML).")
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="[ADDR=]FILE",
    help="A router's Junos configuration; once for each router. ADDR= where the file is a bare chain.",
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
    help="Offending packets shown; 0 is all. JSON always has all.",
)
@click.option(
    "--clock-offset",
    type=click.FloatRange(min=-_CENTURY, max=_CENTURY),
    default=0.0,
    show_default=True,
    help="With --config: seconds that the routers' clocks are ahead of the capture's time stamps.",
)
@click.option("--no-times", is_flag=True, help="With --config: do not judge at which times a key is accepted.")
@click.option(
    "--receiving",
    type=click.Choice(["tolerance", "any"]),
    default="tolerance",
    show_default=True,
    help="With --config: which keys a router accepts.",
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
    """Judge every TCP segment of CAPTURE... (pcap, pcapng, gzip'd or not) that TCP-AO must protect.

    Give the keys with --keys, or both routers' configurations with --config R1.conf --config R2.conf.

    Exit code 1: something is bad. 2: nothing was bad, but a file is unfit or cut, a protected segment could not be
    judged, or there was none. 0: every protected segment is right.
    """
    # What this command needs is imported when it runs: `--help` stays instant, and so does a small capture.
    from keyroll.capture.verify.files import files_in_order  # noqa: PLC0415
    from keyroll.capture.verify.report import JsonReport, TextReport  # noqa: PLC0415

    if (keys is None) == (not configs):
        raise click.UsageError("give the keys: either --keys KEYS.yaml, or --config R1.conf --config R2.conf")
    book = _keys_book(keys) if keys else _config_book(configs, clock_offset, receiving, no_times=no_times)
    if annotate is not None and len(captures) > 1:
        raise click.UsageError("--annotate takes one capture at a time")
    report = JsonReport(click.echo) if as_json else TextReport(click.echo, show=show)
    read = [*captures, *([keys] if keys else []), *(Path(text.rpartition("=")[2]) for text in configs)]
    with _annotator(annotate, read) as output:
        for file in files_in_order(captures, book):
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


def _keys_book(path: Path) -> Book:
    from keyroll.capture.keys.keys_file import read_keys  # noqa: PLC0415 -- pydantic and YAML take their time

    return read_keys(path)


def _config_book(configs: tuple[str, ...], offset: float, receiving: str, *, no_times: bool) -> Book:
    from keyroll.capture.keys.book import unknown_clock  # noqa: PLC0415 -- only with --config
    from keyroll.capture.keys.junos_config import ConfigSource, config_book  # noqa: PLC0415 -- only with --config
    from keyroll.capture.referee.fast_path import CaptureClock  # noqa: PLC0415 -- only with --config
    from keyroll.names import Receiving  # noqa: PLC0415 -- only with --config

    if len(configs) < 2:  # noqa: PLR2004 -- a session has two ends
        raise click.UsageError("--config is needed once for each of the two routers")
    sources = []
    for text in configs:
        address, equals, file = text.partition("=")
        if not equals or Path(text).exists():
            sources.append(ConfigSource(Path(text)))
            continue
        try:
            sources.append(ConfigSource(Path(file), ip_address(address)))
        except ValueError:
            raise click.UsageError(f"--config {text}: what stands before '=' is no IP address") from None
    if math.isnan(offset):
        raise click.UsageError("--clock-offset: must be a number of seconds")
    clock = unknown_clock if no_times else CaptureClock(round(offset * 1_000_000_000))
    return config_book(sources, receiving=Receiving(receiving), clock=clock)


@contextlib.contextmanager
def _annotator(path: Path | None, read: Iterable[Path]) -> Iterator[BinaryIO | None]:
    if path is None:
        yield None
        return
    if any(path.exists() and other.exists() and path.samefile(other) for other in read):
        raise InputError("--annotate must not name a file that is read", where=Where.of(path))
    try:
        # Reading ends in errors of its own, so that this one is about writing.
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror or error}", where=Where.of(path)) from None
