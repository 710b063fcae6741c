//! Support vector machines: training and decisions by instruction set, and the linear ones.
#![allow(missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use moodcore::Samples;
use moodcore::kernels::{Isa, KernelFunction};
use moodcore::linear_svm;
use moodcore::monitor::Silent;
use moodcore::parallel::{Compute, Team};
use moodcore::rng::{Purpose, Stream};
use moodcore::svm::{Config, Features, Fitted, Gamma, Model, Rows, Values, fit};
use std::hint::black_box;

const ROWS: usize = 8_000;
const FEATURES: usize = 7;
const CLASSES: usize = 4;
const GAMMA: f64 = 1.0 / 7.0;

/// Overlapping classes in the song table's shape.
fn songs(n_rows: usize) -> (Vec<f32>, Vec<u32>) {
    let mut stream = Stream::new(1, Purpose::Weights, 0);
    let y: Vec<u32> = (0..n_rows).map(|row| (row % CLASSES) as u32).collect();
    let mut x = Vec::with_capacity(n_rows * FEATURES);
    for &class in &y {
        for feature in 0..FEATURES {
            let centre = if feature % CLASSES == class as usize { 1.2 } else { 0.0 };
            x.push((stream.next_normal_pair().0 + centre) as f32);
        }
    }
    (x, y)
}

fn dense(x: &[f32]) -> Features<'_, f32> {
    Features::Dense { x, n_features: FEATURES }
}

fn train(x: &[f32], y: &[u32], c: f64, compute: Compute<'_>) -> Fitted {
    let config = Config { c, gamma: Gamma::Value(GAMMA), ..Config::default() };
    let values = Values::features(x, FEATURES);
    let rows = Rows::new(values, y, CLASSES, None).expect("whole rows");
    fit(&config, &rows, 0, compute, &mut || Ok(())).expect("trains")
}

fn bench_svm(criterion: &mut Criterion) {
    let (x, y) = songs(ROWS);
    let team = Team::new(1).expect("the caller's own thread");
    let mut group = criterion.benchmark_group("svm");
    group.sample_size(10);
    for isa in Isa::available() {
        let compute = Compute { isa, team: &team };
        let name = isa.name();
        for c in [1.0, 100.0] {
            group.bench_function(format!("fit 8,000 rows/C {c}/{name}"), |bench| {
                bench.iter(|| train(black_box(&x), &y, c, compute));
            });
        }
        let fitted = train(&x, &y, 1.0, compute);
        let vectors: Vec<f32> = fitted
            .support
            .iter()
            .flat_map(|&row| x[row as usize * FEATURES..][..FEATURES].iter().copied())
            .collect();
        let intercept: Vec<f64> = fitted.pairs.iter().map(|pair| pair.intercept).collect();
        let n_pairs = intercept.len();
        let model = Model::new(fitted.n_support, fitted.dual_coef, intercept).expect("fits");
        let kernel = KernelFunction::Rbf { gamma: GAMMA };
        let vectors = model.lay_out(kernel, dense(&vectors)).expect("fits");
        group.bench_function(format!("decide 2,000 rows/{name}"), |bench| {
            let mut out = vec![0.0; 2_000 * n_pairs];
            let new = &x[..2_000 * FEATURES];
            bench.iter(|| {
                let poll = &mut || Ok(());
                model.decide(&vectors, dense(new), &mut out, compute, poll)
            });
        });
    }
    group.finish();
}

fn bench_linear_svm(criterion: &mut Criterion) {
    let (x, y) = songs(100_000);
    let team = Team::new(1).expect("the caller's own thread");
    let mut group = criterion.benchmark_group("linear_svm");
    group.sample_size(10);
    let hinge = linear_svm::Config { loss: linear_svm::Loss::Hinge, ..Default::default() };
    for isa in Isa::available() {
        let compute = Compute { isa, team: &team };
        for (name, config) in [("squared hinge", &Default::default()), ("hinge", &hinge)] {
            group.bench_function(format!("{name}/{}", isa.name()), |bench| {
                bench.iter(|| {
                    let samples = Samples::new(&x, FEATURES, &y, CLASSES, None).expect("rows");
                    linear_svm::fit(config, samples, None, 0, compute, &mut Silent)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench_svm, bench_linear_svm);
criterion_main!(benches);
