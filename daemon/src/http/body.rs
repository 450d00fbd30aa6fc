//! Reading a body: within its size, within its time.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_ENCODING;
use tokio::time::error::Elapsed;

use crate::calls::{Code, Problem};

/// 10 s: a mebibyte at 100 KiB/s; a client slower than that holds memory for others' requests.
const TIME: Duration = Duration::from_secs(10);

/// All of the request's body, if it has at most `max` bytes.
pub(super) async fn read(request: Request<Incoming>, max: usize) -> Result<Bytes, Problem> {
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Err(Problem::new(
            Code::UnsupportedEncoding,
            "the body is compressed; send it as it is",
        ));
    }
    let body = request.into_body();
    // Told before it is sent, where the client says how much it will be.
    if body.size_hint().lower() > max as u64 {
        return Err(Problem::too_large(max));
    }
    match in_time(Limited::new(body, max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(max)),
        Ok(Err(_)) => Err(Problem::new(Code::Invalid, "the body ended early")),
        Err(_) => Err(Problem::new(
            Code::TooSlow,
            format!("the body did not come within {} s", TIME.as_secs()),
        )),
    }
}

/// Takes a body of at most `max` bytes for nothing. A connection that is left with an unread body is reset, and the
/// answer may be lost on its way.
pub(super) async fn discard(request: Request<Incoming>, max: usize) {
    let mut body = Limited::new(request.into_body(), max);
    let discarded = async { while let Some(Ok(_)) = body.frame().await {} };
    // Slower or larger, and the connection has earned it.
    let _ = in_time(discarded).await;
}

/// Waits for `body` at most [`TIME`], with a timer only where there is something to wait for: making and taking back
/// a timer takes a lock that all cores share, and most bodies lie behind their heads already. hyper hands them over
/// when it is asked a second time.
async fn in_time<T>(body: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut body = pin!(body);
    let mut asked = false;
    let at_once = poll_fn(|cx| match body.as_mut().poll(cx) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending if asked => Poll::Ready(None),
        Poll::Pending => {
            asked = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match at_once.await {
        Some(read) => Ok(read),
        None => tokio::time::timeout(TIME, body).await,
    }
}
