//! Whether a name (of a variable, a flag, a label, an option, a header) says that its value is a secret.

use super::class::Class;

/// How surely a name speaks of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// `DB_PASSWORD`: any plausible value is one.
    Strong,
    /// `AUTH`, `SORT_KEY`: only a value that looks like one is.
    Weak,
}

/// The most parts of a name that are looked at, from its end; no honest name has more.
const MOST_PARTS: usize = 16;

/// Last parts after which the value is about a secret and is none: `PASSWORD_FILE`, `TOKEN_URL`.
const ABOUT: &[&str] = &[
    "addr",
    "address",
    "age",
    "alg",
    "algo",
    "algorithm",
    "allowed",
    "arn",
    "attempts",
    "audience",
    "backend",
    "bits",
    "bucket",
    "class",
    "count",
    "cost",
    "days",
    "default",
    "dir",
    "directory",
    "disabled",
    "domain",
    "driver",
    "duration",
    "enable",
    "enabled",
    "encoding",
    "endpoint",
    "engine",
    "env",
    "exp",
    "expiration",
    "expires",
    "expiry",
    "exists",
    "field",
    "file",
    "filename",
    "files",
    "format",
    "group",
    "header",
    "host",
    "hours",
    "id",
    "ids",
    "interval",
    "issuer",
    "leeway",
    "len",
    "length",
    "level",
    "lifetime",
    "limit",
    "location",
    "manager",
    "max",
    "maxage",
    "method",
    "min",
    "minutes",
    "mode",
    "mount",
    "name",
    "names",
    "namespace",
    "param",
    "parameter",
    "path",
    "pattern",
    "plugin",
    "policy",
    "port",
    "prefix",
    "process",
    "provider",
    "ref",
    "regex",
    "region",
    "required",
    "requirements",
    "retries",
    "role",
    "rotation",
    "rounds",
    "rules",
    "schema",
    "scheme",
    "scope",
    "scopes",
    "seconds",
    "server",
    "service",
    "size",
    "source",
    "store",
    "strategy",
    "strength",
    "suffix",
    "support",
    "template",
    "timeout",
    "ttl",
    "type",
    "uri",
    "url",
    "user",
    "username",
    "validity",
    "vault",
    "version",
    "warning",
    "window",
];

/// First parts that make a name a switch: `MYSQL_ALLOW_EMPTY_PASSWORD`, `DISABLE_AUTH`.
const SWITCH: &[&str] = &["allow", "disable", "enable", "generate", "has", "no", "random", "require", "skip", "use"];

/// What stands before `key` when the key is a secret one.
const KEYS: &[&str] = &[
    "access",
    "account",
    "admin",
    "aes",
    "anon",
    "api",
    "app",
    "application",
    "auth",
    "authorization",
    "azure",
    "base",
    "cipher",
    "client",
    "consumer",
    "cookie",
    "crypt",
    "crypto",
    "data",
    "datadog",
    "deploy",
    "encrypt",
    "encryption",
    "fernet",
    "function",
    "functions",
    "gossip",
    "hmac",
    "integration",
    "join",
    "jwt",
    "jwk",
    "license",
    "master",
    "openai",
    "payment",
    "private",
    "priv",
    "recovery",
    "root",
    "secret",
    "secure",
    "security",
    "sendgrid",
    "service",
    "session",
    "shared",
    "signing",
    "ssh",
    "ssl",
    "storage",
    "stripe",
    "subscription",
    "tls",
    "twilio",
    "unseal",
    "webhook",
    "wireguard",
];

/// Ends of words that are written without a break: `PGPASSWORD`, `clientsecret`.
const ENDS: &[(&str, Class)] = &[
    ("password", Class::Password),
    ("passwd", Class::Password),
    ("passphrase", Class::Password),
    ("passcode", Class::Password),
    ("userpass", Class::Password),
    ("requirepass", Class::Password),
    ("storepass", Class::Password),
    ("keypass", Class::Password),
    ("masterauth", Class::Password),
    ("secret", Class::Secret),
    ("secretkey", Class::Key),
    ("accesskey", Class::Key),
    ("privatekey", Class::Key),
    ("accountkey", Class::Key),
    ("apikey", Class::Key),
    ("token", Class::Token),
    ("credentials", Class::Secret),
];

