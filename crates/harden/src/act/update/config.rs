//! The limits that a container is configured with, what a plan makes of them, and the requests that make it so.
//!
//! Measured on Engine 20.10 (runc 1.1) and 29 (runc 1.3), with control groups of versions 1 and 2:
//! - A zero for memory, swap or CPU is answered with 200 and changes nothing, and -1 for memory is refused. No limit of
//!   memory is a number that no machine has.
//! - Swap of -1 changes what `inspect` shows and not what the kernel limits. [`NO_SWAP_LIMIT`] lifts it; on version 2 the
//!   kernel's limit is that less the memory, so that memory may not be lifted as high in one request with it: no swap at
//!   all would be left. So memory goes to [`NO_LIMIT`] first, and in a second request, whose swap of -1 touches no limit,
//!   to what the kernel takes for none: its files then say what they say of a container that never had a limit.
//! - A quota of CPU goes back by -1, and `NanoCpus` by nothing: where there was no limit, the quota is set, and `docker
//!   update --cpus` is refused by the engine as long as it is.
//! - A restart policy without a name changes nothing; it is called `no`.

use seaworthy_core::plan::SetField;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::cgroup::{Seen, UNLIMITED};
use crate::Failure;

/// What the engine is told to lift a limit of memory together with that of swap.
pub const NO_LIMIT: i64 = 1 << 62;

/// What it is told to lift a limit of memory and swap, and then of memory alone: the kernel's own number for none, 2^63
/// less a page.
pub const NO_SWAP_LIMIT: i64 = 9_223_372_036_854_771_712;

/// The period that counts where none is configured, in microseconds.
const PERIOD: i64 = 100_000;

/// The fields of `docker update` that are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Memory, with swap: the container gets no swap beside it.
    Memory,
    /// Processes and threads.
    Pids,
    /// CPU time.
    Cpus,
    /// The restart policy.
    Restart,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Pids, Self::Cpus, Self::Restart];

    /// By the name of `docker update`'s option.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The name of `docker update`'s option.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids-limit",
            Self::Cpus => "cpus",
            Self::Restart => "restart",
        }
    }
}

/// A container's limits as `inspect` shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Bytes; 0 is no limit.
    pub memory: i64,
    /// Memory and swap, in bytes; -1 is no limit.
    pub swap: i64,
    /// Processes and threads; 0 and below is no limit.
    pub pids: i64,
    /// Billionths of a CPU; 0 where the quota says it.
    pub nano: i64,
    /// Microseconds in each period; 0 and below is no limit.
    pub quota: i64,
    /// Microseconds; 0 is the default.
    pub period: i64,
    /// The restart policy's name.
    pub restart: String,
    /// How often it is tried again.
    pub tries: i64,
}

impl Config {
    /// From the answer of `GET /containers/ID/json`.
    pub fn of(inspect: &Value) -> Self {
        let host = &inspect["HostConfig"];
        let number = |name: &str| host[name].as_i64().unwrap_or(0);
        let name = host["RestartPolicy"]["Name"].as_str().unwrap_or_default();
        Self {
            memory: number("Memory"),
            swap: number("MemorySwap"),
            pids: number("PidsLimit").max(0),
            nano: number("NanoCpus"),
            quota: number("CpuQuota").max(0),
            period: number("CpuPeriod"),
            restart: if name.is_empty() { "no" } else { name }.to_owned(),
            tries: host["RestartPolicy"]["MaximumRetryCount"].as_i64().unwrap_or(0),
        }
    }

    /// What the plan's fields make of it; without swap accounting in the kernel the engine leaves swap open.
    pub fn with(&self, set: &[SetField], swap: bool) -> Result<Self, Failure> {
        let mut out = self.clone();
        for one in set {
            let bad = || Failure(format!("{}: {} is no value for it", one.field, one.after));
            let number = || one.after.as_i64().filter(|n| *n > 0).ok_or_else(bad);
            match Field::named(&one.field) {
                Some(Field::Memory) => (out.memory, out.swap) = (number()?, if swap { number()? } else { -1 }),
                Some(Field::Pids) => out.pids = number()?,
                Some(Field::Cpus) if self.nano > 0 => out.nano = number()?.checked_mul(1_000_000).ok_or_else(bad)?,
                Some(Field::Cpus) => out.quota = number()?.checked_mul(self.period()).ok_or_else(bad)? / 1000,
                Some(Field::Restart) => {
                    (out.restart, out.tries) = policy(one.after.as_str().unwrap_or_default()).ok_or_else(bad)?;
                }
                None => return Err(Failure(format!("{}: this is not changed by docker update here", one.field))),
            }
        }
        Ok(out)
    }

    fn period(&self) -> i64 {
        if self.period > 0 { self.period } else { PERIOD }
    }

    /// The memory limit; none where there is none.
    pub fn memory(&self) -> Option<u64> {
        sized(self.memory)
    }

