"""The wire path: TCP-AO (RFC 5925) as a bump in the wire between a router's kernel and its links.

One process per router, `python -m keyroll.emulator.wire --control-fd N --pair h0:eth1 [--pair h1:eth2]`, carries
frames between the host side of each pair (the other end of the veth whose far end is the router's own `ge-0-0-0`) and
the wire side. On the way out it inserts the option into segments of protected sessions, on the way in it verifies and
strips it, or drops the segment; all else passes. Protected and without a usable key means dropped, both ways.

Control is newline-delimited JSON over an inherited stream socket, one object a line, both ways. The socket's end of
file ends the process. Secrets pass here and nowhere else. A request has `"v": 1`, an `"op"` and an `"id"` of the
caller's choice; its answer repeats the id with `"ok": true`, or `"ok": false` and an `"error"` sentence. Orders are
carried out between two frames, in the order of arrival.

| op | fields | what it does |
|---|---|---|
| `units` | `units`: list | replaces the table of logical interfaces with a VLAN: `{"host", "wire", "vlan"}` each |
| `sessions` | `sessions`: list; `records`: list | replaces the table; connections of sessions that stay go on |
| `clock` | `offset_ns` | router's clock = host's clock + offset |
| `status` | | answers with `status` |
| `records` | | answers with `records`: list |
| `stop` | | answers, then ends the process |

A session is `{"peer", "port", "local" or null, "tolerance" (seconds), "sending": "clock"|"rnext", "receiving":
"tolerance"|"any", "allow_without_ao", "isn" or null, "prefix" or null, "excepted": [prefix, …],
"keys": [{"number", "start" (ISO 8601, UTC), "send_id", "recv_id", "secret"
(hex), "algorithm", "include_options"}]}`.

With `records` (a former process' connections) the table takes these over before the first frame, and the answer has
`restored`: how many it has keys for. The process sends events unasked, `{"v": 1, "event": kind, …}`, and
`{"v": 1, "event": "ready"}` once its sockets are open. No frame is carried before the first `sessions` order (an empty
list will do): until then the process does not know what is protected.

The client for a supervisor is `keyroll.emulator.wire.client.WireClient`; values are in `keyroll.emulator.wire.model`.
"""
