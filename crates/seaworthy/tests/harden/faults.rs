//! What a user sees of a fault of the host: one line with what to do, nothing half done, and a status that tells the truth.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use seaworthy_bed::{Spec, Version};
use serde_json::{Value, json};

use crate::bed::{Bed, chmod, is};
use crate::common::Run;

/// An engine whose `daemon.json` is open to everybody and says that it debugs.
fn careless() -> Option<Bed> {
    let spec = Spec { daemon_json: Some("{\n  \"debug\": true\n}\n".into()), ..Spec::default() };
    let bed = Bed::start(Version::V20, spec)?;
    chmod(&bed.daemon.daemon_json(), 0o666);
    Some(bed)
}

/// That it was refused in one line with these words.
#[track_caller]
fn refused(run: &Run, words: &[&str]) {
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(words.iter().all(|word| run.err.contains(word)), "{words:?}: {run:?}");
    assert!(run.err.starts_with("seaworthy: refused: ") && run.err.trim_end().lines().count() == 1, "{run:?}");
}

#[track_caller]
fn newest(bed: &Bed) -> String {
    let (_, status) = bed.status();
    let all = status["transactions"].as_array().unwrap();
    all.last().unwrap()["transaction"].as_str().unwrap().to_owned()
}

/// `chattr +i`, or `-i`. False where the file system has no flags.
fn immutable(path: &Path, on: bool) -> bool {
    let file = fs::File::open(path).unwrap();
    let Ok(mut flags) = ioctl_getflags(&file) else { return false };
    flags.set(IFlags::IMMUTABLE, on);
    ioctl_setflags(&file, flags).is_ok()
}

/// A small file system in memory, until it is dropped.
struct Memory(std::path::PathBuf);

impl Memory {
    fn at(place: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(place).unwrap();
        let options = format!("size={size},mode=700");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(place).status();
        if done.is_ok_and(|status| status.success()) {
            return Some(Self(place.to_owned()));
        }
        seaworthy_bed::skip("mount", "a file system in memory cannot be mounted here");
        None
    }

