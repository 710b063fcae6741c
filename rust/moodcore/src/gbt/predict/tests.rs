//! Margins and leaves, compared with walking down each tree alone.

use super::{NewRows, Predictor};
use crate::Result;
use crate::gbt::{BinSet, Binner, Ensemble, FeatureBins, NONE, Node, Table, Tree, Values};
use crate::kernels::Isa;
use crate::parallel::{Compute, Team};
use crate::rng::{Purpose, Stream};
use proptest::prelude::*;
use std::ops::Range;

/// The shape of a random ensemble.
#[derive(Clone, Copy, Debug)]
struct Shape {
    n_features: usize,
    n_outputs: usize,
    n_rounds: usize,
    max_leaves: usize,
    /// Whether one tree has values for all outputs.
    joint: bool,
}

struct Draws(Stream);

impl Draws {
    fn new(seed: u64) -> Self {
        Draws(Stream::new(seed, Purpose::Rows, 0))
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    fn number(&mut self) -> f64 {
        self.0.next_unit() - 0.5
    }

    /// Every third feature holds categories; others have up to 254 cut points.
    fn binner(&mut self, n_features: usize) -> Binner {
        let features = (0..n_features).map(|feature| {
            let count = self.below(255);
            if feature % 3 == 2 {
                FeatureBins::Categorical((0..count.max(1)).map(|code| code as f64).collect())
            } else {
                let mut cuts: Vec<f64> = (0..count).map(|_| self.number()).collect();
                cuts.sort_by(f64::total_cmp);
                FeatureBins::Numerical(cuts)
            }
        });
        Binner::new(features.collect())
    }

    /// Splits leaves drawn at random.
    fn tree(&mut self, binner: &Binner, shape: Shape, output: Option<u32>, leaves: usize) -> Tree {
        let leaf = Node {
            feature: NONE,
            bin: 0,
            missing_left: false,
            categories: NONE,
            left: NONE,
            right: NONE,
            gain: 0.0,
            cover: 0.0,
            weight: 0.0,
        };
        let (mut nodes, mut sets): (Vec<Node>, Vec<BinSet>) = (vec![leaf], vec![]);
        let mut open = vec![0];
        while open.len() < leaves {
            let place = self.below(open.len());
            let at = open.swap_remove(place);
            let feature = self.below(shape.n_features);
            let bins = &binner.features[feature];
            let mut split = Node { feature: feature as u32, ..leaf };
            split.missing_left = self.below(2) == 0;
            split.bin = self.below(bins.count()) as u8;
            if bins.is_categorical() {
                split.categories = sets.len() as u32;
                sets.push(std::array::from_fn(|_| self.0.next_u64()));
            }
            // Right before left as well: nothing but "after the parent" is promised.
            let (first, second) = (nodes.len() as u32, nodes.len() as u32 + 1);
            (split.left, split.right) =
                if self.below(2) == 0 { (first, second) } else { (second, first) };
            nodes[at] = split;
            nodes.extend([leaf, leaf]);
            open.extend([nodes.len() - 2, nodes.len() - 1]);
        }
        let width = if output.is_some() { 1 } else { shape.n_outputs };
        let values = (0..nodes.len() * width).map(|_| self.number()).collect();
        Tree { nodes, values, sets, output }
    }

    fn ensemble(&mut self, shape: Shape) -> Ensemble {
        let binner = self.binner(shape.n_features);
        let trees_per_round = if shape.joint { 1 } else { shape.n_outputs };
        let trees = (0..shape.n_rounds * trees_per_round).map(|at| {
            let output = (!shape.joint).then_some((at % trees_per_round) as u32);
            let leaves = 1 + self.below(shape.max_leaves);
            self.tree(&binner, shape, output, leaves)
        });
        let trees = trees.collect();
        let base = (0..shape.n_outputs).map(|_| self.number()).collect();
        Ensemble { binner, base, trees, trees_per_round }
    }

    /// Row-major values, missing ones and unknown categories among them.
    fn rows(&mut self, binner: &Binner, n_rows: usize) -> Vec<f64> {
        let mut rows = Vec::new();
        for _ in 0..n_rows {
            for bins in &binner.features {
                rows.push(match (self.below(8), bins) {
                    (0, _) => f64::NAN,
                    (1, FeatureBins::Numerical(cuts)) if !cuts.is_empty() => {
                        cuts[self.below(cuts.len())]
                    }
                    (2, _) => f64::INFINITY * self.number(),
                    (_, FeatureBins::Numerical(_)) => self.number(),
                    (_, FeatureBins::Categorical(codes)) => self.below(codes.len() + 1) as f64,
                });
            }
        }
        rows
    }
}

/// The margins of a row and its leaves, tree after tree.
fn expected(ensemble: &Ensemble, row: &[f64], rounds: Range<usize>) -> (Vec<f64>, Vec<u32>) {
    expected_from(&ensemble.base, ensemble, row, rounds)
}

/// The margins of a row, added to those it starts from, and its leaves.
fn expected_from(
    start: &[f64],
    ensemble: &Ensemble,
    row: &[f64],
    rounds: Range<usize>,
) -> (Vec<f64>, Vec<u32>) {
    let features = ensemble.binner.features.iter().zip(row);
    let bins: Vec<u8> = features.map(|(bins, &value)| bins.bin(value)).collect();
    let mut margins = start.to_vec();
    let mut leaves = Vec::new();
    for tree in ensemble.rounds(rounds) {
        let leaf = tree.leaf(|feature| bins[feature]);
        leaves.push(leaf as u32);
        match tree.output {
            Some(output) => margins[output as usize] += tree.values[leaf],
            None => {
                let values = &tree.values[leaf * margins.len()..];
                margins.iter_mut().zip(values).for_each(|(margin, value)| *margin += value);
            }
        }
    }
    (margins, leaves)
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

fn margins(
    ensemble: &Ensemble,
    rows: &[f64],
    rounds: Range<usize>,
    isa: Isa,
    team: &Team,
) -> Result<Vec<f64>> {
    let table = Table::from_rows(Values::F64(rows), ensemble.binner.n_columns())?;
    let mut out = vec![0.0; table.n_rows() * ensemble.n_outputs()];
    let compute = Compute { isa, team };
    let rows = NewRows { table: &table, rounds, start: None };
    Predictor::new(ensemble).margins(ensemble, &rows, &mut out, compute, &mut || Ok(()))?;
    Ok(out)
}

fn shapes() -> impl Strategy<Value = Shape> {
    // Around every number of leaves at which another way is taken.
    let leaves = prop_oneof![Just(1_usize), 2..20_usize, 20..80_usize, 80..400_usize, Just(4500)];
    (1..8_usize, 1..5_usize, 0..9_usize, leaves, any::<bool>()).prop_map(
        |(n_features, n_outputs, n_rounds, max_leaves, joint)| Shape {
            n_features,
            n_outputs,
            n_rounds,
            max_leaves,
            joint,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_ways_give_the_bits_of_plain_walks(
        shape in shapes(),
        n_rows in prop_oneof![0..40_usize, 500..530_usize, 1000..2600_usize],
        cut: (usize, usize),
        seed: u64,
    ) {
        let mut draws = Draws::new(seed);
        let ensemble = draws.ensemble(shape);
        let rows = draws.rows(&ensemble.binner, n_rows);
        let [a, b] = [cut.0, cut.1].map(|at| at % (shape.n_rounds + 1));
        let rounds = a.min(b)..a.max(b);
        let each = rows.chunks_exact(shape.n_features);
        let (plain, leaves): (Vec<_>, Vec<_>) =
            each.map(|row| expected(&ensemble, row, rounds.clone())).unzip();
        let (plain, leaves) = (plain.concat(), leaves.concat());
        for isa in Isa::available() {
            for threads in [1, 2] {
                let team = Team::new(threads)?;
                let computed = margins(&ensemble, &rows, rounds.clone(), isa, &team)?;
                prop_assert!(bits(&computed) == bits(&plain), "{} with {threads}", isa.name());
            }
        }
        let table = Table::from_rows(Values::F64(&rows), shape.n_features)?;
        let mut computed = vec![0; leaves.len()];
        let (predictor, team) = (Predictor::new(&ensemble), Team::new(2)?);
        let compute = Compute { isa: Isa::detect(), team: &team };
        predictor.leaves(&ensemble, &table, rounds.clone(), &mut computed, compute, &mut || Ok(()))?;
        prop_assert_eq!(computed, leaves);
        for row in rows.chunks_exact(shape.n_features).take(50) {
            let (some, _) = expected(&ensemble, row, rounds.clone());
            prop_assert_eq!(bits(&predictor.row(&ensemble, row, rounds.clone())?), bits(&some));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn features_that_read_one_column_are_as_copies_of_it(
        shape in shapes(),
        n_rows in prop_oneof![0..40_usize, 500..530_usize],
        seed: u64,
    ) {
        let mut draws = Draws::new(seed);
        let plain = draws.ensemble(shape);
        let columns: Vec<u32> = (0..shape.n_features as u32).map(|feature| feature / 2).collect();
        let n_columns = shape.n_features.div_ceil(2);
        let binner = Binner::of_columns(plain.binner.features.clone(), columns.clone())?;
        let wide = Ensemble { binner, ..plain.clone() };
        prop_assert_eq!(wide.binner.n_columns(), n_columns);
        let rows: Vec<f64> = (0..n_rows * n_columns).map(|_| draws.number()).collect();
        let each = || rows.chunks_exact(n_columns);
        let copies: Vec<f64> =
            each().flat_map(|row| columns.iter().map(|&at| row[at as usize])).collect();
        let (isa, team) = (Isa::detect(), Team::new(1)?);
        let rounds = 0..shape.n_rounds;
        let expected = margins(&plain, &copies, rounds.clone(), isa, &team)?;
        let computed = margins(&wide, &rows, rounds.clone(), isa, &team)?;
        prop_assert_eq!(bits(&computed), bits(&expected));
        let predictor = Predictor::new(&wide);
        for (row, expected) in each().zip(expected.chunks_exact(shape.n_outputs)) {
            prop_assert_eq!(bits(&predictor.row(&wide, row, 0..wide.n_rounds())?), bits(expected));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn probabilities_of_many_rows_have_the_bits_of_single_rows(
        shape in shapes(),
        n_rows in prop_oneof![0..40_usize, 500..530_usize, 1000..1100_usize],
        seed: u64,
    ) {
        let mut draws = Draws::new(seed);
        let ensemble = draws.ensemble(shape);
        let values = draws.rows(&ensemble.binner, n_rows);
        let start: Vec<f64> = (0..n_rows * shape.n_outputs).map(|_| 9.0 * draws.number()).collect();
        let n_classes = if shape.n_outputs == 1 { 2 } else { shape.n_outputs };
        let table = Table::from_rows(Values::F64(&values), shape.n_features)?;
        let rows = NewRows { table: &table, rounds: 0..shape.n_rounds, start: Some(&start) };
        let (predictor, team) = (Predictor::new(&ensemble), Team::new(2)?);
        let mut out = vec![0.0; n_rows * n_classes];
        let each = values.chunks_exact(shape.n_features).zip(start.chunks_exact(shape.n_outputs));
        let expected: Vec<f64> = each.flat_map(|(row, start)| {
            let (margins, _) = expected_from(start, &ensemble, row, 0..shape.n_rounds);
            let mut probabilities = vec![0.0; n_classes];
            super::probabilities(&margins, &mut probabilities);
            probabilities
        }).collect();
        for isa in Isa::available() {
            let compute = Compute { isa, team: &team };
            let poll = &mut || Ok(());
            let computed =
                predictor.probabilities(&ensemble, &rows, n_classes, &mut out, compute, poll);
            // Two outputs belong to no number of classes.
            prop_assert_eq!(computed.is_ok(), shape.n_outputs != 2);
            prop_assert!(computed.is_err() || bits(&out) == bits(&expected), "{}", isa.name());
        }
        let short = NewRows { start: start.get(1..), ..rows };
        if let Some([_, ..]) = short.start {
            let compute = Compute { isa: Isa::detect(), team: &team };
            let mut out = vec![0.0; start.len()];
            prop_assert!(
                predictor.margins(&ensemble, &short, &mut out, compute, &mut || Ok(())).is_err()
            );
        }
    }
}

#[test]
fn columns_ascend_from_zero_without_a_gap() {
    let features = |n| vec![FeatureBins::Numerical(Vec::new()); n];
    for columns in [vec![0, 0, 1], vec![], vec![0, 1, 2, 2, 3]] {
        let binner = Binner::of_columns(features(columns.len()), columns.clone());
        assert_eq!(binner.unwrap().columns(), columns);
    }
    for columns in [vec![1], vec![0, 2], vec![0, 1, 0], vec![0, u32::MAX]] {
        assert!(Binner::of_columns(features(columns.len()), columns).is_err());
    }
    assert!(Binner::of_columns(features(2), vec![0]).is_err());
}
