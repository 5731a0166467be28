//! How hardening sees the host: collected and judged as every other command does it.

use std::time::Duration;

use seaworthy_catalog::Catalog;
use seaworthy_core::audit::Audit;
use seaworthy_core::derive::{derive, registries};
use seaworthy_core::judge::Finding;
use seaworthy_core::plan::Place;
use seaworthy_core::snapshot::Snapshot;
use seaworthy_harden::transaction::{Eyes, Look, Seen};

use crate::config::Config;

/// The live engine at an address, with its host.
pub struct Live {
    /// Where the plan belongs.
    pub target: Place,
    /// How long one request may take.
    pub timeout: Duration,
    /// The catalogue.
    pub catalog: Catalog,
    /// The user's settings.
    pub config: Config,
}

impl Eyes for Live {
    fn look(&self) -> Result<Look, String> {
        let options = seaworthy_collect::Options {
            hosts: vec![self.target.address.clone()],
            context: None,
            root: None,
            deep: false,
            copy: false,
            timeout: self.timeout,
        };
        let mut snapshot = seaworthy_collect::collect(&options).map_err(|why| format!("{why:#}"))?;
        if crate::commands::is_nothing(&snapshot) {
            return Err(format!("{:#}", crate::commands::nothing(&snapshot)));
        }
        derive(&mut snapshot, &self.catalog.flaws);
        registries(&mut snapshot, self.config.registries.allowed.as_deref());
        for target in &mut snapshot.targets {
            // Fingerprints name the target as the plan does, which may have come to it by a context or another's word.
            target.name.clone_from(&self.target.name);
        }
        let findings = self.findings(&snapshot)?;
        let target = snapshot.targets.pop().ok_or("nothing was read")?;
        Ok(Look { target, findings })
    }
}

impl Live {
    fn findings(&self, snapshot: &Snapshot) -> Result<Vec<Seen>, String> {
        let Catalog { checks, benchmarks, .. } = &self.catalog;
        let benchmark = benchmarks.first().ok_or("the catalogue has no benchmark")?;
        let audit = Audit::new(snapshot, checks, benchmarks, benchmark, &[], |_| true);
        Ok(audit.findings.iter().map(|finding| seen(&audit, finding)).collect())
    }
}

fn seen(audit: &Audit<'_>, finding: &Finding) -> Seen {
    let check = audit.check(finding);
    let decided = || {
        let facts = audit.deciding(finding);
        let shown = facts.iter().take(3).map(|(name, fact)| format!("{name} = {} ({})", fact.value, fact.source));
        shown.collect::<Vec<_>>().join(", ")
    };
    Seen {
        check: check.id.clone(),
        kind: check.about.clone(),
        component: audit.component_name(finding).to_owned(),
        fingerprint: audit.fingerprint(finding),
        verdict: finding.judgement.verdict,
        reason: finding.judgement.reason.as_deref().map_or_else(decided, ToOwned::to_owned),
    }
}
