"""The `security authentication-key-chains` hierarchy, as in Juniper's model of Junos 24.4 (docs/junos.md 1.1)."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.schema import Configured, Constraint, container, entry, leaf
from keyroll.emulator.junos.configuration.statements.kept import hierarchies as kept_tables
from keyroll.emulator.junos.configuration.values import Integer, SecretText, StartTime, Text, one_of
from keyroll.keychain.model import NAME_MESSAGE


def _algorithm_is_ao(_root: Configured, parent: Configured, _node: Configured) -> bool:
    return parent.value_of("algorithm") == "ao"


SECURITY = container(
    "security",
    "Security configuration",
    container(
        "authentication-key-chains",
        "Authentication key chain configuration",
        entry(
            "key-chain",
            "Key chain configuration",
            Text(1, 32, r"(__.*__)|(.*[ ].*)|(.{33,})", NAME_MESSAGE),
            leaf("description", "Text description of this authentication-key-chain", Text(1, 80)),
            leaf("tolerance", "Clock skew tolerance", Integer(0, 4294967295)),
            entry(
                "key",
                "Authentication element configuration",
                Integer(0, 63),
                leaf("secret", "Authentication key", SecretText(126), secret=True),
                leaf(
                    "start-time",
                    "Start time for key transmission (YYYY-MM-DD.HH:MM)",
                    StartTime(),
                    quoted=True,
                ),
                leaf(
                    "algorithm",
                    "Authentication algorithm",
                    one_of(
                        ao="TCP Authentication Option",
                        hmac_sha_1="Hash-based Message Authentication Code (SHA1)",
                        hmac_sha2_224="Hash-based Message Authentication Code (SHA2-224)",
                        hmac_sha2_256="Hash-based Message Authentication Code (SHA2-256)",
                        hmac_sha2_384="Hash-based Message Authentication Code (SHA2-384)",
                        hmac_sha2_512="Hash-based Message Authentication Code (SHA2-512)",
                        md5="Message Digest 5",
                        sha_1="Secure Hash Algorithm (SHA1)",
                    ),
                ),
                leaf(
                    "options",
                    "Protocol's transmission encoding format",
                    one_of(basic="Base RFC format", isis_enhanced="Enhanced RFC format"),
                ),
                container(
                    "ao-attribute",
                    "TCP-AO attributes",
                    leaf("send-id", "Send id for TCP-AO entry", Integer(0, 255)),
                    leaf("recv-id", "Recv id for TCP-AO entry", Integer(0, 255)),
                    leaf(
                        "tcp-ao-option",
                        "Include TCP-AO option within message header",
                        one_of(
                            enabled="Include TCP-AO option within message header",
                            disabled="Do not include TCP-AO option within message header",
                        ),
                    ),
                    leaf(
                        "cryptographic-algorithm",
                        "Cryptographic algorithm for TCP-AO Traffic key and MAC digest generation",
                        one_of(
                            aes_128_cmac_96="Cipher-based Message Authentication Code (AES128) (96 bits)",
                            hmac_sha_1_96="Hash-based Message Authentication Code (SHA1) (96 bits)",
                        ),
                    ),
                    constraints=(
                        Constraint("Can only be configured with authentication-algorithm ao", _algorithm_is_ao),
                    ),
                ),
            ),
        ),
    ),
    *kept_tables.SECURITY,
)
