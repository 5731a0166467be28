//! The guard: takes a transaction back that nobody confirms, also when whoever applied it is gone.
//!
//! Under systemd it is a transient service, which outlives the login and is started again where it is killed, with a
//! timer behind it; and two units that stay on disk until the transaction is settled take it back after a reboot: one
//! early, before anything reads the files, one once the engine is up. Without systemd it is a process of its own, and
//! the next `seaworthy harden` takes back what is left after a reboot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::record::{Phase, Record, is_open};
use super::settle::expire;
use super::store::{Place, Store};
use super::{Site, Tell, boot_id, boottime};
use crate::files::{Content, remove, replace, sync_directory};
use crate::program::{run, run_well};
use crate::{At as _, Failure, Host};

/// The unit that takes back files early at boot.
pub const EARLY_UNIT: &str = "seaworthy-recover.service";
/// The unit that takes back what needs the engine.
pub const LATE_UNIT: &str = "seaworthy-recover-engine.service";

/// Where units are put.
const UNITS: &str = "/etc/systemd/system";
/// The copy of the program in a transaction's directory.
pub(super) const PROGRAM: &str = "seaworthy";
/// How long systemd may take for an answer.
const SYSTEMD: Duration = Duration::from_secs(60);
/// How long the guard may take to begin.
const BEGINNING: Duration = Duration::from_secs(20);

/// Arms the guard; says by what. Nothing may be changed before it returns.
pub(super) fn arm(
    store: &Store,
    place: &Place,
    program: &Path,
    within: Duration,
    host: &Host,
) -> Result<&'static str, Failure> {
    if within.is_zero() && !host.is_real() {
        return Ok("nobody");
    }
    if host.is_real() && host.has_systemd() {
        return by_systemd(store, place, program, within).map(|()| "systemd");
    }
    by_process(store, place, program).map(|()| "process")
}

fn by_process(store: &Store, place: &Place, program: &Path) -> Result<(), Failure> {
    let doing = || format!("start {} as the guard", program.display());
    Command::new(program)
        .args(["harden", "guard", &place.id, "--state"])
        .arg(store.dir())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .at(doing)?;
    begun(place)
}

/// Waits until the guard holds its file.
fn begun(place: &Place) -> Result<(), Failure> {
    let began = Instant::now();
    while !place.is_guarded() {
        if began.elapsed() > BEGINNING {
            let limit = BEGINNING.as_secs();
            return Err(Failure(format!("the guard of transaction {} did not begin within {limit} s", place.id)));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn by_systemd(store: &Store, place: &Place, program: &Path, within: Duration) -> Result<(), Failure> {
    let (copy, state) = (copied(place, program)?, text(store.dir())?);
    install(&copy, &state)?;
    let unit = format!("seaworthy-guard-{}", place.id);
    let active = format!("--on-active={}s", within.as_secs().max(1));
    let arguments = [
        "systemd-run",
        "--collect",
        "--unit",
        &unit,
        &active,
        "--timer-property=AccuracySec=1s",
        "--property=Restart=on-failure",
        "--property=RestartSec=1s",
        "--property=StartLimitIntervalSec=0",
        "--description=Takes a hardening back that is not confirmed",
        &copy,
        "harden",
        "guard",
        &place.id,
        "--state",
        &state,
    ];
    run_well(&arguments, SYSTEMD)?;
    run_well(&["systemctl", "start", "--no-block", &format!("{unit}.service")], SYSTEMD)?;
    begun(place)
}

/// A copy of the program, since it may be replaced or removed before it is needed. Those of transactions before it serve
/// nobody any more: nothing is begun while one of them is open.
fn copied(place: &Place, program: &Path) -> Result<String, Failure> {
    for other in place.store().places()?.iter().filter(|other| other.id != place.id && !is_open(other)) {
        let _ = fs::remove_file(other.dir.join(PROGRAM));
    }
    let copy = place.dir.join(PROGRAM);
    fs::copy(program, &copy).at(|| format!("copy {}", program.display()))?;
    fs::File::open(&copy).and_then(|f| f.sync_all()).at(|| format!("sync {}", copy.display()))?;
    sync_directory(&place.dir)?;
    text(&copy)
}

/// Has the next start of the machine go on with a rollback that a power cut ends half-way. One that was asked for long
/// after the apply has no guard any more.
pub(super) fn over_reboot(store: &Store, place: &Place, host: &Host) -> Result<(), Failure> {
    if !host.is_real() || !host.has_systemd() {
        return Ok(());
    }
    let copy = place.dir.join(PROGRAM);
    let copy = if copy.exists() {
        text(&copy)?
    } else {
        copied(place, &std::env::current_exe().at(|| "find this program".to_owned())?)?
    };
    install(&copy, &text(store.dir())?)
}

fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().filter(|t| !t.contains(['\n', '"', '%', '$', '\\']));
    text.map(ToOwned::to_owned).ok_or_else(|| Failure(format!("{}: a unit cannot name this path", path.display())))
}

/// Puts the units for the next boot on disk.
fn install(program: &str, state: &str) -> Result<(), Failure> {
    let early = format!(
        "[Unit]\nDescription=Takes back a hardening that was interrupted\nDefaultDependencies=no\n\
         RequiresMountsFor=\"{state}\"\nAfter=local-fs.target\n\
         Before=auditd.service audit-rules.service containerd.service docker.socket docker.service ssh.service ssh.socket \
         sshd.service sysinit.target shutdown.target\nConflicts=shutdown.target\n\n\
         [Service]\nType=oneshot\nExecStart=\"{program}\" harden recover --early --state \"{state}\"\n\
         ExecStartPost=-systemctl daemon-reload\n\n[Install]\nWantedBy=sysinit.target\n"
    );
    let late = format!(
        "[Unit]\nDescription=Takes back a hardening of containers that was interrupted\nRequiresMountsFor=\"{state}\"\n\
         After={EARLY_UNIT} docker.service\n\n\
         [Service]\nType=oneshot\nExecStart=\"{program}\" harden recover --state \"{state}\"\n\n\
         [Install]\nWantedBy=multi-user.target\n"
    );
    for (name, text, target) in [(EARLY_UNIT, early, "sysinit.target"), (LATE_UNIT, late, "multi-user.target")] {
        let path = Path::new(UNITS).join(name);
        let now = crate::files::read(&path)?.map(|c| c.digest());
        let unit = Content { bytes: text.into_bytes(), uid: 0, gid: 0, mode: 0o644 };
        if now.as_deref() != Some(unit.digest().as_str()) {
            replace(&path, now.as_deref(), &unit)?;
        }
        let wants = Path::new(UNITS).join(format!("{target}.wants"));
        fs::create_dir_all(&wants).at(|| format!("make {}", wants.display()))?;
        let link = wants.join(name);
        match std::os::unix::fs::symlink(&path, &link) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(error).at(|| format!("link {}", link.display()));
            }
            _ => sync_directory(&wants)?,
        }
    }
    sync_directory(Path::new(UNITS))?;
    run_well(&["systemctl", "daemon-reload"], SYSTEMD).map(drop)
}

