use serde_json::json;

use super::*;
use crate::kubernetes::object::Positions as _;

fn read(text: &str) -> Vec<Read> {
    let mut out = Vec::new();
    documents(text.as_bytes(), |one| out.push(one)).unwrap();
    out
}

fn one(text: &str) -> Document {
    let mut all = read(text);
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0).unwrap_or_else(|why| panic!("{text}: {why:?}"))
}

fn why(text: &str) -> String {
    let refused = |read: Vec<Read>| read.into_iter().find_map(Result::err).map(|broken| broken.reason);
    let mut out = Vec::new();
    match documents(text.as_bytes(), |one| out.push(one)) {
        Err(why) => why,
        Ok(()) => refused(out).unwrap_or_else(|| panic!("{text:?} was read")),
    }
}

/// In these the other reader takes the colon for a part of the key; the value is null in both.
const COLONS: [&str; 1] = ["a: {b:, c: }\n"];

/// What the reader of Kubernetes' own tools made of each text, and what is made of it here: equal, or read by one alone.
fn compare(recorded: &str) -> (usize, Vec<String>, Vec<String>) {
    let (mut equal, mut wrong, mut alone) = (0, Vec::new(), Vec::new());
    for line in recorded.lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        let text = row["yaml"].as_str().unwrap();
        let mut read = Vec::new();
        let done = documents(text.as_bytes(), |one| read.push(one));
        let here = match (done, read.into_iter().next()) {
            (Err(why), _) => Err(why),
            (Ok(()), Some(Err(why))) => Err(why.reason),
            (Ok(()), Some(Ok(document))) => Ok(document.json),
            (Ok(()), None) => Ok(Json::Null),
        };
        match (row.get("json"), here) {
            (Some(there), Ok(here)) if whole(there) == whole(&here) => equal += 1,
            (None, Err(_)) => equal += 1,
            (Some(_), Ok(_)) if COLONS.contains(&text) => equal += 1,
            (Some(there), Ok(here)) => wrong.push(format!("{text:?}: there {there}, here {here}")),
            (Some(_), Err(why)) => alone.push(format!("{text:?}: refused here: {why}")),
            (None, Ok(here)) => alone.push(format!("{text:?}: refused there: {}, here {here}", row["error"])),
        }
    }
    (equal, wrong, alone)
}

