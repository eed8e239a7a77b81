//! Loads an add-on, or refuses it in one line that says why.

use crate::api;
use handleguard_v8::handleguard::AddonFunction;
use libloading::{Library, Symbol};
use object::{Object, ObjectKind};
use std::env::consts::ARCH;
use std::path::Path;
use std::{env, fs};

/// The events of this host; an add-on exports a function for each.
const EVENTS: [&str; 2] = ["on_timer", "on_close"];

pub struct Addon {
    pub file: String,
    pub handlers: Vec<Handler>,
}

/// An exported function, and its name in reports.
pub struct Handler {
    pub entry: api::Handler,
    pub function: AddonFunction,
}

pub fn load(path: &Path) -> Result<Addon, String> {
    let file = path
        .file_name()
        .ok_or_else(|| format!("{}: no file; accepted: a shared object", path.display()))?
        .to_string_lossy()
        .into_owned();
    let refused = |why: String| format!("{file}: {why}");
    made_for_this_machine(path).map_err(refused)?;
    let path = path
        .canonicalize()
        .map_err(|error| refused(error.to_string()))?;
    // SAFETY: runs the initialisers of the add-on, as any host of native add-ons must; it is made for this machine.
    let library = unsafe { Library::new(&path) }.map_err(|error| refused(error.to_string()))?;
    // Relative to the working directory, as a user types it at the prompt.
    let shown = env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(&path);
    let handlers = EVENTS
        .iter()
        .map(|event| {
            // SAFETY: a function of that name has the type `Handler`: `api.rs` requires it of add-ons.
            let entry: Symbol<'_, api::Handler> = unsafe { library.get(event.as_bytes()) }
                .map_err(|_| {
                    refused(format!(
                        "exports no function `{event}`; accepted: an add-on that exports {}",
                        EVENTS.join(" and ")
                    ))
                })?;
            Ok(Handler {
                entry: *entry,
                function: AddonFunction::new(shown, event),
            })
        })
        .collect::<Result<_, String>>()?;
    // Never unloaded: a report names the add-on's frames when it is printed, and V8 may still hold its functions.
    std::mem::forget(library);
    Ok(Addon { file, handlers })
}

/// For an add-on of another machine, the dynamic linker's own message is that of a missing file.
fn made_for_this_machine(path: &Path) -> Result<(), String> {
    const ACCEPTED: &str = "accepted: a shared object for this machine";
    let bytes = fs::read(path).map_err(|error| format!("cannot be read: {error}; {ACCEPTED}"))?;
    let object = object::File::parse(&*bytes).map_err(|error| format!("{error}; {ACCEPTED}"))?;
    let machine = format!("{:?}", object.architecture()).to_lowercase();
    if machine != ARCH {
        return Err(format!(
            "made for {machine}, and this host runs on {ARCH}; {ACCEPTED}"
        ));
    }
    if object.kind() != ObjectKind::Dynamic {
        return Err(format!("no shared object; {ACCEPTED}"));
    }
    Ok(())
}
