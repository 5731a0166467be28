//! Hardening a whole machine: systemd, control groups v2, AppArmor, the kernel's audit, reboots and power cuts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::careless::{Careless, ENGINE, LIMITS, LONG, SAFE};

/// Which power cuts there are; more are asked for by this variable: `SEAWORTHY_POWER_CUTS=50`, or, a sitting at a time,
/// `SEAWORTHY_POWER_CUTS=20..35`. The same number is the same part of an apply, whoever makes it.
const CUTS: &str = "SEAWORTHY_POWER_CUTS";

#[test]
fn what_was_asked_for_is_found_applied_kept_over_a_reboot_and_undone() {
    let Some(host) = Careless::start() else { return };
    let all = format!("{SAFE},{ENGINE},{LIMITS}");
    let before = host.state();
    let found = host.verdicts(&all);
    assert!(!found.contains("pass") && !found.contains("unknown"), "{found}");
    host.well(&["collect", "-o", "/root/before.json"]);
    host.plan(&all);
    println!("{}", host.well(&["harden", "show", "/root/plan.json"]));
    let (code, out, err) = host.apply("30m");
    assert_eq!(code, 0, "{out}\n{err}");
    // Emulated and under load the shadow's containerd may need longer than the engine gives it: that is said.
    assert!(out.contains("rehearsed"), "{out}");
    let done = host.verdicts(&all);
    assert!(!done.contains("fail") && !done.contains("unknown"), "{done}\n{out}");
    assert_eq!(host.status().0, 7);
    println!("{out}\n{}", host.well(&["harden", "confirm"]));
    assert_eq!(host.status().0, 0);
    host.well(&["collect", "-o", "/root/after.json"]);
    let differs = host.well(&["diff", "/root/before.json", "/root/after.json"]);
    println!("{differs}");
    assert!(differs.contains("answered"), "{differs}");

    host.machine.reboot();
    let kept = host.verdicts(&all);
    assert!(!kept.contains("fail") && !kept.contains("unknown"), "{kept}");
    // A restart is where a mode that was only changed on the live socket would come back.
    host.machine.must(&["systemctl", "reset-failed", "docker.service", "docker.socket"]);
    host.machine.must(&["systemctl", "stop", "docker.service", "docker.socket"]);
    host.machine.must(&["systemctl", "start", "docker.service"]);
    assert_eq!(host.verdicts("docker-socket-mode"), "pass 1");

    let (_, status) = host.status();
    let id = status["transactions"][0]["transaction"].as_str().unwrap();
    host.well(&["harden", "rollback", id]);
    host.machine.must(&["chmod", "666", "/run/docker.sock"]);
    assert_eq!(host.state(), before);
    let undone = host.verdicts(&all);
    assert!(!undone.contains("pass") && !undone.contains("unknown"), "{undone}");
}