/// Numbers as whatever reads the JSON takes them: `1e3` is written 1000.
fn whole(json: &Json) -> Json {
    match json {
        Json::Number(number) if number.is_f64() || number.as_i64().is_none() => {
            build::float(number.as_f64().unwrap()).unwrap()
        }
        Json::Array(items) => items.iter().map(whole).collect(),
        Json::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), whole(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn texts_are_read_as_kubernetes_tools_read_them() {
    let (equal, wrong, alone) = compare(include_str!("../../../fixtures/yaml/reader.jsonl"));
    println!("{equal} equal, {} read by one alone:\n{}", alone.len(), alone.join("\n"));
    assert_eq!(wrong, Vec::<String>::new());
    assert!(equal > 1600 && alone.len() < 50);
}

#[test]
fn every_field_has_its_line_and_column() {
    let text = "# a pod\napiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  labels:\n    app.kubernetes.io/name: x\n    app: y\nspec:\n  containers:\n  - name: a\n    image: é # b\n  - {name: b, securityContext: {privileged: true}}\n";
    let document = one(text);
    assert_eq!(document.line, 2);
    for (field, expected) in [
        ("", (2, 1)),
        ("kind", (3, 1)),
        ("metadata.labels.app.kubernetes.io/name", (7, 5)),
        ("metadata.labels[\"app.kubernetes.io/name\"]", (7, 5)),
        ("metadata.labels.app", (8, 5)),
        ("spec.containers", (10, 3)),
        ("spec.containers[0]", (11, 5)),
        ("spec.containers[0].image", (12, 5)),
        ("spec.containers[1].securityContext.privileged", (13, 33)),
        // What is not there stands where it would: at the nearest above.
        ("spec.containers[1].securityContext.capabilities.drop", (13, 15)),
        ("spec.hostNetwork", (9, 1)),
        ("spec.containers[7].image", (10, 3)),
    ] {
        assert_eq!(document.marks.of(field), Some(expected), "{field}");
    }
    let json = text.replace("# a pod\n", "");
    let json = serde_json::to_string_pretty(&one(&json).json).unwrap();
    let of_json = one(&format!("\n{json}"));
    assert_eq!(of_json.line, 2);
    assert_eq!(of_json.json, document.json);
    for (field, line) in [("kind", 4), ("spec.containers[1].securityContext.privileged", 21)] {
        let (found, column) = of_json.marks.of(field).unwrap();
        let line_of_text = json.lines().nth(found - 2).unwrap();
        assert_eq!(found, line, "{field}");
        assert!(
            line_of_text[column - 1..].starts_with(&format!("\"{}\"", field.rsplit('.').next().unwrap())),
            "{line_of_text}"
        );
    }
}

#[test]
fn columns_of_a_single_line_count_characters() {
    let document = one(r#"{"é": 1, "b": {"üü": 2, "c": [3, 4]}}"#);
    for (field, column) in [("é", 2), ("b", 10), ("b.üü", 16), ("b.c", 25)] {
        assert_eq!(document.marks.of(field), Some((1, column)), "{field}");
    }
}

#[test]
fn places_of_merged_and_repeated_fields_are_where_their_text_stands() {
    let text = "base: &base\n  privileged: true\n  user: 1\na:\n  <<: *base\n  user: 2\nb: *base\n";
    let document = one(text);
    assert_eq!(document.json["a"], json!({"privileged": true, "user": 2}));
    for (field, expected) in [("a.privileged", (2, 3)), ("a.user", (6, 3)), ("b", (7, 1)), ("b.user", (3, 3))] {
        assert_eq!(document.marks.of(field), Some(expected), "{field}");
    }
}

#[test]
fn documents_are_told_apart_and_a_broken_one_costs_itself() {
    let text = "# none\n---\na: 1\n--- # the second\nb: [\n---\n\n---\n# nothing\n---\nc: 3\n---not: a separator\n---\nd: |\n  x\n  --- y\n";
    let all = read(text);
    let lines: Vec<_> = all.iter().map(|r| r.as_ref().map(|d| d.line).map_err(|b| b.line)).collect();
    assert_eq!(lines, [Ok(3), Err(6), Ok(11), Ok(14)]);
    assert_eq!(all[2].as_ref().unwrap().json, json!({"c": 3, "---not": "a separator"}));
    assert_eq!(all[3].as_ref().unwrap().json, json!({"d": "x\n--- y\n"}));
    let all = read("%YAML 1.1\n---\na: 1\n...\n---\nb: 2\n");
    assert_eq!(all.len(), 2);
    // Anchors end with their document.
    assert!(why("a: &x 1\n---\nb: *x\n").contains("unknown anchor"));
    assert!(one("a: 1\n...\nb: 2\n").doubts[0].contains("what follows `...` in line"));
    let many: String = (0..100_000).map(|i| format!("---\na: {i}\n")).collect();
    let all = read(&many);
    assert_eq!(all.len(), 100_000);
    assert_eq!(all[99_999].as_ref().unwrap().line, 200_000);
}

#[test]
fn bombs_are_refused_and_cost_little() {
    let mut laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for i in 1..12 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    assert!(why(&laughs).contains("aliases expand to more than 400000 values"), "{}", why(&laughs));
    let mut merges = "a0: &a0 {x: 1}\n".to_owned();
    for i in 1..40 {
        merges.push_str(&format!("a{i}: &a{i}\n  <<: [*a{}, *a{}]\n", i - 1, i - 1));
    }
    assert!(why(&merges).contains("aliases expand to more than"), "{}", why(&merges));
    for cyclic in ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a\n  <<: *a\n", "a: &a [&b [*a, *b]]\n"] {
        assert!(why(cyclic).contains("holds an alias of itself"), "{cyclic}: {}", why(cyclic));
    }
    for deep in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "{\"a\":".repeat(100_000),
        "? ".repeat(100_000),
    ] {
        let why = why(&deep);
        assert!(!why.contains('\n') && why.len() < 300, "{why}");
    }
    let indented: String = (0..2000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    assert!(why(&indented).contains("nested deeper than 256"));
}

#[test]
fn what_is_given_twice_is_told() {
    for text in ["a: 1\nb: 2\na: 3\n", "{\"a\": 1,\n\"b\": 2,\n\"a\": 3}", "x: &x {b: 1}\n<<: *x\na: 1\nb: 2\na: 3\n"] {
        let document = one(text);
        assert_eq!(document.json["a"], 3, "{text}");
        assert_eq!(document.doubts.len(), 1, "{text}: {:?}", document.doubts);
        assert!(document.doubts[0].starts_with("`a` is given again in line "), "{:?}", document.doubts);
    }
    assert_eq!(one("x: &x {b: 1}\ny:\n  <<: *x\n  b: 2\n").doubts, Vec::<String>::new());
    let many: String = (0..50_000).map(|i| format!("a{}: {i}\n", i % 30_000)).collect();
    let document = one(&many);
    assert_eq!((document.json["a5"].clone(), document.doubts.len()), (json!(30_005), 8));
    assert_eq!(document.marks.of("a5"), Some((30_006, 1)));
}

#[test]
fn texts_that_readers_disagree_about_are_refused() {
    for (bytes, words) in [
        (&b"\xff\xfea\0:\0"[..], "UTF-16"),
        (b"\xfe\xff\0a", "UTF-16"),
        (b"a: caf\xe9\n", "not UTF-8 in line 1"),
        (b"a: 1\nb: \0\n", "binary, not a text (line 2)"),
        (b"a: b # x\xe2\x80\xa8c: d\n", "line 1 holds U+2028"),
        (b"a: b # x\xc2\x85c: d\n", "line 1 holds U+0085"),
        (b"a: \x1b[31m\n", "U+001B"),
    ] {
        let why = documents(bytes, |_| ()).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    assert_eq!(one("\u{feff}a: é\n").json, json!({"a": "é"}));
    assert!(why("a:\n\tb: c\n").contains("tab"), "{}", why("a:\n\tb: c\n"));
}

#[test]
fn json_is_read_as_json_and_several_after_each_other() {
    let all = read("{\"a\": \"\\ud83d\\ude00\\/\"}\n {\"b\": [1, -2.5e1, true, null, {}, []]}\n");
    assert_eq!(all[0].as_ref().unwrap().json, json!({"a": "😀/"}));
    assert_eq!((all[1].as_ref().unwrap().line, all[1].as_ref().unwrap().json["b"][2].clone()), (2, json!(true)));
    // YAML in braces is no JSON.
    assert_eq!(one("{a: [yes]}").json, json!({"a": [true]}));
    assert!(why("{\"a\": 1,\n \"b\": [}").starts_with("as JSON, "), "{}", why("{\"a\": 1,\n \"b\": [}"));
    let all = read("{\"a\": 1}\n{\"b\":");
    assert!(all[0].is_ok() && all[1].as_ref().is_err_and(|broken| broken.line == 2), "{all:?}");
}

#[test]
fn a_huge_scalar_is_a_value_like_others() {
    let huge = "x".repeat(8 << 20);
    assert_eq!(one(&format!("a: {huge}\nb: 1\n")).json["a"].as_str().unwrap().len(), 8 << 20);
    assert_eq!(one(&format!("a: |\n  {huge}\nb: 1\n")).json["b"], 1);
    assert_eq!(one(&format!("{{\"a\": \"{huge}\"}}")).json["a"].as_str().unwrap().len(), 8 << 20);
}

#[test]
fn templates_are_known_by_their_braces() {
    for text in ["image: {{ .Values.image }}\n", "{{- if x }}\na: b\n{{- end }}\n", "a: {% if x %}b{% endif %}\n"] {
        assert!(read(text)[0].as_ref().is_err_and(|broken| broken.is_template), "{text}");
    }
}

/// Values that every reader of YAML agrees about, however they are laid out.
fn values() -> impl proptest::strategy::Strategy<Value = Json> {
    use proptest::prelude::*;
    let text = prop_oneof![
        "[a-z0-9 _./:#'\"{}\\[\\],&*!|>%@`é-]{0,12}",
        Just(String::new()),
        Just("yes".into()),
        Just("0755".into())
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        text.clone().prop_map(Json::from)
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::vec(("k[a-z]{0,5}", inner), 0..5)
                .prop_map(|fields| Json::Object(fields.into_iter().collect()))
        ]
    })
}

/// A value in block style, texts in double quotes; `shift` decides how lists are indented.
fn block(json: &Json, depth: usize, shift: usize, out: &mut String) {
    let indent = " ".repeat(depth);
    match json {
        Json::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                out.push_str(&format!("\n{indent}{key}:"));
                block(value, depth + 2, shift, out);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            let outer = " ".repeat(depth.saturating_sub(if depth > 1 { shift } else { 0 }));
            for item in items {
                out.push_str(&format!("\n{outer}-"));
                block(item, outer.len() + 2, 0, out);
            }
        }
        other => out.push_str(&format!(" {other}")),
    }
}

