//! A list of tasks for Ansible. Names from the host never reach its templates.

use seaworthy_core::plan::{Action, Activate, Activation, AuditRules, ContainerRef, DaemonJson, Plan, Rights};

use super::yaml::{For, Yaml};
use super::{comment, head, to_do, update_options};
use crate::act::audit::line;

/// A plan as a list of tasks, for `ansible.builtin.import_tasks` with `become`.
#[must_use]
pub fn ansible(plan: &Plan) -> String {
    let mut tasks = Vec::new();
    for change in &plan.changes {
        let title = comment(&change.title);
        of_action(&mut tasks, &title, &change.action, plan);
    }
    for (what, command) in to_do(plan) {
        let said = if command.is_empty() { what.clone() } else { format!("{what}\n{}", command.join(" ")) };
        tasks.push(task("To do by hand", "ansible.builtin.debug", Yaml::map([("msg", Yaml::text(said))]), []));
    }
    let mut out = String::from("---\n");
    for line in head(plan) {
        out.push_str(&format!("# {}\n", comment(&line)));
    }
    out + &Yaml::List(tasks).document(For::Ansible)
}

fn task<const N: usize>(name: &str, module: &str, arguments: Yaml, more: [(&str, Yaml); N]) -> Yaml {
    let head = [("name".to_owned(), Yaml::text(name)), (module.to_owned(), arguments)];
    Yaml::Map(head.into_iter().chain(more.into_iter().map(|(k, v)| (k.to_owned(), v))).collect())
}

fn command<const N: usize>(name: &str, argv: impl IntoIterator<Item = String>, more: [(&str, Yaml); N]) -> Yaml {
    task(name, "ansible.builtin.command", Yaml::map([("argv", Yaml::texts(argv))]), more)
}

/// Lines in a file, in a block of the plan's own: what others, or an earlier plan, have put there stays.
fn block(plan: &Plan, name: &str, path: &str, mode: &str, lines: &str, more: Vec<(&str, Yaml)>) -> Yaml {
    let id: String = plan.id.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let mut arguments = vec![
        ("path", Yaml::text(path)),
        ("block", Yaml::text(lines)),
        ("marker", Yaml::text(format!("# {{mark}} seaworthy plan {id}"))),
        ("create", Yaml::Plain("true".into())),
        ("owner", Yaml::text("root")),
        ("group", Yaml::text("root")),
        ("mode", Yaml::text(mode)),
        ("backup", Yaml::Plain("true".into())),
    ];
    // The first value that sshd reads is the one that holds; elsewhere it is the last.
    let place = if path.contains("/sshd_config.d/") { ("insertbefore", "BOF") } else { ("insertafter", "EOF") };
    arguments.push((place.0, Yaml::text(place.1)));
    let head =
        [("name".to_owned(), Yaml::text(name)), ("ansible.builtin.blockinfile".to_owned(), Yaml::map(arguments))];
    Yaml::Map(head.into_iter().chain(more.into_iter().map(|(k, v)| (k.to_owned(), v))).collect())
}

fn template(text: &str) -> Yaml {
    Yaml::Template(text.to_owned())
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|w| (*w).to_owned()).collect()
}

