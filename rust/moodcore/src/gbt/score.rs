//! The best value of a leaf, and by how much it lowers the objective.

use super::categories::CategoryRules;
use super::config::Config;

/// Penalties and limits on leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) alpha: f64,
    pub(super) lambda: f64,
    pub(super) gamma: f64,
    /// Infinite where there is no limit.
    pub(super) max_delta_step: f64,
    pub(super) min_weight: f64,
    pub(super) min_hessian: f64,
    /// How many rows the parent's value counts for in a leaf's.
    pub(super) path_smooth: f64,
    pub(super) categories: CategoryRules,
}

/// Sums over the rows of a node for one output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) g: f64,
    pub(super) h: f64,
}

impl Sums {
    #[inline(always)]
    pub(super) fn minus(self, other: Sums) -> Sums {
        Sums { g: self.g - other.g, h: self.h - other.h }
    }
}

/// The range of a leaf's value that keeps the monotone splits above it monotone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Bounds {
    pub(super) const FREE: Bounds = Bounds { low: f64::NEG_INFINITY, high: f64::INFINITY };
}

impl Rules {
    pub(super) fn of(config: &Config) -> Self {
        let limit = config.max_delta_step;
        Rules {
            alpha: config.reg_alpha,
            lambda: config.reg_lambda,
            gamma: config.gamma,
            max_delta_step: if limit > 0.0 { limit } else { f64::INFINITY },
            min_weight: config.min_child_samples,
            min_hessian: config.min_child_weight,
            path_smooth: config.path_smooth,
            categories: CategoryRules::of(config),
        }
    }

    /// The same with a larger L2 penalty.
    #[inline(always)]
    pub(super) fn with_l2(&self, more: f64) -> Self {
        Rules { lambda: self.lambda + more, ..*self }
    }

    /// The gradient after L1 shrinkage, without its sign: `max(|G| - alpha, 0)`.
    #[inline(always)]
    fn shrunk(&self, g: f64) -> f64 {
        let size = g.abs() - self.alpha;
        if size > 0.0 { size } else { 0.0 }
    }

    /// The value that minimizes the objective of a leaf (Chen and Guestrin 2016, equation 5, with
    /// L1 shrinkage), within the limits; before the learning rate.
    #[inline(always)]
    pub(super) fn value(&self, sums: Sums, bounds: Bounds) -> f64 {
        let curvature = sums.h + self.lambda;
        let shrunk = self.shrunk(sums.g);
        let size = if curvature > 0.0 { shrunk / curvature } else { 0.0 };
        let size = if size > self.max_delta_step { self.max_delta_step } else { size };
        let value = if sums.g > 0.0 { -size } else { size };
        let value = if value < bounds.low { bounds.low } else { value };
        if value > bounds.high { bounds.high } else { value }
    }

    /// Twice the decrease of the objective by a leaf with its best value: equation 6's term,
    /// without the half, as XGBoost has it.
    #[inline(always)]
    pub(super) fn score(&self, sums: Sums) -> f64 {
        let curvature = sums.h + self.lambda;
        let shrunk = self.shrunk(sums.g);
        if curvature > 0.0 { shrunk * shrunk / curvature } else { 0.0 }
    }

    /// The scores of two children together, with one division instead of two.
    #[inline(always)]
    pub(super) fn score_of_both(&self, left: Sums, right: Sums) -> f64 {
        let part = |sums: Sums| {
            let curvature = sums.h + self.lambda;
            let shrunk = self.shrunk(sums.g);
            if curvature > 0.0 { (shrunk * shrunk, curvature) } else { (0.0, 1.0) }
        };
        let ((a, c), (b, d)) = (part(left), part(right));
        (a * d + b * c) / (c * d)
    }

    /// Whether nothing shrinks gradients and no curvature is zero.
    pub(super) fn is_plain(&self) -> bool {
        self.alpha == 0.0 && self.lambda > 0.0
    }

    /// [`Rules::score_of_both`] where [`Rules::is_plain`].
    #[inline(always)]
    pub(super) fn score_of_both_plainly(&self, left: Sums, right: Sums) -> f64 {
        let (c, d) = (left.h + self.lambda, right.h + self.lambda);
        (left.g * left.g * d + right.g * right.g * c) / (c * d)
    }

    /// The score at a value that the limits may have moved.
    #[inline(always)]
    pub(super) fn score_at(&self, sums: Sums, value: f64) -> f64 {
        let curvature = sums.h + self.lambda;
        -(2.0 * sums.g * value + curvature * value * value) - 2.0 * self.alpha * value.abs()
    }

    /// Whether limits can move a value in a node of these bounds.
    pub(super) fn limits(&self, bounds: &[Bounds]) -> bool {
        self.max_delta_step.is_finite() || bounds.iter().any(|&bounds| bounds != Bounds::FREE)
    }
}
