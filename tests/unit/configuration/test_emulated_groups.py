"""The reader and the emulated router expand groups with separate code, and must give the same sessions."""

from datetime import UTC, datetime
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from keyroll.configuration import Kind, read
from keyroll.configuration.reading import Configuration
from keyroll.emulator.contract.model import Backend
from keyroll.emulator.junos.commit.datastore import Datastore
from keyroll.emulator.junos.commit.load import load_set
from keyroll.emulator.junos.configuration.inherit import expand
from keyroll.emulator.junos.configuration.render import set_lines
from keyroll.emulator.junos.configuration.statements import ROOT
from keyroll.emulator.junos.configuration.values import EntryContext

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Machine:
    """The machine side of an emulated router, with a clock only: loading a configuration calls nothing else."""

    def now(self) -> datetime:
        return NOW


CONTEXT = EntryContext(lambda: NOW)
LEVELS = st.sampled_from(["", "protocols ", "protocols bgp ", "protocols bgp group CORE-1 "])
PLACES = st.sampled_from(
    ["", "group CORE-1 ", "group EDGE ", "group <*> ", "group <CORE-*> ", "group CORE-1 neighbor 192.0.2.2 "]
)
STATEMENTS = st.sampled_from(
    [
        "authentication-algorithm ao",
        "authentication-key-chain KA",
        "authentication-key-chain KB",
        "hold-time 30",
    ]
)
NAMES = st.sampled_from(["G", "H"])


@st.composite
def texts(draw: st.DrawFn) -> list[str]:
    lines = [
        "set protocols bgp group CORE-1 neighbor 192.0.2.2",
        "set protocols bgp group EDGE neighbor 192.0.2.6",
    ]
    for _ in range(draw(st.integers(1, 8))):
        place = draw(PLACES)
        where = f"groups {draw(NAMES)} " if "<" in place or draw(st.booleans()) else ""
        lines.append(f"set {where}protocols bgp {place}{draw(STATEMENTS)}")
    lines += [f"set groups {name} system host-name box" for name in ("G", "H")]
    lines += [f"set {draw(LEVELS)}apply-groups {draw(NAMES)}" for _ in range(draw(st.integers(1, 3)))]
    return lines


def meaning(configuration: Configuration) -> dict[str, tuple[object, ...]]:
    return {
        str(one.peer): (
            one.authentication.algorithm and one.authentication.algorithm.value,
            one.authentication.chain and one.authentication.chain.value,
            one.type,
            one.hold_time and one.hold_time.value,
        )
        for one in configuration.main.sessions
    }


@given(texts())
def test_reader_and_emulated_router_expand_groups_to_the_same_sessions(lines: list[str]) -> None:
    store = Datastore(ROOT, cast("Backend", Machine()), host_name="R1")
    assert not load_set(store, "\n".join(lines), (), CONTEXT).mistakes
    expanded = read("\n".join(set_lines(expand(store.candidate))), "emulated")
    mine = read("\n".join(lines), "mine")
    if not any(finding.kind is Kind.MAYBE for finding in mine.findings):
        assert meaning(mine) == meaning(expanded)
