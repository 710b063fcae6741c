//! Vectors whose size depends on the input.
//!
//! Rust ends the process if an allocation fails, which a caller from Python cannot catch. Vectors with a
//! value for each row, cell, class or tree are therefore allocated by the functions of this module. If
//! there is too little memory they unwind with [`Error::Memory`], which [`or_error`] around a whole fit or
//! prediction returns.
//!
//! Unwinding, not a `Result`: allocations are deep inside of vector kernels and of closures on worker
//! threads, where every function up to the caller would have to pass the error on; Rayon and
//! [`crate::parallel`] pass unwinding on by themselves. What is unwound is dropped, and a fit returns
//! nothing else.

use crate::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Unwinds up to [`or_error`], which returns the error.
pub(crate) fn stop_with(error: Error) -> ! {
    // The panic hook, which prints a message, is not called.
    resume_unwind(Box::new(error))
}

/// A vector with room for `n` values.
pub(crate) fn with_room<T>(n: usize) -> Vec<T> {
    let mut values = Vec::new();
    reserve(&mut values, n);
    values
}

/// Makes room for `n` more values.
pub(crate) fn reserve<T>(values: &mut Vec<T>, n: usize) {
    if values.try_reserve(n).is_err() {
        let bytes = values.len().saturating_add(n).saturating_mul(size_of::<T>());
        stop_with(Error::Memory { bytes });
    }
}

/// A vector of `n` equal values.
pub(crate) fn filled<T: Clone>(value: T, n: usize) -> Vec<T> {
    let mut values = with_room(n);
    values.resize(n, value);
    values
}

/// Changes the length; new values are `value`.
pub(crate) fn resize<T: Clone>(values: &mut Vec<T>, n: usize, value: T) {
    reserve(values, n.saturating_sub(values.len()));
    values.resize(n, value);
}

/// A copy of some values.
pub(crate) fn copied<T: Clone>(values: &[T]) -> Vec<T> {
    let mut copy = with_room(values.len());
    copy.extend_from_slice(values);
    copy
}

/// Iterators whose values are collected in such a vector.
pub(crate) trait CollectVec: Iterator + Sized {
    /// A vector of the values.
    fn collect_vec(self) -> Vec<Self::Item> {
        let mut values = with_room(self.size_hint().0);
        for value in self {
            if values.len() == values.capacity() {
                // Twice as many, as `Vec` does.
                let more = values.len().max(16);
                reserve(&mut values, more);
            }
            values.push(value);
        }
        values
    }
}

impl<I: Iterator> CollectVec for I {}

/// Does the work; if there is too little memory or threads cannot start, stops it and returns the error.
///
/// # Errors
/// [`Error::Memory`], [`Error::Threads`], and those of the work.
pub fn or_error<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => match panic.downcast::<Error>() {
            Ok(error) => Err(*error),
            Err(panic) => resume_unwind(panic),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Team;

    const TOO_MANY: usize = usize::MAX / 16;

    #[test]
    fn too_large_a_vector_is_an_error() {
        // Compilers leave out an allocation of which only the length is used.
        let found = or_error(|| Ok(std::hint::black_box(filled(0_u64, TOO_MANY)).len()));
        assert!(matches!(found, Err(Error::Memory { bytes }) if bytes >= TOO_MANY));
        assert!(or_error(|| Ok(copied(&[1, 2]))).is_ok_and(|copy| copy == [1, 2]));
        let many = (0..100).filter(|at| at % 3 == 0);
        assert_eq!(many.clone().collect_vec(), many.collect::<Vec<_>>());
    }

    #[test]
    fn threads_pass_the_error_on() {
        let team = Team::new(2).unwrap();
        let found = or_error(|| {
            team.for_each(&mut [0, TOO_MANY, 0, 0], |_, n| drop(filled(0_u64, *n)));
            Ok(())
        });
        assert!(matches!(found, Err(Error::Memory { .. })));
    }
}
