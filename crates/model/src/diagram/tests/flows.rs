//! Each kind of flow: proven, possible, absent.

use super::*;
use FlowKind as K;

const LAN: &str = "actor.local-network";
const INTERNET: &str = "actor.internet";
const USER: &str = "actor.local-user";
const GROUP: &str = "actor.engine-group";
const DAEMON: &str = "docker.daemon";
const HOST: &str = "docker.host";

fn unknown() -> Value {
    Value::unknown("denied")
}

fn one(item: Value) -> Value {
    Value::List(vec![item])
}

fn api(address: &str, tls: &str, loopback: bool) -> Host {
    Host::new().daemon("listeners", one(listener(address, tls, loopback, "api")))
}

/// What a published port of `web` comes to for an actor.
fn published(from: &str, ports: Value) -> &'static str {
    Host::new().web(&[("ports", ports)]).diagram().word(K::PublishedPort, from, "web")
}

#[test]
fn a_harmless_host_has_no_flow_from_outside() {
    let snapshot = Host::new().web(&[]).snapshot();
    let drawn = Drawn(diagram(&snapshot, None));
    check(&snapshot, &drawn.0);
    let outside = |at: usize| drawn.0.elements[at].kind.starts_with("actor.");
    let from: Vec<_> = drawn.0.flows.iter().filter(|f| outside(f.from)).map(|f| (f.kind, &f.label)).collect();
    assert!(from.is_empty(), "{from:?}");
    assert_eq!(drawn.word(K::ContainerNetwork, "web", "shop"), "proven");
    assert_eq!(drawn.word(K::Log, "web", DAEMON), "absent");
}

#[test]
fn published_ports_are_drawn_by_their_address() {
    assert_eq!(published(LAN, one(port("0.0.0.0", 80, 8080))), "proven");
    assert_eq!(published(LAN, one(port("192.168.1.5", 80, 8080))), "proven");
    assert_eq!(published(LAN, one(port("127.0.0.1", 80, 8080))), "absent");
    assert_eq!(published(LAN, none()), "absent");
    assert_eq!(published(LAN, unknown()), "possible");
    assert_eq!(published(LAN, one(unknown())), "possible");
    assert_eq!(published(INTERNET, one(port("0.0.0.0", 80, 8080))), "possible");
    assert_eq!(published(INTERNET, one(port("8.8.8.8", 80, 8080))), "proven");
    assert_eq!(published(INTERNET, one(port("192.168.1.5", 80, 8080))), "absent");
    assert_eq!(published(INTERNET, one(port("127.0.0.1", 80, 8080))), "absent");
    assert_eq!(published(INTERNET, unknown()), "possible");
}

/// What the packet filter may do with port 80: from the networks, from the internet.
fn filtered(networks: Value, internet: Value, addresses: Value) -> [&'static str; 2] {
    let row = one(admits("0.0.0.0", 80, networks, internet));
    let web = [("ports", one(port("0.0.0.0", 80, 8080))), ("packet_filter", row)];
    let drawn = Host::new().host("addresses", addresses).web(&web).diagram();
    [LAN, INTERNET].map(|from| drawn.word(K::PublishedPort, from, "web"))
}

#[test]
fn the_packet_filter_and_the_addresses_decide_who_reaches_a_port() {
    let address = |global: bool| {
        one(Value::Object(vec![
            ("interface", "eth0".into()),
            ("address", "192.0.2.1".into()),
            ("global", global.into()),
        ]))
    };
    let (yes, no) = (|| Value::from(true), || Value::from(false));
    assert_eq!(filtered(yes(), yes(), address(true)), ["proven", "proven"]);
    assert_eq!(filtered(yes(), yes(), address(false)), ["proven", "possible"]);
    assert_eq!(filtered(yes(), yes(), unknown()), ["proven", "possible"]);
    assert_eq!(filtered(yes(), no(), address(true)), ["proven", "absent"]);
    assert_eq!(filtered(no(), no(), address(true)), ["absent", "absent"]);
    assert_eq!(filtered(unknown(), yes(), address(true)), ["possible", "proven"]);
    assert_eq!(filtered(unknown(), unknown(), address(true)), ["possible", "possible"]);
    // Rules that were not read prove nothing.
    let drawn = Host::new().web(&[("ports", one(port("0.0.0.0", 80, 8080))), ("packet_filter", none())]).diagram();
    assert_eq!(drawn.word(K::PublishedPort, LAN, "web"), "possible");
}

