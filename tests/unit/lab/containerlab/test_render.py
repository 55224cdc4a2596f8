"""The topology file that a lab is deployed from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from keyroll.document import DocumentError
from keyroll.lab.containerlab.docker import FOLDER_LABEL, NETWORK
from keyroll.lab.containerlab.topology_file import filled, own_network, render
from keyroll.lab.platforms import PLATFORMS, Platform, platform_of
from keyroll.lab.topology import read_topology

TOPOLOGIES = sorted((Path(__file__).parents[4] / "topologies").glob("*.clab.yml"))
EMULATED = next(path for path in TOPOLOGIES if path.name == "emulated.clab.yml")


def rendered(
    path: Path,
    *,
    environment: Mapping[str, str] | None = None,
    variables: Mapping[str, Mapping[str, str]] | None = None,
) -> Any:
    folder = Path("/run/keyroll/lab-1")
    text = render(path, name="lab-1", folder=folder, environment=environment or {}, variables=variables or {})
    return yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("${A:=b}", {}, "b"),
        ("${A:=b}", {"A": ""}, "b"),
        ("${A-b}", {"A": ""}, ""),
        ("${A:-b}", {"A": "c"}, "c"),
        ("x${A}y", {"A": "c"}, "xcy"),
        ("x${A}y", {}, "x${A}y"),
        ("$A $$ ${}", {"A": "c"}, "$A $$ ${}"),
    ],
)
def test_variables_are_filled_in(text: str, environment: dict[str, str], expected: str) -> None:
    assert filled(text, environment) == expected


@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_text_without_variables_stays_as_it_is(text: str) -> None:
    assert filled(text, {"A": "b"}) == text


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_every_shipped_topology_names_its_platforms_and_images_and_renders(path: Path) -> None:
    for node in read_topology(path).nodes:
        platform = platform_of(node.kind, node.platform)
        assert platform is not None
        assert platform.kind == node.kind
    text = render(path, name="lab-1", folder=Path("/x"), environment={}, variables={})
    topology = yaml.safe_load(text)["topology"]
    for name, node in topology["nodes"].items():
        kind = topology.get("kinds", {}).get(node.get("kind") or topology["defaults"].get("kind"), {})
        assert node.get("image") or kind.get("image"), name
    assert "$" not in text


@pytest.mark.parametrize(
    ("name", "wire", "own"),
    [
        ("crpd", "eth1", "eth1"),
        ("vjunos-router", "eth1", "ge-0/0/0"),
        ("vjunos-evolved", "eth1", "et-0/0/0"),
        ("cjunos-evolved", "eth4", "et-0/0/0"),
    ],
)
def test_a_platform_names_its_ports(name: str, wire: str, own: str) -> None:
    assert PLATFORMS[name].ports.interface(wire) == own


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda platform: platform.name)
def test_a_platform_hides_its_password_and_refuses_its_management_port(platform: Platform) -> None:
    assert platform.password not in repr(platform)
    with pytest.raises(ValueError, match="is not eth"):
        platform.ports.interface("eth0")


def test_the_lab_has_its_own_name_label_and_network() -> None:
    data = rendered(EMULATED)
    assert data["name"] == "lab-1"
    assert data["mgmt"] == {"network": NETWORK, "external-access": False}
    assert data["topology"]["defaults"]["labels"][FOLDER_LABEL] == "/run/keyroll/lab-1"
    assert own_network(yaml.safe_dump(data))


def test_the_image_is_the_one_that_the_user_names() -> None:
    data = rendered(EMULATED, environment={"KEYROLL_IMAGE": "mine:1"})
    assert data["topology"]["kinds"]["juniper_crpd"]["image"] == "mine:1"


def test_emulated_routers_are_not_privileged() -> None:
    kind = rendered(EMULATED)["topology"]["kinds"]["juniper_crpd"]
    assert kind["privileged"] is False
    assert set(kind["cap-add"]) == {"NET_ADMIN", "NET_RAW", "SYS_ADMIN"}


def test_variables_of_containers_are_set_on_their_nodes() -> None:
    data = rendered(EMULATED, variables={"R2": {"KEYROLL_SENDING": "rnext"}, "R1": {}})
    assert data["topology"]["nodes"]["R2"]["env"] == {"KEYROLL_SENDING": "rnext"}
    assert "env" not in data["topology"]["nodes"]["R1"]


def test_relative_paths_are_relative_to_the_users_file(tmp_path: Path) -> None:
    text = EMULATED.read_text().replace(
        "    R1:\n", "    R1:\n      startup-config: r1.conf\n      binds: [x/y:/z, /a:/b]\n", 1
    )
    path = tmp_path / "mine.clab.yml"
    path.write_text(text)
    node = rendered(path)["topology"]["nodes"]["R1"]
    assert node["startup-config"] == str(tmp_path / "r1.conf")
    assert node["binds"] == [f"{tmp_path}/x/y:/z", "/a:/b"]


def test_settings_of_the_user_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "mine.clab.yml"
    path.write_text(
        EMULATED.read_text()
        .replace("image-pull-policy: never", "image-pull-policy: always")
        .replace("topology:\n", "mgmt: {network: mine}\ntopology:\n", 1)
    )
    data = rendered(path)
    assert data["mgmt"] == {"network": "mine"}
    assert data["topology"]["kinds"]["juniper_crpd"]["image-pull-policy"] == "always"
    assert not own_network(yaml.safe_dump(data))


def test_several_management_networks_of_the_user_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "mine.clab.yml"
    path.write_text(EMULATED.read_text().replace("topology:\n", "mgmt: [{network: a}, {network: b}]\ntopology:\n", 1))
    data = rendered(path)
    assert [one["network"] for one in data["mgmt"]] == ["a", "b"]
    assert not own_network(yaml.safe_dump(data))


def test_a_template_is_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.clab.yml"
    path.write_text("name: {{ .name }}\n")
    with pytest.raises(DocumentError, match=r"mine\.clab\.yml.*Go templates"):
        render(path, name="lab-1", folder=tmp_path, environment={}, variables={})


@pytest.mark.parametrize("place", ["defaults", "kinds", "nodes"])
def test_a_runtime_other_than_docker_is_refused(tmp_path: Path, place: str) -> None:
    text = EMULATED.read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    entry = data["topology"][place] if place == "defaults" else next(iter(data["topology"][place].values()))
    entry["runtime"] = "c9s"
    path = tmp_path / "x.clab.yml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(DocumentError, match="runtime 'c9s' is not supported"):
        render(path, name="lab-1", folder=Path("/x"), environment={}, variables={})
