//! How long the certificates hold by which the API and its clients know each other.

use seaworthy_core::value::Value;
use serde_json::Value as Json;
use x509_parser::pem::Pem;

use super::daemon::bounded;
use crate::daemon::effective::{Effective, Settings};
use crate::daemon::file::change_since;
use crate::daemon::find::Daemon;
use crate::engine::Engine;

/// The largest file of certificates read: 1 MiB.
const LIMIT: usize = 1 << 20;
/// A day in seconds.
const DAY: i64 = 86_400;

/// From when until when a certificate holds, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    begin: i64,
    end: i64,
}

/// One certificate: where it is, and when it holds or why that is not known.
pub(super) type Held = (String, Result<Span, String>);

/// The certificate of the API, the one that was shown to us or else that of the file that it serves; and the authority by
/// which it knows its clients, all of whom are refused once that has ended.
pub(super) fn of_api(
    engine: &Engine,
    settings: &Settings,
    daemon: Result<&Daemon, &str>,
    now: i64,
) -> Result<Value, String> {
    let known = |name: &str| match settings.get(name).map(|s| &s.value) {
        Some(Effective::Known(value)) => Ok(value),
        Some(Effective::Unknown(why)) => Err(why.clone()),
        None => Err("its TLS settings are not known".to_owned()),
    };
    let mut found: Vec<Held> = Vec::new();
    let shown = engine.peer_certificate();
    if let Some(peer) = shown {
        let span = Span { begin: peer.not_before, end: peer.not_after };
        found.push(("the certificate that it showed".to_owned(), Ok(span)));
    }
    let on = known("tls");
    let Ok(daemon) = daemon else {
        return if shown.is_some() { Ok(list(found, now)) } else { Err(on.err().unwrap_or_default()) };
    };
    match (on, shown) {
        (Ok(Json::Bool(true)), _) => {}
        (Ok(_), _) | (Err(_), Some(_)) => return Ok(list(found, now)),
        (Err(why), None) => return Err(why),
    }
    let path = |name: &str| known(name).ok().and_then(Json::as_str).filter(|path| !path.is_empty());
    if shown.is_none() {
        let path = path("tlscert").ok_or("which certificate it serves is not known")?;
        found.push(in_file(daemon, path, first));
    }
    if let (Ok(Json::Bool(true)), Some(path)) = (known("tlsverify"), path("tlscacert")) {
        found.push(in_file(daemon, path, last_to_end));
    }
    Ok(list(found, now))
}

fn list(found: Vec<Held>, now: i64) -> Value {
    let one = |(path, span): Held| {
        let days = |days: fn(Span, i64) -> i64| match &span {
            Ok(span) => days(*span, now).into(),
            Err(why) => Value::unknown(why.as_str()),
        };
        Value::Object(vec![
            ("path", bounded(&path)),
            ("begins_in_days", days(|span, now| (span.begin - now + DAY - 1).div_euclid(DAY).max(0))),
            ("expires_in_days", days(|span, now| (span.end - now).div_euclid(DAY))),
        ])
    };
    Value::List(found.into_iter().map(one).collect())
}

/// What a file of certificates holds, by the one that counts. The daemon read it when it started and not since.
fn in_file(daemon: &Daemon, path: &str, counts: fn(&[u8]) -> Option<Span>) -> Held {
    let path = match daemon.absolute(path) {
        Ok(path) => path,
        Err(why) => return (path.to_owned(), Err(why)),
    };
    let span = daemon.view().and_then(|view| {
        let changed = change_since(&view, &path, daemon.started_at, "dockerd");
        view.read(&path, LIMIT).map(|bytes| (bytes, changed))
    });
    let span = match span {
        Err(why) => Err(format!("{path}: {why}")),
        Ok((_, Some(change))) => Err(format!("which certificate is in use cannot be read: {change}")),
        Ok((bytes, None)) => counts(&bytes).ok_or_else(|| format!("{path}: no certificate")),
    };
    (path, span)
}

/// The server's own certificate comes first.
fn first(bytes: &[u8]) -> Option<Span> {
    spans(bytes).next()
}

/// Of several authorities, those that ended stand beside the one that took their place.
fn last_to_end(bytes: &[u8]) -> Option<Span> {
    spans(bytes).max_by_key(|span| span.end)
}

fn spans(bytes: &[u8]) -> impl Iterator<Item = Span> + '_ {
    Pem::iter_from_buffer(bytes).map_while(Result::ok).take(1000).filter_map(|pem| {
        let validity = pem.parse_x509().ok()?.validity().clone();
        Some(Span { begin: validity.not_before.timestamp(), end: validity.not_after.timestamp() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(begin: i32, end: i32) -> String {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(begin, 1, 1);
        params.not_after = rcgen::date_time_ymd(end, 1, 1);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn the_first_certificate_is_the_servers_and_the_last_to_end_the_authoritys() {
        let both = format!("{}rubbish\n{}", pem(2020, 2030), pem(2025, 2050));
        let year = |span: Span| 1970 + span.end / (365 * DAY + DAY / 4);
        assert_eq!(first(both.as_bytes()).map(year), Some(2030));
        assert_eq!(last_to_end(both.as_bytes()).map(year), Some(2050));
        assert_eq!(first(b"no certificate"), None);
    }

    #[test]
    fn days_are_whole_and_what_has_not_begun_is_told() {
        let told = |begin, end| {
            let Value::List(list) = list(vec![("p".into(), Ok(Span { begin, end }))], 10 * DAY) else { panic!() };
            let days = |field: &str| list[0].field(field).and_then(Value::as_int).unwrap();
            (days("begins_in_days"), days("expires_in_days"))
        };
        assert_eq!(told(0, 12 * DAY + 1), (0, 2));
        assert_eq!(told(10 * DAY, 10 * DAY - 1), (0, -1));
        assert_eq!(told(10 * DAY + 1, 100 * DAY), (1, 90));
    }
}
