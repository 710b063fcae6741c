//! Training: choice of the solver, one problem per class, and conversion of the solution.

use super::config::{Config, Dual, Loss, MultiClass, Penalty};
use super::crammer_singer::{JointProblem, descend_jointly};
use super::dual::{DualProblem, descend};
use super::interior::{Choices, interior};
use super::l1::proximal_newton;
use super::l1_columns::descend_columns;
use super::l1_support::solve_support;
use super::primal::newton;
use super::rows::{TrainingRows, squared_lengths};
use super::squared_hinge::Problem;
use super::table::Table;
use super::{FEW_COLUMNS, Fit, Outcome, Solution, Solver};
use crate::memory::{CollectVec, filled, resize};
use crate::monitor::Monitor;
use crate::parallel::{Compute, attended};
use crate::{Error, Result, Samples};
use std::sync::atomic::AtomicBool;

/// Unknowns up to which one problem of all classes is solved by the interior point method.
const FEW_UNKNOWNS: usize = 256;

/// Passes of coordinate descent after which another method finishes where it can.
const PATIENCE: usize = 100;
/// The same of descent by columns: it finds most columns that matter in a few passes.
const COLUMN_PATIENCE: usize = 10;

/// Which solver fits the hyperparameters and the shape of the table.
///
/// `columns` counts the constant feature. With `dual` left to the shape: the squared hinge goes
/// to Newton's method unless there are more columns than rows and more than 128; the hinge goes to
/// the interior point method with up to 128 columns, else to coordinate descent.
pub fn solver(config: &Config, n_rows: usize, columns: usize, n_classes: usize) -> Solver {
    let few = columns <= FEW_COLUMNS;
    if config.multi_class == MultiClass::CrammerSinger {
        let unknowns = columns.saturating_mul(n_classes.saturating_sub(1));
        return if unknowns <= FEW_UNKNOWNS {
            Solver::JointInteriorPoint
        } else {
            Solver::JointDualDescent
        };
    }
    match (config.penalty, config.loss, config.dual) {
        (Penalty::L1, ..) if few => Solver::ProximalNewton,
        (Penalty::L1, ..) => Solver::ColumnDescent,
        (_, _, Dual::Yes) => Solver::DualDescent,
        (_, Loss::Hinge, _) if few => Solver::InteriorPoint,
        (_, Loss::Hinge, _) => Solver::DualDescent,
        (_, _, Dual::No) => Solver::Newton,
        (_, _, Dual::Auto) if few || columns <= n_rows => Solver::Newton,
        _ => Solver::DualDescent,
    }
}

/// What all problems of one fit share.
struct Shared<'a> {
    config: &'a Config,
    samples: Samples<'a>,
    class_weight: &'a [f64],
    solver: Solver,
    /// The square of the constant feature, or zero.
    constant: f64,
    /// Empty for solvers that go row by row to the end.
    table: Table,
    /// Empty for those that go by columns.
    squared_lengths: Vec<f64>,
    seed: u64,
    compute: Compute<'a>,
    stop: &'a AtomicBool,
}

/// Fits the weights.
///
/// `class_weight` has one factor of C for each class. As in LIBLINEAR, each against the rest
/// with more than two classes, the rows of the rest keep their own C.
///
/// # Errors
/// [`Error::Parameter`] and [`Error::Configuration`] as [`Config::check`]; [`Error::Data`] for
/// fewer than two classes and for class weights that are not one finite number of at least zero per
/// class; whatever the monitor stops with.
pub fn fit(
    config: &Config,
    samples: Samples<'_>,
    class_weight: Option<&[f64]>,
    seed: u64,
    compute: Compute<'_>,
    monitor: &mut dyn Monitor,
) -> Result<Fit> {
    config.check()?;
    let equal = filled(1.0, samples.n_classes());
    let class_weight = class_weight.unwrap_or(&equal);
    check_classes(config, &samples, class_weight)?;
    attended(&mut || monitor.poll(), |stop| {
        let columns = samples.n_features() + usize::from(config.fit_intercept);
        let solver = solver(config, samples.n_rows(), columns, samples.n_classes());
        Shared::new(config, samples, class_weight, solver, seed, compute, stop).fit()
    })
}

