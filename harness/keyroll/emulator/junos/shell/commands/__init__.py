"""The commands, as data: `OPERATIONAL` (`>`) and `CONFIGURATION` (`#`). What they do stands beside them."""

from __future__ import annotations

from keyroll.emulator.junos.shell.commands.configuration import CONFIGURATION
from keyroll.emulator.junos.shell.commands.operational import OPERATIONAL

__all__ = ["CONFIGURATION", "OPERATIONAL"]
