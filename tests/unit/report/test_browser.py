"""The page in a real browser: it opens offline, prints nothing, works with the keyboard, and marks link to evidence."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from tests.unit.report.conftest import Folder
from tests.unit.report.test_night import run
from tests.unit.report.test_prediction import predicted

from keyroll.report.night import night_page, read_night
from keyroll.report.page import run_page, sheet_page
from keyroll.report.plan import plan_sheet
from keyroll.report.prediction import prediction_sheet
from keyroll.report.run import load_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")]

_KEY = {"key": 1, "start-time": "2030-04-01T00:00:00+00:00", "send-id": 3, "recv-id": 4, "algorithm": "aes-128-cmac-96"}
_CHANGE = {
    "folder": "2030-03-25",
    "earliest": "2030-01-02T00:00:00+00:00",
    "planned": "2030-03-25T00:00:00+00:00",
    "latest": "2030-03-31T00:00:00+00:00",
    "looks": ["the sessions are up"],
    "routers": [{"name": "R1", "chain": "KC", "delete": [0], "add": [_KEY]}],
}
PLAN = {
    "format": 1,
    "made-at": "2030-01-01T00:00:00+00:00",
    "until": "2030-12-31T00:00:00+00:00",
    "routers": [{"name": "R1", "chain": "KC", "keys": [{**_KEY, "key": 0, "start-time": "2029-01-01T00:00:00+00:00"}]}],
    "changes": [_CHANGE],
    "findings": [{"severity": "unknown", "text": "the secret of key 0 is not known"}],
}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Imported here: every worker of pytest collects this module, but only one runs it.
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install playwright"
    )
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def red_page(folder: Folder, tmp_path: Path) -> Path:
    folder.usual()
    folder.check(2.5, "bgp@1", "R2", passed=True)
    folder.check(4.6, "no-flap", "R1", passed=False, observed="bgp: Idle 9 s after the sessions were up")
    folder.outputs([folder.answer(4, "R1", "show bgp summary", "10.0.12.2 65002 Idle")])
    path = tmp_path / "report.html"
    path.write_text(run_page(load_run(folder.write("failed"))), encoding="utf-8")
    return path


def page_of(kind: str, place: Path) -> Path:
    """Write the page of a prediction, a plan or a night, with a finding on it, and return its path."""
    if kind == "check":
        text = sheet_page(prediction_sheet(predicted("00:45:00")))
    elif kind == "plan":
        text = sheet_page(plan_sheet(PLAN))
    else:
        run(place / "runs", "a", "failed")
        run(place / "runs", "b", "passed")
        night = read_night(place / "runs")
        text = night_page(night, {}, night)
    path = place / f"{kind}.html"
    path.write_text(text, encoding="utf-8")
    return path


def said_of(page: Page) -> list[str]:
    """Return what an open page wrote to the console, and its requests besides the page itself."""
    said: list[str] = page.said  # type: ignore[attr-defined]
    return said


@pytest.fixture
def opened(browser: Browser, red_page: Path) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the page and records its console output and its requests."""
    contexts = []

    def open_page(**how: Any) -> Page:
        context = browser.new_context(offline=True, **how)
        contexts.append(context)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url != red_page.as_uri() else None)
        page.goto(red_page.as_uri())
        page.said = said  # type: ignore[attr-defined] # read by `said_of`
        return page

    yield open_page
    for context in contexts:
        context.close()


# One run of axe-core takes two seconds of processor time: `make test` only checks a narrow page.
Look = tuple[int, Literal["light", "dark"]]
"""A width in pixels and a colour scheme."""
NARROW: Look = (360, "light")
WIDE: Look = (1280, "dark")
ALL_LOOKS: list[Look] = [NARROW, WIDE, (360, "dark"), (1280, "light")]


@pytest.mark.parametrize("looks", [[NARROW], pytest.param(ALL_LOOKS, marks=pytest.mark.slow)])
def test_the_page_opens_without_console_output_and_axe_finds_nothing_serious(
    opened: Callable[..., Page], looks: list[Look]
) -> None:
    page = opened(bypass_csp=True)
    assert_accessible(page, looks)
    assert said_of(page) == []


