//! What an API server shows of its own settings to whoever may not read its arguments: whether it takes requests without a
//! credential, and by its counts, which level of Pod Security holds where a namespace names none.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::config::AuthInfo;
use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::{APISERVER, CLUSTER, NAMESPACE};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;

use super::access::Access;
use super::client::{Api, JSON};
use super::failure::Failure;
use super::source;

/// A path that is nobody's secret and that an API server lets only those read who are granted it.
const ASKED: &str = "/api";
/// The most that is read of an answer to nobody, in bytes.
const MOST_ANSWER: usize = 64 << 10;
/// The most that is read of an API server's counts, in bytes: 64 MiB, line by line. A large cluster's are a third of it.
const MOST_COUNTS: usize = 64 << 20;
/// The family of counts that tells how Pod Security decided, stable since 1.28.
const COUNTS: &[u8] = b"pod_security_evaluations_total{";

/// Asks without a credential; whether that was let in, or why it is not known.
pub(super) async fn anonymous(access: Access, timeout: Duration) -> Value {
    let mut nobody = access;
    nobody.config.auth_info = AuthInfo::default();
    let answer = match Api::new(&nobody, timeout) {
        Ok(api) => api.get(ASKED, JSON, MOST_ANSWER).await,
        Err(failure) => Err(failure),
    };
    match answer {
        Ok(_) => true.into(),
        Err(Failure::Status { code: 403, message }) if message.contains("system:anonymous") => true.into(),
        Err(Failure::Status { code: 401, .. }) => false.into(),
        Err(failure) => Value::unknown(failure.to_string()),
    }
}

/// Sets what the asking brought.
pub(super) fn put_anonymous(target: &mut Target, answer: Value) {
    if let Some(cluster) = target.components.iter_mut().find(|c| std::ptr::eq(c.kind, &CLUSTER)) {
        cluster.set("anonymous_requests", answer, source("GET /api without a credential"));
    }
}

/// Reads which level holds by default, where nothing that was read says it and some namespace needs it.
pub(super) async fn put_default(api: &Api, target: &mut Target) {
    let told =
        |server: &Component| matches!(server.value("pod_security_defaults").field("enforce"), Some(Value::Str(_)));
    let servers: Vec<&Component> = target.of(&APISERVER).collect();
    if !servers.is_empty() && servers.iter().all(|server| told(server)) {
        return;
    }
    let labels: Vec<&Value> = target.of(&NAMESPACE).map(|namespace| namespace.value("enforce")).collect();
    if !labels.contains(&&Value::Null) {
        return;
    }
    let all = !target.incomplete.contains_key(NAMESPACE.name) && !labels.iter().any(|label| label.is_unknown());
    let named: BTreeSet<String> = labels.iter().filter_map(|label| label.as_str()).map(str::to_owned).collect();
    let value = match (all, levels(api).await) {
        (false, _) => Value::unknown("which levels namespaces name was not read of all of them"),
        (true, Err(failure)) => Value::unknown(of_counts(&failure)),
        (true, Ok(levels)) => default_of(&levels, &named).map_or(Value::Null, Value::from),
    };
    if let Some(cluster) = target.components.iter_mut().find(|c| std::ptr::eq(c.kind, &CLUSTER)) {
        cluster.set("pod_security_default", value, source("GET /metrics, pod_security_evaluations_total"));
    }
}

/// The level by which pods were judged although no namespace names it, if there is one such level.
fn default_of<'a>(levels: &'a BTreeSet<String>, named: &BTreeSet<String>) -> Option<&'a str> {
    let mut others = levels.iter().filter(|level| !named.contains(*level));
    match (others.next(), others.next()) {
        (Some(level), None) => Some(level),
        _ => None,
    }
}

/// The levels that were enforced on pods since the API server started.
async fn levels(api: &Api) -> Result<BTreeSet<String>, Failure> {
    let mut levels = BTreeSet::new();
    api.lines("/metrics", MOST_COUNTS, |line| levels.extend(enforced(line))).await?;
    Ok(levels)
}

/// The level that a line counts as enforced, at least once.
fn enforced(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line.strip_prefix(COUNTS)?).ok()?;
    let (labels, count) = line.rsplit_once('}')?;
    let label =
        |name: &str| labels.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'));
    let counted = count.trim().parse::<f64>().is_ok_and(|count| count > 0.0);
    let level = label("policy_level").filter(|level| ["privileged", "baseline", "restricted"].contains(level))?;
    (counted && label("mode") == Some("enforce")).then(|| level.to_owned())
}

fn of_counts(failure: &Failure) -> String {
    match failure {
        Failure::Status { code: 403, .. } => {
            "the right is missing: verb get, nonResourceURL /metrics; `seaworthy access` prints the role that has it"
                .to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(levels: &[&str]) -> BTreeSet<String> {
        levels.iter().map(|level| (*level).to_owned()).collect()
    }

    #[test]
    fn only_what_was_enforced_is_counted() {
        let line = |mode: &str, level: &str, count: &str| {
            format!(
                "pod_security_evaluations_total{{decision=\"allow\",mode=\"{mode}\",policy_level=\"{level}\",policy_version=\"latest\",request_operation=\"create\",resource=\"pod\",subresource=\"\"}} {count}"
            )
        };
        assert_eq!(enforced(line("enforce", "privileged", "3").as_bytes()).as_deref(), Some("privileged"));
        assert_eq!(enforced(line("enforce", "baseline", "1e+06").as_bytes()).as_deref(), Some("baseline"));
        for other in [line("audit", "baseline", "3"), line("enforce", "privileged", "0"), line("enforce", "odd", "1")] {
            assert_eq!(enforced(other.as_bytes()), None, "{other}");
        }
        assert_eq!(enforced(b"pod_security_exemptions_total{} 3"), None);
        assert_eq!(enforced(b"pod_security_evaluations_total{"), None);
    }

    #[test]
    fn the_default_is_what_no_namespace_names() {
        assert_eq!(default_of(&set(&["privileged"]), &set(&[])), Some("privileged"));
        assert_eq!(default_of(&set(&["privileged", "restricted"]), &set(&["restricted"])), Some("privileged"));
        assert_eq!(default_of(&set(&["baseline"]), &set(&["privileged"])), Some("baseline"));
        // Either may be of a namespace that is gone, or that was named otherwise.
        assert_eq!(default_of(&set(&["privileged", "baseline"]), &set(&[])), None);
        assert_eq!(default_of(&set(&["privileged"]), &set(&["privileged"])), None);
        assert_eq!(default_of(&set(&[]), &set(&[])), None);
    }
}
