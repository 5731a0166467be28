//! The kubelet's settings in effect: its file, the drop-ins over it, the flags over both.

use std::path::Path;

use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;
use serde_json::{Map, Value as Json};

use super::process::Part;
use super::sheet::{Config, Otherwise, Run};
use super::{defaults, shared};
use crate::daemon::go;

/// Fields that are paths, which are relative to the file's directory (`KubeletConfigurationPathRefs`).
const PATHS: [&str; 6] = [
    "staticPodPath",
    "authentication.x509.clientCAFile",
    "tlsCertFile",
    "tlsPrivateKeyFile",
    "volumePluginDir",
    "podLogsDir",
];
/// The most drop-ins.
const MOST: usize = 1024;

/// Sets every fact of a kubelet that its arguments and files decide.
pub(super) fn decide(part: &mut Part<'_>) {
    configuration(part);
    settings(part);
}

/// The same from the kubelet's own answer, in which everything that a configuration file can say stands.
pub(super) fn decide_by_answer(part: &mut Part<'_>, answer: &Json, place: &str) {
    let json = answer.get("kubeletconfig").unwrap_or(answer).clone();
    part.sheet.config = Some(Config { json: Ok(json), place: place.into(), below_flags: false });
    settings(part);
}

/// What the configuration file and the drop-ins come to. Without either, flags have other defaults than the file has
/// (`applyLegacyDefaults`), which the file's drop-ins begin with, too.
fn configuration(part: &mut Part<'_>) {
    let file = part.sheet.path_of("config", "");
    let drop_ins = part.sheet.path_of("config-dir", "");
    let (file, drop_ins) = match (file, drop_ins) {
        (Ok((file, _)), Ok((drop_ins, _))) => (file, drop_ins),
        (Err((why, source)), _) | (_, Err((why, source))) => {
            part.sheet.config = Some(Config { json: Err(why), place: source.place, below_flags: true });
            return;
        }
    };
    let mut merged = legacy();
    let mut place = "the built-in defaults of flags".to_owned();
    let mut failed = None;
    if let Some(path) = &file {
        place.clone_from(path);
        note(part, path);
        match read(part.sheet.run, path, true) {
            Ok(json) => merged = json,
            Err(why) => failed = Some(why),
        }
    }
    if let Some(directory) = &drop_ins {
        match names(part.sheet.run, directory) {
            Ok(names) => {
                for name in names {
                    let path = format!("{}/{name}", directory.trim_end_matches('/'));
                    note(part, &path);
                    match read(part.sheet.run, &path, false) {
                        Ok(json) => {
                            place = format!("{place}, {path}");
                            merge(&mut merged, &json);
                        }
                        Err(why) => failed = failed.or(Some(why)),
                    }
                }
            }
            Err(why) => failed = failed.or(Some(format!("{directory}: {why}"))),
        }
    }
    without_zeros(&mut merged);
    let json = failed.map_or(Ok(merged), Err);
    part.sheet.config = Some(Config { json, place: place.into(), below_flags: true });
}

/// Takes out what the kubelet takes for not said: fields whose zero it replaces by the default.
fn without_zeros(json: &mut Json) {
    let Json::Object(map) = json else { return };
    for name in ["address", "port", "healthzBindAddress", "streamingConnectionIdleTimeout", "eventBurst"] {
        let zero = map.get(name).is_some_and(|value| match value {
            Json::Number(number) => number.as_i64() == Some(0),
            Json::String(text) => text.is_empty() || go::duration(text) == Some(0),
            _ => false,
        });
        if zero {
            map.remove(name);
        }
    }
    if let Some(Json::Object(authorization)) = map.get_mut("authorization")
        && authorization.get("mode").and_then(Json::as_str) == Some("")
    {
        authorization.remove("mode");
    }
}

fn note(part: &mut Part<'_>, path: &str) {
    part.uses("kubelet-config", path);
    part.config_files.push(path.to_owned());
    part.at_start.push(path.to_owned());
}

