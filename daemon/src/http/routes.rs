//! The one place that knows the routes of the data port. Dispatch, `Allow` headers, metric labels and the
//! test of `openapi.json` all read this table.

use hyper::Method;

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Give a unit its arm.
    Assign,
    /// Start a unit's attribution window.
    Expose,
    /// Take one event.
    Track,
    /// Take many events.
    TrackBatch,
    /// The experiments.
    List,
    /// One experiment.
    Show,
    /// Its counts, rates and posteriors.
    Results,
    /// The reading of its results.
    Insights,
    /// This contract.
    OpenApi,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path; `{id}` stands for an experiment's key.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
}

const fn route(method: Method, path: &'static str, operation: Operation) -> Route {
    Route {
        method,
        path,
        operation,
    }
}

/// Every route, the busiest first: they are tried in this order.
pub static ROUTES: [Route; 9] = [
    route(
        Method::POST,
        "/api/experiments/{id}/assign",
        Operation::Assign,
    ),
    route(
        Method::POST,
        "/api/experiments/{id}/track",
        Operation::Track,
    ),
    route(Method::POST, "/api/track", Operation::TrackBatch),
    route(
        Method::POST,
        "/api/experiments/{id}/expose",
        Operation::Expose,
    ),
    route(Method::GET, "/api/experiments", Operation::List),
    route(Method::GET, "/api/experiments/{id}", Operation::Show),
    route(
        Method::GET,
        "/api/experiments/{id}/results",
        Operation::Results,
    ),
    route(
        Method::GET,
        "/api/experiments/{id}/insights",
        Operation::Insights,
    ),
    route(Method::GET, "/openapi.json", Operation::OpenApi),
];

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'p> {
    /// To this operation, with the experiment's key where the route has one (else empty).
    Operation(Operation, &'p str),
    /// The path is known, the method is not: these are.
    Methods(String),
    /// Nowhere.
    Nothing,
}

/// Looks up a request.
pub fn find<'p>(method: &Method, path: &'p str) -> Found<'p> {
    for route in &ROUTES {
        if route.method == *method
            && let Some(key) = key(route.path, path)
        {
            return Found::Operation(route.operation, key);
        }
    }
    let others: Vec<&str> = ROUTES
        .iter()
        .filter(|route| key(route.path, path).is_some())
        .map(|route| route.method.as_str())
        .collect();
    if others.is_empty() {
        return Found::Nothing;
    }
    Found::Methods(others.join(", "))
}

/// What stands for `{id}` in `path`, or an empty text if `pattern` has none; `None` if they do not match.
fn key<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    let Some((before, after)) = pattern.split_once("{id}") else {
        return (pattern == path).then_some("");
    };
    let key = path.strip_prefix(before)?.strip_suffix(after)?;
    (!key.is_empty() && !key.contains('/')).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_finds_itself() {
        for route in &ROUTES {
            let path = route.path.replace("{id}", "checkout.v2");
            let key = if path == route.path {
                ""
            } else {
                "checkout.v2"
            };
            assert_eq!(
                find(&route.method, &path),
                Found::Operation(route.operation, key),
                "{path}"
            );
        }
    }

    #[test]
    fn other_paths_and_methods_do_not() {
        for path in [
            "",
            "/",
            "/api",
            "/api/experiments/",
            "/api/experiments//assign",
            "/api/experiments/a/b/assign",
            "/api/experiments/a/assign/",
            "/API/track",
        ] {
            assert_eq!(find(&Method::POST, path), Found::Nothing, "{path}");
        }
        assert_eq!(
            find(&Method::PUT, "/api/experiments/a/assign"),
            Found::Methods("POST".into())
        );
        assert_eq!(
            find(&Method::DELETE, "/api/experiments/a"),
            Found::Methods("GET".into())
        );
    }

    #[test]
    fn the_contract_lists_exactly_these_routes() {
        let contract: serde_json::Value = serde_json::from_str(super::super::OPENAPI).unwrap();
        let mut listed: Vec<String> = Vec::new();
        for (path, methods) in contract["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                listed.push(format!("{} {path}", method.to_uppercase()));
            }
        }
        let mut known: Vec<String> = ROUTES
            .iter()
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        listed.sort();
        known.sort();
        assert_eq!(listed, known);
    }

    #[test]
    fn the_contract_lists_exactly_our_codes() {
        let contract: serde_json::Value = serde_json::from_str(super::super::OPENAPI).unwrap();
        let codes = &contract["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
        let ours = serde_json::to_value(crate::calls::Code::ALL).unwrap();
        assert_eq!(*codes, ours);
    }
}
