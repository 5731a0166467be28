//! Known flaws of the versions that run, from the catalogue's dated table.
//!
//! A distribution's package may carry a fix under an old number, so where a package owns the program its version
//! decides, by the distribution's own fixed version; where the table has none for it, an old number proves nothing.

use std::cmp::Ordering;

use super::only;
use crate::fact::Source;
use crate::flaw::{Flaw, FlawTable, TABLE_VALID_DAYS};
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;
use crate::version::{Version, compare_debian};
use crate::waiver::end_of_day;

/// What runs: its version, and the package that it came in.
struct Installed<'a> {
    version: &'a str,
    package: Option<(&'a str, &'a str)>,
    /// The host was read, and its packages could not be: it may have come in one.
    is_unread: bool,
    os: &'a str,
}

pub(super) fn derive(target: &mut Target, table: &FlawTable, collected_at: i64) {
    for (component, version_fact, result, packages) in [
        (
            "engine",
            "version",
            "engine_flaws",
            &["docker-ce", "docker.io", "moby-engine", "docker-engine", "docker"][..],
        ),
        ("containerd", "containerd_version", "containerd_flaws", &["containerd.io", "containerd"][..]),
        ("runc", "runc_version", "runc_flaws", &["containerd.io", "runc"][..]),
    ] {
        let value =
            flaws(target, table, collected_at, component, only(target, &docker::DAEMON, version_fact), packages);
        set(target, &docker::DAEMON, result, value, table);
    }
    let kernel = flaws(target, table, collected_at, "kernel", only(target, &docker::HOST, "kernel"), &[]);
    set(target, &docker::HOST, "kernel_flaws", kernel, table);
}

fn set(target: &mut Target, kind: &'static crate::schema::Kind, fact: &str, value: Value, table: &FlawTable) {
    let source = Source::place(format!("its version against the table of {}", table.dated));
    for component in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, kind)) {
        component.set(fact, value.clone(), source.clone());
    }
}

fn flaws(
    target: &Target,
    table: &FlawTable,
    collected_at: i64,
    component: &str,
    version: &Value,
    names: &[&str],
) -> Value {
    let version = match version {
        Value::Str(version) => version,
        other => return Value::unknown(other.reason().map_or("its version is not known", |r| r)),
    };
    let packages = only(target, &docker::HOST, "packages");
    let host = target.components.iter().find(|c| std::ptr::eq(c.kind, &docker::HOST));
    // Of a host elsewhere the engine tells this much, and nobody expects its packages.
    let is_read = host.is_some_and(|host| host.fact("os").source.place.starts_with('/'));
    let is_unread = is_read && packages.is_unknown();
    let packages = packages.as_list().unwrap_or_default();
    let text = |p: &'_ Value, field: &str| p.field(field).and_then(Value::as_str).map(str::to_owned);
    let installed: Vec<(String, String)> =
        packages.iter().filter_map(|p| Some((text(p, "name")?, text(p, "version")?))).collect();
    let os = only(target, &docker::HOST, "os").as_str().unwrap_or_default();
    // A package that is installed need not be what runs: its version must be that of what answers.
    let containerd = only(target, &docker::DAEMON, "containerd_version").as_str().unwrap_or_default();
    let runs = |name: &str, of: &str| match (component, name) {
        ("runc", "containerd.io") => same_upstream(of, containerd),
        _ => same_upstream(of, version),
    };
    let package = installed.iter().find(|(n, v)| names.contains(&n.as_str()) && runs(n, v));
    let build = (component == "kernel").then(|| debian_kernel(&installed, version, os)).flatten();
    let version = build.as_deref().unwrap_or(version);
    let installed = Installed { version, package: package.map(|(n, v)| (n.as_str(), v.as_str())), is_unread, os };
    let mut found = Vec::new();
    let mut undecided = None;
    for flaw in table.flaws.iter().filter(|f| f.component == component) {
        match has(flaw, &installed) {
            Some(true) => found.push(flaw.id.clone()),
            Some(false) => {}
            None => undecided = undecided.or(Some(flaw.id.as_str())),
        }
    }
    if !found.is_empty() {
        return Value::strings(found);
    }
    if let Some(id) = undecided.filter(|_| is_unread) {
        return Value::unknown(format!(
            "{version} is older than what repairs {id}, and whether a distribution repaired it is not known: the packages could not be read"
        ));
    }
    if let Some(id) = undecided {
        return Value::unknown(format!(
            "{version} is a distribution's or an unnumbered build, and whether it has {id} is not in the table"
        ));
    }
    match end_of_day(&table.dated) {
        Ok(end) if collected_at - end <= TABLE_VALID_DAYS * 86_400 => Value::List(Vec::new()),
        Ok(_) => Value::unknown(format!(
            "the table of flaws is of {}, older than {TABLE_VALID_DAYS} days when this was collected",
            table.dated
        )),
        Err(_) => Value::unknown("the catalogue has no table of flaws"),
    }
}

