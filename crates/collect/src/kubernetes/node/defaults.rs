//! What components of Kubernetes 1.16 to 1.36 do where nothing is given and versions differ.

use seaworthy_core::value::Value;

/// The newest minor version whose defaults are known here.
const NEWEST: i64 = 36;
/// The oldest.
const OLDEST: i64 = 16;

fn known(minor: i64) -> Option<i64> {
    (OLDEST..=NEWEST).contains(&minor).then_some(minor)
}

/// Admission plugins that are in effect without being named (`pkg/kubeapiserver/options/plugins.go`).
pub(super) fn admission(minor: i64) -> Option<Vec<&'static str>> {
    /// With the first minor version that has it in effect and the first that has not any more.
    const PLUGINS: [(&str, i64, i64); 23] = [
        ("NamespaceLifecycle", 0, 99),
        ("LimitRanger", 0, 99),
        ("ServiceAccount", 0, 99),
        ("DefaultStorageClass", 0, 99),
        ("PersistentVolumeClaimResize", 0, 99),
        ("DefaultTolerationSeconds", 0, 99),
        ("MutatingAdmissionWebhook", 0, 99),
        ("ValidatingAdmissionWebhook", 0, 99),
        ("ResourceQuota", 0, 99),
        ("StorageObjectInUseProtection", 0, 99),
        ("Priority", 0, 99),
        ("TaintNodesByCondition", 0, 99),
        ("RuntimeClass", 0, 99),
        ("CertificateApproval", 18, 99),
        ("CertificateSigning", 18, 99),
        ("CertificateSubjectRestriction", 18, 99),
        ("DefaultIngressClass", 18, 99),
        ("PodSecurity", 22, 99),
        ("ValidatingAdmissionPolicy", 26, 99),
        ("ClusterTrustBundleAttest", 27, 99),
        ("MutatingAdmissionPolicy", 32, 99),
        ("PodTopologyLabels", 33, 99),
        ("NodeDeclaredFeatureValidator", 35, 99),
    ];
    let minor = known(minor)?;
    Some(PLUGINS.iter().filter(|(_, from, to)| (*from..*to).contains(&minor)).map(|(name, ..)| *name).collect())
}

/// Cipher suites that Go takes where none is given: of TLS 1.3 always the same three.
pub(super) const TLS13: [&str; 3] =
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/// Cipher suites of TLS 1.2 that the Go of this version takes where none is given: from Go 1.22 on without those that
/// exchange keys by RSA, from Go 1.23 on without 3DES (`crypto/tls`, release notes).
pub(super) fn ciphers(minor: i64) -> Option<Vec<&'static str>> {
    let minor = known(minor)?;
    let mut suites = vec![
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    ];
    if minor < 30 {
        suites.extend([
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            "TLS_RSA_WITH_AES_256_CBC_SHA",
            "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        ]);
    }
    if minor < 32 {
        suites.push("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA");
    }
    Some(suites)
}

/// The API server's port in clear.
pub(super) fn insecure_port(minor: i64) -> Option<Value> {
    known(minor).map(|minor| Value::Int(if minor < 20 { 8080 } else { 0 }))
}

/// The address of that port.
pub(super) fn insecure_address(minor: i64) -> Option<Value> {
    known(minor).map(|minor| if minor < 20 { Value::from("127.0.0.1") } else { Value::Null })
}

/// The controller manager's port in clear; when it went between 1.22 and 1.24 is not known here.
pub(super) fn manager_port(minor: i64) -> Option<Value> {
    match known(minor)? {
        ..22 => Some(Value::Int(10252)),
        24.. => Some(Value::Int(0)),
        _ => None,
    }
}

/// The scheduler's.
pub(super) fn scheduler_port(minor: i64) -> Option<Value> {
    match known(minor)? {
        ..22 => Some(Value::Int(10251)),
        24.. => Some(Value::Int(0)),
        _ => None,
    }
}

/// Whether tokens that are put into pods live longer than they are meant to.
pub(super) fn extended_tokens(minor: i64) -> Option<Value> {
    match known(minor)? {
        21.. => Some(Value::Bool(true)),
        _ => None,
    }
}

/// Whether requests are queued by who sends them: by a feature gate from 1.18 on, which is on from 1.20 on.
pub(super) fn fairness(minor: i64) -> Option<bool> {
    known(minor).map(|minor| minor >= 20)
}

/// How many events a kubelet records in a second.
pub(super) fn event_qps(minor: i64) -> Option<Value> {
    known(minor).map(|minor| Value::Int(if minor < 27 { 5 } else { 50 }))
}

/// How many more for a moment.
pub(super) fn event_burst(minor: i64) -> Option<Value> {
    known(minor).map(|minor| Value::Int(if minor < 27 { 10 } else { 100 }))
}

/// Where a kubelet looks for its container runtime.
pub(super) fn runtime_endpoint(minor: i64) -> Option<Value> {
    match known(minor)? {
        27.. => Some(Value::from("unix:///run/containerd/containerd.sock")),
        // Before 1.24 there was Docker, and then a search of sockets.
        _ => Some(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_that_the_benchmark_wants_on_are_on_and_others_are_not() {
        for minor in OLDEST..=NEWEST {
            let plugins = admission(minor).unwrap();
            assert!(plugins.contains(&"NamespaceLifecycle") && plugins.contains(&"ServiceAccount"));
            assert!(!plugins.contains(&"NodeRestriction") && !plugins.contains(&"AlwaysAdmit"));
            assert_eq!(plugins.contains(&"PodSecurity"), minor >= 22);
        }
        assert_eq!(admission(35).unwrap().len(), 23);
        assert_eq!(admission(32).unwrap().len(), 21);
        assert!(admission(99).is_none() && admission(5).is_none());
    }

    #[test]
    fn newer_go_takes_fewer_suites() {
        assert!(ciphers(29).unwrap().iter().any(|s| s.starts_with("TLS_RSA_")));
        assert!(ciphers(31).unwrap().iter().any(|s| s.contains("3DES")));
        assert!(!ciphers(32).unwrap().iter().any(|s| s.contains("3DES") || s.starts_with("TLS_RSA_")));
    }
}
