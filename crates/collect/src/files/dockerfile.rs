//! What a Dockerfile says, with line and column.

use std::collections::HashMap;
use std::ops::Range;

use parse_dockerfile::{Command, HealthcheckArguments, Instruction, RunInstruction, Source as From, UnescapedString};
use seaworthy_core::value::Value;

use super::expand::{Known, Scope, assignments};
use super::heredoc::{self, Masked};
use super::place::{Lines, Places, cut};
use super::shell::{joined, makes_account, pipes_to_shell, runs_here_doc};
use crate::docker::container::{image_reference, user_number};
use crate::docker::history::{file_name, is_remote, is_unverified, pairs, updates_alone, within};
use crate::redact::{LengthBucket, MOST_SCANNED, Redactor};

/// The most stages of a file; the longest that people write have some dozen.
const MOST_STAGES: usize = 1000;

/// The most images that a file names.
const MOST_BASES: usize = 4096;

/// The facts of a file by name, or why there are none.
///
/// # Errors
/// In one line: where the syntax is wrong, or what there is too much of.
pub(super) fn facts(text: &str, redactor: &Redactor) -> Result<Vec<(&'static str, Value)>, String> {
    let masked = heredoc::mask(text)?;
    let file = parse_dockerfile::parse(&masked.text).map_err(|why| {
        let why = redactor.text(&why.to_string()).replace(char::is_control, " ");
        format!("it is no Dockerfile: {}", cut(&why))
    })?;
    if file.stages().len() > MOST_STAGES {
        return Err(format!("it has more than {MOST_STAGES} stages"));
    }
    let escape = file.parser_directives.escape.as_ref().map_or('\\', |directive| directive.value.value);
    let mut reading = Reading::new(text, &masked, redactor, escape);
    for argument in file.global_args() {
        reading.global.arg(&argument.arguments.value, escape, None);
        reading.argument(&argument.arguments, argument.arg.span.start);
    }
    for stage in file.stages() {
        reading.from(stage.from);
        for instruction in stage.instructions {
            reading.instruction(instruction, false);
        }
    }
    let syntax =
        file.parser_directives.syntax.as_ref().map(|directive| cut(&redactor.text(directive.value.value)).to_owned());
    Ok(reading.facts(syntax))
}

/// What a stage is built from.
enum Ground {
    /// Nothing.
    Scratch,
    /// An earlier stage.
    Stage(usize),
    /// An image, by name.
    Image(String),
}

struct Stage {
    ground: Ground,
    scope: Scope,
    user: Option<Known>,
    healthcheck: Option<bool>,
    ports: Vec<(Known, Range<usize>)>,
    /// The commands that it runs.
    runs: Vec<String>,
}

struct Reading<'t> {
    lines: Lines<'t>,
    text: &'t str,
    masked: &'t Masked,
    redactor: &'t Redactor,
    escape: char,
    global: Scope,
    stages: Vec<Stage>,
    names: HashMap<String, usize>,
    bases: Vec<Value>,
    adds: Places,
    remote_adds: Places,
    /// Why one of the sources of an ADD is not known.
    remote_open: Option<String>,
    updates_alone: Places,
    unverified_fetches: Places,
    piped_scripts: Places,
    secrets: Places,
    secret_mounts: Places,
}

impl<'t> Reading<'t> {
    fn new(text: &'t str, masked: &'t Masked, redactor: &'t Redactor, escape: char) -> Self {
        Self {
            lines: Lines::of(text),
            text,
            masked,
            redactor,
            escape,
            global: Scope::default(),
            stages: Vec::new(),
            names: HashMap::new(),
            bases: Vec::new(),
            adds: Places::default(),
            remote_adds: Places::default(),
            remote_open: None,
            updates_alone: Places::default(),
            unverified_fetches: Places::default(),
            piped_scripts: Places::default(),
            secrets: Places::default(),
            secret_mounts: Places::default(),
        }
    }

    fn place(&self, span: &Range<usize>) -> Value {
        self.lines.place(span, self.redactor)
    }

