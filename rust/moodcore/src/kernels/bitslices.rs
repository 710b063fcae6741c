//! Decision trees on 512 rows at a time, one bit per row.
//!
//! The outcome of a test for 512 rows is 512 bits, and a split of the rows that reached a node is
//! two logical operations on them, whatever the test. As in QuickScorer (Lucchese et al. 2015)
//! all tests of all trees are made, feature by feature, before any tree is looked at, and as in
//! RapidScorer (Ye et al. 2018) equal tests of different trees are made once; the bits are
//! those of rows here, not of leaves, so that nothing depends on how many leaves a tree has.

use super::bits::Bits;
use super::row_trees::{Fork, RowTrees, SLOTS};
use super::simd::Simd;
use crate::memory::filled;

/// Rows that are handled together.
pub const SLICE_ROWS: usize = 512;

/// Leaves whose values are looked up together.
pub const SLICE_CHUNK: usize = 32;

/// Leaves whose rows are united together.
const OCTET: usize = 8;

/// 64-bit words of a set of rows.
pub(super) const WORDS: usize = SLICE_ROWS / 64;

/// A set of the 512 rows: bit `i` of byte `p` is the row whose place is `64 i + p`, see
/// [`super::RowBins`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct RowBits(pub(super) [u64; WORDS]);

impl RowBits {
    /// No row.
    pub const NONE: RowBits = RowBits([0; WORDS]);
    /// Every row.
    pub const ALL: RowBits = RowBits([!0; WORDS]);
}

/// Turns eight sets, one per binary digit of a byte of each row, into the bytes: the byte of the
/// row at place `64 i + p` is byte `p` of result `i`. The same turns bytes into digits.
#[inline(always)]
pub(super) fn transpose<B: Bits>(rows: [B; 8]) -> [B; 8] {
    // Blocks of one by one bit, two by two and four by four are exchanged across the diagonal
    // (Warren 2013, section 7-3).
    let [a, b, c, d, e, f, g, h] = rows;
    let ones = B::splat(0x5555_5555_5555_5555);
    let ((a, b), (c, d)) = (exchange::<B, 1>(a, b, ones), exchange::<B, 1>(c, d, ones));
    let ((e, f), (g, h)) = (exchange::<B, 1>(e, f, ones), exchange::<B, 1>(g, h, ones));
    let twos = B::splat(0x3333_3333_3333_3333);
    let ((a, c), (b, d)) = (exchange::<B, 2>(a, c, twos), exchange::<B, 2>(b, d, twos));
    let ((e, g), (f, h)) = (exchange::<B, 2>(e, g, twos), exchange::<B, 2>(f, h, twos));
    let fours = B::splat(0x0f0f_0f0f_0f0f_0f0f);
    let ((a, e), (b, f)) = (exchange::<B, 4>(a, e, fours), exchange::<B, 4>(b, f, fours));
    let ((c, g), (d, h)) = (exchange::<B, 4>(c, g, fours), exchange::<B, 4>(d, h, fours));
    [a, b, c, d, e, f, g, h]
}

/// Puts groups of `WIDTH` bits of `low` below the same groups of `high`: the even groups, which
/// `mask` selects, and the odd ones.
#[inline(always)]
fn exchange<B: Bits, const WIDTH: u32>(low: B, high: B, mask: B) -> (B, B) {
    let even = low.and(mask).or(high.shift_left(WIDTH).and_not(mask));
    let odd = low.shift_right(WIDTH).and(mask).or(high.and_not(mask));
    (even, odd)
}

/// Which leaf each of the 512 rows has reached.
#[derive(Clone, Debug)]
pub struct RowLeaves {
    /// The rows in each slot: those of a leaf each when a tree is done.
    slots: Vec<RowBits>,
    /// The rows of each chunk of leaves.
    chunks: Vec<RowBits>,
    /// Lower and upper byte of the leaf of each row, as [`transpose`] gives them.
    low: [RowBits; 8],
    high: [RowBits; 8],
}

impl Default for RowLeaves {
    fn default() -> Self {
        RowLeaves {
            slots: filled(RowBits::NONE, SLOTS),
            chunks: Vec::new(),
            low: [RowBits::NONE; 8],
            high: [RowBits::NONE; 8],
        }
    }
}

