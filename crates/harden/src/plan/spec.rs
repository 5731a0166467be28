//! Changes of a container's run specification, which need it to be made anew.

use seaworthy_core::check::Check;
use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::identity::repository;
use seaworthy_core::judge::judge;
use seaworthy_core::path::normalise;
use seaworthy_core::plan::SpecChange;
use seaworthy_core::predicate::FactSet;
use seaworthy_core::remedy::Setting;
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Verdict;

use super::activate::needs;
use super::draft::Draft;
use super::piece::{Not, Piece, Resolved};
use super::world::{Known, list, part, text, texts, truth};

/// A finding on a container that is closed by making it anew.
pub(super) struct Asked<'a> {
    pub check: &'a Check,
    /// The facts that decided.
    pub decided: FactSet,
    /// The container, with its position in the target.
    pub at: usize,
    pub container: &'a Component,
}

impl Asked<'_> {
    /// Whether a fact is among those that decided.
    fn rests_on(&self, fact: &str) -> bool {
        self.container.kind.index(fact).is_some_and(|i| self.decided.contains(i))
    }

    /// Those of a list's elements with which alone the check fails.
    fn failing<'c>(&'c self, fact: &str) -> Known<Vec<&'c Value>> {
        let fails = |element: &Value| {
            let mut alone = self.container.clone();
            alone.set(fact, Value::List(vec![element.clone()]), Source::place("one of it"));
            judge(self.check, &alone).is_some_and(|j| j.verdict == Verdict::Fail)
        };
        Ok(list(self.container, fact)?.iter().filter(|e| fails(e)).collect())
    }

    fn spec(&self, option: &str, remove: Vec<String>, add: Vec<String>) -> Resolved {
        Piece::Spec(self.at, SpecChange { option: option.to_owned(), remove, add }).into()
    }

    fn name(&self) -> &str {
        &self.container.name
    }
}

/// Whether a container may be made anew at all, with what that breaks and what is lost for good.
pub(super) fn recreatable(draft: &Draft<'_>, asked: &Asked<'_>) -> Result<Resolved, Not> {
    let (name, container) = (asked.name(), asked.container);
    if truth(container, "swarm_task")? {
        return Err(
            format!("swarm makes {name} anew from its service: change it there by docker service update").into()
        );
    }
    if truth(container, "auto_remove")? {
        return Err(format!("{name} was started with --rm: the engine removes it, with its anonymous volumes, when it stops, so that there is no way back; start it anew yourself").into());
    }
    let status = text(container, "status")?;
    if !matches!(status, "running" | "created" | "exited") {
        return Err(format!("{name} is {status}, and is made anew only while it runs or has ended").into());
    }
    if let Some(other) = draft.world.containers.values().find(|c| needs(c).contains(&name)) {
        return Err(format!("{} joined a namespace of {name} or is linked to it, and would be so with nothing when that is made anew: make both anew yourself", other.name).into());
    }
    if !draft.settings.recreate {
        return Err(format!("needs --recreate (re-creates {name})").into());
    }
    let accepted = draft.settings.accept_lost_changes;
    let lost = match super::world::maybe(container, "changed_files") {
        Ok(Some(0)) => None,
        Ok(Some(n)) if !accepted => {
            return Err(format!(
                "{} in the writable layer of {name} would be lost (docker diff {name}); needs --accept-lost-changes",
                crate::count(n, "file")
            )
            .into());
        }
        Ok(Some(n)) => Some(format!(
            "what it has in its writable layer ({}) is not in the new one",
            crate::count(n, "changed file")
        )),
        _ if accepted => {
            Some(format!("what it changed in its writable layer is not in the new one (docker diff {name})"))
        }
        _ => Some(format!(
            "what it changed in its writable layer would not be in the new one: apply refuses where there is any (docker diff {name}), unless planned with --accept-lost-changes"
        )),
    };
    Ok(Resolved { lasting: lost.into_iter().collect(), ..Resolved::default() })
}

