//! What is told of a run.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use super::Row;
use super::floor_runs::{BEHIND_HTTP, LOCKED};
use super::souk_runs::SOUK;
use crate::metrics::ByQueue;
use crate::stage::Stage;
use crate::table::{Table, milliseconds, thousands};
use crate::traffic::Traffic;

/// Prints what the numbers depend on.
pub(crate) async fn facts(stage: &Stage) -> anyhow::Result<Vec<(String, String)>> {
    let facts = stage.describe().await?;
    let text: Vec<String> = facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
    println!("{}\n", text.join(", "));
    Ok(facts)
}

/// Prints the comparison designs.
pub(super) fn floor(rows: &[Row]) {
    println!(
        "Without Souk (callers of `driver` are tasks of the bench, those of `axum` connections; for sold-out: answers/s):\n"
    );
    let mut table = Table::new(&[
        "design",
        "traffic",
        "callers",
        "orders/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "errors",
        "server µs",
        "postgres µs",
        "generator µs",
    ]);
    for row in rows {
        let mut cells = vec![row.what.clone(), row.traffic.to_owned()];
        cells.extend(numbers(row));
        cells.extend(costs(row));
        table.row(cells);
    }
    println!("{}", table.text());
    notes(rows);
}

/// Prints Souk.
pub(super) fn souk(rows: &[Row]) {
    println!("Souk (CPU per order; for sold-out: answers/s; quiet: until nothing was left to be done):\n");
    let mut table = Table::new(&[
        "traffic",
        "connections",
        "orders/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "errors",
        "settled/s",
        "server µs",
        "postgres µs",
        "generator µs",
        "quiet s",
        "mean batch",
    ]);
    let souk: Vec<Row> = rows.iter().filter(|row| row.what == SOUK).cloned().collect();
    for row in &souk {
        let mut cells = vec![row.traffic.to_owned()];
        cells.extend(numbers(row));
        cells.push(row.settled_per_second.map_or("-".to_owned(), thousands));
        cells.extend(costs(row));
        cells.push(format!("{:.1}", row.quiet_after));
        cells.push(batches(&row.batch_size));
        table.row(cells);
    }
    println!("{}", table.text());
    if souk.iter().any(|row| !row.batch_wait.is_empty() || !row.batch_service.is_empty()) {
        let mut table = Table::new(&["traffic", "connections", "waited in a queue, ms", "a batch took, ms"]);
        for row in &souk {
            let (wait, service) = (batches(&row.batch_wait), batches(&row.batch_service));
            table.row([row.traffic.to_owned(), row.connections.to_string(), wait, service]);
        }
        println!("{}", table.text());
    }
    notes(&souk);
}

fn numbers(row: &Row) -> [String; 6] {
    [
        thousands(f64::from(u32::try_from(row.connections).unwrap_or(u32::MAX))),
        thousands(row.per_second),
        milliseconds(row.latency.p50),
        milliseconds(row.latency.p95),
        milliseconds(row.latency.p99),
        row.errors.to_string(),
    ]
}

fn costs(row: &Row) -> [String; 3] {
    [row.server_cpu, row.postgres_cpu, row.generator_cpu].map(thousands)
}

fn batches(means: &ByQueue) -> String {
    let means: Vec<String> = means.iter().map(|(queue, mean)| format!("{queue} {mean:.1}")).collect();
    if means.is_empty() { "-".to_owned() } else { means.join(" ") }
}

fn notes(rows: &[Row]) {
    for row in rows {
        for note in &row.notes {
            println!("  {} {} at {}: {note}", row.what, row.traffic, row.connections);
        }
    }
}

/// Prints what stands in relation to what.
pub(super) fn ratios(rows: &[Row]) {
    let of = |what: &str, traffic: Traffic, connections: Option<usize>| {
        let wanted = |row: &&Row| {
            row.what == what
                && row.traffic == traffic.name()
                && connections.is_none_or(|connections| row.connections == connections)
        };
        rows.iter().filter(wanted).map(|row| row.per_second).reduce(f64::max)
    };
    let percent = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) if other > 0.0 => format!("{:.0} %", one / other * 100.0),
        _ => "-".to_owned(),
    };
    let mut table = Table::new(&[
        "connections",
        "Souk / D behind axum, uniform",
        "hot",
        "Souk / A at 32 callers, uniform",
        "hot",
        "Souk: hot / uniform",
    ]);
    let mut connections: Vec<usize> =
        rows.iter().filter(|row| row.what == SOUK).map(|row| row.connections).collect();
    connections.sort_unstable();
    connections.dedup();
    for at in connections {
        let souk = |traffic| of(SOUK, traffic, Some(at));
        let mut cells = vec![at.to_string()];
        for traffic in [Traffic::Uniform, Traffic::Hot] {
            cells.push(percent(souk(traffic), of(BEHIND_HTTP, traffic, Some(at))));
        }
        for traffic in [Traffic::Uniform, Traffic::Hot] {
            cells.push(percent(souk(traffic), of(LOCKED, traffic, None)));
        }
        cells.push(percent(souk(Traffic::Hot), souk(Traffic::Uniform)));
        table.row(cells);
    }
    println!("{}", table.text());
}

/// Writes all of it as JSON, if a file was named.
pub(crate) fn write(
    file: Option<&Path>,
    bench: &str,
    facts: &[(String, String)],
    rows: &impl Serialize,
    wrong: &[String],
) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let facts: serde_json::Map<_, _> =
        facts.iter().map(|(name, value)| (name.clone(), serde_json::Value::from(value.as_str()))).collect();
    let report = serde_json::json!({"bench": bench, "machine": facts, "rows": rows, "wrong": wrong});
    let mut text = serde_json::to_string_pretty(&report)?;
    writeln!(text)?;
    std::fs::write(file, text).with_context(|| file.display().to_string())
}

/// Says whether the books were right.
pub(crate) fn verdict(wrong: &[String]) -> ExitCode {
    if wrong.is_empty() {
        println!("The books agree with what buyers were told.");
        return ExitCode::SUCCESS;
    }
    println!("WRONG:");
    wrong.iter().for_each(|what| println!("  {what}"));
    ExitCode::FAILURE
}
