//! A container that only ends: the smallest proof that an engine can run one.

use std::time::Duration;

use serde_json::{Value, json};

use super::candidate::Part;
use crate::engine::{Engine, segment};

/// How long the engine may take over each step. One with an unknown log driver takes 15 s to say so.
const STEP: Duration = Duration::from_secs(90);

const IMAGE: &str = "seaworthy-canary:shadow";

/// What x86-64 runs, with Linux's numbers: `mov eax, 60 (exit); xor edi, edi; syscall`.
const X86_64: (u16, &[u8]) = (62, &[0xb8, 0x3c, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05]);

/// What AArch64 runs: `mov x8, #93 (exit); mov x0, #0; svc #0`.
const AARCH64: (u16, &[u8]) = (183, &[0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 0x01, 0, 0, 0xd4]);

/// Whether there is a program for this machine.
pub(super) fn is_known() -> bool {
    program(std::env::consts::ARCH).is_some()
}

/// A static program that ends with 0: an ELF header, one segment (the whole file, read and executed), a few instructions.
fn program(arch: &str) -> Option<Vec<u8>> {
    let (machine, code) = match arch {
        "x86_64" => X86_64,
        "aarch64" => AARCH64,
        _ => return None,
    };
    /// Where the segment lies in memory; the code comes after the two headers.
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let size = HEADERS + code.len() as u64;
    // e_ident: 64 bits, little-endian, version 1, System V.
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |elf: &mut Vec<u8>, n: u16| elf.extend(n.to_le_bytes());
    let word = |elf: &mut Vec<u8>, n: u32| elf.extend(n.to_le_bytes());
    let long = |elf: &mut Vec<u8>, n: u64| elf.extend(n.to_le_bytes());
    half(&mut elf, 2); // e_type: an executable
    half(&mut elf, machine);
    word(&mut elf, 1); // e_version
    long(&mut elf, BASE + HEADERS); // e_entry
    long(&mut elf, 64); // e_phoff
    long(&mut elf, 0); // e_shoff: no sections
    word(&mut elf, 0); // e_flags
    for n in [64, 56, 1, 64, 0, 0] {
        half(&mut elf, n); // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
    }
    word(&mut elf, 1); // p_type: load
    word(&mut elf, 5); // p_flags: read, execute
    for n in [0, BASE, BASE, size, size, 0x1_0000] {
        long(&mut elf, n); // p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
    }
    elf.extend(code);
    Some(elf)
}

/// An image of that one file.
fn image() -> std::io::Result<Vec<u8>> {
    let program = program(std::env::consts::ARCH).ok_or(std::io::ErrorKind::Unsupported)?;
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, "canary", program.as_slice())?;
    tar.into_inner()
}

/// Runs it with the engine's defaults and waits until it has ended.
///
/// # Errors
/// One line: what the engine or the container did not do.
pub(super) fn sing(engine: &Engine, part: &Part) -> Result<(), String> {
    let tar = image().map_err(|error| format!("the canary's image: {error}"))?;
    let import = "/images/create?fromSrc=-&repo=seaworthy-canary&tag=shadow";
    let answer = engine.upload(import, tar, STEP).map_err(|f| f.0)?;
    // A stream: a failure comes in a good answer.
    let said = answer.body.to_string();
    if !answer.is_good() || said.contains("errorDetail") {
        return Err(format!("no image can be imported: {}", answer.message()));
    }
    let sung = verse(engine, &body(part));
    // A profile that forbids too much has as many faces as there are system calls.
    match (&sung, &part.profile) {
        (Err(why), Some(profile)) => {
            let mut free = body(part);
            free["HostConfig"]["SecurityOpt"] = json!(["seccomp=unconfined"]);
            match verse(engine, &free) {
                Ok(()) => Err(format!("the seccomp profile {profile} forbids too much: {why}")),
                Err(_) => sung,
            }
        }
        _ => sung,
    }
}

/// One container from its creation to its end.
fn verse(engine: &Engine, body: &Value) -> Result<(), String> {
    let made = ask(engine, "no container can be created", "/containers/create", Some(body))?;
    let id = made["Id"].as_str().map(segment).ok_or("the engine names no container")?;
    ask(engine, "no container starts", &format!("/containers/{id}/start"), None)?;
    let ended = ask(engine, "a container does not end", &format!("/containers/{id}/wait"), None)?;
    match ended["StatusCode"].as_i64() {
        Some(0) => Ok(()),
        Some(code) => Err(format!("a container that only ends ended with {code}")),
        None => Err("the engine does not say how a container ended".into()),
    }
}

fn body(part: &Part) -> Value {
    let mut host = json!({});
    if part.plain_log {
        host["LogConfig"] = json!({ "Type": "json-file", "Config": {} });
    }
    if !part.network {
        return json!({ "Image": IMAGE, "Cmd": ["/canary"], "HostConfig": host });
    }
    // A published port brings the userland proxy and the firewall's rules in.
    host["PortBindings"] = json!({ "1/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "" }] });
    json!({ "Image": IMAGE, "Cmd": ["/canary"], "ExposedPorts": { "1/tcp": {} }, "HostConfig": host })
}

fn ask(engine: &Engine, trouble: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
    let answer = engine.send("POST", path, body, STEP).map_err(|f| format!("{trouble}: {f}"))?;
    if answer.is_good() {
        Ok(answer.body)
    } else {
        Err(format!("{trouble}: {}", super::words::tidy(&answer.message())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canary_of_this_machine_runs_and_ends_well() {
        use std::os::unix::fs::PermissionsExt as _;
        let Some(program) = program(std::env::consts::ARCH) else { return };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("canary");
        std::fs::write(&path, program).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        // Another test's fork may hold the file open for writing for a moment.
        let status = (0..100).find_map(|_| match std::process::Command::new(&path).status() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(20));
                None
            }
            other => Some(other),
        });
        assert!(status.unwrap().unwrap().success());
    }

    #[test]
    fn both_programs_are_what_their_comments_say() {
        let entry = |elf: &[u8]| u64::from_le_bytes(elf[24..32].try_into().unwrap()) - 0x40_0000;
        let x86 = program("x86_64").unwrap();
        assert_eq!((x86[18], entry(&x86), x86.len()), (62, 120, 129));
        let arm = program("aarch64").unwrap();
        assert_eq!((arm[18], entry(&arm), arm.len()), (183, 120, 132));
        // MOVZ Xd, #imm: 1 10 100101 00 imm16 Rd; SVC #imm: 11010100 000 imm16 00001.
        let movz = |register: u32, value: u32| 0xd280_0000 | value << 5 | register;
        let words: Vec<u32> = arm[120..].chunks(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
        assert_eq!(words, [movz(8, 93), movz(0, 0), 0xd400_0001]);
        // MOV r32, imm32: B8+r; XOR r/m32, r32: 31 /r with edi, edi; SYSCALL: 0F 05.
        assert_eq!(x86[120..], [0xb8, 60, 0, 0, 0, 0x31, 0b11_111_111, 0x0f, 0x05]);
        assert!(program("riscv64").is_none());
    }
}
