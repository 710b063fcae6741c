"""Pages in a real browser: nothing overflows, nothing is loaded, everything can be read."""

import base64
import re
from itertools import pairwise

import pytest

WIDTHS, SCHEMES = (380, 1280), ("light", "dark")

# The elements that stick out of the window, but for what scrolls in a box of its own.
STICKING_OUT = """
const boxes = '.picture, .wide, pre', found = [];
for (const element of document.querySelectorAll('body *')) {
  if (element.parentElement.closest(boxes) || element.closest('.hidden, .skip')) continue;
  const place = element.getBoundingClientRect();
  if (place.width && (place.right > window.innerWidth + 0.5 || place.left < -0.5))
    found.push(element.tagName + ' ' + element.className + ' ' + place.left + ' to ' + place.right);
}
return [document.documentElement.scrollWidth, found];
"""
OPEN_ALL = "document.querySelectorAll('details').forEach(element => element.open = true);"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_fits_and_asks_for_nothing(browser, page, width, scheme):
    requests, messages = browser.show(page, width=width, scheme=scheme)
    assert messages == []
    assert [url for url in requests if not url.startswith("data:")] == [page.as_uri()]
    for opened in ("", OPEN_ALL):
        browser.ask(opened)
        scroll_width, sticking_out = browser.ask(STICKING_OUT)
        assert sticking_out == []
        assert scroll_width <= width


# Text of pictures is drawn in groups of glyphs: their colors, where they do not have a cell's own.
INKS = """
const style = element => getComputedStyle(element), inks = new Set();
for (const glyph of document.querySelectorAll('.picture svg [id*="text_"] use'))
  inks.add(style(glyph).fill);
return {
  page: style(document.body).backgroundColor, ink: style(document.body).color,
  figures: [...document.querySelectorAll('figure')].map(element => style(element).backgroundColor),
  grounds: [...document.querySelectorAll('.picture svg')].map(
    element => style(element.querySelector('[id*="patch_1"] path')).fill),
  inks: [...inks],
};
"""


def brightness(color):
    return sum(map(int, re.findall(r"\d+", color)[:3])) / 3


@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_page_and_pictures_have_the_colors_of_the_scheme(browser, page, scheme, media):
    """On paper they are light whatever the screen is."""
    browser.show(page, scheme=scheme, media=media)
    found = browser.ask(INKS)
    dark = scheme == "dark" and media == "screen"
    for ground in [found["page"], *found["figures"], *found["grounds"]]:
        assert (brightness(ground) < 60) if dark else (brightness(ground) > 235), ground
    assert found["ink"] in found["inks"]
    assert (brightness(found["ink"]) > 200) if dark else (brightness(found["ink"]) < 60)


SCALES = """
return [...document.querySelectorAll('.picture svg')].map(element =>
  element.getBoundingClientRect().width / element.viewBox.baseVal.width);
"""


@pytest.mark.parametrize("width", WIDTHS)
def test_pictures_are_not_shrunk(browser, page, width):
    """Their smallest text, of eight points, stays of eight points."""
    browser.show(page, width=width)
    browser.ask(OPEN_ALL)
    scales = browser.ask(SCALES)
    assert scales
    assert min(scales) > 0.99 * 96 / 72


def test_no_picture_scrolls_on_a_desktop(browser, page):
    browser.show(page, width=1280)
    browser.ask(OPEN_ALL)
    assert (
        browser.ask(
            "return [...document.querySelectorAll('.picture')]"
            ".filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.ariaLabel);"
        )
        == []
    )


# The boxes whose note does not match whether they are cut.
WRONG_NOTES = """
const isWrong = box => {
  const place = box.matches('.picture') ? box.parentElement.querySelector('figcaption') : box;
  const isShown = place.querySelector('.sideways').getClientRects().length > 0;
  return isShown !== box.scrollWidth > box.clientWidth + 1;
};
const find = () => [...document.querySelectorAll('.picture, .wide')].filter(isWrong);
// The page answers the opening of an element in a later task.
return new Promise(done => setTimeout(() => done(find().map(box => box.ariaLabel)), 100));
"""


@pytest.mark.parametrize("width", WIDTHS)
def test_a_note_marks_what_is_cut(browser, page, width):
    browser.show(page, width=width)
    assert browser.ask(WRONG_NOTES) == []
    browser.ask(OPEN_ALL)
    assert browser.ask(WRONG_NOTES) == []


