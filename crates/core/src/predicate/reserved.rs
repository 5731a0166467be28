//! Facts whose names CEL keeps for itself (`namespace`): they are given other names of the same length while the parser
//! looks, so that places in the text stay what they are.

use std::borrow::Cow;

use super::PredicateError;
use crate::schema::Kind;

/// Words that CEL keeps for languages around it; the parser refuses them as identifiers.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

/// Names in place of those that the parser refuses.
#[derive(Debug, Default)]
pub(super) struct Masks(Vec<(&'static str, String)>);

impl Masks {
    /// The text as the parser may have it. Only facts of the kind are masked: another reserved word is an error that the
    /// parser tells best.
    pub(super) fn of<'a>(text: &'a str, kind: &Kind) -> (Cow<'a, str>, Self) {
        let mut masks = Vec::new();
        for word in RESERVED.into_iter().filter(|word| kind.index(word).is_some() && text.contains(word)) {
            let letters = (b'A'..=b'Z').map(|letter| char::from(letter).to_string().repeat(word.len()));
            // One that stands in the text already might be somebody's variable.
            let mut free =
                letters.filter(|mask| !text.contains(mask.as_str()) && !masks.iter().any(|(_, m)| m == mask));
            if let Some(mask) = free.next() {
                masks.push((word, mask));
            }
        }
        let masks = Self(masks);
        if masks.0.is_empty() { (Cow::Borrowed(text), masks) } else { (Cow::Owned(masks.put(text)), masks) }
    }

    /// The name that was meant.
    pub(super) fn meant<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.iter().find(|(_, mask)| mask == name).map_or(name, |(word, _)| word)
    }

    /// An error with the words that the author wrote.
    pub(super) fn in_words(&self, mut error: PredicateError) -> PredicateError {
        for (word, mask) in &self.0 {
            error.message = error.message.replace(mask.as_str(), word);
        }
        error
    }

    /// Puts the masks in place of the words, but not in texts, comments and names of fields.
    fn put(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        let mut selects = false;
        while at < bytes.len() {
            let from = at;
            if let Some(end) = literal(bytes, at) {
                at = end;
                selects = false;
            } else if bytes[at..].starts_with(b"//") {
                at = bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n);
            } else if is_word(bytes[at]) {
                at = bytes[at..].iter().position(|b| !is_word(*b)).map_or(bytes.len(), |n| at + n);
                let word = &text[from..at];
                let mask = self.0.iter().find(|(of, _)| *of == word && !selects);
                out.push_str(mask.map_or(word, |(_, mask)| mask));
                selects = false;
                continue;
            } else {
                // What follows a point is a field, whatever blanks stand between.
                selects = bytes[at] == b'.' || (selects && bytes[at].is_ascii_whitespace());
                at += text[at..].chars().next().map_or(1, char::len_utf8);
            }
            out.push_str(&text[from..at]);
        }
        out
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where a text that begins here ends; none where none begins.
fn literal(bytes: &[u8], at: usize) -> Option<usize> {
    let prefix = bytes[at..].iter().take_while(|b| b"rRbB".contains(b)).count();
    if prefix > 2 || (prefix > 0 && at > 0 && is_word(bytes[at - 1])) {
        return None;
    }
    let quote = *bytes.get(at + prefix).filter(|b| b"'\"".contains(b))?;
    let raw = bytes[at..at + prefix].iter().any(|b| b"rR".contains(b));
    let triple = bytes[at + prefix..].starts_with(&[quote; 3]);
    let closing: &[u8] = if triple { &[quote; 3] } else { &[quote] };
    let mut i = at + prefix + closing.len();
    while i < bytes.len() {
        if bytes[i] == b'\\' && !raw {
            i += 2;
        } else if bytes[i..].starts_with(closing) {
            return Some(i + closing.len());
        } else {
            i += 1;
        }
    }
    // One without an end is an error of its own.
    Some(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::super::{Predicate, Truth};
    use super::*;
    use crate::component::Component;
    use crate::fact::Source;
    use crate::schema::kubernetes::{NODE, POD, SERVICE};

    fn truth(text: &str) -> Truth {
        let mut pod = Component::new(&POD, "Pod/shop/web", "shop/web");
        pod.set("namespace", "shop", Source::place("test"));
        pod.set("labels", crate::value::Value::strings(["namespace=x"]), Source::place("test"));
        Predicate::compile(text, &POD).unwrap_or_else(|error| panic!("{text}: {error}")).evaluate(&pod).truth
    }

    #[test]
    fn a_fact_may_be_called_like_a_reserved_word() {
        for text in [
            r#"namespace == "shop""#,
            r#"namespace != "namespace" && !("namespace" == 'shop')"#,
            r#"labels.exists(l, l == r'namespace=x') && namespace.startsWith("sh")"#,
            r#"labels.all(namespace, namespace == "namespace=x")"#,
            r#"labels.exists(AAAAAAAAA, AAAAAAAAA.contains("namespace") && namespace == "shop")"#,
            r#""a\"namespace" != namespace // namespace"#,
            r#"'''it's namespace''' != namespace"#,
            r#"namespace in ["namespace", "shop"]"#,
        ] {
            assert_eq!(truth(text), Truth::True, "{text}");
        }
        assert_eq!(truth(r#"namespace == "namespace""#), Truth::False);
        assert!(matches!(
            Predicate::compile("namespace == 'x'", &SERVICE)
                .unwrap()
                .evaluate(&Component::new(&SERVICE, "a", "a"))
                .truth,
            Truth::Unknown(_)
        ));
    }

    #[test]
    fn what_is_wrong_is_said_in_the_authors_words_and_place() {
        let error = |text: &str| Predicate::compile(text, &POD).unwrap_err();
        let wrong = error("host_pid && namespace");
        assert!(wrong.message.contains("expected a bool") && wrong.offset == 12, "{wrong:?}");
        assert!(!error("namespace.nothing == 1").message.contains("AAAA"));
        assert!(error("namespaces == 'x'").message.contains("there is `namespace`"));
        // A reserved word that is no fact of the kind is the parser's to refuse.
        assert!(Predicate::compile("namespace == 'x'", &NODE).unwrap_err().message.contains("namespace"));
        assert!(error("package == 'x'").message.contains("package"));
    }

    #[test]
    fn any_text_keeps_its_length() {
        for text in
            ["namespace", "'namespace", "r'\\' + namespace", "x.namespace", "x . namespace", "namespace'é'", "\"\\"]
        {
            let (masked, _) = Masks::of(text, &POD);
            assert_eq!(masked.len(), text.len(), "{text}");
        }
        assert_eq!(Masks::of("x. namespace == namespace", &POD).0, "x. namespace == AAAAAAAAA");
        assert_eq!(Masks::of("r'\\' == namespace", &POD).0, "r'\\' == AAAAAAAAA");
        assert_eq!(Masks::of("'\\' == namespace' == namespace", &POD).0, "'\\' == namespace' == AAAAAAAAA");
    }
}
