"""Forked child processes: the descriptors, the signals, the command line and the output that they have."""

import os
import signal
import subprocess
import sys
from pathlib import Path

PARENT = """
import os, signal, sys
from keyroll.forking import fork, settle

secret_read, kept_write = os.pipe()[0], int(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: None)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
read, write = os.pipe()
signal.set_wakeup_fd(os.open(os.devnull, os.O_WRONLY | os.O_NONBLOCK))
output = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)


def work():
    {work}


settle()
child = fork(work, title="keyroll.test R1", keep=(kept_write,), output=output)
print(child, flush=True)
_, status = os.waitpid(child, 0)
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""


def run_child(work: str, tmp_path: Path) -> tuple[int, bytes, str]:
    """Run a parent and its child; return (exit code, octets from the kept descriptor, output)."""
    ours, theirs = os.pipe()
    command = [sys.executable, "-c", PARENT.format(work=work), str(theirs), str(tmp_path / "out")]
    try:
        result = subprocess.run(command, pass_fds=(theirs,), capture_output=True, text=True, timeout=30, check=False)
    finally:
        os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        received = file.read()
    assert result.stderr == ""
    return result.returncode, received, (tmp_path / "out").read_text()


def test_a_child_has_only_the_standard_descriptors_and_the_kept_ones(tmp_path: Path) -> None:
    listing = "os.write(kept_write, ' '.join(sorted(os.listdir('/proc/self/fd'), key=int)[:-1]).encode())"
    _, received, _ = run_child(listing, tmp_path)
    *standard, kept = received.split()
    assert standard == [b"0", b"1", b"2"]
    assert int(kept) > 2


def test_a_child_has_its_own_command_line_and_its_own_output(tmp_path: Path) -> None:
    shown = "os.write(kept_write, open('/proc/self/cmdline', 'rb').read()); print('printed'); return 7"
    code, received, output = run_child(shown, tmp_path)
    assert received.rstrip(b"\0") == b"keyroll.test R1"
    assert (code, output) == (7, "printed\n")


def test_an_error_in_a_child_is_printed_and_gives_exit_code_1(tmp_path: Path) -> None:
    code, _, output = run_child("raise ValueError('what went wrong')", tmp_path)
    assert code == 1
    assert output.rstrip().endswith("ValueError: what went wrong")


def test_a_childs_signals_are_those_of_a_new_program(tmp_path: Path) -> None:
    work = (
        "os.write(kept_write, b'%d %d %d' % (signal.getsignal(signal.SIGHUP) == signal.SIG_IGN,"
        " signal.set_wakeup_fd(-1), len(signal.pthread_sigmask(signal.SIG_BLOCK, ()))));"
        " os.kill(os.getpid(), signal.SIGTERM)"
    )
    code, received, _ = run_child(work, tmp_path)
    assert received == b"1 -1 0"
    assert code == -signal.SIGTERM % 256
