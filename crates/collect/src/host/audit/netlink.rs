//! The kernel's own audit state and rule table.

use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::netlink::AUDIT;

use super::rules::{Action, Arch, List, Perms, Rule, Syscalls, Target, describe};
use crate::host::netlink::{ACK, Socket, read_u32};

const AUDIT_GET: u16 = 1000;
const AUDIT_LIST_RULES: u16 = 1013;
/// `flags`, `action`, `field_count`, a mask of 64 words, three arrays of 64 words, `buflen`.
const BUFFER_AT: usize = 4 * (3 + 64 + 3 * 64 + 1);

/// What the kernel says about auditing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// 0 off, 1 on, 2 on and locked until the next boot.
    pub enabled: u32,
    /// The process that takes the records (auditd); 0 for none, then they go to the kernel's log.
    pub receiver: u32,
    /// Records lost since boot.
    pub lost: u32,
    /// The rules, list by list, in the order in which they are asked.
    pub rules: Vec<Rule>,
}

/// Reads the state and the rules that are in the kernel now.
///
/// # Errors
/// The reason in words. A refusal (`EPERM`) is not an empty table: it says which right is missing.
pub fn read() -> Result<Kernel, String> {
    let mut socket = Socket::open(Some(AUDIT)).map_err(reason)?;
    let mut kernel = Kernel { enabled: 0, receiver: 0, lost: 0, rules: Vec::new() };
    let mut answered = false;
    socket
        .ask(AUDIT_GET, 0, &[], |kind, body| {
            if kind == AUDIT_GET && body.len() >= 32 {
                answered = true;
                kernel.enabled = read_u32(body, 4);
                kernel.receiver = read_u32(body, 12);
                kernel.lost = read_u32(body, 24);
            }
        })
        .map_err(reason)?;
    if !answered {
        return Err("the kernel did not answer for its audit state".into());
    }
    let mut broken = false;
    socket
        .ask(AUDIT_LIST_RULES, ACK, &[], |kind, body| {
            if kind == AUDIT_LIST_RULES {
                match decode(body) {
                    Some(rule) => kernel.rules.push(rule),
                    None => broken = true,
                }
            }
        })
        .map_err(reason)?;
    if broken {
        return Err("the kernel's audit table holds a rule that could not be understood".into());
    }
    Ok(kernel)
}

fn reason(errno: Errno) -> String {
    match errno {
        Errno::PERM | Errno::ACCESS => {
            "permission denied: reading the kernel's audit rules needs CAP_AUDIT_CONTROL in the first user and PID \
             namespace of the machine"
                .into()
        }
        Errno::PROTONOSUPPORT | Errno::CONNREFUSED => "this kernel has no audit support".into(),
        Errno::AGAIN => "the kernel did not answer for its audit rules within two seconds".into(),
        other => format!("the kernel's audit rules cannot be read: {}", std::io::Error::from(other)),
    }
}

/// Decodes one `audit_rule_data`; `None` where its lengths contradict each other.
pub fn decode(data: &[u8]) -> Option<Rule> {
    if data.len() < BUFFER_AT {
        return None;
    }
    let word = |index: usize| read_u32(data, index * 4);
    let list = match word(0) & 0xf {
        0 => List::User,
        1 => List::Task,
        4 => List::Exit,
        5 => List::Exclude,
        6 => List::Filesystem,
        _ => List::Other,
    };
    let action = match word(1) {
        0 => Action::Never,
        1 => Action::Possible,
        2 => Action::Always,
        _ => return None,
    };
    let fields = word(2) as usize;
    if fields > 64 {
        return None;
    }
    let mut rule = Rule::new(list, action, "kernel".into());
    rule.syscalls = syscalls(data);
    let length = word(3 + 64 + 3 * 64) as usize;
    let mut strings = data.get(BUFFER_AT..BUFFER_AT.checked_add(length)?)?;
    for index in 0..fields {
        let field = word(67 + index) & 0x7fff_ffff;
        let value = word(131 + index);
        let op = operator(word(195 + index));
        let text = if matches!(field, 13..=17 | 19..=23 | 105 | 107 | 112 | 210) {
            let (text, rest) = strings.split_at_checked(value as usize)?;
            strings = rest;
            Some(String::from_utf8_lossy(text).into_owned())
        } else {
            None
        };
        add_field(&mut rule, field, op, value, text);
    }
    rule.text = describe(&rule);
    Some(rule)
}

fn syscalls(data: &[u8]) -> Syscalls {
    // The last word holds classes, not calls, and `-S all` leaves it open; 63 full words are all.
    let words: Vec<u32> = (0..64).map(|i| read_u32(data, (3 + i) * 4)).collect();
    if words[..63].iter().all(|w| *w == u32::MAX) || words.iter().all(|w| *w == 0) {
        return Syscalls::All;
    }
    let mut numbers = Vec::new();
    for (index, word) in words.iter().enumerate() {
        for bit in 0..32u32 {
            if word & (1 << bit) != 0 {
                numbers.push(index as u32 * 32 + bit);
            }
        }
    }
    Syscalls::Numbers(numbers)
}

