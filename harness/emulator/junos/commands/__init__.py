"""The commands, as data: `OPERATIONAL` (`>`) and `CONFIGURATION` (`#`). What they do stands beside them."""

from __future__ import annotations

from harness.emulator.junos.commands.configuration import CONFIGURATION
from harness.emulator.junos.commands.operational import OPERATIONAL

__all__ = ["CONFIGURATION", "OPERATIONAL"]
