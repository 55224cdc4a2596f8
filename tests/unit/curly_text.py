"""Key chains as the curly text that a router shows (docs/junos.md 1.7), made from their set lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from typing import TypeAlias

from keyroll.keychain.junostext import Encoding, set_lines
from keyroll.keychain.model import Keychain

Tree: TypeAlias = "dict[str, Tree | None]"
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_WORDS_OF_BODY = {"security": 1, "authentication-key-chains": 1, "key-chain": 2, "key": 2, "ao-attribute": 1}
"""Statements that have a body, with the number of words before it."""


def curly(
    chains: Iterable[Keychain], encoding: Encoding = Encoding.TYPE9, *, zone: tzinfo | None = None, root: bool = True
) -> str:
    """Return the text, a newline at its end. Without `root`, it begins at `key-chain`, as `show` of its hierarchy."""
    tree: Tree = {}
    for chain in chains:
        for line in set_lines(chain, encoding, zone=zone):
            _, *words = _WORD.findall(line)
            _add(tree, words if root else words[2:])
    return "".join(f"{line}\n" for line in _lines(tree))


def _add(tree: Tree, words: list[str]) -> None:
    count = _WORDS_OF_BODY.get(words[0], 0) if words else 0
    if count:
        body = tree.setdefault(" ".join(words[:count]), {})
        assert body is not None
        _add(body, words[count:])
    elif words:
        tree[" ".join(words)] = None


def _lines(tree: Tree, indent: str = "") -> Iterator[str]:
    for words, body in tree.items():
        if body is None:
            yield f"{indent}{words};{' ## SECRET-DATA' if words.startswith('secret ') else ''}"
        else:
            yield f"{indent}{words} {{"
            yield from _lines(body, indent + "    ")
            yield f"{indent}}}"
