use super::*;
use crate::kernels::Isa;
use crate::parallel::{Compute, Team};
use crate::rng::{Purpose, Stream};
use proptest::prelude::*;

/// Overlapping classes, one after the other.
fn table(n_rows: usize, n_classes: usize, seed: u64) -> (Vec<f32>, Vec<u32>) {
    let mut stream = Stream::new(seed, Purpose::Shuffle, 0);
    let y: Vec<u32> = (0..n_rows).map(|row| (row % n_classes) as u32).collect();
    let x = y.iter().flat_map(|&code| {
        let ((a, b), (c, _)) = (stream.next_normal_pair(), stream.next_normal_pair());
        [a + f64::from(code), b - f64::from(code % 2), c].map(|value| value as f32)
    });
    (x.collect(), y)
}

fn rows<'a>(x: &'a [f32], y: &'a [u32], n_classes: usize) -> Rows<'a> {
    Rows::new(Values::features(x, 3), y, n_classes, None).unwrap()
}

fn fitted(config: &Config, rows: &Rows<'_>, isa: Isa, threads: usize) -> Fitted {
    let team = Team::new(threads).unwrap();
    fit(config, rows, 3, Compute { isa, team: &team }, &mut || Ok(())).unwrap()
}

fn rbf(a: &[f32], b: &[f32], gamma: f64) -> f64 {
    let square = |(&a, &b): (&f32, &f32)| (f64::from(a) - f64::from(b)).powi(2);
    libm::exp(-gamma * a.iter().zip(b).map(square).sum::<f64>())
}

/// The largest gain rate of a pair, from kernel values in double precision.
fn violation(x: &[f32], y: &[u32], pair: (u32, u32), beta: &[f64], config: &Config) -> f64 {
    let Gamma::Value(gamma) = config.gamma else { panic!("gamma must be a number") };
    let members: Vec<usize> =
        (0..y.len()).filter(|&row| y[row] == pair.0 || y[row] == pair.1).collect();
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    for (&row, &own) in members.iter().zip(beta) {
        let sign = if y[row] == pair.0 { 1.0 } else { -1.0 };
        let product = |(&other, beta): (&usize, &f64)| {
            beta * rbf(&x[row * 3..][..3], &x[other * 3..][..3], gamma)
        };
        let gradient = members.iter().zip(beta).map(product).sum::<f64>() - sign;
        let (lower, upper) = if sign > 0.0 { (0.0, config.c) } else { (-config.c, 0.0) };
        assert!((lower..=upper).contains(&own));
        if own < upper {
            least = least.min(gradient);
        }
        if own > lower {
            greatest = greatest.max(gradient);
        }
    }
    greatest - least
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_optimum_is_one_in_double_precision(
        n_rows in 6_usize..150,
        n_classes in 2_usize..4,
        c in prop_oneof![Just(0.1), Just(1.0), Just(300.0)],
        seed in 0_u64..1000,
    ) {
        let (x, y) = table(n_rows, n_classes, seed);
        let config = Config { c, gamma: Gamma::Value(0.4), ..Config::default() };
        let fit = fitted(&config, &rows(&x, &y, n_classes), Isa::detect(), 1);
        for (found, pair) in fit.pairs.iter().zip(super::fit::pairs(n_classes)) {
            prop_assert!(found.converged && found.duality_gap > -1e-6);
            prop_assert!(found.coefficients.iter().sum::<f64>().abs() < 1e-9 * c * n_rows as f64);
            let left = violation(&x, &y, pair, &found.coefficients, &config);
            prop_assert!(left <= 1.05 * config.tol, "{left}");
        }
    }

    #[test]
    fn coupled_probabilities_are_those_that_agree_with_all_pairs(
        weights in prop::collection::vec(0.05_f64..1.0, 2..6),
    ) {
        let k = weights.len();
        let sum: f64 = weights.iter().sum();
        let pairwise: Vec<f64> = super::fit::pairs(k)
            .into_iter()
            .map(|(a, b)| weights[a as usize] / (weights[a as usize] + weights[b as usize]))
            .collect();
        let mut p = vec![0.0; k];
        couple(k, &pairwise, &mut p);
        prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        for (p, weight) in p.iter().zip(&weights) {
            prop_assert!((p - weight / sum).abs() < 0.02);
        }
    }
}

