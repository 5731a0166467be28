//! Swarm: the cluster, its nodes and its services.

use std::collections::HashMap;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker::{NODE, SERVICE, SWARM};
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::container::ServicePorts;
use super::json::{MOST_ITEMS, Node, Read, cut, other_type, strings, value};
use super::secrets::environment;
use super::sheet::Sheet;
use crate::redact::Redactor;

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// What a manager answered, each answer on its own.
#[derive(Debug)]
pub struct Answers {
    /// `GET /swarm`.
    pub swarm: Read<Json>,
    /// `GET /nodes`.
    pub nodes: Read<Json>,
    /// `GET /services`.
    pub services: Read<Json>,
    /// How many elements `GET /secrets` has.
    pub secrets: Read<i64>,
    /// How many elements `GET /configs` has. Their data is never kept.
    pub configs: Read<i64>,
}

impl Answers {
    /// No answers, for one reason.
    pub fn none(reason: &Arc<str>) -> Self {
        Self {
            swarm: Err(Arc::clone(reason)),
            nodes: Err(Arc::clone(reason)),
            services: Err(Arc::clone(reason)),
            secrets: Err(Arc::clone(reason)),
            configs: Err(Arc::clone(reason)),
        }
    }
}

/// How an engine takes part in a swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It does not.
    None,
    /// As a manager that answers for the cluster.
    Manager,
    /// As a worker, or as a manager that is locked or has lost the others.
    Worker,
}

/// How an engine takes part, from its `/info`.
///
/// # Errors
/// Why that is not known.
pub fn part(info: &Json) -> Read<Part> {
    let swarm = Node::of(info).get("Swarm");
    let state = swarm.get("LocalNodeState").text()?;
    Ok(match state {
        "" | "inactive" => Part::None,
        "active" if swarm.get("ControlAvailable").bool()? => Part::Manager,
        _ => Part::Worker,
    })
}

/// The swarm from `/info`, the answers and the networks. Its listening sockets are the daemon's and are added there.
pub fn swarm(info: &Json, answers: &Answers, networks: &Read<&[Component]>) -> Component {
    let doc = Node::of(info).get("Swarm");
    let id = doc.get("Cluster").get("ID").text().or_else(|_| doc.get("NodeID").text()).unwrap_or("swarm");
    let mut sheet = Sheet::new(&SWARM, cut(id), "swarm", "GET /info".into());
    sheet.read("managers", "Swarm.Managers", doc.get("Managers").int());
    sheet.read("nodes", "Swarm.Nodes", doc.get("Nodes").int());
    sheet.read("advertise_address", "Swarm.NodeAddr", doc.get("NodeAddr").text().map(cut));
    let place: Arc<str> = "GET /swarm".into();
    let cluster = answers.swarm.as_ref().map_err(Arc::clone).map(Node::of);
    let spec = cluster.clone().map(|cluster| cluster.get("Spec"));
    let autolock = spec.clone().and_then(|spec| spec.get("EncryptionConfig").get("AutoLockManagers").bool());
    sheet.seen("autolock", &place, "Spec.EncryptionConfig.AutoLockManagers", autolock);
    let authority = spec.map(|spec| spec.get("CAConfig"));
    // The API leaves out zeros in here; a validity of zero is the default of 90 days.
    let validity = authority.clone().and_then(|ca| match ca.opt("NodeCertExpiry") {
        node if node.is_unset() => Ok(90),
        node => node.int().map(|nanoseconds| if nanoseconds <= 0 { 90 } else { (nanoseconds - 1) / DAY + 1 }),
    });
    sheet.seen("node_cert_days", &place, "Spec.CAConfig.NodeCertExpiry", validity);
    let rotated = authority.clone().and_then(|ca| match ca.opt("ForceRotate") {
        node if node.is_unset() => Ok(false),
        node => node.int().map(|times| times > 0),
    });
    sheet.seen("root_rotated", &place, "Spec.CAConfig.ForceRotate", rotated);
    let running = cluster.and_then(|cluster| cluster.get("RootRotationInProgress").bool());
    sheet.seen("root_rotation_running", &place, "RootRotationInProgress", running);
    let external = authority.and_then(|ca| Ok(!ca.opt("ExternalCAs").list_or_empty()?.is_empty()));
    sheet.seen("external_ca", &place, "Spec.CAConfig.ExternalCAs", external);
    counts(&mut sheet, answers);
    let overlays = networks.clone().and_then(unencrypted);
    sheet.seen("unencrypted_overlays", &"GET /networks".into(), "Options", overlays);
    let elsewhere: Arc<str> = "the engine's API does not report it".into();
    for fact in ["listen_addresses", "listens_everywhere", "data_path_separate"] {
        sheet.read(fact, "", Err::<Value, _>(Arc::clone(&elsewhere)));
    }
    sheet.component
}

