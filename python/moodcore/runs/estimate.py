"""The plan of a run and the time it would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A plan and its time, as `--dry-run` prints it.

    Attributes
    ----------
    format : str
        Name of the JSON form.
    values : mapping
        The plan in plain values.
    lines : sequence of (str, str)
        The plan for people: titles and texts.
    seconds : float
        Estimated time with `jobs` trainings at a time.
    jobs : int
        Trainings at a time.
    minutes : float or None
        Time limit of the run.
    """

    format: str
    values: Mapping[str, Any]
    lines: Sequence[tuple[str, str]]
    seconds: float
    jobs: int
    minutes: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a versioned JSON object."""
        return {
            "format": self.format,
            "version": 2,
            **self.values,
            "jobs": self.jobs,
            "seconds": self.seconds,
            "minutes": self.minutes,
        }

    def to_text(self) -> str:
        """Return the plan as lines for people."""
        time = f"about {duration(self.seconds)} with {self.jobs} job{'s' * (self.jobs != 1)}"
        if self.minutes is not None and 60 * self.minutes < self.seconds:
            share = 60 * self.minutes / self.seconds
            time += f"; --minutes {self.minutes:g} ends it after about {share:.0%} of the trainings"
        lines = [*self.lines, ("time", time)]
        text = "\n".join(f"{title:<11} {text}".rstrip() for title, text in lines)
        return f"{text}\nnothing was written"


def duration(seconds: float) -> str:
    """Return a time in words: "0.04 s", "3.5 s", "40 s", "3 min", "2.5 h"; at least "0.01 s"."""
    if seconds < 10:
        return f"{max(seconds, 0.01):.2g} s"
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
