//! Documents of others: Trivy's and Grype's reports, CycloneDX, what `cosign verify` prints.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::bom;
use super::subject::Subject;
use super::tally::{Entry, Fix, Found, Grade, Summed, Tally};
use super::text::{Few, Flag, Part, Text};

/// One document of a file, whatever tool wrote it.
#[derive(Debug)]
pub(super) enum Document {
    /// An object: a report, or one verified signature.
    One(Box<Object>),
    /// A list: of verified signatures.
    Many(Few<Part<Signed>, 10_000>),
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Top;

        impl<'de> Visitor<'de> for Top {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a list")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Document, A::Error> {
                Object::deserialize(MapAccessDeserializer::new(map)).map(|o| Document::One(Box::new(o)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Document, A::Error> {
                Few::deserialize(SeqAccessDeserializer::new(list)).map(Document::Many)
            }
        }

        deserializer.deserialize_any(Top)
    }
}

/// What the formats have at their top, side by side; no two share a name with another meaning.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Object {
    #[serde(rename = "SchemaVersion")]
    schema_version: Option<u32>,
    #[serde(rename = "CreatedAt")]
    created_at: Text,
    #[serde(rename = "ArtifactName")]
    artifact_name: Text,
    #[serde(rename = "Trivy")]
    trivy: Part<Version>,
    #[serde(rename = "Metadata")]
    trivy_metadata: Part<TrivyMetadata>,
    #[serde(rename = "Results")]
    results: Option<Summed<TrivyResult>>,
    matches: Option<Summed<GrypeMatch>>,
    source: Part<GrypeSource>,
    descriptor: Part<GrypeDescriptor>,
    #[serde(rename = "bomFormat")]
    bom_format: Text,
    #[serde(rename = "specVersion")]
    spec_version: Text,
    metadata: Part<bom::Metadata>,
    vulnerabilities: Option<Summed<bom::Vulnerability>>,
    critical: Option<Part<Critical>>,
    optional: Part<Optional>,
}

/// A scan as its report tells it.
#[derive(Debug)]
pub(super) struct Scan {
    /// The tool and its version.
    pub(super) scanner: String,
    /// When it was made, as the report writes it; the older of the scan and its database where both are said.
    pub(super) dates: Vec<String>,
    pub(super) tally: Tally,
    /// Whether the distribution's support had ended; none where the report does not say.
    pub(super) os_ended: Option<bool>,
    /// Why the absence of a vulnerability in it proves nothing.
    pub(super) unproven: Option<&'static str>,
}

/// What one document says about one image.
#[derive(Debug)]
pub(super) enum Statement {
    /// These are its vulnerabilities.
    Scan(Box<Scan>),
    /// A signature of its digest was verified: whose.
    Signature(String),
}

impl Document {
    /// What it says.
    ///
    /// # Errors
    /// Which document this is not.
    pub(super) fn statements(self) -> Result<Vec<(Subject, Statement)>, String> {
        match self {
            Self::One(object) => object.statement().map(|statement| vec![statement]),
            Self::Many(signed) => {
                let signed: Vec<_> =
                    signed.0.into_iter().map(|s| s.0.statement()).collect::<Option<_>>().ok_or_else(no_format)?;
                if signed.is_empty() {
                    Err("it is an empty list: no signature was verified".to_owned())
                } else {
                    Ok(signed)
                }
            }
        }
    }
}

fn no_format() -> String {
    "neither a JSON report of Trivy or Grype, nor CycloneDX 1.4 to 1.6 in JSON, nor the JSON that cosign verify prints"
        .to_owned()
}

