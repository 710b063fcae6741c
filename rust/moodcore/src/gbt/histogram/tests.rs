//! Histograms of nodes, against plain sums, and what they promise to each other.

use super::*;
use crate::gbt::weights::Weights;
use crate::kernels::{Isa, NarrowCell, WideCell};
use proptest::prelude::*;

/// A table of bins, derivatives of its rows, and which rows two siblings hold.
#[derive(Clone, Debug)]
struct Sample {
    n_features: usize,
    bins: RowBins,
    pairs: Vec<Pair>,
    counts: Option<Vec<u32>>,
    repeated: bool,
    /// Rows of the parent, ascending, each with its side.
    rows: Vec<(u32, bool)>,
}

fn samples() -> impl Strategy<Value = Sample> {
    let n_features = prop_oneof![6 => 1..14_usize, 1 => 17..20_usize, 1 => 65..67_usize];
    (1..200_usize, n_features).prop_flat_map(|(n_rows, n_features)| {
        let pair = (-(1 << 30)..=1_i32 << 30, 0..=1_u32 << 31);
        let pair = pair.prop_map(|(g, h)| Pair { g, h });
        let bin = prop_oneof![0..4_u8, any::<u8>()];
        (
            prop::collection::vec(bin, n_rows * n_features),
            prop::collection::vec(pair, n_rows),
            prop::option::of(prop::collection::vec(1..70_u32, n_rows)),
            any::<bool>(),
            prop::collection::vec((any::<bool>(), any::<bool>()), n_rows),
        )
            .prop_map(move |(bins, pairs, counts, repeated, sides)| {
                let column = |at: usize| bins[at..].iter().step_by(n_features).copied().collect();
                let columns: Vec<Vec<u8>> = (0..n_features).map(column).collect();
                let team = Team::new(1).expect("one thread");
                let bins = RowBins::of(&columns, &Block::cut(n_features, 1), &team);
                let rows = sides.into_iter().enumerate().filter(|(_, (kept, _))| *kept);
                let rows = rows.map(|(row, (_, left))| (row as u32, left)).collect();
                Sample { n_features, bins, pairs, counts, repeated, rows }
            })
    })
}

/// The bin of a feature in a row.
fn bin_in(bins: &RowBins, row: usize, feature: usize) -> u8 {
    let groups = bins.groups.partition_point(|group| group.first <= feature);
    let GroupBins { first, stride, start, bins } = &bins.groups[groups - 1];
    bins[start + row * stride + feature - first]
}

impl Sample {
    /// The rows of the parent that are on these sides.
    fn node(&self, keep: impl Fn(bool) -> bool) -> Vec<u32> {
        self.rows.iter().filter(|&&(_, left)| keep(left)).map(|&(row, _)| row).collect()
    }

    fn units(&self) -> Units {
        let counts = self.counts.as_ref();
        let weight: Option<Vec<f64>> =
            counts.map(|counts| counts.iter().map(|&count| f64::from(count)).collect());
        let weights = Weights::new(self.pairs.len(), weight.as_deref()).expect("valid weights");
        Units::wide(weights.scales(1.0, 1.0), &weights)
    }

    /// The same with derivatives that fit narrow cells.
    fn narrow(mut self) -> Self {
        for pair in &mut self.pairs {
            *pair = Pair { g: pair.g >> 16, h: pair.h >> 16 };
        }
        self
    }

    fn node_rows<'a>(&'a self, rows: RowList<'a>, units: &'a Units) -> NodeRows<'a> {
        let (pairs, counts) = (&self.pairs[..], self.counts.as_deref());
        NodeRows { rows, pairs, counts, repeated: self.repeated, units }
    }

    fn add<C: Packed>(&self, node: NodeRows<'_>, isa: Isa, cells: &mut [FeatureCells<C>]) {
        for block in Block::cut(self.n_features, 1) {
            let cells = &mut cells[block.first..block.first + block.count];
            isa.run(Accumulate { node, bins: &self.bins, block, next: &[], cells });
        }
    }

    fn histogram<C: Packed>(&self, rows: &[u32], isa: Isa) -> Vec<FeatureCells<C>> {
        let mut cells = vec![FeatureCells::filled_with(C::EMPTY); self.n_features];
        let units = self.units();
        self.add(self.node_rows(RowList::Some(rows), &units), isa, &mut cells);
        cells
    }

    /// Sums of gradients, second derivatives and weights of the rows of a bin.
    fn sums(&self, rows: &[u32], feature: usize, bin: usize) -> (i64, u64, u64) {
        let mut sums = (0, 0, 0);
        for row in rows.iter().map(|&row| row as usize) {
            if usize::from(bin_in(&self.bins, row, feature)) == bin {
                let pair = self.pairs[row];
                let count = self.counts.as_ref().map_or(1, |counts| counts[row]);
                let times = if self.repeated { count } else { 1 };
                sums.0 += i64::from(pair.g) * i64::from(times);
                sums.1 += u64::from(pair.h) * u64::from(times);
                sums.2 += u64::from(count);
            }
        }
        sums
    }
}

