//! Values as Go reads them, because the engine is written in Go.

/// A boolean as `strconv.ParseBool` reads it; `None` for a text that it refuses.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A duration such as `1h2m3.5s` in nanoseconds, as `time.ParseDuration` reads it.
pub fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..end] {
                "ns" => 1.0,
                "us" | "µs" | "μs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                _ => return None,
            };
        rest = &rest[end..];
    }
    // Beyond 292 years Go refuses, too.
    (total < i64::MAX as f64).then_some(if negative { -(total as i64) } else { total as i64 })
}

/// A limit as `--ulimit` takes it: `NAME=SOFT[:HARD]`, -1 for none; hard is soft when left out.
pub fn ulimit(text: &str) -> Option<(String, i64, i64)> {
    let (name, limits) = text.split_once('=')?;
    let (soft, hard) = match limits.split_once(':') {
        Some((soft, hard)) => (soft.parse().ok()?, hard.parse().ok()?),
        None => {
            let both: i64 = limits.parse().ok()?;
            (both, both)
        }
    };
    // -1 stands for no limit, so a soft limit without bound needs a hard one without bound.
    let sound = hard == -1 || (soft != -1 && soft <= hard);
    (sound && !name.is_empty()).then(|| (name.to_owned(), soft, hard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_the_twelve_of_go_and_no_others() {
        assert!(["1", "t", "T", "true", "TRUE", "True"].iter().all(|t| boolean(t) == Some(true)));
        assert!(["0", "f", "F", "false", "FALSE", "False"].iter().all(|t| boolean(t) == Some(false)));
        assert!(["yes", "on", "", "tRUE", " true"].iter().all(|t| boolean(t).is_none()));
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(duration("1h1m1.5s"), Some(3_661_500_000_000));
        assert_eq!(duration("-2ms"), Some(-2_000_000));
        assert_eq!(duration("0"), Some(0));
        assert!(["", "5", "s", "1d", "1.2.3s", "99999999h"].iter().all(|t| duration(t).is_none()));
    }

    #[test]
    fn limits_need_a_name_and_a_soft_limit_within_the_hard_one() {
        assert_eq!(ulimit("nofile=1024:2048"), Some(("nofile".into(), 1024, 2048)));
        assert_eq!(ulimit("nproc=-1"), Some(("nproc".into(), -1, -1)));
        assert!(["nofile", "=1", "nofile=2:1", "nofile=a", "nofile=-1:5"].iter().all(|t| ulimit(t).is_none()));
    }
}