impl Object {
    fn statement(mut self) -> Result<(Subject, Statement), String> {
        if let Some(critical) = self.critical.take() {
            return Signed { critical, optional: self.optional }.statement().ok_or_else(no_format);
        }
        if self.bom_format.some() == Some("CycloneDX") {
            return match self.spec_version.some() {
                Some("1.4" | "1.5" | "1.6") => Ok(bom::statement(self.metadata.0, self.vulnerabilities)),
                Some(other) => Err(format!("CycloneDX {other}; 1.4, 1.5 and 1.6 are read")),
                None => Err(no_format()),
            };
        }
        if self.matches.is_some() && self.descriptor.0.name.some() == Some("grype") {
            return Ok(self.grype());
        }
        match self.schema_version {
            Some(2) => Ok(self.trivy()),
            Some(other) if self.artifact_name.some().is_some() => {
                Err(format!("a report of Trivy with schema {other}; 2 is read"))
            }
            _ => Err(no_format()),
        }
    }
}

pub(super) fn named(tool: &str, version: &Text) -> String {
    version.some().map_or_else(|| tool.to_owned(), |version| format!("{tool} {version}"))
}

pub(super) fn texts(texts: &[&Text]) -> Vec<String> {
    texts.iter().filter_map(|text| text.some()).map(str::to_owned).collect()
}

fn package(name: &Text, version: &Text) -> Box<str> {
    named(&name.0, version).into()
}

