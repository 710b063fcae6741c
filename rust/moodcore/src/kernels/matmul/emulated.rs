//! Products on x86-64 CPUs without fused multiply-add, with the same bits.
//!
//! Emulating one multiply-add at a time converts each operand to double precision and back. Here
//! the right matrix is converted once for all rows, the sums stay in double precision with the digits
//! of single precision, and what decides whether a sum was rounded correctly is checked once per
//! chain of [`STEPS`] sums. A chain with a doubtful sum is computed again, one multiply-add at a time.

use super::super::fused::mul_add_singles;
use super::{Epilogue, LANES, Pointers, Shape, Simd, array_of};
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

/// Sums in a chain that is checked, and computed again, as a whole: one in 2^16 numbers is doubtful
/// without need.
const STEPS: usize = 32;

/// Sixteen lanes in double precision.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Lanes([f64; LANES]);

/// The lowest and the highest magnitude of some numbers other than zero.
#[derive(Clone, Copy)]
struct Range {
    /// Infinite when all are zero.
    least: f64,
    most: f64,
}

/// What is known of the sums of a product, none of which exceeds single precision.
#[derive(Clone, Copy)]
struct Known {
    /// None is subnormal.
    is_normal: bool,
    /// A sum starts from minus zero.
    has_minus_zero: bool,
}

/// Computes a product, or returns false where its sums may exceed single precision.
///
/// # Safety
/// Every element that the shape reaches lies inside its matrix.
#[inline(always)]
pub(super) unsafe fn tiles<S: Simd, E: Epilogue>(shape: Shape, at: Pointers, epilogue: E) -> bool {
    // SAFETY: vouched for by the caller, and columns and steps are inside the shape.
    unsafe {
        let Some(known) = known(shape, at) else { return false };
        let mut panel = [const { MaybeUninit::uninit() }; STEPS];
        for column in (0..shape.vectors * LANES).step_by(LANES) {
            for first in (0..shape.inner).step_by(STEPS) {
                let steps = STEPS.min(shape.inner - first);
                let chains = Chains { at, known, column, first, steps };
                chains.convert(&mut panel);
                chains.add_rows(shape.rows, &panel);
            }
            for row in 0..shape.rows {
                let offset = row * at.out_row + column;
                let out = at.out.add(offset);
                epilogue.apply(S::load(out), offset).store(out);
            }
        }
    }
    true
}

/// The right matrix's rows of a chain in double precision.
type Panel = [MaybeUninit<Lanes>; STEPS];

/// The chains of sixteen columns, over some values of the inner index.
struct Chains {
    at: Pointers,
    known: Known,
    /// The first column.
    column: usize,
    /// The first of the values, and how many they are.
    first: usize,
    steps: usize,
}

impl Chains {
    /// Converts the rows of the right matrix.
    ///
    /// # Safety
    /// As for [`tiles`].
    #[inline(always)]
    unsafe fn convert(&self, panel: &mut Panel) {
        for (step, lanes) in panel[..self.steps].iter_mut().enumerate() {
            // SAFETY: vouched for by the caller.
            unsafe {
                let right = self.at.right.add((self.first + step) * self.at.right_row);
                lanes.write(Lanes::load(right.add(self.column)));
            }
        }
    }

    /// Adds the products to the sums of all rows, in the output.
    ///
    /// # Safety
    /// As for [`tiles`].
    #[inline(always)]
    unsafe fn add_rows(&self, rows: usize, panel: &Panel) {
        let at = self.at;
        // Products with zero, half of those of ReLU layers, change no sum but minus zero, which
        // subnormal numbers may be rounded to as well.
        let skips_zeros = !self.known.has_minus_zero && (self.known.is_normal || self.first == 0);
        for top in (0..rows).step_by(4) {
            // The last four rows share some with those before.
            let base = top.min(rows.saturating_sub(4));
            // SAFETY: vouched for by the caller.
            unsafe {
                let left = at.left.add(base * at.left_row + self.first * at.left_column);
                let masks = if !skips_zeros {
                    [u32::MAX; 4]
                } else if at.left_column == 1 {
                    array_of(|row| not_zero(left.add(row.min(rows - 1) * at.left_row), self.steps))
                } else if rows >= 4 {
                    not_zero_by_column(left, at.left_column, self.steps)
                } else {
                    [u32::MAX; 4]
                };
                for row in top..rows.min(top + 4) {
                    let terms = masks[row - base] & (u32::MAX >> (STEPS - self.steps));
                    self.add_row(row, panel, terms);
                }
            }
        }
    }

