"""Reports: one HTML page that loads nothing from elsewhere, or Markdown for tickets.

read.py       read_subject(path) -> Subject: finds out whether a path is a run, a plan or a prediction
run.py        load_run(folder) -> RunRecord: the content of a run folder, as values
timeline.py   timeline(record) -> Timeline: the picture of a run, on the host's seconds
chart.py      Timeline, Lane, Bar, Mark: the parts of every picture
page.py       run_page(record) -> str: the HTML
plan.py, prediction.py, watch_and_rehearsal.py
              pages of a plan and of `keyroll check`; what a watch or a rehearsal adds to its run
sheet.py      Sheet, Section, Row: the content of the page of a plan or a prediction
night.py      read_night(folder) -> Night: many runs; night_page(night, links, before) -> str
markdown.py   run_markdown(record) -> str
text.py       text that comes from outside, made safe to show
values.py     values from JSON of unknown origin

The same folder gives the same bytes: no module here reads a clock.
"""
