//! Reading a CSV file, plain or gzip, record by record, each with its line number.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::Context;
use csv::{ByteRecord, StringRecord};
use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

const BUFFER: usize = 256 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// A record of more lines or bytes than this is not one that somebody meant.
const MOST_LINES: u64 = 1_000;
const MOST_BYTES: usize = 1024 * 1024;
/// After this much of one record the rest of the file is not read: it would not fit in memory.
const CUT: usize = 16 * 1024 * 1024;
/// Stands alone on a line behind the last one. In a record it tells that the last quote was never closed.
const END: u8 = 0x04;

/// A CSV file that is being read.
pub(crate) struct Source {
    reader: csv::Reader<Lines<Box<dyn BufRead + Send>>>,
    header: StringRecord,
    record: StringRecord,
    bar: ProgressBar,
}

/// A record.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    /// Its line in the file; the header is on line 1. The first one when it has several.
    pub(crate) line: u64,
    /// The last one when it has several.
    pub(crate) last_line: u64,
    /// Whether it is so odd that it is taken for several rows that an unclosed quote made one of.
    pub(crate) is_swallowed: bool,
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
        let lines = Lines::of(bytes);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(lines);
        let header = reader.headers()?.clone();
        anyhow::ensure!(!header.is_empty() && !is_end(header.as_byte_record()), "the file is empty");
        Ok(Self { reader, header, record: StringRecord::new(), bar })
    }

    /// The names of the columns.
    pub(crate) const fn header(&self) -> &StringRecord {
        &self.header
    }

    /// The next record.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Row<'_>>> {
        let mut bytes = std::mem::take(&mut self.record).into_byte_record();
        self.reader.get_mut().room = CUT;
        let more = self.reader.read_byte_record(&mut bytes);
        let end = self.reader.position().line();
        let more = more.with_context(|| format!("reading on from line {end}"))?;
        if !more || is_end(&bytes) {
            self.bar.finish_and_clear();
            return Ok(None);
        }
        let is_unclosed = bytes.as_slice().last() == Some(&END);
        if is_unclosed {
            bytes = without_end(&bytes);
        }
        // The parser counts the lines behind a record exactly, those before it only without blank lines.
        let inside = bytes.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        let line = end.saturating_sub(inside + u64::from(!is_unclosed));
        let breaks = inside + self.reader.get_ref().cut;
        let last_line = line + breaks.saturating_sub(u64::from(is_unclosed));
        let behind = self.reader.position().byte();
        let has_odd_quote = self.reader.get_mut().had_odd_quote(behind);
        let is_misshapen = inside > 0 && (has_odd_quote || bytes.len() != self.header.len());
        let is_swallowed = is_unclosed
            || is_misshapen
            || last_line - line >= MOST_LINES
            || bytes.as_slice().len() > MOST_BYTES;
        let has_nul = bytes.as_slice().contains(&0);
        let (record, is_utf8) = match StringRecord::from_byte_record(bytes) {
            Ok(record) => (record, true),
            Err(error) => (lossy(&error.into_byte_record()), false),
        };
        self.record = record;
        // PostgreSQL's text holds no NUL.
        let is_text = is_utf8 && !has_nul;
        Ok(Some(Row { line, last_line, is_swallowed, fields: &self.record, is_text }))
    }
}

/// Whether this stands behind the last record.
fn is_end(record: &ByteRecord) -> bool {
    record.len() == 1 && record.as_slice() == [END]
}

/// The record without the mark in its last field.
fn without_end(record: &ByteRecord) -> ByteRecord {
    record
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let is_last = at + 1 == record.len();
            if is_last { field.strip_suffix(&[END]).unwrap_or(field) } else { field }
        })
        .collect()
}

fn lossy(bytes: &ByteRecord) -> StringRecord {
    bytes.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().into()
}

/// Ends every line, also the last one, with `\n`, so that lines can be counted; and puts [`END`] behind all.
struct Lines<R> {
    inner: R,
    last: u8,
    /// How much more may be read before the file is cut off.
    room: usize,
    /// How many lines were cut off.
    cut: u64,
    ended: bool,
    written: u64,
    quotes: Quotes,
    /// Where text follows upon a quoted cell without a comma: what ended it was probably the quote that
    /// begins another one.
    odd: VecDeque<u64>,
}

/// Where in a record a byte stands, as the parser sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Begin,
    Plain,
    Inside,
    /// Behind a quote inside of quotes: it is the end, or the first of two.
    Behind,
}

impl<R: BufRead> Lines<R> {
    fn of(inner: R) -> Self {
        let (quotes, odd) = (Quotes::Begin, VecDeque::new());
        Self { inner, last: b'\n', room: CUT, cut: 0, ended: false, written: 0, quotes, odd }
    }