#[test]
fn both_families_of_a_port_are_one_flow() {
    let ports = Value::List(vec![port("0.0.0.0", 80, 8080), port("::", 80, 8080)]);
    let drawn = Host::new().web(&[("ports", ports)]).diagram();
    let flows = drawn.flows(K::PublishedPort, LAN, "web");
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].label, "0.0.0.0:80 → 8080/tcp");
    assert!(flows[0].crosses);
}

#[test]
fn what_does_not_run_is_possible() {
    let stopped = [("running", false.into()), ("ports", one(port("0.0.0.0", 80, 80)))];
    let drawn = Host::new().web(&stopped).diagram();
    assert_eq!(drawn.word(K::PublishedPort, LAN, "web"), "possible");
    assert_eq!(drawn.word(K::ContainerNetwork, "web", "shop"), "possible");
    let drawn = Host::new().web(&[("running", unknown()), ("ports", one(port("0.0.0.0", 80, 80)))]).diagram();
    assert_eq!(drawn.word(K::PublishedPort, LAN, "web"), "possible");
}

#[test]
fn loopback_was_reached_from_the_link_before_28() {
    let word = |fact, value: Value| {
        let host = Host::new().daemon("version", "27.5.1").daemon(fact, value);
        host.web(&[("ports", one(port("127.0.0.1", 80, 80)))]).diagram().word(K::PublishedPort, LAN, "web")
    };
    assert_eq!(word("version", "27.5.1".into()), "proven");
    assert_eq!(word("version", "20.10.24+dfsg1".into()), "proven");
    assert_eq!(word("version", "28.0.0".into()), "absent");
    assert_eq!(word("version", unknown()), "possible");
    assert_eq!(word("version", "master".into()), "possible");
    // Where nothing filters, whoever is on the link routes to the container itself.
    assert_eq!(word("iptables", false.into()), "proven");
    assert_eq!(word("iptables", unknown()), "possible");
}

#[test]
fn the_internet_is_proven_only_where_it_is_declared() {
    let word = |declared: &[&str], ports: Value| {
        Host::new().web(&[("ports", ports)]).declared(declared).word(K::PublishedPort, INTERNET, "web")
    };
    let everywhere = || one(port("0.0.0.0", 443, 8443));
    for declared in ["web", "0.0.0.0:443", "443", ":443", "0.0.0.0:443/tcp", "203.0.113.7:443"] {
        assert_eq!(word(&[declared], everywhere()), "proven", "{declared}");
    }
    for declared in ["", "db", "0.0.0.0:80", "443/udp", "nonsense:nonsense"] {
        assert_eq!(word(&[declared], everywhere()), "possible", "{declared}");
    }
    assert_eq!(word(&["0.0.0.0:443"], one(port("127.0.0.1", 443, 8443))), "absent");
    assert_eq!(word(&["web"], one(port("127.0.0.1", 443, 8443))), "proven", "a proxy may stand before it");
    assert_eq!(word(&["web"], none()), "proven");
    assert_eq!(word(&["web"], unknown()), "proven");
}