/// Takes the guard of a settled transaction away, and the units once nothing needs them.
pub(super) fn disarm(store: &Store, place: &Place, host: &Host) {
    if !host.is_real() || !host.has_systemd() {
        return;
    }
    let unit = format!("seaworthy-guard-{}", place.id);
    let _ = run(&["systemctl", "stop", &format!("{unit}.timer")], SYSTEMD);
    // The guard itself may be the one who asks: it goes by itself.
    if !place.is_guarded() {
        let _ = run(&["systemctl", "stop", &format!("{unit}.service")], SYSTEMD);
    }
    if store.places().unwrap_or_default().iter().any(is_open) {
        return;
    }
    for (name, target) in [(EARLY_UNIT, "sysinit.target"), (LATE_UNIT, "multi-user.target")] {
        let _ = fs::remove_file(Path::new(UNITS).join(format!("{target}.wants")).join(name));
        let path: PathBuf = Path::new(UNITS).join(name);
        if let Ok(Some(content)) = crate::files::read(&path) {
            let _ = remove(&path, &content.digest());
        }
    }
    let _ = sync_directory(Path::new(UNITS));
    let _ = run(&["systemctl", "--no-block", "daemon-reload"], SYSTEMD);
}

/// What the guard does: waits until the transaction is settled, or takes it back when it is not confirmed in time, or when
/// whoever applied it is gone.
///
/// # Errors
/// Where the transaction cannot be read.
pub fn watch(site: Site<'_>, place: &Place, tell: &mut dyn Tell) -> Result<(), Failure> {
    let _ = rustix::process::setsid();
    let Some(_held) = place.hold_guard()? else { return Ok(()) };
    // Its process has the lock before the guard is started; a moment is given to who is between two steps.
    let (mut free, mut unread) = (0, 0);
    loop {
        let record = match Record::read(place) {
            Ok(record) => record,
            Err(_) if !is_open(place) => return Ok(()),
            // A disk may come back; a journal that is damaged does not, and says so to whoever asks for the status.
            Err(_) if unread < 60 => {
                unread += 1;
                std::thread::sleep(Duration::from_secs(60));
                continue;
            }
            Err(_) => return Ok(()),
        };
        if record.is_settled() {
            return Ok(());
        }
        let due = match record.phase {
            Phase::Awaiting { boottime: until, .. } => record.boot != boot_id() || boottime() >= until,
            Phase::Applying | Phase::RollingBack | Phase::Confirmed | Phase::RolledBack { .. } => {
                free = if site.store.is_locked() { 0 } else { free + 1 };
                free > 2
            }
        };
        if due {
            let why = match record.phase {
                Phase::Awaiting { .. } => "it was not confirmed in time",
                Phase::Applying => "whoever applied it is gone",
                Phase::RollingBack | Phase::Confirmed | Phase::RolledBack { .. } => "taking it back ended half-way",
            };
            expire(site, place, why, tell)?;
            if Record::read(place)?.is_settled() {
                return Ok(());
            }
            // What could not be undone is tried again, less and less often, by whoever comes: here once a minute.
            std::thread::sleep(Duration::from_secs(60));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
