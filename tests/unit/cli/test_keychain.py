import json
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.unit.curly_text import curly
from tests.unit.known import known

from keyroll.configuration import read
from keyroll.keychain.generate import draw_secret
from keyroll.keychain.model import Keychain


def parse(text: str) -> list[Keychain]:
    return [chain.keychain for chain in read(text, "x").main.chains]


GENERATE = ("generate", "--start", "2030-01-01T00:00Z")


@pytest.fixture
def keyroll(
    monkeypatch: pytest.MonkeyPatch, command_line: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run `keyroll keychain …` in a temporary folder; returns exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    return partial(command_line, "keychain")


def test_generate_writes_two_mirrored_set_files_that_only_their_owner_reads(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, err = keyroll(*GENERATE, "--seed", "7", "--out", "plan", "--count", "3")
    assert (code, err) == (0, "")
    chains = []
    for router in ("R1", "R2"):
        path = tmp_path / "plan" / f"{router}.set"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        chains += parse(path.read_text())
        assert str(path.relative_to(tmp_path)) in out
    assert chains[0].mirrored() == chains[1]
    assert len(chains[0].keys) == 3
    secret = draw_secret("7", "new_auth_key key 0")
    assert chains[0].keys[0].secret == secret
    assert secret.reveal_text() not in out


def test_the_same_seed_writes_the_same_bytes_and_without_a_seed_they_differ(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    for out, seed in (("a", ("--seed", "7")), ("b", ("--seed", "7")), ("c", ()), ("d", ())):
        assert keyroll(*GENERATE, "--out", out, *seed)[0] == 0
    a, b, c, d = ((tmp_path / name / "R1.set").read_bytes() for name in "abcd")
    assert a == b
    assert len({a, c, d}) == 3


def test_existing_files_are_not_overwritten_without_force(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    assert keyroll(*GENERATE)[0] == 0
    before = (tmp_path / "R1.set").read_bytes()
    (tmp_path / "R1.set").unlink()
    code, _, err = keyroll(*GENERATE)
    assert code == 2
    assert "R2.set already exists (--force" in err
    assert not (tmp_path / "R1.set").exists()
    (tmp_path / "R2.set").chmod(0o644)
    assert keyroll(*GENERATE, "--force")[0] == 0
    assert (tmp_path / "R1.set").read_bytes() != before
    assert stat.S_IMODE((tmp_path / "R2.set").stat().st_mode) == 0o600


def test_a_symbolic_link_is_never_followed_and_only_force_replaces_it(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "R1.set").symlink_to("elsewhere")
    assert keyroll(*GENERATE)[0] == 2
    assert keyroll(*GENERATE, "--force")[0] == 0
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "R1.set").is_symlink()


def test_generate_prints_json_without_secrets(keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    mix = ("--algorithm", "hmac-sha-1-96", "--algorithm", "aes-128-cmac-96")
    code, out, _ = keyroll(*GENERATE, "--json", *mix, "--interval", "20m", "--zone", "Europe/Berlin")
    assert code == 0
    made = json.loads(out)
    assert made["files"] == {"R1": "R1.set", "R2": "R2.set"}
    assert [key["algorithm"] for key in made["keys"]] == ["hmac-sha-1-96", "aes-128-cmac-96"]
    assert made["keys"][1]["start"] == "2030-01-01T01:20:00+01:00"
    assert {finding["rule"] for finding in made["findings"]} == {"close-start-times"}
    assert '"2030-1-1.01:20:00 +0100"' in (tmp_path / "R1.set").read_text()
    secrets = [known(key.secret).reveal_text() for key in parse((tmp_path / "R1.set").read_text())[0].keys]
    assert not any(secret in out for secret in secrets)


def test_secrets_can_be_written_encoded(keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    assert keyroll(*GENERATE, "--seed", "7", "--encoded")[0] == 0
    text = (tmp_path / "R1.set").read_text()
    assert draw_secret("7", "new_auth_key key 0").reveal_text() not in text
    assert parse(text)[0].keys[0].secret == draw_secret("7", "new_auth_key key 0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate",), "Missing option '--start'"),
        (("generate", "--start", "soon"), "--start: invalid start-time 'soon'"),
        (("generate", "--start", "2026-25-2.14:25"), "month must be in 1..12"),
        (("generate", "--start", "2026-01-01T00:00:00.5Z"), "fractions"),
        (("generate", "--start", "2026-03-29T02:30", "--zone", "Europe/Berlin"), "does not exist"),
        ((*GENERATE, "--zone", "Mars"), "invalid time zone 'Mars'"),
        ((*GENERATE, "--zone", "../etc"), "invalid time zone"),
        ((*GENERATE, "--interval", "soon"), "--interval: should be a duration"),
        ((*GENERATE, "--interval", "0s"), "more than zero"),
        ((*GENERATE, "--count", "65"), "65 is not in the range"),
        ((*GENERATE, "--name", "a b"), "no spaces"),
        ((*GENERATE, "--name", "a\nb"), "control characters"),
        ((*GENERATE, "--secret-length", "127"), "127 is not in the range"),
        ((*GENERATE, "--out", "/dev/null/x"), "cannot be written"),
        (("lint", "nowhere"), "nowhere: cannot be read: No such file"),
        (("lint", "."), "this is a directory (give its files: ./*)"),
        (("lint", "-", "-"), "only one of R1 and R2"),
        (("lint", "x", "--at", "later"), "--at: invalid start-time 'later'"),
        (("lint", "x", "--chain", "a", "--chain", "b"), "given 2 times for 1 file"),
    ],
)
def test_a_bad_argument_is_named_with_exit_code_2(
    keyroll: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = keyroll(*arguments)
    assert code == 2
    assert message in err
    assert out == ""


@pytest.fixture
def plan(keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path) -> Path:
    """A folder with R1.set and R2.set of a correct plan, seed 7."""
    keyroll(*GENERATE, "--seed", "7")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.usefixtures("plan")
def test_a_correct_plan_has_no_findings(keyroll: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = keyroll("lint", "R1.set", "R2.set", "--at", "2030-01-01T00:00Z")
    assert code == 0
    assert out.splitlines() == [
        "judged: key-chain new_auth_key of R1.set with key-chain new_auth_key of R2.set",
        "nothing found",
    ]


def test_errors_exit_with_1_and_name_place_rule_and_source(
    keyroll: Callable[..., tuple[int, str, str]], plan: Path
) -> None:
    edit(plan / "R2.set", "key 1 ao-attribute send-id 4", "key 1 ao-attribute send-id 5")
    code, out, _ = keyroll("lint", "R1.set", "R2.set")
    assert code == 1
    assert out.splitlines()[0].startswith("R2.set:11: error: key 1 of R1.set and key 1 of R2.set: send-id 3")
    assert "[ids-not-reversed]" in out
    assert "Juniper, authentication-key-chains (TCP-AO), recv-id" in out
    assert out.splitlines()[-1] == "1 error"


def test_warnings_and_advice_exit_with_0(keyroll: Callable[..., tuple[int, str, str]], plan: Path) -> None:
    edit(plan / "R1.set", "00:30:00", "00:29:00")
    code, out, _ = keyroll("lint", "R1.set")
    assert code == 0
    assert out.splitlines()[-1] == "1 advice"


def test_findings_are_printed_as_json(keyroll: Callable[..., tuple[int, str, str]], plan: Path) -> None:
    edit(plan / "R1.set", "tcp-ao-option enabled", "tcp-ao-option disabled")
    code, out, _ = keyroll("lint", "R1.set", "R2.set", "--json")
    said = json.loads(out)
    assert code == 1
    assert said["ok"] is False
    assert said["counts"] == {"error": 4, "warning": 0, "advice": 0}
    assert said["judged"][0][1] == {"file": "R2.set", "chain": "new_auth_key"}
    first = said["findings"][0]
    assert (first["rule"], first["severity"], first["file"], first["line"], first["keys"]) == (
        "option-not-enabled", "error", "R1.set", 6, [0],
    )  # fmt: skip
    assert first["source"].startswith("Juniper")


def test_the_curly_form_and_standard_input_are_read(
    keyroll: Callable[..., tuple[int, str, str]], plan: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chain = parse((plan / "R2.set").read_text())
    (tmp_path / "stdin").write_text(curly(chain))
    with (tmp_path / "stdin").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        code, out, _ = keyroll("lint", "R1.set", "-")
    assert code == 0
    assert "key-chain new_auth_key of standard input" in out


def test_only_the_tcp_ao_chains_of_a_configuration_are_judged(
    keyroll: Callable[..., tuple[int, str, str]], plan: Path
) -> None:
    with (plan / "R1.set").open("a") as file:
        file.write("set security authentication-key-chains key-chain ospf key 0 secret abc\n")
    assert keyroll("lint", "R1.set", "R2.set")[0] == 0
    code, out, _ = keyroll("lint", "R1.set", "--chain", "ospf")
    assert code == 1
    assert "[algorithm-not-ao]" in out


def test_chains_are_paired_by_name_and_one_without_a_counterpart_is_reported(
    keyroll: Callable[..., tuple[int, str, str]], plan: Path
) -> None:
    extra = "".join(
        line.replace("new_auth_key", "second") for line in (plan / "R1.set").read_text().splitlines(keepends=True)
    )
    with (plan / "R1.set").open("a") as file:
        file.write(extra)
    code, out, _ = keyroll("lint", "R1.set", "R2.set")
    assert code == 0
    assert "judged: key-chain new_auth_key of R1.set with key-chain new_auth_key of R2.set" in out
    assert "not paired: key-chain second of R1.set has no counterpart in the other file" in out
    assert keyroll("lint", "R1.set", "R2.set", "--chain", "second", "--chain", "new_auth_key")[0] == 0
    assert keyroll("lint", "R1.set", "R2.set", "--chain", "new_auth_key")[0] == 0
    code, _, err = keyroll("lint", "R1.set", "--chain", "third")
    assert code == 2
    assert "R1.set has no key-chain 'third'; it has: new_auth_key, second" in err


def test_ambiguous_pairs_of_chains_are_an_error_that_asks_for_the_pairing(
    keyroll: Callable[..., tuple[int, str, str]], plan: Path
) -> None:
    for name in ("one", "two"):
        text = (plan / "R1.set").read_text()
        with (plan / "R1.set").open("a") as file:
            file.write(text.replace("new_auth_key", name))
    edit(plan / "R2.set", "new_auth_key", "other")
    code, _, err = keyroll("lint", "R1.set", "R2.set")
    assert code == 2
    assert "R1.set has new_auth_key, one, two; R2.set has other (use --chain twice" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "set security authentication-key-chains key-chain c key 0 secret hunter2 hunter2\n",
            "R1.set:1: unknown: this is not a statement of key",
        ),
        ("key-chain c { key 0 { secret hunter2; }", "R1.set:1: unknown: this brace is never closed"),
    ],
)
def test_a_chain_that_is_not_fully_understood_exits_with_2_and_shows_no_secret(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "R1.set").write_text(text)
    code, out, err = keyroll("lint", "R1.set")
    assert code == 2
    assert message in out
    assert "hunter2" not in out + err


def test_more_than_64_keys_is_a_finding(keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    head = "set security authentication-key-chains key-chain c key"
    (tmp_path / "R1.set").write_text("".join(f"{head} {number} secret s\n" for number in range(65)))
    code, out, _ = keyroll("lint", "R1.set")
    assert code == 1
    assert "[too-many-keys]" in out


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"", "holds no key-chain"),
        (b"set system host-name R1\n", "holds no key-chain"),
        (b"\x7fELF\x00\x01", "NUL"),
        (b"set x\n\xff\xfe", "R1.set:2: this is not a text file in UTF-8"),
    ],
)
def test_an_unreadable_file_exits_with_2_and_shows_no_secret(
    keyroll: Callable[..., tuple[int, str, str]], tmp_path: Path, octets: bytes, message: str
) -> None:
    (tmp_path / "R1.set").write_bytes(octets)
    code, out, err = keyroll("lint", "R1.set")
    assert code == 2
    assert message in err
    assert out == ""
    assert "hunter2" not in err
