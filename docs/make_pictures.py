"""Make the pictures of the documentation: a terminal session and the report that it writes.

Usage: python docs/make_pictures.py

Runs a small experiment, and writes terminal.svg, report.png, report_figures.png and the last two in
dark colors to docs/_static.
This needs the test extra and Chromium with its driver.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

STATIC = Path(__file__).parent / "_static"
COLUMNS = 100
# The terminal has no fonts of its own: the browser chooses one, and nothing is loaded.
# Terminals show a progress bar in place of these lines.
PROGRESS = re.compile(r"^\[\d+/\d+ folds\].*\n|^\d+ folds\n", re.MULTILINE)
FONT_FACE = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def run(arguments: list[str], folder: Path) -> str:
    """Run the command in a folder and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "moodcore.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"COLUMNS": str(COLUMNS)},
        cwd=folder,
        text=True,
        check=True,
    )
    return PROGRESS.sub("", done.stdout)


def record(commands: list[str], folder: Path) -> None:
    """Run commands and draw a terminal with them and their output."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for command in commands:
        console.print(Text(f"$ {command}", style="bold green"))
        console.print(Text(run(command.split()[1:], folder)))
    svg = FONT_FACE.sub("", console.export_svg(title="moodcore", unique_id="terminal"))
    (STATIC / "terminal.svg").write_text(svg, encoding="utf-8")


def photograph(page: Path) -> None:
    """Save the first screen of a report and the one with the figures of the search, twice."""
    options = webdriver.ChromeOptions()
    for name in ("headless=new", "no-sandbox", "window-size=1280,1000", "hide-scrollbars"):
        options.add_argument(f"--{name}")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        for scheme, ending in {"light": ".png", "dark": "_dark.png"}.items():
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            driver.get(page.as_uri())
            save(driver.get_screenshot_as_png(), f"report{ending}")
            driver.execute_script("document.querySelector('#search').scrollIntoView()")
            save(driver.get_screenshot_as_png(), f"report_figures{ending}")
    finally:
        driver.quit()


def save(png: bytes, name: str) -> None:
    """Write a screenshot with 128 colors, which makes a small file."""
    screen = Image.open(io.BytesIO(png))
    screen.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(
        STATIC / name, optimize=True
    )


def main() -> None:
    """Make all pictures from one run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = [
            "moodcore tune --songs 10000 --epochs 30 --out runs/first",
            "moodcore data synthesize --songs 1000 --seed 1 -o songs.csv",
            "moodcore predict runs/first/model.safetensors songs.csv -o moods.csv",
        ]
        record(commands, folder)
        photograph(folder / "runs" / "first" / "report.html")


if __name__ == "__main__":
    main()
