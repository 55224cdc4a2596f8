"""Set lines and the other commands of configuration mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from keyroll.configuration.findings import Kind
from keyroll.configuration.hierarchy import ROOT, SYSTEMS, level_without, steps, written_out
from keyroll.configuration.placeholders import UNCLOSED
from keyroll.configuration.text.position import DEPTH_MAX, Position
from keyroll.configuration.text.tokens import LEFT_OUT, PLAIN, UNQUOTED, kept_apart, spread, tokens
from keyroll.configuration.tree import INACTIVE, PROTECTED, TYPED, Node

_EDITS = frozenset(("set", "delete", "deactivate", "activate"))
_PROTECTIONS = frozenset(("protect", "unprotect"))
_MOVES = frozenset(("edit", "top", "up", "exit", "quit"))
_IDLE = frozenset(("show", "run", "commit", "configure", "annotate", "status", "help", "save", "insert"))
"""Commands that change nothing, or nothing that is judged."""
_MOVING = frozenset(("rename", "copy"))
_UNKNOWN = frozenset(("load", "rollback", "replace", "wildcard"))
COMMANDS = _EDITS | _PROTECTIONS | _MOVES | _IDLE | _MOVING | _UNKNOWN


@dataclass(slots=True)
class SetLines:
    """Applies commands to the tree."""

    at: Position
    edits: list[tuple[str, ...]] = field(default_factory=list)
    """The levels that `exit` goes back to, the last one first."""

    def command(self, line: str) -> None:
        """Apply one line. Report effects that cannot be determined from the text."""
        found = self._words(line)
        if not found:  # a comment that was typed at a prompt
            return
        verb, *words = found
        self.at.statements += 1
        if verb in _EDITS:
            self._edit(verb, words)
        elif verb in _PROTECTIONS:
            self._protect(verb, words)
        elif verb in _MOVES:
            self._move(verb, words)
        elif verb in _MOVING:
            self._rename(verb, words)
        elif verb in _UNKNOWN:
            self.at.report(
                Kind.UNKNOWN_EFFECT,
                f"the text does not show the effect of '{verb}' here",
                self.at.line,
                self.at.base,
            )
        elif verb not in _IDLE:
            self.at.lost("this line does not begin with a configuration command")

    def _words(self, line: str) -> list[str]:
        found = PLAIN.fullmatch(line)
        if found is not None and found["string"] is None and "/*" not in line:
            return line.split()
        words: list[str] = []
        for kind, text in tokens(line):
            if kind == "note":
                break
            if kind == "comment":
                if text.strip() in LEFT_OUT:
                    words.append(f"/* {text.strip()} */")
            elif kind == "string":
                words.append(kept_apart(text))
            elif kind in {"stray", "opened"}:
                self.at.report(
                    Kind.NOT_UNDERSTOOD,
                    "a quote or comment opens here and is not closed on its line",
                    self.at.line,
                    (*self.at.base, *words[1:]),
                )
                words.append(UNCLOSED)
                break
            else:
                words.append(text)
        return words

    def _full(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return a line's path from the top: lines are relative to the current level unless they begin at the top."""
        base = self.at.base
        if self.at.absolute and words and words[0] not in SYSTEMS:
            return (*self.at.system, *words)
        if not base or self.at.absolute:
            return tuple(words)
        if words and words[0] in ROOT.statements and not _is_word_of(base, words[0]):
            return tuple(words)
        return (*base, *words)

    def _edit(self, verb: str, words: list[str]) -> None:
        path = self._full(words)
        if verb == "set":
            self._set(path)
            return
        path = tuple(UNQUOTED.get(word, word) for word in path)
        if verb == "delete":
            # Deleting what was not set has no effect; but an unknown word may be a damaged one, so that is reported.
            lacking = None if self.at.found(path) else level_without(path)
            if lacking is not None:
                where = "at the top" if lacking is ROOT else f"of {lacking.name}"
                message = f"'delete' names an unknown statement {where}"
                self.at.report(Kind.NOT_UNDERSTOOD, message, self.at.line, path[:1])
            self.at.remove(path)
            return
        nodes = self._nodes(path)
        if not nodes:
            self._not_set(verb, path)
        for node in nodes:
            node.flags = node.flags | INACTIVE if verb == "deactivate" else node.flags & ~INACTIVE

    def _nodes(self, path: tuple[str, ...]) -> list[Node]:
        return [node for held in self.at.found(path) if (node := self.at.root.at(held)) is not None]

    def _not_set(self, verb: str, path: tuple[str, ...]) -> None:
        self.at.report(Kind.NOT_UNDERSTOOD, f"'{verb}' names a statement that was not set", self.at.line, path[:1])

    def _protect(self, verb: str, words: list[str]) -> None:
        for node in self._nodes(self._full(words)):  # protection prevents changes; it affects no value
            node.flags = node.flags | PROTECTED if verb == "protect" else node.flags & ~PROTECTED

    def _set(self, path: tuple[str, ...]) -> None:
        line = self.at.line
        if "[" in path and "]" not in path:
            # Any word of the line may be in the list, even a secret: the words are not kept as names.
            path = path[: path.index("[")]
            self.at.report(Kind.NOT_UNDERSTOOD, "a ']' is missing on this line", line, path)
        if "[" in path:
            for one in spread(path):
                self.at.root.make(one, line, TYPED)
            return
        node = self.at.root
        for word in path:
            named = UNQUOTED.get(word, word)
            child = node.get(named)
            if child is None:
                child = node[named] = Node(line, TYPED)
            node = child
        node.line = line

    def _rename(self, verb: str, words: list[str]) -> None:
        if "to" not in words:
            self.at.lost(f"'{verb}' needs 'to'")
            return
        at = words.index("to")
        path = self._full(words[:at])
        target = (*path[: len(path) - len(words[at + 1 :])], *words[at + 1 :])
        nodes = self._nodes(path)
        if not nodes:
            self._not_set(verb, path)
        for node in nodes:
            self.at.root.make(target, self.at.line, TYPED).absorb(node.copy())
        if nodes and verb == "rename":
            self.at.remove(path)

    def _move(self, verb: str, words: list[str]) -> None:
        at = self.at
        if verb == "edit":
            if len(self.edits) < DEPTH_MAX:
                self.edits.append(at.base)
            at.base = written_out((*at.base, *words))
        elif verb == "top":
            self._top(words)
        elif verb == "up":
            count = int(words[0]) if words and words[0].isdecimal() and len(words[0]) < 3 else 1  # noqa: PLR2004 - two digits
            levels = list(steps(at.base))
            self.edits.append(at.base)
            base_above = tuple(word for step in levels[: max(len(levels) - count, 0)] for word in step)
            at.base = base_above if len(base_above) >= len(at.system) else at.system
        else:
            at.base = self.edits.pop() if self.edits else at.system
        at.to_base()

    def _top(self, words: list[str]) -> None:
        """Go to the top; with a command after it (`top set …`), only for that command, unless it is `edit`."""
        self.edits.append(self.at.base)
        self.at.base = self.at.system
        if words:
            base = self.edits.pop()
            self.command(" ".join(words))
            if words[0] != "edit":
                self.at.base = base


def _is_word_of(base: tuple[str, ...], word: str) -> bool:
    level = ROOT
    rest = list(base)
    while rest:
        statement = level.find(rest.pop(0))
        if statement is None or statement.below is None:
            return False
        if statement.shape.value == "keyed" and rest:
            rest.pop(0)
        level = statement.below
    return word in level.statements or level.names is not None
