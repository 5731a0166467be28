//! A node: a containerd and a kubelet in mount and network namespaces of their own, linked to the machine by a cable.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::control::{PODS, SERVICES};
use super::files::{Login, yaml};
use super::find::NodeBinaries;
use super::pki::{Subject, write};
use super::process::{spawn, wait_for};
use super::spec::arguments;
use super::{Cluster, fill};
use crate::clear;

pub(crate) const CONTAINERD: &str = "containerd";
pub(crate) const KUBELET: &str = "kubelet";
pub(crate) const PROXY: &str = "kube-proxy";

/// The image that keeps a pod's namespaces, and the one that tests run.
const PAUSE: &str = "docker.io/library/pause:bed";
pub(crate) const BUSYBOX: &str = "docker.io/library/busybox:test";

/// What a kubelet sets for the whole machine. A node has copies of these, so that the machine's stay as they are.
const PARAMETERS: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// Folders that a node's programs use wherever they are told to work; a node has its own in their place.
pub(crate) const PLACES: [&str; 3] = ["run/containerd", "var/lib/cni", "var/log/containers"];

/// Makes the namespaces, and runs the rest of its arguments in them: the bed's folder, the process at the cable's other
/// end, the first number to try, and the
/// places. Cables are numbered over the whole machine: whoever gets the name has the addresses.
const ENTER: &str = r#"
set -e
dir=$0 outside=$1 number=$2 places=$3
shift 3
mount --make-rshared /
for place in $places; do mount --bind "$dir/$place" "/$place"; done
cd "$dir/run/sysctl"
for parameter in *; do mount --bind "$parameter" "/proc/sys/$(echo "$parameter" | tr . /)"; done
cd /
tries=0
until ip link add eth0 type veth peer name "swbed$number" netns "$outside" 2>/dev/null; do
  number=$(((number + 1) % 16384)) tries=$((tries + 1))
  test $tries -lt 200
done
net=198.18.$((number / 64)) host=$((number % 64 * 4 + 1))
ip link set lo up
ip address add "$net.$((host + 1))/30" dev eth0
ip link set eth0 up
ip route add default via "$net.$host"
echo "$number" >"$dir/run/cable.new"
mv "$dir/run/cable.new" "$dir/run/cable"
exec "$@"
"#;

/// The two ends of a node's cable, in the network that is kept for benchmarks (RFC 2544).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cable {
    number: u32,
}

impl Cable {
    pub(crate) fn machine(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + self.number * 4 + 1)
    }

    pub(crate) fn node(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.machine()) + 1)
    }

    fn device(self) -> String {
        format!("swbed{}", self.number)
    }

    /// Takes it away at once; the kernel would do so some time after the node's last process.
    pub(crate) fn unplug(self) {
        let _ = run(Command::new("ip").args(["link", "delete", &self.device()]));
    }
}

/// Starts containerd in new namespaces and brings up the cable.
pub(super) fn enter(dir: &Path, binaries: &NodeBinaries) -> Result<(std::process::Child, Cable), String> {
    let at = |error: io::Error| format!("prepare a node: {error}");
    prepare(dir, binaries).map_err(at)?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--propagation", "private", "sh", "-c", ENTER]).arg(dir);
    let pid = std::process::id();
    command.arg(pid.to_string()).arg((pid.wrapping_mul(61) % 16384).to_string()).arg(PLACES.join(" "));
    command.arg(&binaries.containerd).arg("--config").arg(dir.join("etc/containerd/config.toml"));
    let mut child = spawn(command, dir, CONTAINERD)?;
    let socket = socket(dir);
    let ready = wait_for(Some(&mut child), || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let cable = ready.and_then(|()| plug(dir));
    match cable {
        Ok(cable) => Ok((child, cable)),
        Err(why) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(format!("{CONTAINERD} {why}\n{}", super::log_tail(dir, CONTAINERD)))
        }
    }
}

