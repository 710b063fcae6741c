"""What all pages share: the frame, tables, figures, colors."""

import math
import re
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Drawing

from moodcore import plots, report
from moodcore.plots import style
from moodcore.report import Figure, Folded, Headline, Page, Section, Table, Text, render
from moodcore.report.blocks import slugs
from moodcore.report.text import table_view

CSS = files("moodcore.report").joinpath("style.css").read_text(encoding="utf-8")
DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
TIMING = {
    "command": "moodcore x --out '<i>'",
    "finished": "2026-01-02T03:04:05+00:00",
    "seconds": {"search": 1.25},
    "versions": {"moodcore": "0.1.0"},
}
HEADLINE = Headline("A & B", ["First.", "Second."])
PLAIN = Page("x", HEADLINE, [], TIMING, facts={"Seed": 3})


def page_of(*blocks, **changes):
    return replace(PLAIN, sections=[Section("part", "Part", blocks)], **changes)


def counts(name="counts", caption="Sad songs were <more>."):
    frame = pd.DataFrame({"class": ["sad", "calm"], "before": [1200, 2]})
    ax = plots.class_counts({"sad": 1200, "calm": 2}, {"sad": 2, "calm": 2})
    return Figure(name, "Songs per class", caption, ax, frame)


# The frame.


def test_sections_make_the_contents_in_their_order():
    sections = [Section("b", "Second", ["x"]), Section("a", "A<", ["y"]), Section("c", "C", [None])]
    checks = [{"name": "One", "ok": False, "text": "Hm."}]
    text = render(replace(PLAIN, sections=sections, headline=replace(HEADLINE, checks=checks)))
    assert re.findall(r'<li><a href="#(\w+)">([^<]*)</a>', text) == [
        ("b", "Second"),
        ("a", "A&lt;"),
        ("checks", "Checks"),
        ("provenance", "Provenance"),
    ]
    ids = re.findall(r'<section id="(\w+)"', text)
    assert ids == ["summary", "b", "a", "checks", "provenance"]


def test_what_a_page_holds_is_written_and_escaped():
    headline = replace(HEADLINE, highlights=[("83 %", "of <songs>")])
    text = render(replace(PLAIN, headline=headline, synthetic=True))
    assert "<h1>A &amp; B</h1>" in text
    assert "<dt>of &lt;songs&gt;</dt><dd>83\xa0%</dd>" in text
    assert "moodcore x --out &#39;&lt;i&gt;&#39;" in text
    assert "<dt>Seed</dt><dd>3</dd>" in text
    assert text.index(report.SYNTHETIC) < text.index("<h1>")
    assert report.SYNTHETIC not in render(PLAIN)
    assert 'id="checks"' not in text


def test_every_kind_of_block_is_written():
    frame = pd.DataFrame({"name": ["<x>"], "value": [1]})
    folded = Folded("More", [Text("A <note>."), Table(frame, "Two."), Folded("Most", ["Deep."])])
    text = render(page_of("A <p>.", Text("H <h>", "heading"), Table(frame, "One."), None, folded))
    assert "<p>A &lt;p&gt;.</p>" in text
    assert "<h3>H &lt;h&gt;</h3>" in text
    assert '<p class="soft">A &lt;note&gt;.</p>' in text
    assert [text.count(f"<caption>{caption}") for caption in ("One.", "Two.")] == [1, 1]
    assert text.index("<summary>More") < text.index("Two.") < text.index("<summary>Most")
    assert text.count("<details") == text.count("</details>") == 2


def test_a_long_table_is_folded():
    frame = pd.DataFrame({"row": range(31)})
    assert "<summary>Rows. 31 rows</summary>" in render(page_of(Table(frame, "Rows.")))
    assert "<summary>" not in render(page_of(Table(frame[:30], "Rows.")))


def test_a_figure_is_on_the_page_with_its_numbers():
    text = render(page_of(counts(), Folded("More", [counts("other")])))
    assert text.count("<figure") == 2
    assert "<strong>Figure 1. Songs per class.</strong> Sad songs were &lt;more&gt;." in text
    assert "<strong>Figure 2. " in text
    assert '<td class="number">1,200</td>' in text
    with pytest.raises(ValueError, match="must have different names"):
        render(page_of(counts(), counts()))


def test_a_figure_without_numbers_is_refused():
    with pytest.raises(ValueError, match="figure 'x' must have numbers behind it"):
        Figure("x", "X", "X.", Drawing(), pd.DataFrame())


def test_pages_and_figures_are_written_or_nothing(tmp_path):
    report.write(page_of(counts()), tmp_path / "a.html", tmp_path / "figures")
    assert (tmp_path / "figures" / "counts.svg").read_text(encoding="utf-8").startswith("<svg")
    assert (tmp_path / "a.html").exists()
    with pytest.raises(ValueError, match="name must be a letter"):
        report.write(page_of(counts("1 a")), tmp_path / "b.html", tmp_path / "others")
    assert not (tmp_path / "b.html").exists()
    assert not (tmp_path / "others").exists()


def test_every_name_has_an_id_of_its_own():
    found = slugs("x", ["a b", "a-b", "\u60b2", "\u65e5", "x-2", "a-b-2", ""])
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", slug) for slug in found)