fn operator(flags: u32) -> &'static str {
    match flags & 0x7800_0000 {
        0x1000_0000 => "<",
        0x2000_0000 => ">",
        0x3000_0000 => "!=",
        0x5000_0000 => "<=",
        0x6000_0000 => ">=",
        0x0800_0000 => "&",
        0x4800_0000 => "&=",
        _ => "=",
    }
}

fn add_field(rule: &mut Rule, field: u32, op: &str, value: u32, text: Option<String>) {
    match (field, op, text) {
        (105, "=", Some(path)) => rule.target = Target::Path(PathBuf::from(path)),
        (107, "=", Some(path)) => rule.target = Target::Dir(PathBuf::from(path)),
        (106, "=", _) => rule.perms = Some(Perms::from_bits(value)),
        (11, "=", _) => rule.arch = Some(if value & 0x8000_0000 != 0 { Arch::B64 } else { Arch::B32 }),
        (12, "=", _) => rule.record_types.push(value),
        (210, _, Some(keys)) => rule.keys.extend(keys.split('\u{1}').map(str::to_owned)),
        (field, op, Some(text)) => rule.narrowing.push(format!("{}{op}{text}", name(field))),
        (field, op, None) => rule.narrowing.push(format!("{}{op}{}", name(field), number(field, value))),
    }
}

fn number(field: u32, value: u32) -> String {
    match (field, value) {
        (9, u32::MAX) => "unset".into(),
        (103, value) => (value as i32).to_string(),
        (_, value) => value.to_string(),
    }
}

fn name(field: u32) -> String {
    let name = match field {
        0 => "pid",
        1 => "uid",
        2 => "euid",
        3 => "suid",
        4 => "fsuid",
        5 => "gid",
        6 => "egid",
        7 => "sgid",
        8 => "fsgid",
        9 => "auid",
        10 => "pers",
        11 => "arch",
        12 => "msgtype",
        13 => "subj_user",
        14 => "subj_role",
        15 => "subj_type",
        16 => "subj_sen",
        17 => "subj_clr",
        18 => "ppid",
        19 => "obj_user",
        20 => "obj_role",
        21 => "obj_type",
        22 => "obj_lev_low",
        23 => "obj_lev_high",
        24 => "loginuid_set",
        25 => "sessionid",
        26 => "fstype",
        100 => "devmajor",
        101 => "devminor",
        102 => "inode",
        103 => "exit",
        104 => "success",
        105 => "path",
        106 => "perm",
        107 => "dir",
        108 => "filetype",
        109 => "obj_uid",
        110 => "obj_gid",
        111 => "field_compare",
        112 => "exe",
        113 => "saddr_fam",
        200 => "a0",
        201 => "a1",
        202 => "a2",
        203 => "a3",
        other => return format!("field{other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(list: u32, action: u32, fields: &[(u32, u32, &str)], all_calls: bool) -> Vec<u8> {
        let mut words = vec![0u32; BUFFER_AT / 4];
        words[0] = list;
        words[1] = action;
        words[2] = fields.len() as u32;
        if all_calls {
            words[3..67].fill(u32::MAX);
        } else {
            words[3 + 2] = 1 << 26;
        }
        let mut strings = String::new();
        for (i, (field, value, text)) in fields.iter().enumerate() {
            words[67 + i] = *field;
            words[131 + i] = if text.is_empty() { *value } else { text.len() as u32 };
            words[195 + i] = 0x4000_0000;
            strings.push_str(text);
        }
        words[BUFFER_AT / 4 - 1] = strings.len() as u32;
        let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        bytes.extend(strings.as_bytes());
        bytes
    }

    #[test]
    fn exe_is_a_string_and_does_not_shift_the_strings_after_it() {
        let data = raw(
            4,
            2,
            &[(107, 0, "/etc/docker"), (112, 0, "/usr/bin/dockerd"), (106, 10, ""), (210, 0, "a\u{1}b")],
            true,
        );
        let rule = decode(&data).unwrap();
        assert_eq!(rule.target, Target::Dir("/etc/docker".into()));
        assert_eq!(rule.perms.unwrap().to_string(), "wa");
        assert_eq!(rule.narrowing, ["exe=/usr/bin/dockerd"]);
        assert_eq!(rule.keys, ["a", "b"]);
        assert_eq!(rule.syscalls, Syscalls::All);
    }

    #[test]
    fn a_mask_is_a_list_of_calls_and_arch_a_word_size() {
        let rule = decode(&raw(4, 0, &[(11, 0xc000_003e, "")], false)).unwrap();
        assert_eq!((rule.arch, rule.action), (Some(Arch::B64), Action::Never));
        assert_eq!(rule.syscalls, Syscalls::Numbers(vec![90]));
    }

    #[test]
    fn lengths_that_contradict_each_other_are_refused() {
        let mut data = raw(4, 2, &[(105, 0, "/etc/passwd")], true);
        data.truncate(data.len() - 3);
        assert_eq!(decode(&data), None);
        assert_eq!(decode(&data[..100]), None);
        let mut many = raw(4, 2, &[], true);
        many[8..12].copy_from_slice(&500u32.to_ne_bytes());
        assert_eq!(decode(&many), None);
    }
}
