"""The rules of key chains and of how sessions use them, as data: id, severity, sentence, source."""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import NamedTuple

from keyroll.errors import Where

SPACING_ADVISED = timedelta(minutes=30)
"""Juniper's recommended least distance between two start-times (docs/junos.md 2.3)."""
LINUX_SECRET_MAX = 80
"""Octets; TCP_AO_MAXKEYLEN of Linux (include/uapi/linux/tcp.h), which FRR and BIRD inherit."""


class Severity(enum.Enum):
    """How serious a broken rule is, the most serious first."""

    ERROR = "error"
    """A session or a rollover fails, or Junos refuses the commit."""
    UNKNOWN = "unknown"
    """It cannot be judged: something is unknown, not understood or not covered."""
    WARNING = "warning"
    """Against what Juniper, an RFC or a policy asks for, or a trap for some peers."""
    ADVICE = "advice"
    """It works, but there is a better way."""
    NOTE = "note"
    """It may affect the result, but is not judged."""


class Rule(NamedTuple):
    """A rule: what must hold, in one sentence, and its source."""

    id: str
    severity: Severity
    sentence: str
    source: str

    def line(self, message: str, where: Where, severity: Severity) -> str:
        """Return a finding of this rule as one line of text."""
        return f"{where}: {severity.value}: {message} [{self.id}]"

    def data(self, message: str, where: Where, severity: Severity) -> dict[str, object]:
        """Return a finding of this rule for JSON, as every command writes it."""
        return {
            "rule": self.id,
            "severity": severity.value,
            "message": message,
            "sentence": self.sentence,
            "source": self.source,
            "file": where.file,
            "line": where.line,
        }


_AO_PAGE = "Juniper, authentication-key-chains (TCP-AO)"
_RFC_IDS = "RFC 5925, section 3.1"

DUPLICATE_SEND_ID = Rule(
    "duplicate-send-id", Severity.ERROR, "No two keys of a chain have the same send-id.", _RFC_IDS
)  # fmt: skip
DUPLICATE_RECV_ID = Rule(
    "duplicate-recv-id", Severity.ERROR, "No two keys of a chain have the same recv-id.", _RFC_IDS
)  # fmt: skip
SHARED_ID = Rule(
    "shared-id",
    Severity.WARNING,
    "A number that is one key's send-id or recv-id is used by no other key of the chain.",
    f"{_AO_PAGE}, send-id and recv-id",
)
SAME_START = Rule(
    "same-start-time",
    Severity.ERROR,
    "No two keys of a chain have the same start-time.",
    "Juniper, start-time (Authentication Key Chain)",
)
CLOSE_STARTS = Rule(
    "close-start-times",
    Severity.ADVICE,
    "Start-times of subsequent keys are at least 30 minutes apart.",
    "Juniper, TCP-AO for BGP and LDP sessions",
)
FIRST_START_FUTURE = Rule(
    "first-start-in-future",
    Severity.ERROR,
    "At the given instant the first start-time has passed; before it nothing is sent.",
    f"{_AO_PAGE}, start-time",
)
OPTION_NOT_ENABLED = Rule(
    "option-not-enabled",
    Severity.ERROR,
    "Every key has tcp-ao-option enabled; Junos' default is disabled.",
    f"{_AO_PAGE}, tcp-ao-option",
)
NOT_AO = Rule(
    "algorithm-not-ao",
    Severity.ERROR,
    "Every key has algorithm ao; Junos' default is md5.",
    f"{_AO_PAGE}, algorithm",
)
INCOMPLETE = Rule(
    "incomplete-key",
    Severity.ERROR,
    "Every key has a secret, a start-time, a send-id and a recv-id; Junos takes a key without them at commit.",
    f"{_AO_PAGE}, options",
)
LONG_SECRET = Rule(
    "long-secret",
    Severity.WARNING,
    f"A secret has at most {LINUX_SECRET_MAX} octets, or no Linux peer can hold it.",
    "Linux, TCP_AO_MAXKEYLEN",
)
SECRET_CHARACTERS = Rule(
    "secret-characters",
    Severity.ADVICE,
    "A secret consists of letters and digits.",
    f"{_AO_PAGE}, secret",
)
TOO_MANY_KEYS = Rule("too-many-keys", Severity.ERROR, "A chain has at most 64 keys.", f"{_AO_PAGE}, key")
NO_TOLERANCE = Rule(
    "no-tolerance",
    Severity.WARNING,
    "The tolerance is more than zero; without it, segments on the way at a start-time may be dropped.",
    "Juniper, tolerance (Authentication Key Chain)",
)
NO_KEYS = Rule("no-keys", Severity.ERROR, "A chain has at least one key.", f"{_AO_PAGE}, key")

