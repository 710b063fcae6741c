//! Draws of rows and rounds, and what they depend on.

use super::*;
use crate::gbt::BoostingKind;
use crate::gbt::gradients::Pair;
use crate::gbt::weights::{Scales, Weights};
use crate::kernels::Isa;
use crate::parallel::{Compute, Team};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;

/// The slow readable twin.
fn drawn_one_by_one(n_rows: usize, share: f64, seed: u64, round: usize) -> Vec<u32> {
    let mut stream = Stream::new(seed, Purpose::Rows, round as u64);
    (0..n_rows as u32).filter(|_| stream.next_unit() < share).collect()
}

fn drawn(n_rows: usize, share: f64, seed: u64, round: usize) -> Vec<u32> {
    let team = Team::new(1).expect("the caller's own thread");
    let compute = Compute { isa: Isa::detect(), team: &team };
    let stream = Stream::new(seed, Purpose::Rows, round as u64);
    let all = (0..n_rows as u32).collect();
    subsample(n_rows, share, &stream, compute).unwrap_or(all)
}

fn derivatives() -> impl Strategy<Value = Gradients> {
    // Few sizes, so that rows are equal, and many.
    let size = prop_oneof![Just(1 << 20), 0..1_i32 << 20];
    let pair = (size, any::<bool>(), 1_u32 << 10..1 << 20);
    let pair = pair.prop_map(|(g, sign, h)| Pair { g: if sign { g } else { -g }, h });
    (1..400_usize, 1..4_usize).prop_flat_map(move |(n_rows, n_outputs)| {
        let output = prop::collection::vec(pair.clone(), n_rows);
        let outputs = prop::collection::vec(output, n_outputs);
        let scales = Scales { gradient: 1.0, hessian: 1.0 };
        outputs.prop_map(move |outputs| Gradients { outputs, scales })
    })
}

fn rates(top_rate: f64, other_rate: f64) -> Boosting {
    Boosting { kind: BoostingKind::Goss, top_rate, other_rate, ..Boosting::default() }
}

