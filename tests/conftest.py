"""What holds for all tests: commands in this process, and a browser."""

import ast
import json
import os
import shutil
import signal
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

from moodcore import _core
from moodcore.cli import main

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

# A shell lets what it runs in the background ignore Ctrl-C, and so would every command that a test
# starts there and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is no failure: no example has a deadline.
hypothesis.settings.register_profile("moodcore", deadline=None)
hypothesis.settings.load_profile("moodcore")


def pytest_sessionstart():
    """Refuse a compiled module that was built from other sources than the package."""
    stub = ast.parse(Path(_core.__file__).with_name("_core.pyi").read_text())
    (names,) = (
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    )
    if missing := [name for name in names if not hasattr(_core, name)]:
        raise pytest.UsageError(
            f"{_core.__file__} has no {', '.join(missing)}: it was built from other sources than "
            "the package; build it again"
        )


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def moodcore(capsys):
    """Run a command in this process, which spares the imports; returns exit code and output."""

    def run(*arguments):
        capsys.readouterr()
        code = main([str(word) for word in arguments])
        return Done(int(code), *capsys.readouterr())

    return run


class Browser:
    """A page in headless Chromium, of any width and color scheme."""

    def __init__(self):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        assert BROWSER and DRIVER, "chromium and chromedriver must be installed where CI is set"
        options = webdriver.ChromeOptions()
        options.binary_location = BROWSER
        for switch in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"):
            options.add_argument(f"--{switch}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))

    def show(self, path, *, width=1280, scheme="light", media="screen"):
        """Load a page; returns its network requests and the messages of its console."""
        self.driver.get("about:blank")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": media, "features": features}
        )
        for log in ("browser", "performance"):
            self._log(log)
        self.driver.get(path.as_uri())
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        requests = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return requests, [entry["message"] for entry in self._log("browser")]

    def _log(self, name):
        return self.driver.get_log(name)

    def ask(self, script, *arguments):
        """Return what a piece of JavaScript finds."""
        return self.driver.execute_script(script, *arguments)


@pytest.fixture(scope="session")
def browser():
    """A browser; tests that need one skip where there is none, but not in CI."""
    if not (BROWSER and DRIVER) and not os.environ.get("CI"):
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    opened = Browser()
    yield opened
    opened.driver.quit()
