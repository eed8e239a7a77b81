use crate::graph::Graph;
use crate::paths;
use crate::tokens::{Token, after_group, flat};
use proc_macro2::{Delimiter, TokenStream};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A module of a crate: its path from the root, and what its own body holds.
#[derive(Debug)]
struct Module {
    path: Vec<String>,
    file: String,
    tokens: Vec<Token>,
}

/// Adds the imports between the files of the crate whose root is the file `root`.
pub fn add(root: &Path, graph: &mut Graph) -> Result<(), String> {
    let mut modules = Vec::new();
    let folder = root.parent().unwrap_or(Path::new("")).to_owned();
    read_file(root, Vec::new(), &folder, &mut modules)?;
    let mut files: BTreeMap<&[String], &str> = BTreeMap::new();
    for module in &modules {
        graph.add_file(&module.file);
        files.insert(&module.path, &module.file);
    }
    for module in &modules {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut imports = Vec::new();
        // `use` declarations first: the other paths may begin with the names that these bring in.
        let mut written = paths::of(&module.tokens);
        written.sort_by_key(|path| !path.is_used);
        for path in written {
            let Some(absolute) = absolute(&path.segments, module, &names, &files) else {
                continue;
            };
            if let Some(alias) = path.alias {
                names.insert(alias, absolute.clone());
            }
            imports.push((absolute, path.segments.join("::")));
        }
        for (import, path) in imports {
            graph.add_import(&module.file, file_of(&import, &files), &path);
        }
    }
    Ok(())
}

/// The file of the innermost module that `path` names.
fn file_of<'a>(path: &[String], files: &BTreeMap<&[String], &'a str>) -> &'a str {
    (0..=path.len())
        .rev()
        .find_map(|length| files.get(&path[..length]))
        .expect("the root is a module")
}

/// A path as written in `module`, from the root of the crate; `None` where it leads to another crate.
fn absolute(
    written: &[String],
    module: &Module,
    names: &BTreeMap<String, Vec<String>>,
    files: &BTreeMap<&[String], &str>,
) -> Option<Vec<String>> {
    let mut rest = written;
    let mut path = match written.first()?.as_str() {
        "crate" => Vec::new(),
        "self" => module.path.clone(),
        "super" => {
            let mut path = module.path.clone();
            path.pop();
            while let [first, second, ..] = rest
                && first == "super"
                && second == "super"
            {
                path.pop();
                rest = &rest[1..];
            }
            path
        }
        name => {
            let mut child = module.path.clone();
            child.push(name.to_owned());
            if files.contains_key(child.as_slice()) {
                child
            } else {
                names.get(name)?.clone()
            }
        }
    };
    path.extend(rest[1..].iter().cloned());
    Some(path)
}

fn read_file(
    file: &Path,
    path: Vec<String>,
    folder: &Path,
    modules: &mut Vec<Module>,
) -> Result<(), String> {
    let shown = file.display().to_string();
    let source = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    let stream: TokenStream = source
        .parse()
        .map_err(|error| format!("{shown}: {error}"))?;
    read_body(&flat(stream), &shown, path, folder, modules)
}

/// Reads the body of a module: takes out the modules in it, and reads these too.
fn read_body(
    tokens: &[Token],
    file: &str,
    path: Vec<String>,
    folder: &Path,
    modules: &mut Vec<Module>,
) -> Result<(), String> {
    let mut own = Vec::new();
    let mut named_file = None;
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at..] {
            [
                Token::Punct('#'),
                Token::Open(_),
                name,
                Token::Punct('='),
                Token::Literal(value),
                ..,
            ] if name.is("path") => {
                named_file = Some(value.clone());
                at += 1;
            }
            [word, Token::Name(name), Token::Punct(';'), ..] if word.is("mod") => {
                let mut child = path.clone();
                child.push(name.clone());
                let (child_file, child_folder) =
                    find(file, folder, name, named_file.take().as_deref());
                read_file(&child_file, child, &child_folder, modules)?;
                at += 3;
            }
            [word, Token::Name(name), Token::Open(Delimiter::Brace), ..] if word.is("mod") => {
                let end = after_group(tokens, at + 2);
                let mut child = path.clone();
                child.push(name.clone());
                let body = &tokens[at + 3..end - 1];
                read_body(body, file, child, &folder.join(name), modules)?;
                at = end;
            }
            [token, ..] => {
                own.push(token.clone());
                at += 1;
            }
            [] => break,
        }
    }
    modules.push(Module {
        path,
        file: file.to_owned(),
        tokens: own,
    });
    Ok(())
}

/// The file of `mod name;`, and the folder of the modules in it.
fn find(file: &str, folder: &Path, name: &str, named: Option<&str>) -> (PathBuf, PathBuf) {
    if let Some(named) = named {
        let beside = Path::new(file).parent().unwrap_or(Path::new(""));
        let file = beside.join(named);
        let folder = file.with_extension("");
        return (file, folder);
    }
    let inside = folder.join(name).join("mod.rs");
    let file = if inside.exists() {
        inside
    } else {
        folder.join(format!("{name}.rs"))
    };
    (file, folder.join(name))
}
