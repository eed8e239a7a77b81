use crate::http::{Request, Response};
use handleguard_v8::{GuardedScript, make_callback};
use std::fmt;
use std::fs;
use std::path::Path;
use v8::{Function, HandleScope, Local, Object, PinScope, PinnedRef, TryCatch, Value};

/// What a script must be, for messages.
pub const ACCEPTED: &str =
    "a JavaScript file that declares the functions onConnection, onRequest, onResponse and onClose";

/// The source of a script.
pub struct Script {
    name: String,
    source: String,
}

impl Script {
    /// Reads the script in `file`, or the built-in one if there is none. The name of the built-in script is its path, like the names of
    /// Rust sources in stacks.
    pub fn read(file: Option<&Path>) -> Result<Self, String> {
        let Some(file) = file else {
            return Ok(Self {
                name: "examples/walmart_leak/src/handlers.js".to_owned(),
                source: include_str!("handlers.js").to_owned(),
            });
        };
        let name = file.to_string_lossy().into_owned();
        match fs::read_to_string(file) {
            Ok(source) => Ok(Self { name, source }),
            Err(error) => Err(unusable(&name, format_args!("cannot be read: {error}"))),
        }
    }
}

fn unusable(name: &str, what: impl fmt::Display) -> String {
    format!("script {name}: {what}; accepted: {ACCEPTED}")
}

/// The functions of the script, as handles in the scope of `main`, so that a call makes no handle for the function.
pub struct Handlers<'s> {
    pub this: Local<'s, Object>,
    pub on_close: Local<'s, Function>,
    on_connection: Local<'s, Function>,
    on_request: Local<'s, Function>,
    on_response: Local<'s, Function>,
}

/// An exception of JavaScript: its text, and its place.
pub struct Thrown(String);

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'s> Handlers<'s> {
    /// Runs the script and looks up its handlers.
    pub fn load(scope: &mut PinScope<'s, '_>, script: &Script) -> Result<Self, String> {
        run(scope, script).map_err(|thrown| unusable(&script.name, thrown))?;
        let this = scope.get_current_context().global(scope);
        let handler = |name| {
            this.get(scope, string(scope, name).into())
                .and_then(|value| Local::<Function>::try_from(value).ok())
                .ok_or_else(|| unusable(&script.name, format_args!("declares no function {name}")))
        };
        Ok(Self {
            this,
            on_close: handler("onClose")?,
            on_connection: handler("onConnection")?,
            on_request: handler("onRequest")?,
            on_response: handler("onResponse")?,
        })
    }

    /// Calls `onConnection`: the server has accepted a connection.
    pub fn connection(&self, scope: &mut PinScope<'_, '_>) -> Result<(), Thrown> {
        handleguard_v8::scope!(let scope, scope);
        handleguard_v8::tc_scope!(let scope, scope);
        let result = make_callback(scope, "on_connection", self.this, self.on_connection, &[]);
        outcome(scope, result).map(drop)
    }

    /// Calls `onRequest`: the server has read a request. Returns the body of the response.
    pub fn request(
        &self,
        scope: &mut PinScope<'_, '_>,
        request: &Request,
    ) -> Result<String, Thrown> {
        handleguard_v8::scope!(let scope, scope);
        handleguard_v8::tc_scope!(let scope, scope);
        let args = [
            string(scope, &request.method).into(),
            string(scope, &request.path).into(),
        ];
        let body = make_callback(scope, "on_request", self.this, self.on_request, &args)
            .and_then(|body| body.to_string(scope))
            .map(|body| body.to_rust_string_lossy(scope));
        outcome(scope, body)
    }

    /// Calls `onResponse`: the client has read a response.
    pub fn response(
        &self,
        scope: &mut PinScope<'_, '_>,
        response: &Response,
    ) -> Result<(), Thrown> {
        handleguard_v8::scope!(let scope, scope);
        handleguard_v8::tc_scope!(let scope, scope);
        let args = [
            v8::Integer::new_from_unsigned(scope, response.status.into()).into(),
            string(scope, &response.body).into(),
        ];
        let result = make_callback(scope, "on_response", self.this, self.on_response, &args);
        outcome(scope, result).map(drop)
    }
}

fn run(scope: &mut PinScope<'_, '_>, script: &Script) -> Result<(), Thrown> {
    handleguard_v8::turn!(scope, "script");
    handleguard_v8::scope!(let scope, scope);
    handleguard_v8::tc_scope!(let scope, scope);
    let name = string(scope, &script.name).into();
    let origin = v8::ScriptOrigin::new(
        scope, name, 0, 0, false, -1, None, false, false, false, None,
    );
    let source = string(scope, &script.source);
    let result = v8::Script::compile(scope, source, Some(&origin))
        .and_then(|script| script.guarded_run(scope));
    outcome(scope, result).map(drop)
}

/// The result of a call, or its exception.
pub fn outcome<T>(
    scope: &PinnedRef<'_, TryCatch<'_, '_, HandleScope<'_>>>,
    result: Option<T>,
) -> Result<T, Thrown> {
    result.ok_or_else(|| {
        let text = scope
            .exception()
            .map(|exception: Local<Value>| exception.to_rust_string_lossy(scope))
            .unwrap_or_else(|| "execution was terminated".to_owned());
        let place = scope.message().and_then(|message| {
            // An exception of V8 itself, with no JavaScript on the stack, has no place.
            let name = message
                .get_script_resource_name(scope)
                .filter(|name| name.is_string())?;
            let line = message.get_line_number(scope)?;
            Some(format!(" ({}:{line})", name.to_rust_string_lossy(scope)))
        });
        Thrown(text + &place.unwrap_or_default())
    })
}

fn string<'s>(scope: &PinScope<'s, '_>, text: &str) -> Local<'s, v8::String> {
    // V8's limit is half a gigabyte, and messages from a socket are limited to far less.
    v8::String::new(scope, text).expect("a script or message within V8's length of a string")
}