fn other_reader(yaml: &saphyr::Yaml<'_>) -> Json {
    use saphyr::{Scalar, Yaml};
    match yaml {
        Yaml::Value(Scalar::Null) => Json::Null,
        Yaml::Value(Scalar::Boolean(value)) => Json::from(*value),
        Yaml::Value(Scalar::Integer(value)) => Json::from(*value),
        Yaml::Value(Scalar::String(text)) => Json::from(&**text),
        Yaml::Sequence(items) => items.iter().map(other_reader).collect(),
        Yaml::Mapping(fields) => {
            fields.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), other_reader(value))).collect()
        }
        other => panic!("{other:?}"),
    }
}

proptest::proptest! {
    #[test]
    fn values_are_read_as_they_were_written_and_as_another_reader_reads_them(json in values(), shift in proptest::bool::ANY) {
        use saphyr::LoadableYamlNode as _;
        let mut text = String::new();
        block(&json, 0, if shift { 2 } else { 0 }, &mut text);
        text.push('\n');
        let there = other_reader(&saphyr::Yaml::load_from_str(&text).unwrap()[0]);
        proptest::prop_assert_eq!(&there, &json, "{}", text);
        let here = read(&text).pop().map_or(Json::Null, |read| read.unwrap().json);
        proptest::prop_assert_eq!(&here, &json, "{}", text);
        let flow = read(&format!("a: {json}\n")).remove(0).unwrap();
        proptest::prop_assert_eq!(&flow.json["a"], &json);
        let pretty = serde_json::to_string_pretty(&serde_json::json!({ "a": json })).unwrap();
        proptest::prop_assert_eq!(&read(&pretty).remove(0).unwrap().json["a"], &json);
    }
}

#[test]
fn lines_end_where_yaml_ends_them() {
    for text in ["a: 1\r\r---\rb: 2\r\n---\nc: 3\n", "a: 1\n\n# x\nb: 2\n---\nc: 3\n"] {
        let mut lines = Vec::new();
        documents(text.as_bytes(), |read| lines.push(read.map(|d| d.marks.of("c")))).unwrap();
        assert_eq!(lines.last().unwrap().as_ref().unwrap(), &Some((6, 1)), "{text:?}");
    }
}
