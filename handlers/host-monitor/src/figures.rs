//! What the kernel's files say: pure functions from text to figures. Text that is not of the kernel's form is `None`,
//! never a guess.

/// The three averages of `/proc/loadavg` (proc(5)): over 1, 5 and 15 minutes.
pub(crate) fn loads(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace().map(|word| word.parse().ok().filter(|number| is_measure(*number)));
    Some([words.next()??, words.next()??, words.next()??])
}

/// Used and total bytes of memory by `/proc/meminfo`. Used is what could not be given to a new program
/// (`MemAvailable`, since Linux 3.14).
pub(crate) fn memory(text: &str) -> Option<(u64, u64)> {
    let total = kibibytes(text, "MemTotal:")?;
    let available = kibibytes(text, "MemAvailable:")?;
    Some((total.checked_sub(available)?.checked_mul(1_024)?, total.checked_mul(1_024)?))
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let figure = text.lines().find_map(|line| line.strip_prefix(name))?;
    figure.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

/// Seconds since the machine started, by `/proc/uptime`.
pub(crate) fn uptime_s(text: &str) -> Option<f64> {
    text.split_ascii_whitespace().next()?.parse().ok().filter(|number| is_measure(*number))
}

/// Degrees Celsius by a thermal zone's or hwmon's file, which counts in thousandths.
pub(crate) fn celsius(text: &str) -> Option<f64> {
    text.trim().parse::<i32>().ok().map(|thousandths| f64::from(thousandths) / 1_000.0)
}

/// What is counted here is finite and not below zero.
fn is_measure(number: f64) -> bool {
    number.is_finite() && number >= 0.0
}

/// Mean and median; `None` of nothing.
pub(crate) fn mean_and_median(samples: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = samples.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    let median = if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[middle - 1], upper) };
    let count = f64::from(u32::try_from(sorted.len()).ok()?);
    Some((sorted.iter().sum::<f64>() / count, median))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GARBAGE: [&str; 6] = ["", "\0\0\0", "not a number at all", "NaN NaN NaN", "-1 -1 -1", "1e999 inf 1"];

    #[test]
    fn loads_are_the_first_three_words() {
        assert_eq!(loads("0.20 0.18 0.12 1/80 11206\n"), Some([0.20, 0.18, 0.12]));
        assert_eq!(loads("0.20 0.18"), None);
        for text in GARBAGE {
            assert_eq!(loads(text), None, "{text}");
        }
    }

    #[test]
    fn memory_in_use_is_what_is_not_available() {
        let text = "MemTotal:        3885396 kB\nMemFree:          123 kB\nMemAvailable:    2885396 kB\n";
        assert_eq!(memory(text), Some((1_024_000_000, 3_885_396 * 1_024)));
        assert_eq!(memory("MemTotal: 1 kB\nMemAvailable: 2 kB\n"), None);
        assert_eq!(memory("MemTotal: 18446744073709551615 kB\nMemAvailable: 0 kB\n"), None);
        assert_eq!(memory("MemTotal: 1 MB\nMemAvailable: 0 kB\n"), None);
        for text in GARBAGE {
            assert_eq!(memory(text), None, "{text}");
        }
    }

    #[test]
    fn uptime_is_the_first_word() {
        assert_eq!(uptime_s("350735.47 234388.90\n"), Some(350_735.47));
        for text in GARBAGE {
            assert_eq!(uptime_s(text), None, "{text}");
        }
    }

    #[test]
    fn temperatures_come_in_thousandths() {
        assert_eq!(celsius("48312\n"), Some(48.312));
        assert_eq!(celsius("-5000"), Some(-5.0));
        assert_eq!(celsius("99999999999"), None);
        assert_eq!(celsius("48.3"), None);
    }

    #[test]
    fn statistics_of_odd_even_and_no_samples() {
        assert_eq!(mean_and_median([3.0, 1.0, 2.0].into_iter()), Some((2.0, 2.0)));
        assert_eq!(mean_and_median([4.0, 1.0, 2.0, 3.0].into_iter()), Some((2.5, 2.5)));
        assert_eq!(mean_and_median(core::iter::empty()), None);
    }
}