    /// Adds the products whose bit is in `terms` to the sums of a row.
    ///
    /// # Safety
    /// As for [`tiles`].
    #[inline(always)]
    unsafe fn add_row(&self, row: usize, panel: &Panel, terms: u32) {
        let at = self.at;
        let repeated;
        // SAFETY: vouched for by the caller.
        unsafe {
            let out = at.out.add(row * at.out_row + self.column);
            let start = if self.first > 0 {
                out.cast_const()
            } else if at.start_column > 0 {
                at.start.add(self.column)
            } else {
                repeated = [if at.start.is_null() { 0.0 } else { *at.start.add(row) }; LANES];
                repeated.as_ptr()
            };
            let chain = Chain {
                left: at.left.add(row * at.left_row + self.first * at.left_column),
                left_column: at.left_column,
                right: at.right.add(self.first * at.right_row + self.column),
                right_row: at.right_row,
                steps: self.steps,
            };
            let is_exact = if self.known.is_normal {
                chain.add_up::<false>(panel, terms, start, out)
            } else {
                chain.add_up::<true>(panel, terms, start, out)
            };
            if !is_exact {
                chain.add_exactly(start, out);
            }
        }
    }
}

/// Which of at most [`STEPS`] values are not zero, a bit each.
///
/// # Safety
/// `steps` values must be readable.
#[inline(always)]
unsafe fn not_zero(values: *const f32, steps: usize) -> u32 {
    let mut mask = 0;
    // SAFETY: every x86-64 CPU has SSE2; the values are readable, as the caller vouches.
    unsafe {
        for_each_four(values, steps, |at, four| {
            mask |= (_mm_movemask_ps(_mm_cmpneq_ps(four, _mm_setzero_ps())) as u32) << at;
        });
    }
    mask
}

/// [`not_zero`] of four columns, whose values are `distance` apart.
///
/// # Safety
/// Four values must be readable at each of `steps` places.
#[inline(always)]
unsafe fn not_zero_by_column(values: *const f32, distance: usize, steps: usize) -> [u32; 4] {
    let mut masks = [0; 4];
    // SAFETY: every x86-64 CPU has SSE2; the values are readable, as the caller vouches.
    unsafe {
        let (mut bits, mut bit) = (_mm_setzero_si128(), _mm_set1_epi32(1));
        for step in 0..steps {
            let four = _mm_loadu_ps(values.add(step * distance));
            let four = _mm_castps_si128(_mm_cmpneq_ps(four, _mm_setzero_ps()));
            bits = _mm_or_si128(bits, _mm_and_si128(four, bit));
            bit = _mm_add_epi32(bit, bit);
        }
        _mm_storeu_si128(masks.as_mut_ptr().cast(), bits);
    }
    masks
}

/// What is known of the sums of a product; `None` where they may exceed single precision.
///
/// A number of single precision is a multiple of its magnitude over 2^24, rounded up to a power of
/// two. So products of at least 2^-78, or zero, are multiples of 2^-126, the smallest normal number,
/// and so are all their sums: only zero is smaller.
///
/// # Safety
/// As for [`tiles`].
#[inline(always)]
unsafe fn known(shape: Shape, at: Pointers) -> Option<Known> {
    let power = |exponent: u64| f64::from_bits((1023 + exponent) << 52);
    let Shape { rows, inner, vectors } = shape;
    let columns = vectors * LANES;
    let starts = match (at.start_row, at.start_column) {
        (0, 0) => 0,
        (0, _) => columns,
        _ => rows,
    };
    // SAFETY: vouched for by the caller.
    let (left, right, start, has_minus_zero) = unsafe {
        let left = match (at.left_row, at.left_column) {
            (row, 1) => range(at.left, (rows, row), inner),
            (1, column) => range(at.left, (inner, column), rows),
            _ => return None,
        };
        let right = range(at.right, (inner, at.right_row), columns);
        let start = range(at.start, (1, 0), starts);
        let is_minus_zero = |index| (*at.start.add(index)).to_bits() == 1 << 31;
        (left, right, start, (0..starts).any(is_minus_zero))
    };
    let most = left.most * right.most * inner as f64 + start.most;
    let is_normal = left.least * right.least * power(78) >= 1.0 && start.least * power(102) >= 1.0;
    // False for NaN.
    (inner > 0 && most <= power(126)).then_some(Known { is_normal, has_minus_zero })
}

