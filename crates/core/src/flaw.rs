//! Known flaws of engines, runtimes and kernels, and the versions that no longer have them.

use serde::{Deserialize, Serialize};

/// Days after which the table is too old to pass anything: a pass would only say that nothing was known then.
pub const TABLE_VALID_DAYS: i64 = 120;

/// The dated table of the catalogue.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FlawTable {
    /// The day until which flaws were entered, `YYYY-MM-DD`.
    pub dated: String,
    /// The flaws.
    #[serde(rename = "flaw", default)]
    pub flaws: Vec<Flaw>,
}

/// One flaw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flaw {
    /// Its CVE number.
    pub id: String,
    /// `engine`, `containerd`, `runc` or `kernel`.
    pub component: String,
    /// The first fixed version of each maintained branch.
    pub fixed: Vec<String>,
    /// Fixed versions of distributions' packages, which keep old numbers.
    #[serde(default)]
    pub packages: Vec<PackageFix>,
    /// What an attacker gains.
    pub means: String,
    /// Where this is from.
    pub source: String,
    /// Upstream versions before this one never had it; none: all before the fix have it.
    #[serde(default)]
    pub since: Option<String>,
}

/// The fixed version of one distribution's package.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackageFix {
    /// The distribution's id, as os-release has it.
    pub distribution: String,
    /// Its release, as os-release has it.
    pub release: String,
    /// The package.
    pub package: String,
    /// The first fixed version.
    pub fixed: String,
}
