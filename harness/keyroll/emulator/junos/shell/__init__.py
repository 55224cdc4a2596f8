"""The command line: grammar, completion, pipes, commands and their output.

Each part imports only those before it:

completion    completes a word, and lists the help of `?`: pure
output        the output of a command
router_state  the state that all command lines of one router share
session       the state of one command line: mode, edit level, screen settings
grammar       commands as data: parsing, abbreviations, help
show          the text of operational commands, as functions of states
commands      the commands of both modes and their actions; `pipes`: the commands after a `|`
startup       loads the start-up configuration at the first boot
cli           one command line: runs lines and returns their output
"""
