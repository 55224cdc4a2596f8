"""Will it be hitless? Findings and predicted rollovers of sessions between any number of configurations. Pure.

report = judge([read(text, name), …], Question(at=…))       # of keyroll.configuration
report.sessions       # each with verdict, findings and its pair of chains
report.pairs          # two chains each: coming.rollovers, a coming rollover each

rollovers   which keys of two chains take over together, and when
skew        how far the two clocks may be apart
coming_rollovers
            each coming rollover under each mix of policies: what is dropped, when the session falls
rules       the rules, as data
findings    what is wrong with an end, with two ends, with a chain
judge       from configurations to a report
chain_judge from configurations to what their chains break, for `keyroll keychain lint`
merged_findings
            findings that say the same of several sessions, as one
as_json     a report as plain data
"""
