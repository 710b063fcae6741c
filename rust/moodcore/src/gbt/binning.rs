//! Raw values to bins of one byte.
//!
//! A feature of at most `max_bin` distinct values gets a bin for each, with cut points half-way
//! between neighbors; of more, bins that hold nearly equal shares of the rows, but a value too
//! frequent to share a bin gets its own. A categorical feature gets a bin for each of its
//! `max_bin` most frequent categories; the others count as missing, as do categories never seen.
//! Row weights count as repetitions, so that a row twice and a row of weight two give the same
//! bins. Cut points of large tables come from a sample of the rows; categories are counted in all.

use super::row_sample::sampled_rows;
use super::table::{Column, Table};
use super::tree::MISSING;
use crate::kernels::{Cuts, Isa, Simd, Task};
use crate::memory::{CollectVec, filled, reserve, with_room};
use crate::parallel::{Compute, Team};
use crate::{Error, Result};

/// The bins of one feature.
#[derive(Clone, Debug, PartialEq)]
pub enum FeatureBins {
    /// Ascending cut points: bin `b` holds the values above `cuts[b - 1]` and up to `cuts[b]`.
    Numerical(Vec<f64>),
    /// Ascending category codes: bin `b` holds `codes[b]`.
    Categorical(Vec<f64>),
}

impl FeatureBins {
    /// The bins of categories, whose codes ascend, each with the number of its rows.
    pub fn of_categories(counted: Vec<(f64, u64)>, max_bin: usize) -> Self {
        FeatureBins::Categorical(most_frequent(counted, max_bin))
    }

    /// The number of bins besides the one for missing values.
    pub fn count(&self) -> usize {
        match self {
            FeatureBins::Numerical(cuts) => cuts.len() + 1,
            FeatureBins::Categorical(codes) => codes.len(),
        }
    }

    /// Whether the bins are categories.
    pub fn is_categorical(&self) -> bool {
        matches!(self, FeatureBins::Categorical(_))
    }

    /// The bin of a value.
    pub fn bin(&self, value: f64) -> u8 {
        if value.is_nan() {
            return MISSING;
        }
        match self {
            FeatureBins::Numerical(cuts) => cuts.partition_point(|&cut| cut < value) as u8,
            FeatureBins::Categorical(codes) => {
                let at = codes.partition_point(|&code| code < value);
                if codes.get(at) == Some(&value) { at as u8 } else { MISSING }
            }
        }
    }

    /// The bins of many values.
    fn bin_all(&self, values: &[f64], out: &mut [u8], isa: Isa) {
        let FeatureBins::Numerical(cuts) = self else {
            values.iter().zip(out).for_each(|(&value, bin)| *bin = self.bin(value));
            return;
        };
        isa.run(Search { cuts, values, out });
    }
}

/// The bins of many values of a numerical feature.
struct Search<'a> {
    cuts: &'a [f64],
    values: &'a [f64],
    out: &'a mut [u8],
}

impl Task for Search<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let out = &mut self.out[..self.values.len()];
        Cuts::new(self.cuts).count_below::<S>(self.values, MISSING, |at, bin| out[at] = bin);
    }
}

/// The bins of every feature of the trees.
///
/// Each column of a table is one feature. In an ensemble of another library a column
/// may have more cut points than one byte can number; then several features read it, each with some
/// of the cut points.
#[derive(Clone, Debug, PartialEq)]
pub struct Binner {
    /// One entry per feature.
    pub features: Vec<FeatureBins>,
    /// The column that each feature reads, ascending from 0 without a gap.
    columns: Vec<u32>,
}

impl Binner {
    /// The bins of features that read one column each.
    pub fn new(features: Vec<FeatureBins>) -> Self {
        let columns = (0..features.len() as u32).collect_vec();
        Binner { features, columns }
    }

