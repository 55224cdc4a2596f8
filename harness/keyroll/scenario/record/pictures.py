"""What the figures of a report need besides the timeline: each router's keys, without their secrets."""

from __future__ import annotations

from datetime import datetime

from keyroll.keychain.model import Key, Keychain

CHAINS = "chains.json"
WIRE = "wire.json"
FORMAT = 1


class HeldKeys:
    """Every key that a router had in a run, in the order in which they were first committed."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, dict[tuple[int, datetime | None], Key]]] = {}

    def note(self, router: str, chain: Keychain) -> None:
        """Add the keys of a chain that was committed on a router."""
        held = self._found.setdefault(router, {}).setdefault(chain.name, {})
        for key in chain.keys:
            held.setdefault((key.id, key.start), key)

    def as_data(self) -> dict[str, object]:
        """Return the keys as plain data."""
        return {
            "format": FORMAT,
            "routers": {
                router: [
                    {"name": name, "keys": [_key(key) for key in keys.values() if key.start is not None]}
                    for name, keys in chains.items()
                ]
                for router, chains in self._found.items()
            },
        }


def _key(key: Key) -> dict[str, object]:
    start = "" if key.start is None else key.start.isoformat()
    return {"id": key.id, "start": start, "send": key.send_id, "recv": key.recv_id}
