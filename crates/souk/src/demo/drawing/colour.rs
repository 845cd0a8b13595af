//! The colours of the market: warm, a little faded, the same names as the products' colour options.
use std::fmt;

/// Red, green and blue from 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Colour(u8, u8, u8);

impl Colour {
    pub(super) const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self(red, green, blue)
    }

    const LIGHT: Self = Self(255, 247, 230);
    const DARK: Self = Self(38, 24, 20);

    /// Towards lamp light for positive shares, towards dusk for negative ones.
    pub(super) fn shade(self, share: f64) -> Self {
        self.mix(if share < 0.0 { Self::DARK } else { Self::LIGHT }, share.abs())
    }

    pub(super) fn mix(self, other: Self, share: f64) -> Self {
        let step = |from: u8, to: u8| {
            let value = f64::from(from) + (f64::from(to) - f64::from(from)) * share.clamp(0.0, 1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two u8")]
            let value = value.round() as u8;
            value
        };
        Self(step(self.0, other.0), step(self.1, other.1), step(self.2, other.2))
    }

    /// How far apart two colours look, 0 to about 100.
    pub(super) fn distance(self, other: Self) -> f64 {
        let part = |a: u8, b: u8, weight: f64| weight * (f64::from(a) - f64::from(b)).powi(2);
        (part(self.0, other.0, 0.30) + part(self.1, other.1, 0.59) + part(self.2, other.2, 0.11)).sqrt()
            / 2.55
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// A colour by its name in lower case.
pub(super) fn named(name: &str) -> Option<Colour> {
    Some(match name {
        "white" => Colour(255, 250, 240),
        "paper" => Colour(247, 237, 217),
        "cream" => Colour(242, 227, 198),
        "oat" => Colour(214, 190, 150),
        "sage" => Colour(152, 170, 134),
        "moss" => Colour(112, 124, 66),
        "leaf" => Colour(86, 128, 76),
        "forest" => Colour(44, 88, 66),
        "teal" => Colour(58, 118, 114),
        "sky" => Colour(148, 182, 198),
        "indigo" => Colour(50, 72, 124),
        "navy" => Colour(38, 54, 82),
        "slate" => Colour(98, 112, 122),
        "charcoal" => Colour(70, 68, 66),
        "ink" | "black" => Colour(48, 43, 45),
        "horn" => Colour(76, 58, 48),
        "walnut" => Colour(112, 74, 50),
        "soil" => Colour(72, 50, 38),
        "oak" => Colour(200, 154, 98),
        "olive" => Colour(172, 130, 72),
        "brick" => Colour(170, 64, 44),
        "terracotta" => Colour(198, 108, 70),
        "copper" => Colour(192, 110, 68),
        "blush" => Colour(222, 170, 150),
        "plum" => Colour(110, 58, 84),
        "saffron" => Colour(226, 152, 40),
        "mustard" => Colour(200, 150, 44),
        "brass" => Colour(204, 160, 72),
        "steel" | "silver" => Colour(180, 188, 188),
        _ => return None,
    })
}
