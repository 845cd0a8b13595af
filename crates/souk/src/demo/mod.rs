//! The demonstration marketplace: what `souk serve --demo` fills an empty database with.
mod content;
mod drawing;

pub(crate) use content::{Category, Demo, Image, Product, Store, Variant, load};
pub(crate) use drawing::{product_svg, store_svg};
