"""Operational commands: the grammar. A line here adds a command."""

from __future__ import annotations

from harness.emulator.junos.commands import clearing, mode, showing, system
from harness.emulator.junos.grammar import Term
from harness.emulator.junos.paths import Purpose
from harness.emulator.junos.values import Address, Integer, Text, one_of

_SHOW_BGP = Term(
    "bgp",
    "Show Border Gateway Protocol information",
    (Term("summary", "Show overview of Border Gateway Protocol information", run=showing.bgp_summary),),
)

_SHOW_SECURITY = Term(
    "security",
    "Show security information",
    (
        Term(
            "keychain",
            "Show keychain information",
            (
                Term("brief", "Display brief output (default)", run=showing.keychain_brief),
                Term("detail", "Display detailed output", run=showing.keychain_detail),
            ),
            showing.keychain_brief,
        ),
    ),
)

_SHOW_SYSTEM = Term(
    "system",
    "Show system information",
    (Term("uptime", "Show time since system and processes started", run=showing.uptime),),
)

SHOW = Term(
    "show",
    "Show system information",
    (
        _SHOW_BGP,
        Term("configuration", "Show current configuration", run=showing.configuration, purpose=Purpose.NAME),
        _SHOW_SECURITY,
        _SHOW_SYSTEM,
        Term("version", "Show software process revision levels", run=showing.version),
    ),
)

CLEAR = Term(
    "clear",
    "Clear information in the system",
    (
        Term(
            "bgp",
            "Clear Border Gateway Protocol information",
            (
                Term(
                    "neighbor",
                    "Clear BGP neighbors",
                    (
                        Term(
                            "address",
                            "IP address of neighbor",
                            (Term("soft", "Soft reset", run=clearing.bgp),),
                            clearing.bgp,
                            Address(),
                        ),
                        Term("all", "Clear all BGP neighbors", run=clearing.bgp),
                        Term("soft", "Soft reset", run=clearing.bgp),
                    ),
                    clearing.bgp,
                ),
            ),
        ),
    ),
)

SET = Term(
    "set",
    "Set CLI properties, date/time, craft interface message",
    (
        Term(
            "cli",
            "Set CLI properties",
            (
                Term(
                    "complete-on-space",
                    "Set whether typing space completes current word",
                    (
                        Term(
                            "value",
                            "",
                            (),
                            mode.complete_on_space,
                            one_of(off="Disable completion on space", on="Enable completion on space"),
                        ),
                    ),
                ),
                Term(
                    "screen-length",
                    "Set number of lines on screen",
                    (Term("length", "Number of lines of text", (), mode.screen_length, Integer(0, 10000)),),
                ),
                Term(
                    "screen-width",
                    "Set number of characters on a line",
                    (Term("width", "Number of characters on a line", (), mode.screen_width, Integer(0, 1024)),),
                ),
            ),
        ),
        Term(
            "date",
            "Set system date and time",
            (Term("time", "New date and time (YYYYMMDDhhmm.ss)", (), system.set_date, Text(1, 32)),),
        ),
    ),
)

OPERATIONAL: tuple[Term, ...] = (
    CLEAR,
    Term("cli", "Start the command-line interface (already there)", run=mode.already_there),
    Term(
        "configure",
        "Manipulate software configuration information",
        (
            Term("exclusive", "Obtain exclusive lock", run=mode.refuse_exclusive),
            Term("private", "Work in a private database", run=mode.refuse_private),
        ),
        mode.configure,
    ),
    Term("exit", "Exit the management session", run=mode.leave),
    Term("quit", "Exit the management session", run=mode.leave),
    SET,
    SHOW,
)
