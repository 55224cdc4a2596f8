"""The grammar of configuration mode. To add a command, add a term."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.paths import Purpose
from keyroll.emulator.junos.configuration.values import Integer, Text
from keyroll.emulator.junos.shell import not_emulated
from keyroll.emulator.junos.shell.commands import committing, editing, mode
from keyroll.emulator.junos.shell.commands.operational import OPERATIONAL
from keyroll.emulator.junos.shell.grammar import Term

_COMMIT = Term(
    "commit",
    "Commit current set of changes",
    (
        Term("and-quit", "Quit configuration mode if commit succeeds", run=committing.commit, again=True),
        Term("check", "Check correctness of syntax; do not apply changes", run=committing.check),
        Term(
            "comment",
            "Message to write to commit log",
            (Term("text", "Message to write to commit log", (), committing.commit, Text(1, 512)),),
            again=True,
        ),
        Term(
            "confirmed",
            "Automatically rollback if not confirmed",
            (Term("minutes", "Number of minutes until automatic rollback", (), committing.commit, Integer(1, 65535)),),
            committing.commit,
            again=True,
        ),
        Term("synchronize", "Synchronize commit on both Routing Engines", run=committing.commit, again=True),
    ),
    committing.commit,
)

_LOAD_SOURCES = {
    "merge": "Merge contents with existing configuration",
    "override": "Override existing configuration",
    "replace": "Replace configuration data",
    "set": "Execute set of commands on existing configuration",
}

CONFIGURATION = not_emulated.with_absent(
    (
        Term("activate", "Remove the inactive tag from a statement", run=editing.activate, purpose=Purpose.NAME),
        _COMMIT,
        Term("deactivate", "Add the inactive tag to a statement", run=editing.deactivate, purpose=Purpose.NAME),
        Term("delete", "Delete a data element", run=editing.delete, purpose=Purpose.NAME),
        Term("edit", "Edit a sub-element", run=editing.edit, purpose=Purpose.EDIT),
        Term(
            "exit",
            "Exit from this level",
            (Term("configuration-mode", "Exit from configuration mode", run=editing.exit_configuration),),
            editing.exit_level,
            shortest=2,
        ),
        Term("copy", "Copy a statement", run=editing.copy, rest=True),
        Term("insert", "Insert a new ordered data element", run=editing.insert, rest=True),
        Term(
            "load",
            "Load configuration from ASCII file",
            tuple(
                Term(
                    name,
                    text,
                    (
                        Term(
                            "terminal",
                            "Use login terminal",
                            (Term("relative", "Load at the current edit path", run=editing.load),),
                            editing.load,
                        ),
                    ),
                )
                for name, text in _LOAD_SOURCES.items()
            ),
        ),
        Term("quit", "Quit from this level", run=editing.exit_level, shortest=2),
        Term("rename", "Rename a statement", run=editing.rename, rest=True),
        Term(
            "rollback",
            "Roll back to previous committed configuration",
            (Term("number", "Numeric argument", (), editing.rollback, Integer(0, 49)),),
            editing.rollback,
        ),
        Term("run", "Run an operational-mode command", grammar=lambda: tuple(_runnable())),
        Term("set", "Set a parameter", run=editing.set_, purpose=Purpose.SET),
        Term("show", "Show a parameter", run=editing.show, purpose=Purpose.NAME),
        Term("status", "Show users currently editing configuration", run=mode.status),
        Term("top", "Exit to top level of configuration", run=editing.top, grammar=lambda: _FROM_TOP, from_top=True),
        Term(
            "up",
            "Exit one level of configuration",
            (Term("levels", "Number of levels to exit", (), editing.up, Integer(1, 32)),),
            editing.up,
        ),
    ),
    not_emulated.CONFIGURATION,
)


def _runnable() -> list[Term]:
    return [term for term in OPERATIONAL if term.name not in ("configure", "exit", "quit", "cli")]


_FROM_TOP_NAMES = ("activate", "copy", "deactivate", "delete", "edit", "insert", "rename", "set", "show")
_FROM_TOP: tuple[Term, ...] = tuple(term for term in CONFIGURATION if term.name in _FROM_TOP_NAMES)
