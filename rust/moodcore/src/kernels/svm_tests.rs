//! The kernels of support vector machines on every instruction set, against plain loops.

use super::*;
use proptest::prelude::*;

const FORMS: [KernelFunction; 4] = [
    KernelFunction::Linear,
    KernelFunction::Poly { gamma: 0.3, coef0: 0.5, degree: 3 },
    KernelFunction::Rbf { gamma: 0.4 },
    KernelFunction::Sigmoid { gamma: 0.2, coef0: -0.1 },
];

fn plain(kernel: KernelFunction, a: &[f32], b: &[f32]) -> f64 {
    let pairs = || a.iter().zip(b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
    let product: f64 = pairs().map(|(a, b)| a * b).sum();
    match kernel {
        KernelFunction::Linear => product,
        KernelFunction::Poly { gamma, coef0, degree } => {
            libm::pow(gamma * product + coef0, f64::from(degree))
        }
        KernelFunction::Rbf { gamma } => {
            libm::exp(-gamma * pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>())
        }
        KernelFunction::Sigmoid { gamma, coef0 } => libm::tanh(gamma * product + coef0),
    }
}

fn table(n_rows: usize, n_features: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-2.0_f32..2.0, n_rows * n_features)
}

/// Sums for two outputs in both precisions, then the values of all rows with each other.
#[derive(Clone)]
struct Values<'a> {
    kernel: KernelFunction,
    tiles: &'a Tiles,
    chosen: &'a [u32],
}

fn factor(at: usize, output: usize) -> f64 {
    if output == 0 { 1.0 } else { at as f64 - 1.5 }
}

