//! What a caller is told when it does not get what it asked for: one code per thing it can do about it.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// An answer that is an error; over HTTP `{"error": {"code", "message", "field"?}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// What kind; callers decide by this.
    pub(crate) code: Code,
    /// For people: lower case, no full stop.
    pub(crate) message: Cow<'static, str>,
    /// The field it is about, as a path such as `attributes.country`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
}

/// Every code, with what the caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Correct the request.
    Invalid,
    /// Say which unit: who it is about is never guessed.
    MissingUnit,
    /// Look at the list of experiments.
    UnknownExperiment,
    /// Look at `/openapi.json`, or use a newer daemon.
    UnknownRoute,
    /// Use one of the methods in `Allow`.
    MethodNotAllowed,
    /// Send less at once.
    TooLarge,
    /// Send the body as it is.
    UnsupportedEncoding,
    /// Send the body faster.
    TooSlow,
    /// Too much at once: come back after `Retry-After` seconds.
    Overloaded,
    /// The database is away: come back after `Retry-After` seconds.
    Unavailable,
    /// Our fault; the daemon's log has more.
    Internal,
}

impl Code {
    /// Every code, for the test of the contract's document.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 11] = [
        Self::Invalid,
        Self::MissingUnit,
        Self::UnknownExperiment,
        Self::UnknownRoute,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::UnsupportedEncoding,
        Self::TooSlow,
        Self::Overloaded,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The word in answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::MissingUnit => "missing_unit",
            Self::UnknownExperiment => "unknown_experiment",
            Self::UnknownRoute => "unknown_route",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooLarge => "too_large",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::TooSlow => "too_slow",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Whole seconds after which the same request may succeed. An integer, because clients that get a date
    /// here wait for half an hour or fail (RELIABILITY, finding 12).
    pub(crate) fn retry_after_secs(self) -> Option<u32> {
        match self {
            Self::Overloaded | Self::Unavailable => Some(1),
            _ => None,
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }
}

impl Problem {
    /// A problem that is about no field in particular.
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
        }
    }

    /// A field that has to be corrected.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: Code::Invalid,
            message: message.into(),
            field: Some(field.into()),
        }
    }

    /// More than `max` bytes were sent.
    pub(crate) fn too_large(max: usize) -> Self {
        Self::new(
            Code::TooLarge,
            format!("the body is larger than {max} bytes"),
        )
    }

    /// No unit was given.
    pub(crate) fn missing_unit() -> Self {
        Self {
            code: Code::MissingUnit,
            message: Cow::Borrowed(
                "`unit` is required: send the id of the user, account or device",
            ),
            field: Some("unit".to_owned()),
        }
    }

    /// No experiment has this key.
    pub(crate) fn unknown_experiment(key: &str) -> Self {
        let shown: String = key.chars().take(128).collect();
        Self::new(
            Code::UnknownExperiment,
            format!("no experiment is called `{shown}`; GET /api/experiments lists them"),
        )
    }
}
