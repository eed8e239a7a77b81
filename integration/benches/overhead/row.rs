//! One line of the table.

use crate::paired::Sampled;
use crate::target;
use serde_json::{Value, json};
use std::path::PathBuf;

/// One measurement. The driver adds the build and its directives.
#[derive(Clone, Debug)]
pub struct Row {
    pub group: String,
    pub line: String,
    pub build: String,
    pub unit: String,
    pub median: f64,
    pub low: f64,
    pub high: f64,
    /// Relative to the first line of the same child and setting, where there is one.
    pub ratio: Option<f64>,
    pub over: Option<f64>,
}

impl Row {
    /// A line in nanoseconds, compared to another line.
    pub fn paired(group: &str, line: impl Into<String>, sampled: &Sampled) -> Self {
        Self {
            group: group.to_owned(),
            line: line.into(),
            build: String::new(),
            unit: "ns".to_owned(),
            median: sampled.median,
            low: sampled.spread.0,
            high: sampled.spread.1,
            ratio: Some(sampled.ratio),
            over: Some(sampled.over),
        }
    }

    /// An exact value, which is compared to nothing.
    pub fn exact(group: &str, line: impl Into<String>, unit: &str, value: f64) -> Self {
        Self {
            group: group.to_owned(),
            line: line.into(),
            build: String::new(),
            unit: unit.to_owned(),
            median: value,
            low: value,
            high: value,
            ratio: None,
            over: None,
        }
    }

    pub fn to_json(&self) -> Value {
        json!({
            "group": self.group,
            "line": self.line,
            "build": self.build,
            "unit": self.unit,
            "median": self.median,
            "low": self.low,
            "high": self.high,
            "ratio": self.ratio,
            "over": self.over,
        })
    }

    pub fn from_json(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let string = |key: &str| value[key].as_str().map(str::to_owned);
        Some(Self {
            group: string("group")?,
            line: string("line")?,
            build: string("build")?,
            unit: string("unit")?,
            median: value["median"].as_f64()?,
            low: value["low"].as_f64()?,
            high: value["high"].as_f64()?,
            ratio: value["ratio"].as_f64(),
            over: value["over"].as_f64(),
        })
    }
}

/// Compares the lines of the build with hooks to the plain lines of the build without: with hooks linked, the plain line is hooked
/// too.
pub fn beside_plain(rows: &mut [Row]) {
    let plain: Vec<Row> = rows
        .iter()
        .filter(|row| row.build == "compiled out")
        .cloned()
        .collect();
    for row in rows.iter_mut().filter(|row| row.build.ends_with(", hooks")) {
        let plain_line = row
            .line
            .replace("scope!", "v8::scope!")
            .replace("v8::v8::", "v8::")
            .replace("guarded_call", "Function::call");
        // A whole program is compared already, to its own plain runs.
        if let Some(plain) = plain.iter().find(|plain| plain.line == plain_line) {
            row.ratio = Some(row.median / plain.median);
            row.over = Some(row.median - plain.median);
        }
    }
}

/// Prints the table in Markdown, as in `BENCHMARKS.md`.
pub fn print(rows: &[Row]) {
    println!("| group | line | build | median | quartiles | | ratio | over plain |");
    println!("|---|---|---|--:|--:|---|--:|--:|");
    for row in rows {
        let number = |number: f64| match number.abs() {
            0.0..100.0 => format!("{number:.2}"),
            _ => format!("{number:.0}"),
        };
        let ratio = row
            .ratio
            .map_or(String::new(), |ratio| format!("{ratio:.3}"));
        let over = row.over.map_or(String::new(), |over| format!("{over:+.2}"));
        println!(
            "| {} | {} | {} | {} | {} .. {} | {} | {ratio} | {over} |",
            row.group,
            row.line,
            row.build,
            number(row.median),
            number(row.low),
            number(row.high),
            row.unit,
        );
    }
}

pub fn write(rows: &[Row]) -> Result<PathBuf, String> {
    let path = target::folder().join("overhead.json");
    let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
    let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
    std::fs::write(&path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
