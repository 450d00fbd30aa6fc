//! An assign, as it is put together.

use std::future::IntoFuture;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{CallError, Client};
use crate::serve::{
    AssignRequest, Assigned, Attribute, AttributeValue, Call, List, ListItem, Reply, Scalar,
};

/// A question for an arm; asked when it is awaited.
#[derive(Debug)]
#[must_use = "it is asked when it is awaited"]
pub struct Assign<'c> {
    client: &'c Client,
    request: AssignRequest,
}

impl<'c> Assign<'c> {
    pub(super) fn new(client: &'c Client, experiment: String, unit: String) -> Self {
        Self {
            client,
            request: AssignRequest {
                experiment,
                unit,
                attributes: Vec::new(),
                expose: None,
            },
        }
    }

    /// Adds what is known about the unit: a text, a number, a flag, or a list of them, by name.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.request.attributes.push(Attribute {
            name: name.into(),
            value: Some(value.into()),
        });
        self
    }

    /// Does not count the unit yet: [`Client::expose`] will, when it really meets its arm.
    pub fn hold_exposure(mut self) -> Self {
        self.request.expose = Some(false);
        self
    }

    async fn ask(self) -> Result<Assigned, CallError> {
        match self.client.call(Call::Assign(self.request)).await? {
            Reply::Assigned(assigned) => Ok(assigned),
            other => Err(CallError::not_asked_for(other)),
        }
    }
}

impl<'c> IntoFuture for Assign<'c> {
    type Output = Result<Assigned, CallError>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.ask().boxed()
    }
}

/// Values as services have them.
macro_rules! values {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for AttributeValue {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }

        impl From<$from> for Scalar {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

values! {
    &str => Text,
    String => Text,
    i32 => Integer,
    i64 => Integer,
    u32 => Unsigned,
    u64 => Unsigned,
    f64 => Number,
    bool => Flag,
}

impl<T: Into<Scalar>> From<Vec<T>> for AttributeValue {
    fn from(items: Vec<T>) -> Self {
        let item = |value: T| ListItem {
            value: Some(value.into()),
        };
        Self::List(List {
            items: items.into_iter().map(item).collect(),
        })
    }
}
