//! Components by their arguments and by files in temporary directories: what is given, what is not, and what means harm.

use seaworthy_core::component::Component;
use seaworthy_core::value::Value;

use super::find::Which;
use super::flags::{Flags, Style};
use super::machine;
use super::process::Part;
use super::sheet::{Run, Sheet};
use super::view::View;
use crate::host::testing::host;
use crate::redact::Redactor;

/// A component that was started with these words, beside these files, before or after they were written.
struct Given<'a> {
    which: Which,
    words: &'a str,
    files: &'a [(&'a str, &'a str)],
    started_at: i64,
    minor: Option<i64>,
    within: Option<&'static str>,
}

impl Default for Given<'_> {
    fn default() -> Self {
        Self { which: Which::Kubelet, words: "", files: &[], started_at: i64::MAX / 2, minor: Some(35), within: None }
    }
}

fn decide(given: &Given<'_>) -> Component {
    let (_dir, root) = host(given.files);
    let view = View::for_test(root, "/srv", given.started_at);
    let words: Vec<&str> = given.words.split_whitespace().collect();
    let style = if given.which == Which::Etcd { Style::Go } else { Style::Pflag };
    let redactor = Redactor::new();
    let run = Run {
        flags: Ok(Flags::parse(&words, style)),
        place: "/proc/1/cmdline".into(),
        minor: given.minor,
        within: given.within,
        files: &view,
        redactor: &redactor,
    };
    let (id, name) = machine::names("node", given.which, 1);
    let mut part = Part::new(Sheet::new(given.which.kind(), id, name, &run));
    machine::settings(given.which, &mut part);
    part.finish(true);
    part.sheet.c
}

fn kubelet(words: &str, files: &[(&str, &str)]) -> Component {
    decide(&Given { words, files, ..Given::default() })
}

fn apiserver(words: &str, files: &[(&str, &str)]) -> Component {
    decide(&Given { which: Which::Apiserver, words, files, ..Given::default() })
}

const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

fn boolean(c: &Component, fact: &str) -> Option<bool> {
    c.value(fact).as_bool()
}

#[test]
fn a_kubelet_without_a_file_is_open_and_one_with_an_empty_file_is_not() {
    let open = kubelet("--kubeconfig=/k", &[]);
    assert_eq!(
        (boolean(&open, "anonymous_auth"), open.value("authorization_mode").as_str()),
        (Some(true), Some("AlwaysAllow"))
    );
    assert_eq!(open.value("read_only_port").as_int(), Some(10255));
    let shut = kubelet("--config=/c.yaml", &[("/c.yaml", HEAD)]);
    assert_eq!(
        (boolean(&shut, "anonymous_auth"), shut.value("authorization_mode").as_str()),
        (Some(false), Some("Webhook"))
    );
    assert_eq!(shut.value("read_only_port").as_int(), Some(0));
    // Drop-ins alone lie over what flags have by default.
    let drop_in = kubelet("--config-dir=/d", &[("/d/a.conf", &format!("{HEAD}podPidsLimit: 7\n"))]);
    assert_eq!((boolean(&drop_in, "anonymous_auth"), drop_in.value("pod_pids_limit").as_int()), (Some(true), Some(7)));
}

#[test]
fn paths_are_relative_to_the_working_directory_or_to_the_file() {
    let text = format!("{HEAD}staticPodPath: manifests\nauthentication:\n  x509:\n    clientCAFile: /pki/ca.crt\n");
    let c = kubelet("--config kubelet.yaml --kubeconfig ../conf", &[("/srv/kubelet.yaml", &text)]);
    assert_eq!(c.value("static_pod_path").as_str(), Some("/srv/manifests"));
    assert_eq!(c.value("client_ca_file").as_str(), Some("/pki/ca.crt"));
    assert_eq!(c.value("kubeconfig").as_str(), Some("/conf"));
    assert_eq!(c.value("config_files").to_string(), "[/srv/kubelet.yaml]");
}

