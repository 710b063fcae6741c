//! Linear support vector machines: the problems of LIBLINEAR (Fan, Chang, Hsieh, Wang and Lin
//! 2008), solved to a hundredth of `tol` of their objective or better.
//!
//! | file | contents |
//! |---|---|
//! | `config` | the hyperparameters, their ranges, and which go together |
//! | `fit` | choice of the solver; one problem per class; weights and intercepts |
//! | `table` | the features by columns in blocks of rows, and the sums over them |
//! | `sparse_table` | the same of sparse rows |
//! | `rows` | the features row by row |
//! | `squared_hinge` | loss, gradient and second derivatives over all rows |
//! | `primal` | squared hinge, squared penalty: Newton's method |
//! | `dual` | hinge and squared hinge, squared penalty: descent on multipliers |
//! | `interior`, `interior_rows`, `interior_block` | hinge losses of few weights: interior point method |
//! | `l1`, `l1_columns` | squared hinge, absolute penalty: proximal Newton, descent by columns |
//! | `l1_support` | the former on the columns that the latter has found to matter |
//! | `crammer_singer` | one problem for all classes: descent on multipliers |
//! | `predict` | scores of new rows |
//!
//! The intercept is the weight of a constant feature `intercept_scaling`, as in LIBLINEAR. The
//! solvers have a column of ones instead and charge the intercept `1 / intercept_scaling^2` of what
//! other squared weights cost (or `1 / intercept_scaling`), which is the same and rounds nothing.
//!
//! Subnormal numbers are not set to zero: all solvers have double precision, where the largest is
//! 2.2e-308, and stop after some tens of Newton steps. In 64 trainings on sixteen tables, the
//! smallest weight that was not zero was 1e-58, of a column that is constant for nearly all rows.

mod config;
mod crammer_singer;
mod dual;
mod fit;
mod interior;
mod interior_block;
mod interior_rows;
mod l1;
mod l1_columns;
mod l1_support;
mod predict;
mod primal;
mod rows;
mod sparse_table;
mod squared_hinge;
mod table;

pub use config::{Config, Dual, Loss, MultiClass, Penalty};
pub use fit::{fit, solver};
pub use predict::{classify, decide, decide_sparse};

/// Columns up to which a matrix of all second derivatives costs less than what it saves.
const FEW_COLUMNS: usize = 128;

/// Share of `tol` that the distance from the optimum must fall below, relative to the objective.
const GOOD: f64 = 0.01;

/// How a problem was solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solver {
    /// Newton's method on the weights.
    Newton,
    /// Coordinate descent on one multiplier per row.
    DualDescent,
    /// Primal-dual interior point method.
    InteriorPoint,
    /// Proximal Newton method for the L1 penalty.
    ProximalNewton,
    /// Coordinate descent on the weights.
    ColumnDescent,
    /// Interior point method for all classes at once.
    JointInteriorPoint,
    /// Descent on the multipliers of a row for all classes at once.
    JointDualDescent,
}

impl Solver {
    /// The solver in words.
    pub fn name(self) -> &'static str {
        match self {
            Solver::Newton => "Newton",
            Solver::DualDescent => "dual coordinate descent",
            Solver::InteriorPoint => "interior point",
            Solver::ProximalNewton => "proximal Newton",
            Solver::ColumnDescent => "coordinate descent",
            Solver::JointInteriorPoint => "interior point, all classes",
            Solver::JointDualDescent => "dual descent, all classes",
        }
    }
}

/// How the search for the weights of one problem ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Steps or passes.
    pub iterations: usize,
    /// Penalty and loss at the weights, at most.
    pub objective: f64,
    /// Whether the tolerance was met.
    pub converged: bool,
}

/// Fitted weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// One row of weights per class, or one for two classes.
    pub coef: Vec<f64>,
    /// One intercept per row of `coef`; zero without intercepts.
    pub intercept: Vec<f64>,
    /// One outcome per problem: one per class, or one for all classes.
    pub outcomes: Vec<Outcome>,
    /// The solver.
    pub solver: Solver,
}

/// The weights of one problem, that of the intercept, where there is one, last.
#[derive(Clone, Debug)]
struct Solution {
    weights: Vec<f64>,
    outcome: Outcome,
}

impl Solution {
    fn new(weights: Vec<f64>, iterations: usize, objective: f64, converged: bool) -> Self {
        Solution { weights, outcome: Outcome { iterations, objective, converged } }
    }
}

#[cfg(test)]
mod tests;
