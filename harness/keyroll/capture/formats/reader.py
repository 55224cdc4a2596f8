"""Read captures as streams of packets: a complete file (plain or gzip'd), or one that is still being written.

for packet in read_packets(path): ...        # CaptureError after the last complete packet if the file ends early
follow = Follow(path); follow.read_new()     # packets written since; an incomplete record waits for the next call
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from keyroll.capture.formats.packet import CaptureError, Packet
from keyroll.capture.formats.pcap import MAGICS, PcapDecoder
from keyroll.capture.formats.pcapng import MAGIC as PCAPNG_MAGIC
from keyroll.capture.formats.pcapng import PcapngDecoder

PIECE = 1 << 16
"""Octets read at a time: memory use stays at a few of these, whatever the file's size. 64 KiB fit into a processor's
cache and hold too few packets to trigger Python's garbage collector."""

_GZIP_MAGIC = b"\x1f\x8b"


class Decoder(Protocol):
    """The interface of both decoders."""

    number: int
    broken: str | None

    @property
    def pending(self) -> int:
        """Octets of an incomplete record."""
        ...

    def feed(self, piece: bytes) -> list[Packet]:
        """Return the packets that this piece completes."""
        ...


def decoder_for(magic: bytes, path: Path | str) -> Decoder:
    """Choose the decoder by the file's first four octets.

    Raises:
        CaptureError: the file is neither pcap nor pcapng.
    """
    if magic in MAGICS:
        return PcapDecoder()
    if magic == PCAPNG_MAGIC:
        return PcapngDecoder()
    raise CaptureError(
        "not a capture: the file starts neither as pcap nor as pcapng",
        path=path,
        remedy="write one with tcpdump -w or dumpcap; gzip'd ones are read too",
    )


def read_packets(path: Path, *, piece: int = PIECE) -> Iterator[Packet]:
    """Read a capture from its beginning to its end.

    Raises:
        CaptureError: the file cannot be read; or it ends early, raised after every complete packet was returned.
    """
    for packets in read_batches(path, piece=piece):
        yield from packets


def read_batches(
    path: Path, *, piece: int = PIECE, progress: Callable[[Path, int], object] | None = None
) -> Iterator[list[Packet]]:
    """Read a capture as `read_packets` does, many packets at a time.

    `progress` is called before each list with the path and the number of octets of the file that have been read; 0 for
    a pipe, whose position is not known.

    Raises:
        CaptureError: as `read_packets`.
    """
    try:
        with path.open("rb") as file:
            seekable = file.seekable()
            for packets in _batches(_pieces(file, path, piece), path):
                if progress is not None:
                    progress(path, file.tell() if seekable else 0)
                yield packets
    except OSError as error:
        raise CaptureError(f"cannot be read: {error.strerror or error}", path=path) from None


def _pieces(file: BufferedReader, path: Path, size: int) -> Iterator[bytes | CaptureError]:
    """Yield the file's octets; if a gzip'd file is damaged, the last item is the error, after what could be read."""
    # Peek instead of seek, so that pipes work too.
    if file.peek(2)[:2] != _GZIP_MAGIC:
        while piece := file.read(size):
            yield piece
        return
    with gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
        while True:
            try:
                piece = unzipped.read1(size)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                yield CaptureError(f"the gzip'd file breaks off or is damaged: {error}", path=path)
                return
            if not piece:
                return
            yield piece


def _batches(pieces: Iterator[bytes | CaptureError], path: Path) -> Iterator[list[Packet]]:
    decoder: Decoder | None = None
    head = b""
    damage: CaptureError | None = None
    for piece in pieces:
        if isinstance(piece, CaptureError):
            damage = piece
            break
        if decoder is None:
            head += piece
            if len(head) < len(PCAPNG_MAGIC):
                continue
            decoder = decoder_for(head[:4], path)
            piece = head  # noqa: PLW2901 -- the first piece is what was needed to recognise the format
        packets = decoder.feed(piece)
        if packets:
            yield packets
        if decoder.broken:
            break
    if damage is not None:
        damage.packet = decoder.number + 1 if decoder else None
        raise damage
    _check_end(decoder, head, path)


def _check_end(decoder: Decoder | None, head: bytes, path: Path) -> None:
    if decoder is None:
        what = f"has only {len(head)} octets" if head else "is empty"
        raise CaptureError(f"not a capture: the file {what}", path=path)
    if decoder.broken:
        raise CaptureError(f"the capture is damaged: {decoder.broken}", path=path, packet=decoder.number + 1)
    if decoder.pending:
        raise CaptureError(
            f"the capture is cut: packet {decoder.number + 1} is not whole", path=path, packet=decoder.number + 1
        )


class Follow:
    """Reads a capture while it is being written (tcpdump -U), each packet once.

    The file need not exist yet. `read_new` never waits. If `pending` is true when the writer has ended, the last packet
    is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._decoder: Decoder | None = None
        self._head = b""

    @property
    def number(self) -> int:
        """The number of packets read so far."""
        return self._decoder.number if self._decoder else 0

    @property
    def pending(self) -> bool:
        """Whether the file ends, for now, with an incomplete record."""
        return bool(self._head) if self._decoder is None else bool(self._decoder.pending)

    def read_new(self) -> list[Packet]:
        """Return the packets that were completed since the last call.

        Raises:
            CaptureError: the file cannot be read, is not a capture, or is damaged.
        """
        try:
            if self._file is None:
                if not self.path.exists():
                    return []
                self._file = self.path.open("rb")
            packets: list[Packet] = []
            while piece := self._file.read(PIECE):
                packets += self._decode(piece)
        except OSError as error:
            raise CaptureError(f"cannot be read: {error.strerror or error}", path=self.path) from None
        return packets

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; does nothing if it was never opened."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _decode(self, piece: bytes) -> list[Packet]:
        if self._decoder is None:
            self._head += piece
            if len(self._head) < len(PCAPNG_MAGIC):
                return []
            self._decoder = decoder_for(self._head[:4], self.path)
            piece, self._head = self._head, b""
        packets = self._decoder.feed(piece)
        if self._decoder.broken:
            raise CaptureError(
                f"the capture is damaged: {self._decoder.broken}", path=self.path, packet=self._decoder.number + 1
            )
        return packets
