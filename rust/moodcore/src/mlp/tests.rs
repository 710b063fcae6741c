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

/// Gradient descent with momentum, 16-16, ReLU, and nothing else.
fn plain() -> Config {
    Config {
        hidden_sizes: vec![16, 16],
        n_networks: 1,
        activation: Activation::Relu,
        optimizer: Optimizer::Sgd,
        learning_rate: 0.005,
        momentum: 0.9,
        beta2: 0.999,
        batch_size: BatchSize::Samples(32),
        epochs: 300,
        weight_decay: 0.0,
        dropout: 0.0,
        label_smoothing: 0.0,
        init: Init::He,
        learning_rate_schedule: Schedule::default(),
        early_stopping: false,
        n_iter_no_change: None,
        ..Default::default()
    }
}

fn train(config: &Config, table: &Table, weighted: bool, isa: Isa, threads: usize) -> Fit {
    let team = Team::new(threads).unwrap();
    let compute = Compute { isa, team: &team };
    let samples = table.samples(weighted);
    let state = State::initial(config, table.n_features, table.n_classes, 5).unwrap();
    let rows = Rows { eval: Some(samples), ..Rows::train(samples) };
    fit(config, rows, state, 5, compute, &mut Silent).unwrap()
}

/// An activation function in double precision.
fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu => x.max(0.01 * x),
        Activation::Tanh => x.tanh(),
        Activation::Selu if x > 0.0 => 1.050_700_987_355_480_5 * x,
        Activation::Selu => 1.050_700_987_355_480_5 * 1.673_263_242_354_377_2 * x.exp_m1(),
    }
}

