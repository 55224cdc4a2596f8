"""Reading captures: every format gives the same packets; a truncated or damaged file is reported by name."""

import gzip
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.capture.conftest import Maker, Talk
from tests.unit.known import known

from keyroll.capture import CaptureError, Follow, Packet, Referee, Verdict, read_packets
from keyroll.capture.formats.link_types import ip_offset
from keyroll.capture.formats.reader import read_batches
from keyroll.capture.verify.annotate import Annotator


@pytest.fixture
def talk(make: type[Maker]) -> Talk:
    return make.talk().open().exchange().exchange()


@pytest.fixture
def written(talk: Talk, make: type[Maker], tmp_path: Path) -> Path:
    path = tmp_path / "a.pcap"
    path.write_bytes(make.pcap(talk.packets))
    return path


def verdict_of(referee: Referee, packet: Packet) -> Verdict:
    return known(referee.judge(packet)).verdict


def ng(
    packets: list[Packet],
    *,
    order: str = "<",
    resolution: int | None = None,
    offset: int | None = None,
    simple: bool = False,
    snap: int = 0,
    extra: bytes = b"",
) -> bytes:
    """Return a valid pcapng file of packets; the blocks `extra` come before the packets."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)

    options = b""
    if resolution is not None:
        options += struct.pack(f"{order}HHB3x", 9, 1, resolution)
    if offset is not None:
        options += struct.pack(f"{order}HHq", 14, 8, offset)
    units = 10**6 if resolution is None else (2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution)
    parts = [
        block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack(f"{order}HHI", 1, 0, snap) + options + bytes(4 if options else 0)),
        extra,
    ]
    for packet in packets:
        if simple:
            parts.append(block(3, struct.pack(f"{order}I", packet.length) + packet.data))
            continue
        stamp = (known(packet.time_ns) - (offset or 0) * 10**9) * units // 10**9
        head = struct.pack(f"{order}IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(packet.data), packet.length)
        parts.append(block(6, head + packet.data))
    return b"".join(parts)


def collect(path: Path) -> tuple[list[Packet], CaptureError | None]:
    """Return the packets that could be read, and the error that ended the reading."""
    found = []
    try:
        for packet in read_packets(path, piece=512):
            found.append(packet)  # noqa: PERF402 - the packets before the error are needed
    except CaptureError as error:
        return found, error
    return found, None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_pcap_is_read_in_either_byte_order_and_resolution(
    talk: Talk, make: type[Maker], tmp_path: Path, order: str, nanoseconds: bool, zipped: bool
) -> None:
    octets = make.pcap(talk.packets, order=order, nanoseconds=nanoseconds)
    path = tmp_path / "a.bin"
    path.write_bytes(gzip.compress(octets) if zipped else octets)
    assert list(read_packets(path, piece=97)) == talk.packets


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("resolution", "offset"), [(None, None), (9, None), (3, None), (0x80 | 20, None), (6, 1000)])
def test_pcapng_is_read_in_either_byte_order_and_any_resolution(
    talk: Talk, tmp_path: Path, order: str, resolution: int | None, offset: int | None
) -> None:
    path = tmp_path / "a.pcapng"
    extra = struct.pack(f"{order}IIII", 5, 16, 0, 16) + struct.pack(f"{order}III", 0xBAD, 12, 12)
    path.write_bytes(ng(talk.packets, order=order, resolution=resolution, offset=offset, extra=extra))
    packets = list(read_packets(path, piece=31))
    assert [packet.data for packet in packets] == [packet.data for packet in talk.packets]
    worst = 1000 if resolution == 0x80 | 20 else 0
    assert all(0 <= made.time_ns - read.time_ns <= worst for made, read in zip(talk.packets, packets, strict=True))


def test_several_pcapng_sections_are_read_and_simple_packets_have_no_time(talk: Talk, tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(ng(talk.packets, order="<") + ng(talk.packets, order=">", simple=True, snap=60))
    packets = list(read_packets(path))
    half = len(talk.packets)
    assert [packet.number for packet in packets] == list(range(1, 2 * half + 1))
    assert {packet.time_ns for packet in packets[half:]} == {None}
    assert {len(packet.data) for packet in packets[half:]} == {60}


def test_an_annotated_copy_has_the_packets_of_the_original(talk: Talk, tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    referee = Referee(talk.book())
    with path.open("wb") as file:
        annotator = Annotator(file)
        for packet in talk.packets:
            annotator.write(packet, referee.judge(packet))
    assert list(read_packets(path)) == talk.packets
    assert path.read_bytes().count(b"verified (KeyID") == len(talk.packets)


@pytest.mark.parametrize("make_octets", ["pcap", "pcapng"])
def test_a_file_cut_at_any_octet_gives_its_complete_packets_and_then_an_error(
    talk: Talk, make: type[Maker], tmp_path: Path, make_octets: str
) -> None:
    octets = make.pcap(talk.packets) if make_octets == "pcap" else ng(talk.packets)
    path = tmp_path / "cut"
    whole = 0
    for end in range(len(octets)):
        path.write_bytes(octets[:end])
        found, error = collect(path)
        assert error is None or error.packet in {None, len(found) + 1}
        whole += error is None
        assert found == talk.packets[: len(found)]
    # The file reads without an error only if it is cut where a record ends.
    assert whole == len(talk.packets) + (0 if make_octets == "pcap" else 1)


def test_a_truncated_gzip_file_gives_its_complete_packets(written: Path, talk: Talk, tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    random.seed(3)
    noise = [packet._replace(data=packet.data + random.randbytes(3000)) for packet in talk.packets]
    octets = written.read_bytes()[:24] + b"".join(
        struct.pack("<IIII", 1, 1, len(packet.data), len(packet.data)) + packet.data for packet in noise
    )
    path.write_bytes(gzip.compress(octets)[:-9000])
    found, error = collect(path)
    assert 0 < len(found) < len(noise)
    assert "breaks off" in str(error)
    assert known(error).packet == len(found) + 1


@pytest.mark.parametrize(
    ("octets", "word"),
    [
        (b"", "is empty"),
        (b"\xd4\xc3", "only 2 octets"),
        (b"hello world", "neither as pcap nor as pcapng"),
        (b"\x1f\x8bnot really gzip", "damaged"),
        (b"\xd4\xc3\xb2\xa1" + bytes(4), "not whole"),
        (b"\xd4\xc3\xb2\xa1" + bytes(20) + b"\xff" * 16, "says that it has"),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "unknown byte order"),
    ],
)
def test_a_file_that_is_not_a_capture_is_reported(octets: bytes, word: str, tmp_path: Path) -> None:
    path = tmp_path / "no"
    path.write_bytes(octets)
    with pytest.raises(CaptureError, match=word) as refused:
        list(read_packets(path))
    assert str(path) in str(refused.value)


def test_a_missing_file_and_a_directory_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CaptureError, match="cannot be read"):
            list(read_packets(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    octets=st.binary(max_size=300),
    head=st.sampled_from([b"", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x0a\x0d\x0d\x0a", b"\x1f\x8b\x08\0"]),
)
def test_random_octets_give_packets_or_a_capture_error(octets: bytes, head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "random"
    path.write_bytes(head + octets)
    try:
        packets = list(read_packets(path))
    except CaptureError:
        return
    assert isinstance(packets, list)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=12))
def test_a_damaged_capture_is_judged_without_an_unexpected_exception(
    talk: Talk, tmp_path: Path, damage: list[tuple[int, int]]
) -> None:
    octets = bytearray(ng(talk.packets))
    for place, value in damage:
        octets[place % len(octets)] = value
    path = tmp_path / "damaged"
    path.write_bytes(octets)
    referee = Referee(talk.book())
    packets, error = collect(path)
    for packet in packets:
        referee.judge(packet)
    assert error is None or error.packet in {None, len(packets) + 1}


def test_following_a_file_that_grows_gives_each_packet_once(talk: Talk, make: type[Maker], tmp_path: Path) -> None:
    octets = make.pcap(talk.packets, nanoseconds=True)
    path = tmp_path / "growing"
    follow = Follow(path)
    assert follow.read_new() == []
    found = []
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(octets), 37):
            file.write(octets[start : start + 37])
            found += follow.read_new()
        assert follow.read_new() == []
    assert found == talk.packets
    assert (follow.number, follow.pending) == (len(talk.packets), False)
    follow.close()


def test_following_reports_a_truncated_end_and_a_file_that_is_not_a_capture(
    talk: Talk, make: type[Maker], tmp_path: Path
) -> None:
    path = tmp_path / "growing"
    path.write_bytes(make.pcap(talk.packets)[:-1])
    follow = Follow(path)
    assert len(follow.read_new()) == len(talk.packets) - 1
    assert follow.pending
    follow.close()
    path.write_bytes(b"something else")
    with Follow(path) as other, pytest.raises(CaptureError):
        other.read_new()


IP = b"\x45" + bytes(40)


@pytest.mark.parametrize(
    ("link", "frame", "offset"),
    [
        (1, bytes(12) + b"\x08\x00" + IP, 14),
        (1, bytes(12) + b"\x81\x00\x45\x01\x08\x00" + IP, 18),
        (1, bytes(12) + b"\x88\xa8\x00\x01\x81\x00\x00\x02\x86\xdd" + IP, 22),
        (1, bytes(12) + b"\x88\x47\x00\x01\x00\xff\x00\x02\x01\xff" + IP, 22),
        (1, bytes(12) + b"\x08\x06" + IP, None),
        (1, bytes(12) + b"\x08\x00", None),
        (1, b"", None),
        (113, bytes(14) + b"\x08\x00" + IP, 16),
        (276, b"\x08\x00" + bytes(18) + IP, 20),
        (276, b"\x81\x00" + bytes(18) + b"\x00\x07\x08\x00" + IP, 24),
        (101, IP, 0),
        (12, IP, 0),
        (228, IP, 0),
        (0, b"\x02\0\0\0" + IP, 4),
        (189, IP, None),
    ],
)
def test_the_ip_header_is_found_for_every_link_type(link: int, frame: bytes, offset: int | None) -> None:
    assert ip_offset(link, frame) == offset


@pytest.mark.parametrize(
    ("link", "tags"), [(1, 0), (1, 1), (1, 2), (113, 0), (113, 1), (276, 0), (276, 2), (101, 0), (228, 0), (0, 0)]
)
def test_verdicts_do_not_depend_on_the_link_type(talk: Talk, link: int, tags: int) -> None:
    referee = Referee(talk.book())
    head = {1: bytes(12), 113: bytes(14)}.get(link, b"")
    found = []
    for packet in talk.packets:
        octets = packet.data[14:]
        if link == 276:
            frame = (b"\x81\x00" if tags else b"\x08\x00") + bytes(18)
            frame += b"\x00\x05\x81\x00" * max(tags - 1, 0) + b"\x00\x05\x08\x00" * bool(tags)
        elif link in {1, 113}:
            frame = head + b"\x81\x00\x00\x05" * tags + b"\x08\x00"
        else:
            frame = b"\x02\0\0\0" if link == 0 else b""
        found.append(verdict_of(referee, Packet(packet.number, packet.time_ns, link, frame + octets, 99)))
    assert set(found) == {Verdict.VERIFIED}


def junos_frame(ethernet: bytes, *, received: bool, layer2: bool, extensions: bytes) -> bytes:
    """Return a frame of link type 178, as `monitor traffic interface … write-file` writes it."""
    flags = (0x01 if received else 0) | (0 if layer2 else 0x02) | (0x80 if extensions else 0)
    head = b"MGC" + bytes((flags,))
    if extensions:
        head += len(extensions).to_bytes(2, "big") + extensions
    return head + (ethernet if layer2 else b"\x02\0\0\0" + ethernet[14:])


@pytest.mark.parametrize("received", [True, False])
@pytest.mark.parametrize("layer2", [True, False])
@pytest.mark.parametrize("extensions", [b"", b"\x03\x01\x04\x02\x01\x0e"])
def test_a_capture_written_by_a_junos_router_is_read(
    talk: Talk, received: bool, layer2: bool, extensions: bytes
) -> None:
    referee = Referee(talk.book())
    shape: dict[str, Any] = {"received": received, "layer2": layer2, "extensions": extensions}
    for packet in talk.packets:
        frame = junos_frame(packet.data, **shape)
        assert verdict_of(referee, packet._replace(link=178, data=frame, length=len(frame))) is Verdict.VERIFIED
    frame = junos_frame(talk.packets[-1].data, **shape)
    for length in range(len(frame)):
        cut = Packet(99, 0, 178, frame[:length], len(frame))
        assert verdict_of(referee, cut) is Verdict.INCOMPLETE, length


@pytest.mark.parametrize("head", [b"MGC\x02\x07\0\0\0", b"XYZ\0", b"MGC\x82\xff\xff"])
def test_frames_of_a_junos_capture_that_are_not_ip_are_skipped(head: bytes) -> None:
    assert ip_offset(178, head + bytes(60)) is None


def test_memory_use_is_bounded_by_the_block_size_and_not_by_the_file_size(
    talk: Talk, make: type[Maker], tmp_path: Path
) -> None:
    path = tmp_path / "long"
    path.write_bytes(make.pcap(talk.packets * 2000))
    size = path.stat().st_size
    largest = max(sum(len(packet.data) for packet in batch) for batch in read_batches(path))
    assert largest < size / 8
