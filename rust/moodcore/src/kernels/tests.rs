//! Every kernel on every instruction set, against plain loops and against each other.

use super::math::{exp_minus_one, exp_negative, ln};
use super::*;
use proptest::prelude::*;

/// Runs the same closure-like task on every available set and returns the results.
fn on_every_isa<T: Task + Clone>(task: &T) -> Vec<T::Output> {
    Isa::available().into_iter().map(|isa| isa.run(task.clone())).collect()
}

fn assert_same_bits(results: &[Vec<f32>]) {
    for other in &results[1..] {
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&results[0]), bits(other));
    }
}

#[derive(Clone)]
struct Product {
    shape: (usize, usize, usize),
    left: Vec<f32>,
    strides: (usize, usize),
    right: Vec<f32>,
    start: Option<Vec<f32>>,
    start_by_row: bool,
}

impl Task for Product {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<f32> {
        let (rows, _, vectors) = self.shape;
        let mut out = vec![0.0; rows * vectors * LANES];
        let left = Left { data: &self.left, row: self.strides.0, column: self.strides.1 };
        let right = Right { data: &self.right, row: vectors * LANES };
        let target = (&mut out[..], vectors * LANES);
        let start = match (&self.start, self.start_by_row) {
            (None, _) => Start::Zero,
            (Some(values), true) => Start::Rows(values),
            (Some(values), false) => Start::Columns(values),
        };
        matmul::<S, _>(self.shape, left, right, start, target, Relu);
        let mut plain = vec![0.0; out.len()];
        let mut sums = vec![0.0; vectors * LANES];
        let target = (&mut plain[..], vectors * LANES);
        matmul_and_sums::<S>(self.shape, left, right, target, &mut sums);
        out.extend(plain);
        out.extend(sums);
        out
    }
}

/// The product with start and ReLU, then the product alone, then the columns' sums.
fn naive(product: &Product) -> Vec<f32> {
    let (rows, inner, vectors) = product.shape;
    let columns = vectors * LANES;
    let right = |k: usize, n: usize| product.right[k * columns + n];
    let element = |m: usize, n: usize, start: f32| {
        (0..inner).fold(start, |sum, k| {
            let a = product.left[m * product.strides.0 + k * product.strides.1];
            a.mul_add(right(k, n), sum)
        })
    };
    let places = || (0..rows).flat_map(|m| (0..columns).map(move |n| (m, n)));
    let started = places().map(|(m, n)| {
        let at = if product.start_by_row { m } else { n };
        let sum = element(m, n, product.start.as_ref().map_or(0.0, |start| start[at]));
        if 0.0 > sum { 0.0 } else { sum }
    });
    let plain = places().map(|(m, n)| element(m, n, 0.0));
    let sums = (0..columns).map(|n| (0..inner).fold(0.0, |sum, k| sum + right(k, n)));
    started.chain(plain).chain(sums).collect()
}

fn values(len: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-4.0_f32..4.0, len)
}

proptest! {
    #[test]
    fn matmul_is_the_naive_product_to_the_bit(
        (rows, inner, vectors, by_column, with_start, start_by_row, left, right, start) in
            (1_usize..20, 0_usize..20, 1_usize..8, any::<bool>(), any::<bool>(), any::<bool>())
                .prop_flat_map(|(m, k, v, c, s, r)| (
                    Just(m), Just(k), Just(v), Just(c), Just(s), Just(r),
                    values(m * k), values(k * v * LANES), values(if r { m } else { v * LANES }),
                ))
    ) {
        let strides = if by_column { (1, rows) } else { (inner, 1) };
        let start = with_start.then_some(start);
        let product = Product { shape: (rows, inner, vectors), left, strides, right, start, start_by_row };
        let results = on_every_isa(&product);
        assert_same_bits(&results);
        prop_assert_eq!(&results[0], &naive(&product));
    }
}

