"""Help, version and completion of the commands."""

import os
import subprocess
import sys

import pytest

from moodcore import __version__
from moodcore.cli import main
from moodcore.cli.app import cli

COMMANDS = ("tune", "compare", "features", "train", "evaluate", "predict", "explain", "export")
# Each takes longer to import than --help may take.
HEAVY = ("numpy", "pandas", "pyarrow", "sklearn", "scipy", "optuna", "matplotlib", "distributed")


def sections(text):
    return [line[:-1] for line in text.splitlines() if line.endswith(":") and line[0] != " "]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_groups_and_examples(name, capsys):
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    named = sections(text)
    assert named[-2:] == ["General", "Examples"]
    general = text[text.index("\nGeneral:") :]
    assert "-h, --help" in general
    assert f"  moodcore {name}" in general or "| moodcore" in general
    if name in ("tune", "compare", "features"):
        assert named[1:] == ["Data", "Workers", "Output", "General", "Examples"]
    for line in text.splitlines():
        # An argument has no line of its own.
        assert line.strip() not in ("MODEL", "TABLE", "OUTPUT")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name):
    command = cli.get_command(None, name)
    for param in command.params:
        assert param.param_type_name == "argument" or param.help, param.name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_can_be_parsed(name):
    command = cli.get_command(None, name)
    assert command.examples
    for example in command.examples:
        words = example.rpartition("moodcore ")[2].partition(">")[0].split()
        context = command.make_context(name, words[1:], resilient_parsing=True)
        assert not context.args


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from moodcore.cli import main\n"
        f"for name in {COMMANDS}: main([name, '--help'])\n"
        f"heavy = set({HEAVY}) & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_module_runs_and_shells_complete():
    def run(*words, **variables):
        command = [sys.executable, "-m", "moodcore", *words]
        env = os.environ | variables
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        return done.stdout

    assert run("--version") == f"moodcore {__version__}\n"
    assert "complete -o nosort" in run(_MOODCORE_COMPLETE="bash_source")

    def completed(*words):
        place = {"COMP_WORDS": " ".join(("moodcore", *words)), "COMP_CWORD": str(len(words))}
        return run(_MOODCORE_COMPLETE="bash_complete", **place).split()

    assert completed("ex") == ["plain,explain", "plain,export"]
    assert completed("tune", "--model", "l") == ["plain,linear-svm"]
    assert completed("train", "--data", "x") == ["file,x"]
    assert completed("predict", "--format", "pa") == ["plain,parquet"]
    assert completed("compare", "--models", "mlp,g") == ["plain,mlp,gbt"]


def test_words_that_are_repeated_here_are_those_of_their_modules():
    from moodcore.cli import export, features
    from moodcore.exchange import FORMATS
    from moodcore.features.models import MODELS

    assert features._MODELS == MODELS
    assert tuple(export._FORMATS) == tuple(name for name in FORMATS if FORMATS[name].writes)


def test_out_and_seed_are_the_same_in_every_command():
    """`-o` and `--out` are where the result goes; `--seed` is an integer that begins at 0."""
    found = {}
    for name in (*COMMANDS, "playlists", "data synthesize", "data check"):
        command = cli
        for word in name.split():
            command = command.get_command(None, word)
        found[name] = {option: param for param in command.params for option in param.opts}
    for name, parameters in found.items():
        if name not in ("evaluate", "data check"):
            assert parameters["-o"] is parameters["--out"], name
    seeds = [parameters["--seed"] for parameters in found.values() if "--seed" in parameters]
    assert {(seed.type.min, seed.help) for seed in seeds} == {
        (0, "Seed of every random choice.  [default: 0]")
    }
    assert len(seeds) == 6
