//! Metrics after each round, and the report to the listener.

use super::boost::{Boosting, LONG_ROWS};
use super::gradients::measure;
use super::margins::row_major;
use super::shard::Shard;
use super::training::{Listener, Metric, MetricKind, TrainingLoss};
use crate::Result;
use crate::parallel::attended_if;
use std::sync::atomic::AtomicBool;

impl Boosting<'_> {
    /// Reports a round to the listener; returns true if training ends. Of several hosts, the first
    /// decides.
    pub(super) fn report(
        &self,
        round: usize,
        values: &[Vec<f64>],
        listener: &mut dyn Listener,
    ) -> Result<bool> {
        let Some(shard) = self.shard else {
            return listener.round(round, values, &|| self.training_loss());
        };
        if !shard.listens {
            return Ok(false);
        }
        let long = self.y.len() * self.margins.len() > LONG_ROWS;
        let (sum, weight) = attended_if(long, &mut || listener.poll(), |stop| {
            measure(&self.margins, self.y, &self.weights, self.compute, stop)
        })?;
        let [loss, correct, weight] = shard.sum_in_order([sum.loss, sum.correct, weight])?;
        let training = TrainingLoss { loss: loss / weight, error: 1.0 - correct / weight };
        let mut stop = [0.0];
        if shard.rank == 0 {
            stop[0] = f64::from(listener.round(round, values, &|| training)?);
        }
        shard.broadcast(&mut stop)?;
        Ok(stop[0] == 1.0)
    }

    /// Returns an empty history.
    pub(super) fn no_history(&self, metrics: &[Metric]) -> Vec<Vec<Vec<f64>>> {
        let n_sets = self.shard.map_or(self.eval.len(), |shard| shard.n_eval_sets);
        vec![vec![Vec::new(); metrics.len()]; n_sets]
    }

    /// Computes the metrics of each evaluation set.
    pub(super) fn measure(
        &mut self,
        metrics: &[Metric],
        listener: &mut dyn Listener,
    ) -> Result<Vec<Vec<f64>>> {
        if let Some(shard) = self.shard.filter(|shard| shard.rank > 0) {
            return shared(shard, &vec![vec![0.0; metrics.len()]; shard.n_eval_sets]);
        }
        let mut values = Vec::with_capacity(self.eval.len());
        for (index, set) in self.eval.iter().enumerate() {
            let built_in = |metric: &Metric| metric.kind != MetricKind::Custom;
            let long = set.y.len() * set.margins.len() > LONG_ROWS;
            let mut sums_of_set = || {
                attended_if(long, &mut || listener.poll(), |stop| {
                    measure(&set.margins, set.y, &set.weights, self.compute, stop)
                })
            };
            let sums = metrics.iter().any(built_in).then(&mut sums_of_set).transpose()?;
            let (loss, error) = sums.map_or((0.0, 0.0), |(sum, weight)| {
                (sum.loss / weight, 1.0 - sum.correct / weight)
            });
            let mut set_values = Vec::with_capacity(metrics.len());
            for (at, metric) in metrics.iter().enumerate() {
                set_values.push(match metric.kind {
                    MetricKind::LogLoss => loss,
                    MetricKind::Error => error,
                    MetricKind::Custom => listener.metric(at, index, &row_major(&set.margins))?,
                });
            }
            values.push(set_values);
        }
        match self.shard {
            None => Ok(values),
            Some(shard) => shared(shard, &values),
        }
    }

    /// Appends the metrics of a round to the history.
    pub(super) fn record(&mut self, values: &[Vec<f64>]) {
        for (curves, values) in self.history.iter_mut().zip(values) {
            for (curve, &value) in curves.iter_mut().zip(values) {
                curve.push(value);
            }
        }
    }

    fn training_loss(&self) -> TrainingLoss {
        let never = AtomicBool::new(false);
        let (sum, weight) = measure(&self.margins, self.y, &self.weights, self.compute, &never);
        TrainingLoss { loss: sum.loss / weight, error: 1.0 - sum.correct / weight }
    }
}

/// Returns the metrics of host 0 on all hosts.
fn shared(shard: Shard<'_>, values: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut flat = values.concat();
    shard.broadcast(&mut flat)?;
    Ok(flat.chunks(values[0].len().max(1)).map(<[f64]>::to_vec).collect())
}
