//! Small matrix products: out = epilogue(start + left . right), one register tile at a time.
//!
//! Everything a network does is this product: a layer's outputs (rows are samples), the
//! gradient passed back (right is the transposed weights), the gradient of the weights (rows
//! are inputs, the sum runs over samples: the left matrix read by columns), and the scores of
//! the classes (lanes are samples). Matrices have at most a few hundred rows and stay in the
//! first two cache levels, so nothing is packed; the time goes where it should, into one
//! multiply-add per sixteen products.
//!
//! **Order of summation.** Each element is one chain of fused multiply-adds in the order of the
//! inner index. The tile's shape, which differs between instruction sets, decides only which
//! chains run side by side; it cannot change a bit.

use super::Task;
use super::simd::{LANES, Simd};

/// The left matrix: element (m, k) is `data[m * row + k * column]`.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    /// The values.
    pub data: &'a [f32],
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub column: usize,
}

/// The right matrix: element (k, n) is `data[k * row + n]`; columns in whole vectors.
#[derive(Clone, Copy)]
pub struct Right<'a> {
    /// The values.
    pub data: &'a [f32],
    /// Distance between rows.
    pub row: usize,
}

/// What the sums start from.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// Nothing.
    Zero,
    /// One value a column, the same in all rows: a bias of neurons in the lanes.
    Columns(&'a [f32]),
    /// One value a row, the same in all columns: a bias of classes, samples in the lanes.
    Rows(&'a [f32]),
}

/// What happens to a finished vector before it is stored.
pub trait Epilogue: Copy {
    /// The value to store at `offset` of the output.
    ///
    /// # Safety
    /// Sixteen elements from `offset` must lie inside the output.
    unsafe fn apply<S: Simd>(self, value: S, offset: usize) -> S;
    /// How many output elements this epilogue can serve.
    fn capacity(self) -> usize {
        usize::MAX
    }
}

/// Stores the product as it is.
#[derive(Clone, Copy)]
pub struct Identity;

impl Epilogue for Identity {
    #[inline(always)]
    unsafe fn apply<S: Simd>(self, value: S, _: usize) -> S {
        value
    }
}

/// Stores max(0, product); NaN passes, so that divergence is seen.
#[derive(Clone, Copy)]
pub struct Relu;

impl Epilogue for Relu {
    #[inline(always)]
    unsafe fn apply<S: Simd>(self, value: S, _: usize) -> S {
        let zero = S::splat(0.0);
        zero.max(value)
    }
}

/// Stores the product where the activation at the same place is above zero, else zero.
#[derive(Clone, Copy)]
pub struct ReluGradient<'a> {
    /// The layer's outputs, laid out as the product's output.
    pub activation: &'a [f32],
}

impl Epilogue for ReluGradient<'_> {
    #[inline(always)]
    unsafe fn apply<S: Simd>(self, value: S, offset: usize) -> S {
        let zero = S::splat(0.0);
        // SAFETY: `matmul` has checked the activation's length through `capacity`.
        let activation = unsafe { S::load(self.activation.as_ptr().add(offset)) };
        activation.select_greater(zero, value, zero)
    }

    #[inline(always)]
    fn capacity(self) -> usize {
        self.activation.len()
    }
}

/// A product's shape: `rows x inner` times `inner x vectors * 16`.
#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    inner: usize,
    vectors: usize,
}

/// Raw views of checked matrices.
#[derive(Clone, Copy)]
struct Pointers {
    left: *const f32,
    left_row: usize,
    left_column: usize,
    right: *const f32,
    right_row: usize,
    /// First value to start from, and the distances to those of the next row and column: a
    /// distance of zero repeats one value.
    start: *const f32,
    start_row: usize,
    start_column: usize,
    out: *mut f32,
    out_row: usize,
}

/// `out[m][n] = epilogue(start + sum over k of left[m][k] * right[k][n])` for `rows` rows,
/// `inner` values of k, and `vectors * 16` columns; `out_row` is the distance between rows of
/// `out`.
///
/// # Panics
/// When a slice is shorter than the shape needs.
#[inline(always)]
pub fn matmul<S: Simd, E: Epilogue>(
    (rows, inner, vectors): (usize, usize, usize),
    left: Left<'_>,
    right: Right<'_>,
    start: Start<'_>,
    (out, out_row): (&mut [f32], usize),
    epilogue: E,
) {
    if rows == 0 || vectors == 0 {
        return;
    }
    let columns = vectors * LANES;
    let needed_out = (rows - 1) * out_row + columns;
    if inner > 0 {
        assert!((rows - 1) * left.row + (inner - 1) * left.column < left.data.len());
        assert!((inner - 1) * right.row + columns <= right.data.len());
    }
    let (start, start_row, start_column) = match start {
        Start::Zero => (std::ptr::null(), 0, 0),
        Start::Columns(values) => {
            assert!(values.len() >= columns);
            (values.as_ptr(), 0, 1)
        }
        Start::Rows(values) => {
            assert!(values.len() >= rows);
            (values.as_ptr(), 1, 0)
        }
    };
    assert!(needed_out <= out.len() && needed_out <= epilogue.capacity());
    let shape = Shape { rows, inner, vectors };
    let pointers = Pointers {
        left: left.data.as_ptr(),
        left_row: left.row,
        left_column: left.column,
        right: right.data.as_ptr(),
        right_row: right.row,
        start,
        start_row,
        start_column,
        out: out.as_mut_ptr(),
        out_row,
    };
    S::outline(Tiles { shape, pointers, epilogue });
}

/// A checked product: the walk over its tiles is compiled once for each epilogue.
struct Tiles<E> {
    shape: Shape,
    pointers: Pointers,
    epilogue: E,
}

