//! An override file for Docker Compose, so that what a plan changes of containers survives `docker compose up`.
//!
//! An override adds to lists and cannot take single entries out of them: what has to go is named in a comment.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::plan::{Action, Plan, SetField, SpecChange};

use super::yaml::{For, Yaml};
use super::{comment, cpus, head};
use crate::Failure;

/// A plan as an override file of one Compose project; `project` names it where the plan is about several.
///
/// # Errors
/// Where nothing of the plan is about a container of Compose, or it is about several projects and none is named.
pub fn compose(plan: &Plan, project: Option<&str>) -> Result<String, Failure> {
    let mut services: BTreeMap<(&str, &str), Service> = BTreeMap::new();
    for change in &plan.changes {
        match &change.action {
            Action::Update(update) => {
                let Some((project, service)) = &update.compose else { continue };
                let entry = services.entry((project, service)).or_default();
                update.set.iter().for_each(|set| entry.limit(set));
            }
            Action::Recreate(recreate) => {
                let Some((project, service)) = &recreate.compose else { continue };
                let entry = services.entry((project, service)).or_default();
                recreate.set.iter().for_each(|set| entry.change(set));
            }
            _ => {}
        }
    }
    let projects: BTreeSet<&str> = services.keys().map(|(project, _)| *project).collect();
    let wanted = match (project, projects.first()) {
        (Some(named), _) if projects.contains(named) => named,
        (Some(named), Some(_)) => {
            return Err(Failure(format!(
                "the plan changes nothing of project {named}; it does of {}",
                listed(&projects)
            )));
        }
        (_, None) => return Err(Failure::new("the plan changes no container of Docker Compose")),
        (None, Some(one)) if projects.len() == 1 => *one,
        (None, Some(_)) => {
            let all = listed(&projects);
            return Err(Failure(format!("the plan is about several Compose projects: {all}; name one by --project")));
        }
    };
    let mut networks = BTreeSet::new();
    let mut of_services = Vec::new();
    for ((project, name), service) in services {
        if project == wanted {
            networks.extend(service.networks.iter().cloned());
            of_services.push((name.to_owned(), service.into_yaml()));
        }
    }
    let mut document = vec![("services".to_owned(), Yaml::Map(of_services))];
    if !networks.is_empty() {
        let external = |name: String| (name, Yaml::map([("external", Yaml::Plain("true".into()))]));
        document.push(("networks".to_owned(), Yaml::Map(networks.into_iter().map(external).collect())));
    }
    let mut out = String::new();
    for line in head(plan) {
        out.push_str(&format!("# {}\n", comment(&line)));
    }
    out.push_str(&format!("# docker compose -p {} -f compose.yaml -f THIS-FILE up -d\n", comment(wanted)));
    Ok(out + &Yaml::Map(document).document(For::Compose))
}

/// What a service's own file has to say so that Compose makes it with these changes: what is added, each as a key with its
/// value, and what is taken out.
pub(crate) fn in_file(set: &[SpecChange]) -> (Vec<String>, Vec<String>) {
    let mut service = Service::default();
    set.iter().for_each(|set| service.change(set));
    let (entries, remove) = service.parts();
    let add = entries.into_iter().map(|(key, value)| format!("{key}: {}", value.flow(For::Compose)));
    (add.collect(), remove.iter().map(|line| comment(line)).collect())
}

fn listed(projects: &BTreeSet<&str>) -> String {
    projects.iter().take(5).copied().collect::<Vec<_>>().join(", ")
}

/// What an override says of one service.
#[derive(Default)]
struct Service {
    keys: BTreeMap<String, Yaml>,
    lists: BTreeMap<String, Vec<String>>,
    /// What has to be taken out of the service's own file.
    remove: Vec<String>,
    networks: Vec<String>,
}

impl Service {
    fn limit(&mut self, set: &SetField) {
        let plain = || Yaml::Plain(set.after.to_string());
        match set.field.as_str() {
            "memory" => {
                self.keys.insert("mem_limit".into(), plain());
                self.keys.insert("memswap_limit".into(), plain());
            }
            "pids-limit" => drop(self.keys.insert("pids_limit".into(), plain())),
            "cpus" => drop(self.keys.insert("cpus".into(), Yaml::text(cpus(&set.after)))),
            "restart" => {
                let policy = set.after.as_str().unwrap_or_default();
                self.keys.insert("restart".into(), Yaml::text(policy));
            }
            other => self.remove.push(format!("set {other} to {}", set.after)),
        }
    }

