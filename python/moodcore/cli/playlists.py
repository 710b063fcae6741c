"""`moodcore playlists`: the surest songs of each mood."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from moodcore.cli import options
from moodcore.cli.exit_codes import ExitCode


@click.command("playlists", short_help="Make playlists of the surest songs of each mood.")
@click.argument("model", type=options.INPUT_FILE)
@click.argument("songs")
@click.option(
    "-o", "--out", type=options.INPUT_FILE, required=True, metavar="DIR", help="Where to write."
)
@click.option("--per-mood", type=click.IntRange(min=1), default=50, show_default=True, metavar="N",
              help="Songs of a mood at most.")  # fmt: skip
@click.option(
    "--min-probability",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="P",
    help="Leave out songs of which the model is less sure.",
)
@options.debug
def command(model: Path, songs: str, out: Path, per_mood: int, min_probability: float) -> int:
    """Write the songs of SONGS that MODEL is surest of, as M3U and CSV, a file a mood.

    SONGS must have the columns uri, tempo and energy. A song is in one list, once; neighbours are
    alike in tempo and energy. Songs with values that cannot be used are left out and counted, and
    the exit code is then 3.
    """
    from moodcore import load
    from moodcore.predict import make_playlists, write_playlists
    from moodcore.songs.problems import rows

    left_out: Counter[str] = Counter()
    found = make_playlists(
        load(model), songs, per_mood=per_mood, min_probability=min_probability, left_out=left_out
    )
    write_playlists(found, out)
    for one in found:
        least = f", the least sure {one.songs['probability'].min():.3f}" if len(one.songs) else ""
        click.echo(f"{one.mood}: {len(one.songs)} songs{least}")
    for reason, count in left_out.most_common():
        click.echo(f"left out: {rows(count)}: {reason}", err=True)
    return ExitCode.SOME_REJECTED if left_out else ExitCode.DONE
