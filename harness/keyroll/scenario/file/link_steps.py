"""The steps of a scenario file that act on the link between the routers, beyond both routers' captures."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from keyroll.names import Capability
from keyroll.scenario.file.durations import Duration
from keyroll.scenario.file.fields import ROUTERS, KeyNumber, OneOrMany, RouterName, SessionRef
from keyroll.scenario.file.registry import step
from keyroll.scenario.file.sessions import KINDS
from keyroll.scenario.file.step import Step

Share = Annotated[float, Field(ge=0, le=1, strict=False)]
"""A share of 1: 0.05 is one frame in twenty."""


@step
class Cut(Step):
    """Cut the link: no frame passes until `restore`."""

    kind = "cut"
    needs = Capability.CUT_LINK
    bare = True


@step
class Restore(Step):
    """Undo `cut`."""

    kind = "restore"
    needs = Capability.CUT_LINK
    bare = True


@step
class Impair(Step):
    """Impair the link towards routers, at random by the run's seed; without any value, remove every impairment."""

    kind = "impair"
    needs = Capability.IMPAIR
    bare = True
    towards: OneOrMany[RouterName] = ROUTERS
    loss: Share = 0.0
    damage: Share = 0.0
    reorder: Share = 0.0
    delay: Duration | None = None
    jitter: Duration | None = None


@step
class CrossSyns(Step):
    """Hold the SYNs that open a session's connections until each router has sent one, then pass both on. Once.

    Two routers that both open then have two connections, and BGP closes one (RFC 4271, section 6.8).
    """

    kind = "cross-syns"
    needs = Capability.STEER_TCP
    bare = True
    session: SessionRef = "bgp"

    def sessions(self) -> frozenset[str]:
        """Return the session whose SYNs are held, where it is named."""
        return frozenset({self.session}) - KINDS


@step
class Inject(Step):
    """Send forged frames to a router, as from its peer on the live connection of a session.

    `rst`: a RST with the exact sequence number and no TCP-AO. `rst-bad-mac`: the same with TCP-AO, the peer's KeyID and
    an invalid MAC. `rst-unknown-keyid`: the same with a KeyID that is in no chain. `syn`: a SYN without TCP-AO from
    another port. `syn-bad-mac`: the same with TCP-AO, the peer's KeyID and an invalid MAC. `replay`: the last signed
    frames of this connection again, unchanged; with `key` only those that were signed with it. `replay-earlier`: those
    of the session's earlier connections. `icmp-unreachable` and `icmp-too-big`: ICMP errors about a segment of the
    connection, which the router must ignore (RFC 5925, section 7.8).
    """

    kind = "inject"
    needs = Capability.INJECT

    # `Step.kind` is the step's name, so this field is called `forged`; a file must still write `kind:`, and only that.
    model_config = ConfigDict(populate_by_name=False)

    forged: Literal[
        "rst",
        "rst-bad-mac",
        "rst-unknown-keyid",
        "syn",
        "syn-bad-mac",
        "replay",
        "replay-earlier",
        "icmp-unreachable",
        "icmp-too-big",
    ] = Field(alias="kind", title="Kind")
    towards: RouterName
    session: SessionRef = "bgp"
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    key: KeyNumber | None = None
    """For replays: take the frames that were signed with this key, and no others."""

    @model_validator(mode="after")
    def _key_of_replays(self) -> Self:
        if self.key is not None and not self.replays:
            raise ValueError("`key` chooses the frames to replay: use it with `replay` or `replay-earlier` only")
        return self

    @property
    def replays(self) -> bool:
        """Whether the frames are valid but old: TCP discards them as duplicates, so TCP-AO counts no drop."""
        return self.forged in ("replay", "replay-earlier")

    def checks(self) -> frozenset[str]:
        """Return the check that forged frames are dropped. There is none for replayed ones: TCP discards those."""
        return frozenset() if self.replays else frozenset({"drops"})

    def sessions(self) -> frozenset[str]:
        """Return the session whose frames are forged, where it is named."""
        return frozenset({self.session}) - KINDS

    def keys(self) -> frozenset[int]:
        """Return the key whose frames are replayed."""
        return frozenset() if self.key is None else frozenset({self.key})
