"""The kind of lab in which an image is tested."""

from __future__ import annotations

import pytest

from keyroll.errors import InputError
from keyroll.lab.platforms import PLATFORMS
from keyroll.scenario.labs.image_check import kind_of, platform_of_lab
from keyroll.scenario.labs.make import EMBEDDED, LABS


@pytest.mark.parametrize(
    ("image", "kind", "platform"),
    [
        ("crpd:24.4R1.9", "crpd", "crpd"),
        ("vrnetlab/juniper_vjunos-router:25.4R1.12", "vjunos", "vjunos-router"),
        ("registry.example:5000/vrnetlab/juniper_vjunosevolved:24.4R1.8", "vjunos-evolved", "vjunos-evolved"),
        ("cjunosevolved:25.2R1.8-EVO", "cjunos-evolved", "cjunos-evolved"),
        ("keyroll-router:latest", "containerlab", "emulated"),
    ],
)
def test_the_name_of_an_image_gives_the_kind_of_lab(image: str, kind: str, platform: str) -> None:
    assert kind_of(image) == (kind, PLATFORMS[platform])


def test_an_image_name_of_unknown_kind_is_an_error_that_asks_for_the_kind() -> None:
    with pytest.raises(InputError, match=r"cannot tell the kind of lab .*use --lab with one of"):
        kind_of("mine:1")


def test_every_kind_of_lab_but_the_embedded_one_uses_an_image() -> None:
    for kind in LABS:
        if kind == EMBEDDED:
            with pytest.raises(InputError, match="uses no image"):
                platform_of_lab(kind)
        else:
            assert platform_of_lab(kind).image_variable
