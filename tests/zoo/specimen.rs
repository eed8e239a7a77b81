use crate::stage::Stage;
use handleguard_v8::handleguard::Rule;

/// A bug, and its mended twin.
pub struct Specimen {
    /// The name by which its lines are marked: see [`marker`](crate::marker).
    pub name: &'static str,
    /// The report of the bug: project and number.
    pub report: &'static str,
    pub link: &'static str,
    /// The shape it has here.
    pub shape: &'static str,
    /// The rule that finds it.
    pub rule: Rule,
    /// Directives it needs in addition to `log`.
    pub directives: &'static str,
    /// How many turns until it is found: 1, except for advice.
    pub turns: u32,
    /// How often it is found in those.
    pub count: u64,
    /// How many turns it performs with none of them marked: as many as make a leak; fewer where each waits for V8 to sweep, or
    /// corrupts V8's memory.
    pub unmarked_turns: u32,
    /// The bug is in the turn itself, so there is none if no turn is marked.
    pub is_turn: bool,
    /// The rules that find it where only the linker's hooks see it, if these are not just `rule`.
    pub hooked: Option<&'static [Rule]>,
    pub bug: fn(&Stage),
    pub twin: fn(&Stage),
    /// The file that contains it.
    pub file: &'static str,
    pub source: &'static str,
}

impl Specimen {
    /// The shape that it shares with the other specimens of its file: the file's name.
    pub fn class(&self) -> &'static str {
        let name = self.file.rsplit(['/', '\\']).next();
        name.and_then(|name| name.strip_suffix(".rs"))
            .expect("the name of a source file")
    }
}

/// The specimens of one file, which share a shape.
macro_rules! specimens {
    ($($name:ident: $report:literal, $link:literal, $shape:literal, $rule:ident $(, $field:ident = $value:expr)*;)*) => {
        pub const ALL: &[$crate::specimen::Specimen] = &[$({
            #[allow(unused_mut)]
            let mut specimen = $crate::specimen::Specimen {
                name: stringify!($name),
                report: $report,
                link: $link,
                shape: $shape,
                rule: handleguard_v8::handleguard::Rule::$rule,
                directives: "",
                turns: 1,
                count: 1,
                unmarked_turns: 3_000,
                is_turn: false,
                hooked: None,
                bug: $name::bug,
                twin: $name::twin,
                file: file!(),
                source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../", file!())),
            };
            $(specimen.$field = $value;)*
            specimen
        },)*];
    };
}
pub(crate) use specimens;
