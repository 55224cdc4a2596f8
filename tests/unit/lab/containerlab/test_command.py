"""Errors of containerlab, and their remedies."""

from __future__ import annotations

import pytest

from keyroll.lab.containerlab.command import Answer, remedy_for, scrubbed


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("failed to init the container runtime: Cannot connect to the Docker daemon at unix:///x", "start Docker"),
        ("this containerlab command requires root privileges or root via SUID to run", "sudo"),
        ("user 'x' is not part of containerlab admin group 'clab_admins'", "clab_admins"),
        ("Image crpd:x not found locally, and image-pull-policy=Never prevents containerlab from", "docker load"),
        ("open /proc/modules: no such file or directory", "/proc/modules"),
        ('Cpu virtualization support is required for node "R2" (juniper_vjunosrouter).', "VT-x"),
        ('Subnet 172.31.99.0/24 already in use by Docker network "busy".', "KEYROLL_MGMT_SUBNET"),
        ("crpd post-deploy license add failed: x", "licence"),
        ("error setting rlimit type 7: operation not permitted", "privileged: false"),
    ],
)
def test_known_errors_have_a_remedy(message: str, remedy: str) -> None:
    assert remedy in (remedy_for(message) or "")


def test_an_unknown_error_has_no_remedy() -> None:
    assert remedy_for("something else") is None


def test_an_error_is_shown_without_colours_times_and_other_messages() -> None:
    err = "07:38:04 INFO Parsing file\n\x1b[1m07:38:04 WARN iptables\x1b[0m\n\n   ERROR  \n\n  Image x not found.\n\n"
    assert Answer(1, "", err).words == "Image x not found."


def test_without_an_error_line_the_last_messages_are_shown() -> None:
    assert Answer(1, "", "07:38:04 INFO Parsing file\n").words == "INFO Parsing file"
    assert Answer(1, "", "").words == "it ended with exit code 1 and without output"


def test_containerlabs_own_variables_are_removed_from_the_environment() -> None:
    found = scrubbed({"CLAB_NAME": "x", "CLAB_RUNTIME": "podman", "HOME": "/root"})
    assert found == {"HOME": "/root", "CLAB_VERSION_CHECK": "disable"}
