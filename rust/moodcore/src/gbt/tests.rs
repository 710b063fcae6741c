//! Whole trainings: the same bits however they are computed, and what every model must hold.

use super::*;
use crate::Result;
use crate::kernels::Isa;
use crate::parallel::{Compute, ROWS_PER_CHECK, Team, checks};
use crate::rng::{Purpose, Stream};
use proptest::prelude::*;

mod hosts;

/// Keeps the margins of the training rows before the last round.
#[derive(Default)]
struct Watching {
    margins: Vec<f64>,
    /// The targets of a custom objective, the squared error of the margins; none for softmax.
    targets: Option<Vec<f64>>,
    n_polls: usize,
}

impl Listener for Watching {
    fn poll(&mut self) -> Result<()> {
        self.n_polls += 1;
        Ok(())
    }

    fn round(&mut self, _: usize, _: &[Vec<f64>], _: &dyn Fn() -> TrainingLoss) -> Result<bool> {
        Ok(false)
    }

    fn derivatives(&mut self, margins: &dyn Fn() -> Vec<f64>) -> Result<Option<Derivatives>> {
        self.margins = margins();
        Ok(self.targets.as_ref().map(|targets| {
            let errors = self.margins.iter().zip(targets).map(|(margin, target)| margin - target);
            (errors.collect(), vec![0.7; targets.len()])
        }))
    }

    fn metric(&mut self, _: usize, _: usize, _: &[f64]) -> Result<f64> {
        Ok(0.0)
    }
}

/// How rows are weighted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weighting {
    None,
    Whole,
    Real,
}

/// The shape of a random table.
#[derive(Clone, Copy, Debug)]
struct Shape {
    n_rows: usize,
    n_features: usize,
    n_classes: usize,
    /// Whether every third feature holds categories.
    categories: bool,
    weighting: Weighting,
    seed: u64,
}

/// Rows whose class depends on two features; every third feature may hold categories, and one value
/// in twenty is missing. From the sixteenth on features repeat the first: equal gains in different
/// blocks of features.
#[derive(Clone, Debug)]
struct Songs {
    rows: Vec<Vec<f64>>,
    y: Vec<u32>,
    weight: Option<Vec<f64>>,
    n_classes: usize,
    categorical: Vec<bool>,
    /// The margins to start from; none for the shares of the classes.
    base: Option<Vec<f64>>,
    /// Base margins of the rows, row-major.
    margin: Option<Vec<f64>>,
    /// Whether the objective is the squared error of the margins.
    squared_error: bool,
}

impl Songs {
    fn new(shape: Shape) -> Self {
        let mut stream = Stream::new(shape.seed, Purpose::Weights, 1);
        let mut value = |feature: usize| {
            let draw = stream.next_unit();
            match (stream.next_u64() % 20, feature % 3) {
                (0, _) => f64::NAN,
                (_, 1) => (draw * 60.0).floor() / 20.0,
                (_, 2) => (draw * draw * 12.0).floor(),
                _ => 3.0 * draw,
            }
        };
        let mut row = || {
            let distinct: Vec<f64> = (0..shape.n_features.min(15)).map(&mut value).collect();
            distinct.iter().cycle().copied().take(shape.n_features).collect()
        };
        let rows: Vec<Vec<f64>> = (0..shape.n_rows).map(|_| row()).collect();
        let known = |value: f64| if value.is_nan() { 0.5 } else { value };
        let class = |row: &Vec<f64>| {
            let signal = known(row[0]) * known(row[row.len() - 1]) + 0.7 * stream.next_unit();
            (signal as u32) % shape.n_classes as u32
        };
        let y = rows.iter().map(class).collect();
        let mut weigh = || 0.1 + 4.0 * stream.next_unit();
        let weight = match shape.weighting {
            Weighting::None => None,
            Weighting::Whole => Some((0..shape.n_rows).map(|_| weigh().ceil()).collect()),
            Weighting::Real => Some((0..shape.n_rows).map(|_| weigh()).collect()),
        };
        let categorical = (0..shape.n_features).map(|at| shape.categories && at % 3 == 2).collect();
        Songs {
            rows,
            y,
            weight,
            n_classes: shape.n_classes,
            categorical,
            base: None,
            margin: None,
            squared_error: false,
        }
    }

