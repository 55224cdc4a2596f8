"""The checks that steps make of their own actions: commits, what is held after them, typed lines, forged frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from keyroll.junos.readback import differences
from keyroll.keychain.model import Keychain
from keyroll.scenario.file.fields import DroppedFor, RouterName
from keyroll.scenario.judge.findings import Finding
from keyroll.scenario.observe.drops import Drops


@dataclass(frozen=True, slots=True)
class CommitTaken:
    """The router must take a commit."""

    name: ClassVar[str] = "commit"
    router: RouterName

    def expected(self) -> str:
        """Return what is expected."""
        return "taken by the router"

    def judge(self, answer: str) -> Finding:
        """The router has refused it, with this answer."""
        return Finding(holds=False, observed=answer)


@dataclass(frozen=True, slots=True)
class CommitRefused:
    """The router must refuse a commit, with these words in its answer."""

    name: ClassVar[str] = "commit"
    router: RouterName
    words: str

    def expected(self) -> str:
        """Return what is expected."""
        return f"refused with '{self.words}'"

    def judge(self, said: str, answer: str) -> Finding:
        """The router has refused it: what it said, and its whole answer."""
        return Finding(self.words in said, answer)

    def taken(self) -> Finding:
        """The router has not refused it."""
        return Finding(holds=False, observed="the router took it")


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The router must take an unconfirmed commit back by itself."""

    name: ClassVar[str] = "commit"
    router: RouterName

    def expected(self) -> str:
        """Return what is expected."""
        return "rolled back by itself at the end of its minutes"

    def judge(self, after_its_minutes: timedelta | None) -> Finding:
        """How long after the given minutes the router did so; None: it did not."""
        if after_its_minutes is None:
            return Finding(holds=False, observed="it did not")
        return Finding(holds=True, observed=f"it did, {after_its_minutes.total_seconds():.1f} s after them")


@dataclass(frozen=True, slots=True)
class ChainsHeld:
    """The router must hold the keychains that it was sent, but for what a step has typed otherwise."""

    name: ClassVar[str] = "read-back"
    router: RouterName
    sent: tuple[Keychain, ...]
    typed: frozenset[str] = frozenset()
    """Differences that a `cli` step has made."""

    def expected(self) -> str:
        """Return what is expected."""
        return "the key-chains that were sent, secrets compared decoded"

    def differences(self, found: Sequence[Keychain] | str) -> list[str]:
        """Return the differences, in words; `found` is text where the router's output cannot be read."""
        return [found] if isinstance(found, str) else differences(self.sent, found)

    def judge(self, found: Sequence[Keychain] | str) -> Finding:
        """Compare with what the router shows."""
        said = [words for words in self.differences(found) if words not in self.typed]
        if said:
            return Finding(holds=False, observed="; ".join(said))
        keys = 0 if isinstance(found, str) else sum(len(chain.keys) for chain in found)
        return Finding(holds=True, observed=f"{keys} keys as they were sent")


@dataclass(frozen=True, slots=True)
class LineShows:
    """The answer to a typed line must have a regular expression in it; `refused`: and be a refusal."""

    name: ClassVar[str] = "shows"
    router: RouterName
    line: str
    pattern: str
    must_be_refused: bool = False

    def expected(self) -> str:
        """Return what is expected."""
        return f"'{self.line}' shows /{self.pattern}/"

    def judge(self, answer: str, *, refused: bool) -> Finding:
        """Search the answer."""
        holds = bool(re.search(self.pattern, answer, re.MULTILINE)) and (refused or not self.must_be_refused)
        return Finding(holds, "it does" if holds else (answer.strip() or "nothing"))


@dataclass(frozen=True, slots=True)
class ForgedDropped:
    """Every forged frame must be dropped, and counted for its reason."""

    name: ClassVar[str] = "drops"
    router: RouterName
    kind: str
    number: int
    reason: DroppedFor

    def expected(self) -> str:
        """Return what is expected."""
        return f"{self.number} forged segments ({self.kind}) dropped by {self.router}: {self.reason}"

    def judge(self, since: Drops) -> Finding:
        """Compare with what was dropped since they were sent."""
        return Finding(since.of(self.reason) >= self.number, f"dropped since, {since.words()}")
