"""What all pages share: the frame, tables, pictures, colours."""

import math
import re
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from jinja2 import ChoiceLoader, DictLoader, UndefinedError

from moodcore import plots
from moodcore.plots import style
from moodcore.report import Highlight, Page, Provenance, page, picture
from moodcore.report.cells import table_view

CSS = files("moodcore.report").joinpath("style.css").read_text(encoding="utf-8")
DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
HOW = Provenance(
    command="moodcore x --out '<i>'",
    finished="2026-01-02T03:04:05+00:00",
    seed=3,
    jobs=2,
    seconds={"search": 1.25},
    versions={"moodcore": "0.1.0"},
    data={"Songs": "a file"},
)
PLAIN = Page(
    title="A & B", kind="x", summary=["First.", "Second."], provenance=HOW, synthetic=False
)


@pytest.fixture
def written(monkeypatch):
    """Renders a template given as text."""

    def render(body, shown=PLAIN, **more):
        head = "{% extends 'base.html.j2' %}\n"
        head += "{% from 'parts.html.j2' import section, figure, table with context %}\n"
        environment = page._environment()
        own = DictLoader({"own": head + "{% block content %}" + body + "{% endblock %}"})
        environment.loader = ChoiceLoader([own, environment.loader])
        monkeypatch.setattr(page, "_environment", lambda: environment)
        return page.render("own", shown, **more)

    return render


def counts(name="counts"):
    table = pd.DataFrame({"class": ["sad", "calm"], "before": [1200, 2]})
    ax = plots.class_counts({"sad": 1200, "calm": 2}, {"sad": 2, "calm": 2})
    return picture(name, "Songs of each class", "Sad songs were <more>.", ax, table)


# The frame.


def test_sections_make_the_contents_in_their_order(written):
    body = (
        "{% call section('b', 'Second') %}x{% endcall %}{% call section('a', 'A<') %}{% endcall %}"
    )
    text = written(body, replace(PLAIN, checks=[{"name": "One", "ok": False, "text": "Hm."}]))
    assert re.findall(r'<li><a href="#(\w+)">([^<]*)</a>', text) == [
        ("b", "Second"),
        ("a", "A&lt;"),
        ("checks", "Checks"),
        ("made", "How it was made"),
    ]
    assert re.findall(r'<section id="(\w+)"', text) == ["summary", "b", "a", "checks", "made"]


def test_what_a_page_holds_is_written_and_escaped(written):
    shown = replace(PLAIN, synthetic=True, highlights=[Highlight("83 %", "of <songs>")])
    text = written("", shown)
    assert "<h1>A &amp; B</h1>" in text
    assert "<dt>of &lt;songs&gt;</dt><dd>83\xa0%</dd>" in text
    assert "moodcore x --out &#39;&lt;i&gt;&#39;" in text
    assert page.SYNTHETIC in text
    assert text.index(page.SYNTHETIC) < text.index("<h1>")
    assert page.SYNTHETIC not in written("")
    assert 'id="checks"' not in text


def test_a_picture_stands_in_the_page_with_its_numbers(written):
    shown = replace(PLAIN, pictures={"counts": counts()})
    text = written("{{ figure('counts') }}{{ figure('absent') }}", shown)
    assert text.count("<figure") == 1
    assert "<strong>Figure 1. Songs of each class.</strong> Sad songs were &lt;more&gt;." in text
    assert '<td class="number">1,200</td>' in text
    with pytest.raises(ValueError, match=r"missing: \['counts'\], twice: \[\]"):
        written("", shown)
    with pytest.raises(ValueError, match=r"missing: \[\], twice: \['counts'\]"):
        written("{{ figure('counts') }}{{ figure('counts') }}", shown)


def test_a_template_that_asks_for_what_is_not_there_fails(written):
    with pytest.raises(UndefinedError):
        written("{{ nothing }}")


