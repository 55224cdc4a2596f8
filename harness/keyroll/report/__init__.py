"""One page of a run: HTML that needs nothing but itself, and Markdown for tickets.

run.py        load_run(folder) -> RunRecord: what a run folder holds, as values
timeline.py   timeline(record) -> Timeline: lanes with bars and marks, on the host's seconds
page.py       run_page(record) -> str: the HTML
plan.py, prediction.py, watch_and_rehearsal.py
              pages of a plan and of `keyroll check`; what a watch or a rehearsal adds to its run
night.py      read_night(folder) -> Night: many runs; night_page(night, links, before) -> str
markdown.py   run_markdown(record) -> str
text.py       text that comes from outside, made safe to show

Same folder, same bytes: nothing here reads a clock.
"""