#[test]
fn threads_and_instructions_give_the_same_bits() {
    let (x, y) = table(1500, 2, 1);
    let config = Config { c: 20.0, probability: true, ..Config::default() };
    let rows = rows(&x, &y, 2);
    let bits = |fit: &Fitted| {
        let pair = &fit.pairs[0];
        let sigmoid = pair.sigmoid.unwrap();
        let mut all: Vec<u64> = fit.dual_coef.iter().map(|value| value.to_bits()).collect();
        all.extend([pair.intercept, pair.duality_gap, sigmoid.a, sigmoid.b].map(f64::to_bits));
        (all, fit.support.clone(), pair.n_iter)
    };
    let wanted = bits(&fitted(&config, &rows, Isa::detect(), 1));
    for isa in Isa::available() {
        for threads in [1, 3] {
            assert_eq!(bits(&fitted(&config, &rows, isa, threads)), wanted, "{}", isa.name());
        }
    }
}

#[test]
fn shrinking_changes_the_steps_and_not_the_optimum() {
    let (x, y) = table(1500, 2, 2);
    let config = Config { tol: 1e-5, ..Config::default() };
    let rows = rows(&x, &y, 2);
    let plain = fitted(&config, &rows, Isa::detect(), 1);
    let whole = fitted(&Config { shrinking: false, ..config.clone() }, &rows, Isa::detect(), 1);
    let objective = plain.pairs[0].dual_objective;
    assert!((whole.pairs[0].dual_objective - objective).abs() < 1e-6 * objective.abs());
}

/// The sum over support vectors of a model of two classes of `table`.
fn decision(x: &[f32], fit: &PairFit, rows: &[usize], new: usize) -> f64 {
    let term =
        |(&row, beta): (&usize, &f64)| beta * rbf(&x[row * 3..][..3], &x[new * 3..][..3], 0.4);
    rows.iter().zip(&fit.coefficients).map(term).sum::<f64>() + fit.intercept
}

#[test]
fn folds_of_probabilities_are_models_trained_without_the_rows_held_out() {
    for (n, c) in [(300, 1.0), (1300, 1.0), (1300, 50.0)] {
        let (x, y) = table(n, 2, 6);
        let config = Config { c, gamma: Gamma::Value(0.4), probability: true, ..Config::default() };
        let whole = fitted(&config, &rows(&x, &y, 2), Isa::detect(), 1);
        let plain = Config { probability: false, ..config };
        let mut order: Vec<usize> = (0..n).collect();
        let mut stream = Stream::new(3, Purpose::Folds, 0);
        for at in (1..n).rev() {
            order.swap(at, (stream.next_u64() % (at as u64 + 1)) as usize);
        }
        let mut decisions = vec![0.0; n];
        for fold in 0..5 {
            let held: Vec<usize> = order.iter().copied().skip(fold).step_by(5).collect();
            let rest: Vec<usize> = (0..n).filter(|row| !held.contains(row)).collect();
            let x_rest: Vec<f32> = rest.iter().flat_map(|row| x[row * 3..][..3].to_vec()).collect();
            let y_rest: Vec<u32> = rest.iter().map(|&row| y[row]).collect();
            let fit = fitted(&plain, &rows(&x_rest, &y_rest, 2), Isa::detect(), 1);
            held.iter().for_each(|&row| decisions[row] = decision(&x, &fit.pairs[0], &rest, row));
        }
        let signs: Vec<f64> = y.iter().map(|&code| if code == 0 { 1.0 } else { -1.0 }).collect();
        let wanted = super::calibration::fit_sigmoid(&decisions, &signs);
        let found = whole.pairs[0].sigmoid.unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 0.01;
        assert!(near(found.a, wanted.a) && near(found.b, wanted.b), "{found:?} {wanted:?}");
    }
}

