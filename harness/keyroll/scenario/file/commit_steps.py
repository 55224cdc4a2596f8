"""The steps of a scenario file that change a router's configuration, as a person writes them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from keyroll.scenario.file.durations import Duration, shortened
from keyroll.scenario.file.fields import (
    ROUTERS,
    AlgorithmName,
    KeyId,
    KeyNumber,
    Many,
    OneOrMany,
    RouterName,
    SessionRef,
    Slug,
    StrictModel,
)
from keyroll.scenario.file.keys import ChainChange, KeyPlan
from keyroll.scenario.file.registry import step
from keyroll.scenario.file.step import Step

_SETS_CLOCK = "set date"
_TYPED_KEY = re.compile(r"^\s*set .*\bkey-chain \S+ key (\d{1,2})\b")
"""A typed line that configures a key."""


class Commit(Step):
    """The fields of every step that commits a change of keys: routers, their order, whether they must refuse it.

    Without `pause` the routers commit at once; with it (0s too) one after the other, in the order that is written.
    """

    routers: OneOrMany[RouterName] = ROUTERS
    pause: Duration | None = Field(default=None, description="wait this long between one router's commit and the next")
    refused: str | None = Field(default=None, description="the routers must refuse it, with these words in the answer")
    confirmed: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Minutes of `commit confirmed`: unless another step commits first, the routers roll it back (`await-rollback`)."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if not self.routers or len(set(self.routers)) != len(self.routers):
            raise ValueError("`routers` must name at least one router, and each only once")
        return self

    def checks(self) -> frozenset[str]:
        """Return the checks of every commit: that it was taken (or refused as expected), and the keychains after it."""
        return frozenset({"commit", "read-back"})

    def takes(self, expected: timedelta) -> timedelta:
        """Return the pause between two commits, and how long an unconfirmed one may stay."""
        return (self.pause or timedelta()) + timedelta(minutes=self.confirmed or 0)


class KeysCommit(Commit):
    """The field of every step that changes one chain: which chain, if it is not the file's `keychain`."""

    chain: str | None = Field(default=None, description="the chain that is changed; left out: the one in use")

    def chains(self) -> frozenset[str]:
        """Return the chain that is changed."""
        return frozenset() if self.chain is None else frozenset({self.chain})


@step
class Apply(Commit):
    """Commit the base configuration, the sessions and the keychain.

    A router that the first `apply` leaves out runs its sessions without authentication until it is applied.
    """

    kind = "apply"
    bare = True
    authentication: Literal["md5", "none"] | None = Field(
        default=None, description="first step only: the sessions run with MD5, or with nothing, until a later `apply`"
    )

    @property
    def turns_on(self) -> bool:
        """Whether this step configures the key-chains: with `authentication`, it does not."""
        return self.authentication is None

    @model_validator(mode="after")
    def _is_not_confirmed(self) -> Self:
        if self.confirmed is not None:
            raise ValueError(
                "invalid `confirmed` for `apply`: a rollback would leave the routers without a configuration"
            )
        return self


@step
class AddKey(KeysCommit, KeyPlan):
    """Add a key to the chain: R1's numbers, mirrored on R2. Its start is relative to t0, as all starts are."""

    kind = "add-key"

    def adds(self) -> frozenset[int]:
        """Return the key's number."""
        return frozenset({self.id})

    def starts(self) -> tuple[timedelta, ...]:
        """Return the key's start at either router."""
        return KeyPlan.starts(self)

    def faster(self, factor: float) -> Self:
        """Return the same with the key's starts divided."""
        return KeyPlan.faster(self, factor)


@step
class DeleteKey(KeysCommit):
    """Delete a key from the chain."""

    kind = "delete-key"
    key: KeyNumber

    def keys(self) -> frozenset[int]:
        """Return the key that is deleted."""
        return frozenset({self.key})


@step
class ChangeKey(KeysCommit):
    """Change the given fields of a key: R1's numbers, mirrored on R2. `secret` is the label to draw a new secret by."""

    kind = "change-key"

    key: KeyNumber
    start: Duration | None = None
    send: KeyId | None = None
    recv: KeyId | None = None
    algorithm: AlgorithmName | None = None
    secret: Slug | None = None
    option: Literal["enabled", "disabled"] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set & {"start", "send", "recv", "algorithm", "secret", "option"}:
            raise ValueError("must name something to change: start, send, recv, algorithm, secret, option")
        return self

    def keys(self) -> frozenset[int]:
        """Return the key that is changed."""
        return frozenset({self.key})

    def starts(self) -> tuple[timedelta, ...]:
        """Return the key's new start."""
        return () if self.start is None else (self.start,)

    def faster(self, factor: float) -> Self:
        """Return the same with the new start divided."""
        return self if self.start is None else self.model_copy(update={"start": shortened(self.start, factor)})


