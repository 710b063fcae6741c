//! Gradient-boosted trees with second-order statistics (Chen and Guestrin 2016) on histograms.
//!
//! Gradients are summed as integers, so that a sum has one value whatever the order: the same
//! model comes out for any number of threads, and a child's histogram is its parent's minus its
//! sibling's exactly.

mod batch;
mod binning;
mod boost;
mod columns;
mod config;
mod gradients;
mod grow;
mod histogram;
mod node_search;
mod predict;
mod rows;
mod sampling;
mod score;
mod shap;
mod split;
mod table;
mod training;
mod tree;
mod weights;

pub use binning::{Binner, FeatureBins};
pub use boost::fit;
pub use config::{Boosting, BoostingKind, Config, GrowPolicy, MultiStrategy};
pub use predict::Predictor;
pub use shap::contributions;
pub use table::{Column, Table, Values};
pub use training::{Derivatives, Fit, Listener, Metric, MetricKind, Plan, Rows};
pub use tree::{BinSet, Ensemble, MISSING, NONE, Node, Tree, contains};