fn activations() -> impl Strategy<Value = Activation> {
    use Activation::{LeakyRelu, Relu, Selu, Tanh};
    prop::sample::select(vec![Relu, LeakyRelu, Tanh, Selu])
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
            a = z.map(|z| if last { z } else { activate(config.activation, z) }).collect();
        }
        let w = if weighted { f64::from(table.weight[row]) } else { 1.0 };
        let norm: f64 = a.iter().map(|z| z.exp()).sum::<f64>().ln();
        let spread = config.label_smoothing / a.len() as f64;
        total += w * (1.0 - config.label_smoothing) * (norm - a[table.y[row] as usize]);
        total += w * spread * a.iter().map(|z| norm - z).sum::<f64>();
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
        activation in activations(),
        label_smoothing in prop_oneof![Just(0.0), Just(0.2)],
        seed in 0_u64..1000,
    ) {
        let table = Table::new(rows, features, classes, seed);
        let config = Config {
            hidden_sizes: hidden, epochs: 1, batch_size: BatchSize::Full, momentum: 0.0,
            learning_rate: 1e-3, l1, l2, activation, label_smoothing, ..plain()
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
        optimizer in prop::sample::select(vec![Optimizer::Sgd, Optimizer::Adam]),
        nesterov: bool,
        activation in activations(),
        n_networks in 1_usize..4,
        (dropout, label_smoothing, weight_decay) in
            prop_oneof![Just((0.0, 0.0, 0.0)), Just((0.3, 0.1, 0.01))],
        seed in 0_u64..1000,
    ) {
        let table = Table::new(rows, 5, 3, seed);
        let nesterov = nesterov && optimizer == Optimizer::Sgd;
        let config = Config {
            hidden_sizes: hidden, epochs: 2, batch_size: batch, nesterov, record: Record::Update,
            optimizer, activation, dropout, label_smoothing, weight_decay, n_networks, ..plain()
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
        n_networks in 1_usize..4,
    ) {
        let config = Config { hidden_sizes: hidden, n_networks, ..plain() };
        let state = State::initial(&config, features, classes, 1).unwrap();
        let layers = state.network.unpack(&state.weights);
        prop_assert_eq!(state.network.pack(&layers).unwrap(), state.weights);
    }
}

#[test]
fn training_learns() {
    let table = Table::new(2_000, 4, 3, 1);
    let config = Config { epochs: 60, learning_rate: 0.02, ..plain() };
    let fitted = train(&config, &table, false, Isa::detect(), 1);
    let accuracy = &fitted.history.accuracy;
    assert!(accuracy[59] > 0.93, "{accuracy:?}");
    assert!(fitted.history.eval_loss[59] < 0.5 * fitted.history.eval_loss[0]);
}

/// A state of one network of several.
fn alone(state: &State, member: usize) -> State {
    let network = Network { n_networks: 1, ..state.network.clone() };
    let layers = state.network.unpack(&state.weights);
    let count = layers.len() / state.network.n_networks();
    let weights = network.pack(&layers[member * count..][..count]).unwrap();
    State { network, weights, ..state.clone() }
}

#[test]
fn several_networks_are_trained_as_each_would_be_alone() {
    let table = Table::new(300, 4, 3, 2);
    for (batch_size, dropout) in
        [(BatchSize::Samples(32), 0.0), (BatchSize::Samples(200), 0.0), (BatchSize::Full, 0.2)]
    {
        let config = |n_networks| Config {
            n_networks,
            epochs: 4,
            batch_size,
            dropout,
            optimizer: Optimizer::Adam,
            weight_decay: 0.1,
            l2: 0.01,
            ..plain()
        };
        let single = train(&config(1), &table, true, Isa::detect(), 1);
        let several = train(&config(3), &table, true, Isa::detect(), 1);
        assert_eq!(alone(&several.state, 0).weights, single.state.weights);
        let [second, third] = [1, 2].map(|member| alone(&several.state, member).weights);
        assert_ne!(second, single.state.weights);
        assert_ne!(second, third);
    }
}

#[test]
fn scores_are_the_means_of_those_of_the_networks() {
    let table = Table::new(300, 5, 4, 6);
    let config = Config { n_networks: 3, epochs: 3, ..plain() };
    let fitted = train(&config, &table, false, Isa::detect(), 1);
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let logits = |state: &State| {
        let (mut out, State { network, weights, .. }) = (vec![0.0; 300 * 4], state);
        let kind = ScoreKind::Logit;
        predict(network, weights, &table.x, kind, &mut out, compute, &mut Silent).unwrap();
        out
    };
    let members = [0, 1, 2].map(|member| logits(&alone(&fitted.state, member)));
    let scores = logits(&fitted.state);
    let mut loss = 0.0;
    for (at, score) in scores.iter().enumerate() {
        let mean = members.iter().map(|scores| scores[at]).sum::<f64>() / 3.0;
        assert!((score - mean).abs() < 1e-5, "{score} against {mean}");
    }
    for (scores, &label) in scores.chunks(4).zip(&table.y) {
        let norm = scores.iter().map(|score| score.exp()).sum::<f64>().ln();
        loss += (norm - scores[label as usize]) / 300.0;
    }
    assert!((fitted.history.eval_loss[2] - loss).abs() < 1e-5);
}

#[test]
fn the_number_of_networks_stays_when_training_continues() {
    let table = Table::new(100, 4, 3, 7);
    let state = train(&Config { epochs: 1, ..plain() }, &table, false, Isa::detect(), 1).state;
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let config = Config { n_networks: 2, ..plain() };
    let rows = Rows::train(table.samples(false));
    let message = fit(&config, rows, state, 5, compute, &mut Silent).unwrap_err().to_string();
    assert!(message.contains("n_networks must stay 1 when training continues, got 2"), "{message}");
}

#[test]
fn going_on_is_the_same_as_going_through() {
    let table = Table::new(300, 4, 3, 2);
    let config = |epochs| Config { epochs, n_networks: 2, ..plain() };
    let through = train(&config(5), &table, true, Isa::detect(), 1);
    let half = train(&config(2), &table, true, Isa::detect(), 1);
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let rest =
        fit(&config(3), Rows::train(table.samples(true)), half.state, 5, compute, &mut Silent)
            .unwrap();
    assert_eq!(through.state, rest.state);
}

#[test]
fn divergence_returns_the_last_state_of_finite_loss() {
    let table = Table::new(500, 4, 3, 3);
    let config = Config { learning_rate: 1e18, epochs: 50, record: Record::Update, ..plain() };
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
        ..plain()
    };
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let state = State::initial(&config, 6, 3, 5).unwrap();
    let rows = Rows { eval: Some(watch.samples(false)), ..Rows::train(train_on.samples(false)) };
    let fitted = fit(&config, rows, state, 5, compute, &mut Silent).unwrap();
    let (Outcome::EarlyStopped, Some(best_epoch)) = (fitted.outcome, fitted.best_epoch) else {
        panic!("must stop early, got {:?}", fitted.outcome)
    };
    let losses = &fitted.history.eval_loss;
    assert_eq!(losses.len(), best_epoch + 7);
    assert!(losses.iter().all(|&loss| loss >= losses[best_epoch - 1]));
    assert_eq!(fitted.state.epoch, best_epoch);
}

