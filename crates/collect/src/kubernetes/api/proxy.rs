//! Which proxy leads to an API server: as Go's clients decide it.

use std::net::IpAddr;

use http::Uri;

/// The proxy to a server: the kubeconfig's, else the environment's, unless NO_PROXY excepts the server.
pub(super) fn of(
    server: &Uri,
    named: Option<&str>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, String> {
    let first = |names: [&str; 2]| names.iter().find_map(|name| environment(name).filter(|v| !v.is_empty()));
    let parse = |text: &str| {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        with_scheme.parse::<Uri>().map(Some).map_err(|_| "the proxy is no address".to_owned())
    };
    if let Some(named) = named.filter(|n| !n.is_empty()) {
        return parse(named);
    }
    let variables = if server.scheme_str() == Some("https") {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    };
    let Some(proxy) = first(variables) else { return Ok(None) };
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("https") { 443 } else { 80 });
    let excepted = first(["NO_PROXY", "no_proxy"]).is_some_and(|list| is_excepted(host, port, &list));
    if excepted || is_here(host) { Ok(None) } else { parse(&proxy) }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_excepted(host: &str, port: u16, list: &str) -> bool {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| matches(host, port, entry))
}

fn matches(host: &str, port: u16, entry: &str) -> bool {
    if entry == "*" {
        return true;
    }
    let ip = host.parse::<IpAddr>().ok();
    if let Some((net, bits)) = entry.split_once('/') {
        let (Some(ip), Ok(net), Ok(bits)) = (ip, net.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
        return is_within(ip, net, bits);
    }
    let whole = entry.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, p)) if !whole => match p.parse::<u16>() {
            Ok(p) => (name, Some(p)),
            Err(_) => return false,
        },
        _ => (entry, None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
    if let (Some(ip), Ok(other)) = (ip, name.parse::<IpAddr>()) {
        return ip == other;
    }
    let host = host.to_ascii_lowercase();
    let name = name.strip_prefix('*').unwrap_or(&name);
    match name.strip_prefix('.') {
        Some(_) => host.ends_with(name),
        None => host == name || host.ends_with(&format!(".{name}")),
    }
}

fn is_within(ip: IpAddr, net: IpAddr, bits: u32) -> bool {
    match (ip, net) {
        (IpAddr::V4(ip), IpAddr::V4(net)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(ip) & mask == u32::from(net) & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(net)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(ip) & mask == u128::from(net) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(server: &str, named: Option<&str>, no_proxy: &str) -> Option<String> {
        let environment = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://proxy.example:3128".to_owned()),
            "NO_PROXY" => Some(no_proxy.to_owned()),
            _ => None,
        };
        of(&server.parse().unwrap(), named, &environment).unwrap().map(|uri| uri.to_string())
    }

    #[test]
    fn the_server_and_not_the_proxy_is_held_against_the_exceptions() {
        let by = Some("http://proxy.example:3128/".to_owned());
        assert_eq!(proxy("https://api.example:6443", None, ""), by);
        assert_eq!(proxy("https://api.example:6443", None, "proxy.example"), by);
        assert_eq!(proxy("https://api.example:6443", None, "example"), None);
        assert_eq!(proxy("https://api.example:6443", None, ".example"), None);
        assert_eq!(proxy("https://api.example:6443", None, "api.example:443"), by);
        assert_eq!(proxy("https://10.1.2.3:6443", None, "10.0.0.0/8"), None);
        assert_eq!(proxy("https://11.1.2.3:6443", None, "10.0.0.0/8"), by);
        assert_eq!(proxy("https://[fd00::1]:6443", None, "fd00::/8"), None);
        assert_eq!(proxy("https://127.0.0.1:6443", None, ""), None);
        assert_eq!(proxy("http://api.example:8080", None, ""), None);
        // The kubeconfig's own holds without exceptions.
        assert_eq!(proxy("https://127.0.0.1:6443", Some("http://p:1"), "*"), Some("http://p:1/".to_owned()));
    }
}
