//! Secrets that their own form gives away: tokens with a vendor's prefix, JWTs, private keys, crypt hashes.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex::Regex;

use super::class::Class;
use super::scan::Spans;
use super::value;

/// Prefixes with the class that each tells; the first that fits a match of [`PATTERN`] names it.
const PREFIXES: &[(&str, Class)] = &[
    ("AKIA", Class::AwsAccessKeyId),
    ("ASIA", Class::AwsAccessKeyId),
    ("AIza", Class::Gcp),
    ("ya29.", Class::Gcp),
    ("GOCSPX-", Class::Gcp),
    ("github_pat_", Class::Github),
    ("gh", Class::Github),
    ("gl", Class::Gitlab),
    ("xox", Class::Slack),
    ("xapp-", Class::Slack),
    ("hooks.slack.com", Class::Slack),
    ("sk_", Class::Stripe),
    ("rk_", Class::Stripe),
    ("whsec_", Class::Stripe),
    ("npm_", Class::Npm),
    ("pypi-", Class::Pypi),
    ("dckr_", Class::DockerAuth),
    ("SWMTKN-", Class::DockerAuth),
    ("SWMKEY-", Class::DockerAuth),
    ("eyJ", Class::Jwt),
    ("-----BEGIN", Class::PrivateKey),
    ("LS0t", Class::PrivateKey),
    ("MII", Class::PrivateKey),
    ("AGE-SECRET-KEY-", Class::PrivateKey),
    ("$", Class::PasswordHash),
    ("sig=", Class::Azure),
];

/// Every form in one expression, so that a clean text is passed over once.
const PATTERN: &str = r"(?-u)(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,}|github_pat_[0-9A-Za-z_]{22,}|gh[pousr]_[0-9A-Za-z]{20,}|gl(?:pat|rt|dt|soat|cbt|ptt|ft|agent|imt)-[0-9A-Za-z_.-]{16,}|xox[abeoprs]-[0-9A-Za-z-]{10,}|xapp-[0-9A-Za-z-]{10,}|hooks\.slack\.com/(?:services|workflows)/[0-9A-Za-z/_-]{12,}|(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{10,}|whsec_[0-9A-Za-z+/=]{20,}|npm_[0-9A-Za-z]{30,}|pypi-[0-9A-Za-z_-]{32,}|dckr_(?:pat|oat)_[0-9A-Za-z_-]{20,}|SWMTKN-1-[0-9a-z-]{40,}|SWMKEY-1-[0-9A-Za-z+/=]{20,}|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{4,}\.[0-9A-Za-z_-]*|-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY|LS0tLS1CRUdJTi(?:BSU0EgUFJJVkFURS|BFQyBQUklWQVRF|BQUklWQVRF|BPUEVOU1NI|BFTkNSWVBURUQ|BEU0Eg)[0-9A-Za-z+/=]*|MII[0-9A-Za-z+/]{3}IBA[0-9A-Za-z+/=\r\n\\]{40,}|AGE-SECRET-KEY-1[0-9A-Z]{20,}|SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}|hf_[0-9A-Za-z]{30,}|hv[sbr]\.[0-9A-Za-z_-]{20,}|do[opr]_v1_[0-9a-f]{40,}|sk-[0-9A-Za-z_-]{32,}|dapi[0-9a-f]{32}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|glsa_[0-9A-Za-z_]{32,}|tskey-(?:api|auth|client|scim|webhook)-[0-9A-Za-z]{6,}-[0-9A-Za-z]{16,}|discord(?:app)?\.com/api/webhooks/[0-9]{15,}/[0-9A-Za-z_-]{40,}|\$(?:apr1|2[abxy]|1|5|6|y|argon2id?)\$[0-9A-Za-z./$,=+-]{12,}|sig=[0-9A-Za-z%+/=]{30,}";

/// What every match of [`PATTERN`] begins with. Most texts hold none of it, and most runs see none at all.
const BEGINNINGS: &[&str] = &[
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "GOCSPX-",
    "github_pat_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "glpat-",
    "glrt-",
    "gldt-",
    "glsoat-",
    "glcbt-",
    "glptt-",
    "glft-",
    "glagent-",
    "glimt-",
    "xoxa-",
    "xoxb-",
    "xoxe-",
    "xoxo-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "hooks.slack.com/",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "whsec_",
    "npm_",
    "pypi-",
    "dckr_pat_",
    "dckr_oat_",
    "SWMTKN-1-",
    "SWMKEY-1-",
    "eyJ",
    "-----BEGIN ",
    "LS0tLS1CRUdJTi",
    "MII",
    "AGE-SECRET-KEY-1",
    "SG.",
    "hf_",
    "hvs.",
    "hvb.",
    "hvr.",
    "doo_v1_",
    "dop_v1_",
    "dor_v1_",
    "sk-",
    "dapi",
    "shpat_",
    "shpca_",
    "shppa_",
    "shpss_",
    "glsa_",
    "tskey-",
    "discord.com/",
    "discordapp.com/",
    "$apr1$",
    "$2a$",
    "$2b$",
    "$2x$",
    "$2y$",
    "$1$",
    "$5$",
    "$6$",
    "$y$",
    "$argon2",
    "sig=",
];