    /// Begins a stage.
    fn from(&mut self, from: &parse_dockerfile::FromInstruction<'_>) {
        let image = self.global.expand(&from.image.value, self.escape);
        let ground = match &image {
            Ok(name) if name.eq_ignore_ascii_case("scratch") => Ground::Scratch,
            Ok(name) => match self.names.get(&name.to_ascii_lowercase()) {
                Some(stage) => Ground::Stage(*stage),
                None => Ground::Image(name.clone()),
            },
            Err(_) => Ground::Image(from.image.value.clone().into_owned()),
        };
        self.base(from.from.span.start, image, "from");
        let scope = match &ground {
            Ground::Stage(stage) => self.stages[*stage].scope.kept(),
            Ground::Scratch => Scope::default(),
            Ground::Image(_) => Scope::of_image(),
        };
        if let Some((_, name)) = &from.as_ {
            self.names.insert(name.value.to_ascii_lowercase(), self.stages.len());
        }
        let (ports, runs) = (Vec::new(), Vec::new());
        self.stages.push(Stage { ground, scope, user: None, healthcheck: None, ports, runs });
    }

    /// An image that is built or copied from.
    fn base(&mut self, at: usize, image: Known, usage: &'static str) {
        let (image, reference) = match image {
            Ok(name) => {
                let number = name.parse::<usize>().ok().filter(|n| usage != "from" && *n < self.stages.len());
                let reference = if number.is_some() || self.names.contains_key(&name.to_ascii_lowercase()) {
                    "stage"
                } else if name.eq_ignore_ascii_case("scratch") {
                    "scratch"
                } else {
                    image_reference(&name, "")
                };
                (cut(&self.redactor.text(&name)).into(), reference.into())
            }
            Err(why) => (Value::unknown(why.as_str()), Value::unknown(why.as_str())),
        };
        let mut fields = self.lines.fields(at).to_vec();
        fields.extend([("image", image), ("reference", reference), ("use", usage.into())]);
        self.bases.push(Value::Object(fields));
    }

    fn stage(&mut self) -> Option<&mut Stage> {
        self.stages.last_mut()
    }

    fn expand(&self, text: &str) -> Known {
        self.stages.last().map_or(&self.global, |stage| &stage.scope).expand(text, self.escape)
    }

    /// One instruction; what `ONBUILD` holds happens in other builds.
    fn instruction(&mut self, instruction: &Instruction<'_>, later: bool) {
        let escape = self.escape;
        match instruction {
            Instruction::Arg(arg) => {
                if let Some(stage) = self.stages.last_mut().filter(|_| !later) {
                    stage.scope.arg(&arg.arguments.value, escape, Some(&self.global));
                }
                self.argument(&arg.arguments, arg.arg.span.start);
            }
            Instruction::Env(env) => {
                if let Some(stage) = self.stage().filter(|_| !later) {
                    stage.scope.env(&env.arguments.value, escape);
                }
                self.variables("ENV", &env.arguments, env.env.span.start);
            }
            Instruction::Label(label) => self.variables("LABEL", &label.arguments, label.label.span.start),
            Instruction::User(user) => {
                let known = self.expand(&user.arguments.value);
                if let Some(stage) = self.stage().filter(|_| !later) {
                    stage.user = Some(known);
                }
            }
            Instruction::Healthcheck(check) => {
                let on = !matches!(check.arguments, HealthcheckArguments::None { .. });
                if let Some(stage) = self.stage().filter(|_| !later) {
                    stage.healthcheck = Some(on);
                }
            }
            Instruction::Expose(expose) => {
                let end = expose.arguments.last().map_or(expose.expose.span.end, |last| last.span.end);
                let span = expose.expose.span.start..end;
                let ports: Vec<_> =
                    expose.arguments.iter().map(|port| (self.expand(&port.value), span.clone())).collect();
                if let Some(stage) = self.stage().filter(|_| !later) {
                    stage.ports.extend(ports);
                }
            }
            Instruction::Run(run) => self.run(run, later),
            Instruction::Add(add) => self.add(add),
            Instruction::Copy(copy) => self.copy(copy),
            Instruction::Onbuild(onbuild) => self.instruction(&onbuild.instruction, true),
            Instruction::Cmd(cmd) => self.command("CMD", &cmd.arguments, cmd.cmd.span.start),
            Instruction::Entrypoint(entry) => {
                self.command("ENTRYPOINT", &entry.arguments, entry.entrypoint.span.start);
            }
            _ => {}
        }
    }

    fn secret(&mut self, at: usize, name: &str, class: &str, length: &'static str) {
        let mut fields = self.lines.fields(at).to_vec();
        fields.extend([("name", cut(name).into()), ("class", class.into()), ("length", length.into())]);
        self.secrets.add(Value::Object(fields));
    }

