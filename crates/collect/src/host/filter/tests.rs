//! Rules as tools write them, in namespaces of the tests' own, against what real connections then do.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use super::{Answer, Filter, Port, destinations, read, supposed};
use crate::host::network::{self, Interface};

/// The machine's end of the wire, and the neighbour's.
const HERE: &str = "198.51.100.1";
const THERE: &str = "198.51.100.2";
/// What stands for a container: an address behind the machine.
const INNER: &str = "172.17.0.2";

/// Three namespaces joined by wires: a neighbour, this machine, a container behind it.
struct Wire {
    here: OwnedFd,
    there: OwnedFd,
    inner: OwnedFd,
}

fn run(line: &str) {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let mut command = Command::new(words.next().unwrap());
    let output = command.args(words).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A namespace that this thread is then in.
#[allow(unsafe_code, reason = "leaving a namespace of networks is no matter of memory")]
fn namespace() -> OwnedFd {
    // SAFETY: of all that threads share only the network's namespace is left, which holds no memory.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
    rustix::fs::open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

fn enter(namespace: &OwnedFd) {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

/// Runs in a namespace, by a thread of its own.
fn within<T: Send>(namespace: &OwnedFd, what: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                enter(namespace);
                what()
            })
            .join()
            .unwrap()
    })
}

impl Wire {
    fn new() -> Self {
        let make = || std::thread::scope(|scope| scope.spawn(namespace).join().unwrap());
        let wire = Self { here: make(), there: make(), inner: make() };
        let number = |fd: &OwnedFd| format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(fd));
        within(&wire.here, || {
            run(&format!("ip link add eth0 type veth peer name eth0 netns {}", number(&wire.there)));
            run(&format!("ip link add docker0 type veth peer name eth0 netns {}", number(&wire.inner)));
            run(&format!("ip addr add {HERE}/24 dev eth0"));
            run("ip addr add 172.17.0.1/16 dev docker0");
            for device in ["lo", "eth0", "docker0"] {
                run(&format!("ip link set {device} up"));
            }
            // The file is that of the thread's namespace.
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        });
        within(&wire.there, || {
            run(&format!("ip addr add {THERE}/24 dev eth0"));
            run("ip link set lo up");
            run("ip link set eth0 up");
        });
        within(&wire.inner, || {
            run(&format!("ip addr add {INNER}/16 dev eth0"));
            run("ip link set lo up");
            run("ip link set eth0 up");
            run("ip route add default via 172.17.0.1");
        });
        wire
    }

    fn answer(&self, address: &str, port: u16) -> Answer {
        within(&self.here, || {
            let rules = read().unwrap();
            let network = network::read();
            assert_eq!(network.gaps, []);
            let inner = [("172.17.0.0".parse().unwrap(), 16)];
            let port = Port { protocol: 6, address: address.parse().unwrap(), port };
            Filter::new(&rules, &network, &inner).from_networks(port)
        })
    }

    /// Whether a neighbour's connection is made.
    fn connects(&self, port: u16) -> bool {
        let address = SocketAddr::new(HERE.parse::<IpAddr>().unwrap(), port);
        within(&self.there, || TcpStream::connect_timeout(&address, Duration::from_millis(300)).is_ok())
    }
}

/// The rules that Docker makes for a port 8080 that leads to port 80 of a container.
const DOCKER: [&str; 10] = [
    "-t nat -N DOCKER",
    "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
    "-t nat -A DOCKER -i docker0 -j RETURN",
    "-t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
    "-P FORWARD DROP",
    "-N DOCKER-USER",
    "-A FORWARD -j DOCKER-USER",
    "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
    "-A FORWARD -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT",
];

