//! Decision trees on 512 rows at a time, one bit per row.
//!
//! The outcome of a test for 512 rows is 512 bits, and a split of the rows that reached a node is
//! two logical operations on them, whatever the test. As in QuickScorer (Lucchese et al. 2015)
//! all tests of all trees are made, feature by feature, before any tree is looked at, and as in
//! RapidScorer (Ye et al. 2018) equal tests of different trees are made once; the bits are
//! those of rows here, not of leaves, so that nothing depends on how many leaves a tree has.

use super::simd::Simd;
use crate::memory::filled;

/// Rows that are handled together.
pub const SLICE_ROWS: usize = 512;

/// The most leaves of a tree that can be told apart.
pub const SLICE_LEAVES: usize = 2048;

/// Leaves whose values are looked up together.
pub const SLICE_CHUNK: usize = 16;

/// A set of the 512 rows: row `r` is bit `r / 8` of word `r % 8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct RowBits([u64; 8]);

impl RowBits {
    /// No row.
    pub const NONE: RowBits = RowBits([0; 8]);
    /// Every row.
    pub const ALL: RowBits = RowBits([!0; 8]);

    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(u64, u64) -> u64) -> Self {
        RowBits(std::array::from_fn(|word| op(self.0[word], other.0[word])))
    }

    /// The rows in both sets.
    #[inline(always)]
    pub fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// The rows in this set and not in the other.
    #[inline(always)]
    pub fn and_not(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// The rows in either set.
    #[inline(always)]
    pub fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }
}

/// Finds the rows of each class, where `class_of` gives the class of a bin.
///
/// # Panics
/// When `rows` has fewer places than there are classes.
#[inline(always)]
pub fn rows_of_classes(bins: &[u8; SLICE_ROWS], class_of: &[u8; 256], rows: &mut [RowBits]) {
    rows.fill(RowBits::NONE);
    for (bit, bins) in bins.chunks_exact(8).enumerate() {
        for (word, &bin) in bins.iter().enumerate() {
            rows[usize::from(class_of[usize::from(bin)])].0[word] |= 1 << bit;
        }
    }
}

/// An inner node: of the rows at place `stay` those that fail the test move to place `go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSplit {
    /// Which of the tests.
    pub test: u32,
    /// Where the rows of this node are, and where those that pass remain.
    pub stay: u16,
    /// Where those that fail go.
    pub go: u16,
}

/// Which leaf each of the 512 rows has reached.
#[derive(Clone, Debug)]
pub struct RowLeaves {
    /// The rows at each place, the leaves when a tree is done.
    places: Vec<RowBits>,
    /// The rows of each chunk of leaves.
    chunks: Vec<RowBits>,
    /// The number of the leaf in its chunk: nibble `n` of word `w` of entry `j` is that of the
    /// row at bit `4 n + j` of word `w`.
    nibbles: [RowBits; 4],
}

impl Default for RowLeaves {
    fn default() -> Self {
        RowLeaves {
            places: filled(RowBits::NONE, SLICE_LEAVES),
            chunks: Vec::new(),
            nibbles: [RowBits::NONE; 4],
        }
    }
}

impl RowLeaves {
    /// Sends all rows down a tree, whose splits come parents first and whose leaves are the
    /// places from zero: one more than there are splits.
    ///
    /// # Panics
    /// When there are as many splits as [`SLICE_LEAVES`], or a place or a test that is not there.
    #[inline(always)]
    pub fn route(&mut self, splits: &[RowSplit], tests: &[RowBits]) {
        let n_leaves = splits.len() + 1;
        let places = &mut self.places[..n_leaves.next_multiple_of(SLICE_CHUNK)];
        places[n_leaves..].fill(RowBits::NONE);
        places[0] = RowBits::ALL;
        for split in splits {
            let passed = tests[split.test as usize];
            let here = places[usize::from(split.stay)];
            places[usize::from(split.go)] = here.and_not(passed);
            places[usize::from(split.stay)] = here.and(passed);
        }
        self.number(n_leaves);
    }

    /// Numbers the leaves of the rows.
    #[inline(always)]
    fn number(&mut self, n_leaves: usize) {
        let mut planes = [RowBits::NONE; 4];
        self.chunks.resize(n_leaves.div_ceil(SLICE_CHUNK), RowBits::NONE);
        let (places, _) = self.places.as_chunks::<SLICE_CHUNK>();
        for (places, chunk) in places.iter().zip(&mut self.chunks) {
            // A tree of ors gives the rows of pairs, quarters and so on of the leaves, and each
            // binary digit of the leaf on the way.
            let mut rows = *places;
            for (digit, plane) in planes.iter_mut().enumerate() {
                for at in 0..SLICE_CHUNK >> (digit + 1) {
                    *plane = plane.or(rows[2 * at + 1]);
                    rows[at] = rows[2 * at].or(rows[2 * at + 1]);
                }
            }
            *chunk = rows[0];
        }
        self.nibbles = nibbles(planes);
    }

    /// Adds to each row's sum the value of its leaf; `values` are filled up to whole chunks.
    ///
    /// # Panics
    /// When there are fewer values.
    #[inline(always)]
    pub fn add_values<S: Simd>(&self, values: &[f64], sums: &mut [f64; SLICE_ROWS]) {
        S::add_leaf_values(self, values.as_chunks().0, sums);
    }

    /// The rows of each chunk of leaves, and [`RowLeaves::nibbles`].
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn parts(&self) -> (&[RowBits], &[RowBits; 4]) {
        (&self.chunks, &self.nibbles)
    }

