//! The machine's process.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::channel::{Channel, OFF};
use super::image::Image;

/// How long a machine may take from power-on to its agent; far beyond what a loaded host needs.
const PATIENCE: Duration = Duration::from_secs(300);

/// The same under KVM, which either works, and then at once, or does not.
const KVM_PATIENCE: Duration = Duration::from_secs(60);

/// The ports, each for one command at a time.
pub(super) const PORTS: usize = 4;

/// What every machine is made of; memory that was stored fits no other.
///
/// No network card: what is tried over SSH is tried inside. Of the emulated processors Nehalem costs the least.
pub(super) const HARDWARE: [&str; 11] = [
    "-m",
    "2048",
    "-smp",
    "2",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    // A guest that resets ends the process: each boot is one of its own, and its end can be seen.
    "-no-reboot",
    "-machine",
    "pc,hpet=off",
];

/// `panic`: a kernel that gives up ends the process too. The timers and clocks are right however late a loaded host
/// lets them be. The rest saves time; addresses that stay the same alone save a quarter of what a boot costs, since what
/// was translated for one process serves the next.
pub(super) const KERNEL: &str = "root=/dev/vda rw console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable nowatchdog \
                      rcupdate.rcu_cpu_stall_suppress=1 random.trust_cpu=on mitigations=off nokaslr norandmaps";

pub(super) struct Qemu {
    child: Child,
    socket: PathBuf,
    patience: Duration,
}

/// How a machine begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    Off,
    Asleep,
}

impl Qemu {
    /// Starts a machine in `dir` on a disk and waits for its agent.
    pub(super) fn start(image: &Image, dir: &Path, disk: &Path, begin: Begin) -> Result<(Self, Vec<Channel>), String> {
        let kvm = image.kvm;
        let mut command = Command::new(&image.qemu);
        command.current_dir(dir).args(HARDWARE).args(["-append", KERNEL]);
        if kvm {
            command.args(["-accel", "kvm", "-cpu", "host"]);
        } else {
            command.args(["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "Nehalem,+rdrand"]);
        }
        command.arg("-kernel").arg(image.dir.join("vmlinuz")).arg("-initrd").arg(image.dir.join("initrd"));
        // The absolute path also tells a later sweep whose process this is.
        command.arg("-pidfile").arg(dir.join("qemu.pid"));
        command.args(["-chardev", "file,id=console,path=console.log,append=on", "-serial", "chardev:console"]);
        command.args(["-qmp", "unix:qmp.sock,server=on,wait=off"]).args(["-device", "virtio-serial"]);
        for port in 1..=PORTS {
            let socket = format!("socket,id=port{port},path=port{port}.sock,server=on,wait=off");
            let device = format!("virtserialport,chardev=port{port},nr={port},name=bed.{port}");
            command.args(["-chardev", &socket, "-device", &device]);
        }
        // A guest's flush reaches the host's page cache and no further: it outlives this process, which is all that a
        // power cut takes, and costs next to nothing. What the guest did not flush it may lose.
        let format = if disk.extension().is_some_and(|end| end == "raw") { "raw" } else { "qcow2" };
        let disk = disk.to_str().ok_or("the disk's path is not text")?.replace(',', ",,");
        command.args(["-drive", &format!("file={disk},if=virtio,format={format},cache=unsafe,discard=unmap")]);
        command.stdin(Stdio::null());
        if begin == Begin::Asleep {
            let memory = File::open(image.memory()).map_err(|error| format!("memory: {error}"))?;
            command.args(["-incoming", "fd:0"]).stdin(memory);
        }
        for name in ["port1.sock", "port2.sock", "port3.sock", "port4.sock", "qmp.sock"] {
            let _ = fs::remove_file(dir.join(name));
        }
        let log = File::options().create(true).append(true).open(dir.join("qemu.log"));
        let log = log.and_then(|log| Ok((log.try_clone()?, log))).map_err(|error| format!("qemu.log: {error}"))?;
        let child = command.stdout(log.0).stderr(log.1).spawn();
        let child = child.map_err(|error| format!("{}: {error}", image.qemu.display()))?;
        let patience = if kvm { KVM_PATIENCE } else { PATIENCE };
        let mut qemu = Self { child, socket: dir.join("qmp.sock"), patience };
        let channels = qemu.wait_for_agent(dir).map_err(|why| format!("{why}\n{}", tail(dir)))?;
        Ok((qemu, channels))
    }

    fn wait_for_agent(&mut self, dir: &Path) -> Result<Vec<Channel>, String> {
        let deadline = Instant::now() + self.patience;
        let mut channels = Vec::new();
        while channels.len() < PORTS {
            self.must_run(deadline)?;
            match Channel::open(&dir.join(format!("port{}.sock", channels.len() + 1))) {
                Ok(channel) => channels.push(channel),
                Err(_) => sleep(Duration::from_millis(5)),
            }
        }
        channels[0].ask(b'p', Duration::from_secs(1), &[])?;
        while !channels[0].pong(Duration::from_millis(500)).map_err(|error| self.cause(error))? {
            self.must_run(deadline)?;
        }
        Ok(channels)
    }

    fn must_run(&mut self, deadline: Instant) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(format!("qemu ended with {status}")),
            _ if Instant::now() > deadline => Err(format!("no agent after {} s", self.patience.as_secs())),
            _ => Ok(()),
        }
    }