    fn change(&mut self, set: &SpecChange) {
        let one = set.add.first().map_or("", String::as_str);
        let truth = || Yaml::Plain(if one == "true" { "true" } else { "false" }.into());
        // Without a value the default holds again; that needs Compose 2.24 or newer.
        let or_reset = |text: &str| match text {
            "" => Yaml::Tagged("!reset", Box::new(Yaml::Plain("null".into()))),
            text => Yaml::text(text),
        };
        let key = match set.option.as_str() {
            "privileged" => Some(("privileged", truth())),
            "read-only" => Some(("read_only", truth())),
            "oom-kill-disable" => Some(("oom_kill_disable", truth())),
            "user" => Some(("user", Yaml::text(one))),
            "image" => Some(("image", Yaml::text(one))),
            "ipc" => Some(("ipc", or_reset(one))),
            "pid" => Some(("pid", or_reset(one))),
            "uts" => Some(("uts", or_reset(one))),
            "cgroupns" => Some(("cgroup", or_reset(one))),
            "userns" => Some(("userns_mode", or_reset(one))),
            "cgroup-parent" => Some(("cgroup_parent", or_reset(one))),
            _ => None,
        };
        if let Some((key, value)) = key {
            self.keys.insert(key.into(), value);
            return;
        }
        let list = match set.option.as_str() {
            "cap-drop" => Some("cap_drop"),
            "cap-add" => Some("cap_add"),
            "security-opt" => Some("security_opt"),
            "volume" => Some("volumes"),
            "publish" => Some("ports"),
            "device" => Some("devices"),
            "device-cgroup-rule" => Some("device_cgroup_rules"),
            "group-add" => Some("group_add"),
            "tmpfs" => Some("tmpfs"),
            "link" => Some("links"),
            "env" => Some("environment"),
            "label" => Some("labels"),
            _ => None,
        };
        match (set.option.as_str(), list) {
            ("network", _) => {
                self.networks.extend(set.add.iter().cloned());
                self.lists.entry("networks".into()).or_default().extend(set.add.iter().cloned());
                if set.remove.iter().any(|r| r == "host" || r == "bridge" || r.starts_with("container:")) {
                    let reset = Yaml::Tagged("!reset", Box::new(Yaml::Plain("null".into())));
                    self.keys.insert("network_mode".into(), reset);
                }
            }
            ("log-opt", _) => {
                let options = set.add.iter().filter_map(|o| o.split_once('=')).map(|(k, v)| (k, Yaml::text(v)));
                self.keys.insert("logging".into(), Yaml::map([("options", Yaml::map(options))]));
            }
            (_, Some(list)) => {
                self.lists.entry(list.into()).or_default().extend(set.add.iter().cloned());
                self.remove.extend(set.remove.iter().map(|r| format!("{list}: {r}")));
            }
            (option, None) => self.remove.push(format!("{option}: {}", set.add.join(", "))),
        }
    }

    /// Its keys, and what has to be taken out of its own file.
    fn parts(self) -> (Vec<(String, Yaml)>, Vec<String>) {
        let mut entries: Vec<(String, Yaml)> = self.keys.into_iter().collect();
        let lists = self.lists.into_iter().filter(|(_, items)| !items.is_empty());
        entries.extend(lists.map(|(key, items)| (key, Yaml::texts(items))));
        (entries, self.remove)
    }

    fn into_yaml(self) -> Yaml {
        let (entries, remove) = self.parts();
        let map = Yaml::Map(entries);
        if remove.is_empty() {
            return map;
        }
        // Each on its own line, whatever is in a name.
        let lines: Vec<String> = remove.iter().map(|r| format!("  {}", comment(r))).collect();
        let text =
            format!("To be taken out of the service's own file, which no override can do:\n{}", lines.join("\n"));
        Yaml::Comment(text, Box::new(map))
    }
}
