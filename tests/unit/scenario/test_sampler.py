"""The sampler: it polls the sessions of a router in a thread, and reports every error that ends it."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest
from tests.unit.known import known

from keyroll.errors import RunError
from keyroll.junos.errors import OutputError
from keyroll.junos.exchange import Exchange
from keyroll.junos.records import (
    BgpPeer,
    BgpState,
    BgpSummary,
    LdpConnection,
    LdpDatabase,
    LdpLabel,
    LdpSession,
    LdpSessions,
    LdpState,
    RibCount,
)
from keyroll.scenario.errors import MachineBusyError, RunBrokenError
from keyroll.scenario.observe.sampler import Sample, Sampler, ldp_sample

PEER = IPv4Address("10.0.12.2")


def summary(
    state: BgpState = BgpState.ESTABLISHED, flaps: int = 0, routes: int = 1, address: IPv4Address = PEER
) -> BgpSummary:
    ribs = (RibCount("inet.0", routes, routes, routes, 0),)
    return BgpSummary(1, 0, (BgpPeer(address, None, 65002, 1, 1, 0, flaps, timedelta(seconds=5), state, ribs),))


class FakeSession:
    """A router that gives these answers in sequence, and repeats the last one."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.closed = threading.Event()
        self.asked = threading.Event()

    def connect(self) -> None:
        pass

    def close(self) -> None:
        self.closed.set()

    def show(self, command: str) -> Exchange:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        now = datetime.now(UTC)
        self.asked.set()
        return Exchange("R1", command, "", now, datetime.now(UTC), answer)


@pytest.fixture
def sampling() -> Iterator[Callable[..., tuple[Sampler, FakeSession]]]:
    made = []

    def start(*answers: object, changed: Callable[..., None] | None = None) -> tuple[Sampler, FakeSession]:
        session = FakeSession(list(answers))
        sampler = Sampler(lambda _: session, {"R1": {"bgp": PEER}}, changed=changed)
        made.append(sampler)
        sampler.watch("R1")
        return sampler, session

    yield start
    for sampler in made:
        sampler.stop()


def test_a_fresh_sample_was_requested_after_the_instant(sampling: Callable[..., tuple[Sampler, FakeSession]]) -> None:
    sampler, session = sampling(summary())
    assert session.asked.wait(60)
    instant = time.time_ns()
    sampler.await_fresh("R1", instant, within=timedelta(seconds=60))
    assert known(sampler.latest("R1", "bgp")).asked >= instant


def test_changes_are_reported_and_repetitions_are_not(sampling: Callable[..., tuple[Sampler, FakeSession]]) -> None:
    reported: list[Any] = []
    sampler, _ = sampling(
        summary(BgpState.CONNECT), summary(BgpState.CONNECT), summary(), summary(flaps=1), changed=reported.append
    )
    for _ in range(5):
        sampler.await_fresh("R1", time.time_ns(), within=timedelta(seconds=60))
    assert [(one.state, one.flaps) for one in reported] == [
        ("Connect", 0),
        ("Established", 0),
        ("Established", 1),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        OutputError("unknown line", router="R1", command="show bgp summary", raw="?"),
        RunError("lost"),
        summary(address=IPv4Address("10.9.9.9")),
    ],
)
def test_a_state_that_cannot_be_read_breaks_the_run_and_is_never_down(
    sampling: Callable[..., tuple[Sampler, FakeSession]], answer: OutputError | RunError | BgpSummary
) -> None:
    sampler, session = sampling(summary(), answer)
    assert session.closed.wait(60)
    with pytest.raises(RunBrokenError):
        sampler.samples("R1", "bgp")
    with pytest.raises(RunBrokenError):
        sampler.await_fresh("R1", time.time_ns(), within=timedelta(seconds=60))


