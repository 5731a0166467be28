//! The program as a plugin of kubectl and of the docker CLI: by its name `kubectl-seaworthy` or `docker-seaworthy` it answers
//! `kubectl seaworthy` and `docker seaworthy`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;

/// What the docker CLI asks a plugin for before anything else.
const METADATA: &str = "docker-cli-plugin-metadata";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Called {
    /// Parse this line.
    Line(Vec<OsString>),
    /// Print this: who the plugin is.
    Metadata(String),
}

/// The line as the program knows it, from the line as whoever called gave it.
///
/// # Errors
/// An option of the docker CLI that has no meaning here.
pub fn called(line: impl Iterator<Item = OsString>) -> Result<Called> {
    let mut line: Vec<OsString> = line.collect();
    let name = line.first().and_then(|program| Path::new(program).file_name()).and_then(OsStr::to_str);
    match name {
        Some("kubectl-seaworthy") => {
            line[0] = "kubectl seaworthy".into();
            Ok(Called::Line(line))
        }
        Some("docker-seaworthy") => of_docker(line.split_off(1)),
        _ => Ok(Called::Line(line)),
    }
}

/// The docker CLI hands on its own line: its options, the plugin's name, what follows.
fn of_docker(words: Vec<OsString>) -> Result<Called> {
    let mut words = words.into_iter();
    let (mut engine, mut is_help): (Vec<OsString>, bool) = (Vec::new(), false);
    let mut line = vec![OsString::from("docker seaworthy")];
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        let (option, value) = text.split_once('=').map_or((text, None), |(option, value)| (option, Some(value.into())));
        let mut value = || value.clone().or_else(|| words.next()).unwrap_or_default();
        match option {
            METADATA => return Ok(Called::Metadata(metadata())),
            "seaworthy" => break,
            "help" => is_help = true,
            "-H" | "--host" => engine.extend(["--docker".into(), value()]),
            "-c" | "--context" => engine.extend(["--docker-context".into(), value()]),
            "-l" | "--log-level" => drop(value()),
            "-D" | "--debug" => {}
            "--config" => bail!("docker --config is not known to a plugin: set DOCKER_CONFIG"),
            _ if option.starts_with("--tls") => {
                bail!(
                    "docker {option} is not known to a plugin: use a context, or DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"
                )
            }
            // Called by its own path, not by the docker CLI.
            _ => {
                line.push(word);
                break;
            }
        }
    }
    line.extend(words);
    line.extend(engine);
    if is_help {
        line.push("--help".into());
    }
    Ok(Called::Line(line))
}

fn metadata() -> String {
    let about = "Model the threats to this host, audit it and harden it";
    json!({
        "SchemaVersion": "0.1.0",
        "Vendor": "Seaworthy",
        "Version": env!("CARGO_PKG_VERSION"),
        "ShortDescription": about,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<String> {
        let words = text.split(' ').map(OsString::from);
        called(words).map(|called| match called {
            Called::Line(line) => line.join(OsStr::new(" ")).into_string().unwrap(),
            Called::Metadata(text) => text,
        })
    }

    #[test]
    fn a_line_is_what_the_program_itself_would_be_given() {
        for (given, expected) in [
            ("seaworthy audit", "seaworthy audit"),
            ("/usr/bin/seaworthy --docker x", "/usr/bin/seaworthy --docker x"),
            ("/opt/kubectl-seaworthy audit -", "kubectl seaworthy audit -"),
            ("/x/docker-seaworthy seaworthy audit --all", "docker seaworthy audit --all"),
            ("docker-seaworthy -H tcp://h:1 -D seaworthy audit", "docker seaworthy audit --docker tcp://h:1"),
            (
                "docker-seaworthy --context=far -l debug seaworthy assess",
                "docker seaworthy assess --docker-context far",
            ),
            ("docker-seaworthy help seaworthy audit", "docker seaworthy audit --help"),
            ("docker-seaworthy audit k.yaml", "docker seaworthy audit k.yaml"),
            ("docker-seaworthy seaworthy audit -H", "docker seaworthy audit -H"),
        ] {
            assert_eq!(line(given).unwrap(), expected, "{given}");
        }
        assert!(line("docker-seaworthy --config x seaworthy audit").unwrap_err().to_string().contains("DOCKER_CONFIG"));
        assert!(line("docker-seaworthy --tlsverify seaworthy audit").unwrap_err().to_string().contains("a context"));
        assert!(line("docker-seaworthy docker-cli-plugin-metadata").unwrap().contains("SchemaVersion"));
    }
}
