"""Keychains that are read back are decoded and compared attribute by attribute."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.curly_text import curly
from tests.unit.junos.conftest import Device

from keyroll.junos.readback import COMMAND, differences, read_keychains
from keyroll.junos.session import RouterSession
from keyroll.keychain.generate import generate
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

T0 = datetime(2030, 1, 1, tzinfo=UTC)
CHAIN = generate(7, name="new_auth_key", first=T0, interval=timedelta(minutes=30))
KEY = CHAIN.keys[1]


def stored(chain: Keychain) -> str:
    text = curly([chain], root=False)
    assert "$9$" in text
    return text


def test_a_chain_is_read_back_as_it_was_sent(device: Device) -> None:
    device.replies[COMMAND] = stored(CHAIN)
    with RouterSession(device.target()) as session:
        assert read_keychains(session) == [CHAIN]
    assert differences([CHAIN], [CHAIN]) == []


def test_no_chain_is_an_empty_list(device: Device) -> None:
    device.replies[COMMAND] = ""
    with RouterSession(device.target()) as session:
        assert read_keychains(session) == []


def test_the_record_of_reading_back_has_no_encoded_secret(device: Device) -> None:
    device.replies[COMMAND] = stored(CHAIN)
    records: list[Any] = []
    with RouterSession(device.target(), recorder=records.append) as session:
        read_keychains(session)
    assert "$9$" not in records[-1].raw
    assert "start-time" in records[-1].raw


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (replace(KEY, secret=Secret("another")), "key 1: the secret differs"),
        (
            replace(KEY, start=T0),
            "key 1: start-time was sent as 2030-01-01 00:30:00+00:00, is 2030-01-01 00:00:00+00:00",
        ),
        (replace(KEY, send_id=9), f"key 1: send-id was sent as {KEY.send_id}, is 9"),
        (replace(KEY, recv_id=None), f"key 1: recv-id was sent as {KEY.recv_id}, is not set"),
        (replace(KEY, scheme=None), "key 1: algorithm was sent as ao, is not set"),
        (replace(KEY, tcp_ao_option=False), "key 1: tcp-ao-option was sent as True, is False"),
        (replace(KEY, algorithm=Algorithm.AES_128_CMAC_96), "is aes-128-cmac-96"),
        (replace(KEY, id=5), "key 1 is missing"),
    ],
)
def test_every_difference_is_named_without_the_secret(device: Device, changed: Key, message: str) -> None:
    device.replies[COMMAND] = stored(replace(CHAIN, keys=(CHAIN.keys[0], changed)))
    with RouterSession(device.target()) as session:
        found = "; ".join(differences([CHAIN], read_keychains(session)))
    assert message in found
    assert "another" not in found


def test_chains_are_matched_by_name() -> None:
    assert differences([CHAIN], []) == ["key-chain new_auth_key is missing"]
    assert differences([], [CHAIN]) == ["key-chain new_auth_key was not sent"]
    assert differences([CHAIN], [replace(CHAIN, tolerance=60)]) == [
        "key-chain new_auth_key: tolerance was sent as 3600, is 60"
    ]