    fn cause(&mut self, error: String) -> String {
        match (error == OFF).then(|| self.child.wait()) {
            Some(Ok(status)) => format!("qemu ended with {status}"),
            _ => error,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process is over.
    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// SIGKILL, and its end.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Writes the running machine's memory to a file in its folder, and ends it.
    pub(super) fn put_to_sleep(&mut self, file: &str) -> Result<(), String> {
        // Relative to the folder, so that no path comes near the shell that qemu starts.
        self.control(&[
            json!({ "execute": "migrate-set-parameters", "arguments": { "max-bandwidth": 1u64 << 40 } }),
            json!({ "execute": "migrate", "arguments": { "uri": format!("exec:cat > {file}") } }),
        ])?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let about = self.control(&[json!({ "execute": "query-migrate" })])?;
            match about["status"].as_str() {
                Some("completed") => break,
                Some("failed" | "cancelled") => return Err(format!("storing the memory: {about}")),
                _ if Instant::now() > deadline => return Err("storing the memory takes too long".into()),
                _ => sleep(Duration::from_millis(50)),
            }
        }
        self.control(&[json!({ "execute": "quit" })])?;
        self.child.wait().map(drop).map_err(|error| format!("qemu: {error}"))
    }

    /// Gives qemu commands; the last one's answer.
    fn control(&self, commands: &[Value]) -> Result<Value, String> {
        let said = |error: io::Error| format!("qemu's control socket: {error}");
        let mut stream = UnixStream::connect(&self.socket).map_err(said)?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(said)?;
        let mut lines = BufReader::new(stream.try_clone().map_err(said)?).lines();
        let mut last = Value::Null;
        let hello = json!({ "execute": "qmp_capabilities" });
        for command in std::iter::once(&hello).chain(commands) {
            stream.write_all(format!("{command}\n").as_bytes()).map_err(said)?;
            last = loop {
                let line = lines.next().ok_or("qemu's control socket was closed")?.map_err(said)?;
                let value: Value = serde_json::from_str(&line).map_err(|error| format!("{line}: {error}"))?;
                if let Some(error) = value.get("error") {
                    return Err(format!("{command}: {error}"));
                }
                if let Some(answer) = value.get("return") {
                    break answer.clone();
                }
            };
        }
        Ok(last)
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of what qemu and the console said.
pub(super) fn tail(dir: &Path) -> String {
    let read = |name: &str| fs::read(dir.join(name)).unwrap_or_default();
    let text = [read("qemu.log"), read("console.log")].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
