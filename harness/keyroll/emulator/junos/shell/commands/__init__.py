"""The commands of both modes, as data (`operational`, `configuration`); their actions are in the other modules."""

from __future__ import annotations

from keyroll.emulator.junos.shell.commands.configuration import CONFIGURATION
from keyroll.emulator.junos.shell.commands.operational import OPERATIONAL
from keyroll.emulator.junos.shell.session import Mode

MODES = {Mode.OPERATIONAL: OPERATIONAL, Mode.CONFIGURATION: CONFIGURATION}
"""The grammar of each mode."""
