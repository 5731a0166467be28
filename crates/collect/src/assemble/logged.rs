//! What the audit log tells, as facts of the host or node that keeps it.

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;

use super::daemon::bounded;
use crate::host::accounts::Accounts;
use crate::host::audit::log::{Event, LOG, Log};
use crate::host::audit::watched::Watched;
use crate::host::root::{Root, Unread};

/// Reads the log, or says why it tells nothing.
///
/// # Errors
/// A reason for whoever asks who made a change: that nobody did does not follow from it.
pub(crate) fn read(root: &Root, watched: &Watched) -> Result<Log, String> {
    crate::host::audit::log::read(root, watched).map_err(|why| match why {
        Unread::Absent => "there is none at its usual place: auditd does not run, or writes elsewhere".to_owned(),
        Unread::Denied => "permission denied: run Seaworthy as root".to_owned(),
        other => other.to_string(),
    })
}

/// Sets the facts.
pub(crate) fn set(c: &mut Component, log: Result<&Log, &str>, accounts: &Accounts) {
    let source = || Source::place(LOG);
    match log {
        Ok(log) => {
            let events = log.events.iter().map(|event| one(event, accounts)).collect();
            c.set("audit_log", Value::List(events), source());
            // The second that it begins in is not whole.
            c.set("audit_log_since", log.began.div_euclid(1000) + 1, source());
        }
        Err(why) => {
            c.set_unknown("audit_log", why, source());
            c.set_unknown("audit_log_since", why, source());
        }
    }
}

fn one(event: &Event, accounts: &Accounts) -> Value {
    let login = event.login_uid.and_then(|uid| accounts.user_by_uid(uid)).map(|user| bounded(&user.name));
    Value::Object(vec![
        ("at", event.stamp.at.into()),
        ("path", bounded(&event.path)),
        ("act", event.act.word().into()),
        ("success", event.success.into()),
        ("login_uid", event.login_uid.map(i64::from).into()),
        ("login", login.unwrap_or(Value::Null)),
        ("uid", event.uid.map(i64::from).into()),
        ("exe", bounded(&event.exe)),
        ("key", bounded(&event.key)),
    ])
}
