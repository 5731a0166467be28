//! A shell script: POSIX sh, to be read before it is run. It keeps copies, can be run again, and stops at the first error.

use std::fmt::Write as _;

use seaworthy_core::plan::{
    Action, Activate, Activation, AuditRules, ContainerRef, DropIn, Plan, Rights, Sshd, Update,
};
use serde_json::Value;

use super::{comment, head, patch, to_do, update_options};
use crate::act::audit::line;

/// What every script begins with, after its head.
const BEGIN: &str = r#"set -eu
umask 077
fail() { printf 'seaworthy: %s\n' "$1" >&2; exit 1; }
say() { printf '%s\n' "$1"; }
# A copy of a file as it was before the first run, with owner and mode.
keep() {
  if [ -e "$1" ] && [ ! -e "$backup$1" ]; then
    mkdir -p -- "$backup$(dirname -- "$1")"
    cp -a -- "$1" "$backup$1"
  fi
}
# rights PATH UID:GID MODE
rights() {
  if [ -L "$1" ]; then fail "$1 is a link"; fi
  if [ ! -e "$1" ]; then fail "$1 is gone"; fi
  if [ "$(stat -c '%u:%g %a' -- "$1")" = "$2 $3" ]; then return 0; fi
  stat -c '%u:%g %a %n' -- "$1" >> "$backup/rights-before"
  chown -h -- "$2" "$1"
  chmod -- "$3" "$1"
  say "$1: $2 $3"
}
# put PATH MODE first|last, lines on standard input: where one of them is missing they are added before or after what is
# there. A file that is whole or not there; put_changed says whether it changed.
put() {
  if [ -L "$1" ]; then fail "$1 is a link"; fi
  mkdir -p -m 0755 -- "$(dirname -- "$1")"
  cat > "$1.seaworthy"
  if [ -f "$1" ]; then
    missing=0
    while IFS= read -r line; do
      if ! grep -qxF -e "$line" -- "$1"; then missing=1; fi
    done < "$1.seaworthy"
    if [ "$missing" = 0 ]; then rm -f -- "$1.seaworthy"; return 0; fi
    keep "$1"
    case $3 in
      first) cat -- "$1.seaworthy" "$1" > "$1.seaworthy-all" ;;
      # A last line may lack its end.
      *) { cat -- "$1"; if [ -n "$(tail -c 1 -- "$1")" ]; then echo; fi; cat -- "$1.seaworthy"; } > "$1.seaworthy-all" ;;
    esac
    mv -f -- "$1.seaworthy-all" "$1.seaworthy"
  fi
  chmod -- "$2" "$1.seaworthy"
  mv -f -- "$1.seaworthy" "$1"
  put_changed=1
  say "$1: written"
}
changed=0
"#;

/// The patch of daemon.json, by Python's own JSON: a shell has none.
const PATCH: &str = r#"import hashlib, json, os, shutil, subprocess, sys
path, digest, backup, text = sys.argv[1:5]
if os.path.islink(path):
    sys.exit(path + " is a link")
def merge(old, new):
    if not isinstance(new, dict):
        return new
    out = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out
data = open(path, "rb").read() if os.path.exists(path) else None
try:
    old = json.loads(data) if data is not None else {}
except ValueError:
    sys.exit(path + " is not valid JSON: mend it first")
new = merge(old, json.loads(text))
if new == old:
    sys.exit(0)
seen = hashlib.sha256(data).hexdigest()[:16] if data is not None else ""
if seen != digest:
    sys.exit(path + " has changed since the plan was made: plan again")
os.makedirs(os.path.dirname(path), exist_ok=True)
temporary = path + ".seaworthy"
with open(temporary, "w") as out:
    json.dump(new, out, indent=2)
    out.write("\n")
    out.flush()
    os.fsync(out.fileno())
