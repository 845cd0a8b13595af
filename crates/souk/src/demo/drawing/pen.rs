//! A pen that writes SVG shapes in the colours of one product.
use std::fmt::{Display, Write as _};

use super::colour::{Colour, named};

/// Collects the shapes of one picture; paints are names such as `main`, `side-2` or `walnut+1@5`:
/// a colour, tenths lighter or darker, tenths of opacity.
pub(super) struct Pen<'a> {
    shapes: String,
    main: Colour,
    side: Colour,
    finish: Option<&'a str>,
    dice: u64,
    long_shadows: bool,
}

impl<'a> Pen<'a> {
    pub(super) fn new(main: Colour, side: Colour, finish: Option<&'a str>, dice: u64) -> Self {
        Self { shapes: String::new(), main, side, finish, dice, long_shadows: true }
    }

    /// Draws small things that have no room for the evening's shadows.
    pub(super) fn with_short_shadows(self) -> Self {
        Self { long_shadows: false, ..self }
    }

    pub(super) fn into_shapes(self) -> String {
        self.shapes
    }

    /// Whether the product has this finish.
    pub(super) fn is(&self, finish: &str) -> bool {
        self.finish == Some(finish)
    }

    /// A number below `sides`, another one at each call.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % sides
    }

    /// A fraction from -1 to 1, another one at each call.
    pub(super) fn sway(&mut self) -> f64 {
        f64::from(u32::try_from(self.roll(2001)).expect("a small number fits")) / 1000.0 - 1.0
    }

    fn paint(&self, paint: &str) -> (String, Option<char>) {
        let (paint, opacity) = match paint.split_once('@') {
            Some((paint, tenths)) => (paint, tenths.chars().next()),
            None => (paint, None),
        };
        let (name, shades) = paint.split_at(paint.find(['+', '-']).unwrap_or(paint.len()));
        let tenths = shades.split_inclusive(|c: char| c.is_ascii_digit());
        let shift: i32 = tenths.map(|it| it.parse::<i32>().expect("a shade is a number of tenths")).sum();
        let colour = match name {
            "main" => self.main,
            "side" => self.side,
            _ => named(name).expect("a motif uses known colours"),
        };
        (colour.shade(f64::from(shift) / 10.0).to_string(), opacity)
    }

    fn fill_attributes(&self, paint: &str) -> String {
        match self.paint(paint) {
            (hex, Some(tenths)) => format!("fill=\"{hex}\" fill-opacity=\".{tenths}\""),
            (hex, None) => format!("fill=\"{hex}\""),
        }
    }

    fn stroke_attributes(&self, paint: &str, width: impl Display) -> String {
        let (hex, opacity) = self.paint(paint);
        let opacity = opacity.map_or(String::new(), |tenths| format!(" stroke-opacity=\".{tenths}\""));
        format!("stroke=\"{hex}\"{opacity} stroke-width=\"{width}\"")
    }

    /// Writes one element.
    pub(super) fn raw(&mut self, element: &str) -> &mut Self {
        self.shapes.push_str(element);
        self
    }

    /// A flat shape.
    pub(super) fn fill(&mut self, paint: &str, d: &str) -> &mut Self {
        let fill = self.fill_attributes(paint);
        self.raw(&format!("<path d=\"{d}\" {fill}/>"))
    }

    /// A round shape: lit from the left, dark on the right.
    pub(super) fn solid(&mut self, paint: &str, d: &str) -> &mut Self {
        self.fill(paint, d).raw(&format!("<path d=\"{d}\" fill=\"url(#v)\"/>"))
    }

    /// A round shape with the product's finish, such as stripes.
    pub(super) fn body(&mut self, paint: &str, d: &str) -> &mut Self {
        self.fill(paint, d);
        if self.finish.is_some() {
            self.raw(&format!("<path d=\"{d}\" fill=\"url(#f)\"/>"));
        }
        self.raw(&format!("<path d=\"{d}\" fill=\"url(#v)\"/>"))
    }

    /// Thick cloth with the product's finish, lit from above.
    pub(super) fn cloth(&mut self, paint: &str, d: &str) -> &mut Self {
        self.fill(paint, d);
        if self.finish.is_some() {
            self.raw(&format!("<path d=\"{d}\" fill=\"url(#f)\"/>"));
        }
        self.raw(&format!("<path d=\"{d}\" fill=\"url(#s)\"/>"))
    }

    /// A lying shape with the product's finish, lit from the upper left corner.
    pub(super) fn sheet(&mut self, paint: &str, d: &str) -> &mut Self {
        self.fill(paint, d);
        if self.finish.is_some() {
            self.raw(&format!("<path d=\"{d}\" fill=\"url(#f)\"/>"));
        }
        self.raw(&format!("<path d=\"{d}\" fill=\"url(#u)\"/>"))
    }

    pub(super) fn line(&mut self, paint: &str, width: impl Display, d: &str) -> &mut Self {
        let stroke = self.stroke_attributes(paint, width);
        self.raw(&format!("<path d=\"{d}\" {stroke}/>"))
    }

    pub(super) fn oval<T: Display>(&mut self, paint: &str, [cx, cy, rx, ry]: [T; 4]) -> &mut Self {
        let fill = self.fill_attributes(paint);
        self.raw(&format!("<ellipse cx=\"{cx}\" cy=\"{cy}\" rx=\"{rx}\" ry=\"{ry}\" {fill}/>"))
    }

    /// An oval with the light of a lying shape.
    pub(super) fn disc<T: Display>(&mut self, paint: &str, oval: [T; 4]) -> &mut Self {
        let light = format!(
            "<ellipse cx=\"{}\" cy=\"{}\" rx=\"{}\" ry=\"{}\" fill=\"url(#u)\"/>",
            oval[0], oval[1], oval[2], oval[3]
        );
        self.oval(paint, oval).raw(&light)
    }

    pub(super) fn ring<T: Display>(
        &mut self,
        paint: &str,
        width: impl Display,
        [cx, cy, rx, ry]: [T; 4],
    ) -> &mut Self {
        let stroke = self.stroke_attributes(paint, width);
        self.raw(&format!("<ellipse cx=\"{cx}\" cy=\"{cy}\" rx=\"{rx}\" ry=\"{ry}\" {stroke}/>"))
    }

    /// A flat rectangle: x, y, width, height, corner radius.
    pub(super) fn bar<T: Display>(&mut self, paint: &str, [x, y, w, h, r]: [T; 5]) -> &mut Self {
        let fill = self.fill_attributes(paint);
        self.raw(&format!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{r}\" {fill}/>"))
    }

    /// A rectangle lit like a round shape.
    pub(super) fn block<T: Display>(&mut self, paint: &str, bar: [T; 5]) -> &mut Self {
        self.lit(paint, bar, "v")
    }

    /// A rectangle lit like a lying shape.
    pub(super) fn slab<T: Display>(&mut self, paint: &str, bar: [T; 5]) -> &mut Self {
        self.lit(paint, bar, "u")
    }

    fn lit<T: Display>(&mut self, paint: &str, bar: [T; 5], light: &str) -> &mut Self {
        let [x, y, w, h, r] = &bar;
        let place = format!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{r}\"");
        self.bar(paint, bar).raw(&format!("{place} fill=\"url(#{light})\"/>"))
    }

    /// Draws inside a transformed group.
    pub(super) fn group(&mut self, transform: &str, draw: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.shapes, "<g transform=\"{transform}\">");
        draw(self);
        self.raw("</g>")
    }

    /// Lamp light in the air around a point.
    pub(super) fn glow(&mut self, x: i32, y: i32, radius: i32) -> &mut Self {
        self.raw(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"url(#g)\"/>"))
    }

    /// The shadow of a thing that stands at `y` around `cx`, half as wide as `rx`.
    pub(super) fn shadow(&mut self, cx: i32, y: i32, rx: i32) -> &mut Self {
        let long = self.long_shadows;
        let mut shade = |[cx, cy, rx, ry]: [i32; 4], paint: char| {
            self.raw(&format!(
                "<ellipse cx=\"{cx}\" cy=\"{cy}\" rx=\"{rx}\" ry=\"{ry}\" fill=\"url(#{paint})\"/>"
            ));
        };
        if long {
            shade([cx + rx * 3 / 4, y - 6, rx * 3 / 2, 14 + rx / 9], 'l');
        }
        shade([cx + 8, y, rx + 14, 10 + rx / 14], 'k');
        self
    }
}