    /// Secrets that stand in a text.
    fn searched(&mut self, at: usize, label: &str, text: &str) {
        let mut rest = text;
        // The redactor looks at the beginning of what it is given.
        while !rest.is_empty() {
            let part = within(rest, MOST_SCANNED);
            let end = part.rfind('\n').filter(|_| part.len() < rest.len()).map_or(part.len(), |at| at + 1);
            for hit in self.redactor.secrets_in(&rest[..end]) {
                let name = hit.name.map_or_else(|| label.to_owned(), |name| format!("{label}: {name}"));
                self.secret(at, &name, hit.class.name(), hit.length.name());
            }
            rest = &rest[end..];
        }
    }

    /// An ARG: a default that is a secret, or a name that says that one is to be given, which the history would keep.
    fn argument(&mut self, arguments: &UnescapedString<'_>, at: usize) {
        for (name, value) in assignments(&arguments.value) {
            let value = value.unwrap_or_default();
            let variable = self.redactor.env(&format!("{name}={value}"));
            let is_open = value.is_empty() || value.contains('$');
            let class = variable.secret.or_else(|| self.redactor.named(&name).filter(|_| is_open));
            if let Some(class) = class {
                self.secret(at, &format!("ARG: {}", variable.name), class.name(), variable.length.name());
            }
        }
    }

    /// The pairs of ENV and LABEL.
    fn variables(&mut self, label: &str, arguments: &UnescapedString<'_>, at: usize) {
        let is_old = arguments.value.split_whitespace().next().is_some_and(|first| !first.contains('='));
        let all = if is_old {
            pairs(&arguments.value)
        } else {
            let with_value = assignments(&arguments.value).into_iter();
            with_value.map(|(name, value)| format!("{name}={}", value.unwrap_or_default())).collect()
        };
        for pair in all {
            let variable = self.redactor.env(&pair);
            let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
            // A secret argument that becomes a variable stays in the image.
            let class = variable.secret.or_else(|| self.redactor.named(name).filter(|_| value.contains('$')));
            if let Some(class) = class {
                self.secret(at, &format!("{label}: {}", variable.name), class.name(), variable.length.name());
            }
            if label == "ENV" && is_unverified(&pair) {
                self.unverified_fetches.add(self.lines.place(&(at..arguments.span.end), self.redactor));
            }
        }
    }

    fn command(&mut self, label: &str, command: &Command<'_>, at: usize) {
        let (text, _) = self.words(command);
        self.searched(at, label, &text);
    }

    /// The text of a command, and where it ends.
    fn words(&self, command: &Command<'_>) -> (String, usize) {
        match command {
            Command::Exec(words) => {
                let text: Vec<&str> = words.value.iter().map(|word| &*word.value).collect();
                (text.join(" "), words.span.end)
            }
            Command::Shell(text) => {
                // As it was before here-documents were taken out.
                let written = self.text.get(text.span.clone()).unwrap_or(text.value);
                (joined(written, self.escape).trim_end().to_owned(), text.span.end)
            }
            _ => (String::new(), 0),
        }
    }

    fn run(&mut self, run: &RunInstruction<'_>, later: bool) {
        let at = run.run.span.start;
        let (command, end) = self.words(&run.arguments);
        let span = at..end;
        for option in &run.options {
            let value = option.value.as_ref().map_or("", |value| &value.value);
            if option.name.value != "mount" {
                continue;
            }
            let part = |key: &str| value.split(',').find_map(|part| part.strip_prefix(key));
            if matches!(part("type="), Some("secret" | "ssh")) {
                self.secret_mounts.add(self.place(&span));
            }
            if let Some(from) = part("from=") {
                self.base(at, self.expand(from), "mount");
            }
        }
        let mut script = command.clone();
        for doc in self.masked.of(at) {
            let doc = &self.text[doc.clone()];
            if runs_here_doc(&command) {
                script.push('\n');
                script.push_str(&joined(doc, '\\'));
            }
            self.searched(at, "RUN", doc);
        }
        self.searched(at, "RUN", &command);
        if updates_alone(&script) {
            self.updates_alone.add(self.place(&span));
        }
        if is_unverified(&script) {
            self.unverified_fetches.add(self.place(&span));
        }
        if pipes_to_shell(&script) {
            self.piped_scripts.add(self.place(&span));
        }
        if let Some(stage) = self.stage().filter(|_| !later) {
            stage.runs.push(script);
        }
    }

