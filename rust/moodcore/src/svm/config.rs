//! Hyperparameters: names, defaults and ranges. This is the only place where ranges are checked.

use super::rows::Values;
use crate::kernels::KernelFunction;
use crate::parameters::read_json;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The kernel function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// `<x, z>`
    Linear,
    /// `(gamma <x, z> + coef0)^degree`
    Poly,
    /// `exp(-gamma |x - z|^2)`
    #[default]
    Rbf,
    /// `tanh(gamma <x, z> + coef0)`
    Sigmoid,
    /// A kernel matrix that the caller computed.
    Precomputed,
}

/// The kernel coefficient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Gamma {
    /// One over the number of features times the variance of all values.
    #[default]
    Scale,
    /// One over the number of features.
    Auto,
    /// This number.
    Value(f64),
}

impl Serialize for Gamma {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Gamma::Scale => serializer.serialize_str("scale"),
            Gamma::Auto => serializer.serialize_str("auto"),
            Gamma::Value(value) => serializer.serialize_f64(*value),
        }
    }
}

impl<'de> Deserialize<'de> for Gamma {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        use serde::de::Error as _;
        let value = serde_json::Value::deserialize(deserializer)?;
        match (value.as_f64(), value.as_str()) {
            (Some(number), _) => Ok(Gamma::Value(number)),
            (_, Some("scale")) => Ok(Gamma::Scale),
            (_, Some("auto")) => Ok(Gamma::Auto),
            _ => Err(D::Error::custom("must be 'scale', 'auto' or a float of at least 0")),
        }
    }
}

impl Gamma {
    /// The number, for these rows.
    pub(super) fn resolve(self, values: Values<'_>) -> f64 {
        let features = values.n_features() as f64;
        match (self, values) {
            (Gamma::Value(value), _) => value,
            (Gamma::Auto, _) => 1.0 / features,
            (Gamma::Scale, Values::Single(rows)) => by_variance(rows.variance(), features),
            (Gamma::Scale, Values::Double(rows)) => by_variance(rows.variance(), features),
            (Gamma::Scale, Values::Kernel(_)) => 0.0,
        }
    }
}

/// One over the number of features times the variance of all values; 1 if they are all equal.
fn by_variance(variance: f64, features: f64) -> f64 {
    let gamma = 1.0 / (features * variance);
    if variance > 0.0 && gamma.is_finite() { gamma } else { 1.0 }
}

/// The hyperparameters of a support vector machine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Regularization parameter, above 0; larger C fits the training data more closely.
    #[serde(rename = "C")]
    pub c: f64,
    /// The kernel function.
    pub kernel: Kernel,
    /// Kernel coefficient of the RBF, polynomial and sigmoid kernel.
    pub gamma: Gamma,
    /// Degree of the polynomial kernel.
    pub degree: u32,
    /// Independent term of the polynomial and the sigmoid kernel.
    pub coef0: f64,
    /// Tolerance of the stopping criterion: the maximum violation of the optimality conditions,
    /// above 0.
    pub tol: f64,
    /// Whether to use the shrinking heuristic.
    pub shrinking: bool,
    /// Size of the kernel cache in megabytes.
    pub cache_size: f64,
    /// Maximum number of SMO iterations per pair of classes; -1 for no limit.
    pub max_iter: i64,
    /// Whether probabilities are calibrated.
    pub probability: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            c: 1.0,
            kernel: Kernel::Rbf,
            gamma: Gamma::Scale,
            degree: 3,
            coef0: 0.0,
            tol: 1e-3,
            shrinking: true,
            cache_size: 200.0,
            max_iter: -1,
            probability: false,
        }
    }
}

impl Config {
    /// The largest degree of a polynomial kernel: beyond it single precision overflows for rows
    /// twice as long as one.
    pub const MAX_DEGREE: u32 = 100;

    /// Reads hyperparameters from JSON and checks them.
    ///
    /// # Errors
    /// [`Error::Configuration`] for unknown names and wrong types, [`Error::Parameter`] for
    /// values out of range.
    pub fn from_json(text: &str) -> Result<Self> {
        read_json(text, Config::check)
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first value out of range.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("C", self.c), ("tol", self.tol), ("cache_size", self.cache_size)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, "finite and above 0", value));
            }
        }
        if let Gamma::Value(value) = self.gamma
            && !(value >= 0.0 && value.is_finite())
        {
            let allowed = "'scale', 'auto' or a finite float of at least 0";
            return Err(Error::parameter("gamma", allowed, value));
        }
        if !self.coef0.is_finite() {
            return Err(Error::parameter("coef0", "finite", self.coef0));
        }
        if self.degree > Self::MAX_DEGREE {
            return Err(Error::parameter("degree", "from 0 to 100", self.degree));
        }
        if self.max_iter < -1 {
            return Err(Error::parameter(
                "max_iter",
                "at least 0, or -1 for no limit",
                self.max_iter,
            ));
        }
        Ok(())
    }

    /// The kernel as a function of two rows; none for a precomputed kernel. A `gamma` that
    /// depends on the rows must have been resolved.
    pub fn function(&self) -> Option<KernelFunction> {
        let Gamma::Value(gamma) = self.gamma else { return None };
        let coef0 = self.coef0;
        match self.kernel {
            Kernel::Linear => Some(KernelFunction::Linear),
            Kernel::Poly => Some(KernelFunction::Poly { gamma, coef0, degree: self.degree }),
            Kernel::Rbf => Some(KernelFunction::Rbf { gamma }),
            Kernel::Sigmoid => Some(KernelFunction::Sigmoid { gamma, coef0 }),
            Kernel::Precomputed => None,
        }
    }
}
