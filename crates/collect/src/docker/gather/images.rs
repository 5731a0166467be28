//! Images: each inspected, with its history and, where that was asked for, its layers.

use std::sync::Arc;

use seaworthy_core::component::Component;
use serde_json::Value as Json;

use super::lanes::lanes;
use super::{Problem, Shared};
use crate::docker::json::Node;
use crate::docker::{deep, image};
use crate::engine::path_segment;

/// Every image of a list, with inspect and history, in the list's order.
pub(super) async fn images_of(shared: &Arc<Shared>, items: Vec<Json>) -> (Vec<Component>, Vec<Problem>) {
    let shared = Arc::clone(shared);
    let read = lanes(items, move |item| {
        let shared = Arc::clone(&shared);
        async move { one_image(&shared, &item).await }
    });
    let (components, problems): (Vec<_>, Vec<_>) = read.await.into_iter().unzip();
    (components, problems.into_iter().flatten().collect())
}

async fn one_image(shared: &Shared, listed: &Json) -> (Component, Vec<Problem>) {
    let id = path_segment(Node::of(listed).get("Id").text().unwrap_or("")).into_owned();
    let inspect = match shared.get(&format!("/images/{id}/json"), false).await {
        Ok(inspect) => inspect,
        Err(lost) => {
            let reason = lost.reason("the image");
            let component = image::vanished(listed, &reason);
            let name = component.name.to_string();
            return (component, vec![Problem { source: "inspect images", name, reason }]);
        }
    };
    let history = shared.get(&format!("/images/{id}/history"), false).await.map_err(|lost| lost.reason("the image"));
    let mut component = image::image(&inspect, &history, &shared.redactor, &*shared.host, shared.collected_at);
    if shared.deep {
        // One after the other: each is as large as the image.
        let _alone = shared.layers.lock().await;
        deep::look_into(&shared.engine, &id, &mut component).await;
    }
    let problem = history.err().map(|reason| Problem {
        source: "GET /images/ID/history",
        name: component.name.to_string(),
        reason,
    });
    (component, problem.into_iter().collect())
}
