//! Stands between the product and the engine and breaks the connection at one request that changes something, as it
//! breaks when the product is killed. Nothing comes through afterwards.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// When the connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the request reaches the engine.
    Before,
    /// Once the engine has it, while it is at work.
    During,
    /// When the engine has answered, before anybody knows.
    After,
}

struct State {
    engine: PathBuf,
    cut: Cut,
    at: usize,
    changes: AtomicUsize,
    dead: AtomicBool,
    said: Mutex<Vec<String>>,
}

/// A socket that leads to an engine for a while.
pub struct Proxy {
    pub socket: PathBuf,
    state: Arc<State>,
    _dir: tempfile::TempDir,
}

impl Proxy {
    /// Breaks at the `at`th request that changes something, counted from 1; 0 is never.
    pub fn start(engine: &Path, at: usize, cut: Cut) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (changes, dead, said) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
        let state = Arc::new(State { engine: engine.to_owned(), cut, at, changes, dead, said });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                thread::spawn(move || state.serve(client));
            }
        });
        Self { socket, state, _dir: dir }
    }

    /// Whether it broke.
    pub fn is_cut(&self) -> bool {
        self.state.dead.load(Ordering::SeqCst)
    }

    /// The requests that changed something, by their first lines.
    pub fn said(&self) -> Vec<String> {
        self.state.said.lock().unwrap().clone()
    }
}

impl State {
    fn serve(&self, mut client: UnixStream) {
        let Some(request) = request(&mut client) else { return };
        if self.dead.load(Ordering::SeqCst) {
            return;
        }
        let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
        let changes = !line.starts_with("GET ");
        let cut = changes && self.changes.fetch_add(1, Ordering::SeqCst) + 1 == self.at;
        if changes {
            self.said.lock().unwrap().push(line);
        }
        if cut {
            self.dead.store(true, Ordering::SeqCst);
        }
        if cut && self.cut == Cut::Before {
            return;
        }
        let mut engine = UnixStream::connect(&self.engine).unwrap();
        engine.write_all(&request).unwrap();
        if cut {
            if self.cut == Cut::After {
                let _ = engine.read(&mut [0; 1]);
            } else {
                // The engine has to have read it, or nothing would be under way.
                thread::sleep(std::time::Duration::from_millis(30));
            }
            return;
        }
        let (mut from, mut to) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = client.read(&mut [0; 1]);
        let _ = engine.shutdown(std::net::Shutdown::Both);
    }
}

/// One request, whole.
fn request(client: &mut UnixStream) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Some(bytes);
            }
        }
        match client.read(&mut buffer) {
            Ok(n @ 1..) => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}
