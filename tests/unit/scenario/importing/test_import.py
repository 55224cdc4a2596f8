"""Two saved configurations become a scenario file: its keys, its steps, and what it must not reveal."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tests.unit.known import known

from keyroll.cli.main import keyroll
from keyroll.errors import InputError
from keyroll.scenario.file.commit_steps import ChangeChain, ChangeChains
from keyroll.scenario.file.read import Case, read_cases
from keyroll.scenario.file.scenario import Scenario
from keyroll.scenario.file.time_steps import Advance

AT = "2026-12-01T00:00Z"


def configuration(name: str, own: str, peer: str, *, keys: str, more: str = "") -> str:
    return f"""\
set system host-name {name}
set interfaces ge-0/0/0 unit 0 family inet address {own}/30
set protocols bgp group peers neighbor {peer} peer-as 64501
set protocols bgp group peers neighbor {peer} hold-time 30
set protocols bgp group peers neighbor {peer} authentication-algorithm ao
set protocols bgp group peers neighbor {peer} authentication-key-chain SECRETNAME
{more}{keys}"""


def key(number: int, start: str, send: int, recv: int, secret: str = "sesame-street") -> str:
    head = f"set security authentication-key-chains key-chain SECRETNAME key {number}"
    return f"""\
{head} secret "{secret}"
{head} start-time "{start}"
{head} algorithm ao
{head} ao-attribute send-id {send}
{head} ao-attribute recv-id {recv}
{head} ao-attribute tcp-ao-option enabled
"""


FIRST = ("2026-11-1.00:00:00 +0000", 1, 2)
SECOND = ("2027-1-15.02:00:00 +0100", 3, 4)


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., tuple[Scenario, str]]:
    """Return a function that imports two configurations, and returns the scenario and the text of its file."""

    def run(one: str, other: str, *words: str) -> tuple[Scenario, str]:
        (tmp_path / "one.conf").write_text(one)
        (tmp_path / "other.conf").write_text(other)
        output = tmp_path / "change.yaml"
        names = [str(tmp_path / "one.conf"), str(tmp_path / "other.conf")]
        result = CliRunner().invoke(
            keyroll, ["import", *names, "--at", AT, "-o", str(output), "--force", *words], standalone_mode=False
        )
        if result.exception:
            raise result.exception
        (case,) = read_cases(output)
        return case.scenario, output.read_text()

    return run


def lion(keys: str | None = None, more: str = "") -> str:
    """Return the configuration of R1, whose host name is lion."""
    own = keys if keys is not None else key(0, *FIRST) + key(1, *SECOND)
    return configuration("lion", "10.9.0.1", "10.9.0.2", keys=own, more=more)


def tiger(keys: str | None = None, more: str = "") -> str:
    """Return the configuration of R2, whose host name is tiger."""
    own = keys if keys is not None else key(0, FIRST[0], 2, 1) + key(1, SECOND[0], 4, 3)
    return configuration("tiger", "10.9.0.2", "10.9.0.1", keys=own, more=more)


def test_keys_keep_their_start_times_and_a_future_one_becomes_a_step(
    imported: Callable[..., tuple[Scenario, str]],
) -> None:
    scenario, _ = imported(lion(), tiger())
    assert scenario.t0 == datetime(2026, 12, 1, tzinfo=UTC)
    assert [key.start for key in scenario.keychain.keys] == [timedelta(days=-30), timedelta(days=45, hours=1)]
    assert [type(step).kind for step in scenario.steps] == ["apply", "expect", "advance", "advance", "expect"]
    assert scenario.hold_time == 30


def test_no_secret_name_or_address_is_in_the_file(imported: Callable[..., tuple[Scenario, str]]) -> None:
    _, text = imported(
        lion(more="set protocols bgp group peers bfd-liveness-detection minimum-interval 300\n"), tiger()
    )
    assert not re.search(r"sesame|SECRETNAME|lion|tiger|10\.9\.", text)
    assert "R1:" in text
    assert "bfd-liveness-detection" in text


def test_names_are_kept_on_request(imported: Callable[..., tuple[Scenario, str]]) -> None:
    _, text = imported(
        lion(more="set protocols bgp group peers bfd-liveness-detection minimum-interval 300\n"),
        tiger(),
        "--keep-names",
    )
    assert "lion" in text


def test_equal_secrets_have_equal_labels_and_different_secrets_different_labels(
    imported: Callable[..., tuple[Scenario, str]],
) -> None:
    keys = key(0, *FIRST) + key(1, *SECOND, secret="sesame-street")
    theirs = key(0, FIRST[0], 2, 1) + key(1, SECOND[0], 4, 3, secret="other-street")
    scenario, text = imported(lion(keys), tiger(theirs))
    first, second = scenario.keychain.keys
    assert first.secret == second.secret
    assert second.r2 is not None
    assert second.r2.secret not in (None, first.secret)
    assert "not hitless under 16 of 16" in text


def test_an_unknown_secret_is_drawn_and_reported(imported: Callable[..., tuple[Scenario, str]]) -> None:
    keys = key(0, *FIRST, secret="<REMOVED>")
    scenario, text = imported(lion(keys), tiger(key(0, FIRST[0], 2, 1, secret="<REMOVED>")))
    assert scenario.keychain.keys[0].r2 is None
    assert "unknown secret: drawn, and assumed to match" in text


def test_a_value_that_differs_on_one_router_is_written_under_that_router(
    imported: Callable[..., tuple[Scenario, str]],
) -> None:
    theirs = key(0, FIRST[0], 2, 1) + key(1, "2027-1-15.03:00:00 +0100", 4, 3)
    scenario, _ = imported(lion(), tiger(theirs))
    late = scenario.keychain.keys[1].r2
    assert late is not None
    assert late.start == timedelta(days=45, hours=2)
    kinds = [type(step).kind for step in scenario.steps]
    hop = ["advance", "advance"]
    assert kinds == ["apply", "expect", *hop, "clear", "wait", *hop, "expect"], "both start-times are played"


def test_a_key_that_only_one_router_holds_is_held_by_it(imported: Callable[..., tuple[Scenario, str]]) -> None:
    scenario, _ = imported(lion(), tiger(key(0, FIRST[0], 2, 1)))
    assert scenario.keychain.keys[1].held_by == ("R1",)


def test_a_key_that_only_r2_has_gets_a_free_number(imported: Callable[..., tuple[Scenario, str]]) -> None:
    theirs = key(0, FIRST[0], 2, 1) + key(1, SECOND[0], 14, 13)
    scenario, _ = imported(lion(key(0, *FIRST) + key(1, "2027-1-14.02:00:00 +0100", 3, 4)), tiger(theirs))
    numbers = [(key.id, key.held_by) for key in scenario.keychain.keys]
    assert numbers == [(0, ("R1", "R2")), (1, ("R1",)), (2, ("R2",))]


def test_skew_is_the_offset_of_the_clock_of_r2(imported: Callable[..., tuple[Scenario, str]]) -> None:
    scenario, _ = imported(lion(), tiger(), "--skew", "-90s")
    assert scenario.skew == {"R2": timedelta(seconds=-90)}


@pytest.mark.parametrize(("skew", "instants"), [("90s", ["45d58m30s", "45d1h"]), ("-90s", ["45d1h", "45d1h1m30s"])])
def test_each_router_reaches_its_start_time_on_its_own_clock(
    imported: Callable[..., tuple[Scenario, str]], skew: str, instants: list[str]
) -> None:
    _, text = imported(lion(), tiger(), "--skew", skew)
    reached = [line.partition("to: ")[2].rstrip("}") for line in text.splitlines() if "advance:" in line]
    assert [one for one in reached if one in instants] == instants
    assert text.index("clear:") < text.index(f"to: {instants[1]}"), "data is sent between the two instants"


def test_only_the_requested_number_of_rollovers_is_played(imported: Callable[..., tuple[Scenario, str]]) -> None:
    keys = "".join(key(n, f"2027-{n}-1.00:00:00 +0000", 2 * n, 2 * n + 1) for n in range(1, 7))
    theirs = "".join(key(n, f"2027-{n}-1.00:00:00 +0000", 2 * n + 1, 2 * n) for n in range(1, 7))
    first = key(0, FIRST[0], 0, 100), key(0, FIRST[0], 100, 0)
    scenario, text = imported(lion(first[0] + keys), tiger(first[1] + theirs), "--rollovers", "2")
    assert sum(type(step).kind == "advance" for step in scenario.steps) == 4
    assert "4 later rollovers are not played" in text


def test_configurations_without_a_protected_session_are_refused(imported: Callable[..., tuple[Scenario, str]]) -> None:
    bare = "set system host-name lion\nset protocols bgp group peers neighbor 10.9.0.2 peer-as 64501\n"
    with pytest.raises(InputError, match="no session between the two routers is protected"):
        imported(bare, tiger())


def test_a_router_is_not_its_own_peer(imported: Callable[..., tuple[Scenario, str]]) -> None:
    with pytest.raises(InputError, match="both configurations are of a router named lion"):
        imported(lion(), lion())


def test_hostile_descriptions_cannot_end_their_comment(imported: Callable[..., tuple[Scenario, str]]) -> None:
    more = "set protocols bgp group peers bfd-liveness-detection minimum-interval 300\n"
    more += 'set system location "x\\nkeyroll: 2"\n'
    _, text = imported(lion(more=more), tiger())
    assert yaml.safe_load(text)["keyroll"] == 1


THIRD = ("2027-4-15.02:00:00 +0200", 5, 6)


def change(tmp_path: Path, *, delete: bool = False) -> list[str]:
    """Write the planned commit of both routers; return the options that name it."""
    gone = "delete security authentication-key-chains key-chain SECRETNAME key 0\n" if delete else ""
    (tmp_path / "c1.set").write_text(gone + key(2, *THIRD, secret="third-secret"))
    (tmp_path / "c2.set").write_text(gone + key(2, THIRD[0], 6, 5, secret="third-secret"))
    return ["--change", f"R1={tmp_path / 'c1.set'}", "--change", f"tiger={tmp_path / 'c2.set'}"]


def cases(tmp_path: Path, one: str, other: str, *words: str) -> tuple[Case, ...]:
    for name, text in (("one.conf", one), ("other.conf", other)):
        (tmp_path / name).write_text(text)
    output = tmp_path / "change.yaml"
    files = [str(tmp_path / "one.conf"), str(tmp_path / "other.conf")]
    arguments = ["import", *files, "--at", AT, "-o", str(output), *words]
    result = CliRunner().invoke(keyroll, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    assert "third-secret" not in output.read_text()
    return read_cases(output)


def test_a_planned_commit_is_one_step_with_either_router_first(tmp_path: Path) -> None:
    found = cases(tmp_path, lion(), tiger(), *change(tmp_path, delete=True))
    assert [case.variant for case in found] == ["r1-first", "r2-first"]
    for case, order in zip(found, (("R1", "R2"), ("R2", "R1")), strict=True):
        (step,) = [step for step in case.scenario.steps if isinstance(step, ChangeChain)]
        assert (tuple(step.routers), tuple(step.delete), [one.id for one in step.add]) == (order, (0,), [2])
    assert sum(type(step).kind == "advance" for step in found[0].scenario.steps) == 2, "the rollover to the new key"


def test_a_change_of_one_router_is_committed_on_that_router_only(tmp_path: Path) -> None:
    (case,) = cases(tmp_path, lion(), tiger(), *change(tmp_path)[:2])
    (step,) = [step for step in case.scenario.steps if isinstance(step, ChangeChain)]
    assert tuple(step.routers) == ("R1",)
    assert step.add[0].held_by == ("R1",)


def test_unknown_secrets_that_stay_are_not_a_change(tmp_path: Path) -> None:
    hidden = lion(key(0, *FIRST, secret="<REMOVED>")), tiger(key(0, FIRST[0], 2, 1, secret="<REMOVED>"))
    (case, _) = cases(tmp_path, *hidden, *change(tmp_path))
    (step,) = [step for step in case.scenario.steps if isinstance(step, ChangeChain)]
    assert (tuple(step.delete), [one.id for one in step.add]) == ((), [2])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("delete protocols bgp group peers", "after the change lion has no TCP-AO on the session"),
        ("delete interfaces ge-0/0/0", "after the change the session of lion with 10.9.0.2 has no other end"),
    ],
)
def test_a_change_that_removes_the_session_is_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "c1.set").write_text(f"{line}\n")
    with pytest.raises(InputError, match=message):
        cases(tmp_path, lion(), tiger(), "--change", f"R1={tmp_path / 'c1.set'}")


def test_the_prediction_after_a_commit_is_for_the_same_session(tmp_path: Path) -> None:
    """The commit removes an earlier session, so that `check` numbers the sessions differently."""
    first = (
        "set protocols bgp group first neighbor 10.9.8.{peer} peer-as 64501\n"
        "set protocols bgp group first neighbor 10.9.8.{peer} authentication-algorithm ao\n"
        "set protocols bgp group first neighbor 10.9.8.{peer} authentication-key-chain OTHERNAME\n"
        "set interfaces ge-0/0/9 unit 0 family inet address 10.9.8.{own}/24\n"
    )
    chains = [key(0, *FIRST), key(0, FIRST[0], 2, 1)]
    routers = (
        text.replace("set protocols bgp", first.format(own=own, peer=3 - own) + "set protocols bgp", 1)
        + chain.replace("SECRETNAME", "OTHERNAME")
        for own, text, chain in zip((1, 2), (lion(), tiger()), chains, strict=True)
    )
    (tmp_path / "c1.set").write_text("delete protocols bgp group first\n")
    cases(tmp_path, *routers, "--session", "10.9.0.2", "--change", f"R1={tmp_path / 'c1.set'}")
    text = (tmp_path / "change.yaml").read_text()
    assert "2027-01-15T01:00:00+00:00: keyroll check predicts: hitless under all policies" in text


@pytest.mark.parametrize(("tolerance", "last"), [(3600, "30m"), (600, "5m"), (4, None)])
def test_the_last_step_of_the_clocks_is_shorter_than_the_tolerance(
    imported: Callable[..., tuple[Scenario, str]], tolerance: int, last: str | None
) -> None:
    """The clocks are set one after the other, so for a moment they differ by the length of the step."""
    line = f"set security authentication-key-chains key-chain SECRETNAME tolerance {tolerance}\n"
    scenario, text = imported(lion(more=line), tiger(more=line))
    steps = [step for step in scenario.steps if type(step).kind in ("advance", "wait")]
    start = timedelta(days=45, hours=1)
    if last is None:
        assert [type(step).kind for step in steps] == ["advance", "wait"]
        assert "wait: {for: 4s}" in text
    else:
        hop = {"30m": timedelta(minutes=30), "5m": timedelta(minutes=5)}[last]
        assert [step.to for step in steps if isinstance(step, Advance)] == [start - hop, start]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "set protocols bgp group peers neighbor 10.0.0.1 authentication-key md5-secret",
            "authentication-key (MD5) is configured",
        ),
        ("set routing-options autonomous-system 64999", "expects AS <number>"),
        ("set protocols bgp group more neighbro 10.0.0.9", "may hide a protected session"),
    ],
)
def test_a_finding_of_check_that_no_lab_plays_is_reported_as_not_played(
    imported: Callable[..., tuple[Scenario, str]], line: str, message: str
) -> None:
    keys = [key(0, *FIRST) + key(1, *SECOND), key(0, FIRST[0], 2, 1) + key(1, SECOND[0], 4, 3)]
    one = configuration("lion", "10.0.0.1", "10.0.0.2", keys=keys[0])
    clean = configuration("tiger", "10.0.0.2", "10.0.0.1", keys=keys[1])
    assert "Not played, and may change" not in imported(one, clean)[1]
    text = imported(one, f"{clean}{line}\n")[1]
    assert "Not played, and may change the verdict" in text
    assert message in text
    assert "md5-secret" not in text


def test_an_invalid_planned_change_is_reported_with_its_option(tmp_path: Path) -> None:
    (tmp_path / "one.conf").write_text(configuration("lion", "10.0.0.1", "10.0.0.2", keys=key(0, *FIRST)))
    (tmp_path / "other.conf").write_text(configuration("tiger", "10.0.0.2", "10.0.0.1", keys=key(0, FIRST[0], 2, 1)))
    words = ["import", str(tmp_path / "one.conf"), str(tmp_path / "other.conf"), "--at", AT, "--change", "R3=x"]
    result = CliRunner().invoke(keyroll, words, standalone_mode=False)
    assert str(result.exception).startswith("--change: no router is named R3")


BOTH = """\
set interfaces ge-0/0/0 unit 0 family inet6 address 2001:db8:9::{own}/64
set interfaces lo0 unit 0 family inet address 192.0.2.{own}/32
set routing-options autonomous-system 64501
set protocols bgp group core type internal
set protocols bgp group core local-address 192.0.2.{own}
set protocols bgp group core neighbor 192.0.2.{peer} authentication-algorithm ao
set protocols bgp group core neighbor 192.0.2.{peer} authentication-key-chain SECRETNAME
set protocols bgp group six passive
set protocols bgp group six neighbor 2001:db8:9::{peer} peer-as 64501
set protocols bgp group six neighbor 2001:db8:9::{peer} authentication-algorithm ao
set protocols bgp group six neighbor 2001:db8:9::{peer} authentication-key-chain SECRETNAME
"""


def test_several_sessions_on_one_chain_are_all_imported(imported: Callable[..., tuple[Scenario, str]]) -> None:
    second = BOTH.format(own=2, peer=1).replace("set protocols bgp group six passive\n", "")
    scenario, text = imported(lion(more=BOTH.format(own=1, peer=2)), tiger(more=second))
    found = [(one.name, one.type, one.place, one.passive) for one in scenario.sessions]
    assert sorted(found) == [
        ("v4-link", "external", "link", None),
        ("v4-loopbacks", "internal", "loopbacks", None),
        ("v6-link", "external", "link", "R1"),
    ]
    assert "may change the verdict" not in text
    assert "192.0.2" not in text


def test_one_of_several_sessions_can_be_chosen(imported: Callable[..., tuple[Scenario, str]]) -> None:
    words = BOTH.format(own=1, peer=2), BOTH.format(own=2, peer=1)
    scenario, _ = imported(lion(more=words[0]), tiger(more=words[1]), "--session", "192.0.2.2")
    assert [one.name for one in scenario.sessions] == ["v4-loopbacks"]


@pytest.mark.parametrize("words", [("--pause", "3s"), ("--skew", "99999999d"), ("--skew", "--5m"), ("--skew", "much")])
def test_an_invalid_value_of_an_option_is_an_input_error(
    imported: Callable[..., tuple[Scenario, str]], words: tuple[str, str]
) -> None:
    with pytest.raises(InputError, match=words[0]):
        imported(lion(), tiger(), *words)


def test_routers_without_a_host_name_keep_their_sessions_through_a_change(tmp_path: Path) -> None:
    bare = lion().replace("set system host-name lion\n", ""), tiger().replace("set system host-name tiger\n", "")
    words = change(tmp_path)
    words[3] = words[3].replace("tiger=", "R2=")
    found = cases(tmp_path, *bare, *words)
    assert [case.variant for case in found] == ["r1-first", "r2-first"]


OTHER_CHAIN = """\
set interfaces ge-0/0/0 unit 0 family inet6 address 2001:db8:9::{own}/64
set protocols bgp group six hold-time 12
set protocols bgp group six neighbor 2001:db8:9::{peer} peer-as 64501
set protocols bgp group six neighbor 2001:db8:9::{peer} authentication-algorithm ao
set protocols bgp group six neighbor 2001:db8:9::{peer} authentication-key-chain OTHERNAME
"""


def of_six(own: int, peer: int, *keys: str) -> str:
    """Return the statements of a router for an IPv6 session with its own chain."""
    return OTHER_CHAIN.format(own=own, peer=peer) + "".join(keys).replace("SECRETNAME", "OTHERNAME")


def test_sessions_with_different_chains_are_one_scenario_with_the_rollovers_of_each(
    imported: Callable[..., tuple[Scenario, str]],
) -> None:
    later = "2027-2-1.00:00:00 +0000"
    mine = of_six(1, 2, key(0, *FIRST), key(7, later, 13, 14, secret="of-six"))
    theirs = of_six(2, 1, key(0, FIRST[0], 2, 1), key(7, later, 14, 13, secret="of-six"))
    scenario, text = imported(lion(more=mine), tiger(more=theirs))
    assert {one.name: (one.chain_of("R1"), one.hold_time) for one in scenario.sessions} == {
        "v4-link": (None, 30),
        "v6-link": ("imported-2", None),
    }
    (other,) = scenario.other_chains
    assert (other.secrets_of, [one.id for one in other.keys]) == ("imported", [0, 7])
    assert scenario.keychain.keys[0].secret == other.keys[0].secret, "one secret of two chains has one label"
    looks = [line for line in text.splitlines() if "expect:" in line]
    assert [line.partition("active: ")[2].partition("}")[0] for line in looks] == [
        "{v4-link: 0, v6-link: 0",
        "{v4-link: 1",
        "{v6-link: 7",
    ]
    assert "of-six" not in text


def test_a_change_of_two_chains_is_one_commit(tmp_path: Path) -> None:
    mine, theirs = of_six(1, 2, key(0, *FIRST)), of_six(2, 1, key(0, FIRST[0], 2, 1))
    words = change(tmp_path, delete=True)
    for name in ("c1.set", "c2.set"):
        lines = (tmp_path / name).read_text()
        other = key(2, *THIRD if name == "c1.set" else (THIRD[0], 6, 5), secret="third-secret")
        (tmp_path / name).write_text(lines + other.replace("SECRETNAME", "OTHERNAME"))
    for case in cases(tmp_path, lion(more=mine), tiger(more=theirs), *words):
        (step,) = [step for step in case.scenario.steps if isinstance(step, ChangeChains)]
        found = [(one.chain, tuple(one.delete), [key.id for key in one.add]) for one in step.changes]
        assert found == [("imported", (0,), [2]), ("imported-2", (), [2])]
        assert not any(isinstance(step, ChangeChain) for step in case.scenario.steps)


def test_a_planned_tolerance_is_part_of_the_commit(tmp_path: Path) -> None:
    (tmp_path / "c1.set").write_text("set security authentication-key-chains key-chain SECRETNAME tolerance 60\n")
    (case,) = cases(tmp_path, lion(), tiger(), "--change", f"R1={tmp_path / 'c1.set'}")
    (step,) = [step for step in case.scenario.steps if isinstance(step, ChangeChain)]
    assert step.tolerance == {"R1": 60, "R2": 3600}
    hops = [known(step.to) for step in case.scenario.steps if isinstance(step, Advance)]
    assert hops[1] - hops[0] == timedelta(seconds=30), "the last step of the clocks is within the new tolerance"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("set protocols bgp group peers neighbor 10.9.0.2 hold-time 20", "lion: 1 planned statement of protocols"),
        ("set interfaces ge-0/0/0 mtu 9000", "lion: 1 planned statement of interfaces"),
        ("set snmp location here", None),
    ],
)
def test_changes_other_than_keys_in_a_planned_commit_are_reported_as_not_played(
    tmp_path: Path, line: str, message: str | None
) -> None:
    tolerance = "set security authentication-key-chains key-chain SECRETNAME tolerance 1800\n"
    (tmp_path / "c1.set").write_text(f"{line}\n{tolerance}")
    cases(tmp_path, lion(), tiger(), "--keep-names", "--change", f"R1={tmp_path / 'c1.set'}")
    _, _, reported = (tmp_path / "change.yaml").read_text().partition("# Not played, and may change the verdict:\n")
    assert bool(reported) == (message is not None)
    assert message is None or reported.startswith(f"#   - {message}")
