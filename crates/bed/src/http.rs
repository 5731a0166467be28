//! HTTP to an engine's socket or an API server: one request at a time, whole answers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A keep-alive connection to an engine.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<UnixStream>,
}

impl Connection {
    /// Connects to a socket.
    ///
    /// # Errors
    /// Those of connecting.
    pub fn open(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { reader: BufReader::with_capacity(64 << 10, stream) })
    }

    /// Sends one request and reads the whole answer: status and body. The body to send comes with its media type.
    ///
    /// # Errors
    /// Those of the socket, a wait of two minutes, and an answer that is not HTTP.
    pub fn request(&mut self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> io::Result<(u16, Vec<u8>)> {
        exchange(&mut self.reader, method, path, "Host: docker\r\n", body)
    }
}

/// Sends one request and reads the whole answer. `headers` are whole lines.
pub(crate) fn exchange<S: Read + Write>(
    reader: &mut BufReader<S>,
    method: &str,
    path: &str,
    headers: &str,
    body: Option<(&str, &[u8])>,
) -> io::Result<(u16, Vec<u8>)> {
    let mut sent = format!("{method} {path} HTTP/1.1\r\n{headers}").into_bytes();
    if let Some((kind, body)) = body {
        write!(sent, "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len())?;
        sent.extend_from_slice(body);
    } else {
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        write!(sent, "{length}\r\n")?;
    }
    reader.get_mut().write_all(&sent)?;
    reader.get_mut().flush()?;
    answer(reader)
}

fn answer(reader: &mut impl BufRead) -> io::Result<(u16, Vec<u8>)> {
    let first = line(reader)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(&first))?;
    let (mut length, mut chunked) = (None, false);
    loop {
        let header = line(reader)?;
        let Some((name, value)) = header.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = line(reader)?;
            let size = u64::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16).map_err(|_| bad(&size))?;
            let read = reader.by_ref().take(size).read_to_end(&mut body)? as u64;
            if read < size || !line(reader)?.is_empty() {
                return Err(bad("chunk"));
            }
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = length {
        reader.take(length).read_to_end(&mut body)?;
    } else if status != 204 && status != 304 {
        reader.read_to_end(&mut body)?;
    }
    Ok((status, body))
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {what:?}"))
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn reads_lengths_and_chunks_and_no_further() {
        let mut two = &b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\nrest"[..];
        assert_eq!(answer(&mut two).unwrap(), (404, b"abc".to_vec()));
        assert_eq!(answer(&mut two).unwrap(), (200, b"abc".to_vec()));
        assert_eq!(two, b"rest");
        assert!(answer(&mut &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab"[..]).is_err());
    }
}
