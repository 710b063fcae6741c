//! Sizes whose product wraps are refused before any unsafe code runs.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Sixteen times this is zero in arithmetic that wraps.
const SIXTEENTH: usize = 1 << (usize::BITS - 4);

/// A distance between rows after which sixteen more values end at zero.
const BACK: usize = usize::MAX - (LANES - 1);

/// Requires that the call fails in a check of its own. With the overflow checks of a debug build
/// wrong arithmetic fails too, with another message.
fn assert_refused(what: &str, call: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(call)) else {
        panic!("{what}: the sizes must be refused");
    };
    let text = panic.downcast_ref::<&str>().copied().map(String::from);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    assert!(text.contains("assertion") || text.contains("fit memory"), "{what}: {text}");
}

#[test]
fn moves_refuse_sizes_that_wrap() {
    let from = [1.0; 256];
    let mut to = [0.0; 256];
    assert_refused("columns of gathered rows", || {
        gather_rows::<Portable>(&from, SIXTEENTH, &[15; 16], &mut to);
    });
    assert_refused("columns that fill no whole vector", || {
        gather_rows::<Portable>(&from, usize::MAX, &[0], &mut to);
    });
    // Fifteen times this is the largest number, and one more is zero.
    let fifteenth = usize::MAX / 15;
    assert_refused("distance of rows to transpose", || {
        transpose_rows::<Portable>((1, 1), (&from, fifteenth), (&mut to, 16));
    });
    assert_refused("distance of transposed rows", || {
        transpose_rows::<Portable>((1, 1), (&from, 16), (&mut to, fifteenth));
    });
    assert_refused("blocks to transpose", || {
        transpose_rows::<Portable>((SIXTEENTH, 1), (&from, 16), (&mut to, 16));
    });
    assert_refused("distance of rows to sum", || {
        row_sums::<Portable>(1, (&from, BACK), &mut to[..2]);
    });
    assert_refused("vectors to sum", || {
        row_sums::<Portable>(SIXTEENTH, (&from, 1), &mut to[..1]);
    });
}

#[test]
fn scores_refuse_sizes_that_wrap() {
    let (label, weight) = ([0.0; LANES], [1.0; LANES]);
    for shape in [(2, 1), (0, 1), (1, SIXTEENTH)] {
        let mut scores = [0.0; LANES];
        assert_refused("loss", || {
            softmax_loss::<Portable>(shape, (&mut scores, BACK), Targets::new(&label, &weight));
        });
        assert_refused("scores", || {
            class_scores::<Portable>(shape, (&mut scores, BACK), ScoreKind::Probability);
        });
    }
}

/// A product without change; whether it takes sums is what its caller promises.
#[derive(Clone, Copy)]
struct TakesSums;

impl Epilogue for TakesSums {
    const SUMS: bool = true;

    unsafe fn apply<S: Simd>(self, value: S, _: usize) -> S {
        value
    }
}

#[test]
fn products_refuse_sizes_that_wrap() {
    let values = [1.0; 256];
    let left = |row, column| Left { data: &values, row, column };
    let right = |row| Right { data: &values, row };
    let multiply = |what: &str, shape, left, right, out_row| {
        let mut out = [0.0; 256];
        assert_refused(what, || {
            let out = (&mut out[..], out_row);
            matmul::<Portable, _>(shape, left, right, Start::Zero, out, Identity);
        });
    };
    multiply("rows of the left matrix", (2, 1, 1), left(usize::MAX, 1), right(16), 16);
    multiply("columns of the left matrix", (2, 2, 1), left(1, usize::MAX), right(16), 16);
    multiply("rows of the right matrix", (2, 2, 1), left(2, 1), right(BACK), 16);
    multiply("rows of the output", (2, 1, 1), left(1, 1), right(16), BACK);
    multiply("columns", (1, 1, SIXTEENTH), left(1, 1), right(16), 16);
    let mut out = [0.0; LANES];
    assert_refused("an epilogue that takes sums", || {
        let (left, right, out) = (left(1, 1), right(16), (&mut out[..], 16));
        matmul::<Portable, _>((1, 1, 1), left, right, Start::Zero, out, TakesSums);
    });
    assert_refused("sums of columns", || {
        let (left, right, out) = (left(1, 1), right(16), (&mut out[..], 16));
        matmul_and_sums::<Portable>((1, 1, 1), left, right, out, &mut []);
    });
}

#[test]
fn lists_of_rows_refuse_sizes_that_wrap() {
    let mut cells = [FeatureCells::filled_with(0_u64)];
    for (stride, first, row) in [(SIXTEENTH, 0, 15), (1, usize::MAX, 0)] {
        let rows = [row; 4];
        assert_refused("bins of a row", || {
            let rows = (RowList::Some(&rows), &[][..]);
            add_to_histograms::<Portable, _, _, 1>(
                &mut cells,
                (&[0], stride, first),
                rows,
                &[0; 9],
                |_, _| 1,
            );
        });
    }
}

#[test]
fn kernel_values_refuse_sizes_that_wrap() {
    assert_refused("features of a tile", || {
        Tiles::<f32>::from_fn(SIXTEENTH, 0..1, |_, _| 1.0);
    });
    let tiles = Tiles::<f32>::from_fn(1, 0..16, |row, _| row as f32);
    let rows: Vec<u32> = (0..16).collect();
    assert_refused("sums of the outputs", || {
        Weighted::new(&tiles, &[], SIXTEENTH, |_, _| 1.0);
    });
    let weighted = Weighted::new(&tiles, &rows, 1, |_, _| 1.0);
    assert_refused("distance of columns", || {
        let out = (&mut [0.0; 256][..], SIXTEENTH);
        weighted.store_square::<Portable>(KernelFunction::Linear, &tiles, out);
    });
    assert_refused("sums of the tiles", || {
        let tiles = (&tiles, 0..SIXTEENTH);
        let (kernel, single) = (KernelFunction::Linear, Precision::Single);
        weighted.add_products::<Portable>(kernel, single, tiles, &mut []);
    });
}