    /// The limit of memory and swap together; none where there is none.
    pub fn total(&self) -> Option<u64> {
        self.memory().and_then(|_| sized(self.swap))
    }

    /// The most processes; none where there is no limit.
    pub fn pids(&self) -> Option<u64> {
        u64::try_from(self.pids).ok().filter(|n| *n > 0)
    }

    /// Thousandths of a CPU; none where there is no limit.
    pub fn cpus(&self) -> Option<u64> {
        let thousandths =
            if self.nano > 0 { self.nano / 1_000_000 } else { self.quota.saturating_mul(1000) / self.period() };
        u64::try_from(thousandths).ok().filter(|n| *n > 0)
    }

    /// The restart policy as the option has it: `on-failure:5`.
    pub fn restart(&self) -> String {
        if self.restart == "on-failure" && self.tries > 0 {
            format!("on-failure:{}", self.tries)
        } else {
            self.restart.clone()
        }
    }

    /// Whether both say the same of a field: no limit is no limit, however it is written.
    pub fn same(&self, other: &Self, field: Field) -> bool {
        match field {
            Field::Memory => self.memory() == other.memory() && self.total() == other.total(),
            Field::Pids => self.pids() == other.pids(),
            Field::Cpus => self.cpus() == other.cpus(),
            Field::Restart => self.restart() == other.restart(),
        }
    }

    /// Whether the kernel limits what is configured here; the restart policy has no trace in it.
    pub fn holds(&self, seen: &Seen, field: Field) -> bool {
        match field {
            Field::Memory => {
                let swap = match (seen.swap, seen.together) {
                    // No swap accounting; or twice the memory, worked out when it was created.
                    (None, _) => true,
                    _ if self.swap == 0 && self.memory().is_some() => true,
                    (Some(swap), true) => near(self.total(), swap),
                    (Some(swap), false) => {
                        near(self.total().zip(self.memory()).map(|(t, m)| t.saturating_sub(m)), swap)
                    }
                };
                near(self.memory(), seen.memory.own) && swap
            }
            Field::Pids => self.pids() == seen.pids.own,
            Field::Cpus => self.cpus() == seen.cpus.own,
            Field::Restart => true,
        }
    }

    /// The one request that makes it so.
    pub fn request(&self, fields: &[Field]) -> Value {
        let mut body = Map::new();
        for field in fields {
            self.add(*field, &mut body);
        }
        Value::Object(body)
    }

    /// The requests that give the fields back, from whatever they are now.
    pub fn give_back(&self, fields: &[Field]) -> Vec<Value> {
        let mut body = Map::new();
        for field in fields {
            match field {
                Field::Memory => {
                    let swap_is_open = self.memory().is_none() || self.swap < 0;
                    body.insert("Memory".into(), if self.memory().is_some() { self.memory } else { NO_LIMIT }.into());
                    body.insert("MemorySwap".into(), if swap_is_open { NO_SWAP_LIMIT } else { self.swap }.into());
                }
                Field::Pids if self.pids().is_none() => {
                    body.insert("PidsLimit".into(), (-1).into());
                }
                Field::Cpus if self.cpus().is_none() => {
                    body.insert("CpuQuota".into(), (-1).into());
                }
                other => self.add(*other, &mut body),
            }
        }
        let mut out = vec![Value::Object(body)];
        if fields.contains(&Field::Memory) && self.memory().is_none() {
            out.push(json!({ "Memory": NO_SWAP_LIMIT, "MemorySwap": -1 }));
        } else if fields.contains(&Field::Memory) && self.swap < 0 {
            // For `inspect` alone.
            out.push(json!({ "Memory": self.memory, "MemorySwap": -1 }));
        }
        out
    }

    fn add(&self, field: Field, body: &mut Map<String, Value>) {
        match field {
            Field::Memory => {
                body.insert("Memory".into(), self.memory.into());
                body.insert("MemorySwap".into(), self.swap.into());
            }
            Field::Pids => {
                body.insert("PidsLimit".into(), self.pids.into());
            }
            Field::Cpus if self.nano > 0 => {
                body.insert("NanoCpus".into(), self.nano.into());
            }
            Field::Cpus => {
                body.insert("CpuQuota".into(), self.quota.into());
            }
            Field::Restart => {
                let policy = json!({ "Name": self.restart, "MaximumRetryCount": self.tries });
                body.insert("RestartPolicy".into(), policy);
            }
        }
    }
}

fn sized(bytes: i64) -> Option<u64> {
    u64::try_from(bytes).ok().filter(|n| *n > 0 && *n < UNLIMITED)
}

/// The kernel rounds down to whole pages, of 64 KiB at most.
fn near(asked: Option<u64>, is: Option<u64>) -> bool {
    match (asked, is) {
        (Some(asked), Some(is)) => is <= asked && asked - is < 64 << 10,
        (asked, is) => asked == is,
    }
}

