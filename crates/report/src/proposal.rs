//! What would have to change in a cluster, as lines to copy.

use seaworthy_core::audit::Audit;
use seaworthy_core::judge::Finding;
use seaworthy_core::kubernetes::remedy::{Act, ObjectRef, Proposal};
use seaworthy_core::verdict::Verdict;
use serde::Serialize;
use serde_json::Value;

use crate::shell::quoted;

/// The longest line that is shown; a longer one is in the JSON alone, since a line that was cut must not be copied.
const LONGEST: usize = 4000;

/// What is proposed for a finding that fails or waits for a person; nothing for others.
pub fn of(audit: &Audit<'_>, finding: &Finding) -> Vec<Proposal> {
    match finding.judgement.verdict {
        Verdict::Fail | Verdict::Manual => audit.proposals(finding),
        Verdict::Pass | Verdict::Unknown | Verdict::NotApplicable => Vec::new(),
    }
}

/// The proposals of the first of some findings, each line once; and of how many findings nothing was said.
pub fn lines(audit: &Audit<'_>, findings: &[usize], most: usize) -> (Vec<String>, usize) {
    let mut out: Vec<String> = Vec::new();
    for (i, at) in findings.iter().enumerate() {
        if out.len() >= most {
            return (out, findings.len() - i);
        }
        for line in of(audit, &audit.findings[*at]).iter().filter_map(line) {
            if !out.contains(&line) {
                out.push(line);
            }
        }
    }
    (out, 0)
}

/// A proposal on one line: the command where one does it, else what is to stand in the manifest.
pub fn line(proposal: &Proposal) -> Option<String> {
    let line = match &proposal.act {
        Act::Piece(piece, why) => {
            let comment = format!("{}: {why}", called(&proposal.object));
            format!("{piece} # {}", crate::one_line(&comment))
        }
        Act::Patch(..) | Act::Apply(_) | Act::Delete => command(proposal)?,
    };
    (line.len() <= LONGEST).then_some(line)
}

/// The command that does it, quoted for a shell; none where no command can.
pub fn command(proposal: &Proposal) -> Option<String> {
    let parts: Vec<String> = proposal.commands().iter().map(|command| quoted(command)).collect();
    (!parts.is_empty()).then(|| parts.join(" | "))
}

/// `Deployment shop/web`.
fn called(object: &ObjectRef) -> String {
    let ObjectRef { kind, namespace, name, .. } = object;
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

/// A proposal as the JSON has it.
#[derive(Serialize)]
pub struct ChangeOut {
    object: ObjectOut,
    act: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

#[derive(Serialize)]
struct ObjectOut {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl ChangeOut {
    /// What the JSON says of a proposal.
    pub fn of(proposal: Proposal) -> Self {
        let command = command(&proposal);
        let Proposal { object, act } = proposal;
        let (act, form, body, why) = match act {
            Act::Patch(form, body) => ("patch", Some(form.word()), Some(body), None),
            Act::Apply(manifest) => ("apply", None, Some(manifest), None),
            Act::Delete => ("delete", None, None, None),
            Act::Piece(piece, why) => ("manifest", None, Some(piece), Some(why)),
        };
        let ObjectRef { api_version, kind, namespace, name } = object;
        Self { object: ObjectOut { api_version, kind, namespace, name }, act, form, body, why, command }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::kubernetes::remedy::Form;
    use serde_json::json;

    #[test]
    fn a_line_says_the_same_to_a_shell() {
        let object = ObjectRef::new("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "-x'$(id)\n`");
        let line = line(&Proposal { object, act: Act::Delete }).unwrap();
        assert_eq!(line, r"kubectl delete clusterrolebinding -- $'-x\'$(id)\n`'");
        let object = ObjectRef::new("apps/v1", "Deployment", "shop", "web");
        let body = json!({ "spec": { "x": "it's" } });
        let proposal = Proposal { object: object.clone(), act: Act::Patch(Form::Strategic, body) };
        let wanted = r#"kubectl -n shop patch deployment --type=strategic -p '{"spec":{"x":"it'\''s"}}' web"#;
        assert_eq!(super::line(&proposal).unwrap().replace("kubectl patch -n shop", "kubectl -n shop patch"), wanted);
        let piece = Proposal { object, act: Act::Piece(json!({ "a": null }), "so it is") };
        assert_eq!(super::line(&piece).unwrap(), r#"{"a":null} # Deployment shop/web: so it is"#);
        assert!(command(&piece).is_none());
    }
}
