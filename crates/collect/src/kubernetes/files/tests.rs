use seaworthy_core::kubernetes::ONLY_A_CLUSTER;
use seaworthy_core::schema::kubernetes::{CLUSTER, CONTAINER, KUBELET, POD, SERVICE_ACCOUNT};
use seaworthy_core::value::Value;

use super::*;

fn read(text: &str) -> Target {
    target(text.as_bytes(), None, &Redactor::new())
}

fn accounts(target: &Target) -> Vec<&str> {
    target.of(&SERVICE_ACCOUNT).map(|component| &*component.name).collect()
}

#[test]
fn versions_are_those_of_kubernetes() {
    for (text, version, minor) in [
        ("1.35", "1.35", 35),
        ("v1.0.12", "1.0.12", 0),
        ("1.33.5-gke.1200", "1.33.5-gke.1200", 33),
        ("1.34.1+k3s1", "1.34.1+k3s1", 34),
    ] {
        assert_eq!(text.parse::<Version>().unwrap(), Version { text: version.to_owned(), minor }, "{text}");
    }
    for text in [
        "", "v", "1", "1.", "2.3", "1.x", "1.-3", "1.2.3.4", "1.2.x", "1.35-", "1.35-a b", "1.1000", "latest", "1.35\n",
    ] {
        let why = text.parse::<Version>().unwrap_err();
        assert!(why.contains("is no version of Kubernetes"), "{why}");
    }
    let version: Version = "v1.31.2".parse().unwrap();
    let target =
        target(b"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n", Some(&version), &Redactor::new());
    let cluster = target.of(&CLUSTER).next().unwrap();
    assert_eq!((cluster.value("version"), cluster.value("minor")), (&Value::from("1.31.2"), &Value::from(31)));
    assert!(
        read("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n")
            .of(&CLUSTER)
            .next()
            .unwrap()
            .value("minor")
            .is_unknown()
    );
}

#[test]
fn users_of_its_own_count_from_the_version_that_heeds_them() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a}\nspec:\n  hostUsers: false\n  containers: [{name: c, image: 'a:1'}]\n";
    for (version, known) in [("1.32", false), ("1.33", true)] {
        let target = target(pod.as_bytes(), Some(&version.parse().unwrap()), &Redactor::new());
        let fact = |kind, name| target.of(kind).next().unwrap().fact(name).clone();
        assert_eq!(!fact(&POD, "host_users").value.is_unknown(), known, "{version}");
        assert_eq!(!fact(&CONTAINER, "user_namespace").value.is_unknown(), known, "{version}");
    }
}

#[test]
fn what_is_not_there_is_unknown_and_what_is_broken_may_be_anything() {
    let good = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n";
    let target = read(good);
    assert_eq!(accounts(&target), ["default/a"]);
    assert_eq!(target.incomplete.get(KUBELET.name).map(String::as_str), Some(ONLY_A_CLUSTER));
    assert!(!target.incomplete.contains_key(SERVICE_ACCOUNT.name), "{:?}", target.incomplete);
    for broken in [
        "a: [\n",
        "{{ if x }}\n",
        "apiVersion: v1\nkind: ServiceAccount\n",
        "apiVersion: v9\nkind: ServiceAccount\nmetadata: {name: b}\n",
    ] {
        let target = read(&format!("{good}---\n{broken}"));
        assert_eq!(accounts(&target), ["default/a"], "{broken}");
        let why = &target.incomplete[SERVICE_ACCOUNT.name];
        assert!(why.starts_with("manifest.yaml: line "), "{why}");
        assert!(target.gaps.iter().any(|gap| gap.reason.starts_with("line ")), "{:?}", target.gaps);
    }
}

