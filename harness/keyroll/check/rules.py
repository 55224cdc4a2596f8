"""The rules of `keyroll check`, as data: those of sessions stand here, those of key chains in keychain/rules.py."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from keyroll.keychain import rules as chain_rules


class Severity(enum.Enum):
    """What a broken rule means for the verdict of a session."""

    ERROR = "error"
    """The session or a rollover fails, or Junos refuses the commit."""
    UNKNOWN = "unknown"
    """Nothing sure can be said: something is not known, not understood or not covered."""
    WARNING = "warning"
    """Against what Juniper, an RFC or a policy asks for, or a trap for some peers."""
    ADVICE = "advice"
    """Works, and there is a better way."""
    NOTE = "note"
    """Could decide the matter and is not judged here."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: what must hold, in one sentence, and who says so."""

    id: str
    severity: Severity
    sentence: str
    source: str


def of_chain(rule: chain_rules.Rule) -> Rule:
    """Return a rule of key chains as one of `check`."""
    return Rule(rule.id, Severity(rule.severity.value), rule.sentence, rule.source)


_RFC_DROP = "RFC 5925, section 7.5"

CHAIN_ON_ONE_END = of_chain(chain_rules.CHAIN_ON_ONE_END)
CHAIN_MISSING = of_chain(chain_rules.CHAIN_MISSING)
ALGORITHM_AO_MISSING = of_chain(chain_rules.ALGORITHM_AO_MISSING)
CHAIN_NOT_DEFINED = of_chain(chain_rules.CHAIN_NOT_DEFINED)
CHAIN_UNUSED = of_chain(chain_rules.CHAIN_UNUSED)
MD5_BESIDE = of_chain(chain_rules.MD5_BESIDE)
WITHOUT_AO_ALLOWED = of_chain(chain_rules.WITHOUT_AO_ALLOWED)
KEY_TOO_OLD = of_chain(chain_rules.KEY_TOO_OLD)
AS_MISMATCH = Rule(
    "as-numbers-differ",
    Severity.ERROR,
    "Each end's peer-as (or, of internal groups, its own AS) is the AS of the other end.",
    "RFC 4271, section 6.2",
)
TYPE_MISMATCH = Rule(
    "group-types-differ", Severity.ERROR, "Both ends are internal, or both are external.", "RFC 4271, section 1.1"
)  # fmt: skip
ENDS_DO_NOT_MATCH = Rule(
    "ends-do-not-match",
    Severity.ERROR,
    "The router with the peer's address has a session with this router's address, in the instance of that address.",
    "RFC 4271, section 8.2.1",
)
BOTH_PASSIVE = Rule(
    "both-ends-passive", Severity.ERROR, "At least one end of a session opens it.", "RFC 4271, section 8.1.1"
)  # fmt: skip
SESSION_DOWN = Rule(
    "session-down",
    Severity.ERROR,
    "At the given instant segments get through both ways under every mix of policies asked for.",
    _RFC_DROP,
)
NOT_HITLESS = Rule(
    "rollover-not-hitless",
    Severity.ERROR,
    "With equal clocks a coming rollover drops nothing and every key takes over, under every mix of policies.",
    "RFC 5925, section 7.3; keyroll, docs/assumptions/keychain.md",
)
SKEW_NOT_BORNE = Rule(
    "skew-not-borne",
    Severity.ERROR,
    "A coming rollover is hitless with clocks that far apart, either way, under every mix of policies asked for.",
    "Juniper, tolerance (Authentication Key Chain)",
)
NO_NEXT_KEY = Rule(
    "no-next-key", Severity.WARNING, "A key takes over within --within of the given instant.", "keyroll, docs/check.md"
)  # fmt: skip
SECRET_UNKNOWN = Rule(
    "secret-unknown",
    Severity.UNKNOWN,
    "Each key's secret is known at both ends; an unknown one is assumed to be right.",
    "keyroll, docs/check.md",
)
IN_DOUBT = Rule(
    "not-understood",
    Severity.UNKNOWN,
    "All that bears on a session and its key-chain is read and understood.",
    "keyroll, docs/check.md",
)
PEER_NOT_GIVEN = Rule(
    "other-end-not-given",
    Severity.UNKNOWN,
    "Both ends of a protected session are among the configurations that are given.",
    "keyroll, docs/check.md",
)
TTL_SECURITY = Rule(
    "ttl-not-judged", Severity.NOTE, "What a TTL limit (GTSM) drops is not judged.", "RFC 5082; Juniper, ttl"
)  # fmt: skip
BFD = Rule(
    "bfd-not-judged",
    Severity.NOTE,
    "When BFD ends a session is not judged.",
    "RFC 5882; Juniper, bfd-liveness-detection",
)
TCP_MSS = Rule(
    "tcp-mss-not-judged",
    Severity.NOTE,
    "Whether segments of the configured size pass with TCP-AO's 16 octets is not judged.",
    "Juniper, tcp-mss; RFC 5925, section 7.6",
)
GRACEFUL_RESTART = Rule(
    "graceful-restart-not-judged",
    Severity.NOTE,
    "Graceful restart hides a session that goes down from routes; hitless here means that it stays up.",
    "RFC 4724; Juniper, graceful-restart",
)
LOOPBACK_FILTER = Rule(
    "loopback-filter-not-judged",
    Severity.NOTE,
    "What a filter on lo0 drops of ports 179 (BGP) and 646 (LDP) is not judged.",
    "Juniper, firewall filter on lo0",
)

SESSION_RULES: tuple[Rule, ...] = (
    CHAIN_ON_ONE_END,
    CHAIN_MISSING,
    ALGORITHM_AO_MISSING,
    CHAIN_NOT_DEFINED,
    CHAIN_UNUSED,
    MD5_BESIDE,
    WITHOUT_AO_ALLOWED,
    AS_MISMATCH,
    TYPE_MISMATCH,
    ENDS_DO_NOT_MATCH,
    BOTH_PASSIVE,
    SESSION_DOWN,
    NOT_HITLESS,
    SKEW_NOT_BORNE,
    KEY_TOO_OLD,
    NO_NEXT_KEY,
    SECRET_UNKNOWN,
    IN_DOUBT,
    PEER_NOT_GIVEN,
    TTL_SECURITY,
    BFD,
    TCP_MSS,
    GRACEFUL_RESTART,
    LOOPBACK_FILTER,
)


_TOLD = frozenset(rule.id for rule in SESSION_RULES)
RULES: tuple[Rule, ...] = (
    *SESSION_RULES,
    # Whether a rollover is robust is told for each, by NOT_HITLESS.
    *(of_chain(rule) for rule in chain_rules.RULES if rule is not chain_rules.NOT_ROBUST and rule.id not in _TOLD),
)