fn counts(sheet: &mut Sheet, answers: &Answers) {
    let services = answers.services.as_ref().map_err(Arc::clone).and_then(count);
    for (fact, place, read) in [
        ("services", "GET /services", services),
        ("secrets", "GET /secrets", answers.secrets.clone()),
        ("configs", "GET /configs", answers.configs.clone()),
    ] {
        sheet.seen(fact, &place.into(), "", read);
    }
}

/// How many elements a list has.
///
/// # Errors
/// That the answer is no list.
pub(super) fn count(list: &Json) -> Read<i64> {
    match list {
        Json::Null => Ok(0),
        Json::Array(items) => Ok(i64::try_from(items.len()).unwrap_or(i64::MAX)),
        _ => Err(other_type()),
    }
}

/// Overlay networks whose data is not encrypted.
fn unencrypted(networks: &[Component]) -> Read<Value> {
    let mut names = Vec::new();
    for network in networks {
        if network.value("driver").as_str() != Some("overlay") {
            if let Some(reason) = network.value("driver").reason() {
                return Err(Arc::clone(reason));
            }
            continue;
        }
        match network.value("encrypted") {
            Value::Bool(true) => {}
            Value::Unknown(reason) => return Err(Arc::clone(reason)),
            _ => names.push(network.name.as_ref()),
        }
    }
    names.sort_unstable();
    Ok(strings(names))
}

/// What the node keeps of itself in `swarm/docker-state.json` beneath the engine's data directory: whether data and
/// management traffic use different addresses, and where it listens.
pub fn set_state(swarm: &mut Component, state: &Json, place: &Arc<str>) {
    let doc = Node::of(state);
    let host = |key: &str| -> Read<String> {
        let text = doc.get(key).text_or_empty()?;
        let bare =
            text.parse::<std::net::SocketAddr>().map_or_else(|_| text.to_owned(), |address| address.ip().to_string());
        Ok(cut(&bare).to_owned())
    };
    let separate = host("DataPathAddr").and_then(|data| Ok(!data.is_empty() && data != host("AdvertiseAddr")?));
    swarm.set("data_path_separate", value(separate), Source::new(place, "DataPathAddr, AdvertiseAddr"));
}

/// The nodes of `GET /nodes`.
///
/// # Errors
/// Why the answer is no list.
pub fn nodes(answer: &Json) -> Read<Vec<Component>> {
    Ok(Node::of(answer).all()?.iter().map(node).collect())
}

fn node(item: &Json) -> Component {
    let doc = Node::of(item);
    let id = doc.get("ID").text().unwrap_or("");
    let description = doc.get("Description");
    let name = description.get("Hostname").text().unwrap_or(id);
    let mut sheet = Sheet::new(&NODE, cut(id), cut(name), "GET /nodes".into());
    sheet.read("role", "Spec.Role", doc.get("Spec").get("Role").text().map(cut));
    sheet.read("availability", "Spec.Availability", doc.get("Spec").get("Availability").text().map(cut));
    sheet.read("state", "Status.State", doc.get("Status").get("State").text().map(cut));
    let version = description.get("Engine").get("EngineVersion").text().map(cut);
    sheet.read("engine_version", "Description.Engine.EngineVersion", version);
    sheet.component
}

/// The services of `GET /services`, with the names of networks by their ids.
///
/// # Errors
/// Why the answer is no list.
pub fn services(answer: &Json, networks: &HashMap<Box<str>, Box<str>>, redactor: &Redactor) -> Read<Vec<Component>> {
    Ok(Node::of(answer).all()?.iter().map(|item| service(item, networks, redactor)).collect())
}

