"""The numbers behind `moodcore.songs.synthesize`, and how they were found.

Quantiles: the five published ones of each column are as published. Those between were fitted by
least squares, so that mean, standard deviation, skew and kurtosis of the column are the published
ones too.

Classes: quantiles and rank correlations within each class come from summary statistics of 72,377
real songs with audio features, another mix of songs than the published table. Their labels were
drawn from the class probabilities of a public LightGBM model, trained on that table by others. No
song is contained in this file. The correlations are those of normal scores, except that
speechiness and duration have 0.17 less in each class, because `spec_rate` is broader in the
published table than their correlations explain.

Then the quantiles of the classes were changed in two ways, in turn and until nothing moved: by one
increasing function per column, so that the scores of all songs are normal and each column has its
published distribution; and in proportion to the label, so that the correlations with the label
are the published ones on 250,000 songs.

`SHARPNESS` and `THINNING` were chosen by the published accuracies. Without the first, boosted trees
with ten features reach 0.88; without the second, they reach 0.91 with the seven of the
published experiment. `docs/explanation/synthetic-songs.md` lists the accuracies.
"""

from typing import Final

from moodcore.songs.schema import DURATION

# The columns that are drawn, in the order of the tables below; spec_rate follows from two.
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

# Share of each class among the songs that the statistics of the classes describe.
SHARES: Final = (0.294, 0.467, 0.176, 0.063)

# How sharply the choice between proposed songs separates classes, and how much it thins out songs
# whose class the selected features show; see `moodcore.songs.synthesis`.
SHARPNESS: Final = 2.0
THINNING: Final = 0.9

# Probabilities of the quantiles in `CLASS_SCORES`.
LEVELS: Final = (0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999)

# Quantiles of each class: where its songs are among all songs, as normal scores; one row for each
# drawn column.
# fmt: off
CLASS_SCORES: Final = {
    "sad": (
        (-2.62, -2.07, -1.23, -0.66, -0.25,  0.16,  0.75,  1.72,  2.21),  # danceability
        (-2.17, -1.80, -1.19, -0.79, -0.52, -0.24,  0.29,  1.03,  1.43),  # energy
        (-2.52, -1.79, -1.11, -0.70, -0.37, -0.02,  0.48,  1.35,  1.89),  # loudness
        (-3.30, -2.65, -1.72, -1.05, -0.58, -0.07,  0.76,  2.56,  3.37),  # speechiness
        (-1.96, -1.67, -0.51,  0.09,  0.45,  0.76,  1.13,  1.73,  1.94),  # acousticness
        (-3.04, -2.25, -1.15, -0.41,  0.03,  0.39,  0.79,  1.29,  1.74),  # instrumentalness
        (-2.74, -1.92, -1.03, -0.41,  0.03,  0.44,  1.22,  2.26,  2.84),  # liveness
        (-2.42, -1.93, -1.18, -0.64, -0.25,  0.18,  0.90,  1.99,  2.60),  # valence
        (-2.93, -2.22, -1.38, -0.71, -0.17,  0.46,  1.18,  2.17,  3.11),  # tempo
        (-2.88, -2.16, -1.15, -0.44,  0.15,  0.73,  1.49,  2.53,  3.26),  # duration (ms)
    ),
    "happy": (
        (-1.60, -1.13, -0.28,  0.29,  0.69,  1.08,  1.70,  2.66,  3.37),  # danceability
        (-0.98, -0.68, -0.29,  0.04,  0.32,  0.62,  1.11,  1.95,  2.37),  # energy
        (-1.50, -0.98, -0.46,  0.01,  0.37,  0.74,  1.33,  2.30,  3.01),  # loudness
        (-2.73, -2.04, -1.12, -0.34,  0.25,  0.84,  1.57,  2.37,  2.92),  # speechiness
        (-1.68, -1.51, -0.98, -0.54, -0.25,  0.05,  0.44,  0.88,  1.13),  # acousticness
        (-3.21, -2.49, -1.55, -0.92, -0.50, -0.10,  0.50,  1.49,  2.31),  # instrumentalness
        (-3.24, -2.53, -1.51, -0.69,  0.03,  0.58,  1.31,  2.21,  2.75),  # liveness
        (-1.64, -1.29, -0.49,  0.12,  0.56,  1.01,  1.65,  2.60,  3.32),  # valence
        (-2.19, -1.67, -0.96, -0.40,  0.01,  0.46,  1.25,  2.32,  3.10),  # tempo
        (-2.23, -1.80, -1.07, -0.44,  0.00,  0.43,  1.05,  1.82,  2.65),  # duration (ms)
    ),
    "energetic": (
        (-2.51, -2.17, -1.33, -0.74, -0.32,  0.06,  0.76,  2.13,  2.76),  # danceability
        (-0.45, -0.18,  0.32,  0.81,  1.14,  1.47,  2.05,  2.92,  3.55),  # energy
        (-1.32, -0.84, -0.12,  0.50,  0.91,  1.32,  1.92,  2.83,  3.55),  # loudness
        (-1.98, -1.25, -0.41,  0.19,  0.52,  0.85,  1.28,  2.17,  2.79),  # speechiness
        (-3.57, -2.89, -2.03, -1.46, -1.11, -0.82, -0.42,  0.43,  0.79),  # acousticness
        (-2.98, -2.32, -1.20, -0.36,  0.07,  0.43,  0.84,  1.69,  2.49),  # instrumentalness
        (-3.11, -2.43, -1.40, -0.29,  0.36,  0.84,  1.47,  2.87,  3.61),  # liveness
        (-2.49, -2.01, -1.12, -0.51, -0.06,  0.33,  0.89,  1.83,  2.80),  # valence
        (-2.20, -1.70, -0.77, -0.01,  0.42,  0.90,  1.58,  2.52,  3.01),  # tempo
        (-2.55, -2.04, -0.94, -0.32,  0.09,  0.55,  1.19,  2.06,  2.47),  # duration (ms)
    ),
    "calm": (
        (-3.62, -2.97, -2.01, -1.36, -0.83, -0.30,  0.54,  1.61,  2.15),  # danceability
        (-3.58, -2.99, -2.18, -1.65, -1.32, -1.00, -0.51,  0.70,  1.37),  # energy
        (-3.61, -2.95, -2.15, -1.65, -1.34, -1.06, -0.60,  0.17,  0.70),  # loudness
        (-3.23, -1.99, -0.93, -0.45, -0.15,  0.15,  0.66,  1.63,  2.46),  # speechiness
        (-1.62, -1.26,  0.15,  1.00,  1.32,  1.63,  2.16,  2.97,  3.69),  # acousticness
        ( 0.57,  0.64,  0.85,  1.15,  1.35,  1.65,  2.14,  2.94,  3.55),  # instrumentalness
        (-2.07, -1.69, -1.10, -0.62, -0.31,  0.01,  0.80,  2.08,  2.41),  # liveness
        (-3.61, -2.97, -2.12, -1.51, -1.06, -0.50,  0.54,  1.97,  2.70),  # valence
        (-3.59, -2.88, -2.01, -1.24, -0.44,  0.22,  1.06,  2.18,  3.13),  # tempo
        (-3.54, -2.86, -1.92, -1.19, -0.54,  0.26,  1.56,  2.56,  3.31),  # duration (ms)
    ),
}

