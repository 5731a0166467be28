//! What a system call does to the file that it names, by its number and the machine's architecture.

use super::record::hexadecimal;

/// What was done to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Its mode, owner, access list or another attribute was set.
    Attributes,
    /// It was opened for writing, or cut.
    Write,
    /// It was made.
    Create,
    /// Another file was renamed to its name.
    Rename,
    /// It was removed, or renamed away.
    Remove,
    /// It was executed.
    Execute,
    /// The records do not tell.
    Unknown,
}

impl Act {
    /// The word for it in the fact.
    pub fn word(self) -> &'static str {
        match self {
            Self::Attributes => "attributes",
            Self::Write => "write",
            Self::Create => "create",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Execute => "execute",
            Self::Unknown => "unknown",
        }
    }
}

/// The calls that do something to a file that is there already. What makes, renames and removes is told by the paths.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Attributes,
    Write,
    Execute,
    /// Its flags are the argument of this number.
    Open(usize),
    /// Its flags are in a structure, which a record of its own tells.
    OpenHow,
}

/// linux/arch/x86/entry/syscalls/syscall_64.tbl
const X86_64: &[(u64, Call)] = &[
    (2, Call::Open(1)),
    (59, Call::Execute),
    (76, Call::Write),
    (77, Call::Write),
    (85, Call::Write),
    (90, Call::Attributes),
    (91, Call::Attributes),
    (92, Call::Attributes),
    (93, Call::Attributes),
    (94, Call::Attributes),
    (188, Call::Attributes),
    (189, Call::Attributes),
    (190, Call::Attributes),
    (197, Call::Attributes),
    (198, Call::Attributes),
    (199, Call::Attributes),
    (257, Call::Open(2)),
    (260, Call::Attributes),
    (268, Call::Attributes),
    (322, Call::Execute),
    (437, Call::OpenHow),
    (452, Call::Attributes),
    (463, Call::Attributes),
    (466, Call::Attributes),
];

/// linux/arch/x86/entry/syscalls/syscall_32.tbl
const I386: &[(u64, Call)] = &[
    (5, Call::Open(1)),
    (8, Call::Write),
    (11, Call::Execute),
    (15, Call::Attributes),
    (16, Call::Attributes),
    (92, Call::Write),
    (93, Call::Write),
    (94, Call::Attributes),
    (95, Call::Attributes),
    (182, Call::Attributes),
    (193, Call::Write),
    (194, Call::Write),
    (198, Call::Attributes),
    (207, Call::Attributes),
    (212, Call::Attributes),
    (226, Call::Attributes),
    (227, Call::Attributes),
    (228, Call::Attributes),
    (235, Call::Attributes),
    (236, Call::Attributes),
    (237, Call::Attributes),
    (295, Call::Open(2)),
    (298, Call::Attributes),
    (306, Call::Attributes),
    (358, Call::Execute),
    (437, Call::OpenHow),
    (452, Call::Attributes),
    (463, Call::Attributes),
    (466, Call::Attributes),
];

/// linux/include/uapi/asm-generic/unistd.h: arm64, riscv64.
const GENERIC: &[(u64, Call)] = &[
    (5, Call::Attributes),
    (6, Call::Attributes),
    (7, Call::Attributes),
    (14, Call::Attributes),
    (15, Call::Attributes),
    (16, Call::Attributes),
    (45, Call::Write),
    (46, Call::Write),
    (52, Call::Attributes),
    (53, Call::Attributes),
    (54, Call::Attributes),
    (55, Call::Attributes),
    (56, Call::Open(2)),
    (221, Call::Execute),
    (281, Call::Execute),
    (437, Call::OpenHow),
    (452, Call::Attributes),
    (463, Call::Attributes),
    (466, Call::Attributes),
];

/// A system call as a record tells it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Called<'a> {
    /// The architecture: AUDIT_ARCH of linux/audit.h, in hexadecimal.
    pub arch: &'a [u8],
    /// The call's number.
    pub number: Option<u64>,
    /// Its first four arguments, in hexadecimal.
    pub arguments: [&'a [u8]; 4],
    /// The flags of openat2, in octal, where a record tells them.
    pub how: Option<&'a [u8]>,
}

impl Called<'_> {
    /// What it does to a file that it names and that is there already; none where it only reads it.
    pub fn act(&self) -> Option<Act> {
        let table = match self.arch {
            b"c000003e" => X86_64,
            b"40000003" => I386,
            b"c00000b7" | b"c00000f3" => GENERIC,
            _ => &[],
        };
        let found = table.iter().find(|(number, _)| Some(*number) == self.number);
        match found.map(|(_, call)| *call) {
            None => Some(Act::Unknown),
            Some(Call::Attributes) => Some(Act::Attributes),
            Some(Call::Write) => Some(Act::Write),
            Some(Call::Execute) => Some(Act::Execute),
            Some(Call::Open(at)) => opened(hexadecimal(self.arguments[at])),
            Some(Call::OpenHow) => {
                let how = self.how.and_then(|how| std::str::from_utf8(how).ok());
                opened(how.and_then(|how| u64::from_str_radix(how, 8).ok()))
            }
        }
    }
}

/// By the flags of open(2), which are the same here on all of these architectures.
fn opened(flags: Option<u64>) -> Option<Act> {
    /// `O_ACCMODE`: anything but `O_RDONLY` in it writes.
    const ACCESS: u64 = 0o3;
    /// `O_TRUNC`
    const CUT: u64 = 0o1000;
    match flags {
        None => Some(Act::Unknown),
        Some(flags) if flags & (ACCESS | CUT) != 0 => Some(Act::Write),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_number_and_architecture() {
        let call = |arch: &'static str, number, flags: &'static str| {
            let arguments = [b"ffffff9c".as_slice(), flags.as_bytes(), flags.as_bytes(), b"1b6"];
            Called { arch: arch.as_bytes(), number: Some(number), arguments, how: None }.act()
        };
        assert_eq!(call("c000003e", 268, "0"), Some(Act::Attributes));
        assert_eq!(call("c000003e", 257, "241"), Some(Act::Write));
        assert_eq!(call("c000003e", 257, "200"), Some(Act::Write), "cutting writes");
        assert_eq!(call("c000003e", 257, "80000"), None, "reading is no change");
        assert_eq!(call("c000003e", 257, "?"), Some(Act::Unknown));
        assert_eq!(call("c00000b7", 53, "0"), Some(Act::Attributes));
        assert_eq!(call("40000003", 15, "0"), Some(Act::Attributes));
        // The same number is another call elsewhere, and nothing is known of an architecture that is not listed.
        assert_eq!(call("c000003e", 53, "0"), Some(Act::Unknown));
        assert_eq!(call("c0000015", 268, "0"), Some(Act::Unknown));
        let how = |how: Option<&'static [u8]>| {
            Called { arch: b"c000003e", number: Some(437), how, ..Called::default() }.act()
        };
        assert_eq!(how(Some(b"01101")), Some(Act::Write));
        assert_eq!(how(Some(b"02000000")), None);
        assert_eq!(how(None), Some(Act::Unknown));
    }
}
