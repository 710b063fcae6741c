//! Trainings on several hosts, which are threads here: the bits of a training on one.

use super::*;
use crate::Error;
use std::sync::{Arc, Condvar, Mutex};

/// Adds up the numbers of some threads, and counts the messages.
#[derive(Debug)]
struct Sums {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
    /// The message that is lost on the way.
    lost: Option<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// How many hosts have added their numbers, and how many have taken the sums.
    added: usize,
    taken: usize,
    words: Vec<u64>,
    n_messages: usize,
    n_words: usize,
}

impl Sums {
    fn new(size: usize, lost: Option<usize>) -> Self {
        Sums { size, state: Mutex::default(), changed: Condvar::new(), lost }
    }
}

impl Reduce for Sums {
    fn sum(&self, words: &mut [u64]) -> Result<()> {
        let mut state = self.state.lock().expect("no panic");
        state = self.changed.wait_while(state, |state| state.added == self.size).expect("no panic");
        if state.added == 0 {
            state.words = vec![0; words.len()];
            state.n_messages += 1;
            state.n_words += words.len();
        }
        assert_eq!(state.words.len(), words.len(), "hosts take other steps");
        state.words.iter_mut().zip(&*words).for_each(|(sum, w)| *sum = sum.wrapping_add(*w));
        state.added += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| state.added < self.size).expect("no panic");
        words.copy_from_slice(&state.words);
        let n_messages = state.n_messages;
        state.taken += 1;
        if state.taken == self.size {
            (state.added, state.taken) = (0, 0);
            self.changed.notify_all();
        }
        if self.lost == Some(n_messages) {
            return Err(Error::Data("a host was lost".into()));
        }
        Ok(())
    }
}

/// The rows of one host.
struct Host {
    songs: Songs,
    pieces: Vec<Piece>,
}

/// Deals out runs of rows to hosts, each at least one.
fn deal(songs: &Songs, size: usize, seed: u64) -> Vec<Host> {
    let n_rows = songs.rows.len();
    let mut stream = Stream::new(seed, Purpose::Shuffle, 3);
    let mut ends: Vec<usize> =
        (0..2 * size).map(|_| stream.next_u64() as usize % n_rows).chain([0, n_rows]).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut ranges: Vec<Vec<std::ops::Range<usize>>> = vec![Vec::new(); size];
    for (at, pair) in ends.windows(2).enumerate() {
        let host = if at < size { at } else { stream.next_u64() as usize % size };
        ranges[host].push(pair[0]..pair[1]);
    }
    ranges.retain(|ranges| !ranges.is_empty());
    let host = |ranges: Vec<std::ops::Range<usize>>| Host {
        pieces: ranges
            .iter()
            .map(|range| Piece { first: range.start as u64, n_rows: range.len() })
            .collect(),
        songs: songs.permuted(&ranges.into_iter().flatten().collect::<Vec<_>>()),
    };
    ranges.into_iter().map(host).collect()
}

fn totals_of(songs: &Songs) -> Totals {
    let n_rows = songs.rows.len();
    let mut class_weights = vec![0.0; songs.n_classes];
    (0..n_rows).for_each(|row| class_weights[songs.y[row] as usize] += songs.weight(row));
    Totals {
        n_rows: n_rows as u64,
        largest_weight: songs.weight.as_ref().map(|w| w.iter().copied().fold(0.0, f64::max)),
        whole_weights: songs.weight.iter().flatten().all(|weight| weight.fract() == 0.0),
        weight: (0..n_rows).map(|row| songs.weight(row)).sum(),
        class_weights,
    }
}

/// Where a training on hosts starts.
#[derive(Clone, Default)]
struct Start {
    ensemble: Option<Ensemble>,
    progress: Option<Progress>,
}

