//! Progress on a terminal's standard error, for whatever takes longer than a third of a second.

use std::io::IsTerminal as _;
use std::sync::mpsc;
use std::time::Duration;

/// A line that appears when the work takes longer than a third of a second, and goes when this is dropped.
pub struct Progress {
    done: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Progress {
    /// Starts waiting; nothing is shown when standard error is no terminal or quiet was asked for.
    pub fn start(message: impl Into<std::borrow::Cow<'static, str>>, quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self { done: None, thread: None };
        }
        let message = message.into();
        let (done, waiting) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            if waiting.recv_timeout(Duration::from_millis(333)) != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            let bar = indicatif::ProgressBar::new_spinner().with_message(message);
            bar.enable_steady_tick(Duration::from_millis(100));
            // Ends when the sender is dropped.
            let _ = waiting.recv();
            bar.finish_and_clear();
        });
        Self { done: Some(done), thread: Some(thread) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done.take();
        if let Some(thread) = self.thread.take() {
            // A panic in drawing a line is not worth a second one.
            drop(thread.join());
        }
    }
}