/// What a name says of its value: the class of secret and how surely; `None` when it says nothing.
pub(super) fn judge(name: &str) -> Option<(Class, Strength)> {
    let mut buffer = [""; MOST_PARTS];
    let parts = split(name, &mut buffer);
    // PASSWORD_1, TOKEN2 and Splunk's `token.` are as PASSWORD and TOKEN.
    let end = parts.iter().rposition(|p| !p.bytes().all(|b| b.is_ascii_digit())).map_or(0, |i| i + 1);
    let parts = &parts[..end];
    let (&last, before) = parts.split_last()?;
    let last = last.trim_end_matches(|c: char| c.is_ascii_digit());
    let is = |part: &str, words: &[&str]| words.iter().any(|w| part.eq_ignore_ascii_case(w));
    let previous = before.last().copied().unwrap_or("");
    if is(last, &["id"]) && is(previous, &["secret"]) {
        return Some((Class::Secret, Strength::Strong));
    }
    if is(last, &["cookie"]) && is(previous, &["erlang"]) {
        return Some((Class::Secret, Strength::Strong));
    }
    if is(last, ABOUT) {
        return None;
    }
    let has_secret = |p: &str| class_of_part(p).is_some();
    if parts.iter().any(|p| is(p, SWITCH)) {
        // MYSQL_RANDOM_ROOT_PASSWORD=yes; a value that looks random is redacted all the same.
        return parts.iter().any(|p| has_secret(p)).then_some((Class::Secret, Strength::Weak));
    }
    if is(last, &["hash", "salt", "digest"]) {
        return before
            .iter()
            .any(|p| has_secret(p) || is(p, &["auth", "key"]))
            .then_some((Class::PasswordHash, Strength::Weak));
    }
    let aws = parts.iter().any(|p| is(p, &["aws"]));
    for (i, part) in parts.iter().enumerate().rev() {
        let earlier = if i > 0 { parts[i - 1] } else { "" };
        let at_end = i + 1 == parts.len();
        if is(part, &["key", "keys"])
            && is(earlier, KEYS)
            && (at_end || is(last, &["base", "base64", "b64", "data", "pem", "value"]))
        {
            let secret_access = is(earlier, &["access", "secret"]) && (aws || (i > 1 && is(parts[i - 2], &["secret"])));
            return Some((if secret_access { Class::AwsSecretKey } else { Class::Key }, Strength::Strong));
        }
        if let Some(class) = class_of_part(part) {
            // `secret.company.io/owner` speaks of secrets at its beginning only.
            let near = at_end || i + 2 >= parts.len();
            let class = if aws && matches!(class, Class::Token | Class::Secret) { Class::AwsSecretKey } else { class };
            return Some((class, if near { Strength::Strong } else { Strength::Weak }));
        }
    }
    if is(last, &["pass", "pw", "pwd"]) {
        // PWD and OLDPWD are directories.
        return (!(before.is_empty() && is(last, &["pwd"]))).then_some((Class::Password, Strength::Strong));
    }
    if is(last, &["creds", "authorization", "bearer", "auths"]) {
        return Some((Class::Secret, Strength::Strong));
    }
    let weak = [
        "auth",
        "key",
        "cookie",
        "signature",
        "sig",
        "dsn",
        "webhook",
        "session",
        "seed",
        "salt",
        "sas",
        "secrets",
        "tokens",
        "passwords",
    ];
    is(last, &weak).then_some((Class::Secret, Strength::Weak))
}

fn class_of_part(part: &str) -> Option<Class> {
    if part.eq_ignore_ascii_case("credential") || part.eq_ignore_ascii_case("creds") {
        return Some(Class::Secret);
    }
    let bytes = part.trim_end_matches(|c: char| c.is_ascii_digit()).as_bytes();
    ENDS.iter().find_map(|(end, class)| {
        let at = bytes.len().checked_sub(end.len())?;
        bytes[at..].eq_ignore_ascii_case(end.as_bytes()).then_some(*class)
    })
}

/// True when the name says that the value is a digest, an identifier or public: never accused for its looks.
pub(super) fn is_public(name: &str) -> bool {
    const PUBLIC: &[&str] = &[
        "build",
        "cert",
        "certificate",
        "checksum",
        "commit",
        "crt",
        "csr",
        "csum",
        "digest",
        "etag",
        "fingerprint",
        "gpg",
        "hash",
        "id",
        "ids",
        "integrity",
        "md5",
        "path",
        "pub",
        "public",
        "ref",
        "rev",
        "revision",
        "sha",
        "sha1",
        "sha256",
        "sha512",
        "sri",
        "sum",
        "url",
        "urls",
        "uuid",
        "version",
    ];
    let mut buffer = [""; MOST_PARTS];
    split(name, &mut buffer).iter().any(|p| PUBLIC.iter().any(|w| p.eq_ignore_ascii_case(w)))
        || name.to_ascii_lowercase().contains("sha256")
}

