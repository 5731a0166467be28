//! Kubelets by their own answer at `/configz`: asked directly where TLS proves that it is the node's kubelet, so that no
//! credential reaches anybody else; else through the API server, where the right to do so is there already.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::{KUBELET, NODE};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;
use tokio::sync::Semaphore;

use super::access::Access;
use super::client::{AT_ONCE, Api, JSON};
use super::failure::Failure;
use super::list::escape;
use crate::kubernetes::node::from_configz;
use crate::redact::Redactor;

/// The most bytes of an answer: 1 MiB; real ones are 3 KiB.
const MOST: usize = 1 << 20;
/// How long a kubelet may take: it is near, or not reached from here at all.
const LONGEST: Duration = Duration::from_secs(3);
/// Kubelets in a row that cannot be reached before none is tried any more.
const GIVEN_UP: u32 = 3;
/// The most kubelets that are named in one reason.
const MOST_NAMED: usize = 3;

/// A kubelet to ask.
struct Kubelet {
    node: String,
    address: Option<String>,
    port: i64,
    version: Option<String>,
}

/// What is shared by those who ask.
struct Asking {
    access: Access,
    api: Arc<Api>,
    timeout: Duration,
    permits: Semaphore,
    /// Kubelets in a row that could not be reached directly.
    unreached: AtomicU32,
    /// Whether the API server refused to pass the question on.
    refused: AtomicBool,
}

/// Asks the kubelet of each node, and puts what they answer into the target.
pub(super) async fn put(
    access: Access,
    api: &Arc<Api>,
    timeout: Duration,
    target: &mut Target,
    redactor: &Arc<Redactor>,
) {
    let kubelets: Vec<Kubelet> = target.of(&NODE).map(kubelet).collect();
    if let Some(why) = target.incomplete.get(NODE.name).cloned() {
        target.incomplete(&KUBELET, format!("the nodes are not all known: {why}"));
    }
    let asking = Arc::new(Asking {
        access,
        api: Arc::clone(api),
        timeout: timeout.min(LONGEST),
        permits: Semaphore::new(AT_ONCE),
        unreached: AtomicU32::new(0),
        refused: AtomicBool::new(false),
    });
    let tasks: Vec<_> = kubelets
        .into_iter()
        .map(|kubelet| {
            let (asking, redactor) = (Arc::clone(&asking), Arc::clone(redactor));
            tokio::spawn(async move {
                let answer = asking.ask(&kubelet).await;
                let version = kubelet.version.as_deref();
                let read = answer.map(|(json, place)| from_configz(&kubelet.node, &json, version, &place, &redactor));
                read.map_err(|why| (kubelet.node, why))
            })
        })
        .collect();
    let mut missing: Vec<(String, String)> = Vec::new();
    for task in tasks {
        match task.await {
            Ok(Ok(component)) => target.components.push(component),
            Ok(Err(why)) => missing.push(why),
            Err(panic) => missing.push(("a node".to_owned(), format!("asking failed: {panic}"))),
        }
    }
    let Some((_, why)) = missing.first() else { return };
    let names: Vec<&str> = missing.iter().take(MOST_NAMED).map(|(node, _)| node.as_str()).collect();
    let more =
        if missing.len() > names.len() { format!(" and {} more", missing.len() - names.len()) } else { String::new() };
    let why = format!("{why}; or run `seaworthy collect` on the node and join it");
    target.gap(format!("kubelet of {}{more}", names.join(", ")), why.as_str(), "settings of kubelets");
    target.incomplete(&KUBELET, why);
}

fn kubelet(node: &Component) -> Kubelet {
    let addresses = node.value("addresses").as_list().unwrap_or_default();
    let text = |v: &Value, field: &str| v.field(field).and_then(Value::as_str).map(str::to_owned);
    let internal = addresses.iter().find(|a| text(a, "type").as_deref() == Some("InternalIP"));
    Kubelet {
        node: node.name.to_string(),
        address: internal.and_then(|a| text(a, "address")),
        port: node.value("kubelet_port").as_int().unwrap_or(0),
        version: node.value("kubelet_version").as_str().map(str::to_owned),
    }
}