#[test]
fn lists_hold_objects_and_lists_as_deep_as_is_bounded() {
    let mut text = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"a"}}"#.to_owned();
    for _ in 0..MOST_LISTS {
        text = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{text}]}}"#);
    }
    assert_eq!(accounts(&read(&text)), ["default/a"]);
    let deeper = read(&format!(r#"{{"apiVersion":"v1","kind":"List","items":[{text}]}}"#));
    assert!(accounts(&deeper).is_empty() && deeper.gaps[0].reason.contains("lists in lists"), "{:?}", deeper.gaps);
    // The API server leaves kind and version out of the items of its own lists.
    let typed = read("apiVersion: v1\nitems:\n- metadata: {name: b}\n- null\n- 5\nkind: ServiceAccountList\n");
    assert_eq!(accounts(&typed), ["default/b"]);
    let place = &typed.of(&SERVICE_ACCOUNT).next().unwrap().fact("name").source;
    assert_eq!(place.to_string(), "manifest.yaml: 3:14 metadata.name");
}

#[test]
fn braces_are_a_template_only_where_the_api_has_its_own_words() {
    let account = |more: &str| format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: a, {more}}}\n");
    for free in ["annotations: {x: \"{{ $labels.pod }}\"}", "labels: {x: \"${Y}\"}"] {
        assert_eq!(accounts(&read(&account(free))), ["default/a"], "{free}");
    }
    for text in ["namespace: \"{{ x }}\"", "namespace: \"${NS}\"", "namespace: \"{% x %}\""] {
        let target = read(&account(text));
        assert!(
            accounts(&target).is_empty() && target.gaps[0].reason.contains("a template that nobody rendered"),
            "{text}"
        );
    }
}

#[test]
fn kinds_that_nothing_reads_are_counted_and_secrets_in_names_are_taken_out() {
    let target = read(
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8}\n",
    );
    assert_eq!(target.about, "1 object in 1 file, 1 more of kinds that nothing reads (Widget)");
    assert!(!format!("{target:?}").contains("ghp_a1B2"));
}

#[test]
fn a_kustomization_tells_patches_from_resources() {
    let read = |text: &str| kustomize::read(text.as_bytes()).unwrap();
    let plain =
        read("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml, ../base]\n");
    assert_eq!(plain, kustomize::Kustomization::default());
    let changing = read(
        "resources: [a.yaml]\npatches:\n- path: ./p.yaml\n  target: {kind: Pod}\nimages: [{name: web, newTag: \"2\"}]\n",
    );
    assert!(
        changing.changes && !changing.makes && changing.named.contains("p.yaml") && !changing.named.contains("a.yaml")
    );
    for text in [
        "configMapGenerator: [{name: c}]\n",
        "resources: [https://example.com/x.yaml]\n",
        "helmCharts: [{name: x}]\n",
        "components: [../c]\n",
    ] {
        assert!(read(text).makes, "{text}");
    }
    assert!(kustomize::read(b"a: [").is_none() && kustomize::read(b"\xff").is_none());
}

#[test]
fn objects_of_apis_that_were_taken_away_are_not_passed_over() {
    let old = "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: web}\n---\napiVersion: \
               policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: b}\n";
    let of = |text: &str, version: Option<&str>| {
        let version = version.map(|version| version.parse::<Version>().unwrap());
        target(text.as_bytes(), version.as_ref(), &Redactor::new())
    };
    let removed = |target: &Target| target.of(&CLUSTER).next().unwrap().value("removed_apis").clone();
    let now = of(old, Some("1.35"));
    let told: Vec<String> = removed(&now).as_list().unwrap().iter().map(Value::to_string).collect();
    assert_eq!(
        told,
        [
            "extensions/v1beta1 Ingress web, not served since 1.22: manifest.yaml:1",
            "policy/v1beta1 PodDisruptionBudget b, not served since 1.25: manifest.yaml:5"
        ]
    );
    // What the file says may be missing among what was read, and that is a gap, not another kind.
    let reasons: Vec<&str> = now.gaps.iter().map(|gap| &*gap.reason).collect();
    assert!(
        reasons.iter().any(|why| why.contains("not served since 1.22; write it for networking.k8s.io/v1")),
        "{reasons:?}"
    );
    assert_eq!(removed(&of(old, Some("1.24"))).as_list().unwrap().len(), 1);
    assert!(removed(&of(old, None)).is_unknown());
    let good = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n";
    assert_eq!(removed(&of(good, None)), Value::List(Vec::new()));
    assert!(removed(&of(&format!("{good}---\na: [\n"), Some("1.35"))).is_unknown());
}
