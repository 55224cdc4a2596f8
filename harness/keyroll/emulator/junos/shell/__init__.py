"""The command line itself: grammar, completion, pipes, commands and what they print.

From the ground up:

completion  what completes a word, and the help of `?`: pure
output      what a command answers
chassis     what all command lines of one router share
session     what one command line remembers: mode, place, screen settings
grammar     commands as data: parsing, abbreviations, help
show        the text of operational commands, as functions of states
commands    the commands of both modes, and what they do; `pipes` what may follow a `|`
startup     a configuration that is there before the first boot
cli         lines in, answers out, on top of all these
"""
