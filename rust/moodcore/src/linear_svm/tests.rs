use super::config::{Config, Dual, Loss, MultiClass, Penalty};
use super::crammer_singer::threshold;
use super::l1::proximal_newton;
use super::l1_columns::descend_columns;
use super::primal::newton;
use super::squared_hinge::{Curvature, Problem};
use super::table::{Table, dot};
use super::{Fit, Solver, fit, solver};
use crate::cholesky::{Factor, start_of};
use crate::kernels::Isa;
use crate::monitor::Silent;
use crate::parallel::{Compute, Team};
use crate::rng::{Purpose, Stream};
use crate::{Error, Samples};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;

/// Rows of overlapping classes.
struct Rows {
    x: Vec<f32>,
    y: Vec<u32>,
    weight: Vec<f32>,
    n_features: usize,
    n_classes: usize,
}

fn rows(seed: u64, n_rows: usize, n_features: usize, n_classes: usize) -> Rows {
    let mut stream = Stream::new(seed, Purpose::Weights, 0);
    let mut x = Vec::new();
    let mut y = Vec::new();
    let mut weight = Vec::new();
    for row in 0..n_rows {
        let class = row % n_classes;
        for feature in 0..n_features {
            let (normal, _) = stream.next_normal_pair();
            let centre = if feature % n_classes == class { 1.0 } else { 0.0 };
            x.push((normal + centre) as f32);
        }
        y.push(class as u32);
        weight.push((0.2 + stream.next_unit()) as f32);
    }
    Rows { x, y, weight, n_features, n_classes }
}

impl Rows {
    fn samples(&self) -> Samples<'_> {
        let Rows { x, y, weight, n_features, n_classes } = self;
        Samples::new(x, *n_features, y, *n_classes, Some(weight)).expect("sound rows")
    }

    fn fit(&self, config: &Config) -> Fit {
        self.fit_with(config, Isa::detect(), 1)
    }

    fn fit_with(&self, config: &Config, isa: Isa, threads: usize) -> Fit {
        let team = Team::new(threads).expect("threads");
        let compute = Compute { isa, team: &team };
        fit(config, self.samples(), None, 7, compute, &mut Silent).expect("a fit")
    }
}