/// Splits at everything that is neither letter nor digit, and at the humps of camelCase; the last parts win.
fn split<'n, 'b>(name: &'n str, buffer: &'b mut [&'n str; MOST_PARTS]) -> &'b [&'n str] {
    let bytes = name.as_bytes();
    let mut free = MOST_PARTS;
    let mut end = bytes.len();
    let mut i = bytes.len();
    while free > 0 && i > 0 {
        i -= 1;
        let here = bytes[i];
        let boundary_here = !here.is_ascii_alphanumeric();
        let hump = i > 0
            && here.is_ascii_uppercase()
            && (bytes[i - 1].is_ascii_lowercase()
                || bytes[i - 1].is_ascii_digit()
                || (bytes[i - 1].is_ascii_uppercase() && bytes.get(i + 1).is_some_and(u8::is_ascii_lowercase)));
        let start = if boundary_here { i + 1 } else { i };
        if (boundary_here || hump || i == 0) && start <= end {
            // Only ASCII bytes end parts, save for other letters, which `get` guards.
            if let Some(part) = name.get(start..end).filter(|p| !p.is_empty()) {
                free -= 1;
                buffer[free] = part;
            }
            end = i;
        }
    }
    &buffer[free..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_speak_of_secrets() {
        for name in [
            "PASSWORD",
            "DB_PASSWORD",
            "PGPASSWORD",
            "mysqlRootPassword",
            "MYSQL_PWD",
            "db.pass",
            "API_KEY",
            "apiKey",
            "APIKey",
            "X-Api-Key",
            "AWS_SECRET_ACCESS_KEY",
            "clientsecret",
            "client_secret",
            "GITHUB_TOKEN",
            "_authToken",
            "PASSWORD_1",
            "TOKEN2",
            "splunk-token",
            "SECRET_KEY_BASE",
            "private-key",
            "VAULT_SECRET_ID",
            "PrivateKeyPem",
            "AccountKey",
            "SharedAccessKey",
            "requirepass",
            "client-key-data",
            "credentials",
            "Authorization",
        ] {
            assert!(matches!(judge(name), Some((_, Strength::Strong))), "{name}: {:?}", judge(name));
        }
        assert_eq!(judge("AWS_SECRET_ACCESS_KEY"), Some((Class::AwsSecretKey, Strength::Strong)));
    }

    #[test]
    fn names_about_secrets_and_other_words_do_not() {
        for name in [
            "PASSWORD_FILE",
            "TOKEN_URL",
            "SECRET_NAME",
            "POSTGRES_PASSWORD_FILE",
            "MONKEY",
            "AUTHOR",
            "KEYBOARD",
            "PWD",
            "OLDPWD",
            "PATH",
            "HOME",
            "TOKEN_TTL",
            "BYPASS",
            "COMPASS",
            "SECRETARY",
            "KEYCLOAK_USER",
            "ACCESS_KEY_ID",
            "",
            "=",
            "___",
            "PASSWORD_MIN_LENGTH",
            "com.docker.compose.project",
            "123",
        ] {
            assert_eq!(judge(name), None, "{name}");
        }
        for name in ["AUTH", "SORT_KEY", "MYSQL_ALLOW_EMPTY_PASSWORD", "PASSWORD_HASH", "secret.company.io/owner"] {
            assert!(matches!(judge(name), Some((_, Strength::Weak))), "{name}: {:?}", judge(name));
        }
    }

    #[test]
    fn names_of_any_bytes_are_split_without_harm() {
        let mut buffer = [""; MOST_PARTS];
        assert_eq!(split("aB.cDEf_1", &mut buffer), ["a", "B", "c", "D", "Ef", "1"]);
        let mut buffer = [""; MOST_PARTS];
        assert_eq!(split("ключPassword", &mut buffer).last(), Some(&"Password"));
        let long = "a_".repeat(10_000);
        let mut buffer = [""; MOST_PARTS];
        assert_eq!(split(&long, &mut buffer).len(), MOST_PARTS);
    }
}