    /// The bins of features that read these columns.
    ///
    /// # Errors
    /// [`Error::Data`] when the columns are not as many, ascending from 0 without a gap.
    pub fn of_columns(features: Vec<FeatureBins>, columns: Vec<u32>) -> Result<Self> {
        let steps = columns.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) <= 1);
        if columns.len() != features.len() || columns.first().is_some_and(|&c| c != 0) || !steps {
            return Err(Error::Data(format!(
                "the columns of {} features must ascend from 0 without a gap",
                features.len()
            )));
        }
        Ok(Binner { features, columns })
    }

    /// The column that each feature reads.
    pub fn columns(&self) -> &[u32] {
        &self.columns
    }

    /// The column that a feature reads.
    #[inline(always)]
    pub fn column(&self, feature: usize) -> usize {
        self.columns[feature] as usize
    }

    /// The number of columns of a table.
    pub fn n_columns(&self) -> usize {
        self.columns.last().map_or(0, |&last| last as usize + 1)
    }

    /// Whether no two features read the same column.
    pub fn is_plain(&self) -> bool {
        self.n_columns() == self.features.len()
    }

    /// Learns the bins of a table; `categorical` says which columns hold category codes, and
    /// `weight` how often each row counts. Cut points come from the sample of the rows.
    pub fn learn(
        table: &Table<'_>,
        weight: Option<&[u32]>,
        categorical: &[bool],
        max_bin: usize,
        team: &Team,
    ) -> Self {
        let sample = sampled_rows(table.n_rows());
        let sample = sample.as_deref();
        let empty = FeatureBins::Numerical(Vec::new());
        let mut features = filled(empty, table.n_features());
        let all = RowsOf::new(table.n_rows(), None, weight);
        let sampled_weight: Option<Vec<u32>> = sample
            .zip(weight)
            .map(|(rows, weight)| rows.iter().map(|&row| weight[row as usize]).collect_vec());
        let sampled = match sample {
            None => all,
            Some(rows) => RowsOf::new(rows.len(), sample, sampled_weight.as_deref()),
        };
        team.for_each(&mut features, |at, bins| {
            let column = &table.columns()[at];
            *bins = if categorical[at] {
                FeatureBins::of_categories(count_values(column, all), max_bin)
            } else {
                FeatureBins::Numerical(cut_points(&count_values(column, sampled), max_bin))
            };
        });
        Binner::new(features)
    }

    /// Learns the bins of a table of which `sample` is the sample, and the categories of whose
    /// columns were counted in all rows; none for columns of numbers.
    ///
    /// # Errors
    /// [`Error::Data`] when the parts do not fit.
    pub fn learn_counted(
        sample: &Table<'_>,
        weight: Option<&[u32]>,
        counts: Vec<Option<Vec<(f64, u64)>>>,
        max_bin: usize,
        team: &Team,
    ) -> Result<Self> {
        let n_weights = weight.map_or(sample.n_rows(), <[u32]>::len);
        if (n_weights, counts.len()) != (sample.n_rows(), sample.n_features()) {
            return Err(Error::Data(format!(
                "there must be {} weights and counts of {} columns, got {n_weights} and {}",
                sample.n_rows(),
                sample.n_features(),
                counts.len()
            )));
        }
        let categorical: Vec<bool> = counts.iter().map(Option::is_some).collect_vec();
        let mut binner = Self::learn(sample, weight, &categorical, max_bin, team);
        for (bins, counted) in binner.features.iter_mut().zip(counts) {
            if let Some(counted) = counted {
                *bins = FeatureBins::of_categories(counted, max_bin);
            }
        }
        Ok(binner)
    }

    /// The bins of a table's values, column by column.
    ///
    /// # Panics
    /// When the table has another number of columns.
    pub fn transform(&self, table: &Table<'_>, compute: Compute<'_>) -> Vec<Vec<u8>> {
        let column = |_: &FeatureBins| filled(0, table.n_rows());
        let mut columns = self.features.iter().map(column).collect_vec();
        self.transform_into(
            table,
            columns.iter_mut().map(Vec::as_mut_slice).collect_vec(),
            compute,
        );
        columns
    }

    /// Writes the bins of a table's values, column by column.
    ///
    /// # Panics
    /// When the table has another number of columns.
    pub(super) fn transform_into(
        &self,
        table: &Table<'_>,
        columns: Vec<&mut [u8]>,
        compute: Compute<'_>,
    ) {
        assert_eq!(table.n_features(), self.n_columns());
        // Rows that stay in the cache while column after column is read from them.
        const TOGETHER: usize = 4096;
        let mut chunks: Vec<Vec<&mut [u8]>> =
            (0..table.n_rows().div_ceil(TOGETHER)).map(|_| Vec::new()).collect_vec();
        for column in columns {
            for (chunk, part) in chunks.iter_mut().zip(column.chunks_mut(TOGETHER)) {
                chunk.push(part);
            }
        }
        compute.team.for_each(&mut chunks, |chunk, parts| {
            for (at, part) in parts.iter_mut().enumerate() {
                self.bin_column(at, table, chunk * TOGETHER, part, compute.isa);
            }
        });
    }

    /// The bins of some neighboring rows, column by column.
    pub(super) fn transform_rows(
        &self,
        table: &Table<'_>,
        start: usize,
        n_rows: usize,
        isa: Isa,
    ) -> Vec<Vec<u8>> {
        let bin = |at| {
            let mut out = filled(0, n_rows);
            self.bin_column(at, table, start, &mut out, isa);
            out
        };
        (0..self.features.len()).map(bin).collect_vec()
    }

    /// The bins of a column's rows from `start` on.
    fn bin_column(&self, at: usize, table: &Table<'_>, start: usize, out: &mut [u8], isa: Isa) {
        let column = &table.columns()[self.column(at)];
        if let Some(entries) = column.entries(start..start + out.len()) {
            out.fill(self.features[at].bin(0.0));
            entries.for_each(|(row, value)| out[row - start] = self.features[at].bin(value));
            return;
        }
        let mut values = with_room(out.len());
        column.copy_to(start..start + out.len(), &mut values);
        self.features[at].bin_all(&values, out, isa);
    }
}

