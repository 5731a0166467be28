//! Values of the user's own: `web:memory=512m`, `*:pids-limit=200`, `host:leave=alice`.

/// The fields that may be set, with what each takes.
const FIELDS: &[(&str, &str)] = &[
    ("memory", "a size: 512m, 2g, or bytes"),
    ("pids-limit", "a number"),
    ("cpus", "a number of CPUs: 1.5"),
    ("restart", "no, or on-failure:N"),
    ("publish", "the address on which its ports stay open"),
    ("user", "UID:GID"),
    ("network", "a network of the engine"),
    ("tmpfs", "directories, separated by commas"),
    ("leave", "users, separated by commas (of host)"),
];

/// A value of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The container; `*` is every one, `host` the host for `leave`.
    pub of: String,
    /// The field.
    pub field: String,
    /// The value, as it was given.
    pub value: String,
}

impl Set {
    /// Reads `CONTAINER:FIELD=VALUE`.
    ///
    /// # Errors
    /// One line: what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("--set {text}: {why}");
        let (left, value) = text.split_once('=').ok_or_else(|| wrong("there is no `=`: CONTAINER:FIELD=VALUE"))?;
        let (of, field) = left.rsplit_once(':').ok_or_else(|| wrong("there is no `:`: CONTAINER:FIELD=VALUE"))?;
        let Some((_, takes)) = FIELDS.iter().find(|(name, _)| *name == field) else {
            let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
            return Err(wrong(&format!("there is no field `{field}`; there are {}", names.join(", "))));
        };
        let set = Self { of: of.to_owned(), field: field.to_owned(), value: value.to_owned() };
        if of.is_empty() || !set.fits() {
            return Err(wrong(&format!("{field} takes {takes}")));
        }
        Ok(set)
    }

    fn fits(&self) -> bool {
        let value = self.value.as_str();
        match self.field.as_str() {
            "memory" => size(value).is_some(),
            "pids-limit" => value.parse::<i64>().is_ok_and(|n| n > 0),
            "cpus" => millicpus(value).is_some(),
            "restart" => value == "no" || tries(value).is_some(),
            "publish" => value.parse::<std::net::IpAddr>().is_ok_and(|ip| !ip.is_unspecified()),
            "user" => value.split(':').count() <= 2 && value.split(':').all(|part| part.parse::<u32>().is_ok()),
            "network" => !value.is_empty() && !value.contains([':', ',', '=']) && !value.contains(char::is_whitespace),
            "tmpfs" => value.split(',').all(|dir| dir.starts_with('/') && !dir.contains(':')),
            _ => !value.is_empty() && value.split(',').all(|name| !name.is_empty()),
        }
    }
}

/// Bytes of `512m`, `2g`, `1048576`.
pub(super) fn size(text: &str) -> Option<i64> {
    let (digits, shift) = match text.to_ascii_lowercase() {
        lower if lower.ends_with('k') => (lower[..lower.len() - 1].to_owned(), 10),
        lower if lower.ends_with('m') => (lower[..lower.len() - 1].to_owned(), 20),
        lower if lower.ends_with('g') => (lower[..lower.len() - 1].to_owned(), 30),
        lower => (lower.trim_end_matches('b').to_owned(), 0),
    };
    let number: i64 = digits.parse().ok()?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
}

/// Thousandths of a CPU of `1.5`, `2`, `0.25`.
pub(super) fn millicpus(text: &str) -> Option<i64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 3 || !rest.bytes().all(|b| b.is_ascii_digit()) || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let rest: i64 = format!("{rest:0<3}").parse().ok()?;
    whole.checked_mul(1000)?.checked_add(rest).filter(|n| (10..=1_000_000).contains(n))
}

/// How often `on-failure:N` tries, 1 to 5 as the benchmark has it.
pub(super) fn tries(text: &str) -> Option<u32> {
    text.strip_prefix("on-failure:")?.parse().ok().filter(|n| (1..=5).contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_units_and_wrong_ones_refused() {
        let set = Set::parse("we:ird:memory=512m").unwrap();
        assert_eq!((set.of.as_str(), set.field.as_str(), size(&set.value)), ("we:ird", "memory", Some(512 << 20)));
        assert_eq!(
            (size("2G"), size("64b"), size("0"), size("-1"), size("m")),
            (Some(2 << 30), Some(64), None, None, None)
        );
        assert_eq!((millicpus("1.5"), millicpus("0.25"), millicpus("2")), (Some(1500), Some(250), Some(2000)));
        assert_eq!((millicpus("-1"), millicpus("0"), millicpus("1.2345"), millicpus(".")), (None, None, None, None));
        for (wrong, says) in [
            ("web", "no `=`"),
            ("memory=1", "no `:`"),
            ("web:swap=1", "no field `swap`"),
            ("web:memory=lots", "takes a size"),
            ("web:cpus=0", "takes a number of CPUs"),
            ("web:restart=always", "on-failure"),
            ("web:publish=0.0.0.0", "the address"),
            (":memory=1g", "takes a size"),
            ("web:network=a b", "a network"),
        ] {
            let why = Set::parse(wrong).unwrap_err();
            assert!(why.contains(says), "{wrong}: {why}");
        }
    }
}
