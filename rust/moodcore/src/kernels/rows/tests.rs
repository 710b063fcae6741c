//! Loops over lists of rows on every instruction set, against the same loops with checks.

use super::*;
use crate::kernels::{Isa, Task};
use proptest::prelude::*;

/// A table of bins, the rows of it that are counted, and what each of these adds.
#[derive(Clone, Debug)]
struct Table<C> {
    bins: Vec<u8>,
    n_rows: usize,
    stride: usize,
    first: usize,
    rows: Vec<u32>,
    /// A range in the place of `rows`.
    range: Option<(usize, usize)>,
    next: Vec<u32>,
    words: Vec<C>,
}

impl<C> Table<C> {
    fn list(&self) -> RowList<'_> {
        self.range.map_or(RowList::Some(&self.rows), |(from, to)| RowList::Range(from, to))
    }

    fn row_numbers(&self) -> Vec<usize> {
        match self.range {
            Some((from, to)) => (from..to).collect(),
            None => self.rows.iter().map(|&row| row as usize).collect(),
        }
    }
}

/// Tables with room for `F` features from a random one on.
fn tables<C: Cell + Arbitrary, const F: usize>() -> impl Strategy<Value = Table<C>> {
    (1..150_usize, 0..4_usize, 0..4_usize).prop_flat_map(|(n_rows, before, after)| {
        let stride = before + F + after;
        let row = 0..n_rows as u32;
        // Few bins, so that rows meet in them, and all bins.
        let bin = prop_oneof![0..3_u8, any::<u8>()];
        (
            prop::collection::vec(bin, n_rows * stride),
            prop::collection::vec(row.clone(), 0..200),
            prop::option::of((0..=n_rows, 0..=n_rows)),
            prop::collection::vec(row, 0..300),
            prop::collection::vec(any::<C>(), 200),
        )
            .prop_map(move |(bins, rows, range, next, words)| {
                let range = range.map(|(a, b)| (a.min(b), a.max(b)));
                Table { bins, n_rows, stride, first: before, rows, range, next, words }
            })
    })
}

struct Count<'a, C, const F: usize>(&'a Table<C>, Vec<FeatureCells<C>>);

impl<C: Cell, const F: usize> Task for Count<'_, C, F> {
    type Output = Vec<FeatureCells<C>>;

    #[inline(always)]
    fn run<S: Simd>(mut self) -> Self::Output {
        let table = self.0;
        let cells = self.1.first_chunk_mut::<F>().expect("a histogram a feature");
        let bins = (&table.bins[..], table.stride, table.first);
        let rows = (table.list(), &table.next[..]);
        add_to_histograms::<S, C, C, F>(cells, bins, rows, &table.words, |row, word| {
            assert_eq!(table.words[row], word);
            word
        });
        self.1
    }
}

fn check_count<C: Cell, const F: usize>(table: &Table<C>, before: C) -> Result<(), TestCaseError> {
    assert_eq!(table.bins.len(), table.n_rows * table.stride);
    // What was there before stays.
    let before = vec![FeatureCells::filled_with(before); F];
    let mut expected = before.clone();
    for row in table.row_numbers() {
        for (feature, cells) in expected.iter_mut().enumerate() {
            let bin = table.bins[row * table.stride + table.first + feature];
            let cell = &mut cells[usize::from(bin)];
            *cell = cell.plus(table.words[row]);
        }
    }
    for isa in Isa::available() {
        let found = isa.run(Count::<C, F>(table, before.clone()));
        prop_assert!(found == expected, "{} features on {}", F, isa.name());
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_a_cell_gains_it_can_lose(wide in any::<[WideCell; 2]>(), narrow in any::<[NarrowCell; 2]>()) {
        let both = std::array::from_fn(|word| wide[0][word].wrapping_add(wide[1][word]));
        prop_assert_eq!(wide[0].plus(wide[1]), both);
        prop_assert_eq!(both.minus(wide[1]), wide[0]);
        prop_assert_eq!(narrow[0].plus(narrow[1]), narrow[0].wrapping_add(narrow[1]));
        prop_assert_eq!(narrow[0].plus(narrow[1]).minus(narrow[1]), narrow[0]);
    }

    #[test]
    fn one_histogram_is_that_of_a_plain_loop(table in tables::<WideCell, 1>()) {
        check_count::<_, 1>(&table, [7, u64::MAX])?;
    }

    #[test]
    fn three_histograms_are_those_of_a_plain_loop(table in tables::<NarrowCell, 3>()) {
        check_count::<_, 3>(&table, u64::MAX)?;
    }

    #[test]
    fn ten_histograms_are_those_of_a_plain_loop(
        wide in tables::<WideCell, 10>(),
        narrow in tables::<NarrowCell, 10>(),
    ) {
        check_count::<_, 10>(&wide, [7, u64::MAX])?;
        check_count::<_, 10>(&narrow, 0)?;
    }
}

struct Part<'a> {
    rows: Vec<u32>,
    column: &'a [u8],
    sides: &'a [bool; 256],
}

