"""Curly text, `set` lines and the lines of a terminal session, read into one tree.

    tokens       the words of one line
    position     the current position: line, level, path
    levels       curly text: statements, braces, lists
    set_lines    set lines and the other commands of configuration mode
    reader       decides for each line which of the two reads it; prompts, banners, comments

A text may change its form from line to line, as a console log does.
"""

from keyroll.configuration.text.reader import TextReader

__all__ = ["TextReader"]
