//! The walls of the house (ARCHITECTURE.md): which crate may name which, whose tables a query may touch, and
//! what a face may not take. Each check is a function of text, so that the last tests can show it fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The arrows: what each crate may name of the workspace. An arrow that is not here is a decision to be made.
const ARROWS: [(&str, &[&str]); 12] = [
    ("platform", &[]),
    ("identity", &["platform"]),
    ("catalog", &["identity", "platform"]),
    ("inventory", &["catalog", "identity", "platform"]),
    ("waiting_room", &["catalog", "identity", "platform"]),
    ("payments", &["identity", "platform"]),
    ("orders", &["catalog", "identity", "inventory", "payments", "platform", "waiting_room"]),
    ("notifications", &["identity", "platform"]),
    ("api", &["catalog", "identity", "inventory", "orders", "payments", "platform", "waiting_room"]),
    (
        "souk",
        &[
            "api",
            "catalog",
            "identity",
            "inventory",
            "notifications",
            "orders",
            "payments",
            "platform",
            "waiting_room",
        ],
    ),
    ("testkit", &["api", "catalog", "identity", "inventory", "orders", "payments", "platform", "souk"]),
    // It measures the program from outside: of the workspace it may name no more than the embedded PostgreSQL and ids.
    ("bench", &["platform"]),
];

/// What the tests of every crate may name besides: they start the whole program.
const FOR_TESTS: [&str; 2] = ["souk", "testkit"];

/// Crates from elsewhere that a crate may not name, and why.
const BANNED: [(&[&str], &[&str], &str); 2] = [
    (&MODULES, &["axum", "axum-extra", "tower-http", "utoipa-axum"], "a module knows no transport"),
    (&["api"], &["sqlx"], "SQL is the modules' business"),
];

/// The crates that own tables. Each has one schema, of its own name.
const MODULES: [&str; 8] =
    ["catalog", "identity", "inventory", "notifications", "orders", "payments", "platform", "waiting_room"];

/// All schemas, also of the modules to come.
const SCHEMAS: [&str; 8] =
    ["catalog", "identity", "inventory", "notifications", "orders", "payments", "platform", "waiting_room"];

/// What makes a piece of text SQL.
const SQL_WORDS: [&str; 10] =
    ["select", "insert", "update", "delete", "from", "join", "into", "table", "truncate", "references"];

/// Whoever is given one of these takes part in somebody else's transaction.
const DATABASE_TYPES: [&str; 7] =
    ["Connection", "Database", "Executor", "PgConnection", "PgPool", "Transaction", "Tx"];

/// The machine's own clock and chance, which are `platform`'s to ask.
const REAL_SOURCES: [&str; 8] = [
    "SystemTime::now",
    "OffsetDateTime::now_utc",
    "UtcDateTime::now",
    "Uuid::now_v7",
    "Uuid::new_v4",
    "getrandom::",
    "sources::System",
    "Sources::system",
];

/// Lines that a file may have.
const LONGEST: usize = 450;
/// Lines that a file of tests may have: cases stand one below the other.
const LONGEST_TEST: usize = 650;

/// Longer files, each with its reason.
const LONGER: [(&str, &str); 1] =
    [("crates/souk/tests/catalogue.rs", "all that can be read, and that no answer is ever stale")];

#[test]
fn crates_depend_along_the_arrows() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo answers");
    let mut wrong = Vec::new();
    let mut known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for package in &metadata.packages {
        known.remove(package.name.as_str());
        for dependency in &package.dependencies {
            let is_ours = dependency.path.is_some();
            wrong.extend(wrong_arrow(&package.name, &dependency.name, is_ours, dependency.kind));
        }
        if !ARROWS.iter().any(|(name, _)| *name == package.name.as_str()) {
            wrong.push(format!("{} is a new crate: say in ARROWS what it may name", package.name));
        }
    }
    wrong.extend(known.iter().map(|name| format!("{name} is in ARROWS but not in the workspace")));
    assert_none(&wrong);
}

