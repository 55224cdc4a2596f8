"""A scenario from two saved configurations: the rollovers that the two routers will make, for any lab to play.

pair.py       imports a pair of configurations: the file, and what is said about it
choice.py     the sessions that are played, and what a planned commit is predicted to do to them
session_groups.py
              which sessions between the two routers are played, and their chains
links.py      the links between the two routers, and what each is played on
sessions.py   the sessions as the file writes them: families, loopbacks, internal, passive
left_out.py   what the scenario does not play: what may change the verdict, and counts of the rest
draft.py      the keys and steps of the scenario, and what `keyroll check` predicts of each rollover
planned.py    a planned commit: what it changes, and which sessions it resets
link_capture.py
              what a capture of the real link says of the keys, before anything is played
anonymizer.py names, addresses and files replaced in what the file says
text.py       the scenario file as text; no secret is in it, nor anything derived from one
"""