/// Numbers whose products and sums are often ties or zero and, by `kind`, subnormal, infinite or NaN.
fn awkward(kind: usize, len: usize) -> BoxedStrategy<Vec<f32>> {
    let plain = prop_oneof![
        4 => -4.0_f32..4.0,
        3 => Just(0.0),
        1 => Just(-0.0),
        2 => (-12..12_i32).prop_map(|exponent| libm::exp2f(exponent as f32)),
        1 => (-9..9_i8).prop_map(f32::from),
    ];
    let tiny = prop_oneof![1 => -2e-25_f32..2e-25, 1 => -1e-19_f32..1e-19, 4 => plain.clone()];
    let subnormal = prop_oneof![1 => -1e-38_f32..1e-38, 1 => Just(1e-45_f32), 2 => tiny.clone()];
    let large = prop_oneof![1 => -4e19_f32..4e19, 4 => plain.clone()];
    let huge = prop_oneof![1 => -3e38_f32..3e38, 4 => plain.clone()];
    let any = prop_oneof![1 => any::<f32>(), 2 => plain.clone()];
    let kinds =
        [plain.boxed(), tiny.boxed(), subnormal.boxed(), large.boxed(), huge.boxed(), any.boxed()];
    prop::collection::vec(kinds[kind].clone(), len).boxed()
}

/// The bits of numbers; a NaN can be any.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|&value| if value.is_nan() { f32::NAN } else { value }.to_bits()).collect()
}

proptest! {
    #[test]
    fn matmul_of_awkward_numbers_is_the_naive_product_to_the_bit(
        (rows, inner, vectors, by_column, by_row, left, right, start) in (0_usize..6)
            .prop_flat_map(|kind| {
                let shape = (1_usize..11, 1_usize..71, 1_usize..4, any::<bool>(), any::<bool>());
                (Just(kind), shape)
            })
            .prop_flat_map(|(kind, (m, k, v, c, r))| (
                Just(m), Just(k), Just(v), Just(c), Just(r), awkward(kind, m * k),
                awkward(kind, k * v * LANES), awkward(kind, if r { m } else { v * LANES }),
            ))
    ) {
        let strides = if by_column { (1, rows) } else { (inner, 1) };
        let shape = (rows, inner, vectors);
        let product =
            Product { shape, left, strides, right, start: Some(start), start_by_row: by_row };
        for result in on_every_isa(&product) {
            prop_assert_eq!(bits(&result), bits(&naive(&product)));
        }
    }
}

#[derive(Clone)]
struct Functions(Vec<f32>);

impl Task for Functions {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<f32> {
        let mut out = Vec::new();
        for chunk in self.0.chunks_exact(LANES) {
            // SAFETY: the chunk has sixteen values.
            let x = unsafe { S::load(chunk.as_ptr()) };
            out.extend(exp_negative(x).to_array());
            out.extend(ln(S::splat(1.0).sub(x)).to_array());
            out.extend(exp_minus_one(x).to_array());
            out.push(x.sum_lanes());
        }
        out
    }
}

#[test]
fn exponential_and_logarithm_are_accurate_and_the_same_everywhere() {
    let x: Vec<f32> = (0..160_000).map(|i| -(i as f32) * 5e-4).collect();
    let results = on_every_isa(&Functions(x.clone()));
    assert_same_bits(&results);
    for (chunk, out) in x.chunks_exact(LANES).zip(results[0].chunks_exact(3 * LANES + 1)) {
        for lane in 0..LANES {
            let exact = f64::from(chunk[lane]);
            let exp = f64::from(out[lane]);
            assert!((exp / exact.exp() - 1.0).abs() < 2e-7, "exp({exact}) = {exp}");
            let (ln, truth) = (f64::from(out[LANES + lane]), (f64::from(1.0 - chunk[lane])).ln());
            assert!((ln - truth).abs() < 2e-7 * truth.max(1.0), "ln = {ln}, not {truth}");
            let (less, truth) = (f64::from(out[2 * LANES + lane]), exact.exp_m1());
            let error = (less - truth).abs();
            assert!(error <= 2e-7 * truth.abs(), "exp({exact}) - 1 = {less}, not {truth}");
        }
    }
}

#[derive(Clone)]
struct Loss {
    scores: Vec<f32>,
    label: Vec<f32>,
    weight: Vec<f32>,
    smoothing: f32,
}

impl Task for Loss {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(mut self) -> Vec<f32> {
        let row = self.label.len();
        let shape = (self.scores.len() / row, row / LANES);
        let targets =
            Targets { smoothing: self.smoothing, ..Targets::new(&self.label, &self.weight) };
        let sums = softmax_loss::<S>(shape, (&mut self.scores, row), targets);
        self.scores.extend([sums.loss as f32, sums.correct as f32]);
        self.scores
    }
}