#[test]
fn each_query_stays_in_its_own_schema() {
    let mut wrong = Vec::new();
    for module in MODULES {
        let folder = format!("crates/{module}");
        for (name, text) in files(&folder, "rs") {
            wrong.extend(in_file(&name, foreign_tables_in_rust(&text, module)));
        }
        for (name, text) in files(&folder, "sql") {
            wrong.extend(in_file(&name, foreign_tables(&without_sql_comments(&text), module)));
        }
        let settings = fs::read_to_string(root().join(&folder).join("sqlx.toml")).expect("a sqlx.toml");
        let own = format!("create-schemas = [\"{module}\"]\ntable-name = \"{module}._sqlx_migrations\"");
        if !settings.contains(&own) {
            wrong.push(format!("{folder}/sqlx.toml: its migrations do not go to its own schema"));
        }
    }
    for no_module in ["crates/api/src", "crates/souk/src"] {
        for (name, text) in files(no_module, "rs") {
            wrong.extend(in_file(&name, foreign_tables_in_rust(&text, "none")));
        }
    }
    assert_none(&wrong);
}

#[test]
fn no_face_takes_a_transaction() {
    let mut wrong = Vec::new();
    for module in MODULES.into_iter().filter(|module| *module != "platform") {
        for (name, text) in files(&format!("crates/{module}/src"), "rs") {
            wrong.extend(in_file(&name, database_types_in_public_traits(&text)));
        }
    }
    assert_none(&wrong);
}