    fn n_outputs(&self) -> usize {
        if self.n_classes == 2 { 1 } else { self.n_classes }
    }

    fn with_margins(mut self, seed: u64) -> Self {
        let mut stream = Stream::new(seed, Purpose::Weights, 2);
        let n_margins = self.rows.len() * self.n_outputs();
        self.margin = Some((0..n_margins).map(|_| stream.next_unit() - 0.5).collect());
        self
    }

    fn listener(&self) -> Watching {
        let classes = 2 - self.n_outputs().min(2)..self.n_classes;
        let target = |(code, class)| if code as usize == class { 1.7 } else { -0.4 };
        let of_row = |&code: &u32| classes.clone().map(move |class| target((code, class)));
        let targets = self.squared_error.then(|| self.y.iter().flat_map(of_row).collect());
        Watching { targets, ..Watching::default() }
    }

    fn n_features(&self) -> usize {
        self.rows[0].len()
    }

    /// The rows in another order.
    fn permuted(&self, order: &[usize]) -> Self {
        Songs {
            rows: order.iter().map(|&row| self.rows[row].clone()).collect(),
            y: order.iter().map(|&row| self.y[row]).collect(),
            weight: self.weight.as_ref().map(|w| order.iter().map(|&row| w[row]).collect()),
            margin: self.margin.as_ref().map(|margin| {
                let n_outputs = self.n_outputs();
                order
                    .iter()
                    .flat_map(|&row| &margin[row * n_outputs..][..n_outputs])
                    .copied()
                    .collect()
            }),
            ..self.clone()
        }
    }

    /// The rows with one more feature, a category that is the same in all. It tells nothing, and
    /// keeps sums in wide cells.
    fn with_a_category(mut self) -> Self {
        self.rows.iter_mut().for_each(|row| row.push(0.0));
        self.categorical.push(true);
        self
    }

    /// The margins of a row after some rounds, by the trees alone.
    fn margins(&self, ensemble: &Ensemble, row: usize, n_rounds: usize) -> Vec<f64> {
        let bins: Vec<u8> = self.bins(ensemble, row);
        let mut margins = ensemble.base.clone();
        for tree in ensemble.rounds(0..n_rounds) {
            let leaf = tree.leaf(|feature| bins[feature]);
            let first = tree.output.map_or(0, |output| output as usize);
            let count = if tree.output.is_some() { 1 } else { margins.len() };
            for at in 0..count {
                margins[first + at] += tree.values[leaf * count + at];
            }
        }
        margins
    }

    /// The share of each class for a row.
    fn probabilities(&self, ensemble: &Ensemble, row: usize) -> Vec<f64> {
        let mut margins = self.margins(ensemble, row, ensemble.n_rounds());
        if margins.len() == 1 {
            margins.insert(0, 0.0);
        }
        let total: f64 = margins.iter().map(|margin| margin.exp()).sum();
        margins.iter().map(|margin| margin.exp() / total).collect()
    }

    fn bins(&self, ensemble: &Ensemble, row: usize) -> Vec<u8> {
        let features = ensemble.binner.features.iter().zip(&self.rows[row]);
        features.map(|(bins, &value)| bins.bin(value)).collect()
    }

    fn weight(&self, row: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |weight| weight[row])
    }
}

fn train(config: &Config, songs: &Songs, isa: Isa, threads: usize) -> Fit {
    watch(config, songs, isa, threads).0
}

