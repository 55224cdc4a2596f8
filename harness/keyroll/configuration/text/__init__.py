"""Curly text, `set` lines and what a terminal adds, read line by line into one tree.

    tokens       the words of one line
    position     where reading stands: line, level, path
    levels       curly text: statements, braces, lists
    set_lines    set lines and the other commands of configuration mode
    reader       the way of each line to one of the two; prompts, banners, comments

A text may change its form from line to line, as a console log does.
"""

from keyroll.configuration.text.reader import TextReader

__all__ = ["TextReader"]
