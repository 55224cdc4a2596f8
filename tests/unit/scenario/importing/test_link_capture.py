"""`import --capture`: segments of a real link are judged, and the file says which keys were seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.capture.conftest import make_key, make_talk, pcap_octets

from keyroll.cli.main import keyroll
from keyroll.keychain.model import Keychain
from keyroll.scenario.file.read import read_cases

BEFORE, ROLLED = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 15, tzinfo=UTC)
STARTS = "2026-11-1.00:00:00 +0000", "2027-1-15.00:00:00 +0000"


def configuration(name: str, own: str, peer: str, *, mirrored: bool, secrets: tuple[str, str]) -> str:
    lines = [
        f"set system host-name {name}",
        f"set interfaces ge-0/0/0 unit 0 family inet address {own}/30",
        f"set protocols bgp group peers neighbor {peer} peer-as 64501",
        f"set protocols bgp group peers neighbor {peer} authentication-algorithm ao",
        f"set protocols bgp group peers neighbor {peer} authentication-key-chain kc",
    ]
    for number, (start, secret) in enumerate(zip(STARTS, secrets, strict=True)):
        ids = (2 * number + 1, 2 * number + 2)
        send, recv = reversed(ids) if mirrored else ids
        head = f"set security authentication-key-chains key-chain kc key {number}"
        lines += [f'{head} secret "{secret}"', f'{head} start-time "{start}"', f"{head} algorithm ao"]
        lines += [f"{head} ao-attribute {word}" for word in (f"send-id {send}", f"recv-id {recv}")]
        lines.append(f"{head} ao-attribute tcp-ao-option enabled")
    return "\n".join(lines) + "\n"


def link(*, keys: tuple[str, str] = ("first-secret", "second-secret")) -> bytes:
    """Return a capture of a session that comes up with key 0, and changes to key 1 at its start-time."""
    chain = Keychain("kc", tuple(make_key(number, secret=secret) for number, secret in enumerate(keys)))
    talk = make_talk(chain=chain)
    talk.near.address, talk.far.address = "10.9.0.1", "10.9.0.2"
    talk.time_ns = int(BEFORE.timestamp()) * 10**9
    talk.open().exchange()
    talk.time_ns = int((ROLLED + timedelta(seconds=2)).timestamp()) * 10**9
    talk.exchange(key=1)
    return bytes(pcap_octets(talk.packets))


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., tuple[Result, str]]:
    def run(capture: bytes, *, secrets: tuple[str, str] = ("first-secret", "second-secret")) -> tuple[Result, str]:
        (tmp_path / "lion.conf").write_text(
            configuration("lion", "10.9.0.1", "10.9.0.2", mirrored=False, secrets=secrets)
        )
        (tmp_path / "tiger.conf").write_text(
            configuration("tiger", "10.9.0.2", "10.9.0.1", mirrored=True, secrets=secrets)
        )
        (tmp_path / "link.pcap").write_bytes(capture)
        names = [str(tmp_path / name) for name in ("lion.conf", "tiger.conf")]
        words = ["--at", "2026-12-01T00:00Z", "--capture", str(tmp_path / "link.pcap"), "-o", str(tmp_path / "c.yaml")]
        result = CliRunner().invoke(keyroll, ["import", *names, *words], standalone_mode=False)
        return result, (tmp_path / "c.yaml").read_text() if (tmp_path / "c.yaml").exists() else ""

    return run


def test_the_file_lists_the_keys_of_the_capture_in_their_order(
    imported: Callable[..., tuple[Result, str]], tmp_path: Path
) -> None:
    result, text = imported(link())
    assert result.return_value == 0
    assert "9 protected segments are right, 0 wrong, 0 could not be judged" in text
    order = "key 0 from 2026-12-01T00:00:00.001000+00:00 (4 segments), then key 1 from 2027-01-15T00:00:02.001000+00:00"
    assert f"v4-link, R1 sends {order}" in text
    assert "v4-link, R2 sends key 0" in result.output
    assert not [word for word in ("10.9.", "lion", "tiger", "secret\n", "first-secret", "link.pcap") if word in text]
    (case,) = read_cases(tmp_path / "c.yaml")
    assert len(case.scenario.keychain.keys) == 2


def test_a_capture_with_wrong_segments_gives_exit_code_1_and_the_file_is_written(
    imported: Callable[..., tuple[Result, str]],
) -> None:
    result, text = imported(link(keys=("first-secret", "another-one")))
    assert result.return_value == 1
    assert "3 wrong" in text
    assert "bad-mac" in text


@pytest.mark.parametrize("secrets", [("<REMOVED>", "<REMOVED>"), ("first-secret", "<REMOVED>")])
def test_an_unknown_secret_leaves_the_capture_unjudged(
    imported: Callable[..., tuple[Result, str]], secrets: tuple[str, str]
) -> None:
    result, text = imported(link(), secrets=secrets)
    assert result.return_value == 2
    assert "0 wrong" in text
    assert "keys-unknown" in text


def test_a_truncated_capture_is_reported(
    imported: Callable[..., tuple[Result, str]],
) -> None:
    result, text = imported(link()[:-7])
    assert result.return_value == 2
    assert "capture 1 ends early" in text


def test_a_file_that_is_not_a_capture_is_an_input_error(imported: Callable[..., tuple[Result, str]]) -> None:
    result, text = imported(b"not a capture")
    assert type(result.exception).__name__ == "CaptureError"
    assert not text