STRUCTURE = """
const all = what => [...document.querySelectorAll(what)];
const text = element => element.textContent.trim();
return {
  headings: all('h1, h2, h3, h4').map(element => +element.tagName[1]),
  landmarks: ['header', 'nav', 'main', 'footer'].map(name => all(name).length),
  named: all('nav, section, [role]').filter(
    element => !element.ariaLabel
      && !text(document.getElementById(element.getAttribute("aria-labelledby"))))
    .map(element => element.outerHTML.slice(0, 80)),
  ids: all('[id]').map(element => element.id),
  links: all('a').map(element => element.getAttribute('href')),
  pictures: all('.picture svg').length,
  figures: all('figure').map(element => [
    element.querySelectorAll('[role=img][aria-label] > svg').length,
    text(element.querySelector('figcaption')).length,
    element.querySelectorAll('details tbody tr').length]),
  tables: all('table').map(element => [
    text(element.caption).length, element.querySelectorAll('th:not([scope])').length,
    element.querySelectorAll('thead th').length,
    element.tBodies[0].rows.length - element.querySelectorAll('tbody tr > th:first-child').length,
    new Set([...element.rows].map(row => row.cells.length)).size]),
  language: document.documentElement.lang, title: document.title,
};
"""


def test_a_page_is_built_for_every_reader(browser, page):
    browser.show(page)
    found = browser.ask(STRUCTURE)
    levels = found["headings"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert found["landmarks"] == [1, 1, 1, 1]
    assert found["named"] == []
    assert len(found["ids"]) == len(set(found["ids"]))
    assert {link[1:] for link in found["links"]} <= set(found["ids"])
    assert all(link.startswith("#") for link in found["links"])
    assert len(found["figures"]) == found["pictures"] > 0
    for pictures, caption, rows in found["figures"]:
        assert pictures == 1
        assert caption > 40
        assert rows > 0
    for caption, unscoped, columns, unnamed_rows, widths in found["tables"]:
        assert caption > 0
        assert (unscoped, unnamed_rows, widths) == (0, 0, 1)
        assert columns > 1
    assert found["language"] == "en"
    assert found["title"]


def test_the_focus_can_be_seen_and_scrolls(browser, page):
    from selenium.webdriver import ActionChains, Keys

    browser.show(page, width=380)
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    skip = browser.ask(
        "const element = document.activeElement, place = element.getBoundingClientRect();"
        "return [element.className, getComputedStyle(element).outlineStyle, place.left >= 0];"
    )
    assert skip == ["skip", "solid", True]
    unreachable = browser.ask(
        "return [...document.querySelectorAll('.picture, .wide, pre')]"
        ".filter(box => box.scrollWidth > box.clientWidth && box.tabIndex < 0).length;"
    )
    assert unreachable == 0


def test_a_page_prints(browser, page):
    browser.show(page, scheme="dark")
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {})
    data = base64.b64decode(printed["data"])
    assert data.startswith(b"%PDF")
    assert data.rstrip().endswith(b"%%EOF")
    browser.show(page, width=700, media="print")
    hidden = browser.ask(
        "return ['nav', 'details', '.skip'].map(name => [...document.querySelectorAll(name)]"
        ".every(found => getComputedStyle(found).display == 'none'));"
    )
    assert hidden == [True, True, True]
    cut = browser.ask(
        "return [...document.querySelectorAll('.picture svg')]"
        ".filter(element => element.getBoundingClientRect().right > innerWidth).length;"
    )
    assert cut == 0


SORT = """
const table = [...document.querySelectorAll('table')].find(table => table.tBodies[0].rows.length > 2
  && table.tHead.querySelector('th.number'));
const header = table.tHead.querySelector('th.number'), seen = [];
for (let click = 0; click < 2; click++) {
  header.click();
  seen.push([header.ariaSort, [...table.tBodies[0].rows].map(
    row => row.cells[header.cellIndex].textContent.trim())]);
}
return seen;
"""


def test_a_click_on_a_column_sorts_its_table(browser, page):
    browser.show(page)
    (first, descending), (second, ascending) = browser.ask(SORT)
    assert (first, second) == ("descending", "ascending")
    numbers = [float(re.sub("[,%]", "", text).replace("\u2212", "-")) for text in descending]
    assert numbers == sorted(numbers, reverse=True)
    assert sorted(descending) == sorted(ascending)
    assert ascending[0] == descending[-1]


SAVED = """
const saved = [];
URL.createObjectURL = blob => { saved.push([blob.type, blob.size]); return '#'; };
for (const button of document.querySelectorAll('figure .save button')) button.click();
return [document.querySelectorAll('figure').length, saved];
"""


def test_figures_and_their_tables_can_be_saved(browser, page):
    browser.show(page)
    figures, saved = browser.ask(SAVED)
    assert [kind for kind, _ in saved] == ["image/svg+xml", "text/csv"] * figures
    assert all(size > 20 for _, size in saved)