/// Trains on several hosts; the first evaluates all rows. Gives the result of each.
fn train_on(
    config: &Config,
    songs: &Songs,
    hosts: &[Host],
    threads: usize,
    (start, lost): (Start, Option<usize>),
) -> (Vec<Result<Fit>>, State) {
    // The bins come from all rows, and so from a training without a round to speak of.
    let once = Config {
        n_estimators: 1,
        max_leaves: Some(2),
        max_bin: config.max_bin,
        ..Config::default()
    };
    let binner = train(&once, songs, Isa::detect(), 1).ensemble.binner;
    let (binner, totals) = (Arc::new(binner), totals_of(songs));
    let sums = Sums::new(hosts.len(), lost);
    let run = |rank: usize, host: &Host| {
        let team = Team::new(threads).expect("threads");
        let (flat, all) = (host.songs.rows.concat(), songs.rows.concat());
        let table = |flat, songs: &'_ Songs| {
            Table::from_rows(Values::F64(flat), songs.n_features()).expect("whole rows")
        };
        let compute = Compute { isa: Isa::detect(), team: &team };
        let mut binned = BinnedRows::new(binner.clone(), host.songs.rows.len()).expect("memory");
        binned.append(&table(&flat, &host.songs), compute).expect("same columns");
        let shard = Shard {
            rank,
            size: hosts.len(),
            reduce: &sums,
            pieces: &host.pieces,
            totals: &totals,
            n_eval_sets: 1,
            listens: false,
        };
        let metric = |kind| Metric { kind, maximize: false };
        let plan = Plan {
            config,
            n_classes: songs.n_classes,
            categorical: &songs.categorical,
            start: start.ensemble.clone(),
            base: songs.base.clone(),
            metrics: &[metric(MetricKind::LogLoss), metric(MetricKind::Error)],
            seed: 11,
            shard: Some(shard),
            resume: start.progress.clone(),
        };
        let train = Rows {
            features: Features::Binned(&binned),
            y: &host.songs.y,
            weight: host.songs.weight.as_deref(),
            margin: host.songs.margin.as_deref(),
        };
        let eval = Rows {
            features: table(&all, songs).into(),
            y: &songs.y,
            weight: songs.weight.as_deref(),
            margin: songs.margin.as_deref(),
        };
        let eval = if rank == 0 { std::slice::from_ref(&eval) } else { &[] };
        fit(plan, &train, eval, compute, &mut host.songs.listener())
    };
    let fits = std::thread::scope(|scope| {
        let run = &run;
        let spawn = |(rank, host)| scope.spawn(move || run(rank, host));
        let threads: Vec<_> = hosts.iter().enumerate().map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    (fits, sums.state.into_inner().expect("no panic"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn hosts_give_the_bits_of_one(
        config in configs(),
        shape in shapes(any_weighting()),
        (size, threads) in (1..6_usize, 1..3_usize),
        patience in prop::option::of(1..3_usize),
        (margins, squared_error) in any::<(bool, bool)>(),
    ) {
        let config = Config { early_stopping_rounds: patience, ..config };
        let mut songs = Songs::new(shape);
        if margins {
            songs = songs.with_margins(shape.seed);
        }
        songs.squared_error = squared_error;
        let expected = exact(&train(&config, &songs, Isa::detect(), 1));
        let hosts = deal(&songs, size, shape.seed);
        let (fits, _) = train_on(&config, &songs, &hosts, threads, (Start::default(), None));
        for (rank, fit) in fits.iter().enumerate() {
            let fit = fit.as_ref().expect("valid");
            prop_assert!(exact(fit) == expected, "host {rank} of {}", hosts.len());
        }
    }

    /// The hosts that are left resume from the last round that one of them finished.
    #[test]
    fn training_resumes_after_a_host_is_lost(
        config in configs(),
        shape in shapes(any_weighting()),
        // The first message comes before the first round; without it there is nothing to resume.
        lost in 2..40_usize,
        patience in prop::option::of(1..3_usize),
    ) {
        prop_assume!(config.boosting.kind != BoostingKind::Dart);
        let config = Config { early_stopping_rounds: patience, ..config };
        let songs = Songs::new(shape);
        let expected = train(&config, &songs, Isa::detect(), 1);
        let hosts = deal(&songs, 3, shape.seed);
        let (mut fits, _) =
            train_on(&config, &songs, &hosts, 1, (Start::default(), Some(lost)));
        let Ok(fit) = fits.swap_remove(0) else {
            // The first message, before any round, is which features miss values: there is nothing
            // to resume from.
            prop_assert_eq!(lost, 1);
            return Ok(());
        };
        if fit.interrupted.is_some() {
            let n_rounds = fit.ensemble.n_rounds();
            prop_assert!(n_rounds <= expected.ensemble.n_rounds());
            let progress = Progress { first: 0, history: fit.history, best: fit.best };
            let start = Start { ensemble: Some(fit.ensemble), progress: Some(progress) };
            let hosts = deal(&songs, 2, shape.seed + 1);
            let (fits, _) = train_on(&config, &songs, &hosts, 1, (start, None));
            prop_assert!(exact(fits[0].as_ref().expect("valid")) == exact(&expected));
        } else {
            prop_assert!(exact(&fit) == exact(&expected));
        }
    }
}

/// Both children of a split travel in one message with those of the other trees of the round.
#[test]
fn a_round_takes_one_message_per_split() {
    let songs = Songs::new(Shape {
        n_rows: 2000,
        n_features: 4,
        n_classes: 3,
        categories: false,
        weighting: Weighting::None,
        seed: 3,
    });
    let config = Config { n_estimators: 2, max_leaves: Some(6), max_bin: 16, ..Config::default() };
    let hosts = deal(&songs, 2, 1);
    let (_, state) = train_on(&config, &songs, &hosts, 1, (Start::default(), None));
    // First, which features miss values. Each round: sizes of derivatives, root, four splits (children of the fifth are leaves), metrics.
    assert_eq!(state.n_messages, 1 + 2 * (1 + 1 + 4 + 1));
    // The bins of four features, of which the third has twelve values, and those of missing
    // values: two words for each, of a wide cell or of a narrow one and its weight.
    let per_node = (16 + 16 + 12 + 16 + 4) * 2;
    let expected = 4 + 2 * (3 * (3 + 2) + 3 * 5 * per_node + 2);
    assert_eq!(state.n_words, expected);
}
