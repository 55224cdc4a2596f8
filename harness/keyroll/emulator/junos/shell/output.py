"""What a command answers, before pipes and paging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keyroll.emulator.junos.configuration.tree import Node, Path


@dataclass(frozen=True, slots=True)
class ConfigView:
    """A part of a configuration, so that `| display set` and `| compare` can show it in another form."""

    root: Node
    base: Path = ()


@dataclass(frozen=True, slots=True)
class Output:
    """The lines to print; `config` where they are configuration; `paged` whether `---(more)---` may stop them."""

    lines: Sequence[str] = ()
    config: ConfigView | None = None
    paged: bool = True


NOTHING = Output()