#[test]
fn what_cannot_be_read_or_changed_since_is_unknown_and_flags_count_all_the_same() {
    let bomb = format!(
        "{HEAD}a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]\n"
    );
    let deep = "[".repeat(100_000);
    for text in [
        bomb.as_str(),
        deep.as_str(),
        "",
        "\u{0}",
        "kind: Pod\n",
        "{",
        "\t- a: b",
        HEAD.trim_end_matches("Configuration\n"),
    ] {
        let c = kubelet("--config=/c.yaml --anonymous-auth=false", &[("/c.yaml", text)]);
        assert_eq!(boolean(&c, "anonymous_auth"), Some(false));
        for fact in ["read_only_port", "authorization_mode", "client_ca_file", "static_pod_path", "feature_gates"] {
            assert!(c.value(fact).is_unknown(), "{fact} of {:.40}: {}", text, c.value(fact));
        }
    }
    let files = [("/c.yaml", HEAD)];
    let young = decide(&Given { words: "--config=/c.yaml", files: &files, started_at: 0, ..Given::default() });
    assert!(young.value("anonymous_auth").is_unknown());
    assert_eq!(young.value("configured_not_active").to_string(), "[/c.yaml]");
    assert!(kubelet("--config=/none.yaml", &[]).value("anonymous_auth").is_unknown());
    let wrong = kubelet("--config=/c.yaml", &[("/c.yaml", &format!("{HEAD}readOnlyPort: \"0\"\n"))]);
    assert!(wrong.value("read_only_port").is_unknown() && !wrong.value("anonymous_auth").is_unknown());
}

#[test]
fn links_in_a_circle_are_unknown_and_nothing_hangs() {
    let (dir, root) = host(&[]);
    std::os::unix::fs::symlink("b.yaml", dir.path().join("a.yaml")).unwrap();
    std::os::unix::fs::symlink("a.yaml", dir.path().join("b.yaml")).unwrap();
    let view = View::for_test(root, "/", i64::MAX / 2);
    let redactor = Redactor::new();
    let run = Run {
        flags: Ok(Flags::parse(&["--config=/a.yaml", "--config-dir=/a.yaml"], Style::Pflag)),
        place: "test".into(),
        minor: Some(35),
        within: None,
        files: &view,
        redactor: &redactor,
    };
    let mut part = Part::new(Sheet::new(Which::Kubelet.kind(), "a".into(), "a".into(), &run));
    machine::settings(Which::Kubelet, &mut part);
    assert!(part.sheet.c.value("anonymous_auth").is_unknown());
}

#[test]
fn an_api_server_that_allows_everything_knows_nobody_without_a_name() {
    assert_eq!(boolean(&apiserver("", &[]), "anonymous_auth"), Some(false));
    assert_eq!(apiserver("", &[]).value("authorizers").to_string(), "[AlwaysAllow]");
    assert_eq!(boolean(&apiserver("--authorization-mode=Node,RBAC", &[]), "anonymous_auth"), Some(true));
    let joined = apiserver("--authorization-mode AlwaysAllow --authorization-mode=RBAC", &[]);
    assert_eq!(joined.value("authorizers").to_string(), "[AlwaysAllow, RBAC]");
}

#[test]
fn structured_files_take_the_place_of_flags() {
    let authn = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous:\n  enabled: true\n  \
                 conditions:\n  - path: /livez\n";
    let authz = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n- type: Node\n  \
                 name: node\n- type: RBAC\n  name: rbac\n";
    let c = apiserver(
        "--authentication-config=/n.yaml --authorization-config=/z.yaml",
        &[("/n.yaml", authn), ("/z.yaml", authz)],
    );
    assert_eq!(
        (boolean(&c, "anonymous_auth"), c.value("anonymous_paths").to_string()),
        (Some(true), "[/livez]".into())
    );
    assert_eq!(c.value("authorizers").to_string(), "[Node, RBAC]");
    let gone = apiserver("--authentication-config=/n.yaml --authorization-config=/z.yaml", &[]);
    assert!(gone.value("anonymous_auth").is_unknown() && gone.value("authorizers").is_unknown());
}

#[test]
fn a_flag_whose_name_only_begins_alike_sets_nothing() {
    let c = apiserver("--encryption-provider-config-automatic-reload", &[]);
    assert_eq!(c.value("secrets_encrypted_by").as_str(), Some("identity"));
    assert_eq!(c.value("encryption_config_file"), &Value::Null);
}