impl Asking {
    /// The answer and where it came from, or why there is none.
    async fn ask(&self, kubelet: &Kubelet) -> Result<(Json, String), String> {
        let _permit = self.permits.acquire().await.map_err(|e| e.to_string())?;
        let direct = match self.direct(kubelet).await {
            Ok(json) => return Ok((json, format!("GET /configz of the kubelet of {}", kubelet.node))),
            Err(why) => why,
        };
        if self.refused.load(Ordering::Relaxed) {
            return Err(format!("directly: {direct}; through the API server: no right to"));
        }
        let path = format!("/api/v1/nodes/{}/proxy/configz", escape(&kubelet.node));
        match self.api.get(&path, JSON, MOST).await.and_then(|bytes| understood(&bytes)) {
            Ok(json) => Ok((json, format!("GET /api/v1/nodes/{}/proxy/configz", kubelet.node))),
            Err(Failure::Status { code: 403, .. }) => {
                self.refused.store(true, Ordering::Relaxed);
                Err(format!("directly: {direct}; through the API server: no right to"))
            }
            Err(failure) => Err(format!("directly: {direct}; through the API server: {failure}")),
        }
    }

    /// Asks the kubelet itself. The credential goes only to who proves by the cluster's authority to be at this address.
    async fn direct(&self, kubelet: &Kubelet) -> Result<Json, String> {
        let config = &self.access.config;
        if config.accept_invalid_certs || config.root_cert.is_none() {
            return Err("the kubeconfig names no authority that would prove whose it is".to_owned());
        }
        let (Some(address), 1..=65_535) = (&kubelet.address, kubelet.port) else {
            return Err("the node tells no address of its kubelet".to_owned());
        };
        if self.unreached.load(Ordering::Relaxed) >= GIVEN_UP {
            return Err("the nodes' addresses are not reached from here".to_owned());
        }
        let ip: std::net::IpAddr = address.parse().map_err(|_| "the node's address is none".to_owned())?;
        let at = std::net::SocketAddr::new(ip, u16::try_from(kubelet.port).unwrap_or(0));
        let mut access = self.access.clone();
        access.config.cluster_url =
            format!("https://{at}").parse().map_err(|_| "the node's address is none".to_owned())?;
        access.config.tls_server_name = None;
        access.config.proxy_url = None;
        let asked = match Api::new(&access, self.timeout) {
            Ok(api) => api.get("/configz", JSON, MOST).await,
            Err(failure) => Err(failure),
        };
        match &asked {
            Err(Failure::TimedOut(_) | Failure::Unreachable(_)) => self.unreached.fetch_add(1, Ordering::Relaxed),
            _ => self.unreached.swap(0, Ordering::Relaxed),
        };
        asked.and_then(|bytes| understood(&bytes)).map_err(|failure| match failure {
            Failure::Status { code: 403, .. } => {
                "the right is missing: verb get, resource nodes/configz of the core group".to_owned()
            }
            Failure::Status { code: 401, .. } => "the kubelet does not take the credential".to_owned(),
            Failure::Tls(_) => "its certificate is not of the cluster's authority, so that it was not asked".to_owned(),
            Failure::TimedOut(_) | Failure::Unreachable(_) => "it is not reached from here".to_owned(),
            other => other.to_string(),
        })
    }
}

fn understood(bytes: &[u8]) -> Result<Json, Failure> {
    let json: Json = serde_json::from_slice(bytes).map_err(|_| Failure::Foreign("no JSON".into()))?;
    if json["kubeletconfig"].is_object() {
        Ok(json)
    } else {
        Err(Failure::Foreign("no kubelet's configuration".into()))
    }
}
