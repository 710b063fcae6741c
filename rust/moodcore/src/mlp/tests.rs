//! The network against finite differences and a plain loop in double precision, and its promises:
//! the same bits for any instruction set and any number of threads.

use super::*;
use crate::Samples;
use crate::kernels::{Isa, ScoreKind};
use crate::monitor::{EpochRecord, Monitor, Silent};
use crate::parallel::{Compute, Team};
use crate::rng::{Purpose, Stream};
use proptest::prelude::*;

/// A small table whose label depends on the features, and weights.
struct Table {
    x: Vec<f32>,
    y: Vec<u32>,
    weight: Vec<f32>,
    n_features: usize,
    n_classes: usize,
}

impl Table {
    fn new(n_rows: usize, n_features: usize, n_classes: usize, seed: u64) -> Self {
        let mut stream = Stream::new(seed, Purpose::Weights, 99);
        let mut normal = || stream.next_normal_pair().0 as f32;
        let x: Vec<f32> = (0..n_rows * n_features).map(|_| normal()).collect();
        let y = x
            .chunks(n_features)
            .map(|row| ((row.iter().sum::<f32>().abs() * 2.0) as u32).min(n_classes as u32 - 1));
        let (y, weight) = (y.collect(), (0..n_rows).map(|_| normal().abs() + 0.1).collect());
        Table { x, y, weight, n_features, n_classes }
    }

    fn samples(&self, weighted: bool) -> Samples<'_> {
        let weight = weighted.then_some(&self.weight[..]);
        Samples::new(&self.x, self.n_features, &self.y, self.n_classes, weight).unwrap()
    }
}

fn train(config: &Config, table: &Table, weighted: bool, isa: Isa, threads: usize) -> Fit {
    let team = Team::new(threads).unwrap();
    let compute = Compute { isa, team: &team };
    let samples = table.samples(weighted);
    let state = State::initial(config, table.n_features, table.n_classes, 5).unwrap();
    fit(config, samples, Some(samples), state, 5, compute, &mut Silent).unwrap()
}

/// Mean weighted cross-entropy plus penalties, by plain loops in double precision.
fn objective(config: &Config, layers: &[Vec<f64>], table: &Table, weighted: bool) -> f64 {
    let sizes: Vec<usize> =
        [&[table.n_features][..], &config.hidden_sizes, &[table.n_classes]].concat();
    let (mut total, mut weights) = (0.0, 0.0);
    for (row, features) in table.x.chunks(table.n_features).enumerate() {
        let mut a: Vec<f64> = features.iter().map(|&v| f64::from(v)).collect();
        for (l, layer) in layers.iter().enumerate() {
            let outputs = sizes[l + 1];
            let z = (0..outputs).map(|o| {
                let sum: f64 = a.iter().enumerate().map(|(i, v)| v * layer[i * outputs + o]).sum();
                sum + layer[a.len() * outputs + o]
            });
            let last = l + 1 == layers.len();
            a = z.map(|z| if last { z } else { z.max(0.0) }).collect();
        }
        let w = if weighted { f64::from(table.weight[row]) } else { 1.0 };
        let norm: f64 = a.iter().map(|z| z.exp()).sum::<f64>().ln();
        total += w * (norm - a[table.y[row] as usize]);
        weights += w;
    }
    let mut penalty = 0.0;
    for (l, layer) in layers.iter().enumerate() {
        for w in &layer[..sizes[l] * sizes[l + 1]] {
            penalty += config.l1 * w.abs() + 0.5 * config.l2 * w * w;
        }
    }
    total / weights + penalty
}

