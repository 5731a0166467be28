//! What must be told of each row.

use crate::beds::Place;

/// A line: a threat that tells the row, where and on what, in which state, and the fact that must decide.
#[derive(Debug)]
pub struct Told {
    /// DM01 to DM25.
    pub row: &'static str,
    /// The threat, without `docker/`.
    pub threat: &'static str,
    /// The host.
    pub place: Place,
    /// The component by the end of its name, or the flow by the name of its end.
    pub on: &'static str,
    /// Open, answered or undetermined.
    pub status: &'static str,
    /// The fact that decides: known, or unknown where the threat is undetermined.
    pub fact: &'static str,
    /// A part of where it was read, or would have been.
    pub source: &'static str,
}

macro_rules! told {
    ($($row:literal $threat:literal { $($place:ident $on:literal: $status:ident by $fact:literal from $source:literal;)+ })+) => {
        &[$($(Told {
            row: $row, threat: $threat, place: Place::$place, on: $on, status: stringify!($status), fact: $fact, source: $source,
        },)+)+]
    };
}

/// Several threats may tell a row; each of the three states of a row is told by one of them at least.
pub const ROWS: &[Told] = told! {
    "DM01" "container/tag-moved" {
        Careless "web": open by "image_reference" from "inspect web: Config.Image";
        Hardened "app": answered by "image_reference" from "inspect app: Config.Image";
        Careless "db": undetermined by "signature_verified" from "--evidence";
    }
    "DM01" "daemon/registry-impersonated" {
        Careless "daemon": open by "insecure_registries" from "GET /info";
        Hardened "daemon": answered by "insecure_registries" from "GET /info";
        Refused "daemon": undetermined by "insecure_registries" from "insecure-registries";
    }
    "DM01" "image/signature-unchecked" {
        Hardened "app:1": answered by "signature_verified" from "evidence cosign.json";
        Careless "careless:1": undetermined by "signature_verified" from "--evidence";
    }
    "DM02" "daemon/configuration-altered" {
        Careless "/daemon.json": open by "uid" from "/daemon.json";
        Hardened "/daemon.json": answered by "uid" from "/daemon.json";
    }
    "DM02" "daemon/settings-not-in-effect" {
        Hardened "daemon": answered by "configured_not_active" from "/daemon.json";
        Refused "daemon": undetermined by "configured_not_active" from "the daemon's arguments";
    }
    "DM02" "host/docker-group-is-root" {
        Careless "host": open by "mode" from "/docker.sock";
        Hardened "host": answered by "docker_group_members" from "/etc/group";
        Refused "host": undetermined by "docker_group_members" from "the host";
    }
    "DM03" "container/runs-as-host-root" {
        Careless "web": open by "root_user" from "/proc/";
        Hardened "app": answered by "root_user" from "/proc/";
        Refused "web": undetermined by "root_user" from "GET /containers/json";
    }
    "DM04" "network/default-bridge-shared" {
        Careless "bridge": open by "icc" from "GET /networks: Options";
        Hardened "bridge": answered by "icc" from "GET /networks: Options";
    }
    "DM04" "container/default-bridge" {
        Careless "web": open by "icc" from "GET /networks: Options";
        Hardened "app": answered by "default_bridge" from "inspect app: NetworkSettings.Networks";
        Refused "web": undetermined by "default_bridge" from "GET /containers/json";
    }
    "DM05" "container/memory-cpu-pids-unbounded" {
        Careless "web": open by "memory_limit" from "cgroup memory limit";
        Hardened "app": answered by "memory_limit" from "cgroup memory limit";
        Refused "web": undetermined by "memory_limit" from "GET /containers/json";
    }
    "DM06" "client/api-traffic-intercepted" {
        Careless "root": open by "contexts" from "/root/.docker/contexts";
        Hardened "root": answered by "contexts" from "/root/.docker/contexts";
    }
    "DM06" "daemon/api-traffic-intercepted" {
        Careless "daemon": open by "listeners" from "the daemon's sockets";
        Refused "daemon": undetermined by "listeners" from "the daemon's sockets";
        Nobody "daemon": undetermined by "listeners" from "the daemon's sockets";
    }
    "DM07" "client/dockerfile-misconfigured" {
        Careless "careless:1": open by "adds" from "GET /images/ID/history";
        Hardened "app:1": answered by "adds" from "GET /images/ID/history";
        // An imported image records no build steps.
        Careless "imported:1": undetermined by "adds" from "GET /images/ID/history";
    }
    "DM08" "client/change-without-provenance" {
        Careless "careless:1": open by "provenance" from "inspect careless:1: Config.Labels";
        // Without a registry an image of engine 20.10 has no digest: from a snapshot that was given one.
        Edited "app:1": answered by "provenance" from "inspect app:1: Config.Labels";
        // The labels come with the list of images, which even the proxy gives: from a snapshot without them.
        Edited "spare:1": undetermined by "provenance" from "inspect spare:1: Config.Labels";
    }
    "DM09" "container/secrets-in-environment" {
        Careless "web": open by "env_secrets" from "inspect web: Config.Env";
        Hardened "app": answered by "env_secrets" from "inspect app: Config.Env";
        Refused "web": undetermined by "env_secrets" from "GET /containers/json";
    }
    "DM09" "image/embedded-secrets" {
        Careless "careless:1": open by "history_secrets" from "GET /images/ID/history";
        Hardened "app:1": answered by "history_secrets" from "GET /images/ID/history";
        Careless "imported:1": undetermined by "history_secrets" from "GET /images/ID/history";
    }
    "DM09" "client/credentials-in-plain-text" {
        Careless "root": open by "plain_credentials" from "/root/.docker/config.json";
        Hardened "root": answered by "plain_credentials" from "/root/.docker/config.json";
        Careless "bob": undetermined by "plain_credentials" from "/root/bob/.docker/config.json";
    }
    "DM10" "container/flood-starves-others" {
        Careless "web": open by "pids_limit" from "pids.max";
        Hardened "app": answered by "pids_limit" from "pids.max";
        Refused "web": undetermined by "pids_limit" from "GET /containers/json";
    }
    "DM10" "container/restart-storm" {
        Careless "web": open by "restart_policy" from "inspect web: HostConfig.RestartPolicy";
        Hardened "app": answered by "restart_policy" from "inspect app: HostConfig.RestartPolicy";
    }
    // This machine starts no privileged container: it was created only, and would be one on its start.
    "DM11" "container/privileged" {
        Careless "privileged": open by "equal_to_root" from "its other facts";
        Hardened "app": answered by "equal_to_root" from "its other facts";
        Refused "privileged": undetermined by "equal_to_root" from "its other facts";
    }
    "DM12" "image/known-vulnerabilities" {
        Careless "careless:1": open by "vulnerabilities_fixable" from "evidence trivy.json";
        Hardened "app:1": answered by "vulnerabilities_fixable" from "evidence trivy.json";
        Careless "imported:1": undetermined by "vulnerabilities_fixable" from "--evidence";
    }
    "DM13" "daemon/api-unauthenticated" {
        Careless "daemon": open by "listeners" from "the daemon's sockets";
        Hardened "daemon": answered by "listeners" from "the daemon's sockets";
        Refused "daemon": undetermined by "listeners" from "the daemon's sockets";
        Nobody "daemon": undetermined by "listeners" from "the daemon's sockets";
    }
    "DM13" "container/engine-socket-mounted" {
        Careless "web": open by "runtime_sockets" from "inspect web: Mounts";
        Hardened "app": answered by "runtime_sockets" from "inspect app: Mounts";
        Refused "web": undetermined by "runtime_sockets" from "GET /containers/json";
    }
    "DM13" "daemon/socket-open-to-others" {
        Careless "/docker.sock": open by "mode" from "/docker.sock";
        Hardened "/docker.sock": answered by "mode" from "/docker.sock";
    }
    "DM14" "container/host-network" {
        Careless "agent": open by "host_network" from "inspect agent: HostConfig.NetworkMode";
        Hardened "app": answered by "host_network" from "inspect app: HostConfig.NetworkMode";
        Refused "agent": undetermined by "host_network" from "GET /containers/json";
    }
    "DM14" "container/published-on-every-address" {
        Careless "Anybody on the local network → web": open by "ports" from "inspect web: NetworkSettings.Ports";
    }
    "DM15" "container/sensitive-mount" {
        Careless "web": open by "sensitive_mounts" from "inspect web: Mounts";
        Hardened "app": answered by "sensitive_mounts" from "inspect app: Mounts";
        Refused "web": undetermined by "sensitive_mounts" from "GET /containers/json";
    }
    "DM15" "volume/shared-across-containers" {
        Hardened "data": answered by "used_by" from "mounts of all containers";
        Refused "shared": undetermined by "used_by" from "mounts of all containers";
    }
    "DM15" "volume/hides-host-directory" {
        Careless "hides": open by "binds" from "GET /volumes: Options";
    }
    "DM16" "container/dangerous-capability" {
        Careless "agent": open by "capabilities" from "CapBnd";
        Hardened "app": answered by "capabilities" from "CapBnd";
        Refused "agent": undetermined by "capabilities" from "GET /containers/json";
    }
    // No security module is in force on this machine.
    "DM16" "container/no-access-control-profile" {
        Careless "web": open by "apparmor" from "GET /info: SecurityOptions";
        Edited "app": answered by "apparmor" from "inspect app";
    }
    // A distribution's build, of which the table of flaws does not know what was mended.
    "DM16" "daemon/engine-or-runtime-flaw" {
        Careless "daemon": undetermined by "engine_flaws" from "its version against the table";
    }
    "DM17" "host/sudo-gives-root" {
        Careless "host": open by "sudo_docker" from "/etc/sudoers";
        Hardened "host": answered by "sudo_docker" from "/etc/sudoers";
        Refused "host": undetermined by "sudo_docker" from "the host";
        Nobody "host": undetermined by "sudo_docker" from "";
    }
    "DM17" "host/ssh-login-guessed" {
        Careless "host": open by "ssh_password" from "/etc/ssh/sshd_config";
        Hardened "host": answered by "ssh_password" from "/etc/ssh/sshd_config";
        Refused "host": undetermined by "sshd_installed" from "the host";
    }
    "DM18" "container/writable-root" {
        Careless "web": open by "readonly_rootfs" from "mountinfo";
        Hardened "app": answered by "readonly_rootfs" from "mountinfo";
        Refused "web": undetermined by "readonly_rootfs" from "GET /containers/json";
    }
    // The kernel's audit rules are one table for the whole machine, which other tests change: from a snapshot with them.
    "DM19" "host/image-deployed-without-trace" {
        Careless "host": open by "log_central" from "the log driver and its options";
        Edited "host": answered by "audited" from "audit netlink";
        Refused "host": undetermined by "audit_enabled" from "the host";
    }
    "DM20" "container/host-information-disclosed" {
        Careless "agent": open by "host_pid" from "inspect agent: HostConfig.PidMode";
        Hardened "app": answered by "host_pid" from "inspect app: HostConfig.PidMode";
        Refused "agent": undetermined by "host_pid" from "GET /containers/json";
    }
    "DM21" "daemon/containers-started-without-bounds" {
        Careless "daemon": open by "cgroup_parent" from "daemon.json";
        Hardened "daemon": answered by "default_ulimits" from "daemon.json";
        Refused "daemon": undetermined by "default_ulimits" from "default-ulimits";
    }
    "DM22" "client/machine-compromised" {
        Careless "root": open by "plain_credentials" from "/root/.docker/config.json";
        Hardened "root": answered by "plain_credentials" from "/root/.docker/config.json";
        // His configuration is not JSON.
        Careless "bob": undetermined by "plain_credentials" from "/root/bob/.docker/config.json";
    }
    "DM23" "daemon/authorization-all-or-nothing" {
        Careless "daemon": open by "authorization_plugins" from "GET /info";
        Hardened "daemon": answered by "socket_mounted_by" from "mounts of all containers";
        Refused "daemon": undetermined by "authorization_plugins" from "authorization-plugins";
    }
    "DM24" "daemon/api-flooded" {
        Careless "daemon": open by "listeners" from "the daemon's sockets";
        Hardened "daemon": answered by "listeners" from "the daemon's sockets";
        Refused "daemon": undetermined by "listeners" from "the daemon's sockets";
    }
    "DM25" "container/setuid-regains-root" {
        Careless "web": open by "no_new_privileges" from "NoNewPrivs";
        Hardened "app": answered by "no_new_privileges" from "NoNewPrivs";
        Refused "web": undetermined by "no_new_privileges" from "GET /containers/json";
    }
    "DM25" "image/setuid-files" {
        Hardened "app:1": answered by "setuid_files" from "GET /images/ID/get";
        Refused "careless:1": undetermined by "setuid_files" from "GET /images/json";
    }
};
