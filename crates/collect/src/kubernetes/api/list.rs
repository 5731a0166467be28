//! One list, page by page.

use std::sync::Arc;

use bytes::Bytes;

use super::client::{Api, JSON};
use super::failure::Failure;
use super::feed::{Feed, Page, Seen, Wanted, glance};

/// Objects a page. ConfigMaps may be a megabyte each, the others are small.
const PAGE: usize = 500;
/// ConfigMaps a page.
const PAGE_OF_LARGE: usize = 100;
/// The most bytes of one page: 64 MiB. A page with more is asked for in tenths.
const MOST_BYTES: usize = 64 << 20;
/// The most pages of one list: two million objects.
const MOST_PAGES: usize = 4_000;

/// Lists a resource and hands on what there is. The error is why the rest is missing.
pub(super) async fn list(
    api: &Api,
    feed: &Arc<Feed>,
    wanted: &Wanted,
    version: &'static str,
    namespace: Option<&str>,
) -> Result<(), Failure> {
    let base = base(wanted, version, namespace);
    let mut seen = Seen::default();
    loop {
        match pages(api, feed, wanted, version, &base, &mut seen).await {
            // What was handed on stays true; only the rest is asked for again.
            Err(Failure::Status { code: 410, .. }) if seen.pass == 0 => seen.pass = 1,
            Err(Failure::Status { code: 410, .. }) => {
                return Err(Failure::Other(
                    "the list expired twice while it was read; the API server is too slow for its changes".into(),
                ));
            }
            Ok(()) if seen.nameless > 0 => {
                return Err(Failure::Foreign(format!("{} items without a name", seen.nameless)));
            }
            other => return other,
        }
    }
}

fn base(wanted: &Wanted, version: &str, namespace: Option<&str>) -> String {
    let resource = &wanted.resource;
    let root = if resource.group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{}/{version}", resource.group)
    };
    match namespace.filter(|_| resource.namespaced) {
        Some(namespace) => format!("{root}/namespaces/{}/{}", escape(namespace), resource.plural),
        None => format!("{root}/{}", resource.plural),
    }
}

async fn pages(
    api: &Api,
    feed: &Arc<Feed>,
    wanted: &Wanted,
    version: &'static str,
    base: &str,
    seen: &mut Seen,
) -> Result<(), Failure> {
    let mut size = if wanted.resource.plural == "configmaps" { PAGE_OF_LARGE } else { PAGE };
    let mut current = fetch(api, base, &mut size, None).await?;
    for _ in 0..MOST_PAGES {
        let ahead = glance(&current);
        let parsing = parse(feed, wanted, version, current, std::mem::take(seen));
        let (page, following) = match &ahead {
            Some(token) => {
                let (page, following) = tokio::join!(parsing, fetch(api, base, &mut size, Some(token)));
                (page, Some(following))
            }
            None => (parsing.await, None),
        };
        let (page, back) = page?;
        *seen = back;
        let Some(next) = page.next else { return Ok(()) };
        if page.is_repeated {
            return Err(Failure::Foreign("pages without end: one brought nothing new and promised more".into()));
        }
        if ahead.as_ref() == Some(&next) && following.is_some() {
            current = following.unwrap_or(Err(Failure::Given))?;
        } else {
            current = fetch(api, base, &mut size, Some(&next)).await?;
        }
    }
    Err(Failure::Foreign(format!("pages without end: more than {MOST_PAGES}")))
}

/// Parses a page and hands on its objects, away from the threads that wait for the network.
async fn parse(
    feed: &Arc<Feed>,
    wanted: &Wanted,
    version: &'static str,
    bytes: Bytes,
    mut seen: Seen,
) -> Result<(Page, Seen), Failure> {
    let (feed, wanted) = (Arc::clone(feed), wanted.clone());
    let parsed =
        tokio::task::spawn_blocking(move || feed.page(&wanted, version, &bytes, &mut seen).map(|page| (page, seen)));
    parsed.await.unwrap_or_else(|panic| Err(Failure::Other(format!("reading a page failed: {panic}"))))
}

/// One page; smaller ones from there on, where it is too large.
async fn fetch(api: &Api, base: &str, size: &mut usize, token: Option<&str>) -> Result<Bytes, Failure> {
    loop {
        let token = token.map_or_else(String::new, |token| format!("&continue={}", escape(token)));
        match api.get(&format!("{base}?limit={size}{token}"), JSON, MOST_BYTES).await {
            Err(Failure::TooLarge(_)) if *size > 1 => *size = (*size / 10).max(1),
            other => return other,
        }
    }
}

/// A text as part of an address.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
