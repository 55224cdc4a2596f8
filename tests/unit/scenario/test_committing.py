"""Lines of `cli` steps, as they are sent to a router."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from keyroll.scenario.play.cli import placed


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("set protocols bgp group g neighbor <peer> passive", "set protocols bgp group g neighbor 10.0.12.2 passive"),
        ("local-address <own> peer-as <peer-as>", "local-address 10.0.12.1 peer-as 65002"),
        ("show log messages | match <none>", "show log messages | match <none>"),
    ],
)
def test_words_in_angle_brackets_are_replaced_by_values_of_the_session(line: str, sent: str) -> None:
    assert placed(line, own=ip_address("10.0.12.1"), peer=ip_address("10.0.12.2"), peer_as=65002) == sent