#[test]
fn what_the_version_decides_is_unknown_without_one_and_by_it_with_one() {
    let of = |which, minor| decide(&Given { which, minor, ..Given::default() });
    for fact in ["admission_plugins", "tls_cipher_suites", "insecure_port", "priority_and_fairness"] {
        assert!(of(Which::Apiserver, None).value(fact).is_unknown(), "{fact}");
        assert!(of(Which::Apiserver, Some(99)).value(fact).is_unknown() || fact == "insecure_port", "{fact}");
        assert!(!of(Which::Apiserver, Some(35)).value(fact).is_unknown(), "{fact}");
    }
    assert_eq!(of(Which::Apiserver, Some(19)).value("insecure_port").as_int(), Some(8080));
    assert_eq!(of(Which::Kubelet, Some(26)).value("event_record_qps").as_int(), Some(5));
    assert_eq!(of(Which::Kubelet, Some(27)).value("event_record_qps").as_int(), Some(50));
}

#[test]
fn a_component_within_another_program_is_unknown_where_nothing_is_given() {
    let words = "--anonymous-auth=false --authorization-mode=Node,RBAC";
    let c = decide(&Given { which: Which::Apiserver, words, within: Some("k3s"), ..Given::default() });
    assert_eq!(
        (boolean(&c, "anonymous_auth"), c.value("authorizers").to_string()),
        (Some(false), "[Node, RBAC]".into())
    );
    for fact in
        ["profiling", "token_auth_file", "audit_log_path", "admission_plugins", "secrets_encrypted_by", "audit_levels"]
    {
        assert!(c.value(fact).is_unknown(), "{fact}: {}", c.value(fact));
    }
}

#[test]
fn etcd_asks_for_certificates_where_it_has_authorities() {
    let etcd =
        |words: &str, files: &[(&str, &str)]| decide(&Given { which: Which::Etcd, words, files, ..Given::default() });
    assert_eq!(boolean(&etcd("--trusted-ca-file=/ca", &[]), "client_cert_auth"), Some(true));
    assert_eq!(boolean(&etcd("", &[]), "client_cert_auth"), Some(false));
    let file = "client-transport-security:\n  client-cert-auth: true\n  auto-tls: true\nlisten-client-urls: http://a:1,https://b:2\ndata-dir: /data\n";
    let c = etcd("--config-file=/e.yaml --auto-tls=false --data-dir=/other", &[("/e.yaml", file)]);
    // The file alone counts.
    assert_eq!((boolean(&c, "client_cert_auth"), boolean(&c, "auto_tls")), (Some(true), Some(true)));
    assert_eq!(c.value("listen_client_urls").to_string(), "[http://a:1, https://b:2]");
    assert_eq!(c.value("data_dir").as_str(), Some("/data"));
}

#[test]
fn with_a_file_flags_of_proxy_and_scheduler_have_no_effect() {
    let proxy =
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmetricsBindAddress: 0.0.0.0\n";
    let words = "--config=/p.yaml --metrics-bind-address=127.0.0.1:10249 --hostname-override=n";
    let c = decide(&Given { which: Which::Proxy, words, files: &[("/p.yaml", proxy)], ..Given::default() });
    assert_eq!(c.value("metrics_bind_address").as_str(), Some("0.0.0.0:10249"));
    assert_eq!((boolean(&c, "metrics_loopback"), c.value("hostname_override").as_str()), (Some(false), Some("n")));
    let none = decide(&Given { which: Which::Proxy, ..Given::default() });
    assert_eq!(boolean(&none, "metrics_loopback"), Some(true));
    let file = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
    let words = "--config=/s.yaml --profiling=false --bind-address=127.0.0.1";
    let c = decide(&Given { which: Which::Scheduler, words, files: &[("/s.yaml", file)], ..Given::default() });
    assert_eq!((boolean(&c, "profiling"), c.value("bind_address").as_str()), (Some(true), Some("127.0.0.1")));
}

#[test]
fn no_secret_of_an_argument_is_kept() {
    let words = "--etcd-servers=https://user:S3CRETS3CRET@etcd:2379 --oidc-issuer-url=https://u:S3CRETS3CRET@issuer";
    let c = apiserver(words, &[]);
    assert!(!format!("{c:?}").contains("S3CRET"), "{c:?}");
}

#[test]
fn cipher_suites_in_effect_are_those_given_else_those_of_go() {
    let suites = |words: &str| apiserver(words, &[]).value("tls_cipher_suites").to_string();
    assert!(suites("").contains("CBC"));
    let one = suites("--tls-cipher-suites=TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305");
    assert!(one.contains("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256") && !one.contains("CBC"));
    assert!(!suites("--tls-min-version=VersionTLS13").contains("ECDHE"));
}