fn service(item: &Json, names: &HashMap<Box<str>, Box<str>>, redactor: &Redactor) -> Component {
    let doc = Node::of(item);
    let spec = doc.get("Spec");
    let id = doc.get("ID").text().unwrap_or("");
    let mut sheet = Sheet::new(&SERVICE, cut(id), cut(spec.get("Name").text().unwrap_or(id)), "GET /services".into());
    let task = spec.get("TaskTemplate");
    let container = task.get("ContainerSpec");
    let image = container.get("Image").text().map(|image| redactor.text(cut(image)).into_owned());
    sheet.read("image", "Spec.TaskTemplate.ContainerSpec.Image", image);
    sheet.read("replicas", "Spec.Mode", replicas(spec.get("Mode")));
    let secrets = container.get("Secrets").list_or_empty().and_then(|secrets| {
        secrets.iter().map(|secret| Node::of(secret).get("SecretName").text()).collect::<Read<Vec<_>>>()
    });
    sheet.read("secrets", "Spec.TaskTemplate.ContainerSpec.Secrets", secrets.map(strings));
    let env = environment(redactor, container.get("Env")).map(|(_, secrets)| secrets);
    sheet.read("env_secrets", "Spec.TaskTemplate.ContainerSpec.Env", env);
    sheet.read(
        "ports",
        "Endpoint.Ports",
        ports(doc).map(|ports| ports.into_iter().map(Port::object).collect::<Vec<_>>()),
    );
    let targets = task.get("Networks").list_or_empty().and_then(|networks| {
        networks.iter().map(|network| Node::of(network).get("Target").text()).collect::<Read<Vec<_>>>()
    });
    let targets = targets.map(|ids| strings(ids.into_iter().map(|id| names.get(id).map_or(id, |name| name.as_ref()))));
    sheet.read("networks", "Spec.TaskTemplate.Networks", targets);
    sheet.component
}

fn replicas(mode: Node<'_>) -> Read<Option<i64>> {
    for (key, number) in [("Replicated", "Replicas"), ("ReplicatedJob", "TotalCompletions")] {
        if let node @ Node::Is(Json::Object(_)) = mode.get(key) {
            // The API leaves the number out where it is the default of one.
            return if node.get(number).is_unset() { Ok(Some(1)) } else { node.get(number).int().map(Some) };
        }
    }
    match (mode.get("Global"), mode.get("GlobalJob")) {
        (Node::Is(_), _) | (_, Node::Is(_)) => Ok(None),
        _ => Err(other_type()),
    }
}

struct Port<'a> {
    published: i64,
    target: i64,
    protocol: &'a str,
    mode: &'a str,
}

impl Port<'_> {
    fn object(self) -> Value {
        Value::Object(vec![
            ("published", self.published.into()),
            ("target", self.target.into()),
            ("protocol", self.protocol.into()),
            ("mode", self.mode.into()),
        ])
    }
}

