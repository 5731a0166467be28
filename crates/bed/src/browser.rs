//! A headless Chromium, driven by the DevTools protocol over a pair of pipes: for tests of the page, and its pictures.
//!
//! Like an engine it has its own folder, and dropping it ends it.

use std::cell::RefCell;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The bed's name in messages.
const NAME: &str = "chromium";

/// A browser with one tab.
pub struct Browser {
    child: Child,
    folder: PathBuf,
    session: String,
    pipes: RefCell<Pipes>,
}

struct Pipes {
    to: File,
    from: BufReader<File>,
    next: u64,
    events: Vec<Value>,
}

/// Looks for the browser.
///
/// # Errors
/// One line that says what is missing and what would bring it.
pub fn find_browser() -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain(["/usr/bin", "/usr/local/bin"].map(PathBuf::from));
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = dirs.flat_map(|dir| names.map(|name| dir.join(name))).filter(|path| path.is_file());
    found.next().ok_or_else(|| "chromium is not installed (cargo xtask test installs it where it may)".into())
}

impl Browser {
    /// A browser; where there is none, the test says aloud that it is skipped, or fails where beds are required.
    ///
    /// # Panics
    /// Where the browser is there and does not start.
    pub fn require() -> Option<Self> {
        match find_browser() {
            Ok(path) => Some(Self::start(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))),
            Err(why) => {
                crate::skip(NAME, &why);
                None
            }
        }
    }

    /// Starts a browser.
    ///
    /// # Errors
    /// What went wrong, in a line.
    pub fn start(program: &Path) -> Result<Self, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("seaworthy-browser-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let say = |error: std::io::Error| error.to_string();
        // The browser takes commands at descriptor 3 and answers at 4; a shell can put named pipes there.
        let script = "cd \"$1\" && mkfifo to from && shift && exec \"$@\" 3<to 4>from";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&folder).arg(program);
        command.args([
            "--headless",
            "--remote-debugging-pipe",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            "--user-data-dir=profile",
        ]);
        if rustix::process::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(say)?;
        let to = folder.join("to");
        while !folder.join("from").exists() {
            if child.try_wait().map_err(say)?.is_some() {
                return Err("it ended at once".into());
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let to = OpenOptions::new().write(true).open(to).map_err(say)?;
        let from = BufReader::new(File::open(folder.join("from")).map_err(say)?);
        let pipes = RefCell::new(Pipes { to, from, next: 1, events: Vec::new() });
        let mut browser = Self { child, folder, session: String::new(), pipes };
        let tab = browser.call("Target.createTarget", json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": tab["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach)?;
        browser.session = session["sessionId"].as_str().ok_or("no session")?.to_owned();
        for domain in ["Page", "Runtime", "Log", "Network", "DOM", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(browser)
    }

    /// Calls a method of the protocol and waits for its answer; events that come before it are kept.
    ///
    /// # Errors
    /// The browser's own error, or that it ended.
    pub fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        let mut pipes = self.pipes.borrow_mut();
        let id = pipes.next;
        pipes.next += 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let text = format!("{message}\0");
        pipes.to.write_all(text.as_bytes()).map_err(|error| format!("{method}: {error}"))?;
        loop {
            let answer = pipes.read().map_err(|error| format!("{method}: {error}"))?;
            if answer["id"] == json!(id) {
                return match answer.get("error") {
                    Some(error) => Err(format!("{method}: {error}")),
                    None => Ok(answer["result"].clone()),
                };
            }
            pipes.events.push(answer);
        }
    }

    /// Opens a file and waits until it is loaded.
    ///
    /// # Errors
    /// The browser's own error.
    pub fn open(&self, page: &Path) -> Result<(), String> {
        self.pipes.borrow_mut().events.clear();
        let answer = self.call("Page.navigate", json!({ "url": format!("file://{}", page.display()) }))?;
        if let Some(error) = answer["errorText"].as_str() {
            return Err(error.into());
        }
        let loaded = |events: &[Value]| events.iter().any(|e| e["method"] == "Page.loadEventFired");
        let mut pipes = self.pipes.borrow_mut();
        while !loaded(&pipes.events) {
            let event = pipes.read()?;
            pipes.events.push(event);
        }
        Ok(())
    }

    /// The value of an expression in the page; a promise is waited for.
    ///
    /// # Errors
    /// What it threw.
    pub fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", params)?;
        match answer.get("exceptionDetails") {
            Some(thrown) => Err(format!("{expression}: {thrown}")),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Presses and lets go of a key: `Tab`, `Enter`, `Escape`, ` `.
    ///
    /// # Errors
    /// The browser's own error.
    pub fn press(&self, key: &str) -> Result<(), String> {
        let (code, number, text) = match key {
            "Enter" => ("Enter", 13, "\r"),
            " " => ("Space", 32, " "),
            "Tab" => ("Tab", 9, ""),
            "Escape" => ("Escape", 27, ""),
            other => (other, 0, ""),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event)?;
        }
        Ok(())
    }

    /// Types into what has the focus.
    ///
    /// # Errors
    /// The browser's own error.
    pub fn type_text(&self, text: &str) -> Result<(), String> {
        self.call("Input.insertText", json!({ "text": text })).map(drop)
    }

    /// A picture of the page, as PNG; its first part, or the whole of it.
    ///
    /// # Errors
    /// The browser's own error.
    pub fn screenshot(&self, whole: bool) -> Result<Vec<u8>, String> {
        let params = json!({ "format": "png", "captureBeyondViewport": whole });
        let mut params = params;
        if whole {
            let size = self.call("Page.getLayoutMetrics", json!({}))?["cssContentSize"].clone();
            params["clip"] = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        }
        let answer = self.call("Page.captureScreenshot", params)?;
        STANDARD.decode(answer["data"].as_str().unwrap_or_default()).map_err(|error| error.to_string())
    }

    /// The window's size in CSS pixels, and how the page is shown: media (`print` or nothing) and colour scheme
    /// (`light`, `dark`).
    ///
    /// # Errors
    /// The browser's own error.
    pub fn show_as(&self, width: u32, height: u32, media: &str, scheme: &str) -> Result<(), String> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": media, "features": features })).map(drop)
    }

    /// The addresses that the page asked for since it was opened, itself included.
    pub fn requests(&self) -> Vec<String> {
        let of = |event: &Value| event["params"]["request"]["url"].as_str().map(str::to_owned);
        self.events("Network.requestWillBeSent").iter().filter_map(of).collect()
    }

    /// What the console, the policy and the script complained about since the page was opened.
    pub fn complaints(&self) -> Vec<String> {
        let kinds = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        kinds.iter().flat_map(|kind| self.events(kind)).map(|event| event["params"].to_string()).collect()
    }

    fn events(&self, method: &str) -> Vec<Value> {
        self.pipes.borrow().events.iter().filter(|e| e["method"] == method).cloned().collect()
    }
}

impl Pipes {
    fn read(&mut self) -> Result<Value, String> {
        let mut text = Vec::new();
        self.from.read_until(0, &mut text).map_err(|error| error.to_string())?;
        if text.pop() != Some(0) {
            return Err("the browser ended".into());
        }
        serde_json::from_slice(&text).map_err(|error| error.to_string())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.call("Browser.close", json!({}));
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its helpers may still write while they end.
        for _ in 0..50 {
            if fs::remove_dir_all(&self.folder).is_ok() || !self.folder.exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
