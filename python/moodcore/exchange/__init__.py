"""Models of other programs, read and written: ONNX, XGBoost, LightGBM, libsvm, C, Rust."""

from __future__ import annotations

from moodcore.exchange.formats import FORMATS, Format, export, load

__all__ = ["FORMATS", "Format", "export", "load"]