def assert_accessible(page: Page, looks: list[Look]) -> None:
    """Assert that axe-core finds nothing serious, and that the page itself never scrolls sideways, in each look."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    # One page for all looks: a new context and page cost more than the checks.
    for width, scheme in looks:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        serious = [item["id"] for item in found if item["impact"] in ("serious", "critical")]
        assert serious == [], f"{width} pixels, {scheme}"
        fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert fits, f"{width} pixels, {scheme}"


@pytest.mark.parametrize(
    ("kind", "looks"),
    [pytest.param(kind, ALL_LOOKS, marks=pytest.mark.slow) for kind in ("check", "plan", "night")],
)
def test_pages_of_other_kinds_open_without_console_output_and_fit_the_width(
    browser: Browser, tmp_path: Path, kind: str, looks: list[Look]
) -> None:
    context = browser.new_context(offline=True, bypass_csp=True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(page_of(kind, tmp_path).as_uri())
    assert_accessible(page, looks)
    assert said == []
    context.close()


def test_on_a_wide_page_marks_lead_to_evidence_and_zoom_and_filters_work(opened: Callable[..., Page]) -> None:
    page = opened(viewport={"width": 1280, "height": 800})
    assert not page.get_by_text("10.0.12.2 65002 Idle").is_visible()
    page.locator('svg a[href="#check-2"]').click()
    page.get_by_text("10.0.12.2 65002 Idle").wait_for(state="visible")
    before = page.locator(".rows").evaluate("element => element.clientWidth")
    page.get_by_role("button", name="Zoom in").click()
    assert page.locator(".rows").evaluate("element => element.clientWidth") == pytest.approx(2 * before, abs=4)
    page.get_by_role("checkbox", name="sessions").uncheck()
    assert not page.locator('.row[data-kind="sessions"]').first.is_visible()
    assert said_of(page) == []


@pytest.mark.slow
def test_a_red_mark_can_be_focused_and_followed_with_the_keyboard(opened: Callable[..., Page]) -> None:
    page = opened(viewport={"width": 1280, "height": 800})
    page.locator('svg a[href="#check-2"]').focus()
    page.keyboard.press("Enter")
    page.get_by_text("10.0.12.2 65002 Idle").wait_for(state="visible")


@pytest.mark.slow
def test_without_scripts_the_page_shows_the_timeline_and_no_buttons(opened: Callable[..., Page]) -> None:
    page = opened(viewport={"width": 1280, "height": 800}, java_script_enabled=False)
    assert not page.get_by_text("Zoom in").is_visible()
    assert page.locator(".row").first.is_visible()
    assert page.locator("svg rect").count() > 0


def test_on_a_narrow_page_the_red_mark_is_in_sight_and_on_paper_no_label_is_cut(opened: Callable[..., Page]) -> None:
    page = opened(viewport={"width": 360, "height": 800})
    box = page.locator(".chart").bounding_box()
    mark = page.locator('svg a[href="#check-2"] circle').bounding_box()
    assert box is not None
    assert mark is not None
    assert box["x"] <= mark["x"]
    assert mark["x"] + mark["width"] <= box["x"] + box["width"]
    page.emulate_media(media="print")
    assert page.locator("text.narrow:visible").count() == 0
    assert page.get_by_text("10.0.12.2 65002 Idle").is_visible(), "evidence is printed"


@pytest.mark.slow
def test_a_narrow_night_page_shows_one_card_for_each_scenario(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(offline=True, viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(page_of("night", tmp_path).as_uri())
    matrix = page.get_by_role("region", name="Scenarios by lab")
    assert matrix.evaluate("box => box.scrollWidth <= box.clientWidth"), "nothing to scroll for"
    context.close()


@pytest.mark.slow
def test_an_ordinary_rollover_prints_on_at_most_two_pages(opened: Callable[..., Page]) -> None:
    page = opened()
    data = page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", data)) <= 2
