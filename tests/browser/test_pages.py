"""Pages in a headless Chromium: nothing loaded or complained of, no overflow, keyboard, accessibility, contrast."""

import json
from pathlib import Path

import pytest
from browser.driver import show, start
from errors.runner import dotnn
from support import SPECS

WIDTHS, SCHEMES = (400, 1400), ("light", "dark")
PAGES = ("report.html", "bad.html", "xor.html", "adder.html", "curves.svg", "network.svg")

CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
WIDER = """
const scrolls = e => { for (let a = e; a; a = a.parentElement)
  if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(a).overflowX)) return true; return false };
return [...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e)).map(e => e.outerHTML.slice(0, 120))
"""
SCROLLING = """
return [...document.querySelectorAll('body *')].filter(e => e.scrollWidth > e.clientWidth + 1
  && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).map(e => e.outerHTML.slice(0, 120))
"""
OPENED = "document.querySelectorAll('details').forEach(each => each.open = true)"


@pytest.fixture(scope="module")
def browser():
    driver = start()
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of iris and one that learns nothing, as reports, pictures and equations."""
    made = tmp_path_factory.mktemp("pages")
    for arguments in (
        ("train", str(SPECS / "iris.nn"), "--run", "run", "--snapshots", "5"),
        ("report", "run", "-o", "report.html"),
        ("train", str(SPECS / "vanishing.nn"), "--run", "bad", "--epochs", "2"),
        ("report", "bad", "-o", "bad.html"),
        ("explain", str(SPECS / "xor.nn"), "--example", "1", "-o", "xor.html"),
        ("explain", str(SPECS / "adder.nn"), "-o", "adder.html"),
        ("graph", "--run", "run", "--show", "curves", "-o", "curves.svg"),
        ("graph", str(SPECS / "graph.nn"), "-o", "network.svg"),
    ):
        done = dotnn(*arguments, folder=made)
        assert done.exit_code == 0, done.stderr
    return made


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_and_complains_of_nothing(browser, folder, name):
    """No message in the console, and no request but that for the file itself."""
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    show(browser, folder / name)
    assert browser.get_log("browser") == []
    asked = [
        event["params"]["request"]["url"]
        for line in browser.get_log("performance")
        if (event := json.loads(line["message"])["message"])["method"] == "Network.requestWillBeSent"
    ]
    assert asked == [(folder / name).resolve().as_uri()]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [name for name in PAGES if name.endswith("html")])
def test_a_page_is_as_wide_as_its_window(browser, folder, name, width):
    """At 400 and 1400 pixels; what is wider lies in a part that scrolls, and that a keyboard reaches."""
    show(browser, folder / name, width)
    browser.execute_script(OPENED)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script(WIDER) == []
    scrolling = browser.execute_script(SCROLLING)
    assert scrolling if width == 400 else True
    assert all("tabindex" in element.partition(">")[0] for element in scrolling)


SMALLEST = """
return Math.min(...[...document.querySelectorAll('figure svg text')].map(e => {
  const m = e.getScreenCTM(); return parseFloat(getComputedStyle(e).fontSize) * Math.hypot(m.a, m.b) }))
"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["report.html", "bad.html"])
def test_words_in_pictures_stay_large_enough_to_be_read(browser, folder, name, width):
    """In pixels, on a narrow screen too, where a picture scrolls rather than shrinks any more."""
    show(browser, folder / name, width)
    assert browser.execute_script(SMALLEST) >= 7


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", [name for name in PAGES if name.endswith("html")])
def test_every_text_has_the_contrast_of_aa(browser, folder, name, scheme):
    show(browser, folder / name, scheme=scheme)
    browser.execute_script(OPENED)
    assert browser.execute_script(CONTRAST) == []


@pytest.mark.parametrize("name", ["report.html", "xor.html"])
def test_axe_finds_no_fault(browser, folder, name):
    """Of the rules of axe-core, those of WCAG and of good practice."""
    import axe_core_python

    show(browser, folder / name)
    browser.execute_script((Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    browser.execute_script(OPENED)
    found = browser.execute_async_script("axe.run(document, {}).then(arguments[0])")
    assert len(found["passes"]) > 15
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found["violations"]] == []


def test_a_keyboard_reaches_all_of_a_report(browser, folder):
    """Links, folded parts and what scrolls, in the order of the page; a folded part opens with the key Enter."""
    from selenium.webdriver import ActionChains, Keys

    show(browser, folder / "report.html", 400)
    expected = browser.execute_script(
        "return [...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility({contentVisibilityAuto: true})).map(e => e.outerHTML.slice(0, 120))"
    )
    assert len(expected) > 20
    reached = []
    for _ in expected:
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached.append(browser.execute_script("return document.activeElement.outerHTML.slice(0, 120)"))
    assert reached == expected
    summary = browser.find_element("css selector", "summary")
    before = browser.execute_script("return arguments[0].parentElement.open", summary)
    browser.execute_script("arguments[0].focus()", summary)
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert browser.execute_script("return arguments[0].parentElement.open", summary) is not before


def test_a_report_prints_whole(browser, folder):
    """On paper nothing is cut off: no part scrolls there."""
    show(browser, folder / "report.html", 720, media="print")
    assert browser.execute_script("return [...document.querySelectorAll('.scroll')].length") > 8
    assert browser.execute_script(SCROLLING) == []