#[test]
fn networks_of_the_host_need_no_published_port() {
    let word = |driver: &str, internal: Value| {
        let host = Host::new().with(network("lan", &[("driver", driver.into()), ("internal", internal)]));
        host.web(&[("networks", strings(&["lan"]))]).diagram().word(K::PublishedPort, LAN, "web")
    };
    assert_eq!(word("macvlan", false.into()), "proven");
    assert_eq!(word("ipvlan", false.into()), "proven");
    assert_eq!(word("macvlan", unknown()), "possible");
    assert_eq!(word("macvlan", true.into()), "absent");
    assert_eq!(word("bridge", false.into()), "absent");
}

#[test]
fn the_hosts_network_may_face_everybody() {
    let drawn = |value: Value| Host::new().web(&[("host_network", value), ("networks", none())]).diagram();
    for (value, word, faced) in
        [(true.into(), "proven", "possible"), (unknown(), "possible", "possible"), (false.into(), "absent", "absent")]
    {
        let drawn = drawn(value);
        assert_eq!(drawn.word(K::HostNetwork, "web", HOST), word);
        assert_eq!(drawn.word(K::PublishedPort, LAN, "web"), faced);
    }
}

#[test]
fn listeners_of_the_api_are_reached_by_their_address() {
    for (address, tls, loopback, local, internet, user) in [
        ("tcp://0.0.0.0:2375", "none", false, "proven", "possible", "proven"),
        ("tcp://0.0.0.0:2376", "mutual", false, "proven", "possible", "proven"),
        ("tcp://192.168.1.5:2375", "none", false, "proven", "absent", "proven"),
        ("tcp://127.0.0.1:2375", "none", true, "absent", "absent", "proven"),
        // The network shop's gateway: hosts on the link may reach it.
        ("tcp://172.18.0.1:2375", "none", false, "possible", "absent", "proven"),
        ("unix:///run/docker.sock", "none", true, "absent", "absent", "absent"),
    ] {
        let drawn = api(address, tls, loopback).web(&[]).diagram();
        assert_eq!(drawn.word(K::ApiRemote, LAN, DAEMON), local, "{address}");
        assert_eq!(drawn.word(K::ApiRemote, INTERNET, DAEMON), internet, "{address}");
        assert_eq!(drawn.word(K::ApiRemote, USER, DAEMON), user, "{address}");
    }
    let drawn = Host::new().daemon("listeners", unknown()).diagram();
    assert_eq!(drawn.word(K::ApiRemote, LAN, DAEMON), "possible");
    let declared = api("tcp://0.0.0.0:2376", "mutual", false).declared(&["0.0.0.0:2376"]);
    assert_eq!(declared.word(K::ApiRemote, INTERNET, DAEMON), "proven");
}

#[test]
fn an_engine_that_answered_over_tcp_listens_there() {
    let mut host = Host::new().daemon("listeners", unknown());
    host.address = "tcp://192.0.2.1:2376";
    assert_eq!(host.diagram().word(K::ApiRemote, LAN, DAEMON), "proven");
}

#[test]
fn the_label_of_a_listener_says_what_tls_asks_for() {
    for (tls, words) in [("none", "no TLS"), ("tls", "not verified"), ("mutual", "mutual TLS")] {
        let drawn = api("tcp://0.0.0.0:2376", tls, false).diagram();
        let flows = drawn.flows(K::ApiRemote, LAN, DAEMON);
        assert!(flows[0].label.contains(words), "{}", flows[0].label);
    }
}

#[test]
fn a_listener_on_a_gateway_is_reached_from_that_network() {
    let two = |address: &str, web: Change<'_>| {
        let other = network("other", &[("subnets", strings(&["172.19.0.0/16"])), ("internal", true.into())]);
        api(address, "none", address.contains("127.0")).with(other).web(web).diagram().word(K::ApiRemote, "web", DAEMON)
    };
    let inside: Change<'_> = &[("networks", strings(&["other"]))];
    assert_eq!(two("tcp://172.18.0.1:2375", &[]), "proven");
    assert_eq!(two("tcp://172.19.0.1:2375", inside), "proven");
    assert_eq!(two("tcp://172.18.0.1:2375", inside), "absent", "no way out of an internal network");
    assert_eq!(two("tcp://0.0.0.0:2375", &[]), "proven");
    assert_eq!(two("tcp://0.0.0.0:2375", inside), "possible");
    assert_eq!(two("tcp://192.168.1.5:2375", &[]), "proven");
    assert_eq!(two("tcp://127.0.0.1:2375", &[]), "absent");
    assert_eq!(two("tcp://127.0.0.1:2375", &[("host_network", true.into()), ("networks", none())]), "proven");
    assert_eq!(two("tcp://127.0.0.1:2375", &[("host_network", unknown()), ("networks", none())]), "possible");
}

