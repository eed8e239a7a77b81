use crate::http::{self, Request, Response};
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// The most bytes of one message. The connection of a longer one is closed.
const MAX_INPUT: usize = 16 << 20;

/// One end of a TCP connection that carries one request and its response.
pub struct Connection {
    pub socket: TcpStream,
    pub end: End,
    input: Vec<u8>,
    /// Bytes still to be sent.
    output: Vec<u8>,
    answered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Server,
    Client,
}

/// What a connection has received.
pub enum Arrived {
    Nothing,
    Request(Request),
    /// The bytes received are not HTTP.
    Garbage,
    Response(Response),
    /// The client has closed.
    End,
}

impl Connection {
    /// The server's end of a connection that was accepted.
    pub fn server(socket: TcpStream) -> Self {
        Self::new(socket, End::Server, Vec::new())
    }

    /// The client's end of a new connection, which asks the server at `address` for `path`.
    ///
    /// It does not linger: the client closes first, and the system would keep its end in `TIME_WAIT` for a minute, with its port;
    /// thousands of connections per second would use up all ports. So the close resets the connection, which loses nothing, because
    /// the client has the whole response by then.
    pub fn client(address: SocketAddr, path: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        Ok(Self::new(socket, End::Client, http::request(address, path)))
    }

    fn new(socket: TcpStream, end: End, output: Vec<u8>) -> Self {
        Self {
            socket,
            end,
            input: Vec::new(),
            output,
            answered: false,
        }
    }

    /// Sends and receives as much as possible once the socket is ready, as `mio`'s edge-triggered events require.
    pub fn ready(&mut self) -> io::Result<Arrived> {
        self.send()?;
        let ended = self.receive()?;
        if self.end == End::Client {
            return match http::parse_response(&self.input).map_err(io::Error::other)? {
                Some(response) => Ok(Arrived::Response(response)),
                None if ended => Err(ErrorKind::UnexpectedEof.into()),
                None => Ok(Arrived::Nothing),
            };
        }
        if self.answered {
            self.input.clear();
        } else {
            match http::parse_request(&self.input) {
                Ok(Some(request)) => return Ok(Arrived::Request(request)),
                Ok(None) => {}
                Err(_) => return Ok(Arrived::Garbage),
            }
        }
        Ok(if ended {
            Arrived::End
        } else {
            Arrived::Nothing
        })
    }

    /// Sends the response. The connection stays until the client closes it.
    pub fn answer(&mut self, response: Vec<u8>) -> io::Result<()> {
        self.answered = true;
        self.output = response;
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(sent) => drop(self.output.drain(..sent)),
                Err(error) if is_not_yet(&error) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.answered {
            // For clients that wait for the end. Ours may have closed already, which the next read reports.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// Whether the other end has closed or reset the connection.
    fn receive(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 4096];
        while self.input.len() < MAX_INPUT {
            match self.socket.read(&mut chunk) {
                Ok(0) => return Ok(true),
                Ok(read) => self.input.extend_from_slice(&chunk[..read]),
                Err(error) if is_not_yet(&error) => return Ok(false),
                Err(error) => match error.kind() {
                    ErrorKind::ConnectionReset => return Ok(true),
                    ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Err(io::Error::other("a message of more than 16 MiB"))
    }
}

/// Whether a later event signals when to try again. A socket that is still connecting has an error of its own on some systems.
fn is_not_yet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}