fn legacy() -> Json {
    serde_json::json!({
        "authentication": { "anonymous": { "enabled": true }, "webhook": { "enabled": false } },
        "authorization": { "mode": "AlwaysAllow" },
        "readOnlyPort": 10255,
    })
}

/// A configuration with its paths made absolute, where it is the first.
fn read(run: &Run<'_>, path: &str, absolute: bool) -> Result<Json, String> {
    let mut json = shared::load_at_start(run, path).map_err(|why| format!("{path}: {why}"))?;
    if json.get("kind").and_then(Json::as_str) != Some("KubeletConfiguration") {
        return Err(format!("{path}: it is no KubeletConfiguration"));
    }
    if absolute {
        for field in PATHS {
            let (above, last) = field.rsplit_once('.').unwrap_or(("", field));
            let holder = above.split('.').filter(|n| !n.is_empty()).try_fold(&mut json, |at, name| at.get_mut(name));
            if let Some(Json::String(text)) = holder.and_then(|h| h.get_mut(last))
                && !text.is_empty()
            {
                *text = shared::beside(path, text);
            }
        }
    }
    Ok(json)
}

/// The drop-ins of a directory and those below it, in the order of their paths.
fn names(run: &Run<'_>, directory: &str) -> Result<Vec<String>, String> {
    if let Some(why) = run.files.changed(directory) {
        return Err(format!("what is in effect cannot be read: {why}"));
    }
    let names = run.files.walk(directory)?;
    let found: Vec<String> =
        names.into_iter().filter(|name| Path::new(name).extension().is_some_and(|e| e == "conf")).collect();
    if found.len() > MOST { Err(format!("there are more than {MOST} drop-ins")) } else { Ok(found) }
}

/// Merges as RFC 7396 says: null takes away, objects are merged, everything else is replaced.
fn merge(into: &mut Json, patch: &Json) {
    let Json::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Json::Object(Map::new());
    }
    let Json::Object(map) = into else { return };
    for (name, value) in patch {
        match value {
            Json::Null => {
                map.remove(name);
            }
            value => merge(map.entry(name.clone()).or_insert(Json::Null), value),
        }
    }
}

fn settings(part: &mut Part<'_>) {
    access(part);
    serving(part);
    let sheet = &mut part.sheet;
    sheet.boolean("protect_kernel_defaults", "protect-kernel-defaults", "protectKernelDefaults", false);
    sheet.boolean("make_iptables_util_chains", "make-iptables-util-chains", "makeIPTablesUtilChains", true);
    sheet.optional("hostname_override", "hostname-override", "");
    sheet.number("event_record_qps", "event-qps", "eventRecordQPS", Otherwise::By(defaults::event_qps));
    sheet.number("event_burst", "event-burst", "eventBurst", Otherwise::By(defaults::event_burst));
    sheet.number("pod_pids_limit", "pod-max-pids", "podPidsLimit", -1);
    if sheet.c.value("pod_pids_limit").as_int().is_some_and(|limit| limit < 0) {
        let source = sheet.c.fact("pod_pids_limit").source.clone();
        sheet.c.set("pod_pids_limit", -1, source);
    }
    seccomp(part);
    let sheet = &mut part.sheet;
    sheet.boolean("enable_server", "enable-server", "enableServer", true);
    sheet.boolean("debugging_handlers", "enable-debugging-handlers", "enableDebuggingHandlers", true);
    sheet.boolean("profiling_handler", "", "enableProfilingHandler", true);
    sheet.boolean("system_log_handler", "", "enableSystemLogHandler", true);
    sheet.list("allowed_unsafe_sysctls", "allowed-unsafe-sysctls", "allowedUnsafeSysctls", Value::List(Vec::new()));
    sheet.optional("static_pod_url", "manifest-url", "staticPodURL");
    sheet.text("root_dir", "root-dir", "", "/var/lib/kubelet");
    sheet.path("config_dir", "config-dir", "");
    let endpoint = Otherwise::By(defaults::runtime_endpoint);
    sheet.text("container_runtime_endpoint", "container-runtime-endpoint", "containerRuntimeEndpoint", endpoint);
    part.file("static_pod_path", "pod-manifest-path", "staticPodPath", "manifests-dir");
    part.file("kubeconfig", "kubeconfig", "", "kubelet-conf");
    part.file("bootstrap_kubeconfig", "bootstrap-kubeconfig", "", "kubeconfig");
}

