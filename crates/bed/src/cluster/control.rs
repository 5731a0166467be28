//! The control plane's arguments, as kubeadm gives them.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// What a component is called, in [`crate::Cluster::pids`] too.
pub(crate) const ETCD: &str = "etcd";
pub(crate) const APISERVER: &str = "kube-apiserver";
pub(crate) const CONTROLLER_MANAGER: &str = "kube-controller-manager";
pub(crate) const SCHEDULER: &str = "kube-scheduler";

/// The services' network; its first address is the API server's.
pub(crate) const SERVICES: &str = "10.96.0.0/12";
pub(crate) const SERVICE: &str = "10.96.0.1";
/// The pods' network.
pub(crate) const PODS: &str = "10.244.0.0/16";

/// Where the control plane listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) api: SocketAddr,
    /// The address that goes into the service `kubernetes`.
    pub(crate) advertised: IpAddr,
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) controller_manager: u16,
    pub(crate) scheduler: u16,
}

pub(crate) fn etcd(dir: &Path, at: &Addresses, name: &str) -> Vec<String> {
    let (pki, dir) = (format!("{}/etc/kubernetes/pki/etcd", dir.display()), dir.display());
    let (client, peer) = (format!("https://127.0.0.1:{}", at.etcd), format!("https://127.0.0.1:{}", at.etcd_peer));
    vec![
        format!("--advertise-client-urls={client}"),
        format!("--cert-file={pki}/server.crt"),
        "--client-cert-auth=true".into(),
        format!("--data-dir={dir}/var/lib/etcd"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster={name}={peer}"),
        format!("--key-file={pki}/server.key"),
        format!("--listen-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--name={name}"),
        format!("--peer-cert-file={pki}/peer.crt"),
        "--peer-client-cert-auth=true".into(),
        format!("--peer-key-file={pki}/peer.key"),
        format!("--peer-trusted-ca-file={pki}/ca.crt"),
        "--snapshot-count=10000".into(),
        format!("--trusted-ca-file={pki}/ca.crt"),
        // A bed need not outlive the machine's power.
        "--unsafe-no-fsync".into(),
    ]
}

pub(crate) fn apiserver(dir: &Path, at: &Addresses) -> Vec<String> {
    let pki = format!("{}/etc/kubernetes/pki", dir.display());
    vec![
        format!("--advertise-address={}", at.advertised),
        "--allow-privileged=true".into(),
        "--authorization-mode=Node,RBAC".into(),
        format!("--bind-address={}", at.api.ip()),
        format!("--client-ca-file={pki}/ca.crt"),
        "--enable-admission-plugins=NodeRestriction".into(),
        "--enable-bootstrap-token-auth=true".into(),
        format!("--etcd-cafile={pki}/etcd/ca.crt"),
        format!("--etcd-certfile={pki}/apiserver-etcd-client.crt"),
        format!("--etcd-keyfile={pki}/apiserver-etcd-client.key"),
        format!("--etcd-servers=https://127.0.0.1:{}", at.etcd),
        format!("--kubelet-certificate-authority={pki}/ca.crt"),
        format!("--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt"),
        format!("--kubelet-client-key={pki}/apiserver-kubelet-client.key"),
        "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname".into(),
        format!("--proxy-client-cert-file={pki}/front-proxy-client.crt"),
        format!("--proxy-client-key-file={pki}/front-proxy-client.key"),
        "--requestheader-allowed-names=front-proxy-client".into(),
        format!("--requestheader-client-ca-file={pki}/front-proxy-ca.crt"),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
        "--requestheader-group-headers=X-Remote-Group".into(),
        "--requestheader-username-headers=X-Remote-User".into(),
        format!("--secure-port={}", at.api.port()),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
        format!("--service-account-key-file={pki}/sa.pub"),
        format!("--service-account-signing-key-file={pki}/sa.key"),
        format!("--service-cluster-ip-range={SERVICES}"),
        format!("--tls-cert-file={pki}/apiserver.crt"),
        format!("--tls-private-key-file={pki}/apiserver.key"),
    ]
}

pub(crate) fn controller_manager(dir: &Path, at: &Addresses) -> Vec<String> {
    let etc = format!("{}/etc/kubernetes", dir.display());
    let conf = format!("{etc}/controller-manager.conf");
    vec![
        "--allocate-node-cidrs=true".into(),
        format!("--authentication-kubeconfig={conf}"),
        format!("--authorization-kubeconfig={conf}"),
        "--bind-address=127.0.0.1".into(),
        format!("--client-ca-file={etc}/pki/ca.crt"),
        format!("--cluster-cidr={PODS}"),
        "--cluster-name=kubernetes".into(),
        format!("--cluster-signing-cert-file={etc}/pki/ca.crt"),
        format!("--cluster-signing-key-file={etc}/pki/ca.key"),
        "--controllers=*,bootstrapsigner,tokencleaner".into(),
        format!("--kubeconfig={conf}"),
        "--leader-elect=true".into(),
        format!("--requestheader-client-ca-file={etc}/pki/front-proxy-ca.crt"),
        format!("--root-ca-file={etc}/pki/ca.crt"),
        format!("--secure-port={}", at.controller_manager),
        format!("--service-account-private-key-file={etc}/pki/sa.key"),
        format!("--service-cluster-ip-range={SERVICES}"),
        "--use-service-account-credentials=true".into(),
    ]
}

pub(crate) fn scheduler(dir: &Path, at: &Addresses) -> Vec<String> {
    let conf = format!("{}/etc/kubernetes/scheduler.conf", dir.display());
    vec![
        format!("--authentication-kubeconfig={conf}"),
        format!("--authorization-kubeconfig={conf}"),
        "--bind-address=127.0.0.1".into(),
        format!("--kubeconfig={conf}"),
        "--leader-elect=true".into(),
        format!("--secure-port={}", at.scheduler),
    ]
}