/// The range of `runs` runs of `len` values, `distance` apart.
///
/// SSE2 compares halves of words: the least magnitude is rounded down to eight digits, and the
/// largest one up.
///
/// # Safety
/// The values must be readable.
#[inline(always)]
unsafe fn range(from: *const f32, (runs, distance): (usize, usize), len: usize) -> Range {
    let flip = 1_u32 << 31;
    let (mut least, mut most) = ([0_u16; 8], [0_u16; 8]);
    // SAFETY: every x86-64 CPU has SSE2; the values are readable, as the caller vouches.
    unsafe {
        let (mut least_words, mut most_words) =
            (_mm_set1_epi16(i16::MAX), _mm_set1_epi16(i16::MIN));
        for run in 0..runs {
            for_each_four(from.add(run * distance), len, |_, four| {
                // Words without their sign, as signed words in the same order. One less, zero is the
                // largest.
                let bits = _mm_castps_si128(four);
                let size = _mm_xor_si128(_mm_add_epi32(bits, bits), _mm_set1_epi32(flip as i32));
                most_words = _mm_max_epi16(most_words, size);
                least_words = _mm_min_epi16(least_words, _mm_add_epi32(size, _mm_set1_epi32(-1)));
            });
        }
        let flip = _mm_set1_epi16(i16::MIN);
        _mm_storeu_si128(least.as_mut_ptr().cast(), _mm_xor_si128(least_words, flip));
        _mm_storeu_si128(most.as_mut_ptr().cast(), _mm_xor_si128(most_words, flip));
    }
    let least = least[1].min(least[3]).min(least[5]).min(least[7]);
    let most = most[1].max(most[3]).max(most[5]).max(most[7]);
    let value =
        |half: u16, rest: u32| f64::from(f32::from_bits((u32::from(half) << 16 | rest) >> 1));
    Range {
        least: if least == u16::MAX { f64::INFINITY } else { value(least, 0) },
        most: value(most, 0xffff),
    }
}

/// Calls `visit` with each place and the four values there, until all values were visited, some
/// twice; fewer than four are filled up with zeros.
///
/// # Safety
/// `len` values must be readable.
#[inline(always)]
unsafe fn for_each_four(values: *const f32, len: usize, mut visit: impl FnMut(usize, __m128)) {
    // SAFETY: every x86-64 CPU has SSE2; the values are readable, as the caller vouches.
    unsafe {
        if len == 0 {
            return;
        }
        if len < 4 {
            let mut four = [0.0; 4];
            std::ptr::copy_nonoverlapping(values, four.as_mut_ptr(), len);
            return visit(0, _mm_loadu_ps(four.as_ptr()));
        }
        for at in (0..len - 3).step_by(4) {
            visit(at, _mm_loadu_ps(values.add(at)));
        }
        if !len.is_multiple_of(4) {
            visit(len - 4, _mm_loadu_ps(values.add(len - 4)));
        }
    }
}

impl Lanes {
    /// Sixteen consecutive numbers of single precision with their sign changed: a compiler subtracts
    /// from a sum in its register, but adds to either operand.
    ///
    /// # Safety
    /// `from` must be readable for sixteen `f32`.
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: vouched for by the caller.
        Lanes(unsafe { from.cast::<[f32; LANES]>().read() }.map(|lane| -f64::from(lane)))
    }
}

/// A sum of products: sixteen lanes over some values of the inner index.
struct Chain {
    left: *const f32,
    left_column: usize,
    right: *const f32,
    right_row: usize,
    /// How many products: at most [`STEPS`].
    steps: usize,
}

impl Chain {
    /// Adds all products to sixteen values at `start`, each rounded once, and writes the sums to `out`.
    ///
    /// # Safety
    /// `left` and `right` must be readable for `steps` values and rows, `start` for sixteen values,
    /// and `out` must be writable for as many.
    #[cold]
    #[inline(never)]
    unsafe fn add_exactly(&self, start: *const f32, out: *mut f32) {
        // SAFETY: vouched for by the caller.
        unsafe {
            let mut sums = start.cast::<[f32; LANES]>().read();
            for step in 0..self.steps {
                let a = *self.left.add(step * self.left_column);
                let b = self.right.add(step * self.right_row).cast::<[f32; LANES]>().read();
                sums = mul_add_singles(&[a; LANES], &b, &sums);
            }
            out.cast::<[f32; LANES]>().write(sums);
        }
    }