#[test]
fn the_sockets_mode_says_who_may_open_it() {
    let word = |mode: Value| Host::new().socket("mode", mode).diagram().word(K::ApiLocal, USER, DAEMON);
    assert_eq!(word(Value::Int(0o666)), "proven");
    assert_eq!(word(Value::Int(0o660)), "absent");
    assert_eq!(word(unknown()), "possible");
    let private = Host::new().socket("mode", Value::Int(0o666)).socket("path", "/srv/engine/docker.sock");
    assert_eq!(private.diagram().word(K::ApiLocal, USER, DAEMON), "possible");
}

#[test]
fn the_group_is_there_when_it_has_members_whom_the_mode_lets_in() {
    let word = |members: Value, mode: Value| {
        let host = Host::new().host("socket_group_members", members).socket("mode", mode);
        host.diagram().word(K::ApiLocal, GROUP, DAEMON)
    };
    let open = || Value::Int(0o660);
    assert_eq!(word(strings(&["alice"]), open()), "proven");
    assert_eq!(word(none(), open()), "absent");
    assert_eq!(word(unknown(), open()), "possible");
    assert_eq!(word(strings(&["alice"]), Value::Int(0o600)), "absent");
    assert_eq!(word(unknown(), Value::Int(0o600)), "absent");
    assert_eq!(word(strings(&["alice"]), unknown()), "possible");
    let granted = Host::new().socket("acl", strings(&["user:bob:rw-"])).diagram();
    assert_eq!(granted.word(K::ApiLocal, GROUP, DAEMON), "proven");
    let many: Vec<String> = (0..50).map(|i| format!("user{i}")).collect();
    let drawn = Host::new().host("socket_group_members", Value::strings(many)).diagram();
    let group = drawn.0.elements.iter().find(|e| e.kind == GROUP).unwrap();
    assert_eq!(group.name, "Members of group docker: user0, user1, user2, user3, user4, user5 and 44 more");
}

#[test]
fn clients_command_the_engine_when_their_user_may() {
    let word = |user: &str, host: Host| {
        let client = component(&docker::CLIENT, user, user, &[("user", user.into()), ("contexts", none())]);
        host.with(client).diagram().word(K::ApiLocal, user, DAEMON)
    };
    let members = || Host::new().host("socket_group_members", strings(&["alice"]));
    assert_eq!(word("root", Host::new()), "proven");
    assert_eq!(word("alice", Host::new()), "absent");
    assert_eq!(word("alice", members()), "proven");
    assert_eq!(word("alice", members().socket("mode", Value::Int(0o600))), "absent");
    assert_eq!(word("alice", members().socket("mode", unknown())), "possible");
    assert_eq!(word("alice", Host::new().socket("owner", "alice")), "proven");
    let rule = Value::Object(vec![
        ("who", "alice".into()),
        ("commands", "docker".into()),
        ("password", true.into()),
        ("source", "/etc/sudoers:1".into()),
    ]);
    assert_eq!(word("alice", Host::new().host("sudo_docker", one(rule))), "proven");
}

