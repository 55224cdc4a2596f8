"""The drawn pairs, on which predictions are compared with the lab, cover every mix of policies and enough mistakes."""

from collections import Counter

import pytest
from tests.lab.check.pairs import drawn

from keyroll.check.skew import MIXES


@pytest.mark.slow
def test_three_hundred_pairs_cover_all_mixes_and_mistakes() -> None:
    pairs = [drawn(seed) for seed in range(300)]
    mixes = Counter(pair.mix for pair in pairs)
    assert all(mixes[mix] >= 10 for mix in MIXES)
    broken = [pair for pair in pairs if not pair.predicted().hitless]
    assert len(broken) >= 100
    assert len({pair.kind for pair in broken}) >= 8
    # In some of them nothing is dropped, because the old key stays in use.
    assert sum(not pair.predicted().gaps for pair in broken) >= 10


def test_a_seed_draws_the_same_pair_again() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7).mix == drawn(23).mix
