//! Whether the service that must answer for a part of the API is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::fact::Source;
use crate::schema::kubernetes::{API_SERVICE, SERVICE};
use crate::snapshot::Target;
use crate::value::Value;

/// Says it of each API service.
pub(super) fn derive(target: &mut Target) {
    let name = |namespace: &Value, name: &Value| Some(format!("{}/{}", namespace.as_str()?, name.as_str()?));
    let services: BTreeSet<String> =
        target.of(&SERVICE).filter_map(|s| name(s.value("namespace"), s.value("name"))).collect();
    let unlisted: Option<Arc<str>> = match target.incomplete.get(SERVICE.name) {
        Some(why) => Some(why.as_str().into()),
        // Every cluster has one, `kubernetes`: none means that nobody looked.
        None if services.is_empty() => Some("services were not listed".into()),
        None => None,
    };
    for api in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &API_SERVICE)) {
        let missing = match (api.value("service"), &unlisted) {
            (Value::Null, _) => Value::Bool(false),
            (Value::Str(service), _) if services.contains(&**service) => Value::Bool(false),
            (Value::Str(_), None) => Value::Bool(true),
            (Value::Str(_), Some(why)) => Value::Unknown(Arc::clone(why)),
            (Value::Unknown(why), _) => Value::Unknown(Arc::clone(why)),
            _ => Value::unknown("the service is no text"),
        };
        api.set("service_missing", missing, Source::place("services"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;

    fn missing(service: Value, services: &[&str], incomplete: bool) -> Value {
        let mut target = Target::new("t", "kubernetes", "");
        let mut api = Component::new(&API_SERVICE, "APIService/a", "a");
        api.set("service", service, Source::place("test"));
        target.components.push(api);
        for name in services {
            let mut c = Component::new(&SERVICE, format!("Service/x/{name}"), *name);
            c.set("namespace", "x", Source::place("test"));
            c.set("name", *name, Source::place("test"));
            target.components.push(c);
        }
        if incomplete {
            target.incomplete(&SERVICE, "no right");
        }
        derive(&mut target);
        target.components[0].value("service_missing").clone()
    }

    #[test]
    fn a_service_is_missing_only_where_all_are_known() {
        assert_eq!(missing("x/a".into(), &["a"], false), Value::Bool(false));
        assert_eq!(missing("x/a".into(), &["a"], true), Value::Bool(false));
        assert_eq!(missing("x/b".into(), &["a"], false), Value::Bool(true));
        assert!(missing("x/b".into(), &["a"], true).is_unknown());
        assert!(missing("x/b".into(), &[], false).is_unknown());
        assert_eq!(missing(Value::Null, &[], true), Value::Bool(false));
        assert!(missing(Value::unknown("?"), &["a"], false).is_unknown());
    }
}
