//! 512 bits in eight words.

use super::bits::Bits;
use super::bitslices::RowBits;

/// 512 bits in eight words, whose operations the compiler vectorizes.
#[derive(Clone, Copy)]
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