impl Task for Part<'_> {
    type Output = (Vec<u32>, Vec<u32>);

    #[inline(always)]
    fn run<S: Simd>(mut self) -> Self::Output {
        let mut spare = vec![0; self.rows.len()];
        let n_left = part_rows::<S>(&mut self.rows, &mut spare, self.column, self.sides);
        spare.truncate(self.rows.len() - n_left);
        self.rows.truncate(n_left);
        (self.rows, spare)
    }
}

struct Filled<'a, C>(&'a FeatureCells<C>, usize);

impl<C: Cell> Task for Filled<'_, C> {
    type Output = (Vec<u32>, Option<(usize, usize)>);

    #[inline(always)]
    fn run<S: Simd>(self) -> Self::Output {
        let mut places = EMPTY_PLACES;
        let count = filled_places::<S, C>(self.0, self.1, &mut places);
        (places[..count].to_vec(), filled_ends::<S, C>(self.0, self.1))
    }
}

proptest! {
    #[test]
    fn parts_are_those_of_a_plain_loop(
        column in prop::collection::vec(any::<u8>(), 1..100),
        chosen in prop::collection::vec(any::<prop::sample::Index>(), 0..100),
        sides in prop::array::uniform32(any::<u8>()),
    ) {
        let goes_left = std::array::from_fn(|bin| sides[bin / 8] >> (bin % 8) & 1 == 1);
        let rows: Vec<u32> = chosen.iter().map(|at| at.index(column.len()) as u32).collect();
        let expected: (Vec<u32>, Vec<u32>) =
            rows.iter().partition(|&&row| goes_left[usize::from(column[row as usize])]);
        for isa in Isa::available() {
            let found = isa.run(Part { rows: rows.clone(), column: &column, sides: &goes_left });
            prop_assert_eq!(&found, &expected, "{}", isa.name());
        }
    }

    #[test]
    fn bins_that_hold_rows_are_listed(
        filled in prop::collection::vec(0..4_u64, 256),
        end in 0..=256_usize,
    ) {
        // Gradients may cancel: only second words tell.
        let cells: FeatureCells<WideCell> =
            FeatureCells::of(std::array::from_fn(|bin| [bin as u64 % 3, (filled[bin] / 2) << 40]));
        let narrow = FeatureCells::of(std::array::from_fn(|bin| cells[bin][1]));
        let expected: Vec<u32> =
            (0..end as u32).filter(|&bin| cells[bin as usize][1] != 0).collect();
        let ends = expected.first().zip(expected.last());
        let ends = ends.map(|(&first, &last)| (first as usize, last as usize));
        let expected = (expected, ends);
        for isa in Isa::available() {
            prop_assert_eq!(isa.run(Filled(&cells, end)), expected.clone(), "{}", isa.name());
            prop_assert_eq!(isa.run(Filled(&narrow, end)), expected.clone(), "{}", isa.name());
        }
    }
}

/// The checks on which the unsafe accesses rest: the row after the last is refused.
#[test]
fn rows_that_do_not_exist_are_refused() {
    let panics = |work: &dyn Fn(Isa)| {
        for isa in Isa::available() {
            let work = std::panic::AssertUnwindSafe(|| work(isa));
            assert!(std::panic::catch_unwind(work).is_err(), "{}", isa.name());
        }
    };
    let table = |range, rows: &[u32], first| Table {
        bins: vec![0; 5 * 3],
        n_rows: 5,
        stride: 3,
        first,
        rows: rows.to_vec(),
        range,
        next: vec![],
        words: vec![1; 8],
    };
    let count = |table: &Table<NarrowCell>, isa: Isa| {
        isa.run(Count::<_, 3>(table, vec![FeatureCells::filled_with(0); 3]));
    };
    // As the others, but allowed.
    Isa::available().into_iter().for_each(|isa| count(&table(Some((0, 5)), &[], 0), isa));
    panics(&|isa| count(&table(None, &[0, 5, 1], 0), isa));
    panics(&|isa| count(&table(Some((2, 6)), &[], 0), isa));
    panics(&|isa| count(&table(None, &[0], 1), isa));
    panics(&|isa| {
        isa.run(Part { rows: vec![0, 4], column: &[0; 4], sides: &[true; 256] });
    });
}

#[test]
fn the_same_bin_of_neighboring_features_is_in_different_cache_sets() {
    assert_eq!(size_of::<FeatureCells<NarrowCell>>() % 2048, 64);
    assert_eq!(size_of::<FeatureCells<WideCell>>() % 4096, 128);
}
