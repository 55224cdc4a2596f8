"""Fifty runs: the verdict on the page is that of `result.json`, and no secret is on it in any form.

`recorded` has real run folders, without commands and with only the last show outputs. Each is varied ten times: hostile
names and reasons, missing files, lines that were cut off, checks that pass or fail.
"""

from __future__ import annotations

import html
import json
import random
import re
import shutil
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyroll.keychain.secret import Secret
from keyroll.report.markdown import run_markdown
from keyroll.report.night import cell_of
from keyroll.report.page import run_page
from keyroll.report.run import KILLED, load_run
from keyroll.report.text import escaped
from keyroll.scenario.file.read import read_cases
from keyroll.scenario.options import read_instant
from keyroll.scenario.plan.chains import build_chains

RECORDED = Path(__file__).parent / "recorded"
KINDS = ("green", "red", "unfit", "known-bug", "killed")
VARIATIONS = 10
SAMPLE = 2
"""Variations of each kind that `make test` plays; the others take two seconds more."""
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<h1>PASSED  x: 9 of 9 checks hold, 1.0 s</h1>",
    "\x1b[2J\x07\x9b31m",
    "\u202egnp.exe\u2066",
    "| a | **b** `c` [d](e) \n# f",
    "'\" onmouseover=alert(1) x='",
)
MAY_BE_MISSING = ("chains.json", "wire.json", "exchanges.jsonl", "R1.conf")


def forms_of(folder: Path) -> re.Pattern[str]:
    """Return a pattern of a run's secrets, drawn again from its seed (as text, hex, base64), and of $8$ and $9$."""
    run = json.loads((folder / "run.json").read_text())
    case = next(case for case in read_cases(folder / "scenario.yaml") if case.variant == run["variant"])
    t0 = read_instant(run["t0"])
    assert t0 is not None
    words: set[str] = set()
    for mutation in (None, case.mutation(run["mutation"]) if run["mutation"] else None):
        for chain in build_chains(case.scenario, seed=run["seed"], t0=t0, mutation=mutation).values():
            words |= {form for key in chain.keys if key.secret is not None for form in spellings(key.secret)}
    assert words, "a run without secrets shows nothing"
    return re.compile(r"\$[89]\$|" + "|".join(map(re.escape, sorted(words))), re.IGNORECASE)


def spellings(secret: Secret) -> Iterator[str]:
    octets = secret.reveal()
    yield secret.reveal_text()
    yield html.escape(secret.reveal_text())
    yield octets.hex()
    yield b64encode(octets).decode().rstrip("=")


def varied(kind: str, number: int, place: Path) -> Path:
    """Copy a recorded run; all but the first copy are changed at random."""
    folder = place / f"20261201T020000Z-{kind}-{number}"
    shutil.copytree(RECORDED / kind, folder)
    (folder / "scenario.recorded").rename(folder / "scenario.yaml")
    if number == 0:
        return folder
    chance = random.Random(f"{kind} {number}")
    result = json.loads((folder / "result.json").read_text())
    result["title"] = chance.choice(HOSTILE)
    for check in chance.sample(result["checks"], min(3, len(result["checks"]))):
        check["observed"] = chance.choice(HOSTILE)
        check["router"] = chance.choice((check["router"], chance.choice(HOSTILE), None))
        if kind in ("unfit", "killed"):
            check["passed"] = chance.random() < 0.5  # such a run may have judged a check either way
    if result["reason"] is not None:
        result["reason"] += chance.choice(HOSTILE)
    (folder / "result.json").write_text(json.dumps(result))
    for name in MAY_BE_MISSING:
        if chance.random() < 0.3:
            (folder / name).unlink(missing_ok=True)
    if kind == "killed":
        lines = (folder / "timeline.jsonl").read_text()
        (folder / "timeline.jsonl").write_text(lines[: chance.randrange(len(lines))])
        if number % 2:
            (folder / "result.json").unlink()  # killed before it had written one
    return folder


def said_by(folder: Path) -> str:
    """Return the verdict of result.json; a run without an end was killed."""
    path = folder / "result.json"
    result = json.loads(path.read_text()) if path.is_file() else {"ended": False}
    return str(KILLED if result.get("ended") is False else result["verdict"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "number", [*range(SAMPLE), *(pytest.param(n, marks=pytest.mark.slow) for n in range(SAMPLE, VARIATIONS))]
)
def test_the_verdict_is_that_of_the_result_and_the_page_has_no_secret(kind: str, number: int, tmp_path: Path) -> None:
    folder = varied(kind, number, tmp_path)
    record, verdict = load_run(folder), said_by(folder)
    page, markdown = run_page(record), run_markdown(record)
    (headline,) = re.findall(r"<h1>(.*?)</h1>", page)
    assert html.unescape(headline).startswith(f"{verdict.upper()}  ")
    assert f'<header class="verdict {verdict}">' in page
    assert markdown.splitlines()[0] == f"## {escaped(html.unescape(headline))}", "one sentence everywhere"
    assert cell_of(folder).verdict in (verdict, "passed"), "a mutation that is killed is green in a night"
    assert page.count("<script>") == 1, "our own"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page + markdown)
    assert not forms_of(folder).search(page + markdown)


def test_the_forms_of_a_secret_are_found_where_one_is(tmp_path: Path) -> None:
    folder = varied("green", 0, tmp_path)
    forms = forms_of(folder)
    assert forms.search("secret $9$abc")
    (case,) = read_cases(folder / "scenario.yaml")
    t0 = read_instant("2030-01-01T00:00:00Z")
    assert t0 is not None
    seed = json.loads((folder / "run.json").read_text())["seed"]
    key = next(iter(build_chains(case.scenario, seed=seed, t0=t0).values())).keys[0]
    assert key.secret is not None
    assert all(forms.search(f"x{word}x") for word in spellings(key.secret))
