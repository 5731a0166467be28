//! Waivers: reasoned acceptances of failures and open threats, with an owner and an end.

use serde::{Deserialize, Serialize};

/// What a waiver accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Failures of the check of this id.
    Check(String),
    /// Open instances of the threat of this id.
    Threat(String),
}

/// A reasoned acceptance of a failure or of an open threat. In files it has either `check` or `threat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Waiver {
    /// What it accepts.
    pub accepts: Accepts,
    /// A fingerprint, or a pattern for names of components in which `*` stands for anything; a flow is called
    /// `web → db`.
    pub component: String,
    /// Why that is acceptable.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    pub expires: String,
}

/// A waiver as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threat: Option<String>,
    component: String,
    reason: String,
    owner: String,
    expires: String,
}

impl TryFrom<Written> for Waiver {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let accepts = match (written.check, written.threat) {
            (Some(check), None) => Accepts::Check(check),
            (None, Some(threat)) => Accepts::Threat(threat),
            (None, None) => return Err("a waiver accepts nothing; give it `check` or `threat`"),
            (Some(_), Some(_)) => return Err("a waiver has `check` and `threat`; write one waiver for each"),
        };
        let Written { component, reason, owner, expires, .. } = written;
        Ok(Self { accepts, component, reason, owner, expires })
    }
}

impl From<Waiver> for Written {
    fn from(waiver: Waiver) -> Self {
        let (check, threat) = match waiver.accepts {
            Accepts::Check(id) => (Some(id), None),
            Accepts::Threat(id) => (None, Some(id)),
        };
        let Waiver { component, reason, owner, expires, .. } = waiver;
        Self { check, threat, component, reason, owner, expires }
    }
}

impl Waiver {
    /// The check whose failures it accepts.
    pub fn check(&self) -> Option<&str> {
        match &self.accepts {
            Accepts::Check(id) => Some(id),
            Accepts::Threat(_) => None,
        }
    }

    /// The threat whose open instances it accepts.
    pub fn threat(&self) -> Option<&str> {
        match &self.accepts {
            Accepts::Threat(id) => Some(id),
            Accepts::Check(_) => None,
        }
    }

    /// Whether what has this fingerprint and this name is what it is for.
    pub fn fits(&self, fingerprint: &str, name: &str) -> bool {
        self.component == fingerprint || matches(&self.component, name)
    }

    /// What to call it in messages.
    pub fn called(&self) -> String {
        match &self.accepts {
            Accepts::Check(id) => format!("the waiver of `{id}` for `{}`", self.component),
            Accepts::Threat(id) => format!("the waiver of the threat `{id}` for `{}`", self.component),
        }
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
        let (kind, id) = match &self.accepts {
            Accepts::Check(id) => ("check", id),
            Accepts::Threat(id) => ("threat", id),
        };
        for (name, value) in
            [(kind, id), ("component", &self.component), ("reason", &self.reason), ("owner", &self.owner)]
        {
            if value.trim().is_empty() {
                return Some(format!("a waiver for `{id}` has no {name}"));
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

    #[test]
    fn a_waiver_accepts_a_check_or_a_threat() {
        let read = |of: &str| {
            serde_json::from_str::<Waiver>(&format!(
                r#"{{{of} "component": "web", "reason": "known", "owner": "ops", "expires": "2030-01-01"}}"#
            ))
        };
        let check = read(r#""check": "a/b","#).unwrap();
        let threat = read(r#""threat": "c/d","#).unwrap();
        assert_eq!((check.check(), check.threat()), (Some("a/b"), None));
        assert_eq!((threat.check(), threat.threat()), (None, Some("c/d")));
        assert_eq!(serde_json::from_str::<Waiver>(&serde_json::to_string(&threat).unwrap()).unwrap(), threat);
        assert!(read("").unwrap_err().to_string().contains("accepts nothing"));
        assert!(read(r#""check": "a/b", "threat": "c/d","#).unwrap_err().to_string().contains("one waiver for each"));
        assert!(read(r#""threats": "c/d","#).unwrap_err().to_string().contains("unknown field"));
        assert!(read(r#""threat": " ","#).unwrap().problem().unwrap().contains("no threat"));
    }
}
