"""`moodcore playlists`: the songs of each mood that a model is most sure of."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode


@click.command(
    "playlists",
    cls=options.Command,
    short_help="Write one playlist per mood.",
    examples=("moodcore playlists moods.safetensors songs.csv -o playlists --per-mood 30",),
)
@click.argument("model", type=options.INPUT_FILE)
@click.argument("songs", type=options.TABLE)
@click.option(
    "-o",
    "--out",
    type=options.INPUT_FILE,
    required=True,
    metavar="FOLDER",
    help="Folder of the playlists.",
)
@click.option("--per-mood", type=click.IntRange(min=1), default=50, show_default=True, metavar="N",
              help="Largest number of songs per mood.")  # fmt: skip
@click.option(
    "--min-probability",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="P",
    help="Leave out songs with a lower probability.",
)
@options.debug
def command(model: Path, songs: str, out: Path, per_mood: int, min_probability: float) -> int:
    """Write the songs of SONGS that MODEL is most sure of, as M3U and CSV, one file per mood.

    SONGS must have the columns uri, tempo and energy, or other common names of these. Each song is
    in at most one playlist; consecutive songs have similar tempo and energy. Songs with unusable
    values are left out and counted, and the exit code is then 3.
    """
    from moodcore import load
    from moodcore.files import check_new_folder
    from moodcore.predict import make_playlists, write_playlists
    from moodcore.songs.problems import rows

    check_new_folder(out)
    left_out: Counter[str] = Counter()
    playlists = make_playlists(
        load(model), songs, per_mood=per_mood, min_probability=min_probability, left_out=left_out
    )
    write_playlists(playlists, out)
    for playlist in playlists:
        table = playlist.songs
        least = f", lowest probability {table['probability'].min():.3f}" if len(table) else ""
        click.echo(f"{playlist.mood}: {len(table)} songs{least}")
    for reason, count in left_out.most_common():
        click.echo(f"left out: {rows(count)}: {reason}", err=True)
    return ExitCode.SOME_REJECTED if left_out else ExitCode.DONE
