//! A whole machine: Debian with systemd, cgroup v2, AppArmor, auditd, sshd and Docker 20.10 under qemu.
//!
//! For what an engine of one's own cannot show: restarts of docker.service, timers, the early boot, audit rules over a
//! reboot, power cuts. One machine runs at a time, whoever starts it.

mod channel;
mod command;
mod image;
mod qemu;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub use command::{Command, Output, Running, Unfinished};
pub use image::{Image, Recipe};

use crate::daemon::make_dir;
use crate::find::skip;
use crate::{clear, lock};
use channel::Channel;
use qemu::{Begin, Qemu};

/// The bed's name in messages.
const NAME: &str = "machine";

/// How long systemd may take to start or to stop everything.
const PATIENCE: Duration = Duration::from_secs(300);

/// How to start a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineSpec {
    /// Through a boot from power-off. Otherwise a machine that had booted, and was put to sleep when the image was made,
    /// wakes up, which takes a tenth of the time.
    pub cold: bool,
}

/// A running machine; dropping it ends it and takes its disk away.
///
/// What it does it does by reference, so that one thread can cut the power while another waits for a command.
pub struct Machine {
    image: Image,
    dir: PathBuf,
    power: Arc<Power>,
    /// Says to [`crate::sweep`] that the folder is in use.
    _owned: File,
    /// Says to other test processes that a bed is in use.
    shared: Option<File>,
    /// Says to other tests that a machine runs.
    _alone: File,
}

/// The process, and the ports to it that no command uses.
#[derive(Default)]
struct Power {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    qemu: Option<Qemu>,
    channels: Vec<Channel>,
    /// Which start of the process this is: ports of an earlier one lead nowhere.
    boot: u32,
}

impl Power {
    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked with the lock held has failed already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    /// Starts a machine, or says on stderr that the running test is skipped for want of it and returns none. Waits
    /// while another test has one; a test that asks for a second one waits for ever.
    ///
    /// # Panics
    /// Where it is there and does not start, and where `SEAWORTHY_BEDS_REQUIRED` is set and it is not there.
    pub fn require(spec: MachineSpec) -> Option<Self> {
        match Image::find() {
            Ok(image) => Some(Self::start(image, spec).unwrap_or_else(|why| panic!("{NAME}: {why}"))),
            Err(why) => {
                skip(NAME, &why);
                None
            }
        }
    }

    fn start(image: Image, spec: MachineSpec) -> Result<Self, String> {
        let machine = Self::prepare(image)?;
        let back = if spec.cold { machine.image.disk() } else { machine.image.warm_disk() };
        machine.make_disk(&back, &machine.disk())?;
        if spec.cold {
            machine.begin(&machine.disk(), Begin::Off)?;
            machine.settle()?;
        } else {
            machine.begin(&machine.disk(), Begin::Asleep)?;
            machine.set_clock()?;
        }
        Ok(machine)
    }

    /// A folder and the locks, and nothing in it yet.
    fn prepare(image: Image) -> Result<Self, String> {
        let alone = lock::machine();
        clear::sweep();
        let shared = Some(lock::shared());
        let (dir, owned) = make_dir().map_err(|error| format!("prepare a bed: {error}"))?;
        Ok(Self { image, dir, power: Arc::default(), _owned: owned, shared, _alone: alone })
    }

    /// Makes the rest of an image from its kernel, initial file system and `disk.raw`: boots it for the first time,
    /// gives the engine the image `busybox:test`, shuts it down, boots it again and puts it to sleep.
    ///
    /// # Errors
    /// What went wrong, with the last lines of the console.
    pub fn finish_image(dir: &Path) -> Result<(), String> {
        let at = |path: PathBuf| move |error: std::io::Error| format!("{}: {error}", path.display());
        let mut machine = Self::prepare(Image::unproven(dir)?)?;
        let disk = machine.image.disk();
        machine.image.kvm = image::kvm_might_do();
        if let Err(why) = machine.begin(&disk, Begin::Off) {
            if !machine.image.kvm {
                return Err(why);
            }
            machine.image.kvm = false;
            machine.begin(&disk, Begin::Off)?;
        }
        let accelerator = dir.join("accelerator");
        fs::write(&accelerator, if machine.image.kvm { "kvm" } else { "tcg" }).map_err(at(accelerator))?;
        machine.settle()?;
        machine.import_busybox("busybox:test")?;
        machine.shut_down("poweroff")?;

        let warm = machine.image.warm_disk();
        let _ = fs::remove_file(&warm);
        machine.make_disk(&disk, &warm)?;
        machine.begin(&warm, Begin::Off)?;
        machine.settle()?;
        let Some(mut qemu) = machine.power.state().qemu.take() else { return Err(channel::OFF.into()) };
        qemu.put_to_sleep("memory")?;
        let memory = machine.image.memory();
        fs::copy(machine.dir.join("memory"), &memory).map(drop).map_err(at(memory))
    }

    /// The machine's process on this host.
    ///
    /// # Panics
    /// While it is off.
    pub fn pid(&self) -> u32 {
        self.power.state().qemu.as_ref().expect(channel::OFF).pid()
    }

