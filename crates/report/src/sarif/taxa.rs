//! The taxonomies that threats and steps refer to: STRIDE and ATT&CK.

use std::collections::BTreeSet;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::threat::{Stride, Threat};
use serde_json::{Value, json};

use super::log::{Named, Reference};
use crate::export::navigator::is_technique;
use crate::export::{ATTACK, letter};

const STRIDE: Named = Named { name: "STRIDE", index: 0 };
const TECHNIQUES: Named = Named { name: "MITRE ATT&CK", index: 1 };

/// Both, by their places.
pub const ALL: [Named; 2] = [STRIDE, TECHNIQUES];

/// What a threat is in them.
pub fn of(threat: &Threat) -> Vec<Reference<'_>> {
    let letters = threat.stride.iter().collect::<BTreeSet<_>>().into_iter();
    let letters = letters.map(|s| Reference { id: s.word(), tool_component: STRIDE });
    let techniques = threat.attack.iter().collect::<BTreeSet<_>>().into_iter();
    letters.chain(techniques.filter_map(|id| technique(id))).collect()
}

/// A technique; none where the text is none.
pub fn technique(id: &str) -> Option<Reference<'_>> {
    is_technique(id).then_some(Reference { id, tool_component: TECHNIQUES })
}

/// Both with everything that the catalogue refers to.
pub fn taxonomies(model: &Assessment<'_>) -> Value {
    let of_threats = model.catalog.iter().flat_map(|t| &t.attack);
    let techniques: BTreeSet<&String> =
        of_threats.chain(model.steps.iter().map(|s| &s.attack)).filter(|id| is_technique(id)).collect();
    let letters = Stride::ALL.map(|s| json!({ "id": s.word(), "name": letter(s) }));
    json!([
        {
            "name": STRIDE.name,
            "shortDescription": { "text": "The six kinds of threats" },
            "isComprehensive": true,
            "taxa": letters,
        },
        {
            "name": TECHNIQUES.name,
            "version": ATTACK,
            "organization": "MITRE",
            "informationUri": "https://attack.mitre.org/",
            "shortDescription": { "text": "What attackers do" },
            "taxa": techniques.into_iter().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
        },
    ])
}
