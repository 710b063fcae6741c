//! Hyperparameters: names, defaults and ranges. This is the only place where ranges are checked.

use super::context::Outputs;
use crate::parameters::{name_or_table, read_json};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which leaf is split next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GrowPolicy {
    /// The leaf whose split gains most (Shi 2007).
    #[default]
    Lossguide,
    /// The leaf nearest the root.
    Depthwise,
}

/// What a leaf contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MultiStrategy {
    /// One value; a round grows one tree per class.
    #[default]
    OneOutputPerTree,
    /// One value per class; a round grows one tree.
    MultiOutputTree,
}

/// How a round chooses its training rows and thresholds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BoostingKind {
    /// All rows (or a `subsample` of them), all thresholds.
    #[default]
    Gbdt,
    /// A random part of the earlier trees is dropped in each round (Rashmi and Gilad-Bachrach 2015).
    Dart,
    /// The rows with large gradients, and a sample of the others (Ke et al. 2017, algorithm 2).
    Goss,
    /// One random threshold per feature and node (Geurts, Ernst and Wehenkel 2006).
    ExtraTrees,
}

/// A kind of boosting with its constants; in a configuration either its name or a table.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Boosting {
    /// The kind.
    pub kind: BoostingKind,
    /// For `dart`: probability that a round drops an earlier tree, in [0, 1].
    pub drop_rate: f64,
    /// For `dart`: probability that a round drops no tree, in [0, 1].
    pub skip_drop: f64,
    /// For `goss`: fraction of the rows, those with the largest gradients, that is kept, in (0, 1).
    pub top_rate: f64,
    /// For `goss`: fraction of the rows that is sampled from the others, in (0, 1).
    pub other_rate: f64,
    /// For `extra_trees`: fraction of the rounds whose thresholds are random, in (0, 1].
    pub extra_rate: f64,
}

impl Default for Boosting {
    fn default() -> Self {
        Boosting {
            kind: BoostingKind::Gbdt,
            drop_rate: 0.1,
            skip_drop: 0.5,
            top_rate: 0.2,
            other_rate: 0.1,
            extra_rate: 1.0,
        }
    }
}

impl Boosting {
    /// Whether the thresholds of a round are random: `extra_rate` of the rounds, evenly spread.
    pub(super) fn draws_thresholds(&self, round: usize) -> bool {
        let randomized = |rounds: usize| (rounds as f64 * self.extra_rate).ceil();
        self.kind == BoostingKind::ExtraTrees && randomized(round + 1) > randomized(round)
    }
}

/// The hyperparameters of boosting.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Number of rounds, at least 1.
    pub n_estimators: usize,
    /// Shrinkage of the values of each new tree, above 0.
    pub learning_rate: f64,
    /// Maximum number of leaves of a tree, at least 2; none for no limit.
    pub max_leaves: Option<usize>,
    /// Maximum number of splits between root and leaf, at least 1; none for no limit.
    pub max_depth: Option<usize>,
    /// Which leaf is split next.
    pub grow_policy: GrowPolicy,
    /// Minimum number of rows in a leaf; whole weights count as repetitions, others not at all.
    pub min_child_samples: f64,
    /// Minimum sum of Hessians in a leaf.
    pub min_child_weight: f64,
    /// L1 regularization of leaf values.
    pub reg_alpha: f64,
    /// L2 regularization of leaf values.
    pub reg_lambda: f64,
    /// Minimum gain of a split.
    pub gamma: f64,
    /// Maximum absolute leaf value before the learning rate; 0 for no limit.
    pub max_delta_step: f64,
    /// Fraction of the rows that a round is trained on, in (0, 1].
    pub subsample: f64,
    /// Fraction of the features sampled per tree, in (0, 1].
    pub colsample_bytree: f64,
    /// Fraction of the tree's features sampled per level, in (0, 1].
    pub colsample_bylevel: f64,
    /// Fraction of the level's features sampled per node, in (0, 1].
    pub colsample_bynode: f64,
    /// Maximum number of bins per feature, 2 to 255.
    pub max_bin: usize,
    /// How far leaf values are shrunk towards the value of the parent: a leaf of `n` rows keeps
    /// `n / (n + path_smooth)` of its own value; 0 for no shrinkage.
    pub path_smooth: f64,
    /// Features of at most this many categories are split into one category and the others.
    pub max_cat_to_onehot: usize,
    /// Maximum number of categories on the smaller side of a split of ordered categories.
    pub max_cat_threshold: usize,
    /// Added to the sum of second derivatives of each category when categories are ordered;
    /// categories with fewer rows in a node go where its missing values go.
    pub cat_smooth: f64,
    /// L2 penalty on the children of splits of ordered categories, added to `reg_lambda`.
    pub cat_l2: f64,
    /// Minimum sum of row weights between two cuts that are tried in the order of categories.
    pub min_data_per_group: f64,
    /// For each output and feature 1 (increasing), -1 (decreasing) or 0 (no constraint); empty for none.
    pub monotone_constraints: Vec<Vec<i8>>,
    /// Groups of features that may appear together on a path; empty for no constraint.
    pub interaction_constraints: Vec<Vec<usize>>,
    /// What a leaf holds.
    pub multi_strategy: MultiStrategy,
    /// How a round chooses rows and thresholds.
    #[serde(deserialize_with = "name_or_table")]
    pub boosting: Boosting,
    /// Number of rounds without improvement after which training stops, at least 1; none for never.
    pub early_stopping_rounds: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            n_estimators: 100,
            learning_rate: 0.1,
            max_leaves: Some(31),
            max_depth: None,
            grow_policy: GrowPolicy::Lossguide,
            min_child_samples: 20.0,
            min_child_weight: 1e-3,
            reg_alpha: 0.0,
            reg_lambda: 1.0,
            gamma: 0.0,
            max_delta_step: 0.0,
            subsample: 1.0,
            colsample_bytree: 1.0,
            colsample_bylevel: 1.0,
            colsample_bynode: 1.0,
            max_bin: 255,
            path_smooth: 0.0,
            max_cat_to_onehot: 4,
            max_cat_threshold: 32,
            cat_smooth: 10.0,
            cat_l2: 10.0,
            min_data_per_group: 100.0,
            monotone_constraints: Vec::new(),
            interaction_constraints: Vec::new(),
            multi_strategy: MultiStrategy::OneOutputPerTree,
            boosting: Boosting::default(),
            early_stopping_rounds: None,
        }
    }
}

