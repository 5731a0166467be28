//! Mounts, taken away by the place where they appear in the container.

use seaworthy_core::plan::SpecChange;
use serde_json::json;

use super::{Merge, refused, stale};
use crate::act::Refusal;
use crate::act::recreate::json::{items, strings, text};
use crate::act::recreate::mounts;

impl Merge<'_> {
    pub(super) fn volume(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let is_kept =
            |gone: &str| change.add.iter().any(|a| mounts::settled(mounts::bind_place(a)) == mounts::settled(gone));
        for gone in &change.remove {
            // What is only given other options is changed where it stands.
            if is_kept(gone) && mounts::is_given(&mut self.spec, gone) {
                continue;
            }
            if mounts::take_away(&mut self.spec, gone) {
                continue;
            }
            if !self.is_mounted(gone) {
                return Err(stale(change, gone));
            }
            // It comes from another container, or was taken away before.
            if !strings(self.spec.host.get("VolumesFrom")).is_empty() {
                mounts::resolve_volumes_from(&mut self.spec, &self.seen.inspect);
                mounts::take_away(&mut self.spec, gone);
            }
        }
        for added in &change.add {
            let place = mounts::bind_place(added);
            if !matches!(added.split(':').count(), 2 | 3) || !place.starts_with('/') {
                return Err(refused(change, "it is SOURCE:DESTINATION[:OPTIONS], the destination absolute"));
            }
            if mounts::set_options(&mut self.spec, added) {
                continue;
            }
            mounts::take_away(&mut self.spec, place);
            let mut binds = strings(self.spec.host.get("Binds"));
            binds.push(added.clone());
            self.spec.host.insert("Binds".into(), json!(binds));
        }
        Ok(())
    }

    fn is_mounted(&self, place: &str) -> bool {
        let mounts = items(self.seen.inspect.pointer("/Mounts"));
        let is_tmpfs = self.was.host.get("Tmpfs").is_some_and(|t| t.get(place).is_some());
        is_tmpfs || mounts.iter().any(|m| mounts::settled(text(m, "/Destination")) == mounts::settled(place))
    }
}
