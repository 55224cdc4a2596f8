"""A link's decisions about frames, computed without a network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.lab.embedded.link import Direction
from keyroll.lab.local.link_controller import LinkController
from keyroll.lab.protocol import Impairment, LabError
from keyroll.lab.topology import Link

FRAMES = st.lists(st.binary(min_size=15, max_size=200), max_size=30)
SHARES = st.floats(0, 1)


@given(frames=FRAMES, seed=st.integers(0, 2**32), loss=SHARES, reorder=SHARES, damage=SHARES)
def test_the_same_seed_gives_the_same_fates(
    frames: list[bytes], seed: int, loss: float, reorder: float, damage: float
) -> None:
    impairment = Impairment(loss=loss, reorder=reorder, damage=damage, delay=0.1, jitter=0.1, seed=seed)
    one, other = Direction(impairment), Direction(impairment)
    assert [one.decide(frame) for frame in frames] == [other.decide(frame) for frame in frames]


@given(frames=FRAMES)
def test_without_impairment_every_frame_is_sent_at_once_and_unchanged(frames: list[bytes]) -> None:
    direction = Direction(Impairment(seed=5))
    assert direction.plain
    for frame in frames:
        fate = direction.decide(frame)
        assert (fate.after, fate.frame, fate.what) == (0.0, frame, None)


@given(frames=FRAMES)
def test_a_loss_of_1_drops_every_frame(frames: list[bytes]) -> None:
    direction = Direction(Impairment(loss=1))
    assert all(direction.decide(frame).after is None for frame in frames)


@given(frame=st.binary(min_size=15, max_size=200), seed=st.integers(0, 1000))
def test_damage_inverts_one_bit_behind_the_ethernet_header(frame: bytes, seed: int) -> None:
    fate = Direction(Impairment(damage=1, seed=seed)).decide(frame)
    assert fate.what == "damaged"
    assert fate.frame[:14] == frame[:14]
    assert sum((a ^ b).bit_count() for a, b in zip(fate.frame, frame, strict=True)) == 1


def test_a_share_beyond_one_and_a_negative_time_are_refused() -> None:
    with pytest.raises(LabError, match="share from 0 to 1"):
        Impairment(loss=1.5)
    with pytest.raises(LabError, match="time in seconds"):
        Impairment(delay=-1)


LINKS = (Link(("R1", "eth1"), ("R2", "eth1")), Link(("R1", "eth2"), ("R2", "eth2")))


def test_a_link_has_to_be_named_if_there_are_two() -> None:
    orders = []

    def order(name: str, message: dict[str, str | int | dict[str, float | int]]) -> dict[str, bool]:
        orders.append((name, message["op"], message.get("towards")))
        return {"ok": True}

    controller = LinkController("lab", LINKS, {}, order)
    with pytest.raises(LabError, match=r"which link\? There is R1:eth1-R2:eth1, R1:eth2-R2:eth2"):
        controller.cut()
    controller.cut("R1:eth2-R2:eth2")
    controller.impair(Impairment(loss=0.5), towards="R2", link="R1:eth1-R2:eth1")
    assert orders == [("R1:eth2-R2:eth2", "cut", None), ("R1:eth1-R2:eth1", "impair", 1)]
    with pytest.raises(LabError, match="does not lead to 'R9'"):
        controller.impair(Impairment(), towards="R9", link="R1:eth1-R2:eth1")


def test_a_refusal_of_the_link_is_an_error() -> None:
    controller = LinkController("lab", LINKS[:1], {}, lambda _name, _order: {"ok": False, "error": "it has ended"})
    with pytest.raises(LabError, match="it has ended"):
        controller.cut()
