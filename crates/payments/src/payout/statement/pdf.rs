//! Statements as PDF: A4, one after the other, each from a new page on.

use std::sync::LazyLock;

use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::{Statement, decimal};
use crate::Error;

/// `DejaVu Sans Condensed`: most of the scripts that stores' names are written in.
static REGULAR: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSansCondensed.ttf");
static BOLD: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSansCondensed-Bold.ttf");

/// A4, in points.
const PAGE: (f32, f32) = (595.28, 841.89);
/// Where what is written begins and ends, from the left.
const LEFT: f32 = 48.0;
const RIGHT: f32 = PAGE.0 - 48.0;
/// Where the columns are: the first three begin there, the last two end there.
const DATE: f32 = LEFT;
const WHAT: f32 = LEFT + 58.0;
const REFERENCE: f32 = LEFT + 178.0;
const AMOUNT: f32 = RIGHT - 88.0;
const BALANCE: f32 = RIGHT;
/// Below this line nothing of the table stands.
const FLOOR: f32 = PAGE.1 - 64.0;
const ROW: f32 = 14.0;

const INK: (u8, u8, u8) = (28, 30, 34);
const GREY: (u8, u8, u8) = (112, 118, 128);
const RULE: (u8, u8, u8) = (208, 212, 218);
const SHADE: (u8, u8, u8) = (243, 245, 247);

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A font, and how wide it writes.
struct Face {
    font: Option<Font>,
    measure: Option<ttf_parser::Face<'static>>,
}

impl Face {
    fn read(bytes: &'static [u8]) -> Self {
        Self { font: Font::new(bytes.into(), 0), measure: ttf_parser::Face::parse(bytes, 0).ok() }
    }

    /// In points.
    fn width(&self, text: &str, size: f32) -> f32 {
        let Some(face) = &self.measure else { return 0.0 };
        let units: u32 = text
            .chars()
            .filter_map(|letter| face.glyph_hor_advance(face.glyph_index(letter).unwrap_or_default()))
            .map(u32::from)
            .sum();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a line of text is no more than some thousand units wide"
        )]
        let units = units as f32;
        units * size / f32::from(face.units_per_em())
    }

    /// As much of the text as fits.
    fn fitting(&self, text: &str, size: f32, most: f32) -> String {
        if self.width(text, size) <= most {
            return text.to_owned();
        }
        let mut text = text.to_owned();
        while !text.is_empty() && self.width(&format!("{text}…"), size) > most {
            text.pop();
        }
        text + "…"
    }
}

static FACES: LazyLock<(Face, Face)> = LazyLock::new(|| (Face::read(REGULAR), Face::read(BOLD)));

/// How a text is written.
#[derive(Clone, Copy)]
struct Style {
    bold: bool,
    size: f32,
    ink: (u8, u8, u8),
}

const PLAIN: Style = Style { bold: false, size: 8.0, ink: INK };
const STRONG: Style = Style { bold: true, size: 8.0, ink: INK };
const SMALL: Style = Style { bold: false, size: 7.0, ink: GREY };

impl Style {
    fn face(self) -> &'static Face {
        if self.bold { &FACES.1 } else { &FACES.0 }
    }
}

/// A page being written.
struct Sheet<'a, 'd>(&'a mut Surface<'d>);

impl Sheet<'_, '_> {
    fn fill(&mut self, (red, green, blue): (u8, u8, u8)) {
        self.0.set_fill(Some(Fill {
            paint: rgb::Color::new(red, green, blue).into(),
            opacity: NormalizedF32::ONE,
            rule: FillRule::NonZero,
        }));
    }

    fn write(&mut self, x: f32, y: f32, text: &str, style: Style) {
        let Some(font) = style.face().font.clone() else { return };
        self.fill(style.ink);
        self.0.draw_text(Point::from_xy(x, y), font, style.size, text, false, TextDirection::Auto);
    }

    fn write_to(&mut self, x: f32, y: f32, text: &str, style: Style) {
        self.write(x - style.face().width(text, style.size), y, text, style);
    }

    fn block(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), colour: (u8, u8, u8)) {
        let Some(rect) = Rect::from_xywh(x, y, width, height) else { return };
        let mut path = PathBuilder::new();
        path.push_rect(rect);
        if let Some(path) = path.finish() {
            self.fill(colour);
            self.0.draw_path(&path);
        }
    }

    fn line(&mut self, y: f32) {
        self.block((LEFT, y), (RIGHT - LEFT, 0.6), RULE);
    }
}

