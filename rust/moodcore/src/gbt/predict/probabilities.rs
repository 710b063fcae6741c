//! Probabilities of the classes of one row from its margins.

/// Probabilities of the classes from the margins of a row: logistic for two classes, else
/// softmax. `out` has one place per class. The exponential is `libm`'s, which is the same on every
/// machine.
pub fn probabilities(margins: &[f64], out: &mut [f64]) {
    match (margins, &mut *out) {
        (_, [only]) => *only = 1.0,
        ([margin], [first, second]) => {
            let rare = libm::exp(-margin.abs());
            let (small, large) = (rare / (1.0 + rare), 1.0 / (1.0 + rare));
            (*first, *second) = if *margin > 0.0 { (small, large) } else { (large, small) };
        }
        _ => {
            let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut sum = 0.0;
            for (out, margin) in out.iter_mut().zip(margins) {
                *out = libm::exp(margin - largest);
                sum += *out;
            }
            out.iter_mut().for_each(|out| *out /= sum);
        }
    }
}

/// Logarithms of the probabilities, finite also where a probability is rounded to zero.
pub fn log_probabilities(margins: &[f64], out: &mut [f64]) {
    match (margins, &mut *out) {
        (_, [only]) => *only = 0.0,
        ([margin], [first, second]) => {
            let near = -libm::log1p(libm::exp(-margin.abs()));
            let far = near - margin.abs();
            (*first, *second) = if *margin > 0.0 { (far, near) } else { (near, far) };
        }
        _ => {
            let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = margins.iter().map(|margin| libm::exp(margin - largest)).sum();
            let log_sum = libm::log(sum);
            for (out, margin) in out.iter_mut().zip(margins) {
                *out = margin - largest - log_sum;
            }
        }
    }
}
