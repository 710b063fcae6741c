"""Models of other programs, read and written: ONNX, XGBoost, LightGBM, libsvm, C, Rust."""

from moodcore.exchange.formats import FORMATS, Format, export, load
from moodcore.exchange.shap_trees import shap_trees
from moodcore.exchange.skl2onnx_converter import register_skl2onnx

__all__ = ["FORMATS", "Format", "export", "load", "register_skl2onnx", "shap_trees"]
