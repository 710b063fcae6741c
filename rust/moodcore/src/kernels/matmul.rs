//! Small matrix products: out = epilogue(start + left . right), one register tile at a time.
//!
//! Everything a network does is this product: a layer's outputs (rows are samples), the
//! gradient passed back (right is the transposed weights), the gradient of the weights (rows
//! are inputs, the sum runs over samples: the left matrix read by columns), and the scores of
//! the classes (lanes are samples). Matrices have at most a few hundred rows and stay in the
//! first two cache levels, so nothing is packed, and nearly all time is spent in
//! multiply-adds.
//!
//! **Order of summation.** Each element is one chain of fused multiply-adds in the order of the
//! inner index. The tile's shape, which differs between instruction sets, decides only which
//! chains run side by side; it cannot change a bit.

#[cfg(target_arch = "x86_64")]
mod emulated;

use super::Task;
use super::simd::{LANES, Simd, array_of, extent};

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
    /// One value per column, the same in all rows: a bias of neurons in the lanes.
    Columns(&'a [f32]),
    /// One value per row, the same in all columns: a bias of classes, samples in the lanes.
    Rows(&'a [f32]),
}

/// What happens to a finished vector before it is stored.
pub trait Epilogue: Copy {
    /// Whether the columns of the right matrix are summed on the way.
    const SUMS: bool = false;

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

/// Stores the product as it is, and the sums of the right matrix's columns beside it.
#[derive(Clone, Copy)]
struct WithSums;

impl Epilogue for WithSums {
    const SUMS: bool = true;

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
    /// Where the sums of the right matrix's columns go; null without them.
    sums: *mut f32,
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
    product::<S, E>((rows, inner, vectors), left, right, start, (out, out_row), &mut [], epilogue);
}

/// [`matmul`] from zero, and `sums[n] = sum over k of right[k][n]`: a layer's gradient by its
/// weights and by its biases, whose terms pass through the same registers.
///
/// # Panics
/// When a slice is shorter than the shape needs.
#[inline(always)]
pub fn matmul_and_sums<S: Simd>(
    shape: (usize, usize, usize),
    left: Left<'_>,
    right: Right<'_>,
    out: (&mut [f32], usize),
    sums: &mut [f32],
) {
    product::<S, _>(shape, left, right, Start::Zero, out, sums, WithSums);
}

/// Checks the shape; `sums` is as long as a row of `right` where the epilogue takes sums.
#[inline(always)]
fn product<S: Simd, E: Epilogue>(
    (rows, inner, vectors): (usize, usize, usize),
    left: Left<'_>,
    right: Right<'_>,
    start: Start<'_>,
    (out, out_row): (&mut [f32], usize),
    sums: &mut [f32],
    epilogue: E,
) {
    if rows == 0 || vectors == 0 {
        return;
    }
    let columns = vectors.saturating_mul(LANES);
    let needed_out = extent(rows, out_row, columns);
    if inner > 0 {
        let left_row = extent(inner, left.column, 1);
        assert!(extent(rows, left.row, left_row) <= left.data.len());
        assert!(extent(inner, right.row, columns) <= right.data.len());
    }
    assert!(!E::SUMS || sums.len() >= columns);
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
        sums: sums.as_mut_ptr(),
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
        #[cfg(target_arch = "x86_64")]
        if S::EMULATES && emulated::tiles::<S, E>(shape, at, epilogue) {
            if E::SUMS {
                column_sums::<S>(shape, at);
            }
            return;
        }
        if E::SUMS && shape.vectors == 1 {
            return column_of_tiles::<S, E, 1, true>(shape, at, 0, S::NARROW_ROWS, epilogue);
        }
        if E::SUMS {
            // Beside wide tiles, whose accumulators leave no register, they are little work.
            column_sums::<S>(shape, at);
        }
        if S::WIDE_VECTORS == 4 {
            while vector + 4 <= shape.vectors {
                column_of_tiles::<S, E, 4, false>(shape, at, vector, S::WIDE_ROWS, epilogue);
                vector += 4;
            }
            if vector + 2 <= shape.vectors {
                column_of_tiles::<S, E, 2, false>(shape, at, vector, S::WIDE_ROWS, epilogue);
                vector += 2;
            }
        }
        let rows =
            if shape.vectors > 1 && S::WIDE_VECTORS == 1 { S::WIDE_ROWS } else { S::NARROW_ROWS };
        while vector < shape.vectors {
            column_of_tiles::<S, E, 1, false>(shape, at, vector, rows, epilogue);
            vector += 1;
        }
    }
}

/// All rows of `NV` vectors of columns, at most `step` rows a tile.
///
/// # Safety
/// As for [`tiles`].
#[inline(always)]
unsafe fn column_of_tiles<S: Simd, E: Epilogue, const NV: usize, const SUMS: bool>(
    shape: Shape,
    at: Pointers,
    vector: usize,
    step: usize,
    epilogue: E,
) {
    let mut row = 0;
    while row < shape.rows {
        let left = shape.rows - row;
        let rows = if left >= step { step } else { left.min(8) };
        // SAFETY: rows row..row + rows are inside the shape.
        unsafe {
            match rows {
                16 if NV == 1 && S::NARROW_ROWS == 16 => {
                    tile::<S, E, 16, NV, SUMS>(shape.inner, at, row, vector, epilogue);
                }
                1 => tile::<S, E, 1, NV, SUMS>(shape.inner, at, row, vector, epilogue),
                2 => tile::<S, E, 2, NV, SUMS>(shape.inner, at, row, vector, epilogue),
                3 => tile::<S, E, 3, NV, SUMS>(shape.inner, at, row, vector, epilogue),
                4 => tile::<S, E, 4, NV, SUMS>(shape.inner, at, row, vector, epilogue),
                5 => tile::<S, E, 5, NV, SUMS>(shape.inner, at, row, vector, epilogue),
                6 => tile::<S, E, 6, NV, SUMS>(shape.inner, at, row, vector, epilogue),
                7 => tile::<S, E, 7, NV, SUMS>(shape.inner, at, row, vector, epilogue),
                _ => tile::<S, E, 8, NV, SUMS>(shape.inner, at, row, vector, epilogue),
            }
        }
        row += rows;
    }
}

/// One tile: `MR` rows by `NV` vectors, all in registers while k runs; the first one of a column
/// stores the column's sums.
///
/// # Safety
/// As for [`tiles`].
#[inline(always)]
unsafe fn tile<S: Simd, E: Epilogue, const MR: usize, const NV: usize, const SUMS: bool>(
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
            sum = [array_of(|v| S::load(at.start.add(column + v * LANES))); MR];
        } else if at.start_row > 0 {
            sum = array_of(|r| [S::splat(*at.start.add(row + r)); NV]);
        }
        let left = at.left.add(row * at.left_row);
        let right = at.right.add(column);
        let mut column_sums = [S::splat(0.0); NV];
        for k in 0..inner {
            let b: [S; NV] = array_of(|v| S::load(right.add(k * at.right_row + v * LANES)));
            if SUMS {
                column_sums = array_of(|v| column_sums[v].add(b[v]));
            }
            for (r, sum) in sum.iter_mut().enumerate() {
                let a = S::splat(*left.add(r * at.left_row + k * at.left_column));
                for (sum, &b) in sum.iter_mut().zip(&b) {
                    *sum = a.mul_add(b, *sum);
                }
            }
        }
        let mut offset = row * at.out_row + column;
        for sum in sum {
            for (v, sum) in sum.into_iter().enumerate() {
                let offset = offset + v * LANES;
                epilogue.apply(sum, offset).store(at.out.add(offset));
            }
            offset += at.out_row;
        }
        if SUMS && row == 0 {
            for (v, sum) in column_sums.into_iter().enumerate() {
                sum.store(at.sums.add(column + v * LANES));
            }
        }
    }
}

/// The sums of the right matrix's columns, in the order of k.
///
/// # Safety
/// As for [`tiles`].
#[inline(always)]
unsafe fn column_sums<S: Simd>(shape: Shape, at: Pointers) {
    for vector in 0..shape.vectors {
        let mut sum = S::splat(0.0);
        // SAFETY: the vector is inside the shape.
        unsafe {
            for k in 0..shape.inner {
                sum = sum.add(S::load(at.right.add(k * at.right_row + vector * LANES)));
            }
            sum.store(at.sums.add(vector * LANES));
        }
    }
}