impl Task for Values<'_> {
    type Output = (Vec<f64>, Vec<f64>, Vec<f32>);

    #[inline(always)]
    fn run<S: Simd>(self) -> Self::Output {
        let weighted = Weighted::new(self.tiles, self.chosen, 2, factor);
        let n_tiles = self.tiles.n_rows().div_ceil(LANES);
        let mut single = vec![0.0; n_tiles * 2 * LANES];
        let mut double = single.clone();
        let rows = || (self.tiles, 0..n_tiles);
        weighted.add_products::<S>(self.kernel, Precision::Single, rows(), &mut single);
        weighted.add_products::<S>(self.kernel, Precision::Double, rows(), &mut double);
        // Sums for one output stay in registers, for several tiles and groups at once.
        let second = Weighted::new(self.tiles, self.chosen, 1, |at, _| factor(at, 1));
        for (precision, sums) in [(Precision::Single, &single), (Precision::Double, &double)] {
            let mut one = vec![0.0; n_tiles * LANES];
            second.add_products::<S>(self.kernel, precision, rows(), &mut one);
            for (one, both) in one.chunks(LANES).zip(sums.chunks(2 * LANES)) {
                assert!(one.iter().zip(&both[LANES..]).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
        let stride = n_tiles * LANES;
        let mut columns = vec![0.0; stride * stride];
        let all: Vec<u32> = (0..self.tiles.n_rows() as u32).collect();
        let square = Weighted::new(self.tiles, &all, 0, |_, _| 0.0);
        square.store_square::<S>(self.kernel, self.tiles, (&mut columns, stride));
        let mut row = vec![0.0; stride];
        self.tiles.store_diagonal::<S>(self.kernel, &mut row);
        for (at, value) in row.iter().enumerate().take(self.tiles.n_rows()) {
            assert_eq!(value.to_bits(), columns[at * stride + at].to_bits());
        }
        for at in 0..self.tiles.n_rows() {
            self.tiles.store_row::<S>(self.kernel, at, &mut row);
            let square = &columns[at * stride..][..stride];
            assert!(row.iter().zip(square).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
        (single, double, columns)
    }
}

/// A gradient with places that may not grow or not shrink, kernel rows and a diagonal.
#[derive(Clone, Debug)]
struct Step {
    gradient: Vec<f64>,
    up: Vec<f64>,
    low: Vec<f64>,
    rows: [Vec<f32>; 2],
}

/// Of whole vectors: sixteen values each.
fn steps() -> impl Strategy<Value = Step> {
    (1_usize..5).prop_flat_map(|vectors| {
        let n = vectors * LANES;
        let small = || prop::collection::vec((-8_i32..9).prop_map(|v| f64::from(v) / 4.0), n);
        let barred =
            |value: f64| prop::collection::vec(prop_oneof![3 => Just(0.0), 1 => Just(value)], n);
        let row = || prop::collection::vec((-4_i32..5).prop_map(|v| v as f32 / 8.0), n);
        (small(), barred(f64::INFINITY), barred(f64::NEG_INFINITY), row(), row()).prop_map(
            |(gradient, up, low, first, second)| Step { gradient, up, low, rows: [first, second] },
        )
    })
}

#[derive(Debug, PartialEq)]
struct Found {
    gradient: Vec<u64>,
    least_up: Extreme,
    greatest_low: Extreme,
    looked: (Extreme, Extreme),
    partner: Option<usize>,
    below: Vec<(f64, u32)>,
}

struct Run<'a>(&'a Step);

impl Clone for Run<'_> {
    fn clone(&self) -> Self {
        Run(self.0)
    }
}

const LENGTH: f64 = 0.5;

impl Task for Run<'_> {
    type Output = Found;

    #[inline(always)]
    fn run<S: Simd>(self) -> Found {
        let Step { gradient, up, low, rows } = self.0;
        let directions = Directions { up, low };
        let mut below = Vec::new();
        collect_below::<S>(gradient, up, (1.0, LENGTH), &mut below);
        collect_below::<S>(gradient, low, (-1.0, LENGTH), &mut below);
        let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let (mut inside, mut up_inside, low_inside) = (single(gradient), single(up), single(low));
        up_inside.iter_mut().for_each(|up| *up = -*up);
        let step = (LENGTH as f32, &rows[0][..], &rows[1][..]);
        let found = step_and_extremes::<S, f32>(&mut inside, step, (&up_inside, &low_inside));
        let moved: Vec<f64> = inside.iter().map(|&value| f64::from(value)).collect();
        let again = extremes::<S>(&moved, directions);
        let diagonal = vec![1.0; gradient.len()];
        let partner = (&rows[0][..], &diagonal[..]);
        Found {
            partner: best_partner::<S, f32>(&inside, &low_inside, found.least_up, partner, FLAT),
            gradient: moved.iter().map(|value| value.to_bits()).collect(),
            least_up: found.least_up,
            greatest_low: found.greatest_low,
            looked: (again.least_up, again.greatest_low),
            below,
        }
    }
}

/// The first of the least values.
fn first_least(values: impl Iterator<Item = f64>) -> Extreme {
    let start = Extreme { at: 0, value: f64::INFINITY };
    values.enumerate().fold(
        start,
        |best, (at, value)| {
            if value < best.value { Extreme { at, value } } else { best }
        },
    )
}

fn plain_below<'a>(
    gradient: &'a [f64],
    offsets: &'a [f64],
    sign: f64,
) -> impl Iterator<Item = (f64, u32)> + 'a {
    let places = gradient.iter().zip(offsets).zip(0..);
    places
        .filter(move |((gradient, offset), _)| sign * (*gradient + *offset) < LENGTH)
        .map(move |((gradient, _), at)| (sign * gradient, at))
}

