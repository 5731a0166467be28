//! What a scalar is: the rules of YAML 1.1 as go-yaml version 2 has them.

use std::borrow::Cow;

/// The value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'t> {
    Null,
    Bool(bool),
    Int(i64),
    /// Above the largest of the signed ones.
    Large(u64),
    Float(f64),
    Text(Cow<'t, str>),
}

/// A plain scalar without a tag.
pub(super) fn plain(text: Cow<'_, str>) -> Scalar<'_> {
    match text.as_bytes().first() {
        None | Some(b'~' | b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O') => word(text),
        Some(b'.') => match word(text) {
            Scalar::Text(text) => dotted(&text).map_or(Scalar::Text(text), Scalar::Float),
            found => found,
        },
        Some(b'+' | b'-' | b'0'..=b'9') => match word(text) {
            Scalar::Text(text) => number(&text).unwrap_or(Scalar::Text(text)),
            found => found,
        },
        Some(_) => Scalar::Text(text),
    }
}

/// Words that stand for something.
fn word(text: Cow<'_, str>) -> Scalar<'_> {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => Scalar::Text(text),
    }
}

/// A number that begins with its point, in which underscores part digits.
fn dotted(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let is_digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let parts_digits = |(i, byte): (usize, &u8)| *byte != b'_' || (is_digit(i - 1) && is_digit(i + 1));
    if !bytes.iter().enumerate().all(parts_digits) {
        return None;
    }
    text.replace('_', "").parse::<f64>().ok().filter(|value| value.is_finite())
}

fn number(text: &str) -> Option<Scalar<'static>> {
    let plain: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    if let Some(value) = integer(&plain) {
        return Some(value);
    }
    if !is_float(&plain) {
        return None;
    }
    plain.parse::<f64>().ok().filter(|value| value.is_finite()).map(Scalar::Float)
}

/// Go's `ParseInt` and `ParseUint` with base 0: `0x1f`, `0o17`, `017`, `0b11`, with a sign.
fn integer(text: &str) -> Option<Scalar<'static>> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' | b'-' => text.split_at(1),
        _ => ("", text),
    };
    let bytes = digits.as_bytes();
    let (base, digits) = match (bytes.first()?, bytes.get(1).map(u8::to_ascii_lowercase)) {
        (b'0', Some(b'b')) if bytes.len() > 2 => (2, &digits[2..]),
        (b'0', Some(b'o')) if bytes.len() > 2 => (8, &digits[2..]),
        (b'0', Some(b'x')) if bytes.len() > 2 => (16, &digits[2..]),
        (b'0', Some(_)) => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let value = u64::from_str_radix(digits, base).ok()?;
    match (sign, i64::try_from(value)) {
        ("-", Ok(value)) => Some(Scalar::Int(-value)),
        ("-", Err(_)) => (value == i64::MIN.unsigned_abs()).then_some(Scalar::Int(i64::MIN)),
        (_, Ok(value)) => Some(Scalar::Int(value)),
        ("", Err(_)) => Some(Scalar::Large(value)),
        (_, Err(_)) => None,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let whole = digits(rest);
    rest = &rest[whole..];
    if let Some(after) = rest.strip_prefix('.') {
        let part = digits(after);
        if whole == 0 && part == 0 {
            return false;
        }
        rest = &after[part..];
    } else if whole == 0 {
        return false;
    }
    match rest.strip_prefix(['e', 'E']) {
        None => rest.is_empty(),
        Some(power) => {
            let power = power.strip_prefix(['+', '-']).unwrap_or(power);
            !power.is_empty() && digits(power) == power.len()
        }
    }
}

/// A scalar with a tag of YAML's own: `str`, `int`.
pub(super) fn tagged<'t>(tag: &str, text: Cow<'t, str>) -> Result<Scalar<'t>, String> {
    let refused = |text: &str| Err(format!("`{}` is no !!{tag}", shown(text)));
    match tag {
        "str" => Ok(Scalar::Text(text)),
        "timestamp" => {
            let is_date =
                matches!(plain(Cow::Borrowed(&*text)), Scalar::Text(_)) && text.as_bytes().get(4) == Some(&b'-');
            if is_date { Ok(Scalar::Text(text)) } else { refused(&text) }
        }
        "bool" | "int" | "float" | "null" => match (tag, plain(text)) {
            ("bool", found @ Scalar::Bool(_))
            | ("int", found @ (Scalar::Int(_) | Scalar::Large(_)))
            | ("float", found @ Scalar::Float(_))
            | ("null", found @ Scalar::Null) => Ok(found),
            #[allow(clippy::cast_precision_loss, reason = "what go-yaml does")]
            ("float", Scalar::Int(value)) => Ok(Scalar::Float(value as f64)),
            (_, Scalar::Text(text)) => refused(&text),
            _ => Err(format!("a value that is tagged !!{tag} is something else")),
        },
        "binary" => Err("it holds a !!binary, which no object of the API does".to_owned()),
        _ => Ok(Scalar::Text(text)),
    }
}

/// A text of others, short.
pub(super) fn shown(text: &str) -> &str {
    crate::docker::history::within(text, 40)
}

/// A number as a key of an object, as sigs.k8s.io/yaml writes it: Go's `FormatFloat(value, 'g', -1, 32)`,
/// which turns to powers of ten at the sixth digit.
pub(super) fn float_key(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    #[allow(clippy::cast_possible_truncation, reason = "32 bits are what Kubernetes' reader writes")]
    let value = value as f32;
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, power)) = scientific.split_once('e') else { return scientific };
    let power: i32 = power.parse().unwrap_or(0);
    if !(-4..6).contains(&power) {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", power.abs());
    }
    format!("{value}")
}
