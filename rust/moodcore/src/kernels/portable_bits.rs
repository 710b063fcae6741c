//! 512 bits in eight words, where there are no registers written for them.

use super::bits::Bits;
use super::bitslices::RowBits;

/// 512 bits in eight words, whose operations the compiler vectorizes.
#[derive(Clone, Copy)]
#[cfg_attr(target_arch = "x86_64", expect(unreachable_pub, reason = "only tests use it here"))]
pub struct PortableBits([u64; 8]);

impl PortableBits {
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(u64, u64) -> u64) -> Self {
        let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]) = (self.0, other.0);
        PortableBits([
            op(a, i),
            op(b, j),
            op(c, k),
            op(d, l),
            op(e, m),
            op(f, n),
            op(g, o),
            op(h, p),
        ])
    }
}

impl Bits for PortableBits {
    #[inline(always)]
    fn splat(word: u64) -> Self {
        PortableBits([word; 8])
    }

    #[inline(always)]
    fn load(rows: &RowBits) -> Self {
        PortableBits(rows.0)
    }

    #[inline(always)]
    fn store(self, rows: &mut RowBits) {
        rows.0 = self.0;
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    #[inline(always)]
    fn shift_left(self, count: u32) -> Self {
        self.zip(self, |a, _| a << count)
    }

    #[inline(always)]
    fn shift_right(self, count: u32) -> Self {
        self.zip(self, |a, _| a >> count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::bitslices::WORDS;
    use crate::kernels::{Portable, Simd};
    use proptest::prelude::*;

    /// The results of all operations.
    fn all<B: Bits>(a: &RowBits, b: &RowBits) -> [RowBits; 6] {
        let (a, b) = (B::load(a), B::load(b));
        let word = B::splat(0x1234_5678_9abc_def0);
        let results =
            [a.and(b), a.and_not(b), a.or(b), a.shift_left(4), a.shift_right(2), a.and(word)];
        let mut rows = [RowBits::NONE; 6];
        results.into_iter().zip(&mut rows).for_each(|(result, rows)| result.store(rows));
        rows
    }

    proptest! {
        #[test]
        fn words_and_registers_have_the_same_bits(
            a in prop::array::uniform8(any::<u64>()),
            b in prop::array::uniform8(any::<u64>()),
        ) {
            let words: [[u64; WORDS]; 6] = [
                std::array::from_fn(|at| a[at] & b[at]),
                std::array::from_fn(|at| a[at] & !b[at]),
                std::array::from_fn(|at| a[at] | b[at]),
                a.map(|word| word << 4),
                a.map(|word| word >> 2),
                a.map(|word| word & 0x1234_5678_9abc_def0),
            ];
            let (a, b) = (RowBits(a), RowBits(b));
            prop_assert_eq!(all::<PortableBits>(&a, &b), words.map(RowBits));
            prop_assert_eq!(all::<<Portable as Simd>::Bits>(&a, &b), words.map(RowBits));
        }
    }
}