    fn read_only(&self, yes: bool) {
        let options = if yes { "remount,ro" } else { "remount,rw" };
        assert!(Command::new("mount").args(["-o", options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_file_that_may_not_be_changed_is_refused_and_is_said_where_it_cannot_be_put_back() {
    let Some(bed) = careless() else { return };
    let path = bed.daemon.daemon_json();
    let before = is(&path);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode,debug-off"]);
    if !immutable(&path, true) {
        return seaworthy_bed::skip("chattr", "this file system has no flags");
    }
    refused(&bed.apply(&plan, &[]), &["daemon.json", "it may not be changed (chattr +i)", "chattr -i"]);
    assert_eq!((is(&path), bed.status().0), (before.clone(), Some(0)));
    immutable(&path, false);
    bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
    let after = is(&path);
    let id = newest(&bed);

    // Somebody has frozen it since.
    immutable(&path, true);
    let back = bed.harden(&["rollback", &id]);
    assert!(
        back.ended(6).out.contains("chattr +i") && back.out.contains(&format!("again: seaworthy harden rollback {id}"))
    );
    assert_eq!(is(&path), after);
    // Its guard may be looking at it.
    bed.until("nobody is at work on it", || bed.states() != ["working"]);
    assert!(
        matches!(bed.states()[..], [ref state] if state == "incomplete" || state == "interrupted"),
        "{:?}",
        bed.states()
    );
    assert_eq!(bed.status().0, Some(6));
    refused(&bed.apply(&plan, &[]), &[&id, "must be taken back first"]);
    immutable(&path, false);
    bed.harden(&["rollback", &id]).ended(0);
    assert_eq!((is(&path), bed.status().0), (before, Some(0)));
}

#[test]
fn where_transactions_cannot_be_written_nothing_is_begun_and_the_status_says_what_is_open() {
    let Some(mut bed) = careless() else { return };
    let path = bed.daemon.daemon_json();
    let before = is(&path);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode"]);
    let Some(memory) = Memory::at(&bed.sea.dir().join("var"), "64m") else { return };
    bed.state = memory.0.join("state");
    memory.read_only(true);
    refused(&bed.apply(&plan, &[]), &["nothing was changed", "Read-only file system"]);
    assert_eq!((is(&path), bed.status().0), (before.clone(), Some(0)));
    memory.read_only(false);

    // It becomes so while a confirmation is awaited: nothing can be decided, and that is what is said.
    bed.apply(&plan, &["--confirm-within", "5s"]).ended(0);
    // Its guard holds a file there, and a file system that is written on cannot be made read-only.
    bed.kill_guards();
    memory.read_only(true);
    bed.harden(&["confirm"]).failed_with("Read-only file system");
    bed.harden(&["rollback"]).failed_with("Read-only file system");
    bed.until("the time is over", || bed.status().0 != Some(7));
    let (code, status) = bed.status();
    assert_eq!(code, Some(6), "{status}");
    assert_ne!(is(&path), before);
    let told = bed.harden(&["status"]);
    assert!(told.ended(6).err.contains("Read-only file system"), "{told:?}");
    memory.read_only(false);
    bed.until("it is taken back", || bed.states() == ["rolled-back"]);
    assert_eq!((is(&path), bed.status().0), (before, Some(0)));
}

#[test]
fn a_full_disk_is_found_before_anything_is_changed_and_does_not_stop_the_way_back() {
    let Some(mut bed) = careless() else { return };
    let path = bed.daemon.daemon_json();
    let before = is(&path);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode,debug-off"]);
    let Some(memory) = Memory::at(&bed.sea.dir().join("var"), "3m") else { return };
    bed.state = memory.0.join("state");
    let full = memory.0.join("full");
    let fill = |leave: u64| {
        let _ = fs::remove_file(&full);
        let room = rustix::fs::statvfs(&memory.0).unwrap();
        fs::write(&full, vec![0; (room.f_bavail * room.f_frsize).saturating_sub(leave) as usize]).unwrap();
    };
    for leave in [0, 8 << 10, 64 << 10, 1 << 20] {
        fill(leave);
        refused(&bed.apply(&plan, &[]), &["nothing was changed", "o space "]);
        assert_eq!((is(&path), bed.status().0), (before.clone(), Some(0)), "{leave} bytes were left");
        assert_eq!(fs::read_dir(bed.state.join("tx")).map_or(0, Iterator::count), 0, "something is left of it");
    }
    fs::remove_file(&full).unwrap();
    // Full as soon as it has begun: room for the way back was held.
    bed.apply(&plan, &["--confirm-within", "1h"]).ended(0);
    fill(0);
    bed.harden(&["rollback"]).ended(0);
    assert_eq!((is(&path), bed.states()), (before, vec!["rolled-back".to_owned()]));
}

#[test]
fn two_at_once_are_one_after_the_other_or_refused() {
    let Some(bed) = careless() else { return };
    let path = bed.daemon.daemon_json();
    let before = is(&path);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode,debug-off"]);
    let begin = || {
        let arguments = ["apply", plan.to_str().unwrap(), "--allow-disruptive", "--confirm-within", "1h"];
        let mut command = bed.command(&arguments);
        std::thread::spawn(move || {
            crate::common::run({
                command.stdin(std::process::Stdio::null());
                command
            })
        })
    };
    let runs: Vec<Run> =
        (0..4).map(|_| begin()).collect::<Vec<_>>().into_iter().map(|run| run.join().unwrap()).collect();
    let done = runs.iter().filter(|run| run.code == Some(0)).count();
    assert_eq!(done, 1, "{runs:#?}");
    for run in runs.iter().filter(|run| run.code != Some(0)) {
        let is_said =
            ["is changing something", "awaits confirmation", "ended half-way"].iter().any(|s| run.err.contains(s));
        assert!(run.code == Some(4) && is_said, "{run:?}");
    }
    assert_eq!(bed.status().1["transactions"].as_array().map(Vec::len), Some(1));
    // Confirmed and taken back at once: one of the two, whole.
    let (mut yes, mut no) = (bed.command(&["confirm"]), bed.command(&["rollback"]));
    let yes = std::thread::spawn(move || {
        crate::common::run({
            yes.stdin(std::process::Stdio::null());
            yes
        })
    });
    let no = crate::common::run({
        no.stdin(std::process::Stdio::null());
        no
    });
    let yes = yes.join().unwrap();
    let after = is(&path);
    match bed.states()[..] {
        // Also where it was confirmed first: a rollback may come at any time.
        [ref state] if state == "rolled-back" => assert!(no.code == Some(0) && after == before, "{yes:?} {no:?}"),
        [ref state] if state == "confirmed" => assert!(yes.code == Some(0) && after != before, "{yes:?} {no:?}"),
        ref states => panic!("{states:?}: {yes:?} {no:?}"),
    }
}

#[test]
fn what_others_wrote_into_daemon_json_since_stays_however_often_it_is_undone() {
    let Some(bed) = careless() else { return };
    let path = bed.daemon.daemon_json();
    let plan = bed.plan("plan.json", &["--check", "debug-off"]);
    bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
    let id = newest(&bed);
    let debug = || bed.daemon.request("GET", "/info", None).1["Debug"].clone();
    assert_eq!(debug(), json!(false));
    // Others have added a setting, with their own blanks, and left ours.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen('{', "{  \"labels\":[ \"theirs=1\" ],", 1)).unwrap();
    let now = |key: &str| serde_json::from_str::<Value>(&fs::read_to_string(&path).unwrap()).unwrap()[key].clone();
    for _ in 0..2 {
        bed.harden(&["rollback", &id]).ended(0);
        assert_eq!((now("debug"), now("labels"), debug()), (json!(true), json!(["theirs=1"]), json!(true)));
        assert!(fs::read_to_string(&path).unwrap().contains("{  \"labels\":[ \"theirs=1\" ],"));
    }
    // Others have changed ours: that is theirs now, and said.
    let plan = bed.plan("again.json", &["--check", "debug-off"]);
    bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
    let id = newest(&bed);
    for theirs in
        ["{\"debug\": \"unclear\"}", "{\"debug\": false, \"debug\": false}", "\u{feff}{\"debug\": false}", "{ // no\n}"]
    {
        fs::write(&path, theirs).unwrap();
        let back = bed.harden(&["rollback", &id]);
        assert!(back.code == Some(6) && back.out.contains("daemon.json"), "{theirs}: {back:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), theirs);
    }
}

#[test]
fn an_engine_that_is_down_keeps_no_file_from_being_put_back_and_the_rest_waits() {
    let Some(mut bed) = careless() else { return };
    let path = bed.daemon.daemon_json();
    bed.run_container("web", json!({ "HostConfig": { "RestartPolicy": { "Name": "always" } } }));
    let none = bed.memory("web");
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode,memory-limited", "--set", "web:memory=64m"]);
    bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
    let id = newest(&bed);
    assert_eq!((is(&path).unwrap().2, bed.memory("web")), (0o644, (64 << 20).to_string()));

    bed.daemon.stop();
    refused(&bed.apply(&plan, &[]), &["the host cannot be seen"]);
    let back = bed.harden(&["rollback", &id]);
    assert!(back.ended(6).out.contains("Not everything could be taken back"), "{back:?}");
    assert_eq!(is(&path).unwrap().2, 0o666, "the file is back all the same");
    let (code, status) = bed.status();
    assert_eq!((code, &status["transactions"][0]["state"]), (Some(6), &json!("incomplete")), "{status}");
    assert!(!status["transactions"][0]["failures"].as_array().unwrap().is_empty(), "{status}");

    bed.daemon.restart().unwrap();
    // The next command goes on by itself.
    bed.until("it is taken back", || bed.status().0 == Some(0));
    assert_eq!((is(&path).unwrap().2, bed.memory("web")), (0o666, none));
    let nothing = bed.harden(&["rollback", &id]);
    assert!(nothing.ended(0).out.contains("everything is as it was before"), "{nothing:?}");
}

#[test]
fn a_container_of_a_compose_project_is_made_anew_and_said_to_be_composes_too() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    let labels = json!({
        "com.docker.compose.project": "shop", "com.docker.compose.service": "till",
        "com.docker.compose.container-number": "1", "com.docker.compose.config-hash": "0123abcd",
        "com.docker.compose.oneoff": "False",
    });
    let old = bed.run_container("shop-till-1", json!({ "Labels": labels, "StopSignal": "SIGKILL" }));
    let plan = bed.plan("plan.json", &["--check", "container/no-new-privileges", "--recreate"]);
    let shown = bed.sea.run(&["harden", "show", plan.to_str().unwrap()]);
    for words in ["shop/till", "Compose is not asked", "harden history --prune"] {
        let bare = shown.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(bare.contains(words), "`{words}` is not in: {}", shown.out);
    }
    let file = bed.sea.run(&["harden", "export", plan.to_str().unwrap(), "-f", "compose"]);
    assert!(file.ended(0).out.contains("no-new-privileges"), "{file:?}");

    bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
    let id = newest(&bed);
    let new = bed.daemon.inspect("shop-till-1");
    assert_ne!(new["Id"], old.as_str());
    assert_eq!(new["State"]["Running"], true);
    // Compose knows it again: its project's labels and the hash of its file are as they were.
    assert_eq!(new["Config"]["Labels"], labels);
    // And sees both until the way back is given up: what was said.
    let of = || {
        let filter = "%7B%22label%22%3A%5B%22com.docker.compose.project%3Dshop%22%5D%7D";
        let (_, all) = bed.daemon.request("GET", &format!("/containers/json?all=1&filters={filter}"), None);
        all.as_array().unwrap().len()
    };
    assert_eq!(of(), 2);
    bed.harden(&["rollback", &id]).ended(0);
    assert_eq!((bed.daemon.inspect("shop-till-1")["Id"].as_str(), of()), (Some(old.as_str()), 1));

    let plan = bed.plan("again.json", &["--check", "container/no-new-privileges", "--recreate"]);
    bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
    bed.harden(&["history", "--prune", &newest(&bed)]).ended(0);
    assert_eq!(of(), 1);
    assert_eq!(bed.verdict("container/no-new-privileges", "shop-till-1"), "pass");
}

#[test]
fn whoever_confirms_when_the_time_is_over_has_confirmed_or_has_not() {
    let Some(bed) = careless() else { return };
    let path = bed.daemon.daemon_json();
    let before = is(&path);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode"]);
    let mut ends = [0, 0];
    for moment in 0..8 {
        bed.apply(&plan, &["--confirm-within", "1s"]).ended(0);
        std::thread::sleep(std::time::Duration::from_millis(moment * 200));
        let confirmed = bed.harden(&["confirm"]);
        bed.until("the guard is gone", || bed.guards().is_empty());
        let id = newest(&bed);
        if confirmed.code == Some(0) {
            ends[0] += 1;
            assert_eq!((bed.states(), is(&path).unwrap().2), (vec!["confirmed".to_owned()], 0o644), "{confirmed:?}");
            bed.harden(&["rollback", &id]).ended(0);
        } else {
            ends[1] += 1;
            let is_said = ["too late", "time to confirm is over", "no transaction awaits"]
                .iter()
                .any(|s| confirmed.err.contains(s));
            assert!(confirmed.code == Some(2) && is_said, "{confirmed:?}");
        }
        assert_eq!((bed.states(), is(&path)), (vec!["rolled-back".to_owned()], before.clone()), "{confirmed:?}");
    }
    assert!(ends[1] > 0, "nothing ever came too late: {ends:?}");
}

/// The engine that came after the bed's own, which the bed does not know.
struct Successor(std::path::PathBuf);

impl Successor {
    fn pid(&self) -> Option<rustix::process::Pid> {
        let number = fs::read_to_string(&self.0).ok()?.trim().parse().ok()?;
        let lives = fs::read(format!("/proc/{number}/cmdline")).is_ok_and(|line| line.starts_with(b"/"));
        rustix::process::Pid::from_raw(number).filter(|_| lives)
    }

    fn kill(&self, signal: rustix::process::Signal) {
        let _ = self.pid().map(|pid| rustix::process::kill_process(pid, signal));
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        self.kill(rustix::process::Signal::TERM);
        for _ in 0..600 {
            if self.pid().is_none() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

#[test]
fn an_engine_that_starts_and_ends_a_moment_later_is_not_believed() {
    let spec = Spec { daemon_json: Some("{}".into()), ..Spec::default() };
    let Some(bed) = Bed::start(Version::V29, spec) else { return };
    let engine = Successor(bed.daemon.dir().join("docker.pid"));
    bed.run_container(
        "web",
        json!({ "StopSignal": "SIGKILL", "HostConfig": { "RestartPolicy": { "Name": "always" } } }),
    );
    let plan = bed.plan("plan.json", &["--check", "daemon/no-new-privileges"]);
    let old = engine.pid();
    let arguments = ["apply", plan.to_str().unwrap(), "--allow-disruptive", "--confirm-within", "1h", "-f", "json"];
    // Each line of the journal takes so long that the engine ends before what comes after it.
    let mut command = bed.command_under("fdatasync:delay_exit=500000", &arguments);
    command.stdin(std::process::Stdio::null());
    let running = std::thread::spawn(move || crate::common::run(command));
    let is_done = || {
        let tx = fs::read_dir(bed.state.join("tx")).into_iter().flatten().flatten();
        let journals = tx.filter_map(|e| fs::read_to_string(e.path().join("journal")).ok());
        // The settings and the restart.
        journals.map(|text| text.matches("\"event\":\"done\"").count()).max().unwrap_or(0) >= 2
    };
    bed.until("the engine is restarted", || is_done() || running.is_finished());
    let new = engine.pid();
    assert!(new.is_some() && new != old, "{new:?}");
    engine.kill(rustix::process::Signal::KILL);
    let run = running.join().unwrap();
    assert_eq!(run.code, Some(5), "{run:?}");
    let last: Value = serde_json::from_str(run.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["outcome"], "rolled-back", "{last}");
    assert_eq!(fs::read_to_string(bed.daemon.daemon_json()).unwrap(), "{}");
    assert!(engine.pid().is_some() && engine.pid() != new, "it was started again");
    bed.until("its container is back", || bed.daemon.inspect("web")["State"]["Running"] == true);
    assert_eq!(bed.verdict("daemon/no-new-privileges", ""), "fail");
}