#[test]
fn a_client_reaches_the_listener_that_its_context_names() {
    let context =
        |host: &str| one(Value::Object(vec![("name", "c".into()), ("host", host.into()), ("tls", "none".into())]));
    let word = |endpoint: &str| {
        let facts = [("user", "alice".into()), ("contexts", context(endpoint)), ("docker_host", Value::Null)];
        let client = component(&docker::CLIENT, "alice", "alice", &facts);
        api("tcp://0.0.0.0:2375", "none", false).with(client).diagram().word(K::ApiRemote, "alice", DAEMON)
    };
    assert_eq!(word("tcp://127.0.0.1:2375"), "proven");
    assert_eq!(word("tcp://127.0.0.1:2376"), "absent");
    assert_eq!(word("ssh://root@elsewhere"), "absent");
}

#[test]
fn ssh_is_drawn_where_it_listens() {
    let socket = |address: &str| {
        let process = Value::unknown("not looked for");
        one(Value::Object(vec![("address", address.into()), ("process", process), ("loopback", false.into())]))
    };
    let word = |installed: Value, listeners: Value| {
        let host = Host::new().host("sshd_installed", installed).host("listeners", listeners);
        let drawn = host.web(&[("ports", one(port("0.0.0.0", 80, 80)))]).diagram();
        (drawn.word(K::Ssh, LAN, HOST), drawn.word(K::Ssh, INTERNET, HOST))
    };
    assert_eq!(word(true.into(), socket("0.0.0.0:22")), ("proven", "possible"));
    assert_eq!(word(true.into(), socket("10.0.0.1:22")), ("proven", "absent"));
    assert_eq!(word(true.into(), socket("0.0.0.0:80")), ("absent", "absent"), "that is a container's");
    assert_eq!(word(true.into(), socket("0.0.0.0:2222")).0, "possible");
    assert_eq!(word(true.into(), none()).0, "absent");
    assert_eq!(word(false.into(), socket("0.0.0.0:22")).0, "possible");
    assert_eq!(word(false.into(), socket("0.0.0.0:2222")).0, "absent");
    assert_eq!(word(unknown(), unknown()).0, "possible");
    assert_eq!(word(false.into(), unknown()).0, "absent");
}

#[test]
fn metrics_and_swarm_are_listeners_too() {
    let word = |kind, serves: &str, loopback| {
        let address = if loopback { "tcp://127.0.0.1:9323" } else { "tcp://0.0.0.0:9323" };
        let host = Host::new().daemon("listeners", one(listener(address, "none", loopback, serves)));
        host.diagram().word(kind, LAN, DAEMON)
    };
    assert_eq!(word(K::Metrics, "metrics", false), "proven");
    assert_eq!(word(K::Metrics, "metrics", true), "absent");
    assert_eq!(word(K::Swarm, "swarm", false), "proven");
    assert_eq!(word(K::Swarm, "metrics", false), "absent");
    assert_eq!(word(K::Metrics, "internal", false), "absent");
    let host = Host::new().daemon("listeners", unknown()).daemon("swarm", "active");
    assert_eq!(host.diagram().word(K::Swarm, LAN, DAEMON), "possible");
}

#[test]
fn mounts_lead_to_the_host_a_volume_or_the_daemon() {
    let drawn = |mounts: Value| {
        let volume = component(&docker::VOLUME, "data", "data", &[("driver", "local".into())]);
        Host::new().with(volume).web(&[("mounts", mounts)]).diagram()
    };
    let all = |mounts: Value| {
        let drawn = drawn(mounts);
        [(K::BindMount, HOST), (K::VolumeMount, "data"), (K::SocketMount, DAEMON)]
            .map(|(k, to)| drawn.word(k, "web", to))
    };
    assert_eq!(all(none()), ["absent", "absent", "absent"]);
    assert_eq!(all(one(mount("bind", "/srv", "", true))), ["proven", "absent", "absent"]);
    assert_eq!(all(one(mount("bind", "/run", "", false))), ["proven", "absent", "proven"]);
    assert_eq!(all(one(mount("bind", "/var/run/docker.sock", "", false))), ["absent", "absent", "proven"]);
    assert_eq!(
        all(one(mount("volume", "/var/lib/docker/volumes/data/_data", "data", true))),
        ["absent", "proven", "absent"]
    );
    assert_eq!(all(unknown()), ["possible"; 3]);
    let other = drawn(one(mount("bind", "/run/containerd/containerd.sock", "", true)));
    assert_eq!(other.word(K::SocketMount, "web", DAEMON), "absent", "containerd's is not the daemon's");
    let unsure = Host::new().daemon("listeners", unknown());
    let unsure = unsure.web(&[("mounts", one(mount("bind", "/srv", "", true)))]).diagram();
    assert_eq!(unsure.word(K::SocketMount, "web", DAEMON), "possible");
}

