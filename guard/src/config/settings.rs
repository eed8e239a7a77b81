use crate::config::action::Action;
use crate::config::rule::Rule;
use crate::record::sites::DEFAULT_SITES;
use std::num::NonZeroU16;
use std::time::Duration;

/// The environment variable with directives that win over the program's own configuration.
pub const VARIABLE: &str = "HANDLEGUARD";

/// What is checked, and what is done about it.
///
/// ```
/// use handleguard::{Action, Config, Rule};
/// use std::time::Duration;
///
/// let config = Config::new()
///     .action(Action::Log)
///     .rule(Rule::MissingScope, Action::Abort)
///     .tick(Duration::from_secs(60));
/// assert_eq!(config.action_of(Rule::OuterGrowth), Action::Log);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    actions: [Action; Rule::ALL.len()],
    tick: Duration,
    full_stack: bool,
    strict: bool,
    require_hooks: bool,
    scope_budget: Option<u64>,
    seal: bool,
    /// By file name; each at most once.
    addons: Vec<(String, Action)>,
    sites: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The default of this build ([`Action::default_for_build`]) for each rule that is no advice, and a tick of 10 s.
    pub const fn new() -> Self {
        Self {
            actions: all(Action::default_for_build()),
            tick: Duration::from_secs(10),
            full_stack: false,
            strict: false,
            require_hooks: false,
            scope_budget: None,
            seal: false,
            addons: Vec::new(),
            sites: DEFAULT_SITES,
        }
    }

    /// Sets the action of every rule that is no advice. Turns are not sealed by it.
    pub fn action(mut self, action: Action) -> Self {
        self.actions = all(action);
        self.seal = false;
        self
    }

    /// Sets the action of one rule. Of [`Rule::Sealed`]: seals each turn, unless the action is [`Action::Off`].
    pub fn rule(mut self, rule: Rule, action: Action) -> Self {
        self.actions[index(rule)] = action;
        if rule == Rule::Sealed {
            self.seal = action != Action::Off;
        }
        self
    }

    /// Sets the action of every rule for what happens in calls of the add-on with that file name, as in `libtimers.so`, over
    /// the actions of the rules themselves. See [`addon`](crate::addon()).
    pub fn addon(mut self, file: impl Into<String>, action: Action) -> Self {
        let file = file.into();
        self.addons.retain(|(other, _)| *other != file);
        self.addons.push((file, action));
        self
    }

    /// The action set for the add-on of that file name, if any.
    pub fn addon_action_of(&self, file: &str) -> Option<Action> {
        self.addons()
            .find(|(other, _)| *other == file)
            .map(|(_, action)| action)
    }

    /// The add-ons that have an action of their own, by file name.
    pub fn addons(&self) -> impl Iterator<Item = (&str, Action)> {
        self.addons
            .iter()
            .map(|(file, action)| (file.as_str(), *action))
    }

    /// Sets the time between periodic reports; zero for none.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// Shows every frame of a stack: the checker's own, the engine's one by one, and the runtime's below `main`.
    pub fn full_stack(mut self, full: bool) -> Self {
        self.full_stack = full;
        self
    }

    /// Judges each callback as if it had come straight from the loop, so that a path is found that is clean only because the
    /// scope of a JavaScript caller hides it. Code that relies on its caller's scope by design is blamed too.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Ends the process at its start, with status 2, unless every hook took effect: then code that uses no guard is seen too.
    pub fn require_hooks(mut self, require: bool) -> Self {
        self.require_hooks = require;
        self
    }

    /// Sets how many handles a scope may hold; `None` for any number. A scope that holds more violates
    /// [`Rule::ScopeBudget`] while it is still open.
    ///
    /// There is no limit of our own: what is right for one scope is a leak in another. Costs a count of handles for each
    /// guard.
    pub fn scope_budget(mut self, handles: Option<u64>) -> Self {
        self.scope_budget = handles;
        self
    }

    /// Sets how many distinct causes are kept, 1024 if nothing else is asked for; more than that are only counted. A site takes
    /// about 2 KiB, with a stack of 128 frames; the default table so about 2 MiB, once it is full.
    pub fn sites(mut self, sites: NonZeroU16) -> Self {
        self.sites = usize::from(sites.get());
        self
    }

    /// How many distinct causes are kept.
    pub fn sites_of(&self) -> usize {
        self.sites
    }

    /// How many handles a scope may hold.
    #[inline]
    pub fn scope_budget_of(&self) -> Option<u64> {
        self.scope_budget
    }

    /// Whether turns are sealed.
    #[inline]
    pub fn seals_turns(&self) -> bool {
        self.seal
    }

    /// Whether each callback is judged as if it had come straight from the loop.
    #[inline]
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether the process is to end unless every hook took effect.
    pub fn requires_hooks(&self) -> bool {
        self.require_hooks
    }

    /// Whether every frame of a stack is shown.
    pub fn is_full_stack(&self) -> bool {
        self.full_stack
    }

    /// The action of one rule.
    pub fn action_of(&self, rule: Rule) -> Action {
        self.actions[index(rule)]
    }

    /// The time between periodic reports; zero for none.
    pub fn tick_interval(&self) -> Duration {
        self.tick
    }

    /// Whether any rule, or any add-on, has an action other than `off`.
    pub fn is_on(&self) -> bool {
        let mut actions = self
            .actions
            .iter()
            .chain(self.addons.iter().map(|(_, action)| action));
        actions.any(|&action| action != Action::Off)
    }
}

const fn all(action: Action) -> [Action; Rule::ALL.len()] {
    let mut actions = [action; Rule::ALL.len()];
    let mut at = 0;
    while at < actions.len() {
        if Rule::ALL[at].is_advice() {
            actions[at] = Action::Off;
        }
        at += 1;
    }
    actions
}

fn index(rule: Rule) -> usize {
    Rule::ALL
        .iter()
        .position(|&other| other == rule)
        .expect("[handleguard internal bug] a rule is missing in `Rule::ALL`")
}