/// Finds [`BEGINNINGS`]; compiled in a fraction of the expression's time.
static BEGINNING: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(BEGINNINGS).ok());

/// The compiled expression, once a text may hold what it finds. The pattern is a constant that a test compiles; were it
/// refused, names and entropy would still find secrets.
static EXPRESSION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(PATTERN).ok());

/// Whether a text may hold a token.
fn may_be_in(text: &str) -> bool {
    BEGINNING.as_ref().is_none_or(|any| any.is_match(text))
}

/// Adds every token in the text.
pub(super) fn find(text: &str, out: &mut Spans) {
    if !may_be_in(text) {
        return;
    }
    let Some(regex) = &*EXPRESSION else { return };
    let mut at = 0;
    while let Some(m) = regex.find_at(text, at) {
        at = m.end().max(at + 1);
        let found = m.as_str();
        let class = PREFIXES.iter().find(|(p, _)| found.starts_with(p)).map_or(Class::VendorToken, |(_, c)| *c);
        let before = text.as_bytes()[..m.start()].last().copied().unwrap_or(b' ');
        // In the middle of a longer word it is chance: entropy judges that.
        let glued = before.is_ascii_alphanumeric() && !text[..m.start()].ends_with("\\n");
        match class {
            Class::PrivateKey if found.starts_with('-') => {
                at = end_of_pem(text, m.end());
                out.add(m.start()..at, class, true);
            }
            Class::PasswordHash => out.add(m.range(), class, false),
            Class::Azure => {
                let near = &text[floor(text, m.start().saturating_sub(600))..m.start()];
                out.add(
                    m.start() + 4..m.end(),
                    class,
                    near.contains("se=") || near.contains("sp=") || near.contains("sv="),
                );
            }
            Class::PrivateKey => out.add(m.range(), class, true),
            Class::AwsAccessKeyId if glued || text.as_bytes().get(m.end()).is_some_and(u8::is_ascii_alphanumeric) => {}
            _ if glued => out.add(m.range(), class, false),
            Class::VendorToken if found.starts_with("sk-") => {
                out.add(m.range(), class, value::looks_random(&found[3..]))
            }
            _ => out.add(m.range(), class, !is_placeholder(found)),
        }
    }
}

/// Documentation's `ghp_xxxxxxxx…` is no token: hidden, not accused.
fn is_placeholder(token: &str) -> bool {
    let tail = &token.as_bytes()[token.len().saturating_sub(8)..];
    tail.windows(2).all(|w| w[0] == w[1])
}

/// The end of a key block that began before `from`: after its END line, or of the text when that is missing.
fn end_of_pem(text: &str, from: usize) -> usize {
    let Some(end) = text[from..].find("-----END ") else { return text.len() };
    let after = from + end + "-----END ".len();
    text[after..].find("-----").map_or(text.len(), |i| after + i + 5)
}

/// The greatest boundary of a character at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expression_compiles() {
        assert!(EXPRESSION.is_some() && BEGINNING.is_some());
    }

    #[test]
    fn whatever_the_expression_finds_begins_as_told() {
        let form = regex_syntax::ParserBuilder::new().utf8(false).build().parse(PATTERN).unwrap();
        let all = regex_syntax::hir::literal::Extractor::new().limit_total(10_000).extract(&form);
        let all = all.literals().expect("the expression's beginnings are finite");
        assert!(all.len() >= BEGINNINGS.len());
        for literal in all {
            let text = String::from_utf8_lossy(literal.as_bytes());
            assert!(BEGINNINGS.iter().any(|b| text.starts_with(b)), "{text} begins as none of the list does");
        }
        for beginning in BEGINNINGS {
            let is_found = all.iter().any(|l| l.as_bytes().starts_with(beginning.as_bytes()));
            assert!(is_found, "nothing begins with {beginning}");
        }
    }

    #[test]
    fn a_key_without_its_end_reaches_to_the_end() {
        let mut out = Spans::default();
        let text = "x -----BEGIN RSA PRIVATE KEY-----\\nMIIEabc";
        find(text, &mut out);
        assert_eq!(out.merged().first().map(|s| s.range.clone()), Some(2..text.len()));
    }
}
