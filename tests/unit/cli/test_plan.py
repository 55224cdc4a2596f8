"""`keyroll plan` as a person uses it."""

from __future__ import annotations

import json
import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from keyroll.cli.main import keyroll
from keyroll.cli.plan_files import write_together
from keyroll.cli.plan_secrets import drawing
from keyroll.configuration import read
from keyroll.errors import ExitCode, InputError
from keyroll.instants import SYSTEM, until

CHAIN = """\
set system host-name {name}
set security authentication-key-chains key-chain kc key 0 secret "{secret}"
set security authentication-key-chains key-chain kc key 0 start-time "2026-11-1.00:00:00 +0000"
set security authentication-key-chains key-chain kc key 0 algorithm ao
set security authentication-key-chains key-chain kc key 0 ao-attribute send-id {send}
set security authentication-key-chains key-chain kc key 0 ao-attribute recv-id {recv}
set security authentication-key-chains key-chain kc key 0 ao-attribute tcp-ao-option enabled
"""
USUAL = ("--at", "2026-12-01T00:00Z", "--until", "2027-06-30", "--every", "90d")


@pytest.fixture
def configs(tmp_path: Path) -> list[str]:
    paths = []
    for name, ids in (("lion", (1, 2)), ("tiger", (2, 1))):
        path = tmp_path / f"{name}.conf"
        path.write_text(CHAIN.format(name=name, secret="sesame-sesame", send=ids[0], recv=ids[1]))
        paths.append(str(path))
    return paths


def plan(*words: str, ok: bool = True):
    result = CliRunner().invoke(keyroll, ["plan", *words], standalone_mode=False)
    if ok:
        assert result.exception is None, result.exception
    return result


def test_each_change_date_has_a_folder_with_a_file_and_a_way_back_for_each_router(configs, tmp_path):
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    names = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    routers = ["lion.rollback.set", "lion.set", "tiger.rollback.set", "tiger.set"]
    assert names == [f"{day}/{name}" for day in ("2027-01-23", "2027-04-23") for name in routers] + [
        "plan.json",
        "plan.md",
    ]


def test_secrets_are_in_the_set_files_alone_and_those_are_0600(configs, tmp_path):
    result = plan(*configs, *USUAL, "--seed", "7", "-o", str(tmp_path / "out"))
    (drawn,) = {
        line.split()[-1]
        for line in (tmp_path / "out" / "2027-01-23" / "lion.set").read_text().splitlines()
        if " secret " in line
    }
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix == ".set":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        elif path.is_file():
            assert drawn not in path.read_text()
            assert "sesame" not in path.read_text()
    assert drawn not in result.output


def test_set_files_and_their_way_back_lead_where_the_plan_says(configs, tmp_path):
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    held = read(Path(configs[0]).read_text(), "lion.conf")
    first = (tmp_path / "out" / "2027-01-23" / "lion.set").read_text()
    changed = read(first, "lion.set", base=held)
    assert [key.id for key in changed.main.chains[0].keychain.keys] == [0, 1]
    back = read((tmp_path / "out" / "2027-01-23" / "lion.rollback.set").read_text(), "back", base=changed)
    assert back.main.chains[0].keychain == held.main.chains[0].keychain


@pytest.mark.parametrize(("words", "code"), [((), ExitCode.UNFIT), (("--without-secrets",), ExitCode.OK)])
@pytest.mark.parametrize("asked", [USUAL, ("--at", "2026-12-01T00:00Z", "--emergency", "0")])
def test_redacted_configurations_are_planned_and_the_exit_code_says_that_secrets_are_not_known(
    configs, tmp_path, words, code, asked
):
    for path in configs:
        Path(path).write_text(Path(path).read_text().replace("sesame-sesame", "<REMOVED>"))
    result = plan(*configs, *asked, *words, "-o", str(tmp_path / "out"))
    assert result.return_value is code
    assert "the secrets of keys 0 are not known" in result.output
    assert (tmp_path / "out" / "plan.json").exists()


def test_a_plan_of_which_everything_is_known_ends_with_0(configs, tmp_path):
    assert plan(*configs, *USUAL, "-o", str(tmp_path / "out")).return_value is ExitCode.OK


def test_secrets_come_from_a_command_that_is_run_without_a_shell(configs, tmp_path):
    program = tmp_path / "vault.py"
    program.write_text("print('first-of-the-vault;$HOME'); print('second-of-the-vault', end='')")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"), "--secret-command", f"{sys.executable} {program}")
    assert '"first-of-the-vault;$HOME"' in (tmp_path / "out" / "2027-01-23" / "lion.set").read_text()


