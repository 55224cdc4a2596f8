"""Placeholders of removed secrets: the texts that people and tools write in their place, as data.

A placeholder that is missing here is taken for a secret, and two equal ones for equal secrets: add it to the list.
"""

from __future__ import annotations

import re

from keyroll.keychain.model import SECRET_MAX, KeychainError
from keyroll.keychain.secret import Secret
from keyroll.keychain.type9 import decode_type9, is_type9

TAKEN_OUT = "it was removed from the text"
DENIED = "the login that saved the text has no permission to see it"
MASTER_PASSWORD = "it is encrypted with the router's master password"  # noqa: S105 - a sentence, no secret
HASHED = "it is a hash"
EMPTY = "it is empty"

UNCLOSED = '"'
"""The word that a reader uses in place of a string that is not closed on its line."""
_WORD = (
    r"(?:re-?moved|re-?dacted|hidden|masked|scrubbed|saniti[sz]ed|omitted|withheld|censored|filtered|stripped"
    r"|anonymi[sz]ed|obfuscated|confidential|sensitive|blanked|replaced|deleted)"
)
FORMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        # Written by Junos for a login without the permission `secret`, and by `| display omit`.
        (r"/\*.*\*/|SECRET-DATA|ACCESS-DENIED", DENIED),
        (r"\$8\$.*", MASTER_PASSWORD),
        (r"\$(?:1|2[abxy]?|5|6|sha1)\$.*", HASHED),
        # A variable of a template: Junos accepts no plain secret that begins like this.
        (r"\$(?!9\$).*", TAKEN_OUT),
        # Encrypted by the tool that stores the text (Ansible, SOPS).
        (r"!vault\b.*|\$ANSIBLE_VAULT.*|ENC\[.*", TAKEN_OUT),
        (UNCLOSED, "its quote is not closed"),
        # RANCID, Oxidized (`<secret hidden>`, `<removed>`, `<secret removed>`), Juniper's published designs
        # (`<REMOVED>`), keyroll's own reports, and anything else in angle, round, square or curly brackets.
        (r"<.*>|\[.*\]|\(.*\)|\{\{.*\}\}|\{.*\}|%.*%", TAKEN_OUT),
        # One character repeated: xxxxx, ***, ....., ------.
        (r"(.)\1{2,}|…+|-|n/?a|none|null|nil|to-?do|tbd", TAKEN_OUT),
        (r"\*+.*\*+|\*\*+|_+[a-z]*_+", TAKEN_OUT),
        # netconan numbers removed secrets anew in each run: two equal words are not two equal secrets.
        (r"netconanRemoved\d*", TAKEN_OUT),
        (rf"(?:secret|password|key|psk)?[-_ ]?{_WORD}(?:[-_ ]?(?:secret|password|key))?\d*", TAKEN_OUT),
        # The same among other words: `redacted-by-ops`, `#removed 3#`.
        (rf"(?:.*[\W_])?{_WORD}(?:[\W_].*)?", TAKEN_OUT),
        # Texts of examples and templates that somebody must replace by a secret.
        (
            (
                r"(?:example|sample|dummy|fake|placeholder|change[-_ ]?me|fixme|snip|snipped)"
                r"(?:[-_ ]?(?:secret|password|key))?\d*"
            ),
            TAKEN_OUT,
        ),
        (r"(?-i:SECRET|PASSWORD|PASSPHRASE|KEY|PSK)|xx", TAKEN_OUT),
        (r"(?:.*[\W_])?not[-_ ]?(?:shown|displayed|available|known|specified)(?:[\W_].*)?", TAKEN_OUT),
        # Ansible, for what a task must not log; a digest, or the path of a vault, in place of the secret.
        (r"VALUE_SPECIFIED_IN_NO_LOG_PARAMETER|(?:sha\d+|hash|vault|ref\+\w+):.*", TAKEN_OUT),
        (r"(?:your|the|my|some|insert|enter)[-_ ](?:\w+[-_ ])?(?:secret|password|key)(?:[-_ ]here)?", TAKEN_OUT),
        (r"\$9\$(?:x{3,}|\.{2,}|\*+|<.*>|" + _WORD + r"|abc123)?", TAKEN_OUT),
    )
)
"""Patterns for the whole value, ignoring case, with the reason why the secret is unknown."""


def placeholder(text: str) -> str | None:
    """Return why `text` is a placeholder and not a secret, or None."""
    # Single quotes are not quotes to Junos, so they are part of a value: '***'.
    text = text.strip().strip("'`\u2018\u2019\u201c\u201d")
    if not text:
        return EMPTY
    return next((why for pattern, why in FORMS if pattern.fullmatch(text)), None)


def secret_of(text: str) -> Secret:
    """Return the secret of a configuration's text: plain, decoded from `$9$`, or unknown.

    An incomplete `$9$` text, or a secret that is too long, is unknown too: the real secret is not in the text.
    """
    why = placeholder(text)
    if why is not None:
        return Secret.unknown(why)
    if not is_type9(text):
        # Half a surrogate pair, which UTF-8 cannot represent, becomes "?".
        octets = text.encode("utf-8", "replace")
        return Secret(octets) if len(octets) <= SECRET_MAX else Secret.unknown(f"it is longer than {SECRET_MAX} octets")
    try:
        decoded = decode_type9(text)
    except KeychainError:
        return Secret.unknown("its $9$ text is cut short or damaged")
    inner = placeholder(decoded.reveal().decode("utf-8", "replace"))
    # The decoded text may be a placeholder that was encoded; a decoded `$1$` or `$8$` is a secret that looks like that.
    return Secret.unknown(inner) if inner in {TAKEN_OUT, DENIED} else decoded