#[test]
fn namespaces_are_shared_with_the_host_or_another_container() {
    let word = |fact, value: Value| Host::new().web(&[(fact, value)]).diagram().word(K::Namespace, "web", HOST);
    assert_eq!(word("host_pid", true.into()), "proven");
    assert_eq!(word("host_ipc", unknown()), "possible");
    assert_eq!(word("host_uts", false.into()), "absent");
    let joined = Host::new()
        .web(&[])
        .with(container("side", &[("joins", strings(&["network:web", "pid:web", "ipc:gone"])), ("networks", none())]));
    let drawn = joined.diagram();
    assert_eq!(drawn.flows(K::Namespace, "side", "web").len(), 2);
    assert_eq!(drawn.word(K::ContainerNetwork, "side", "shop"), "proven");
}

#[test]
fn unknown_networks_may_be_any() {
    let drawn = Host::new().web(&[("networks", unknown())]).diagram();
    assert_eq!(drawn.word(K::ContainerNetwork, "web", "shop"), "possible");
}

#[test]
fn images_come_from_registries_to_containers() {
    let image = |digests: Value| {
        let facts = [("registries", strings(&["docker.io"])), ("digests", digests)];
        component(&docker::IMAGE, "sha256:1", "shop/web:1", &facts)
    };
    let drawn = Host::new().with(image(strings(&["shop/web@sha256:1"]))).web(&[]).diagram();
    assert_eq!(drawn.word(K::Image, "shop/web:1", "web"), "proven");
    assert_eq!(drawn.word(K::Pull, "docker.io", DAEMON), "proven");
    let built = Host::new().with(image(none())).web(&[("image_id", unknown())]).diagram();
    assert_eq!(built.word(K::Image, "shop/web:1", "web"), "possible");
    assert_eq!(built.word(K::Pull, "docker.io", DAEMON), "possible");
    let client =
        |plain: Value| component(&docker::CLIENT, "a", "a", &[("user", "a".into()), ("plain_credentials", plain)]);
    let login = |plain: Value| {
        let drawn = Host::new().with(image(none())).with(client(plain)).diagram();
        assert_eq!(drawn.word(K::Pull, "private.example", DAEMON), "absent", "only credentials name it");
        (drawn.word(K::Login, "a", "private.example"), drawn.word(K::Login, "a", "docker.io"))
    };
    assert_eq!(login(strings(&["https://private.example/v2/"])), ("proven", "absent"));
    assert_eq!(login(none()), ("absent", "absent"));
    assert_eq!(login(unknown()), ("absent", "possible"));
}

#[test]
fn logs_and_control() {
    let word = |driver: Value| Host::new().web(&[("log_driver", driver)]).diagram().word(K::Log, "web", DAEMON);
    assert_eq!(word("json-file".into()), "proven");
    assert_eq!(word("none".into()), "absent");
    assert_eq!(word(unknown()), "possible");
    let word = |rootless: Value| Host::new().daemon("rootless", rootless).diagram().word(K::Control, DAEMON, HOST);
    assert_eq!(word(false.into()), "proven");
    assert_eq!(word(unknown()), "possible");
}
