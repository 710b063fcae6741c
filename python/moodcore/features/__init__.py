"""Which features are worth keeping: importance and correlation side by side, and what it costs.

Examples
--------
>>> from moodcore.features import MODELS
>>> MODELS
('mlp', 'gbt', 'svm', 'linear-svm', 'logistic-regression')
"""

from moodcore.features.models import MODELS
from moodcore.features.study import FeatureStudy, feature_study

__all__ = ["MODELS", "FeatureStudy", "feature_study"]
