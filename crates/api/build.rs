//! Says how to get the one embedded asset that is not in the repository.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=assets");
    if !Path::new("assets/vendor/scalar.js").exists() {
        println!("cargo::error=crates/api/assets/vendor/scalar.js is missing: run script/bootstrap");
    }
}
