//! What a file has beside its content, owner and mode: extended attributes, the ACL and the SELinux label among them.

use std::ffi::CStr;

use rustix::buffer::spare_capacity;
use rustix::fd::AsFd;
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::facts::why;

/// The kernel's limit on a list of names and on a value, in bytes.
const LIMIT: usize = 64 << 10;

/// The ACL that a file takes over from its directory's default.
const ACL: &str = "system.posix_acl_access";

/// Extended attributes: names with values in hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(Vec<(String, String)>);

impl Extra {
    /// Those of an open file.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn of(file: impl AsFd) -> Result<Self, String> {
        let mut list = Vec::with_capacity(LIMIT);
        match flistxattr(&file, spare_capacity(&mut list)) {
            Ok(_) => {}
            Err(Errno::NOTSUP) => return Ok(Self::default()),
            Err(error) => return Err(format!("its extended attributes: {}", why(error))),
        }
        let mut extra = Vec::new();
        for name in list.split_inclusive(|b| *b == 0) {
            let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
            let mut value = Vec::with_capacity(LIMIT);
            match fgetxattr(&file, name, spare_capacity(&mut value)) {
                Ok(_) => extra.push((name.to_string_lossy().into_owned(), hex(&value))),
                // It was removed in between.
                Err(Errno::NODATA) => {}
                Err(error) => return Err(format!("its attribute {}: {}", name.to_string_lossy(), why(error))),
            }
        }
        extra.sort();
        Ok(Self(extra))
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Gives them to a new file; an ACL that it took over from its directory goes where it is not among them.
    ///
    /// # Errors
    /// Where one cannot be given.
    pub fn give(&self, file: impl AsFd) -> Result<(), String> {
        let has = Self::of(&file)?;
        if has.names().any(|n| n == ACL) && !self.names().any(|n| n == ACL) {
            fremovexattr(&file, ACL).map_err(|e| format!("its ACL: {}", why(e)))?;
        }
        for (name, value) in self.0.iter().filter(|pair| !has.0.contains(pair)) {
            let value = unhex(value).ok_or_else(|| format!("its attribute {name} was not kept well"))?;
            let set = fsetxattr(&file, name.as_str(), &value, XattrFlags::empty());
            set.map_err(|e| format!("its attribute {name}: {}", why(e)))?;
        }
        Ok(())
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Hexadecimal digits as bytes.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let digit = |d: u8| char::from(d).to_digit(16);
    let byte = |pair: &[u8]| Some((digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?) as u8);
    digits.chunks(2).map(byte).collect()
}