    /// Whether it runs under KVM; otherwise every instruction is emulated.
    pub fn has_kvm(&self) -> bool {
        self.image.kvm
    }

    /// What the kernel and the firmware wrote to the serial console, of all boots.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.join("console.log")).unwrap_or_default()).into_owned()
    }

    /// Takes the power away: what was synced is on the disk, what was not may be lost.
    ///
    /// # Panics
    /// While it is off.
    pub fn power_cut(&self) {
        let mut state = self.power.state();
        let mut qemu = state.qemu.take().expect(channel::OFF);
        qemu.kill();
        state.channels.clear();
    }

    /// Puts the power on again and returns as soon as commands can be given, which is while systemd begins.
    ///
    /// # Panics
    /// Where it runs already, and where it does not come up.
    pub fn boot(&self) {
        assert!(self.power.state().qemu.is_none(), "{NAME}: it runs already");
        self.begin(&self.disk(), Begin::Off).unwrap_or_else(|why| panic!("{NAME}: {why}"));
    }

    /// Waits until systemd has started everything; its word for the result: `running`, `degraded`.
    ///
    /// # Panics
    /// Where that does not come about.
    pub fn wait_for_boot(&self) -> String {
        self.settle().unwrap_or_else(|why| panic!("{NAME}: {why}\n{}", qemu::tail(&self.dir)))
    }

    /// Waits until the machine went off by itself, and says whether it did. A machine that resets goes off here.
    ///
    /// # Panics
    /// While it is off.
    pub fn wait_for_end(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let mut state = self.power.state();
            if state.qemu.as_mut().expect(channel::OFF).has_ended() {
                (state.qemu, state.channels) = (None, Vec::new());
                return true;
            }
            drop(state);
            if Instant::now() > deadline {
                return false;
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// Shuts it down in order, boots it and waits until systemd has started everything.
    ///
    /// # Panics
    /// Where it does not go down or come up.
    pub fn reboot(&self) {
        self.shut_down("reboot").unwrap_or_else(|why| panic!("{NAME}: {why}"));
        self.boot();
        self.wait_for_boot();
    }

    fn disk(&self) -> PathBuf {
        self.dir.join("disk.qcow2")
    }

    /// A disk that keeps what differs from the one behind it.
    fn make_disk(&self, back: &Path, disk: &Path) -> Result<(), String> {
        let format = if back.extension().is_some_and(|end| end == "raw") { "raw" } else { "qcow2" };
        let mut command = Program::new(&self.image.qemu_img);
        command.args(["create", "-q", "-f", "qcow2", "-F", format, "-b"]).arg(back).arg(disk);
        let output = command.output().map_err(|error| format!("qemu-img: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        output.status.success().then_some(()).ok_or_else(|| format!("qemu-img create: {}", said.trim()))
    }

    fn begin(&self, disk: &Path, begin: Begin) -> Result<(), String> {
        let (qemu, channels) = Qemu::start(&self.image, &self.dir, disk, begin)?;
        let mut state = self.power.state();
        (state.qemu, state.channels, state.boot) = (Some(qemu), channels, state.boot + 1);
        Ok(())
    }

    fn settle(&self) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // At the very beginning systemd does not listen yet.
            let mut command = self.command(&["systemctl", "is-system-running", "--wait"]);
            let output = command.limit(PATIENCE).try_run().map_err(|error| error.to_string())?;
            let word = output.stdout.trim();
            if matches!(word, "running" | "degraded" | "maintenance") {
                return Ok(word.to_owned());
            }
            if Instant::now() > deadline {
                return Err(format!("systemd is still {word:?} after {} s", PATIENCE.as_secs()));
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// A machine that slept believes that it is the day on which it fell asleep.
    fn set_clock(&self) -> Result<(), String> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = format!("@{}.{:09}", now.as_secs(), now.subsec_nanos());
        self.command(&["date", "--set", &now]).try_run().map(drop).map_err(|error| error.to_string())
    }

    fn shut_down(&self, how: &str) -> Result<(), String> {
        // The answer may not come through any more.
        let _ = self.command(&["systemctl", how]).try_run();
        if self.wait_for_end(PATIENCE) {
            return Ok(());
        }
        Err(format!("it is still up {} s after systemctl {how}\n{}", PATIENCE.as_secs(), qemu::tail(&self.dir)))
    }

    fn import_busybox(&self, tag: &str) -> Result<(), String> {
        let tree = crate::image::busybox_tree(&self.image.busybox).map_err(|error| format!("busybox: {error}"))?;
        let mut command = self.command(&["docker", "import", "--change", "CMD sleep 3600", "-", tag]);
        let output = command.stdin(tree).try_run().map_err(|error| error.to_string())?;
        if output.status == 0 { Ok(()) } else { Err(format!("docker import: {}", output.stderr.trim())) }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.power.state().qemu = None;
        let _ = fs::remove_dir_all(&self.dir);
        self.shared = None;
    }
}