/// What stands on a page, from the top: it is known before any page is begun, so that each can say of how many it is.
enum Part<'a> {
    Head(&'a Statement),
    Columns,
    Opening(&'a Statement),
    Line(&'a crate::ledger::StatementLine, bool),
    Closing(&'a Statement),
    TotalsHead,
    Total(&'a super::StatementTotal),
    Nothing,
}

impl Part<'_> {
    const fn height(&self) -> f32 {
        match self {
            Self::Head(_) => 128.0,
            Self::Columns | Self::Closing(_) | Self::Nothing => 20.0,
            Self::TotalsHead => 40.0,
            Self::Line(line, _) if line.memo.is_some() => ROW + 9.0,
            Self::Opening(_) | Self::Line(..) | Self::Total(_) => ROW,
        }
    }
}

/// The statements of a store of this name.
pub(super) fn render(name: &str, statements: &[Statement]) -> Result<Vec<u8>, Error> {
    let mut pages: Vec<Vec<Part<'_>>> = statements.iter().flat_map(pages_of).collect();
    if pages.is_empty() {
        pages.push(vec![Part::Nothing]);
    }
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(format!("Statement of {name}")).creator("Souk".to_owned()));
    let count = pages.len();
    for (number, parts) in (1..).zip(pages) {
        let settings = PageSettings::from_wh(PAGE.0, PAGE.1)
            .ok_or_else(|| Error::Unprintable("a page has no size".to_owned()))?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        let mut sheet = Sheet(&mut surface);
        let mut y = 56.0;
        for part in &parts {
            draw(&mut sheet, y, part, name);
            y += part.height();
        }
        let foot = PAGE.1 - 36.0;
        sheet.write(LEFT, foot, &STYLE_FOOT.face().fitting(name, STYLE_FOOT.size, 300.0), STYLE_FOOT);
        sheet.write_to(RIGHT, foot, &format!("Page {number} of {count}"), STYLE_FOOT);
        surface.finish();
        page.finish();
    }
    document.finish().map_err(|error| Error::Unprintable(format!("{error:?}")))
}

const STYLE_FOOT: Style = SMALL;

fn pages_of(statement: &Statement) -> Vec<Vec<Part<'_>>> {
    let lines = statement.lines.iter().enumerate();
    let parts = std::iter::once(Part::Opening(statement))
        .chain(lines.map(|(place, line)| Part::Line(line, place % 2 == 0)))
        .chain([Part::Closing(statement), Part::TotalsHead])
        .chain(statement.totals.iter().map(Part::Total));
    let mut pages = vec![vec![Part::Head(statement), Part::Columns]];
    let mut y = 56.0 + Part::Head(statement).height() + Part::Columns.height();
    for part in parts {
        if y + part.height() > FLOOR {
            let of_table = matches!(part, Part::Line(..) | Part::Closing(_));
            pages.push(if of_table { vec![Part::Columns] } else { Vec::new() });
            y = 56.0 + if of_table { Part::Columns.height() } else { 0.0 };
        }
        y += part.height();
        if let Some(page) = pages.last_mut() {
            page.push(part);
        }
    }
    pages
}

fn draw(sheet: &mut Sheet<'_, '_>, y: f32, part: &Part<'_>, name: &str) {
    match part {
        Part::Head(statement) => head(sheet, y, statement, name),
        Part::Nothing => sheet.write(LEFT, y + 12.0, "Nothing has happened yet.", STRONG),
        Part::Columns => {
            for (x, text) in [(DATE, "Date"), (WHAT, "What happened"), (REFERENCE, "Of")] {
                sheet.write(x, y + 8.0, text, SMALL);
            }
            sheet.write_to(AMOUNT, y + 8.0, "Amount", SMALL);
            sheet.write_to(BALANCE, y + 8.0, "Balance", SMALL);
            sheet.line(y + 13.0);
        }
        Part::Opening(statement) => {
            sheet.write(WHAT, y + 10.0, "Opening balance", STRONG);
            sheet.write_to(BALANCE, y + 10.0, &decimal(statement.opening), STRONG);
        }
        Part::Line(line, shaded) => {
            if *shaded {
                sheet.block((LEFT - 4.0, y), (RIGHT - LEFT + 8.0, part.height()), SHADE);
            }
            let what = words(line.rule.as_str());
            sheet.write(DATE, y + 10.0, &day(line.occurred_at), PLAIN);
            sheet.write(
                WHAT,
                y + 10.0,
                &PLAIN.face().fitting(&what, PLAIN.size, REFERENCE - WHAT - 6.0),
                PLAIN,
            );
            sheet.write(REFERENCE, y + 10.0, &line.reference.to_string(), SMALL);
            sheet.write_to(AMOUNT, y + 10.0, &decimal(line.amount), PLAIN);
            sheet.write_to(BALANCE, y + 10.0, &decimal(line.balance), PLAIN);
            if let Some(memo) = &line.memo {
                sheet.write(
                    WHAT,
                    y + 19.0,
                    &SMALL.face().fitting(memo, SMALL.size, AMOUNT - WHAT - 60.0),
                    SMALL,
                );
            }
        }
        Part::Closing(statement) => {
            sheet.line(y + 3.0);
            let what = if statement.payout.is_some() { "Paid out" } else { "Closing balance" };
            sheet.write(WHAT, y + 15.0, what, STRONG);
            sheet.write_to(BALANCE, y + 15.0, &statement.closing.to_string(), STRONG);
        }
        Part::TotalsHead => {
            sheet.write(LEFT, y + 28.0, "In all", STRONG);
            sheet.line(y + 34.0);
        }
        Part::Total(total) => {
            sheet.write(WHAT, y + 10.0, &words(total.rule.as_str()), PLAIN);
            let lines = if total.lines == 1 { "1 line".to_owned() } else { format!("{} lines", total.lines) };
            sheet.write(REFERENCE, y + 10.0, &lines, SMALL);
            sheet.write_to(AMOUNT, y + 10.0, &decimal(total.amount), PLAIN);
        }
    }
}

fn head(sheet: &mut Sheet<'_, '_>, y: f32, statement: &Statement, name: &str) {
    let title = Style { bold: true, size: 18.0, ink: INK };
    let strong = Style { bold: true, size: 10.0, ink: INK };
    let of_payout = statement.payout.as_ref();
    let what = if of_payout.is_some() { "Payout statement" } else { "Statement of account" };
    sheet.write(LEFT, y + 12.0, what, title);
    sheet.write_to(RIGHT, y + 12.0, statement.opening.currency.code(), title);
    sheet.write(LEFT, y + 34.0, &strong.face().fitting(name, strong.size, RIGHT - LEFT), strong);
    let about = match of_payout {
        Some(payout) => format!("Payout {}, {}", payout.id, payout.state.as_str()),
        None => match (statement.from, statement.to) {
            // The last day of it, not the first behind it.
            (Some(from), Some(to)) => {
                format!("{} to {}", day(from), day(to - time::Duration::microseconds(1)))
            }
            _ => String::new(),
        },
    };
    sheet.write(LEFT, y + 48.0, &about, Style { ink: GREY, ..PLAIN });
    let made = format!("Made out on {}, all times in UTC", day(statement.made_at));
    sheet.write(LEFT, y + 60.0, &made, Style { ink: GREY, ..PLAIN });
    sheet.block((LEFT, y + 74.0), (RIGHT - LEFT, 38.0), SHADE);
    let moved = statement.closing.amount - statement.opening.amount;
    let moved = platform::Money::new(moved, statement.opening.currency);
    let boxes = match of_payout {
        Some(payout) => {
            let sent = payout.sent_at.map_or_else(|| "not yet".to_owned(), day);
            [("Made on", day(payout.created_at)), ("Sent on", sent), ("Amount", payout.amount.to_string())]
        }
        None => [
            ("Opening balance", statement.opening.to_string()),
            ("Change", moved.to_string()),
            ("Closing balance", statement.closing.to_string()),
        ],
    };
    for ((label, text), x) in boxes.into_iter().zip([LEFT + 12.0, LEFT + 182.0, LEFT + 352.0]) {
        sheet.write(x, y + 88.0, label, SMALL);
        sheet.write(x, y + 103.0, &text, strong);
    }
}

fn day(at: OffsetDateTime) -> String {
    at.format(DAY).unwrap_or_default()
}

/// `commission_tax_refund` as `Commission tax refund`.
fn words(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;
    use crate::ledger::Rule;

    #[test]
    fn numbers_are_as_wide_as_they_look() {
        let (regular, bold) = (&FACES.0, &FACES.1);
        assert!(regular.font.is_some() && bold.font.is_some());
        assert!(
            (regular.width("1111", 8.0) - regular.width("8888", 8.0)).abs() < 0.001,
            "digits stand in columns"
        );
        assert!(bold.width("Opening", 8.0) > regular.width("Opening", 8.0));
        assert_eq!(regular.fitting("short", 8.0, 100.0), "short");
        let cut = regular.fitting("a name that is far too long for its place", 8.0, 60.0);
        assert!(cut.ends_with('…') && regular.width(&cut, 8.0) <= 60.0, "{cut}");
    }

    /// Every line stands on one page, whole, and no page is too full.
    #[test]
    fn lines_are_laid_out_on_pages() {
        for lines in [0, 1, 40, 41, 42, 43, 44, 45, 46, 500] {
            let statement = example("GBP", &vec![(Rule::Sale, 100); lines]);
            let pages = pages_of(&statement);
            let drawn = pages.iter().flatten().filter(|part| matches!(part, Part::Line(..))).count();
            assert_eq!(drawn, lines);
            for page in &pages {
                let height: f32 = page.iter().map(Part::height).sum();
                assert!(56.0 + height <= FLOOR, "{lines}: {height}");
            }
        }
    }

    #[test]
    fn a_document_is_made() {
        let rules = [(Rule::Sale, 1000), (Rule::Commission, -100), (Rule::AdjustmentToStore, 5)];
        let statements = [example("GBP", &rules), example("JPY", &rules), example("KWD", &rules)];
        let bytes = render("Łódź & Söhne", &statements).unwrap();
        assert!(bytes.starts_with(b"%PDF-") && bytes.trim_ascii_end().ends_with(b"%%EOF"));
        assert_eq!(bytes, render("Łódź & Söhne", &statements).unwrap(), "the same each time");
        assert!(render("New", &[]).unwrap().len() > 500, "also of nothing");
    }
}
