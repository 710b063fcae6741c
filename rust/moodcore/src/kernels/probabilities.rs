//! Probabilities of classes from the margins of many rows, one column per class.
//!
//! The exponential is that of the crate `libm`, the same operations in the same order on sixteen
//! lanes, so that rows have the same bits whether they are computed alone or together.

use super::doubles::Doubles;
use super::simd::{LANES, Simd};

/// A column of rows; their number is a multiple of [`LANES`].
type Column<const ROWS: usize> = [f64; ROWS];

/// Sixteen values from `at`.
///
/// # Panics
/// When there are fewer.
#[inline(always)]
fn load<D: Doubles>(column: &[f64], at: usize) -> D {
    let sixteen = &column[at..][..LANES];
    // SAFETY: there are sixteen values.
    unsafe { D::load(sixteen.as_ptr()) }
}

/// Writes sixteen values from `at`.
///
/// # Panics
/// When there are fewer places.
#[inline(always)]
fn store<D: Doubles>(values: D, column: &mut [f64], at: usize) {
    let sixteen = &mut column[at..][..LANES];
    // SAFETY: there are sixteen places.
    unsafe { values.store(sixteen.as_mut_ptr()) }
}

/// Turns margins of each class into probabilities: the exponential of the difference from the
/// largest margin of the row, over the sum of these.
#[inline(always)]
pub fn softmax_columns<S: Simd, const ROWS: usize>(columns: &mut [Column<ROWS>]) {
    for at in (0..ROWS).step_by(LANES) {
        let mut largest = S::Doubles::splat(f64::NEG_INFINITY);
        for column in columns.iter() {
            largest = load::<S::Doubles>(column, at).max(largest);
        }
        let mut sum = S::Doubles::splat(0.0);
        for column in columns.iter_mut() {
            let value = exp::<S>(load::<S::Doubles>(column, at).sub(largest));
            sum = sum.add(value);
            store(value, column, at);
        }
        for column in columns.iter_mut() {
            store(load::<S::Doubles>(column, at).div(sum), column, at);
        }
    }
}

/// Turns the log odds of the second of two classes, in `first`, into the probabilities of both.
#[inline(always)]
pub fn logistic_columns<S: Simd, const ROWS: usize>(
    first: &mut Column<ROWS>,
    second: &mut Column<ROWS>,
) {
    let (zero, one) = (S::Doubles::splat(0.0), S::Doubles::splat(1.0));
    for at in (0..ROWS).step_by(LANES) {
        let margin = load::<S::Doubles>(first, at);
        let opposite = zero.sub(margin);
        let rare = exp::<S>(margin.select_less(opposite, margin, opposite));
        let sum = one.add(rare);
        let (small, large) = (rare.div(sum), one.div(sum));
        store(zero.select_less(margin, small, large), first, at);
        store(zero.select_less(margin, large, small), second, at);
    }
}

