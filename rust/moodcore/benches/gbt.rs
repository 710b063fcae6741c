//! Boosted trees: bins, histograms, partitions, splits, rounds, prediction, Shapley values, by
//! instruction set.
#![allow(missing_docs)]

use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use moodcore::Result;
use moodcore::gbt::{
    Binner, Config, Derivatives, Ensemble, Listener, NewRows, Plan, Predictor, Rows, Table,
    TrainingLoss, Values, contributions, fit,
};
use moodcore::kernels::{
    Cell, FeatureCells, Isa, NarrowCell, RowList, Simd, Task, WideCell, add_to_histograms,
    part_rows,
};
use moodcore::parallel::{Compute, Team};
use moodcore::rng::{Purpose, Stream};
use std::hint::black_box;

const ROWS: usize = 135_635;
const FEATURES: usize = 10;
const CLASSES: usize = 4;

/// Listens to nothing.
struct Deaf;

impl Listener for Deaf {
    fn poll(&mut self) -> Result<()> {
        Ok(())
    }

    fn round(&mut self, _: usize, _: &[Vec<f64>], _: &dyn Fn() -> TrainingLoss) -> Result<bool> {
        Ok(false)
    }

    fn derivatives(&mut self, _: &dyn Fn() -> Vec<f64>) -> Result<Option<Derivatives>> {
        Ok(None)
    }

    fn metric(&mut self, _: usize, _: usize, _: &[f64]) -> Result<f64> {
        Ok(0.0)
    }
}

/// Rows of the song table's shape, with classes that depend on them.
fn songs() -> (Vec<f32>, Vec<u32>) {
    let mut stream = Stream::new(1, Purpose::Weights, 0);
    let x: Vec<f32> = (0..ROWS * FEATURES).map(|_| stream.next_normal_pair().0 as f32).collect();
    let class = |row: &[f32]| u32::from(row[0] * row[1] > 0.0) + 2 * u32::from(row[2] > row[3]);
    let y = x.chunks_exact(FEATURES).map(class).collect();
    (x, y)
}

fn train(x: &[f32], y: &[u32], n_estimators: usize, compute: Compute<'_>) -> Result<Ensemble> {
    let config = Config { n_estimators, ..Default::default() };
    let table = Table::from_rows(Values::F32(x), FEATURES)?;
    let rows = Rows { features: table.into(), y, weight: None, margin: None };
    let plan = Plan {
        config: &config,
        n_classes: CLASSES,
        categorical: &[false; FEATURES],
        start: None,
        base: None,
        metrics: &[],
        seed: 0,
        shard: None,
        resume: None,
    };
    Ok(fit(plan, &rows, &[], compute, &mut Deaf)?.ensemble)
}

/// Rows of bins, and every fourth of their numbers.
fn bins() -> (Vec<u8>, Vec<u32>) {
    let mut stream = Stream::new(2, Purpose::Weights, 0);
    let bins = (0..ROWS * FEATURES).map(|_| (stream.next_u64() % 255) as u8).collect();
    (bins, (0..ROWS as u32).filter(|_| stream.next_u64().is_multiple_of(4)).collect())
}

/// Adds rows to the histograms of all features.
struct Histograms<'a, C> {
    bins: &'a [u8],
    rows: RowList<'a>,
    cells: &'a mut [FeatureCells<C>; FEATURES],
    /// What each row of the table adds.
    words: &'a [C],
}

impl<C: Cell> Task for Histograms<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let bins = (self.bins, FEATURES, 0);
        let rows = (self.rows, &[][..]);
        add_to_histograms::<S, C, C, FEATURES>(self.cells, bins, rows, self.words, |_, word| word);
    }
}

fn count<C: Cell>(bench: &mut Bencher, isa: Isa, bins: &[u8], rows: RowList<'_>, words: [C; 2]) {
    let words: Vec<C> = words.into_iter().cycle().take(ROWS).collect();
    let words = &words[..];
    let mut cells: [FeatureCells<C>; FEATURES] = [FeatureCells::filled_with(C::EMPTY); FEATURES];
    bench.iter(|| isa.run(Histograms { bins, rows, cells: &mut cells, words }));
}

/// Parts rows by their bins of a column.
struct Partition<'a> {
    rows: &'a mut [u32],
    spare: &'a mut [u32],
    column: &'a [u8],
    sides: &'a [bool; 256],
}

