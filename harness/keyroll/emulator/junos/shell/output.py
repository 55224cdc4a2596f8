"""The output of a command, before pipes and paging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keyroll.emulator.junos.configuration.tree import Node, Path


@dataclass(frozen=True, slots=True)
class ConfigView:
    """The part of a configuration below `base`, from which `| display set` and `| compare` print other forms."""

    root: Node
    base: Path = ()


@dataclass(frozen=True, slots=True)
class Output:
    """The lines to print; `config` if they show a configuration; `paged`: whether `---(more)---` may interrupt them."""

    lines: Sequence[str] = ()
    config: ConfigView | None = None
    paged: bool = True


NOTHING = Output()
