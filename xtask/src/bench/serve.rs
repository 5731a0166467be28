//! A server of the lists of a cluster that is made as it is asked for: as large as wanted, without a store beneath it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::{PODS, of_namespace};

/// How alike the pods of a cluster are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pods {
    /// Ten of each workload, as its template says.
    Alike,
    /// Each with an image, an argument and a variable of its own.
    Different,
}

impl Pods {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Alike => "alike",
            Self::Different => "different",
        }
    }
}

/// The groups of the API that it serves, with their versions.
const GROUPS: [(&str, &[&str]); 14] = [
    ("admissionregistration.k8s.io", &["v1"]),
    ("apiextensions.k8s.io", &["v1"]),
    ("apiregistration.k8s.io", &["v1"]),
    ("apps", &["v1"]),
    ("autoscaling", &["v2"]),
    ("batch", &["v1"]),
    ("certificates.k8s.io", &["v1"]),
    ("coordination.k8s.io", &["v1"]),
    ("discovery.k8s.io", &["v1"]),
    ("networking.k8s.io", &["v1"]),
    ("node.k8s.io", &["v1"]),
    ("policy", &["v1"]),
    ("rbac.authorization.k8s.io", &["v1"]),
    ("storage.k8s.io", &["v1"]),
];

/// Nodes that pods are said to run on.
const NODES: usize = 50;
/// Objects a page where none are asked for.
const PAGE: usize = 500;

/// The cluster that is served.
#[derive(Clone, Copy, Debug)]
struct Made {
    pods: Pods,
    namespaces: usize,
}

/// The server; its threads end with it.
pub struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Server {
    /// Serves a cluster with so many pods.
    ///
    /// # Errors
    /// Where no port is to be had.
    pub fn start(pods: Pods, count: usize) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let made = Made { pods, namespaces: count / PODS };
        let server = Self { address: listener.local_addr()?, ended: Arc::default() };
        let ended = Arc::clone(&server.ended);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // A client that goes away is no failure of the server's.
                thread::spawn(move || drop(made.talk(stream)));
            }
        });
        Ok(server)
    }

    /// A kubeconfig for it.
    pub fn kubeconfig(&self) -> String {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{ "name": "bench", "cluster": { "server": format!("http://{}", self.address) } }],
            "users": [{ "name": "bench", "user": {} }],
            "contexts": [{ "name": "bench", "context": { "cluster": "bench", "user": "bench" } }],
        });
        config.to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes up the one who accepts; where that fails, nobody waits for him either.
        drop(TcpStream::connect(self.address));
    }
}

impl Made {
    fn talk(self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut out = stream.try_clone()?;
        let mut lines = BufReader::new(stream).lines();
        while let Some(line) = lines.next() {
            let line = line?;
            let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
            // No request has a body; its headers do not matter.
            for header in lines.by_ref() {
                if header?.is_empty() {
                    break;
                }
            }
            let body = self.answer(&path);
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
            out.write_all(head.as_bytes())?;
            out.write_all(&body)?;
        }
        Ok(())
    }

