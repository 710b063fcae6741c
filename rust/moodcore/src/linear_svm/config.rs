//! Hyperparameters: names, defaults and ranges. This is the only place where ranges are checked.

use crate::parameters::read_json;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The loss of a row whose margin is less than one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Hinge loss: one minus the margin.
    Hinge,
    /// Squared hinge loss.
    #[default]
    SquaredHinge,
}

impl Loss {
    fn name(self) -> &'static str {
        match self {
            Loss::Hinge => "hinge",
            Loss::SquaredHinge => "squared_hinge",
        }
    }
}

/// The penalty of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Penalty {
    /// The sum of absolute weights, which makes many of them zero.
    L1,
    /// Half the sum of squared weights.
    #[default]
    L2,
}

/// Strategy for more than two classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MultiClass {
    /// One-vs-rest: one problem per class.
    #[default]
    Ovr,
    /// One problem for all classes (Crammer and Singer 2001); `loss`, `penalty` and `dual`
    /// are ignored.
    CrammerSinger,
}

/// Whether the dual or the primal problem is solved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dual {
    /// Chosen by the shape of the table; see [`super::fit`].
    #[default]
    Auto,
    /// The dual problem, by coordinate descent on one multiplier per row.
    Yes,
    /// The primal problem, whose variables are the weights.
    No,
}

impl Serialize for Dual {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Dual::Auto => to.serialize_str("auto"),
            Dual::Yes => to.serialize_bool(true),
            Dual::No => to.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for Dual {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        use serde::de::Error as _;
        let value = serde_json::Value::deserialize(from)?;
        match value {
            serde_json::Value::Bool(true) => Ok(Dual::Yes),
            serde_json::Value::Bool(false) => Ok(Dual::No),
            value if value == "auto" => Ok(Dual::Auto),
            _ => Err(D::Error::custom("must be 'auto', True or False")),
        }
    }
}

/// The hyperparameters of a linear support vector machine.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Regularization parameter, above 0; larger C fits the training data more closely.
    #[serde(rename = "C")]
    pub c: f64,
    /// The loss.
    pub loss: Loss,
    /// The penalty.
    pub penalty: Penalty,
    /// Whether the dual or the primal problem is solved.
    pub dual: Dual,
    /// Strategy for more than two classes.
    pub multi_class: MultiClass,
    /// Whether there is an intercept: the weight of a constant feature.
    pub fit_intercept: bool,
    /// The value of the constant feature, above 0; the larger, the less the intercept is penalized.
    pub intercept_scaling: f64,
    /// Tolerance, above 0: training ends when the objective is within a hundredth of it of the
    /// optimum, relatively.
    pub tol: f64,
    /// Maximum number of iterations per problem, at least 1.
    pub max_iter: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            c: 1.0,
            loss: Loss::default(),
            penalty: Penalty::default(),
            dual: Dual::default(),
            multi_class: MultiClass::default(),
            fit_intercept: true,
            intercept_scaling: 1.0,
            tol: 1e-4,
            max_iter: 1000,
        }
    }
}

impl Config {
    /// Reads hyperparameters from JSON and checks them.
    ///
    /// # Errors
    /// [`Error::Configuration`] for unknown names, wrong types and combinations that have no
    /// solver, [`Error::Parameter`] for values out of range.
    pub fn from_json(text: &str) -> Result<Self> {
        read_json(text, Config::check)
    }

    /// Checks every range, and that loss, penalty and form go together.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first value out of range, [`Error::Configuration`] for a
    /// combination that has no solver.
    pub fn check(&self) -> Result<()> {
        let above_zero =
            [("C", self.c), ("intercept_scaling", self.intercept_scaling), ("tol", self.tol)];
        for (name, value) in above_zero {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, "finite and above 0", value));
            }
        }
        // Squares of the constant feature are in the objective; beyond these they are no numbers.
        if !(1e-100..=1e100).contains(&self.intercept_scaling) {
            let value = self.intercept_scaling;
            return Err(Error::parameter("intercept_scaling", "from 1e-100 to 1e100", value));
        }
        if self.max_iter == 0 {
            return Err(Error::parameter("max_iter", "at least 1", 0));
        }
        match self.multi_class {
            MultiClass::Ovr => self.check_combination(),
            MultiClass::CrammerSinger => Ok(()),
        }
    }

    /// The same with another limit of iterations.
    pub(super) fn with_max_iter(&self, max_iter: usize) -> Self {
        Config { max_iter, ..self.clone() }
    }

    fn check_combination(&self) -> Result<()> {
        let loss = self.loss.name();
        let refuse = |what: String, allowed: &str| {
            Err(Error::Configuration(format!("{what} is not supported; {allowed}")))
        };
        match (self.penalty, self.loss, self.dual) {
            (Penalty::L1, Loss::Hinge, _) => refuse(
                "the combination of penalty=\"l1\" and loss=\"hinge\"".to_owned(),
                "penalty=\"l1\" goes with loss=\"squared_hinge\", loss=\"hinge\" with penalty=\"l2\"",
            ),
            (Penalty::L1, _, Dual::Yes) => refuse(
                format!("the combination of penalty=\"l1\" and loss=\"{loss}\" with dual=True"),
                "penalty=\"l1\" needs dual=False or \"auto\"",
            ),
            (Penalty::L2, Loss::Hinge, Dual::No) => refuse(
                "the combination of penalty=\"l2\" and loss=\"hinge\" with dual=False".to_owned(),
                "loss=\"hinge\" needs dual=True or \"auto\"",
            ),
            _ => Ok(()),
        }
    }
}