/// The problem of class one against the rest, and what solvers need beside it.
fn with_problem<T>(rows: &Rows, c: f64, run: impl FnOnce(&Problem<'_>) -> T) -> T {
    let team = Team::new(1).expect("threads");
    let compute = Compute { isa: Isa::detect(), team: &team };
    let table = Table::new(&rows.samples(), true, compute);
    let stop = AtomicBool::new(false);
    let mut sign: Vec<f64> =
        rows.y.iter().map(|&code| if code == 1 { 1.0 } else { -1.0 }).collect();
    let mut cost: Vec<f64> = rows.weight.iter().map(|&weight| c * f64::from(weight)).collect();
    sign.resize(table.height(), 0.0);
    cost.resize(table.height(), 0.0);
    run(&Problem { table: &table, sign, cost, compute, stop: &stop })
}

fn config(c: f64) -> Config {
    Config { c, tol: 1e-6, max_iter: 100_000, ..Default::default() }
}

fn objective(fit: &Fit) -> f64 {
    assert!(fit.outcomes.iter().all(|outcome| outcome.converged), "{:?}", fit.outcomes);
    fit.outcomes.iter().map(|outcome| outcome.objective).sum()
}

fn assert_near(one: f64, other: f64) {
    assert!((one - other).abs() <= 2e-7 * one.abs(), "{one} and {other}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn a_factor_solves_its_equations(seed: u64, n in 1_usize..40) {
        let mut stream = Stream::new(seed, Purpose::Weights, 0);
        let root: Vec<f64> = (0..n * n).map(|_| stream.next_normal_pair().0).collect();
        let mut matrix = vec![0.0; start_of(n)];
        for i in 0..n {
            for j in 0..=i {
                let product = dot(&root[i * n..][..n], &root[j * n..][..n]);
                matrix[start_of(i) + j] = product + if i == j { 1.0 } else { 0.0 };
            }
        }
        let wanted: Vec<f64> = (0..n).map(|_| stream.next_normal_pair().0).collect();
        let entry = |i: usize, j: usize| matrix[start_of(i.max(j)) + i.min(j)];
        let mut b: Vec<f64> =
            (0..n).map(|i| (0..n).map(|j| entry(i, j) * wanted[j]).sum()).collect();
        Factor::new(matrix.clone(), n).solve(&mut b);
        for (found, wanted) in b.iter().zip(&wanted) {
            prop_assert!((found - wanted).abs() < 1e-9, "{found} and {wanted}");
        }
    }

    #[test]
    fn sums_over_blocks_are_those_of_plain_loops(
        seed: u64, n_rows in 1_usize..1400, n_features in 1_usize..9,
    ) {
        let rows = rows(seed, n_rows, n_features, 2);
        let w: Vec<f64> = (0..=n_features).map(|j| 0.3 - 0.1 * j as f64).collect();
        let sums = with_problem(&rows, 2.0, |problem| problem.sums(&w, Curvature::Full));
        let mut loss = 0.0;
        let mut gradient = vec![0.0; n_features + 1];
        let mut curvature = vec![0.0; start_of(n_features + 1)];
        for row in 0..n_rows {
            let mut x: Vec<f64> = rows.x[row * n_features..][..n_features]
                .iter().map(|&x| f64::from(x)).collect();
            x.push(1.0);
            let sign = if rows.y[row] == 1 { 1.0 } else { -1.0 };
            let cost = 2.0 * f64::from(rows.weight[row]);
            let score: f64 = x.iter().zip(&w).map(|(x, w)| x * w).sum();
            let lacks = (1.0 - sign * score).max(0.0);
            loss += cost * lacks * lacks;
            for i in 0..=n_features {
                gradient[i] -= 2.0 * cost * lacks * sign * x[i];
                for j in (0..=i).filter(|_| lacks > 0.0) {
                    curvature[start_of(i) + j] += 2.0 * cost * x[i] * x[j];
                }
            }
        }
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + loss);
        prop_assert!(near(sums.loss, loss));
        prop_assert!(sums.gradient.iter().zip(&gradient).all(|(a, b)| near(*a, *b)));
        prop_assert!(sums.curvature.iter().zip(&curvature).all(|(a, b)| near(*a, *b)));
    }

    #[test]
    fn newton_ends_where_the_gradient_is_zero(seed: u64, few: bool, exponent in -3..4_i32) {
        let rows = rows(seed, 150, 5, 3);
        let c = libm::pow(10.0, f64::from(exponent));
        let ridge = [1.0, 1.0, 1.0, 1.0, 1.0, 0.25];
        let (solution, sums) = with_problem(&rows, c, |problem| {
            let solution = newton(problem, &ridge, few, &config(c));
            let sums = problem.sums(&solution.weights, Curvature::Without);
            (solution, sums)
        });
        prop_assert!(solution.outcome.converged);
        // By strong convexity, half the square of the gradient bounds the distance.
        let excess: f64 = (0..6)
            .map(|j| sums.gradient[j] + ridge[j] * solution.weights[j])
            .map(|g| 2.0 * g * g)
            .sum();
        prop_assert!(excess <= 1e-9 * solution.outcome.objective, "{excess}");
    }

    #[test]
    fn both_forms_have_one_optimum(seed: u64, two: bool, hinge: bool, exponent in -2..2_i32) {
        let rows = rows(seed, 90, 4, if two { 2 } else { 4 });
        let loss = if hinge { Loss::Hinge } else { Loss::SquaredHinge };
        let c = libm::pow(10.0, f64::from(exponent));
        let scaled = Config { loss, intercept_scaling: 3.0, ..config(c) };
        let dual = rows.fit(&Config { dual: Dual::Yes, ..scaled.clone() });
        let auto = rows.fit(&scaled);
        prop_assert_eq!(dual.solver, Solver::DualDescent);
        prop_assert_ne!(auto.solver, Solver::DualDescent);
        assert_near(objective(&dual), objective(&auto));
    }

    #[test]
    fn both_solvers_of_the_absolute_penalty_agree(seed: u64, exponent in -2..2_i32) {
        let rows = rows(seed, 120, 6, 3);
        let c = libm::pow(10.0, f64::from(exponent));
        let price = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5];
        let (one, other) = with_problem(&rows, c, |problem| {
            let one = proximal_newton(problem, &price, vec![0.0; 7], &config(c));
            (one, descend_columns(problem, &price, vec![0.0; 7], &config(c), 3, 1))
        });
        prop_assert!(one.outcome.converged && other.outcome.converged);
        assert_near(one.outcome.objective, other.outcome.objective);
    }

    #[test]
    fn a_threshold_makes_the_sum_zero(
        wanted in prop::collection::vec(-9.0_f64..9.0, 2..8), own: prop::sample::Index,
        most in 0.01_f64..9.0,
    ) {
        let own = own.index(wanted.len());
        let found = threshold(&wanted, own, most, &mut vec![0.0; wanted.len()]);
        let bound = |class| if class == own { most } else { 0.0 };
        let sum: f64 =
            wanted.iter().enumerate().map(|(class, w)| (found - w).min(bound(class))).sum();
        prop_assert!(sum.abs() < 1e-9, "{sum}");
    }
}

/// The loss of Crammer and Singer in plain loops, at the weights of three classes or more.
fn joint_objective(rows: &Rows, fit: &Fit, c: f64) -> f64 {
    let squares = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
    let mut total = 0.5 * (squares(&fit.coef) + squares(&fit.intercept));
    for (row, x) in rows.x.chunks(rows.n_features).enumerate() {
        let weights = fit.coef.chunks(rows.n_features).zip(&fit.intercept);
        let score: Vec<f64> = weights
            .map(|(w, b)| w.iter().zip(x).map(|(w, &x)| w * f64::from(x)).sum::<f64>() + b)
            .collect();
        let own = rows.y[row] as usize;
        let lacks = (0..score.len())
            .map(|class| if class == own { 0.0 } else { 1.0 + score[class] - score[own] })
            .fold(0.0, f64::max);
        total += c * f64::from(rows.weight[row]) * lacks;
    }
    total
}

