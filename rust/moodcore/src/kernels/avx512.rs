//! Sixteen lanes in one 512-bit register.

use super::Task;
use super::avx512_bits::Avx512Bits;
use super::avx512_doubles::Avx512Doubles;
use super::bitslices::{self, RowBits, SLICE_CHUNK, SLICE_ROWS};
use super::simd::{LANES, Simd, array_of};
use std::arch::x86_64::*;

/// Sixteen lanes in one AVX-512 register.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Avx512(__m512);

/// Wraps intrinsics that are unsafe only for the instructions they need.
macro_rules! avx512 {
    ($body:expr) => {
        // SAFETY: values of this type exist only inside `Isa::run`, which has checked that the
        // processor has AVX-512 F and DQ.
        unsafe { $body }
    };
}

impl Avx512 {
    /// The lanes of a register.
    #[inline(always)]
    pub(super) fn of(register: __m512) -> Self {
        Avx512(register)
    }
}

impl Simd for Avx512 {
    type Bits = Avx512Bits;
    type Doubles = Avx512Doubles;

    const NARROW_ROWS: usize = 16;
    const WIDE_VECTORS: usize = 4;
    const WIDE_ROWS: usize = 6;
    const COMPRESSES: bool = true;

    #[inline(always)]
    fn outline<T: Task>(task: T) -> T::Output {
        #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
        #[inline(never)]
        fn run<T: Task>(task: T) -> T::Output {
            task.run::<Avx512>()
        }
        avx512!(run(task))
    }

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Avx512(avx512!(_mm512_set1_ps(value)))
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for sixteen readable values.
        Avx512(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for sixteen writable places.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        let mask = ((1_u32 << count) - 1) as __mmask16;
        // SAFETY: lanes outside the mask are not read.
        Avx512(unsafe { _mm512_maskz_loadu_ps(mask, from) })
    }

    #[inline(always)]
    unsafe fn store_below(candidates: [u32; LANES], limit: u32, to: *mut u32) -> usize {
        // SAFETY: the array has sixteen values, and the caller vouches for as many places.
        unsafe {
            let all = _mm512_loadu_si512(candidates.as_ptr().cast());
            let below = _mm512_cmplt_epu32_mask(all, _mm512_set1_epi32(limit as i32));
            _mm512_storeu_si512(to.cast(), _mm512_maskz_compress_epi32(below, all));
            below.count_ones() as usize
        }
    }

    #[inline(always)]
    unsafe fn store_selected(values: [u32; LANES], mask: u16, to: *mut u32) {
        // SAFETY: the array has sixteen values, and the caller vouches for as many places.
        unsafe {
            let all = _mm512_loadu_si512(values.as_ptr().cast());
            _mm512_storeu_si512(to.cast(), _mm512_maskz_compress_epi32(mask, all));
        }
    }

    #[inline(always)]
    fn filled(cells: &[[u64; 2]; LANES]) -> u16 {
        avx512!({
            // Second words of four cells, then of the next four.
            let second = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
            let eight = |at: usize| {
                let [a, b] = [at, at + 4].map(|at| _mm512_loadu_si512(cells[at..].as_ptr().cast()));
                let words = _mm512_permutex2var_epi64(a, second, b);
                u16::from(_mm512_test_epi64_mask(words, words))
            };
            eight(0) | eight(8) << 8
        })
    }