impl RowLeaves {
    /// Sends all rows down a tree. All rows must pass test 0.
    ///
    /// # Panics
    /// When there are fewer trees, or fewer tests than the trees refer to.
    #[inline(always)]
    pub fn route<S: Simd>(&mut self, trees: &RowTrees, tree: usize, tests: &[RowBits]) {
        assert!(self.slots.len() == SLOTS && tests.len() >= trees.n_tests());
        let (forks, n_leaves) = trees.tree(tree);
        let slots = self.slots.as_mut_slice();
        slots[n_leaves..n_leaves.next_multiple_of(OCTET)].fill(RowBits::NONE);
        slots[0] = RowBits::ALL;
        for fork in forks {
            // SAFETY: `RowTrees` has only forks whose tests are below `n_tests` and whose slots are
            // below `SLOTS`, as many as are here.
            unsafe { divide::<S>(fork, tests, slots) };
        }
        self.number::<S>(n_leaves);
    }

    /// Numbers the leaves of the rows.
    #[inline(always)]
    fn number<S: Simd>(&mut self, n_leaves: usize) {
        let (octets, _) = self.slots[..n_leaves.next_multiple_of(OCTET)].as_chunks::<OCTET>();
        let mut leaves = Digits::<S>::none();
        if n_leaves <= SLICE_CHUNK {
            for (at, slots) in octets.iter().enumerate().take(SLICE_CHUNK / OCTET) {
                leaves.add(at, slots);
            }
            let none = S::Bits::none();
            let Digits { ones, twos, fours, eights, sixteens } = leaves;
            let digits = [ones, twos, fours, eights, sixteens, none, none, none];
            store_all(transpose(digits), &mut self.low);
            return;
        }
        self.chunks.clear();
        for octets in octets.chunks(SLICE_CHUNK / OCTET) {
            let mut rows = S::Bits::none();
            for (at, slots) in octets.iter().enumerate() {
                rows = rows.or(leaves.add(at, slots));
            }
            self.chunks.push(RowBits::NONE);
            rows.store(self.chunks.last_mut().expect("pushed"));
        }
        let Digits { ones, twos, fours, eights, sixteens } = leaves;
        let [a, b, c] = self.digits::<S>(0);
        store_all(transpose([ones, twos, fours, eights, sixteens, a, b, c]), &mut self.low);
        if n_leaves > 256 {
            let ([a, b, c], none) = (self.digits::<S>(3), S::Bits::none());
            store_all(transpose([a, b, c, none, none, none, none, none]), &mut self.high);
        }
    }

    /// Three binary digits from `first` of the number of each row's chunk.
    #[inline(always)]
    fn digits<S: Simd>(&self, first: usize) -> [S::Bits; 3] {
        let mut planes = [S::Bits::none(); 3];
        for (at, chunk) in self.chunks.iter().enumerate() {
            for (digit, plane) in planes.iter_mut().enumerate() {
                if at >> (first + digit) & 1 == 1 {
                    *plane = plane.or(S::Bits::load(chunk));
                }
            }
        }
        planes
    }

    /// Adds to each row's sum the value of its leaf; `values` are filled up to whole chunks.
    ///
    /// # Panics
    /// When there are fewer values than leaves.
    #[inline(always)]
    pub fn add_values<S: Simd>(&self, values: &[f64], sums: &mut [f64; SLICE_ROWS]) {
        let chunks = values.as_chunks().0;
        if chunks.len() <= 256 / SLICE_CHUNK {
            return S::add_leaf_values(&self.low, chunks, sums);
        }
        let (low, high) = (self.low.map(bytes), self.high.map(bytes));
        add_each(sums, |part, place| {
            values[usize::from(high[part][place]) << 8 | usize::from(low[part][place])]
        });
    }
}

/// Five binary digits of the leaves of rows.
struct Digits<S: Simd> {
    ones: S::Bits,
    twos: S::Bits,
    fours: S::Bits,
    eights: S::Bits,
    sixteens: S::Bits,
}

impl<S: Simd> Digits<S> {
    #[inline(always)]
    fn none() -> Self {
        let none = S::Bits::none();
        Digits { ones: none, twos: none, fours: none, eights: none, sixteens: none }
    }

    /// Adds the rows of the eight leaves from `8 at`, and returns all of them.
    #[inline(always)]
    fn add(&mut self, at: usize, slots: &[RowBits; OCTET]) -> S::Bits {
        let [a, b, c, d, e, f, g, h] = slots;
        let (a, b, c, d) = (S::Bits::load(a), S::Bits::load(b), S::Bits::load(c), S::Bits::load(d));
        let (e, f, g, h) = (S::Bits::load(e), S::Bits::load(f), S::Bits::load(g), S::Bits::load(h));
        self.ones = self.ones.or(b).or(d).or(f.or(h));
        let (second, third, fourth) = (c.or(d), e.or(f), g.or(h));
        self.twos = self.twos.or(second).or(fourth);
        self.fours = self.fours.or(third).or(fourth);
        let rows = a.or(b).or(second).or(third.or(fourth));
        if at & 1 == 1 {
            self.eights = self.eights.or(rows);
        }
        if at & 2 == 2 {
            self.sixteens = self.sixteens.or(rows);
        }
        rows
    }
}

