//! What bpftrace prints: a JSON text on each line.
//!
//! Names of the target are in the keys of maps, so a line may hold anything. A key begins with the numbers of a thread and an
//! isolate, and the names follow: no name passes for a number.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A line, as far as it matters.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// The probes are in place.
    Attached(Clock),
    /// The maps of one report have been printed.
    Printed(Clock),
    /// bpftrace ends. The maps that are left follow.
    Ending(Clock),
    /// A map.
    Map(Map, Vec<Entry>),
}

/// A time of the day as bpftrace prints it: `12:34:56`.
#[derive(Clone, Debug, PartialEq)]
pub struct Clock(String);

impl fmt::Display for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A map of the scripts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Map {
    Turns,
    Callbacks,
    Handles,
    Bare,
    Left,
    Inside,
}

/// A count in a map.
#[derive(Debug, PartialEq)]
pub struct Entry {
    /// The number of the thread.
    pub thread: u64,
    /// The address of the isolate.
    pub isolate: u64,
    /// The text of a stack, of which nothing is known. Empty in maps without one.
    pub stack: String,
    /// How often it occurred.
    pub count: u64,
}

/// Parses a line. Returns `None` for what does not matter: other maps, and what bpftrace says about itself.
pub fn parse(line: &[u8]) -> Option<Line> {
    // bpftrace copies the bytes of a name, which need not be text.
    let line = String::from_utf8_lossy(line);
    let Json::Object(fields) = serde_json::from_str(&line).ok()? else {
        return None;
    };
    let mut kind = None;
    let mut data = None;
    for (name, value) in fields {
        match name.as_str() {
            "type" => kind = Some(value),
            "data" => data = Some(value),
            _ => {}
        }
    }
    match (kind?, data?) {
        (Json::Text(kind), Json::Text(text)) if kind == "time" => time(&text),
        (Json::Text(kind), Json::Object(maps)) if kind == "map" => map(maps),
        _ => None,
    }
}

