"""The steps of a scenario file: one mapping with one field, the step's kind (changes of keys: `changes.py`)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from keyroll.scenario.file.commit_steps import (
    AddKey,
    Apply,
    AwaitRollback,
    ChangeKey,
    Clear,
    Cli,
    CommitStep,
    DeleteChain,
    DeleteKey,
    RePoint,
    Rollback,
    Skew,
)
from keyroll.scenario.file.durations import Duration, PositiveDuration
from keyroll.scenario.file.fields import (
    ROUTERS,
    ByRouter,
    DropReason,
    KeyId,
    KeyNumber,
    OneOrMany,
    RouterName,
    SessionName,
    StrictModel,
    spread_by_reason,
)
from keyroll.scenario.file.link_steps import CrossSyns, Cut, Impair, Inject, Restore
from keyroll.scenario.observe.tcp_events import Sight

BgpWord = Literal["Established", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "down"]
LdpWord = Literal["Operational", "Nonexistent", "Initialized", "OpenRec", "OpenSent", "down"]
"""`down` is any state but the one in which the session works."""


class Advance(StrictModel):
    """Move the routers' clocks forward: `to` an instant after t0, or `by` a length."""

    to: Duration | None = None
    by: PositiveDuration | None = None
    routers: OneOrMany[RouterName] = ROUTERS

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.to is None) == (self.by is None):
            raise ValueError("needs exactly one of `to` and `by`")
        return self


class Reboot(StrictModel):
    """Reboot a router and wait until it answers again."""

    router: RouterName


class Restart(StrictModel):
    """Restart a router's routing process (`restart routing`) and wait until it answers again."""

    router: RouterName


class Wait(StrictModel):
    """Let real time pass."""

    duration: PositiveDuration = Field(alias="for")