/// Groups as they were added: that of the engine's socket is told by its name, and mostly was given by its number.
fn by_number(draft: &Draft<'_>, container: &Component, groups: Vec<String>) -> Result<Vec<String>, Not> {
    let sockets = draft.world.target.of(&docker::FILE).filter(|f| f.value("role").as_str() == Some("docker-socket"));
    let of_sockets: Vec<i64> = sockets.filter_map(|f| f.value("gid").as_int()).filter(|gid| *gid > 0).collect();
    let is_it = |group: &&str| group.parse().is_ok_and(|gid: i64| of_sockets.contains(&gid));
    let numbers: Vec<String> = texts(container, "groups_added")?.into_iter().filter(is_it).map(str::to_owned).collect();
    if numbers.is_empty() || !groups.iter().any(|group| group == "docker") {
        return Ok(groups);
    }
    Ok(groups.into_iter().filter(|group| group != "docker").chain(numbers).collect())
}

/// One option of an edit that makes a container anew.
pub(super) fn option(draft: &Draft<'_>, asked: &Asked<'_>, option: &str, wanted: &Setting) -> Result<Resolved, Not> {
    let proposed = matches!(wanted, Setting::Str(v) if v == "proposed");
    match (option, wanted) {
        (_, Setting::Bool(value)) => {
            let mut out = asked.spec(option, Vec::new(), vec![value.to_string()]);
            out.breaks.extend(breaks(asked, option));
            Ok(out)
        }
        ("security-opt", Setting::Str(value)) => security(asked, value),
        ("cap-drop" | "cap-add", _) => capabilities(asked, option, wanted),
        ("device" | "device-cgroup-rule", _) => devices(asked),
        ("volume", _) if proposed => volumes(asked),
        ("publish", _) if proposed => publish(draft, asked),
        ("group-add", _) if proposed => {
            let groups = asked.failing("groups_added")?.into_iter().filter_map(Value::as_str).map(str::to_owned);
            let groups = by_number(draft, asked.container, groups.collect())?;
            let mut out = asked.spec(option, groups, Vec::new());
            out.breaks.push(format!("files that {} reaches by these groups are closed to it", asked.name()));
            Ok(out)
        }
        ("image", _) if proposed => image(draft, asked),
        ("user" | "network" | "tmpfs", _) if proposed => own(draft, asked, option),
        ("env" | "command" | "label" | "log-opt", _) if proposed => Err(Not::Hand {
            what: format!(
                "A secret stands in {} of {}: change it where it comes from, give the new one as a file, and make the container anew",
                what_of(option),
                asked.name()
            ),
            command: Vec::new(),
        }),
        ("health-cmd", _) if proposed => Err(Not::Hand {
            what: format!("What asks {} whether it is well, only whoever knows it can say", asked.name()),
            command: Vec::new(),
        }),
        ("link", _) => {
            let links: Vec<String> = texts(asked.container, "links")?.into_iter().map(str::to_owned).collect();
            let mut out = asked.spec(option, links, Vec::new());
            out.breaks.push(format!("{} finds the others by their links' names no more", asked.name()));
            Ok(out)
        }
        ("pid" | "uts", Setting::Str(value)) if value == "private" => Ok(namespace(asked, option, "")),
        ("ipc" | "cgroupns", Setting::Str(value)) => Ok(namespace(asked, option, value)),
        (_, Setting::Str(value)) if !proposed => Ok(asked.spec(option, Vec::new(), vec![value.clone()])),
        (_, Setting::List(values)) => {
            let text = |v: &Setting| match v {
                Setting::Str(v) => Some(v.clone()),
                _ => None,
            };
            Ok(asked.spec(option, Vec::new(), values.iter().filter_map(text).collect()))
        }
        _ => Err(Not::Left(format!("nothing that was observed says what {option} should be"))),
    }
}

fn what_of(option: &str) -> &'static str {
    match option {
        "env" => "the environment",
        "command" => "the command",
        "label" => "a label",
        _ => "an option of the log",
    }
}

