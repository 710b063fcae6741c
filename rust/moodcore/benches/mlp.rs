//! Criterion benchmarks of the network: `cargo bench -p moodcore`.
//!
//! Compare instruction sets and shapes inside one run; absolute times are those of one machine.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use moodcore::Samples;
use moodcore::kernels::Portable;
use moodcore::kernels::{Isa, ScoreKind};
use moodcore::mlp::{
    Activation, BatchSize, Config, Init, Optimizer, Rows, Schedule, State, fit, predict,
};
use moodcore::monitor::Silent;
use moodcore::parallel::{Compute, Team};
use moodcore::rng::{Purpose, Stream};
use moodcore::shuffle::Shuffle;
use std::hint::black_box;

const ROWS: usize = 20_000;
const FEATURES: usize = 7;
const CLASSES: usize = 4;

fn table() -> (Vec<f32>, Vec<u32>) {
    let mut stream = Stream::new(1, Purpose::Weights, 0);
    let x: Vec<f32> = (0..ROWS * FEATURES).map(|_| stream.next_normal_pair().0 as f32).collect();
    let quadrant = |row: &[f32]| u32::from(row[0] > 0.0) * 2 + u32::from(row[1] * row[2] > 0.0);
    let y = x.chunks(FEATURES).map(quadrant).collect();
    (x, y)
}

/// Portable code without vector instructions is too slow for a benchmark's patience on x86-64.
fn instruction_sets() -> Vec<Isa> {
    let mut sets = Isa::available();
    if sets.len() > 1 {
        sets.pop();
    }
    sets
}

/// Gradient descent with momentum, 16-16, ReLU.
fn paper() -> Config {
    Config {
        hidden_sizes: vec![16, 16],
        n_networks: 1,
        activation: Activation::Relu,
        optimizer: Optimizer::Sgd,
        learning_rate: 0.005,
        momentum: 0.9,
        batch_size: BatchSize::Samples(32),
        weight_decay: 0.0,
        init: Init::He,
        learning_rate_schedule: Schedule::default(),
        ..Default::default()
    }
}

/// One epoch of each shape: hidden sizes and batch.
fn training(criterion: &mut Criterion) {
    let (x, y) = table();
    let samples = Samples::new(&x, FEATURES, &y, CLASSES, None).unwrap();
    let team = Team::new(1).unwrap();
    let mut group = criterion.benchmark_group("epoch");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    for (name, hidden, batch) in [
        ("16-16, batch 32", vec![16, 16], 32),
        ("8, batch 64", vec![8], 64),
        ("64-256, batch 256", vec![64, 256], 256),
    ] {
        for isa in instruction_sets() {
            let config = Config {
                hidden_sizes: hidden.clone(),
                batch_size: BatchSize::Samples(batch),
                epochs: 1,
                ..paper()
            };
            let start = State::initial(&config, FEATURES, CLASSES, 7).unwrap();
            let compute = Compute { isa, team: &team };
            group.bench_function(BenchmarkId::new(name, isa.name()), |bencher| {
                bencher.iter(|| {
                    fit(&config, Rows::train(samples), start.clone(), 7, compute, &mut Silent)
                        .unwrap()
                });
            });
        }
    }
    group.finish();
}

fn prediction(criterion: &mut Criterion) {
    let (x, _) = table();
    let state = State::initial(&paper(), FEATURES, CLASSES, 7).unwrap();
    let team = Team::new(1).unwrap();
    let mut out = vec![0.0; ROWS * CLASSES];
    let mut group = criterion.benchmark_group("predict 16-16");
    group.throughput(Throughput::Elements(ROWS as u64));
    for isa in instruction_sets() {
        let compute = Compute { isa, team: &team };
        group.bench_function(isa.name(), |bencher| {
            bencher.iter(|| {
                let kind = ScoreKind::Probability;
                let State { network, weights, .. } = &state;
                predict(network, weights, &x, kind, &mut out, compute, &mut Silent).unwrap();
            });
        });
    }
    group.finish();
}

fn shuffling(criterion: &mut Criterion) {
    let mut rows = vec![0; ROWS];
    let mut group = criterion.benchmark_group("shuffle");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("portable", |bencher| {
        bencher.iter(|| {
            Shuffle::new(ROWS, black_box(3), 1).fill::<Portable>(&mut rows);
            rows[0]
        });
    });
    group.finish();
}

criterion_group!(benches, training, prediction, shuffling);
criterion_main!(benches);
