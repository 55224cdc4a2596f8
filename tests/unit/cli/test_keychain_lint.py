"""`keyroll keychain lint` on configurations as people have them: it is never wrong to say that all is good."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

KEY = """\
set security authentication-key-chains key-chain PEERING key 4 secret {secret}
set security authentication-key-chains key-chain PEERING key 4 start-time "2025-2-1.03:00:00 +0100"
set security authentication-key-chains key-chain PEERING key 4 algorithm ao
set security authentication-key-chains key-chain PEERING key 4 ao-attribute send-id 4
set security authentication-key-chains key-chain PEERING key 4 ao-attribute recv-id 4
set security authentication-key-chains key-chain PEERING key 4 ao-attribute tcp-ao-option enabled
"""
SOUND = KEY.format(secret="plainWords")
SESSION = """\
set interfaces xe-0/1/0 unit 0 family inet address 203.0.113.1/28
set protocols bgp group ix authentication-algorithm ao
set protocols bgp group ix authentication-key-chain PEERING
set protocols bgp group ix neighbor 203.0.113.2 peer-as 64510
"""
PEER = SESSION.replace("203.0.113.1/28", "203.0.113.2/28").replace("neighbor 203.0.113.2", "neighbor 203.0.113.1")


@pytest.fixture
def lint(
    monkeypatch: pytest.MonkeyPatch, command_line: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """Lint texts; returns the exit code and the output."""
    monkeypatch.chdir(tmp_path)

    def run(*texts: str, options: tuple[str, ...] | list[str] = ()) -> tuple[int, str]:
        paths = [f"r{number}.conf" for number, _ in enumerate(texts, 1)]
        for path, text in zip(paths, texts, strict=True):
            (tmp_path / path).write_text(text)
        code, out, err = command_line("keychain", "lint", *paths, *options)
        return code, out + err

    return run


def test_a_correct_configuration_exits_with_0(lint: Callable[..., tuple[int, str]]) -> None:
    assert lint(SOUND + SESSION) == (0, "judged: key-chain PEERING of r1.conf\nnothing found\n")


@pytest.mark.parametrize(
    "secret",
    [
        '"<REMOVED>"',
        "<removed>",
        "<secret hidden>",
        "/* SECRET-DATA */",
        "/* ACCESS-DENIED */",
        '"$8$aes256-gcm$hmac-sha2-256$100$notreal"',
        "xxxxxxxx",
        '"***"',
        '""',
        "<secret>",
        "netconanRemoved7",
        '"$9$.m5Fn6A0Of3/O1RhKvaZUHkP1RhylVoaz3n/u0"',
        "SCRUBBED",
    ],
)
def test_a_placeholder_counts_as_an_unknown_secret(lint: Callable[..., tuple[int, str]], secret: str) -> None:
    text = KEY.format(secret=secret) + SESSION
    code, out = lint(text, text)
    assert code == 2
    assert "secrets not known, not compared" in out
    assert lint(text, text, options=["--without-secrets"])[0] == 0


def test_different_known_secrets_are_an_error_also_beside_unknown_ones(
    lint: Callable[..., tuple[int, str]],
) -> None:
    other = SOUND.replace("plainWords", "otherWords")
    more = KEY.format(secret="<removed>").replace("key 4 ", "key 5 ").replace("-id 4", "-id 5").replace("03:0", "04:0")
    code, out = lint(SOUND + more, other + more)
    assert code == 1
    assert "[secrets-differ]" in out
    assert "[secret-unknown]" in out


def test_what_is_unknown_of_one_chain_does_not_stop_the_judgement_of_another(
    lint: Callable[..., tuple[int, str]],
) -> None:
    isis = "set security authentication-key-chains key-chain AREA key 1 secret $8$x\n"
    isis += "set security authentication-key-chains key-chain AREA key 1 algorithm hmac-sha-1\n"
    assert lint(isis + SOUND, options=["--chain", "PEERING"])[0] == 0
    assert lint(isis + SOUND)[0] == 0
    assert lint(isis + SOUND, options=["--chain", "AREA"])[0] == 1


def test_lines_below_a_banner_are_relative_to_it(lint: Callable[..., tuple[int, str]]) -> None:
    text = SOUND + (
        "\n[edit security authentication-key-chains key-chain PEERING]\n"
        "ops@edge# set key 6 secret second start-time 2026-11-01.02:00 algorithm ao\n"
        "\n[edit security authentication-key-chains key-chain PEERING]\n"
        "ops@edge# set key 6 ao-attribute send-id 4 recv-id 4\n"
    )
    code, out = lint(text)
    assert code == 1
    assert "[duplicate-send-id]" in out
    assert "key 6: tcp-ao-option is not set" in out


@pytest.mark.parametrize(
    "text",
    [
        "show configuration | no-more\n{}",
        "\n\nshow configuration | display set | no-more\n{}",
        "ops@edge> show configuration | display set | no-more \n{}\nops@edge> \n",
        "[edit]\n{}",
        "system {{\n    login {{ /* OMITTED */ }};\n}}\n{}",
    ],
)
def test_terminal_output_around_a_configuration_is_ignored(lint: Callable[..., tuple[int, str]], text: str) -> None:
    assert lint(text.format(SOUND + SESSION)) == (0, "judged: key-chain PEERING of r1.conf\nnothing found\n")


def test_a_pager_line_does_not_hide_the_line_after_it(lint: Callable[..., tuple[int, str]]) -> None:
    lines = (SOUND + SESSION).splitlines(keepends=True)
    for number in range(1, len(lines)):
        text = "".join([*lines[:number], "---(more 12%)---\r              \r", *lines[number:]])
        assert lint(text)[0] == 0


def test_a_statement_that_the_router_ignores_is_not_green(lint: Callable[..., tuple[int, str]]) -> None:
    text = """
    security { authentication-key-chains { key-chain PEERING { key 4 {
        secret plainWords; start-time "2025-2-1.03:00:00 +0100"; algorithm ao;
        ao-attribute { send-id 4; recv-id 4; tcp-ao-option enabled; } } } } }
    protocols { bgp { group ix {
        authentication-algorithm ao;
        ##
        ## Warning: statement ignored: unsupported platform (qfx5120-48y)
        ##
        authentication-key-chain PEERING;
        neighbor 203.0.113.2; } } }
    """
    code, out = lint(text)
    assert code == 2
    assert "unsupported platform" in out


def test_a_whole_configuration_is_checked_for_how_sessions_use_chains(lint: Callable[..., tuple[int, str]]) -> None:
    ao = "set protocols bgp group ix authentication-algorithm ao\n"
    for text, rule, code in (
        (SOUND + SESSION.replace(ao, ""), "authentication-algorithm-not-ao", 1),
        (SOUND.replace("PEERING", "RETIRED") + SESSION, "chain-not-defined", 1),
        (SOUND.replace("PEERING", "RETIRED") + SOUND + SESSION, "chain-not-used", 0),
        (SOUND + SESSION + "set protocols bgp group ix authentication-key words\n", "md5-beside-chain", 1),
        (
            SOUND + SESSION + "set protocols bgp group ix tcpao-auth-mismatch allow-without-tcpao\n",
            "allow-without-tcpao",
            0,
        ),
        (
            SOUND + SESSION.replace("set protocols bgp group ix authentication-key-chain PEERING\n", ""),
            "chain-missing",
            1,
        ),
        (SESSION, "chain-not-defined", 1),
    ):
        found, out = lint(text)
        assert (found, f"[{rule}]" in out) == (code, True), rule


def test_a_chain_that_another_protocol_uses_is_used(lint: Callable[..., tuple[int, str]]) -> None:
    isis = "set protocols isis interface lo0.0 level 2 hello-authentication-key-chain PEERING\n"
    assert "[chain-not-used]" not in lint(SOUND + SESSION.replace("PEERING", "OTHER") + isis)[1]


def test_chains_with_different_names_are_paired_by_their_session(lint: Callable[..., tuple[int, str]]) -> None:
    code, out = lint(SOUND + SESSION, (SOUND + PEER).replace("PEERING", "TO-WEST") + SOUND)
    assert code == 0
    assert "judged: key-chain PEERING of r1.conf with key-chain TO-WEST of r2.conf" in out
    assert "not paired: key-chain PEERING of r2.conf" in out


def test_one_end_without_its_chain_is_an_error(lint: Callable[..., tuple[int, str]]) -> None:
    bare = "".join(line for line in PEER.splitlines(keepends=True) if "authentication" not in line)
    code, out = lint(SOUND + SESSION, SOUND + bare)
    assert code == 1
    assert "[chain-on-one-end]" in out


def test_a_key_in_use_for_longer_than_allowed_is_a_finding(lint: Callable[..., tuple[int, str]]) -> None:
    at = ("--at", "2025-09-01T00:00Z")
    code, out = lint(SOUND, options=["--max-age", "180d", *at])
    assert (code, "[key-too-old]" in out) == (0, True)
    assert "[key-too-old]" not in lint(SOUND, options=["--max-age", "300d", *at])[1]
    assert "[key-too-old]" not in lint(SOUND, options=at)[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("authentication-algorithm ao", "authentication-algorithm aoo"),
        ("authentication-key-chain PEERING", "authentication-keychain PEERING"),
        ("group ix neighbor", "group ix neihbor"),
        ("key 4 algorithm ao", "key 4 algorithm"),
        ("ao-attribute send-id 4", "ao-attribute send-id four"),
        ("ao-attribute recv-id 4", "ao-attribute recv-id 400"),
        ("ao-attribute tcp-ao-option enabled", "ao-attribute tcp-ao-option enable"),
        ("2025-2-1.03:00:00", "2025-22-1.03:00:00"),
        ("set protocols bgp group ix authentication-algorithm", "set protcols bgp group ix authentication-algorithm"),
        ("key 4 secret", "key\u00a04 secret"),
    ],
)
def test_a_damaged_line_is_never_green(lint: Callable[..., tuple[int, str]], old: str, new: str) -> None:
    text = SOUND + SESSION
    assert old in text
    code, out = lint(text.replace(old, new, 1))
    assert code != 0
    assert "plainWords" not in out


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("key-chains key-chain", "key-chains key-chian"),
        ("authentication-key-chains", "authentication-keychains"),
        ("set security", "set securty"),
    ],
)
def test_a_chain_that_damaged_lines_may_define_is_not_reported_as_undefined(
    lint: Callable[..., tuple[int, str]], old: str, new: str
) -> None:
    code, out = lint(SOUND.replace(old, new) + SESSION)
    assert (code, "not defined" in out) == (2, False)
    assert lint(SESSION)[0] == 1


def test_unknown_values_are_listed_in_the_json(lint: Callable[..., tuple[int, str]]) -> None:
    code, out = lint(KEY.format(secret="<removed>") + SESSION, options=["--json"])
    said = json.loads(out)
    assert (code, said["ok"]) == (2, False)
    assert said["unknown"][0]["kind"] == "secret-unknown"
    assert (said["unknown"][0]["file"], said["unknown"][0]["line"]) == ("r1.conf", 1)


def test_start_times_that_name_no_zone_are_in_the_routers_own_zone(lint: Callable[..., tuple[int, str]]) -> None:
    local = SOUND.replace(' +0100"', '"') + SESSION
    berlin, utc = "set system time-zone Europe/Berlin\n", "set system time-zone UTC\n"
    peer = SOUND.replace("2025-2-1.03:00:00 +0100", "2025-2-1.02:00:00 +0000") + PEER
    assert lint(local + berlin, peer)[0] == 0
    assert "1 h apart" in lint(local + utc, peer)[1]
    code, out = lint(local + "set system time-zone Mars/Olympus\n", peer)[:2]
    assert code == 2
    assert "time-zone Mars/Olympus is not known here" in out
    assert "unknown elsewhere" not in out


@pytest.mark.parametrize("statement", ["secret plainWords", 'start-time "2025-2-1.03:00:00 +0100"'])
def test_a_statement_of_a_key_whose_value_is_deactivated_is_missing(
    lint: Callable[..., tuple[int, str]], statement: str
) -> None:
    key = (
        'secret plainWords; start-time "2025-2-1.03:00:00 +0100"; algorithm ao; '
        "ao-attribute { send-id 4; recv-id 4; tcp-ao-option enabled; }"
    )
    text = f"security {{ authentication-key-chains {{ key-chain PEERING {{ key 4 {{ {key} }} }} }} }}\n"
    assert lint(text)[0] == 0
    code, out = lint(text.replace(statement, f"inactive: {statement}"))
    assert (code, "incomplete-key" in out) == (1, True)