#[test]
fn only_platform_asks_for_the_time_and_only_the_command_line_prints() {
    let mut wrong = Vec::new();
    for name in MODULES.into_iter().chain(["api"]) {
        for (file, text) in files(&format!("crates/{name}/src"), "rs") {
            let code = Source::read(&text).code;
            wrong.extend(in_file(&file, printing(&code)));
            if name != "platform" {
                wrong.extend(in_file(&file, real_sources(&code)));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn files_are_short() {
    let all = files("crates", "rs").into_iter().chain(files("bench", "rs"));
    let lengths = all.map(|(name, text)| (name, text.lines().count()));
    let longest = |name: &str| if name.contains("/tests/") { LONGEST_TEST } else { LONGEST };
    let wrong: Vec<String> = lengths
        .filter(|(name, lines)| *lines > longest(name) && !LONGER.iter().any(|(longer, _)| longer == name))
        .map(|(name, lines)| format!("{name} has {lines} lines: split it, or give a reason in LONGER"))
        .collect();
    assert_none(&wrong);
}

// What follows judges text.

/// What is wrong with `package` depending on `dependency`.
fn wrong_arrow(package: &str, dependency: &str, is_ours: bool, kind: DependencyKind) -> Option<String> {
    let for_tests = kind == DependencyKind::Development;
    if dependency == "notifications" && package != "souk" {
        return Some(format!(
            "{package} -> notifications: only the wiring names it, it hears of others by their events"
        ));
    }
    if is_ours {
        let to = ARROWS.iter().find(|(name, _)| *name == package).map(|(_, to)| *to).unwrap_or_default();
        let allowed = to.contains(&dependency) || (for_tests && FOR_TESTS.contains(&dependency));
        return (!allowed).then(|| format!("{package} -> {dependency} is not among the arrows"));
    }
    let banned = BANNED.iter().find(|(who, what, _)| who.contains(&package) && what.contains(&dependency));
    banned.filter(|_| !for_tests).map(|(.., why)| format!("{package} -> {dependency}: {why}"))
}

/// Tables of other modules that the SQL of a Rust file names.
fn foreign_tables_in_rust(text: &str, own: &str) -> Vec<String> {
    let is_sql = |literal: &str| {
        let literal = literal.to_lowercase();
        SQL_WORDS.iter().any(|word| !positions(&literal, word).is_empty())
    };
    Source::read(text)
        .literals
        .iter()
        .filter(|literal| is_sql(literal))
        .flat_map(|sql| foreign_tables(sql, own))
        .collect()
}

/// Tables of other modules that a piece of SQL names, and ways to reach them without naming them.
fn foreign_tables(sql: &str, own: &str) -> Vec<String> {
    let sql = sql.to_lowercase().replace('"', "");
    let mut found = Vec::new();
    for schema in SCHEMAS.into_iter().filter(|schema| *schema != own) {
        for at in positions(&sql, schema) {
            let table: String = match sql[at + schema.len()..].strip_prefix('.') {
                Some(rest) => rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect(),
                None => continue,
            };
            if !table.is_empty() {
                found.push(format!("{own} names {schema}.{table}"));
            }
        }
    }
    if !positions(&sql, "search_path").is_empty() {
        found.push("search_path hides whose tables a query names".to_owned());
    }
    found
}

/// A migration without its comments.
fn without_sql_comments(sql: &str) -> String {
    sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Types of the database that a public trait names.
fn database_types_in_public_traits(text: &str) -> Vec<String> {
    let code = Source::read(text).code;
    let mut found = Vec::new();
    for (at, _) in code.match_indices("pub trait ") {
        let body = braced(&code[at..]);
        let name =
            body["pub trait ".len()..].split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        for kind in DATABASE_TYPES {
            if !positions(body, kind).is_empty() {
                found.push(format!("the trait {name} names {kind}: a transaction ends at the module's edge"));
            }
        }
    }
    found
}

/// The beginning of `code` up to where its first brace is closed.
fn braced(code: &str) -> &str {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return &code[..=at],
            '}' => depth -= 1,
            _ => {}
        }
    }
    code
}

fn real_sources(code: &str) -> Vec<String> {
    let named = REAL_SOURCES.into_iter().filter(|name| code.contains(name));
    named.map(|name| format!("{name}: clock and chance are parameters, take platform::Sources")).collect()
}

fn printing(code: &str) -> Vec<String> {
    let macros = ["println", "eprintln", "print", "eprint", "dbg"];
    let is_called =
        |name: &&str| positions(code, name).iter().any(|at| code[at + name.len()..].starts_with('!'));
    macros.into_iter().filter(is_called).map(|name| format!("{name}!: log with tracing")).collect()
}

/// Where `word` stands in `text` as a word of its own.
fn positions(text: &str, word: &str) -> Vec<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let found = text.match_indices(word).map(|(at, _)| at);
    found
        .filter(|at| !text[..*at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
        .collect()
}

/// A Rust file taken apart.
#[derive(Default)]
struct Source {
    /// The code without comments and without what stands in string literals.
    code: String,
    /// What stands in string literals, line breaks as spaces.
    literals: Vec<String>,
}

impl Source {
    fn read(text: &str) -> Self {
        let mut source = Self::default();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let whole_word = !source.code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let length = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                comment(rest)
            } else if let Some(hashes) = raw_string(rest).filter(|_| whole_word) {
                let begin = rest.find('"').unwrap_or_default() + 1;
                let end = rest[begin..].find(&format!("\"{hashes}")).map_or(rest.len(), |at| begin + at);
                source.literals.push(rest[begin..end].to_owned());
                source.code.push_str("\"\"");
                (end + 1 + hashes.len()).min(rest.len())
            } else if c == '"' {
                let end = string_end(rest);
                source.literals.push(rest[1..end].replace("\\n", " ").replace('\\', ""));
                source.code.push_str("\"\"");
                (end + 1).min(rest.len())
            } else if let Some(length) = character(rest) {
                length
            } else {
                source.code.push(c);
                c.len_utf8()
            };
            rest = &rest[length..];
        }
        source
    }
}

/// The hashes of a raw string that begins here.
fn raw_string(rest: &str) -> Option<&str> {
    let after =
        rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let quote = after.find(|c| c != '#')?;
    after[quote..].starts_with('"').then(|| &after[..quote])
}

/// The length of the block comment that begins here; they nest.
fn comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let step = match rest.get(at..at + 2) {
            Some("/*") => (1, 2),
            Some("*/") => (-1, 2),
            _ => (0, rest[at..].chars().next().map_or(1, char::len_utf8)),
        };
        depth += step.0;
        at += step.1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Where the string that begins here has its closing quote.
fn string_end(rest: &str) -> usize {
    let mut escaped = true;
    for (at, c) in rest.char_indices() {
        match c {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// The length of the character literal that begins here; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let escape = if first == '\\' { inside[1..].chars().next()?.len_utf8() } else { 0 };
    let least = first.len_utf8() + escape;
    let end = least + inside[least..].find('\'')?;
    (first == '\\' || end == least).then_some(end + 2)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files below a folder that end so, by their names in the repository.
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == extension) {
                let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).expect("a text file")));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no .{extension} file, so the check checks nothing");
    found.sort();
    found
}

fn in_file(name: &str, wrong: Vec<String>) -> impl Iterator<Item = String> {
    wrong.into_iter().map(move |what| format!("{name}: {what}"))
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} walls are broken:\n  {}", wrong.len(), wrong.join("\n  "));
}