/// A rule of iptables of the kinds that administrators write.
fn rule() -> impl Strategy<Value = String> {
    let chain = select(vec!["INPUT", "DOCKER-USER", "OWN"]);
    let asks = prop::collection::vec(
        select(vec![
            "-p tcp -m tcp --dport 7000",
            "-p tcp -m tcp --dport 8080",
            "-p tcp -m tcp --dport 80",
            "-p tcp -m tcp --dport 1000:7500",
            "-p tcp -m tcp ! --dport 7000",
            "-p tcp -m multiport --dports 22,80,7000:7001",
            "-p tcp -m tcp --syn",
            "-p tcp -m tcp ! --syn",
            "-p udp",
            "-i eth0",
            "-i eth+",
            "-i docker0",
            "! -i eth0",
            "-o docker0",
            "-s 198.51.100.0/24",
            "-s 198.51.100.2",
            "! -s 198.51.100.0/25",
            "-s 10.0.0.0/8",
            "-d 198.51.100.1",
            "-d 172.17.0.0/16",
            "-m conntrack --ctstate NEW",
            "-m conntrack --ctstate RELATED,ESTABLISHED",
            "-m conntrack --ctstate INVALID",
            "-m conntrack --ctstate DNAT",
            "-m conntrack ! --ctstate DNAT",
            "-m conntrack --ctorigdstport 8080",
            "-m conntrack --ctorigdst 198.51.100.1",
            "-m addrtype --dst-type LOCAL",
            "-m limit --limit 1000/s",
            "-m comment --comment x",
            "-m mark --mark 7",
            "-m length --length 0:9",
        ]),
        0..3,
    );
    let ends = select(vec!["ACCEPT", "DROP", "DROP", "REJECT", "RETURN", "OWN", "LOG", "MARK --set-mark 7"]);
    (chain, asks, ends).prop_map(|(chain, asks, ends)| {
        let how = if ends == "OWN" && chain == "OWN" { "-j RETURN".to_owned() } else { format!("-j {ends}") };
        format!("-A {chain} {} {how}", asks.join(" "))
    })
}

/// Sets the rules of a case; those that iptables refuses are left out.
fn set(rules: &[String], input: &str) {
    for line in ["-F", "-X", "-t nat -F", "-t nat -X"] {
        run(&format!("iptables-nft -w {line}"));
    }
    for line in DOCKER {
        run(&format!("iptables-nft -w {line}"));
    }
    run("iptables-nft -w -N OWN");
    run(&format!("iptables-nft -w -P INPUT {input}"));
    for line in rules {
        let words = format!("-w {line}");
        let _ = Command::new("iptables-nft").args(words.split(' ').filter(|word| !word.is_empty())).output().unwrap();
    }
}

/// A rule of nft of the kinds that administrators and tools write.
fn native() -> impl Strategy<Value = (&'static str, String)> {
    let chain = select(vec!["input", "forward", "own"]);
    let asks = prop::collection::vec(
        select(vec![
            "tcp dport 7000",
            "tcp dport 80",
            "tcp dport != 7000",
            "tcp dport { 22, 80, 7000-7005 }",
            "tcp dport != { 22, 7000-7005 }",
            "tcp dport 1000-7500",
            "tcp sport 80",
            "ip saddr 198.51.100.2",
            "ip saddr { 10.0.0.0/8, 198.51.100.0/24 }",
            "ip saddr { 198.51.100.0-198.51.100.200 }",
            "ip saddr != { 10.0.0.0/8, 172.16.0.0/12 }",
            "ip saddr & 255.255.255.0 == 198.51.100.0",
            "ip daddr { 198.51.100.1, 172.17.0.2 }",
            "ip daddr . tcp dport { 198.51.100.1 . 7000, 172.17.0.2 . 80 }",
            "iifname \"eth0\"",
            "iifname { \"eth0\", \"lo\" }",
            "iifname \"eth*\"",
            "iifname != \"eth0\"",
            "oifname \"docker0\"",
            "ct state new",
            "ct state established,related",
            "ct state { invalid, untracked }",
            "ct status dnat",
            "ct original proto-dst 8080",
            "ct direction original",
            "fib daddr type local",
            "meta l4proto tcp",
            "meta nfproto ipv4",
            "meta mark 7",
            "ip protocol udp",
            "tcp flags & (fin | syn | rst | ack) == syn",
            "limit rate 1000/second",
            "counter",
        ]),
        0..3,
    );
    let ends = select(vec![
        "accept",
        "drop",
        "drop",
        "reject",
        "return",
        "jump last",
        "goto last",
        "log",
        "tcp dport vmap { 80 : accept, 7000 : drop }",
        "tcp dport vmap { 0-1023 : drop, 7000 : jump last }",
        "ct state vmap { established : accept, related : accept, invalid : drop }",
        "ct state vmap { new : jump last, invalid : drop }",
        "iifname vmap { \"lo\" : accept, \"eth0\" : jump last }",
        "ip saddr vmap { 10.0.0.0/8 : accept, 198.51.100.0/25 : drop }",
        "meta mark set 7",
        "notrack",
    ]);
    (chain, asks, ends).prop_map(|(chain, asks, ends)| (chain, format!("{} {ends}", asks.join(" "))))
}