# Engines from 23.0 on test their configuration.
try:
    knows = b"--validate" in subprocess.run(["dockerd", "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
except OSError:
    knows = False
if knows:
    test = subprocess.run(["dockerd", "--validate", "--config-file=" + temporary], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if test.returncode != 0:
        os.remove(temporary)
        said = test.stdout.decode("utf-8", "replace").strip().splitlines()
        sys.exit("dockerd does not take it, and nothing was written: " + (said[-1] if said else "it does not say why"))
if data is not None:
    kept = backup + path
    os.makedirs(os.path.dirname(kept), exist_ok=True)
    if not os.path.exists(kept):
        shutil.copy2(path, kept)
    meta = os.stat(path)
    os.chown(temporary, meta.st_uid, meta.st_gid)
    os.chmod(temporary, meta.st_mode & 0o7777)
else:
    os.chmod(temporary, 0o644)
# Until the engine has taken it: a run that ends in between is made good by the next.
open(backup + "/to-activate", "w").close()
os.rename(temporary, path)
sys.exit(9)
"#;

/// A plan as a shell script.
#[must_use]
pub fn shell(plan: &Plan) -> String {
    let mut out = String::from("#!/bin/sh\n");
    for line in head(plan) {
        let _ = writeln!(out, "# {}", comment(&line));
    }
    out.push_str(BEGIN);
    let _ = writeln!(out, "backup={}", quoted(&format!("/var/backups/seaworthy-{}", safe_id(&plan.id))));
    out.push_str("if [ \"$(id -u)\" != 0 ]; then fail 'run it as root'; fi\n");
    if let Some(host) = &plan.target.host {
        out.push_str("# The machine that it was planned for, by a fingerprint of its id.\n");
        out.push_str("here=$({ printf 'seaworthy machine\\000'; tr -d '[:space:]' < /etc/machine-id; } | sha256sum | cut -c1-16)\n");
        let _ =
            writeln!(out, "if [ \"$here\" != {} ]; then fail 'it was planned for another machine'; fi", quoted(host));
    }
    out.push_str("mkdir -p -- \"$backup\"\n");
    out.push_str("if [ -e \"$backup/to-activate\" ]; then changed=1; fi\n");
    let _ = writeln!(out, "DOCKER_HOST={}\nexport DOCKER_HOST", quoted(&plan.target.address));
    for (i, change) in plan.changes.iter().enumerate() {
        let _ = writeln!(out, "\n# {}. {} ({})", i + 1, comment(&change.title), change.safety.word());
        for line in change
            .breaks
            .iter()
            .map(|b| format!("May break: {b}"))
            .chain(change.lasting.iter().map(|l| format!("Cannot be undone: {l}")))
        {
            let _ = writeln!(out, "# {}", comment(&line));
        }
        action(&mut out, plan, &change.action);
    }
    let by_hand = to_do(plan);
    if !by_hand.is_empty() {
        out.push_str("\n# Left to you:\n");
        for (what, command) in by_hand {
            let _ = writeln!(out, "say {}", quoted(&format!("To do: {}", comment(&what))));
            if !command.is_empty() {
                let command: Vec<String> = command.iter().map(|a| quoted(a)).collect();
                let _ = writeln!(out, "say {}", quoted(&format!("  {}", comment(&command.join(" ")))));
            }
        }
    }
    out.push_str("\nsay 'Done. Copies of what was there: '\"$backup\"\n");
    out
}

fn action(out: &mut String, plan: &Plan, action: &Action) {
    match action {
        Action::Rights(change) => rights(out, change),
        Action::DaemonJson(file) => {
            let text = patch(plan).unwrap_or(Value::Null).to_string();
            out.push_str(
                "command -v python3 >/dev/null || fail 'daemon.json is edited by python3, which is not there'\n",
            );
            let end = delimiter(PATCH);
            let digest = file.digest.as_deref().unwrap_or_default();
            let _ = writeln!(out, "status=0");
            let arguments = [file.path.as_str(), digest].map(quoted).join(" ");
            let _ = writeln!(
                out,
                "python3 - {arguments} \"$backup\" {} <<'{end}' || status=$?\n{PATCH}{end}",
                quoted(&text)
            );
            let _ = writeln!(
                out,
                "case $status in 0) say {} ;; 9) changed=1; say {} ;; *) exit 1 ;; esac",
                quoted(&format!("{}: as wanted already", file.path)),
                quoted(&format!("{}: written", file.path))
            );
        }
        Action::DropIn(drop_in) => self::drop_in(out, drop_in),
        Action::Audit(rules) => audit(out, rules),
        Action::Sshd(sshd) => self::sshd(out, sshd),
        Action::LeaveGroup(leave) => {
            let (user, group) = (quoted(&leave.user), quoted(&leave.group));
            out.push_str("keep /etc/group\nkeep /etc/gshadow\n");
            let _ = writeln!(
                out,
                "if id -nG -- {user} | tr ' ' '\\n' | grep -qxF -e {group}; then gpasswd --delete {user} {group}; fi"
            );
        }
        Action::ProfileEnv(env) => {
            let lines: String =
                env.set.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect();
            put(out, "/etc/profile.d/seaworthy.sh", "0644 last", &lines);
        }
        Action::Activate(activate) => self::activate(out, activate),
        Action::Update(update) => self::update(out, update),
        Action::Recreate(_) => out.push_str("# Not done here: see what is left to you.\n"),
        Action::Swarm(swarm) => {
            for (name, _, after) in &swarm.set {
                let hours = after.as_u64().unwrap_or(0) / 3_600_000_000_000;
                let value = if name == "cert-expiry" { format!("{hours}h") } else { after.to_string() };
                let _ = writeln!(out, "docker swarm update {}", quoted(&format!("--{name}={value}")));
            }
        }
    }
}

fn rights(out: &mut String, change: &Rights) {
    let (path, after) = (quoted(&change.path), change.after);
    let _ = writeln!(out, "rights {path} {}:{} {:o}", after.uid, after.gid, after.mode);
}

fn drop_in(out: &mut String, drop_in: &DropIn) {
    let lines: String = drop_in.set.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let path = format!("/etc/systemd/system/{}.d/50-seaworthy.conf", drop_in.unit);
    put(out, &path, "0644 last", &format!("[{}]\n{lines}", drop_in.section));
    out.push_str("systemctl daemon-reload\n");
    drop_in.socket.iter().for_each(|socket| rights(out, socket));
}

fn audit(out: &mut String, rules: &AuditRules) {
    let on_disk = rules.watches.iter().filter(|w| w.disk);
    // A rule file has no way to write a blank in a path.
    let (sayable, not): (Vec<_>, Vec<_>) = on_disk.partition(|w| !w.path.contains(char::is_whitespace));
    for watch in not {
        let _ = writeln!(out, "# No rule file can hold a path with blanks: {}", comment(&watch.path));
    }
    if !sayable.is_empty() {
        let lines: String = sayable.iter().map(|w| line(w) + "\n").collect();
        put(out, "/etc/audit/rules.d/50-seaworthy-docker.rules", "0640 last", &lines);
    }
    if rules.enable {
        out.push_str("auditctl -e 1 >/dev/null\n");
    }
    for watch in rules.watches.iter().filter(|w| w.kernel) {
        let (path, permissions) = (quoted(&watch.path), quoted(&watch.permissions));
        let _ = writeln!(
            out,
            "auditctl -w {path} -p {permissions} -k seaworthy 2>/dev/null || auditctl -l | grep -qF -e {} || fail {}",
            quoted(&format!("-w {} -p {}", watch.path, watch.permissions)),
            quoted(&format!("the kernel does not take the rule for {}", watch.path))
        );
    }
}

fn sshd(out: &mut String, sshd: &Sshd) {
    let lines: String = sshd.set.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    let path = "/etc/ssh/sshd_config.d/00-seaworthy.conf";
    let _ = writeln!(out, "put_changed=0\nrm -f -- \"$backup/sshd\"");
    let _ = writeln!(out, "if [ -f {path} ]; then cp -a -- {path} \"$backup/sshd\"; fi");
    // The first value that sshd reads is the one that holds.
    put(out, path, "0600 first", &lines);
    let _ = writeln!(
        out,
        "if ! sshd -t; then\n  if [ -f \"$backup/sshd\" ]; then cp -a -- \"$backup/sshd\" {path}; else rm -f -- {path}; fi\n  fail 'sshd does not take it: taken back'\nfi"
    );
    out.push_str("if [ \"$put_changed\" = 1 ]; then systemctl reload ssh 2>/dev/null || systemctl reload sshd; fi\n");
    out.push_str("say 'Log in anew, beside this session, before you leave it.'\n");
}

fn activate(out: &mut String, activate: &Activate) {
    out.push_str("if [ \"$changed\" = 1 ]; then\n");
    match activate.how {
        Activation::Reload => out.push_str("  systemctl kill --signal=HUP --kill-who=main docker.service\n"),
        Activation::Restart => {
            if activate.stop_all {
                out.push_str("  ids=$(docker ps --quiet --no-trunc)\n");
                out.push_str("  for id in $ids; do docker stop \"$id\" >/dev/null; done\n");
            }
            out.push_str("  systemctl reset-failed docker.service docker.socket 2>/dev/null || true\n");
            out.push_str("  systemctl restart docker.service\n");
            out.push_str("  tries=0; until docker version >/dev/null 2>&1; do tries=$((tries + 1)); if [ \"$tries\" -gt 90 ]; then fail 'the engine does not answer'; fi; sleep 1; done\n");
            for container in &activate.started_again {
                let _ =
                    writeln!(out, "  docker start {} >/dev/null # {}", reference(container), comment(&container.name));
            }
        }
    }
    out.push_str("  rm -f -- \"$backup/to-activate\"\nfi\n");
}

fn update(out: &mut String, update: &Update) {
    let options = update.set.iter().flat_map(update_options).map(|o| quoted(&o));
    let options: Vec<String> = options.collect();
    for set in &update.set {
        let _ = writeln!(out, "# {}: {}", comment(&set.field), comment(&set.why));
    }
    let _ = writeln!(out, "docker update {} {} >/dev/null", options.join(" "), reference(&update.container));
}

/// A container by its id.
fn reference(container: &ContainerRef) -> String {
    quoted(if container.id.is_empty() { &container.name } else { &container.id })
}

/// A file by a here-document that nothing in it can end.
fn put(out: &mut String, path: &str, mode_and_place: &str, content: &str) {
    let end = delimiter(content);
    let _ = writeln!(out, "put {} {mode_and_place} <<'{end}'\n{content}{end}", quoted(path));
}

/// A word that is no line of a text.
fn delimiter(content: &str) -> String {
    let mut end = "SEAWORTHY".to_owned();
    while content.lines().any(|l| l == end) {
        end.push('_');
    }
    end
}

/// One argument of a command: nothing in single quotes means anything to a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

/// The plan's id as part of a path.
fn safe_id(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).take(32).collect()
}