/// The release that a Debian kernel was built from, by its package: the kernel itself names only its ABI (`6.1.0-18`).
fn debian_kernel(installed: &[(String, String)], release: &str, os: &str) -> Option<String> {
    if os.split_whitespace().next() != Some("debian") {
        return None;
    }
    let names = [format!("linux-image-{release}"), format!("linux-image-{release}-unsigned")];
    let (_, version) = installed.iter().find(|(name, _)| names.contains(name))?;
    let upstream = version.rsplit_once('-').map_or(version.as_str(), |(upstream, _)| upstream);
    let upstream = upstream.split_once(':').map_or(upstream, |(_, rest)| rest);
    upstream.chars().all(|c| c.is_ascii_digit() || c == '.').then(|| upstream.to_owned())
}

fn same_upstream(package: &str, version: &str) -> bool {
    match (Version::of_package(package), Version::parse(version)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Whether what is installed has a flaw; none where that cannot be told.
fn has(flaw: &Flaw, installed: &Installed<'_>) -> Option<bool> {
    if let Some((name, version)) = installed.package {
        let os = installed.os.to_lowercase();
        let fix = flaw.packages.iter().find(|p| {
            p.package == name && os.contains(&p.distribution) && os.split_whitespace().any(|w| w == p.release)
        });
        if let Some(fix) = fix {
            return Some(compare_debian(version, &fix.fixed) == Ordering::Less);
        }
    }
    let version = Version::parse(installed.version)?;
    if let Some(since) = flaw.since.as_deref().and_then(Version::parse)
        && version < since
    {
        return Some(false);
    }
    if fixed(flaw, &version)? {
        return Some(false);
    }
    // An old number of a distribution's build proves nothing: its packagers carry fixes over.
    let marks = [
        "+dfsg", "~ds", "+ds", "ubuntu", "+deb", "-amd64", "-arm64", "-generic", ".el", ".fc", ".amzn", "-azure",
        "-aws", "-gcp",
    ];
    let distribution = installed.is_unread
        || marks.iter().any(|m| installed.version.contains(m))
        || installed.package.is_some_and(|(name, _)| !matches!(name, "docker-ce" | "containerd.io"));
    if distribution { None } else { Some(true) }
}

/// Whether a version is fixed: at or over the fix of its own branch; without one, over the newest fix.
fn fixed(flaw: &Flaw, version: &Version) -> Option<bool> {
    let fixes: Vec<Version> = flaw.fixed.iter().filter_map(|f| Version::parse(f)).collect();
    let newest = fixes.iter().max()?;
    let branch = fixes.iter().find(|f| (f.major(), f.minor()) == (version.major(), version.minor()));
    Some(version >= branch.unwrap_or(newest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flaw::PackageFix;

    fn flaw() -> Flaw {
        Flaw {
            id: "CVE-0000-0000".into(),
            component: "engine".into(),
            fixed: vec!["23.0.15".into(), "25.0.6".into(), "27.1.1".into()],
            packages: vec![PackageFix {
                distribution: "debian".into(),
                release: "12".into(),
                package: "docker.io".into(),
                fixed: "20.10.24+dfsg1-1+deb12u1".into(),
            }],
            means: "test".into(),
            source: "test".into(),
            since: None,
        }
    }

    fn says(version: &str, package: Option<(&str, &str)>) -> Option<bool> {
        has(&flaw(), &Installed { version, package, is_unread: false, os: "debian 12" })
    }

    #[test]
    fn branches_and_packages_decide() {
        assert_eq!(says("27.1.1", None), Some(false));
        assert_eq!(says("25.0.6", None), Some(false));
        assert_eq!(says("25.0.5", None), Some(true));
        assert_eq!(says("26.1.4", None), Some(true));
        assert_eq!(says("29.0.0", None), Some(false));
        assert_eq!(says("20.10.24+dfsg1", None), None);
        assert_eq!(says("20.10.24+dfsg1", Some(("docker.io", "20.10.24+dfsg1-1+deb12u1+b2"))), Some(false));
        assert_eq!(says("20.10.24+dfsg1", Some(("docker.io", "20.10.24+dfsg1-1"))), Some(true));
        assert_eq!(says("dev", None), None);
        assert_eq!(says("25.0.5", Some(("docker-ce", "3:25.0.5-1.el9"))), Some(true));
        assert_eq!(says("25.0.5", Some(("docker", "25.0.5-1.amzn2023.0.1"))), None);
        let unread = |version| has(&flaw(), &Installed { version, package: None, is_unread: true, os: "rocky 8" });
        assert_eq!((unread("25.0.5"), unread("25.0.6")), (None, Some(false)));
    }

    #[test]
    fn a_debian_kernel_is_told_by_its_package() {
        let installed = [("linux-image-6.1.0-18-amd64".to_owned(), "6.1.76-1".to_owned())];
        let told = |release: &str, os: &str| debian_kernel(&installed, release, os);
        assert_eq!(told("6.1.0-18-amd64", "debian 12").as_deref(), Some("6.1.76"));
        assert_eq!(told("6.1.0-17-amd64", "debian 12"), None);
        assert_eq!(told("6.1.0-18-amd64", "ubuntu 22.04"), None);
    }

    #[test]
    fn a_package_that_does_not_run_decides_nothing() {
        let mut target = Target::new("t", "docker", "unix:///x");
        let mut host = crate::component::Component::new(&docker::HOST, "h", "h");
        let package = |n: &str, v: &str| Value::Object(vec![("name", n.into()), ("version", v.into())]);
        host.set("packages", Value::List(vec![package("runc", "1.1.5+ds1-1+deb12u1")]), Source::place("test"));
        let mut daemon = crate::component::Component::new(&docker::DAEMON, "d", "d");
        daemon.set("runc_version", "1.3.4", Source::place("test"));
        target.components.extend([host, daemon]);
        let mut of_runc = flaw();
        of_runc.component = "runc".into();
        of_runc.fixed = vec!["1.2.8".into(), "1.3.3".into()];
        of_runc.packages = Vec::new();
        let table = FlawTable { dated: "2026-01-01".into(), flaws: vec![of_runc] };
        derive(&mut target, &table, end_of_day("2026-01-01").unwrap());
        assert_eq!(target.components[1].value("runc_flaws"), &Value::List(vec![]));
    }

    #[test]
    fn an_old_number_proves_nothing_where_the_packages_could_not_be_read() {
        let says = |os_place: &str| {
            let mut target = Target::new("t", "docker", "unix:///x");
            let mut host = crate::component::Component::new(&docker::HOST, "h", "h");
            host.set("os", "rocky 8", Source::place(os_place));
            host.set_unknown("packages", "a database that is not read", Source::place("test"));
            let mut daemon = crate::component::Component::new(&docker::DAEMON, "d", "d");
            daemon.set("version", "25.0.5", Source::place("test"));
            target.components.extend([host, daemon]);
            let table = FlawTable { dated: "2026-01-01".into(), flaws: vec![flaw()] };
            derive(&mut target, &table, end_of_day("2026-01-01").unwrap());
            target.components[1].value("engine_flaws").to_string()
        };
        assert!(says("/etc/os-release").contains("the packages could not be read"));
        // Of an engine elsewhere nobody could know more than the number.
        assert_eq!(says("GET /info: OperatingSystem"), "[CVE-0000-0000]");
    }

    #[test]
    fn an_old_table_passes_nothing() {
        let mut target = Target::new("t", "docker", "unix:///x");
        let mut daemon = crate::component::Component::new(&docker::DAEMON, "d", "d");
        daemon.set("version", "29.0.0", Source::place("test"));
        target.components.push(daemon);
        let table = FlawTable { dated: "2026-01-01".into(), flaws: vec![flaw()] };
        let day = end_of_day("2026-01-01").unwrap();
        derive(&mut target, &table, day + 120 * 86_400);
        assert_eq!(target.components[0].value("engine_flaws"), &Value::List(vec![]));
        derive(&mut target, &table, day + 121 * 86_400);
        assert!(target.components[0].value("engine_flaws").is_unknown());
    }
}