/// A table of nft beside Docker's; chain `last` accepts or drops.
fn table(rules: &[(&'static str, String)], input: &str, last: &str) -> String {
    let of = |chain: &str| {
        let its: Vec<&str> = rules.iter().filter(|(of, _)| *of == chain).map(|(_, rule)| &**rule).collect();
        its.join("\n")
    };
    format!(
        "table inet t {{\n chain last {{\n tcp dport 80 return\n {last}\n }}\n chain own {{\n {}\n }}\n \
         chain input {{\n type filter hook input priority 10; policy {input};\n {}\n jump own\n }}\n \
         chain forward {{\n type filter hook forward priority 10;\n {}\n jump own\n }}\n}}\n",
        of("own"),
        of("input"),
        of("forward")
    )
}

/// Loads a table; returns false for one that nft refuses, as it does `notrack` in most chains.
fn loaded(table: &str) -> bool {
    use std::io::Write as _;
    let mut child = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

/// What was said of cases against what was: closed, open, depends.
#[derive(Default)]
struct Tally([u32; 3]);

impl Tally {
    fn case(&mut self, wire: &Wire, served: &[TcpListener]) -> Result<(), TestCaseError> {
        for port in [7000, 8080] {
            let answer = wire.answer("0.0.0.0", port);
            let really = wire.connects(port);
            // Connections that nobody takes would fill the queue.
            for listener in served {
                while listener.accept().is_ok() {}
            }
            match &answer.admitted {
                Ok(said) => {
                    self.0[usize::from(*said)] += 1;
                    prop_assert_eq!(*said, really, "port {}: {:?}", port, answer);
                }
                Err(_) => self.0[2] += 1,
            }
        }
        Ok(())
    }
}

fn compare<S: Strategy>(cases: &S, set: impl Fn(S::Value) -> bool + Sync)
where
    S::Value: Send,
{
    // An engine's bed has what these rules need: root, iptables, nft, namespaces.
    if let Err(why) = seaworthy_bed::find(seaworthy_bed::Version::V20) {
        return seaworthy_bed::skip(seaworthy_bed::Version::V20.name(), &why);
    }
    let wire = Wire::new();
    let served = [(&wire.here, 7000), (&wire.inner, 80)]
        .map(|(at, port)| within(at, || TcpListener::bind(("0.0.0.0", port)).unwrap()));
    for listener in &served {
        listener.set_nonblocking(true).unwrap();
    }
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let tally = RefCell::new(Tally::default());
    let each = |case: S::Value| {
        prop_assume!(within(&wire.here, || set(case)));
        tally.borrow_mut().case(&wire, &served)
    };
    runner.run(cases, each).unwrap();
    let [closed, open, unknown] = tally.into_inner().0;
    assert!(closed > 10 && open > 10 && unknown < closed + open, "{closed} closed, {open} open, {unknown} depend");
}

#[test]
fn what_is_certain_of_iptables_is_what_connections_do() {
    let cases = (prop::collection::vec(rule(), 0..6), select(vec!["ACCEPT", "ACCEPT", "DROP"]));
    compare(&cases, |(rules, input)| {
        set(&rules, input);
        true
    });
}

#[test]
fn what_is_certain_of_nft_is_what_connections_do() {
    let policies = (select(vec!["accept", "accept", "drop"]), select(vec!["accept", "drop"]));
    let cases = (prop::collection::vec(native(), 0..6), policies);
    compare(&cases, |(rules, (input, last))| {
        set(&[], "ACCEPT");
        let _ = Command::new("nft").args(["delete", "table", "inet", "t"]).stderr(Stdio::null()).status().unwrap();
        loaded(&table(&rules, input, last))
    });
}

#[test]
fn addresses_of_both_versions_are_tried() {
    let four = (1..=6_u8).map(|n| (IpAddr::from([192, 0, 2, n]), 24));
    let six: IpAddr = "2001:db8::1".parse().unwrap();
    let interface = Interface { addresses: four.chain([(six, 64)]).collect(), ..supposed() };
    let (tried, more) = destinations(&interface, "::".parse().unwrap());
    assert!(tried.contains(&six) && tried.len() == 5 && more);
    let (tried, more) = destinations(&interface, "192.0.2.6".parse().unwrap());
    assert!(tried.len() == 1 && !more);
    assert!(!destinations(&supposed(), "0.0.0.0".parse().unwrap()).1);
}
