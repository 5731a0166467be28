//! What the settings of a plan make of `daemon.json`, and what is left of them after others have edited it.

use seaworthy_core::plan::SetKey;
use serde_json::{Map, Value};

use super::document::{Document, shown};
use super::edit::Edit;

/// The edits that settings ask for, and the values afterwards.
///
/// # Errors
/// Where an object is to be merged into what is none, or a name is there in other letters.
pub fn forward(now: &Map<String, Value>, set: &[SetKey]) -> Result<(Vec<Edit>, Map<String, Value>), String> {
    let (mut edits, mut values) = (Vec::new(), now.clone());
    for SetKey { key, after, .. } in set {
        // Engines look names up without regard to case, in part.
        if let Some(other) = values.keys().find(|k| *k != key && k.eq_ignore_ascii_case(key)) {
            return Err(format!("it holds {}, which is not how {} is written: correct it", shown(other), shown(key)));
        }
        match after {
            Some(after) => merge(&mut values, key, after, &mut vec![], &mut edits)?,
            None if values.shift_remove(key).is_some() => edits.push(Edit::Remove(vec![key.clone()])),
            None => {}
        }
    }
    Ok((edits, values))
}

fn merge(
    values: &mut Map<String, Value>,
    key: &str,
    after: &Value,
    way: &mut Vec<String>,
    edits: &mut Vec<Edit>,
) -> Result<(), String> {
    way.push(key.to_owned());
    match (values.get_mut(key), after) {
        (Some(Value::Object(now)), Value::Object(after)) => {
            for (key, after) in after {
                merge(now, key, after, way, edits)?;
            }
        }
        (Some(now), after) if now == after => {}
        (Some(now), Value::Object(_)) if !now.is_null() => return Err(format!("{} holds no object", way.join("."))),
        _ => {
            edits.push(Edit::Set(way.clone(), after.clone()));
            values.insert(key.to_owned(), after.clone());
        }
    }
    way.pop();
    Ok(())
}

/// What takes the settings back out of a file that others have edited since.
#[derive(Debug, Default, PartialEq)]
pub struct Back {
    /// The edits.
    pub edits: Vec<Edit>,
    /// The settings that others have changed since, which are left.
    pub drifted: Vec<String>,
}

/// Compares what was there (`old`), what the settings made of it (`new`) and what is there now, setting by setting.
pub fn back(old: &Map<String, Value>, new: &Map<String, Value>, now: &Map<String, Value>, set: &[SetKey]) -> Back {
    let mut back = Back::default();
    for SetKey { key, .. } in set {
        three(&mut vec![key.clone()], [old.get(key), new.get(key), now.get(key)], &mut back);
    }
    back
}

/// Returns whether the member is there afterwards.
fn three(way: &mut Vec<String>, [old, new, now]: [Option<&Value>; 3], back: &mut Back) -> bool {
    if now == old || old == new {
        return now.is_some();
    }
    if now == new {
        back.edits.push(match old {
            Some(old) => Edit::Set(way.clone(), old.clone()),
            None => Edit::Remove(way.clone()),
        });
        return old.is_some();
    }
    let none = Map::new();
    let (made, is) = (old.is_none(), now.is_some());
    let (Some(Value::Object(new)), Some(old), Some(now)) = (new, object(old, &none), object(now, &none)) else {
        back.drifted.push(way.join("."));
        return is;
    };
    let before = back.edits.len();
    let mut left = now.keys().filter(|k| !new.contains_key(*k)).count();
    for (key, new) in new {
        way.push(key.clone());
        left += usize::from(three(way, [old.get(key), Some(new), now.get(key)], back));
        way.pop();
    }
    // Nothing is in the object any more, which was there for what was set in it: by this change, or by others who have
    // taken theirs out before.
    let goes = is && left == 0 && (made || (!old.is_empty() && back.edits.len() > before));
    if goes {
        back.edits.truncate(before);
        back.edits.push(Edit::Remove(way.clone()));
    }
    is && !goes
}

/// The members of an object; of one that is not there none.
fn object<'a>(value: Option<&'a Value>, none: &'a Map<String, Value>) -> Option<&'a Map<String, Value>> {
    value.map_or(Some(none), Value::as_object)
}

/// Puts values back in the words in which they were written.
pub fn in_old_words(edits: Vec<Edit>, old: Option<&Document>) -> Vec<Edit> {
    let words = |edit| match edit {
        Edit::Set(way, value) => match old.and_then(|old| old.raw(&way)) {
            Some(raw) => Edit::Raw(way, raw),
            None => Edit::Set(way, value),
        },
        edit => edit,
    };
    edits.into_iter().map(words).collect()
}

/// Carries edits out on values, as a check on what they make of the text.
pub fn expected(mut values: Map<String, Value>, edits: &[Edit]) -> Option<Map<String, Value>> {
    for edit in edits {
        let (Edit::Set(way, _) | Edit::Raw(way, _) | Edit::Remove(way)) = edit;
        let (last, way) = way.split_last()?;
        let mut at = &mut values;
        for key in way {
            at = at.get_mut(key)?.as_object_mut()?;
        }
        match edit {
            Edit::Set(_, value) => at.insert(last.clone(), value.clone()),
            Edit::Raw(_, raw) => at.insert(last.clone(), serde_json::from_str(raw).ok()?),
            Edit::Remove(_) => at.shift_remove(last),
        };
    }
    Some(values)
}
