"""Valid Junos statements that real configurations contain and that have no effect on this router.

There are three kinds, as data; each names what is lost because the router does not act on it. Whole hierarchies that
cannot affect a session's authentication are kept as text, unparsed. Inside emulated hierarchies, a statement without
effect is kept if one of these tables lists it; any other is a syntax error. Statements that would change how sessions
behave are kept too, but a commit in which they are active fails.

    hierarchies      whole hierarchies, and the statements that every body accepts
    system, interfaces, routing, policy, protocols
                     additions to the module of the same name one folder up, which has the emulated statements

`make docs` writes docs/emulated.md from these. To keep another statement, add a row.
"""