    /// [`Chain::add_exactly`] for the products whose bit in `terms` is set, unless one of the sums may
    /// differ from the sum rounded once: then it writes nothing and returns false. `panel` holds the
    /// rows of `right` in double precision; SUBNORMAL says whether sums may be subnormal.
    ///
    /// A product of two numbers of single precision is exact in double precision. Its sum with a
    /// third is rounded there first, and then to single precision. The result is that of rounding
    /// once unless the first rounding gives a tie of the second, or single precision has fewer
    /// digits there.
    ///
    /// # Safety
    /// As for [`Chain::add_exactly`]; `panel` must hold a row for each bit in `terms`.
    #[inline(never)]
    unsafe fn add_up<const SUBNORMAL: bool>(
        &self,
        panel: &Panel,
        mut terms: u32,
        start: *const f32,
        out: *mut f32,
    ) -> bool {
        // SAFETY: every x86-64 CPU has SSE2; loads are of two and stores of four of sixteen lanes,
        // and the rest is as the caller vouches.
        unsafe {
            let mut sum: [__m128d; LANES / 2] = [_mm_setzero_pd(); LANES / 2];
            for (pair, sum) in sum.iter_mut().enumerate() {
                let two = _mm_load_sd(start.add(2 * pair).cast());
                *sum = _mm_cvtps_pd(_mm_castpd_ps(two));
            }
            // Single precision does not have the 29 lowest bits.
            let half = _mm_set1_epi64x(1 << 28);
            let digits = _mm_castsi128_pd(_mm_set1_epi64x(-1 << 29));
            let largest = _mm_set1_epi32(i32::MAX);
            let (mut least_tail, mut least_size) = (largest, largest);
            while terms != 0 {
                let step = terms.trailing_zeros() as usize;
                terms &= terms - 1;
                let a = _mm_set1_pd(f64::from(*self.left.add(step * self.left_column)));
                let lanes = panel[step].as_ptr().cast::<f64>();
                for four in 0..LANES / 4 {
                    let next = |pair: usize, sum| {
                        _mm_sub_pd(sum, _mm_mul_pd(_mm_load_pd(lanes.add(2 * pair)), a))
                    };
                    let (first, second) = (2 * four, 2 * four + 1);
                    let (low, high) = (next(first, sum[first]), next(second, sum[second]));
                    // A tie's missing bits are the smallest signed word, and only they are.
                    let tail = _mm_shuffle_ps::<0x88>(_mm_castpd_ps(low), _mm_castpd_ps(high));
                    let tail = _mm_slli_epi32::<3>(_mm_castps_si128(tail));
                    least_tail = _mm_min_epi16(least_tail, tail);
                    if SUBNORMAL {
                        // Without its sign and less the smallest word: zero becomes the largest
                        // word, and the smallest numbers the smallest words.
                        let size = _mm_shuffle_ps::<0xdd>(_mm_castpd_ps(low), _mm_castpd_ps(high));
                        let size = _mm_castps_si128(size);
                        let size = _mm_add_epi32(_mm_add_epi32(size, size), largest);
                        least_size = _mm_min_epi16(least_size, size);
                    }
                    // Rounds to nearest all but ties.
                    let round = |sum| {
                        let sum = _mm_add_epi64(_mm_castpd_si128(sum), half);
                        _mm_and_pd(_mm_castsi128_pd(sum), digits)
                    };
                    (sum[first], sum[second]) = (round(low), round(high));
                }
            }
            let mut doubtful = _mm_cmpeq_epi16(least_tail, _mm_set1_epi32(i32::MIN));
            if SUBNORMAL {
                // 2^-126, the smallest normal number, without its sign and less the smallest word.
                let normal = _mm_set1_epi32(i32::MIN + ((1023 - 126) << 21));
                doubtful = _mm_or_si128(doubtful, _mm_cmpgt_epi16(normal, least_size));
            }
            if _mm_movemask_ps(_mm_castsi128_ps(doubtful)) != 0 {
                return false;
            }
            for four in 0..LANES / 4 {
                let [low, high] = [sum[2 * four], sum[2 * four + 1]].map(|sum| _mm_cvtpd_ps(sum));
                _mm_storeu_ps(out.add(4 * four), _mm_movelh_ps(low, high));
            }
            true
        }
    }
}
