//! Bins and the cut points that they come from.

use super::*;
use crate::gbt::table::Values;
use proptest::prelude::*;

/// Numbers that repeat and numbers that do not, extremes and missing ones; all of them are
/// single-precision numbers.
fn numbers() -> impl Strategy<Value = Vec<f64>> {
    let number = prop_oneof![
        4 => (-6..6_i32).prop_map(f64::from),
        4 => any::<i16>().prop_map(|n| f64::from(n) / 64.0),
        1 => Just(f64::NAN),
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0]),
        1 => prop::num::f32::NORMAL.prop_map(f64::from),
    ];
    let few = (0..12_i32, 0..12_i32).prop_map(|(a, b)| f64::from(a * b / 12));
    prop_oneof![
        prop::collection::vec(few, 20..100),
        prop::collection::vec(number.clone(), 0..20),
        prop::collection::vec(number, 200..600),
    ]
}

fn max_bins() -> impl Strategy<Value = usize> {
    prop_oneof![2..12_usize, 200..256_usize]
}

fn learn(values: Values<'_>, weight: Option<&[u32]>, categorical: bool, max_bin: usize) -> Binner {
    let table = Table::from_columns(&[values]).expect("one column");
    let team = Team::new(1).expect("one thread");
    Binner::learn(&table, weight, &[categorical], max_bin, &team)
}

fn cuts_of(binner: &Binner) -> &[f64] {
    match &binner.features[0] {
        FeatureBins::Numerical(cuts) => cuts,
        FeatureBins::Categorical(_) => panic!("a numerical feature"),
    }
}

/// Distinct numbers in ascending order; zeros of both signs are one.
fn distinct(values: &[f64]) -> Vec<f64> {
    let mut distinct: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    distinct.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
    distinct.dedup();
    distinct
}

