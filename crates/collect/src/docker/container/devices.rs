//! Devices of the host that a container may use.

use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::super::context::DeviceNumber;
use super::super::json::{Node, Read, cut, other_type};
use super::super::sheet::Sheet;
use super::Reading;
use crate::effect::devices::{DeviceClass, device_class};
use seaworthy_core::path::normalise;

pub(super) fn fill(sheet: &mut Sheet, c: &Reading<'_>) {
    const FIELD: &str = "HostConfig.Devices, DeviceRequests, DeviceCgroupRules";
    let devices = devices(c);
    let configured = match (&c.privileged, &devices) {
        (Ok(true), _) => Ok(true),
        (Err(reason), _) => Err(reason.clone()),
        (_, Ok(devices)) => Ok(devices.iter().any(|device| device.class == "all")),
        (_, Err(reason)) => Err(reason.clone()),
    };
    // The kernel's table can show more than the configuration, never less.
    match c.seen().and_then(|o| o.all_devices.map(|all| (&o.place, all))) {
        Some((place, true)) => sheet.seen("all_devices", place, "devices.list", Ok(true)),
        _ => sheet.read("all_devices", FIELD, configured),
    }
    sheet.read("devices", FIELD, devices.map(|devices| Value::List(devices.iter().map(Device::object).collect())));
}

struct Device<'a> {
    path: &'a str,
    permissions: &'a str,
    class: &'static str,
}

impl Device<'_> {
    fn object(&self) -> Value {
        let path: &str = &normalise(cut(self.path));
        Value::Object(vec![
            ("path", path.into()),
            ("permissions", cut(self.permissions).into()),
            ("class", self.class.into()),
        ])
    }
}

fn devices<'a>(c: &Reading<'a>) -> Read<Vec<Device<'a>>> {
    let mut out = Vec::new();
    if c.is_privileged() {
        out.push(Device { path: "/dev", permissions: "rwm", class: "all" });
    }
    for item in c.host.get("Devices").list()? {
        let item = Node::of(item);
        let path = item.get("PathOnHost").text()?;
        let permissions = item.get("CgroupPermissions").text()?;
        let class = class_on_host(path, &c.ctx.host.devices(path));
        out.push(Device { path, permissions, class: if opens(permissions) { class } else { "other" } });
    }
    for item in c.host.get("DeviceRequests").list_or_empty()? {
        let item = Node::of(item);
        let driver = item.get("Driver").text_or_empty()?;
        let first = item.get("DeviceIDs").list_or_empty()?.first().and_then(Json::as_str);
        let is_gpu = format!("{:?}", item.get("Capabilities").list_or_empty()?).contains("\"gpu\"")
            || driver == "nvidia"
            || first.is_some_and(|id| id.contains("gpu"));
        let path = first.filter(|_| driver == "cdi").unwrap_or(if driver.is_empty() { "gpu" } else { driver });
        out.push(Device { path, permissions: "rwm", class: if is_gpu { "gpu" } else { "other" } });
    }
    for rule in c.host.get("DeviceCgroupRules").list_or_empty()? {
        let rule = rule.as_str().ok_or_else(other_type)?;
        let permissions = rule.split_whitespace().nth(2).unwrap_or("rwm");
        out.push(Device { path: rule, permissions, class: class_of_rule(rule) });
    }
    Ok(out)
}

/// What a cgroup rule opens: `a`, and a wildcard over all block or character devices that can be read or written, is
/// everything.
fn class_of_rule(rule: &str) -> &'static str {
    let mut words = rule.split_whitespace();
    let kind = words.next().unwrap_or("a");
    let (major, minor) = words.next().and_then(|numbers| numbers.split_once(':')).unwrap_or(("*", "*"));
    match (kind, major) {
        _ if !words.next().is_none_or(opens) => "other",
        ("a", _) | (_, "*") => "all",
        _ => class_of_numbers(kind, major, minor),
    }
}

/// Whether permissions open a device. With `m` alone its node may be made, as by default, and not opened.
fn opens(permissions: &str) -> bool {
    permissions.contains(['r', 'w'])
}

