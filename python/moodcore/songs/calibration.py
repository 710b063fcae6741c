"""The numbers behind `moodcore.songs.synthesize`, and how they were found.

Quantiles: the five published ones of each column stand as published. Those between were fitted
by least squares, so that mean, standard deviation, skew and kurtosis of the column are the
published ones too.

Styles: their character was set by hand, after what the data set says of its classes, with two
for each class. Means and spreads were then moved by an evolution strategy (CMA-ES with a diagonal
covariance), held near the start, until a sample agreed with the published figures: correlations
with the label, of energy with loudness (+0.80) and with acousticness (-0.745), of speechiness
with spec_rate; and the published accuracies, through stand-ins that take milliseconds: the best
accuracy possible, which Gaussian mixtures have in closed form, for boosted trees and networks;
linear discriminant analysis for logistic regression; nearest neighbours on 3,000 songs. Last, the
means were shifted in proportion to the label until its correlations agreed on 150,000 songs.

Accuracy measured on 100,000 songs, a fifth held out, and as published:

====================================================  ========  =========
Classifier                                            measured  published
====================================================  ========  =========
LightGBM, duration and ten features, natural classes  0.957     0.96
random forest, the same (ten features)                0.948     0.94
decision tree, the same                               0.906     0.91
nearest neighbours, the same                          0.862     0.85
logistic regression, the same                         0.827     0.84
network 16-16, seven features, balanced classes       0.865     0.86
LightGBM, seven features, balanced classes            0.871
====================================================  ========  =========
"""

from typing import Final, NamedTuple

from moodcore.songs.schema import DURATION

# The columns that are drawn, in the order of the means below; spec_rate follows from two.
DRAWN: Final = (
    "danceability",
    "energy",
    "loudness",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
    DURATION,
)


class Style(NamedTuple):
    """One kind of songs within a class.

    Attributes
    ----------
    name : str
        What it is meant to be like.
    label : int
        Code of the class.
    share : float
        Part of the class, in [0, 1].
    means : tuple of float
        Mean latent score of each drawn column; for those in `FOLLOWS`, apart from what follows.
    """

    name: str
    label: int
    share: float
    means: tuple[float, ...]


# In the order of their class.
# fmt: off
#                            danc   ener   loud   spee   acou   inst   live   vale   temp    dur
STYLES: Final = (
    Style("ballad", 0, 0.6, (-0.40, -0.98, -0.26, -1.66,  0.74,  0.25, -0.07, -0.93, -0.09,  0.50)),
    Style("rap",    0, 0.4, ( 0.54,  0.30,  0.30,  0.58, -0.15, -0.80, -0.01,  0.15,  0.06, -0.47)),
    Style("pop",    1, 0.6, ( 0.96,  0.32,  1.00,  0.32, -0.93, -0.70, -0.27,  0.92,  0.27,  0.02)),
    Style("folk",   1, 0.4, ( 0.23,  0.29, -0.59,  0.11,  1.21, -0.88,  0.24,  0.47,  0.32,  0.62)),
    Style("techno", 2, 0.5, ( 0.13,  0.91, -0.80,  0.43, -0.64,  1.02, -0.29, -0.07,  0.65, -0.15)),
    Style("metal",  2, 0.5, (-0.97,  1.50,  0.09,  0.04, -0.70,  0.07, -0.11, -0.85,  0.09,  0.18)),
    Style("piano",  3, 0.5, (-0.88, -1.70, -0.24, -0.09,  1.21,  0.63, -0.04, -1.16, -0.56,  0.00)),
    Style("lo-fi",  3, 0.5, (-0.01, -0.82, -0.89,  0.18,  0.46,  1.09, -0.08, -0.48,  0.18, -0.46)),
)
# fmt: on

# Standard deviation of the latent scores within a style, the same for all styles.
SPREAD: Final = (0.74, 0.66, 0.22, 0.58, 0.62, 0.42, 0.94, 0.54, 0.84, 0.97)

# What follows another column, and its slope: loud recordings are energetic, acoustic ones are not,
# spoken ones are short. The first two and spec_rate, the ratio of the last, are the columns that
# the published experiment drops: what they tell beyond their partner is the style, and with it
# the label, by boundaries that are not straight.
FOLLOWS: Final = {
    "loudness": ("energy", 0.75),
    "acousticness": ("energy", -0.7),
    DURATION: ("speechiness", -0.08),
}

