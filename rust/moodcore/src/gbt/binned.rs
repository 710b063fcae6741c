//! Bins of a table that arrives in chunks of rows: one byte per cell, and no raw values.

use super::binning::Binner;
use super::table::Table;
use super::tree::MISSING;
use crate::memory::filled;
use crate::parallel::Compute;
use crate::{Error, Result};
use std::sync::Arc;

/// The bins of rows, column by column, as training reads them.
#[derive(Clone, Debug)]
pub struct BinnedRows {
    binner: Arc<Binner>,
    // Shared with the training run, which only reads them.
    columns: Arc<Vec<Vec<u8>>>,
    capacity: usize,
}

impl BinnedRows {
    /// Creates an empty table with memory for `capacity` rows.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is too little.
    pub fn new(binner: Arc<Binner>, capacity: usize) -> Result<Self> {
        let mut columns = filled(Vec::new(), binner.features.len());
        for column in &mut columns {
            if Vec::try_reserve_exact(column, capacity).is_err() {
                let bytes = capacity.saturating_mul(binner.features.len());
                return Err(Error::Memory { bytes });
            }
        }
        Ok(BinnedRows { binner, columns: Arc::new(columns), capacity })
    }

    /// Appends the rows of a table.
    ///
    /// # Errors
    /// [`Error::Data`] if the table has other columns, the rows exceed the capacity, or a training
    /// run is using the rows.
    pub fn append(&mut self, table: &Table<'_>, compute: Compute<'_>) -> Result<()> {
        let (before, after) = (self.n_rows(), self.n_rows() + table.n_rows());
        if table.n_features() != self.binner.n_columns() || after > self.capacity {
            return Err(Error::Data(format!(
                "a chunk must have {} columns and at most {} rows, got {} and {}",
                self.binner.n_columns(),
                self.capacity - before,
                table.n_features(),
                table.n_rows()
            )));
        }
        let Some(columns) = Arc::get_mut(&mut self.columns) else {
            return Err(Error::Data("rows cannot be added while training reads them".into()));
        };
        let parts = columns
            .iter_mut()
            .map(|column| {
                column.resize(after, 0);
                &mut column[before..]
            })
            .collect();
        self.binner.transform_into(table, parts, compute);
        Ok(())
    }

    /// Appends rows that another host has binned with the same binner: the bins of each feature.
    ///
    /// # Errors
    /// [`Error::Data`] if the features differ in number or length, the rows exceed the capacity, a
    /// bin does not exist, or a training run is using the rows.
    pub fn append_bins(&mut self, features: &[&[u8]]) -> Result<()> {
        let added = features.first().map_or(0, |bins| bins.len());
        let room = self.capacity - self.n_rows();
        let fits = features.len() == self.binner.features.len() && added <= room;
        if !fits || features.iter().any(|bins| bins.len() != added) {
            return Err(Error::Data(format!(
                "bins must be of {} features and at most {room} rows, got {} features and {added} \
                 rows",
                self.binner.features.len(),
                features.len()
            )));
        }
        for (at, (bins, feature)) in features.iter().zip(&self.binner.features).enumerate() {
            let exists = |&bin: &u8| bin == MISSING || usize::from(bin) < feature.count();
            if let Some(row) = bins.iter().position(|bin| !exists(bin)) {
                return Err(Error::Data(format!(
                    "the bin of feature {at} must be below {}, got {} in row {row}",
                    feature.count(),
                    bins[row]
                )));
            }
        }
        let Some(columns) = Arc::get_mut(&mut self.columns) else {
            return Err(Error::Data("rows cannot be added while training reads them".into()));
        };
        columns.iter_mut().zip(features).for_each(|(column, bins)| column.extend_from_slice(bins));
        Ok(())
    }

    /// The bins of each feature.
    pub fn bins(&self) -> &[Vec<u8>] {
        &self.columns
    }

    /// Returns the binner that assigned the bins.
    pub fn binner(&self) -> &Arc<Binner> {
        &self.binner
    }

