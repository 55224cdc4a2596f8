from __future__ import annotations

from ipaddress import ip_interface
from pathlib import Path

import pytest

from keyroll.document import DocumentError
from keyroll.lab.topology import junos_name, read_topology

SHIPPED = Path(__file__).parents[3] / "topologies"
GOOD = """\
name: t
topology:
  nodes:
    R1:
      kind: juniper_crpd
      labels:
        keyroll.asn: 65001
        keyroll.eth1.ipv4: 10.0.12.1/30
        other.label: ignored
    R2:
      kind: juniper_crpd
      labels: {keyroll.asn: "65002", keyroll.eth1.ipv6: "2001:db8::2/64"}
  links:
    - endpoints: ["R1:eth1", "R2:eth1"]
"""


def refused(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        read_topology(Path("lab.clab.yml"), text)
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.clab.yml")), ids=lambda path: path.name)
def test_every_shipped_topology_is_read(path: Path) -> None:
    topology = read_topology(path)
    assert len(topology.nodes) == 2
    assert topology.links


def test_labels_become_the_plan_of_the_routers() -> None:
    topology = read_topology(Path("lab.clab.yml"), GOOD)
    r1, r2 = topology.nodes
    assert (r1.name, r1.asn, r1.interfaces) == ("R1", 65001, ("eth1",))
    assert r1.ports[0].interface == "ge-0/0/0"
    assert r1.ports[0].ipv4 == ip_interface("10.0.12.1/30")
    assert r1.loopback is None
    assert r2.ports[0].ipv6 == ip_interface("2001:db8::2/64")
    assert topology.links[0].name == "R1:eth1-R2:eth1"


def test_labels_set_the_rules_for_keychains_in_use() -> None:
    r1, r2 = read_topology(Path("t"), GOOD.replace("other.label: ignored", "keyroll.repoint: at-once")).nodes
    assert (r1.settings, r2.settings) == ({"repoint": "at-once"}, {})


def test_a_missing_as_number_names_the_file_and_line() -> None:
    text = refused(GOOD.replace("        keyroll.asn: 65001\n", ""))
    assert text.startswith("lab.clab.yml:7:")
    assert "keyroll.asn" in text


def test_an_address_without_prefix_length_is_reported_with_its_position() -> None:
    text = refused(GOOD.replace("10.0.12.1/30", "10.0.12.1"))
    assert text == "lab.clab.yml:8:28: label 'keyroll.eth1.ipv4': '10.0.12.1' has no prefix length"


def test_an_unknown_keyroll_label_is_refused_with_the_allowed_ones() -> None:
    text = refused(GOOD.replace("keyroll.eth1.ipv4", "keyroll.eth2.ipv4"))
    assert text.startswith(
        "lab.clab.yml:8:9: unknown label 'keyroll.eth2.ipv4'; allowed here: keyroll.alteration, keyroll.asn"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("R2:eth1", "R3:eth1", "'R3' is not a node; nodes are: R1, R2"),
        ("R2:eth1", "R1:eth1", "'R1:eth1' is already on link 1"),
        ("R2:eth1", "R2:ge-0/0/0", "is not NODE:eth<n>"),
        ("65001", "0", "invalid AS number '0'"),
        ("name: t", "nam: t", "'name' is missing"),
        ("R1:", "R_1:", "invalid router name"),
        ("10.0.12.1/30", "10.0.12.1/33", "is not an IPv4 address"),
        ("other.label: ignored", "keyroll.repoint: maybe", "is not one of next-connection, at-once"),
    ],
)
def test_mistakes_are_named(old: str, new: str, message: str) -> None:
    assert message in refused(GOOD.replace(old, new))


def test_the_routers_port_numbers_start_at_zero() -> None:
    assert junos_name("eth1") == "ge-0/0/0"
    assert junos_name("eth12") == "ge-0/0/11"
    with pytest.raises(ValueError, match="eth0"):
        junos_name("eth0")


VENDOR = GOOD.replace("juniper_crpd", "juniper_vjunosrouter")


@pytest.mark.parametrize("name", ["ge-0/0/0", "et-0/0/0", "xe-0/0/0"])
@pytest.mark.parametrize("label", ["eth1", "ge-0/0/0"])
def test_interfaces_may_have_the_vendors_names_that_containerlab_accepts(name: str, label: str) -> None:
    text = (
        VENDOR.replace("R1:eth1", f"R1:{name}")
        .replace("R2:eth1", f"R2:{name}")
        .replace("keyroll.eth1", f"keyroll.{label}")
    )
    topology = read_topology(Path("lab.clab.yml"), text)
    assert topology.links[0].name == "R1:eth1-R2:eth1"
    assert topology.nodes[0].interfaces == ("eth1",)
    assert topology.nodes[0].ports[0].ipv4 == ip_interface("10.0.12.1/30")


def test_an_interface_on_two_links_under_two_names_is_refused() -> None:
    text = VENDOR + '    - endpoints: ["R1:ge-0/0/0", "R2:eth2"]\n'
    assert "'R1:ge-0/0/0' is already on link 1" in refused(text)


def test_a_wrong_label_is_named_as_in_the_file() -> None:
    text = refused(
        VENDOR.replace("R1:eth1", "R1:ge-0/0/0").replace(
            "keyroll.eth1.ipv4: 10.0.12.1/30", "keyroll.ge-0/0/0.ipv4: 10.0.12.1"
        )
    )
    assert "label 'keyroll.ge-0/0/0.ipv4': '10.0.12.1' has no prefix length" in text


@pytest.mark.parametrize(
    ("kind", "end", "message"),
    [
        ("juniper_crpd", "R1:ge-0/0/0", "'ge-0/0/0' is not eth1, eth2, …"),
        ("juniper_vjunosrouter", "R1:ge-1/0/0", "'ge-1/0/0' is not eth1, eth2, … or ge-0/0/0, …"),
        ("juniper_cjunosevolved", "R1:eth1", "'eth1' is reserved: the first port is eth4 (et-0/0/0)"),
        ("juniper_vmx", "R1:eth0", "'eth0' is not eth1"),
    ],
)
def test_an_interface_that_a_kind_does_not_have_is_named(kind: str, end: str, message: str) -> None:
    text = GOOD.replace("kind: juniper_crpd\n      labels:\n", f"kind: {kind}\n      labels:\n").replace("R1:eth1", end)
    assert message in refused(text)


def test_cjunos_evolved_begins_with_its_fourth_interface() -> None:
    r1 = read_topology(SHIPPED / "cjunos-evolved.clab.yml").nodes[0]
    assert r1.interfaces == ("eth4",)
    assert r1.ports[0].ipv4 == ip_interface("10.0.12.1/30")


def test_links_may_have_the_extended_form() -> None:
    short = 'endpoints: ["R1:eth1", "R2:eth1"]'
    ends = "[{node: R1, interface: eth1}, {node: R2, interface: eth1, mac: '02:00:00:00:00:01'}]"
    long = f"type: veth\n      endpoints: {ends}"
    assert read_topology(Path("t"), GOOD.replace(short, long)).links == read_topology(Path("t"), GOOD).links
    assert "'veth'" in refused(GOOD.replace(short, long.replace("veth", "vxlan")))
    assert "is not NODE:INTERFACE" in refused(GOOD.replace(short, long.replace("node: R1, ", "")))
