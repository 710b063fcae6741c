"""The gain of a search over the default model, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodcore.report.text import model_name, percent, signed

#: Metrics whose differences are percentage points.
_SHARES = ("accuracy", "balanced_accuracy")


def default_name(gain: Mapping[str, Any]) -> str:
    """Return the name of the default model that the candidates are compared with.

    Examples
    --------
    >>> default_name({"model": "gbt"})
    'GBT() by default'
    """
    return f"{model_name(gain['model'])}() by default"


def is_around_defaults(metrics: Mapping[str, Any]) -> bool:
    """Whether the candidates of a search are the defaults of the models and others around them."""
    return bool(metrics["settings"].get("base") == "defaults")


def in_units(metric: str, difference: float) -> float:
    """Return a difference of scores, of which larger is better, in the units of its metric."""
    if metric in _SHARES:
        return 100 * difference
    return -difference if metric == "log_loss" else difference


def unit(metric: str) -> str:
    """Return what a difference of a metric is counted in, with a space before it."""
    return " points" if metric in _SHARES else ""


def gain_sentence(metrics: Mapping[str, Any]) -> str:
    """Return the difference to the default model on the same folds; "" without a default model."""
    search = metrics["search"]
    gain = search.get("gain")
    if not gain:
        return ""
    name, metric = default_name(gain), search["metric"]
    if gain["candidate"] == gain["number"]:
        return f"No candidate was better than {name}; the default model was kept."
    measured = f"{_difference(metric, gain, name)} ({_interval(metric, gain)})"
    if gain.get("log_loss") and metric != "log_loss":
        log_loss = {"difference": -gain["log_loss"]["difference"]}
        log_loss |= {end: -gain["log_loss"][end] for end in ("low", "high")}
        measured += f", {_difference('log_loss', log_loss)} ({_interval('log_loss', log_loss)})"
    folds = f"{gain['folds']} folds"
    if gain["kept_default"]:
        joint = len(search["families"]) > 1 and "candidate_model" in gain
        family = f" ({model_name(gain['candidate_model'])})" if joint else ""
        return (
            "Not clearly better than the defaults; the default model was kept: the best candidate, "
            f"number {gain['candidate']}{family}, has a validation {measured}, {folds}."
        )
    return f"Gain over the defaults: validation {measured}, {folds}.{_on_test_rows(metrics, name)}"


def _difference(metric: str, gain: Mapping[str, Any], name: str = "") -> str:
    value = in_units(metric, gain["difference"])
    digits = 1 if metric in _SHARES else 4
    text = f"{metric.replace('_', ' ')} {abs(value):.{digits}f}{unit(metric)}"
    if round(value, digits) == 0:
        return f"{metric.replace('_', ' ')} equal{f' to {name}' if name else ''}"
    side = ("above" if value > 0 else "below") if name else ("higher" if value > 0 else "lower")
    return f"{text} {side} {name}".rstrip()


def _interval(metric: str, gain: Mapping[str, Any]) -> str:
    ends = sorted(in_units(metric, gain[end]) for end in ("low", "high"))
    digits = 1 if metric in _SHARES else 4
    low, high = (signed(end, digits) for end in ends)
    return f"95 % interval {low} to {high}{unit(metric)}"


def _on_test_rows(metrics: Mapping[str, Any], name: str) -> str:
    """Compare the two on the test rows, on which neither was selected."""
    test, default = metrics["test"], metrics["baselines"].get(name)
    if default is None:
        return ""
    found = f"accuracy {percent(test['accuracy'])} against {percent(default['accuracy'])}"
    if test["log_loss"] is not None and default["log_loss"] is not None:
        found += f", log loss {test['log_loss']:.4f} against {default['log_loss']:.4f}"
    return f" On the test rows: {found}."
