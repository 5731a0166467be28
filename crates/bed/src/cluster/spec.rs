//! What kind of cluster a test wants.

use serde_json::Value;

/// How to start a cluster. `{dir}` in arguments and files stands for the bed's folder.
///
/// An argument `--name=value` takes the place of the bed's own of that name; `!name` takes the bed's own away.
#[derive(Clone, Debug, Default)]
pub struct ClusterSpec {
    /// Arguments of kube-apiserver.
    pub apiserver: Vec<String>,
    /// Whether kube-controller-manager runs, and its arguments. Without it there is a service account `default` only
    /// where the bed makes one ([`crate::Cluster::create_namespace`]), and no controller fills a namespace.
    pub controller_manager: Option<Vec<String>>,
    /// Whether kube-scheduler runs, and its arguments.
    pub scheduler: Option<Vec<String>>,
    /// Arguments of etcd.
    pub etcd: Vec<String>,
    /// Whether there is a node.
    pub node: Option<NodeSpec>,
    /// Files to write before the start, for their owner alone: path inside the bed's folder, content. Audit policies
    /// and encryption configurations go to `etc/kubernetes`.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether etcd, API server, controller manager and scheduler are static pods of the node, as kubeadm has them,
    /// so that there are mirror pods of them. It needs a node.
    pub static_control_plane: bool,
}

/// How to start a node.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// The node's name.
    pub name: String,
    /// Laid over the bed's own kubelet configuration, key by key; `null` takes one away.
    pub config: Value,
    /// Arguments of the kubelet.
    pub args: Vec<String>,
    /// Whether kube-proxy runs, so that `10.96.0.1` leads to the API server, and its arguments.
    pub proxy: Option<Vec<String>>,
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self { name: "node-1".into(), config: Value::Null, args: Vec::new(), proxy: None }
    }
}

impl ClusterSpec {
    /// A control plane that does everything, with a node.
    pub fn with_node() -> Self {
        Self {
            controller_manager: Some(Vec::new()),
            scheduler: Some(Vec::new()),
            node: Some(NodeSpec::default()),
            ..Self::default()
        }
    }
}

/// The bed's arguments with a test's over them.
pub(crate) fn arguments(own: Vec<String>, tests: &[String]) -> Vec<String> {
    let name =
        |argument: &str| argument.split('=').next().unwrap_or_default().trim_start_matches(['!', '-']).to_owned();
    let named: Vec<String> = tests.iter().map(|argument| name(argument)).collect();
    let kept = own.into_iter().filter(|argument| !named.contains(&name(argument)));
    kept.chain(tests.iter().filter(|argument| !argument.starts_with('!')).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn a_tests_arguments_replace_and_remove() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let own = texts(&["--a=1", "--b", "--c=3"]);
        assert_eq!(
            arguments(own, &texts(&["--a=2", "--a=4", "!b", "--d"])),
            texts(&["--c=3", "--a=2", "--a=4", "--d"])
        );
    }
}
