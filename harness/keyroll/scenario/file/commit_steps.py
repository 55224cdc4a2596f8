"""The steps of a scenario file that change a configuration or a clock, as a person writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from keyroll.scenario.file.durations import Duration
from keyroll.scenario.file.fields import (
    ROUTERS,
    AlgorithmName,
    KeyId,
    KeyNumber,
    OneOrMany,
    RouterName,
    SessionName,
    Slug,
    StrictModel,
)
from keyroll.scenario.file.keys import KeyPlan


class Committed(StrictModel):
    """What every step that commits takes: on which routers, in which order, and whether they are to refuse it.

    Without `pause` the routers commit at once; with it (0s too) one after the other, in the order that is written.
    """

    routers: OneOrMany[RouterName] = ROUTERS
    pause: Duration | None = Field(default=None, description="wait this long between one router's commit and the next")
    refused: str | None = Field(default=None, description="the routers must refuse it, with these words in the answer")
    confirmed: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Minutes of `commit confirmed`: unless another step commits first, the routers take it back (`await-rollback`)."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if not self.routers or len(set(self.routers)) != len(self.routers):
            raise ValueError("`routers` names each router once")
        return self


class Apply(Committed):
    """Commit the base configuration, the sessions and the keychain.

    A router that the first `apply` leaves out runs its sessions without authentication until it is applied.
    """

    @model_validator(mode="after")
    def _for_good(self) -> Self:
        if self.confirmed is not None:
            raise ValueError("`apply` takes no `confirmed`: without it there would be nothing to go back to")
        return self


class AddKey(Committed, KeyPlan):
    """Add a key to the chain: R1's numbers, mirrored on R2. Its start is relative to t0, as all starts are."""


class DeleteKey(Committed):
    """Delete a key from the chain."""

    key: KeyNumber


class ChangeKey(Committed):
    """Change what is named of a key: R1's numbers, mirrored on R2. `secret` is another label to draw by."""

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
            raise ValueError("names nothing to change: start, send, recv, algorithm, secret, option")
        return self


class DeleteChain(Committed):
    """Delete the whole keychain, leaving the sessions' reference to it (which Junos refuses)."""


class RePoint(Committed):
    """Let the sessions use another keychain of the file (`other-chains`); both chains stay configured."""

    chain: str


class Rollback(Committed):
    """Commit an earlier configuration: `number` commits ago."""

    number: Annotated[int, Field(ge=1, le=49)] = 1


class AwaitRollback(StrictModel):
    """Wait until routers have taken an unconfirmed commit (`confirmed`) back by themselves."""

    routers: OneOrMany[RouterName] = ROUTERS


class Cli(StrictModel):
    """Type lines of Junos: operational commands, or configuration statements that are committed.

    `<peer>`, `<own>` and `<peer-as>` in a line stand for the addresses of the router's BGP session and the peer's AS.
    `shows` is a regular expression that the answer to the last operational command must have in it.
    """

    routers: OneOrMany[RouterName] = ROUTERS
    commands: OneOrMany[str] = ()
    configure: OneOrMany[str] = ()
    shows: str | None = None
    refused: str | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.commands and not self.configure:
            raise ValueError("needs `commands` or `configure`")
        return self


class Skew(StrictModel):
    """Set routers' clocks ahead of (or behind) the scenario's time: `{R2: 61m}`. Time may go back by it."""

    r1: Duration | None = Field(default=None, alias="R1")
    r2: Duration | None = Field(default=None, alias="R2")

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if self.r1 is None and self.r2 is None:
            raise ValueError("names a router and how far its clock is ahead: {R2: 61m}")
        return self

    def by_router(self) -> dict[RouterName, timedelta]:
        """Return what is named, by router."""
        named: tuple[tuple[RouterName, timedelta | None], ...] = (("R1", self.r1), ("R2", self.r2))
        return {router: length for router, length in named if length is not None}


class Clear(StrictModel):
    """Reset sessions on routers (`soft`: only send and ask for routes again)."""

    session: SessionName = "bgp"
    routers: OneOrMany[RouterName] = ROUTERS
    soft: bool = False


CommitStep = Apply | AddKey | DeleteKey | ChangeKey | DeleteChain | RePoint | Rollback
