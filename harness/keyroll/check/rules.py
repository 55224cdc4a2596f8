"""The rules of `keyroll check`, as data. Rules about chains and their use are in keychain/rules.py, the others here."""

from __future__ import annotations

from keyroll.keychain.rules import NOT_ROBUST, USAGE, Rule, Severity
from keyroll.keychain.rules import RULES as CHAIN_RULES

_RFC_DROP = "RFC 5925, section 7.5"

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
    "A coming rollover is hitless with clocks up to --skew apart, either way, under every mix of policies asked for.",
    "Juniper, tolerance (Authentication Key Chain)",
)
NO_NEXT_KEY = Rule(
    "no-next-key", Severity.WARNING, "A key takes over within --within of the given instant.", "keyroll, docs/check.md"
)  # fmt: skip
SECRET_UNKNOWN = Rule(
    "secret-unknown",
    Severity.UNKNOWN,
    "Each key's secret is known at both ends; an unknown one is assumed to match.",
    "keyroll, docs/check.md",
)
IN_DOUBT = Rule(
    "not-understood",
    Severity.UNKNOWN,
    "Everything that affects a session and its key-chain is read and understood.",
    "keyroll, docs/check.md",
)
PEER_NOT_GIVEN = Rule(
    "other-end-not-given",
    Severity.UNKNOWN,
    "Both ends of a protected session are among the configurations that are given.",
    "keyroll, docs/check.md",
)
ROUTER_TWICE = Rule(
    "router-given-twice",
    Severity.UNKNOWN,
    "Each router is given once: no two configurations have one host-name.",
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
IPSEC = Rule(
    "ipsec-sa-not-judged",
    Severity.NOTE,
    "Whether a security association of IPsec lets a session's segments pass is not judged.",
    "Juniper, ipsec-sa (Protocols BGP)",
)
LOOPBACK_FILTER = Rule(
    "loopback-filter-not-judged",
    Severity.NOTE,
    "What a filter on lo0 drops of ports 179 (BGP) and 646 (LDP) is not judged.",
    "Juniper, firewall filter on lo0",
)
LICENSE = Rule(
    "license-not-judged",
    Severity.NOTE,
    "Whether the router runs a statement for which it lacks a license is not judged.",
    "Juniper, license warnings in show configuration",
)

SESSION_RULES: tuple[Rule, ...] = (
    AS_MISMATCH,
    TYPE_MISMATCH,
    ENDS_DO_NOT_MATCH,
    BOTH_PASSIVE,
    SESSION_DOWN,
    NOT_HITLESS,
    SKEW_NOT_BORNE,
    NO_NEXT_KEY,
    SECRET_UNKNOWN,
    IN_DOUBT,
    PEER_NOT_GIVEN,
    ROUTER_TWICE,
    TTL_SECURITY,
    BFD,
    TCP_MSS,
    GRACEFUL_RESTART,
    IPSEC,
    LOOPBACK_FILTER,
    LICENSE,
)
RULES: tuple[Rule, ...] = (
    *USAGE,
    *SESSION_RULES,
    # NOT_HITLESS replaces NOT_ROBUST: it judges each rollover.
    *(rule for rule in CHAIN_RULES if rule is not NOT_ROBUST and rule not in USAGE),
)
__all__ = ["RULES", "Rule", "Severity"]
