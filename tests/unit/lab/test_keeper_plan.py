from __future__ import annotations

import os

from keyroll.lab.embedded.keeper_plan import LinkPlan, Plan, RouterPlan
from keyroll.lab.local import channel


def test_a_plan_and_its_descriptors_are_sent_over_the_channel() -> None:
    fds = [os.memfd_create(f"f{number}") for number in range(12)]
    for number, fd in enumerate(fds):
        os.write(fd, str(number).encode())
    routers = (
        RouterPlan("R1", ("eth1",), fds[1], fds[2], fds[3], {"eth1": (fds[4], fds[5])}),
        RouterPlan("R2", ("eth1",), fds[6], fds[7], fds[8], {"eth1": (fds[9], fds[10])}),
    )
    plan = Plan(fds[0], routers, (LinkPlan("l", ("R1", "eth1"), ("R2", "eth1"), fds[11]),))
    ours, theirs = channel.pair()
    with ours, theirs:
        channel.send(ours, *plan.to_message())
        received = channel.receive(theirs)
    assert received is not None
    arrived = Plan.from_message(*received)

    def content(fd: int) -> str:
        return os.pread(fd, 10, 0).decode()

    assert content(arrived.evidence) == "0"
    assert [content(fd) for fd in (arrived.routers[1].boot, *arrived.routers[1].captures["eth1"])] == ["6", "9", "10"]
    (link,) = arrived.links
    assert (link.name, link.a, link.b, content(link.frame_log)) == ("l", ("R1", "eth1"), ("R2", "eth1"), "11")
    arrived.close()
    plan.close()


def test_the_end_of_a_channel_is_detected() -> None:
    ours, theirs = channel.pair()
    ours.close()
    assert channel.receive(theirs) is None
    theirs.close()