// That the checks can fail.

#[test]
fn tells_wrong_arrows() {
    let normal =
        |package, dependency, is_ours| wrong_arrow(package, dependency, is_ours, DependencyKind::Normal);
    for (package, dependency, is_ours) in [
        ("platform", "catalog", true),
        ("platform", "testkit", true),
        ("catalog", "inventory", true),
        ("payments", "orders", true),
        ("orders", "api", true),
        ("api", "souk", true),
        ("api", "testkit", true),
        ("orders", "notifications", true),
        ("orders", "axum", false),
        ("api", "sqlx", false),
    ] {
        assert!(normal(package, dependency, is_ours).is_some(), "{package} -> {dependency}");
    }
    assert_eq!(normal("orders", "inventory", true), None);
    assert_eq!(normal("api", "axum", false), None);
    assert_eq!(wrong_arrow("inventory", "testkit", true, DependencyKind::Development), None);
    assert!(wrong_arrow("testkit", "notifications", true, DependencyKind::Development).is_some());
}

#[test]
fn tells_tables_of_other_modules() {
    for sql in [
        r#"sqlx::query!("SELECT id FROM catalog.products")"#,
        r##"sqlx::query!(r#"SELECT l.id AS "id!" FROM orders.orders l JOIN "catalog"."products" p USING (id)"#)"##,
        r#"query.push(" JOIN Catalog.products p ON p.id = o.product_id")"#,
        r#"query("SELECT 1\nFROM \"catalog\".\"products\"")"#,
        r#"execute("SET search_path TO catalog; SELECT 1")"#,
    ] {
        assert_eq!(foreign_tables_in_rust(sql, "orders").len(), 1, "{sql}");
    }
    for fine in [
        r#"sqlx::query!("SELECT nextval('orders.order_number') FROM orders.orders")"#,
        "// SELECT id FROM catalog.products\nlet quote = '\"'; catalog.products(\"FROM here\");",
        r#"const TOPIC: &str = "inventory.availability_changed.v1";"#,
    ] {
        assert_eq!(foreign_tables_in_rust(fine, "orders"), [] as [String; 0], "{fine}");
    }
    let migration = "-- Not of catalog.products.\nproduct_id uuid REFERENCES catalog.products";
    assert_eq!(foreign_tables(&without_sql_comments(migration), "orders"), ["orders names catalog.products"]);
}

#[test]
fn tells_a_face_that_takes_a_transaction() {
    let face = "pub trait Orders {\n fn pay(&self, tx: &mut Tx);\n /// Not a PgPool.\n fn done(&self) {} }\nfn f(p: PgPool) {}";
    let found = database_types_in_public_traits(face);
    assert_eq!(found, ["the trait Orders names Tx: a transaction ends at the module's edge"]);
}

#[test]
fn tells_a_real_clock_and_a_print() {
    let code =
        Source::read("/* dbg!(1) */ let a = \"println!\"; println!(\"{a}\"); OffsetDateTime::now_utc();")
            .code;
    assert_eq!(printing(&code).len(), 1, "{code}");
    assert_eq!(real_sources(&code).len(), 1, "{code}");
}