def test_a_router_that_is_not_sampled_in_time_makes_the_run_unfit_and_does_not_break_it() -> None:
    sampler = Sampler(lambda _: FakeSession([]), {"R1": {"bgp": PEER}})
    with pytest.raises(MachineBusyError, match=r"R1: no sample of its sessions within 0\.01 s"):
        sampler.await_fresh("R1", time.time_ns(), within=timedelta(milliseconds=10))


def test_stopping_logs_out(sampling: Callable[..., tuple[Sampler, FakeSession]]) -> None:
    sampler, session = sampling(summary())
    sampler.stop()
    assert session.closed.is_set()


def test_an_ldp_session_that_is_not_shown_does_not_exist_and_ldp_that_does_not_run_is_an_error() -> None:
    now = datetime.now(UTC)
    nothing = Exchange("R1", "show ldp session detail", "", now, now, LdpSessions(()))
    empty = Exchange("R1", "show ldp database", "", now, now, LdpDatabase(()))
    sample = ldp_sample([nothing, empty], PEER)
    assert (sample.up, sample.state, sample.carries) == (False, "Nonexistent", False)
    with pytest.raises(RunError, match="not running"):
        ldp_sample([replace(nothing, parsed=LdpSessions((), running=False)), empty], PEER)
    with pytest.raises(RunError, match="not running"):
        ldp_sample([nothing, replace(empty, parsed=LdpDatabase((), running=False))], PEER)


def test_a_sample_of_ldp_has_the_received_labels_and_spans_both_commands() -> None:
    begun = datetime.now(UTC)
    later = begun + timedelta(milliseconds=30)
    row = LdpSession(PEER, LdpState.OPERATIONAL, LdpConnection.OPEN, 26, up_for=timedelta(seconds=5))
    labels = (
        LdpLabel("10.255.0.1:0", "10.255.0.2:0", "10.255.0.2/32", 3, received=True),
        LdpLabel("10.255.0.1:0", "10.255.0.2:0", "10.255.0.1/32", 16, received=False),
    )
    sample = ldp_sample(
        [
            Exchange("R1", "show ldp session detail", "", begun, begun, LdpSessions((row,))),
            Exchange("R1", "show ldp database", "", later, later, LdpDatabase(labels)),
        ],
        PEER,
    )
    assert sample.labels == frozenset({("10.255.0.2/32", 3)})
    assert sample.carries
    assert sample.at - sample.asked == 30_000_000


@pytest.mark.parametrize("ending", [ZeroDivisionError("oops"), OSError(28, "No space left on device"), MemoryError()])
def test_every_error_that_ends_the_thread_of_a_sampler_is_reported(
    sampling: Callable[..., tuple[Sampler, FakeSession]], ending: BaseException
) -> None:
    sampler, _ = sampling(ending)
    with pytest.raises(RunBrokenError, match=f"R1: {type(ending).__name__}"):
        sampler.await_fresh("R1", 0, within=timedelta(seconds=20))
    with pytest.raises(RunBrokenError, match="cannot sample the sessions"):
        sampler.samples("R1", "bgp")


def test_a_session_that_cannot_be_opened_is_reported() -> None:
    def connect(router: str) -> FakeSession:
        raise KeyError(router)

    sampler = Sampler(connect, {"R1": {"bgp": PEER}})
    sampler.watch("R1")
    with pytest.raises(RunBrokenError, match="R1: KeyError"):
        sampler.await_fresh("R1", 0, within=timedelta(seconds=20))
    sampler.stop()


def test_a_sample_that_cannot_be_reported_ends_the_sampling(
    sampling: Callable[..., tuple[Sampler, FakeSession]],
) -> None:
    def full(_sample: Sample) -> None:
        raise RunError("cannot write timeline.jsonl")

    sampler, _ = sampling(summary(), changed=full)
    with pytest.raises(RunBrokenError, match=r"cannot write timeline\.jsonl"):
        sampler.await_fresh("R1", 2**62, within=timedelta(seconds=20))
