//! Mean and median of 60 integers: the work that Kuribayashi's table (2023) times, natively and as Wasm.

/// The integers: fixed, unsorted, all digits in use.
pub const INTEGERS: [i32; 60] = integers();

const fn integers() -> [i32; 60] {
    let mut integers = [0; 60];
    let mut index = 0;
    let mut seed: u32 = 2023;
    while index < integers.len() {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        integers[index] = (seed >> 18).cast_signed() % 1_000;
        index += 1;
    }
    integers
}

/// Mean and median; of nothing they are 0.
#[must_use]
pub fn statistics(integers: &[i32]) -> (f64, f64) {
    let mut sorted = integers.to_vec();
    sorted.sort_unstable();
    let (Some(&upper), Ok(count)) = (sorted.get(sorted.len() / 2), i32::try_from(sorted.len())) else {
        return (0.0, 0.0);
    };
    let lower = sorted[(sorted.len() - 1) / 2];
    let sum: f64 = sorted.iter().copied().map(f64::from).sum();
    (sum / f64::from(count), f64::midpoint(f64::from(lower), f64::from(upper)))
}

/// The answer as JSON text, as the property `statistics` gives it.
#[must_use]
pub fn statistics_json(integers: &[i32]) -> String {
    let (mean, median) = statistics(integers);
    format!(r#"{{"mean":{mean},"median":{median}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_median_are_right() {
        assert_eq!(statistics(&[]), (0.0, 0.0));
        assert_eq!(statistics(&[5]), (5.0, 5.0));
        assert_eq!(statistics(&[9, 1, 2]), (4.0, 2.0));
        assert_eq!(statistics(&[4, 1, 2, 3]), (2.5, 2.5));
        assert_eq!(statistics_json(&[4, 1, 2, 3]), r#"{"mean":2.5,"median":2.5}"#);
    }

    #[test]
    fn the_integers_are_no_sorted_list() {
        assert!(!INTEGERS.is_sorted());
        assert!(INTEGERS.iter().all(|integer| (0..1_000).contains(integer)));
    }
}