/// Rows whose values are counted.
#[derive(Clone, Copy)]
struct RowsOf<'a> {
    n_rows: usize,
    /// Their numbers, ascending; none for all rows of the table.
    rows: Option<&'a [u32]>,
    /// How often each of them counts.
    weight: Option<&'a [u32]>,
    /// How often all of them count.
    total: u64,
}

impl<'a> RowsOf<'a> {
    fn new(n_rows: usize, rows: Option<&'a [u32]>, weight: Option<&'a [u32]>) -> Self {
        let sum = |weight: &[u32]| weight.iter().map(|&count| u64::from(count)).sum();
        RowsOf { n_rows, rows, weight, total: weight.map_or(n_rows as u64, sum) }
    }

    /// How often a row of the table counts.
    fn count(&self, row: usize) -> u32 {
        let at = match self.rows.map(|rows| rows.binary_search(&(row as u32))) {
            None => row,
            Some(Ok(at)) => at,
            Some(Err(_)) => return 0,
        };
        self.weight.map_or(1, |weight| weight[at])
    }
}

/// The distinct values of a column in ascending order, each with its count, without NaN.
/// Zeros of both signs are one value.
fn count_values(column: &Column<'_>, counted: RowsOf<'_>) -> Vec<(f64, u64)> {
    if let Some(entries) = column.entries(0..usize::MAX) {
        return count_entries(entries, counted);
    }
    let RowsOf { n_rows, rows, weight, .. } = counted;
    let mut values = with_room(n_rows);
    match rows {
        None => column.copy_to(0..n_rows, &mut values),
        Some(rows) => values.extend(rows.iter().map(|&row| column.value(row as usize))),
    }
    let present = || values.iter().enumerate().filter(|(_, value)| !value.is_nan());
    if weight.is_none() && column.is_single() {
        // Half the bytes to sort, and half the digits.
        let mut keys: Vec<u32> = with_room(n_rows);
        keys.extend(present().map(|(_, &value)| sortable_single(value as f32 + 0.0)));
        radix_sort(&mut keys, |&key| u64::from(key));
        return runs(keys.iter().map(|&key| (f64::from(unsortable_single(key)), 1)));
    }
    let count = |row: usize| weight.map_or(1, |weight| weight[row]);
    let mut keys: Vec<(u64, u32)> =
        present().map(|(row, &value)| (sortable(value + 0.0), count(row))).collect_vec();
    radix_sort(&mut keys, |&(key, _)| key);
    runs(keys.iter().map(|&(key, count)| (unsortable(key), u64::from(count))))
}

/// The same of a sparse column: only the values that it has are sorted.
fn count_entries(
    entries: impl Iterator<Item = (usize, f64)>,
    counted: RowsOf<'_>,
) -> Vec<(f64, u64)> {
    let mut zeros = counted.total;
    let mut keys: Vec<(u64, u32)> = Vec::new();
    for (row, value) in entries {
        let count = counted.count(row);
        zeros -= u64::from(count);
        if count > 0 && !value.is_nan() {
            reserve(&mut keys, 1);
            keys.push((sortable(value + 0.0), count));
        }
    }
    keys.sort_unstable();
    let mut counted = runs(keys.iter().map(|&(key, count)| (unsortable(key), u64::from(count))));
    let place = counted.partition_point(|&(value, _)| value < 0.0);
    match counted.get_mut(place) {
        Some((value, count)) if *value == 0.0 => *count += zeros,
        _ if zeros > 0 => counted.insert(place, (0.0, zeros)),
        _ => {}
    }
    counted
}