impl Task for Partition<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        part_rows::<S>(self.rows, self.spare, self.column, self.sides)
    }
}

fn kernels(criterion: &mut Criterion) {
    let (bins, some) = bins();
    let column = &bins[..ROWS];
    let sides: [bool; 256] = std::array::from_fn(|bin| bin % 3 == 0);
    let mut group = criterion.benchmark_group("gbt");
    for isa in Isa::available() {
        let name = isa.name();
        let lists = [("all rows", RowList::Range(0, ROWS)), ("a quarter", RowList::Some(&some))];
        for (rows_of, rows) in lists {
            let wide: [WideCell; 2] = [[1, 1], [2, 1]];
            let narrow: [NarrowCell; 2] = [1, 2];
            group.bench_function(format!("histograms of {rows_of}/{name}"), |bench| {
                count(bench, isa, &bins, rows, wide);
            });
            group.bench_function(format!("narrow histograms of {rows_of}/{name}"), |bench| {
                count(bench, isa, &bins, rows, narrow);
            });
        }
        group.bench_function(format!("partition of a quarter/{name}"), |bench| {
            let mut spare = vec![0; some.len()];
            bench.iter(|| {
                let mut rows = some.clone();
                let (spare, sides) = (&mut spare[..], &sides);
                isa.run(Partition { rows: &mut rows, spare, column, sides })
            });
        });
    }
    group.finish();
}

/// Training in which nearly all work is the search for splits: few rows, many bins.
fn splits(criterion: &mut Criterion) {
    let (x, y) = songs();
    let (x, y) = (&x[..1000 * FEATURES], &y[..1000]);
    let team = Team::new(1).expect("the caller's own thread");
    let mut group = criterion.benchmark_group("gbt");
    for isa in Isa::available() {
        let compute = Compute { isa, team: &team };
        group.bench_function(format!("splits of 1,000 rows/{}", isa.name()), |bench| {
            bench.iter(|| train(x, y, 5, compute).expect("trains"));
        });
    }
    group.finish();
}

fn trees(criterion: &mut Criterion) {
    let (x, y) = songs();
    let table = Table::from_rows(Values::F32(&x), FEATURES).expect("whole rows");
    let team = Team::new(1).expect("the caller's own thread");
    let mut group = criterion.benchmark_group("gbt");
    group.sample_size(10);
    let learn = || Binner::learn(&table, None, &[false; FEATURES], 255, &team);
    group.bench_function("bins/learn", |bench| bench.iter(learn));
    let binner = learn();
    for isa in Isa::available() {
        let compute = Compute { isa, team: &team };
        let name = isa.name();
        group.bench_function(format!("bins/transform/{name}"), |bench| {
            bench.iter(|| binner.transform(black_box(&table), compute));
        });
        group.bench_function(format!("five rounds/{name}"), |bench| {
            bench.iter(|| train(&x, &y, 5, compute).expect("trains"));
        });
        let ensemble = train(&x, &y, 100, compute).expect("trains");
        let predictor = Predictor::new(&ensemble);
        let few = Table::from_rows(Values::F32(&x[..10_000 * FEATURES]), FEATURES).expect("rows");
        group.bench_function(format!("predict 10,000 rows/{name}"), |bench| {
            let mut out = vec![0.0; 10_000 * CLASSES];
            bench.iter(|| {
                let rows = NewRows { table: &few, rounds: 0..ensemble.n_rounds(), start: None };
                predictor.margins(&ensemble, &rows, &mut out, compute, &mut || Ok(()))
            });
        });
        let row: Vec<f64> = x[..FEATURES].iter().map(|&value| f64::from(value)).collect();
        group.bench_function(format!("predict one row/{name}"), |bench| {
            bench.iter(|| predictor.row(&ensemble, black_box(&row), 0..ensemble.n_rounds()));
        });
        let some = Table::from_rows(Values::F32(&x[..500 * FEATURES]), FEATURES).expect("rows");
        group.bench_function(format!("contributions of 500 rows/{name}"), |bench| {
            let mut out = vec![0.0; 500 * CLASSES * (FEATURES + 1)];
            bench.iter(|| {
                out.fill(0.0);
                let rounds = 0..ensemble.n_rounds();
                contributions(&ensemble, &some, rounds, &mut out, compute, &mut || Ok(()))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, kernels, splits, trees);
criterion_main!(benches);