#[test]
fn all_classes_at_once_have_one_optimum() {
    for (seed, n_classes) in [(1, 3), (2, 5), (3, 4)] {
        let rows = rows(seed, 100, 4, n_classes);
        let joint = Config { multi_class: MultiClass::CrammerSinger, tol: 1e-5, ..config(0.3) };
        let inside = rows.fit(&joint);
        assert_eq!(inside.solver, Solver::JointInteriorPoint);
        assert_near(objective(&inside), joint_objective(&rows, &inside, 0.3));
        let team = Team::new(1).expect("threads");
        let compute = Compute { isa: Isa::detect(), team: &team };
        let descended =
            super::fit::fit_by(&joint, rows.samples(), Solver::JointDualDescent, 7, compute);
        assert_near(objective(&inside), objective(&descended));
        assert_near(objective(&descended), joint_objective(&rows, &descended, 0.3));
    }
}

#[test]
fn the_solver_follows_from_the_shape() {
    let auto = Config::default();
    let hinge = Config { loss: Loss::Hinge, ..auto.clone() };
    let sparse = Config { penalty: Penalty::L1, ..auto.clone() };
    let joint = Config { multi_class: MultiClass::CrammerSinger, ..auto.clone() };
    assert_eq!(solver(&auto, 50, 128, 2), Solver::Newton);
    assert_eq!(solver(&auto, 500, 129, 2), Solver::Newton);
    assert_eq!(solver(&auto, 50, 129, 2), Solver::DualDescent);
    assert_eq!(solver(&hinge, 50, 128, 2), Solver::InteriorPoint);
    assert_eq!(solver(&hinge, 500, 129, 2), Solver::DualDescent);
    assert_eq!(solver(&sparse, 50, 128, 2), Solver::ProximalNewton);
    assert_eq!(solver(&sparse, 50, 129, 2), Solver::ColumnDescent);
    assert_eq!(solver(&joint, 50, 128, 3), Solver::JointInteriorPoint);
    assert_eq!(solver(&joint, 50, 129, 3), Solver::JointDualDescent);
}

#[test]
fn threads_and_instruction_sets_change_no_bit() {
    let narrow = rows(5, 40_000, 4, 3);
    let wide = rows(6, 90, 150, 3);
    let hinge = Config { loss: Loss::Hinge, tol: 1e-2, ..Config::default() };
    let configs = [
        Config::default(),
        hinge.clone(),
        Config { penalty: Penalty::L1, ..Config::default() },
        Config { multi_class: MultiClass::CrammerSinger, tol: 1e-2, ..Config::default() },
        Config { dual: Dual::No, ..Config::default() },
        Config { dual: Dual::Yes, max_iter: 20, ..hinge },
    ];
    for config in &configs {
        for rows in [&narrow, &wide] {
            let wanted = rows.fit_with(config, Isa::Portable, 1);
            for isa in Isa::available() {
                for threads in [1, 3] {
                    let found = rows.fit_with(config, isa, threads);
                    assert_eq!(found, wanted, "{config:?} {isa:?} {threads}");
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let rows = rows(0, 20, 2, 2);
    let team = Team::new(1).expect("threads");
    let compute = Compute { isa: Isa::detect(), team: &team };
    let attempt = |config: &Config, weight: Option<&[f64]>| {
        fit(config, rows.samples(), weight, 0, compute, &mut Silent).expect_err("refused")
    };
    let fine = Config::default();
    for weight in [&[1.0][..], &[1.0, -1.0], &[f64::NAN, 1.0]] {
        assert!(matches!(attempt(&fine, Some(weight)), Error::Data(_)));
    }
    assert!(matches!(attempt(&fine, Some(&[1e100, 1.0])), Error::Data(_)));
    for wrong in [
        Config { c: 0.0, ..fine.clone() },
        Config { tol: f64::NAN, ..fine.clone() },
        Config { intercept_scaling: -1.0, ..fine.clone() },
        Config { max_iter: 0, ..fine.clone() },
    ] {
        assert!(matches!(attempt(&wrong, None), Error::Parameter { .. }));
    }
    for wrong in [
        Config { penalty: Penalty::L1, loss: Loss::Hinge, ..fine.clone() },
        Config { penalty: Penalty::L1, dual: Dual::Yes, ..fine.clone() },
        Config { loss: Loss::Hinge, dual: Dual::No, ..fine.clone() },
    ] {
        assert!(matches!(attempt(&wrong, None), Error::Configuration(_)));
        let joint = Config { multi_class: MultiClass::CrammerSinger, ..wrong };
        assert!(joint.check().is_ok());
    }
}