/// Fits by a solver of the caller's choice.
#[cfg(test)]
pub(super) fn fit_by(
    config: &Config,
    samples: Samples<'_>,
    solver: Solver,
    seed: u64,
    compute: Compute<'_>,
) -> Fit {
    let (stop, equal) = (AtomicBool::new(false), filled(1.0, samples.n_classes()));
    Shared::new(config, samples, &equal, solver, seed, compute, &stop).fit()
}

fn check_classes(config: &Config, samples: &Samples<'_>, class_weight: &[f64]) -> Result<()> {
    let n_classes = samples.n_classes();
    if n_classes < 2 {
        return Err(Error::Data(format!("there must be at least two classes, got {n_classes}")));
    }
    let sound = |weight: &f64| weight.is_finite() && *weight >= 0.0;
    if class_weight.len() != n_classes || !class_weight.iter().all(sound) {
        return Err(Error::Data(format!(
            "class weights must be {n_classes} finite numbers of at least zero, got \
             {class_weight:?}"
        )));
    }
    let heaviest = class_weight.iter().fold(1.0, |a: f64, &b| a.max(b));
    let weights = (0..samples.n_rows()).map(|row| samples.weight(row));
    let most = weights.fold(0.0, f64::max) * heaviest * config.c;
    // Squares of it must be numbers.
    if most <= 1e100 {
        return Ok(());
    }
    Err(Error::Data(format!(
        "C times the weight of a row and of its class must be at most 1e100, got {most:e}"
    )))
}

impl<'a> Shared<'a> {
    fn new(
        config: &'a Config,
        samples: Samples<'a>,
        class_weight: &'a [f64],
        solver: Solver,
        seed: u64,
        compute: Compute<'a>,
        stop: &'a AtomicBool,
    ) -> Self {
        let columns = samples.n_features() + usize::from(config.fit_intercept);
        let scaling = config.intercept_scaling;
        let constant = if config.fit_intercept { scaling * scaling } else { 0.0 };
        let by_row = matches!(solver, Solver::DualDescent | Solver::JointDualDescent);
        let finishes = solver == Solver::DualDescent && columns <= FEW_COLUMNS;
        let table = if by_row && !finishes {
            Table::default()
        } else {
            Table::new(&samples, config.fit_intercept, compute)
        };
        let squared_lengths = if by_row { squared_lengths(&samples, constant) } else { Vec::new() };
        Shared {
            config,
            samples,
            class_weight,
            solver,
            constant,
            table,
            squared_lengths,
            seed,
            compute,
            stop,
        }
    }

    fn fit(&self) -> Fit {
        let n_classes = self.samples.n_classes();
        let joint = matches!(self.solver, Solver::JointInteriorPoint | Solver::JointDualDescent);
        if joint {
            let (vectors, outcome) = self.solve_jointly();
            return self.finish(vectors, vec![outcome]);
        }
        // With two classes, the second against the first.
        let first = usize::from(n_classes == 2);
        let mut solutions: Vec<Option<Solution>> = filled(None, n_classes - first);
        self.compute.team.for_each(&mut solutions, |at, solution| {
            *solution = Some(self.solve(at + first));
        });
        let solutions: Vec<Solution> = solutions.into_iter().flatten().collect_vec();
        let outcomes = solutions.iter().map(|solution| solution.outcome).collect_vec();
        self.finish(solutions.into_iter().map(|solution| solution.weights).collect_vec(), outcomes)
    }

    fn finish(&self, vectors: Vec<Vec<f64>>, outcomes: Vec<Outcome>) -> Fit {
        let n_features = self.samples.n_features();
        let intercept = |vector: &Vec<f64>| vector.get(n_features).copied().unwrap_or(0.0);
        Fit {
            intercept: vectors.iter().map(intercept).collect_vec(),
            coef: vectors.iter().flat_map(|vector| &vector[..n_features]).copied().collect_vec(),
            outcomes,
            solver: self.solver,
        }
    }