fn breaks(asked: &Asked<'_>, option: &str) -> Option<String> {
    let name = asked.name();
    Some(match option {
        "privileged" => format!(
            "what {name} does with the host's devices, kernel settings or capabilities beyond the default fourteen fails"
        ),
        "read-only" => format!("{name} writes nowhere but in its mounts"),
        _ => return None,
    })
}

/// A namespace of its own in place of the host's; of those that it joined only where it did.
fn namespace(asked: &Asked<'_>, option: &str, value: &str) -> Resolved {
    if asked.rests_on("joins") {
        let prefix = format!("{option}:");
        let joined = texts(asked.container, "joins").is_ok_and(|all| all.iter().any(|j| j.starts_with(&prefix)));
        if !joined {
            return Resolved::default();
        }
    }
    let mut out = asked.spec(option, Vec::new(), vec![value.to_owned()]);
    out.breaks.push(format!("{} sees no more of the host, or of the other container, by that namespace", asked.name()));
    out
}

/// Without all rights, where it has them: the setting in question follows from them.
fn unprivileged(asked: &Asked<'_>, out: &mut Resolved) -> Known<()> {
    if truth(asked.container, "privileged")? {
        out.join(asked.spec("privileged", Vec::new(), vec!["false".into()]));
        out.breaks.extend(breaks(asked, "privileged"));
    }
    Ok(())
}

fn security(asked: &Asked<'_>, value: &str) -> Result<Resolved, Not> {
    let mut out = match value {
        // Given as `--security-opt systempaths=unconfined`, which the engine keeps as two lists.
        "proposed" => asked.spec("security-opt", vec!["systempaths=unconfined".into()], Vec::new()),
        // It takes the place of what stands there for the same.
        value => asked.spec("security-opt", Vec::new(), vec![value.to_owned()]),
    };
    if value == "no-new-privileges" {
        out.breaks.push(format!("programs with setuid bits (sudo, su, ping) gain nothing in {}", asked.name()));
    } else {
        out.breaks.push(format!("what {} does that the engine's default confinement forbids fails", asked.name()));
        unprivileged(asked, &mut out)?;
    }
    Ok(out)
}

