//! The settings in effect of the controller manager and the scheduler.

use seaworthy_core::value::Value;

use super::process::Part;
use super::sheet::{Found, Otherwise, Sheet};
use super::{defaults, shared};

/// Sets every fact of a controller manager.
pub(super) fn manager(part: &mut Part<'_>) {
    part.file("service_account_private_key_file", "service-account-private-key-file", "", "pki-key");
    part.file("root_ca_file", "root-ca-file", "", "pki-cert");
    part.file("cluster_signing_cert_file", "cluster-signing-cert-file", "", "pki-cert");
    part.file("cluster_signing_key_file", "cluster-signing-key-file", "", "pki-key");
    part.file("kubeconfig", "kubeconfig", "", "controller-manager-conf");
    listening(part, "insecure_port", defaults::manager_port);
    let sheet = &mut part.sheet;
    sheet.boolean("profiling", "profiling", "", true);
    sheet.number("secure_port", "secure-port", "", 10257);
    sheet.boolean("use_service_account_credentials", "use-service-account-credentials", "", false);
    sheet.number("terminated_pod_gc_threshold", "terminated-pod-gc-threshold", "", 12500);
    let given = sheet.given("terminated-pod-gc-threshold", "").map(|g| g.is_some());
    let source = sheet.at_flag("terminated-pod-gc-threshold");
    sheet.put("terminated_pod_gc_threshold_given", given.map(|given| (given, source)));
    let gate = sheet.gate("RotateKubeletServerCertificate", Some(true));
    sheet.put("rotate_kubelet_server_certificate", gate);
    let old = sheet.given("cluster-signing-duration", "").is_ok_and(|g| g.is_none())
        && sheet.given("experimental-cluster-signing-duration", "").is_ok_and(|g| g.is_some());
    let flag = if old { "experimental-cluster-signing-duration" } else { "cluster-signing-duration" };
    sheet.seconds("cluster_signing_duration", flag, "", 8760 * 3600);
    sheet.list("controllers", "controllers", "", Value::strings(["*"]));
    let signs = signs_clients(sheet);
    sheet.put("signs_clients", signs);
    sheet.boolean("hostpath_provisioner", "enable-hostpath-provisioner", "", false);
    shared::tls(part, "", false);
}

/// The controller that signs what was approved, by its names.
const SIGNING: [&str; 2] = ["csrsigning", "certificatesigningrequest-signing-controller"];

/// Whether it signs certificates of clients once they are approved: it has an authority with its key for them, and the
/// controller runs.
fn signs_clients(sheet: &Sheet<'_>) -> Found<bool> {
    let (controllers, source) = sheet.find("controllers", "", super::sheet::strings, |sheet| {
        sheet.otherwise(Value::strings(["*"]).into()).map(|_| vec!["*".to_owned()])
    })?;
    let named =
        |sign: &str| controllers.iter().any(|name| name.strip_prefix(sign).is_some_and(|n| SIGNING.contains(&n)));
    if !named("") && (named("-") || !controllers.iter().any(|name| name == "*")) {
        return Ok((false, source));
    }
    let given = |flag: &str| sheet.path_of(flag, "").map(|(path, source)| (path.is_some(), source));
    let has = |part: &str| -> Found<bool> {
        let own = given(&format!("cluster-signing-kube-apiserver-client-{part}-file"))?;
        if own.0 { Ok(own) } else { given(&format!("cluster-signing-{part}-file")) }
    };
    let (key, source) = has("key")?;
    let (certificate, _) = has("cert")?;
    // Older ones looked in a place of their own.
    match sheet.run.minor {
        Some(22..) => Ok((key && certificate, source)),
        _ if key && certificate => Ok((true, source)),
        _ => Err(("what this version does without the two flags is not known here".to_owned(), source)),
    }
}

/// Sets every fact of a scheduler. With a configuration file its flags for what the file says have no effect.
pub(super) fn scheduler(part: &mut Part<'_>) {
    part.configuration("config", "distribution-config", false);
    part.file("kubeconfig", "kubeconfig", "clientConnection.kubeconfig", "scheduler-conf");
    listening(part, "insecure_port", defaults::scheduler_port);
    let sheet = &mut part.sheet;
    sheet.boolean("profiling", "profiling", "enableProfiling", true);
    // Its port and its certificates are told by flags in any case.
    let config = sheet.config.take();
    sheet.number("secure_port", "secure-port", "", 10259);
    shared::tls(part, "", false);
    part.sheet.config = config;
}

fn listening(part: &mut Part<'_>, port: &str, by_version: fn(i64) -> Option<Value>) {
    part.path("authentication-kubeconfig", "kubeconfig");
    part.path("authorization-kubeconfig", "kubeconfig");
    let sheet = &mut part.sheet;
    let config = sheet.config.take();
    sheet.text("bind_address", "bind-address", "", "0.0.0.0");
    sheet.number(port, "port", "", Otherwise::By(by_version));
    let asks = sheet.path_of("authorization-kubeconfig", "");
    sheet.put("delegates_authorization", asks.map(|(path, source)| (path.is_some(), source)));
    sheet.config = config;
}
