//! `[server]`.

use std::net::SocketAddr;
use std::ops::Range;

use super::{PEM, Parser, Sections, is_pem};
use crate::{Server, Tls, raw};

/// More threads than any machine has cores would only wait for one another.
const WORKERS_MAX: u16 = 1024;

impl Parser<'_> {
    /// Whether the file has keys, sound or not, decides where clients may come from.
    pub(super) fn server(&mut self, sections: &mut Sections<'_>, has_keys: bool) -> Server {
        let mut server = Server::default();
        let Some((raw, span)) = self.section::<raw::Server>(sections, "server") else { return server };
        self.bounds(&mut server, &raw, &span);
        server.listen = self.address(raw.listen, "server.listen", &span, server.listen);
        server.operators = self.address(raw.operators, "server.operators", &span, server.operators);
        server.tls = raw.tls.map(|tls| Tls { cert: tls.cert, key: tls.key });
        if server.tls.as_ref().is_some_and(|tls| is_pem(&tls.cert) || is_pem(&tls.key)) {
            self.gather.add("server.tls", span.clone(), PEM);
        }
        let secret = raw.operators_secret;
        server.operators_secret = secret.and_then(|s| self.secret(s, "server.operators_secret", &span));
        server.require_keys = raw.require_keys.unwrap_or(server.require_keys);
        server.bare_models = raw.bare_models.unwrap_or(server.bare_models);
        self.exposed(&server, has_keys, &span);
        server
    }

    /// How long clients may take, and how much they may send at once.
    fn bounds(&mut self, server: &mut Server, raw: &raw::Server, span: &Range<usize>) {
        for (field, text, name) in [
            (&mut server.body_bytes_max, &raw.body_max, "server.body_max"),
            (&mut server.bodies_bytes_max, &raw.bodies_max, "server.bodies_max"),
        ] {
            *field = self.size(text.as_deref(), name, span, *field);
        }
        for (field, text, name) in [
            (&mut server.body_timeout, &raw.body_timeout, "server.body_timeout"),
            (&mut server.head_timeout, &raw.head_timeout, "server.head_timeout"),
            (&mut server.stall_timeout, &raw.stall_timeout, "server.stall_timeout"),
            (&mut server.drain_timeout, &raw.drain_timeout, "server.drain_timeout"),
        ] {
            *field = self.duration(text.as_deref(), name, span, *field);
        }
        match raw.connections_max {
            Some(0) => {
                self.gather.add("server.connections_max", span.clone(), "0 is out of range; at least 1")
            }
            Some(count) => server.connections_max = count as usize,
            None => {}
        }
        match raw.workers {
            Some(count) if (1..=WORKERS_MAX).contains(&count) => server.workers = Some(usize::from(count)),
            Some(count) => {
                let message = format!("{count} is out of range; from 1 to {WORKERS_MAX}");
                self.gather.add("server.workers", span.clone(), message);
            }
            None => {}
        }
    }

    /// Checks that there are two listeners, and that nobody is let in from beyond this machine without a credential.
    fn exposed(&mut self, server: &Server, has_keys: bool, span: &Range<usize>) {
        let Server { listen, operators, .. } = server;
        if !listen.ip().is_loopback() && !has_keys && !server.require_keys {
            let message = format!(
                "{listen} is not on loopback: anyone who reaches it could spend your money. Configure [keys.NAME], or set \
                 server.require_keys and make keys with `shim keys create`"
            );
            self.gather.add("server.listen", span.clone(), message);
        }
        let any = listen.ip().is_unspecified() || operators.ip().is_unspecified();
        if listen.port() == operators.port() && listen.port() != 0 && (any || listen.ip() == operators.ip()) {
            let message = format!("clients are listened for at {listen}: take another port");
            self.gather.add("server.operators", span.clone(), message);
        }
        if !operators.ip().is_loopback()
            && server.operators_secret.is_none()
            && !self.gather.has("server.operators_secret")
        {
            let message = format!("{operators} is not on loopback: configure server.operators_secret");
            self.gather.add("server.operators", span.clone(), message);
        }
    }

    fn address(
        &mut self,
        text: Option<String>,
        path: &str,
        span: &Range<usize>,
        default: SocketAddr,
    ) -> SocketAddr {
        let Some(text) = text else { return default };
        text.parse().unwrap_or_else(|_| {
            let message = format!("\"{text}\" is no address; write it as \"127.0.0.1:7446\"");
            self.gather.add(path, span.clone(), message);
            default
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::parse;

    #[test]
    fn bounds_are_read_or_refused() {
        let read = |lines: &str| parse(&format!("[server]\n{lines}\n"), "f", &[]);
        let server = read("workers = 3\nconnections_max = 9\nbody_max = \"1MiB\"\nhead_timeout = \"5s\"");
        let server = server.unwrap().server;
        assert_eq!((server.workers, server.connections_max), (Some(3), 9));
        assert_eq!((server.body_bytes_max, server.head_timeout), (1 << 20, Duration::from_secs(5)));
        assert_eq!(server.stall_timeout, Duration::from_secs(300), "what is not said stays");
        for (line, told) in [
            ("workers = 0", "server.workers: 0 is out of range"),
            ("workers = 2000", "server.workers: 2000 is out of range"),
            ("connections_max = 0", "server.connections_max: 0 is out of range"),
            ("stall_timeout = \"soon\"", "server.stall_timeout: \"soon\" must start"),
            ("listen = \"localhost\"", "server.listen: \"localhost\" is no address"),
            ("listen = \"127.0.0.1:7447\"", "server.operators: clients are listened for at 127.0.0.1:7447"),
            ("operators = \"0.0.0.0:7446\"", "server.operators: clients are listened for at 127.0.0.1:7446"),
        ] {
            let problems = read(line).unwrap_err().to_string();
            assert!(problems.contains(told), "{told} is not in {problems}");
        }
    }
}
