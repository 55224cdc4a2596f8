"""Junos configuration text of key chains, both ways.

Writing: `set_lines` (one statement a line, as `display set` has them) and `curly` (as `show configuration` has them).
Reading: `parse` and `read` take set lines, the curly form, and whole configurations, of which they read
`security authentication-key-chains`; every error names line and column, and none quotes what may be a secret.
"""

from keyroll.keychain.junostext.reader import Configuration, is_set_form, parse, read, without_trimmings
from keyroll.keychain.junostext.text import KeychainTextError, TooManyKeysError
from keyroll.keychain.junostext.writer import Encoding, curly, set_lines

__all__ = [
    "Configuration",
    "Encoding",
    "KeychainTextError",
    "TooManyKeysError",
    "curly",
    "is_set_form",
    "parse",
    "read",
    "set_lines",
    "without_trimmings",
]
