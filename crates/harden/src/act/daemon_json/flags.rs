//! Settings that are on the engine's command line as well: with those in the file, too, it refuses to start.

/// Settings whose flags have another name, or a letter.
const FLAGS: &[(&str, &str, char)] = &[
    ("authorization-plugins", "authorization-plugin", '\0'),
    ("bridge", "bridge", 'b'),
    ("cdi-spec-dirs", "cdi-spec-dir", '\0'),
    ("cluster-store-opts", "cluster-store-opt", '\0'),
    ("containerd-plugin-namespace", "containerd-plugins-namespace", '\0'),
    ("debug", "debug", 'D'),
    ("default-address-pools", "default-address-pool", '\0'),
    ("default-network-opts", "default-network-opt", '\0'),
    ("default-ulimits", "default-ulimit", '\0'),
    ("dns-opts", "dns-opt", '\0'),
    ("exec-opts", "exec-opt", '\0'),
    ("features", "feature", '\0'),
    ("group", "group", 'G'),
    ("host-gateway-ips", "host-gateway-ip", '\0'),
    ("hosts", "host", 'H'),
    ("insecure-registries", "insecure-registry", '\0'),
    ("labels", "label", '\0'),
    ("log-level", "log-level", 'l'),
    ("log-opts", "log-opt", '\0'),
    ("node-generic-resources", "node-generic-resource", '\0'),
    ("pidfile", "pidfile", 'p'),
    ("registry-mirrors", "registry-mirror", '\0'),
    ("storage-driver", "storage-driver", 's'),
    ("storage-opts", "storage-opt", '\0'),
];

/// Letters that want no value, so that others may follow in the same word.
const BARE: &str = "Dhrv";

/// The flag by which a command line gives a setting; none where it does not. `runtimes` may be in both.
///
/// It errs on the side of seeing one: the value of another flag that looks like it counts as well.
pub fn given(arguments: &[&str], key: &str) -> Option<String> {
    let (_, flag, letter) = FLAGS.iter().find(|(file, ..)| *file == key).copied().unwrap_or((key, key, '\0'));
    let words = arguments.iter().skip(1).take_while(|word| **word != "--");
    let names = |word: &&str| match word.strip_prefix("--") {
        Some(long) => long.split('=').next() == Some(flag),
        None => word.strip_prefix('-').is_some_and(|letters| {
            let bare = letters.chars().take_while(|c| BARE.contains(*c)).count();
            letters.chars().take(bare + 1).any(|c| c == letter)
        }),
    };
    words.copied().any(|word| names(&word)).then(|| format!("--{flag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_found_by_every_form_and_no_other() {
        let given = |line: &str, key| given(&line.split(' ').collect::<Vec<_>>(), key);
        for (line, key) in [
            ("dockerd --icc=false", "icc"),
            ("dockerd -H fd:// --icc", "icc"),
            ("dockerd --log-level debug", "log-level"),
            ("dockerd -l debug", "log-level"),
            ("dockerd -Dldebug", "log-level"),
            ("dockerd --default-ulimit nofile=1:2", "default-ulimits"),
            ("dockerd --log-opt=max-size=1m", "log-opts"),
            ("dockerd -D", "debug"),
            ("dockerd --tlsverify", "tlsverify"),
        ] {
            assert!(given(line, key).is_some(), "{line}");
        }
        for (line, key) in [
            ("dockerd --iccx=false", "icc"),
            ("dockerd -Hunix:///lD", "log-level"),
            ("dockerd -Hunix:///lD", "debug"),
            ("dockerd -- --icc", "icc"),
            ("dockerd icc", "icc"),
            ("--icc", "icc"),
            ("dockerd --log-driver=x", "log-opts"),
        ] {
            assert_eq!(given(line, key), None, "{line}");
        }
        assert_eq!(given("dockerd --label a=b", "labels").unwrap(), "--label");
    }
}
