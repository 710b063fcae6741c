"""Worth of features: importance, correlation, and the cost of leaving some out.

Examples
--------
>>> from moodcore.features import MODELS
>>> MODELS
('mlp', 'gbt', 'svm', 'linear-svm', 'logistic-regression')
"""

from moodcore.features.models import MODELS
from moodcore.features.study import FeatureStudy, feature_study

__all__ = ["MODELS", "FeatureStudy", "feature_study"]
