"""`show bgp summary` (docs/junos.md 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

from keyroll.emulator.contract.model import BgpState
from keyroll.emulator.junos.shell.show.durations import up_down

ESTABLISHED = "Established"
TABLE_HEADER = "Table          Tot Paths  Act Paths Suppressed    History Damp State    Pending"
PEER_HEADER = (
    "Peer                     AS      InPkt     OutPkt    OutQ   Flaps Last Up/Dwn "
    "State|#Active/Received/Accepted/Damped..."
)


def summary(states: Sequence[BgpState], groups: int) -> list[str]:
    """Return the summary of `states`; `groups` is the number of configured groups that have a neighbor."""
    peers = sorted(states, key=lambda state: (state.address.version, int(state.address)))
    down = sum(state.state != ESTABLISHED for state in peers)
    lines = [
        "Threading mode: BGP I/O",
        "Default eBGP mode: advertise - accept, receive - accept",
        f"Groups: {groups} Peers: {len(peers)} Down peers: {down}",
        TABLE_HEADER,
    ]
    for table in sorted({name for state in peers for name in state.prefixes}):
        received = sum(state.prefixes.get(table, (0, 0, 0))[1] for state in peers)
        active = sum(state.prefixes.get(table, (0, 0, 0))[0] for state in peers)
        lines += [f"{table:<21}", f"{received:>24}{active:>11}" + f"{0:>11}" * 4]
    lines.append(PEER_HEADER)
    for state in peers:
        lines += _peer(state)
    return lines


def _peer(state: BgpState) -> list[str]:
    up = state.state == ESTABLISHED
    shown = "Establ" if up else state.state
    row = (
        f"{state.address!s:<15}{state.peer_as:>12}{state.messages_in:>11}{state.messages_out:>11}"
        f"{state.out_queue:>8}{state.flaps:>8} {up_down(state.since_seconds):>11} {shown}"
    )
    tables = sorted(state.prefixes.items()) if up else []
    return [row, *(f"  {table}: {active}/{received}/{accepted}/0" for table, (active, received, accepted) in tables)]