fn of_action(tasks: &mut Vec<Yaml>, title: &str, action: &Action, plan: &Plan) {
    match action {
        Action::Rights(change) => tasks.push(rights(title, change)),
        Action::DaemonJson(file) => daemon_json(tasks, title, file),
        Action::DropIn(drop_in) => {
            let lines: String = drop_in.set.iter().map(|(n, v)| format!("{n}={v}\n")).collect();
            let directory = format!("/etc/systemd/system/{}.d", drop_in.unit);
            tasks.push(folder(&directory));
            let content = format!("[{}]\n{lines}", drop_in.section);
            tasks.push(block(plan, title, &format!("{directory}/50-seaworthy.conf"), "0644", &content, Vec::new()));
            let reload = Yaml::map([("daemon_reload", Yaml::Plain("true".into()))]);
            tasks.push(task("systemd reads its units again", "ansible.builtin.systemd_service", reload, []));
            tasks.extend(drop_in.socket.iter().map(|socket| rights(title, socket)));
        }
        Action::Audit(rules) => audit(tasks, title, rules, plan),
        Action::Sshd(sshd) => {
            let lines: String = sshd.set.iter().map(|(n, v)| format!("{n} {v}\n")).collect();
            let register = vec![("register", Yaml::text("seaworthy_sshd"))];
            tasks.push(block(plan, title, "/etc/ssh/sshd_config.d/00-seaworthy.conf", "0600", &lines, register));
            tasks.push(command(
                "sshd takes its settings",
                words(&["sshd", "-t"]),
                [("changed_when", Yaml::Plain("false".into()))],
            ));
            let reload = Yaml::map([
                ("name", template("{{ 'ssh' if ansible_facts['os_family'] == 'Debian' else 'sshd' }}")),
                ("state", Yaml::text("reloaded")),
            ]);
            let when = [("when", Yaml::Template("seaworthy_sshd is changed".into()))];
            tasks.push(task(
                "The SSH server reads its settings again",
                "ansible.builtin.systemd_service",
                reload,
                when,
            ));
        }
        Action::LeaveGroup(leave) => {
            let argv = ["gpasswd", "--delete", &leave.user, &leave.group];
            let more = [
                ("register", Yaml::text("seaworthy_group")),
                ("changed_when", Yaml::Template("seaworthy_group.rc == 0".into())),
                ("failed_when", Yaml::Template("seaworthy_group.rc not in [0, 3]".into())),
            ];
            tasks.push(command(title, words(&argv), more));
        }
        Action::ProfileEnv(env) => {
            let lines: String =
                env.set.iter().map(|(n, v)| format!("export {n}={}\n", super::shell::quoted(v))).collect();
            tasks.push(block(plan, title, "/etc/profile.d/seaworthy.sh", "0644", &lines, Vec::new()));
        }
        Action::Activate(activate) => self::activate(tasks, title, activate, &plan.target.address),
        Action::Update(update) => {
            let argv = words(&["docker", "--host", &plan.target.address, "update"]).into_iter();
            let argv = argv.chain(update.set.iter().flat_map(update_options)).chain([id(&update.container)]);
            tasks.push(command(title, argv, []));
        }
        // Told with what is to be done by hand.
        Action::Recreate(_) => {}
        Action::Swarm(swarm) => {
            for (name, _, after) in &swarm.set {
                let hours = after.as_u64().unwrap_or(0) / 3_600_000_000_000;
                let value = if name == "cert-expiry" { format!("{hours}h") } else { after.to_string() };
                let argv = ["docker", "--host", &plan.target.address, "swarm", "update", &format!("--{name}={value}")];
                tasks.push(command(title, words(&argv), []));
            }
        }
    }
}

fn folder(path: &str) -> Yaml {
    let arguments = [("path", Yaml::text(path)), ("state", Yaml::text("directory")), ("mode", Yaml::text("0755"))];
    task("The folder is there", "ansible.builtin.file", Yaml::map(arguments), [])
}

fn rights(title: &str, change: &Rights) -> Yaml {
    let state = if change.what == "directory" { "directory" } else { "file" };
    let arguments = Yaml::map([
        ("path", Yaml::text(change.path.clone())),
        ("state", Yaml::text(state)),
        ("follow", Yaml::Plain("false".into())),
        ("owner", Yaml::text(change.after.uid.to_string())),
        ("group", Yaml::text(change.after.gid.to_string())),
        ("mode", Yaml::text(format!("{:04o}", change.after.mode))),
    ]);
    task(title, "ansible.builtin.file", arguments, [])
}

