//! containerd's configuration: where it keeps its data and listens.

use std::collections::{HashSet, VecDeque};

use toml::{Table, Value};

use super::gap::{Gap, Place};
use super::glob;
use super::root::{Root, Unread};

/// Where the packages' service reads it.
pub const PATH: &str = "/etc/containerd/config.toml";
/// Where dockerd writes that of the containerd which it starts itself.
pub const MANAGED_PATH: &str = "/run/docker/containerd/containerd.toml";

/// Where container networks are configured unless a file says otherwise.
pub const NETWORKS: &str = "/etc/cni/net.d";

const AFFECTS: &str = "where containerd keeps its data and listens";
const MOST_FILES: usize = 200;

/// A value with where it was read; none for containerd's own default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value in effect by the files.
    pub value: T,
    /// The file that sets it.
    pub at: Option<Place>,
}

impl<T> Sourced<T> {
    fn default(value: T) -> Self {
        Self { value, at: None }
    }
}

/// What the configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Containerd {
    /// The file that was asked for.
    pub path: String,
    /// Whether it is there; where it is not, containerd's defaults hold.
    pub present: bool,
    /// Why the values are not known: the file or one that it imports could not be read or parsed.
    pub unread: Option<String>,
    /// The version of the file's own form, where it says one.
    pub version: Option<i64>,
    /// Where images, layers and metadata lie.
    pub root: Sourced<String>,
    /// Where the state of running containers lies.
    pub state: Sourced<String>,
    /// The socket of its API.
    pub address: Sourced<String>,
    /// The address of its API by TCP; empty means none.
    pub tcp_address: Sourced<String>,
    /// Whether that has TLS: a certificate and a key are configured.
    pub tcp_tls: bool,
    /// The owner that the socket gets.
    pub uid: Sourced<i64>,
    /// The group that the socket gets.
    pub gid: Sourced<i64>,
    /// The socket of its debugging; empty means none.
    pub debug_address: Sourced<String>,
    /// The address of its metrics; empty means none.
    pub metrics_address: Sourced<String>,
    /// Where its part for Kubernetes finds the container networks.
    pub networks: Sourced<String>,
    /// The files that it imports, as found.
    pub imports: Vec<String>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl Containerd {
    /// Reads the configuration of the packages' service.
    pub fn read(root: &Root) -> Self {
        Self::read_at(root, PATH)
    }

    /// Reads a configuration at another path, as the service's `--config` names it.
    pub fn read_at(root: &Root, path: &str) -> Self {
        let mut found = Self {
            path: path.to_owned(),
            present: false,
            unread: None,
            version: None,
            root: Sourced::default("/var/lib/containerd".to_owned()),
            state: Sourced::default("/run/containerd".to_owned()),
            address: Sourced::default("/run/containerd/containerd.sock".to_owned()),
            tcp_address: Sourced::default(String::new()),
            tcp_tls: false,
            uid: Sourced::default(0),
            gid: Sourced::default(0),
            debug_address: Sourced::default(String::new()),
            metrics_address: Sourced::default(String::new()),
            networks: Sourced::default(NETWORKS.to_owned()),
            imports: Vec::new(),
            gaps: Vec::new(),
        };
        let mut waiting = VecDeque::from([path.to_owned()]);
        let mut seen = HashSet::new();
        while let Some(path) = waiting.pop_front() {
            if !seen.insert(path.clone()) {
                continue;
            }
            if seen.len() > MOST_FILES {
                found.fail(&path, "more than 200 files are imported");
                break;
            }
            found.file(root, &path, &mut waiting);
        }
        found
    }

    fn file(&mut self, root: &Root, path: &str, waiting: &mut VecDeque<String>) {
        let is_main = path == self.path;
        let text = match root.read(path, super::root::DEFAULT_LIMIT) {
            Ok(bytes) => bytes,
            Err(Unread::Absent) if is_main => return,
            Err(unread) => return self.fail(path, &unread.to_string()),
        };
        self.present |= is_main;
        if !is_main {
            self.imports.push(path.to_owned());
        }
        let Ok(text) = String::from_utf8(text) else { return self.fail(path, "is not UTF-8") };
        let table = match toml::from_str::<Table>(&text) {
            Ok(table) => table,
            Err(error) => {
                // The message may quote the file: only the line is told.
                let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count());
                return self.fail(path, &format!("is no TOML (line {line})"));
            }
        };
        self.merge(&table, path);
        let imports = table.get("imports").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        // What a file imports comes after everything that waits already, as containerd does it.
        for pattern in imports.take(MOST_FILES) {
            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
            let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("{dir}/{pattern}") };
            match glob::expand(root, &pattern) {
                Ok(paths) => waiting.extend(paths.into_iter().take(MOST_FILES + 1)),
                Err((dir, unread)) => self.fail(&dir, &unread.to_string()),
            }
        }
    }

    /// Later files win, value by value; empty ones and zeros change nothing.
    fn merge(&mut self, table: &Table, path: &str) {
        let at = || Some(Place::new(path, 0));
        let section = |name: &str| table.get(name).and_then(Value::as_table);
        // From version 4 on, the servers are plugins like the rest.
        let plugin = |name: &str| section("plugins").and_then(|plugins| plugins.get(name)).and_then(Value::as_table);
        if let Some(version) = table.get("version").and_then(Value::as_integer) {
            self.version = Some(version);
        }
        let text = |target: &mut Sourced<String>, table: Option<&Table>, name: &str| {
            let value = table.and_then(|table| table.get(name)).and_then(Value::as_str);
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                *target = Sourced { value: value.to_owned(), at: at() };
            }
        };
        text(&mut self.root, Some(table), "root");
        text(&mut self.state, Some(table), "state");
        for grpc in [section("grpc"), plugin("io.containerd.server.v1.grpc")] {
            text(&mut self.address, grpc, "address");
            text(&mut self.tcp_address, grpc, "tcp_address");
            let number = |name: &str| grpc.and_then(|grpc| grpc.get(name)).and_then(Value::as_integer);
            if let Some(value) = number("uid").filter(|id| *id != 0) {
                self.uid = Sourced { value, at: at() };
            }
            if let Some(value) = number("gid").filter(|id| *id != 0) {
                self.gid = Sourced { value, at: at() };
            }
            let is_set =
                |name: &str| grpc.and_then(|grpc| grpc.get(name)?.as_str()).is_some_and(|value| !value.is_empty());
            self.tcp_tls |= is_set("tcp_tls_cert") && is_set("tcp_tls_key");
        }
        text(&mut self.tcp_address, plugin("io.containerd.server.v1.grpc-tcp"), "address");
        for debug in [section("debug"), plugin("io.containerd.server.v1.debug")] {
            text(&mut self.debug_address, debug, "address");
        }
        for metrics in [section("metrics"), plugin("io.containerd.server.v1.metrics")] {
            text(&mut self.metrics_address, metrics, "address");
        }
        // By the forms of the file: version 1, 2, and from 3 on.
        for kubernetes in ["cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"] {
            let networks = plugin(kubernetes).and_then(|plugin| plugin.get("cni")).and_then(Value::as_table);
            text(&mut self.networks, networks, "conf_dir");
        }
    }

    fn fail(&mut self, path: &str, reason: &str) {
        self.unread.get_or_insert_with(|| format!("{path}: {reason}"));
        self.gaps.push(Gap::new(path, reason, AFFECTS));
    }
}

