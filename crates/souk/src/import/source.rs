//! Reading a CSV file, plain or gzip, record by record, each with its line number.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::Context;
use csv::{ByteRecord, StringRecord};
use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

const BUFFER: usize = 256 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A CSV file that is being read.
pub(crate) struct Source {
    reader: csv::Reader<Lines<Box<dyn BufRead + Send>>>,
    header: StringRecord,
    record: StringRecord,
    bar: ProgressBar,
}

/// A record.
pub(crate) struct Row<'a> {
    /// Its line in the file; the header is on line 1. The first one when it has several.
    pub(crate) line: u64,
    /// What stands in it.
    pub(crate) fields: &'a StringRecord,
    /// Whether it is text. When not, what is not UTF-8 was replaced.
    pub(crate) is_text: bool,
}

impl Source {
    /// Opens a file, reads its header, and shows a progress bar where somebody looks.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let of = || format!("reading {}", path.display());
        let file = File::open(path).with_context(of)?;
        let bar = ProgressBar::new(file.metadata().with_context(of)?.len());
        let style = "{bar:30} {bytes} of {total_bytes}, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).context("the progress bar's template")?);
        let mut plain = BufReader::with_capacity(BUFFER, bar.wrap_read(file));
        let gzip = plain.fill_buf().with_context(of)?.starts_with(&GZIP);
        let bytes: Box<dyn BufRead + Send> = if gzip || path.extension().is_some_and(|end| end == "gz") {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        Self::of(bytes, bar).with_context(of)
    }

    fn of(bytes: Box<dyn BufRead + Send>, bar: ProgressBar) -> anyhow::Result<Self> {
        let lines = Lines { inner: bytes, last: b'\n' };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(lines);
        let header = reader.headers()?.clone();
        anyhow::ensure!(!header.is_empty(), "the file is empty");
        Ok(Self { reader, header, record: StringRecord::new(), bar })
    }

    /// The names of the columns.
    pub(crate) const fn header(&self) -> &StringRecord {
        &self.header
    }

    /// The next record.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Row<'_>>> {
        let mut bytes = std::mem::take(&mut self.record).into_byte_record();
        let more = self.reader.read_byte_record(&mut bytes);
        let end = self.reader.position().line();
        if !more.with_context(|| format!("reading on from line {end}"))? {
            self.bar.finish_and_clear();
            return Ok(None);
        }
        // The parser counts the lines behind a record exactly, those before it only without blank lines.
        let inside = bytes.as_slice().iter().filter(|byte| **byte == b'\n').count();
        let line = end.saturating_sub(1 + inside as u64);
        let has_nul = bytes.as_slice().contains(&0);
        let (record, is_utf8) = match StringRecord::from_byte_record(bytes) {
            Ok(record) => (record, true),
            Err(error) => (lossy(&error.into_byte_record()), false),
        };
        self.record = record;
        // PostgreSQL's text holds no NUL.
        Ok(Some(Row { line, fields: &self.record, is_text: is_utf8 && !has_nul }))
    }
}

fn lossy(bytes: &ByteRecord) -> StringRecord {
    bytes.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().into()
}

/// Ends every line, also the last one, with `\n`, so that lines can be counted.
struct Lines<R> {
    inner: R,
    last: u8,
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.inner.fill_buf()?;
            if input.is_empty() {
                let missing = !out.is_empty() && !matches!(self.last, b'\n' | b'\r');
                if missing {
                    self.last = b'\n';
                    out[0] = b'\n';
                }
                return Ok(usize::from(missing));
            }
            let (mut read, mut written) = (0, 0);
            while read < input.len() && written < out.len() {
                let byte = input[read];
                read += 1;
                let second_half = byte == b'\n' && self.last == b'\r';
                self.last = byte;
                if !second_half {
                    out[written] = if byte == b'\r' { b'\n' } else { byte };
                    written += 1;
                }
            }
            self.inner.consume(read);
            if written > 0 || out.is_empty() {
                return Ok(written);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &'static [u8]) -> Vec<(u64, Vec<String>, bool)> {
        let mut source = Source::of(Box::new(bytes), ProgressBar::hidden()).unwrap();
        let mut rows = Vec::new();
        while let Some(row) = source.next().unwrap() {
            rows.push((row.line, row.fields.iter().map(str::to_owned).collect(), row.is_text));
        }
        rows
    }

    #[test]
    fn counts_lines_whatever_ends_them() {
        for file in [
            &b"a,b\n1,\"x\ny\"\n\n2,3\n4,5"[..],
            b"a,b\r\n1,\"x\r\ny\"\r\n\r\n2,3\r\n4,5\r\n",
            b"\xef\xbb\xbfa,b\r1,\"x\ry\"\r\r2,3\r4,5",
        ] {
            let lines: Vec<_> =
                rows(file).into_iter().map(|(line, fields, _)| (line, fields.join("|"))).collect();
            let expected = [(2, "1|x\ny".to_owned()), (5, "2|3".to_owned()), (6, "4|5".to_owned())];
            assert_eq!(lines, expected);
        }
    }

    #[test]
    fn tells_what_is_not_text_and_takes_rows_of_any_length() {
        let rows = rows(b"a,b\ncaf\xe9,1\n\0,2\nfine\n1,2,3\n");
        assert_eq!(rows.iter().map(|row| row.2).collect::<Vec<_>>(), [false, false, true, true]);
        assert_eq!(rows[0].1, ["caf\u{fffd}", "1"]);
        assert_eq!((rows[2].1.len(), rows[3].1.len()), (1, 3));
    }

    #[test]
    fn strips_the_byte_order_mark() {
        let source = Source::of(Box::new(&b"\xef\xbb\xbfHandle,Title\n"[..]), ProgressBar::hidden()).unwrap();
        assert_eq!(&source.header()[0], "Handle");
    }
}