fn check_sums<C: Packed>(sample: &Sample) -> Result<(), TestCaseError> {
    let (node, units) = (sample.node(|_| true), sample.units());
    for isa in Isa::available() {
        let cells = sample.histogram::<C>(&node, isa);
        for (feature, cells) in cells.iter().enumerate() {
            for (bin, &cell) in cells.iter().enumerate() {
                let (g, h, count) = sample.sums(&node, feature, bin);
                let count = if C::COUNTED { count } else { 0 };
                prop_assert_eq!(cell.unpack(&units), (g, h, count), "{}", isa.name());
            }
        }
    }
    Ok(())
}

fn check_siblings<C: Packed>(sample: &Sample) -> Result<(), TestCaseError> {
    let isa = Isa::detect();
    let mut rest = sample.histogram::<C>(&sample.node(|_| true), isa);
    for (from, other) in rest.iter_mut().zip(&sample.histogram(&sample.node(|left| left), isa)) {
        subtract(from, other, BINS);
    }
    prop_assert!(rest == sample.histogram(&sample.node(|left| !left), isa));
    Ok(())
}

fn check_parts<C: Packed>(sample: &Sample, cut: prop::sample::Index) -> Result<(), TestCaseError> {
    let isa = Isa::detect();
    let (node, units) = (sample.node(|_| true), sample.units());
    let all = sample.node_rows(RowList::Some(&node), &units);
    let whole = sample.histogram::<C>(&node, isa);
    let cut = cut.index(node.len() + 1);
    let mut parts = vec![FeatureCells::filled_with(C::EMPTY); sample.n_features];
    for places in [0..cut, cut..node.len()] {
        sample.add(all.part(places), isa, &mut parts);
    }
    prop_assert!(parts == whole);
    for cells in &whole {
        let sum = cells.iter().fold(C::EMPTY, |sum, &cell| sum.plus(cell));
        prop_assert_eq!(sum, all.total());
    }
    Ok(())
}

fn check_range<C: Packed>(sample: Sample) -> Result<(), TestCaseError> {
    let isa = Isa::detect();
    let rows = (0..sample.pairs.len() as u32).map(|row| (row, true)).collect();
    let every = Sample { rows, ..sample };
    let (node, units) = (every.node(|_| true), every.units());
    let mut cells = vec![FeatureCells::filled_with(C::EMPTY); every.n_features];
    let n_rows = node.len();
    let range = every.node_rows(RowList::Range(0, n_rows), &units);
    // In two parts, as long nodes are read.
    every.add(range.part(0..n_rows / 3), isa, &mut cells);
    every.add(range.part(n_rows / 3..n_rows), isa, &mut cells);
    prop_assert!(cells == every.histogram(&node, isa));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bins_hold_the_sums_of_their_rows(sample in samples()) {
        check_sums::<WideCell>(&sample)?;
        // Counts multiply pairs in narrow cells always.
        check_sums::<NarrowCell>(&Sample { repeated: true, ..sample.narrow() })?;
    }

    #[test]
    fn what_a_child_leaves_is_its_sibling(sample in samples()) {
        check_siblings::<WideCell>(&sample)?;
        check_siblings::<NarrowCell>(&sample.narrow())?;
    }

    #[test]
    fn parts_add_up_to_the_whole(sample in samples(), cut: prop::sample::Index) {
        check_parts::<WideCell>(&sample, cut)?;
        check_parts::<NarrowCell>(&sample.narrow(), cut)?;
    }

    #[test]
    fn a_range_is_the_list_of_its_rows(sample in samples()) {
        check_range::<WideCell>(sample.clone())?;
        check_range::<NarrowCell>(sample.narrow())?;
    }

    #[test]
    fn rows_of_bins_are_columns_turned(
        n_rows in prop_oneof![1..50_usize, 4000..9000_usize],
        n_features in prop_oneof![1..5_usize, 27..30_usize, 64..67_usize],
        seed: u8,
    ) {
        let bin = |feature: usize, row: usize| ((row ^ row >> 8) * 31 + feature * 7) as u8 ^ seed;
        let columns: Vec<Vec<u8>> =
            (0..n_features).map(|at| (0..n_rows).map(|row| bin(at, row)).collect()).collect();
        for threads in 1..=3 {
            let blocks = Block::cut(n_features, threads);
            let computed = RowBins::of(&columns, &blocks, &Team::new(threads)?);
            for row in 0..n_rows {
                for feature in 0..n_features {
                    prop_assert_eq!(bin_in(&computed, row, feature), bin(feature, row));
                }
            }
        }
    }
}

#[test]
fn rows_are_padded_to_powers_of_two_that_are_close() {
    let padded = [7, 13, 14, 15, 27, 28, 31, 54, 63].map(stride);
    assert_eq!(padded, [8, 13, 16, 16, 32, 32, 32, 64, 64]);
    let unchanged = [1, 2, 3, 5, 6, 10, 16, 32, 50, 64, 100, 127, 200];
    assert_eq!(unchanged.map(stride), unchanged);
}

#[test]
fn blocks_hold_every_feature_once() {
    for n_features in 1..300 {
        for least in 1..4 {
            let blocks = Block::cut(n_features, least);
            assert!(blocks.len() >= least.min(n_features));
            let mut next = 0;
            for (at, Block { first, count, group }) in blocks.into_iter().enumerate() {
                assert_eq!(group, if n_features > 64 { at } else { 0 });
                assert_eq!(first, next);
                assert!((1..=WIDEST).contains(&count), "{count} of {n_features}");
                next += count;
            }
            assert_eq!(next, n_features);
        }
    }
}
