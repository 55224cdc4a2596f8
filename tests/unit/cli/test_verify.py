"""`keyroll verify` as a person uses it: exit codes, the table, JSON, annotated copies; and no secret in any of it."""

import gzip
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.unit.traffic_keys import Search, traffic_keys

from keyroll.capture import read_packets

DATA = Path(__file__).parents[2] / "data" / "kernel-captures"
NAMES = ["v4-sha1", "v4-sha1-to-cmac", "v6-cmac", "sock-v4-sha1-noopts"]


@pytest.fixture
def keyroll(command_line: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    """Run `keyroll verify …`; gives exit code, stdout, stderr."""
    return partial(command_line, "verify")


def capture(name: str) -> Path:
    return DATA / f"{name}.pcap"


def keys(name: str) -> Path:
    return DATA / f"{name}.keys.yaml"


@pytest.fixture
def wrong_keys(tmp_path: Path) -> Path:
    """The keys of v4-sha1 with the second key's secret changed."""
    path = tmp_path / "wrong.yaml"
    text = keys("v4-sha1").read_text()
    path.write_text(text.replace("6b65726e656c2d616f206b6579", "6b65726e656c2d616f206b6570"))
    assert path.read_text() != text
    return path


@pytest.mark.parametrize("name", NAMES)
def test_captures_of_the_linux_kernel_verify(keyroll: Callable[..., tuple[int, str, str]], name: str) -> None:
    code, out, err = keyroll(capture(name), "--keys", keys(name))
    assert (code, err) == (0, "")
    segments = len(list(read_packets(capture(name))))
    assert f"{segments} segments of {segments} packets: {segments} good, 0 bad, 0 could not be judged." in out
    assert "(key 1) from" in out
    assert "(key 2) from" in out


def test_a_changed_secret_is_shown_packet_by_packet(
    keyroll: Callable[..., tuple[int, str, str]], wrong_keys: Path
) -> None:
    code, out, _ = keyroll(capture("v4-sha1"), "--keys", wrong_keys)
    assert code == 1
    assert out.count("bad-mac. Its KeyID is key 2's") == 24
    assert "packet 24 " in out
    _, few, _ = keyroll(capture("v4-sha1"), "--keys", wrong_keys, "--show", 2)
    assert few.count("bad-mac. Its") == 2
    assert "and 22 more" in few
    _, every, _ = keyroll(capture("v4-sha1"), "--keys", wrong_keys, "--show", 0)
    assert every.count("bad-mac. Its") == 24


def test_the_json_has_every_field(keyroll: Callable[..., tuple[int, str, str]], wrong_keys: Path) -> None:
    code, out, _ = keyroll(capture("v4-sha1"), "--keys", wrong_keys, "--json")
    found = json.loads(out)
    (only,) = found["captures"]
    assert (code, found["exit_code"], found["version"]) == (1, 1, 1)
    assert only["totals"] == {"packets": 49, "segments": 49, "good": 25, "bad": 24, "unjudged": 0}
    assert len(only["offending"]) == 24
    assert {entry["key"] for entry in only["offending"]} == {2}
    assert only["offending"][0] | {"reason": ""} == {
        "number": 24, "time_ns": 1795476655995078000, "src": "10.7.1.2", "sport": 179, "dst": "10.7.1.1",
        "dport": 54177, "sender": "10.7.1.2", "receiver": "10.7.1.1", "verdict": "bad-mac", "reason": "",
        "refusal": None, "key": 2, "key_name": "key 2", "receiver_key": None, "receiver_key_name": None,
        "key_id": 22, "rnext_key_id": 11, "flags": ".", "connection": 1, "standing": "bad",
        "seq": only["offending"][0]["seq"], "ack": only["offending"][0]["ack"],
        "payload_length": only["offending"][0]["payload_length"],
    }  # fmt: skip
    near, far = only["connections"]
    assert (near["src"], near["syn"], near["rst"]) == ("10.7.1.1", 1, 0)
    assert near["verdicts"] == {"verified": 14, "bad-mac": 11}
    assert [use["key_id"] for use in far["keys"]] == [12]
    assert (near["keys"][0]["first_packet"], near["keys"][0]["last_packet"]) == (1, 28)


def test_several_captures_are_judged_side_by_side(
    keyroll: Callable[..., tuple[int, str, str]], wrong_keys: Path
) -> None:
    code, out, _ = keyroll(capture("v4-sha1"), capture("v6-cmac"), "--keys", wrong_keys, "--json")
    found = json.loads(out)
    assert code == 1
    assert [Path(entry["file"]).stem for entry in found["captures"]] == ["v4-sha1", "v6-cmac"]
    assert found["captures"][1]["totals"]["segments"] == 0


def test_the_files_of_one_capture_are_judged_as_one(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    octets = capture("v4-sha1").read_bytes()
    packets = list(read_packets(capture("v4-sha1")))
    cut = 24 + sum(16 + len(packet.data) for packet in packets[:20])
    (tmp_path / "b").write_bytes(octets[:cut])
    (tmp_path / "a").write_bytes(octets[:24] + octets[cut:])
    code, out, _ = keyroll(tmp_path / "a", tmp_path / "b", "--keys", keys("v4-sha1"))
    assert code == 0
    assert f"{tmp_path / 'a'} (continues {tmp_path / 'b'})" in out
    assert "20 good" in out
    assert "29 good" in out
    alone, out, _ = keyroll(tmp_path / "a", "--keys", keys("v4-sha1"))
    assert alone == 2
    assert "29 could not be judged" in out
    assert "isn-unseen" in out


@pytest.mark.parametrize("zipped", [False, True])
def test_a_truncated_capture_shows_its_complete_packets_and_exits_with_2(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path, zipped: bool
) -> None:
    octets = capture("v4-sha1").read_bytes()
    path = tmp_path / "cut.pcap"
    path.write_bytes(gzip.compress(octets)[:-900] if zipped else octets[:-5])
    code, out, _ = keyroll(path, "--keys", keys("v4-sha1"))
    assert code == 2
    assert "0 bad" in out
    assert "breaks off" in out if zipped else "packet 49 is not whole" in out


@pytest.mark.parametrize("octets", [b"", b"\0" * 100, bytes(range(256)) * 9])
def test_a_file_that_is_not_a_capture_exits_with_2_and_a_one_line_error(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path, octets: bytes
) -> None:
    path = tmp_path / "no.pcap"
    path.write_bytes(octets)
    code, out, err = keyroll(path, "--keys", keys("v4-sha1"))
    assert code == 2
    assert "not a capture" in out
    assert "Traceback" not in out + err


def test_a_capture_without_protected_segments_exits_with_2(keyroll: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = keyroll(capture("v4-sha1"), "--keys", keys("v6-cmac"))
    assert code == 2
    assert "No segment of 49 packets must be protected" in out


def test_an_unknown_link_type_is_named(keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    path = tmp_path / "usb.pcap"
    octets = bytearray(capture("v4-sha1").read_bytes())
    octets[20:24] = struct.pack("<I", 189)
    path.write_bytes(octets)
    code, out, _ = keyroll(path, "--keys", keys("v4-sha1"))
    assert code == 2
    assert "link type 189" in out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "CAPTURE"),
        (("x.pcap",), "give the keys"),
        (("x.pcap", "--keys", "none.yaml"), "none.yaml: cannot be read"),
        (("x.pcap", "--config", "R1.conf"), "once for each"),
        (("x.pcap", "--config", "nonsense=R1.conf", "--config", "10.0.0.2=R2.conf"), "not an IP address"),
        (("x.pcap", "--config", "R1.conf", "--config", "R2.conf"), "cannot be read"),
        (("x.pcap", "--keys", "k", "--config", "R1.conf"), "either"),
        (("x.pcap", "--config", "R1.conf", "--config", "R2.conf", "--clock-offset", "inf"), "range"),
        (("x.pcap", "--config", "R1.conf", "--config", "R2.conf", "--clock-offset", "nan"), "number"),
        (("x.pcap", "--keys", "k", "--show", "-1"), "--show"),
        (("x.pcap", "--keys", "k", "--clock-offset", "0"), "--clock-offset goes with --config"),
        (("x.pcap", "--keys", "k", "--no-times"), "--no-times goes with --config"),
        (("x.pcap", "--keys", "k", "--receiving", "tolerance"), "--receiving goes with --config"),
        (("-", "--keys", "-"), "'-' is standard input, which can be read only once"),
        (("x.pcap", "--config", "10.0.0.1=a", "--config", "10.0.0.1=b"), "both ends are given the address 10.0.0.1"),
    ],
)
def test_wrong_arguments_exit_with_2_and_a_remedy(
    keyroll: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    word: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = keyroll(*arguments)
    assert code == 2
    assert word in err


def test_an_annotated_copy_has_each_verdict(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path, wrong_keys: Path
) -> None:
    copy = tmp_path / "out.pcapng"
    code, _, _ = keyroll(capture("v4-sha1"), "--keys", wrong_keys, "--annotate", copy)
    assert code == 1
    assert list(read_packets(copy)) == list(read_packets(capture("v4-sha1")))
    octets = copy.read_bytes()
    assert octets.count(b"verified (KeyID") == 25
    assert octets.count(b"bad-mac (KeyID") == 24
    code, _, err = keyroll(copy, "--keys", wrong_keys, "--annotate", copy)
    assert code == 2
    assert "must not name a file that is read" in err
    assert copy.read_bytes() == octets
    text = wrong_keys.read_text()
    code, _, err = keyroll(capture("v4-sha1"), "--keys", wrong_keys, "--annotate", wrong_keys)
    assert code == 2
    assert "must not name a file that is read" in err
    assert wrong_keys.read_text() == text


def test_a_full_disk_is_a_one_line_error(keyroll: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = keyroll(capture("v4-sha1"), "--keys", keys("v4-sha1"), "--annotate", "/dev/full")
    assert (code, err) == (2, "keyroll: /dev/full: cannot be written: No space left on device\n")


@pytest.mark.parametrize("more", [[], pytest.param(["--json"], marks=pytest.mark.slow)])
def test_output_that_cannot_be_written_is_not_a_bad_verdict(more: list[str]) -> None:
    """Exit code 1 would say that a segment is bad."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("keyroll"),
        "verify",
        capture("v4-sha1"),
        "--keys",
        keys("v4-sha1"),
        *more,
    ]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "keyroll: the output: No space left on device\n")


def test_several_pipes_are_each_read_once(keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    pipes = [tmp_path / "one", tmp_path / "two"]
    for pipe in pipes:
        os.mkfifo(pipe)
    writers = [threading.Thread(target=pipe.write_bytes, args=(capture("v4-sha1").read_bytes(),)) for pipe in pipes]
    for writer in writers:
        writer.start()
    code, out, _ = keyroll(*pipes, "--keys", keys("v4-sha1"))
    for writer in writers:
        writer.join()
    assert code == 0
    assert out.count("49 good, 0 bad") == 2


CONFIG = """\
system {{ host-name {name}; }}
interfaces {{ ge-0/0/0 {{ unit 0 {{ family inet {{ address 10.7.1.{near}/24; }} }} }} }}
protocols {{ bgp {{ group g {{ neighbor 10.7.1.{far} {{
    authentication-algorithm ao;
    authentication-key-chain c;
}} }} }} }}
security {{ authentication-key-chains {{ key-chain c {{
    key 0 {{ secret "kernel-ao-key-one"; start-time "2026-1-1.00:00:00 +0000"; algorithm ao;
        ao-attribute {{ send-id 1{near}; recv-id 1{far}; tcp-ao-option enabled; }} }}
    key 1 {{ secret "{second}"; start-time "{start}"; algorithm ao;
        ao-attribute {{ send-id 2{near}; recv-id 2{far}; tcp-ao-option enabled; }} }}
}} }} }}
"""
SECOND = bytes.fromhex("6b65726e656c2d616f206b65792074776f2c207468697274792d74776f20627974").decode()


@pytest.fixture
def configs(tmp_path: Path) -> Callable[..., list[str | Path]]:
    def write(
        *, second: str = SECOND, second_there: str = SECOND, start: str = "2026-11-23.23:30:00 +0000"
    ) -> list[str | Path]:
        paths: list[str | Path] = []
        for name, near, far, secret in (("R1", 1, 2, second), ("R2", 2, 1, second_there)):
            path = tmp_path / f"{name}.conf"
            path.write_text(CONFIG.format(name=name, near=near, far=far, second=secret, start=start))
            paths += ["--config", path]
        return paths

    return write


def test_two_configurations_serve_as_keys(
    keyroll: Callable[..., tuple[int, str, str]], configs: Callable[..., list[str | Path]]
) -> None:
    code, out, _ = keyroll(capture("v4-sha1"), *configs())
    assert code == 0
    assert "(R1 to R2)" in out
    assert "key 1" in out


def test_a_receiver_with_another_secret_would_drop_the_segments(
    keyroll: Callable[..., tuple[int, str, str]], configs: Callable[..., list[str | Path]]
) -> None:
    code, out, _ = keyroll(capture("v4-sha1"), *configs(second_there="something else"))
    assert code == 1
    assert out.count("refused. R1's key 1 signed it; under R2's key 1 the MAC is another: the secrets differ") == 11
    assert "something else" not in out


def test_key_windows_are_checked_unless_no_times_is_given(
    keyroll: Callable[..., tuple[int, str, str]], configs: Callable[..., list[str | Path]]
) -> None:
    arguments = configs(start="2026-11-24.12:00:00 +0000")
    code, out, _ = keyroll(capture("v4-sha1"), *arguments)
    assert code == 1
    assert "accepts key 1 only from 2026-11-24T11:00:00+00:00" in out
    assert "--clock-offset" in out
    assert keyroll(capture("v4-sha1"), *arguments, "--no-times")[0] == 0
    assert keyroll(capture("v4-sha1"), *arguments, "--receiving", "any")[0] == 0
    assert keyroll(capture("v4-sha1"), *arguments, "--clock-offset", 43200)[0] == 0


@pytest.mark.parametrize("how", [["--json"], ["--show", "0"], ["--annotate", "copy.pcapng"]])
def test_no_output_holds_a_secret(
    keyroll: Callable[..., tuple[int, str, str]],
    configs: Callable[..., list[str | Path]],
    wrong_keys: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    secrets = [SECOND, SECOND.encode().hex(), "kernel-ao-key-one", b"kernel-ao-key-one".hex(), "6b65726e656c"]
    texts = []
    for source in (["--keys", wrong_keys], configs(), configs(second="other", second_there="different")):
        texts += [str(part) for part in keyroll(capture("v4-sha1"), *source, *how)]
    if Path("copy.pcapng").exists():
        texts.append(Path("copy.pcapng").read_bytes().decode("latin-1"))
    search = Search(traffic_keys(capture("v4-sha1"), [b"kernel-ao-key-one", SECOND.encode()]))
    for text in texts:
        assert not any(secret in text for secret in secrets)
        assert not search.finds(text.encode("latin-1", "replace"))


def test_a_capture_can_be_a_pipe() -> None:
    command = "import sys; from keyroll.cli import main as cli; cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "verify", "/dev/stdin", "--keys", keys("v6-cmac")],
        input=gzip.compress(capture("v6-cmac").read_bytes()),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"48 good" in done.stdout


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Compares a file with one of 10 times its size, each read in a separate process."""
    octets = capture("sock-v4-sha1-noopts").read_bytes()
    peaks = []
    for times in (20, 200):
        path = tmp_path / f"{times}.pcap"
        path.write_bytes(octets[:24] + octets[24:] * times)
        code = (
            "import sys; from keyroll.cli import main as cli\n"
            "try: cli.main()\n"
            "finally: print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "verify", path, "--keys", keys("sock-v4-sha1-noopts")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] < peaks[0] + 3000  # KiB


def test_a_capture_written_by_a_juniper_router_is_read(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "router.pcap"
    frames = [b"MGC\x83\x00\x00\x02\0\0\0" + packet.data[14:] for packet in read_packets(capture("v4-sha1"))]
    records = (struct.pack("<IIII", number, 0, len(frame), len(frame)) + frame for number, frame in enumerate(frames))
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 178) + b"".join(records))
    code, out, _ = keyroll(path, "--keys", keys("v4-sha1"))
    assert code == 0
    assert "49 good, 0 bad, 0 could not be judged." in out


@pytest.mark.parametrize("piped", ["capture", "keys"])
def test_a_dash_is_standard_input(piped: str) -> None:
    arguments: list[str | Path]
    arguments = [capture("v4-sha1"), "--keys", "-"] if piped == "keys" else ["-", "--keys", keys("v4-sha1")]
    octets = keys("v4-sha1").read_bytes() if piped == "keys" else capture("v4-sha1").read_bytes()
    command: list[str | Path] = [Path(sys.executable).with_name("keyroll"), "verify", *arguments]
    done = subprocess.run(command, input=octets, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"49 good, 0 bad" in done.stdout


def test_what_a_capture_cannot_show_is_reported_and_is_not_green(
    keyroll: Callable[..., tuple[int, str, str]], configs: Callable[..., list[str | Path]]
) -> None:
    arguments = configs()
    with Path(arguments[1]).open("a") as file:
        file.write("protocols { bgp { group g { dynamic-neighbor d { peer-auto-discovery { interface ge-0/0/1.0; } }\n")
        file.write("authentication-algorithm ao; authentication-key-chain c; } } }\n")
    code, out, _ = keyroll(capture("v4-sha1"), *arguments)
    assert code == 2
    assert "49 good, 0 bad, 0 could not be judged" in out
    assert "discovered peers of g, protected with TCP-AO: the peer is discovered" in out
    code, out, _ = keyroll(capture("v4-sha1"), *arguments, "--json")
    assert (code, json.loads(out)["exit_code"]) == (2, 2)
    assert "discovered peers of g" in json.loads(out)["notes"][0]


def test_verify_imports_no_heavy_package() -> None:
    program = (
        "import sys; from keyroll.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'netmiko', 'paramiko', 'asyncssh', 'scapy', 'textfsm', 'pytest', 'pydantic'}\n"
        "print(sorted(heavy.intersection(sys.modules)), code, file=sys.stderr)\n"
    )
    command: list[str | Path] = [sys.executable, "-c", program, "verify", capture("v4-sha1"), "--keys", keys("v4-sha1")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == "[] 0\n"


def test_all_offending_packets_are_shown_from_disk(
    keyroll: Callable[..., tuple[int, str, str]], wrong_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text about many packets does not fill the memory: above a limit it goes to a temporary file."""
    arguments = (capture("v4-sha1"), "--keys", wrong_keys)
    monkeypatch.setattr("keyroll.capture.verify.report._SPOOLED_MAX", 100)
    few = keyroll(*arguments, "--show", 0)
    assert few[1].count("    packet ") == 24
    monkeypatch.setattr("keyroll.capture.verify.report._SPOOLED_MAX", 1 << 20)
    assert few == keyroll(*arguments, "--show", 0)
