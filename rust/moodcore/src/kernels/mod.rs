//! Vector kernels, and the only unsafe code of the crate.
//!
//! Each algorithm is written once, generic over [`Simd`]; one file per instruction set
//! implements the few operations with its registers. [`Isa::run`] compiles a whole training
//! loop for each set and picks one at run time: once per loop, not once per call. Because every
//! operation rounds the same way everywhere and every sum has a fixed order, the choice changes
//! only the speed.
#![allow(unsafe_code)]

mod activations;
mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_bits;
#[cfg(target_arch = "x86_64")]
mod avx2_doubles;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bits;
#[cfg(target_arch = "x86_64")]
mod avx512_doubles;
mod bin_bits;
mod bits;
mod bitslices;
mod cuts;
mod descent;
mod doubles;
mod forms;
mod fused;
mod gram;
mod gram_row;
mod math;
mod matmul;
mod portable;
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable_bits;
mod portable_doubles;
mod probabilities;
mod real;
mod row_trees;
mod rows;
mod simd;
mod softmax;
mod sparse_gram;
#[cfg(target_arch = "x86_64")]
mod sse2_bits;
mod steps;
mod vectors;

pub use activations::{Activate, ActivationGradient, Curve};
pub use aligned::Aligned;
pub use bin_bits::{BinNibbles, RowBins};
pub use bits::Bits;
pub use bitslices::{RowBits, RowLeaves, SLICE_CHUNK, SLICE_ROWS};
pub use cuts::Cuts;
pub use descent::{
    Directions, Extreme, Extremes, FLAT, best_partner, collect_below, extremes, step_and_extremes,
};
pub use doubles::Doubles;
pub use forms::KernelFunction;
pub use gram::{Precision, Tiles, Weighted};
pub use matmul::{
    Epilogue, Identity, Left, Relu, ReluGradient, Right, Start, matmul, matmul_and_sums,
};
pub use portable::Portable;
pub use probabilities::{logistic_columns, softmax_columns};
pub use real::Real;
pub use row_trees::{RowSplit, RowTrees, SLICE_LEAVES};
pub use rows::{
    Cell, EMPTY_PLACES, FeatureCells, NarrowCell, PlaceList, RowList, WideCell, add_to_histograms,
    filled_ends, filled_places, part_rows,
};
pub(crate) use simd::array_of;
pub use simd::{LANES, Simd};
pub use softmax::{BatchLoss, ScoreKind, Targets, class_scores, softmax_loss};
pub use sparse_gram::{Entries, Grain, SparseList, SparseTile, SparseWeighted};
pub use steps::{Adam, Momentum, add_penalty_gradient, multiply, scale_weights};
pub use vectors::{gather_rows, keep_below, prefetch_rows, row_sums, transpose_rows};

/// An instruction set to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 F and DQ (x86-64).
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 and FMA (x86-64).
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Plain code, vectorized by the compiler (NEON on AArch64).
    Portable,
}

/// Work written once for all instruction sets.
pub trait Task {
    /// Result of the task.
    type Output;
    /// Runs the task with vectors of type `S`; implementations are `#[inline(always)]`, so that
    /// all of it is compiled with the instructions of `S`.
    fn run<S: Simd>(self) -> Self::Output;
}

impl Isa {
    /// All instruction sets that this CPU supports, the fastest first.
    pub fn available() -> Vec<Isa> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                found.push(Isa::Avx512);
            }
            if avx2 {
                found.push(Isa::Avx2);
            }
        }
        found.push(Isa::Portable);
        found
    }

    /// The fastest instruction set that this CPU supports.
    pub fn detect() -> Isa {
        Self::available()[0]
    }

    /// The set's name: `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "avx2",
            Isa::Portable => "portable",
        }
    }

    /// Runs the task with this set's instructions.
    ///
    /// # Panics
    /// If the CPU does not support them; use [`Isa::available`].
    pub fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                assert!(
                    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")
                );
                // SAFETY: the processor has the features; checked above (a cached load).
                unsafe { run_avx512(task) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                assert!(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"));
                // SAFETY: the processor has the features; checked above (a cached load).
                unsafe { run_avx2(task) }
            }
            Isa::Portable => task.run::<Portable>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
fn run_avx512<T: Task>(task: T) -> T::Output {
    task.run::<avx512::Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<T: Task>(task: T) -> T::Output {
    task.run::<avx2::Avx2>()
}

#[cfg(test)]
mod size_tests;
#[cfg(test)]
mod svm_tests;
#[cfg(test)]
mod tests;
