//! One line of `/etc/group` or `/etc/gshadow` that a user is in.

use serde::{Deserialize, Serialize};

/// A line and where in its lists the user stood. Passwords of groups are not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Left {
    /// The group.
    group: String,
    /// The group's number; none in gshadow.
    gid: Option<String>,
    /// The user.
    user: String,
    /// Each list that he was in, by the number of its field.
    lists: Vec<List>,
}

/// A list of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct List {
    /// The number of the field, from 0.
    field: usize,
    /// As it was.
    before: String,
    /// As it is without the user.
    after: String,
}

impl Left {
    /// The lines of a group that have the user in them.
    pub(super) fn all(text: &str, group: &str, user: &str, is_shadow: bool) -> Vec<Self> {
        let lines = text.lines().filter_map(|line| {
            let fields = fields(line)?;
            if fields[0] != group {
                return None;
            }
            // gshadow has administrators of the group before its members: they could put themselves back.
            let wanted: &[usize] = if is_shadow { &[2, 3] } else { &[3] };
            let lists = wanted.iter().filter(|field| has(fields[**field], user)).map(|field| List {
                field: *field,
                before: fields[*field].to_owned(),
                after: without(fields[*field], user),
            });
            let lists: Vec<List> = lists.collect();
            let gid = (!is_shadow).then(|| fields[2].to_owned());
            (!lists.is_empty()).then(|| Self { group: group.to_owned(), gid, user: user.to_owned(), lists })
        });
        lines.collect()
    }

    /// The group.
    pub(super) fn group(&self) -> &str {
        &self.group
    }

    /// Whether it is a line of the same group still.
    pub(super) fn is_its_line(&self, line: &str) -> bool {
        fields(line).is_some_and(|f| f[0] == self.group && self.gid.as_deref().is_none_or(|gid| gid == f[2]))
    }

    /// Whether the user is in one of the lists.
    pub(super) fn is_in(&self, line: &str) -> bool {
        self.is_its_line(line)
            && fields(line).is_some_and(|fields| self.lists.iter().any(|list| has(fields[list.field], &self.user)))
    }

    /// The line without the user; none where it is another line, or he is not in it.
    pub(super) fn taken_out(&self, line: &str) -> Option<String> {
        self.is_in(line).then(|| self.rewritten(line, |_, now| without(now, &self.user)))
    }

    /// The line with the user where he was; none where it is another line, or he is in it. Others' names stay.
    pub(super) fn put_back(&self, line: &str) -> Option<String> {
        if !self.is_its_line(line) {
            return None;
        }
        let new = self.rewritten(line, |list, now| {
            if has(now, &self.user) {
                now.to_owned()
            } else if now == list.after {
                list.before.clone()
            } else {
                inserted(now, &self.user, &list.before)
            }
        });
        (new != line).then_some(new)
    }

    fn rewritten(&self, line: &str, new: impl Fn(&List, &str) -> String) -> String {
        let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
        for list in &self.lists {
            if let Some(field) = fields.get_mut(list.field) {
                *field = new(list, field);
            }
        }
        fields.join(":")
    }
}

/// The four fields of a line; none of a line that has another number of them.
fn fields(line: &str) -> Option<[&str; 4]> {
    line.split(':').collect::<Vec<_>>().try_into().ok()
}

fn has(list: &str, user: &str) -> bool {
    list.split(',').any(|name| name.trim() == user)
}

fn without(list: &str, user: &str) -> String {
    list.split(',').filter(|name| name.trim() != user).collect::<Vec<_>>().join(",")
}

/// The list with the user after whoever stood before him, else before whoever stood after him, else at the end.
fn inserted(now: &str, user: &str, before: &str) -> String {
    let was: Vec<&str> = before.split(',').map(str::trim).collect();
    let at = was.iter().position(|name| *name == user).unwrap_or(was.len());
    let mut names: Vec<&str> = now.split(',').filter(|name| !name.trim().is_empty()).collect();
    let place = |wanted: &str| names.iter().position(|name| name.trim() == wanted);
    let after = was[..at.min(was.len())].iter().rev().find_map(|name| place(name)).map(|index| index + 1);
    let index = after.or_else(|| was.iter().skip(at + 1).find_map(|name| place(name))).unwrap_or(names.len());
    names.insert(index, user);
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str, user: &str) -> Left {
        Left::all(line, "docker", user, false).remove(0)
    }

    #[test]
    fn the_user_returns_to_his_place_and_others_edits_stay() {
        let left = one("docker:x:990:ann,bob,cy", "bob");
        assert_eq!(left.taken_out("docker:x:990:ann,bob,cy").unwrap(), "docker:x:990:ann,cy");
        assert_eq!(left.taken_out("docker:x:990:bob,di,bob").unwrap(), "docker:x:990:di");
        assert_eq!(left.taken_out("docker:x:990:ann"), None);
        assert_eq!(left.taken_out("dockers:x:990:bob"), None);
        for (now, then) in [
            ("docker:x:990:ann,cy", "docker:x:990:ann,bob,cy"),
            ("docker:x:990:ann,di,cy", "docker:x:990:ann,bob,di,cy"),
            ("docker:x:990:cy", "docker:x:990:bob,cy"),
            ("docker:x:990:", "docker:x:990:bob"),
            ("docker:x:990:di", "docker:x:990:di,bob"),
            ("docker:!:990:ann,cy", "docker:!:990:ann,bob,cy"),
        ] {
            assert_eq!(left.put_back(now).as_deref(), Some(then), "{now}");
            assert_eq!(left.put_back(then), None);
        }
        // Another group took the name meanwhile: he is not put into that one.
        assert_eq!(left.put_back("docker:x:991:ann"), None);
    }

    #[test]
    fn odd_lines_come_back_as_they_were() {
        for line in ["docker:x:990: ann , bob", "docker:x:990:bob,bob", "docker:x:990:bob,", "docker:x:990:,bob"] {
            let left = one(line, "bob");
            let out = left.taken_out(line).unwrap();
            assert!(!has(out.rsplit(':').next().unwrap(), "bob"), "{out}");
            assert_eq!(left.put_back(&out).unwrap(), line);
        }
        for line in ["docker:x:990", "docker:x:990:a:bob", "docker:x:990:bobby", "docker:bob:990:", "#docker:x:990:bob"]
        {
            assert!(Left::all(line, "docker", "bob", false).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_groups_password_is_not_kept_and_its_administrators_leave_too() {
        let left = Left::all("docker:$6$SECRET:bob,ann:cy,bob", "docker", "bob", true).remove(0);
        assert!(!serde_json::to_string(&left).unwrap().contains("SECRET"));
        let out = left.taken_out("docker:$6$SECRET:bob,ann:cy,bob").unwrap();
        assert_eq!(out, "docker:$6$SECRET:ann:cy");
        assert_eq!(left.put_back(&out).unwrap(), "docker:$6$SECRET:bob,ann:cy,bob");
    }
}