ENDLESS = "import sys\nwhile True: sys.stdout.write('sesame' * 999)"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("print('sesame'); raise SystemExit(3)", "ended with exit code 3"),
        ("import sys; sys.exit('sesame')", "ended with exit code 1"),
        ("pass", "fewer secrets than the plan needs"),
        ("print('sesame-1')", "fewer secrets than the plan needs"),
        ("print('sesame-1'); print()", "line 2 is not a secret: it is empty"),
        ("print('sesame-1'); print('open sesame')", "line 2 is not a secret: it has a blank"),
        ("print('sesame-1\\tx')", "line 1 is not a secret: it has a blank"),
        ("print('sesame\\u2028sesame')", "line 1 is not a secret: it has a blank"),
        ("print('sesame\\x00')", "line 1 is not a secret: it has a control character"),
        ("print('sesame' * 30)", "line 1 is not a secret: it is longer than 126 octets"),
        ("print('sesame-1'); print('sesame-1')", "line 2 repeats line 1"),
        ("import sys; sys.stdout.buffer.write(b'sesame\\xff')", "not UTF-8"),
        (ENDLESS, "printed more than 1048576 octets"),
        ("print('sesame-sesame'); print('sesame-2')", "is that of key 0 of lion"),
    ],
)
def test_a_command_that_gives_no_secrets_is_named_without_what_it_printed(configs, tmp_path, program, words):
    (tmp_path / "vault.py").write_text(program)
    command = f"{sys.executable} {tmp_path / 'vault.py'}"
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), "--secret-command", command, ok=False)
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)
    assert "sesame" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    child = tmp_path / "child"
    program = tmp_path / "vault.py"
    program.write_text(
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(child)!r}, 'w').write(str(child.pid))\n"
        "print('sesame-1')\n"
    )
    draw = drawing(None, 20, f"{sys.executable} {program}", within=timedelta(seconds=3))
    with pytest.raises(InputError, match="did not end within 3 s") as caught:
        draw("kc")
    assert "sesame" not in str(caught.value)
    status = Path(f"/proc/{child.read_text()}/status")

    def is_gone() -> bool:
        try:
            return "State:\tZ" in status.read_text()
        except OSError:
            return True

    killed = timedelta(seconds=60)  # nothing but the machine's load lies between a SIGKILL and the end
    assert until(SYSTEM, is_gone, deadline=SYSTEM.now() + killed, poll=timedelta(milliseconds=20))


@pytest.mark.parametrize("command", ["", "'", "/does/not/exist"])
def test_a_command_that_cannot_be_run_is_named(configs, tmp_path, command):
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), "--secret-command", command, ok=False)
    assert isinstance(result.exception, InputError)
    assert "--secret-command" in str(result.exception)


def findings(folder: Path) -> list[dict[str, object]]:
    return list(json.loads((folder / "plan.json").read_text())["findings"])


def test_secrets_that_are_not_known_are_data_too(configs, tmp_path):
    append(configs[0], f"set {PATH} key 0 secret <REMOVED>\n")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    (finding,) = [one for one in findings(tmp_path / "out") if one["about"] == "secrets-unknown"]
    assert (finding["router"], finding["keys"], finding["severity"]) == ("lion", [0], "unknown")


def test_until_when_a_leaked_key_is_accepted_is_data_too(configs, tmp_path):
    plan(*configs, *USUAL[:2], "--emergency", "0", "-o", str(tmp_path / "out"))
    leaked = [one for one in findings(tmp_path / "out") if one["about"] == "leaked-key"]
    assert [(one["router"], one["receiving"], one["ended-by"]) for one in leaked] == [
        (router, receiving, "deletion") for router in ("lion", "tiger") for receiving in ("tolerance", "any")
    ]
    assert {one["accepted-until"] for one in leaked} == {"2026-12-01T00:32:00+00:00"}, "both commits and the pause"


def test_no_line_of_the_plan_is_longer_than_eighty_columns(sessions, tmp_path):
    append(sessions[0], "set protocols bgp group g neighbor 198.51.100.7\n")
    result = plan(*sessions, *USUAL, "--quarantine", "1d", "-o", str(tmp_path / "out"))
    text = (tmp_path / "out" / "plan.md").read_text()
    assert max(map(len, text.splitlines())) <= 80
    assert text in result.output
    assert "`load set 2027-01-23/lion.set`, `show | compare`, `commit check`" in text


