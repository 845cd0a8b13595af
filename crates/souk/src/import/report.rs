//! The report: a CSV file of the rows that were not imported as they are, each with its line and why.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::source::Row;

/// What became of a row that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It was not imported.
    Refused,
    /// It was imported, but not all of it or not as it is.
    Mended,
}

impl Outcome {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Mended => "mended",
        }
    }
}

/// Why a row is refused that an unclosed quote made of several.
pub(crate) const SWALLOWED: &str = "a quote is probably not closed: several lines were read as one row";
/// Of longer cells the report has the beginning.
const LONGEST_CELL: usize = 255;

/// A report that is being written. Its file is made with the first entry.
pub(crate) struct Report {
    path: PathBuf,
    columns: Vec<&'static str>,
    writer: Option<csv::Writer<File>>,
    counts: BTreeMap<(Outcome, &'static str), u64>,
}

/// A report that is complete.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    /// Where it is, if there was something to report.
    pub(crate) path: Option<PathBuf>,
    /// How many rows by what became of them and why.
    pub(crate) counts: BTreeMap<(Outcome, &'static str), u64>,
}

impl Report {
    /// A report on `source` of entries with these columns.
    pub(crate) fn new(
        path: Option<&Path>,
        source: &Path,
        columns: Vec<&'static str>,
    ) -> anyhow::Result<Self> {
        let path = path.map_or_else(|| beside(source), Path::to_path_buf);
        let same = path.canonicalize().ok().is_some_and(|path| source.canonicalize().ok() == Some(path));
        ensure!(!same, "the report would overwrite {}", source.display());
        Ok(Self { path, columns, writer: None, counts: BTreeMap::new() })
    }

    /// Adds an entry.
    pub(crate) fn add(
        &mut self,
        line: u64,
        outcome: Outcome,
        reason: &'static str,
        fields: &[&str],
    ) -> anyhow::Result<()> {
        self.write(line, outcome, reason, fields)?;
        *self.counts.entry((outcome, reason)).or_default() += 1;
        Ok(())
    }

    /// Adds a row that is probably several.
    pub(crate) fn add_swallowed(&mut self, row: &Row<'_>, fields: &[&str]) -> anyhow::Result<()> {
        let Row { line, last_line, .. } = row;
        let reason =
            format!("a quote is probably not closed: lines {line} to {last_line} were read as one row");
        self.write(*line, Outcome::Refused, &reason, fields)?;
        *self.counts.entry((Outcome::Refused, SWALLOWED)).or_default() += 1;
        Ok(())
    }

    fn write(&mut self, line: u64, outcome: Outcome, reason: &str, fields: &[&str]) -> anyhow::Result<()> {
        let of = || format!("writing the report {}", self.path.display());
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let mut writer =
                    csv::WriterBuilder::new().flexible(true).from_path(&self.path).with_context(of)?;
                let header = ["line", "outcome", "reason"].iter().chain(&self.columns);
                writer.write_record(header).with_context(of)?;
                none.insert(writer)
            }
        };
        let line = line.to_string();
        let fields = fields.iter().map(|field| beginning(field));
        let entry = [line.as_str(), outcome.as_str(), reason].into_iter().map(Cow::Borrowed).chain(fields);
        for cell in entry {
            writer.write_field(cell.as_bytes()).with_context(of)?;
        }
        writer.write_record(None::<&[u8]>).with_context(of)
    }

    /// Completes the file, if there is one.
    pub(crate) fn finish(self) -> anyhow::Result<Reported> {
        let path = match self.writer {
            Some(mut writer) => {
                writer.flush().with_context(|| format!("writing the report {}", self.path.display()))?;
                Some(self.path)
            }
            None => None,
        };
        Ok(Reported { path, counts: self.counts })
    }
}

impl Reported {
    /// How many rows had this outcome.
    pub(crate) fn total(&self, outcome: Outcome) -> u64 {
        self.counts.iter().filter(|((of, _), _)| *of == outcome).map(|(_, count)| count).sum()
    }

    /// Fails when the import is not to be taken for a success: rows swallowed others, or of the `read` ones
    /// nothing was `taken`.
    pub(crate) fn judge(&self, read: u64, taken: u64) -> anyhow::Result<()> {
        let swallowed = self.counts.get(&(Outcome::Refused, SWALLOWED)).copied().unwrap_or(0);
        let path = self.path.as_deref().unwrap_or(Path::new("")).display();
        ensure!(
            swallowed == 0,
            "a quote is probably not closed: what stands behind it was read as one row with it and is not \
             imported; {path} has the lines ({swallowed} such rows). Mend the file and import it again"
        );
        ensure!(read == 0 || taken > 0, "nothing could be imported; {path} says why");
        Ok(())
    }
}

fn beginning(cell: &str) -> Cow<'_, str> {
    match cell.char_indices().nth(LONGEST_CELL) {
        None => Cow::Borrowed(cell),
        Some((end, _)) => Cow::Owned(format!("{}…", &cell[..end])),
    }
}

/// `data/online-retail.csv.gz` has `online-retail.report.csv` in the current folder.
fn beside(source: &Path) -> PathBuf {
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = stem.strip_suffix(".csv").unwrap_or(stem);
    PathBuf::from(format!("{stem}.report.csv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_report_after_the_file() {
        for (source, report) in [
            ("data/online-retail.csv.gz", "online-retail.report.csv"),
            ("apparel.csv", "apparel.report.csv"),
            ("export", "export.report.csv"),
        ] {
            assert_eq!(beside(Path::new(source)), Path::new(report));
        }
    }

    #[test]
    fn makes_no_file_of_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        let source = Path::new("x.csv");
        let report = Report::new(Some(&path), source, vec!["handle"]).unwrap();
        assert_eq!(report.finish().unwrap().path, None);
        assert!(!path.exists());
        let mut report = Report::new(Some(&path), source, vec!["handle"]).unwrap();
        report.add(7, Outcome::Refused, "no price", &["a, b"]).unwrap();
        assert_eq!(report.finish().unwrap().total(Outcome::Refused), 1);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "line,outcome,reason,handle\n7,refused,no price,\"a, b\"\n");
    }
}