/// The textbook's softmax and cross-entropy in double precision.
fn textbook_loss(task: &Loss) -> (Vec<f64>, f64, f64) {
    let row = task.label.len();
    let classes = task.scores.len() / row;
    let (mut gradient, mut loss, mut correct) = (vec![0.0; task.scores.len()], 0.0, 0.0);
    for s in 0..row {
        let z: Vec<f64> = (0..classes).map(|c| f64::from(task.scores[c * row + s])).collect();
        let sum: f64 = z.iter().map(|z| z.exp()).sum();
        let (label, weight) = (task.label[s] as usize, f64::from(task.weight[s]));
        let spread = f64::from(task.smoothing) / classes as f64;
        let target =
            |c: usize| spread + if c == label { 1.0 - f64::from(task.smoothing) } else { 0.0 };
        loss -= (0..classes).map(|c| weight * target(c) * (z[c].exp() / sum).ln()).sum::<f64>();
        let best = (0..classes).rev().max_by(|&a, &b| z[a].total_cmp(&z[b]));
        correct += if best == Some(label) { weight } else { 0.0 };
        for c in 0..classes {
            gradient[c * row + s] = weight * (z[c].exp() / sum - target(c));
        }
    }
    (gradient, loss, correct)
}

proptest! {
    #[test]
    fn softmax_loss_is_the_textbooks(
        smoothing in prop_oneof![Just(0.0_f32), 0.0_f32..0.5],
        (classes, vectors, scores, label, weight) in (1_usize..6, 1_usize..4).prop_flat_map(
            |(c, v)| (
                Just(c), Just(v), values(c * v * LANES),
                prop::collection::vec(0..c as u32, v * LANES),
                prop::collection::vec(prop_oneof![Just(0.0_f32), 0.5_f32..2.0], v * LANES),
            ),
        )
    ) {
        let label: Vec<f32> = label.into_iter().map(|code| code as f32).collect();
        let task = Loss { scores, label, weight, smoothing };
        let results = on_every_isa(&task);
        assert_same_bits(&results);
        let (gradient, loss, correct) = textbook_loss(&task);
        let (sums, found) = (&results[0][classes * vectors * LANES..], &results[0]);
        for (g, truth) in found.iter().zip(&gradient) {
            prop_assert!((f64::from(*g) - truth).abs() < 1e-6);
        }
        prop_assert!((f64::from(sums[0]) - loss).abs() < 1e-5 * loss.max(1.0));
        prop_assert!((f64::from(sums[1]) - correct).abs() < 1e-4);
    }
}

#[derive(Clone)]
struct Moves(Vec<f32>);

impl Task for Moves {
    type Output = Vec<f32>;

    /// A 32 x 48 transpose, the fourth row of 21 gathered, and the second row of 7.
    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<f32> {
        let mut out = vec![0.0; 48 * 32];
        transpose_rows::<S>((2, 3), (&self.0, 48), (&mut out, 32));
        let mut rows = vec![9.0; 48];
        gather_rows::<S>(&self.0, 21, &[3], &mut rows[..32]);
        gather_rows::<S>(&self.0, 7, &[1], &mut rows[32..]);
        out.extend(rows);
        out
    }
}

#[test]
fn moves_put_every_value_in_its_place() {
    let from: Vec<f32> = (0..32 * 48).map(|i| i as f32).collect();
    let results = on_every_isa(&Moves(from.clone()));
    assert_same_bits(&results);
    let (transposed, rest) = results[0].split_at(48 * 32);
    for row in 0..32 {
        for column in 0..48 {
            assert_eq!(transposed[column * 32 + row], from[row * 48 + column]);
        }
    }
    let (long, short) = rest.split_at(32);
    assert_eq!(long[..21], from[63..84]);
    assert_eq!(short[..7], from[7..14]);
    assert!(long[21..].iter().chain(&short[7..]).all(|&value| value == 0.0));
}

#[derive(Clone)]
struct Below([u32; LANES], u32);

impl Task for Below {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<f32> {
        let mut out = [0; LANES];
        let count = keep_below::<S>(self.0, self.1, &mut out);
        out[..count].iter().map(|&value| value as f32).collect()
    }
}

proptest! {
    #[test]
    fn keep_below_keeps_the_order(candidates: [u16; LANES], limit: u16) {
        let candidates = candidates.map(u32::from);
        let results = on_every_isa(&Below(candidates, u32::from(limit)));
        assert_same_bits(&results);
        let kept = candidates.iter().filter(|&&value| value < u32::from(limit));
        prop_assert_eq!(&results[0], &kept.map(|&value| value as f32).collect::<Vec<_>>());
    }
}
