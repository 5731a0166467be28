//! Options that have one value.

use seaworthy_core::plan::SpecChange;
use serde_json::json;

use super::{Merge, one, refused};
use crate::act::Refusal;
use crate::act::recreate::json::inner;

impl Merge<'_> {
    pub(super) fn privileged(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        if one(change)? != "false" {
            return Err(refused(change, "it is only taken away"));
        }
        self.spec.host.insert("Privileged".into(), false.into());
        Ok(())
    }

    /// A mode of which `own` is what the engine calls the container's own.
    pub(super) fn mode(&mut self, field: &str, own: &str, change: &SpecChange) -> Result<(), Refusal> {
        let value = one(change)?;
        let to = if value == "private" { own } else { value };
        self.spec.host.insert(field.into(), to.into());
        Ok(())
    }

    pub(super) fn user(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let user = one(change)?;
        if user.is_empty() {
            return Err(refused(change, "a user is needed: without one the image decides, and it may say root"));
        }
        self.spec.config.insert("User".into(), user.into());
        Ok(())
    }

    pub(super) fn truth(&mut self, field: &str, change: &SpecChange) -> Result<(), Refusal> {
        let value = one(change)?.parse::<bool>().map_err(|_| refused(change, "it is true or false"))?;
        self.spec.host.insert(field.into(), value.into());
        Ok(())
    }

    pub(super) fn health_cmd(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let command = one(change)?;
        if command.is_empty() {
            return Err(refused(change, "a command is needed"));
        }
        let mut check = inner(&self.spec.config, "Healthcheck");
        check.insert("Test".into(), json!(["CMD-SHELL", command]));
        self.spec.config.insert("Healthcheck".into(), check.into());
        Ok(())
    }

    /// That it is the same image is looked up before anything is done.
    pub(super) fn image(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let reference = one(change)?;
        if reference.is_empty() {
            return Err(refused(change, "a reference is needed"));
        }
        self.spec.config.insert("Image".into(), reference.into());
        Ok(())
    }

    pub(super) fn memory(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let bytes = bytes(one(change)?).ok_or_else(|| refused(change, "it is a size: 512m"))?;
        self.spec.host.insert("Memory".into(), bytes.into());
        if !self.all.iter().any(|c| c.option == "memory-swap") {
            // Without it the engine allows as much swap again.
            self.spec.host.insert("MemorySwap".into(), bytes.into());
        }
        Ok(())
    }

    pub(super) fn memory_swap(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let bytes = bytes(one(change)?).ok_or_else(|| refused(change, "it is a size: 512m"))?;
        self.spec.host.insert("MemorySwap".into(), bytes.into());
        Ok(())
    }

    pub(super) fn cpus(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let cpus = one(change)?.parse::<f64>().ok().filter(|c| *c > 0.0 && *c < 1e6);
        let cpus = cpus.ok_or_else(|| refused(change, "it is a number of CPUs: 1.5"))?;
        self.spec.host.insert("NanoCpus".into(), ((cpus * 1e9).round() as i64).into());
        Ok(())
    }

    pub(super) fn pids_limit(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let limit = one(change)?.parse::<i64>().ok().filter(|l| *l > 0);
        let limit = limit.ok_or_else(|| refused(change, "it is a number of processes"))?;
        self.spec.host.insert("PidsLimit".into(), limit.into());
        Ok(())
    }

    pub(super) fn restart(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let bad = || refused(change, "it is a policy: on-failure:5");
        let value = one(change)?;
        let (name, count) = value.split_once(':').unwrap_or((value, "0"));
        let count = count.parse::<u32>().map_err(|_| bad())?;
        if !matches!(name, "no" | "always" | "unless-stopped" | "on-failure") || (count > 0 && name != "on-failure") {
            return Err(bad());
        }
        self.spec.host.insert("RestartPolicy".into(), json!({ "Name": name, "MaximumRetryCount": count }));
        Ok(())
    }
}

/// `512m`, `1g`, `1048576`: a number of bytes, more than none.
fn bytes(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let shift = match text.chars().last()? {
        'k' => 10,
        'm' => 20,
        'g' => 30,
        't' => 40,
        _ => 0,
    };
    let number = if shift == 0 { text } else { &text[..text.len() - 1] };
    number.parse::<i64>().ok()?.checked_mul(1 << shift).filter(|b| *b > 0)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        let read = ["512m", "1g", "2k", "1024", "64MB", "8b"].map(bytes);
        assert_eq!(read, [512 << 20, 1 << 30, 2 << 10, 1024, 64 << 20, 8].map(Some));
        assert_eq!(["", "m", "0", "-1m", "1x", "9999999999t", "1.5g"].map(bytes), [None; 7]);
    }
}