class Conditions(StrictModel):
    """What must hold. Each field holds for both routers, or is keyed by router; a field left out is not looked at."""

    bgp: ByRouter[BgpWord] = Field(default_factory=dict)
    ldp: ByRouter[LdpWord] = Field(default_factory=dict)
    flaps: ByRouter[Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """Flaps of the BGP session since it was first up on both routers, as `show bgp summary` counts them.

    What a connection that lost collision resolution (RFC 4271, 6.8) cost on the way up is left out.
    """
    active: ByRouter[KeyNumber | None] = Field(default_factory=dict)
    """Key number under Active-ID of `show security keychain` (send and receive); null means None."""
    next: ByRouter[KeyNumber | None] = Field(default_factory=dict)
    """Key number under Next-ID; null means None."""
    wire: ByRouter[KeyNumber | None] = Field(default_factory=dict)
    """Key number that a router signs its data with: sent since the last step before, and acknowledged by the peer.

    null: it has sent nothing for its sessions, signed or not.
    """
    keyid: ByRouter[KeyId] = Field(default_factory=dict)
    """KeyID in the last segment that a router sent."""
    rnextkeyid: ByRouter[KeyId] = Field(default_factory=dict)
    """RNextKeyID in the last segment that a router sent."""
    seen: ByRouter[Sight] = Field(default_factory=dict)
    """What a router's capture must show since the last step before: that a thing that the file forces did happen."""

    drops: Annotated[
        dict[RouterName, dict[DropReason, Annotated[int, Field(ge=0)]]], BeforeValidator(spread_by_reason)
    ] = Field(default_factory=dict)
    """How many segments a router dropped, by reason, since the last step that did something: at least so many; 0: none.

    Where a platform prints one total alone, it is held against that.
    """

    @property
    def checks_named(self) -> frozenset[str]:
        """The names of the checks that these conditions make."""
        return frozenset(name for name in CHECK_NAMES if getattr(self, name))


CHECK_NAMES = ("bgp", "ldp", "flaps", "active", "next", "wire", "keyid", "rnextkeyid", "seen", "drops")


class Expect(Conditions):
    """Wait until all of it holds, each condition no longer than its own named deadline after the last step before."""


class ExpectWithin(Conditions):
    """Like `expect`, with the deadline that the file names."""

    within: PositiveDuration


class Stays(Conditions):
    """What must hold in every sample for a while."""

    duration: PositiveDuration = Field(alias="for")


_CAPABILITIES = {
    "skew": "set-clock",
    "cut": "cut-link",
    "restore": "cut-link",
    "impair": "impair",
    "inject": "inject",
    "cross-syns": "steer-tcp",
    "reboot": "reboot",
}


def _mapping_or_nothing(value: object) -> object:
    return {} if value is None else value


class Step(StrictModel):
    """One step: a mapping with exactly one of these fields."""

    apply: Annotated[Apply | None, BeforeValidator(_mapping_or_nothing)] = None
    add_key: AddKey | None = Field(default=None, alias="add-key")
    delete_key: DeleteKey | None = Field(default=None, alias="delete-key")
    change_key: ChangeKey | None = Field(default=None, alias="change-key")
    delete_chain: Annotated[DeleteChain | None, BeforeValidator(_mapping_or_nothing)] = Field(
        default=None, alias="delete-chain"
    )
    re_point: RePoint | None = Field(default=None, alias="re-point")
    rollback: Annotated[Rollback | None, BeforeValidator(_mapping_or_nothing)] = None
    await_rollback: Annotated[AwaitRollback | None, BeforeValidator(_mapping_or_nothing)] = Field(
        default=None, alias="await-rollback"
    )
    cli: Cli | None = None
    clear: Annotated[Clear | None, BeforeValidator(_mapping_or_nothing)] = None
    skew: Skew | None = None
    cut: Annotated[Cut | None, BeforeValidator(_mapping_or_nothing)] = None
    restore: Annotated[Restore | None, BeforeValidator(_mapping_or_nothing)] = None
    impair: Annotated[Impair | None, BeforeValidator(_mapping_or_nothing)] = None
    inject: Inject | None = None
    cross_syns: Annotated[CrossSyns | None, BeforeValidator(_mapping_or_nothing)] = Field(
        default=None, alias="cross-syns"
    )
    reboot: Reboot | None = None
    restart: Restart | None = None
    advance: Advance | None = None
    expect: Expect | None = None
    expect_within: ExpectWithin | None = Field(default=None, alias="expect-within")
    stays: Stays | None = None
    wait: Wait | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        kinds = self._kinds()
        if len(kinds) != 1:
            allowed = ", ".join(info.alias or name for name, info in type(self).model_fields.items())
            raise ValueError(f"a step has exactly one of: {allowed}")
        if self.conditions is not None and not self.conditions.checks_named:
            raise ValueError(f"`{self.kind}` expects nothing; name at least one of: {', '.join(CHECK_NAMES)}")
        return self

    def _kinds(self) -> list[str]:
        return [info.alias or name for name, info in type(self).model_fields.items() if getattr(self, name) is not None]

    @property
    def kind(self) -> str:
        """The step's kind as the file writes it: `expect-within`."""
        return self._kinds()[0]

    @property
    def commits(self) -> CommitStep | None:
        """What the step commits, if it is of a kind that commits a change of keys."""
        return (
            self.apply
            or self.add_key
            or self.delete_key
            or self.change_key
            or self.delete_chain
            or self.re_point
            or self.rollback
        )

    @property
    def conditions(self) -> Conditions | None:
        """What the step expects, if it is of a kind that expects."""
        return self.expect or self.expect_within or self.stays

    @property
    def capability(self) -> str | None:
        """What a lab must be able to do for this step, beyond answering on SSH."""
        return _CAPABILITIES.get(self.kind)

    @property
    def checks_named(self) -> frozenset[str]:
        """The names of the checks that the step makes."""
        if self.conditions is not None:
            return self.conditions.checks_named
        if self.inject is not None and not self.inject.replays:
            return frozenset({"drops"})
        if self.commits is not None or self.await_rollback is not None:
            return frozenset({"commit", "read-back"})
        if self.cli is not None and self.cli.configure:
            return frozenset({"commit"})
        return frozenset({"shows"}) if self.cli is not None and self.cli.shows is not None else frozenset()

    @property
    def keys_named(self) -> frozenset[int]:
        """The key numbers that the step speaks of."""
        changed = self.change_key or self.delete_key
        if changed is not None:
            return frozenset({changed.key})
        if self.inject is not None and self.inject.key is not None:
            return frozenset({self.inject.key})
        if self.conditions is None:
            return frozenset()
        fields = (self.conditions.active, self.conditions.next, self.conditions.wire)
        return frozenset(number for field in fields for number in field.values() if number is not None)

    @property
    def sessions_named(self) -> frozenset[SessionName]:
        """The sessions whose state the step expects."""
        if self.conditions is None:
            return frozenset()
        named: set[SessionName] = set()
        if self.conditions.bgp or self.conditions.flaps:
            named.add("bgp")
        if self.conditions.ldp:
            named.add("ldp")
        return frozenset(named)
