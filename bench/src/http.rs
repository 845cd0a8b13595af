//! A small HTTP/1.1 client (RFC 9112): one connection, one request at a time, answers of a known length. It does
//! as little as it can, because what it takes is taken from the server on the same machine.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is read at a time.
const CHUNK: usize = 8 * 1024;
/// No answer of Souk is longer.
const LONGEST: usize = 4 * 1024 * 1024;

/// A kept connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(CHUNK) })
    }

    /// Sends a whole request and reads the whole answer. After an error the connection is of no use.
    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            self.buffer.reserve(CHUNK);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if head.is_none() {
                head = Head::read(&self.buffer)
                    .map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
            }
            if let Some(head) = head
                && self.buffer.len() >= head.length + head.body
            {
                let (before, body) = self.buffer.split_at(head.length);
                return Ok(Answer { status: head.status, head: before, body });
            }
        }
    }
}

/// An answer, in the connection's own memory.
pub(crate) struct Answer<'a> {
    /// Its status.
    pub(crate) status: u16,
    head: &'a [u8],
    /// What came with it.
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }
}

/// What has to be known to find the end of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Bytes up to the body.
    length: usize,
    /// Bytes of the body.
    body: usize,
}

impl Head {
    /// Reads a head, if all of it is there.
    fn read(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if bytes.len() > LONGEST { Err("a head without an end") } else { Ok(None) };
        };
        let line =
            bytes.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3)).ok_or("no HTTP/1.1 answer")?;
        let status = std::str::from_utf8(line).ok().and_then(|code| code.parse().ok()).ok_or("no status")?;
        let head = &bytes[..end + 4];
        let length =
            header(head, "content-length").map(str::parse::<usize>).transpose().map_err(|_| "no length")?;
        let body = match length {
            Some(length) if length <= LONGEST => length,
            Some(_) => return Err("too long an answer"),
            None if matches!(status, 204 | 304) => 0,
            None => return Err("an answer without Content-Length"),
        };
        Ok(Some(Self { status, length: end + 4, body }))
    }
}

/// The value of a header; names know no case (RFC 9110, 5.1).
fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":").filter(|_| found.eq_ignore_ascii_case(name.as_bytes()))?;
        std::str::from_utf8(value).ok().map(str::trim)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nx-cart-token:  abc \r\nX-Cart-Token-2: no\r\n\r\nhello";

    #[test]
    fn finds_the_end_of_an_answer_however_it_is_cut() {
        for cut in 0..ANSWER.len() - 5 {
            assert_eq!(Head::read(&ANSWER[..cut]), Ok(None), "{cut}");
        }
        let head = Head { status: 201, length: ANSWER.len() - 5, body: 5 };
        assert_eq!(Head::read(&ANSWER[..ANSWER.len() - 5]), Ok(Some(head)));
        assert_eq!(Head::read(ANSWER), Ok(Some(head)));
    }

    #[test]
    fn reads_headers_by_name() {
        assert_eq!(header(ANSWER, "X-Cart-Token"), Some("abc"));
        assert_eq!(header(ANSWER, "x-cart"), None);
        assert_eq!(header(ANSWER, "hello"), None);
    }

    #[test]
    fn knows_when_there_is_no_body_and_what_is_no_answer() {
        let unchanged = Head::read(b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n").unwrap().unwrap();
        assert_eq!((unchanged.status, unchanged.body), (304, 0));
        for wrong in [
            &b"HTTP/1.1 200 OK\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            b"SSH-2.0-server\r\n\r\n",
        ] {
            assert!(Head::read(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    /// A server of two connections' worth of answers in odd pieces.
    #[tokio::test]
    async fn keeps_the_connection_and_tells_its_end() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4];
            for _ in 0..2 {
                stream.read_exact(&mut request).await.unwrap();
                for piece in ANSWER.chunks(7) {
                    stream.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut connection = Connection::open(address).await.unwrap();
        for _ in 0..2 {
            let answer = connection.send(b"ping").await.unwrap();
            assert_eq!((answer.status, answer.body), (201, &b"hello"[..]));
            assert_eq!(answer.header("x-cart-token"), Some("abc"));
        }
        assert!(connection.send(b"ping").await.is_err());
    }
}
