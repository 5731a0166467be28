//! What may answer no to a request.

use super::{META, STR, UNREAD};
use crate::schema::{fact, kind};

kind! {
    /// A webhook or policy that admits or changes objects.
    ADMISSION = "kubernetes.admission", "a webhook or policy that admits or changes objects", &[
    fact("name", STR, "its name", META, UNREAD),
]
}
