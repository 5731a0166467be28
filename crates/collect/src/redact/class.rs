//! What is said of a secret once its value is gone: its class and a length bucket.

use std::fmt;

/// The kind of a secret, as far as its form or its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// An AWS access key id (`AKIA…`, `ASIA…`): no secret alone, but the half of a pair.
    AwsAccessKeyId,
    /// An AWS secret access key or session token.
    AwsSecretKey,
    /// A Google API key, OAuth secret or token.
    Gcp,
    /// An Azure storage key or shared access signature.
    Azure,
    /// A GitHub token.
    Github,
    /// A GitLab token.
    Gitlab,
    /// A Slack token or incoming webhook.
    Slack,
    /// A Stripe key.
    Stripe,
    /// An npm token.
    Npm,
    /// A PyPI token.
    Pypi,
    /// Registry credentials: base64 of `user:password`, or a Docker Hub or swarm join token.
    DockerAuth,
    /// A token of another vendor that its prefix names.
    VendorToken,
    /// A JSON web token.
    Jwt,
    /// A private key (PEM or DER), also on one line or in base64.
    PrivateKey,
    /// The password in a URL or in `user:password@host`.
    UrlPassword,
    /// A password, by the name that it is given.
    Password,
    /// A crypt(3) or htpasswd hash of a password.
    PasswordHash,
    /// A token, by its name.
    Token,
    /// A key, by its name.
    Key,
    /// Any other secret or credential, by its name.
    Secret,
    /// A string that looks random and that nothing else explains.
    HighEntropy,
}

impl Class {
    /// The stable name that reports show: `aws-access-key-id`, `password`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwsAccessKeyId => "aws-access-key-id",
            Self::AwsSecretKey => "aws-secret-key",
            Self::Gcp => "gcp-key",
            Self::Azure => "azure-key",
            Self::Github => "github-token",
            Self::Gitlab => "gitlab-token",
            Self::Slack => "slack-token",
            Self::Stripe => "stripe-key",
            Self::Npm => "npm-token",
            Self::Pypi => "pypi-token",
            Self::DockerAuth => "docker-auth",
            Self::VendorToken => "vendor-token",
            Self::Jwt => "jwt",
            Self::PrivateKey => "private-key",
            Self::UrlPassword => "url-password",
            Self::Password => "password",
            Self::PasswordHash => "password-hash",
            Self::Token => "token",
            Self::Key => "key",
            Self::Secret => "secret",
            Self::HighEntropy => "high-entropy",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How long a value was, so roughly that it gives nothing away. Lengths are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LengthBucket {
    /// No byte.
    Empty,
    /// 1 to 7.
    UpTo7,
    /// 8 to 15.
    UpTo15,
    /// 16 to 31.
    UpTo31,
    /// 32 to 63.
    UpTo63,
    /// 64 to 255.
    UpTo255,
    /// 256 to 4095.
    UpTo4095,
    /// 4096 and more.
    Longer,
}

impl LengthBucket {
    /// The bucket of a length in bytes.
    pub const fn of(length: usize) -> Self {
        match length {
            0 => Self::Empty,
            1..=7 => Self::UpTo7,
            8..=15 => Self::UpTo15,
            16..=31 => Self::UpTo31,
            32..=63 => Self::UpTo63,
            64..=255 => Self::UpTo255,
            256..=4095 => Self::UpTo4095,
            _ => Self::Longer,
        }
    }

    /// The stable name that reports show: `8-15`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "0",
            Self::UpTo7 => "1-7",
            Self::UpTo15 => "8-15",
            Self::UpTo31 => "16-31",
            Self::UpTo63 => "32-63",
            Self::UpTo255 => "64-255",
            Self::UpTo4095 => "256-4095",
            Self::Longer => "4096+",
        }
    }
}

impl fmt::Display for LengthBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
