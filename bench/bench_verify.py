"""Compare `keyroll verify` with the bare MACs and with scapy, on captures of 100,000 segments or more.

    python bench/bench_verify.py [--segments N] [--times N]

Three ways to process the same capture (made here: one connection, time stamps, data one way and pure ACKs the other):
- `keyroll verify` as a process, from its start to its exit: reading, tracking, verdicts, table;
- the bare MACs alone: traffic keys cached, MAC inputs assembled beforehand, nothing else;
- scapy: its pcap reader, dissection and `calc_tcpao_mac`, traffic keys cached; timed on a part and scaled up.

Then three ratios of `keyroll verify` with itself: a segment of many interleaved connections, and one of a scan of SYNs,
each against a segment of one connection; and `--json` against the text output, for the scan.

Each is measured several times, in turn, in seconds of processor time, and the least value counts, so that other load on
the machine has little influence. Exit code 1 if a limit is exceeded.
"""

# ruff: noqa: INP001 -- a script, not a package
from __future__ import annotations

import argparse
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from keyroll.capture import read_packets
from keyroll.tcpao import ACK, PSH, SYN, Algorithm, Mkt, TrafficKey, mac_input, parse_segment, sign_segment

MOST_BARE = 6.0
"""`keyroll verify` may take at most this many times the bare MACs, with segments of either size. Measured 4 to
5.4: this leaves room for noise, not for another pass over each packet."""
LEAST_SCAPY = 15.0
"""Scapy must take at least this many times the bare MACs (measured 260 to 550): if it did not, the bare MACs would be
measured too slow, and the ratio above would mean nothing."""

MOST_JSON = 2.0
"""`--json` may take at most this many times the text output: to format a forged SYN must not cost more than to judge
it."""
MOST_MANY = 4.0
"""A segment of many interleaved connections may take at most this many times one of a single connection: it needs
another template and traffic key than the segment before it, and hardly fits the processor's cache."""
MOST_SCAN = 3.0
"""A forged SYN may take at most this many times a segment of one connection. It needs its own traffic key: four hashes
over seven blocks instead of two over four."""
CONNECTIONS, ROUNDS = 20_000, 10
"""Interleaved connections, more than any cache holds, and the segments of each: a handshake and some data."""
FORGED = 70_000
"""Forged SYNs, one from each port that a scan can use: judging them takes ten times as long as starting Python."""

NEAR, FAR = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
PORT = 40000
"""The near end's port, any of a client."""
ISNS = (0xFFF00000, 77)
"""The near end's sequence numbers wrap within the capture, after 1 MiB of data."""
SECRET = b"bench secret"
KEYS = """\
keys:
  - algorithm: {algorithm}
    secret: {secret}
    send_id: {{"10.0.0.1": 11, "10.0.0.2": 12}}
"""
SCAPY_MOST = 5000
"""Segments that scapy is timed on: some four seconds of work. The time is scaled to all segments."""
PAYLOADS = {"full-size data": (1428, 1), "small data": (100, 5)}
"""Octets of data in a segment, and a factor on the number of segments: a MAC over a short segment takes a microsecond,
so that 100,000 of them would take hardly longer than the start of Python, which is not what is measured."""
RATIO_TIMES = 3
"""How often the ratios of `keyroll verify` with itself are measured at most: each takes some ten seconds."""