/// Equal neighbors counted together.
fn runs(sorted: impl Iterator<Item = (f64, u64)>) -> Vec<(f64, u64)> {
    let mut counted: Vec<(f64, u64)> = Vec::new();
    for (value, count) in sorted {
        match counted.last_mut() {
            Some(entry) if entry.0 == value => entry.1 += count,
            _ => counted.push((value, count)),
        }
    }
    counted
}

/// A key that sorts as its number does: the sign bit is flipped, negative numbers wholly.
fn sortable(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn unsortable(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

fn sortable_single(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn unsortable_single(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

/// Sorts by key, one byte at a time from the lowest (Knuth 1998, section 5.2.5); digits that
/// all keys share cost nothing.
fn radix_sort<T: Copy + Default>(entries: &mut Vec<T>, key: impl Fn(&T) -> u64) {
    const BITS: u32 = 8;
    let Some(first) = entries.first().map(&key) else { return };
    let differing = entries.iter().fold(0, |bits, entry| bits | (key(entry) ^ first));
    let mut sorted = filled(T::default(), entries.len());
    for shift in (0..u64::BITS).step_by(BITS as usize) {
        if differing >> shift & ((1 << BITS) - 1) == 0 {
            continue;
        }
        let digit = |entry: &T| (key(entry) >> shift) as usize & ((1 << BITS) - 1);
        let mut places = [0_usize; 1 << BITS];
        entries.iter().for_each(|entry| places[digit(entry)] += 1);
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for &entry in entries.iter() {
            let place = &mut places[digit(&entry)];
            sorted[*place] = entry;
            *place += 1;
        }
        std::mem::swap(entries, &mut sorted);
    }
}

/// The codes of the most frequent categories, ascending; of equally frequent ones the lower.
fn most_frequent(mut counted: Vec<(f64, u64)>, max_bin: usize) -> Vec<f64> {
    // The sort is stable, and the codes came in ascending order.
    counted.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    counted.truncate(max_bin);
    let mut codes: Vec<f64> = counted.into_iter().map(|(code, _)| code).collect_vec();
    codes.sort_by(f64::total_cmp);
    codes
}

/// Cut points between at most `max_bin` bins.
fn cut_points(counted: &[(f64, u64)], max_bin: usize) -> Vec<f64> {
    if counted.len() <= max_bin {
        return counted.windows(2).map(|pair| between(pair[0].0, pair[1].0)).collect_vec();
    }
    // A value that fills a bin by itself gets one; the others share the remaining rows evenly, the
    // share being worked out anew after each bin (the idea of LightGBM's `GreedyFindBin`).
    let total: u64 = counted.iter().map(|&(_, count)| count).sum();
    let fair = total.div_ceil(max_bin as u64);
    let heavy = |count: u64| count >= fair;
    let light = counted.iter().map(|&(_, count)| count).filter(|&count| !heavy(count));
    let mut rest: u64 = light.sum();
    let mut bins = max_bin - counted.iter().filter(|&&(_, count)| heavy(count)).count();
    let mut cuts = Vec::with_capacity(max_bin - 1);
    let (mut held, mut share) = (0, rest.div_ceil(bins.max(1) as u64));
    for pair in counted.windows(2) {
        let [(value, count), (next, next_count)] = [pair[0], pair[1]];
        held += count;
        if !heavy(count) {
            rest -= count;
        }
        if heavy(count) || held >= share || (heavy(next_count) && 2 * held >= share) {
            cuts.push(between(value, next));
            held = 0;
            if !heavy(count) {
                bins = bins.saturating_sub(1);
                share = rest.div_ceil(bins.max(1) as u64);
            }
        }
        if cuts.len() + 1 == max_bin {
            break;
        }
    }
    cuts
}

/// The middle of two neighboring values, which the lower one does not pass and the upper one
/// does; the lower one where there is no such number between.
fn between(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if middle.is_finite() && low <= middle && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests;
