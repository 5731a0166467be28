//! An engine, asked by `GET` over a small pool of keep-alive connections.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::endpoint::Endpoint;
use super::failure::Failure;
use super::negotiate::{self, Agreed, ApiVersion};
use super::pool::{Limits, Pool, VERSION};
use super::tls::PeerCertificate;

/// A container engine. Clones are cheap and share its connections.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool,
    api: ApiVersion,
    about: OnceLock<About>,
}

/// What the engine said of itself when it was opened.
#[derive(Debug)]
struct About {
    version: Value,
    server_api: ApiVersion,
    caveat: Option<Failure>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({} API {})", self.endpoint(), self.api())
    }
}

impl Engine {
    /// Opens an engine and agrees on the API's version, from `GET /version`.
    ///
    /// # Errors
    /// Everything that [`Failure`] names: this is where an engine that is absent, forbidden, hung
    /// or none at all shows itself.
    pub async fn connect(endpoint: &Endpoint, limits: Limits) -> Result<Self, Failure> {
        let mut pool = Pool::new(endpoint, limits)?;
        let (api, about) = ask_about(&pool).await?;
        pool.speak(api);
        Ok(Self { shared: Arc::new(Shared { pool, api, about: about.into() }) })
    }

    /// As [`Engine::connect`] for who asks for much: where a ping tells the API's version, `GET /version`, for which
    /// engines run programs, is left to [`Engine::introduce`], beside which other things may be asked.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn open(endpoint: &Endpoint, limits: Limits) -> Result<Self, Failure> {
        let mut pool = Pool::new(endpoint, limits.clone())?;
        let newest = match pool.ping().await {
            Ok(newest) => newest,
            Err(failure @ Failure::TimedOut { .. }) => return Err(failure),
            Err(_) => None,
        };
        match negotiate::agree(newest.as_deref(), None, &endpoint.to_string()) {
            Ok(Agreed { api, .. }) => {
                pool.speak(api);
                Ok(Self { shared: Arc::new(Shared { pool, api, about: OnceLock::new() }) })
            }
            // Its answer to `/version` tells what it is, or why there is none.
            Err(_) => Self::connect(endpoint, limits).await,
        }
    }

    /// Asks an engine that was opened by [`Engine::open`] for itself, where it was not asked yet. Until then it has told
    /// nothing of itself but its API's version.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn introduce(&self) -> Result<(), Failure> {
        if self.shared.about.get().is_none() {
            let (_, about) = ask_about(&self.shared.pool).await?;
            // Where two asked at a time, both were told the same.
            let _ = self.shared.about.set(about);
        }
        Ok(())
    }

    /// Reads one path, such as `/containers/json?all=1`, without the API's version in it.
    ///
    /// # Errors
    /// See [`Failure`]; a refusal of the engine is [`Failure::Status`].
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.get_as(path).await
    }

    /// As [`Engine::get`], into a type of the caller's.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn get_as<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.shared.pool.json(path, self.shared.pool.limits().body).await
    }

    /// As [`Engine::get`], for lists: [`Limits::list`] bounds the body.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn get_list(&self, path: &str) -> Result<Value, Failure> {
        self.shared.pool.json(path, self.shared.pool.limits().list).await
    }

    /// The engine's events from its start until a moment (seconds, or seconds and nanoseconds with a point between).
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn events(&self, until: &str) -> Result<Vec<Value>, Failure> {
        self.shared.pool.values(&format!("/events?since=0&until={until}"), self.shared.pool.limits().list).await
    }

    /// As [`Engine::get`], `None` where the engine says 404: it vanished, or was never there.
    ///
    /// # Errors
    /// As [`Engine::get`], but for 404.
    pub async fn get_optional(&self, path: &str) -> Result<Option<Value>, Failure> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Status { code: 404, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Streams a body (a tar) of at most `limit` bytes to `take`, which may break off. The whole
    /// must come within [`Limits::stream`].
    ///
    /// # Errors
    /// As [`Engine::get`]; what was taken before an error came is incomplete.
    pub async fn get_bytes_with(
        &self,
        path: &str,
        limit: u64,
        mut take: impl FnMut(&[u8]) -> ControlFlow<()> + Send,
    ) -> Result<(), Failure> {
        self.shared.pool.stream(path, limit, &mut |chunk| take(chunk)).await
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.shared.pool.endpoint()
    }

    /// The API's version in use: the lower of the engine's newest and ours.
    #[must_use]
    pub fn api(&self) -> ApiVersion {
        self.shared.api
    }

    /// The newest API that the engine speaks.
    #[must_use]
    pub fn server_api(&self) -> ApiVersion {
        self.shared.about.get().map_or(self.shared.api, |about| about.server_api)
    }

    /// The engine's answer to `/version`, so that it need not be asked again; `Null` where it was
    /// refused.
    #[must_use]
    pub fn version(&self) -> &Value {
        self.shared.about.get().map_or(&Value::Null, |about| &about.version)
    }

    /// Whether it is Podman.
    #[must_use]
    pub fn is_podman(&self) -> bool {
        negotiate::is_podman(self.version())
    }

    /// What limits everything that it reports: an API older than we support.
    #[must_use]
    pub fn caveat(&self) -> Option<&Failure> {
        self.shared.about.get()?.caveat.as_ref()
    }

    /// The certificate that the engine showed, where TLS is used.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&PeerCertificate> {
        self.shared.pool.certificate()
    }
}

/// What an engine says of itself, and the API's version that follows from it.
async fn ask_about(pool: &Pool) -> Result<(ApiVersion, About), Failure> {
    let at = pool.endpoint().to_string();
    let (version, agreed) = match pool.json::<Value>(VERSION, pool.limits().body).await {
        Ok(version) => {
            let text = |key: &str| version[key].as_str();
            let agreed = negotiate::agree(text("ApiVersion"), text("MinAPIVersion"), &at)?;
            (version, agreed)
        }
        // A proxy or an authorization plugin may keep /version back; every engine pings.
        Err(refused @ Failure::Status { code: 401 | 403..=405 | 501, .. }) => match pool.ping().await? {
            Some(api) => (Value::Null, negotiate::agree(Some(&api), None, &at)?),
            None => return Err(refused),
        },
        Err(failure) => return Err(failure),
    };
    Ok((agreed.api, About { version, server_api: agreed.server, caveat: agreed.caveat }))
}

/// Makes a name of others fit to be one segment of a path.
#[must_use]
pub fn path_segment(name: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~' | b'.' | b':' | b'@');
    if name != "." && name != ".." && name.bytes().all(plain) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 8);
    for byte in name.bytes() {
        if plain(byte) && byte != b'.' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Cow::Owned(out)
}
