"""Two routers with one BGP session and a chain of two keys, for the tests of `check` and of its report."""

from __future__ import annotations

CHAIN = "set security authentication-key-chains key-chain KC"


def router(name: str, own: str, peer: str, *, start: str = "2030-1-1.00:30:00 +0000", secret: str = "quarterly") -> str:
    """Return the set lines of R1 or R2; with the start-time of key 1 and the secret of both keys."""
    send, recv = (1, 2) if name == "R1" else (2, 1)
    neighbor = f"set protocols bgp group g neighbor {peer} authentication-"
    lines = [
        "set version 24.4R1.9",
        f"set system host-name {name}",
        f"set interfaces ge-0/0/0 unit 0 family inet address {own}/30",
        f"{neighbor}algorithm ao",
        f"{neighbor}key-chain KC",
        f"{CHAIN} tolerance 600",
    ]
    for key, begin in ((0, "2029-1-1.00:00:00 +0000"), (1, start)):
        lines += [
            f"{CHAIN} key {key} secret {secret}",
            f'{CHAIN} key {key} start-time "{begin}"',
            f"{CHAIN} key {key} algorithm ao",
            f"{CHAIN} key {key} ao-attribute send-id {send + 2 * key}",
            f"{CHAIN} key {key} ao-attribute recv-id {recv + 2 * key}",
            f"{CHAIN} key {key} ao-attribute tcp-ao-option enabled",
        ]
    return "".join(f"{line}\n" for line in lines)
