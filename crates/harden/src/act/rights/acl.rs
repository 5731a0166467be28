//! POSIX ACLs as the kernel hands them out (`system.posix_acl_access`): version 2, then entries of a tag, permissions
//! and a number, little-endian (`linux/posix_acl_xattr.h`).

const VERSION: [u8; 4] = 2u32.to_le_bytes();
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// One entry.
struct Entry {
    tag: u16,
    permissions: u16,
    id: u32,
}

fn entries(acl: &[u8]) -> Option<Vec<Entry>> {
    let (entries, rest) = acl.strip_prefix(&VERSION)?.as_chunks::<8>();
    if !rest.is_empty() {
        return None;
    }
    let entry = |e: &[u8; 8]| Entry {
        tag: u16::from_le_bytes([e[0], e[1]]),
        permissions: u16::from_le_bytes([e[2], e[3]]),
        id: u32::from_le_bytes([e[4], e[5], e[6], e[7]]),
    };
    Some(entries.iter().map(entry).collect())
}

/// What an ACL becomes when the mode is set: the group's bits become the mask, the entries stay.
pub fn with_mode(acl: &[u8], mode: u32) -> Option<Vec<u8>> {
    let mut entries = entries(acl)?;
    let masked = entries.iter().any(|e| e.tag == MASK);
    for entry in &mut entries {
        let bits = match entry.tag {
            USER_OBJ => mode >> 6,
            MASK => mode >> 3,
            GROUP_OBJ if !masked => mode >> 3,
            OTHER => mode,
            _ => continue,
        };
        entry.permissions = (bits & 7) as u16;
    }
    let bytes = entries.iter().flat_map(|e| {
        let (tag, permissions, id) = (e.tag.to_le_bytes(), e.permissions.to_le_bytes(), e.id.to_le_bytes());
        [tag[0], tag[1], permissions[0], permissions[1], id[0], id[1], id[2], id[3]]
    });
    Some(VERSION.into_iter().chain(bytes).collect())
}

/// Who has more by the ACL than the mode gives to all others, in words: `user 1001 (rw-)`.
pub fn grants(acl: &[u8]) -> Vec<String> {
    let entries = entries(acl).unwrap_or_default();
    let of = |tag| entries.iter().find(|e| e.tag == tag).map(|e| e.permissions);
    let (mask, other) = (of(MASK).unwrap_or(7), of(OTHER).unwrap_or(0));
    let named = entries.iter().filter_map(|entry| {
        let who = match entry.tag {
            USER => "user",
            GROUP => "group",
            _ => return None,
        };
        let has = entry.permissions & mask & 7;
        (has & !other != 0).then(|| format!("{who} {} ({})", entry.id, letters(has)))
    });
    named.collect()
}

fn letters(bits: u16) -> String {
    [(4, 'r'), (2, 'w'), (1, 'x')].iter().map(|(bit, letter)| if bits & bit != 0 { *letter } else { '-' }).collect()
}

#[cfg(test)]
pub fn of_entries(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let bytes = entries.iter().flat_map(|(tag, permissions, id)| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes()[..], &id.to_le_bytes()[..]].concat()
    });
    VERSION.into_iter().chain(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_becomes_the_mask_and_whoever_has_more_is_named() {
        let none = u32::MAX;
        let list = |mask, other| {
            of_entries(&[
                (USER_OBJ, 6, none),
                (USER, 6, 1001),
                (USER, 4, 1002),
                (GROUP_OBJ, 4, none),
                (GROUP, 7, 50),
                (MASK, mask, none),
                (OTHER, other, none),
            ])
        };
        let acl = list(6, 4);
        assert_eq!(grants(&acl), ["user 1001 (rw-)", "group 50 (rw-)"]);
        let tighter = with_mode(&acl, 0o640).unwrap();
        assert_eq!(tighter, list(4, 0));
        assert_eq!(grants(&tighter), ["user 1001 (r--)", "user 1002 (r--)", "group 50 (r--)"]);
        assert_eq!(with_mode(&tighter, 0o664).unwrap(), acl);
        assert_eq!(grants(&with_mode(&acl, 0o600).unwrap()), [""; 0]);
        assert_eq!(with_mode(b"nonsense", 0o600), None);
        assert_eq!(grants(&acl[..acl.len() - 1]), [""; 0]);
    }
}