fn plain_step(step: &Step) -> Found {
    let Step { gradient, up, low, rows } = step;
    let change = |at: usize| LENGTH * f64::from(rows[0][at] - rows[1][at]);
    // Eighths and quarters: nothing rounds.
    let moved: Vec<f64> = gradient.iter().enumerate().map(|(at, g)| g + change(at)).collect();
    let least_up = first_least(moved.iter().zip(up).map(|(g, up)| g + up));
    let greatest = first_least(moved.iter().zip(low).map(|(g, low)| -(g + low)));
    let greatest_low = Extreme { at: greatest.at, value: -greatest.value };
    let mut partner: Option<(f32, usize)> = None;
    for at in 0..moved.len() {
        let difference = (moved[at] + low[at] - least_up.value) as f32;
        let curvature = ((-2.0_f32).mul_add(rows[0][at], 2.0)).max(FLAT as f32);
        if difference > 0.0 {
            let fall = difference * difference / curvature;
            if partner.is_none_or(|(most, _)| fall > most) {
                partner = Some((fall, at));
            }
        }
    }
    Found {
        gradient: moved.iter().map(|value| value.to_bits()).collect(),
        least_up,
        greatest_low,
        looked: (least_up, greatest_low),
        partner: partner.map(|(_, at)| at),
        below: plain_below(gradient, up, 1.0).chain(plain_below(gradient, low, -1.0)).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn kernel_values_are_those_of_a_plain_loop(
        (n_features, x) in (1_usize..9, 1_usize..130)
            .prop_flat_map(|(f, n)| table(n, f).prop_map(move |x| (f, x))),
        form in 0_usize..4,
    ) {
        let kernel = FORMS[form];
        let n_rows = x.len() / n_features;
        let tiles = Tiles::of(&x, n_features, 0..n_rows);
        let chosen: Vec<u32> = (0..n_rows as u32).step_by(3).collect();
        let row = |at: usize| &x[at * n_features..][..n_features];
        let task = Values { kernel, tiles: &tiles, chosen: &chosen };
        let found: Vec<_> =
            Isa::available().into_iter().map(|isa| isa.run(task.clone())).collect();
        let bits = |(single, double, columns): &(Vec<f64>, Vec<f64>, Vec<f32>)| {
            let sums: Vec<u64> = single.iter().chain(double).map(|v| v.to_bits()).collect();
            (sums, columns.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
        };
        for other in &found[1..] {
            prop_assert_eq!(bits(&found[0]), bits(other));
        }
        let (single, double, columns) = &found[0];
        for at in 0..n_rows {
            for output in 0..2 {
                let terms = chosen.iter().enumerate().map(|(place, &other)| {
                    factor(place, output) * plain(kernel, row(at), row(other as usize))
                });
                let (sum, size) = terms.fold((0.0, 1.0), |(s, z), t: f64| (s + t, z + t.abs()));
                let place = (at / LANES * 2 + output) * LANES + at % LANES;
                prop_assert!((double[place] - sum).abs() < 1e-13 * size);
                prop_assert!((single[place] - sum).abs() < 4e-6 * size);
            }
            for other in 0..n_rows {
                let wanted = plain(kernel, row(at), row(other));
                let stride = n_rows.div_ceil(LANES) * LANES;
                let value = f64::from(columns[other * stride + at]);
                prop_assert!((value - wanted).abs() < 4e-6 * (1.0 + wanted.abs()));
            }
        }
    }

    #[test]
    fn a_step_finds_what_a_plain_loop_finds(step in steps()) {
        let wanted = plain_step(&step);
        for isa in Isa::available() {
            let found = isa.run(Run(&step));
            // Where none may grow (or shrink), any place is as good as another.
            prop_assert_eq!(found.least_up.value, wanted.least_up.value);
            if wanted.least_up.value.is_finite() {
                prop_assert_eq!(&found, &wanted, "{}", isa.name());
            }
        }
    }
}

#[test]
fn a_selection_of_tiles_holds_the_rows_in_their_order() {
    let x: Vec<f32> = (0..60).map(|value| value as f32).collect();
    let tiles = Tiles::of(&x, 3, 0..20);
    let chosen = tiles.select([19_usize, 0, 7].into_iter());
    let row = |at: usize| [0, 1, 2].map(|feature| chosen.value(at, feature));
    assert_eq!([row(0), row(1), row(2)], [[57.0, 58.0, 59.0], [0.0, 1.0, 2.0], [21.0, 22.0, 23.0]]);
    assert_eq!((chosen.n_rows(), chosen.n_features()), (3, 3));
}

#[test]
fn a_row_is_itself_and_far_ones_are_nothing() {
    let x = [0.0, 0.0, 1e4, -1e4, 0.0, 1e-30];
    let tiles = Tiles::of(&x, 2, 0..3);
    for isa in Isa::available() {
        let kernel = KernelFunction::Rbf { gamma: 10.0 };
        let (_, _, columns) = isa.run(Values { kernel, tiles: &tiles, chosen: &[0] });
        assert_eq!(columns[0], 1.0);
        // Not subnormal, which would slow down each product with it.
        assert!((f32::MIN_POSITIVE..1e-37).contains(&columns[1]), "{}", columns[1]);
        assert_eq!(columns[2], 1.0);
    }
}

/// Sums and columns of sparse rows.
#[derive(Clone)]
struct SparseValues<'a> {
    kernel: KernelFunction,
    list: &'a SparseList<f32>,
    n_features: usize,
    chosen: &'a [u32],
}

impl SparseValues<'_> {
    fn weighted(&self, rows: impl Iterator<Item = usize>, n_outputs: usize) -> SparseWeighted<f32> {
        let mut list = SparseList::default();
        for row in rows {
            let (features, values) = self.list.row(row);
            list.push(features.iter().copied().zip(values.iter().copied()));
        }
        SparseWeighted::new(self.kernel, list, None, n_outputs, factor)
    }
}