/// What containerd's command line decides.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// Its file.
    pub config: Option<String>,
    /// Where it keeps its data.
    pub root: Option<String>,
}

impl Stated {
    /// Reads a command line, the program's name first.
    pub fn of(arguments: &[String]) -> Self {
        let mut found = Self::default();
        let mut words = arguments.iter().skip(1);
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { continue };
            let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v.to_owned())));
            let slot = match name {
                "config" | "c" => &mut found.config,
                "root" => &mut found.root,
                _ => continue,
            };
            *slot = value.or_else(|| words.next().cloned()).filter(|v| !v.is_empty());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::host;

    #[test]
    fn flags_of_containerd_in_every_form() {
        let read = |line: &str| Stated::of(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let both = Stated { config: Some("/c.toml".into()), root: Some("/data".into()) };
        assert_eq!(read("containerd --config /c.toml --root /data --log-level warn"), both);
        assert_eq!(read("containerd -c=/c.toml --root=/data"), both);
        assert_eq!(read("containerd"), Stated::default());
    }

    #[test]
    fn networks_are_configured_where_any_form_says() {
        for (text, wanted) in [
            ("version = 3\n", NETWORKS),
            ("[plugins.cri.cni]\nconf_dir = \"/one\"\n", "/one"),
            ("version = 2\n[plugins.'io.containerd.grpc.v1.cri'.cni]\nconf_dir = \"/two\"\n", "/two"),
            ("version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\nconf_dir = \"/three\"\n", "/three"),
            ("version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\nconf_dir = \"\"\n", NETWORKS),
        ] {
            let (_dir, root) = host(&[(PATH, text)]);
            assert_eq!(Containerd::read(&root).networks.value, wanted, "{text}");
        }
    }

    #[test]
    fn an_absent_file_means_defaults() {
        let (_dir, root) = host(&[]);
        let containerd = Containerd::read(&root);
        assert_eq!((containerd.present, &containerd.unread), (false, &None));
        assert_eq!(containerd.root, Sourced::default("/var/lib/containerd".to_owned()));
        assert_eq!(containerd.address.value, "/run/containerd/containerd.sock");
        assert_eq!((containerd.uid.value, containerd.gid.value), (0, 0));
    }

    #[test]
    fn values_and_imports_are_merged_in_order() {
        let main = "version = 2\nroot = \"/data\"\nimports = [\"conf.d/*.toml\", \"/etc/containerd/config.toml\"]\n[grpc]\naddress = \"/run/c.sock\"\ngid = 999\ntcp_address = \"0.0.0.0:7\"\n[debug]\naddress=\"/run/d.sock\"\n";
        let (_dir, root) = host(&[
            (PATH, main),
            ("/etc/containerd/conf.d/a.toml", "root = \"/a\"\n[metrics]\naddress = \"127.0.0.1:1338\"\n"),
            ("/etc/containerd/conf.d/b.toml", "root = \"/b\"\nimports = [\"a.toml\"]\n[grpc]\ngid = 0\n"),
        ]);
        let containerd = Containerd::read(&root);
        assert_eq!((containerd.root.value.as_str(), containerd.version), ("/b", Some(2)));
        assert_eq!(containerd.root.at, Some(Place::new("/etc/containerd/conf.d/b.toml", 0)));
        assert_eq!((containerd.address.value.as_str(), containerd.gid.value), ("/run/c.sock", 999));
        assert_eq!((containerd.tcp_address.value.as_str(), containerd.tcp_tls), ("0.0.0.0:7", false));
        assert_eq!(
            (containerd.debug_address.value.as_str(), containerd.metrics_address.value.as_str()),
            ("/run/d.sock", "127.0.0.1:1338")
        );
        assert_eq!(containerd.imports, ["/etc/containerd/conf.d/a.toml", "/etc/containerd/conf.d/b.toml"]);
        assert_eq!(containerd.gaps, []);
    }

    #[test]
    fn the_newer_form_has_its_servers_among_the_plugins() {
        let text = "version = 4\n[plugins.'io.containerd.server.v1.grpc']\naddress = \"/run/x.sock\"\nuid = 5\n";
        let (_dir, root) = host(&[(PATH, text)]);
        let containerd = Containerd::read(&root);
        assert_eq!((containerd.address.value.as_str(), containerd.uid.value), ("/run/x.sock", 5));
    }

    #[test]
    fn what_cannot_be_read_or_parsed_is_said_without_its_text() {
        for (text, reason) in
            [("root = /SECRET\n", "is no TOML (line 1)"), ("imports = [\"/etc\"]", "is a directory, not a file")]
        {
            let (_dir, root) = host(&[(PATH, text)]);
            let containerd = Containerd::read(&root);
            assert!(
                containerd.unread.as_ref().is_some_and(|unread| unread.contains(reason)),
                "{:?}",
                containerd.unread
            );
            assert!(!format!("{containerd:?}").contains("SECRET"));
        }
        let (_dir, root) = host(&[("/etc/containerd/config.toml/x", "")]);
        assert!(Containerd::read(&root).unread.is_some());
        let deep = format!("a = {}", "[".repeat(100_000));
        let (_dir, root) = host(&[(PATH, &deep)]);
        assert!(Containerd::read(&root).unread.is_some());
    }
}