    #[inline(always)]
    fn prefetch<T>(address: *const T) {
        // SAFETY: a prefetch never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }

    #[inline(always)]
    fn add_leaf_values(
        leaves: &[RowBits; 8],
        values: &[[f64; SLICE_CHUNK]],
        sums: &mut [f64; SLICE_ROWS],
    ) {
        // Looking a value up in registers costs two permutations for each 32 leaves.
        match values {
            [a] => add_permuted(leaves, [a], sums),
            [a, b] => add_permuted(leaves, [a, b], sums),
            [a, b, c] => add_permuted(leaves, [a, b, c, c], sums),
            [a, b, c, d] => add_permuted(leaves, [a, b, c, d], sums),
            _ => bitslices::add_leaf_values(leaves, values, sums),
        }
    }

    #[inline(always)]
    fn count_below(numbers: &[f64; LANES], value: f64) -> usize {
        // SAFETY: sixteen numbers are read; for the instructions see the macro.
        unsafe {
            let value = _mm512_set1_pd(value);
            let low = _mm512_loadu_pd(numbers.as_ptr());
            let high = _mm512_loadu_pd(numbers.as_ptr().add(8));
            let low = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(low, value);
            let high = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(high, value);
            (!(u32::from(high) << 8 | u32::from(low))).trailing_zeros() as usize
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Avx512(avx512!(_mm512_add_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Avx512(avx512!(_mm512_sub_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Avx512(avx512!(_mm512_mul_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Avx512(avx512!(_mm512_div_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Avx512(avx512!(_mm512_fmadd_ps(self.0, factor.0, addend.0)))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Avx512(avx512!(_mm512_sqrt_ps(self.0)))
    }

    #[inline(always)]
    fn zero_subnormal(self) -> Self {
        const SUBNORMAL: i32 = 0x20;
        Avx512(avx512!({
            let subnormal = _mm512_fpclass_ps_mask::<SUBNORMAL>(self.0);
            _mm512_mask_and_ps(self.0, subnormal, self.0, _mm512_set1_ps(-0.0))
        }))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Avx512(avx512!(_mm512_max_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn select_greater(self, other: Self, if_greater: Self, otherwise: Self) -> Self {
        Avx512(avx512!({
            let greater = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, other.0);
            _mm512_mask_blend_ps(greater, otherwise.0, if_greater.0)
        }))
    }

    #[inline(always)]
    fn keep_equal(self, other: Self, if_equal: Self) -> Self {
        Avx512(avx512!({
            let equal = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(self.0, other.0);
            _mm512_maskz_mov_ps(equal, if_equal.0)
        }))
    }

    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        Avx512(avx512!({
            let exponent = _mm512_slli_epi32::<23>(_mm512_cvttps_epi32(n.0));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), exponent))
        }))
    }

    #[inline(always)]
    fn scale_by_rounded(self, rounded: Self) -> Self {
        Avx512(avx512!({
            let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(rounded.0));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), exponent))
        }))
    }

    #[inline(always)]
    fn split_exponent(self) -> (Self, Self) {
        avx512!({
            let bits = _mm512_castps_si512(self.0);
            let mantissa = _mm512_or_si512(
                _mm512_and_si512(bits, _mm512_set1_epi32(0x007f_ffff)),
                _mm512_set1_epi32(0x3f80_0000),
            );
            let exponent = _mm512_sub_epi32(_mm512_srli_epi32::<23>(bits), _mm512_set1_epi32(127));
            (Avx512(_mm512_castsi512_ps(mantissa)), Avx512(_mm512_cvtepi32_ps(exponent)))
        })
    }

    /// Pairs of lanes, then pairs of pairs inside each quarter, then the quarters.
    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        avx512!({
            let r = rows.map(|row| row.0);
            let mut pairs = [_mm512_setzero_ps(); LANES];
            for i in 0..8 {
                pairs[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                pairs[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            // fours[4 g + c]: rows 4g..4g+4 of columns c, 4 + c, 8 + c, 12 + c.
            let mut fours = [_mm512_setzero_ps(); LANES];
            for g in 0..4 {
                let (p, q) = (4 * g, 4 * g + 2);
                fours[p] = _mm512_shuffle_ps::<0x44>(pairs[p], pairs[q]);
                fours[p + 1] = _mm512_shuffle_ps::<0xee>(pairs[p], pairs[q]);
                fours[p + 2] = _mm512_shuffle_ps::<0x44>(pairs[p + 1], pairs[q + 1]);
                fours[p + 3] = _mm512_shuffle_ps::<0xee>(pairs[p + 1], pairs[q + 1]);
            }
            let mut columns = [_mm512_setzero_ps(); LANES];
            for c in 0..4 {
                let (a, b, d, e) = (fours[c], fours[4 + c], fours[8 + c], fours[12 + c]);
                let ab_even = _mm512_shuffle_f32x4::<0x88>(a, b);
                let ab_odd = _mm512_shuffle_f32x4::<0xdd>(a, b);
                let de_even = _mm512_shuffle_f32x4::<0x88>(d, e);
                let de_odd = _mm512_shuffle_f32x4::<0xdd>(d, e);
                columns[c] = _mm512_shuffle_f32x4::<0x88>(ab_even, de_even);
                columns[8 + c] = _mm512_shuffle_f32x4::<0xdd>(ab_even, de_even);
                columns[4 + c] = _mm512_shuffle_f32x4::<0x88>(ab_odd, de_odd);
                columns[12 + c] = _mm512_shuffle_f32x4::<0xdd>(ab_odd, de_odd);
            }
            columns.map(Avx512)
        })
    }

    #[inline(always)]
    fn widen(self) -> Avx512Doubles {
        Avx512Doubles::widen(self.0)
    }

    #[inline(always)]
    fn narrow(from: Avx512Doubles) -> Self {
        from.narrow()
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        // SAFETY: the array has sixteen places.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }
}

/// Adds to each row's sum the value of its leaf, from one, two or four chunks of values.
#[inline(always)]
fn add_permuted<const CHUNKS: usize>(
    leaves: &[RowBits; 8],
    values: [&[f64; SLICE_CHUNK]; CHUNKS],
    sums: &mut [f64; SLICE_ROWS],
) {
    // SAFETY: loads and stores are of whole sets of 64 bytes, of quarters of a chunk of 32 values,
    // and of eight of the 512 sums from the `64 part + 16 byte`-th, `part` below eight and `byte`
    // below four, and from eight after it; for the instructions see the macro.
    unsafe {
        // A permutation looks sixteen words of four bytes up among 32: the lower halves of the
        // values, then the upper ones.
        let lower = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        let upper = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        let tables = array_of::<_, CHUNKS>(|chunk| {
            let values = values[chunk].as_ptr();
            let quarter = |at: usize| _mm512_loadu_si512(values.add(8 * at).cast());
            let pair = |halves, at| _mm512_permutex2var_epi32(quarter(at), halves, quarter(at + 1));
            [[pair(lower, 0), pair(lower, 2)], [pair(upper, 0), pair(upper, 2)]]
        });
        for (part, leaves) in leaves.iter().enumerate() {
            // The lowest byte of each word of four, of which a permutation looks at five bits.
            let mut index = _mm512_loadu_si512(std::ptr::from_ref(leaves).cast());
            for byte in 0..4 {
                let second = _mm512_test_epi32_mask(index, _mm512_set1_epi32(32));
                let third = _mm512_test_epi32_mask(index, _mm512_set1_epi32(64));
                let look_up = |half: usize| {
                    let of = |chunk: usize| {
                        let [first, last] = tables[chunk][half];
                        _mm512_permutex2var_epi32(first, index, last)
                    };
                    let of_two = |chunk: usize| {
                        if CHUNKS == 1 {
                            return of(chunk);
                        }
                        _mm512_mask_mov_epi32(of(chunk), second, of(chunk + 1))
                    };
                    if CHUNKS < 4 {
                        return of_two(0);
                    }
                    _mm512_mask_mov_epi32(of_two(0), third, of_two(2))
                };
                let (lower, upper) = (look_up(0), look_up(1));
                // Both halves of a value meet in the order of the sums, see `PLACES`.
                let eight =
                    [_mm512_unpacklo_epi32(lower, upper), _mm512_unpackhi_epi32(lower, upper)];
                for (half, eight) in eight.into_iter().enumerate() {
                    let sum = sums.as_mut_ptr().add(64 * part + 16 * byte + 8 * half);
                    let value = _mm512_castsi512_pd(eight);
                    _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), value));
                }
                index = _mm512_srli_epi32::<8>(index);
            }
        }
    }
}
