"""The SSH client is loaded without what only an SSH configuration with `Match exec` needs, and that still works."""

import subprocess
import sys

PROGRAM = """
import sys
from keyroll.junos.ssh import paramiko
assert not {"invoke", "unittest.mock"} & set(sys.modules), "loaded before it is used"
found = [paramiko.SSHConfig.from_text(f"Match exec {word}\\n  User told\\n").lookup("r1") for word in ("true", "false")]
assert "invoke" in sys.modules
print([one.get("user") for one in found])
"""


def test_a_command_in_an_ssh_configuration_is_run_though_invoke_was_not_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['told', None]", done.stderr
