"""Draw README's pictures: the report of `make demo` (PNG, by Chromium) and a recording of it in a terminal (SVG).

    python docs/pictures/draw.py            plays the demo and writes both beside this file
    python docs/pictures/draw.py --check    says whether they were drawn from the inputs as they are now

Each picture's name holds a hash of what it was drawn from, so that a picture which is out of date is seen without
playing anything.
"""

# ruff: noqa: INP001 - a script, not a package
from __future__ import annotations

import argparse
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
TREE = HERE.parent.parent
SCENARIO = "tests/scenarios/rollover/bgp-and-ldp.yaml"
KEYROLL = (sys.executable, "-c", "from keyroll.cli.main import main; main()")
DEMO = ("run", SCENARIO, "--variant", "both", "--seed", "2030")
REPORT_INPUTS = (SCENARIO, *(f"harness/keyroll/report/{name}.py" for name in ("chart", "page", "timeline")))
REPORT_TEMPLATES = "harness/keyroll/report/templates"
DEMO_INPUTS = (SCENARIO, "harness/keyroll/cli/printer.py", "harness/keyroll/cli/run.py")
COLUMNS = 118
"""Wide enough for most lines of the demo: longer ones are cut, as a terminal's window would cut them."""
LAST_SECONDS = 6.0
"""How long the last line stays before the recording begins again."""
HASH_DIGITS = 10
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PICTURE_WIDTH, PICTURE_HEIGHT = 1280, 900
"""Pixels."""


def main() -> int:
    """Draw, or check; 1 when a picture is out of date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="draw nothing")
    if parser.parse_args().check:
        missing = [path.name for path in names() if not path.is_file()]
        if missing:
            sys.stderr.write(f"docs/pictures: {', '.join(missing)} not there: the inputs have changed, `make docs`\n")
        return int(bool(missing))
    report, demo = names()
    with tempfile.TemporaryDirectory() as folder:
        lines = list(played(Path(folder) / "run"))
        write_recording(demo, lines)
        photograph(Path(folder) / "run" / "report.html", report)
    for old in [*HERE.glob("report-*.png"), *HERE.glob("demo-*.svg")]:
        if old not in (report, demo):
            old.unlink()
    readme = TREE / "README.md"
    text = readme.read_text(encoding="utf-8")
    for picture in (report, demo):
        stem, suffix = picture.name.split("-")[0], picture.suffix
        text = re.sub(rf"docs/pictures/{stem}-[0-9a-f]+\{suffix}", f"docs/pictures/{picture.name}", text)
    readme.write_text(text, encoding="utf-8")
    return 0


def names() -> tuple[Path, Path]:
    """Return where the pictures of today's inputs lie: the report's, and the demo's."""
    templates = sorted(path for path in (TREE / REPORT_TEMPLATES).iterdir() if path.is_file())
    report = [*(TREE / name for name in REPORT_INPUTS), *templates]
    demo = [TREE / name for name in DEMO_INPUTS]
    return HERE / f"report-{hash_of(report)}.png", HERE / f"demo-{hash_of(demo)}.svg"


def hash_of(files: Sequence[Path]) -> str:
    """Return a short hash of the files' contents."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:HASH_DIGITS]


def played(folder: Path) -> Iterator[tuple[float, str]]:
    """Play the demo; yield each line with the second in which it came."""
    command = [*KEYROLL, *DEMO, "--run-dir", str(folder)]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TREE) as run:
        if run.stdout is None:
            raise RuntimeError("the run has no output")
        for line in run.stdout:
            # Where it was played is nobody's business who looks at the picture.
            yield time.monotonic() - begun, line.rstrip("\n").replace(str(folder), "runs/demo")
    if run.returncode != 0:
        raise RuntimeError(f"the demo ended with {run.returncode}")


def write_recording(path: Path, lines: Sequence[tuple[float, str]]) -> None:
    """Write an SVG in which each line of a terminal appears when it came."""
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), highlight=False, force_terminal=True)
    shown = [(0.0, "$ make demo"), *((at, line) for at, line in lines)]
    for _, line in shown:
        console.print(styled(line[:COLUMNS]), no_wrap=True, overflow="crop")
    drawn = console.export_svg(title="make demo", unique_id="demo")
    whole = shown[-1][0] + LAST_SECONDS
    rules = [
        f".demo-at-{number}{{animation:demo-in-{number} {whole:.2f}s step-end infinite}}"
        f"@keyframes demo-in-{number}{{0%{{opacity:0}}{100 * at / whole:.2f}%{{opacity:1}}}}"
        for number, (at, _) in enumerate(shown)
    ]
    # Who asked the system for less motion sees the whole at once.
    still = "@media (prefers-reduced-motion:reduce){[class*=demo-at-]{animation:none}}"
    drawn = drawn.replace("</style>", "".join(rules) + still + "</style>", 1)
    drawn = re.sub(
        r'<text class="([^"]*)"([^>]*clip-path="url\(#demo-line-(\d+)\)")',
        lambda found: f'<text class="{found[1]} demo-at-{found[3]}"{found[2]}',
        drawn,
    )
    path.write_text(drawn, encoding="utf-8")


def styled(line: str) -> Text:
    """Return a line in the colours that a terminal shows."""
    text = Text(line)
    text.highlight_regex(r"^\$ .*", "bold")
    text.highlight_regex(r" ok  ", "green")
    text.highlight_regex(r"^PASSED", "bold green")
    text.highlight_regex(r"^ +[0-9.]+s\s+(t0\+\S+)?", "dim")
    return text


def photograph(page: Path, path: Path) -> None:
    """Take a picture of a report's first screen."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - --check needs no browser

    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise RuntimeError("no Chromium: apt-get install chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as driver, driver.chromium.launch(executable_path=browser, args=flags) as window:
        view = window.new_page(viewport={"width": PICTURE_WIDTH, "height": PICTURE_HEIGHT}, color_scheme="light")
        view.goto(page.as_uri())
        view.screenshot(path=path)


if __name__ == "__main__":
    sys.exit(main())