/// What devices are by their kind and numbers.
fn class_of_numbers(kind: &str, major: &str, minor: &str) -> &'static str {
    match (kind, major, minor) {
        // SCSI commands go around the block device.
        ("b", ..) | (_, "21", _) => "disk",
        (_, "1", "3" | "5" | "7" | "8" | "9") | (_, "5", "0" | "2") => "harmless",
        (_, "1", "4") => "port",
        // What the kernel logs.
        (_, "1", "11") => "other",
        // Registers of the processor, which lead to the kernel's memory.
        (_, "1" | "202", _) => "memory",
        (_, "10", "232") => "kvm",
        (_, "10", "229") => "fuse",
        (_, "10", "200") => "tun",
        (_, "195" | "226", _) => "gpu",
        (_, "116" | "14", _) => "sound",
        (_, "13", _) => "input",
        _ => "other",
    }
}

/// What a device is: by its path, and by the numbers that it has on the host, since a volume of LVM, a link that udev
/// makes and a node that somebody made may be called anything. The one that gives most counts.
fn class_on_host(path: &str, numbers: &[DeviceNumber]) -> &'static str {
    const MOST: [&str; 4] = ["all", "disk", "memory", "port"];
    let named = class_of_path(path);
    let by_number = numbers.iter().map(|device| {
        let kind = if device.block { "b" } else { "c" };
        class_of_numbers(kind, &device.major.to_string(), &device.minor.to_string())
    });
    let found: Vec<&'static str> = std::iter::once(named).chain(by_number).collect();
    MOST.into_iter().find(|class| found.contains(class)).unwrap_or(named)
}

/// What a device is, by its path on the host.
fn class_of_path(path: &str) -> &'static str {
    match device_class(path) {
        DeviceClass::Graphics => "gpu",
        DeviceClass::Video | DeviceClass::Bus | DeviceClass::Other => "other",
        class => class.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_paths_have_their_class() {
        for (rule, class) in [
            ("a *:* rwm", "all"),
            ("a", "all"),
            ("c *:* rwm", "all"),
            ("b *:* r", "all"),
            ("c *:* m", "other"),
            ("b 8:* m", "other"),
            ("b 8:* rwm", "disk"),
            ("c 1:3 rwm", "harmless"),
            ("c 1:* rwm", "memory"),
            ("c 1:1 m", "other"),
            ("c 1:11 r", "other"),
            ("c 10:232 rwm", "kvm"),
            ("c 42:1 rwm", "other"),
            ("c 21:* rwm", "disk"),
            ("c 202:0 rw", "memory"),
        ] {
            assert_eq!(class_of_rule(rule), class, "{rule}");
        }
        for (path, class) in [
            ("/dev/sda1", "disk"),
            ("/dev/../dev/mem", "memory"),
            ("/dev", "all"),
            ("/dev/null", "harmless"),
            ("/dev/disk/by-id/x", "disk"),
            ("/dev/net/tun", "tun"),
            ("/dev/ttyUSB0", "other"),
            ("/dev/kmsg", "other"),
            ("/dev/mapper/control", "other"),
            ("/dev/loop-control", "other"),
            ("/dev/mapper", "disk"),
            ("/dev/mapper/vg-root", "disk"),
            ("/dev/dri/card0", "gpu"),
        ] {
            assert_eq!(class_of_path(path), class, "{path}");
        }
    }

    #[test]
    fn a_device_is_what_its_numbers_say() {
        let block = |major, minor| DeviceNumber { block: true, major, minor };
        let character = |major, minor| DeviceNumber { block: false, major, minor };
        for (path, numbers, class) in [
            ("/dev/vg0/data", vec![block(253, 3)], "disk"),
            ("/dev/backup", vec![block(8, 17)], "disk"),
            ("/dev/vg0", vec![character(1, 3), block(253, 0)], "disk"),
            ("/srv/node", vec![character(1, 1)], "memory"),
            ("/dev/null", vec![character(1, 3)], "harmless"),
            ("/dev/ttyUSB0", vec![character(188, 0)], "other"),
            ("/dev/dri", vec![character(226, 0), character(226, 128)], "gpu"),
            ("/dev/vda", vec![], "disk"),
            ("/dev/vg0/data", vec![], "other"),
        ] {
            assert_eq!(class_on_host(path, &numbers), class, "{path}");
        }
    }
}
