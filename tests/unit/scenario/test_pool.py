"""The pool of labs: when a lab is used again, and when it is destroyed."""

import contextlib
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.capture import copy_packets, count_packets
from keyroll.errors import RunError
from keyroll.lab.platforms import PLATFORMS
from keyroll.names import Capability
from keyroll.scenario.errors import MissingCapabilityError
from keyroll.scenario.labs import pool as pool_module
from keyroll.scenario.labs import reset
from keyroll.scenario.labs.pool import FreshLabs, LabPool
from keyroll.scenario.labs.reset import Before


def pcap(packets: list[bytes], order: str = "<") -> bytes:
    records = [struct.pack(f"{order}IIII", 1, 2, len(data), len(data)) + data for data in packets]
    return struct.pack(f"{order}IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1) + b"".join(records)


@given(packets=st.lists(st.binary(max_size=40), max_size=8), skip=st.integers(0, 9), order=st.sampled_from("<>"))
def test_a_copied_capture_contains_the_packets_after_the_skipped_ones(
    tmp_path_factory: pytest.TempPathFactory, packets: list[bytes], skip: int, order: str
) -> None:
    folder = tmp_path_factory.mktemp("pcap")
    (folder / "all.pcap").write_bytes(pcap(packets, order))
    copy_packets(folder / "all.pcap", folder / "rest.pcap", skip=skip)
    assert (folder / "rest.pcap").read_bytes() == pcap(packets[skip:], order)
    assert count_packets(folder / "all.pcap") == len(packets)


def test_a_record_that_is_still_being_written_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "cut.pcap").write_bytes(pcap([b"abc", b"defg"])[:-1])
    assert count_packets(tmp_path / "cut.pcap") == 1
    assert count_packets(tmp_path / "none.pcap") == 0


class FakeLab:
    """A lab without routers, which counts how often it was deployed and destroyed."""

    def __init__(self, evidence: Path, settings: dict[str, dict[str, str]]) -> None:
        self.evidence, self.settings = evidence, settings
        self.name, self.phases = "fake", ()
        self.routers: dict[str, object] = {}
        self.deployed, self.destroyed, self.dead, self.lost = 0, 0, False, 0

    capabilities = frozenset({Capability.CAPTURE})

    @property
    def captures(self) -> dict[str, Path]:
        return {"R1": self.evidence / "R1.pcap"}

    def deploy(self) -> None:
        self.deployed += 1
        self.evidence.mkdir(parents=True, exist_ok=True)
        (self.evidence / "R1.pcap").write_bytes(pcap([b"old"]))
        (self.evidence / "R1-bgpd.log").write_text("a line")

    def check(self) -> None:
        if self.dead:
            raise RunError("died")

    def capture_losses(self) -> dict[str, int]:
        return {"R1": self.lost}

    def destroy(self) -> None:
        self.destroyed += 1


@pytest.fixture
def labs() -> list[FakeLab]:
    return []


@pytest.fixture
def make(labs: list[FakeLab]) -> Callable[..., Any]:
    def one(evidence: Path, settings: dict[str, dict[str, str]]) -> FakeLab:
        labs.append(FakeLab(evidence, settings))
        return labs[-1]

    return one


