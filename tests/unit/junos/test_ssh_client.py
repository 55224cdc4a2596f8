"""The SSH client loads `invoke` only for an SSH configuration with `Match exec`."""

import subprocess
import sys

PROGRAM = """
import sys
from keyroll.junos.ssh import paramiko
assert not {"invoke", "unittest.mock"} & set(sys.modules), "loaded before it is used"
texts = [f"Match exec {word}\\n  User matched\\n" for word in ("true", "false")]
found = [paramiko.SSHConfig.from_text(text).lookup("r1") for text in texts]
assert "invoke" in sys.modules
print([one.get("user") for one in found])
"""


def test_match_exec_in_an_ssh_configuration_is_run_although_invoke_was_not_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['matched', None]", done.stderr