def write_capture(path: Path, *, segments: int, payload: int, algorithm: Algorithm) -> None:
    """Write the capture: a handshake, then three data segments and a pure ACK, repeatedly."""
    noise = random.Random(1)  # noqa: S311 -- made-up payload
    mkt = Mkt("bench", algorithm, SECRET, 11, 12)
    first = mkt.traffic_key(NEAR, FAR, PORT, 179, ISNS[0], 0)
    keys = (mkt.traffic_key(NEAR, FAR, PORT, 179, *ISNS), mkt.traffic_key(FAR, NEAR, 179, PORT, *ISNS[::-1]))
    ends, ports, seqs = (NEAR, FAR), (PORT, 179), list(ISNS)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for number in range(segments):
            way = 1 if number == 1 or number % 4 == 3 else 0  # noqa: PLR2004 -- every fourth
            flags = (SYN, SYN | ACK)[number] if number < 2 else ACK | PSH  # noqa: PLR2004 -- the handshake
            data = noise.randbytes(payload) if number > 1 and way == 0 else b""
            acked = seqs[1 - way] & 0xFFFFFFFF if number else 0
            stamps = b"\x01\x01\x08\x0a" + struct.pack("!II", number, number)
            head = struct.pack(
                "!HHIIBBHHH", ports[way], ports[1 - way], seqs[way] & 0xFFFFFFFF, acked, 0x80, flags, 500, 0, 0
            )
            tcp = sign_segment(
                head + stamps + data,
                src=ends[way],
                dst=ends[1 - way],
                key=keys[way] if number else first,
                sne=seqs[way] >> 32,
                key_id=11 + way,
                rnext_key_id=12 - way,
            )
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 1, 6, 0, ends[way], ends[1 - way])
            frame = bytes(12) + b"\x08\x00" + ip + tcp
            file.write(struct.pack("<IIII", 1_900_000_000 + number // 1000, number % 1000, len(frame), len(frame)))
            file.write(frame)
            seqs[way] += len(data) + bool(flags & SYN)


def _record(source: bytes, destination: bytes, number: int, tcp: bytes) -> bytes:
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 1, 6, 0, source, destination)
    frame = bytes(12) + b"\x08\x00" + ip + tcp
    return struct.pack("<IIII", 1_900_000_000 + number // 1000, number % 1000, len(frame), len(frame)) + frame


def write_many(path: Path, *, connections: int, rounds: int) -> None:
    """Write a capture of connections whose segments alternate: the first of each, then the second of each."""
    mkt = Mkt("bench", Algorithm.HMAC_SHA_1_96, SECRET, 11, 12)
    ends, data, number = (NEAR, FAR), bytes(100), 0
    sent = [[port * 7919, port * 104_729] for port in range(connections)]
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for turn in range(rounds):
            way = 1 if turn == 1 or turn % 4 == 3 else 0  # noqa: PLR2004 -- every fourth
            flags = (SYN, SYN | ACK)[turn] if turn < 2 else ACK | PSH  # noqa: PLR2004 -- the handshake
            payload = data if turn > 1 and way == 0 else b""
            for index, seqs in enumerate(sent):
                ports = (10_000 + index, 179)
                isns = (index * 7919, index * 104_729)
                acked = seqs[1 - way] if turn else 0
                head = struct.pack("!HHIIBBHHH", ports[way], ports[1 - way], seqs[way], acked, 0x50, flags, 500, 0, 0)
                key = mkt.traffic_key(
                    ends[way], ends[1 - way], ports[way], ports[1 - way], isns[way], isns[1 - way] if turn else 0
                )
                tcp = sign_segment(
                    head + payload,
                    src=ends[way],
                    dst=ends[1 - way],
                    key=key,
                    sne=0,
                    key_id=11 + way,
                    rnext_key_id=12 - way,
                )
                file.write(_record(ends[way], ends[1 - way], number, tcp))
                seqs[way] += len(payload) + bool(flags & SYN)
                number += 1


def write_scan(path: Path, *, segments: int) -> None:
    """Write a capture of forged SYNs from random ports, each with a known KeyID and a random MAC."""
    noise = random.Random(2)  # noqa: S311 -- made-up ports and MACs
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for number in range(segments):
            options = b"\x02\x04\x05\xb4" + bytes((29, 16, 11, 12)) + noise.randbytes(12)
            port, isn = noise.randrange(1024, 65536), noise.randrange(1 << 32)
            tcp = struct.pack("!HHIIBBHHH", port, 179, isn, 0, 0xA0, SYN, 500, 0, 0) + options
            file.write(_record(NEAR, FAR, number, tcp))


def mac_inputs(path: Path, algorithm: Algorithm) -> Iterator[tuple[TrafficKey, bytes, bytes]]:
    """Yield for each segment its traffic key, its MAC's input and its MAC."""
    mkt = Mkt("bench", algorithm, SECRET, 11, 12)
    cache: dict[tuple[int, int], TrafficKey] = {}
    highest = list(ISNS)
    for packet in read_packets(path):
        segment = parse_segment(packet.data, 14)
        option = segment.scan().ao if segment else None
        if segment is None or option is None:
            raise SystemExit("the bench's own capture is not what it should be")
        way = int(segment.sport == 179)  # noqa: PLR2004 -- BGP
        disn = 0 if segment.flags & (SYN | ACK) == SYN else ISNS[1 - way]
        key = cache.get((way, disn))
        if key is None:
            key = cache[way, disn] = mkt.key_for(segment, ISNS[way], disn)
        highest[way] += (segment.seq - highest[way]) & 0xFFFFFFFF
        message = mac_input(
            sne=highest[way] >> 32,
            src=segment.src,
            dst=segment.dst,
            header=segment.header,
            payload=segment.payload,
            ao_offset=option.offset,
        )
        yield key, message, option.mac


def bare_macs(inputs: list[tuple[TrafficKey, bytes, bytes]]) -> float:
    """Return the processor seconds of the MACs alone."""
    pairs = [(key.mac, message) for key, message, _ in inputs]
    begin = time.process_time()
    for mac, message in pairs:
        mac(message)
    return time.process_time() - begin


def keyroll_verify(capture: Path, keys: Path, *more: str, code: int = 0) -> float:
    """Return the processor seconds of a `keyroll verify` process, start and exit included; it must end with `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = "import sys; from keyroll.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", command, "verify", str(capture), "--keys", str(keys), *more],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != code:
        raise SystemExit(f"keyroll verify ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start_alone(folder: Path) -> float:
    """Return the processor seconds of `keyroll verify` on a capture of one handshake; uses the last keys file."""
    capture = folder / "handshake.pcap"
    write_capture(capture, segments=2, payload=0, algorithm=list(Algorithm)[-1])
    return keyroll_verify(capture, folder / "keys.yaml")


def scapy_check(path: Path, algorithm: Algorithm, segments: int) -> float:
    """Return the processor seconds that scapy takes for the first `segments`; its answers are checked."""
    from scapy.contrib.tcpao import calc_tcpao_mac, calc_tcpao_traffic_key, get_alg  # noqa: PLC0415 -- takes half a second
    from scapy.layers.inet import TCP  # noqa: PLC0415 -- as above
    from scapy.utils import PcapReader  # noqa: PLC0415 -- as above

    alg = get_alg(algorithm.value)
    cache: dict[tuple[int, int], bytes] = {}
    highest = list(ISNS)
    begin = time.process_time()
    with PcapReader(str(path)) as reader:
        for _, frame in zip(range(segments), reader, strict=False):
            ip, tcp = frame.payload, frame[TCP]
            way = int(tcp.sport == 179)  # noqa: PLR2004 -- BGP
            disn = 0 if int(tcp.flags) & (SYN | ACK) == SYN else ISNS[1 - way]
            key = cache.get((way, disn))
            if key is None:
                key = cache[way, disn] = calc_tcpao_traffic_key(ip, alg, SECRET, ISNS[way], disn)
            highest[way] += (tcp.seq - highest[way]) & 0xFFFFFFFF
            option = next(value for kind, value in tcp.options if kind == "AO")
            if calc_tcpao_mac(ip, alg, key, True, highest[way] >> 32) != bytes(option.mac):  # noqa: FBT003 -- scapy's signature
                raise SystemExit("scapy does not verify the bench's capture")
    return time.process_time() - begin


def best(times: int, measure: Callable[[], float]) -> float:
    """Return the least of `times` measurements."""
    return min(measure() for _ in range(times))


def bench(folder: Path, name: str, payload: int, algorithm: Algorithm, segments: int, times: int) -> bool:
    """Print one line; return whether `keyroll verify` and scapy are within their limits."""
    capture, keys = folder / "bench.pcap", folder / "keys.yaml"
    write_capture(capture, segments=segments, payload=payload, algorithm=algorithm)
    keys.write_text(KEYS.format(algorithm=algorithm.value, secret=SECRET.decode()), encoding="utf-8")
    inputs = list(mac_inputs(capture, algorithm))
    if any(key.mac(message) != mac for key, message, mac in inputs):
        raise SystemExit("the bench's own capture does not verify")
    bare, ours = [], []
    for _ in range(times):
        bare.append(bare_macs(inputs))
        ours.append(keyroll_verify(capture, keys))
    share = max(2, min(segments, SCAPY_MOST))
    # Twice is enough: scapy's limit is far away.
    theirs = best(2, lambda: scapy_check(capture, algorithm, share)) * segments / share
    ratio, scapy_ratio = min(ours) / min(bare), theirs / min(bare)
    micro = 1e6 / segments
    sys.stdout.write(
        f"{algorithm.value:16} {name:15} {segments} segments: bare MACs {min(bare) * micro:.2f} us each; "
        f"keyroll verify {min(ours) * micro:.2f} us = {ratio:.1f} x bare; "
        f"scapy {theirs * micro:.0f} us = {scapy_ratio:.0f} x bare\n"
    )
    sys.stdout.flush()
    if ratio <= MOST_BARE and scapy_ratio >= LEAST_SCAPY:
        return True
    sys.stdout.write(
        f"  beyond the limit: at most {MOST_BARE:.0f} x bare, and at least {LEAST_SCAPY:.0f} x for scapy\n"
    )
    return False


def ratios(folder: Path, times: int) -> bool:
    """Print what many connections, forged SYNs and `--json` cost; return whether all are within their limits."""
    one, many, scan, keys = (folder / name for name in ("one.pcap", "many.pcap", "scan.pcap", "hmac.yaml"))
    algorithm = Algorithm.HMAC_SHA_1_96
    keys.write_text(KEYS.format(algorithm=algorithm.value, secret=SECRET.decode()), encoding="utf-8")
    count, forged = CONNECTIONS * ROUNDS, FORGED
    write_capture(one, segments=count, payload=100, algorithm=algorithm)
    write_many(many, connections=CONNECTIONS, rounds=ROUNDS)
    write_scan(scan, segments=forged)
    start = best(times, lambda: start_alone(folder))
    single = (best(times, lambda: keyroll_verify(one, keys)) - start) / count
    mixed = (best(times, lambda: keyroll_verify(many, keys)) - start) / count
    text = best(times, lambda: keyroll_verify(scan, keys, code=1))
    as_json = best(times, lambda: keyroll_verify(scan, keys, "--json", code=1))
    fake = (text - start) / forged
    sys.stdout.write(
        f"a segment of {CONNECTIONS} interleaved connections: {mixed / single:.1f} x one of a single connection "
        f"(at most {MOST_MANY:.0f})\n"
        f"a forged SYN: {fake / single:.1f} x a segment of a single connection (at most {MOST_SCAN:.0f})\n"
        f"--json: {as_json / text:.2f} x the text (at most {MOST_JSON:.0f})\n"
    )
    return as_json / text <= MOST_JSON and mixed / single <= MOST_MANY and fake / single <= MOST_SCAN


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--segments", type=int, default=100_000, help="full-size segments; five times as many small ones"
    )
    parser.add_argument("--times", type=int, default=5, help="measurements, of which the least counts")
    arguments = parser.parse_args()
    kept = True
    with tempfile.TemporaryDirectory(prefix="keyroll-bench-") as folder:
        for name, (payload, times_more) in PAYLOADS.items():
            for algorithm in Algorithm:
                segments = arguments.segments * times_more
                kept &= bench(Path(folder), name, payload, algorithm, segments, arguments.times)
        start = best(arguments.times, lambda: start_alone(Path(folder)))
        kept &= ratios(Path(folder), min(arguments.times, RATIO_TIMES))
    sys.stdout.write(f"start and exit alone (in each line of keyroll verify): {start:.3f} s\n")
    sys.stdout.write(f"limits: verify at most {MOST_BARE:.0f} x bare, scapy at least {LEAST_SCAPY:.0f} x bare\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
