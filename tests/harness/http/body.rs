//! A body while it comes, without its transfer coding (RFC 9112 sections 6 and 7).

use std::io::{self, BufRead, Read};

#[derive(Debug, Clone, Copy)]
pub(super) enum Framing {
    Length(u64),
    Chunk { left: u64, first: bool },
    UntilClosed,
}

/// The bytes of a body.
#[derive(Debug)]
pub struct Body<R> {
    stream: R,
    framing: Framing,
}

impl<R: BufRead> Body<R> {
    pub(super) fn new(stream: R, framing: Framing) -> Self {
        Self { stream, framing }
    }

    /// The length of the next chunk; 0 is the end.
    fn next_chunk(&mut self, first: bool) -> io::Result<u64> {
        let mut line = String::new();
        if !first {
            (&mut self.stream).take(2).read_line(&mut line)?;
            line.clear();
        }
        (&mut self.stream).take(32).read_line(&mut line)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(digits, 16).map_err(|_| io::Error::other(format!("no chunk length: `{line}`")))
    }

    fn take_up_to(&mut self, left: u64, buffer: &mut [u8]) -> io::Result<u64> {
        let end = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.stream.read(&mut buffer[..end])?;
        if read == 0 && end > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read as u64)
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.framing {
            Framing::UntilClosed => return self.stream.read(buffer),
            Framing::Length(0) => 0,
            Framing::Length(left) => {
                let read = self.take_up_to(left, buffer)?;
                self.framing = Framing::Length(left - read);
                read
            }
            Framing::Chunk { left: 0, first } => match self.next_chunk(first)? {
                0 => {
                    self.framing = Framing::Length(0);
                    0
                }
                length => {
                    let read = self.take_up_to(length, buffer)?;
                    self.framing = Framing::Chunk { left: length - read, first: false };
                    read
                }
            },
            Framing::Chunk { left, .. } => {
                let read = self.take_up_to(left, buffer)?;
                self.framing = Framing::Chunk { left: left - read, first: false };
                read
            }
        };
        usize::try_from(read).map_err(io::Error::other)
    }
}
