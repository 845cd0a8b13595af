//! The demonstration marketplace: what `souk serve --demo` fills an empty database with.
mod commission;
mod content;
mod drawing;
mod fill;
pub(crate) mod people;

pub(crate) use fill::fill_if_empty;
