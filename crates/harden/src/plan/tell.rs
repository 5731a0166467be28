//! What a change is called.

use seaworthy_core::plan::{Action, Activate, Activation};

/// Whether the engine restarts.
pub(super) fn is_restart(activate: &Activate) -> bool {
    activate.how == Activation::Restart
}

/// What an action does, in a sentence.
pub(super) fn title(action: &Action) -> String {
    match action {
        Action::Rights(rights) => {
            let (before, after) = (rights.before, rights.after);
            let what = match ((before.uid, before.gid) == (after.uid, after.gid), before.mode == after.mode) {
                (false, false) => "Owner and mode",
                (false, true) => "Owner",
                _ => "Mode",
            };
            format!("{what} of {}", rights.path)
        }
        Action::DaemonJson(file) => {
            let keys: Vec<&str> = file.set.iter().map(|s| s.key.as_str()).collect();
            format!("Settings of the engine: {}", keys.join(", "))
        }
        Action::DropIn(drop_in) => format!("Owner and mode of the engine's socket, kept by {}", drop_in.unit),
        Action::Audit(rules) => match rules.watches.as_slice() {
            [one] => format!("An audit rule for {}", one.path),
            all => format!("Audit rules for {} paths", all.len()),
        },
        Action::Sshd(sshd) => {
            let names: Vec<&str> = sshd.set.iter().map(|(name, _)| name.as_str()).collect();
            format!("Settings of the SSH server: {}", names.join(", "))
        }
        Action::LeaveGroup(leave) => format!("{} leaves group {}", leave.user, leave.group),
        Action::ProfileEnv(env) => {
            let names: Vec<&str> = env.set.iter().map(|(name, _)| name.as_str()).collect();
            format!("Variables of login shells: {}", names.join(", "))
        }
        Action::Activate(activate) if is_restart(activate) => "The engine restarts".to_owned(),
        Action::Activate(_) => "The engine reads its settings again".to_owned(),
        Action::Update(update) => {
            let fields: Vec<&str> = update.set.iter().map(|s| s.field.as_str()).collect();
            format!("Limits of {}: {}", update.container.name, fields.join(", "))
        }
        Action::Recreate(recreate) => {
            let options: Vec<&str> = recreate.set.iter().map(|s| s.option.as_str()).collect();
            format!("{} is made anew: {}", recreate.container.name, options.join(", "))
        }
        Action::Swarm(swarm) => {
            let names: Vec<&str> = swarm.set.iter().map(|(name, ..)| name.as_str()).collect();
            format!("Settings of the swarm: {}", names.join(", "))
        }
    }
}
