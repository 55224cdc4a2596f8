"""The wire path: adds TCP-AO (RFC 5925) to frames between a router's kernel and its links (a "bump in the wire").

One process per router, `python -m keyroll.emulator.wire --control-fd N --pair h0:eth1 [--pair h1:eth2]`, carries
frames between the host side of each pair (the other end of the veth whose far end is the router's own `ge-0-0-0`) and
the wire side. In outgoing segments of protected sessions it inserts the option; in incoming ones it verifies and strips
it, or drops the segment. All other frames pass unchanged. Without a usable key a protected session's segments are
dropped in both directions.

Control is newline-delimited JSON over an inherited stream socket, one object on each line, in both directions. The
socket's end of file ends the process. Secrets pass over this socket only. An order has `"v": 1`, an `"op"` and an
`"id"` that the caller chooses; its answer repeats the id with `"ok": true`, or `"ok": false` and an `"error"` sentence.
Orders are carried out between two frames, in the order of arrival.

| op | fields | what it does |
|---|---|---|
| `units` | `units`: list | replaces the table of logical interfaces with a VLAN: `{"host", "wire", "vlan"}` each |
| `sessions` | `sessions`: list; `records`: list | replaces the table; connections of sessions in both tables continue |
| `clock` | `offset_ns` | router's clock = host's clock + offset |
| `status` | | answers with `status` |
| `records` | | answers with `records`: list |
| `stop` | | answers, then ends the process |

A session is `{"peer", "port", "local" or null, "tolerance" (seconds), "sending": "clock"|"rnext", "receiving":
"tolerance"|"any", "allow_without_ao", "isn" or null, "prefix" or null, "excepted": [prefix, …],
"keys": [{"number", "start" (ISO 8601, UTC), "send_id", "recv_id", "secret"
(hex), "algorithm", "include_options"}]}`.

With `records` (the connections of a former process) the process continues these before it carries a frame; `restored`
in the answer is how many of them it has keys for. The process also sends events, `{"v": 1, "event": kind, …}`, and
`{"v": 1, "event": "ready"}` once its sockets are open. No frame is carried before the first `sessions` order (its list
may be empty): until then the process does not know what is protected.

The client for a supervisor is `keyroll.emulator.wire.client.WireClient`; values are in `keyroll.emulator.wire.model`.
"""