#[test]
fn adam_follows_the_textbook() {
    // One weight of softmax regression on one row, in double precision.
    let table = Table { x: vec![1.0], y: vec![0], weight: vec![1.0], n_features: 1, n_classes: 2 };
    let config = Config {
        hidden_sizes: vec![],
        optimizer: Optimizer::Adam,
        epochs: 5,
        learning_rate: 0.1,
        weight_decay: 0.05,
        ..plain()
    };
    let start = State::initial(&config, 1, 2, 5).unwrap();
    let layer = &start.network.unpack(&start.weights)[0];
    let mut w: Vec<f64> = layer.weights.iter().chain(&layer.biases).map(|&w| w.into()).collect();
    let (mut m, mut v) = ([0.0; 4], [0.0; 4]);
    for t in 1..=5 {
        let (a, b) = ((w[0] + w[2]).exp(), (w[1] + w[3]).exp());
        let delta = [a / (a + b) - 1.0, b / (a + b)];
        for at in 0..4 {
            let g = delta[at % 2];
            m[at] = 0.9 * m[at] + 0.1 * g;
            v[at] = 0.999 * v[at] + 0.001 * g * g;
            let (mean, square) =
                (m[at] / (1.0 - 0.9_f64.powi(t)), v[at] / (1.0 - 0.999_f64.powi(t)));
            if at < 2 {
                w[at] *= 1.0 - 0.1 * 0.05;
            }
            w[at] -= 0.1 * mean / (square.sqrt() + 1e-8);
        }
    }
    let fitted = train(&config, &table, false, Isa::detect(), 1);
    let layer = &fitted.state.network.unpack(&fitted.state.weights)[0];
    for (ours, theirs) in layer.weights.iter().chain(&layer.biases).zip(&w) {
        assert!((f64::from(*ours) - theirs).abs() < 1e-5, "{ours} against {theirs}");
    }
}

#[test]
fn training_stops_when_its_loss_no_longer_falls() {
    let table = Table::new(300, 4, 3, 2);
    let config = Config { epochs: 500, tol: 0.01, n_iter_no_change: Some(4), ..plain() };
    let fitted = train(&config, &table, false, Isa::detect(), 1);
    assert_eq!(fitted.outcome, Outcome::Converged);
    let losses = &fitted.history.loss;
    let last = losses.len() - 5;
    assert!(losses[last + 1..].iter().all(|loss| *loss >= losses[last] - 0.01));
}

#[test]
fn a_continued_training_does_not_forget_the_best_epoch() {
    let (train_on, watch) = (Table::new(40, 6, 3, 4), Table::new(200, 6, 3, 5));
    let config = Config { epochs: 40, early_stopping: true, patience: 5, tol: 0.0, ..plain() };
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let rows = Rows { eval: Some(watch.samples(false)), ..Rows::train(train_on.samples(false)) };
    let mut state = State::initial(&config, 6, 3, 5).unwrap();
    let mut best = f64::INFINITY;
    for _ in 0..4 {
        let fitted = fit(&config, rows, state, 5, compute, &mut Silent).unwrap();
        let epoch = fitted.best_epoch.unwrap();
        let loss = if epoch == 0 { best } else { fitted.history.eval_loss[epoch - 1] };
        assert!(loss <= best);
        best = loss;
        state = fitted.state;
    }
}

