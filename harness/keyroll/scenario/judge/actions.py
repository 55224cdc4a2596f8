"""The checks of steps' own actions: commits, the keychains after them, typed lines, forged frames."""

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
        """Judge a commit that the router refused with `answer`."""
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
        """Judge a commit that was refused with the error text `said`; `answer` is the whole output."""
        return Finding(self.words in said, answer)

    def taken(self) -> Finding:
        """Judge a commit that the router took."""
        return Finding(holds=False, observed="the router took it")


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The router must roll an unconfirmed commit back by itself."""

    name: ClassVar[str] = "commit"
    router: RouterName

    def expected(self) -> str:
        """Return what is expected."""
        return "rolled back by itself when the minutes of `commit confirmed` are over"

    def judge(self, after_its_minutes: timedelta | None) -> Finding:
        """Judge how long after the given minutes the router rolled back; None: it did not."""
        if after_its_minutes is None:
            return Finding(holds=False, observed="it did not")
        return Finding(holds=True, observed=f"it did, {after_its_minutes.total_seconds():.1f} s after that")


@dataclass(frozen=True, slots=True)
class ChainsHeld:
    """The router must have the keychains that it was sent, except for what a `cli` step has changed."""

    name: ClassVar[str] = "read-back"
    router: RouterName
    sent: tuple[Keychain, ...]
    typed: frozenset[str] = frozenset()
    """Differences, in words, that a `cli` step has made."""

    def expected(self) -> str:
        """Return what is expected."""
        return "the key-chains that were sent, secrets compared decoded"

    def differences(self, found: Sequence[Keychain] | str) -> list[str]:
        """Return the differences, in words; `found` is text where the router's output cannot be read."""
        return [found] if isinstance(found, str) else differences(self.sent, found)

    def judge(self, found: Sequence[Keychain] | str) -> Finding:
        """Judge the keychains that the router shows, or the text of the error where they cannot be read."""
        said = [words for words in self.differences(found) if words not in self.typed]
        if said:
            return Finding(holds=False, observed="; ".join(said))
        keys = 0 if isinstance(found, str) else sum(len(chain.keys) for chain in found)
        return Finding(holds=True, observed=f"{keys} keys as they were sent")


@dataclass(frozen=True, slots=True)
class LineShows:
    """A regular expression must match in the answer to a typed line; with `must_be_refused` it must be an error too."""

    name: ClassVar[str] = "shows"
    router: RouterName
    line: str
    pattern: str
    must_be_refused: bool = False

    def expected(self) -> str:
        """Return what is expected."""
        return f"'{self.line}' shows /{self.pattern}/"

    def judge(self, answer: str, *, refused: bool) -> Finding:
        """Judge the answer; `refused` says whether the router answered with an error."""
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
        """Judge the drops since the frames were sent."""
        return Finding(since.of(self.reason) >= self.number, f"dropped since, {since.words()}")
