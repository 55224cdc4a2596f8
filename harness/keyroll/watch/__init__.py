"""A rollover on routers that exist, observed read-only.

inventory   the file that names the routers, and how each is logged in to
login       secrets and SSH's configuration: from an inventory to targets
commands    everything that a router is ever sent
pace        how fast
router      one router: the commands, at their pace, and nothing else
situation   the first look: configurations, sessions, what `check` predicts
sampling    one look: clock, chains, sessions, routes and labels, drops
verdict     what was seen, judged
state       what a watch is asked, and all that is known of it so far
one_look    one look, judged
metrics     one look, for Prometheus
collect     a bundle for a support case
markdown    a watch, for a ticket
engine      a watch from beginning to end
as_json     a watch as data
redacted    what of a configuration is written
"""
