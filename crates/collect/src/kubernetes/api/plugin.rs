//! Plugins of a kubeconfig that hand out credentials: started as kubectl starts them, with a limit on time and answer.

use std::io::IsTerminal as _;
use std::process::Stdio;
use std::time::Duration;

use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde_json::Value as Json;
use tokio::io::AsyncReadExt as _;

use crate::engine::{PEER_TEXT_LIMIT, sanitize};
use crate::redact::Redactor;

/// The most that a plugin may answer, in bytes: 1 MiB.
const MOST_ANSWER: u64 = 1 << 20;

/// What a plugin handed out.
pub(super) struct Given {
    token: Option<String>,
    certificate: Option<(String, String)>,
}

impl Given {
    /// Makes it the credential.
    pub(super) fn put_into(self, auth: &mut AuthInfo) {
        use base64::Engine as _;
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        if let Some(token) = self.token {
            auth.token = Some(token.into());
        }
        if let Some((certificate, key)) = self.certificate {
            auth.client_certificate = None;
            auth.client_key = None;
            auth.client_certificate_data = Some(encode(&certificate));
            auth.client_key_data = Some(encode(&key).into());
        }
    }
}

/// Runs it. The error is a reason without its output, which may be a credential.
pub(super) async fn run(exec: &ExecConfig, most: Duration) -> Result<Given, String> {
    let Some(program) = exec.command.as_deref().filter(|c| !c.is_empty()) else {
        return Err("its exec plugin names no command".to_owned());
    };
    let shown = sanitize(program, PEER_TEXT_LIMIT);
    let is_interactive = exec.interactive_mode != Some(ExecInteractiveMode::Never) && std::io::stdin().is_terminal();
    let mut command = tokio::process::Command::new(program);
    command.args(exec.args.iter().flatten());
    for entry in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (entry.get("name"), entry.get("value")) {
            command.env(name, value);
        }
    }
    let version = exec.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1");
    let mut spec = serde_json::json!({ "interactive": is_interactive });
    if let Some(cluster) = exec.cluster.as_ref().and_then(|cluster| serde_json::to_value(cluster).ok()) {
        spec["cluster"] = cluster;
    }
    let info = serde_json::json!({ "apiVersion": version, "kind": "ExecCredential", "spec": spec });
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    command.stdin(if is_interactive { Stdio::inherit() } else { Stdio::null() });
    command.stderr(if is_interactive { Stdio::inherit() } else { Stdio::piped() });
    command.stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|e| {
        let hint = exec.install_hint.as_deref().and_then(|hint| hint.lines().find(|line| !line.trim().is_empty()));
        let hint = hint.map_or_else(|| "install it".to_owned(), |hint| sanitize(hint, PEER_TEXT_LIMIT));
        format!("its exec plugin {shown} cannot be started: {e}; {hint}")
    })?;
    let answered = tokio::time::timeout(most, answer(&mut child)).await;
    let Ok((out, complaint, status)) = answered else {
        return Err(format!("its exec plugin {shown} took longer than {} s; run it by hand", most.as_secs()));
    };
    match status {
        Ok(status) if status.success() => understood(&out).map_err(|why| format!("its exec plugin {shown} {why}")),
        Ok(status) => Err(format!("its exec plugin {shown} failed ({status}){complaint}; run it by hand")),
        Err(e) => Err(format!("its exec plugin {shown} failed: {e}")),
    }
}

async fn answer(child: &mut tokio::process::Child) -> (Vec<u8>, String, std::io::Result<std::process::ExitStatus>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reading_out = async {
        if let Some(stdout) = stdout {
            // One that goes on talking gets a closed pipe.
            let _ = stdout.take(MOST_ANSWER).read_to_end(&mut out).await;
        }
    };
    let reading_err = async {
        if let Some(stderr) = stderr {
            let _ = stderr.take(MOST_ANSWER).read_to_end(&mut err).await;
        }
    };
    tokio::join!(reading_out, reading_err);
    let status = child.wait().await;
    let text = String::from_utf8_lossy(&err);
    let first = text.lines().find(|line| !line.trim().is_empty()).map(|line| Redactor::new().text(line).into_owned());
    let complaint = first.map_or_else(String::new, |line| format!(": {}", sanitize(&line, PEER_TEXT_LIMIT)));
    (out, complaint, status)
}

fn understood(out: &[u8]) -> Result<Given, String> {
    let json: Json = serde_json::from_slice(out).map_err(|_| "answered something other than JSON".to_owned())?;
    let status = &json["status"];
    let text = |key: &str| status[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let token = text("token").map(|token| token.trim().to_owned());
    let certificate = text("clientCertificateData").zip(text("clientKeyData"));
    if json["kind"] != "ExecCredential" || (token.is_none() && certificate.is_none()) {
        return Err("handed out no credential".to_owned());
    }
    Ok(Given { token, certificate })
}