fn access(part: &mut Part<'_>) {
    let sheet = &mut part.sheet;
    sheet.boolean("anonymous_auth", "anonymous-auth", "authentication.anonymous.enabled", false);
    let webhook = "authentication-token-webhook";
    sheet.boolean("webhook_authentication", webhook, "authentication.webhook.enabled", true);
    sheet.text("authorization_mode", "authorization-mode", "authorization.mode", "Webhook");
    part.file("client_ca_file", "client-ca-file", "authentication.x509.clientCAFile", "kubelet-client-ca");
}

fn serving(part: &mut Part<'_>) {
    let sheet = &mut part.sheet;
    sheet.text("address", "address", "address", "0.0.0.0");
    sheet.number("port", "port", "port", 10250);
    sheet.number("read_only_port", "read-only-port", "readOnlyPort", 0);
    sheet.text("healthz_bind_address", "healthz-bind-address", "healthzBindAddress", "127.0.0.1");
    sheet.number("healthz_port", "healthz-port", "healthzPort", 10248);
    let idle = "streaming-connection-idle-timeout";
    sheet.seconds("streaming_idle_timeout", idle, "streamingConnectionIdleTimeout", 4 * 3600);
    sheet.boolean("server_tls_bootstrap", "rotate-server-certificates", "serverTLSBootstrap", false);
    sheet.boolean("rotate_certificates", "rotate-certificates", "rotateCertificates", false);
    let gate = sheet.gate("RotateKubeletServerCertificate", Some(true));
    sheet.put("rotate_server_certificates", gate);
    shared::tls(part, "fields", true);
}

/// Either the flag or the file switches it on (`kubelet.go`: `kubeCfg.SeccompDefault || SeccompDefault`).
fn seccomp(part: &mut Part<'_>) {
    let sheet = &mut part.sheet;
    sheet.boolean("seccomp_default", "seccomp-default", "seccompDefault", false);
    if let (Err(why), Some(false)) = (&sheet.run.flags, sheet.c.value("seccomp_default").as_bool()) {
        // The kubelet's own answer leaves the flag out.
        let (why, source) = (why.clone(), sheet.at_flag("seccomp-default"));
        sheet.c.set_unknown("seccomp_default", why, source);
        return;
    }
    let flag = sheet.given("seccomp-default", "").is_ok_and(|given| given.is_some());
    if flag && sheet.c.value("seccomp_default").as_bool() == Some(false) {
        let by_file = match &sheet.config {
            Some(Config { json: Ok(json), .. }) => json["seccompDefault"].as_bool() == Some(true),
            Some(Config { json: Err(why), place, .. }) => {
                let (why, source) = (why.clone(), Source::new(place, "seccompDefault"));
                sheet.c.set_unknown("seccomp_default", why, source);
                return;
            }
            None => false,
        };
        if by_file {
            let source = sheet.c.fact("seccomp_default").source.clone();
            sheet.c.set("seccomp_default", true, source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn zeros_of_a_file_are_not_said() {
        let mut json = json!({ "streamingConnectionIdleTimeout": "0s", "port": 0, "readOnlyPort": 0, "authorization": { "mode": "" } });
        without_zeros(&mut json);
        assert_eq!(json, json!({ "readOnlyPort": 0, "authorization": {} }));
    }

    #[test]
    fn drop_ins_merge_as_patches() {
        let mut into = json!({ "a": { "b": 1, "c": 2 }, "list": [1, 2] });
        merge(&mut into, &json!({ "a": { "b": null, "d": 3 }, "list": [3], "e": "f" }));
        assert_eq!(into, json!({ "a": { "c": 2, "d": 3 }, "list": [3], "e": "f" }));
    }
}
