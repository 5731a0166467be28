//! `collect`.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use anyhow::{Result, bail};
use seaworthy_core::snapshot_json;

use crate::arguments::CollectArguments;
use crate::exit::Exit;
use crate::{input, output};

/// Snapshots larger than this are compressed, in bytes: 1 MiB.
const LARGE: usize = 1 << 20;

/// Takes what is small, and fails on what is not: a large snapshot is never held as a whole.
struct Small(Vec<u8>);

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects and writes the snapshot.
pub fn run(arguments: &CollectArguments) -> Result<Exit> {
    let path = (arguments.output.as_os_str() != "-").then_some(arguments.output.as_path());
    let mut target = arguments.target.clone();
    target.source.from.extend(arguments.join.iter().cloned());
    let snapshot = input::snapshot(&target, arguments.quiet)?;
    let mut small = Small(Vec::new());
    let compress = snapshot_json::write(&snapshot, &mut small).is_err();
    if compress && path.is_none() && std::io::stdout().is_terminal() {
        bail!("the snapshot is large and would be compressed: give it a file by -o");
    }
    output::write(path, |out| {
        if !compress {
            return out.write_all(&small.0);
        }
        let packer = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
        let mut packer = BufWriter::with_capacity(1 << 16, packer);
        snapshot_json::write(&snapshot, &mut packer)?;
        packer.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish().map(drop)
    })?;
    // The snapshot is written all the same: it says of every target why it is empty.
    if super::is_nothing(&snapshot) { Err(super::nothing(&snapshot)) } else { Ok(Exit::Clean) }
}