/// Capabilities that are taken away: exactly those that the check names, since what a program needs cannot be observed.
fn capabilities(asked: &Asked<'_>, option: &str, wanted: &Setting) -> Result<Resolved, Not> {
    let mut out = Resolved::default();
    let one = match wanted {
        Setting::Str(one) if !matches!(one.as_str(), "proposed" | "ALL") => Some(one),
        _ => None,
    };
    // With all rights come all capabilities, and without them go those beyond the default.
    if truth(asked.container, "privileged")? && one.is_none() {
        unprivileged(asked, &mut out)?;
        return Ok(out);
    }
    let mut gone: Vec<String> = match one {
        Some(one) => vec![one.clone()],
        None if asked.rests_on("capabilities_added") => {
            texts(asked.container, "capabilities_added")?.into_iter().map(str::to_owned).collect()
        }
        None => asked.failing("capabilities")?.into_iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    gone.sort();
    if asked.rests_on("capabilities_added") && option == "cap-add" {
        return Ok(out);
    }
    out.breaks.push(format!("what {} does with {} fails", asked.name(), gone.join(", ")));
    // Dropping one also takes it from those that were added.
    out.join(asked.spec("cap-drop", Vec::new(), gone));
    Ok(out)
}

fn devices(asked: &Asked<'_>) -> Result<Resolved, Not> {
    let mut out = Resolved::default();
    if truth(asked.container, "privileged")? {
        unprivileged(asked, &mut out)?;
    }
    let every = asked.rests_on("all_devices") && !asked.rests_on("devices");
    let found = if every { list(asked.container, "devices")?.iter().collect() } else { asked.failing("devices")? };
    let (mut rules, mut paths) = (Vec::new(), Vec::new());
    for device in found {
        let (path, class) = (part(device, "path"), part(device, "class"));
        if path.starts_with('/') {
            // All rights show as the whole of /dev.
            if !(path == "/dev" && class == "all") {
                paths.push(path.to_owned());
            }
        } else if path.contains(':') || path == "a" {
            if !every || class == "all" {
                rules.push(path.to_owned());
            }
        } else {
            return Err(Not::Left(format!(
                "{path} is given by a request for devices, which has to be taken away where {} is made",
                asked.name()
            )));
        }
    }
    if !paths.is_empty() {
        out.breaks.push(format!("{} does not use {} any more", asked.name(), paths.join(", ")));
        out.join(asked.spec("device", paths, Vec::new()));
    }
    if !rules.is_empty() {
        out.breaks.push(format!("{} opens no device by {} any more", asked.name(), rules.join(", ")));
        out.join(asked.spec("device-cgroup-rule", rules, Vec::new()));
    }
    if out.pieces.is_empty() {
        return Err(Not::Left("which device it is cannot be told from what was read".into()));
    }
    Ok(out)
}

/// Mounts that are taken away, or whose changes spread to the host no more.
fn volumes(asked: &Asked<'_>) -> Result<Resolved, Not> {
    let name = asked.name();
    let mounts = list(asked.container, "mounts")?;
    if asked.rests_on("shared_propagation") {
        let (mut remove, mut add) = (Vec::new(), Vec::new());
        for destination in texts(asked.container, "shared_propagation")? {
            let mount = mounts.iter().find(|m| part(m, "destination") == destination);
            let mount = mount.ok_or_else(|| format!("{destination} is no mount of {name}"))?;
            let writes = mount.field("rw").and_then(Value::as_bool) != Some(false);
            let how = if writes { "rslave" } else { "ro,rslave" };
            remove.push(destination.to_owned());
            add.push(format!("{}:{destination}:{how}", part(mount, "source")));
        }
        let mut out = asked.spec("volume", remove, add);
        out.breaks.push(format!("what {name} mounts there is not seen by the host any more"));
        return Ok(out);
    }
    let fact = if asked.rests_on("runtime_sockets") { "runtime_sockets" } else { "sensitive_mounts" };
    let mut gone = Vec::new();
    for reach in list(asked.container, fact)? {
        let source = part(reach, "source");
        let found: Vec<&Value> = mounts.iter().filter(|m| normalise(part(m, "source")) == normalise(source)).collect();
        if found.is_empty() {
            return Err(Not::Left(format!("which mount of {name} leads to {source} cannot be told")));
        }
        gone.extend(found.into_iter().map(|m| (part(m, "destination").to_owned(), source.to_owned())));
    }
    gone.sort();
    gone.dedup();
    let lines = gone.iter().map(|(destination, source)| {
        format!("what {name} does with {source} (mounted at {destination}) fails; what it only reads may need a narrower mount")
    });
    let breaks: Vec<String> = lines.collect();
    let mut out = asked.spec("volume", gone.into_iter().map(|(destination, _)| destination).collect(), Vec::new());
    out.breaks = breaks;
    Ok(out)
}

/// Ports on one address in place of all.
fn publish(draft: &Draft<'_>, asked: &Asked<'_>) -> Result<Resolved, Not> {
    let name = asked.name();
    let address = draft.set_for(name, "publish").unwrap_or("127.0.0.1");
    let shown = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let (mut remove, mut add) = (Vec::new(), Vec::new());
    for port in asked.failing("ports")? {
        let number = |field: &str| port.field(field).and_then(Value::as_int).unwrap_or_default();
        let (host, inner, protocol) = (number("host_port"), number("container_port"), part(port, "protocol"));
        let ip = part(port, "host_ip");
        let ip = match ip {
            "" => "0.0.0.0".to_owned(),
            ip if ip.contains(':') && !ip.starts_with('[') => format!("[{ip}]"),
            ip => ip.to_owned(),
        };
        remove.push(format!("{ip}:{host}:{inner}/{protocol}"));
        let new = format!("{shown}:{host}:{inner}/{protocol}");
        if !add.contains(&new) {
            add.push(new);
        }
    }
    if remove.is_empty() {
        return Err(Not::Left(format!("which port of {name} it is cannot be told from what was read")));
    }
    let ports = add.join(", ");
    let mut out = asked.spec("publish", remove, add);
    out.breaks.push(format!("whoever reaches {name} by another address of the host is cut off: it stays open as {ports} (--set {name}:publish=ADDRESS chooses another)"));
    Ok(out)
}

/// The image by the digest that a registry knows it by.
fn image(draft: &Draft<'_>, asked: &Asked<'_>) -> Result<Resolved, Not> {
    let (name, id) = (asked.name(), text(asked.container, "image_id")?);
    let images: Vec<&Component> = draft.world.target.of(&docker::IMAGE).collect();
    let image = images.iter().find(|i| *i.id == *id).ok_or_else(|| format!("the image of {name} was not read"))?;
    let digests = texts(image, "digests")?;
    let wanted = repository(text(asked.container, "image")?);
    let of_same = |d: &&&str| repository(d) == wanted || repository(d).ends_with(&format!("/{wanted}"));
    let Some(digest) = digests.iter().find(of_same).or(digests.first()) else {
        return Err(Not::Hand {
            what: format!("No registry knows the image of {name} by a digest: push it to one, and run it from there"),
            command: Vec::new(),
        });
    };
    let mut out = asked.spec("image", Vec::new(), vec![(*digest).to_owned()]);
    out.breaks.push(format!(
        "{name} stays at this image until its digest is changed: newer ones of its tag reach it no more"
    ));
    Ok(out)
}

/// What only the user can say.
fn own(draft: &Draft<'_>, asked: &Asked<'_>, option: &str) -> Result<Resolved, Not> {
    let name = asked.name();
    let joined = |kind: &str| texts(asked.container, "joins").is_ok_and(|j| j.iter().any(|j| j.starts_with(kind)));
    if option == "network" && asked.rests_on("joins") && !joined("network:") {
        return Ok(Resolved::default());
    }
    let Some(value) = draft.set_for(name, option) else {
        let (why, example) = match option {
            "user" => ("as which user it can work depends on who may write its data", "10001:10001"),
            "network" => {
                ("which containers it must reach decides on its network: make one (docker network create app)", "app")
            }
            _ => ("where it writes is not known (docker diff shows it)", "/tmp,/run"),
        };
        return Err(Not::Left(format!("{why}; then say it: --set CONTAINER:{option}={example}")));
    };
    match option {
        "network" => {
            let known = draft.world.target.of(&docker::NETWORK).find(|n| *n.name == *value);
            let network = known.ok_or_else(|| format!("there is no network {value}: docker network create {value}"))?;
            if truth(network, "default_bridge")? || matches!(text(network, "driver")?, "host" | "none") {
                return Err(Not::Left(format!("{value} is no network of its own")));
            }
            let left = left_network(asked)?;
            let mut out = asked.spec("network", left, vec![value.to_owned()]);
            out.breaks.push(format!("{name} reaches those on {value} by their names, and those where it was no more"));
            Ok(out)
        }
        "tmpfs" => Ok(asked.spec("tmpfs", Vec::new(), value.split(',').map(str::to_owned).collect())),
        _ => {
            let mut out = asked.spec(option, Vec::new(), vec![value.to_owned()]);
            out.breaks.push(format!("{name} writes only what user {value} may; ports under 1024 may need a setting"));
            Ok(out)
        }
    }
}

/// The network that is left for one of its own.
fn left_network(asked: &Asked<'_>) -> Known<Vec<String>> {
    let mode = text(asked.container, "network_mode")?;
    Ok(match mode {
        "" | "default" | "bridge" => vec!["bridge".to_owned()],
        "host" => vec!["host".to_owned()],
        mode if mode.starts_with("container:") => vec![mode.to_owned()],
        // It was connected to the default bridge beside others.
        _ if truth(asked.container, "default_bridge")? => vec!["bridge".to_owned()],
        _ => Vec::new(),
    })
}