#[test]
fn the_guard_takes_back_what_is_not_confirmed_also_when_it_is_killed_and_over_a_reboot() {
    let Some(host) = Careless::start() else { return };
    let before = host.state();
    host.plan(SAFE);

    // In time: by the guard, which systemd starts again when it is killed.
    let (code, out, err) = host.apply("40s");
    assert_eq!(code, 0, "{out}\n{err}");
    assert!(out.contains("by systemd"), "{out}");
    assert_ne!(host.state(), before);
    host.machine.must(&["pkill", "-KILL", "-f", "harden guard"]);
    for _ in 0..240 {
        if host.status().0 != 7 {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let (code, status) = host.settled();
    assert_eq!((code, status["transactions"][0]["state"].as_str()), (0, Some("rolled-back")), "{status}");
    assert_eq!(host.state(), before);

    // Over a reboot: before anything has read the files.
    assert_eq!(host.apply("30m").0, 0);
    host.machine.reboot();
    let (code, status) = host.settled();
    assert_eq!((code, status["transactions"][0]["state"].as_str()), (0, Some("rolled-back")), "{status}");
    host.machine.must(&["chmod", "666", "/run/docker.sock"]);
    assert_eq!(host.state(), before);
    let units = host.machine.must(&["sh", "-c", "ls /etc/systemd/system | grep -c seaworthy || true"]);
    assert_eq!(units.trim(), "0");
}

#[test]
fn after_a_power_cut_the_host_is_wholly_before_or_wholly_after() {
    let Some(host) = Careless::start() else { return };
    let cuts = cuts();
    let before = host.state();
    host.plan(&format!("{SAFE},{LIMITS}"));
    // The steps of an apply when nobody cuts the power: the cuts are spread over them.
    let began = Instant::now();
    let (code, out, err) = host.apply("30m");
    assert_eq!(code, 0, "{out}\n{err}");
    let gaps = host.gaps(began.elapsed());
    host.well(&["harden", "rollback"]);
    host.machine.must(&["chmod", "666", "/run/docker.sock"]);
    assert_eq!(host.state(), before);
    host.machine.must(&["sync"]);
    let many = cuts.end - cuts.start;
    let mut ended = std::collections::BTreeMap::new();
    for cut in cuts {
        let seen = host.transactions();
        let apply = ["apply", "/root/plan.json", "--allow-disruptive", "--confirm-within", "30m"];
        let arguments = [&["/usr/local/bin/seaworthy", "harden"][..], &apply].concat();
        let running = host.machine.command(&arguments).limit(LONG).start();
        // As many lines as it has, and a part of what the next one takes; however many cuts there are, they are spread
        // evenly (by the golden ratio), and over the steps, since how long each takes hangs on the load.
        let place = (cut as f64 * 0.618_034).fract() * gaps.len() as f64;
        let lines = place as usize;
        host.wait_for_lines(lines, &seen);
        std::thread::sleep(gaps[lines].mul_f64(place.fract()));
        let is_over = running.is_over();
        host.machine.power_cut();
        drop(running);
        host.machine.boot();
        host.machine.wait_for_boot();
        let (code, status) = host.settled();
        let new: Vec<String> = host.transactions().difference(&seen).cloned().collect();
        let (state, met) = match &new[..] {
            [] => ("nothing begun".to_owned(), "before its journal".to_owned()),
            [id] => {
                let all = status["transactions"].as_array().cloned().unwrap_or_default();
                let of = all.iter().find(|t| t["transaction"] == **id).unwrap_or_else(|| panic!("{id}: {status}"));
                (of["state"].as_str().unwrap_or_default().to_owned(), host.met(id))
            }
            _ => panic!("{new:?}"),
        };
        let over = if is_over { "over" } else { "under way" };
        // Each by itself, as it comes: a long run may be given up.
        println!("cut {cut} at line {place:.1} of {}: apply {over}, {met}: {state}", gaps.len() - 1);
        host.machine.must(&["chmod", "666", "/run/docker.sock"]);
        // Not confirmed: whatever was done is taken back, and what was not begun left nothing.
        assert_eq!(host.state(), before, "cut {cut}: {status}");
        assert_eq!(code, 0, "cut {cut}: {status}");
        *ended.entry(format!("apply {over}, {met}: {state}")).or_insert(0) += 1;
    }
    println!("after {many} power cuts: {ended:#?}");
    assert!(ended.keys().any(|how| how.contains("begun and")), "no cut met a transaction: {ended:?}");
}

/// The numbers of the power cuts that are asked for.
fn cuts() -> std::ops::Range<u64> {
    let asked = std::env::var(CUTS).unwrap_or_else(|_| "3".into());
    let (from, to) = asked.split_once("..").unwrap_or(("0", &asked));
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{CUTS}={asked}: a number, or two as 20..35"));
    number(from)..number(to)
}

/// Waits until a transaction that is none of these has so many lines, or for a while.
const LINES: &str = "my ($n, %seen) = (shift, map { $_ => 1 } @ARGV); \
    for (1 .. 30000) { for my $dir (glob '/var/lib/seaworthy/tx/*') { my ($id) = $dir =~ m{([^/]+)$}; next if $seen{$id}; \
    open my $f, '<', \"$dir/journal\" or next; my @l = <$f>; exit 0 if @l >= $n } select undef, undef, undef, 0.01 }";

impl Careless {
    /// The ids of all transactions.
    fn transactions(&self) -> BTreeSet<String> {
        let listed = self.machine.run(&["ls", "/var/lib/seaworthy/tx"]).stdout;
        listed.lines().map(str::to_owned).collect()
    }

    fn wait_for_lines(&self, lines: usize, seen: &BTreeSet<String>) {
        let number = lines.to_string();
        let mut command = vec!["perl", "-e", LINES, &number];
        command.extend(seen.iter().map(String::as_str));
        if lines > 0 {
            self.machine.command(&command).limit(LONG).run();
        }
    }

    fn journal(&self, transaction: &str) -> Vec<Value> {
        let journal = self.machine.get(&format!("/var/lib/seaworthy/tx/{transaction}/journal"));
        let lines = String::from_utf8(journal).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How long the only transaction's apply took up to each of its lines, and a moment after the last.
    fn gaps(&self, whole: Duration) -> Vec<Duration> {
        let all = self.transactions();
        let at: Vec<i64> = self.journal(all.first().unwrap()).iter().map(|l| l["at"].as_i64().unwrap()).collect();
        let span = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let begin = whole.saturating_sub(span(at[at.len() - 1] - at[0]));
        let between = at.windows(2).map(|pair| span(pair[1] - pair[0]));
        std::iter::once(begin).chain(between).chain([Duration::from_secs(2)]).collect()
    }

    /// Which line of a transaction's journal was the last on disk when the power went.
    fn met(&self, transaction: &str) -> String {
        let lines = self.journal(transaction);
        let until = lines.iter().position(|line| line["event"] == "expired").unwrap_or(lines.len());
        let Some(last) = lines[..until].last() else { return "with an empty journal".into() };
        let count = |event: &str| lines[..until].iter().filter(|line| line["event"] == event).count();
        format!(
            "after `{}`, {} changes begun and {} done",
            last["event"].as_str().unwrap(),
            count("intent"),
            count("done")
        )
    }
}