    /// Whether there was an odd quote before this place, since it was last asked.
    fn had_odd_quote(&mut self, before: u64) -> bool {
        let count = self.odd.iter().take_while(|at| **at < before).count();
        self.odd.drain(..count).count() > 0
    }

    fn watch(&mut self, byte: u8) {
        self.quotes = match (self.quotes, byte) {
            (Quotes::Inside, b'"') => Quotes::Behind,
            (Quotes::Inside, _) | (Quotes::Begin | Quotes::Behind, b'"') => Quotes::Inside,
            (_, b',' | b'\n') => Quotes::Begin,
            (Quotes::Behind, _) => {
                self.odd.push_back(self.written);
                Quotes::Plain
            }
            (Quotes::Begin | Quotes::Plain, _) => Quotes::Plain,
        };
        self.written += 1;
    }

    /// What is put behind the file.
    fn end(&mut self) -> Option<u8> {
        if self.ended {
            return None;
        }
        self.ended = self.last == b'\n' || self.last == b'\r';
        self.last = b'\n';
        Some(if self.ended { END } else { b'\n' })
    }

    fn skip_the_rest(&mut self) -> io::Result<()> {
        loop {
            let input = self.inner.fill_buf()?;
            if input.is_empty() {
                return Ok(());
            }
            self.cut += input.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.last = input.last().copied().unwrap_or(self.last);
            let read = input.len();
            self.inner.consume(read);
        }
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.room == 0 {
            self.skip_the_rest()?;
        }
        loop {
            let input = self.inner.fill_buf()?;
            if input.is_empty() {
                let end = self.end();
                out[..usize::from(end.is_some())].fill(end.unwrap_or_default());
                return Ok(usize::from(end.is_some()));
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
            for byte in &out[..written] {
                self.watch(*byte);
            }
            self.inner.consume(read);
            self.room = self.room.saturating_sub(read);
            if written > 0 {
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

    fn swallowed(text: &str) -> Vec<(u64, u64, bool, usize)> {
        let bytes = io::Cursor::new(text.to_owned().into_bytes());
        let mut source = Source::of(Box::new(bytes), ProgressBar::hidden()).unwrap();
        let mut rows = Vec::new();
        while let Some(row) = source.next().unwrap() {
            rows.push((row.line, row.last_line, row.is_swallowed, row.fields.as_slice().len()));
        }
        rows
    }

    #[test]
    fn tells_when_a_quote_is_not_closed() {
        assert_eq!(swallowed("a,b\n1,\"x\n\"\n2,\"3\"\n\n"), [(2, 3, false, 3), (4, 4, false, 2)]);
        assert_eq!(swallowed("a,b\n1,2\n3,\"x\n5,6\n"), [(2, 2, false, 2), (3, 4, true, 7)]);
        assert_eq!(swallowed("a,b\n1,2\n3,\"x"), [(2, 2, false, 2), (3, 3, true, 3)]);
        // The quote of another cell closed it.
        assert_eq!(swallowed("a,b\n1,\"x,\"2\n\"y,3\n3,4\n"), [(2, 2, false, 4), (3, 4, true, 8)]);
        assert_eq!(swallowed("a,b\n1,\"x\n2,\"y\"\n3,4\n"), [(2, 3, true, 7), (4, 4, false, 2)]);
        // Within a line a quote may be what it looks like.
        assert_eq!(swallowed("a,b\n5\" nail,\"6\" nail\"\n3,\"4\n\"\n")[1], (3, 4, false, 3));
    }

    #[test]
    fn tells_when_a_row_is_too_long_and_does_not_hold_a_file_in_memory() {
        let lines = |count| format!("a,b\n1,\"x{}\"\n2,3\n", "\n".repeat(count));
        assert_eq!(swallowed(&lines(999))[0], (2, 1001, false, 1001));
        assert_eq!(swallowed(&lines(1000)), [(2, 1002, true, 1002), (1003, 1003, false, 2)]);
        let bytes = |count| format!("a,b\n1,\"{}\"\n2,3\n", "x".repeat(count));
        assert!(!swallowed(&bytes(MOST_BYTES - 1))[0].2);
        assert_eq!(swallowed(&bytes(MOST_BYTES))[..2], [(2, 2, true, MOST_BYTES + 1), (3, 3, false, 2)]);
        let huge = format!("a,b\n1,\"x\n{}", "12345678\n".repeat(CUT / 9 * 3));
        let rows = swallowed(&huge);
        assert_eq!(rows.len(), 1);
        assert!(rows[0].2 && rows[0].3 < 2 * CUT);
        assert_eq!(rows[0].1, huge.lines().count() as u64);
    }

    #[test]
    fn strips_the_byte_order_mark() {
        let source = Source::of(Box::new(&b"\xef\xbb\xbfHandle,Title\n"[..]), ProgressBar::hidden()).unwrap();
        assert_eq!(&source.header()[0], "Handle");
    }
}