KEY_MISSING = Rule(
    "key-missing", Severity.ERROR, "Every key of one router has its counterpart on the other.", _RFC_IDS
)  # fmt: skip
IDS_NOT_REVERSED = Rule(
    "ids-not-reversed",
    Severity.ERROR,
    "The peer's key has send-id and recv-id reversed.",
    f"{_AO_PAGE}, recv-id",
)
SECRETS_DIFFER = Rule(
    "secrets-differ", Severity.ERROR, "Both routers have the same secret for a key.", "RFC 5925, section 3.1"
)  # fmt: skip
ALGORITHMS_DIFFER = Rule(
    "algorithms-differ",
    Severity.ERROR,
    "Both routers have the same cryptographic-algorithm for a key (default hmac-sha-1-96).",
    "RFC 5925, section 3.1",
)
OPTIONS_DIFFER = Rule(
    "options-differ",
    Severity.ERROR,
    "Both routers have the same tcp-ao-option for a key, and both cover the TCP options or neither does.",
    "RFC 5925, section 3.1",
)
STARTS_DIFFER = Rule(
    "start-times-apart",
    Severity.ERROR,
    "The start-times of a key on both routers differ by no more than the tolerance.",
    "Juniper, tolerance (Authentication Key Chain)",
)
STARTS_UNEQUAL = Rule(
    "start-times-unequal",
    Severity.ADVICE,
    "A key starts at the same instant on both routers.",
    "Juniper, Configure a Keychain (TCP-AO)",
)
NOT_ROBUST = Rule(
    "not-robust",
    Severity.WARNING,
    "The rollover drops nothing, whichever policy moves the sending key (clock, rnext) and whatever is accepted "
    "(tolerance, any): Juniper's pages leave open which it is.",
    "RFC 5925, section 7.3; keyroll, docs/assumptions/keychain.md",
)

_MODEL = "Juniper, published YANG model of Junos 24.4 (constraints of protocols bgp)"
ALGORITHM_AO_MISSING = Rule(
    "authentication-algorithm-not-ao",
    Severity.ERROR,
    "A session with a key-chain for TCP-AO has authentication-algorithm ao; the default is an older scheme.",
    "Juniper, published YANG model of Junos 24.4 (authentication-algorithm, default hmac-sha-1-96)",
)
CHAIN_MISSING = Rule(
    "chain-missing", Severity.ERROR, "A session with authentication-algorithm has a key-chain too.", _MODEL
)  # fmt: skip
CHAIN_NOT_DEFINED = Rule(
    "chain-not-defined", Severity.ERROR, "The key-chain that a session names is defined, or Junos refuses it.", _MODEL
)  # fmt: skip
CHAIN_UNUSED = Rule(
    "chain-not-used", Severity.ADVICE, "A key-chain for TCP-AO protects a session.", "keyroll, docs/configuration.md"
)  # fmt: skip
MD5_BESIDE = Rule(
    "md5-beside-chain", Severity.ERROR, "A session has a key-chain or an authentication-key, not both.", _MODEL
)  # fmt: skip
WITHOUT_AO_ALLOWED = Rule(
    "allow-without-tcpao",
    Severity.WARNING,
    "A protected session accepts no peer without TCP-AO (tcpao-auth-mismatch allow-without-tcpao).",
    "Juniper, tcpao-auth-mismatch; RFC 5925, section 7.3",
)
CHAIN_ON_ONE_END = Rule(
    "chain-on-one-end",
    Severity.ERROR,
    "Both ends of a session are protected with TCP-AO, or neither.",
    "RFC 5925, section 7.5",
)
KEY_TOO_OLD = Rule(
    "key-too-old",
    Severity.WARNING,
    "No key is in use for longer than --max-age.",
    "STIG JUNI-RT-000050 (a key's lifetime is 180 days at most)",
)

USAGE: tuple[Rule, ...] = (
    CHAIN_NOT_DEFINED,
    CHAIN_MISSING,
    ALGORITHM_AO_MISSING,
    MD5_BESIDE,
    WITHOUT_AO_ALLOWED,
    CHAIN_ON_ONE_END,
    CHAIN_UNUSED,
)
"""The rules of how sessions use chains; they need a whole configuration."""

RULES: tuple[Rule, ...] = (
    DUPLICATE_SEND_ID,
    DUPLICATE_RECV_ID,
    SHARED_ID,
    SAME_START,
    CLOSE_STARTS,
    FIRST_START_FUTURE,
    OPTION_NOT_ENABLED,
    NOT_AO,
    INCOMPLETE,
    LONG_SECRET,
    SECRET_CHARACTERS,
    TOO_MANY_KEYS,
    NO_TOLERANCE,
    NO_KEYS,
    KEY_MISSING,
    IDS_NOT_REVERSED,
    SECRETS_DIFFER,
    ALGORITHMS_DIFFER,
    OPTIONS_DIFFER,
    STARTS_DIFFER,
    STARTS_UNEQUAL,
    NOT_ROBUST,
    KEY_TOO_OLD,
    *USAGE,
)
