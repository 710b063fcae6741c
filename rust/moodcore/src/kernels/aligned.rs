//! Values that start on a cache line.

use crate::memory::filled;
use std::ops::{Deref, DerefMut};

/// Values in 64 bytes: a cache line, and sixteen lanes.
const LINE: usize = 16;

/// A fixed number of `f32` that start on a cache line, so that no vector of sixteen lies across
/// two of them: a load or store that does costs twice.
#[derive(Debug)]
pub struct Aligned {
    /// A line longer than needed; never resized, so that its values stay where they are.
    data: Vec<f32>,
    /// Where the first line of `data` starts.
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let data = filled(0.0, len + LINE);
        let start = data.as_ptr().align_offset(LINE * size_of::<f32>());
        // The answer may be "cannot tell": then the values start where they start.
        Aligned { start: if start <= LINE { start } else { 0 }, data, len }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    #[inline(always)]
    fn deref(&self) -> &[f32] {
        &self.data[self.start..][..self.len]
    }
}

impl DerefMut for Aligned {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..][..self.len]
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Aligned::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for Aligned {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_line_also_when_cloned() {
        for len in [0, 1, 16, 1000] {
            let mut values = Aligned::zeros(len);
            values.iter_mut().enumerate().for_each(|(at, value)| *value = at as f32);
            let copy = values.clone();
            assert_eq!(copy, values);
            assert_eq!((values.len(), values.as_ptr() as usize % 64), (len, 0));
            assert_eq!(copy.as_ptr() as usize % 64, 0);
        }
    }
}