@step
class ChangeChain(KeysCommit, ChainChange):
    """Change several keys in one commit, as a planned change does: delete, then add. Numbers may come back."""

    kind = "change-chain"

    @property
    def changes(self) -> tuple[ChainChange, ...]:
        """The change of its one chain, in the form that `change-chains` has it."""
        return (self,)

    def keys(self) -> frozenset[int]:
        """Return the keys that are deleted."""
        return ChainChange.keys(self)

    def adds(self) -> frozenset[int]:
        """Return the numbers of the keys that are added."""
        return ChainChange.adds(self)

    def starts(self) -> tuple[timedelta, ...]:
        """Return the starts of the keys that are added, at either router."""
        return ChainChange.starts(self)

    def faster(self, factor: float) -> Self:
        """Return the same with the keys' starts, and the tolerance, divided."""
        return ChainChange.faster(self, factor)


class Pointing(StrictModel):
    """Sessions, and the keychain of the file that they are pointed to."""

    chain: str
    sessions_: OneOrMany[SessionRef] = Field(default=(), alias="sessions", description="left out: all sessions")


@step
class ChangeChains(Commit):
    """Change several chains in one commit, each as `change-chain` does, and point sessions to other chains with it."""

    kind = "change-chains"

    changes: Many[ChainChange] = Field(default=(), alias="of", description="a `change-chain` of each")
    pointings: Many[Pointing] = Field(default=(), alias="re-point", description="a `re-point` of each")

    @model_validator(mode="after")
    def _each_once_in_all(self) -> Self:
        names = [change.chain for change in self.changes]
        sessions = [name for one in self.pointings for name in one.sessions_]
        if not self.changes and not self.pointings:
            raise ValueError("must name something to change: of, re-point")
        if len(set(names)) < len(names):
            raise ValueError("must name each chain only once, by `chain`")
        if len(set(sessions)) < len(sessions) or (
            len(self.pointings) > 1 and not all(one.sessions_ for one in self.pointings)
        ):
            raise ValueError("`re-point` must name each session only once, by `sessions`")
        return self

    def chains(self) -> frozenset[str]:
        """Return the chains that are changed, and those that are pointed to."""
        changed = frozenset(change.chain for change in self.changes if change.chain is not None)
        return changed | {one.chain for one in self.pointings}

    def sessions(self) -> frozenset[str]:
        """Return the sessions that are pointed."""
        return frozenset(name for one in self.pointings for name in one.sessions_)

    def keys(self) -> frozenset[int]:
        """Return the keys that are deleted."""
        return frozenset[int]().union(*(change.keys() for change in self.changes))

    def adds(self) -> frozenset[int]:
        """Return the numbers of the keys that are added."""
        return frozenset[int]().union(*(change.adds() for change in self.changes))

    def starts(self) -> tuple[timedelta, ...]:
        """Return the starts of the keys that are added, at either router."""
        return tuple(start for change in self.changes for start in change.starts())

    def faster(self, factor: float) -> Self:
        """Return the same with the keys' starts, and the tolerances, divided."""
        return self.model_copy(update={"changes": tuple(change.faster(factor) for change in self.changes)})


@step
class DeleteChain(KeysCommit):
    """Delete the whole keychain, leaving the sessions' reference to it (which Junos refuses)."""

    kind = "delete-chain"
    bare = True


@step
class RePoint(Commit, Pointing):
    """Let the sessions use another keychain of the file (`other-chains`); both chains stay configured."""

    kind = "re-point"

    @property
    def pointings(self) -> tuple[Pointing, ...]:
        """Its one pointing, in the form that `change-chains` has it."""
        return (self,)

    def chains(self) -> frozenset[str]:
        """Return the chain that is pointed to."""
        return frozenset({self.chain})

    def sessions(self) -> frozenset[str]:
        """Return the sessions that are pointed."""
        return frozenset(self.sessions_)


@step
class Rollback(Commit):
    """Commit an earlier configuration: `number` commits ago."""

    kind = "rollback"
    bare = True

    number: Annotated[int, Field(ge=1, le=49)] = 1


@step
class AwaitRollback(Step):
    """Wait until routers have rolled back an unconfirmed commit (`confirmed`) on their own."""

    kind = "await-rollback"
    bare = True
    routers: OneOrMany[RouterName] = ROUTERS

    def checks(self) -> frozenset[str]:
        """Return the checks of the router's own commit."""
        return frozenset({"commit", "read-back"})


@step
class Cli(Step):
    """Type lines of Junos: operational commands, or configuration statements that are committed.

    `<peer>`, `<own>` and `<peer-as>` in a line stand for the addresses of the router's BGP session and the peer's AS.
    `shows` is a regular expression that must match somewhere in the answer to the last operational command.
    """

    kind = "cli"
    routers: OneOrMany[RouterName] = ROUTERS
    commands: OneOrMany[str] = ()
    configure: OneOrMany[str] = ()
    shows: str | None = None
    refused: str | None = None

    def adds(self) -> frozenset[int]:
        """Return the numbers of the keys that its lines configure."""
        return frozenset(int(found[1]) for line in self.configure for found in _TYPED_KEY.finditer(line))

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.commands and not self.configure:
            raise ValueError("needs `commands` or `configure`")
        return self

    def checks(self) -> frozenset[str]:
        """Return the check of what is committed, or of what is shown."""
        if self.configure:
            return frozenset({"commit"})
        return frozenset({"shows"}) if self.shows is not None else frozenset()

    def needs_set_clock(self) -> str | None:
        """Return that it types `set date`, if it does."""
        return "it types `set date`" if any(_SETS_CLOCK in line for line in self.commands) else None
