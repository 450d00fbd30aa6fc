//! What is sent, request by request.

use std::fmt::Write as _;

/// A kind of request, and whom it is about.
#[derive(Debug, Clone)]
pub(super) struct Body {
    prefix: String,
    kind: Kind,
    experiments: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// One of so many units, or always another.
    Assign(Option<usize>),
    /// So many events.
    Events(usize),
}

/// The key of the `n`th experiment of a site.
pub(super) fn experiment(n: usize) -> String {
    match n {
        0 => "checkout".to_owned(),
        n => format!("checkout-{n:05}"),
    }
}

impl Body {
    /// Assigns of units that begin with `prefix`.
    pub(super) fn assigns(prefix: &str, units: Option<usize>) -> Self {
        Self {
            prefix: prefix.to_owned(),
            kind: Kind::Assign(units),
            experiments: 1,
        }
    }

    /// Batches of `count` events.
    pub(super) fn events(prefix: &str, count: usize) -> Self {
        Self {
            prefix: prefix.to_owned(),
            kind: Kind::Events(count),
            experiments: 1,
        }
    }

    /// The same, spread over the first `experiments` of the site.
    pub(super) fn over(self, experiments: usize) -> Self {
        Self {
            experiments,
            ..self
        }
    }

    /// How many items one request carries.
    pub(super) fn items(&self) -> usize {
        match self.kind {
            Kind::Assign(_) => 1,
            Kind::Events(count) => count,
        }
    }

    /// Experiment and unit of the `n`th request of a connection. The same unit is always in the same experiment.
    pub(super) fn place(&self, connection: usize, n: usize) -> (usize, String) {
        if let Kind::Assign(Some(units)) = self.kind {
            let unit = (n * 31 + connection * 7_919) % units;
            return (unit % self.experiments, self.known(unit));
        }
        let unit = format!("{}-{connection}-{n}", self.prefix);
        ((n + connection * 31) % self.experiments, unit)
    }

    /// The id of one of the units that come again.
    pub(super) fn known(&self, unit: usize) -> String {
        format!("{}-{unit}", self.prefix)
    }

    /// The `n`th request of a connection, written over what `request` held.
    pub(super) fn write(&self, connection: usize, n: usize, request: &mut String) {
        request.clear();
        let (at, unit) = self.place(connection, n);
        let experiment = experiment(at);
        match self.kind {
            Kind::Assign(_) => {
                let body = format!(
                    r#"{{"unit":"{unit}","attributes":{{"country":"SN","plan":"pro","txn":12}}}}"#
                );
                let path = format!("/api/experiments/{experiment}/assign");
                write_post(request, &path, &body);
            }
            Kind::Events(count) => {
                write_post(request, "/api/track", &events(&experiment, &unit, count));
            }
        }
    }
}

fn events(experiment: &str, unit: &str, count: usize) -> String {
    let mut body = String::with_capacity(count * 110);
    body.push('[');
    for item in 0..count {
        let comma = if item == 0 { "" } else { "," };
        let _ = write!(
            body,
            r#"{comma}{{"experiment":"{experiment}","unit":"{unit}","event":"purchase","value":12.5,"id":"{unit}-{item}"}}"#
        );
    }
    body.push(']');
    body
}

fn write_post(request: &mut String, path: &str, body: &str) {
    let _ = write!(
        request,
        "POST {path} HTTP/1.1\r\nhost: pitboss\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
}
