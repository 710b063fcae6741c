"""The texts of a picture: which can be seen, and which cannot be read."""

from itertools import combinations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def figure_of(drawn):
    return drawn if isinstance(drawn, Figure) else drawn.figure


def texts_of(drawn):
    """Every text that can be seen."""
    return [text.get_text() for text in visible_texts(figure_of(drawn))]


def visible_texts(figure):
    """The texts that are drawn: of ticks only those inside the limits."""
    FigureCanvasAgg(figure).draw()
    axes = [ax for ax in figure.axes if ax.get_visible()]
    unseen = {id(text) for ax in set(figure.axes) - set(axes) for text in ax.findobj(Text)}
    for axis in (axis for ax in axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = np.sort(axis.get_view_interval()) + np.array([-1e-9, 1e-9])
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low <= tick.get_loc() <= high:
                unseen |= {id(tick.label1), id(tick.label2)}
    texts = {id(text): text for text in figure.findobj(Text) if text.get_visible()}
    return [text for key, text in texts.items() if key not in unseen and text.get_text().strip()]


def box(text):
    """The four corners of a text in pixels, turned as it is."""
    around, angle = text.get_window_extent(), text.get_rotation()
    text.set_rotation(0)
    flat = text.get_window_extent()
    text.set_rotation(angle)
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [flat.width / 2, flat.height / 2]
    return half @ [[cosine, sine], [-sine, cosine]] + np.mean(around.get_points(), axis=0)


def overlap(first, second):
    """Whether two turned boxes share more than a pixel: no edge of either separates them."""
    for corners in (first, second):
        for edge in (corners[1] - corners[0], corners[3] - corners[0]):
            ours, theirs = first @ edge / np.hypot(*edge), second @ edge / np.hypot(*edge)
            if min(ours.max(), theirs.max()) - max(ours.min(), theirs.min()) < 1:
                return False
    return True


def clipped(texts):
    """The texts that leave the figure by more than half a pixel."""
    width, height = texts[0].figure.canvas.get_width_height()
    ends = np.array([text.get_window_extent().extents for text in texts])
    inside = (ends[:, :2] > -0.5).all(axis=1) & (ends[:, 2:] < [width + 0.5, height + 0.5]).all(1)
    return [text.get_text() for text, is_inside in zip(texts, inside, strict=True) if not is_inside]


def overlapping(texts):
    """The pairs of texts that lie on each other."""
    boxes = [(text.get_text(), box(text)) for text in texts]
    return [(a, b) for (a, first), (b, second) in combinations(boxes, 2) if overlap(first, second)]
