"""Plans a keychain's changes: which keys to add and delete, and when; every state in between is judged. No I/O.

model.py            Request, Router, Plan, Change, RouterChange, PlanRefusedError
chain_agreement.py  compares the routers' chains: they must hold the same keys
ids.py              which ids and key number a new key gets: they continue from the newest key's
build.py            plan(request) -> Plan: one change for each key that has to be added
alternatives.py     which options would work if a plan is refused
emergency.py        emergency(request, number) -> Plan: replaces a key whose secret has leaked
verify.py           judges every state that the plan passes through, under every mix of policies
notes.py            what a reader must know besides the changes, as sentences and as data
sessions.py         what `check` says of the sessions that the chains protect
files.py            the files: set and rollback files, plan.md (markdown.py), plan.json (as_json.py)
"""
