//! The program: command line, configuration and wiring. The only crate that knows everything.
//!
//! The library exists so that tests run on the same wiring as the program.
pub mod app;
mod cli;
mod config;
mod demo;
mod import;
mod ledger;
mod mail;
mod payouts;
mod people;
mod reconcile;
mod sandbox;
mod serve;
mod session;
mod stock;
pub mod verify;
mod webhooks;

pub use cli::{Cli, run};
