"""The prediction of `keyroll check` for a drawn pair: from its configurations, under the mix that is played."""

from __future__ import annotations

from tests.lab.check.pairs import BEGIN, Drawn

from keyroll.check.coming_rollovers import PredictedRollover
from keyroll.check.judge import Question, judge
from keyroll.configuration import read
from keyroll.keychain.junostext import set_lines

ROUTERS = ("R1", "R2")


def texts_of(pair: Drawn) -> dict[str, str]:
    """Return minimal configurations with the pair's chains: an LDP session on one link."""
    texts = {}
    for router, chain, own, peer in zip(ROUTERS, pair.chains, ("10.0.12.1", "10.0.12.2"), ("10.0.12.2", "10.0.12.1"),
                                        strict=True):  # fmt: skip
        session = f"set protocols ldp session {peer} authentication-"
        texts[router] = "\n".join(
            (
                f"set interfaces ge-0/0/0 unit 0 family inet address {own}/30",
                f"{session}algorithm ao",
                f"{session}key-chain {chain.name}",
                *set_lines(chain),
            )
        )
    return texts


def rollovers(pair: Drawn, texts: dict[str, str]) -> list[PredictedRollover]:
    """Return the rollovers that `check` predicts from two texts, under the mix that is played."""
    report = judge([read(text, f"{router}.conf") for router, text in texts.items()], Question(BEGIN, mixes=(pair.mix,)))
    assert [session.other is not None for session in report.sessions] == [True]
    (chains,) = report.pairs
    assert not chains.coming.faults
    return list(chains.coming.rollovers)