impl<E: Epilogue> Task for Tiles<E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: `matmul`, the only place that builds this, has checked every element that the
        // shape reaches.
        unsafe { tiles::<S, E>(self.shape, self.pointers, self.epilogue) }
    }
}

/// Walks the output in tiles: wide ones while the columns last, then tiles one vector wide.
///
/// # Safety
/// Every element that the shape reaches lies inside its matrix.
#[inline(always)]
unsafe fn tiles<S: Simd, E: Epilogue>(shape: Shape, at: Pointers, epilogue: E) {
    let mut vector = 0;
    // SAFETY: tiles stay inside the shape.
    unsafe {
        if S::WIDE_VECTORS == 4 {
            while vector + 4 <= shape.vectors {
                column_of_tiles::<S, E, 4>(shape, at, vector, S::WIDE_ROWS, epilogue);
                vector += 4;
            }
            if vector + 2 <= shape.vectors {
                column_of_tiles::<S, E, 2>(shape, at, vector, S::WIDE_ROWS, epilogue);
                vector += 2;
            }
        }
        let rows =
            if shape.vectors > 1 && S::WIDE_VECTORS == 1 { S::WIDE_ROWS } else { S::NARROW_ROWS };
        while vector < shape.vectors {
            column_of_tiles::<S, E, 1>(shape, at, vector, rows, epilogue);
            vector += 1;
        }
    }
}

/// All rows of `NV` vectors of columns, at most `step` rows a tile.
///
/// # Safety
/// As for [`tiles`].
#[inline(always)]
unsafe fn column_of_tiles<S: Simd, E: Epilogue, const NV: usize>(
    shape: Shape,
    at: Pointers,
    vector: usize,
    step: usize,
    epilogue: E,
) {
    let mut row = 0;
    while row < shape.rows {
        let rows = step.min(shape.rows - row);
        // SAFETY: rows row..row + rows are inside the shape.
        unsafe {
            match rows {
                1 => tile::<S, E, 1, NV>(shape.inner, at, row, vector, epilogue),
                2 => tile::<S, E, 2, NV>(shape.inner, at, row, vector, epilogue),
                3 => tile::<S, E, 3, NV>(shape.inner, at, row, vector, epilogue),
                4 => tile::<S, E, 4, NV>(shape.inner, at, row, vector, epilogue),
                5 => tile::<S, E, 5, NV>(shape.inner, at, row, vector, epilogue),
                6 => tile::<S, E, 6, NV>(shape.inner, at, row, vector, epilogue),
                7 => tile::<S, E, 7, NV>(shape.inner, at, row, vector, epilogue),
                _ => tile::<S, E, 8, NV>(shape.inner, at, row, vector, epilogue),
            }
        }
        row += rows;
    }
}

/// One tile: `MR` rows by `NV` vectors, all in registers while k runs.
///
/// # Safety
/// As for [`tiles`].
#[inline(always)]
unsafe fn tile<S: Simd, E: Epilogue, const MR: usize, const NV: usize>(
    inner: usize,
    at: Pointers,
    row: usize,
    vector: usize,
    epilogue: E,
) {
    let column = vector * LANES;
    // SAFETY: the tile is inside the checked shape, so every pointer below stays inside its
    // matrix.
    unsafe {
        let mut sum = [[S::splat(0.0); NV]; MR];
        if at.start_column > 0 {
            sum = [std::array::from_fn(|v| S::load(at.start.add(column + v * LANES))); MR];
        } else if at.start_row > 0 {
            sum = std::array::from_fn(|r| [S::splat(*at.start.add(row + r)); NV]);
        }
        let left = at.left.add(row * at.left_row);
        let right = at.right.add(column);
        for k in 0..inner {
            let b: [S; NV] =
                std::array::from_fn(|v| S::load(right.add(k * at.right_row + v * LANES)));
            for (r, sum) in sum.iter_mut().enumerate() {
                let a = S::splat(*left.add(r * at.left_row + k * at.left_column));
                for (sum, &b) in sum.iter_mut().zip(&b) {
                    *sum = a.mul_add(b, *sum);
                }
            }
        }
        for (r, sum) in sum.into_iter().enumerate() {
            for (v, sum) in sum.into_iter().enumerate() {
                let offset = (row + r) * at.out_row + column + v * LANES;
                epilogue.apply(sum, offset).store(at.out.add(offset));
            }
        }
    }
}

/// `out[n] = sum over k of right[k][n]`: four chains by k modulo 4, combined pairwise.
///
/// # Panics
/// When a slice is shorter than the shape needs.
#[inline(always)]
pub fn column_sums<S: Simd>(inner: usize, vectors: usize, right: Right<'_>, out: &mut [f32]) {
    let columns = vectors * LANES;
    assert!(inner == 0 || (inner - 1) * right.row + columns <= right.data.len());
    assert!(columns <= out.len());
    for column in (0..columns).step_by(LANES) {
        let from = right.data.as_ptr().wrapping_add(column);
        // SAFETY: the assertion covers row k, and the column block is inside it.
        let row = |k: usize| unsafe { S::load(from.add(k * right.row)) };
        let mut chains = [S::splat(0.0); 4];
        let whole = inner - inner % 4;
        for k in (0..whole).step_by(4) {
            for (chain, sum) in chains.iter_mut().enumerate() {
                *sum = sum.add(row(k + chain));
            }
        }
        for k in whole..inner {
            chains[k % 4] = chains[k % 4].add(row(k));
        }
        let total = chains[0].add(chains[1]).add(chains[2].add(chains[3]));
        // SAFETY: sixteen places from `column` are inside `out`, as asserted.
        unsafe { total.store(out.as_mut_ptr().add(column)) };
    }
}
