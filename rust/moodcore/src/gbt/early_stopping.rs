//! Early stopping: the best round so far, and when to stop.

use super::training::{BestRound, Metric};

/// The best round so far by the last metric on the last evaluation set.
pub(super) struct EarlyStopping {
    maximize: bool,
    patience: Option<usize>,
    pub(super) best: Option<BestRound>,
}

impl EarlyStopping {
    pub(super) fn new(metric: Option<&Metric>, patience: Option<usize>) -> Self {
        let maximize = metric.is_some_and(|metric| metric.maximize);
        EarlyStopping { maximize, patience, best: None }
    }

    /// Continues from a best round of an earlier training.
    pub(super) fn with_best(self, best: Option<BestRound>) -> Self {
        EarlyStopping { best, ..self }
    }

    /// Whether the round is the best so far. NaN is never best: a metric may be undefined in early
    /// rounds, when a model predicts one class only.
    pub(super) fn observe(&mut self, round: usize, values: &[Vec<f64>]) -> bool {
        let Some(&value) = values.last().and_then(|values| values.last()) else { return false };
        let improves = !value.is_nan()
            && self.best.is_none_or(|best| {
                if self.maximize { value > best.value } else { value < best.value }
            });
        if improves {
            self.best = Some(BestRound { round, value });
        }
        improves
    }

    /// Whether the rounds without improvement are used up.
    pub(super) fn is_exhausted(&self, round: usize) -> bool {
        match (self.patience, self.best) {
            (Some(patience), Some(best)) => round - best.round >= patience,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gbt::MetricKind;

    fn observe(maximize: bool, patience: usize, values: &[f64]) -> (Option<BestRound>, bool) {
        let metric = Metric { kind: MetricKind::LogLoss, maximize };
        let mut stopping = EarlyStopping::new(Some(&metric), Some(patience));
        for (at, &value) in values.iter().enumerate() {
            stopping.observe(at + 1, &[vec![value]]);
        }
        (stopping.best, stopping.is_exhausted(values.len()))
    }

    #[test]
    fn nan_is_never_the_best_value() {
        let best = Some(BestRound { round: 3, value: 0.5 });
        assert_eq!(observe(false, 2, &[f64::NAN, f64::NAN, 0.5, 0.6]), (best, false));
        assert_eq!(observe(true, 2, &[f64::NAN, 0.4, 0.5, f64::NAN, 0.3]), (best, true));
        assert_eq!(observe(false, 1, &[f64::NAN; 5]), (None, false));
    }

    #[test]
    fn the_first_of_equal_values_is_the_best() {
        let best = Some(BestRound { round: 1, value: 0.5 });
        assert_eq!(observe(false, 3, &[0.5, 0.5, 0.5]), (best, false));
        assert_eq!(observe(true, 3, &[0.5, 0.5, 0.5, 0.5]), (best, true));
    }
}
