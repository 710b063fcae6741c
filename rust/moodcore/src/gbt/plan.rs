//! Checks of the inputs of training, and the margins that it starts from.

use super::binned::Features;
use super::config::BoostingKind;
use super::training::{Plan, Rows};
use super::weights::Weights;
use crate::memory::filled;
use crate::{Error, Result};

impl Plan<'_> {
    /// The number of outputs: one for up to two classes, else one per class.
    pub(super) fn n_outputs(&self) -> usize {
        if self.n_classes <= 2 { 1 } else { self.n_classes }
    }

    /// The log odds of the second of two classes, or the logarithm of each class's share.
    pub(super) fn prior(&self, y: &[u32], weights: &Weights) -> Vec<f64> {
        let mut sums = filled(0.0, self.n_classes);
        match self.shard {
            Some(shard) => sums.clone_from(&shard.totals.class_weights),
            None => y
                .iter()
                .enumerate()
                .for_each(|(row, &code)| sums[code as usize] += weights.weight(row)),
        }
        let total: f64 = sums.iter().sum();
        // A class without rows gets a tiny share, so that its logarithm is finite.
        let share = |sum: f64| (sum / total).max(1e-15);
        match sums[..] {
            [_] => vec![0.0],
            [first, second] => vec![libm::log(share(second)) - libm::log(share(first))],
            _ => sums.iter().map(|&sum| libm::log(share(sum))).collect(),
        }
    }

    /// Checks the parts against each other.
    ///
    /// # Errors
    /// [`Error::Data`] and [`Error::Parameter`] with what was expected.
    pub(super) fn check(&self, train: &Rows<'_>, eval: &[Rows<'_>]) -> Result<()> {
        let n_features = train.features.n_features();
        let refuse = |what: String| Err(Error::Data(what));
        if train.y.is_empty() || n_features == 0 {
            return refuse(format!(
                "training data must have at least one row and one feature, got {} rows and \
                 {n_features} features",
                train.y.len()
            ));
        }
        if self.n_classes == 0 || self.categorical.len() != n_features {
            return refuse(format!(
                "there must be at least one class and a kind for each of {n_features} features, \
                 got {} and {}",
                self.n_classes,
                self.categorical.len()
            ));
        }
        let n_outputs = self.n_outputs();
        for rows in std::iter::once(train).chain(eval) {
            self.check_rows(rows, n_features)?;
        }
        if let Some(base) = &self.base
            && (base.len() != n_outputs || base.iter().any(|margin| !margin.is_finite()))
        {
            return refuse(format!("base must be {n_outputs} finite margins, got {base:?}"));
        }
        if let Some(start) = &self.start {
            if !start.binner.is_plain() {
                return refuse(
                    "training cannot continue from a model with more than 254 thresholds in a \
                     feature, as models of other libraries may have: bins have one byte"
                        .into(),
                );
            }
            let (features, outputs) = (start.binner.features.len(), start.n_outputs());
            let per_round = if self.config.is_vector_leaf() { 1 } else { n_outputs };
            let start_shape = (features, outputs, start.trees_per_round);
            if start_shape != (n_features, n_outputs, per_round) {
                return refuse(format!(
                    "the model to continue from must have {n_features} features, {n_outputs} \
                     outputs and {per_round} trees per round, got {start_shape:?}"
                ));
            }
        }
        if self.resume.is_some() && self.config.boosting.kind == BoostingKind::Dart {
            return refuse(
                "training with boosting=\"dart\" cannot be resumed: dropping trees for a round \
                 changes the last digits of the margins"
                    .into(),
            );
        }
        if let Some(shard) = &self.shard {
            shard.check(train.y.len(), self.n_classes)?;
            if matches!(train.features, Features::Table(_)) {
                return refuse("several hosts must bin their rows before training".into());
            }
        }
        self.check_constraints(n_features, n_outputs)
    }

    fn check_rows(&self, rows: &Rows<'_>, n_features: usize) -> Result<()> {
        let refuse = |what: String| Err(Error::Data(what));
        let (n_rows, n_outputs) = (rows.y.len(), self.n_outputs());
        let shape = (rows.features.n_rows(), rows.features.n_features());
        if shape != (n_rows, n_features) {
            return refuse(format!(
                "X must have {n_rows} rows and {n_features} features, got {shape:?}"
            ));
        }
        if n_rows >= 1 << 31 || n_rows.saturating_mul(n_outputs) >= 1 << 32 {
            return refuse(format!(
                "at most 2^31 rows and 2^32 margins are supported, got {n_rows} rows of \
                 {n_outputs} outputs"
            ));
        }
        // Margins and derivatives: an error is better than an abort when memory runs out.
        let most = n_rows.saturating_mul(2 * n_outputs);
        if Vec::<f64>::new().try_reserve_exact(most).is_err() {
            return Err(Error::Memory { bytes: most.saturating_mul(size_of::<f64>()) });
        }
        if let Some(row) = rows.y.iter().position(|&code| code as usize >= self.n_classes) {
            return refuse(format!(
                "class code {} in row {row} is not below the number of classes, {}",
                rows.y[row], self.n_classes
            ));
        }
        if let Some(margin) = rows.margin
            && (margin.len() != n_rows * n_outputs || margin.iter().any(|m| !m.is_finite()))
        {
            return refuse(format!(
                "base margins must be {n_rows} x {n_outputs} finite numbers, got {}",
                margin.len()
            ));
        }
        Ok(())
    }

    fn check_constraints(&self, n_features: usize, n_outputs: usize) -> Result<()> {
        let signs = &self.config.monotone_constraints;
        let fits = signs.len() == n_outputs && signs.iter().all(|row| row.len() == n_features);
        if !signs.is_empty() && !fits {
            let shape = format!("{} rows", signs.len());
            let allowed = "a sign for each output and feature";
            return Err(Error::parameter("monotone_constraints", allowed, shape));
        }
        for signs in signs {
            if let Some(at) = (0..n_features).find(|&at| signs[at] != 0 && self.categorical[at]) {
                let allowed = "0 for categorical features";
                let value = format!("{} for feature {at}", signs[at]);
                return Err(Error::parameter("monotone_constraints", allowed, value));
            }
        }
        let groups = self.config.interaction_constraints.iter().flatten();
        match groups.copied().find(|&feature| feature >= n_features) {
            None => Ok(()),
            Some(feature) => {
                let allowed = "groups of features that exist";
                Err(Error::parameter("interaction_constraints", allowed, feature))
            }
        }
    }
}
