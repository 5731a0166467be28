//! Evidence that is asked for where the ordinary answers leave a question: files of containers that do not run, and
//! with `--deep` the layers of images and the changes of containers.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;

use super::json::{Read, cut, strings, value};
use super::layers::{Chunks, Contents, contents, first_file};
use super::local::number_in;
use crate::engine::{Engine, Failure};

/// The most bytes of an image's archive.
const MOST_IMAGE: u64 = 16 << 30;
/// The most bytes of an archive that holds one passwd file.
const MOST_FILE: u64 = 2 << 20;
/// Chunks of an answer that wait for their reader.
const WAITING: usize = 32;

/// Says whether a container that does not run would start as user 0, where its user is a name: its passwd is asked for,
/// as `docker cp` does.
pub(super) async fn resolve_user(engine: &Engine, id: &str, container: &mut Component) {
    const PASSWD: &str = "GET /containers/ID/archive?path=/etc/passwd";
    let is_open = container.value("root_user").is_unknown() && container.value("running").as_bool() == Some(false);
    let Some(user) = container.value("user").as_str().filter(|_| is_open).map(name_of) else { return };
    let mut bytes = Vec::new();
    let read = engine
        .get_bytes_with(&format!("/containers/{id}/archive?path=/etc/passwd"), MOST_FILE, |chunk| {
            bytes.extend_from_slice(chunk);
            ControlFlow::Continue(())
        })
        .await;
    let number = match read {
        Ok(()) => first_file(&bytes[..]).and_then(|passwd| number_in(&passwd, &user)),
        Err(Failure::Status { code: 404, .. }) => Err("the user is a name, and the container has no passwd".into()),
        Err(failure) => Err(failure.to_string().into()),
    };
    container.set("root_user", value(number.map(|number| number == 0)), Source::place(PASSWD));
}

fn name_of(user: &str) -> String {
    user.split(':').next().unwrap_or("").to_owned()
}

/// Says what the layers of an image hold.
pub(super) async fn look_into(engine: &Engine, id: &str, image: &mut Component) {
    let source = Source::place("GET /images/ID/get");
    let found = unpack(engine, id).await;
    if image.value("root_user").is_unknown()
        && let (Some(user), Ok(Contents { passwd: Some(passwd), .. })) = (image.value("user").as_str(), &found)
        && let Ok(number) = number_in(passwd, &name_of(user))
    {
        image.set("root_user", number == 0, source.clone());
    }
    let setuid = found.map(|found| strings(found.setuid.iter().map(|path| cut(path))));
    image.set("setuid_files", value::<Value>(setuid), source);
}

async fn unpack(engine: &Engine, id: &str) -> Read<Contents> {
    let (send, from) = sync_channel::<Vec<u8>>(WAITING);
    let reader = tokio::task::spawn_blocking(move || contents(Chunks::new(from)));
    let path = format!("/images/{id}/get");
    let streamed = engine.get_bytes_with(&path, MOST_IMAGE, move |chunk| {
        // Who reads has ended: at the archive's end, or because it is none.
        if send.send(chunk.to_vec()).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let streamed = streamed.await;
    let read =
        reader.await.map_err(|error| Arc::<str>::from(format!("reading the image's archive failed: {error}")))?;
    match streamed {
        Ok(()) => read,
        Err(Failure::Status { code: 404, .. }) => Err("the image vanished while it was read".into()),
        Err(failure) => Err(failure.to_string().into()),
    }
}
