"""A chain of two keys, and the text of a chain from a real router."""

from datetime import UTC, datetime, timedelta

from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

T0 = datetime(2030, 1, 1, tzinfo=UTC)
CHAIN = Keychain(
    "new_auth_key",
    (
        Key(0, Secret("firstsecret"), T0, "ao", 1, 2, tcp_ao_option=True, algorithm=Algorithm.HMAC_SHA_1_96),
        Key(
            1,
            Secret("secondsecret"),
            T0 + timedelta(minutes=30),
            "ao",
            3,
            4,
            tcp_ao_option=True,
            algorithm=Algorithm.AES_128_CMAC_96,
        ),
    ),
)

# What `show security authentication-key-chains` printed on a real router (TCP-AO/Configuration-examples,
# JuniperNetworks.md); its secret is the public "interoptest".
REAL = """\
key-chain ao_aes_chain {
    key 0 {
        secret "$9$xk3NVYq.53/taZnCu1yrwYg4UHf5F/A0z3"; ## SECRET-DATA
        start-time "2020-6-16.01:00:00 +0530";
        algorithm ao;
        ao-attribute {
            send-id 9;
            recv-id 2;
            tcp-ao-option enabled;
            cryptographic-algorithm aes-128-cmac-96;
        }
    }
}
"""