/// Trains, and measures loss and error on the training rows after every round; gives the margins
/// before the last round too.
fn watch(config: &Config, songs: &Songs, isa: Isa, threads: usize) -> (Fit, Vec<f64>) {
    let team = Team::new(threads).expect("threads");
    let flat = songs.rows.concat();
    let table = Table::from_rows(Values::F64(&flat), songs.n_features()).expect("whole rows");
    let rows = Rows {
        features: table.into(),
        y: &songs.y,
        weight: songs.weight.as_deref(),
        margin: songs.margin.as_deref(),
    };
    let metric = |kind| Metric { kind, maximize: false };
    let plan = Plan {
        config,
        n_classes: songs.n_classes,
        categorical: &songs.categorical,
        start: None,
        base: songs.base.clone(),
        metrics: &[metric(MetricKind::LogLoss), metric(MetricKind::Error)],
        seed: 11,
        shard: None,
        resume: None,
    };
    let compute = Compute { isa, team: &team };
    let mut watching = songs.listener();
    let eval = std::slice::from_ref(&rows);
    let fit = fit(plan, &rows, eval, compute, &mut watching).expect("valid");
    (fit, watching.margins)
}

/// What can be compared: `Debug` writes every digit of a number, and the sign of zero.
fn exact(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

fn shapes(weightings: Vec<Weighting>) -> impl Strategy<Value = Shape> {
    // Up to sizes at which threads share the rows of a node.
    let n_rows = prop_oneof![1..60_usize, 500..3000_usize];
    let n_features = prop_oneof![1..8_usize, 22..26_usize];
    // Up to more classes than trees whose roots are counted together.
    let n_classes = prop_oneof![4 => 2..5_usize, 1 => Just(6), 1 => Just(10)];
    let weightings = prop::sample::select(weightings);
    (n_rows, n_features, n_classes, any::<bool>(), weightings, any::<u64>()).prop_map(
        |(n_rows, n_features, n_classes, categories, weighting, seed)| Shape {
            n_rows,
            n_features,
            n_classes,
            categories,
            weighting,
            seed,
        },
    )
}

fn any_weighting() -> Vec<Weighting> {
    vec![Weighting::None, Weighting::Whole, Weighting::Real]
}

/// Trees that see all rows and features.
fn plain_configs() -> impl Strategy<Value = Config> {
    (
        prop::option::of(2..40_usize),
        prop::option::of(1..7_usize),
        any::<(bool, bool)>(),
        (0.05..0.5_f64, 1.0..5.0_f64, prop_oneof![Just(0.0), 0.0..2.0_f64]),
        (1.0..30.0_f64, prop_oneof![Just(255_usize), 2..40_usize]),
    )
        .prop_map(|(max_leaves, max_depth, (by_level, joint), rates, sizes)| Config {
            n_estimators: 4,
            max_leaves,
            max_depth,
            grow_policy: if by_level { GrowPolicy::Depthwise } else { GrowPolicy::Lossguide },
            multi_strategy: if joint {
                MultiStrategy::MultiOutputTree
            } else {
                MultiStrategy::OneOutputPerTree
            },
            learning_rate: rates.0,
            reg_lambda: rates.1,
            reg_alpha: rates.2,
            min_child_samples: sizes.0,
            max_bin: sizes.1,
            ..Config::default()
        })
}

/// All kinds of boosting, rows and features drawn.
fn configs() -> impl Strategy<Value = Config> {
    let kinds = prop::sample::select(vec![
        BoostingKind::Gbdt,
        BoostingKind::Dart,
        BoostingKind::Goss,
        BoostingKind::ExtraTrees,
    ]);
    let share = || prop_oneof![Just(1.0), 0.3..1.0_f64];
    (plain_configs(), kinds, [share(), share(), share(), share()]).prop_map(
        |(config, kind, [rows, by_tree, by_level, by_node])| Config {
            boosting: Boosting { kind, skip_drop: 0.2, drop_rate: 0.5, ..Boosting::default() },
            subsample: if kind == BoostingKind::Goss { 1.0 } else { rows },
            colsample_bytree: by_tree,
            colsample_bylevel: by_level,
            colsample_bynode: by_node,
            ..config
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn threads_and_instruction_sets_give_the_same_bits(
        config in configs(),
        shape in shapes(any_weighting()),
    ) {
        let songs = Songs::new(shape);
        let expected = exact(&train(&config, &songs, Isa::Portable, 1));
        for isa in Isa::available() {
            for threads in 1..=3 {
                let trained = exact(&train(&config, &songs, isa, threads));
                prop_assert!(trained == expected, "{} with {threads} threads", isa.name());
            }
        }
    }

    /// At small steps. The classes' Newton steps are taken apart from each other, so that larger ones can
    /// overshoot: with ten classes and leaves of single rows, the loss rises at a learning rate of 0.34.
    #[test]
    fn the_training_loss_never_rises(
        config in plain_configs(),
        extra: bool,
        shape in shapes(any_weighting()),
    ) {
        let kind = if extra { BoostingKind::ExtraTrees } else { BoostingKind::Gbdt };
        let boosting = Boosting { kind, ..Boosting::default() };
        let learning_rate = config.learning_rate / 5.0;
        let config = Config { boosting, learning_rate, n_estimators: 12, ..config };
        let songs = Songs::new(shape);
        let history = &train(&config, &songs, Isa::detect(), 1).history[0][0];
        prop_assert_eq!(history.len(), 12);
        // As exactly as losses in single precision can tell.
        let rises = |pair: &[f64]| pair[1] > pair[0] + 1e-6;
        prop_assert!(!history.windows(2).any(rises), "{history:?}");
        // The rows' labels can be told apart, so that something is learned of many of them.
        if shape.n_rows >= 500 && shape.n_features < 8 && config.reg_alpha == 0.0 {
            prop_assert!(history[11] < history[0] - 1e-3, "{history:?}");
        }
    }

    /// Sums are sums of integers: the order of the rows changes nothing.
    #[test]
    fn the_order_of_rows_changes_no_bit(
        config in plain_configs(),
        (shape, order) in shapes(vec![Weighting::None, Weighting::Whole]).prop_flat_map(|shape| {
            (Just(shape), Just((0..shape.n_rows).collect::<Vec<_>>()).prop_shuffle())
        }),
    ) {
        let songs = Songs::new(shape);
        let model = train(&config, &songs, Isa::detect(), 1).ensemble;
        let other = train(&config, &songs.permuted(&order), Isa::detect(), 1).ensemble;
        prop_assert!(exact(&model) == exact(&other));
    }

    /// Every row goes from the root to one leaf; nodes hold the weight of the rows that pass.
    #[test]
    fn nodes_weigh_what_passes_them(config in plain_configs(), shape in shapes(any_weighting())) {
        let songs = Songs::new(shape);
        let ensemble = train(&config, &songs, Isa::detect(), 1).ensemble;
        for tree in &ensemble.trees {
            let n_leaves = tree.nodes.iter().filter(|node| node.is_leaf()).count();
            prop_assert!(config.max_leaves.is_none_or(|most| n_leaves <= most));
            let mut held = vec![0.0; tree.nodes.len()];
            for row in 0..shape.n_rows {
                let bins = songs.bins(&ensemble, row);
                let mut at = 0;
                loop {
                    // A row counts as often as its whole-numbered weight, with a real one once.
                    let real = shape.weighting == Weighting::Real;
                    held[at] += if real { 1.0 } else { songs.weight(row) };
                    let node = &tree.nodes[at];
                    if node.is_leaf() {
                        break;
                    }
                    let left = tree.goes_left(node, bins[node.feature as usize]);
                    at = if left { node.left } else { node.right } as usize;
                }
            }
            for (at, node) in tree.nodes.iter().enumerate() {
                prop_assert_eq!(node.weight, held[at]);
                prop_assert!(at == 0 || node.weight >= config.min_child_samples);
            }
        }
    }

    /// Derivatives are taken where the trees so far have led each row, drawn or not.
    #[test]
    fn training_goes_on_from_its_own_trees(
        config in configs(),
        shape in shapes(any_weighting()),
        threads in 1..=3_usize,
    ) {
        // Leaving trees out for a round changes last digits.
        prop_assume!(config.boosting.kind != BoostingKind::Dart);
        let songs = Songs::new(shape);
        let (trained, margins) = watch(&config, &songs, Isa::detect(), threads);
        let expected: Vec<f64> =
            (0..shape.n_rows).flat_map(|row| songs.margins(&trained.ensemble, row, 3)).collect();
        prop_assert!(exact(&margins) == exact(&expected));
    }

    /// The margins of evaluation sets are those of the trees: the loss says so.
    #[test]
    fn the_last_loss_is_that_of_the_model(config in configs(), shape in shapes(any_weighting())) {
        let songs = Songs::new(shape);
        let trained = train(&config, &songs, Isa::detect(), 1);
        let (mut loss, mut wrong, mut total) = (0.0, 0.0, 0.0);
        for row in 0..shape.n_rows {
            let shares = songs.probabilities(&trained.ensemble, row);
            let right = shares[songs.y[row] as usize];
            let best = shares.iter().fold(0.0, |most: f64, &share| most.max(share));
            loss -= songs.weight(row) * right.ln();
            // Near ties are left open.
            wrong += if right < best - 1e-6 { songs.weight(row) } else { 0.0 };
            total += songs.weight(row);
        }
        let curves = &trained.history[0];
        prop_assert!((curves[0][3] - loss / total).abs() < 1e-5, "{} {}", curves[0][3], loss / total);
        prop_assert!(curves[1][3] >= wrong / total - 1e-6);
    }
}

/// Enough rows that their lists, margins and copies are cut into chunks for threads.
#[test]
fn chunks_of_rows_give_the_same_bits() {
    for (weighting, subsample, categories) in
        [(Weighting::None, 1.0, true), (Weighting::Real, 0.9, true), (Weighting::Whole, 0.9, false)]
    {
        let songs = Songs::new(Shape {
            n_rows: 150_000,
            n_features: 3,
            n_classes: 2,
            categories,
            weighting,
            seed: 5,
        });
        let config =
            Config { n_estimators: 2, max_leaves: Some(8), subsample, ..Config::default() };
        let expected = exact(&train(&config, &songs, Isa::Portable, 1));
        for isa in Isa::available() {
            for threads in 1..=3 {
                let trained = exact(&train(&config, &songs, isa, threads));
                assert!(trained == expected, "{} with {threads} threads", isa.name());
            }
        }
    }
}

/// Work on many rows is polled from another thread, and ends soon after the flag is set: loops check
/// it at least once per `ROWS_PER_CHECK` rows. The test counts checks, because times depend on the
/// load of the machine.
#[test]
fn loops_over_rows_check_whether_to_stop() {
    let n_rows = 5 * ROWS_PER_CHECK;
    for n_features in [3, 20] {
        let songs = Songs::new(Shape {
            n_rows,
            n_features,
            n_classes: 2,
            categories: false,
            weighting: Weighting::None,
            seed: 5,
        });
        let config = Config { n_estimators: 1, max_leaves: Some(2), ..Config::default() };
        checks::taken();
        train(&config, &songs, Isa::detect(), 1);
        // Derivatives and the metrics of the evaluation set take 1024 rows at a time.
        let of_losses = 2 * n_rows.div_ceil(1024);
        let of_histogram = n_rows / ROWS_PER_CHECK;
        assert!(checks::taken() >= of_losses + of_histogram, "{n_features} features");
    }
}

/// The derivatives of a first round at even odds, a half and a quarter, lose nothing in narrow
/// cells; which cuts leave children heavy enough is then counted, not read.
#[test]
fn narrow_cells_grow_the_trees_of_wide_ones() {
    for seed in 0..8 {
        let weighting = if seed % 2 == 0 { Weighting::None } else { Weighting::Whole };
        let mut songs = Songs::new(Shape {
            n_rows: 1500,
            n_features: 5,
            n_classes: 2,
            categories: false,
            weighting,
            seed,
        });
        songs.base = Some(vec![0.0]);
        for min_child_samples in [1.0, 20.0, 100.0, 600.0] {
            let config = Config { n_estimators: 1, min_child_samples, ..Config::default() };
            let [narrow, wide] = [songs.clone(), songs.clone().with_a_category()]
                .map(|songs| train(&config, &songs, Isa::detect(), 1).ensemble.trees);
            assert!(exact(&narrow) == exact(&wide), "{seed}, at least {min_child_samples}");
            assert!(narrow[0].nodes.len() > 1, "{seed}, at least {min_child_samples}");
        }
    }
}
