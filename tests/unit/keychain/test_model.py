"""Keys and keychains: ranges, names, and which keys TCP-AO can use."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.known import known

from keyroll.keychain.model import NAME_MESSAGE, Key, Keychain, KeychainError
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

T0 = datetime(2030, 1, 1, tzinfo=UTC)
WHOLE = Key(1, Secret("s"), T0, "ao", send_id=3, recv_id=4, tcp_ao_option=True)
LACKING = {
    "secret": replace(WHOLE, secret=None),
    "start": replace(WHOLE, start=None),
    "scheme": replace(WHOLE, scheme=None),
    "send-id": replace(WHOLE, send_id=None),
    "recv-id": replace(WHOLE, recv_id=None),
    "tcp-ao-option": replace(WHOLE, tcp_ao_option=None),
}
"""Keys that lack one value each, by the name of that value."""


@pytest.mark.parametrize(
    ("field", "low", "high"), [("id", 0, 63), ("send_id", 0, 255), ("recv_id", 0, 255)]
)  # fmt: skip
def test_a_number_out_of_its_range_is_refused(field: str, low: int, high: int) -> None:
    changed: Any = partial(replace, Key(1))
    for good in (low, high):
        assert getattr(changed(**{field: good}), field) == good
    for bad in (low - 1, high + 1):
        with pytest.raises(KeychainError, match=rf"Value {bad} is not within range \({low}..{high}\)"):
            changed(**{field: bad})


def test_a_secret_of_a_key_has_1_to_126_octets() -> None:
    for good in (1, 126):
        assert len(known(Key(1, Secret("x" * good)).secret)) == good
    for bad in (0, 127):
        with pytest.raises(KeychainError, match=f"1 to 126 characters, not {bad}"):
            Key(1, Secret("x" * bad))


def test_a_start_time_has_a_zone() -> None:
    with pytest.raises(KeychainError, match="needs a time zone"):
        Key(1, start=datetime(2030, 1, 1))  # noqa: DTZ001 - the missing zone is what is tested


@pytest.mark.parametrize("name", ["a", "x" * 32, "_a_", "__a", "a__", "a.b/c-d", "größe"])
def test_a_name_that_junos_accepts_is_accepted(name: str) -> None:
    assert Keychain(name).name == name


@pytest.mark.parametrize("name", ["", "x" * 33, "a b", " a", "__a__", "____", "a\nb c"])
def test_a_name_that_junos_refuses_is_refused_with_the_message_of_junos(name: str) -> None:
    with pytest.raises(KeychainError, match=NAME_MESSAGE):
        Keychain(name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tolerance": -1}, r"tolerance: Value -1 is not within range \(0..4294967295\)"),
        ({"tolerance": 4294967296}, "is not within range"),
        ({"description": ""}, "1 to 80 characters"),
        ({"description": "d" * 81}, "1 to 80 characters"),
        ({"keys": (Key(1), Key(1))}, "two keys have the number 1"),
    ],
)
def test_a_chain_out_of_range_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(KeychainError, match=message):
        Keychain("c", **values)


def test_keys_are_sorted_by_number_and_found_by_it() -> None:
    chain = Keychain("c", (Key(5), Key(0), Key(63)))
    assert [key.id for key in chain.keys] == [0, 5, 63]
    assert chain.key(5) == Key(5)
    assert chain.key(6) is None


@pytest.mark.parametrize("lacking", LACKING.values(), ids=LACKING)
def test_a_key_that_lacks_a_value_is_not_usable(lacking: Key) -> None:
    assert WHOLE.usable
    assert not lacking.usable


def test_a_key_for_another_scheme_or_with_the_option_disabled_is_not_usable() -> None:
    assert not replace(WHOLE, scheme="md5").usable
    assert not replace(WHOLE, tcp_ao_option=False).usable


def test_the_default_algorithm_is_hmac_sha_1_96() -> None:
    assert Key(1).effective_algorithm is Algorithm.HMAC_SHA_1_96
    assert Key(1, algorithm=Algorithm.AES_128_CMAC_96).effective_algorithm is Algorithm.AES_128_CMAC_96


@given(st.none() | st.integers(0, 255), st.none() | st.integers(0, 255))
def test_mirroring_reverses_the_ids_and_mirroring_twice_restores_them(send_id: int | None, recv_id: int | None) -> None:
    key = Key(1, Secret("s"), T0, send_id=send_id, recv_id=recv_id)
    assert (key.mirrored().send_id, key.mirrored().recv_id) == (recv_id, send_id)
    assert key.mirrored().mirrored() == key