    /// Costs of the rows where `class` stands against the rest, `height` in number.
    fn costs(&self, class: Option<usize>, height: usize) -> Vec<f64> {
        let several = self.samples.n_classes() > 2;
        let cost = |row| {
            let code = self.samples.code(row);
            let rest = several && class.is_some_and(|class| class != code);
            let factor = if rest { 1.0 } else { self.class_weight[code] };
            self.config.c * self.samples.weight(row) * factor
        };
        let mut costs: Vec<f64> = (0..self.samples.n_rows()).map(cost).collect_vec();
        resize(&mut costs, height, 0.0);
        costs
    }

    fn signs(&self, class: usize, height: usize) -> Vec<f64> {
        let sign = |row| if self.samples.code(row) == class { 1.0 } else { -1.0 };
        let mut signs: Vec<f64> = (0..self.samples.n_rows()).map(sign).collect_vec();
        resize(&mut signs, height, 0.0);
        signs
    }

    /// One for each feature, and what the constant feature makes of it for the intercept, whose
    /// weight is the intercept over that feature.
    fn prices(&self, of_intercept: f64) -> Vec<f64> {
        let mut prices = filled(1.0, self.samples.n_features());
        if self.config.fit_intercept {
            prices.push(of_intercept);
        }
        prices
    }

    /// Solves the problem of one class against the rest.
    fn solve(&self, class: usize) -> Solution {
        let (config, scaling) = (self.config, self.config.intercept_scaling);
        match self.solver {
            Solver::Newton => self.solve_by_newton(class, config),
            Solver::ProximalNewton => {
                let price = self.prices(1.0 / scaling);
                proximal_newton(&self.problem(class), &price, filled(0.0, price.len()), config)
            }
            Solver::ColumnDescent => self.solve_by_columns(class),
            Solver::InteriorPoint | Solver::JointInteriorPoint => {
                self.solve_by_interior(class, config)
            }
            Solver::DualDescent | Solver::JointDualDescent => self.solve_by_descent(class),
        }
    }