    /// The number of rows so far.
    pub fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The number of columns of the raw table.
    pub fn n_features(&self) -> usize {
        self.binner.n_columns()
    }

    pub(super) fn columns(&self) -> &Arc<Vec<Vec<u8>>> {
        &self.columns
    }
}

/// Features of rows: raw values, or their bins.
#[derive(Clone, Debug)]
pub enum Features<'a> {
    /// Raw values.
    Table(Table<'a>),
    /// Bins.
    Binned(&'a BinnedRows),
}

impl<'a> From<Table<'a>> for Features<'a> {
    fn from(table: Table<'a>) -> Self {
        Features::Table(table)
    }
}

impl Features<'_> {
    /// The number of rows.
    pub fn n_rows(&self) -> usize {
        match self {
            Features::Table(table) => table.n_rows(),
            Features::Binned(rows) => rows.n_rows(),
        }
    }

    /// The number of columns.
    pub fn n_features(&self) -> usize {
        match self {
            Features::Table(table) => table.n_features(),
            Features::Binned(rows) => rows.n_features(),
        }
    }

    /// Returns the bins of the rows, column by column.
    ///
    /// # Errors
    /// [`Error::Data`] if the rows were binned with another binner.
    pub(super) fn columns(
        &self,
        binner: &Binner,
        compute: Compute<'_>,
    ) -> Result<Arc<Vec<Vec<u8>>>> {
        match self {
            Features::Table(table) => Ok(Arc::new(binner.transform(table, compute))),
            Features::Binned(rows) if **rows.binner() == *binner => Ok(rows.columns().clone()),
            Features::Binned(_) => Err(Error::Data(
                "binned rows must have the bins of the training rows, or of the model that \
                 training continues from"
                    .into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gbt::table::Values;
    use crate::kernels::Isa;
    use crate::parallel::Team;
    use crate::rng::{Purpose, Stream};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chunks_are_binned_like_the_whole_table(
            sizes in prop::collection::vec(0..5000_usize, 1..5),
            seed: u64,
        ) {
            let n_rows: usize = sizes.iter().sum();
            let mut stream = Stream::new(seed, Purpose::Weights, 0);
            let mut column = || -> Vec<f64> {
                (0..n_rows).map(|_| (stream.next_unit() * 900.0).floor()).collect()
            };
            let (first, second) = (column(), column());
            let table = |from: usize, to: usize| {
                Table::from_columns(&[Values::F64(&first[from..to]), Values::F64(&second[from..to])])
            };
            let (team, whole) = (Team::new(2)?, table(0, n_rows)?);
            let compute = Compute { isa: Isa::Portable, team: &team };
            let binner = Arc::new(Binner::learn(&whole, None, &[false, true], 200, &team));
            let mut rows = BinnedRows::new(binner.clone(), n_rows)?;
            let mut start = 0;
            for size in sizes {
                rows.append(&table(start, start + size)?, compute)?;
                start += size;
            }
            prop_assert!(**rows.columns() == binner.transform(&whole, compute));
            prop_assert!(rows.append(&table(0, 1.min(n_rows))?, compute).is_err() || n_rows == 0);
            let mut copied = BinnedRows::new(binner.clone(), n_rows)?;
            let (front, back): (Vec<_>, Vec<_>) =
                rows.bins().iter().map(|column| column.split_at(n_rows / 3)).unzip();
            copied.append_bins(&front)?;
            copied.append_bins(&back)?;
            prop_assert!(copied.columns() == rows.columns());
            prop_assert!(copied.append_bins(&[&[0], &[0]]).is_err());
            let mut one = BinnedRows::new(binner.clone(), 1)?;
            prop_assert!(one.append_bins(&[&[0]]).is_err());
            if binner.features[0].count() < 255 {
                prop_assert!(one.append_bins(&[&[254], &[MISSING]]).is_err());
            }
            one.append_bins(&[&[MISSING], &[MISSING]])?;
        }
    }
}
