"""Model files: one safetensors file per fitted model, which runs no code when it is read."""

from moodcore.model_files.container import VERSION, ModelFileError, load, save

__all__ = ["VERSION", "ModelFileError", "load", "save"]