    fn answer(self, path: &str) -> Vec<u8> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let asked = |key: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(of, _)| *of == key).and_then(|(_, text)| text.parse().ok())
        };
        let whole = match path {
            "/version" => json!({ "major": "1", "minor": "35", "gitVersion": "v1.35.4" }),
            "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
            "/apis" => {
                let groups = GROUPS.iter().map(|(name, versions)| {
                    let versions: Vec<Value> = versions.iter().map(|v| json!({ "version": v })).collect();
                    json!({ "name": name, "versions": versions })
                });
                json!({ "kind": "APIGroupList", "groups": groups.collect::<Vec<_>>() })
            }
            "/api/v1/nodes" => {
                json!({ "kind": "NodeList", "metadata": {}, "items": (0..NODES).map(node).collect::<Vec<_>>() })
            }
            _ => return self.page(path, asked("limit").unwrap_or(PAGE), asked("continue").unwrap_or(0)),
        };
        whole.to_string().into_bytes()
    }

    /// A page of a list, its metadata first, as an API server writes it.
    fn page(self, list: &str, limit: usize, from: usize) -> Vec<u8> {
        let items = |n: usize| self.items(list, n);
        // Each namespace holds as many.
        let each = items(0).len();
        let all = each * self.namespaces;
        let (mut page, mut at) = (Vec::new(), from);
        while each > 0 && at < all && page.len() < limit {
            let rest = items(at / each).into_iter().skip(at % each).take(limit - page.len());
            page.extend(rest);
            at = from + page.len();
        }
        let mut meta = json!({ "resourceVersion": "1" });
        if at < all {
            meta["continue"] = at.to_string().into();
        }
        format!("{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{meta},\"items\":{}}}", Value::from(page))
            .into_bytes()
    }

    /// What a namespace puts into a list.
    fn items(self, list: &str, n: usize) -> Vec<Value> {
        let of_list = |path: &str| {
            let space = format!("/namespaces/team-{n}/");
            path.replacen(&space, "/", 1) == list
        };
        let all = of_namespace(n).into_iter().filter(|(path, _)| of_list(path)).enumerate();
        all.map(|(i, (_, object))| self.complete(list, object, n, i)).collect()
    }

    /// What a server, a scheduler and a kubelet add.
    fn complete(self, list: &str, mut object: Value, n: usize, i: usize) -> Value {
        let meta = &mut object["metadata"];
        meta["uid"] = format!("{list}-{n}-{i}").into();
        meta["resourceVersion"] = "1".into();
        meta["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
        if list != "/api/v1/namespaces" {
            meta["namespace"] = format!("team-{n}").into();
        }
        if list == "/api/v1/pods" {
            let number = n * PODS + i;
            let spec = &mut object["spec"];
            spec["nodeName"] = format!("node-{}", number % NODES).into();
            for (key, value) in
                [("dnsPolicy", "ClusterFirst"), ("restartPolicy", "Always"), ("schedulerName", "default-scheduler")]
            {
                spec[key] = value.into();
            }
            let container = &mut spec["containers"][0];
            container["imagePullPolicy"] = "IfNotPresent".into();
            container["terminationMessagePath"] = "/dev/termination-log".into();
            if self.pods == Pods::Different {
                container["image"] = format!("registry.example/shop/app:1.{n}.{i}").into();
                if let Some(args) = container["args"].as_array_mut() {
                    args.push(format!("--shard={number}").into());
                }
                container["env"][0]["name"] = format!("SHARD_{number}").into();
            }
            object["status"] = json!({ "phase": "Running", "qosClass": "Burstable", "podIP": format!("10.{}.{}.{}", n >> 8, n & 255, i + 1),
                "containerStatuses": [{ "name": "app", "ready": true, "imageID": format!("registry.example/shop/app@sha256:{:064x}", i / 10) }] });
        }
        object
    }
}

fn node(n: usize) -> Value {
    json!({
        "metadata": { "name": format!("node-{n}"), "uid": format!("node-{n}"), "labels": { "kubernetes.io/os": "linux" } },
        "status": {
            "addresses": [{ "type": "Hostname", "address": format!("node-{n}") }],
            "nodeInfo": { "kubeletVersion": "v1.35.4", "machineID": format!("{n:032x}"), "operatingSystem": "linux" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_together_are_the_whole_list() {
        let made = Made { pods: Pods::Different, namespaces: 3 };
        let (mut names, mut path) = (Vec::new(), "/api/v1/pods?limit=70".to_owned());
        loop {
            let page: Value = serde_json::from_slice(&made.answer(&path)).unwrap();
            let items = page["items"].as_array().unwrap();
            names.extend(items.iter().map(|p| format!("{}/{}", p["metadata"]["namespace"], p["metadata"]["name"])));
            let Some(next) = page["metadata"]["continue"].as_str() else { break };
            path = format!("/api/v1/pods?limit=70&continue={next}");
        }
        assert_eq!(names.len(), 3 * PODS);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 3 * PODS);
        let nothing: Value = serde_json::from_slice(&made.answer("/apis/batch/v1/jobs?limit=500")).unwrap();
        assert_eq!(nothing["items"], json!([]));
    }
}
