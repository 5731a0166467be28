//! kube-proxy's settings in effect: with a configuration file its flags for what the file says have no effect, but for
//! the node's name.

use std::net::IpAddr;

use seaworthy_core::value::Value;

use super::process::Part;
use super::sheet::Sheet;

/// Sets every fact of a kube-proxy.
pub(super) fn decide(part: &mut Part<'_>) {
    part.configuration("config", "proxy-config", false);
    part.file("kubeconfig", "kubeconfig", "clientConnection.kubeconfig", "proxy-kubeconfig");
    let sheet = &mut part.sheet;
    sheet.text("bind_address", "bind-address", "bindAddress", "0.0.0.0");
    if sheet.c.value("bind_address").as_str() == Some("") {
        let source = sheet.c.fact("bind_address").source.clone();
        sheet.c.set("bind_address", "0.0.0.0", source);
    }
    let six = match sheet.c.value("bind_address") {
        Value::Str(address) => Ok(address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6())),
        _ => Err("its address is unknown"),
    };
    let (loopback, all) = if six == Ok(true) { ("[::1]", "[::]") } else { ("127.0.0.1", "0.0.0.0") };
    address(sheet, "metrics_bind_address", "metrics-bind-address", "metricsBindAddress", loopback, 10249);
    address(sheet, "healthz_bind_address", "healthz-bind-address", "healthzBindAddress", all, 10256);
    let metrics = sheet.c.fact("metrics_bind_address").clone();
    match &metrics.value {
        Value::Str(text) => sheet.c.set("metrics_loopback", loopback_only(text), metrics.source),
        Value::Unknown(why) => sheet.c.set_unknown("metrics_loopback", why.as_ref(), metrics.source),
        _ => {}
    }
    sheet.text("mode", "proxy-mode", "mode", "");
    sheet.boolean("profiling", "profiling", "enableProfiling", false);
    sheet.list("node_port_addresses", "nodeport-addresses", "nodePortAddresses", Value::List(Vec::new()));
    let by_flag = sheet.run.flags.as_ref().is_ok_and(|flags| flags.given("hostname-override"));
    let config = if by_flag { sheet.config.take() } else { None };
    sheet.optional("hostname_override", "hostname-override", "hostnameOverride");
    if by_flag {
        sheet.config = config;
    }
}

/// An address with its port, which is added where it is missing.
fn address(sheet: &mut Sheet<'_>, fact: &str, flag: &str, field: &str, host: &str, port: u16) {
    sheet.text(fact, flag, field, format!("{host}:{port}"));
    let Some(text) = sheet.c.value(fact).as_str().map(str::to_owned) else { return };
    let source = sheet.c.fact(fact).source.clone();
    let in_file = sheet.config.is_some();
    let full = match text.parse::<IpAddr>() {
        // An empty one in the file is not said; by flag it means none at all.
        _ if text.is_empty() && in_file => format!("{host}:{port}"),
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        Ok(IpAddr::V4(ip)) => format!("{ip}:{port}"),
        Err(_) => text,
    };
    sheet.c.set(fact, full, source);
}

/// Whether nobody but the node itself reaches an address with its port.
fn loopback_only(text: &str) -> bool {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host).trim_matches(['[', ']']);
    text.is_empty() || text.ends_with(":0") || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_everything() {
        for text in ["127.0.0.1:10249", "[::1]:10249", "", "127.0.0.9:1", "[::ffff:127.0.0.1]:1"] {
            assert!(loopback_only(text), "{text}");
        }
        for text in ["0.0.0.0:10249", "[::]:10249", "10.0.0.1:10249", "localhost.evil:10249", ":10249"] {
            assert!(!loopback_only(text), "{text}");
        }
    }
}