/// What a service publishes: the ports in effect, else those that it asks for.
fn ports(doc: Node<'_>) -> Read<Vec<Port<'_>>> {
    let in_effect = doc.opt("Endpoint").opt("Ports");
    let items = if in_effect.is_unset() { doc.get("Spec").opt("EndpointSpec").opt("Ports") } else { in_effect }
        .list_or_empty()?;
    let one = |item| {
        let item = Node::of(item);
        let number = |key| if item.get(key).is_unset() { Ok(0) } else { item.get(key).int() };
        Ok(Port {
            published: number("PublishedPort")?,
            target: number("TargetPort")?,
            protocol: cut(item.get("Protocol").text_or_empty()?),
            mode: match item.get("PublishMode").text_or_empty()? {
                "" => "ingress",
                mode => cut(mode),
            },
        })
    };
    items.iter().take(MOST_ITEMS).map(one).collect()
}

/// What swarm's ingress publishes on every node for the services of `GET /services`, by their names.
///
/// # Errors
/// Why it is not known.
pub fn ingress_ports(answer: &Read<Json>) -> Read<ServicePorts> {
    let mut out = ServicePorts::new();
    for item in Node::of(answer.as_ref().map_err(Arc::clone)?).all()? {
        let doc = Node::of(item);
        let ingress = ports(doc)?.into_iter().filter(|port| port.mode == "ingress" && port.published > 0);
        let ports = ingress.map(|port| (port.published, port.target, port.protocol.into())).collect();
        out.insert(doc.get("Spec").get("Name").text()?.into(), ports);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::network::network;
    use serde_json::json;

    fn recorded() -> Vec<Json> {
        [include_str!("../../fixtures/engine-20.10/swarm.json"), include_str!("../../fixtures/engine-29/swarm.json")]
            .map(|text| serde_json::from_str(text).expect("a fixture"))
            .to_vec()
    }

    fn answers(doc: &Json) -> Answers {
        Answers {
            swarm: Ok(doc["swarm"].clone()),
            nodes: Ok(doc["nodes"].clone()),
            services: Ok(doc["services"].clone()),
            secrets: count(&doc["secrets"]),
            configs: count(&doc["configs"]),
        }
    }

    #[test]
    fn recorded_swarms_are_read_alike_on_both_engines() {
        for doc in recorded() {
            let networks: Vec<_> =
                doc["networks"].as_array().expect("networks").iter().map(|item| network(item, false)).collect();
            let info = json!({"Swarm": doc["info"]});
            assert_eq!(part(&info), Ok(Part::Manager));
            let swarm = swarm(&info, &answers(&doc), &Ok(&networks));
            for (fact, expected) in [
                ("managers", "1"),
                ("nodes", "1"),
                ("services", "2"),
                ("autolock", "true"),
                ("node_cert_days", "90"),
                ("root_rotated", "false"),
                ("root_rotation_running", "false"),
                ("external_ca", "false"),
                ("advertise_address", "127.0.0.1"),
                ("unencrypted_overlays", "[ingress, plainov]"),
                ("secrets", "1"),
                ("configs", "1"),
            ] {
                assert_eq!(swarm.value(fact).to_string(), expected, "{fact}");
            }
            assert_eq!(swarm.facts().count(), SWARM.facts.len());
            let node = &nodes(&doc["nodes"]).expect("nodes")[0];
            assert_eq!(node.value("role").as_str(), Some("manager"));
            assert_eq!(node.value("state").as_str(), Some("ready"));
            assert_eq!(node.facts().count(), NODE.facts.len());
        }
    }

    #[test]
    fn recorded_services_are_read_alike_on_both_engines() {
        for doc in recorded() {
            let ids = doc["networks"].as_array().expect("networks").iter();
            let names = ids
                .map(|item| (item["Id"].as_str().unwrap_or("").into(), item["Name"].as_str().unwrap_or("").into()))
                .collect();
            let services = services(&doc["services"], &names, &Redactor::new()).expect("services");
            let web = services.iter().find(|service| &*service.name == "shop_web").expect("the service");
            for (fact, expected) in [
                ("image", "busybox:test"),
                ("replicas", "1"),
                ("secrets", "[db_password]"),
                ("networks", "[enc]"),
                (
                    "ports",
                    "[{published: 8443, target: 443, protocol: tcp, mode: ingress}, \
                     {published: 9443, target: 444, protocol: tcp, mode: host}]",
                ),
            ] {
                assert_eq!(web.value(fact).to_string(), expected, "{fact}");
            }
            assert!(web.value("env_secrets").to_string().contains("API_TOKEN"));
            assert!(!format!("{services:?}").contains("hunter2"));
            let global = services.iter().find(|service| &*service.name == "glob").expect("the service");
            assert_eq!(global.value("replicas"), &Value::Null);
            assert_eq!(global.value("ports").to_string(), "[]");
            let ingress = ingress_ports(&Ok(doc["services"].clone())).expect("ports");
            assert_eq!(ingress.get("shop_web"), Some(&vec![(8443, 443, "tcp".into())]));
        }
    }

    #[test]
    fn a_worker_knows_little() {
        let info = json!({"Swarm": {"LocalNodeState": "active", "ControlAvailable": false, "NodeAddr": "192.0.2.1"}});
        assert_eq!(part(&info), Ok(Part::Worker));
        let reason = "this engine is not a manager".into();
        let swarm = swarm(&info, &Answers::none(&reason), &Ok(&[]));
        assert_eq!(swarm.value("advertise_address").as_str(), Some("192.0.2.1"));
        for fact in ["managers", "autolock", "services", "secrets", "node_cert_days", "root_rotated"] {
            assert!(swarm.value(fact).is_unknown(), "{fact}");
        }
        assert_eq!(part(&json!({"Swarm": {"LocalNodeState": "inactive"}})), Ok(Part::None));
        assert!(part(&json!({})).is_err());
    }

    #[test]
    fn rotation_and_validity_are_read_where_they_are_not_the_default() {
        let read = |ca: Json| {
            let answers = Answers { swarm: Ok(json!({"Spec": {"CAConfig": ca}})), ..Answers::none(&"x".into()) };
            let swarm = swarm(&json!({}), &answers, &Err("x".into()));
            format!("{} {} {}", swarm.value("node_cert_days"), swarm.value("root_rotated"), swarm.value("external_ca"))
        };
        assert_eq!(read(json!({"NodeCertExpiry": 3_600_000_000_000_i64, "ForceRotate": 2})), "1 true false");
        assert_eq!(read(json!({"ExternalCAs": [{"URL": "https://x"}]})), "90 false true");
    }

    #[test]
    fn the_nodes_own_state_tells_the_data_path() {
        let separate = |state: Json| {
            let mut swarm = swarm(&json!({}), &Answers::none(&"x".into()), &Err("x".into()));
            set_state(&mut swarm, &state, &"docker-state.json".into());
            swarm.value("data_path_separate").to_string()
        };
        let state = |data: &str| json!({"AdvertiseAddr": "192.0.2.1:2377", "DataPathAddr": data});
        assert_eq!(separate(state("")), "false");
        assert_eq!(separate(state("192.0.2.1")), "false");
        assert_eq!(separate(state("198.51.100.1")), "true");
        assert!(separate(json!([])).contains("unknown"));
    }
}
