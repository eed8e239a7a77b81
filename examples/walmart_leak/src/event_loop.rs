use crate::close;
use crate::connection::{Arrived, Connection, End};
use crate::http;
use crate::phase::Phase;
use crate::script::Handlers;
use crate::tally::Tally;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use v8::PinScope;

/// How many requests the client has in flight at a time.
const CLIENTS: usize = 16;

/// The longest wait of a turn, because the series is sampled between turns.
const NAP: Duration = Duration::from_millis(50);

const LISTENER: Token = Token(0);

/// An HTTP server and its client, over loopback, on the thread that runs JavaScript.
pub struct EventLoop<'s> {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    address: SocketAddr,
    handlers: Handlers<'s>,
    connections: HashMap<Token, Connection>,
    /// How many of them are ends of the client.
    clients: usize,
    /// How many connections were opened so far, which is also the token of the last one.
    opened: usize,
    closing: Vec<Connection>,
    tally: Tally,
}

/// Listens on `port` of 127.0.0.1, or on any free one if that is 0.
pub fn listen(port: u16) -> Result<TcpListener, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port).into()).map_err(|error| {
        format!("--port {port}: cannot listen on 127.0.0.1:{port}: {error}; accepted: a free port, or 0 for any")
    })
}

impl<'s> EventLoop<'s> {
    pub fn new(mut listener: TcpListener, handlers: Handlers<'s>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(256),
            listener,
            address,
            handlers,
            connections: HashMap::new(),
            clients: 0,
            opened: 0,
            closing: Vec::new(),
            tally: Tally::default(),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Resets the tally. Returns the old one.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Whether every connection is closed.
    pub fn is_idle(&self) -> bool {
        self.connections.is_empty()
    }

    /// Runs one pass of the loop. With `sending`, the client sends new requests.
    pub fn turn(
        &mut self,
        scope: &mut PinScope<'_, '_>,
        phase: Phase,
        sending: bool,
    ) -> io::Result<()> {
        handleguard_v8::turn!(scope, "event loop");
        while sending && self.clients < CLIENTS {
            self.ask()?;
        }
        match self.poll.poll(&mut self.events, Some(NAP)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let ready: Vec<Token> = self.events.iter().map(|event| event.token()).collect();
        for token in ready {
            if token == LISTENER {
                self.accept(scope)?;
            } else {
                self.ready(scope, token);
            }
        }
        close::run_closing_handles(
            scope,
            &self.handlers,
            &mut self.closing,
            phase,
            &mut self.tally,
        );
        Ok(())
    }

    /// Makes the next turn close every connection, even one that waits for data.
    pub fn hang_up(&mut self) {
        self.clients = 0;
        self.closing
            .extend(self.connections.drain().map(|(_, connection)| connection));
    }

    fn ask(&mut self) -> io::Result<()> {
        let path = format!("/item/{}", self.opened);
        self.add(Connection::client(self.address, &path)?)?;
        self.clients += 1;
        Ok(())
    }

    fn accept(&mut self, scope: &mut PinScope<'_, '_>) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => self.add(Connection::server(socket))?,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => continue,
                    _ => return Err(error),
                },
            }
            if let Err(thrown) = self.handlers.connection(scope) {
                self.tally.error(thrown);
            }
        }
    }

    fn add(&mut self, mut connection: Connection) -> io::Result<()> {
        self.opened += 1;
        let token = Token(self.opened);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut connection.socket, token, both)?;
        self.connections.insert(token, connection);
        Ok(())
    }

    fn ready(&mut self, scope: &mut PinScope<'_, '_>, token: Token) {
        // `hang_up` may have removed it.
        let Some(connection) = self.connections.get_mut(&token) else {
            return;
        };
        let done = match connection.ready() {
            Ok(Arrived::Nothing) => Ok(false),
            Ok(Arrived::Request(request)) => {
                let response = match self.handlers.request(scope, &request) {
                    Ok(body) => http::response(200, &body),
                    Err(thrown) => {
                        self.tally.error(thrown);
                        http::response(500, "")
                    }
                };
                connection.answer(response).map(|()| false)
            }
            Ok(Arrived::Garbage) => connection.answer(http::response(400, "")).map(|()| false),
            Ok(Arrived::Response(response)) => {
                if let Err(thrown) = self.handlers.response(scope, &response) {
                    self.tally.error(thrown);
                }
                Ok(true)
            }
            Ok(Arrived::End) => Ok(true),
            Err(error) => Err(error),
        };
        match done {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => self.tally.error(error),
        }
        if let Some(connection) = self.connections.remove(&token) {
            self.clients -= usize::from(connection.end == End::Client);
            self.closing.push(connection);
        }
    }
}
