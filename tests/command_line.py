"""`keyroll` as a process of its own."""

import sys

KEYROLL = (sys.executable, "-c", "from keyroll.cli.main import main; main()")
"""The command of the tree under test: the virtual environment may have no script of that name."""
