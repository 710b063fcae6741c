//! Where numbers fall among ascending cut points.

use super::simd::{LANES, Simd};

/// At most 255 ascending numbers, in blocks of sixteen, filled up with infinity.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    blocks: [[f64; LANES]; LANES],
    /// The last number of each block.
    lasts: [f64; LANES],
}

impl Cuts {
    /// # Panics
    /// When there are more than 255 numbers.
    #[inline(always)]
    pub fn new(cuts: &[f64]) -> Self {
        assert!(cuts.len() < LANES * LANES);
        let mut blocks = [[f64::INFINITY; LANES]; LANES];
        blocks.as_flattened_mut()[..cuts.len()].copy_from_slice(cuts);
        Cuts { blocks, lasts: blocks.map(|block| block[LANES - 1]) }
    }

    /// Writes how many cut points are below each value, and `of_nan` for NaN.
    ///
    /// # Panics
    /// When `out` is of another length.
    #[inline(always)]
    pub fn count_below<S: Simd>(&self, values: &[f64], of_nan: u8, out: &mut [u8]) {
        assert_eq!(values.len(), out.len());
        for (&value, out) in values.iter().zip(out) {
            // The last of the last block is infinite, and nothing is above it.
            let block = S::count_below(&self.lasts, value) % LANES;
            let count = LANES * block + S::count_below(&self.blocks[block], value);
            *out = if value.is_nan() { of_nan } else { count as u8 };
        }
    }
}