fn daemon_json(tasks: &mut Vec<Yaml>, title: &str, file: &DaemonJson) {
    let more = [
        ("register", Yaml::text("seaworthy_daemon_json")),
        (
            "failed_when",
            Yaml::Template("seaworthy_daemon_json is failed and 'not found' not in seaworthy_daemon_json.msg".into()),
        ),
    ];
    let slurp = Yaml::map([("src", Yaml::text(file.path.clone()))]);
    tasks.push(task("daemon.json is read", "ansible.builtin.slurp", slurp, more));
    let set = file.set.iter().filter_map(|s| s.after.as_ref().map(|v| (s.key.clone(), Yaml::json(v))));
    let gone = file.set.iter().filter(|s| s.after.is_none()).map(|s| s.key.clone());
    let vars = Yaml::map([
        (
            "seaworthy_present",
            template("{{ (seaworthy_daemon_json.content | default('e30=') | b64decode | from_json) }}"),
        ),
        ("seaworthy_set", Yaml::map(set)),
        ("seaworthy_gone", Yaml::texts(gone)),
    ]);
    let content = "{{ seaworthy_present | combine(seaworthy_set, recursive=true) | dict2items | rejectattr('key', 'in', seaworthy_gone) | items2dict | to_nice_json(indent=2) }}\n";
    let arguments = Yaml::map([
        ("dest", Yaml::text(file.path.clone())),
        ("content", template(content)),
        ("backup", Yaml::Plain("true".into())),
        ("mode", template("{{ omit if seaworthy_daemon_json.content is defined else '0644' }}")),
    ]);
    let more = [("vars", vars), ("register", Yaml::text("seaworthy_written"))];
    tasks.push(task(title, "ansible.builtin.copy", arguments, more));
}

fn audit(tasks: &mut Vec<Yaml>, title: &str, rules: &AuditRules, plan: &Plan) {
    let sayable = rules.watches.iter().filter(|w| w.disk && !w.path.contains(char::is_whitespace));
    let lines: String = sayable.map(|w| line(w) + "\n").collect();
    if !lines.is_empty() {
        tasks.push(block(plan, title, "/etc/audit/rules.d/50-seaworthy-docker.rules", "0640", &lines, Vec::new()));
    }
    if rules.enable {
        tasks.push(command("The kernel records audit events", words(&["auditctl", "-e", "1"]), []));
    }
    for watch in rules.watches.iter().filter(|w| w.kernel) {
        let argv = ["auditctl", "-w", &watch.path, "-p", &watch.permissions, "-k", "seaworthy"];
        let more = [
            ("register", Yaml::text("seaworthy_rule")),
            ("changed_when", Yaml::Template("seaworthy_rule.rc == 0".into())),
            ("failed_when", Yaml::Template("seaworthy_rule.rc != 0 and 'exists' not in seaworthy_rule.stderr".into())),
        ];
        tasks.push(command(title, words(&argv), more));
    }
}

fn activate(tasks: &mut Vec<Yaml>, title: &str, activate: &Activate, address: &str) {
    let when = || ("when", Yaml::Template("seaworthy_written is changed".into()));
    if activate.how == Activation::Reload {
        let argv = ["systemctl", "kill", "--signal=HUP", "--kill-who=main", "docker.service"];
        tasks.push(command(title, words(&argv), [when()]));
        return;
    }
    if activate.stop_all {
        for container in activate.returns.iter().chain(&activate.started_again) {
            let argv = ["docker", "--host", address, "stop", &id(container)];
            tasks.push(command(&format!("{} stops", comment(&container.name)), words(&argv), [when()]));
        }
    }
    let restart = [("name", Yaml::text("docker.service")), ("state", Yaml::text("restarted"))];
    tasks.push(task(title, "ansible.builtin.systemd_service", Yaml::map(restart), [when()]));
    for container in &activate.started_again {
        let argv = ["docker", "--host", address, "start", &id(container)];
        tasks.push(command(&format!("{} starts again", comment(&container.name)), words(&argv), [when()]));
    }
}

fn id(container: &ContainerRef) -> String {
    if container.id.is_empty() { container.name.clone() } else { container.id.clone() }
}
