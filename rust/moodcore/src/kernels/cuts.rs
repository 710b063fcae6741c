//! Search for the positions of numbers among ascending cut points.

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

    /// Calls `visit` with the position of each value and the number of cut points below it, for NaN
    /// with `of_nan`.
    #[inline(always)]
    pub fn count_below<S: Simd>(
        &self,
        values: &[f64],
        of_nan: u8,
        mut visit: impl FnMut(usize, u8),
    ) {
        for (at, &value) in values.iter().enumerate() {
            // The last of the last block is infinite, and nothing is above it.
            let block = S::count_below(&self.lasts, value) % LANES;
            let count = LANES * block + S::count_below(&self.blocks[block], value);
            visit(at, if value.is_nan() { of_nan } else { count as u8 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Isa, Task};
    use proptest::prelude::*;

    struct Count<'a>(&'a [f64], &'a [f64]);

    impl Task for Count<'_> {
        type Output = Vec<u8>;

        #[inline(always)]
        fn run<S: Simd>(self) -> Vec<u8> {
            let mut out = vec![0; self.1.len()];
            Cuts::new(self.0).count_below::<S>(self.1, 255, |at, count| out[at] = count);
            out
        }
    }

    proptest! {
        #[test]
        fn what_is_below_is_counted(
            mut cuts in prop::collection::vec(-4.0..4.0_f64, 0..256),
            mut values in prop::collection::vec(prop::num::f64::ANY, 0..40),
        ) {
            cuts.sort_by(f64::total_cmp);
            values.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.0, -0.0]);
            values.extend(&cuts);
            let count = |value: &f64| cuts.iter().filter(|&cut| cut < value).count() as u8;
            let rank = |value: &f64| if value.is_nan() { 255 } else { count(value) };
            let expected: Vec<u8> = values.iter().map(rank).collect();
            for isa in Isa::available() {
                prop_assert_eq!(&isa.run(Count(&cuts, &values)), &expected, "{}", isa.name());
            }
        }
    }
}