impl Task for SparseValues<'_> {
    type Output = (Vec<f64>, Vec<f64>, Vec<f32>);

    #[inline(always)]
    fn run<S: Simd>(self) -> Self::Output {
        let n_rows = self.list.n_rows();
        let n_tiles = n_rows.div_ceil(LANES);
        let weighted = self.weighted(self.chosen.iter().map(|&row| row as usize), 2);
        let square = self.weighted(0..n_rows, 0);
        let mut single = vec![0.0; n_tiles * 2 * LANES];
        let mut double = single.clone();
        let stride = n_tiles * LANES;
        let mut columns = vec![0.0; stride * stride];
        let mut tile = SparseTile::new(self.n_features);
        for at in 0..n_tiles {
            let rows = (at * LANES..n_rows.min((at + 1) * LANES)).map(|row| self.list.row(row));
            tile.load(rows, self.list.grain());
            let out = at * 2 * LANES..(at + 1) * 2 * LANES;
            weighted.add_products::<S>(Precision::Single, &tile, &mut single[out.clone()]);
            weighted.add_products::<S>(Precision::Double, &tile, &mut double[out]);
            square.store_columns::<S>(&tile, (&mut columns[at * LANES..], stride));
        }
        (single, double, columns)
    }
}

/// Rows with many zeros: of fractions, or of whole numbers, whose sums are exact.
fn sparse_table(n_rows: usize, n_features: usize) -> impl Strategy<Value = Vec<f32>> {
    let fractions = prop_oneof![3 => Just(0.0_f32), 1 => -2.0_f32..2.0];
    let counts = prop_oneof![3 => Just(0.0_f32), 1 => (-3_i32..4).prop_map(|v| v as f32)];
    let n = n_rows * n_features;
    prop_oneof![prop::collection::vec(fractions, n), prop::collection::vec(counts, n)]
}

proptest! {
    #[test]
    fn sparse_rows_give_the_bits_of_dense_rows(
        (n_rows, n_features, x) in (1_usize..40, 1_usize..70)
            .prop_flat_map(|(n, d)| (Just(n), Just(d), sparse_table(n, d))),
        form in 0_usize..4,
        picks in prop::collection::vec(0_u32..1000, 0..12),
    ) {
        let kernel = FORMS[form];
        let chosen: Vec<u32> = picks.iter().map(|pick| pick % n_rows as u32).collect();
        let tiles = Tiles::of(&x, n_features, 0..n_rows);
        let mut list = SparseList::default();
        for row in x.chunks_exact(n_features) {
            list.push(row.iter().enumerate().map(|(at, &value)| (at as u32, value)));
        }
        for isa in Isa::available() {
            let dense = isa.run(Values { kernel, tiles: &tiles, chosen: &chosen });
            let sparse = isa.run(SparseValues { kernel, list: &list, n_features, chosen: &chosen });
            prop_assert_eq!(&sparse.0, &dense.0);
            prop_assert_eq!(&sparse.1, &dense.1);
            // Dense columns are also those of rows that fill the last tile.
            let stride = n_rows.next_multiple_of(LANES);
            for column in 0..n_rows {
                let range = column * stride..column * stride + n_rows;
                prop_assert_eq!(&sparse.2[range.clone()], &dense.2[range]);
            }
        }
    }
}
