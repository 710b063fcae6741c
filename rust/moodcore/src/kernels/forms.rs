//! The kernel functions of support vector machines, in single and double precision.

use super::doubles::Doubles;
use super::simd::Simd;
use std::f32::consts::LN_2;
use std::f64::consts::LOG2_E;

/// A kernel function of two rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KernelFunction {
    /// `<x, z>`
    Linear,
    /// `(gamma <x, z> + coef0)^degree`
    Poly {
        /// Factor of the product.
        gamma: f64,
        /// Added to it.
        coef0: f64,
        /// The power.
        degree: u32,
    },
    /// `exp(-gamma |x - z|^2)`
    Rbf {
        /// Above zero.
        gamma: f64,
    },
    /// `tanh(gamma <x, z> + coef0)`
    Sigmoid {
        /// Factor of the product.
        gamma: f64,
        /// Added to it.
        coef0: f64,
    },
}

/// Sixteen lanes of either precision.
pub trait Lanes: Copy {
    /// Whether the registers have room for sixteen vectors and what is needed to compute with them.
    const SIXTEEN_FIT: bool;
    /// 2^x for `x <= 0`; exactly one at zero, and never below the smallest normal number.
    fn exp2_negative(self) -> Self;
    fn splat(value: f64) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    fn max(self, other: Self) -> Self;
    /// `if_less` in the lanes where `self < other`, `otherwise` in the rest.
    fn select_less(self, other: Self, if_less: Self, otherwise: Self) -> Self;
}

/// Single precision.
#[derive(Clone, Copy)]
pub struct Single<S>(pub(super) S);

/// Double precision.
#[derive(Clone, Copy)]
pub struct Double<S: Simd>(pub(super) S::Doubles);

/// Methods that the vector inside has under the same name.
macro_rules! inner {
    ($trait:ident: $($name:ident($($argument:ident),*)),*) => {
        $(#[inline(always)]
        fn $name(self, $($argument: Self),*) -> Self {
            Self($trait::$name(self.0, $($argument.0),*))
        })*
    };
}

impl<S: Simd> Lanes for Single<S> {
    const SIXTEEN_FIT: bool = S::WIDE_VECTORS > 1;

    /// x = n + r with |r| <= 1/2, and 2^r = 1 + r q(r), q fitted for the least relative error:
    /// 2e-9, less than the rounding of single precision.
    #[inline(always)]
    fn exp2_negative(self) -> Self {
        const Q: [f32; 6] =
            [1.535_336_2e-4, 1.339_887_4e-3, 9.618_437e-3, 5.550_332_5e-2, 0.240_226_48, LN_2];
        // Adding and subtracting 1.5 * 2^23 rounds to the nearest whole number.
        const ROUND: f32 = 12_582_912.0;
        let x = self.0.max(S::splat(-126.0));
        let rounded = x.add(S::splat(ROUND));
        let r = x.sub(rounded.sub(S::splat(ROUND)));
        let mut sum = S::splat(Q[0]);
        for coefficient in &Q[1..] {
            sum = sum.mul_add(r, S::splat(*coefficient));
        }
        Single(sum.mul_add(r, S::splat(1.0)).scale_by_rounded(rounded))
    }

    #[inline(always)]
    fn splat(value: f64) -> Self {
        Single(S::splat(value as f32))
    }

    inner!(Simd: add(other), sub(other), mul(other), div(other), mul_add(factor, addend), max(other));

    #[inline(always)]
    fn select_less(self, other: Self, if_less: Self, otherwise: Self) -> Self {
        Single(other.0.select_greater(self.0, if_less.0, otherwise.0))
    }
}

impl<S: Simd> Lanes for Double<S> {
    const SIXTEEN_FIT: bool = false;

    /// x = n + r with |r| <= 1/2, and the Taylor series of exp(r ln 2) up to the twelfth power,
    /// whose remainder is below 2e-16.
    #[inline(always)]
    fn exp2_negative(self) -> Self {
        const ROUND: f64 = 6_755_399_441_055_744.0;
        let x = self.0.max(S::Doubles::splat(-1022.0));
        let n = x.add(S::Doubles::splat(ROUND)).sub(S::Doubles::splat(ROUND));
        let r = x.sub(n).mul(S::Doubles::splat(std::f64::consts::LN_2));
        let mut sum = S::Doubles::splat(1.0 / 479_001_600.0);
        for factorial in [
            39_916_800.0,
            3_628_800.0,
            362_880.0,
            40_320.0,
            5_040.0,
            720.0,
            120.0,
            24.0,
            6.0,
            2.0,
            1.0,
            1.0,
        ] {
            sum = sum.mul_add(r, S::Doubles::splat(1.0 / factorial));
        }
        Double(sum.scale_by_power_of_two(n))
    }

    #[inline(always)]
    fn splat(value: f64) -> Self {
        Double(S::Doubles::splat(value))
    }

