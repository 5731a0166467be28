//! The machine around an engine: files that the program finds instead of the real ones, and what is made on engines.

// Each test program uses its own part of this.
#![allow(dead_code, reason = "shared by several test programs, each of which uses a part")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use seaworthy_bed::Daemon;
use serde_json::{Value, json};

/// A machine's `/etc` and `/root` as the program finds them: the real ones with these files laid over.
pub struct Machine {
    /// Where they lie.
    pub dir: tempfile::TempDir,
}

impl Machine {
    /// These files with their modes, over the machine's own.
    pub fn new(files: &[(&str, &str, u32)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("root")).expect("mkdir");
        let copied = Command::new("cp").arg("-a").arg("/etc").arg(dir.path()).status();
        assert!(copied.is_ok_and(|status| status.success()), "cp -a /etc");
        for path in ["etc/sudoers.d", "etc/ssh/sshd_config.d", "etc/profile.d"] {
            drop(fs::remove_dir_all(dir.path().join(path)));
        }
        for (path, content, mode) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
            fs::write(&path, content).expect("write");
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("chmod");
        }
        Self { dir }
    }

    /// The program on this machine: in a mount namespace of its own, so that nobody else sees these files.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let dir = self.dir.path().display();
        let script =
            format!("mount --bind {dir}/etc /etc && mount --bind {dir}/root /root && cd /root && exec \"$0\" \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script]).arg(program()).args(arguments).env("HOME", "/root");
        quiet(&mut command);
        command
    }
}

/// The program under test.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_seaworthy")
}

/// Takes away what would choose another engine.
pub fn quiet(command: &mut Command) {
    for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
        command.env_remove(name);
    }
}

/// Root and two ordinary users, one of whom has a home.
pub const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/nonexistent:/bin/bash\n\
                      bob:x:1001:1001::/root/bob:/bin/bash\n";

/// The description of a context of the docker CLI.
pub fn context(host: &str) -> String {
    json!({ "Name": "far", "Metadata": {}, "Endpoints": { "docker": { "Host": host, "SkipTLSVerify": false } } })
        .to_string()
}

/// Makes a network or volume.
pub fn made(daemon: &Daemon, path: &str, body: &Value) {
    let (status, answer) = daemon.request("POST", path, Some(body));
    assert_eq!(status, 201, "{path}: {answer}");
}

/// A container as hard as it gets here, with a volume and a port on loopback.
pub fn hard(image: &str, bind: &str, port: &str) -> Value {
    json!({
        "Image": image, "Cmd": ["sleep", "3600"], "User": "1000:1000",
        "Healthcheck": { "Test": ["CMD", "true"], "Interval": 1_000_000_000_000i64 },
        "ExposedPorts": { "80/tcp": {} },
        "HostConfig": {
            "NetworkMode": "quiet", "CgroupnsMode": "private", "ReadonlyRootfs": true, "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"], "Memory": 64 << 20, "MemorySwap": 64 << 20, "CpuShares": 512,
            "PidsLimit": 50, "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 5 },
            "LogConfig": { "Type": "json-file", "Config": { "max-size": "1m" } }, "Binds": [bind],
            "Ulimits": [{ "Name": "nofile", "Soft": 100, "Hard": 200 }],
            "PortBindings": { "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": port }] },
        },
    })
}