/// The exponential of numbers that are zero or negative, as `libm::exp` computes it.
///
/// `x = k ln 2 + r` with |r| at most ln(2) / 2; exp(r) by a rational function whose numerator and
/// denominator are those of the Remez approximation of r (exp(r) + 1) / (exp(r) - 1); then the
/// exponent is added.
#[inline(always)]
fn exp<S: Simd>(x: S::Doubles) -> S::Doubles {
    // Below, results are subnormal, which rounds twice.
    const LEAST: f64 = -708.0;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const LOG2_E: f64 = std::f64::consts::LOG2_E;
    // Bounds of |x|, which `libm` compares by the upper halves of the numbers.
    const TINY: f64 = f64::from_bits(0x3e30_0001_0000_0000);
    const HALF_LN_2: f64 = f64::from_bits(0x3fd6_2e43_0000_0000);
    const THREE_HALVES_LN_2: f64 = f64::from_bits(0x3ff0_a2b2_0000_0000);
    const COEFFICIENTS: [f64; 5] = [
        4.138_136_797_057_238_5e-8,
        -1.653_390_220_546_525_2e-6,
        6.613_756_321_437_934e-5,
        -2.777_777_777_701_559_3e-3,
        1.666_666_666_666_660_2e-1,
    ];
    // Adding and subtracting 1.5 * 2^52 rounds to the nearest whole number.
    const ROUND: f64 = 6_755_399_441_055_744.0;

    let lanes = x.to_array();
    // NaN is not at least any number.
    if !lanes.iter().all(|&x| x >= LEAST) {
        return load(&lanes.map(libm::exp), 0);
    }
    let of = S::Doubles::splat;
    let (one, two) = (of(1.0), of(2.0));
    // `libm` rounds toward zero, which is up.
    let whole = x.mul(of(LOG2_E)).sub(of(0.5));
    let nearest = whole.add(of(ROUND)).sub(of(ROUND));
    let up = nearest.select_less(whole, nearest.add(one), nearest);
    let k = of(-THREE_HALVES_LN_2).select_less(x, of(-1.0), up);
    let k = of(-HALF_LN_2).select_less(x, of(0.0), k);
    let high = x.sub(k.mul(of(LN_2_HIGH)));
    let low = k.mul(of(LN_2_LOW));
    let r = high.sub(low);
    let square = r.mul(r);
    let mut sum = of(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        sum = of(*coefficient).add(square.mul(sum));
    }
    let c = r.sub(square.mul(sum));
    let exp = one.add(r.mul(c).div(two.sub(c)).sub(low).add(high)).scale_by_power_of_two(k);
    of(-TINY).select_less(x, one.add(x), exp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gbt::probabilities;
    use crate::kernels::{Isa, Task};
    use proptest::prelude::*;

    const ROWS: usize = 2 * LANES;

    struct Exponentials([f64; LANES]);

    impl Task for Exponentials {
        type Output = [f64; LANES];

        #[inline(always)]
        fn run<S: Simd>(self) -> [f64; LANES] {
            exp::<S>(load(&self.0, 0)).to_array()
        }
    }

    /// The margins of each output to the probabilities of each class.
    struct Probabilities(Vec<[f64; ROWS]>);

    impl Task for Probabilities {
        type Output = Vec<[f64; ROWS]>;

        #[inline(always)]
        fn run<S: Simd>(mut self) -> Vec<[f64; ROWS]> {
            match self.0.as_mut_slice() {
                [first] => {
                    let mut second = [0.0; ROWS];
                    logistic_columns::<S, ROWS>(first, &mut second);
                    self.0.push(second);
                }
                columns => softmax_columns::<S, ROWS>(columns),
            }
            self.0
        }
    }

    /// Numbers that are not positive, those among them at which `libm` branches.
    fn negative() -> impl Strategy<Value = f64> {
        let bounds = prop::sample::select(vec![
            0x3e30_0000_u64,
            0x3e30_0001,
            0x3fd6_2e42,
            0x3fd6_2e43,
            0x3ff0_a2b1,
            0x3ff0_a2b2,
            0x4086_232b,
        ]);
        let near = (bounds, any::<u32>())
            .prop_map(|(upper, lower)| -f64::from_bits(upper << 32 | u64::from(lower)));
        prop_oneof![
            near,
            -800.0..0.0_f64,
            -40.0..0.0_f64,
            -2.0..0.0_f64,
            -1e-7..0.0_f64,
            Just(0.0),
            Just(-0.0),
            Just(f64::NEG_INFINITY),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn exponentials_have_the_bits_of_libm(x in prop::array::uniform16(negative())) {
            // With the smallest numbers first, which all lanes leave to `libm`, and without.
            for x in [x, x.map(|x| x.max(-700.0))] {
                let expected = x.map(|x| libm::exp(x).to_bits());
                for isa in Isa::available() {
                    let computed = isa.run(Exponentials(x)).map(f64::to_bits);
                    prop_assert_eq!(computed, expected, "{} of {:?}", isa.name(), x);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn probabilities_have_the_bits_of_single_rows(
            mut margins in prop::collection::vec(
                prop::collection::vec(prop_oneof![8 => -30.0..30.0_f64, 1 => -1e3..1e3_f64], ROWS),
                1..6,
            ),
        ) {
            if margins.len() == 2 {
                margins.pop();
            }
            let columns: Vec<[f64; ROWS]> =
                margins.iter().map(|column| std::array::from_fn(|row| column[row])).collect();
            for isa in Isa::available() {
                let computed = isa.run(Probabilities(columns.clone()));
                for row in 0..ROWS {
                    let margins: Vec<f64> = columns.iter().map(|column| column[row]).collect();
                    let mut expected = vec![0.0; margins.len().max(2)];
                    probabilities(&margins, &mut expected);
                    for (class, expected) in expected.iter().enumerate() {
                        prop_assert_eq!(computed[class][row].to_bits(), expected.to_bits());
                    }
                }
            }
        }
    }
}