    fn add(&mut self, add: &parse_dockerfile::AddInstruction<'_>) {
        let span = add.add.span.start..add.dest.span.end;
        let has_checksum = add.options.iter().any(|option| option.name.value == "checksum");
        let (mut local, mut remote) = (false, false);
        for source in &add.src {
            match source {
                From::Path(path) => {
                    let known = self.expand(&path.value);
                    let name = known.as_deref().unwrap_or(&path.value);
                    // The destination is no part of it.
                    if is_remote(&format!("{name} /")) || is_repository(name) {
                        remote |= !has_checksum && !names_commit(name);
                    } else if let Err(why) = &known
                        && path.value.starts_with('$')
                    {
                        self.remote_open.get_or_insert_with(|| why.clone());
                        local = true;
                    } else {
                        self.key_file(span.start, "ADD", name);
                        local |= !self.is_root_system(name, &add.dest.value);
                    }
                }
                From::HereDoc(doc) => {
                    local = true;
                    self.searched(span.start, "ADD", &doc.value);
                }
                _ => {}
            }
        }
        if local {
            self.adds.add(self.place(&span));
        }
        if remote {
            self.remote_adds.add(self.place(&span));
        }
    }

    /// An image from scratch begins with the archive of its root file system, which no COPY could unpack.
    fn is_root_system(&self, source: &str, destination: &str) -> bool {
        const ARCHIVES: [&str; 10] =
            [".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz", ".tbz2", ".tar.zst", ".tzst"];
        let from_scratch = self.stages.last().is_some_and(|stage| matches!(stage.ground, Ground::Scratch));
        from_scratch && destination == "/" && ARCHIVES.iter().any(|ending| source.ends_with(ending))
    }

    fn copy(&mut self, copy: &parse_dockerfile::CopyInstruction<'_>) {
        let at = copy.copy.span.start;
        let from =
            copy.options.iter().find(|option| option.name.value == "from").and_then(|option| option.value.as_ref());
        if let Some(from) = from {
            self.base(at, self.expand(&from.value), "copy");
        }
        for source in &copy.src {
            match source {
                From::Path(path) if from.is_none() => self.key_file(at, "COPY", &path.value),
                From::HereDoc(doc) => self.searched(at, "COPY", &doc.value),
                _ => {}
            }
        }
    }

    /// A file that by its name surely holds a key or a password.
    fn key_file(&mut self, at: usize, label: &str, path: &str) {
        const NAMES: [&str; 9] = [
            "id_rsa",
            "id_dsa",
            "id_ecdsa",
            "id_ed25519",
            ".netrc",
            ".git-credentials",
            ".pgpass",
            ".pypirc",
            ".dockercfg",
        ];
        const ENDINGS: [&str; 7] =
            [".key", ".p12", ".pfx", ".kdbx", ".aws/credentials", ".docker/config.json", ".kube/config"];
        if NAMES.contains(&file_name(path)) || ENDINGS.iter().any(|ending| path.ends_with(ending)) {
            let name = format!("{label}: {}", self.redactor.text(path));
            self.secret(at, &name, "key file", LengthBucket::of(0).name());
        }
    }

    /// The last stage and those that it is built from.
    fn chain(&self) -> Vec<&Stage> {
        let mut chain = Vec::new();
        let mut next = self.stages.last();
        while let Some(stage) = next {
            chain.push(stage);
            next = match stage.ground {
                Ground::Stage(index) => self.stages.get(index),
                Ground::Scratch | Ground::Image(_) => None,
            };
        }
        chain
    }

