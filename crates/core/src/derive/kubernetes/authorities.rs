//! Whether certificates of the cluster open etcd: by the authorities that both trust.

use crate::fact::Source;
use crate::schema::kubernetes::{APISERVER, ETCD};
use crate::snapshot::Target;
use crate::value::Value;

pub(super) fn derive(target: &mut Target) {
    let of_cluster: Vec<Value> = target.of(&APISERVER).map(|c| c.value("client_ca_fingerprints").clone()).collect();
    let unlisted = target.incomplete.get(APISERVER.name).cloned();
    for c in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &ETCD)) {
        let shares = shares(c.value("client_ca_fingerprints"), &of_cluster, unlisted.as_deref());
        c.set("shares_cluster_ca", shares, Source::place("fingerprints of both authorities"));
    }
}

fn shares(etcd: &Value, of_cluster: &[Value], unlisted: Option<&str>) -> Value {
    let own = match etcd {
        Value::List(own) => own,
        other => return Value::unknown(other.reason().map_or("etcd's authorities are not known", |r| r)),
    };
    if of_cluster.iter().any(|theirs| theirs.as_list().is_some_and(|t| own.iter().any(|o| t.contains(o)))) {
        return Value::Bool(true);
    }
    if let Some(reason) = of_cluster.iter().find_map(Value::reason) {
        return Value::Unknown(reason.clone());
    }
    match (of_cluster, unlisted) {
        (_, Some(why)) => Value::unknown(why),
        ([], None) => Value::unknown("no API server was read"),
        _ => Value::Bool(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_authority_in_common_suffices_and_what_is_not_read_is_unknown() {
        let of = |names: &[&str]| Value::strings(names.iter().copied());
        assert_eq!(shares(&of(&["e"]), &[of(&["c"])], None), Value::Bool(false));
        assert_eq!(shares(&of(&["e", "c"]), &[of(&["b"]), of(&["a", "c"])], None), Value::Bool(true));
        assert_eq!(shares(&of(&["c"]), &[Value::unknown("x"), of(&["c"])], None), Value::Bool(true));
        assert!(shares(&of(&["e"]), &[Value::unknown("x"), of(&["c"])], None).is_unknown());
        assert!(shares(&of(&["e"]), &[], None).is_unknown());
        assert!(shares(&of(&["e"]), &[of(&["c"])], Some("not all were seen")).is_unknown());
        assert!(shares(&Value::unknown("x"), &[of(&["c"])], None).is_unknown());
    }
}
