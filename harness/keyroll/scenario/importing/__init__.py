"""A scenario from two saved configurations: the very rollover that the two routers will make, for any lab to play.

pairs.py      which session between the two routers is meant, and its chains
links.py      the links between the two routers, and what each is played on
sessions.py   the sessions as the file writes them: families, loopbacks, internal, passive
left_out.py   what the scenario does not play, by weight
draft.py      the keys and steps of the scenario, and what `keyroll check` predicts of each rollover
seen.py       what a capture of the link says of the keys, before anything is played
text.py       the scenario file as text; no secret is in it, nor anything derived from one
"""
