"""Findings and predicted rollovers of the sessions between any number of configurations. No I/O.

report = judge([read(text, name), …], Question(at=…))       # `read` is from keyroll.configuration
report.sessions       # each with its verdict, findings and pair of chains
report.pairs          # pairs of chains; pair.coming.rollovers are the coming rollovers

rollovers   which keys of two chains take over together, and when
skew        how far the two clocks may be apart
coming_rollovers
            each coming rollover under each mix of policies: what is dropped, when the session goes down
rules       the rules, as data
findings    what is wrong with one end of a session, with two ends, with a chain
ldp_groups  pairs the ends of LDP sessions that are configured by prefix
unknown_zones
            start-times whose time zone is not known
judge       judges configurations, and returns a report
chain_judge judges the chains of configurations, for `keyroll keychain lint`
merged_findings
            joins equal findings about several sessions
as_json     a report as plain data
"""
