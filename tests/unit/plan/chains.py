"""Chains and requests for tests of plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from keyroll.keychain.generate import draw_secret
from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm
from keyroll.plan.model import Request, Router

AT = datetime(2027, 3, 1, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def draw(label: str) -> Secret:
    return draw_secret(1, label)


def key(number: int, start: datetime, send: int, recv: int, secret: str = "sesame") -> Key:
    return Key(number, Secret(secret), start, "ao", send, recv, tcp_ao_option=True, algorithm=Algorithm.HMAC_SHA_1_96)


def chain(*keys: Key, tolerance: int = 3600) -> Keychain:
    return Keychain("kc", keys, tolerance)


def pair(held: Keychain) -> tuple[Router, Router]:
    return Router("R1", held), Router("R2", held.mirrored())


def request_of(routers: Sequence[Router], **changes: Any) -> Request:
    values: dict[str, Any] = {"until": AT + 365 * DAY, "every": 90 * DAY, "at": AT, "draw": draw} | changes
    return Request(routers=tuple(routers), **values)