def test_a_start_time_is_written_in_the_routers_own_zone_unless_another_is_asked_for(configs, tmp_path):
    append(configs[0], "set system time-zone Europe/Berlin\n")
    append(configs[1], "set system time-zone Europe/Berlin\n")
    plan(*configs, *USUAL, "--zone", "tiger=Asia/Kolkata", "-o", str(tmp_path / "out"))
    day = tmp_path / "out" / "2027-01-23"
    assert 'start-time "2027-1-30.01:00:00 +0100"' in (day / "lion.set").read_text()
    assert 'start-time "2027-1-30.05:30:00 +0530"' in (day / "tiger.set").read_text()


def test_an_hour_that_occurs_twice_is_said_with_its_offset(configs, tmp_path):
    append(configs[0], "set system time-zone Europe/Berlin\n")
    words = ("--at", "2027-10-30T00:00Z", "--until", "2027-10-31T02:00Z", "--every", "365d", "--max-age", "365d")
    for path in configs:
        text = Path(path).read_text()
        Path(path).write_text(text.replace("2026-11-1.00:00:00", "2026-10-31.01:30:00"))
    result = plan(*configs, *words, "-o", str(tmp_path / "out"))
    (finding,) = [one for one in findings(tmp_path / "out") if one["about"] == "hour-occurs-twice"]
    assert (finding["router"], finding["keys"]) == ("lion", [1])
    assert "takes over at 2027-10-31 02:30:00 +0100" in " ".join(result.output.split())
    (day,) = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert 'start-time "2027-10-31.02:30:00 +0100"' in (day / "lion.set").read_text()


def test_history_makes_the_quarantine_exact(configs, tmp_path):
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    data = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert [(gone["router"], gone["key"]) for gone in data["retired"]] == [("lion", 0), ("tiger", 0)]
    again = plan(
        *configs,
        *USUAL,
        "-o",
        str(tmp_path / "two"),
        "--history",
        str(tmp_path / "out" / "plan.json"),
        "--quarantine",
        "1d",
    )
    assert "is not known before" not in again.output


def test_a_new_chain_needs_no_configuration(tmp_path):
    result = plan("--new", "R1,R2", *USUAL, "-o", str(tmp_path / "out"))
    assert "the chain is new" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--until", "2027-06-30"), "needs --until and --every"),
        ((*USUAL, "--chain", "other"), "which key-chain is to be planned"),
        ((*USUAL, "--zone", "nobody=UTC"), "no router is named nobody"),
        ((*USUAL, "--algorithm", "rot13"), "no algorithm 'rot13'"),
    ],
)
def test_wrong_input_is_named(configs, words, message):
    result = plan(*configs, *words, ok=False)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_a_router_whose_name_leads_out_of_the_folder_is_refused(configs, tmp_path):
    path = Path(configs[0])
    path.write_text(path.read_text().replace("host-name lion", "host-name ../../lion"))
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "a" / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert "cannot name a file" in str(result.exception)
    result = plan("--new", "../lion,tiger", *USUAL, "-o", str(tmp_path / "a" / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["lion.conf", "tiger.conf"]


def test_the_number_of_a_deactivated_key_is_not_used_for_a_new_one(configs, tmp_path):
    path = Path(configs[0])
    key = "security authentication-key-chains key-chain kc key 1"
    path.write_text(path.read_text() + f"set {key} algorithm ao\ndeactivate {key}\n")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    before = read(path.read_text(), "lion.conf")
    after = read((tmp_path / "out" / "2027-01-23" / "lion.set").read_text(), "lion.set", base=before)
    assert [key.id for key in after.main.chains[0].keychain.keys] == [0, 2]


def test_a_key_that_a_group_brings_is_refused_because_no_set_file_can_delete_it(configs, tmp_path):
    path = Path(configs[0])
    path.write_text(path.read_text().replace("set security", "set groups KEYS security") + "set apply-groups KEYS\n")
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert "key 0 of key-chain kc comes from a group" in str(result.exception)


def test_start_times_without_a_zone_are_in_the_routers_own_zone(configs, tmp_path):
    path = Path(configs[0])
    local = path.read_text().replace('"2026-11-1.00:00:00 +0000"', '"2026-11-1.01:00:00"')
    path.write_text(local + "set system time-zone Europe/Berlin\n")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    path.write_text(local)
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "other"), ok=False)
    assert "starts at another instant" in str(result.exception)
    path.write_text(local + "set system time-zone Mars/Olympus\n")
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "other"), ok=False)
    assert "time-zone is not known" in str(result.exception)


