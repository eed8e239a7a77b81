//! What `log` emits, by a subscriber that keeps every event. Alone in its file, as subscriber and checker are the
//! process's.
#![cfg(any(debug_assertions, feature = "enabled"))]

mod common;

use common::Fake;
use handleguard::{Action, Config, Place};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

#[derive(Clone, Debug)]
struct Event {
    target: String,
    level: tracing::Level,
    fields: BTreeMap<&'static str, String>,
}

static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());

fn events() -> Vec<Event> {
    EVENTS.lock().unwrap().clone()
}

struct Keep;

impl<S: tracing::Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Fields(BTreeMap<&'static str, String>);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.0.insert(field.name(), format!("{value:?}"));
            }
            fn record_str(&mut self, field: &Field, value: &str) {
                self.0.insert(field.name(), value.to_owned());
            }
            fn record_u64(&mut self, field: &Field, value: u64) {
                self.0.insert(field.name(), value.to_string());
            }
        }
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        EVENTS.lock().unwrap().push(Event {
            target: event.metadata().target().to_owned(),
            level: *event.metadata().level(),
            fields: fields.0,
        });
    }
}

#[inline(never)]
fn on_close(fake: Fake) -> u32 {
    let place = Place::here("on_close");
    let callee = || Some("onclose (server.js:12)".to_owned());
    let _callback = handleguard::callback_at(fake, place, callee);
    fake.handles
        .set(fake.handles.get().map(|before| before + 2));
    place.location.line()
}

#[test]
fn new_site_and_each_tick_are_one_event_with_all_fields() {
    let subscriber = tracing_subscriber::registry().with(Keep);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    Config::new()
        .action(Action::Log)
        .tick(Duration::from_millis(100))
        .try_init()
        .expect("HANDLEGUARD must not be set");

    let fake = Fake::new(0xabc);
    fake.handles.set(Some(10));
    let _main = handleguard::scope(fake, "main");
    let main = line!() - 1;
    let [start] = &events()[..] else {
        panic!("not one event: {:#?}", events());
    };
    assert_eq!(
        (start.target.as_str(), start.level),
        ("handleguard", tracing::Level::INFO)
    );
    assert_eq!(common::how(&start.fields["message"]), common::on(|_| "log"));

    let mut callback = 0;
    // Unrolled, it would be three stacks and so three sites.
    for _ in 0..std::hint::black_box(3) {
        let _turn = handleguard::turn(fake, "uv_run");
        callback = on_close(fake);
    }
    let file = file!();
    let mut expected = BTreeMap::from([
        ("rule", "missing-scope".to_owned()),
        ("callback", format!("`on_close` at {file}:{callback}:17")),
        ("callee", "onclose (server.js:12)".to_owned()),
        ("opener", format!("`main` at {file}:{main}:17")),
        ("location", format!("{file}:{callback}:17")),
        ("thread", std::thread::current().name().unwrap().to_owned()),
        ("isolate", "0xabc".to_owned()),
        ("handles", "0".to_owned()),
        ("count", "1".to_owned()),
    ]);
    let sentence = handleguard::report().sites()[0]
        .violation()
        .sentence()
        .to_string();
    assert!(
        sentence.starts_with("missing-scope: callback `on_close` at "),
        "{sentence}"
    );
    expected.insert("message", sentence);

    assert!(handleguard::flush(Duration::from_secs(60)));
    let mut first = events()[1].clone();
    let first_stack = first.fields.remove("stack").unwrap();
    assert_eq!(
        (first.target.as_str(), first.level),
        ("handleguard", tracing::Level::ERROR)
    );
    assert_eq!(
        first.fields, expected,
        "the first occurrence, logged without waiting for a tick"
    );

    // Ticks of the three occurrences, in one interval or in several: the last event counts them all.
    let deadline = Instant::now() + Duration::from_secs(60);
    let tick = loop {
        assert!(Instant::now() < deadline, "no tick: {:#?}", events());
        std::thread::sleep(Duration::from_millis(10));
        let last = events().last().unwrap().clone();
        if last.fields.get("count").is_some_and(|count| count == "3") {
            break last;
        }
    };
    let mut fields = tick.fields.clone();
    let stack = fields.remove("stack").unwrap();
    expected.insert("count", "3".to_owned());
    expected.insert("handles", "6".to_owned());
    assert_eq!(fields, expected);
    assert_eq!(
        (tick.target.as_str(), tick.level),
        ("handleguard", tracing::Level::ERROR)
    );
    assert_eq!(stack, first_stack);
    let frames: Vec<&str> = stack.split(';').collect();
    assert_eq!(frames.last(), Some(&"log::on_close"), "{stack}");
    assert!(
        frames.contains(&"log::new_site_and_each_tick_are_one_event_with_all_fields"),
        "{stack}"
    );
    assert!(!stack.contains('\n'));
    let logged_at_once = events()
        .iter()
        .filter(|event| event.fields.get("count").is_none_or(|count| count == "1"))
        .count();
    assert_eq!(logged_at_once, 2, "the start, and the site once");
}
