use crate::tokens::{Token, after_group};
use proc_macro2::Delimiter;

/// A path as it is written, and the name that a `use` declaration gives to it.
#[derive(PartialEq, Eq, Debug)]
pub struct Path {
    pub segments: Vec<String>,
    /// Whether a `use` declaration imports it.
    pub is_used: bool,
    pub alias: Option<String>,
}

/// Every path in `tokens`: of `use` declarations, of expressions and of types. Single names are left out of the latter two.
pub fn of(tokens: &[Token]) -> Vec<Path> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        if tokens[at].is("use") && !matches!(before, Some(Token::Punct('$'))) {
            let end = end_of_use(tokens, at);
            let mut prefix = Vec::new();
            tree(&tokens[at + 1..end], &mut prefix, &mut paths);
            at = end;
        } else if tokens[at].is("pub") && is_restriction(&tokens[at + 1..]) {
            at = after_group(tokens, at + 1);
        } else if begins_path(before) && tokens.get(at + 1) == Some(&Token::Path) {
            let (segments, end) = segments(tokens, at);
            if !segments.is_empty() {
                paths.push(Path {
                    segments,
                    is_used: false,
                    alias: None,
                });
            }
            at = end.max(at + 1);
        } else {
            at += 1;
        }
    }
    paths
}

/// `(crate)` and the like after `pub`.
fn is_restriction(tokens: &[Token]) -> bool {
    tokens.first() == Some(&Token::Open(Delimiter::Parenthesis))
        && tokens.get(1).is_some_and(|token| {
            ["crate", "self", "super", "in"]
                .iter()
                .any(|word| token.is(word))
        })
}

/// A name after one of these goes on with a path, or is a method, a lifetime or a macro's variable.
fn begins_path(before: Option<&Token>) -> bool {
    !matches!(before, Some(Token::Path | Token::Punct('.' | '$' | '\'')))
}

/// The names from `at` on, each after a `::`, and the index after them.
fn segments(tokens: &[Token], mut at: usize) -> (Vec<String>, usize) {
    let mut segments = Vec::new();
    while let Some(name) = tokens.get(at).and_then(Token::name) {
        segments.push(name.to_owned());
        at += 1;
        if tokens.get(at) != Some(&Token::Path) {
            break;
        }
        at += 1;
    }
    (segments, at)
}

fn end_of_use(tokens: &[Token], from: usize) -> usize {
    let mut at = from;
    while at < tokens.len() && tokens[at] != Token::Punct(';') {
        at += 1;
    }
    at
}

/// The leaves of a `use` tree: `a::{b, c::{self, d as e}, f::*}`.
fn tree(tokens: &[Token], prefix: &mut Vec<String>, paths: &mut Vec<Path>) {
    let mut at = 0;
    while at < tokens.len() {
        let depth = prefix.len();
        if tokens[at] == Token::Path {
            at += 1;
        }
        let (names, end) = segments(tokens, at);
        prefix.extend(names);
        at = end;
        match tokens.get(at) {
            Some(Token::Open(Delimiter::Brace)) => {
                let end = after_group(tokens, at);
                tree(&tokens[at + 1..end - 1], prefix, paths);
                at = end;
            }
            Some(Token::Punct('*')) => {
                paths.push(leaf(prefix, None, true));
                at += 1;
            }
            _ => {
                let renamed = match (prefix.last(), tokens.get(at)) {
                    (_, Some(token)) if token.is("as") => {
                        at += 2;
                        tokens.get(at - 1).and_then(Token::name)
                    }
                    _ => None,
                };
                if prefix.len() > depth {
                    paths.push(leaf(prefix, renamed, false));
                }
            }
        }
        prefix.truncate(depth);
        while at < tokens.len() && tokens[at] != Token::Punct(',') {
            at += 1;
        }
        at += 1;
    }
}

fn leaf(prefix: &[String], renamed: Option<&str>, is_glob: bool) -> Path {
    let mut segments = prefix.to_vec();
    // `a::{self}` is `a`.
    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
        segments.pop();
    }
    let alias = renamed
        .map(str::to_owned)
        .or_else(|| segments.last().cloned());
    Path {
        segments,
        is_used: true,
        alias: alias.filter(|_| !is_glob),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::flat;

    fn written(source: &str) -> Vec<String> {
        let tokens = flat(source.parse().expect("tokens"));
        let shown = |path: Path| {
            let alias = path
                .alias
                .map_or_else(String::new, |name| format!(" as {name}"));
            path.segments.join("::") + &alias
        };
        of(&tokens).into_iter().map(shown).collect()
    }

    #[test]
    fn a_use_tree_has_a_path_for_each_leaf() {
        assert_eq!(
            written("pub(crate) use crate::a::{self, b as c, d::{E, f::*}};"),
            [
                "crate::a as a",
                "crate::a::b as c",
                "crate::a::d::E as E",
                "crate::a::d::f"
            ]
        );
    }

    #[test]
    fn paths_of_expressions_and_types_are_found_and_those_of_comments_texts_and_tests_are_not() {
        assert_eq!(
            written(
                "/// crate::no
                 fn f(x: super::A) -> Vec<self::b::C> { crate::d::e::<u8>(x.y::<z>(), \"crate::no\"); $crate::no() }
                 #[cfg(test)] mod tests { use crate::no; }
                 #[cfg(all(test, not(loom)))] use crate::{no, yes};
                 #[cfg(not(test))] use crate::x;
                 fn g() { h::i() }"
            ),
            ["super::A", "self::b::C", "crate::d::e", "crate::x as x", "h::i"]
        );
    }
}