proptest! {
    #[test]
    fn rows_are_drawn_as_one_by_one(
        // Below and above the number of rows that a thread draws at a time.
        n_rows in prop_oneof![1..200_usize, 8190..8195_usize, 16_000..20_000_usize],
        share in 0.01..1.0_f64,
        seed: u64,
        threads in 1..4_usize,
    ) {
        let team = Team::new(threads)?;
        let stream = Stream::new(seed, Purpose::Rows, 3);
        let expected = drawn_one_by_one(n_rows, share, seed, 3);
        for isa in Isa::available() {
            let rows = subsample(n_rows, share, &stream, Compute { isa, team: &team });
            prop_assert_eq!(rows.unwrap_or_default(), expected.clone());
        }
    }

    #[test]
    fn a_draw_belongs_to_its_row(
        n_rows in 40..400_usize,
        more in 0..100_usize,
        (share, larger) in (0.3..0.9_f64, 0.0..0.1_f64),
        seed: u64,
        round in 0..50_usize,
    ) {
        let rows = drawn(n_rows, share, seed, round);
        prop_assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
        let longer = drawn(n_rows + more, share, seed, round);
        let known = longer.iter().take_while(|&&row| (row as usize) < n_rows);
        prop_assert_eq!(&rows, &known.copied().collect::<Vec<_>>());
        let wider = drawn(n_rows, share + larger, seed, round);
        prop_assert!(rows.iter().all(|row| wider.contains(row)));
        prop_assert_eq!(drawn(n_rows, 1.0, seed, round).len(), n_rows);
        // Forty rows or more are not drawn alike twice.
        prop_assert_ne!(&rows, &drawn(n_rows, share, seed, round + 1));
        prop_assert_ne!(&rows, &drawn(n_rows, share, seed.wrapping_add(1), round));
    }

    /// Ke et al. 2017, algorithm 2: the large ones stay as they are, those drawn from the others
    /// are multiplied.
    #[test]
    fn goss_keeps_the_largest_and_multiplies_the_rest(
        before in derivatives(),
        (top, other) in (0.05..0.6_f64, 0.05..0.4_f64),
        seed: u64,
        round in 0..50_usize,
    ) {
        let mut after = before.clone();
        let stream = Stream::new(seed, Purpose::Rows, round as u64);
        let team = Team::new(1)?;
        let compute = Compute { isa: Isa::detect(), team: &team };
        let rows = goss(&mut after, rates(top, other), &stream, None, compute)?;
        let n_rows = before.outputs[0].len();
        let size = |row: usize| -> u64 {
            let of = |pairs: &Vec<Pair>| u64::from(pairs[row].g.unsigned_abs()) * u64::from(pairs[row].h);
            before.outputs.iter().map(|pairs| of(pairs) >> 12).sum()
        };
        let mut order: Vec<usize> = (0..n_rows).collect();
        order.sort_by_key(|&row| std::cmp::Reverse(size(row)));
        let n_top = ((top * n_rows as f64) as usize).max(1);
        prop_assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
        let share = other / (1.0 - top);
        // As if all rows were drawn from: which are large changes nothing for the others.
        let others = drawn_one_by_one(n_rows, share, seed, round);
        let factor = 1.0 / share;
        for (place, &row) in order.iter().enumerate() {
            let kept = rows.binary_search(&(row as u32)).is_ok();
            let expected = place < n_top || others.binary_search(&(row as u32)).is_ok();
            prop_assert!(kept == expected, "row {row} is number {place} of {n_top}");
            for (old, new) in before.outputs.iter().zip(&after.outputs) {
                if place < n_top || !kept {
                    prop_assert_eq!(old[row], new[row]);
                } else {
                    let expected = f64::from(old[row].g) * factor;
                    prop_assert!((f64::from(new[row].g) - expected).abs() <= 0.51);
                    let expected = f64::from(old[row].h) * factor;
                    prop_assert!((f64::from(new[row].h) - expected).abs() <= 0.51);
                }
            }
        }
    }

    #[test]
    fn threads_and_instruction_sets_draw_the_same(
        n_rows in 2000..6000_usize,
        n_classes in 2..5_usize,
        seed: u64,
    ) {
        let mut stream = Stream::new(seed, Purpose::Weights, 0);
        let n_outputs = if n_classes == 2 { 1 } else { n_classes };
        let margins: Vec<Vec<f64>> = (0..n_outputs)
            .map(|_| (0..n_rows).map(|_| 4.0 * stream.next_unit() - 2.0).collect())
            .collect();
        let y: Vec<u32> =
            (0..n_rows).map(|_| (stream.next_u64() % n_classes as u64) as u32).collect();
        let weights = Weights::new(n_rows, None)?;
        let sample = |isa, threads| -> Result<_> {
            let team = Team::new(threads)?;
            let mut gradients = Gradients::new(n_outputs, n_rows);
            let (compute, never) = (Compute { isa, team: &team }, AtomicBool::new(false));
            gradients.softmax(&margins, &y, &weights, 8.0, compute, &never);
            let stream = Stream::new(seed, Purpose::Rows, 3);
            let rows = goss(&mut gradients, rates(0.2, 0.1), &stream, None, compute)?;
            Ok((rows, gradients.outputs))
        };
        let expected = sample(Isa::Portable, 1)?;
        for isa in Isa::available() {
            for threads in 1..=3 {
                prop_assert!(sample(isa, threads)? == expected, "{} {threads}", isa.name());
            }
        }
    }

    #[test]
    fn earlier_rounds_are_dropped(round in 0..60_usize, rate in 0.2..0.8_f64, seed: u64) {
        let drop = |drop_rate, skip_drop| {
            dropped_rounds(Boosting { drop_rate, skip_drop, ..Boosting::default() }, seed, round)
        };
        let rounds = drop(rate, 0.0);
        prop_assert!(rounds.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(rounds.iter().all(|&dropped| dropped < round));
        prop_assert!(rounds.iter().all(|dropped| drop(rate + 0.1, 0.0).contains(dropped)));
        prop_assert_eq!(drop(1.0, 0.0), (0..round).collect::<Vec<_>>());
        prop_assert!(drop(0.0, 0.0).is_empty() && drop(1.0, 1.0).is_empty());
        // A round drops what it drops without skipping, or nothing.
        let skipped = drop(rate, 0.5);
        prop_assert!(skipped.is_empty() || skipped == rounds);
    }
}

/// The requested fractions, within five standard deviations of a binomial.
#[test]
fn shares_are_as_asked() {
    let n_rows = 100_000;
    for share in [0.1, 0.5, 0.9] {
        let n_drawn = drawn(n_rows, share, 1, 0).len() as f64;
        let deviation = (n_rows as f64 * share * (1.0 - share)).sqrt();
        assert!((n_drawn - n_rows as f64 * share).abs() < 5.0 * deviation, "{n_drawn} of {share}");
    }
}