// Trivy, schema 2.

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Version {
    #[serde(rename = "Version")]
    version: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TrivyMetadata {
    #[serde(rename = "OS")]
    os: Part<TrivyOs>,
    #[serde(rename = "ImageID")]
    image_id: Text,
    repo_tags: Few<Text, 64>,
    repo_digests: Few<Text, 64>,
    image_config: Part<Platform>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TrivyOs {
    #[serde(rename = "Family")]
    family: Text,
    #[serde(rename = "EOSL")]
    eosl: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Platform {
    os: Text,
    architecture: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TrivyResult {
    #[serde(rename = "Class")]
    class: Text,
    #[serde(rename = "Vulnerabilities")]
    vulnerabilities: Summed<TrivyVulnerability>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TrivyVulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: Text,
    pkg_name: Text,
    installed_version: Text,
    fixed_version: Text,
    severity: Text,
}

impl Entry for TrivyResult {
    fn add_to(self, tally: &mut Tally) {
        tally.looked |= matches!(self.class.some(), Some("os-pkgs" | "lang-pkgs"));
        tally.looked_at_os |= self.class.some() == Some("os-pkgs");
        tally.merge(self.vulnerabilities.tally);
    }
}

impl Entry for TrivyVulnerability {
    fn add_to(self, tally: &mut Tally) {
        tally.add(Found {
            grade: Grade::of(&self.severity.0),
            fix: self.fixed_version.some().map_or(Fix::Nowhere, |version| Fix::In(version.into())),
            package: package(&self.pkg_name, &self.installed_version),
            id: self.id.0,
        });
    }
}

impl Object {
    fn trivy(self) -> (Subject, Statement) {
        let metadata = self.trivy_metadata.0;
        let mut subject = Subject::default();
        subject.config(&metadata.image_id.0);
        metadata.repo_digests.0.iter().for_each(|digest| subject.name(&digest.0));
        metadata.repo_tags.0.iter().for_each(|tag| subject.name(&tag.0));
        subject.name(&self.artifact_name.0);
        let platform = metadata.image_config.0;
        subject.platform(platform.os.some(), platform.architecture.some());
        let tally = self.results.unwrap_or_default().tally;
        let unproven = (!tally.looked && tally.is_empty())
            .then_some("it holds no result of a scan of packages (trivy image --scanners vuln)");
        // Where it knows the distribution, a scan of its packages has a result, also one without vulnerabilities.
        let unproven = unproven.or_else(|| {
            (metadata.os.0.family.some().is_some() && !tally.looked_at_os)
                .then_some("it leaves out the packages of the distribution (trivy image --pkg-types os,library)")
        });
        // Trivy writes EOSL only where it is true, and knows it only where it knows the distribution.
        let os = metadata.os.0;
        let os_ended = os.eosl.0.or_else(|| os.family.some().map(|_| false));
        let scan = Scan {
            scanner: named("Trivy", &self.trivy.0.version),
            dates: texts(&[&self.created_at]),
            tally,
            os_ended,
            unproven,
        };
        (subject, Statement::Scan(Box::new(scan)))
    }
}

// Grype.

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeSource {
    target: Part<GrypeTarget>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GrypeTarget {
    user_input: Text,
    #[serde(rename = "imageID")]
    image_id: Text,
    manifest_digest: Text,
    tags: Few<Text, 64>,
    repo_digests: Few<Text, 64>,
    architecture: Text,
    os: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeDescriptor {
    name: Text,
    version: Text,
    timestamp: Text,
    db: Part<GrypeDb>,
    configuration: Part<GrypeConfiguration>,
}

/// The date of the database stands at one of two places, by Grype's version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeDb {
    built: Text,
    status: Part<GrypeStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeStatus {
    built: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct GrypeConfiguration {
    only_notfixed: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeMatch {
    vulnerability: Part<GrypeVulnerability>,
    artifact: Part<GrypeArtifact>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeVulnerability {
    id: Text,
    severity: Text,
    fix: Part<GrypeFix>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeFix {
    versions: Few<Text, 8>,
    state: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GrypeArtifact {
    name: Text,
    version: Text,
}

impl Entry for GrypeMatch {
    fn add_to(self, tally: &mut Tally) {
        let vulnerability = self.vulnerability.0;
        let fix = vulnerability.fix.0;
        let fix = match (fix.versions.0.iter().find_map(Text::some), fix.state.some()) {
            (Some(version), _) => Fix::In(version.into()),
            (None, Some("fixed")) => Fix::In("a version that the report does not name".into()),
            (None, Some("not-fixed" | "wont-fix")) => Fix::Nowhere,
            (None, _) => Fix::Unsaid,
        };
        tally.add(Found {
            grade: Grade::of(&vulnerability.severity.0),
            fix,
            package: package(&self.artifact.0.name, &self.artifact.0.version),
            id: vulnerability.id.0,
        });
    }
}

impl Object {
    fn grype(self) -> (Subject, Statement) {
        let (target, descriptor) = (self.source.0.target.0, self.descriptor.0);
        let mut subject = Subject::default();
        subject.config(&target.image_id.0);
        subject.manifest(&target.manifest_digest.0);
        target.repo_digests.0.iter().for_each(|digest| subject.name(&digest.0));
        target.tags.0.iter().for_each(|tag| subject.name(&tag.0));
        subject.name(&target.user_input.0);
        subject.platform(target.os.some(), target.architecture.some());
        let leaves_out = descriptor.configuration.0.only_notfixed.0 == Some(true);
        let scan = Scan {
            scanner: named("Grype", &descriptor.version),
            dates: texts(&[&descriptor.timestamp, &descriptor.db.0.built, &descriptor.db.0.status.0.built]),
            tally: self.matches.unwrap_or_default().tally,
            os_ended: None,
            unproven: leaves_out.then_some("it leaves out what has a fix (only-notfixed)"),
        };
        (subject, Statement::Scan(Box::new(scan)))
    }
}

// cosign.

/// One entry of what `cosign verify` prints when it has verified.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Signed {
    critical: Part<Critical>,
    optional: Part<Optional>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Critical {
    identity: Part<Identity>,
    image: Part<SignedImage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SignedImage {
    #[serde(rename = "docker-manifest-digest")]
    digest: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Optional {
    subject: Text,
    issuer: Text,
}

impl Signed {
    fn statement(self) -> Option<(Subject, Statement)> {
        let critical = self.critical.0;
        let mut subject = Subject::default();
        subject.manifest(&critical.image.0.digest.0);
        subject.any_digest()?;
        // The digest in the reference is what was asked for, and may be an index over the signed one.
        let reference = &critical.identity.0.reference.0;
        subject.name(reference.split('@').next().unwrap_or(reference));
        let optional = self.optional.0;
        let by = match (optional.subject.some(), optional.issuer.some()) {
            (Some(subject), Some(issuer)) => format!("{subject} ({issuer})"),
            (Some(subject), None) => subject.to_owned(),
            (None, _) => "a key that the record does not name".to_owned(),
        };
        Some((subject, Statement::Signature(by)))
    }
}