impl Config {
    /// Reads hyperparameters from JSON and checks them.
    ///
    /// # Errors
    /// [`Error::Configuration`] for unknown names and wrong types, [`Error::Parameter`] for
    /// values out of range.
    pub fn from_json(text: &str) -> Result<Self> {
        read_json(text, Config::check)
    }

    /// Whether leaves hold a value for every output.
    pub(super) fn is_vector_leaf(&self) -> bool {
        self.multi_strategy == MultiStrategy::MultiOutputTree
    }

    /// The monotone sign of a feature for each of some outputs; empty without constraints.
    pub(super) fn signs(&self, outputs: Outputs, feature: usize) -> Vec<i8> {
        let signs = self.monotone_constraints.iter().skip(outputs.first).take(outputs.count);
        signs.map(|signs| signs[feature]).collect()
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first value out of range.
    pub fn check(&self) -> Result<()> {
        let counts = [
            ("n_estimators", Some(self.n_estimators), 1),
            ("max_leaves", self.max_leaves, 2),
            ("max_depth", self.max_depth, 1),
            ("max_cat_to_onehot", Some(self.max_cat_to_onehot), 1),
            ("max_cat_threshold", Some(self.max_cat_threshold), 1),
            ("early_stopping_rounds", self.early_stopping_rounds, 1),
        ];
        for (name, value, least) in counts {
            if let Some(value) = value.filter(|&value| value < least) {
                let allowed = if least == 1 { "at least 1" } else { "at least 2" };
                return Err(Error::parameter(name, allowed, value));
            }
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(Error::parameter(
                "learning_rate",
                "finite and above 0",
                self.learning_rate,
            ));
        }
        let at_least_zero = [
            ("min_child_samples", self.min_child_samples),
            ("min_child_weight", self.min_child_weight),
            ("reg_alpha", self.reg_alpha),
            ("reg_lambda", self.reg_lambda),
            ("gamma", self.gamma),
            ("max_delta_step", self.max_delta_step),
            ("path_smooth", self.path_smooth),
            ("cat_smooth", self.cat_smooth),
            ("cat_l2", self.cat_l2),
            ("min_data_per_group", self.min_data_per_group),
        ];
        for (name, value) in at_least_zero {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, "finite and at least 0", value));
            }
        }
        let shares = [
            ("subsample", self.subsample),
            ("colsample_bytree", self.colsample_bytree),
            ("colsample_bylevel", self.colsample_bylevel),
            ("colsample_bynode", self.colsample_bynode),
        ];
        for (name, value) in shares {
            if !(value > 0.0 && value <= 1.0) {
                return Err(Error::parameter(name, "in (0, 1]", value));
            }
        }
        if !(2..=255).contains(&self.max_bin) {
            return Err(Error::parameter("max_bin", "from 2 to 255", self.max_bin));
        }
        self.check_boosting()?;
        self.check_constraints()
    }

    fn check_boosting(&self) -> Result<()> {
        let Boosting { kind, drop_rate, skip_drop, top_rate, other_rate, extra_rate } =
            self.boosting;
        for (name, value) in [("drop_rate", drop_rate), ("skip_drop", skip_drop)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::parameter(name, "in [0, 1]", value));
            }
        }
        for (name, value) in [("top_rate", top_rate), ("other_rate", other_rate)] {
            if !(value > 0.0 && value < 1.0) {
                return Err(Error::parameter(name, "in (0, 1)", value));
            }
        }
        if !(extra_rate > 0.0 && extra_rate <= 1.0) {
            return Err(Error::parameter("extra_rate", "in (0, 1]", extra_rate));
        }
        if top_rate + other_rate > 1.0 {
            let sum = top_rate + other_rate;
            return Err(Error::parameter("top_rate + other_rate", "at most 1", sum));
        }
        if kind == BoostingKind::Goss && self.subsample < 1.0 {
            let allowed = "1 with boosting=\"goss\", which samples the rows itself";
            return Err(Error::parameter("subsample", allowed, self.subsample));
        }
        Ok(())
    }

    fn check_constraints(&self) -> Result<()> {
        for &sign in self.monotone_constraints.iter().flatten() {
            if !(-1..=1).contains(&sign) {
                return Err(Error::parameter("monotone_constraints", "-1, 0 or 1", sign));
            }
        }
        Ok(())
    }
}
