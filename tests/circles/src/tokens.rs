use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A token of a source file. Groups are flat: their brackets are tokens too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Token {
    Name(String),
    /// `::`.
    Path,
    Punct(char),
    Open(Delimiter),
    Close(Delimiter),
    /// The text between the quotes, of a string without escapes.
    Literal(String),
}

impl Token {
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Self::Name(own) if own == name)
    }

    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// The tokens of `stream`, without what is compiled for tests only.
pub fn flat(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    push(stream, &mut tokens);
    without_tests(&tokens)
}

fn push(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Ident(name) => {
                let name = name.to_string();
                tokens.push(Token::Name(
                    name.strip_prefix("r#").unwrap_or(&name).to_owned(),
                ));
            }
            TokenTree::Punct(punct) => match (punct.as_char(), tokens.last()) {
                (':', Some(Token::Punct(':'))) => {
                    tokens.pop();
                    tokens.push(Token::Path);
                }
                (punct, _) => tokens.push(Token::Punct(punct)),
            },
            TokenTree::Literal(literal) => {
                tokens.push(Token::Literal(
                    literal.to_string().trim_matches('"').to_owned(),
                ));
            }
            TokenTree::Group(group) => {
                tokens.push(Token::Open(group.delimiter()));
                push(group.stream(), tokens);
                tokens.push(Token::Close(group.delimiter()));
            }
        }
    }
}

/// The index after the group that opens at `open`.
pub fn after_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Open(_) => depth += 1,
            Token::Close(_) => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_attribute(tokens, at) {
            let end = after_group(tokens, at + 1);
            if is_for_tests(&tokens[at + 2..end]) {
                at = after_item(tokens, end);
                continue;
            }
        }
        kept.push(tokens[at].clone());
        at += 1;
    }
    kept
}

fn is_attribute(tokens: &[Token], at: usize) -> bool {
    tokens[at] == Token::Punct('#') && tokens.get(at + 1) == Some(&Token::Open(Delimiter::Bracket))
}

/// `cfg(test)` and `cfg(all(test, ..))`, but not `cfg(not(test))` and `cfg(any(test, ..))`.
fn is_for_tests(attribute: &[Token]) -> bool {
    let names: Vec<&str> = attribute.iter().filter_map(Token::name).collect();
    names.first() == Some(&"cfg")
        && !names.contains(&"any")
        && names
            .windows(2)
            .any(|pair| pair[1] == "test" && pair[0] != "not")
}

/// The index after the item, field or statement that begins at `at`, its other attributes included.
fn after_item(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len() && is_attribute(tokens, at) {
        at = after_group(tokens, at + 1);
    }
    let begins_with_use = tokens[at..].iter().take(5).any(|token| token.is("use"));
    while at < tokens.len() {
        match &tokens[at] {
            Token::Punct(';' | ',') => return at + 1,
            Token::Open(Delimiter::Brace) if !begins_with_use => return after_group(tokens, at),
            Token::Open(_) => at = after_group(tokens, at),
            Token::Close(_) => return at,
            _ => at += 1,
        }
    }
    at
}