#[test]
fn the_sigmoid_is_the_most_likely_one() {
    let mut stream = Stream::new(8, Purpose::Shuffle, 0);
    for n in [3, 40, 50_000] {
        let signs: Vec<f64> = (0..n).map(|row| if row % 3 == 0 { 1.0 } else { -1.0 }).collect();
        let decisions: Vec<f64> = signs.iter().map(|y| y + stream.next_normal_pair().0).collect();
        let found = super::calibration::fit_sigmoid(&decisions, &signs);
        let positive = signs.iter().filter(|&&y| y > 0.0).count() as f64;
        let (mut along_a, mut along_b) = (0.0, 0.0);
        for (f, &y) in decisions.iter().zip(&signs) {
            let high = (positive + 1.0) / (positive + 2.0);
            let target = if y > 0.0 { high } else { 1.0 / (n as f64 - positive + 2.0) };
            along_a += f * (target - found.probability(*f));
            along_b += target - found.probability(*f);
        }
        assert!(along_a.abs() < 1e-4 && along_b.abs() < 1e-4, "{n} rows: {along_a} {along_b}");
    }
}

#[test]
fn decisions_are_plain_sums() {
    let (x, y) = table(90, 3, 4);
    let config = Config { gamma: Gamma::Value(0.4), ..Config::default() };
    let fit = fitted(&config, &rows(&x, &y, 3), Isa::detect(), 1);
    let vectors: Vec<f32> =
        fit.support.iter().flat_map(|&row| x[row as usize * 3..][..3].to_vec()).collect();
    let intercept: Vec<f64> = fit.pairs.iter().map(|pair| pair.intercept).collect();
    let parts = (fit.n_support.clone(), fit.dual_coef.clone(), intercept.clone());
    let model = Model::new(parts.0, parts.1, parts.2).unwrap();
    let team = Team::new(2).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let mut out = vec![0.0; 90 * 3];
    let kernel = config.function().unwrap();
    let laid_out = model.lay_out(kernel, Features::Dense { x: &vectors, n_features: 3 }).unwrap();
    model
        .decide(&laid_out, Features::Dense { x: &x, n_features: 3 }, &mut out, compute, &mut || {
            Ok(())
        })
        .unwrap();
    let n = fit.support.len();
    for (row, out) in out.chunks(3).enumerate() {
        for ((a, b), (&decision, intercept)) in
            super::fit::pairs(3).into_iter().zip(out.iter().zip(&intercept))
        {
            let term = |at: usize| match y[fit.support[at] as usize] {
                code if code == a => fit.dual_coef[(b as usize - 1) * n + at],
                code if code == b => fit.dual_coef[a as usize * n + at],
                _ => 0.0,
            };
            let value = |at: usize| rbf(&x[row * 3..][..3], &vectors[at * 3..][..3], 0.4);
            let wanted = (0..n).map(|at| term(at) * value(at)).sum::<f64>() + intercept;
            assert!((decision - wanted).abs() < 1e-5);
        }
    }
}

#[test]
fn a_listener_stops_a_long_fit() {
    let (x, y) = table(20_000, 2, 5);
    let config = Config { c: 1e4, ..Config::default() };
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let stop = &mut || Err(crate::Error::Stopped("enough".into()));
    let found = fit(&config, &rows(&x, &y, 2), 0, compute, stop);
    assert!(matches!(found, Err(crate::Error::Stopped(_))));
}

#[test]
fn what_is_wrong_is_named() {
    let message = |error: crate::Error| error.to_string();
    let wrong = Config { c: 0.0, ..Config::default() };
    assert_eq!(message(wrong.check().unwrap_err()), "C must be finite and above 0, got 0");
    let x = [0.0, f32::NAN, 0.0];
    let found = Rows::new(Values::features(&x, 1), &[0, 1, 1], 2, None);
    assert!(message(found.unwrap_err()).contains("NaN in row 1, column 0"));
    let found = Rows::new(Values::Kernel(&[0.0; 6]), &[0, 1, 1], 2, None);
    assert!(message(found.unwrap_err()).contains("a square matrix with a row for each of 3"));
}