/// Divides the rows of a node and of its children.
///
/// # Safety
/// The fork's tests and slots must exist.
#[inline(always)]
unsafe fn divide<S: Simd>(fork: &Fork, tests: &[RowBits], slots: &mut [RowBits]) {
    let tests = tests.as_ptr().cast::<u64>();
    let slots = slots.as_mut_ptr().cast::<u64>();
    // SAFETY: the fork has the first words of sets that exist, as the caller vouches, and the
    // sets are not used in any other way here.
    unsafe {
        let test = |at: usize| S::Bits::load(&*tests.add(fork.tests[at] as usize).cast());
        let slot = |at: usize| &mut *slots.add(usize::from(fork.slots[at])).cast::<RowBits>();
        let here = S::Bits::load(slot(0));
        let (first, second, third) = (test(0), test(1), test(2));
        let (passed, failed) = (here.and(first), here.and_not(first));
        passed.and(second).store(slot(0));
        passed.and_not(second).store(slot(1));
        failed.and(third).store(slot(2));
        failed.and_not(third).store(slot(3));
    }
}

/// Writes eight sets.
#[inline(always)]
fn store_all<B: Bits>(from: [B; 8], to: &mut [RowBits; 8]) {
    from.into_iter().zip(to).for_each(|(from, to)| from.store(to));
}

/// [`RowLeaves::add_values`] of at most 256 leaves by one look-up a row.
#[inline(always)]
pub(super) fn add_leaf_values(
    leaves: &[RowBits; 8],
    values: &[[f64; SLICE_CHUNK]],
    sums: &mut [f64; SLICE_ROWS],
) {
    let leaves = leaves.map(bytes);
    let leaf = |part: usize, place: usize| usize::from(leaves[part][place]);
    if let [chunk] = values {
        add_each(sums, |part, place| chunk[leaf(part, place) % SLICE_CHUNK]);
    } else {
        let values = values.as_flattened();
        add_each(sums, |part, place| values[leaf(part, place)]);
    }
}

/// The bytes of a set.
#[inline(always)]
fn bytes(rows: RowBits) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (bytes, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(rows.0) {
        *bytes = word.to_le_bytes();
    }
    bytes
}

/// Adds the value of each row, which is that of a place of a part.
#[inline(always)]
fn add_each(sums: &mut [f64; SLICE_ROWS], value: impl Fn(usize, usize) -> f64) {
    for (part, sums) in sums.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        for byte in 0..4 {
            for half in 0..2 {
                // The places of eight rows, see `super::bin_bits::PLACES`.
                let first = 8 * half + byte;
                let sums = &mut sums[16 * byte + 8 * half..][..8];
                sums[0] += value(part, first);
                sums[1] += value(part, first + 4);
                sums[2] += value(part, first + 16);
                sums[3] += value(part, first + 20);
                sums[4] += value(part, first + 32);
                sums[5] += value(part, first + 36);
                sums[6] += value(part, first + 48);
                sums[7] += value(part, first + 52);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::bin_bits::{BinNibbles, RowBins};
    use crate::kernels::{Isa, RowSplit, Task};
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
            let mut bins = RowBins::ZERO;
            self.bins.iter().enumerate().for_each(|(row, &bin)| bins.set(row, bin));
            let mut nibbles = BinNibbles::default();
            nibbles.read::<S>(&bins);
            let mut tests = vec![RowBits::ALL; 257];
            for (bin, test) in (0..=255).zip(&mut tests[1..]) {
                nibbles.among::<S>(&[bin], test);
            }
            let mut trees = RowTrees::default();
            trees.push(&[]);
            trees.push(self.splits);
            let mut sums = [1.0; SLICE_ROWS];
            let mut leaves = RowLeaves::default();
            leaves.route::<S>(&trees, 1, &tests);
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
                RowSplit { test: test + 1, stay: stay % go, go }
            });
            let splits: Vec<RowSplit> = splits.collect();
            let count = (splits.len() + 1).next_multiple_of(SLICE_CHUNK);
            let values: Vec<f64> = (0..count).map(|leaf| leaf as f64 + 0.1).collect();
            let leaf = |bin: u8| splits.iter().fold(0, |at, split| {
                if split.stay == at && split.test != u32::from(bin) + 1 { split.go } else { at }
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
