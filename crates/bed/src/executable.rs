//! Programs that a test puts somewhere to be started.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program that can be started at once.
///
/// Another process writes it. In one that has threads any of them may fork between the opening and the closing of the
/// file; its child has the file open for writing until it comes to its own program, and until then the kernel starts
/// nothing from that file: "text file busy".
///
/// # Panics
/// Where it cannot be written.
pub fn write_program(path: &Path, content: &[u8]) {
    let mut child = writer(path).stdin(Stdio::piped()).spawn().expect("start sh");
    child.stdin.take().expect("a pipe").write_all(content).expect("write a program");
    let status = child.wait().expect("wait for sh");
    assert!(status.success(), "{}: {status}", path.display());
}

/// Copies a program, as [`write_program`] writes one.
///
/// # Panics
/// Where it cannot be read or written.
pub fn copy_program(from: &Path, to: &Path) {
    let program = File::open(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    let status = writer(to).stdin(program).status().expect("start sh");
    assert!(status.success(), "{}: {status}", to.display());
}

fn writer(path: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(path);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_starts_while_others_fork() {
        let dir = std::env::temp_dir().join(format!("seaworthy-executable-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let dir = &dir;
                scope.spawn(move || {
                    for n in 0..25 {
                        let path = dir.join(format!("{thread}-{n}"));
                        write_program(&path, b"#!/bin/sh\nexit 7\n");
                        assert_eq!(Command::new(&path).status().expect("start it").code(), Some(7));
                    }
                });
            }
        });
        let copy = dir.join("true");
        copy_program(Path::new("/bin/true"), &copy);
        assert!(Command::new(&copy).status().unwrap().success());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
