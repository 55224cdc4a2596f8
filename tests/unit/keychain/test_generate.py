"""Generated keychains: reproducible from their seed, and usable for TCP-AO."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.known import known

from keyroll.keychain.generate import Ids, draw_secret, generate
from keyroll.keychain.model import KeychainError
from keyroll.names import Algorithm

T0 = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_seed_gives_the_same_bytes_in_every_release() -> None:
    """The seed of an old run must reproduce its keychains with a later release."""
    assert draw_secret(7, "new_auth_key key 0").reveal() == b"i1U3Zhi5b6KUNH1EVNWI"
    chain = generate(7, name="new_auth_key", count=3, first=T0, ids=Ids.DRAWN)
    assert chain.keys[0].secret == draw_secret(7, "new_auth_key key 0")
    assert [(key.send_id, key.recv_id) for key in chain.keys] == [(130, 207), (94, 23), (99, 153)]


def test_a_seed_gives_the_same_chain_as_a_number_and_as_text() -> None:
    assert generate(7, name="c", first=T0) == generate("7", name="c", first=T0)


def test_seed_label_and_name_each_change_the_secrets() -> None:
    secrets = {draw_secret(seed, label).reveal() for seed in (1, 2, "a") for label in ("x", "y")}
    assert len(secrets) == 6
    assert generate(1, name="a", first=T0).keys[0].secret != generate(1, name="b", first=T0).keys[0].secret


@given(st.one_of(st.integers(), st.text()), st.text(), st.integers(1, 126))
def test_a_drawn_secret_has_its_length_and_only_letters_and_digits(seed: int | str, label: str, length: int) -> None:
    text = draw_secret(seed, label, length).reveal_text()
    assert len(text) == length
    assert text.isascii()
    assert text.isalnum()


@pytest.mark.parametrize("length", [0, 127, -1])
def test_a_secret_length_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(KeychainError, match="1 to 126"):
        draw_secret(1, "x", length)


@given(st.integers(), st.integers(1, 64), st.sampled_from(Ids), st.integers(1, 86400))
def test_every_generated_key_is_usable_and_no_keyid_belongs_to_two_keys(
    seed: int, count: int, ids: Ids, seconds: int
) -> None:
    interval = timedelta(seconds=seconds)
    chain = generate(seed, name="c", count=count, first=T0, ids=ids, interval=interval)
    assert [key.id for key in chain.keys] == list(range(count))
    assert all(key.usable for key in chain.keys)
    assert [key.start for key in chain.keys] == [T0 + n * interval for n in range(count)]
    owners = [number for key in chain.keys for number in {key.send_id, key.recv_id}]
    assert len(owners) == len(set(owners))


def test_several_algorithms_are_assigned_to_the_keys_in_turn() -> None:
    mix = (Algorithm.HMAC_SHA_1_96, Algorithm.AES_128_CMAC_96)
    chain = generate(1, name="c", count=3, first=T0, algorithms=mix)
    assert [key.algorithm for key in chain.keys] == [mix[0], mix[1], mix[0]]


def test_a_mirrored_chain_has_send_id_and_recv_id_exchanged() -> None:
    chain = generate(1, name="c", first=T0)
    peer = chain.mirrored()
    assert [(key.recv_id, key.send_id) for key in peer.keys] == [(key.send_id, key.recv_id) for key in chain.keys]
    assert peer.mirrored() == chain
    equal = generate(1, name="c", first=T0, ids=Ids.EQUAL)
    assert equal.mirrored() == equal


def test_intervals_are_counted_in_real_time_across_the_end_of_summer_time() -> None:
    """Adding 30 minutes to the local time would give an interval of 90 minutes."""
    first = datetime(2026, 10, 25, 2, 45, tzinfo=ZoneInfo("Europe/Berlin"))
    chain = generate(1, name="c", count=2, first=first)
    one, two = (known(key.start).astimezone(UTC) for key in chain.keys)
    assert two - one == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "1 to 64 keys"),
        ({"count": 65}, "1 to 64 keys"),
        ({"algorithms": ()}, "at least one algorithm"),
        ({"interval": timedelta()}, "more than zero"),
        ({"interval": timedelta(microseconds=1)}, "whole seconds"),
        ({"first": T0.replace(microsecond=1)}, "whole seconds"),
        ({"first": T0.replace(tzinfo=None)}, "needs a time zone"),
        ({"interval": timedelta(days=4_000_000)}, "beyond the year 9999"),
        ({"secret_length": 0}, "1 to 126"),
        ({"tolerance": -1}, "tolerance"),
        ({"name": "a b"}, "no spaces"),
    ],
)
def test_a_value_out_of_range_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(KeychainError, match=message):
        generate(1, **{"name": "c", "first": T0, **change})