    fn problem(&self, class: usize) -> Problem<'_> {
        let height = self.table.height();
        Problem {
            table: &self.table,
            sign: self.signs(class, height),
            cost: self.costs(Some(class), height),
            compute: self.compute,
            stop: self.stop,
        }
    }

    fn solve_by_newton(&self, class: usize, config: &Config) -> Solution {
        let scaling = config.intercept_scaling;
        let ridge = self.prices(1.0 / (scaling * scaling));
        newton(&self.problem(class), &ridge, self.table.width() <= FEW_COLUMNS, config)
    }

    fn solve_by_interior(&self, class: usize, config: &Config) -> Solution {
        // The class is the first option, whose weights are free; the rest is the last.
        let other = |row| u32::from(self.samples.code(row) != class);
        let mut own: Vec<u32> = (0..self.samples.n_rows()).map(other).collect_vec();
        resize(&mut own, self.table.height(), 0);
        let cost = self.costs(Some(class), self.table.height());
        let ridge = self.prices(1.0 / (config.intercept_scaling * config.intercept_scaling));
        interior(&self.choices(own, cost, &ridge, 2, 0.0), config)
    }

    /// Descent by columns, which another method finishes where few columns matter.
    fn solve_by_columns(&self, class: usize) -> Solution {
        let (config, problem) = (self.config, self.problem(class));
        let price = self.prices(1.0 / config.intercept_scaling);
        let descend = |weights, config: &Config| {
            descend_columns(&problem, &price, weights, config, self.seed, class as u64)
        };
        let patience = config.max_iter.min(COLUMN_PATIENCE);
        let first = descend(filled(0.0, price.len()), &config.with_max_iter(patience));
        if first.outcome.converged || patience == config.max_iter {
            return first;
        }
        let left = config.with_max_iter(config.max_iter - patience);
        let finished = solve_support(&problem, &price, &left, &first.weights);
        let mut solution = finished.unwrap_or_else(|| descend(first.weights, &left));
        solution.outcome.iterations += patience;
        solution
    }

    /// Descent on the multipliers. With few columns, C large and classes that overlap it takes
    /// tens of thousands of passes; there another method finishes what it has not.
    fn solve_by_descent(&self, class: usize) -> Solution {
        let (config, n_rows) = (self.config, self.samples.n_rows());
        let finishes = self.table.width() > 0 && config.max_iter > PATIENCE;
        let patience = if finishes { PATIENCE } else { config.max_iter };
        let problem = DualProblem {
            rows: self.training_rows(),
            sign: &self.signs(class, n_rows),
            cost: &self.costs(Some(class), n_rows),
            loss: config.loss,
            isa: self.compute.isa,
            stop: self.stop,
        };
        let descended = descend(&problem, &config.with_max_iter(patience), self.seed, class as u64);
        if descended.outcome.converged || !finishes {
            return descended;
        }
        let left = config.with_max_iter(config.max_iter - patience);
        let mut finished = match config.loss {
            Loss::Hinge => self.solve_by_interior(class, &left),
            Loss::SquaredHinge => self.solve_by_newton(class, &left),
        };
        finished.outcome.iterations += patience;
        let better = finished.outcome.objective <= descended.outcome.objective;
        if better || finished.outcome.converged { finished } else { descended }
    }

    fn training_rows(&self) -> TrainingRows<'_> {
        TrainingRows {
            samples: self.samples,
            squared_lengths: &self.squared_lengths,
            constant: self.constant,
        }
    }

    fn choices<'s>(
        &'s self,
        own: Vec<u32>,
        cost: Vec<f64>,
        ridge: &'s [f64],
        n_options: usize,
        coupling: f64,
    ) -> Choices<'s> {
        Choices {
            table: &self.table,
            n_options,
            own,
            cost,
            ridge,
            coupling,
            compute: self.compute,
            stop: self.stop,
        }
    }

    /// Solves the one problem of all classes; of two, gives the difference of their weights.
    fn solve_jointly(&self) -> (Vec<Vec<f64>>, Outcome) {
        let n_classes = self.samples.n_classes();
        let mut own: Vec<u32> =
            (0..self.samples.n_rows()).map(|row| self.samples.code(row) as u32).collect_vec();
        let solution = if self.solver == Solver::JointDualDescent {
            let problem = JointProblem {
                rows: self.training_rows(),
                own: &own,
                cost: &self.costs(None, own.len()),
                n_classes,
                isa: self.compute.isa,
                stop: self.stop,
            };
            descend_jointly(&problem, self.config, self.seed)
        } else {
            let scaling = self.config.intercept_scaling;
            let height = self.table.height();
            resize(&mut own, height, 0);
            let ridge = self.prices(1.0 / (scaling * scaling));
            let coupling = 1.0 / n_classes as f64;
            let choices = self.choices(own, self.costs(None, height), &ridge, n_classes, coupling);
            interior(&choices, self.config)
        };
        let width = self.samples.n_features() + usize::from(self.config.fit_intercept);
        let vectors = centered(&solution.weights, width, n_classes);
        (vectors, solution.outcome)
    }
}

/// The weights of all classes with a sum of zero (those of a last class that is missing are
/// zero before); of two classes, those of the second minus those of the first.
fn centered(weights: &[f64], width: usize, n_classes: usize) -> Vec<Vec<f64>> {
    let mut vectors: Vec<Vec<f64>> = weights.chunks(width).map(<[f64]>::to_vec).collect_vec();
    vectors.resize(n_classes, filled(0.0, width));
    if let [first, second] = &vectors[..] {
        return vec![second.iter().zip(first).map(|(b, a)| b - a).collect_vec()];
    }
    for column in 0..width {
        let sum: f64 = vectors.iter().map(|vector| vector[column]).sum();
        let mean = sum / n_classes as f64;
        vectors.iter_mut().for_each(|vector| vector[column] -= mean);
    }
    vectors
}