/// The machine's end of the cable.
fn plug(dir: &Path) -> Result<Cable, String> {
    let text = fs::read_to_string(dir.join("run/cable")).map_err(|error| format!("has no cable: {error}"))?;
    let number: u32 = text.trim().parse().map_err(|error| format!("has no cable: {error}"))?;
    let cable = Cable { number };
    let device = cable.device();
    for arguments in
        [vec!["address", "add", &format!("{}/30", cable.machine()), "dev", &device], vec!["link", "set", &device, "up"]]
    {
        run(Command::new("ip").args(arguments))?;
    }
    Ok(cable)
}

fn prepare(dir: &Path, binaries: &NodeBinaries) -> io::Result<()> {
    for place in PLACES {
        fs::create_dir_all(dir.join(place))?;
        fs::create_dir_all(Path::new("/").join(place))?;
    }
    for parameter in PARAMETERS {
        let value = fs::read(Path::new("/proc/sys").join(parameter))?;
        write(&dir.join("run/sysctl").join(parameter.replace('/', ".")), value, 0o644)?;
    }
    for group in clear::own_groups(dir) {
        fs::create_dir(group)?;
    }
    let at = dir.display();
    let config = format!(
        "version = 2\nroot = \"{at}/var/lib/containerd\"\nstate = \"{at}/run/containerd/state\"\ntemp = \"\"\n\
         [grpc]\naddress = \"{}\"\n[plugins.\"io.containerd.internal.v1.opt\"]\npath = \"{at}/var/lib/containerd-opt\"\n\
         [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"{PAUSE}\"\nrestrict_oom_score_adj = true\n\
         netns_mounts_under_state_dir = true\n\
         [plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = \"{}\"\nconf_dir = \"{at}/etc/cni/net.d\"\n",
        socket(dir).display(),
        binaries.plugins.display(),
    );
    write(&dir.join("etc/containerd/config.toml"), config, 0o644)?;
    let network = json!({ "cniVersion": "0.4.0", "name": "bed", "plugins": [
        { "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
          "ipam": { "type": "host-local", "dataDir": dir.join("var/lib/cni/networks"),
            "ranges": [[{ "subnet": PODS.replace("/16", "/24") }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
        { "type": "portmap", "capabilities": { "portMappings": true } }
    ] });
    write(&dir.join("etc/cni/net.d/10-bed.conflist"), network.to_string(), 0o600)
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("run/containerd/containerd.sock")
}

/// A command in the node's namespaces.
pub(super) fn inside(containerd: u32, program: &Path) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--mount", "--net", "--target", &containerd.to_string()]).arg(program);
    command
}

/// Runs a command of the bed's own; its error is what it said.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let name = command.get_program().display().to_string();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

impl Cluster {
    /// The node's address, which the machine reaches; its kubelet listens on port 10250.
    ///
    /// # Panics
    /// Where the cluster has no node.
    pub fn node_ip(&self) -> Ipv4Addr {
        self.started.cable.expect("a node").node()
    }

    /// The node's name.
    ///
    /// # Panics
    /// Where the cluster has no node.
    pub fn node_name(&self) -> &str {
        &self.spec.node.as_ref().expect("a node").name
    }

    /// A command in the node's mount and network namespaces; its processes are the machine's.
    ///
    /// # Panics
    /// Where the cluster has no node.
    pub fn node_command(&self, program: impl AsRef<Path>) -> Command {
        inside(self.started.processes[CONTAINERD].id(), program.as_ref())
    }

    /// Ends the kubelet and starts it with another configuration over the bed's own ([`crate::NodeSpec::config`]) and
    /// other arguments; waits until the node is ready.
    ///
    /// # Errors
    /// The last lines of its log, where it does not come up.
    ///
    /// # Panics
    /// Where the cluster has no node.
    pub fn restart_kubelet(&mut self, config: Value, arguments: &[String]) -> Result<(), String> {
        self.halt(KUBELET);
        let node = self.spec.node.as_mut().expect("a node");
        (node.config, node.args) = (config, arguments.to_vec());
        self.start_kubelet()?;
        self.wait_for_node()
    }

    /// Gives the node's containerd a busybox under a name of the test's: `docker.io/library/web:1.0`, which pods may call
    /// `web:1.0`.
    ///
    /// # Panics
    /// Where it is refused.
    pub fn import_busybox(&self, name: &str) {
        let busybox = &self.binaries.node.as_ref().expect("a node").busybox;
        let archive = crate::image::archive(busybox, name, &["sh"]).map_err(|error| error.to_string());
        archive.and_then(|archive| self.import(&archive)).unwrap_or_else(|why| panic!("import {name}: {why}"));
    }

    /// Sets one of the kernel's parameters that a kubelet looks after, `vm.overcommit_memory` or `kernel.panic`, as the
    /// node sees it; the machine's stays as it is.
    ///
    /// # Panics
    /// Where it is none of them.
    pub fn set_parameter(&self, name: &str, value: &str) {
        assert!(PARAMETERS.contains(&name.replace('.', "/").as_str()), "{name} is not the node's own");
        let path = self.dir().join("run/sysctl").join(name);
        fs::write(&path, format!("{value}\n")).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Brings the images that pods of tests need: `busybox:test`, and the one that keeps a pod.
    pub(super) fn import_images(&self) -> Result<(), String> {
        let binaries = self.binaries.node.as_ref().ok_or("no node")?;
        for (name, command) in [(PAUSE, vec!["/bin/sleep", "2147483647"]), (BUSYBOX, vec!["sh"])] {
            let archive =
                crate::image::archive(&binaries.busybox, name, &command).map_err(|error| error.to_string())?;
            self.import(&archive)?;
        }
        Ok(())
    }

    /// Imports an archive as `docker save` writes it.
    pub(super) fn import(&self, archive: &[u8]) -> Result<(), String> {
        let path = self.dir().join("run/image.tar");
        write(&path, archive, 0o600).map_err(|error| format!("{}: {error}", path.display()))?;
        let binaries = self.binaries.node.as_ref().ok_or("no node")?;
        let mut ctr = Command::new(&binaries.ctr);
        ctr.arg("--address").arg(socket(self.dir())).args(["--namespace", "k8s.io", "images", "import"]);
        run(ctr.arg(&path))?;
        fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(super) fn lay_out_node(&self) -> Result<(), String> {
        let node = self.spec.node.as_ref().ok_or("no node")?;
        let at = |error: io::Error| format!("prepare a node: {error}");
        let user = format!("system:node:{}", node.name);
        let subject = Subject { name: &user, groups: &["system:nodes"], ..Subject::default() };
        let pair = self.authorities.cluster.issue(subject);
        let conf = self.dir().join("etc/kubernetes/kubelet.conf");
        self.authorities.kubeconfig(&conf, &self.at, &user, Login::Certificate(&pair)).map_err(at)?;
        let hosts = [node.name.clone(), self.node_ip().to_string()];
        let server = self.authorities.cluster.issue(Subject { hosts: &hosts, ..subject });
        server.write(&self.dir().join("var/lib/kubelet/pki/kubelet")).map_err(at)
    }

    pub(super) fn start_kubelet(&mut self) -> Result<(), String> {
        let node = self.spec.node.as_ref().ok_or("no node")?;
        let mut config = configuration(self.dir());
        merge(&mut config, &node.config);
        let (path, dir) = (self.dir().join("var/lib/kubelet/config.yaml"), self.dir().display());
        let text = fill(self.dir(), &yaml(&config));
        write(&path, text, 0o644).map_err(|error| format!("{}: {error}", path.display()))?;
        let own = vec![
            format!("--config={}", path.display()),
            format!("--kubeconfig={dir}/etc/kubernetes/kubelet.conf"),
            format!("--root-dir={dir}/var/lib/kubelet"),
            format!("--cert-dir={dir}/var/lib/kubelet/pki"),
            format!("--hostname-override={}", node.name),
            format!("--node-ip={}", self.node_ip()),
        ];
        let arguments = arguments(own, &node.args);
        self.run_inside(KUBELET, &arguments)
    }

    /// Waits until pods can be put on the node.
    pub(super) fn wait_for_node(&mut self) -> Result<(), String> {
        let path = format!("/api/v1/nodes/{}", self.node_name());
        let node = self.spec.node.as_ref().ok_or("no node")?;
        let port = node.config["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(10250);
        let kubelet = SocketAddr::from((self.node_ip(), port));
        let admin = &self.admin;
        let controlled = self.spec.controller_manager.is_some();
        let ready = wait_for(self.started.processes.get_mut(KUBELET), || {
            // What the API says may be of the kubelet before this one.
            if TcpStream::connect_timeout(&kubelet, Duration::from_secs(1)).is_err() {
                return false;
            }
            let Ok((200, node)) = admin.send("GET", &path, None) else { return false };
            let node: Value = serde_json::from_slice(&node).unwrap_or_default();
            let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            let ready = conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
            // A controller takes the taint of a young node away.
            ready && (!controlled || node["spec"]["taints"].is_null())
        });
        ready.map_err(|why| format!("{KUBELET} {why}\n{}", self.log(KUBELET)))
    }

    pub(super) fn start_proxy(&mut self) -> Result<(), String> {
        let Some(tests) = self.spec.node.as_ref().and_then(|node| node.proxy.clone()) else { return Ok(()) };
        let (name, conf) = ("system:kube-proxy", self.dir().join("var/lib/kube-proxy/kubeconfig.conf"));
        let pair = self.authorities.cluster.issue(Subject { name, ..Subject::default() });
        let written = self.authorities.kubeconfig(&conf, &self.at, name, Login::Certificate(&pair));
        let config = json!({ "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "bindAddress": "0.0.0.0", "clusterCIDR": PODS, "mode": "iptables", "hostnameOverride": self.node_name(),
            "clientConnection": { "kubeconfig": conf },
            // These are the whole machine's to set.
            "conntrack": { "maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s" } });
        let path = self.dir().join("var/lib/kube-proxy/config.conf");
        let written = written.and_then(|_| write(&path, yaml(&config), 0o644));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
        let arguments = arguments(vec![format!("--config={}", path.display())], &tests);
        self.run_inside(PROXY, &arguments)
    }

    fn run_inside(&mut self, name: &'static str, arguments: &[String]) -> Result<(), String> {
        let mut command = self.node_command(self.binaries.kubernetes.join(name));
        command.args(arguments.iter().map(|argument| fill(self.dir(), argument)));
        let child = spawn(command, self.dir(), name)?;
        self.started.processes.insert(name, child);
        Ok(())
    }
}

/// A kubelet's configuration as kubeadm writes it, for this kind of machine.
fn configuration(dir: &Path) -> Value {
    let at = dir.display();
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "cacheTTL": "0s", "enabled": true },
            "x509": { "clientCAFile": format!("{at}/etc/kubernetes/pki/ca.crt") }
        },
        "authorization": { "mode": "Webhook", "webhook": { "cacheAuthorizedTTL": "0s", "cacheUnauthorizedTTL": "0s" } },
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", dir.file_name().unwrap_or_default().display()),
        "clusterDNS": [SERVICES.replace(".0/12", ".10")],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": format!("unix://{}", socket(dir).display()),
        // The machine's disk may be as full as it likes.
        "evictionHard": { "imagefs.available": "0%", "memory.available": "0%", "nodefs.available": "0%",
            "nodefs.inodesFree": "0%", "imagefs.inodesFree": "0%" },
        "failCgroupV1": false,
        "failSwapOn": false,
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "1s",
        "podLogsDir": format!("{at}/var/log/pods"),
        "rotateCertificates": true,
        // So that the kubelet soon tells of static pods that ran before the API server did.
        "syncFrequency": "2s",
        "staticPodPath": format!("{at}/etc/kubernetes/manifests"),
        "tlsCertFile": format!("{at}/var/lib/kubelet/pki/kubelet.crt"),
        "tlsPrivateKeyFile": format!("{at}/var/lib/kubelet/pki/kubelet.key"),
        "volumePluginDir": format!("{at}/usr/libexec/kubernetes/volume"),
    })
}

/// Lays one value over another, as a JSON merge patch does.
fn merge(under: &mut Value, over: &Value) {
    let Value::Object(over) = over else { return };
    for (key, value) in over {
        match value {
            Value::Null => drop(under.as_object_mut().and_then(|map| map.shift_remove(key))),
            Value::Object(_) if under[key].is_object() => merge(&mut under[key], value),
            _ => under[key] = value.clone(),
        }
    }
}
