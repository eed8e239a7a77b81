//! The part of HTTP/1.1 that connections with one request each need. `httparse` parses.

use httparse::{Error, Status};

/// The most headers of one message; more are an error.
const MAX_HEADERS: usize = 64;

pub struct Request {
    pub method: String,
    pub path: String,
}

pub struct Response {
    pub status: u16,
    pub body: String,
}

/// Returns a request without a body, for one response.
pub fn request(host: std::net::SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Returns a response, the only one on its connection.
pub fn response(status: u16, body: &str) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        _ => "Internal Server Error",
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Parses the request at the start of `input`; `None` while its head is incomplete.
pub fn parse_request(input: &[u8]) -> Result<Option<Request>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    if parsed.parse(input)?.is_partial() {
        return Ok(None);
    }
    Ok(parsed
        .method
        .zip(parsed.path)
        .map(|(method, path)| Request {
            method: method.to_owned(),
            path: path.to_owned(),
        }))
}

/// Parses the response at the start of `input`; `None` while it is incomplete. A response without a length has no body: [`response`]
/// always has a length.
pub fn parse_response(input: &[u8]) -> Result<Option<Response>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let Status::Complete(head) = parsed.parse(input)? else {
        return Ok(None);
    };
    let length = parsed
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
        .unwrap_or(0);
    let body = input[head..].get(..length);
    Ok(parsed.code.zip(body).map(|(status, body)| Response {
        status,
        body: String::from_utf8_lossy(body).into_owned(),
    }))
}