/// Name and tries of a restart policy.
fn policy(text: &str) -> Option<(String, i64)> {
    match text.split_once(':') {
        Some(("on-failure", tries)) => {
            tries.parse().ok().filter(|n| (1..=1_000_000).contains(n)).map(|n| ("on-failure".to_owned(), n))
        }
        None if matches!(text, "no" | "always" | "unless-stopped" | "on-failure") => Some((text.to_owned(), 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cgroup::Limit;
    use super::*;

    fn config(host: Value) -> Config {
        Config::of(&json!({ "HostConfig": host }))
    }

    fn set(field: &str, after: Value) -> SetField {
        SetField { field: field.into(), before: Value::Null, after, why: String::new() }
    }

    #[test]
    fn no_limit_is_the_same_however_it_is_written() {
        let none = config(json!({}));
        let lifted = config(json!({ "Memory": NO_LIMIT, "MemorySwap": NO_SWAP_LIMIT, "PidsLimit": -1, "CpuQuota": -1,
            "RestartPolicy": { "Name": "no" } }));
        for field in Field::ALL {
            assert!(none.same(&lifted, field), "{field:?}");
        }
        let swap = config(json!({ "Memory": 1 << 30, "MemorySwap": -1 }));
        assert!(!swap.same(&config(json!({ "Memory": 1 << 30, "MemorySwap": 1 << 30 })), Field::Memory));
    }

    #[test]
    fn version_two_counts_swap_alone() {
        let seen = |swap| Seen {
            memory: Limit { own: Some(1 << 30), effective: Some(1 << 30) },
            swap: Some(swap),
            together: false,
            used: 0,
            pids: Limit::default(),
            running: 1,
            cpus: Limit::default(),
        };
        let bounded = config(json!({ "Memory": 1 << 30, "MemorySwap": 1 << 30 }));
        assert!(bounded.holds(&seen(Some(0)), Field::Memory));
        assert!(!bounded.holds(&seen(None), Field::Memory));
        let half = config(json!({ "Memory": 1 << 30, "MemorySwap": 3 << 29 }));
        assert!(half.holds(&seen(Some(1 << 29)), Field::Memory));
        assert!(!half.holds(&seen(Some(1 << 30)), Field::Memory));
        let open = config(json!({ "Memory": 1 << 30, "MemorySwap": -1 }));
        assert!(open.holds(&seen(None), Field::Memory) && !open.holds(&seen(Some(0)), Field::Memory));
        assert!(!config(json!({})).holds(&seen(Some(0)), Field::Memory));
    }

    #[test]
    fn requests_say_only_what_is_meant() {
        let none = config(json!({}));
        let made = none.with(&[set("memory", (64 << 20).into()), set("cpus", 250.into())], true).unwrap();
        assert_eq!(
            made.request(&[Field::Memory, Field::Cpus]),
            json!({ "Memory": 64 << 20, "MemorySwap": 64 << 20, "CpuQuota": 25_000 })
        );
        assert_eq!(
            none.give_back(&[Field::Memory, Field::Cpus]),
            [
                json!({ "Memory": NO_LIMIT, "MemorySwap": NO_SWAP_LIMIT, "CpuQuota": -1 }),
                json!({ "Memory": NO_SWAP_LIMIT, "MemorySwap": -1 })
            ]
        );
        let open = config(json!({ "Memory": 64 << 20, "MemorySwap": -1 }));
        assert_eq!(
            open.give_back(&[Field::Memory]),
            [
                json!({ "Memory": 64 << 20, "MemorySwap": NO_SWAP_LIMIT }),
                json!({ "Memory": 64 << 20, "MemorySwap": -1 })
            ]
        );
        let open = none.with(&[set("memory", (64 << 20).into())], false).unwrap();
        assert_eq!(open.request(&[Field::Memory]), json!({ "Memory": 64 << 20, "MemorySwap": -1 }));
        let had = config(json!({ "NanoCpus": 2_000_000_000i64, "CpuPeriod": 0 }));
        let less = had.with(&[set("cpus", 500.into())], true).unwrap();
        assert_eq!(less.request(&[Field::Cpus]), json!({ "NanoCpus": 500_000_000 }));
        assert_eq!(had.give_back(&[Field::Cpus]), [json!({ "NanoCpus": 2_000_000_000i64 })]);
        for (field, after) in [
            ("memory", json!(0)),
            ("memory", json!("64m")),
            ("pids-limit", json!(-1)),
            ("cpus", json!(i64::MAX)),
            ("restart", json!("on-failure:0")),
            ("restart", json!("sometimes")),
            ("cpu-rt-runtime", json!(1)),
        ] {
            assert!(none.with(&[set(field, after.clone())], true).is_err(), "{field} {after}");
        }
    }
}
