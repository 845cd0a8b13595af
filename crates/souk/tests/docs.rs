//! What the documentation has to keep up with.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What reasons begin with: the modules, and what goes for every request.
const PREFIXES: [&str; 9] = [
    "catalog",
    "database",
    "identity",
    "inventory",
    "orders",
    "payments",
    "platform",
    "request",
    "waiting_room",
];

/// All Rust files of a crate's program.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The reasons that a Rust file names: string literals such as `"orders/cart_empty"`.
fn reasons(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').filter(|literal| {
        let Some((prefix, name)) = literal.split_once('/') else { return false };
        PREFIXES.contains(&prefix)
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

/// Every reason that a program may meet is in docs/errors.md.
#[test]
fn every_reason_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let documented = fs::read_to_string(root.join("docs/errors.md")).expect("docs/errors.md");
    let mut files = Vec::new();
    for name in ["api", "catalog", "identity", "inventory", "orders", "payments", "platform", "waiting_room"]
    {
        sources(&root.join("crates").join(name).join("src"), &mut files);
    }
    let mut missing = BTreeSet::new();
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("a text file");
        // What `souk verify` finds has names of the same form, and tags of the cache too.
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name == "verify.rs" {
            continue;
        }
        for reason in reasons(&text) {
            let of_verify = text.contains(&format!("Violation::new(\"{reason}\""));
            let of_cache = text.contains(&format!("Tag::topic(\"{reason}\")"));
            if of_verify || of_cache {
                continue;
            }
            seen += 1;
            if !documented.contains(&format!("`{reason}`")) {
                missing.insert(reason.to_owned());
            }
        }
    }
    assert!(seen > 100, "{seen} reasons are fewer than there were");
    assert!(missing.is_empty(), "docs/errors.md does not name: {missing:#?}");
}

#[test]
fn tells_reasons_from_other_text() {
    let code = r#"match x { _ => "orders/cart_empty", _ => "a/b", _ => "catalog/Products" }"#;
    assert_eq!(reasons(code).collect::<Vec<_>>(), ["orders/cart_empty"]);
}