def test_a_picture_without_numbers_is_refused():
    ax = plots.class_counts({"sad": 1}, {"sad": 1})
    with pytest.raises(ValueError, match="picture 'x' must have numbers behind it"):
        picture("x", "X", "X.", ax, pd.DataFrame())


def test_a_part_of_a_figure_is_no_picture():
    from matplotlib.figure import Figure

    ax = Figure().subfigures(1, 2)[0].subplots()
    with pytest.raises(ValueError, match="picture 'x' must be a whole figure, got axes of a"):
        picture("x", "X", "X.", ax, pd.DataFrame({"x": [1]}))


def test_pages_and_pictures_are_written(tmp_path):
    # Of `tune`, whose template is there; what it asks for is missing.
    with pytest.raises(UndefinedError):
        page.write(tmp_path / "a.html", "tune/page.html.j2", PLAIN, figures=tmp_path / "figures")
    assert list(tmp_path.iterdir()) == [], "nothing is left half done"


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


def test_a_table_names_its_rows_and_columns(written):
    frame = pd.DataFrame({"model": ["<a>"], "log_loss": [0.5]})
    text = written("{{ table(frame, 'The caption.') }}", frame=frame)
    assert '<th scope="col">model</th><th scope="col" class="number">log loss</th>' in text
    assert '<th scope="row">&lt;a&gt;</th><td class="number">0.5</td>' in text
    assert "<caption>The caption.</caption>" in text


# Colours.


def colours(scheme):
    """The variables of a scheme; dark ones go over light ones."""
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return found | (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark)) if scheme == "dark" else {}
    )


def luminance(colour):
    """Relative luminance, W3C's definition."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
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
    found = colours(scheme)
    assert contrast(found[ink], found[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_can_be_seen(scheme):
    """Three to one, W3C's figure for graphics; Okabe and Ito's paler two are for areas on white."""
    found = colours(scheme)
    pale = {"orange", "sky", "purple"} if scheme == "light" else set()
    for name in {"axis", "blue", "vermilion", "green", "purple", "orange", "sky"} - pale:
        assert contrast(found[f"fig-{name}"], found["fig-ground"]) >= 3, name


def test_both_schemes_have_every_colour():
    light, dark = (
        re.findall(r"--([\w-]+):", one) for one in re.findall(r":root \{(.*?)\}", CSS, re.S)
    )
    assert light == dark
    assert {f"fig-{role}" for role in style.ROLES.values()} <= set(light)


def test_colours_are_set_in_one_place():
    rules = CSS.rpartition("--fig-sky")[2].partition("}")[2]
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl", rules)
    assert set(re.findall(r"var\(--([\w-]+)\)", rules)) <= set(colours("light"))


@pytest.mark.parametrize("value", np.linspace(-1, 1, 41))
def test_numbers_in_cells_can_be_read_in_both_schemes(value):
    ax = plots.correlation_heatmap(pd.DataFrame([[value]], ["a"], ["a"]))
    *rgb, alpha = ax.images[0].to_rgba(np.array([[value]]))[0, 0]
    (text,) = ax.texts
    for scheme in ("light", "dark"):
        found = colours(scheme)
        ground = np.array([int(found["fig-ground"][at : at + 2], 16) for at in (1, 3, 5)])
        cell = "#" + "".join(
            f"{round(c):02x}" for c in alpha * 255 * np.array(rgb) + (1 - alpha) * ground
        )
        role = style.ROLES.get(text.get_color().lower())
        ink = found[f"fig-{role}"] if role else text.get_color().lower()
        assert contrast(ink, cell) >= 4.5


def test_pictures_follow_the_page_and_files_do_not():
    figure = plots.class_counts({"sad": 3}, {"sad": 1}).figure
    paper, shown = (plots.figure_svg(figure, colours=one) for one in ("paper", "page"))
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
    with pytest.raises(ValueError, match="colours must be 'paper' or 'page', got 'dark'"):
        plots.figure_svg(figure, colours="dark")
