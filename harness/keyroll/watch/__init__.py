"""A rollover on routers that exist, observed read-only.

inventory   the file that names the routers, and how each is logged in to
login       secrets and SSH's configuration: from an inventory to targets
commands    the allow-list: every command that a router may be sent
pace        when a router may be sent the next line
router      one router: sends the commands of the allow-list, at that pace
situation   the first look: configurations, sessions, what `check` predicts
sampling    one look: clock, chains, sessions, routes and labels, drops
verdict     the verdict on all looks
state       the options of a watch, and what is known so far
one_look    the verdict on one look
metrics     one look, for Prometheus
collect     a bundle for a support case
markdown    a watch, for a ticket
engine      a watch from beginning to end
as_json     a watch as data
redacted    what is written of the configurations, without secrets
"""
