//! Quantities of resources: `100m`, `1Gi`, `0.5`, `2e3`.

use serde_json::Value as Json;

use super::read::{Node, Read, other_type};

/// A quantity in thousandths, rounded up, as the API server rounds what is finer; at most what 64 bits hold.
pub(super) fn thousandths(node: Node<'_>) -> Read<Option<i64>> {
    match node {
        Node::None => Ok(None),
        // An unquoted number is read like its text.
        Node::Is(Json::Number(number)) => parse(&number.to_string(), 3).map(Some).ok_or_else(other_type),
        Node::Is(Json::String(text)) => parse(text, 3).map(Some).ok_or_else(other_type),
        _ => Err(other_type()),
    }
}

/// A quantity in whole units, rounded up; at most what 64 bits hold.
pub(super) fn whole(node: Node<'_>) -> Read<Option<i64>> {
    match node {
        Node::None => Ok(None),
        Node::Is(Json::Number(number)) => parse(&number.to_string(), 0).map(Some).ok_or_else(other_type),
        Node::Is(Json::String(text)) => parse(text, 0).map(Some).ok_or_else(other_type),
        _ => Err(other_type()),
    }
}

/// A request or a limit: of nothing it is none, since the kubelet and the runtime take 0 for no bound.
pub(super) fn bound(read: Read<Option<i64>>) -> Read<Option<i64>> {
    read.map(|amount| amount.filter(|&amount| amount != 0))
}

/// The longest quantity that is read, in bytes; the API server's own limit on digits is lower.
const LONGEST: usize = 64;

/// The number times ten to the `scale`, rounded up.
fn parse(text: &str, scale: i32) -> Option<i64> {
    if text.len() > LONGEST {
        return None;
    }
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let (binary, decimal) = factor(suffix)?;
    let digits: String = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    // A number of more digits than 128 bits hold is beyond every resource; its fraction decides nothing there.
    let mantissa: u128 = digits.parse().ok()?;
    let exponent = decimal + scale - i32::try_from(fraction.len()).ok()?;
    let scaled = scale_by_ten(mantissa.checked_mul(1 << binary)?, exponent);
    let most = i64::MAX.unsigned_abs();
    let magnitude = i64::try_from(scaled.min(u128::from(most))).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// Powers of two and of ten that a suffix stands for.
fn factor(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            (0, exponent.clamp(-100, 100))
        }
    })
}

/// Rounded away from zero, as the API server rounds.
fn scale_by_ten(mantissa: u128, exponent: i32) -> u128 {
    let power = 10u128.checked_pow(exponent.unsigned_abs());
    match (exponent >= 0, power) {
        (true, Some(power)) => mantissa.saturating_mul(power),
        (true, None) => u128::MAX,
        (false, Some(power)) => mantissa.div_ceil(power),
        (false, None) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_are_read_as_the_api_server_reads_them() {
        for (text, milli) in [
            ("100m", 100),
            ("0.1", 100),
            (".5", 500),
            ("1", 1000),
            ("1.", 1000),
            ("2e3", 2_000_000),
            ("1E", i64::MAX),
            ("1n", 1),
            ("0", 0),
            ("-0.5", -500),
            ("1Ki", 1_024_000),
            ("+3", 3000),
        ] {
            assert_eq!(thousandths(Node::of(&json!(text))), Ok(Some(milli)), "{text}");
        }
        for (text, units) in [
            ("64Mi", 64 << 20),
            ("1.5Gi", 3 << 29),
            ("129M", 129_000_000),
            ("128974848", 128_974_848),
            ("100m", 1),
            ("1e-3", 1),
            ("8Ei", i64::MAX),
            ("9999999999999999999", i64::MAX),
        ] {
            assert_eq!(whole(Node::of(&json!(text))), Ok(Some(units)), "{text}");
        }
        assert_eq!(whole(Node::of(&json!(7))), Ok(Some(7)));
        assert_eq!(thousandths(Node::of(&json!(0.25))), Ok(Some(250)));
        assert_eq!(whole(Node::None), Ok(None));
        for wrong in
            [json!("1 Gi"), json!("one"), json!(""), json!("1.2.3"), json!("Gi"), json!(true), json!("9".repeat(65))]
        {
            assert!(whole(Node::of(&wrong)).is_err(), "{wrong}");
        }
    }
}