/// Parses what the scripts print by `time`.
fn time(text: &str) -> Option<Line> {
    let (event, clock) = text.trim_end().split_once(' ')?;
    let is_clock = clock.len() == 8
        && clock.bytes().enumerate().all(|(at, byte)| match at {
            2 | 5 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
    let clock = is_clock.then(|| Clock(clock.to_owned()))?;
    match event {
        "attached" => Some(Line::Attached(clock)),
        "printed" => Some(Line::Printed(clock)),
        "ending" => Some(Line::Ending(clock)),
        _ => None,
    }
}

/// bpftrace prints each map on a line of its own.
fn map(maps: Vec<(String, Json)>) -> Option<Line> {
    let (name, entries) = maps.into_iter().next()?;
    let map = match name.as_str() {
        "@turns" => Map::Turns,
        "@callbacks" => Map::Callbacks,
        "@handles" => Map::Handles,
        "@bare" => Map::Bare,
        "@left" => Map::Left,
        "@inside" => Map::Inside,
        // Those that the scripts use internally.
        _ => return None,
    };
    let Json::Object(entries) = entries else {
        return None;
    };
    let entries = entries
        .into_iter()
        .filter_map(|(key, count)| entry(&key, &count))
        .collect();
    Some(Line::Map(map, entries))
}

/// Parses a key `thread,isolate` or `thread,isolate,stack`. A count that is not positive is none: a scope was closed after all.
fn entry(key: &str, count: &Json) -> Option<Entry> {
    let mut parts = key.splitn(3, ',');
    let thread = parts.next()?.trim().parse().ok()?;
    let isolate = parts.next()?.trim().parse().ok()?;
    let stack = parts.next().unwrap_or_default().to_owned();
    let &Json::Number(count) = count else {
        return None;
    };
    let count = u64::try_from(count).ok().filter(|&count| count > 0)?;
    Some(Entry {
        thread,
        isolate,
        stack,
        count,
    })
}

/// A JSON text. An object keeps each of its fields: bpftrace repeats a key where two stacks have the same names.
#[derive(Debug)]
enum Json {
    Text(String),
    Number(i64),
    Object(Vec<(String, Json)>),
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.try_into().unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Line> {
        parse(line.as_bytes())
    }

    #[test]
    fn a_clock_is_read_with_its_event() {
        let clock = || Clock("02:31:09".to_owned());
        for (event, line) in [
            ("attached", Line::Attached(clock())),
            ("printed", Line::Printed(clock())),
            ("ending", Line::Ending(clock())),
        ] {
            let text = format!(r#"{{"type": "time", "data": "{event} 02:31:09\n"}}"#);
            assert_eq!(parsed(&text), Some(line));
        }
        for data in [
            "attached",
            "attached 2:31:09",
            "attached 02:31:0\\u001b",
            "other 02:31:09",
        ] {
            assert_eq!(
                parsed(&format!(r#"{{"type": "time", "data": "{data}"}}"#)),
                None
            );
        }
    }

    #[test]
    fn an_entry_is_a_thread_an_isolate_and_a_stack() {
        let line = r#"{"type": "map", "data": {"@bare": {"7,255,\n    f+0\n    g(int, int)+21\n": 3, "7,255,a,b": 2, "7,255": 1}}}"#;
        let entry = |stack: &str, count| Entry {
            thread: 7,
            isolate: 255,
            stack: stack.to_owned(),
            count,
        };
        let entries = vec![
            entry("\n    f+0\n    g(int, int)+21\n", 3),
            entry("a,b", 2),
            entry("", 1),
        ];
        assert_eq!(parsed(line), Some(Line::Map(Map::Bare, entries)));
    }

    #[test]
    fn a_repeated_key_counts_each_time() {
        let line = r#"{"type": "map", "data": {"@left": {"7,255,f": 3, "7,255,f": 4, "7,255,g": 0, "7,255,h": -1}}}"#;
        let Some(Line::Map(Map::Left, entries)) = parsed(line) else {
            panic!("not a map");
        };
        let counts: Vec<_> = entries.iter().map(|entry| entry.count).collect();
        assert_eq!(counts, [3, 4]);
    }

    #[test]
    fn a_name_can_not_forge_an_entry() {
        // A symbol that tries to end the key, and the text.
        let line = r#"{"type": "map", "data": {"@bare": {"7,255,m]: 5\n@left[1, 2, ]: 9\n\"}}\n{\"type\"": 1}}}"#;
        let Some(Line::Map(Map::Bare, entries)) = parsed(line) else {
            panic!("not a map");
        };
        assert_eq!(entries.len(), 1);
        assert_eq!(
            (entries[0].thread, entries[0].isolate, entries[0].count),
            (7, 255, 1)
        );
    }

    #[test]
    fn what_does_not_matter_is_left_out() {
        for line in [
            "",
            "{",
            "null",
            "[]",
            r#"{"type": "attached_probes", "data": {"probes": 9}}"#,
            r#"{"type": "lost_events", "data": {"events": 1}}"#,
            r#"{"type": "map", "data": {"@frames": {"7,0": 94708202466837}}}"#,
            r#"{"type": "map", "data": {"@turns": 5}}"#,
            r#"{"type": "map", "data": {}}"#,
            r#"{"type": "map"}"#,
            r#"{"type": "map", "data": {"@turns": {"7,255": 1}"#,
        ] {
            assert_eq!(parsed(line), None, "{line}");
        }
        let only = |key: &str, count: &str| {
            parsed(&format!(
                r#"{{"type": "map", "data": {{"@turns": {{"{key}": {count}}}}}}}"#
            ))
        };
        for (key, count) in [
            ("7", "1"),
            ("", "1"),
            ("x,1", "1"),
            ("1,x", "1"),
            ("1,2", "[1]"),
            ("1,2", "1.5"),
        ] {
            assert_eq!(
                only(key, count),
                Some(Line::Map(Map::Turns, Vec::new())),
                "{key} {count}"
            );
        }
        let deep = format!("{}{}", r#"{"type":"#.repeat(100_000), "}".repeat(100_000));
        assert_eq!(parsed(&deep), None);
    }

    #[test]
    fn a_line_need_not_be_text() {
        let line = b"{\"type\": \"map\", \"data\": {\"@bare\": {\"7,255,\xff\\uffff\\u001b\": 1}}}";
        let Some(Line::Map(Map::Bare, entries)) = parse(line) else {
            panic!("not a map");
        };
        assert_eq!(entries[0].stack, "\u{fffd}\u{ffff}\u{1b}");
    }
}