# Part of the songs in which no beat was found, nor anything that needs one: all zero in the table.
NO_BEAT: Final = 0.0005

# Value by cumulative probability. The values at 0 and 1 are the ends of the table; the first
# probability of instrumentalness is the part of the songs in which it is exactly 0.
# fmt: off
QUANTILES: Final[dict[str, dict[float, float]]] = {
    "danceability": {
        0: 0, 0.001: 0.05698, 0.01: 0.08892, 0.05: 0.2086, 0.1: 0.2798, 0.25: 0.431, 0.5: 0.571,
        0.75: 0.693, 0.9: 0.7863, 0.95: 0.8313, 0.99: 0.9105, 0.999: 0.9601, 1: 0.989,
    },
    "energy": {
        0: 0, 0.001: 0.001828, 0.01: 0.008208, 0.05: 0.0378, 0.1: 0.1368, 0.25: 0.342,
        0.5: 0.591, 0.75: 0.792, 0.9: 0.9171, 0.95: 0.9476, 0.99: 0.9839, 0.999: 0.998, 1: 1,
    },
    "loudness": {
        0: -60, 0.001: -40.86, 0.01: -33.21, 0.05: -24.91, 0.1: -19.67, 0.25: -12.747,
        0.5: -8.397, 0.75: -5.842, 0.9: -4.21, 0.95: -3.415, 0.99: -1.94, 0.999: 0.01989,
        1: 4.882,
    },
    "speechiness": {
        0: 0, 0.001: 0.02443, 0.01: 0.02594, 0.05: 0.02896, 0.1: 0.03097, 0.25: 0.0359,
        0.5: 0.0471, 0.75: 0.0822, 0.9: 0.2002, 0.95: 0.2431, 0.99: 0.6805, 0.999: 0.9465,
        1: 0.965,
    },
    "acousticness": {
        0: 0, 0.001: 1.023e-06, 0.01: 1.017e-05, 0.05: 0.0002608, 0.1: 0.001251, 0.25: 0.0338,
        0.5: 0.262, 0.75: 0.754, 0.9: 0.96, 0.95: 0.9838, 0.99: 0.9944, 0.999: 0.996, 1: 0.996,
    },
    "instrumentalness": {
        0.28: 0, 0.35: 2e-06, 0.4: 1.2e-05, 0.45: 9e-05, 0.5: 0.00109, 0.55: 0.0087, 0.6: 0.028,
        0.65: 0.076, 0.7: 0.353, 0.75: 0.645, 0.8: 0.805, 0.9: 0.907, 0.95: 0.927, 0.99: 0.966,
        1: 1,
    },
    "liveness": {
        0: 0, 0.001: 0.019, 0.01: 0.03813, 0.05: 0.05811, 0.1: 0.07418, 0.25: 0.0962,
        0.5: 0.121, 0.75: 0.227, 0.9: 0.3749, 0.95: 0.5486, 0.99: 0.8853, 0.999: 0.9718, 1: 1,
    },
    "valence": {
        0: 0, 0.001: 0.009154, 0.01: 0.02673, 0.05: 0.04547, 0.1: 0.09391, 0.25: 0.22,
        0.5: 0.434, 0.75: 0.665, 0.9: 0.8371, 0.95: 0.9017, 0.99: 0.9629, 0.999: 0.9792, 1: 1,
    },
    "tempo": {
        0: 0, 0.001: 52.16, 0.01: 64.6, 0.05: 73.76, 0.1: 78.51, 0.25: 95.07, 0.5: 119.94,
        0.75: 138.87, 0.9: 157, 0.95: 175.9, 0.99: 194.9, 0.999: 211.8, 1: 244.947,
    },
    DURATION: {
        0: 6706, 0.001: 22060, 0.01: 57320, 0.05: 115100, 0.1: 137700, 0.25: 172013,
        0.5: 213105, 0.75: 264866, 0.9: 346800, 0.95: 414100, 0.99: 534900, 0.999: 1561000,
        1: 3919895,
    },
}
# fmt: on
