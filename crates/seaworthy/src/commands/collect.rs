//! `collect`.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use seaworthy_core::snapshot_json;

use crate::arguments::CollectArguments;
use crate::exit::Exit;
use crate::{input, output};

/// Snapshots larger than this are compressed, in bytes: 1 MiB.
const LARGE: usize = 1 << 20;

/// Collects and writes the snapshot.
pub fn run(arguments: &CollectArguments) -> Result<Exit> {
    let path = (arguments.output.as_os_str() != "-").then_some(arguments.output.as_path());
    let mut target = arguments.target.clone();
    target.source.from.extend(arguments.join.iter().cloned());
    let snapshot = input::snapshot(&target, arguments.quiet)?;
    let mut bytes = Vec::new();
    snapshot_json::write(&snapshot, &mut bytes)?;
    let compress = bytes.len() > LARGE;
    if compress && path.is_none() && std::io::stdout().is_terminal() {
        bail!("the snapshot is large and would be compressed: give it a file by -o");
    }
    output::write(path, |out| {
        if !compress {
            return out.write_all(&bytes);
        }
        let mut packer = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
        packer.write_all(&bytes)?;
        packer.finish().map(drop)
    })?;
    // The snapshot is written all the same: it says of every target why it is empty.
    if super::is_nothing(&snapshot) { Err(super::nothing(&snapshot)) } else { Ok(Exit::Clean) }
}
