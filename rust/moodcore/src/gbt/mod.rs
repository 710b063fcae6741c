//! Gradient-boosted trees with second-order statistics (Chen and Guestrin 2016) on histograms.
//!
//! Gradients are summed as integers, so that a sum has one value whatever the order: the same
//! model comes out for any number of threads, and a child's histogram is its parent's minus its
//! sibling's exactly.
//!
//! | file | contents |
//! |---|---|
//! | `config` | the hyperparameters and their ranges |
//! | `table`, `binning` | raw columns, and how their values become bins of one byte |
//! | `binned` | bins of a table that arrives in chunks of rows |
//! | `row_sample` | the rows of a large table from which cut points are learned |
//! | `training`, `plan`, `prepared` | inputs and results of training; their checks; the state before the first round |
//! | `weights`, `gradients` | derivatives of the loss as integers |
//! | `boost`, `round_trees` | the rounds; the trees of one |
//! | `evaluation`, `early_stopping` | the metrics of a round; the best round |
//! | `sampling`, `margins` | sampling of rows; sums of leaf values |
//! | `context`, `grow` | what trees are grown from; growing a tree leaf by leaf |
//! | `workspace`, `columns` | the memory of a tree; the features it may use |
//! | `shard`, `lockstep` | training on several hosts: their rows and sums; the steps they take together |
//! | `rows`, `cells`, `histogram` | a node's rows, how their sums are packed, the sums by bin |
//! | `node_search` | the work on two siblings |
//! | `split`, `candidates`, `rating` | the best split by one feature; its candidate cuts; their gains |
//! | `categories` | the order of a feature's bins in which cuts are tried |
//! | `score` | leaf values and scores |
//! | `tree` | trees and ensembles as training leaves them |
//! | `batch`, `predict`, `shap` | margins, leaves and Shapley values of new rows |

mod batch;
mod binned;
mod binning;
mod boost;
mod candidates;
mod categories;
mod cells;
mod columns;
mod config;
mod context;
mod counting;
mod early_stopping;
mod evaluation;
mod gradients;
mod grow;
mod histogram;
mod lockstep;
mod margins;
mod node_search;
mod plan;
mod predict;
mod prepared;
mod rating;
mod roots;
mod round_trees;
mod row_sample;
mod rows;
mod sampling;
mod score;
mod shap;
mod shard;
mod split;
mod table;
mod training;
mod tree;
mod weights;
mod workspace;

pub use batch::useful_threads;
pub use binned::{BinnedRows, Features};
pub use binning::{Binner, FeatureBins};
pub use boost::fit;
pub use config::{Boosting, BoostingKind, Config, GrowPolicy, MultiStrategy};
pub use predict::{NewRows, Predictor, check_classes, log_probabilities, probabilities};
pub use row_sample::{SAMPLE_ROWS, sample_key, sampled_rows};
pub use shap::contributions;
pub use shard::{Piece, Reduce, Shard, Totals};
pub use table::{Column, SparseValues, Table, Values};
pub use training::{
    BestRound, Derivatives, Fit, Listener, Metric, MetricKind, Plan, Progress, Rows, TrainingLoss,
};
pub use tree::{BinSet, Ensemble, MISSING, NONE, Node, Tree, contains};
pub use weights::repetitions;

#[cfg(test)]
mod tests;