    inner!(Doubles: add(other), sub(other), mul(other), div(other), mul_add(factor, addend), max(other),
        select_less(other, if_less, otherwise));
}

/// A kernel function as a sum over features and a function of the sum.
pub(super) trait Form: Copy {
    /// Whether the sum is that of squared differences, not of products.
    const IS_DISTANCE: bool = false;
    /// Adds a feature of both rows to the sum.
    fn step<L: Lanes>(sum: L, x: L, z: L) -> L;
    /// The kernel's value.
    fn finish<L: Lanes>(self, sum: L) -> L;
}

/// Work that is the same for all kernel functions.
pub(super) trait WithForm {
    fn run<F: Form>(self, form: F);
}

impl KernelFunction {
    /// The value for two rows, in double precision.
    pub fn value(self, x: &[f64], z: &[f64]) -> f64 {
        match self {
            KernelFunction::Rbf { gamma } => {
                let squares = x.iter().zip(z).map(|(x, z)| (x - z) * (x - z));
                libm::exp(-gamma * squares.sum::<f64>())
            }
            _ => self.of_product(x.iter().zip(z).map(|(x, z)| x * z).sum()),
        }
    }

    /// The value for two rows from their scalar product; of an RBF kernel that for equal rows.
    pub fn of_product(self, product: f64) -> f64 {
        match self {
            KernelFunction::Linear => product,
            KernelFunction::Poly { gamma, coef0, degree } => {
                libm::pow(gamma * product + coef0, f64::from(degree))
            }
            KernelFunction::Rbf { .. } => 1.0,
            KernelFunction::Sigmoid { gamma, coef0 } => libm::tanh(gamma * product + coef0),
        }
    }

    /// Does the work with this function's form.
    #[inline(always)]
    pub(super) fn with_form(self, work: impl WithForm) {
        match self {
            KernelFunction::Linear => work.run(Product),
            KernelFunction::Poly { gamma, coef0, degree } => {
                work.run(Poly { gamma, coef0, degree })
            }
            KernelFunction::Rbf { gamma } => work.run(Rbf { gamma }),
            KernelFunction::Sigmoid { gamma, coef0 } => work.run(Sigmoid { gamma, coef0 }),
        }
    }
}

#[derive(Clone, Copy)]
struct Product;

impl Form for Product {
    #[inline(always)]
    fn step<L: Lanes>(sum: L, x: L, z: L) -> L {
        x.mul_add(z, sum)
    }

    #[inline(always)]
    fn finish<L: Lanes>(self, sum: L) -> L {
        sum
    }
}

#[derive(Clone, Copy)]
struct Poly {
    gamma: f64,
    coef0: f64,
    degree: u32,
}

impl Form for Poly {
    #[inline(always)]
    fn step<L: Lanes>(sum: L, x: L, z: L) -> L {
        x.mul_add(z, sum)
    }

    #[inline(always)]
    fn finish<L: Lanes>(self, sum: L) -> L {
        let mut base = sum.mul_add(L::splat(self.gamma), L::splat(self.coef0));
        let mut power = L::splat(1.0);
        let mut degree = self.degree;
        while degree > 0 {
            if degree % 2 == 1 {
                power = power.mul(base);
            }
            base = base.mul(base);
            degree /= 2;
        }
        power
    }
}

/// Distances are summed from differences: the square of a sum of products and norms would lose
/// the distance of near rows that are far from the origin.
#[derive(Clone, Copy)]
struct Rbf {
    gamma: f64,
}

impl Form for Rbf {
    const IS_DISTANCE: bool = true;

    #[inline(always)]
    fn step<L: Lanes>(sum: L, x: L, z: L) -> L {
        let difference = x.sub(z);
        difference.mul_add(difference, sum)
    }

    #[inline(always)]
    fn finish<L: Lanes>(self, sum: L) -> L {
        sum.mul(L::splat(-self.gamma * LOG2_E)).exp2_negative()
    }
}

#[derive(Clone, Copy)]
struct Sigmoid {
    gamma: f64,
    coef0: f64,
}

impl Form for Sigmoid {
    #[inline(always)]
    fn step<L: Lanes>(sum: L, x: L, z: L) -> L {
        x.mul_add(z, sum)
    }

    /// tanh |t| = (1 - e) / (1 + e) with e = exp(-2 |t|).
    #[inline(always)]
    fn finish<L: Lanes>(self, sum: L) -> L {
        let (zero, one) = (L::splat(0.0), L::splat(1.0));
        let t = sum.mul_add(L::splat(self.gamma), L::splat(self.coef0));
        let negative = zero.sub(t);
        let e = t.max(negative).mul(L::splat(-2.0 * LOG2_E)).exp2_negative();
        let size = one.sub(e).div(one.add(e));
        t.select_less(zero, zero.sub(size), size)
    }
}
