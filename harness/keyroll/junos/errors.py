"""Errors of the exchange with a router.

    KeyrollError
     └── RunError
          ├── SessionError            no SSH session: refused, wrong password, lost in the middle
          ├── RouterRefusedError      the router refused; carries its message
          │    ├── CommandError       an operational command
          │    ├── ConfigurationError a line of configuration; the candidate is restored
          │    └── CommitError        a commit or commit check; the candidate is restored
          ├── OutputError             an answer that cannot be parsed; carries the (redacted) raw text
          ├── ClockError              the router's clock cannot be read, or differs from the time that was set
          ├── ReadBackError           the keychains read back are not those that were sent
          └── DeadlineError
               └── SessionDeadlineError    no answer in time; says to which command, and what was seen last

The caller redacts all texts first: no message or attribute of these classes holds a secret.
"""

from __future__ import annotations

from keyroll.errors import DeadlineError, RunError

NOT_EMULATED = "not emulated: "


class SessionError(RunError):
    """There is no SSH session to the router, or it was lost."""


class SessionDeadlineError(DeadlineError):
    """The router did not answer a command within its deadline."""


class RouterRefusedError(RunError):
    """The router refused. `line` is what was sent, `words` the router's whole answer; both redacted."""

    def __init__(self, message: str, *, router: str, line: str, words: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.router = router
        self.line = line
        self.words = words

    @property
    def not_emulated(self) -> bool:
        """Whether an emulated router refused what a real one accepts: a limit of the lab, not a fault of the change.

        Only emulated routers begin a message with this prefix (docs/emulated.md).
        """
        return NOT_EMULATED in self.words


class CommandError(RouterRefusedError):
    """An operational command was refused."""


class ConfigurationError(RouterRefusedError):
    """A line of configuration was refused; the candidate is restored."""


class CommitError(RouterRefusedError):
    """A commit (or commit check) was refused; the candidate equals the running configuration again."""


class OutputError(RunError):
    """An answer that no template (or record) can parse; it never counts as "down" or "ok".

    `raw` is the whole answer, redacted: the input for a new template.
    """

    def __init__(self, message: str, *, router: str, command: str, raw: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.router = router
        self.command = command
        self.raw = raw


class ClockError(RunError):
    """The router's clock cannot be read, or differs from the time that was set."""


class ReadBackError(RunError):
    """The router's keychains differ from those that were sent. Names chain, key and attribute, never a secret."""
