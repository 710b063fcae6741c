//! The learning rate of each epoch.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Schedule of the learning rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Constant.
    #[default]
    Constant,
    /// Multiplied by `factor` every `step_epochs` epochs.
    Step,
    /// Half a cosine from the full rate to `final_fraction` of it (Loshchilov and Hutter 2017,
    /// equation 5, one cycle).
    Cosine,
    /// Divided by `1 + decay * epoch` (Robbins and Monro 1951).
    InverseTime,
}

/// A schedule with its constants; in a configuration either its name or a table.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// How the rate falls.
    pub kind: ScheduleKind,
    /// Epochs of linear growth up to the full rate, before the fall begins.
    pub warmup_epochs: usize,
    /// For `step`: epochs between two falls.
    pub step_epochs: usize,
    /// For `step`: what each fall multiplies by, in (0, 1].
    pub factor: f64,
    /// For `inverse-time`: growth of the divisor per epoch, at least 0.
    pub decay: f64,
    /// For `cosine`: share of the rate that is left at the end, in [0, 1].
    pub final_fraction: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule {
            kind: ScheduleKind::Constant,
            warmup_epochs: 0,
            step_epochs: 100,
            factor: 0.1,
            decay: 0.01,
            final_fraction: 0.0,
        }
    }
}

impl Schedule {
    pub(super) fn check(&self) -> Result<()> {
        if self.step_epochs == 0 {
            return Err(Error::parameter("step_epochs", "at least 1", 0));
        }
        if !(self.factor > 0.0 && self.factor <= 1.0) {
            return Err(Error::parameter("factor", "in (0, 1]", self.factor));
        }
        if !(self.decay >= 0.0 && self.decay.is_finite()) {
            return Err(Error::parameter("decay", "at least 0", self.decay));
        }
        if !(0.0..=1.0).contains(&self.final_fraction) {
            return Err(Error::parameter("final_fraction", "in [0, 1]", self.final_fraction));
        }
        Ok(())
    }

    /// The factor on the learning rate in epoch `epoch` (from zero) of `epochs`.
    pub(super) fn scale(&self, epoch: usize, epochs: usize) -> f64 {
        if epoch < self.warmup_epochs {
            return (epoch + 1) as f64 / (self.warmup_epochs + 1) as f64;
        }
        let (epoch, epochs) =
            (epoch - self.warmup_epochs, epochs.saturating_sub(self.warmup_epochs));
        match self.kind {
            ScheduleKind::Constant => 1.0,
            // Repeated products: `powi` may differ in the last bit from machine to machine.
            ScheduleKind::Step => (0..epoch / self.step_epochs).fold(1.0, |s, _| s * self.factor),
            ScheduleKind::Cosine => {
                let passed = (epoch as f64 / epochs.max(1) as f64).min(1.0);
                let fall = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * passed));
                self.final_fraction + (1.0 - self.final_fraction) * fall
            }
            ScheduleKind::InverseTime => 1.0 / (1.0 + self.decay * epoch as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scales(kind: ScheduleKind, warmup_epochs: usize) -> Vec<f64> {
        let schedule = Schedule {
            kind,
            warmup_epochs,
            step_epochs: 2,
            factor: 0.5,
            decay: 1.0,
            ..Default::default()
        };
        (0..6).map(|epoch| schedule.scale(epoch, 6)).collect()
    }

    #[test]
    fn each_kind_falls_as_it_should() {
        assert_eq!(scales(ScheduleKind::Constant, 0), [1.0; 6]);
        assert_eq!(scales(ScheduleKind::Step, 0), [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
        let inverse = scales(ScheduleKind::InverseTime, 0);
        assert_eq!(inverse[..4], [1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0]);
        let cosine = scales(ScheduleKind::Cosine, 0);
        assert_eq!(cosine[0], 1.0);
        assert!((cosine[3] - 0.5).abs() < 1e-15);
        assert!(cosine.windows(2).all(|pair| pair[1] < pair[0]));
    }

    #[test]
    fn warm_up_grows_linearly_and_then_the_schedule_starts() {
        assert_eq!(scales(ScheduleKind::Step, 3), [0.25, 0.5, 0.75, 1.0, 1.0, 0.5]);
    }
}