    /// [`RowLeaves::add_values`] by one look-up a row.
    #[inline(always)]
    pub(super) fn add_each(&self, values: &[[f64; SLICE_CHUNK]], sums: &mut [f64; SLICE_ROWS]) {
        let values = values[..self.chunks.len()].as_flattened();
        let low = bytes(&self.nibbles, &nibbles(self.digits(0)));
        if self.chunks.len() <= 16 {
            add_numbered(&low, |_, _| 0, values, sums);
        } else {
            let high = bytes(&nibbles(self.digits(4)), &nibbles(self.digits(8)));
            add_numbered(&low, |part, word| high[part].0[word], values, sums);
        }
    }

    /// Four binary digits from `first` of the number of each row's chunk.
    #[inline(always)]
    fn digits(&self, first: usize) -> [RowBits; 4] {
        let mut planes = [RowBits::NONE; 4];
        for (at, &chunk) in self.chunks.iter().enumerate() {
            for (digit, plane) in planes.iter_mut().enumerate() {
                if at >> (first + digit) & 1 == 1 {
                    *plane = plane.or(chunk);
                }
            }
        }
        planes
    }
}

/// Adds to each row's sum the value of its number, whose lower half is a byte of `low`, as
/// [`bytes`] gives them, and whose upper half the same byte of a word of `high`.
#[inline(always)]
fn add_numbered(
    low: &[RowBits; 8],
    high: impl Fn(usize, usize) -> u64,
    values: &[f64],
    sums: &mut [f64; SLICE_ROWS],
) {
    for (part, low) in low.iter().enumerate() {
        for byte in 0..8 {
            let sums = &mut sums[64 * byte + 8 * part..][..8];
            for (word, sum) in sums.iter_mut().enumerate() {
                let of = |bytes: u64| usize::from((bytes >> (8 * byte)) as u8);
                *sum += values[of(high(part, word)) << 8 | of(low.0[word])];
            }
        }
    }
}

/// Two nibbles of each row to one byte of each row: byte `b` of word `w` of entry `i` is that of
/// the row at bit `8 b + i` of word `w`.
#[inline(always)]
fn bytes(low: &[RowBits; 4], high: &[RowBits; 4]) -> [RowBits; 8] {
    let mut bytes = [RowBits::NONE; 8];
    for (at, (&low, &high)) in low.iter().zip(high).enumerate() {
        (bytes[at], bytes[at + 4]) = interleave::<4>(low, high, 0x0f0f_0f0f_0f0f_0f0f);
    }
    bytes
}

/// Four binary digits of each row to one nibble of each row.
#[inline(always)]
fn nibbles(planes: [RowBits; 4]) -> [RowBits; 4] {
    const PAIRS: u64 = 0x5555_5555_5555_5555;
    const QUADS: u64 = 0x3333_3333_3333_3333;
    let (even_low, odd_low) = interleave::<1>(planes[0], planes[1], PAIRS);
    let (even_high, odd_high) = interleave::<1>(planes[2], planes[3], PAIRS);
    let (first, third) = interleave::<2>(even_low, even_high, QUADS);
    let (second, fourth) = interleave::<2>(odd_low, odd_high, QUADS);
    [first, second, third, fourth]
}

/// Puts groups of `WIDTH` bits of `low` below the same groups of `high`: the even groups, which
/// `mask` selects, and the odd ones.
#[inline(always)]
fn interleave<const WIDTH: u32>(low: RowBits, high: RowBits, mask: u64) -> (RowBits, RowBits) {
    let even = low.zip(high, |low, high| low & mask | high << WIDTH & !mask);
    let odd = low.zip(high, |low, high| low >> WIDTH & mask | high & !mask);
    (even, odd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Isa, Task};
    use proptest::prelude::*;

    /// Rows of some bins sent down a tree each of whose tests one bin passes.
    struct Routed<'a> {
        bins: &'a [u8],
        splits: &'a [RowSplit],
        values: &'a [f64],
    }

    impl Task for Routed<'_> {
        type Output = Vec<f64>;

        #[inline(always)]
        fn run<S: Simd>(self) -> Vec<f64> {
            let bins = std::array::from_fn(|row| self.bins[row]);
            let mut tests = vec![RowBits::NONE; 256];
            rows_of_classes(&bins, &std::array::from_fn(|bin| bin as u8), &mut tests);
            let mut sums = [1.0; SLICE_ROWS];
            let mut leaves = RowLeaves::default();
            leaves.route(self.splits, &tests);
            leaves.add_values::<S>(self.values, &mut sums);
            sums.to_vec()
        }
    }

    proptest! {
        #[test]
        fn rows_reach_their_leaves(
            bins in prop::collection::vec(0..200_u8, SLICE_ROWS),
            drawn in prop::collection::vec((0..256_u32, any::<u16>()), 0..300),
        ) {
            let splits = (1..).zip(&drawn).map(|(go, &(test, stay))| {
                RowSplit { test, stay: stay % go, go }
            });
            let splits: Vec<RowSplit> = splits.collect();
            let count = (splits.len() + 1).next_multiple_of(SLICE_CHUNK);
            let values: Vec<f64> = (0..count).map(|leaf| leaf as f64 + 0.1).collect();
            let leaf = |bin: u8| splits.iter().fold(0, |at, split| {
                if split.stay == at && split.test != u32::from(bin) { split.go } else { at }
            });
            let expected: Vec<f64> =
                bins.iter().map(|&bin| 1.0 + values[usize::from(leaf(bin))]).collect();
            for isa in Isa::available() {
                let task = Routed { bins: &bins, splits: &splits, values: &values };
                prop_assert_eq!(&isa.run(task), &expected, "{}", isa.name());
            }
        }
    }
}
