"""Protected statements of a chain, which Junos refuses to change, in every form of configuration."""

from __future__ import annotations

import pytest

from keyroll.configuration import read
from keyroll.plan.sessions import protected

SET = """\
set security authentication-key-chains key-chain kc key 0 algorithm ao
set security authentication-key-chains key-chain kc key 1 algorithm ao
"""
PROTECTED = {
    "set": SET + "protect security authentication-key-chains key-chain kc key 0\n",
    "curly": "security { authentication-key-chains { key-chain kc {\n"
    "protect: key 0 { algorithm ao; }\nkey 1 { algorithm ao; }\n} } }\n",
    "xml": "<configuration><security><authentication-key-chains><key-chain><name>kc</name>"
    '<key protect="protect"><name>0</name><algorithm>ao</algorithm></key>'
    "<key><name>1</name><algorithm>ao</algorithm></key>"
    "</key-chain></authentication-key-chains></security></configuration>\n",
    "json": '{"configuration": {"security": {"authentication-key-chains": {"key-chain": [{"name": "kc", "key": ['
    '{"@": {"protect": true}, "name": "0", "algorithm": "ao"}, {"name": "1", "algorithm": "ao"}]}]}}}}\n',
}


@pytest.mark.parametrize("form", list(PROTECTED))
def test_protected_statements_are_recognised_in_every_form(form: str) -> None:
    configuration = read(PROTECTED[form], form)
    (chain,) = configuration.main.chains
    assert [key.id for key in chain.keychain.keys] == [0, 1]
    assert protected(configuration, chain) == "security authentication-key-chains key-chain kc key 0"


def test_a_chain_without_protected_statements_has_none() -> None:
    configuration = read(SET, "set")
    assert protected(configuration, configuration.main.chains[0]) is None