proptest! {
    #[test]
    fn bins_lie_between_their_cuts(values in numbers(), max_bin in max_bins()) {
        let ascending = distinct(&values);
        // The requested number of bins, with just enough cut points.
        for max_bin in [max_bin, ascending.len().clamp(2, 255)] {
            let binner = learn(Values::F64(&values), None, false, max_bin);
            let (bins, cuts) = (&binner.features[0], cuts_of(&binner));
            prop_assert!(cuts.windows(2).all(|pair| pair[0] < pair[1]), "{cuts:?}");
            prop_assert!(bins.count() <= max_bin);
            let row_bins: Vec<usize> = ascending.iter().map(|&v| usize::from(bins.bin(v))).collect();
            for (&value, &bin) in ascending.iter().zip(&row_bins) {
                prop_assert!(bin == 0 || cuts[bin - 1] < value, "{value} in {bin} of {cuts:?}");
                prop_assert!(bin == cuts.len() || value <= cuts[bin], "{value} in {bin}: {cuts:?}");
            }
            // Bins ascend with their values, and none is left out.
            prop_assert!(row_bins.windows(2).all(|pair| pair[1] - pair[0] <= 1), "{row_bins:?}");
            if let (Some(&first), Some(&last)) = (row_bins.first(), row_bins.last()) {
                prop_assert_eq!((first, last), (0, bins.count() - 1));
            }
            if ascending.len() <= max_bin {
                prop_assert_eq!(row_bins, (0..ascending.len()).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn tables_are_binned_value_by_value(
        values in numbers(),
        others in numbers(),
        max_bin in max_bins(),
    ) {
        let binner = learn(Values::F64(&values), None, false, max_bin);
        let table = Table::from_columns(&[Values::F64(&others)]).expect("one column");
        let bins: Vec<u8> = others.iter().map(|&value| binner.features[0].bin(value)).collect();
        for (value, &bin) in others.iter().zip(&bins) {
            prop_assert_eq!(value.is_nan(), bin == MISSING);
        }
        for isa in Isa::available() {
            for threads in [1, 2] {
                let team = Team::new(threads)?;
                let transformed = binner.transform(&table, Compute { isa, team: &team });
                prop_assert_eq!(&transformed[..], std::slice::from_ref(&bins), "{}", isa.name());
            }
        }
    }

    #[test]
    fn weights_are_repetitions(
        rows in prop::collection::vec((-20..20_i32, 1..6_u32), 0..200),
        max_bin in max_bins(),
        categorical: bool,
    ) {
        let values: Vec<f64> = rows.iter().map(|&(value, _)| f64::from(value)).collect();
        let weight: Vec<u32> = rows.iter().map(|&(_, count)| count).collect();
        let repeat = |&(value, count): &(i32, u32)| vec![f64::from(value); count as usize];
        let repeated: Vec<f64> = rows.iter().flat_map(repeat).collect();
        prop_assert_eq!(
            learn(Values::F64(&values), Some(&weight), categorical, max_bin),
            learn(Values::F64(&repeated), None, categorical, max_bin)
        );
    }

    #[test]
    fn order_and_precision_change_no_cut(
        (values, mixed) in numbers().prop_flat_map(|values| {
            (Just(values.clone()), Just(values).prop_shuffle())
        }),
        max_bin in max_bins(),
    ) {
        let expected = learn(Values::F64(&values), None, false, max_bin);
        prop_assert_eq!(&learn(Values::F64(&mixed), None, false, max_bin), &expected);
        // Sorted by another way, as are values with weights.
        let single: Vec<f32> = mixed.iter().map(|&value| value as f32).collect();
        prop_assert_eq!(&learn(Values::F32(&single), None, false, max_bin), &expected);
        let ones = vec![1; mixed.len()];
        prop_assert_eq!(&learn(Values::F32(&single), Some(&ones), false, max_bin), &expected);
    }

    #[test]
    fn distinct_values_share_bins_evenly(n_values in 1..2000_usize, max_bin in max_bins()) {
        let values: Vec<f64> = (0..n_values).map(|n| n as f64).collect();
        let binner = learn(Values::F64(&values), None, false, max_bin);
        let mut held = vec![0; binner.features[0].count()];
        values.iter().for_each(|&v| held[usize::from(binner.features[0].bin(v))] += 1);
        prop_assert_eq!(held.len(), max_bin.min(n_values));
        let (least, most) = (held.iter().min(), held.iter().max());
        prop_assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{held:?}");
    }

    #[test]
    fn frequent_categories_get_the_bins(
        codes in prop::collection::vec(prop_oneof![0..4_i32, 0..40_i32], 0..300),
        max_bin in 2..20_usize,
    ) {
        let values: Vec<f64> = codes.iter().map(|&code| f64::from(code)).collect();
        let binner = learn(Values::F64(&values), None, true, max_bin);
        let count = |code: f64| values.iter().filter(|&&value| value == code).count();
        let mut kept = distinct(&values);
        // The sort is stable: of equally frequent codes the lower comes first.
        kept.sort_by_key(|&code| std::cmp::Reverse(count(code)));
        kept.truncate(max_bin);
        kept.sort_by(f64::total_cmp);
        prop_assert_eq!(&binner.features[0], &FeatureBins::Categorical(kept.clone()));
        for code in (-1..41).map(f64::from).chain([0.5, f64::NAN]) {
            let expected = kept.iter().position(|&other| other == code);
            prop_assert_eq!(binner.features[0].bin(code), expected.map_or(MISSING, |at| at as u8));
        }
    }
}

/// Half of the rows share a value: it gets a bin of its own, the others share what is left.
#[test]
fn a_frequent_value_has_its_bin_alone() {
    let values: Vec<f64> =
        (0..1000).map(|n| if n % 2 == 0 { 500.0 } else { f64::from(n) }).collect();
    let binner = learn(Values::F64(&values), None, false, 11);
    let bins = &binner.features[0];
    let mut held = vec![0; bins.count()];
    values.iter().for_each(|&value| held[usize::from(bins.bin(value))] += 1);
    held.sort_unstable();
    assert_eq!(held, [50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 500]);
}
