//! Starts a real cluster with one node for trying things by hand, applies the manifests that are given, waits for their
//! pods, and ends it when standard input ends. Every image that the manifests name is there, with busybox in it.
//!
//! `cargo run -p seaworthy-bed --example cluster -- objects.yaml`

use std::io::Read as _;

use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes};

fn main() {
    let Some(cluster) = Cluster::require(Kubernetes::V135, ClusterSpec::with_node()) else { return };
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
        let named =
            |line: &str| line.split_once("image: ").map(|(_, image)| image.trim_matches(['"', ' ', '}']).to_owned());
        let mut images: Vec<String> = text.lines().filter_map(named).collect();
        images.sort();
        images.dedup();
        images.iter().for_each(|image| cluster.import_busybox(image));
        cluster.apply_text(&text);
    }
    println!("{}", cluster.kubeconfig().display());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
