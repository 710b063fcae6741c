//! Tests of the bins of 512 rows, one bit per row.
//!
//! The eight binary digits of all bins of a feature are eight sets of rows. The rows of each value
//! of the upper and of the lower four digits are products of these, and every test of a bin
//! follows from them with two logical operations.

use super::bits::Bits;
use super::bitslices::{RowBits, SLICE_ROWS, transpose};
use super::simd::Simd;

/// The bins of one feature in 512 rows, at places from which tree sums come out in the order of
/// the rows (see `add_leaf_values` for AVX-512).
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct RowBins([u8; SLICE_ROWS]);

/// The place of each of 64 rows.
const PLACES: [u8; 64] = {
    let mut places = [0; 64];
    let mut row = 0;
    while row < 64 {
        // Digits of the row from the highest: two of the byte in a group of four, one of the half
        // of a register of eight sums, two of a quarter of a register, one of the sum in it.
        let (byte, half, quarter, last) = (row >> 4, row >> 3 & 1, row >> 1 & 3, row & 1);
        places[row] = (quarter << 4 | half << 3 | last << 2 | byte) as u8;
        row += 1;
    }
    places
};

/// The place of a row.
#[inline(always)]
fn place_of(row: usize) -> usize {
    row & !63 | usize::from(PLACES[row & 63])
}

impl RowBins {
    /// Bin zero in all rows.
    pub const ZERO: RowBins = RowBins([0; SLICE_ROWS]);

    /// The bin of a row.
    ///
    /// # Panics
    /// When the row is not below [`SLICE_ROWS`].
    #[inline(always)]
    pub fn get(&self, row: usize) -> u8 {
        self.0[place_of(row)]
    }

    /// Sets the bin of a row.
    ///
    /// # Panics
    /// When the row is not below [`SLICE_ROWS`].
    #[inline(always)]
    pub fn set(&mut self, row: usize, bin: u8) {
        self.0[place_of(row)] = bin;
    }
}

/// The rows whose bin has some upper or lower nibble, of which tests are made.
#[derive(Clone, Debug)]
pub struct BinNibbles {
    /// The upper nibble is the index.
    upper: [RowBits; 16],
    /// The upper nibble is below the index; second, also the rows of bin 255.
    below: [[RowBits; 16]; 2],
    /// The lower nibble is the index.
    lower: [RowBits; 16],
    /// The lower nibble is at most the index.
    up_to: [RowBits; 16],
}

impl Default for BinNibbles {
    fn default() -> Self {
        let none = [RowBits::NONE; 16];
        BinNibbles { upper: none, below: [none; 2], lower: none, up_to: none }
    }
}

impl BinNibbles {
    /// Reads the bins of a feature.
    #[inline(always)]
    pub fn read<S: Simd>(&mut self, bins: &RowBins) {
        let mut bytes = [S::Bits::none(); 8];
        for (to, bins) in bytes.iter_mut().zip(bins.0.as_chunks::<64>().0) {
            let mut words = RowBits::NONE;
            for (word, bins) in words.0.iter_mut().zip(bins.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bins);
            }
            *to = S::Bits::load(&words);
        }
        let [a, b, c, d, e, f, g, h] = transpose(bytes);
        products::<S>([a, b, c, d], &mut self.lower);
        products::<S>([e, f, g, h], &mut self.upper);
        let last = |nibbles: &[RowBits; 16]| S::Bits::load(&nibbles[15]);
        let missing = last(&self.upper).and(last(&self.lower));
        let (mut below, mut up_to) = (S::Bits::none(), S::Bits::none());
        for at in 0..16 {
            below.store(&mut self.below[0][at]);
            below.or(missing).store(&mut self.below[1][at]);
            below = below.or(S::Bits::load(&self.upper[at]));
            up_to = up_to.or(S::Bits::load(&self.lower[at]));
            up_to.store(&mut self.up_to[at]);
        }
    }

    /// Finds the rows whose bin is at most this one; with `missing`, also those of bin 255.
    #[inline(always)]
    pub fn at_most<S: Simd>(&self, bin: u8, missing: bool, rows: &mut RowBits) {
        let (upper, lower) = (usize::from(bin >> 4), usize::from(bin & 15));
        let below = S::Bits::load(&self.below[usize::from(missing)][upper]);
        let equal = S::Bits::load(&self.upper[upper]);
        below.or(equal.and(S::Bits::load(&self.up_to[lower]))).store(rows);
    }

    /// Finds the rows whose bin is among these.
    #[inline(always)]
    pub fn among<S: Simd>(&self, bins: &[u8], rows: &mut RowBits) {
        let mut among = S::Bits::none();
        for bin in bins {
            let (upper, lower) = (usize::from(bin >> 4), usize::from(bin & 15));
            let upper = S::Bits::load(&self.upper[upper]);
            among = among.or(upper.and(S::Bits::load(&self.lower[lower])));
        }
        among.store(rows);
    }
}

/// Finds the rows of each value of four binary digits.
#[inline(always)]
fn products<S: Simd>(digits: [S::Bits; 4], rows: &mut [RowBits; 16]) {
    let four = |low: S::Bits, high: S::Bits| {
        let neither = S::Bits::splat(!0).and_not(low.or(high));
        [neither, low.and_not(high), high.and_not(low), low.and(high)]
    };
    let (low, high) = (four(digits[0], digits[1]), four(digits[2], digits[3]));
    for (rows, high) in rows.as_chunks_mut::<4>().0.iter_mut().zip(high) {
        rows.iter_mut().zip(low).for_each(|(rows, low)| low.and(high).store(rows));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Isa, Task};
    use proptest::prelude::*;

    /// Whether a row is in the set.
    fn contains(rows: &RowBits, row: usize) -> bool {
        let place = place_of(row);
        rows.0[place % 64 / 8] >> (8 * (place % 8) + place / 64) & 1 == 1
    }

    /// The rows of bins at most `last`, of these and of bin 255, and of `some` bins.
    struct Tests<'a> {
        bins: &'a RowBins,
        last: u8,
        some: &'a [u8],
    }

    impl Task for Tests<'_> {
        type Output = [RowBits; 3];

        #[inline(always)]
        fn run<S: Simd>(self) -> [RowBits; 3] {
            let mut nibbles = BinNibbles::default();
            nibbles.read::<S>(self.bins);
            let mut rows = [RowBits::NONE; 3];
            nibbles.at_most::<S>(self.last, false, &mut rows[0]);
            nibbles.at_most::<S>(self.last, true, &mut rows[1]);
            nibbles.among::<S>(self.some, &mut rows[2]);
            rows
        }
    }

    proptest! {
        #[test]
        fn tests_pass_the_rows_of_their_bins(
            drawn in prop::collection::vec(any::<u8>(), SLICE_ROWS),
            some in prop::collection::vec(any::<u8>(), 0..20),
            last in 0..255_u8,
        ) {
            let mut bins = RowBins::ZERO;
            drawn.iter().enumerate().for_each(|(row, &bin)| bins.set(row, bin));
            for isa in Isa::available() {
                let rows = isa.run(Tests { bins: &bins, last, some: &some });
                for (row, &bin) in drawn.iter().enumerate() {
                    prop_assert_eq!(bins.get(row), bin);
                    let expected = [bin <= last, bin <= last || bin == 255, some.contains(&bin)];
                    prop_assert_eq!(rows.each_ref().map(|rows| contains(rows, row)), expected);
                }
            }
        }
    }
}
