"""The start-up configuration of a router: a file that is loaded at its first boot."""

from __future__ import annotations

import re
from pathlib import Path

from keyroll.emulator.junos.commit.load import load_curly, load_set
from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.shell.router_state import RouterState

USER = "root"
_SET_FORM = re.compile(r"\s*(?:#[^\n]*\n\s*)*(?:set|delete|activate|deactivate)\s")


async def start_with(path: Path, router: RouterState) -> None:
    """Load the file (curly or `set` form) and commit it; errors go to the system log, without text of the file.

    A file with a mistake is not loaded at all: the router starts with an empty configuration, as Junos does.
    """
    try:
        text = path.read_text(encoding="utf-8")  # noqa: ASYNC240 - a small file, read before any client is served
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        router.syslog.write("mgd", f"UI_BOOT_FAILED: {path} cannot be read: {type(error).__name__}")
        return
    if not text.strip():
        return
    store = router.store
    if _SET_FORM.match(text):
        report = load_set(store, text, (), router.context)
    else:
        report = load_curly(store, text, (), router.context, override=True)
    mistakes = [str(mistake) for mistake in report.mistakes]
    if mistakes:
        store.rollback(0)
        # A message of the loader may repeat a word of the file, which may be a secret: only the place is reported.
        # The first ten are enough to find the cause, and fit into one line of the log.
        places = ", ".join(mistake.removeprefix("terminal:").partition(" ")[0] for mistake in mistakes[:10])
        router.syslog.write(
            "mgd", f"UI_BOOT_FAILED: {path} is not loaded; {len(mistakes)} mistakes, at line:(column) {places}"
        )
        return
    for warning in report.warnings:
        router.syslog.write("mgd", f"UI_BOOT_WARNING: {path}: {warning.removeprefix('warning: ')}")
    try:
        await store.commit(USER, via="other", comment=f"start-up configuration {path}")
    except JunosFault as fault:
        store.rollback(0)
        router.syslog.write("mgd", f"UI_BOOT_FAILED: {path} is not committed: {' '.join(fault.lines(0))}")