fn as_doubles(layers: &[Layer]) -> Vec<Vec<f64>> {
    let join =
        |layer: &Layer| layer.weights.iter().chain(&layer.biases).map(|&w| f64::from(w)).collect();
    layers.iter().map(join).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// One full-batch step from zero velocity is minus the rate times the gradient: it must be
    /// the gradient by central differences of the objective in double precision.
    #[test]
    fn the_step_is_the_gradient_by_finite_differences(
        hidden in prop::collection::vec(1_usize..20, 0..4),
        rows in 1_usize..300,
        features in 1_usize..20,
        classes in 2_usize..6,
        weighted: bool,
        (l1, l2) in prop_oneof![Just((0.0, 0.0)), Just((0.01, 0.1))],
        seed in 0_u64..1000,
    ) {
        let table = Table::new(rows, features, classes, seed);
        let config = Config {
            hidden_sizes: hidden, epochs: 1, batch_size: BatchSize::Full, momentum: 0.0,
            learning_rate: 1e-3, l1, l2, ..Default::default()
        };
        let start = State::initial(&config, features, classes, 5).unwrap();
        let before = as_doubles(&start.network.unpack(&start.weights));
        let fitted = train(&config, &table, weighted, Isa::detect(), 1);
        let step = as_doubles(&fitted.state.network.unpack(&fitted.state.velocity));
        for (l, layer) in before.iter().enumerate() {
            for at in (0..layer.len()).step_by(1 + layer.len() / 12) {
                let shifted = |by: f64| {
                    let mut layers = before.clone();
                    layers[l][at] += by;
                    objective(&config, &layers, &table, weighted)
                };
                let h = 1e-6;
                let (up, down, middle) = (shifted(h), shifted(-h), shifted(0.0));
                let (right, left) = ((up - middle) / h, (middle - down) / h);
                // Where the two sides differ there is a kink of a ReLU or of |w|, which the
                // middle of both would miss by half of the difference.
                if (right - left).abs() < 1e-5 {
                    let gradient = -step[l][at] / config.learning_rate;
                    prop_assert!((gradient - (up - down) / (2.0 * h)).abs() < 2e-5,
                        "layer {l}, weight {at}: {gradient} against {}", (up - down) / (2.0 * h));
                }
            }
        }
    }

    #[test]
    fn instruction_sets_and_threads_give_the_same_bits(
        hidden in prop::collection::vec(1_usize..40, 0..3),
        rows in 1_usize..400,
        batch in prop_oneof![Just(BatchSize::Full), (1_usize..300).prop_map(BatchSize::Samples)],
        weighted: bool,
        nesterov: bool,
        seed in 0_u64..1000,
    ) {
        let table = Table::new(rows, 5, 3, seed);
        let config = Config {
            hidden_sizes: hidden, epochs: 2, batch_size: batch, nesterov, record: Record::Update,
            ..Default::default()
        };
        let first = train(&config, &table, weighted, Isa::Portable, 1);
        for isa in Isa::available() {
            for threads in [1, 3] {
                let other = train(&config, &table, weighted, isa, threads);
                prop_assert_eq!(&first.state, &other.state);
                prop_assert_eq!(&first.history, &other.history);
            }
        }
    }

    #[test]
    fn layers_survive_packing(
        hidden in prop::collection::vec(1_usize..40, 0..4),
        features in 1_usize..40,
        classes in 1_usize..40,
    ) {
        let config = Config { hidden_sizes: hidden, ..Default::default() };
        let state = State::initial(&config, features, classes, 1).unwrap();
        let layers = state.network.unpack(&state.weights);
        prop_assert_eq!(state.network.pack(&layers).unwrap(), state.weights);
    }
}

#[test]
fn training_learns() {
    let table = Table::new(2_000, 4, 3, 1);
    let config = Config { epochs: 60, learning_rate: 0.02, ..Default::default() };
    let fitted = train(&config, &table, false, Isa::detect(), 1);
    let accuracy = &fitted.history.accuracy;
    assert!(accuracy[59] > 0.93, "{accuracy:?}");
    assert!(fitted.history.eval_loss[59] < 0.5 * fitted.history.eval_loss[0]);
}

#[test]
fn going_on_is_the_same_as_going_through() {
    let table = Table::new(300, 4, 3, 2);
    let config = |epochs| Config { epochs, ..Default::default() };
    let through = train(&config(5), &table, true, Isa::detect(), 1);
    let half = train(&config(2), &table, true, Isa::detect(), 1);
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let rest =
        fit(&config(3), table.samples(true), None, half.state, 5, compute, &mut Silent).unwrap();
    assert_eq!(through.state, rest.state);
}

#[test]
fn divergence_returns_the_last_state_of_finite_loss() {
    let table = Table::new(500, 4, 3, 3);
    let config =
        Config { learning_rate: 1e18, epochs: 50, record: Record::Update, ..Default::default() };
    let fitted = train(&config, &table, false, Isa::detect(), 1);
    let Outcome::Diverged { epoch, update } = fitted.outcome else {
        panic!("must diverge, got {:?}", fitted.outcome)
    };
    assert!(epoch >= 1 && update >= 1);
    assert!(fitted.state.weights.iter().all(|w| w.is_finite()));
    assert!(fitted.history.update_loss.iter().all(|loss| loss.is_finite()));
}