#[test]
fn dropout_drops_the_share_that_it_should() {
    let config = Config { dropout: 0.3, ..plain() };
    let state = State::initial(&config, 3, 2, 5).unwrap();
    let dropout = super::dropout::Dropout::of_epoch(&config, &state.network, 7, 0).unwrap();
    let mut mask = vec![0.0; 100_000];
    dropout.fill(1, 32, 16, &mut mask);
    let dropped = mask.iter().filter(|&&factor| factor == 0.0).count();
    assert!((29_000..31_000).contains(&dropped), "{dropped}");
    assert!(mask.iter().all(|&factor| factor == 0.0 || factor == 1.0 / 0.7));
    // A block's masks are those of its rows, wherever the block starts.
    let mut later = vec![0.0; 160];
    dropout.fill(1, 35, 16, &mut later);
    assert_eq!(later, mask[3 * 16..][..160]);
}

#[test]
fn a_dead_unit_leaves_no_subnormal_numbers() {
    let table = Table::new(64, 3, 2, 1);
    for (optimizer, l2, weight_decay) in
        [(Optimizer::Sgd, 0.0, 0.0), (Optimizer::Sgd, 0.5, 0.0), (Optimizer::Adam, 0.0, 0.9)]
    {
        let config = Config {
            optimizer,
            l2,
            weight_decay,
            learning_rate: 0.3,
            epochs: 600,
            batch_size: BatchSize::Samples(8),
            ..plain()
        };
        // Biases so low that no unit of the first layer is ever active.
        let mut state = State::initial(&config, 3, 2, 5).unwrap();
        let mut layers = state.network.unpack(&state.weights);
        layers[0].biases.fill(-1e4);
        state.weights = state.network.pack(&layers).unwrap();
        state.velocity.copy_from_slice(&state.weights);
        let team = Team::new(1).unwrap();
        let compute = Compute { isa: Isa::detect(), team: &team };
        let rows = Rows::train(table.samples(false));
        let State { weights, velocity, square, .. } =
            fit(&config, rows, state, 5, compute, &mut Silent).unwrap().state;
        let all = weights.iter().chain(velocity.iter()).chain(square.iter());
        assert_eq!(all.filter(|value| value.is_subnormal()).count(), 0);
    }
}

#[test]
fn predictions_agree_with_each_other() {
    let table = Table::new(300, 5, 4, 6);
    let config = Config { epochs: 3, ..plain() };
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

/// Ends training after the given epoch, or stops it with an error.
struct StopAt {
    epoch: usize,
    fails: bool,
}

impl Monitor for StopAt {
    fn epoch(&mut self, record: &EpochRecord) -> crate::Result<bool> {
        if record.epoch < self.epoch {
            Ok(false)
        } else if self.fails {
            Err(crate::Error::Stopped("enough".into()))
        } else {
            Ok(true)
        }
    }

    fn poll(&mut self) -> crate::Result<()> {
        Ok(())
    }
}

#[test]
fn a_monitor_can_stop_training() {
    let table = Table::new(100, 4, 3, 7);
    let config = plain();
    let team = Team::new(1).unwrap();
    let compute = Compute { isa: Isa::detect(), team: &team };
    let state = State::initial(&config, 4, 3, 5).unwrap();
    let run = |config: &Config, monitor: &mut dyn Monitor| {
        fit(config, Rows::train(table.samples(false)), state.clone(), 5, compute, monitor)
    };
    let stopped = run(&config, &mut StopAt { epoch: 4, fails: true });
    assert!(matches!(stopped, Err(crate::Error::Stopped(_))));
    let ended = run(&config, &mut StopAt { epoch: 4, fails: false }).unwrap();
    assert_eq!(ended.outcome, Outcome::Ended);
    let four = run(&Config { epochs: 4, ..config.clone() }, &mut Silent).unwrap();
    assert_eq!(ended.state.weights[..], four.state.weights[..]);
    assert_eq!(ended.history, four.history);
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
    refused(r#"{"n_networks": 0}"#, "n_networks must be from 1 to 1024, got 0");
    refused(r#"{"momentum": 1.0}"#, "momentum must be in [0, 1), got 1");
    refused(r#"{"epochs": 2.5}"#, "epochs must be an int, got 2.5");
    refused(r#"{"learning_rate_schedule": "steps"}"#, "got 'steps'; did you mean 'step'?");
    refused(r#"{"learning_rate_schedule": {"kind": "step", "factor": 0}}"#, "factor must be in");
}
