"""What real configurations have beside the sessions: known to Junos, kept and shown again, without effect here.

Three kinds, as data; each says what is lost by not carrying it out. Whole hierarchies that cannot bear on a session's
authentication are kept as text, unread. Inside hierarchies that this router carries out, a statement without effect is
kept if it stands in one of these tables; anything else is a syntax error. Statements that would change what sessions
do are kept too, and a commit in which they are active is refused.

    hierarchies      whole hierarchies, and what is taken in every body
    system, interfaces, routing, policy, protocols
                     beside the module of the same name one folder up, which has what is carried out

`make docs` writes docs/emulated.md from these. To keep another statement, add a row.
"""