@pytest.fixture
def pool(make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabPool:
    monkeypatch.setattr(pool_module, "reset", lambda *_, **__: {"R1": Before("x", 1)})
    monkeypatch.setattr(pool_module, "look", lambda _router: Before("x", 1))
    return LabPool(make, tmp_path / "labs")


def play(
    source: LabPool | FreshLabs,
    folder: Path,
    settings: dict[str, dict[str, str]] | None = None,
    needs: frozenset[str] = frozenset(),
    **more: bool,
) -> pool_module.Lease:
    """Lease a lab for a run and return it; the lease has ended."""
    with source.lease(folder, settings or {}, needs=needs, **more) as lease:
        return lease


def test_a_warm_lab_is_used_again_and_each_run_gets_its_own_part_of_the_capture(
    pool: LabPool, labs: list[FakeLab], tmp_path: Path
) -> None:
    assert not play(pool, tmp_path / "one").warm
    lease = play(pool, tmp_path / "two")
    assert lease.warm
    assert lease.skip == {"R1": 1}
    assert len(labs) == 1
    assert (tmp_path / "two" / "R1.pcap").read_bytes() == pcap([])
    assert (tmp_path / "two" / "R1-bgpd.log").read_text() == "a line"


def test_the_death_of_a_router_is_reported_instead_of_the_failed_connection_to_it(
    pool: LabPool, labs: list[FakeLab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(_router: object) -> None:
        labs[0].dead = True
        raise RunError("TCP connection to device failed")

    monkeypatch.setattr(pool_module, "look", look)
    monkeypatch.setattr(FakeLab, "__init__", with_router(FakeLab.__init__))
    with pytest.raises(RunError, match=r"^died$"):
        play(pool, tmp_path / "one")
    assert labs[0].destroyed == 1


def with_router(init: Callable[..., None]) -> Callable[..., None]:
    def made(self: FakeLab, *words: object) -> None:
        init(self, *words)
        self.routers = {"R1": None}

    return made


def test_other_settings_need_another_lab(pool: LabPool, labs: list[FakeLab], tmp_path: Path) -> None:
    play(pool, tmp_path / "one")
    play(pool, tmp_path / "two", {"R1": {"sending": "rnext"}})
    assert [lab.settings for lab in labs] == [{}, {"R1": {"sending": "rnext"}}]


def test_a_run_that_counts_drops_gets_a_lab_in_which_no_earlier_connection_is_closing(
    pool: LabPool, labs: list[FakeLab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last segments of an earlier connection would count as drops."""
    ends = frozenset({("10.0.12.1", 179), ("10.0.12.2", 40000)})
    monkeypatch.setattr(pool_module, "reset", lambda *_, **__: {"R1": Before("x", 1, closing=frozenset({ends}))})
    play(pool, tmp_path / "one")
    monkeypatch.setattr(pool_module, "reset", lambda *_, **__: {"R1": Before("x", 1)})
    assert not play(pool, tmp_path / "two", quiet=True).warm
    assert play(pool, tmp_path / "three").closing == {ends}
    assert play(pool, tmp_path / "four", quiet=True).warm
    assert len(labs) == 2


def test_a_lab_whose_run_ended_with_an_error_is_destroyed_and_its_evidence_is_kept(
    pool: LabPool, labs: list[FakeLab], tmp_path: Path
) -> None:
    with contextlib.suppress(RunError), pool.lease(tmp_path / "one", {}, needs=frozenset()):
        raise RunError("broke")
    assert labs[0].destroyed == 1
    assert (tmp_path / "one" / "R1.pcap").exists()
    assert not play(pool, tmp_path / "two").warm


def test_a_lab_that_cannot_be_reset_is_not_used_again_and_the_reason_is_kept(
    pool: LabPool, labs: list[FakeLab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: bool) -> None:
        raise RunError("the configuration is another")

    monkeypatch.setattr(pool_module, "reset", refuse)
    play(pool, tmp_path / "one")
    assert labs[0].destroyed == 1
    assert pool.retired == ["the configuration is another"]
    assert not play(pool, tmp_path / "two").warm


def test_a_lab_that_has_died_or_lost_frames_is_not_used_again(
    pool: LabPool, labs: list[FakeLab], tmp_path: Path
) -> None:
    play(pool, tmp_path / "one")
    labs[0].dead = True
    with pool.lease(tmp_path / "two", {}, needs=frozenset()) as lease:
        assert not lease.warm
        labs[1].lost = 3
    assert [lab.destroyed for lab in labs] == [1, 1]
    assert not play(pool, tmp_path / "three").warm


def test_a_lab_whose_routers_use_a_fixed_port_is_used_for_one_run(
    pool: LabPool, labs: list[FakeLab], tmp_path: Path
) -> None:
    for _ in range(2):
        with pool.lease(tmp_path / "run", {"R1": {"port": "40000"}}, needs=frozenset()) as lease:
            assert not lease.warm
    assert [lab.destroyed for lab in labs] == [1, 1]
    assert pool.retired == []


@pytest.mark.parametrize(
    ("platform", "kept"), [("emulated", pool_module.IDLE_MOST), ("vjunos-router", 1), ("cjunos-evolved", 1)]
)
def test_the_number_of_idle_labs_is_limited_and_the_least_recently_used_is_destroyed(
    pool: LabPool, labs: list[FakeLab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, kept: int
) -> None:
    if platform not in PLATFORMS:
        pytest.skip("this platform does not exist yet")
    monkeypatch.setattr(FakeLab, "__init__", with_platform(platform))
    wanted = [{"R1": {"isn": str(number)}} for number in range(pool_module.IDLE_MOST + 1)]
    for settings in wanted[:-1]:
        play(pool, tmp_path / "run", settings)
    assert sum(1 for lab in labs if not lab.destroyed) == kept
    lease = play(pool, tmp_path / "run", wanted[0])
    assert lease.warm is (kept > 1)
    play(pool, tmp_path / "run", wanted[-1])
    assert sum(1 for lab in labs if not lab.destroyed) == kept
    assert play(pool, tmp_path / "run", wanted[-1]).warm
    # It was used again just before, so another lab was destroyed in favour of the newest.
    assert play(pool, tmp_path / "run", wanted[0]).warm is (kept > 1)


def with_platform(platform: str) -> Callable[[FakeLab, Path, dict[str, dict[str, str]]], None]:
    plain = FakeLab.__init__

    def init(self: FakeLab, evidence: Path, settings: dict[str, dict[str, str]]) -> None:
        plain(self, evidence, settings)
        self.routers = {"R1": SimpleNamespace(platform=platform)}

    return init


def test_a_missing_capability_destroys_no_idle_lab(pool: LabPool, labs: list[FakeLab], tmp_path: Path) -> None:
    for number in range(pool_module.IDLE_MOST):
        play(pool, tmp_path / "run", {"R1": {"isn": str(number)}})
    with pytest.raises(MissingCapabilityError):
        play(pool, tmp_path / "run", {"R1": {"isn": "other"}}, needs=frozenset({"key-policy"}))
    assert not any(lab.destroyed for lab in labs)


def test_closing_the_pool_destroys_every_lab(pool: LabPool, labs: list[FakeLab], tmp_path: Path) -> None:
    play(pool, tmp_path / "one")
    pool.close()
    assert labs[0].destroyed == 1


def test_a_missing_capability_is_named_before_anything_is_deployed(
    make: Callable[..., Any], labs: list[FakeLab], tmp_path: Path
) -> None:
    with pytest.raises(MissingCapabilityError, match="inject, reboot"):
        play(FreshLabs(make), tmp_path, needs=frozenset({"reboot", "inject", "capture"}))
    assert labs[0].deployed == 0


@pytest.mark.parametrize(("without", "set_back"), [(frozenset(), True), (frozenset({"set-clock"}), False)])
def test_clocks_are_not_set_back_if_setting_them_is_withheld(
    make: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    without: frozenset[str],
    set_back: bool,
) -> None:
    reset = Mock(return_value={})
    monkeypatch.setattr(FakeLab, "capabilities", frozenset({Capability.SET_CLOCK}))
    monkeypatch.setattr(pool_module, "reset", reset)
    lease = play(LabPool(make, tmp_path / "labs", without=without), tmp_path / "one")
    assert [call.kwargs["clocks"] for call in reset.call_args_list] == [set_back]
    assert ("set-clock" in lease.capabilities) is set_back


def test_a_withheld_capability_is_missing_and_the_message_says_so(make: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(MissingCapabilityError, match=r"capture \(withheld\)"):
        play(FreshLabs(make, without=frozenset({"capture"})), tmp_path, needs=frozenset({"capture"}))


def test_a_warm_lab_that_lacks_a_capability_stays_in_the_pool(
    pool: LabPool, labs: list[FakeLab], tmp_path: Path
) -> None:
    play(pool, tmp_path / "one")
    with pytest.raises(MissingCapabilityError):
        play(pool, tmp_path / "two", needs=frozenset({"no-such-thing"}))
    play(pool, tmp_path / "three")
    assert len(labs) == 1
    pool.close()
    assert labs[0].destroyed


def test_a_fresh_lab_is_destroyed_whatever_happens(
    make: Callable[..., Any], labs: list[FakeLab], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt), FreshLabs(make).lease(Path(tmp_path), {}, needs=frozenset()):
        raise KeyboardInterrupt
    assert labs[0].destroyed == 1


@pytest.mark.parametrize(
    ("comments", "mark", "remembered", "back"),
    [
        (["", "", "keyroll reset a1"], "keyroll reset a1", 1, 2),
        (["mine", *[""] * 48, "keyroll reset a1"], "keyroll reset a1", 50, 49),
        (["keyroll reset a1", "keyroll reset a0"], "keyroll reset a1", 2, 0),
        (["", "", ""], "", 1, 2),
        (["x", "x", "x"], "x", 2, 1),
        ([""], "", 1, 0),
    ],
)
def test_a_reset_rolls_back_to_the_commit_before_the_run(
    comments: list[str], mark: str, remembered: int, back: int
) -> None:
    assert reset._way_back(comments, Before("digest", remembered, mark), "R1") == back


def test_a_commit_that_the_router_no_longer_lists_cannot_be_rolled_back_to() -> None:
    with pytest.raises(RunError, match="R1: cannot roll back"):
        reset._way_back([""] * 50, Before("digest", 3, "keyroll reset a1"), "R1")