def test_secrets_that_are_not_known_stand_in_the_plan(configs, tmp_path):
    path = Path(configs[0])
    path.write_text(path.read_text().replace("sesame-sesame", "<REMOVED>"))
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"))
    said = "lion: the secrets of keys 0 are not known"
    assert said in result.output
    assert said in (tmp_path / "out" / "plan.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--new", "a,a", *USUAL), "two routers are named a"),
        (("--new", "a,b", *USUAL, "--zone", "c=Europe/Berlin"), "no router is named c"),
        (("--new", "a,b", *USUAL, "--unreachable", "b"), "--unreachable is for --emergency"),
        (("--new", "a,b", *USUAL[:2], "--until", "2020-01-01", "--every", "90d"), "before it begins"),
        (("--new", "a,b", *USUAL[:2], "--until", "9999-12-31", "--every", "3650d"), "beyond the year 9999"),
    ],
)
def test_what_makes_no_plan_is_refused_by_name(words, said, tmp_path):
    result = plan(*words, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert not (tmp_path / "out").exists()


RETIRED = """\
{"format": 1, "retired": [
  {"router": "a", "key": 1, "send-id": 5, "recv-id": 6, "deleted": "2026-11-30T00:00Z"}]}
"""


def test_a_history_without_a_fault_is_taken(configs, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(RETIRED)
    plan(*configs, *USUAL, "--history", str(path), "-o", str(tmp_path / "out"))


@pytest.mark.parametrize(
    "history",
    [
        "set system host-name lion",
        "[" * 100_000,
        '{"format": 1, "retired": [1]}',
        RETIRED.replace('"send-id": 5', '"send-id": "5"'),
        RETIRED.replace("00Z", "00"),
    ],
)
def test_a_history_that_is_none_is_refused(history, configs, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(history)
    result = plan(*configs, *USUAL, "--history", str(path), "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)


SESSION = """\
set interfaces ge-0/0/0 unit 0 family inet address {own}/30
set routing-options autonomous-system {as_number}
set protocols bgp group g type external
set protocols bgp group g peer-as {peer_as}
set protocols bgp group g authentication-algorithm ao
set protocols bgp group g authentication-key-chain kc
set protocols bgp group g neighbor {peer}
"""
ENDS = (
    {"own": "192.0.2.1", "peer": "192.0.2.2", "as_number": 65001, "peer_as": 65002},
    {"own": "192.0.2.2", "peer": "192.0.2.1", "as_number": 65002, "peer_as": 65001},
)


@pytest.fixture
def sessions(configs: list[str]) -> list[str]:
    """The configurations with the BGP session that the chain protects."""
    for path, end in zip(configs, ENDS, strict=True):
        Path(path).write_text(Path(path).read_text() + SESSION.format(**end))
    return configs


def append(path: str, text: str) -> None:
    Path(path).write_text(Path(path).read_text() + text)


def test_a_plan_of_a_session_that_is_sound_has_nothing_to_say_of_it(sessions, tmp_path):
    result = plan(*sessions, *USUAL, "-o", str(tmp_path / "out"))
    assert result.return_value is ExitCode.OK
    assert "no session in the configurations" not in result.output


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("set protocols bgp group g authentication-key sesame", "md5-beside"),
        ("set protocols bgp group g peer-as 65099", "as-numbers-differ"),
        ("delete protocols bgp group g authentication-algorithm", "authentication-algorithm-not-ao"),
    ],
)
def test_what_check_finds_wrong_with_a_session_of_the_chain_is_mended_first(sessions, tmp_path, line, rule):
    append(sessions[0], f"{line}\n")
    result = plan(*sessions, *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert rule in str(result.exception)
    assert "sesame" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_with_a_leaked_secret_what_is_wrong_stands_in_the_plan_and_in_its_exit_code(sessions, tmp_path):
    append(sessions[0], "set protocols bgp group g authentication-key sesame\n")
    words = ("--at", "2026-12-01T00:00Z", "--emergency", "0", "-o", str(tmp_path / "out"))
    result = plan(*sessions, *words)
    assert result.return_value is ExitCode.BAD
    assert "authentication-key (MD5) stands beside key-chain" in result.output


def test_a_session_of_the_chain_whose_other_end_is_not_given_is_said(sessions, tmp_path):
    append(sessions[0], "set protocols bgp group g neighbor 198.51.100.7\n")
    result = plan(*sessions, *USUAL, "-o", str(tmp_path / "out"))
    assert result.return_value is ExitCode.UNFIT
    assert "unknown: BGP lion to 198.51.100.7" in result.output
    (finding, *_) = [one for one in findings(tmp_path / "out") if one["about"] == "check"]
    assert (finding["rule"], finding["severity"], finding["file"]) == ("other-end-not-given", "unknown", "lion.conf")


PATH = "security authentication-key-chains key-chain kc"


@pytest.mark.parametrize("where", ["security", PATH, f"{PATH} key 0", f"{PATH} key 0 secret"])
def test_a_chain_that_is_protected_is_refused_because_junos_changes_nothing_of_it(configs, tmp_path, where):
    append(configs[0], f"protect {where}\n")
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert f"{where} is protected" in str(result.exception)
    append(configs[0], f"unprotect {where}\n")
    plan(*configs, *USUAL, "-o", str(tmp_path / "out"))


def test_a_key_that_stands_in_the_text_and_in_a_group_is_refused(configs, tmp_path):
    append(configs[0], f"set groups KEYS {PATH} key 0 secret other\nset apply-groups KEYS\n")
    result = plan(*configs, *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert "key 0 of key-chain kc comes from a group" in str(result.exception)


def test_a_group_that_gives_all_keys_a_statement_brings_no_key(configs, tmp_path):
    every = f"{PATH} key <*>"
    for path in configs:
        append(path, f"set groups ALL {every} algorithm ao\nset apply-groups ALL\n")
    assert plan(*configs, *USUAL, "-o", str(tmp_path / "out")).return_value is ExitCode.OK


def test_routers_whose_files_would_have_one_name_are_refused(tmp_path):
    result = plan("--new", "a,a.rollback", *USUAL, "-o", str(tmp_path / "out"), ok=False)
    assert isinstance(result.exception, InputError)
    assert "would share the file a.rollback.set" in str(result.exception)


def test_force_leaves_no_set_file_of_the_plan_that_was_there(configs, tmp_path):
    out = tmp_path / "out"
    plan(*configs, *USUAL, "-o", str(out))
    (out / "2027-04-23" / "note.txt").write_text("mine")
    (out / "own.txt").write_text("mine")
    plan(*configs, "--at", "2026-12-02T00:00Z", "--until", "2027-01-31", "--every", "45d", "-o", str(out), "--force")
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    dates = {name.partition("/")[0] for name in names if name.endswith(".set")}
    assert dates == {change["folder"] for change in json.loads((out / "plan.json").read_text())["changes"]}
    assert "2027-04-23/lion.set" not in names
    assert {"2027-04-23/note.txt", "own.txt"} <= set(names), "what is not the plan's stays"


def test_force_removes_nothing_outside_of_the_folder(configs, tmp_path):
    out = tmp_path / "out"
    plan(*configs, *USUAL, "-o", str(out))
    data = json.loads((out / "plan.json").read_text())
    data["changes"][0]["folder"] = ".."
    data["changes"][0]["routers"][0]["name"] = "../../lion"
    (out / "plan.json").write_text(json.dumps(data))
    (tmp_path / "lion.set").write_text("mine")
    plan(*configs, *USUAL, "-o", str(out), "--force")
    assert (tmp_path / "lion.set").read_text() == "mine"


class Interrupted(dict[str, str]):
    """Files of which the second cannot be read: Ctrl-C comes."""

    def items(self):
        yield from list(super().items())[:1]
        raise KeyboardInterrupt


@pytest.mark.parametrize("there", [False, True])
def test_ctrl_c_in_the_middle_leaves_what_was_there(tmp_path, there):
    folder = tmp_path / "out"
    if there:
        write_together(folder, {"day/a.set": "old"}, force=False)
    with pytest.raises(KeyboardInterrupt):
        write_together(folder, Interrupted({"day/a.set": "new", "day/b.set": "new"}), force=True)
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if there else [])
    if there:
        assert (folder / "day" / "a.set").read_text() == "old"


def test_files_that_are_there_are_replaced_by_force_alone(tmp_path):
    folder = tmp_path / "out"
    write_together(folder, {"day/a.set": "old"}, force=False)
    with pytest.raises(InputError, match="is there already"):
        write_together(folder, {"day/a.set": "new"}, force=False)
    write_together(folder, {"day/a.set": "new"}, force=True)
    assert (folder / "day" / "a.set").read_text() == "new"
    assert stat.S_IMODE((folder / "day" / "a.set").stat().st_mode) == 0o600