# Tables.


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        ([1, 20, 3000], ["1", "20", "3,000"]),
        ([0.5, 0.25, math.nan], ["0.50", "0.25", DASH]),
        ([0.123456, 1.0], ["0.1235", "1.0000"]),
        ([0.001, 10.0, 1000.0], ["0.001", "10", "1000"]),
        ([0.00001, 0.5], [f"1e{MINUS}05", "0.5"]),
        ([-1.5, math.inf], [f"{MINUS}1.5", "infinite"]),
        ([1, 2_000_000], ["1", "2,000,000"]),
        (["a", None], ["a", DASH]),
        ([True, False], ["yes", "no"]),
        ([np.float32(0.5), 2], ["0.5", "2.0"]),
    ],
)
def test_a_column_has_one_form(column, texts):
    frame = pd.DataFrame({"x": pd.Series(column, dtype=object)})
    assert [row[0] for row in table_view(frame).rows] == texts


def test_a_table_names_its_rows_and_columns():
    text = render(page_of(Table(pd.DataFrame({"model": ["<a>"], "log loss": [0.5]}), "Caption.")))
    assert '<th scope="col">model</th><th scope="col" class="number">log loss</th>' in text
    assert '<th scope="row">&lt;a&gt;</th><td class="number">0.5</td>' in text
    assert "<caption>Caption." in text


def test_long_names_are_cut_and_have_a_title():
    name, value = "a <name> " * 9, "v" * 300
    text = render(page_of(Table(pd.DataFrame({"first": [value], name: ["x"]}), "Caption.")))
    assert f'title="{"a &lt;name&gt; " * 9}">' in text
    assert f'title="{value}">' in text
    assert f">{value}<" not in text


# Colors.


def colors(scheme):
    """The variables of a scheme; dark ones go over light ones."""
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return found | (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark)) if scheme == "dark" else {}
    )


def luminance(color):
    """Relative luminance, W3C's definition."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first, second):
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_published():
    """Figures of W3C's and WebAIM's examples."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


TEXT = [("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("link", "paper")]
TEXT += [("link", "fig-ground"), ("soft", "fig-ground"), ("ink", "fig-ground")]
TEXT += [("warn", "warn-ground"), ("good", "good-ground")]
TEXT += [("fig-ink", "fig-ground"), ("fig-soft", "fig-ground"), ("fig-cell", "fig-ground")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_can_be_read(scheme, ink, ground):
    found = colors(scheme)
    assert contrast(found[ink], found[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_can_be_seen(scheme):
    """Three to one, W3C's figure for graphics; Okabe and Ito's paler two are for areas on white."""
    found = colors(scheme)
    pale = {"orange", "sky", "purple"} if scheme == "light" else set()
    for name in {"axis", "blue", "vermilion", "green", "purple", "orange", "sky"} - pale:
        assert contrast(found[f"fig-{name}"], found["fig-ground"]) >= 3, name


def test_both_schemes_have_every_color():
    light, dark = (
        re.findall(r"--([\w-]+):", block) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)
    )
    assert light == dark
    assert {f"fig-{role}" for role in style.ROLES.values()} <= set(light)


def test_colors_are_set_in_one_place():
    rules = CSS.rpartition("--fig-sky")[2].partition("}")[2]
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl", rules)
    assert set(re.findall(r"var\(--([\w-]+)\)", rules)) <= set(colors("light"))


@pytest.mark.parametrize("value", np.linspace(-1, 1, 41))
def test_numbers_in_cells_can_be_read_in_both_schemes(value):
    ax = plots.correlation_heatmap(pd.DataFrame([[value]], ["a"], ["a"]))
    *rgb, alpha = ax.images[0].to_rgba(np.array([[value]]))[0, 0]
    (text,) = ax.texts
    for scheme in ("light", "dark"):
        found = colors(scheme)
        ground = np.array([int(found["fig-ground"][at : at + 2], 16) for at in (1, 3, 5)])
        cell = "#" + "".join(
            f"{round(c):02x}" for c in alpha * 255 * np.array(rgb) + (1 - alpha) * ground
        )
        role = style.ROLES.get(text.get_color().lower())
        ink = found[f"fig-{role}"] if role else text.get_color().lower()
        assert contrast(ink, cell) >= 4.5


def test_pictures_follow_the_page_and_files_do_not():
    figure = plots.class_counts({"sad": 3}, {"sad": 1}).figure
    paper, shown = (plots.figure_svg(figure, colors=colors) for colors in ("paper", "page"))
    assert "var(" not in paper
    assert "fill: #ffffff" in paper
    assert (
        set(
            re.findall(r"#[0-9a-f]{6}\b(?!\))", re.sub(r"url\(#[^)]*\)|\w+=\"#[^\"]*\"", "", shown))
        )
        == set()
    )
    assert {"fig-ground", "fig-blue", "fig-orange", "fig-axis"} <= set(
        re.findall(r"var\(--([\w-]+),", shown)
    )
    assert "<style" not in shown
    with pytest.raises(ValueError, match="colors must be 'paper' or 'page', got 'dark'"):
        plots.figure_svg(figure, colors="dark")