#[test]
fn early_stopping_keeps_the_best_epoch() {
    let (train_on, watch) = (Table::new(40, 6, 3, 4), Table::new(200, 6, 3, 5));
    let config = Config {
        epochs: 500,
        learning_rate: 0.05,
        early_stopping: true,
        patience: 7,
        tol: 0.0,
        hidden_sizes: vec![32],
        ..Default::default()
    };
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let state = State::initial(&config, 6, 3, 5).unwrap();
    let (samples, eval) = (train_on.samples(false), Some(watch.samples(false)));
    let fitted = fit(&config, samples, eval, state, 5, compute, &mut Silent).unwrap();
    let (Outcome::EarlyStopped, Some(best_epoch)) = (fitted.outcome, fitted.best_epoch) else {
        panic!("must stop early, got {:?}", fitted.outcome)
    };
    let losses = &fitted.history.eval_loss;
    assert_eq!(losses.len(), best_epoch + 7);
    assert!(losses.iter().all(|&loss| loss >= losses[best_epoch - 1]));
    assert_eq!(fitted.state.epoch, best_epoch);
}

#[test]
fn predictions_agree_with_each_other() {
    let table = Table::new(300, 5, 4, 6);
    let config = Config { epochs: 3, ..Default::default() };
    let fitted = train(&config, &table, false, Isa::detect(), 1);
    let State { network, weights, .. } = &fitted.state;
    let scores = |kind, threads| {
        let team = Team::new(threads).unwrap();
        let compute = Compute { isa: Isa::detect(), team: &team };
        let mut out = vec![0.0; 300 * 4];
        predict(network, weights, &table.x, kind, &mut out, compute, &mut Silent).unwrap();
        out
    };
    let probability = scores(ScoreKind::Probability, 1);
    let log_probability = scores(ScoreKind::LogProbability, 2);
    let logit = scores(ScoreKind::Logit, 1);
    for ((p, l), z) in probability.chunks(4).zip(log_probability.chunks(4)).zip(logit.chunks(4)) {
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        for c in 0..4 {
            assert!((p[c].ln() - l[c]).abs() < 1e-5);
            assert!((l[c] - l[0] - (z[c] - z[0])).abs() < 1e-5);
        }
    }
}

/// Stops at the given epoch.
struct StopAt(usize);

impl Monitor for StopAt {
    fn epoch(&mut self, record: &EpochRecord) -> crate::Result<()> {
        if record.epoch == self.0 { Err(crate::Error::Stopped("enough".into())) } else { Ok(()) }
    }

    fn poll(&mut self) -> crate::Result<()> {
        Ok(())
    }
}

#[test]
fn a_monitor_can_stop_training() {
    let table = Table::new(100, 4, 3, 7);
    let config = Config::default();
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let state = State::initial(&config, 4, 3, 5).unwrap();
    let stopped = fit(&config, table.samples(false), None, state, 5, compute, &mut StopAt(4));
    assert!(matches!(stopped, Err(crate::Error::Stopped(_))));
}

#[test]
fn wrong_configurations_are_refused_by_name() {
    let refused = |text: &str, says: &str| {
        let message = Config::from_json(text).unwrap_err().to_string();
        assert!(message.contains(says), "{message}");
    };
    refused(r#"{"learning_rate": -1.0}"#, "learning_rate must be finite and above 0, got -1");
    refused(r#"{"learning_rte": 0.1}"#, "has no key 'learning_rte'; did you mean 'learning_rate'?");
    refused(
        r#"{"batch_size": "ful"}"#,
        "batch_size must be an int of at least 1 or 'full', got 'ful'",
    );
    refused(r#"{"batch_size": 0}"#, "batch_size must be at least 1");
    refused(r#"{"hidden_sizes": [8, 0]}"#, "hidden_sizes must be widths from 1 to 65536, got 0");
    refused(r#"{"momentum": 1.0}"#, "momentum must be in [0, 1), got 1");
    refused(r#"{"epochs": 2.5}"#, "epochs must be an int, got 2.5");
    refused(r#"{"learning_rate_schedule": "steps"}"#, "got 'steps'; did you mean 'step'?");
    refused(r#"{"learning_rate_schedule": {"kind": "step", "factor": 0}}"#, "factor must be in");
}