    fn facts(self, syntax: Option<String>) -> Vec<(&'static str, Value)> {
        let chain = self.chain();
        let open = |what: &str| match chain.last().map(|stage| &stage.ground) {
            Some(Ground::Image(name)) => {
                Some(format!("no {what} is set, and the base image {} may set one", cut(&self.redactor.text(name))))
            }
            _ => None,
        };
        let user = chain.iter().find_map(|stage| stage.user.clone());
        let user = user.unwrap_or_else(|| open("USER").map_or_else(|| Ok(String::new()), Err));
        let runs = || chain.iter().flat_map(|stage| &stage.runs);
        let root_user = user.as_ref().map_err(Clone::clone).and_then(|user| match user_number(user) {
            Some(number) => Ok(number == 0),
            None => {
                let name = user.split(':').next().unwrap_or(user);
                let is_made = runs().any(|run| makes_account(run, name));
                let name = self.redactor.text(name);
                is_made
                    .then_some(false)
                    .ok_or_else(|| format!("the user {} is a name whose number stands in the base image", cut(&name)))
            }
        });
        let healthcheck = chain.iter().find_map(|stage| stage.healthcheck);
        let healthcheck = healthcheck.map_or_else(|| open("HEALTHCHECK").map_or(Ok(false), Err), Ok);
        let ports: Vec<&(Known, Range<usize>)> =
            chain.iter().rev().flat_map(|stage| &stage.ports).take(MOST_BASES).collect();
        let (exposed, ssh) = self.ports(&ports);
        let [bases, unpinned, latest] = self.bases();
        let user = user.map(|user| cut(&self.redactor.text(&user)).to_owned());
        let stages = i64::try_from(self.stages.len()).unwrap_or(i64::MAX);
        let mut facts = vec![
            ("syntax", syntax.into()),
            ("stages", stages.into()),
            ("bases", bases),
            ("unpinned_bases", unpinned),
            ("latest_bases", latest),
            ("user", known(user)),
            ("root_user", known(root_user)),
            ("healthcheck", known(healthcheck)),
            ("exposed_ports", exposed),
            ("ssh_ports", ssh),
        ];
        let remote_adds = match (self.remote_adds.into_value(), self.remote_open) {
            (Value::List(found), Some(why)) if found.is_empty() => Value::unknown(why),
            (found, _) => found,
        };
        facts.extend([
            ("adds", self.adds.into_value()),
            ("remote_adds", remote_adds),
            ("updates_alone", self.updates_alone.into_value()),
            ("unverified_fetches", self.unverified_fetches.into_value()),
            ("piped_scripts", self.piped_scripts.into_value()),
            ("secrets", self.secrets.into_value()),
            ("secret_mounts", self.secret_mounts.into_value()),
        ]);
        facts
    }

    /// The images that are named, those of them without a digest, and those that are taken as latest.
    fn bases(&self) -> [Value; 3] {
        if self.bases.len() > MOST_BASES {
            let too_many = Value::unknown(format!("it names more than {MOST_BASES} images"));
            return [too_many.clone(), too_many.clone(), too_many];
        }
        let by = |references: &[&str]| {
            let is_one = |base: &&Value| {
                base.field("reference").and_then(Value::as_str).is_some_and(|found| references.contains(&found))
            };
            let found: Vec<Value> = self.bases.iter().filter(is_one).cloned().collect();
            let open = self.bases.iter().filter_map(|base| base.field("reference").and_then(Value::reason)).next();
            match open {
                Some(reason) if found.is_empty() => Value::Unknown(reason.clone()),
                _ => Value::List(found),
            }
        };
        [Value::List(self.bases.clone()), by(&["tag", "latest", "id"]), by(&["latest"])]
    }

    /// The ports that are declared, and where one of them is SSH's.
    fn ports(&self, ports: &[&(Known, Range<usize>)]) -> (Value, Value) {
        let (mut exposed, mut ssh) = (Vec::new(), Places::default());
        let mut why_not = None;
        for (port, span) in ports {
            match port {
                Ok(port) => {
                    exposed.push(Value::from(cut(&self.redactor.text(port))));
                    if is_ssh(port) {
                        ssh.add(self.place(span));
                    }
                }
                Err(why) => why_not = Some(why.as_str()),
            }
        }
        let ssh = match (ssh.into_value(), why_not) {
            (Value::List(found), Some(why)) if found.is_empty() => Value::unknown(why),
            (found, _) => found,
        };
        (why_not.map_or_else(|| Value::List(exposed), Value::unknown), ssh)
    }
}

fn known<T: Into<Value>>(known: Result<T, String>) -> Value {
    known.map_or_else(Value::unknown, Into::into)
}

/// A repository that ADD clones.
fn is_repository(source: &str) -> bool {
    source.starts_with("git@")
        || source.split('#').next().is_some_and(|url| url.contains("://") && url.ends_with(".git"))
}

/// Whether a repository is named by its commit, which is as good as a checksum.
fn names_commit(source: &str) -> bool {
    let commit = source.split_once('#').map_or("", |(_, reference)| reference.split(':').next().unwrap_or(""));
    is_repository(source) && commit.len() >= 40 && commit.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether 22 is among the ports of an EXPOSE, also in a range.
fn is_ssh(port: &str) -> bool {
    let (numbers, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let number = |text: &str| text.trim().parse::<u16>().ok();
    protocol.eq_ignore_ascii_case("tcp") && number(first).zip(number(last)).is_some_and(|(a, b)| (a..=b).contains(&22))
}
