"""What can go wrong between us and a router.

    KeyrollError
     └── RunError
          ├── SessionError            no SSH session: refused, wrong password, lost in the middle
          ├── RouterRefusedError      the router answered, and its answer was no; carries the router's own words
          │    ├── CommandError       an operational command
          │    ├── ConfigurationError a line of configuration; the candidate has been put back
          │    └── CommitError        a commit or commit check; the candidate has been put back
          ├── OutputError             an answer that cannot be read; carries the (redacted) raw text
          ├── ClockError              the router's clock cannot be read, or is not where it was set
          ├── ReadBackError           the keychains read back are not those that were sent
          └── DeadlineError
               └── SessionDeadlineError    no answer in time; says to which command, and what was seen last

All texts are redacted before they get here: no message or attribute of these classes holds a secret.
"""

from __future__ import annotations

from keyroll.errors import DeadlineError, RunError

NOT_EMULATED = "not emulated: "


class SessionError(RunError):
    """There is no SSH session to the router, or there is none any more."""


class SessionDeadlineError(DeadlineError):
    """The router did not answer a command within its deadline."""


class RouterRefusedError(RunError):
    """The router said no. `line` is what was sent, `words` the router's whole answer; both redacted."""

    def __init__(self, message: str, *, router: str, line: str, words: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.router = router
        self.line = line
        self.words = words

    @property
    def not_emulated(self) -> bool:
        """Whether an emulated router refused what a real one takes: a limit of the lab, not a fault of the change.

        Emulated routers begin every such message so, and real ones none (docs/emulated.md).
        """
        return NOT_EMULATED in self.words


class CommandError(RouterRefusedError):
    """An operational command was refused."""


class ConfigurationError(RouterRefusedError):
    """A line of configuration was refused; the candidate is back at what it was before."""


class CommitError(RouterRefusedError):
    """A commit (or commit check) was refused; the candidate is back at the running configuration."""


class OutputError(RunError):
    """An answer that no template (or record) can read: never taken as "down", never as "ok".

    `raw` is the whole answer, redacted, so that a template can be made of it.
    """

    def __init__(self, message: str, *, router: str, command: str, raw: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.router = router
        self.command = command
        self.raw = raw


class ClockError(RunError):
    """The router's clock cannot be read, or did not arrive where it was set."""


class ReadBackError(RunError):
    """What the router holds is not what was sent. Names chain, key and attribute, never a secret."""
