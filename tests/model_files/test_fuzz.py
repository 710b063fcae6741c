"""Files damaged at random give a model or a `ModelFileError`, and nothing else."""

from fuzz import Fuzz


def test_damaged_files_are_refused_or_harmless(tmp_path):
    fuzz = Fuzz(seed=0, folder=tmp_path)
    for _ in range(1000):
        fuzz.case()
    # Both ends are reached: otherwise the damage is too great or too small to tell anything.
    assert fuzz.refused > 500
    assert fuzz.opened > 50
