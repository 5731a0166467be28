//! Waivers: reasoned acceptances of failures, with an owner and an end.

use serde::{Deserialize, Serialize};

/// A reasoned acceptance of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The check's id.
    pub check: String,
    /// A finding's fingerprint, or a pattern for component names in which `*` stands for anything.
    pub component: String,
    /// Why the failure is acceptable.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    pub expires: String,
}

impl Waiver {
    /// Whether it speaks of a finding.
    pub fn covers(&self, check: &str, fingerprint: &str, component: &str) -> bool {
        self.check == check && (self.component == fingerprint || matches(&self.component, component))
    }

    /// The second after its last day ends (UTC), in seconds since 1970.
    ///
    /// # Errors
    /// When `expires` is no day.
    pub fn ends(&self) -> Result<i64, String> {
        end_of_day(&self.expires)
    }

    /// What is missing in it, if anything.
    pub fn problem(&self) -> Option<String> {
        for (name, value) in
            [("check", &self.check), ("component", &self.component), ("reason", &self.reason), ("owner", &self.owner)]
        {
            if value.trim().is_empty() {
                return Some(format!("a waiver for `{}` has no {name}", self.check));
            }
        }
        self.ends().err()
    }
}

/// The second after a day ends (UTC).
///
/// # Errors
/// When it is no day of the form `YYYY-MM-DD`.
pub fn end_of_day(day: &str) -> Result<i64, String> {
    let date: jiff::civil::Date = day.parse().map_err(|_| format!("`{day}` is no day; write YYYY-MM-DD"))?;
    let next = date.tomorrow().map_err(|_| format!("`{day}` is too far away"))?;
    let start = next.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| format!("`{day}` is too far away"))?;
    Ok(start.timestamp().as_second())
}

/// Whether a text fits a pattern in which `*` stands for any run of characters. Linear in the text for each `*`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_days() {
        assert!(matches("web-*", "web-1") && matches("*", "") && matches("a*b*c", "a12b3c") && matches("web", "web"));
        assert!(!matches("web", "web2") && !matches("a*c", "ab") && !matches("*x", "y"));
        assert_eq!(end_of_day("1970-01-01"), Ok(86_400));
        assert!(end_of_day("tomorrow").is_err());
    }
}
