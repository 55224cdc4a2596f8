"""The life of a keychain: what to add and delete, when, on which router first, each state checked. Pure.

model.py            Request, Router, Plan, Change, RouterChange, PlanRefusedError
chain_agreement.py  do the routers' chains hold the same keys, and which key is whose counterpart
ids.py              which ids and key numbers a new key gets: they go round from the newest key's
build.py            plan(request) -> Plan: one change for each key that has to be added
alternatives.py     which options would do, where a plan is refused
emergency.py        emergency(request, number) -> Plan: a secret has leaked
verify.py           every state that the plan passes through, under every mix of policies
notes.py            what a reader must know beside the changes, as sentences and as data
sessions.py         what `check` says of the sessions that the chains protect
files.py            the files: set and rollback files, plan.md (markdown.py), plan.json (as_json.py)
"""