# Correlations of the normal scores within each class: the part below the diagonal, row by row.
CORRELATIONS: Final = {
    "sad": (
         0.10,
         0.08,  0.70,
         0.13, -0.16, -0.28,
        -0.10, -0.60, -0.42,  0.25,
        -0.05,  0.16, -0.13,  0.02, -0.08,
        -0.09,  0.08,  0.01,  0.06,  0.03, -0.02,
         0.44,  0.25,  0.05,  0.06, -0.02, -0.03,  0.06,
         0.01,  0.12,  0.07,  0.07, -0.08,  0.02, -0.02,  0.10,
        -0.15,  0.24,  0.12, -0.25, -0.28,  0.22, -0.05, -0.22,  0.05,
    ),
    "happy": (
        -0.12,
         0.08,  0.50,
         0.23,  0.02,  0.08,
        -0.15, -0.16, -0.11,  0.00,
         0.02,  0.13, -0.21, -0.14, -0.18,
        -0.18,  0.10,  0.03,  0.08,  0.08, -0.07,
         0.13,  0.11, -0.11, -0.17,  0.20,  0.04, -0.10,
        -0.13,  0.03, -0.02,  0.02, -0.02,  0.03, -0.00,  0.03,
         0.07,  0.10, -0.01, -0.20, -0.20,  0.13, -0.07, -0.09, -0.04,
    ),
    "energetic": (
        -0.26,
         0.08,  0.44,
        -0.06,  0.28,  0.14,
         0.22, -0.21,  0.06,  0.09,
        -0.11,  0.03, -0.32, -0.04, -0.30,
        -0.16,  0.16,  0.03,  0.09,  0.04, -0.02,
         0.34, -0.16,  0.00, -0.21,  0.19, -0.21, -0.09,
        -0.12,  0.03,  0.04,  0.09,  0.03, -0.05, -0.02,  0.07,
        -0.01, -0.05, -0.06, -0.19, -0.08,  0.13, -0.04, -0.20, -0.05,
    ),
    "calm": (
         0.27,
         0.32,  0.72,
         0.25, -0.02, -0.11,
        -0.10, -0.53, -0.43,  0.09,
        -0.04, -0.08, -0.04, -0.05,  0.11,
        -0.06,  0.24,  0.17, -0.02, -0.15,  0.00,
         0.61,  0.33,  0.30,  0.10, -0.04, -0.01,  0.03,
         0.24,  0.28,  0.20,  0.08, -0.16, -0.05,  0.02,  0.27,
        -0.19, -0.05, -0.09, -0.23,  0.03, -0.06, -0.09, -0.20, -0.03,
    ),
}
# fmt: on

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
