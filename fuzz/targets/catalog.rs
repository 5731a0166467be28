//! What the catalogue reads: checks, benchmarks, waivers.

use std::sync::LazyLock;

use seaworthy_catalog::{Catalog, case_component, parse_benchmarks, parse_check};
use seaworthy_core::flaw::FlawTable;
use seaworthy_core::judge::judge;
use seaworthy_core::waiver::Waiver;
use serde::Deserialize;

/// A target's name, and what is fed.
type Target = (&'static str, fn(&[u8]));

/// The targets by name.
pub const ALL: &[Target] = &[("check", check), ("benchmark", benchmark), ("waiver-file", waivers)];

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// The file of a check: it loads or every error has a place; what loads is judged on its own Cases.
fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_check("checks/docker/host/a.md", text) {
        Ok(check) => {
            for case in &check.cases {
                judge(&check, &case_component(&check, case).expect("a loaded check's Cases are read"));
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.line <= text.lines().count() + 1, "{error}");
            }
        }
    }
}

/// The file of a benchmark, beside one of ours that it may build on; or the table of flaws.
fn benchmark(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let base = "id = \"cis-docker-1.0.0\"\ntitle = \"Base\"\npublished = \"2020-01-01\"\n[[section]]\nid = \"1\"\ntitle = \"Host\"\n[[control]]\nid = \"1.1\"\ntitle = \"A\"\nlevel = 1\nstatus = \"manual\"\nchecks = []\n";
    let files = [("benchmarks/a.toml".to_owned(), base.to_owned()), ("benchmarks/b.toml".to_owned(), text.to_owned())];
    if let Err(errors) = parse_benchmarks(&files, &CATALOG.checks) {
        assert!(!errors.is_empty());
    }
    let _ = toml::from_str::<FlawTable>(text);
}

/// The waivers of `seaworthy.toml`.
fn waivers(data: &[u8]) {
    #[derive(Deserialize)]
    struct Config {
        waiver: Vec<Waiver>,
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(config) = toml::from_str::<Config>(text) else { return };
    for waiver in &config.waiver {
        waiver.problem();
        waiver.fits("0123456789abcdef", "web");
    }
}
